package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/edgechain/edge/ack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// Config of a Follower.
type Config struct {
	// ChainID that the node must follow. Empty takes that of the first answer and keeps to it.
	ChainID string
	// WorkerID of this worker; 0 looks the worker up by PeerKey.
	WorkerID uint64
	// PeerKey is the worker's ed25519 public key.
	PeerKey []byte
	// FeeAccount and FeeDenom name the balance that pays for settlements. An empty account is not queried.
	FeeAccount string
	FeeDenom   string
	// Granter is the account for which Grantee settles by a grant of x/authz, FeeGranter the one that pays by a grant of
	// x/feegrant. With neither, grants are not queried.
	Granter, FeeGranter, Grantee string
	// PollInterval is how often the node is asked for its height.
	PollInterval time.Duration
	// MaxLag is for how long the height may stand still before the chain counts as stale.
	MaxLag time.Duration
	// QueryTimeout bounds every query.
	QueryTimeout time.Duration
	// CacheSize bounds the keys and the accounts that are remembered, each.
	CacheSize int
	// CacheTTL is for how long they are.
	CacheTTL time.Duration
	// MaxQueries bounds the queries on behalf of clients that are under way at a time.
	MaxQueries int
	// MaxQueued bounds those that wait for one of them to end, QueueTimeout for how long. Beyond either is ErrBusy.
	MaxQueued    int
	QueueTimeout time.Duration
	// Events subscribes to new blocks, so that a poll follows each at once. Without it, or when the subscription is dead,
	// a block is seen PollInterval later at most.
	Events bool
}

// DefaultConfig returns the values that suit a node on the same machine and blocks of about a second.
func DefaultConfig() Config {
	return Config{
		FeeDenom:     "uedge",
		PollInterval: 500 * time.Millisecond,
		MaxLag:       30 * time.Second,
		QueryTimeout: 5 * time.Second,
		CacheSize:    65_536,
		CacheTTL:     2 * time.Second,
		MaxQueries:   32,
		MaxQueued:    512,
		QueueTimeout: time.Second,
		Events:       true,
	}
}

// Validate returns an error that names the field at fault.
func (c Config) Validate() error {
	switch {
	case c.PollInterval < 10*time.Millisecond || c.PollInterval > time.Minute:
		return fmt.Errorf("poll_interval %s, want 10ms to 1m", c.PollInterval)
	case c.MaxLag < c.PollInterval:
		return fmt.Errorf("max_lag %s, want at least poll_interval", c.MaxLag)
	case c.QueryTimeout < 100*time.Millisecond || c.QueryTimeout > time.Minute:
		return fmt.Errorf("query_timeout %s, want 100ms to 1m", c.QueryTimeout)
	case c.CacheSize < 1:
		return fmt.Errorf("cache_size %d, want at least 1", c.CacheSize)
	case c.CacheTTL < 0 || c.CacheTTL > time.Minute:
		return fmt.Errorf("cache_ttl %s, want 0 to 1m", c.CacheTTL)
	case c.MaxQueries < 1:
		return fmt.Errorf("max_queries %d, want at least 1", c.MaxQueries)
	case c.MaxQueued < 0:
		return fmt.Errorf("max_queued %d, want at least 0", c.MaxQueued)
	case c.QueueTimeout < 0 || c.QueueTimeout > time.Minute:
		return fmt.Errorf("queue_timeout %s, want 0 to 1m", c.QueueTimeout)
	case c.WorkerID == 0 && len(c.PeerKey) == 0:
		return errors.New("neither a worker id nor a peer key")
	}
	return nil
}

// Follower keeps a View of the chain up to date by polling the node's height, and answers queries of keys, accounts and
// lanes through bounded caches. The height is the truth: whatever else fails, a height that stands still for MaxLag makes
// the follower stale. Events are a hint that only makes the next poll come at once.
type Follower struct {
	cfg     Config
	source  Source
	log     *slog.Logger
	metrics *metrics

	keys     *cache[Key]
	accounts *cache[Account]
	hint     hint

	view    atomic.Pointer[View]
	mu      sync.Mutex
	changed chan struct{}
	health  health
	clock   clockwork
	// confirmed is the newest epoch that has certainly begun.
	confirmed atomic.Uint64

	// prices and awaited belong to the poller.
	prices  pricing
	awaited await

	cancel context.CancelFunc
	done   chan struct{}
}

// health is what Stale answers from.
type health struct {
	// chainID that the follower keeps to.
	chainID string
	// height and progress: the newest height seen, and when it was last seen to rise.
	height   int64
	progress time.Time
	// problem of the last poll, nil if it went well.
	problem error
	// since is when polls began to fail.
	since time.Time
}

// pricing says of which endpoint the prices of the newest view are, and until when they are not asked for again.
type pricing struct {
	of    any
	until time.Time
}

// await says since when a new epoch waits for other endpoints.
type await struct {
	epoch uint64
	since time.Time
}

// New returns a follower that has not started. Metrics are registered with reg.
func New(cfg Config, source Source, log *slog.Logger, reg prometheus.Registerer) (*Follower, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("chain config: %w", err)
	}
	f := &Follower{
		cfg:     cfg,
		source:  source,
		log:     log,
		changed: make(chan struct{}),
		health:  health{chainID: cfg.ChainID, problem: errors.New("nothing heard yet")},
		hint:    newHint(),
	}
	f.metrics = newMetrics(reg, f)
	queries := newSlots(cfg, f.metrics.refused)
	var err error
	if f.keys, err = newCache(cfg, queries, source.Key, ErrUnknownKey); err != nil {
		return nil, err
	}
	if f.accounts, err = newCache(cfg, queries, source.Account, ErrUnknownAccount); err != nil {
		return nil, err
	}
	return f, nil
}

// Start polls until Stop. It returns at once: View answers false and Stale says why until the node has answered.
func (f *Follower) Start(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cancel != nil {
		return errors.New("chain follower has started before")
	}
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	f.done = make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() { f.run(ctx) })
	if f.cfg.Events {
		group.Go(func() { f.listen(ctx) })
	}
	go func() {
		defer close(f.done)
		group.Wait()
	}()
	return nil
}

// Stop ends the polling and waits for it, at most until ctx ends.
func (f *Follower) Stop(ctx context.Context) error {
	f.mu.Lock()
	cancel, done := f.cancel, f.done
	f.mu.Unlock()
	if cancel == nil {
		return nil
	}
	cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop chain follower: %w", ctx.Err())
	}
}

// View returns the newest view, false before the first.
func (f *Follower) View() (View, bool) {
	v := f.view.Load()
	if v == nil {
		return View{}, false
	}
	return *v, true
}

// Changed returns a channel that is closed when the view next changes.
func (f *Follower) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// Stale returns nil while the view can be relied on, else ErrStale with the reason.
func (f *Follower) Stale() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.health
	switch {
	case errors.Is(h.problem, ErrWrongChain):
		return fmt.Errorf("%w: %w", ErrStale, h.problem)
	case f.view.Load() == nil:
		return fmt.Errorf("%w: %w", ErrStale, h.problem)
	}
	if lag := time.Since(h.progress); lag > f.cfg.MaxLag {
		err := fmt.Errorf("%w: no new block for %s, the last height is %d", ErrStale, lag.Round(time.Second), h.height)
		if h.problem != nil {
			err = fmt.Errorf("%w: %w", err, h.problem)
		}
		return err
	}
	if h.problem != nil && (errors.Is(h.problem, errCatchingUp) || time.Since(h.since) > f.cfg.MaxLag) {
		return fmt.Errorf("%w: %w", ErrStale, h.problem)
	}
	return nil
}

// Lag is how long ago the height was last seen to rise.
func (f *Follower) Lag() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.health.progress.IsZero() {
		return 0
	}
	return time.Since(f.health.progress)
}

// Key returns a client key, at most CacheTTL old. It returns ErrUnknownKey, ErrBusy, or an error of the node.
func (f *Follower) Key(ctx context.Context, id uint64) (Key, error) { return f.keys.get(ctx, id) }

// Account returns a client account, at most CacheTTL old. It returns ErrUnknownAccount, ErrBusy, or an error of the node.
func (f *Follower) Account(ctx context.Context, id uint64) (Account, error) {
	return f.accounts.get(ctx, id)
}

// Lanes returns what the chain has paid on the lanes of a key with a worker in an epoch.
func (f *Follower) Lanes(ctx context.Context, epoch, workerID, keyID uint64) ([]dacktypes.Lane, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.QueryTimeout)
	defer cancel()
	return f.source.Lanes(ctx, epoch, workerID, keyID)
}

// PaidTo returns what the chain has paid this worker for acknowledgements of a live epoch.
func (f *Follower) PaidTo(ctx context.Context, epoch, workerID uint64) (*big.Int, error) {
	return f.source.PaidTo(ctx, epoch, workerID)
}

// Forget drops what is remembered of an account, so that the next question sees the state after a settlement.
func (f *Follower) Forget(accountID uint64) { f.accounts.forget(accountID) }

// errCatchingUp is the problem of a node that replays old blocks.
var errCatchingUp = errors.New("the node is catching up")

func (f *Follower) run(ctx context.Context) {
	ticker := time.NewTicker(f.cfg.PollInterval)
	defer ticker.Stop()
	for {
		begin := time.Now()
		f.observe(f.poll(ctx))
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-f.hint.wake:
			// A node that replays blocks has thousands of events a second.
			if !sleep(ctx, f.cfg.PollInterval/maxHaste-time.Since(begin)) {
				return
			}
		}
	}
}

// poll asks the node, or of several the one that is used. When that fails and another one is good, it is asked at once.
func (f *Follower) poll(ctx context.Context) (status Status, err error) {
	nodes, several := f.source.(*Nodes)
	if !several {
		return f.pollOne(ctx, f.source)
	}
	for range maxEndpoints {
		one := nodes.pin()
		status, err = f.pollOne(ctx, one)
		if again := one.conclude(status.Height, err); !again || err == nil || ctx.Err() != nil {
			break
		}
	}
	return status, err
}

// pollOne asks for the status and, if the height has risen or the last refresh failed, for the rest. A panic is an error like
// any other: the worker goes on, and is stale if it does not pass.
func (f *Follower) pollOne(ctx context.Context, source Source) (status Status, err error) {
	defer func() {
		if r := recover(); r != nil {
			f.log.Error("chain poll panicked", "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("poll panicked: %v", r)
		}
	}()
	statusCtx, cancel := context.WithTimeout(ctx, f.cfg.QueryTimeout)
	defer cancel()
	status, err = source.Status(statusCtx)
	if err != nil {
		return Status{}, fmt.Errorf("status of the node: %w", err)
	}
	f.mu.Lock()
	want := f.health.chainID
	failed := f.health.problem != nil
	f.mu.Unlock()
	if want != "" && status.ChainID != want {
		return Status{}, fmt.Errorf("%w: %q, want %q", ErrWrongChain, status.ChainID, want)
	}
	old := f.view.Load()
	if old != nil && status.Height >= 1 && status.Height < old.Height && f.refuted(old) {
		old = nil
	}
	if status.Height < 1 || old != nil && status.Height < old.Height {
		// A node that is behind what was seen before has been restored or replaced; its state must not be believed.
		if old != nil {
			return Status{}, fmt.Errorf("%w: the node is at height %d, below %d", errBehind, status.Height, old.Height)
		}
		return status, errors.New("the chain has no block yet")
	}
	if old == nil || status.Height > old.Height || failed {
		view, err := f.refresh(ctx, source, status, old)
		if err != nil {
			return status, err
		}
		f.publish(view)
	}
	if status.CatchingUp {
		return status, fmt.Errorf("%w, at height %d", errCatchingUp, status.Height)
	}
	return status, nil
}

// refuted reports whether a view is of an endpoint that most others contradict, and begins anew if it is.
func (f *Follower) refuted(old *View) bool {
	nodes, several := f.source.(*Nodes)
	if !several || !nodes.refuted(old.Height) {
		return false
	}
	f.restart(old)
	return true
}

// restart forgets what was seen of the chain.
func (f *Follower) restart(old *View) {
	f.log.Error("what was seen of the chain was not of it", "height", old.Height, "epoch", old.Epoch)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.health.height, f.clock, f.prices = 0, clockwork{}, pricing{}
	f.confirmed.Store(0)
}

// priceTTL is for how long the prices of an endpoint are not asked for again. Those of an epoch never change; but what one
// endpoint has told of them once must not hold for all of an epoch.
const priceTTL = time.Minute

// refresh builds the view at a status.
func (f *Follower) refresh(ctx context.Context, source Source, status Status, old *View) (*View, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.QueryTimeout)
	defer cancel()
	epoch, err := source.Epoch(ctx)
	if err != nil {
		return nil, fmt.Errorf("current epoch: %w", err)
	}
	again, err := f.believe(ctx, status, epoch, old)
	if err != nil {
		return nil, err
	}
	if again {
		f.restart(old)
		old = nil
	}
	worker, err := f.worker(ctx, source)
	if err != nil && !errors.Is(err, ErrNotRegistered) {
		return nil, fmt.Errorf("record of this worker: %w", err)
	}
	params, err := source.DackParams(ctx)
	if err != nil {
		return nil, fmt.Errorf("parameters of x/dack: %w", err)
	}
	limits, err := source.TxLimits(ctx)
	if err != nil {
		return nil, fmt.Errorf("limits of transactions: %w", err)
	}
	view := &View{
		ChainID:       status.ChainID,
		Height:        status.Height,
		Time:          status.Time,
		Epoch:         epoch.Number,
		EpochEnd:      epoch.End,
		EpochDuration: epoch.Duration,
		OldestLive:    epoch.OldestLive,
		Worker:        worker,
		Denom:         params.SettlementDenom,
		Prices:        make(map[uint64]ack.Prices, 2),
		Agreed:        make(map[uint64]bool, 2),
		MaxAcks:       int(params.MaxAcks),
		GasBase:       params.SettleGasBase,
		GasPerAck:     params.SettleGasPerAck,
		Limits:        limits,
		FeeBalance:    new(big.Int),
	}
	if err := f.checkGas(ctx, view); err != nil {
		return nil, err
	}
	if err := f.price(ctx, source, view, old); err != nil {
		return nil, err
	}
	if f.cfg.FeeAccount != "" {
		if view.FeeBalance, err = source.Balance(ctx, f.cfg.FeeAccount, f.cfg.FeeDenom); err != nil {
			return nil, fmt.Errorf("fee balance of %s: %w", f.cfg.FeeAccount, err)
		}
	}
	if f.cfg.Granter != "" || f.cfg.FeeGranter != "" {
		grants, err := source.Grants(ctx, f.cfg.Granter, f.cfg.FeeGranter, f.cfg.Grantee)
		if err != nil {
			return nil, fmt.Errorf("grants to %s: %w", f.cfg.Grantee, err)
		}
		view.Grants = &grants
		if f.cfg.FeeGranter != "" {
			if left := grants.Fees.Left(f.cfg.FeeDenom, view.Time, f.paidMessage()); left != nil && left.Cmp(view.FeeBalance) < 0 {
				view.FeeBalance = left
			}
		}
	}
	return view, nil
}

// believe is plausible, and waits for other endpoints to come to a new epoch, for as long as they may be behind.
func (f *Follower) believe(ctx context.Context, status Status, epoch EpochState, old *View) (again bool, err error) {
	again, err = f.plausible(ctx, status, epoch, old)
	switch {
	case !errors.Is(err, errAwaited):
		f.awaited = await{}
	case f.awaited.epoch != epoch.Number:
		f.awaited = await{epoch: epoch.Number, since: time.Now()}
	case time.Since(f.awaited.since) > f.cfg.MaxLag/4:
		return again, nil
	}
	return again, err
}

// price fills in the prices of the live epochs. Those of the old view are kept for a while if the same endpoint has told of them;
// others have to say the same of what is new.
func (f *Follower) price(ctx context.Context, source Source, view, old *View) error {
	var of any = source
	if p, pinned := source.(*pinned); pinned {
		of = p.e
	}
	now := time.Now()
	keep := old != nil && f.prices.of == of && now.Before(f.prices.until)
	if !keep {
		f.prices = pricing{of: of, until: now.Add(priceTTL)}
	}
	for e := view.OldestLive; e <= view.Epoch; e++ {
		if keep {
			if p, ok := old.Prices[e]; ok {
				view.Prices[e], view.Agreed[e] = p, old.Agreed[e]
				continue
			}
		}
		prices, err := source.Prices(ctx, e)
		if nodes, several := f.source.(*Nodes); several && err == nil {
			prices, view.Agreed[e], err = nodes.confirmPrices(ctx, e, prices)
		}
		if err != nil {
			f.prices = pricing{}
			return fmt.Errorf("prices of epoch %d: %w", e, err)
		}
		view.Prices[e] = prices
	}
	return nil
}

// paidMessage is what the transactions of the hot account are made of: its own messages, or one that wraps those that it sends
// for another account.
func (f *Follower) paidMessage() sdk.Msg {
	if f.cfg.Granter != "" {
		return &authz.MsgExec{}
	}
	return &dacktypes.MsgSettle{}
}

func (f *Follower) worker(ctx context.Context, source Source) (nodetypes.Worker, error) {
	if f.cfg.WorkerID != 0 {
		return source.Worker(ctx, f.cfg.WorkerID)
	}
	return source.WorkerByPeerKey(ctx, f.cfg.PeerKey)
}

func (f *Follower) publish(view *View) {
	f.view.Store(view)
	f.mu.Lock()
	f.clock.note(view, time.Now())
	close(f.changed)
	f.changed = make(chan struct{})
	f.mu.Unlock()
}

// observe keeps the outcome of a poll for Stale.
func (f *Follower) observe(status Status, err error) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	h := &f.health
	if status.Height > h.height {
		// The first height that is seen may be old: what counts then is the age of its block.
		if h.height == 0 && status.Time.Before(now) {
			h.progress = status.Time
		} else {
			h.progress = now
			f.hint.risen()
		}
		h.height = status.Height
	}
	if h.chainID == "" && status.ChainID != "" && err == nil {
		h.chainID = status.ChainID
	}
	switch {
	case err == nil && h.problem != nil:
		f.log.Info("chain in sight", "height", status.Height)
	case err != nil && !errors.Is(err, context.Canceled):
		f.metrics.pollErrors.Inc()
		if h.problem == nil || h.since.IsZero() {
			h.since = now
			f.log.Warn("chain poll failed", "err", err)
		}
	}
	h.problem = err
}
