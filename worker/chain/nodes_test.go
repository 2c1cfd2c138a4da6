package chain

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
)

// peer doubles an endpoint of a chain.
type peer struct {
	*source

	txs     sync.Mutex
	answer  error
	found   error
	scanned error
	got     int
}

func (p *peer) at(height int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Height = height
}

func (p *peer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *peer) Broadcast(ctx context.Context, _ []byte) error {
	if err := p.ask(ctx, "broadcast"); err != nil {
		return err
	}
	p.txs.Lock()
	defer p.txs.Unlock()
	p.got++
	return p.answer
}

func (p *peer) Sender(ctx context.Context, _ string) (uint64, uint64, error) {
	return 1, 2, p.ask(ctx, "sender")
}

func (p *peer) FindTx(ctx context.Context, _ []byte) (Included, error) {
	return Included{Height: 7}, errors.Join(p.ask(ctx, "find"), p.found)
}

func (p *peer) ScanTx(ctx context.Context, _ []byte, _ int64) (Included, error) {
	return Included{Height: 7}, errors.Join(p.ask(ctx, "scan"), p.scanned)
}

func (p *peer) Simulate(ctx context.Context, _ []byte) (uint64, error) {
	return 1, p.ask(ctx, "simulate")
}

func (p *peer) Participation(ctx context.Context, _ string) (Participation, error) {
	return Participation{}, p.ask(ctx, "participation")
}

func (p *peer) HeaderHash(ctx context.Context, _ int64) ([]byte, error) {
	return nil, p.ask(ctx, "header")
}

func (p *peer) count(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[name]
}

// newPeers starts a Nodes with endpoints called a, b and so on at height 100.
func newPeers(t *testing.T, n int) (*Nodes, []*peer, *prometheus.Registry) {
	t.Helper()
	var peers []*peer
	var endpoints []NamedEndpoint
	for i := range n {
		p := &peer{source: newSource()}
		p.status.Height = 100
		peers = append(peers, p)
		endpoints = append(endpoints, NamedEndpoint{Name: string(rune('a' + i)), Endpoint: p})
	}
	cfg := DefaultNodesConfig()
	cfg.ChainID = "edge-test"
	reg := prometheus.NewPedanticRegistry()
	nodes, err := NewNodes(cfg, endpoints, slog.New(slog.DiscardHandler), reg)
	require.NoError(t, err)
	require.NoError(t, nodes.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, nodes.Stop(context.Background())) })
	synctest.Wait()
	return nodes, peers, reg
}

func used(n *Nodes) string {
	for _, e := range n.Endpoints() {
		if e.Used {
			return e.Name
		}
	}
	return ""
}

// values of a metric by its label.
func values(t *testing.T, reg *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	out := map[string]float64{}
	for _, family := range families {
		for _, m := range family.Metric {
			label := ""
			if len(m.Label) > 0 {
				label = m.Label[0].GetValue()
			}
			if family.GetName() == name {
				out[label] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return out
}

// probes lets some rounds of probes pass.
func probes(n int) {
	time.Sleep(time.Duration(n)*DefaultNodesConfig().ProbeInterval + DefaultNodesConfig().ProbeTimeout)
	synctest.Wait()
}

var errNoRoute = errors.New("no route to host")

func TestEndpointThatFailsIsLeftAndTakenUpAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, reg := newPeers(t, 3)
		require.Equal(t, "a", used(n))
		p[0].fail(errNoRoute)
		_, err := n.Account(t.Context(), 1)
		require.NoError(t, err, "another one answers the same question")
		require.Equal(t, "b", used(n))
		require.Equal(t, 1, p[1].count("account"))
		require.Zero(t, p[2].count("account"))

		// It is taken up again only after it was good for a while without a break.
		p[0].fail(nil)
		probes(5)
		require.Equal(t, "b", used(n))
		p[0].fail(errNoRoute)
		probes(1)
		p[0].fail(nil)
		time.Sleep(DefaultNodesConfig().Failback * 9 / 10)
		require.Equal(t, "b", used(n), "the time begins anew")
		time.Sleep(DefaultNodesConfig().Failback / 5)
		require.Equal(t, "a", used(n))
		require.Equal(t, map[string]float64{"a": 1, "b": 0, "c": 0}, values(t, reg, "edge_chain_endpoint_used"))
		require.Equal(t, map[string]float64{"": 2}, values(t, reg, "edge_chain_failovers_total"))
	})
}

func TestEndpointThatIsNotFit(t *testing.T) {
	for name, spoil := range map[string]func(*peer){
		"behind":       func(p *peer) { p.at(100 - DefaultNodesConfig().MaxBehind - 1) },
		"catching up":  func(p *peer) { p.mu.Lock(); p.status.CatchingUp = true; p.mu.Unlock() },
		"other chain":  func(p *peer) { p.mu.Lock(); p.status.ChainID = "edge-other"; p.mu.Unlock() },
		"hangs":        func(p *peer) { p.mu.Lock(); p.hang = true; p.mu.Unlock() },
		"panics":       func(p *peer) { p.mu.Lock(); p.panics = true; p.mu.Unlock() },
		"has no block": func(p *peer) { p.at(0) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, p, _ := newPeers(t, 2)
				spoil(p[0])
				probes(4)
				require.Equal(t, "b", used(n))
				list := n.Endpoints()
				require.NotEmpty(t, list[0].Problem)
				require.Empty(t, list[1].Problem)
				if name == "behind" {
					return // with both at one height none is
				}
				// With both spoilt none is better than the one that is used.
				spoil(p[1])
				probes(4)
				require.NotEmpty(t, n.Endpoints()[0].Problem)
				p[1].mu.Lock()
				p[1].hang, p[1].panics = false, false
				p[1].mu.Unlock()
				require.NotEmpty(t, used(n))
			})
		})
	}
}

// A little behind is no reason to change, and neither is one that is ahead.
func TestSmallDifferencesOfHeightAreNoReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := newPeers(t, 2)
		p[1].at(100 + DefaultNodesConfig().MaxBehind)
		probes(40)
		require.Equal(t, "a", used(n))
	})
}

// Whoever stands in has come to everything that was told before, or is not asked.
func TestStandInKnowsWhatWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := newPeers(t, 2)
		one := n.pin()
		p[0].at(103)
		status, err := one.Status(t.Context())
		require.NoError(t, err)
		require.False(t, one.conclude(status.Height, nil))
		p[0].fail(errNoRoute)
		_, err = n.Account(t.Context(), 1)
		require.ErrorIs(t, err, errNoRoute, "b is at 100 and may not know of a payment in block 103")
		require.Zero(t, p[1].count("account"))
		p[1].at(103)
		_, err = n.Account(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, 1, p[1].count("account"))
	})
}

// A client that goes away, and an answer that there is no such thing, say nothing of the endpoint.
func TestAnswersAreNoFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := newPeers(t, 2)
		for _, err := range []error{
			ErrUnknownAccount, ErrTxNotFound, &Refusal{Codespace: "sdk", Code: 5}, &rpctypes.RPCError{Code: -32603},
		} {
			p[0].fail(err)
			_, got := n.Account(t.Context(), 1)
			require.ErrorIs(t, got, err)
		}
		p[0].fail(context.Canceled)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := n.Account(ctx, 1)
		require.ErrorIs(t, err, context.Canceled)
		p[0].fail(nil)
		require.Equal(t, "a", used(n))
	})
}

// A question that hangs leaves time to ask another endpoint.
func TestHangingEndpointLeavesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := newPeers(t, 3)
		p[0].mu.Lock()
		p[0].hang = true
		p[0].mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := n.Account(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, "b", used(n))
	})
}

func TestBroadcastOverSeveralEndpoints(t *testing.T) {
	full := &Refusal{Codespace: sdkerrors.ErrMempoolIsFull.Codespace(), Code: sdkerrors.ErrMempoolIsFull.ABCICode()}
	sequence := &Refusal{Codespace: sdkerrors.ErrWrongSequence.Codespace(), Code: sdkerrors.ErrWrongSequence.ABCICode()}
	cached := &Refusal{Codespace: sdkerrors.ErrTxInMempoolCache.Codespace(), Code: sdkerrors.ErrTxInMempoolCache.ABCICode()}
	for _, tc := range []struct {
		name string
		a, b error
		down bool
		want error
		// refused says whether a caller may take it that nobody has the transaction.
		refused bool
		b0      int
	}{
		{name: "taken", want: nil},
		{name: "full, taken by the other", a: full, want: nil, b0: 1},
		{name: "both full", a: full, b: full, want: sdkerrors.ErrMempoolIsFull, refused: true, b0: 1},
		{name: "refused", a: sequence, want: sdkerrors.ErrWrongSequence, refused: true},
		{name: "no answer, taken by the other", down: true, want: nil, b0: 1},
		{name: "no answer, refused by the other", down: true, b: sequence, want: errNoRoute, b0: 1},
		{name: "known already", a: cached, want: sdkerrors.ErrTxInMempoolCache, refused: true, b0: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, p, _ := newPeers(t, 2)
				p[0].answer, p[1].answer = tc.a, tc.b
				if tc.down {
					p[0].fail(errNoRoute)
				}
				err := n.Broadcast(t.Context(), []byte("tx"))
				var refusal *Refusal
				require.Equal(t, tc.refused, errors.As(err, &refusal), "%v", err)
				if tc.want == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, tc.want)
				}
				require.Equal(t, tc.b0, p[1].got)
			})
		})
	}
}

// That a transaction is not in a block is said by an endpoint that has the block.
func TestNotFoundComesFromOneThatHasTheBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := newPeers(t, 2)
		missing := &rpctypes.RPCError{Code: -32603, Data: "height 120 must be less than or equal to the current blockchain height 100"}
		p[0].scanned = missing
		got, err := n.ScanTx(t.Context(), nil, 120)
		require.NoError(t, err)
		require.EqualValues(t, 7, got.Height)
		p[1].scanned = missing
		_, err = n.ScanTx(t.Context(), nil, 120)
		require.NotErrorIs(t, err, ErrTxNotFound)
		p[1].scanned = ErrTxNotFound
		_, err = n.ScanTx(t.Context(), nil, 120)
		require.ErrorIs(t, err, ErrTxNotFound, "a block is final: whoever has it knows what is not in it")
		require.Equal(t, "a", used(n))
	})
}

// The follower goes on without a gap when its endpoint goes.
func TestFollowerOverSeveralEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := newPeers(t, 2)
		f := started(t, n)
		require.NoError(t, f.Stale())
		p[0].fail(errNoRoute)
		p[1].at(101)
		time.Sleep(2 * f.cfg.PollInterval)
		require.NoError(t, f.Stale())
		v, ok := f.View()
		require.True(t, ok)
		require.EqualValues(t, 101, v.Height)
		// No endpoint at all is what makes it unready, after the time that any outage may take.
		p[1].fail(errNoRoute)
		time.Sleep(2 * f.cfg.MaxLag)
		require.ErrorIs(t, f.Stale(), ErrStale)
	})
}

func TestSplitEndpoints(t *testing.T) {
	list, err := SplitEndpoints("http://127.0.0.1:26657, https://user:secret@rpc.example/edge/ ")
	require.NoError(t, err)
	require.Equal(t, []string{"http://127.0.0.1:26657", "https://user:secret@rpc.example/edge/"}, list)
	name, err := endpointName(list[1])
	require.NoError(t, err)
	require.Regexp(t, "^rpc\\.example/~[0-9a-f]{8}$", name, "a label shows neither a password nor a key")
	other, err := endpointName("https://rpc.example/edge2")
	require.NoError(t, err)
	require.NotEqual(t, name, other)
	for _, bad := range []string{"", ",", "http://a,", "127.0.0.1:26657", "ftp://a", "htttp://a", "http://a,http://a/", strings.Repeat("http://a,", 9) + "http://b"} {
		_, err := SplitEndpoints(bad)
		require.Error(t, err, bad)
	}
}

func TestNodesConfig(t *testing.T) {
	require.NoError(t, DefaultNodesConfig().Validate())
	for _, spoil := range []func(*NodesConfig){
		func(c *NodesConfig) { c.ProbeInterval = 0 }, func(c *NodesConfig) { c.ProbeTimeout = time.Hour },
		func(c *NodesConfig) { c.MaxBehind = 0 }, func(c *NodesConfig) { c.Failback = -1 },
	} {
		c := DefaultNodesConfig()
		spoil(&c)
		require.Error(t, c.Validate())
	}
}
