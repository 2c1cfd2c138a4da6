package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/config"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// cli runs commands in a home folder of their own.
type cli struct {
	t    *testing.T
	home string
	env  []string
}

func newCLI(t *testing.T) *cli {
	t.Helper()
	return &cli{t: t, home: filepath.Join(t.TempDir(), "worker")}
}

// run returns exit code, standard output and standard error.
func (c *cli) run(args ...string) (int, string, string) {
	c.t.Helper()
	var out, errOut bytes.Buffer
	code := run(c.t.Context(), append(args, "--home", c.home), c.env, strings.NewReader(""), &out, &errOut)
	return code, out.String(), errOut.String()
}

// ok runs a command that must succeed and returns what it printed.
func (c *cli) ok(args ...string) string {
	c.t.Helper()
	code, out, errOut := c.run(args...)
	require.Zero(c.t, code, errOut)
	require.Empty(c.t, errOut)
	return out
}

// fails runs a command that must fail with one line.
func (c *cli) fails(code int, want string, args ...string) {
	c.t.Helper()
	got, _, errOut := c.run(args...)
	require.Equal(c.t, code, got, errOut)
	require.Contains(c.t, errOut, want)
	require.Equal(c.t, 1, strings.Count(errOut, "\n"), errOut)
}

// deadRPC is an address where nobody listens.
const deadRPC = "http://127.0.0.1:1"

func (c *cli) init() {
	c.t.Helper()
	c.ok("init", "--chain-id", "edge-test", "--rpc", deadRPC, "--gateway.listen", "127.0.0.1:0", "--gateway.admin_listen", "127.0.0.1:0")
}

func TestInit(t *testing.T) {
	c := newCLI(t)
	c.fails(exitUsage, "max_lag", "init", "--chain.max_lag", "soon")
	c.fails(exitUsage, "backend", "init", "--keyring-backend", "pass")
	require.NoFileExists(t, filepath.Join(c.home, "config.toml"), "nothing is made of a wrong command")
	var doc struct {
		PeerKey string `json:"peer_key"`
		Account string `json:"account"`
	}
	require.NoError(t, json.Unmarshal([]byte(c.ok("init", "--chain-id", "edge-test", "--output", "json", "--credit.base", "5")), &doc))
	require.Len(t, doc.PeerKey, 64)
	require.True(t, strings.HasPrefix(doc.Account, "edge1"))
	for _, name := range []string{"config.toml", "peer_key.json", "admin_token"} {
		info, err := os.Stat(filepath.Join(c.home, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(fileMode), info.Mode().Perm(), name)
	}
	info, err := os.Stat(c.home)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(dirMode), info.Mode().Perm())
	loaded, err := config.Load(filepath.Join(c.home, "config.toml"), nil, nil)
	require.NoError(t, err)
	require.Equal(t, "edge-test", loaded.Chain.ChainID)
	require.EqualValues(t, 5, loaded.Credit.Base.Int64())
	c.fails(exitFailure, "exists already", "init")
	// An init that was interrupted before its last file goes on with the keys that are there.
	require.NoError(t, os.Remove(filepath.Join(c.home, "config.toml")))
	again := c.ok("init", "--chain-id", "edge-test")
	require.Contains(t, again, doc.PeerKey)
	require.Contains(t, again, doc.Account)
}

func TestDefaultsAreValid(t *testing.T) {
	c := config.Default()
	require.NoError(t, validate(&c))
	for name, want := range map[string]string{
		"rollup.gas_price=free":           "gas_price",
		"rollup.gas_price=0uedge":         "gas_price",
		"rollup.interval=0s":              "rollup: interval",
		"rollup.hurry_spacing=0s":         "rollup.hurry_spacing",
		"rollup.hurry_value=-1":           "rollup: hurry_value",
		"chain.max_queries=0":             "chain: max_queries",
		"gateway.admin_listen=0.0.0.0:80": "loopback",
		"credit.base=0":                   "credit: base",
		"store.max_bytes=0":               "store: max_bytes",
		"pool.max_lanes=0":                "pool: max_lanes",
		"pool.max_exposures=0":            "pool: max_exposures",
		"pool.max_in_flight=-1":           "pool: max_in_flight",
		"chain.max_queued=-1":             "chain: max_queued",
		"chain.queue_timeout=-1s":         "chain: queue_timeout",
		"gateway.check_timeout=0s":        "gateway: check_timeout",
		"gateway.challenge_ttl=0s":        "gateway: challenge_ttl",
		"gateway.max_challenges=0":        "gateway: max_challenges",
		"credit.account_ttl=0s":           "credit: account_ttl",
		"credit.max_accounts=0":           "credit: max_accounts",
		"credit.max_lanes=0":              "credit: max_lanes",
		"credit.max_receipts=0":           "credit: max_receipts must",
		"gateway.session_timeout=0s":      "gateway: session_timeout",
		"gateway.max_sessions=0":          "gateway: max_sessions must",
		"gateway.retry_after=0s":          "gateway: retry_after",
		"report.validity=1s":              "report: validity",
		"report.first_backoff=0s":         "report: first_backoff",
		"report.last_backoff=10ms":        "report: last_backoff",
		"report.call_timeout=0s":          "report: call_timeout",
		"worker.stop_timeout=0s":          "stop_timeout",
		"keys.backend=memory":             "backend",
		"keys.name=":                      "name",
		"log.level=loud":                  "log: level \"loud\", want debug",
		"log.format=xml":                  "format",
	} {
		c := config.Default()
		key, value, _ := strings.Cut(name, "=")
		require.NoError(t, c.SetAll(map[string]string{key: value}))
		require.ErrorContains(t, validate(&c), want, name)
	}
}

func TestUsage(t *testing.T) {
	c := newCLI(t)
	c.fails(exitUsage, "unknown command", "destroy")
	c.fails(exitUsage, "unknown flag", "start", "--chain.rcp", "x")
	c.fails(exitUsage, "--output", "version", "--output", "yaml")
	c.fails(exitUsage, "requires at least 1 arg", "add")
	c.fails(exitFailure, "edge-worker init", "start")
	c.init()
	c.fails(exitUsage, "chain.max_lag", "start", "--chain.max_lag", "soon")
	c.env = []string{"EDGE_WORKER_CHAIN_RCP=x"}
	c.fails(exitUsage, "EDGE_WORKER_CHAIN_RCP", "start")
	c.env = nil
	file := filepath.Join(c.home, "config.toml")
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, append(b, "\n[chian]\nrpc = \"x\"\n"...), fileMode))
	c.fails(exitUsage, "unknown key chian", "start")
	require.Equal(t, "devel\n", c.ok("version"))
}

func TestIdentity(t *testing.T) {
	c := newCLI(t)
	c.init()
	enc, err := chain.NewEncoding()
	require.NoError(t, err)
	raw := bytes.Repeat([]byte{7}, 20)
	operator, err := enc.Operators.BytesToString(raw)
	require.NoError(t, err)
	account, err := enc.Addresses.BytesToString(raw)
	require.NoError(t, err)
	var id identity
	out := c.ok("identity", "--operator", operator, "--endpoint", "https://a.example:8443", "--endpoint", "http://b.example",
		"--region", "eu-central", "--capacity", "100", "--output", "json")
	require.NoError(t, json.Unmarshal([]byte(out), &id))
	key, err := hex.DecodeString(id.PeerKey)
	require.NoError(t, err)
	proof, err := hex.DecodeString(id.PeerProof)
	require.NoError(t, err)
	require.NoError(t, ack.CheckPublicKey(key))
	require.True(t, ack.VerifyMessage(key, ack.AppendPeerProofSignBytes(nil, ack.HashChainID("edge-test"), raw), proof))
	require.Equal(t, fmt.Sprintf("edged tx node register-worker %s %s %s --endpoints https://a.example:8443,http://b.example --region eu-central "+
		"--capacity 100 --from %s --chain-id edge-test --node %s --gas auto --gas-adjustment 1.5 --gas-prices 0.0025uedge",
		id.PeerKey, id.PeerProof, id.Account, account, deadRPC), id.Command)
	require.Contains(t, c.ok("identity", "--operator", operator), "\n  edged tx node register-worker "+id.PeerKey+" "+id.PeerProof+" "+id.Account+" --from")
	c.fails(exitUsage, "--operator is needed", "identity")
	c.fails(exitUsage, "no operator address", "identity", "--operator", account)
	c.fails(exitFailure, "chain_id is not set", "identity", "--operator", operator, "--chain.chain_id=")
}

func TestShellWord(t *testing.T) {
	require.Equal(t, "https://a.example:8443/x", shellWord("https://a.example:8443/x"))
	require.Equal(t, "'a b'", shellWord("a b"))
	require.Equal(t, `'a'\''b'`, shellWord("a'b"))
	require.Equal(t, "''", shellWord(""))
	require.Equal(t, "'$(x)'", shellWord("$(x)"))
}

func TestDamagedHome(t *testing.T) {
	for name, damage := range map[string]string{
		"peer_key.json": `{"type":"ed25519","private_key":"00","public_key":""}`,
		"admin_token":   "short",
	} {
		c := newCLI(t)
		c.init()
		require.NoError(t, os.WriteFile(filepath.Join(c.home, name), []byte(damage), fileMode))
		c.fails(exitFailure, "damaged", "start")
	}
}

// log collects what the worker says.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var listens = regexp.MustCompile(`gateway listens.* address=(\S+) admin=(\S+)`)

// start runs the worker until the returned function stops it and returns its exit code.
func (c *cli) start(args ...string) (public, admin string, stop func() (int, string)) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	said := &log{}
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"start", "--home", c.home}, args...), c.env, strings.NewReader(""), io.Discard, said)
	}()
	require.Eventually(c.t, func() bool { return listens.MatchString(said.String()) }, 30*time.Second, 10*time.Millisecond)
	m := listens.FindStringSubmatch(said.String())
	return m[1], m[2], func() (int, string) {
		cancel()
		return <-code, said.String()
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(b)
}

func TestWorkerWithoutChain(t *testing.T) {
	c := newCLI(t)
	c.init()
	public, admin, stop := c.start("--origin.folders", t.TempDir())
	status, body := get(t, "http://"+public+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, `"chain"`)
	require.NotContains(t, body, "chain is stale")
	status, body = get(t, "http://"+admin+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "chain is stale")
	status, _ = get(t, "http://"+public+"/healthz")
	require.Equal(t, http.StatusOK, status)
	status, body = get(t, "http://"+public+"/v1/worker")
	require.Equal(t, http.StatusServiceUnavailable, status, body)
	require.Contains(t, body, "problems/chain-stale")

	// Content goes in and out without a chain, within the free quota.
	file := filepath.Join(t.TempDir(), "a file")
	require.NoError(t, os.WriteFile(file, []byte("hello"), fileMode))
	sum := blake3.Sum256([]byte("hello"))
	name := hex.EncodeToString(sum[:])
	c.env = []string{"EDGE_WORKER_GATEWAY_ADMIN_LISTEN=" + admin}
	require.Regexp(t, "^"+name+"  b[a-z2-7]+  5  "+regexp.QuoteMeta(file)+"\n$", c.ok("add", file))
	status, body = get(t, "http://"+public+"/b3/"+name)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "hello", body)
	var added addedDoc
	require.NoError(t, json.Unmarshal([]byte(c.ok("add", filepath.Dir(file), "--files-only", "--output", "json")), &added))
	require.True(t, added.Existed)
	require.Equal(t, file, added.Path)
	lines := strings.Split(c.ok("add", filepath.Dir(file)), "\n")
	require.Len(t, lines, 3)
	require.Contains(t, lines[0], name)
	root, _, _ := strings.Cut(lines[1], " ")
	require.Contains(t, lines[1], filepath.Dir(file))
	status, body = get(t, "http://"+public+"/b3/"+root+"/a%20file")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "hello", body)
	c.fails(exitFailure, "no such file", "add", file+".missing")

	require.Contains(t, c.ok("ledger"), "the chain does not answer")
	var doc ledgerDoc
	require.NoError(t, json.Unmarshal([]byte(c.ok("ledger", "--output", "json")), &doc))
	require.NoError(t, doc.Total.Check())
	code, out, errOut := c.run("status")
	require.Equal(t, exitFailure, code)
	require.Regexp(t, `(?m)^  chain +fault: chain is stale`, out)
	require.Contains(t, errOut, "not ready")

	_, metrics := get(t, "http://"+admin+"/metrics")
	for _, want := range []string{"edge_chain_stale 1", "edge_rollup_blocked 0", `edge_pool_acknowledged_units{state="settled"} 0`, "edge_store_objects 2"} {
		require.Contains(t, metrics, want)
	}
	// A counter that first appears when it is 1 has not risen for Prometheus: what an alert looks at is there from the start.
	rules, err := os.ReadFile(filepath.Join("..", "..", "scripts", "prometheus", "edge-worker.rules.yml"))
	require.NoError(t, err)
	alerted := regexp.MustCompile(`edge_[a-z]+_[a-z0-9_]+`).FindAllString(string(rules), -1)
	require.Greater(t, len(alerted), 15)
	for _, name := range alerted {
		require.Regexp(t, `(?m)^`+name+`[ {]`, metrics)
	}
	status, _ = get(t, "http://"+public+"/v1/admin/ledger")
	require.Equal(t, http.StatusNotFound, status, "administration is not public")

	c.fails(exitFailure, "not in sight", "receipts", "--key", "7")
	c.fails(exitUsage, "--key", "receipts")
	status, _ = get(t, "http://"+admin+"/v1/admin/receipts?key=7&epoch=0&service=-1&lane=-1")
	require.Equal(t, http.StatusForbidden, status, "what clients have signed is not for everybody")

	// Nobody without the secret of the home folder adds content.
	require.NoError(t, os.WriteFile(filepath.Join(c.home, "admin_token"), []byte(strings.Repeat("0", 64)), fileMode))
	c.fails(exitFailure, "admin token", "add", file)

	// One home folder has one worker, and one port.
	other := newCLI(t)
	other.init()
	other.fails(exitFailure, "address already in use", "start", "--log.level", "error", "--gateway.listen", public)
	c.env = nil
	c.fails(exitFailure, "in use", "start", "--log.level", "error", "--gateway.listen", "127.0.0.1:0")

	exit, said := stop()
	require.Zero(t, exit, said)
	require.Contains(t, said, "worker has stopped")
	c.fails(exitFailure, "does not run", "status", "--gateway.admin_listen", admin)
	require.Contains(t, c.ok("ledger", "--gateway.admin_listen", admin), "acknowledged")
	c.fails(exitFailure, "not in sight", "receipts", "--key", "7", "--gateway.admin_listen", admin)
	require.Contains(t, c.ok("add", filepath.Dir(file)), root, "the same name from the store itself")
	require.Regexp(t, "^"+name, c.ok("add", file), "the store is free again")
}

func TestBudgetIsToldToTheCommand(t *testing.T) {
	c := newCLI(t)
	c.init()
	_, admin, stop := c.start("--store.max_bytes", "100000")
	file := filepath.Join(t.TempDir(), "large")
	require.NoError(t, os.WriteFile(file, make([]byte, 200_000), fileMode))
	c.fails(exitFailure, "content store is full", "add", file, "--gateway.admin_listen", admin)
	exit, said := stop()
	require.Zero(t, exit, said)
}

type paidTo map[uint64]int64

func (p paidTo) PaidTo(_ context.Context, epoch, workerID uint64) (*big.Int, error) {
	if workerID != 3 {
		return nil, errors.New("another worker")
	}
	paid, ok := p[epoch]
	if !ok {
		return nil, errors.New("down")
	}
	return big.NewInt(paid), nil
}

func TestLedgerBesideTheChain(t *testing.T) {
	amount := func(v int64) ackpool.Amount { return ackpool.Amount{Value: big.NewInt(v)} }
	totals := func(pending, submitted, settled int64) ackpool.Totals {
		return ackpool.Totals{
			Acknowledged: amount(pending + submitted + settled), Pending: amount(pending), Submitted: amount(submitted), Settled: amount(settled),
		}
	}
	view := chain.View{Epoch: 2, OldestLive: 1, Denom: "uusd", Worker: nodetypes.Worker{Id: 3}}
	ledger := func(epochs ...ackpool.Totals) func() ackpool.Ledger {
		return func() ackpool.Ledger {
			l := ackpool.Ledger{Total: totals(0, 0, 0)}
			for i, e := range epochs {
				l.Epochs = append(l.Epochs, ackpool.EpochTotals{Epoch: uint64(i + 1), Totals: e})
			}
			return l
		}
	}
	for name, tc := range map[string]struct {
		paid    int64
		settled ackpool.Totals
		agrees  bool
	}{
		"the same":             {7, totals(1, 0, 7), true},
		"in flight and landed": {10, totals(0, 3, 7), true},
		"in flight":            {7, totals(0, 3, 7), true},
		"paid too little":      {6, totals(0, 3, 7), false},
		"paid too much":        {11, totals(0, 3, 7), false},
	} {
		doc := newLedgerDoc(t.Context(), view, true, nil, paidTo{1: tc.paid, 2: 0}, ledger(tc.settled))
		require.Empty(t, doc.ChainError, name)
		require.Len(t, doc.Chain, 2, name)
		require.Equal(t, tc.agrees, doc.Chain[0].Agrees, name)
		require.True(t, doc.Chain[1].Agrees, name)
		require.Equal(t, tc.agrees, checkLedger(&doc) == nil, name)
		var out bytes.Buffer
		require.NoError(t, writeLedger(&out, &doc), name)
		require.Contains(t, out.String(), fmt.Sprintf(" %d\n", tc.paid), name)
	}
	doc := newLedgerDoc(t.Context(), view, true, nil, paidTo{1: 7}, ledger(totals(0, 0, 7)))
	require.Equal(t, "down", doc.ChainError)
	require.Len(t, doc.Chain, 1)
	doc = newLedgerDoc(t.Context(), chain.View{}, true, nil, nil, ledger())
	require.Equal(t, chain.ErrNotRegistered.Error(), doc.ChainError)
	broken := ledger(totals(0, 0, 7))()
	broken.Epochs[0].Acknowledged = amount(8)
	require.ErrorContains(t, checkLedger(&ledgerDoc{Ledger: broken}), "does not add up")
}

func TestAdminAnswersOfStrangers(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>")
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	c := newCLI(t)
	c.init()
	c.fails(exitFailure, "is no edge-worker", "status", "--gateway.admin_listen", l.Addr().String())
}
