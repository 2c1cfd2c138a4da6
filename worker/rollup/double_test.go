package rollup

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	sdkmath "cosmossdk.io/math"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/x/auth/signing"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	testChainID   = "edge-test"
	testWorkerID  = 3
	blockTime     = time.Second
	testGasBase   = 60_000
	testGasPerAck = 9_000
	// anteGas is what the double takes for a transaction besides its size.
	anteGas = 45_000
)

// testChain doubles the chain: it checks transactions as the SDK does as far as a rollup can tell (sequence, timeout
// height, fee, gas), and settles acknowledgements cumulatively. Faults are planned by the test.
type testChain struct {
	enc     chain.Encoding
	account string

	mu       sync.Mutex
	height   int64
	start    time.Time
	epoch    uint64
	epochLen time.Duration
	changed  chan struct{}
	mempool  [][]byte
	blocks   map[int64][][]byte
	results  map[int64][]*abci.ExecTxResult
	sequence uint64
	fees     *big.Int
	worker   nodetypes.Worker
	maxAcks  int

	paid    map[ack.LaneID]*big.Int
	payable map[uint64]*big.Int
	keys    map[uint64]ed25519.PublicKey
	owners  map[uint64]uint64
	// keyLeft is what keys have left of their limits; a key without has plenty.
	keyLeft map[uint64]*big.Int
	prices  ack.Prices
	debited *big.Int

	// broadcast, if set, decides over a broadcast: whether the mempool gets the transaction, and what the sender hears.
	broadcast func(tx []byte) (take bool, answer error)
	// noIndex makes the node one without an index.
	noIndex bool
	// down makes every call of the node fail.
	down bool
	// extra is gas that a transaction uses besides what the formula knows.
	extra uint64
	// gasPerAck and limits are parameters. outOfGas counts the transactions that wanted less than they used.
	gasPerAck uint64
	limits    chain.TxLimits
	outOfGas  int
	// doubt is why nobody confirms that epochs are dead.
	doubt error
	// unconfirmed is why nobody confirms what became of a transaction.
	unconfirmed error
	// panics makes the next broadcast panic.
	panics bool

	broadcasts, toAll, settlements, scans int
}

func newTestChain(t *testing.T, enc chain.Encoding, account string) *testChain {
	t.Helper()
	return &testChain{
		enc: enc, account: account, height: 10, start: time.Now(), epoch: 1, epochLen: time.Hour, changed: make(chan struct{}),
		blocks: map[int64][][]byte{}, results: map[int64][]*abci.ExecTxResult{}, sequence: 5, fees: big.NewInt(1_000_000_000),
		worker:    nodetypes.Worker{Id: testWorkerID, Account: account, Status: nodetypes.WORKER_STATUS_ACTIVE},
		gasPerAck: testGasPerAck, limits: chain.TxLimits{BlockGas: 40_000_000, GasPerByte: 10, GasPerSignature: 1_000},
		maxAcks: 1000, paid: map[ack.LaneID]*big.Int{}, payable: map[uint64]*big.Int{}, keys: map[uint64]ed25519.PublicKey{},
		owners: map[uint64]uint64{}, keyLeft: map[uint64]*big.Int{}, prices: ack.Prices{PerGiB: big.NewInt(1 << 30), PerGFuel: big.NewInt(1)}, debited: new(big.Int),
	}
}

func oldestLive(epoch uint64) uint64 { return max(epoch, 2) - 1 }

// block commits what is in the mempool.
func (c *testChain) block() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.height++
	for _, tx := range c.mempool {
		c.blocks[c.height] = append(c.blocks[c.height], tx)
		c.results[c.height] = append(c.results[c.height], c.execute(tx))
	}
	c.mempool = nil
	if epoch := uint64(time.Since(c.start)/c.epochLen) + 1; epoch > c.epoch {
		c.epoch++
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// run commits a block per blockTime until the test ends it.
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

func refused(err error) *abci.ExecTxResult {
	var registered interface {
		Codespace() string
		ABCICode() uint32
	}
	if !errors.As(err, &registered) {
		panic(err)
	}
	return &abci.ExecTxResult{Codespace: registered.Codespace(), Code: registered.ABCICode(), Log: "words that nobody may parse"}
}

// check is what the ante handler checks; height is that of the block to come.
func (c *testChain) check(tx []byte, height int64) (signing.Tx, *abci.ExecTxResult) {
	decoded, err := c.enc.TxConfig.TxDecoder()(tx)
	if err != nil {
		panic(err)
	}
	signed := decoded.(signing.Tx)
	if timeout := signed.GetTimeoutHeight(); timeout == 0 || uint64(height) > timeout {
		return nil, refused(sdkerrors.ErrTxTimeoutHeight)
	}
	sigs, err := signed.GetSignaturesV2()
	if err != nil {
		panic(err)
	}
	if sigs[0].Sequence != c.sequence {
		return nil, refused(sdkerrors.ErrWrongSequence)
	}
	if signed.GetGas() > 20_000_000 || signed.GetGas() > c.limits.BlockGas {
		return nil, refused(sdkerrors.ErrInvalidGasLimit)
	}
	fee := signed.GetFee().AmountOf("uedge").BigInt()
	if fee.Cmp(new(big.Int).SetUint64(signed.GetGas()/400)) < 0 {
		return nil, refused(sdkerrors.ErrInsufficientFee)
	}
	if c.fees.Cmp(fee) < 0 {
		return nil, refused(sdkerrors.ErrInsufficientFunds)
	}
	return signed, nil
}

func (c *testChain) gas(tx []byte, acks int) uint64 {
	return testGasBase + uint64(acks)*c.gasPerAck + c.limits.GasPerByte*uint64(len(tx)) + c.limits.GasPerSignature + anteGas
}

func (c *testChain) execute(tx []byte) *abci.ExecTxResult {
	signed, failed := c.check(tx, c.height)
	if failed != nil {
		return failed
	}
	c.sequence++
	c.fees.Sub(c.fees, signed.GetFee().AmountOf("uedge").BigInt())
	msg := signed.GetMsgs()[0].(*dacktypes.MsgSettle)
	used := c.gas(tx, len(msg.Acks)) + c.extra
	if signed.GetGas() < used {
		c.outOfGas++
		return refused(sdkerrors.ErrOutOfGas)
	}
	switch {
	case msg.Account != c.worker.Account:
		return refused(dacktypes.ErrWrongAccount)
	case msg.Epoch < oldestLive(c.epoch):
		return refused(dacktypes.ErrDeadEpoch)
	}
	if err := msg.Check(uint32(c.maxAcks)); err != nil {
		return refused(err)
	}
	c.settlements++
	response := &dacktypes.MsgSettleResponse{}
	for i := range msg.Acks {
		response.Results = append(response.Results, c.settle(msg, &msg.Acks[i]))
	}
	packed, err := codectypes.NewAnyWithValue(response)
	if err != nil {
		panic(err)
	}
	data, err := c.enc.Codec.Marshal(&sdk.TxMsgData{MsgResponses: []*codectypes.Any{packed}})
	if err != nil {
		panic(err)
	}
	return &abci.ExecTxResult{Data: data, GasUsed: int64(used), GasWanted: int64(signed.GetGas())}
}

func (c *testChain) settle(msg *dacktypes.MsgSettle, a *dacktypes.Acknowledgement) dacktypes.AckResult {
	none := dacktypes.AckResult{Paid: sdkmath.ZeroInt(), TotalPaid: sdkmath.ZeroInt()}
	signed, err := a.Signed(msg.Epoch, msg.WorkerId)
	if err != nil {
		none.Status = dacktypes.ACK_STATUS_OUT_OF_RANGE
		return none
	}
	lane := signed.LaneID()
	paid, ok := c.paid[lane]
	if !ok {
		paid = new(big.Int)
	}
	none.TotalPaid = sdkmath.NewIntFromBigInt(paid)
	key, ok := c.keys[a.KeyId]
	if !ok {
		none.Status = dacktypes.ACK_STATUS_UNKNOWN_KEY
		return none
	}
	if signed.Verify(key, ack.HashChainID(testChainID)) != nil {
		none.Status = dacktypes.ACK_STATUS_BAD_SIGNATURE
		return none
	}
	due := c.prices.Price(a.Bytes, a.Fuel)
	due.Sub(due, paid)
	if due.Sign() <= 0 {
		none.Status = dacktypes.ACK_STATUS_NOTHING_DUE
		return none
	}
	payable := c.payable[c.owners[a.KeyId]]
	amount := new(big.Int).Set(due)
	status := dacktypes.ACK_STATUS_PAID
	if amount.Cmp(payable) > 0 {
		amount.Set(payable)
		status = dacktypes.ACK_STATUS_PARTIAL
	}
	if left := c.keyLeft[a.KeyId]; left != nil {
		if amount.Cmp(left) > 0 {
			amount.Set(left)
			status = dacktypes.ACK_STATUS_PARTIAL
		}
		left.Sub(left, amount)
	}
	payable.Sub(payable, amount)
	c.debited.Add(c.debited, amount)
	c.paid[lane] = new(big.Int).Add(paid, amount)
	return dacktypes.AckResult{
		Status: status, Paid: sdkmath.NewIntFromBigInt(amount), TotalPaid: sdkmath.NewIntFromBigInt(c.paid[lane]),
	}
}

// The Chain of a Rollup.

func (c *testChain) View() (chain.View, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := chain.View{
		ChainID: testChainID, Height: c.height, Time: time.Now(), Epoch: c.epoch,
		EpochEnd: c.start.Add(time.Duration(c.epoch) * c.epochLen), OldestLive: oldestLive(c.epoch), Worker: c.worker, Denom: "uusd",
		Prices: map[uint64]ack.Prices{}, MaxAcks: c.maxAcks, GasBase: testGasBase, GasPerAck: c.gasPerAck, Limits: c.limits, FeeBalance: new(big.Int).Set(c.fees),
	}
	for e := v.OldestLive; e <= v.Epoch; e++ {
		v.Prices[e] = c.prices
	}
	return v, true
}

func (c *testChain) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

func (c *testChain) Account(_ context.Context, id uint64) (chain.Account, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.payable[id]
	if !ok {
		return chain.Account{}, chain.ErrUnknownAccount
	}
	return chain.Account{ID: id, Payable: new(big.Int).Set(p), Spendable: new(big.Int).Set(p)}, nil
}

func (c *testChain) Key(_ context.Context, id uint64) (chain.Key, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.keys[id]; !ok {
		return chain.Key{}, chain.ErrUnknownKey
	}
	left := c.keyLeft[id]
	if left == nil {
		left = big.NewInt(1 << 60)
	}
	return chain.Key{ID: id, AccountID: c.owners[id], Left: new(big.Int).Set(left), LastEpoch: 1 << 40}, nil
}

func (c *testChain) Forget(uint64) {}

func (c *testChain) ConfirmOldest(context.Context, uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doubt
}

// The Node of a Rollup.

var errDown = errors.New("connection refused")

func (c *testChain) Sender(_ context.Context, address string) (number, sequence uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return 0, 0, errDown
	}
	if address != c.account {
		return 0, 0, chain.ErrUnknownAccount
	}
	return 7, c.sequence, nil
}

func (c *testChain) Broadcast(_ context.Context, tx []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broadcasts++
	if c.panics {
		c.panics = false
		panic("planned")
	}
	if c.down {
		return errDown
	}
	if c.broadcast != nil {
		take, answer := c.broadcast(tx)
		if take {
			c.mempool = append(c.mempool, tx)
		}
		return answer
	}
	return c.checkTx(tx)
}

func (c *testChain) BroadcastAll(ctx context.Context, tx []byte) error {
	c.with(func() { c.toAll++ })
	return c.Broadcast(ctx, tx)
}

func (c *testChain) ConfirmTx(context.Context, []byte, chain.Included) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unconfirmed
}

func (c *testChain) checkTx(tx []byte) error {
	for _, have := range c.mempool {
		if string(have) == string(tx) {
			return asRefusal(refused(sdkerrors.ErrTxInMempoolCache))
		}
	}
	if _, failed := c.check(tx, c.height+1); failed != nil {
		return asRefusal(failed)
	}
	c.mempool = append(c.mempool, tx)
	return nil
}

func asRefusal(res *abci.ExecTxResult) error {
	if res.Code == 0 {
		return nil
	}
	return &chain.Refusal{Codespace: res.Codespace, Code: res.Code, Log: res.Log}
}

func (c *testChain) FindTx(_ context.Context, hash []byte) (chain.Included, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.down:
		return chain.Included{}, errDown
	case c.noIndex:
		return chain.Included{}, errors.New("transaction indexing is disabled")
	}
	for height := range c.blocks {
		if found, err := c.scan(hash, height); err == nil {
			return found, nil
		}
	}
	return chain.Included{}, chain.ErrTxNotFound
}

func (c *testChain) ScanTx(_ context.Context, hash []byte, height int64) (chain.Included, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return chain.Included{}, errDown
	}
	c.scans++
	return c.scan(hash, height)
}

func (c *testChain) scan(hash []byte, height int64) (chain.Included, error) {
	for i, tx := range c.blocks[height] {
		if string(cmttypes.Tx(tx).Hash()) == string(hash) {
			res := c.results[height][i]
			return chain.Included{Height: height, Refusal: asRefusal(res), Data: res.Data, GasUsed: res.GasUsed}, nil
		}
	}
	return chain.Included{}, chain.ErrTxNotFound
}

// with runs f while the chain stands still.
func (c *testChain) with(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// world is a rollup between a pool and a chain.
type world struct {
	t      *testing.T
	chain  *testChain
	signer *KeyringSigner
	fs     *vfs.MemFS
	pool   *ackpool.Pool
	rollup *Rollup
	cfg    Config
	hints  chan uint64
	keys   map[uint64]ed25519.PrivateKey
	stop   context.CancelFunc
	log    *slog.Logger
}

// newWorld starts a chain and opens a pool. It must run in a synctest bubble.
func newWorld(t *testing.T) *world {
	t.Helper()
	enc, err := chain.NewEncoding()
	require.NoError(t, err)
	keys := keyring.NewInMemory(enc.Codec)
	_, _, err = keys.NewMnemonic("settler", keyring.English, sdk.FullFundraiserPath, keyring.DefaultBIP39Passphrase, hd.Secp256k1)
	require.NoError(t, err)
	price, err := sdk.ParseDecCoin("0.0025uedge")
	require.NoError(t, err)
	signer, err := NewKeyringSigner(keys, "settler", enc, price)
	require.NoError(t, err)
	cfg := DefaultConfig()
	cfg.Interval = 10 * time.Second
	// Most tests are about small values.
	cfg.MinValue, cfg.HurryValue, cfg.HurrySpacing = big.NewInt(1), big.NewInt(1), 0
	cfg.Drain = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	w := &world{
		t: t, chain: newTestChain(t, enc, signer.Address()), signer: signer, fs: vfs.NewStrictMem(), cfg: cfg,
		hints: make(chan uint64, 8), keys: map[uint64]ed25519.PrivateKey{}, stop: cancel, log: slog.New(slog.DiscardHandler),
	}
	// The pool's folder exists durably, as after edge-worker init.
	require.NoError(t, w.fs.MkdirAll("pool", 0o700))
	root, err := w.fs.OpenDir("")
	require.NoError(t, err)
	require.NoError(t, root.Sync())
	require.NoError(t, root.Close())
	w.open()
	go w.chain.run(ctx)
	return w
}

func (w *world) open() {
	pool, err := ackpool.Open("pool", ackpool.Options{FS: w.fs, Logger: w.log})
	require.NoError(w.t, err)
	w.pool = pool
}

func (w *world) start() {
	r, err := New(w.cfg, depsOf(w, w.chain))
	require.NoError(w.t, err)
	w.rollup = r
	require.NoError(w.t, r.Start(w.t.Context()))
}

// depsOf is what a rollup of the world works with, over a view of its chain.
func depsOf(w *world, view Chain) Deps {
	return Deps{
		Chain: view, Node: w.chain, Pool: w.pool, Signer: w.signer, Encoding: w.chain.enc, Hints: w.hints,
		Jitter: func() float64 { return 0.5 }, Log: w.log, Metrics: prometheus.NewRegistry(),
	}
}

// kill ends the rollup without a drain and forgets every write that was not synced, as kill -9 with a power cut does.
func (w *world) kill() {
	w.rollup.cancel()
	<-w.rollup.done
	w.fs.SetIgnoreSyncs(true)
	require.NoError(w.t, w.pool.Close())
	w.fs.ResetToSyncedState()
	w.fs.SetIgnoreSyncs(false)
	w.open()
}

// end stops everything and checks what must hold at any time: the ledger adds up, and says of what was settled exactly
// what the chain has paid.
func (w *world) end() {
	w.t.Helper()
	w.rollup.cancel()
	<-w.rollup.done
	ledger := w.pool.Ledger()
	require.NoError(w.t, ledger.Total.Check())
	require.NoError(w.t, w.pool.Close())
	w.stop()
}

// key registers a client key of an account.
func (w *world) key(id, account uint64, payable int64) {
	w.t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = byte(id)
	w.keys[id] = ed25519.NewKeyFromSeed(seed)
	w.chain.with(func() {
		w.chain.keys[id] = w.keys[id].Public().(ed25519.PublicKey)
		w.chain.owners[id] = account
		w.chain.payable[account] = big.NewInt(payable)
	})
}

// signed is an acknowledgement whose price is its bytes.
func (w *world) signed(keyID uint64, lane uint8, epoch, bytes uint64) ack.Signed {
	return ack.Sign(w.keys[keyID], ack.HashChainID(testChainID), &ack.Ack{
		Epoch: epoch, KeyID: keyID, WorkerID: testWorkerID, Lane: lane, Requests: 1, Bytes: bytes,
	})
}

func (w *world) put(account uint64, acks ...ack.Signed) {
	w.t.Helper()
	items := make([]ackpool.Item, len(acks))
	for i, a := range acks {
		items[i] = ackpool.Item{Signed: a, AccountID: account, Value: new(big.Int).SetUint64(a.Bytes)}
	}
	require.NoError(w.t, w.pool.Put(w.t.Context(), items))
}

// settled is what the ledger has as settled.
func (w *world) settled() int64 { return w.pool.Ledger().Total.Settled.Value.Int64() }

func (w *world) debited() (amount int64) {
	w.chain.with(func() { amount = w.chain.debited.Int64() })
	return amount
}

// eventually lets blocks pass until a condition holds.
func (w *world) eventually(what string, cond func() bool) {
	w.t.Helper()
	// Several looks at a block: what lasts for one block is not missed.
	for range 9_000 {
		if cond() {
			return
		}
		time.Sleep(blockTime / 3)
	}
	w.end()
	w.t.Fatalf("never: %s; problem: %v; status: %+v; ledger: %+v", what, w.rollup.Problem(), w.rollup.Status(), w.pool.Ledger().Total)
}

// metricValue reads a counter or a gauge.
func metricValue(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	require.NoError(t, m.Write(&out))
	if out.Counter != nil {
		return out.Counter.GetValue()
	}
	return out.Gauge.GetValue()
}
