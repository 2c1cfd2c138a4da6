package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/edgechain/edge/testutil/devnet"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// TestGrants takes a worker whose hot key holds no coins through its life: without grants, with the grants that
// edge-worker identity prints, and with each of them revoked or at its end.
func TestGrants(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, 5*time.Minute)
	n, err := devnet.Start(ctx, devnet.Config{
		Dir: t.TempDir(), Binaries: shared.bins, ChainID: "edge-grants-1", PortOffset: offsetGrants, EpochDuration: time.Hour, ChainOnly: true,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		stop, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, n.Stop(stop))
	})
	g := &grantsTest{t: t, ctx: ctx, n: n}
	g.start()
	g.reason("registration", "edge-worker identity")
	g.run(g.identity.Command)
	workers, err := nodetypes.NewQueryClient(n.Chain.At(0)).WorkersByOperator(ctx, &nodetypes.QueryWorkersByOperatorRequest{Operator: n.Valoper})
	require.NoError(t, err)
	require.Len(t, workers.Workers, 1)
	require.Equal(t, n.Operator, workers.Workers[0].Account, "the worker's account is the one that grants")
	n.WorkerID = workers.Workers[0].Id

	g.reason("signer", "has not granted")
	require.Equal(t, "1", g.metric("edge_rollup_blocked"))
	require.Len(t, g.identity.Grants, 3)
	g.run(g.identity.Grants[0])
	g.reason("signer", "nothing pays the fees")
	g.run(g.identity.Grants[1])
	g.run(g.identity.Grants[2])
	require.NoError(t, n.WaitReady(ctx))
	require.Equal(t, "0", g.metric("edge_rollup_blocked"))
	left := g.number("edge_rollup_grant_left_seconds")
	require.InDelta(t, 30*24*3600, left, 600, "the grants are for 30 days")

	c := newClient(ctx, t, n, 50_000_000)
	o, _ := g.object(1)
	g.fetch(c, o)
	spent := g.feesLeft()
	require.True(t, spent.LT(math.NewInt(1_000_000)), "the settlement was paid out of the grant: %s are left of a day's", spent)
	require.True(t, spent.IsPositive())
	g.penniless()

	// Without the fee grant the worker says so, and goes on with a new one.
	g.tx("tx", "feegrant", "revoke", n.Operator, g.identity.Key)
	g.reason("signer", "nothing pays the fees of "+g.identity.Key)
	require.Equal(t, "1", g.metric("edge_rollup_blocked"))
	g.run(g.identity.Grants[2])
	require.NoError(t, n.WaitReady(ctx))

	// So it does at the end of the grant to settle. A new one takes the place of an old one.
	until := time.Now().Add(10 * time.Second)
	g.tx("tx", "authz", "grant", g.identity.Key, "generic", "--msg-type", "/edge.dack.v1.MsgSettle", "--expiration", fmt.Sprint(until.Unix()))
	require.Eventually(t, func() bool { return g.number("edge_rollup_grant_left_seconds") < 60 }, 30*time.Second, 100*time.Millisecond)
	g.reason("signer", "grant")
	g.run(g.identity.Grants[0])
	require.NoError(t, n.WaitReady(ctx))
	g.tx("tx", "authz", "revoke", g.identity.Key, "/edge.dack.v1.MsgSettle")
	g.reason("signer", "has not granted /edge.dack.v1.MsgSettle to "+g.identity.Key)
	g.run(g.identity.Grants[0])
	require.NoError(t, n.WaitReady(ctx))
	o, _ = g.object(2)
	g.fetch(c, o)
	g.penniless()
	ledger, err := n.Ledger(ctx)
	require.NoError(t, err)
	require.True(t, ledger.Refused.IsZero())
	require.Equal(t, ledger.Acknowledged.String(), ledger.Settled.String())
}

type grantsTest struct {
	t        *testing.T
	ctx      context.Context
	n        *devnet.Network
	identity struct {
		Command, Account, Key string
		Grants                []string
	}
}

// start makes a worker as docs/worker.md says and starts it, which it does without being registered.
func (g *grantsTest) start() {
	g.t.Helper()
	out, err := g.n.Worker(g.ctx, "init", "--chain-id", g.n.ChainID(), "--rpc", g.n.RPC(), "--keyring-backend", "test", "--granter", g.n.Operator,
		"--gateway.listen", strings.TrimPrefix(g.n.WorkerURL(), "http://"), "--gateway.admin_listen", strings.TrimPrefix(g.n.AdminURL(), "http://"),
		"--rollup.interval", "1s", "--rollup.min_value", "1", "--rollup.drain", "10s", "--output", "json")
	require.NoError(g.t, err)
	var made struct{ Home, Account string }
	require.NoError(g.t, json.Unmarshal([]byte(out), &made))
	out, err = g.n.Worker(g.ctx, "identity", "--operator", g.n.Valoper, "--endpoint", g.n.WorkerURL(), "--fee-limit", "1000000uedge", "--grant-days", "30",
		"--output", "json")
	require.NoError(g.t, err)
	require.NoError(g.t, json.Unmarshal([]byte(out), &g.identity))
	require.Equal(g.t, g.n.Operator, g.identity.Account)
	require.Equal(g.t, made.Account, g.identity.Key)
	require.NotEqual(g.t, g.identity.Account, g.identity.Key)

	log, err := os.Create(filepath.Join(g.n.Dir(), "edge-worker.log"))
	require.NoError(g.t, err)
	worker := exec.Command(shared.bins.Worker, "start", "--home", made.Home)
	worker.Stdout, worker.Stderr = log, log
	require.NoError(g.t, worker.Start())
	g.t.Cleanup(func() {
		_, _ = worker.Process.Kill(), worker.Wait()
		if g.t.Failed() {
			b, _ := os.ReadFile(log.Name())
			lines := strings.Split(string(b), "\n")
			g.t.Log(strings.Join(lines[max(0, len(lines)-30):], "\n"))
		}
		_ = log.Close()
	})
}

// run runs a command as it was printed; only where the keys lie and that nobody is asked is added.
func (g *grantsTest) run(command string) {
	g.t.Helper()
	cmd := exec.CommandContext(g.ctx, "/bin/sh", "-c", command+` "$@"`, "printed", "--home", g.n.Nodes[0].Home, "--keyring-backend", "test", "--yes", "--output", "json")
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(shared.bins.Edged)+string(os.PathListSeparator)+os.Getenv("PATH"))
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	require.NoError(g.t, err, "%s\n%s", command, problem.String())
	_, err = g.n.TxData(g.ctx, string(out))
	require.NoError(g.t, err, "%s", command)
}

func (g *grantsTest) tx(args ...string) {
	g.t.Helper()
	require.NoError(g.t, g.n.Tx(g.ctx, append(args, "--from", g.n.Operator, "--keyring-backend", "test")...))
}

// get reads a document of the worker.
func (g *grantsTest) get(url string) (status int, body string) {
	req, err := http.NewRequestWithContext(g.ctx, http.MethodGet, url, http.NoBody)
	require.NoError(g.t, err)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, ""
	}
	return res.StatusCode, string(b)
}

// reason waits until /readyz names a part as being at fault, for a reason, and no other part.
func (g *grantsTest) reason(part, text string) {
	g.t.Helper()
	var last string
	require.Eventually(g.t, func() bool {
		var doc struct{ Reasons map[string]string }
		status, body := g.get(g.n.AdminURL() + "/readyz")
		last = body
		return status == http.StatusServiceUnavailable && json.Unmarshal([]byte(body), &doc) == nil && len(doc.Reasons) == 1 && strings.Contains(doc.Reasons[part], text)
	}, 40*time.Second, 100*time.Millisecond, "%s: %s", part, text)
	g.t.Log(last)
}

func (g *grantsTest) metric(name string) string {
	g.t.Helper()
	_, body := g.get(g.n.AdminURL() + "/metrics")
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(body)
	require.NotNil(g.t, m, name)
	return m[1]
}

func (g *grantsTest) number(name string) (v float64) {
	g.t.Helper()
	_, err := fmt.Sscan(g.metric(name), &v)
	require.NoError(g.t, err)
	return v
}

func (g *grantsTest) object(seed uint64) (devnet.Object, []byte) {
	g.t.Helper()
	return object(g.ctx, g.t, g.n, 2<<20, seed)
}

// fetch has a client pay for an object, and waits until that is settled.
func (g *grantsTest) fetch(c *devnet.Client, o devnet.Object) {
	g.t.Helper()
	before, err := c.Balance(g.ctx)
	require.NoError(g.t, err)
	_, err = c.Get(g.ctx, o.Name, filepath.Join(g.t.TempDir(), "got"))
	require.NoError(g.t, err)
	_, err = g.n.WaitDrained(g.ctx)
	require.NoError(g.t, err)
	after, err := c.Balance(g.ctx)
	require.NoError(g.t, err)
	require.True(g.t, after.LT(before), "the node was paid")
}

// feesLeft is what the hot key may spend of the day's fees.
func (g *grantsTest) feesLeft() math.Int {
	g.t.Helper()
	out, err := g.n.Edged(g.ctx, "query", "feegrant", "grant", g.n.Operator, g.identity.Key, "--node", g.n.RPC(), "--output", "json")
	require.NoError(g.t, err)
	m := regexp.MustCompile(`"period_can_spend":\s*\[\s*\{\s*"denom":\s*"uedge",\s*"amount":\s*"(\d+)"`).FindStringSubmatch(out)
	require.NotNil(g.t, m, "%s", out)
	left, ok := math.NewIntFromString(m[1])
	require.True(g.t, ok)
	return left
}

// penniless expects that the hot key holds nothing.
func (g *grantsTest) penniless() {
	g.t.Helper()
	res, err := banktypes.NewQueryClient(g.n.Chain.At(0)).AllBalances(g.ctx, &banktypes.QueryAllBalancesRequest{Address: g.identity.Key})
	require.NoError(g.t, err)
	require.True(g.t, res.Balances.IsZero(), "%s", res.Balances)
}
