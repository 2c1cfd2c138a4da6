package e2e_test

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// testUnreadyWorker takes a second worker through what keeps it from serving: it is not registered, then registered and
// without fees. /readyz names the part at fault each time.
func testUnreadyWorker(t *testing.T) {
	n := shared.long.get(t)
	ctx := bounded(t, 90*time.Second)
	home := t.TempDir()
	const listen, admin = "127.0.0.1:28480", "127.0.0.1:28481"
	worker := func(args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, shared.bins.Worker, append(args, "--home", home)...)
	}
	out, err := worker("init", "--chain-id", n.ChainID(), "--rpc", n.RPC(), "--keyring-backend", "test",
		"--gateway.listen", listen, "--gateway.admin_listen", admin).CombinedOutput()
	require.NoError(t, err, "%s", out)
	start := worker("start")
	require.NoError(t, start.Start())
	t.Cleanup(func() { _, _ = start.Process.Kill(), start.Wait() })

	reason := func(part, text string) {
		t.Helper()
		require.Eventually(t, func() bool {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/readyz", http.NoBody)
			require.NoError(t, err)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return false
			}
			defer res.Body.Close()
			var doc struct {
				Ready   bool
				Reasons map[string]string
			}
			return res.StatusCode == http.StatusServiceUnavailable && json.NewDecoder(res.Body).Decode(&doc) == nil &&
				!doc.Ready && strings.Contains(doc.Reasons[part], text)
		}, 30*time.Second, 100*time.Millisecond, "%s: %s", part, text)
	}
	reason("registration", "edge-worker identity")

	out, err = worker("identity", "--operator", n.Valoper, "--endpoint", "http://"+listen, "--output", "json").Output()
	require.NoError(t, err)
	var identity struct {
		PeerKey   string `json:"peer_key"`
		PeerProof string `json:"peer_proof"`
		Account   string
	}
	require.NoError(t, json.Unmarshal(out, &identity))
	require.NoError(t, n.Tx(ctx, "tx", "node", "register-worker", identity.PeerKey, identity.PeerProof, identity.Account,
		"--endpoints", "http://"+listen, "--from", "operator", "--keyring-backend", "test"))
	reason("signer", "fees")
}
