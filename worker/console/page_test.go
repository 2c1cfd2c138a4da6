package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"math"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/testutil/browser"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/report"
	"github.com/edgechain/edge/worker/rollup"
)

// busy is the status of a worker with something of everything.
func busy(now time.Time) Status {
	amount := func(v string, lanes uint64) ackpool.Amount {
		n, _ := new(big.Int).SetString(v, 10)
		return ackpool.Amount{Value: n, Lanes: lanes}
	}
	s := Status{
		Schema: Schema, Version: "v1.4.0", At: now, Started: now.Add(-53 * time.Hour), PeerKey: "4b1f0a6c2cc8b3f6f4a2e7d19b0c3d5e4b1f0a6c2cc8b3f6f4a2e7d19b0c3d5e", Ready: true,
		Listen: "203.0.113.9:443", Sessions: 1284,
		Chain: Chain{
			ChainID: "edge-1", Height: 4_211_908, LagSeconds: 0.8, Epoch: 212, EpochEnd: now.Add(5 * time.Hour).Format(time.RFC3339),
			Endpoints: []Endpoint{{Address: "http://127.0.0.1:26657", OK: true, Used: true, Height: 4_211_908}, {Address: "https://rpc.example", Problem: "12 blocks behind"}},
		},
		Worker:   Worker{ID: 17, Operator: "edgevaloper1q9x0l4rjv6m0u2y7w5t3s8d4f6g7h8j9k0l2m3n", Account: "edge1q", Status: "active"},
		Settling: Settling{Status: rollup.Status{Account: "edge1settler9x0l4rjv6m0u2y7w5t3s8d4f6g7h8j9", LastHash: "9A7C3E51B2", LastHeight: 4_211_900, Settled: 19_120, Failed: 3, LastFailure: "mempool is full"}, FeeBalance: "812345678uedge"},
		Report:   &report.Status{Epoch: 212, State: "reported"},
		Store:    Store{Objects: 812_334, Used: 41 << 30, MaxBytes: 64 << 30},
		Served:   Served{Requests: 98_213_442, OK: 97_100_000, Refused: 1_113_000, Failed: 442, Bytes: 81 << 40, PaidBytes: 79 << 40, FreeBytes: 1 << 40, InFlight: 211, Connections: 2113, RequestsPerSecond: 512.3, BytesPerSecond: 812 << 20, Forms: map[string]uint64{"bao": 40 << 40, "plain": 41 << 40}},
		Lanes:    Lanes{Held: 3120, Capacity: 100_000, Accounts: 988, Waiting: 4, BaseCredit: "1000", MaxUnsettled: "1000000"},
		Money: Money{Denom: "uusd", Unsettled: "1245678", Endangered: "0", Totals: ackpool.Totals{
			Acknowledged: amount("91234567890", 3120), Pending: amount("845678", 412), Submitted: amount("400000", 300), Settled: amount("91233312212", 2400),
			Refused: map[string]ackpool.Amount{"insufficient_funds": amount("10000", 8)},
		}},
		Earned:  Earned{Denom: "uusd", TokenDenom: "uedge", At: now},
		Process: Process{MemoryBytes: 412 << 20, MemoryLimit: 2 << 30, Goroutines: 4211, OpenFiles: 2530, MaxFiles: 65536},
		Health: []Part{
			NewPart("report", StateWarning, "the report of epoch 212 is missing and the epoch is about to end"),
			NewPart("chain", StateFault, ""), NewPart("registration", StateFault, ""), NewPart("signer", StateFault, ""), NewPart("store", StateFault, ""),
			NewPart("pool", StateFault, ""), NewPart("settlement", StateWarning, ""), NewPart("deadline", StateWarning, ""), NewPart("content", StateWarning, ""), NewPart("fees", StateWarning, ""),
		},
	}
	for i := range uint64(14) {
		e := EarnedEpoch{Epoch: 212 - i, State: EarnedPaid, Requests: 1_000_000 + 30_000*i, Bytes: (900 + 20*i) << 30}
		e.Revenue, e.Node, e.Tokens = fmt.Sprint(700_000_000+i%5*90_000_000), fmt.Sprint(490_000_000+i%5*63_000_000), "1234567"
		switch i {
		case 0:
			e.State, e.Node = EarnedOpen, "210000000"
		case 1:
			e.State = EarnedClosing
		case 6:
			e.State, e.Cause = EarnedSetAside, "the recipient is blocked"
		}
		s.Earned.Epochs = append(s.Earned.Epochs, e)
	}
	return s
}

// busyHistory is a day's wave of the last thirty days, with a gap.
func busyHistory(now time.Time) *History {
	h := NewHistory()
	for i := range spans {
		s := spans[i]
		for n := s.points - 1; n >= 0; n-- {
			at := now.Add(-time.Duration(n) * s.step)
			if n > s.points/3 && n < s.points/3+s.points/20 {
				continue
			}
			wave := 1 + 0.6*math.Sin(float64(at.Unix())/86400*2*math.Pi*float64(s.points)/40/float64(s.points)*40) + 0.15*math.Sin(float64(n)*1.7) + 0.1*math.Cos(float64(n*n))
			h.tiers[i].add(at.Unix(), &Sample{420 * wave, 6e8 * wave, 1000 * wave, 1800 * wave, 2500 * wave, 9e5 * wave, 9.1e10 - float64(n)*2e6, 4.3e10 + float64(s.points-n)*1e6, 4e8 + 3e7*wave, 0.4 * wave})
		}
	}
	return h
}

// TestPage opens the page of a busy worker, in light and dark, on a phone and on a desk: nothing fails, nothing is wider than the
// screen, and every chart is drawn. EDGE_SCREENSHOTS names a folder for the pictures.
func TestPage(t *testing.T) {
	program, err := browser.Find()
	if err != nil {
		if os.Getenv("CI") != "" && os.Getenv("EDGE_NO_BROWSER") == "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if testing.Short() {
		t.Skip("starts a browser")
	}
	now := time.Now()
	c := newConsole(t, filepath.Join(t.TempDir(), "h"), newMetricsDouble(), &chainDouble{asked: map[string]int{}})
	c.history = busyHistory(now)
	server := httptest.NewServer(c.Handler(func(context.Context) Status { return busy(time.Now()) }))
	defer server.Close()
	b, err := browser.Start(program, t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	for _, tt := range []struct {
		name  string
		width int
		dark  bool
	}{{"desk-light", 1280, false}, {"desk-dark", 1280, true}, {"phone-light", 390, false}, {"phone-dark", 390, true}} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			p, err := b.Open(ctx, server.URL, tt.width, 900, tt.dark)
			require.NoError(t, err)
			require.NoError(t, p.Wait(ctx, `document.body.dataset.at && document.querySelectorAll('path.line').length >= 9`))
			var width int
			require.NoError(t, p.Eval(ctx, `document.documentElement.scrollWidth`, &width))
			require.LessOrEqual(t, width, tt.width, "the page is wider than the screen")
			var got map[string]string
			require.NoError(t, p.Eval(ctx, `Object.fromEntries(['t-requests','t-bytes','t-sessions','t-unsettled','t-settled','t-earned','ready','title','m-refused'].map((id) => [id, document.getElementById(id).textContent]))`, &got))
			require.Equal(t, map[string]string{
				"t-requests": "512/s", "t-bytes": "812 MiB/s", "t-sessions": "1,284", "t-unsettled": "1.25 USD", "t-settled": "91.2 k USD", "t-earned": "210 USD",
				"ready": "Ready, with warnings", "title": "Worker 17", "m-refused": "0.01 USD",
			}, got)
			var exact string
			require.NoError(t, p.Eval(ctx, `document.getElementById('t-settled').title`, &exact))
			require.Equal(t, "91,233,312,212 uusd", exact)
			// A table has the values of a chart, and keys read them.
			var rows int
			require.NoError(t, p.Eval(ctx, `(async () => { const d = document.querySelector('[data-series=lanes] details'); d.open = true; await new Promise((r) => setTimeout(r, 50)); const n = d.querySelectorAll('tbody tr').length; d.open = false; return n })()`, &rows))
			require.Equal(t, 60, rows)
			var tip string
			require.NoError(t, p.Eval(ctx, `(() => { const g = document.getElementById('plot-lanes'); g.dispatchEvent(new KeyboardEvent('keydown', {key: 'End'})); const s = document.getElementById('tip').textContent; g.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'})); return s })()`, &tip))
			require.Contains(t, tip, "lanes")
			for _, name := range []string{"24h", "30d", "1h"} {
				require.NoError(t, p.Eval(ctx, fmt.Sprintf(`document.querySelector('[data-range="%s"]').click()`, name), nil))
				require.NoError(t, p.Wait(ctx, fmt.Sprintf(`picture.range === '%s'`, name)))
				if name == "24h" {
					require.NoError(t, p.Wait(ctx, `document.querySelectorAll('path.peak').length >= 9`))
				}
			}
			shot, err := p.Screenshot(ctx)
			require.NoError(t, err)
			if dir := os.Getenv("EDGE_SCREENSHOTS"); dir != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, tt.name+".png"), shot, 0o600))
			}
			picture, err := png.Decode(bytes.NewReader(shot))
			require.NoError(t, err)
			require.GreaterOrEqual(t, picture.Bounds().Dx(), tt.width)
			r, g, blue, _ := picture.At(2, picture.Bounds().Dy()-2).RGBA()
			require.Equal(t, tt.dark, r+g+blue < 3*0x8000, "the background follows the scheme")
			require.Empty(t, p.Errors())
			require.NoError(t, p.Close(ctx))
		})
	}
}

// What a status says in JSON is what the page and other programs rely on.
func TestStatusDocument(t *testing.T) {
	b, err := json.Marshal(busy(noon))
	require.NoError(t, err)
	var doc map[string]any
	require.NoError(t, json.Unmarshal(b, &doc))
	for _, key := range []string{"schema", "version", "ready", "reasons", "health", "chain", "worker", "settling", "sessions", "store", "served", "lanes", "money", "earned", "process"} {
		require.Contains(t, doc, key)
	}
	money := doc["money"].(map[string]any)
	require.Equal(t, "91233312212", money["settled"].(map[string]any)["amount"])
	var back Status
	require.NoError(t, json.Unmarshal(b, &back))
	again, err := json.Marshal(back)
	require.NoError(t, err)
	require.JSONEq(t, string(b), string(again))
}
