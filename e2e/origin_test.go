package e2e_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
)

// testOrigins has a second worker, empty and unregistered, whose origins are the network's worker and an HTTP server that
// lies about one name.
func testOrigins(t *testing.T) {
	n := shared.long.get(t)
	ctx := bounded(t, 60*time.Second)
	fromWorker, workerBytes := object(ctx, t, n, 70_001, 501)
	_, lied := object(ctx, t, n, 20_000, 502)
	httpBytes := []byte("what an HTTP server has")
	name := func(b []byte) content.Name { return content.Name(blake3.Sum256(b)) }
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/" + name(httpBytes).String(), "/signed":
			asked.Add(1)
			_, _ = w.Write(httpBytes)
		case "/" + name([]byte("lie")).String():
			_, _ = w.Write(lied)
		case "/" + name([]byte("inside")).String():
			http.Redirect(w, r, n.AdminURL()+"/metrics", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()

	home := t.TempDir()
	const listen, admin = "127.0.0.1:28482", "127.0.0.1:28483"
	worker := func(args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, shared.bins.Worker, append(args, "--home", home)...)
	}
	out, err := worker("init", "--chain-id", n.ChainID(), "--rpc", n.RPC(), "--keyring-backend", "test",
		"--gateway.listen", listen, "--gateway.admin_listen", admin).CombinedOutput()
	require.NoError(t, err, "%s", out)
	start := worker("start", "--origin.workers", n.WorkerURL(), "--origin.http", server.URL+"/{name}", "--origin.allow_networks", "127.0.0.0/8")
	require.NoError(t, start.Start())
	t.Cleanup(func() { _, _ = start.Process.Kill(), start.Wait() })

	w := newWire(t, n, "127.0.0.77")
	w.base = "http://" + listen
	get := func(path string) answer {
		t.Helper()
		var a answer
		require.Eventually(t, func() bool {
			var err error
			a, err = w.do(ctx, http.MethodGet, path, nil, nil)
			return err == nil
		}, 30*time.Second, 50*time.Millisecond)
		return a
	}
	for range 2 {
		a := get("/b3/" + fromWorker.Name)
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		require.Equal(t, workerBytes, a.body)
		a = get("/b3/" + name(httpBytes).String())
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		require.Equal(t, httpBytes, a.body)
	}
	require.EqualValues(t, 1, asked.Load(), "it is stored")
	require.Equal(t, http.StatusNotFound, get("/b3/"+name([]byte("nowhere")).String()).status)
	require.Equal(t, http.StatusBadGateway, get("/b3/"+name([]byte("lie")).String()).status)
	inside := get("/b3/" + name([]byte("inside")).String())
	require.Equal(t, http.StatusBadGateway, inside.status)
	require.NotContains(t, string(inside.body), "127.0.0.1")

	// The command fetches for the running worker, and adds nothing that is not what was expected.
	sum := sha256.Sum256(httpBytes)
	integrity := "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
	out, err = worker("add", server.URL+"/signed", "--integrity", integrity, "--origin.allow_networks", "127.0.0.0/8").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), name(httpBytes).String())
	out, err = worker("add", fmt.Sprintf("%s/%s#%s", server.URL, name([]byte("lie")), integrity), "--origin.allow_networks", "127.0.0.0/8").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "not the expected ones")
	out, err = worker("add", server.URL+"/signed", "--integrity", integrity).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "not at a public address")
	lies, err := w.do(ctx, http.MethodGet, "/b3/"+name(lied).String()+"?format=plain", http.Header{"Cdn-Loop": {"edge-worker"}}, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, lies.status, "a request of a worker is not passed on to workers: %s", lies.body)
}
