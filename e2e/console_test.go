package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/testutil/browser"
	"github.com/edgechain/edge/testutil/devnet"
	"github.com/edgechain/edge/worker/console"
)

// testConsole serves a client, and then reads what the operator sees: in the terminal, in the documents, and on the page in a real
// browser. The history outlives a restart.
func testConsole(t *testing.T) {
	n := shared.long.get(t)
	ctx := bounded(t, 3*time.Minute)
	client := newClient(ctx, t, n, 1_000_000)
	content, _ := object(ctx, t, n, 4<<20, 77)
	for i := range 3 {
		_, err := client.Get(ctx, content.Name, filepath.Join(t.TempDir(), fmt.Sprint(i)))
		require.NoError(t, err)
	}
	_, err := n.WaitDrained(ctx)
	require.NoError(t, err)

	var s console.Status
	require.Eventually(t, func() bool {
		s = consoleStatus(ctx, t, n)
		// The chain is asked every ten seconds what was earned, and that is not less than what was just settled.
		return len(s.Earned.Epochs) > 0 && s.Earned.Epochs[0].Revenue == s.Money.Settled.Value.String()
	}, time.Minute, 300*time.Millisecond, "what the chain says was earned is what is settled")
	require.True(t, s.Ready)
	require.Equal(t, n.WorkerID, s.Worker.ID)
	require.NoError(t, s.Money.Check())
	require.Equal(t, console.EarnedOpen, s.Earned.Epochs[0].State)
	require.NotEqual(t, "0", s.Earned.Epochs[0].Node)
	require.GreaterOrEqual(t, s.Served.PaidBytes, uint64(12<<20))
	require.NotZero(t, s.Lanes.Held)

	t.Run("terminal", func(t *testing.T) {
		out, err := n.Worker(ctx, "status")
		require.NoError(t, err)
		for _, want := range []string{"HEALTH", "SERVED", "LANES AND CREDIT", "MONEY IN", "EARNED PER EPOCH", "STORE", "CHAIN", s.Money.Settled.Value.String()} {
			require.Contains(t, out, want)
		}
		out, err = n.Worker(ctx, "status", "--output", "json")
		require.NoError(t, err)
		var doc console.Status
		require.NoError(t, json.Unmarshal([]byte(out), &doc))
		require.Equal(t, s.Worker, doc.Worker)
	})
	t.Run("strangers", func(t *testing.T) {
		for _, header := range [][2]string{{"Host", "rebound.example"}, {"Sec-Fetch-Site", "cross-site"}} {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.AdminURL()+console.PathStatus, http.NoBody)
			require.NoError(t, err)
			req.Header.Set(header[0], header[1])
			if header[0] == "Host" {
				req.Host = header[1]
			}
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.GreaterOrEqual(t, res.StatusCode, 400, "%v", header)
		}
	})
	t.Run("page", func(t *testing.T) { browseConsole(ctx, t, n) })

	before := adminDoc[console.Picture](ctx, t, n, console.PathHistory+"?range=1h")
	require.NoError(t, n.StopWorker(ctx))
	_, err = n.Worker(ctx, "status")
	var failed *devnet.CommandError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, 1, failed.ExitCode())
	require.Contains(t, err.Error(), "the worker does not run")
	require.NoError(t, n.StartWorker(ctx))
	after := adminDoc[console.Picture](ctx, t, n, console.PathHistory+"?range=1h")
	require.GreaterOrEqual(t, known(after), known(before)-1, "a restart keeps the history")
}

func known(p console.Picture) (points int) {
	for _, v := range p.Series[2].Mean {
		if v != nil {
			points++
		}
	}
	return points
}

func consoleStatus(ctx context.Context, t *testing.T, n *devnet.Network) console.Status {
	t.Helper()
	return adminDoc[console.Status](ctx, t, n, console.PathStatus)
}

// adminDoc reads a document of the admin listener.
func adminDoc[T any](ctx context.Context, t *testing.T, n *devnet.Network, path string) (doc T) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.AdminURL()+path, http.NoBody)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &doc))
	return doc
}

// browseConsole opens the page in light and dark, on a phone and on a desk.
func browseConsole(ctx context.Context, t *testing.T, n *devnet.Network) {
	program, err := browser.Find()
	if err != nil {
		if os.Getenv("CI") != "" && os.Getenv("EDGE_NO_BROWSER") == "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	b, err := browser.Start(program, t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	for _, tt := range []struct {
		width int
		dark  bool
	}{{390, false}, {390, true}, {1280, false}, {1280, true}} {
		t.Run(fmt.Sprintf("%d dark %t", tt.width, tt.dark), func(t *testing.T) {
			p, err := b.Open(ctx, n.AdminURL()+"/", tt.width, 900, tt.dark)
			require.NoError(t, err)
			require.NoError(t, p.Wait(ctx, `document.body.dataset.at && document.querySelectorAll('path.line').length > 4 && document.querySelector('#earned .tag.open')`))
			// What the page shows is what the document says that it was drawn from.
			var shown struct {
				Title, Ready, Settled, Node, Sessions, Objects string
				Parts                                          []string
				Doc                                            console.Status
			}
			require.NoError(t, p.Eval(ctx, `(async () => {
				const doc = await (await fetch('/v1/admin/status')).json();
				drawStatus(doc);
				const t = (id) => document.getElementById(id);
				return { Title: t('title').textContent, Ready: t('ready').textContent, Settled: t('t-settled').title, Node: t('t-earned').title,
					Sessions: t('t-sessions').textContent, Objects: t('store').textContent, Parts: [...document.querySelectorAll('.part.ok')].map((e) => e.dataset.part), Doc: doc };
			})()`, &shown))
			doc := &shown.Doc
			require.Equal(t, fmt.Sprintf("Worker %d", doc.Worker.ID), shown.Title)
			require.Contains(t, shown.Ready, "Ready")
			require.Equal(t, grouped(doc.Money.Settled.Value.String())+" "+doc.Money.Denom, shown.Settled)
			require.Equal(t, grouped(doc.Earned.Epochs[0].Node)+" "+doc.Earned.Denom, shown.Node)
			require.Equal(t, fmt.Sprint(doc.Sessions), shown.Sessions)
			require.Contains(t, shown.Objects, fmt.Sprintf("Objects%d", doc.Store.Objects))
			require.Subset(t, shown.Parts, []string{"chain", "pool", "registration", "signer", "store"})
			var box struct{ X, Y, W, H float64 }
			require.NoError(t, p.Eval(ctx, `(() => { const r = document.getElementById('plot-memory').getBoundingClientRect(); return {x: r.x + scrollX, y: r.y + scrollY, w: r.width, h: r.height} })()`, &box))
			shot, err := p.Screenshot(ctx)
			require.NoError(t, err)
			if dir := os.Getenv("EDGE_SCREENSHOTS"); dir != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("worker-%d-%t.png", tt.width, tt.dark)), shot, 0o600))
			}
			picture, err := png.Decode(bytes.NewReader(shot))
			require.NoError(t, err)
			require.Equal(t, tt.width, picture.Bounds().Dx())
			require.Greater(t, colours(picture, image.Rect(int(box.X), int(box.Y), int(box.X+box.W), int(box.Y+box.H))), 8, "the chart is blank")
			require.Empty(t, p.Errors())
			require.NoError(t, p.Close(ctx))
		})
	}
}

// colours counts the different ones of a part of a picture.
func colours(m image.Image, part image.Rectangle) int {
	seen := map[[4]uint32]bool{}
	part = part.Intersect(m.Bounds())
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			r, g, b, a := m.At(x, y).RGBA()
			seen[[4]uint32{r, g, b, a}] = true
		}
	}
	return len(seen)
}

// grouped writes digits in groups of three.
func grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
