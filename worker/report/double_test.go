package report

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/big"
	"sync"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	sdkmath "cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/worker/chain"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	blockTime = time.Second
	operator  = "edgevaloper1node"
	account   = "edge1settler"
	// reportFee is the fee of the gas that the double simulates, with the margin.
	simulated = 100_000
)

// testTx is a transaction of the double, in place of a signed one.
type testTx struct {
	Msg    nodetypes.MsgReport
	Number uint64
	Gas    uint64
	Until  time.Time
}

// testChain doubles a chain with one node, as far as a Reporter sees it: it opens epochs, keeps who has reported, and takes
// what is broadcast into its next block.
type testChain struct {
	mu       sync.Mutex
	height   int64
	start    time.Time
	length   time.Duration
	epoch    uint64
	first    int64
	changed  chan struct{}
	mempool  []testTx
	included map[string]chain.Included

	worker   nodetypes.Worker
	takes    bool
	reported map[uint64]int
	last     uint64
	balance  *big.Int

	// down makes every call fail, stale makes the view one that must not be relied on.
	down, stale bool
	// drop makes the mempool lose what it took, fail makes a block fail it.
	drop bool
	fail error
	// refuse is what the mempool answers, lost makes it take the transaction without an answer.
	refuse error
	lost   bool
	// simulation is what a simulation answers besides the gas.
	simulation error
	// panics makes the next question panic.
	panics bool
	// lag is by how many epochs answers are behind the view.
	lag uint64

	asked, broadcasts int
	sent              []testTx
}

func newTestChain() *testChain {
	return &testChain{
		height: 10, start: time.Now(), length: 1000 * time.Second, epoch: 1, first: 5, changed: make(chan struct{}),
		included: map[string]chain.Included{}, reported: map[uint64]int{}, takes: true, balance: big.NewInt(1_000_000),
		worker: nodetypes.Worker{Id: 3, Operator: operator, Account: account, Status: nodetypes.WORKER_STATUS_ACTIVE},
	}
}

func hashAt(height int64) []byte { return append(make([]byte, 31), byte(height)) }

// block commits what is in the mempool.
func (c *testChain) block() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.height++
	for _, tx := range c.mempool {
		raw, err := json.Marshal(tx)
		if err != nil {
			panic(err)
		}
		c.included[string(cmttypes.Tx(raw).Hash())] = chain.Included{Height: c.height, Refusal: c.execute(tx)}
	}
	c.mempool = nil
	if epoch := uint64(time.Since(c.start)/c.length) + 1; epoch > c.epoch {
		c.epoch, c.first = c.epoch+1, c.height+1
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

func refusal(err error) error {
	var registered interface {
		Codespace() string
		ABCICode() uint32
	}
	if !errors.As(err, &registered) {
		panic(err)
	}
	return &chain.Refusal{Codespace: registered.Codespace(), Code: registered.ABCICode(), Log: "words that nobody may parse"}
}

// check is what the chain holds a report to.
func (c *testChain) check(tx testTx) error {
	switch {
	case tx.Msg.Epoch != c.epoch:
		return refusal(nodetypes.ErrReportEpoch)
	case c.reported[c.epoch] > 0:
		return refusal(nodetypes.ErrAlreadyReported)
	case tx.Msg.Height < c.first || tx.Msg.Height >= c.height:
		return refusal(nodetypes.ErrReportHeight)
	case string(tx.Msg.HeaderHash) != string(hashAt(tx.Msg.Height)):
		return refusal(nodetypes.ErrReportHash)
	}
	return nil
}

func (c *testChain) execute(tx testTx) error {
	if c.fail != nil {
		return c.fail
	}
	if tx.Until.Before(time.Now()) {
		return refusal(sdkerrors.ErrInvalidRequest)
	}
	c.balance = new(big.Int).Sub(c.balance, fee(tx.Gas).Amount.BigInt())
	if err := c.check(tx); err != nil {
		return err
	}
	c.reported[c.epoch]++
	c.last = c.epoch
	return nil
}

func (c *testChain) run(ctx context.Context) {
	ticker := time.NewTicker(blockTime)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.block()
		}
	}
}

// change changes the double while it runs.
func (c *testChain) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// The Chain of a Reporter.

func (c *testChain) View() (chain.View, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return chain.View{
		ChainID: "edge-test", Height: c.height, Time: time.Now(), Epoch: c.epoch,
		EpochEnd: c.start.Add(time.Duration(c.epoch) * c.length), EpochDuration: c.length, Worker: c.worker, FeeBalance: c.balance,
	}, true
}

func (c *testChain) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *testChain) Stale() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stale {
		return chain.ErrStale
	}
	return nil
}

// The Node of a Reporter.

var errDown = errors.New("connection refused")

func (c *testChain) Participation(_ context.Context, of string) (chain.Participation, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	switch {
	case c.panics:
		c.panics = false
		panic("planned by the test")
	case c.down:
		return chain.Participation{}, errDown
	case of != operator || !c.takes:
		return chain.Participation{}, chain.ErrNotTakingPart
	}
	done := c.reported[c.epoch] > 0
	return chain.Participation{
		Epoch: c.epoch - c.lag, EpochHeight: c.first, ReportDue: !done, Reported: done, EpochsLeft: min(c.last+3-c.epoch, 2), Standing: "ok",
	}, nil
}

func (c *testChain) HeaderHash(_ context.Context, height int64) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down || height > c.height {
		return nil, errDown
	}
	return hashAt(height), nil
}

func (c *testChain) Sender(context.Context, string) (number, sequence uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return 0, 0, errDown
	}
	if c.balance.Sign() == 0 {
		return 0, 0, chain.ErrUnknownAccount
	}
	return 8, 99, nil
}

func (c *testChain) Simulate(_ context.Context, raw []byte) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tx := decode(raw)
	if c.simulation != nil {
		return 0, c.simulation
	}
	return simulated, c.check(tx)
}

func (c *testChain) Broadcast(_ context.Context, raw []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broadcasts++
	if c.refuse != nil {
		return c.refuse
	}
	tx := decode(raw)
	c.sent = append(c.sent, tx)
	if !c.drop {
		c.mempool = append(c.mempool, tx)
	}
	if c.lost {
		return errDown
	}
	return nil
}

func (c *testChain) FindTx(_ context.Context, hash []byte) (chain.Included, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found, ok := c.included[string(hash)]; ok {
		return found, nil
	}
	return chain.Included{}, chain.ErrTxNotFound
}

func decode(raw []byte) testTx {
	var tx testTx
	if err := json.Unmarshal(raw, &tx); err != nil {
		panic(err)
	}
	return tx
}

// signer is the Signer of a Reporter.
type signer struct{}

func (signer) Address() string { return account }

func (signer) Key() string { return account }

func (signer) SignUnordered(_ context.Context, msg sdk.Msg, _ string, number, gas uint64, until time.Time) ([]byte, error) {
	return json.Marshal(testTx{Msg: *msg.(*nodetypes.MsgReport), Number: number, Gas: gas, Until: until})
}

func fee(gas uint64) sdk.Coin { return sdk.NewCoin("uedge", sdkmath.NewIntFromUint64(gas/100)) }

func (signer) Fee(gas uint64) sdk.Coin { return fee(gas) }

// start runs a reporter and its chain until the end of the test.
func start(t *testing.T, c *testChain) (*Reporter, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	r, err := New(DefaultConfig(), Deps{
		Chain: c, Node: c, Signer: signer{}, Jitter: func() float64 { return 0.5 }, Log: slog.New(slog.DiscardHandler), Metrics: reg,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go c.run(ctx)
	require.NoError(t, r.Start(t.Context()))
	t.Cleanup(func() {
		require.NoError(t, r.Stop(context.Background()))
		cancel()
	})
	return r, reg
}

// value is the value of a metric, with the label if it has one.
func value(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			if labels := m.GetLabel(); label == "" || labels[0].GetValue() == label {
				return number(m)
			}
		}
	}
	return 0
}

func number(m *dto.Metric) float64 {
	if m.GetCounter() != nil {
		return m.GetCounter().GetValue()
	}
	return m.GetGauge().GetValue()
}
