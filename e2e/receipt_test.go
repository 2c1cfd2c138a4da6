package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/testutil/devnet"
)

// thirdParty runs edge as somebody on another machine does: without home, keys or settings. It returns the exit code.
func thirdParty(ctx context.Context, t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	home := filepath.Join(t.TempDir(), "nowhere")
	cmd := exec.CommandContext(ctx, shared.bins.Edge, append(args, "--home", home)...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	require.NoDirExists(t, home, "it needs no home")
	if code = cmd.ProcessState.ExitCode(); code != 0 {
		require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
	}
	return code, stdout.String(), stderr.String()
}

// onChain is what edge receipt verify tells of the chain.
type onChain struct {
	Valid    bool
	Receipts []struct {
		Acknowledgement struct{ Bytes, Requests, Epoch uint64 }
		Chain           struct {
			Settled, Paid, Price, Owed, Operator string
			Live                                 bool
			Summaries                            []struct {
				Epoch   uint64
				Debited string
			}
		}
	}
}

func verifyOnChain(ctx context.Context, t *testing.T, n *devnet.Network, file string) onChain {
	t.Helper()
	code, out, errOut := thirdParty(ctx, t, "receipt", "verify", file, "--node", n.RPC(), "--output", "json")
	require.Zero(t, code, errOut)
	var doc onChain
	require.NoError(t, json.Unmarshal([]byte(out), &doc))
	require.True(t, doc.Valid)
	return doc
}

// TestReceipts pays for a fetch and hands the receipt to somebody else, who checks it alone, and with the chain before and
// after it is settled, and after its epoch is paid out. A tampered file is found out. The node's own receipt says the same.
func TestReceipts(t *testing.T) {
	t.Parallel()
	n := shared.short.get(t)
	ctx := bounded(t, 5*time.Minute)
	c := newClient(ctx, t, n, 10_000_000)
	o, _ := object(ctx, t, n, 3<<20, 71)
	file := filepath.Join(t.TempDir(), "receipt.json")
	_, err := c.Get(ctx, o.Name, filepath.Join(t.TempDir(), "object"), "--receipt", file)
	require.NoError(t, err)

	// The node has the newest acknowledgements too, without the requests, until they have died: the network's epochs are short.
	byNode := filepath.Join(t.TempDir(), "by-node.json")
	_, err = n.Worker(ctx, "receipts", "--key", decimal(c.KeyIDs[0]), "--file", byNode)
	require.NoError(t, err)
	code, out, errOut := thirdParty(ctx, t, "receipt", "verify", byNode)
	require.Zero(t, code, errOut)
	require.Contains(t, out, "chain not included")

	code, out, errOut = thirdParty(ctx, t, "receipt", "verify", file)
	require.Zero(t, code, errOut)
	require.Contains(t, out, "requests lead to head")
	require.Contains(t, out, "the key has signed for account")
	code, out, errOut = thirdParty(ctx, t, "receipt", "show", file)
	require.Zero(t, code, errOut)
	require.Contains(t, out, o.Name)
	before := verifyOnChain(ctx, t, n, file)
	require.Equal(t, n.Valoper, before.Receipts[0].Chain.Operator)

	// Whatever byte of a number or of hex is changed, it is found out.
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	tampered := filepath.Join(t.TempDir(), "tampered.json")
	for _, field := range []string{`"bytes": `, `"head": "`, `"signature": "`, `"public_key": "`, `"account_id": `, `"request": "`, `"length": `, `"unfinished_bytes": `, `"epoch": `} {
		at := bytes.Index(b, []byte(field))
		require.Positive(t, at, field)
		changed := bytes.Clone(b)
		if changed[at+len(field)]++; changed[at+len(field)] > '9' && changed[at+len(field)] < 'a' {
			changed[at+len(field)] = '1'
		}
		require.NoError(t, os.WriteFile(tampered, changed, 0o600))
		code, _, errOut := thirdParty(ctx, t, "receipt", "verify", tampered)
		require.Equal(t, 1, code, "%s: %s", field, errOut)
	}

	_, err = n.WaitDrained(ctx)
	require.NoError(t, err)
	after := verifyOnChain(ctx, t, n, file)
	for i, r := range after.Receipts {
		if !r.Chain.Live {
			continue // the network's epochs are short
		}
		require.Equal(t, "at", r.Chain.Settled)
		require.Equal(t, r.Chain.Price, r.Chain.Paid)
		require.Equal(t, "0", r.Chain.Owed)
		require.NotEqual(t, "0", r.Chain.Paid)
		require.Equal(t, before.Receipts[i].Acknowledgement, r.Acknowledgement)
	}

	// Once its epoch is paid out, it is known where the money went.
	epoch := after.Receipts[0].Acknowledgement.Epoch
	_, err = n.WaitEpochDone(ctx, epoch+1)
	require.NoError(t, err)
	paid := verifyOnChain(ctx, t, n, file)
	require.False(t, paid.Receipts[0].Chain.Live)
	require.Len(t, paid.Receipts[0].Chain.Summaries, 2, "it was debited in its epoch or in the next")
	debited := false
	for _, s := range paid.Receipts[0].Chain.Summaries {
		debited = debited || s.Debited != "0"
	}
	require.True(t, debited)
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

// TestKeysAreLimitedAndRevoked: an owner lowers the limit of a key, sees both limits, and ends the key.
func TestKeysAreLimitedAndRevoked(t *testing.T) {
	t.Parallel()
	n := shared.short.get(t)
	ctx := bounded(t, 5*time.Minute)
	c := newClient(ctx, t, n, 10_000_000)
	key := decimal(c.KeyIDs[0])
	_, err := c.Edge(ctx, "account", "limit-key", key, "--spend-limit", "640000uusd")
	require.NoError(t, err)
	open, err := n.Chain.Epoch(ctx)
	require.NoError(t, err)
	require.NoError(t, n.WaitEpoch(ctx, open.Epoch.Number+1))
	out, err := c.Edge(ctx, "account", "balance")
	require.NoError(t, err)
	require.Contains(t, out, "640000 of 640000 left")
	out, err = c.Edge(ctx, "account", "revoke-key", key)
	require.NoError(t, err)
	require.Contains(t, out, "ends with epoch")
	open, err = n.Chain.Epoch(ctx)
	require.NoError(t, err)
	require.NoError(t, n.WaitEpoch(ctx, open.Epoch.Number+1))
	out, err = c.Edge(ctx, "account", "keys")
	require.NoError(t, err)
	require.Contains(t, out, "ended with epoch")
	o, _ := object(ctx, t, n, 1<<20, 72)
	_, err = c.Get(ctx, o.Name, filepath.Join(t.TempDir(), "object"))
	require.ErrorContains(t, err, "expired")
	_, err = c.Edge(ctx, "account", "limit-key", key, "--spend-limit", "1uusd")
	require.ErrorContains(t, err, "has ended", "an ended key never revives")
}
