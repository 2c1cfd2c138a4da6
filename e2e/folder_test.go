package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/testutil/devnet"
)

// testFolder uploads a website, looks at it as a browser does, and fetches it back, each byte verified and paid once.
func testFolder(t *testing.T) {
	n := shared.long.get(t)
	ctx := bounded(t, 2*time.Minute)
	giver, taker := newClient(ctx, t, n, 50_000_000), newClient(ctx, t, n, 50_000_000)
	site := t.TempDir()
	for path, text := range map[string]string{
		"index.html": "<!doctype html><link rel=stylesheet href=style.css><p>hello\n", "style.css": "p{color:red}\n", "404.html": "<p>nothing here\n",
		"docs/index.html": "<p>documents\n", "docs/caf\u00e9 au lait.txt": "a cup\n", "docs/copy.css": "p{color:red}\n", "empty": "", "data.json": "{}\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(site, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(site, path), []byte(text), 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(site, "nothing"), 0o755))
	const large = 3<<20 + 5
	require.NoError(t, devnet.WriteSeeded(filepath.Join(site, "docs/large.bin"), large, 911))
	out, err := giver.Edge(ctx, "put", site, "--worker", n.WorkerURL(), "--output", "json")
	require.NoError(t, err, "%s", out)
	lines := putLines(t, out)
	last := lines[len(lines)-1]
	require.True(t, last.Folder, "%s", out)
	root := last.Name

	t.Run("website", func(t *testing.T) { testWebsite(ctx, t, n, root, site) })

	before, err := taker.Balance(ctx)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "f")
	out, err = taker.Edge(ctx, "get", root+"/docs/caf\u00e9 au lait.txt", "-o", file, "--output", "json")
	require.NoError(t, err, "%s", out)
	require.NoError(t, devnet.SameContent(filepath.Join(site, "docs/caf\u00e9 au lait.txt"), file))
	one := folderSums(t, out, "done")
	out, err = taker.Edge(ctx, "get", root+"/docs/none", "-o", file+"2", "--output", "json")
	require.ErrorContains(t, err, "no such path", "%s", out)
	none := folderSums(t, out, "error")

	dir := filepath.Join(t.TempDir(), "site")
	out, err = taker.Edge(ctx, "get", root, "-o", dir, "--output", "json")
	require.NoError(t, err, "%s", out)
	requireSameTree(t, site, dir)
	first := folderSums(t, out, "done")
	require.Equal(t, 9, first.Fetched)
	require.Zero(t, first.Existed)
	require.Greater(t, first.Acknowledged, uint64(large))
	require.Zero(t, first.Unacknowledged)

	// Once more: the manifests alone are fetched, and one file that is gone.
	require.NoError(t, os.Remove(filepath.Join(dir, "index.html")))
	out, err = taker.Edge(ctx, "get", root, "-o", dir, "--output", "json")
	require.NoError(t, err, "%s", out)
	requireSameTree(t, site, dir)
	again := folderSums(t, out, "done")
	require.Equal(t, 1, again.Fetched)
	require.Equal(t, 8, again.Existed)
	require.Less(t, again.Acknowledged, uint64(4096))

	paid := requirePaidAsSigned(ctx, t, n, taker, before)
	require.Equal(t, one.Acknowledged+none.Acknowledged+first.Acknowledged+again.Acknowledged, paid, "what edge get says is what was paid")
}

// sums are those of the last line of edge get.
type sums struct {
	Event          string
	Fetched        int    `json:"files_fetched"`
	Existed        int    `json:"files_existed"`
	Acknowledged   uint64 `json:"acknowledged_bytes"`
	Unacknowledged uint64 `json:"unacknowledged_bytes"`
}

func folderSums(t *testing.T, out, event string) (s sums) {
	t.Helper()
	lines := slices.Collect(strings.Lines(out))
	require.NotEmpty(t, lines)
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &s), "%s", out)
	require.Equal(t, event, s.Event)
	return s
}

func testWebsite(ctx context.Context, t *testing.T, n *devnet.Network, root, site string) {
	w := newWire(t, n, "127.0.0.81")
	w.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for path, want := range map[string]struct{ file, mediaType string }{
		"":                               {"index.html", "text/html; charset=utf-8"},
		"style.css":                      {"style.css", "text/css; charset=utf-8"},
		"data.json":                      {"data.json", "application/json"},
		"empty":                          {"empty", "application/octet-stream"},
		"docs/":                          {"docs/index.html", "text/html; charset=utf-8"},
		"docs/caf%C3%A9%20au%20lait.txt": {"docs/caf\u00e9 au lait.txt", "text/plain; charset=utf-8"},
	} {
		a := w.get(ctx, t, "/b3/"+root+"/"+path, nil)
		require.Equal(t, http.StatusOK, a.status, "%s: %s", path, a.body)
		b, err := os.ReadFile(filepath.Join(site, want.file))
		require.NoError(t, err)
		require.Equal(t, string(b), string(a.body), path)
		require.Equal(t, want.mediaType, a.header.Get("Content-Type"), path)
		require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
		require.Contains(t, a.header.Get("Content-Security-Policy"), "sandbox")
		require.NotContains(t, a.header.Get("Content-Security-Policy"), "allow-same-origin")
		not := w.get(ctx, t, "/b3/"+root+"/"+path, http.Header{"If-None-Match": {a.header.Get("Etag")}})
		require.Equal(t, http.StatusNotModified, not.status, path)
	}
	a := w.get(ctx, t, "/b3/"+root+"/docs/large.bin", http.Header{"Range": {"bytes=10-19"}})
	require.Equal(t, http.StatusPartialContent, a.status)
	require.Len(t, a.body, 10)
	a = w.get(ctx, t, "/b3/"+root+"/docs", nil)
	require.Equal(t, http.StatusPermanentRedirect, a.status)
	require.Equal(t, "./docs/", a.header.Get("Location"))
	for _, path := range []string{"none", "docs/none", "nothing/", "docs/large.bin/x"} {
		a = w.get(ctx, t, "/b3/"+root+"/"+path, nil)
		require.Equal(t, http.StatusNotFound, a.status, path)
		require.Equal(t, "<p>nothing here\n", string(a.body), path)
		require.Equal(t, "text/html; charset=utf-8", a.header.Get("Content-Type"))
	}
}

// requireSameTree holds two folders against each other: the same files with the same bytes, and the same folders.
func requireSameTree(t *testing.T, want, got string) {
	t.Helper()
	list := func(dir string) (all []string) {
		require.NoError(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			rel, relErr := filepath.Rel(dir, p)
			require.NoError(t, relErr)
			all = append(all, fmt.Sprintf("%s %t", rel, d.IsDir()))
			return err
		}))
		return all
	}
	require.Equal(t, list(want), list(got))
	require.NoError(t, filepath.WalkDir(want, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(want, p)
		require.NoError(t, err)
		return devnet.SameContent(p, filepath.Join(got, rel))
	}))
}

// requirePaidAsSigned waits until all is settled, and expects that each lane of a client is paid for what it has signed,
// once, and that its account has paid that and nothing else since it had a balance. It returns the bytes that were signed
// for. Lanes whose price is 0 need not be on the chain.
func requirePaidAsSigned(ctx context.Context, t *testing.T, n *devnet.Network, c *devnet.Client, before math.Int) uint64 {
	t.Helper()
	ledger, err := n.WaitDrained(ctx)
	require.NoError(t, err)
	require.Equal(t, ledger.Acknowledged.String(), ledger.Settled.Add(ledger.Refused).String())
	signed := devnet.Signed{}
	require.NoError(t, signed.Collect(c.Home))
	paid := map[ack.LaneID]math.Int{}
	for _, key := range c.KeyIDs {
		for _, lane := range lanesOf(ctx, t, n, 1, key) {
			paid[ack.LaneID{Epoch: 1, KeyID: key, ServiceID: lane.ServiceId, Lane: uint8(lane.Lane)}] = lane.Paid
		}
	}
	total := math.ZeroInt()
	for id, a := range signed {
		price, err := devnet.Signed{id: a}.Price(ctx, n.Chain)
		require.NoError(t, err)
		if _, ok := paid[id]; !ok {
			paid[id] = math.ZeroInt()
		}
		require.Equal(t, price.String(), paid[id].String(), "lane %+v is paid for what was signed, once", id)
		total = total.Add(price)
	}
	require.Len(t, paid, len(signed), "nothing is paid that the client has not signed")
	requireDebit(ctx, t, n, c, before, total)
	return signed.Bytes()
}

var receivedBytes = regexp.MustCompile(`(?m)^edge_gateway_received_bytes_total ([0-9.e+]+)$`)

// received is how many bytes of uploads the worker has taken since it started.
func received(ctx context.Context, t *testing.T, n *devnet.Network) float64 {
	t.Helper()
	m := receivedBytes.FindStringSubmatch(workerMetrics(ctx, t, n))
	require.NotNil(t, m, "no edge_gateway_received_bytes_total")
	v, err := strconv.ParseFloat(m[1], 64)
	require.NoError(t, err)
	return v
}

// workerMetrics is what the worker's metrics say now.
func workerMetrics(ctx context.Context, t *testing.T, n *devnet.Network) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.AdminURL()+"/metrics", http.NoBody)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(text)
}

// testCutUpload kills the worker in the middle of an upload. Nothing of the object may be there afterwards, the same command
// must finish it, and every byte that was acknowledged is paid once.
func testCutUpload(t *testing.T) {
	n := shared.long.get(t)
	ctx := bounded(t, 3*time.Minute)
	giver, taker := newClient(ctx, t, n, 50_000_000), newClient(ctx, t, n, 50_000_000)
	before, err := giver.Balance(ctx)
	require.NoError(t, err)
	_, err = n.WaitDrained(ctx)
	require.NoError(t, err)
	// More than a stranger's credit: the worker must settle on the way, so the kill meets it in the middle.
	const size = 28 << 20
	file := filepath.Join(t.TempDir(), "cut.bin")
	require.NoError(t, devnet.WriteSeeded(file, size, 921))

	start := received(ctx, t, n)
	type outcome struct {
		out string
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		out, err := giver.Edge(ctx, "put", file, "--worker", n.WorkerURL(), "--output", "json", "--retries", "0")
		done <- outcome{out, err}
	}()
	for received(ctx, t, n)-start < size/4 {
		select {
		case o := <-done:
			require.FailNow(t, "the upload ended before it was cut", "%s %v", o.out, o.err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	require.NoError(t, n.KillWorker())
	cut := <-done
	require.Error(t, cut.err, "%s", cut.out)
	require.Empty(t, putLines(t, cut.out))
	require.NoError(t, n.StartWorker(ctx))

	name := nameOf(t, file)
	w := newWire(t, n, "127.0.0.82")
	w.get(ctx, t, "/b3/"+name, nil).problem(t, http.StatusNotFound, "not-found")
	listed, err := n.Worker(ctx, "content", "ls")
	require.NoError(t, err)
	require.NotContains(t, listed, name)
	requireNoPart(t, n, size)

	out, err := giver.Edge(ctx, "put", file, "--worker", n.WorkerURL(), "--output", "json")
	require.NoError(t, err, "%s", out)
	lines := putLines(t, out)
	require.Len(t, lines, 1)
	require.False(t, lines[0].Existed)
	require.Equal(t, name, lines[0].Name)
	require.GreaterOrEqual(t, lines[0].AcknowledgedBytes, uint64(size), "it brings what the first try had left, too")
	require.Zero(t, lines[0].Unacknowledged)
	got := filepath.Join(t.TempDir(), "got")
	_, err = taker.Get(ctx, name, got)
	require.NoError(t, err)
	require.NoError(t, devnet.SameContent(file, got))

	paid := requirePaidAsSigned(ctx, t, n, giver, before)
	require.GreaterOrEqual(t, paid, uint64(size), "the whole upload")
	require.LessOrEqual(t, paid, uint64(2*size), "and at most what the first try had sent")
}

// nameOf is the name of a file.
func nameOf(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	h := blake3.New()
	_, err = io.Copy(h, f)
	require.NoError(t, err)
	return content.Name(h.Sum(nil)).String()
}

// requireNoPart expects that nothing of the size of a part of an object lies in the store beside whole objects.
func requireNoPart(t *testing.T, n *devnet.Network, size int64) {
	t.Helper()
	store := filepath.Join(n.Dir(), "edge-worker", "data", "store")
	require.DirExists(t, filepath.Join(store, "objects"))
	for _, dir := range []string{"tmp", "quarantine"} {
		list, err := os.ReadDir(filepath.Join(store, dir))
		require.NoError(t, err)
		for _, f := range list {
			info, err := f.Info()
			require.NoError(t, err)
			require.Less(t, info.Size(), size/8, "%s/%s", dir, f.Name())
		}
	}
}
