package rollup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// Errors that say why nothing can be settled. Problem returns them.
var (
	// ErrNoFees reports that the hot account cannot pay the fee of a settlement.
	ErrNoFees = errors.New("the hot account cannot pay fees")
	// ErrFeeTooLow reports that the chain wants a higher gas price than is configured.
	ErrFeeTooLow = errors.New("the configured gas price is below what the chain wants")
	// ErrWrongAccount reports that the chain knows another hot account for this worker than the one in the keyring.
	ErrWrongAccount = errors.New("the chain has another account for this worker")
	// ErrEndangered reports acknowledgements that are about to die unsettled.
	ErrEndangered = errors.New("acknowledgements are about to die unsettled")
	// ErrNoGrant reports that the account for which the hot account settles, or the one that pays for it, does not let it.
	ErrNoGrant = errors.New("a grant is missing or has ended")
)

// settleURL is the type of the message that is granted.
var settleURL = sdk.MsgTypeURL(&dacktypes.MsgSettle{})

// timeFormat of times in messages for people.
const timeFormat = time.RFC3339

// Chain is what a Rollup needs to see of the chain.
type Chain interface {
	View() (chain.View, bool)
	Changed() <-chan struct{}
	Account(ctx context.Context, id uint64) (chain.Account, error)
	Key(ctx context.Context, id uint64) (chain.Key, error)
	Forget(accountID uint64)
	// ConfirmOldest returns nil if it is certain that epochs before the oldest live one that a view names are dead.
	ConfirmOldest(ctx context.Context, oldest uint64) error
}

// Node is the way of a transaction to the chain.
type Node interface {
	Sender(ctx context.Context, address string) (number, sequence uint64, err error)
	Broadcast(ctx context.Context, tx []byte) error
	// BroadcastAll is Broadcast to every node there is, for a transaction that was sent before.
	BroadcastAll(ctx context.Context, tx []byte) error
	FindTx(ctx context.Context, hash []byte) (chain.Included, error)
	ScanTx(ctx context.Context, hash []byte, height int64) (chain.Included, error)
	// ConfirmTx returns nil if what one node has told of a transaction can be relied on.
	ConfirmTx(ctx context.Context, hash []byte, told chain.Included) error
}

// Pool is where acknowledgements come from and where verdicts go.
type Pool interface {
	Pending(epoch uint64, limit int) []ackpool.Entry
	AccountPending(account uint64) []ackpool.Entry
	Richest(epoch uint64, limit int) []ackpool.Entry
	RichestAccounts(limit int, skip func(account uint64) bool) []ackpool.AccountAmount
	PendingEpochs() []uint64
	Epoch(epoch uint64) ackpool.Totals
	Submit(tx ackpool.Tx) error
	Resolve(hash []byte, height int64, results []ackpool.Result) error
	Abandon(hash []byte, reason string) error
	InFlight() []ackpool.Tx
	Newest(lane ack.LaneID) (ackpool.Entry, bool)
	Expire(oldestLive uint64) error
	Reprice(epoch uint64, prices ack.Prices, certain bool) (changed int, err error)
}

// Deps are what a Rollup works with.
type Deps struct {
	Chain    Chain
	Node     Node
	Pool     Pool
	Signer   Signer
	Encoding chain.Encoding
	// Hints carries accounts whose claim should be settled soon; nil if nobody gives any.
	Hints <-chan uint64
	// Jitter returns a number in [0, 1).
	Jitter  func() float64
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Rollup settles what the pool holds. It has one transaction in flight at a time, because the hot account's sequence
// orders them anyway and one can carry a thousand lanes.
type Rollup struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	metrics *metrics

	// mu guards what Problem, Status and Stop share with the loop.
	mu sync.Mutex
	// blocked says why nothing can be settled at all, failure why the last try failed.
	blocked, failure error
	status           Status
	cancel           context.CancelFunc
	done             chan struct{}
	drained          chan struct{}
	// drain is closed when Stop wants all that can be settled to be settled.
	drain     chan struct{}
	drainOnce sync.Once

	// The rest belongs to the loop.
	sequence sequence
	flight   *flight
	partials partials
	// paces of the live epochs.
	paces map[uint64]pace
	// hinted are the accounts that ask for a settlement early, by when they began to.
	hinted map[uint64]wish
	// riskLooked is when accounts were last looked at for what they can still pay; dry are those that could pay nothing, by when
	// they are looked at again.
	riskLooked time.Time
	dry        map[uint64]time.Time
	// priced are the prices by which the pool's lanes of an epoch were last valued.
	priced map[uint64]pricing
	// height of the newest view, and when it was first seen.
	height int64
	risen  time.Time
	// early is when the last settlement outside of an interval began; favoured are those for who brings little.
	early    time.Time
	favoured favours
	// doubtUntil holds them back outside of drains after endpoints have contradicted each other about a settlement; doubts counts
	// those in a row. Each that is sent again has its fee.
	doubtUntil time.Time
	doubts     int
	// notBefore holds submissions back after a failure; failures counts them in a row.
	notBefore time.Time
	failures  int
	// overhead of a transaction's gas as far as it is known, and leastOverhead what it is from the start.
	overhead, leastOverhead uint64
	// maxAcks is below that of the chain while settlements are too large for its mempool; 0 is no limit.
	maxAcks int
	// learned is when the last failure has changed overhead or maxAcks, or that was last taken back in part.
	learned time.Time
	// expired is the oldest live epoch that the pool was told, confirm when a newer one is next asked to be confirmed.
	expired uint64
	confirm time.Time
	// doubted is the last one that was logged as not confirmed.
	doubted uint64
	// alarmed says when the last alarm of an epoch was.
	alarmed map[uint64]time.Time
}

// sequence of the hot account, known from the chain and counted on from there.
type sequence struct {
	known        bool
	number, next uint64
}

// flight is the transaction in flight.
type flight struct {
	tx ackpool.Tx
	// inMempool is true when the node's mempool has said that it has the transaction.
	inMempool bool
	// certain is true as long as no broadcast ended without an answer: then a refusal means that nobody has it.
	certain bool
	// again is when it is sent once more.
	again time.Time
	// looked is the height at which it was last looked for, lookAgain when that is due at the same height.
	looked    int64
	lookAgain time.Time
	// sent is true once it was sent in this process, doubted once it was logged that one node alone knows of its end.
	sent, doubted bool
	// scanned is the last height whose block was looked through.
	scanned int64
	// gas by which it was sized; zero for one from before this process.
	gas gasParams
}

// Status is what a Rollup does, for people.
type Status struct {
	// Account that signs.
	Account string `json:"account"`
	// InFlight is the hash of the transaction in flight, empty if none is.
	InFlight string `json:"in_flight,omitempty"`
	// LastHash and LastHeight of the last settlement in a block.
	LastHash   string `json:"last_hash,omitempty"`
	LastHeight int64  `json:"last_height,omitempty"`
	// Settled counts the settlements in blocks since the start.
	Settled uint64 `json:"settlements"`
	// Failed counts the transactions that ended otherwise.
	Failed uint64 `json:"failures"`
	// LastFailure says how the last of them ended.
	LastFailure string `json:"last_failure,omitempty"`
	// Key that signs, if it is that of another account.
	Key string `json:"key,omitempty"`
	// GrantUntil is when the first of the grants that it needs ends.
	GrantUntil *time.Time `json:"grant_until,omitempty"`
	// Endangered is what dies unsettled at EndangeredAt, in units of the settlement coin; empty while there is time.
	Endangered   string     `json:"endangered,omitempty"`
	EndangeredAt *time.Time `json:"endangered_at,omitempty"`
	// Uneconomic is what waits because its fee is more than the configured share of it, in units of the settlement coin.
	Uneconomic string `json:"uneconomic,omitempty"`
}

// New returns a Rollup that has not started.
func New(cfg Config, deps Deps) (*Rollup, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("rollup config: %w", err)
	}
	r := &Rollup{
		cfg:      cfg.withDefaults(),
		deps:     deps,
		log:      deps.Log,
		done:     make(chan struct{}),
		drained:  make(chan struct{}),
		drain:    make(chan struct{}),
		partials: partials{},
		paces:    map[uint64]pace{},
		hinted:   map[uint64]wish{},
		alarmed:  map[uint64]time.Time{},
		dry:      map[uint64]time.Time{},
		priced:   map[uint64]pricing{},
		status:   Status{Account: deps.Signer.Address()},
	}
	r.leastOverhead = baseOverhead
	if deps.Signer.Key() != deps.Signer.Address() || cfg.FeeGranted {
		r.leastOverhead += grantOverhead
		r.status.Key = deps.Signer.Key()
	}
	r.overhead = r.leastOverhead
	r.metrics = newMetrics(deps.Metrics)
	return r, nil
}

// Start begins to settle. Transactions that were in flight when the worker last ended are followed first.
func (r *Rollup) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil {
		return errors.New("rollup has started before")
	}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go r.run(ctx)
	return nil
}

// Stop settles what can be settled, at most until ctx ends, and ends the loop. What is left stays in the pool, and a
// transaction in flight is followed by the next Start. It returns an error if something was left because ctx ended.
func (r *Rollup) Stop(ctx context.Context) error {
	r.mu.Lock()
	cancel := r.cancel
	r.mu.Unlock()
	if cancel == nil {
		return nil
	}
	r.drainOnce.Do(func() { close(r.drain) })
	var err error
	select {
	case <-r.drained:
	case <-ctx.Done():
		err = fmt.Errorf("not all that is acknowledged was settled in time, the rest is after the next start: %w", ctx.Err())
		if problem := r.Problem(); problem != nil {
			err = fmt.Errorf("%w: %w", err, problem)
		}
	}
	cancel()
	<-r.done
	return err
}

// Problem returns why nothing can be settled at present, nil if something can.
func (r *Rollup) Problem() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.blocked != nil {
		return r.blocked
	}
	return r.failure
}

// Status returns what the rollup does.
func (r *Rollup) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// setBlocked keeps why nothing can be settled at all; nil if something can.
func (r *Rollup) setBlocked(err error) {
	r.mu.Lock()
	was := r.blocked
	r.blocked = err
	r.mu.Unlock()
	switch {
	case err != nil && (was == nil || was.Error() != err.Error()):
		r.log.Warn("settling is blocked", "err", err)
	case err == nil && was != nil:
		r.log.Info("settling goes on")
	}
	r.metrics.blocked.Set(0)
	if err != nil {
		r.metrics.blocked.Set(1)
	}
}

// setFailure keeps why the last try failed; nil after one that went well.
func (r *Rollup) setFailure(err error) {
	r.mu.Lock()
	r.failure = err
	r.mu.Unlock()
}

func (r *Rollup) draining() bool {
	select {
	case <-r.drain:
		return true
	default:
		return false
	}
}

func (r *Rollup) run(ctx context.Context) {
	defer close(r.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	drain := r.drain
	hints := r.deps.Hints
	for {
		// The channel is taken before the step, so that no change between them is missed.
		changed := r.deps.Chain.Changed()
		wait := r.safeStep(ctx)
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-changed:
		case <-drain:
			drain = nil
		case account, ok := <-hints:
			if !ok {
				hints = nil
				continue
			}
			r.hurry(account)
		}
	}
}

// safeStep makes a panic an error: what is in the pool must go on being settled.
func (r *Rollup) safeStep(ctx context.Context) (wait time.Duration) {
	defer func() {
		if p := recover(); p != nil {
			r.metrics.panics.Inc()
			r.log.Error("rollup panicked", "panic", p, "stack", string(debug.Stack()))
			r.flight = nil
			r.sequence.known = false
			wait = r.fail()
		}
	}()
	return r.step(ctx)
}

// fail counts a failure and returns for how long submissions are held back.
func (r *Rollup) fail() time.Duration {
	r.failures++
	wait := backoff(r.failures, r.cfg.FirstBackoff, r.cfg.LastBackoff, r.deps.Jitter())
	r.notBefore = time.Now().Add(wait)
	return wait
}

// step does what can be done now and returns when to look again at the latest:
//  1. follow the transaction in flight; while there is one, nothing else is sent,
//  2. tell the pool which epochs have died, and raise alarms for what is about to,
//  3. settle one batch if one is due.
func (r *Rollup) step(ctx context.Context) time.Duration {
	view, ok := r.deps.Chain.View()
	if !ok {
		r.finish(false)
		return r.cfg.Interval
	}
	r.rise(view)
	r.reprice(view)
	if r.flight == nil {
		r.adopt(view)
	}
	if r.flight != nil && !r.follow(ctx, view) {
		return r.cfg.Rebroadcast
	}
	r.expire(ctx, view)
	r.watch(view)
	r.unlearn(view)
	err := r.able(view)
	r.setBlocked(err)
	if err != nil {
		r.finish(false)
		return r.cfg.Interval
	}
	if wait := time.Until(r.notBefore); wait > 0 {
		return wait
	}
	if wait := time.Until(r.doubtUntil); wait > 0 && !r.inDrain(view) && !r.draining() {
		return min(wait, r.cfg.Interval/4)
	}
	b, ok := r.choose(ctx, view)
	if !ok {
		r.setFailure(nil)
		r.finish(true)
		wait := r.cfg.Interval / 4
		if early := r.restLeft(time.Now()); len(r.hinted) > 0 && early > 0 {
			wait = min(wait, early)
		}
		return wait
	}
	r.submit(ctx, view, b)
	if r.flight != nil {
		return r.cfg.Rebroadcast
	}
	return max(time.Until(r.notBefore), 0)
}

// rise notes the height. When a chain goes on that stood still, what is due is tried at once: there may be little time left.
func (r *Rollup) rise(view chain.View) {
	if view.Height <= r.height {
		return
	}
	now := time.Now()
	if r.height > 0 && now.Sub(r.risen) > r.cfg.CallTimeout {
		r.notBefore = time.Time{}
	}
	r.height, r.risen = view.Height, now
}

// pricing is by what lanes were valued.
type pricing struct {
	ack.Prices
	// certain is set if two endpoints told of them.
	certain bool
}

// reprice values the lanes of live epochs anew when their prices are seen first or are told otherwise than before: what was
// taken by a price that was wrong is worth what the chain pays for it.
func (r *Rollup) reprice(view chain.View) {
	for epoch, prices := range view.Prices {
		certain := view.Agreed[epoch]
		if known, ok := r.priced[epoch]; ok && known.certain == certain && known.PerGiB.Cmp(prices.PerGiB) == 0 && known.PerGFuel.Cmp(prices.PerGFuel) == 0 {
			continue
		}
		changed, err := r.deps.Pool.Reprice(epoch, prices, certain)
		if err != nil {
			r.log.Error("lanes were not valued by the prices of their epoch", "epoch", epoch, "err", err)
			continue
		}
		if changed > 0 {
			r.log.Warn("lanes were taken at other prices than those that are told now, and are valued by these", "epoch", epoch, "lanes", changed)
		}
		r.priced[epoch] = pricing{prices, certain}
	}
	maps.DeleteFunc(r.priced, func(epoch uint64, _ pricing) bool { return epoch < view.OldestLive })
}

// finish ends the drain of Stop: if everything was tried, or if there is nothing that would have to be.
func (r *Rollup) finish(tried bool) {
	if !r.draining() || r.flight != nil || !tried && (len(r.deps.Pool.PendingEpochs()) > 0 || len(r.deps.Pool.InFlight()) > 0) {
		return
	}
	select {
	case <-r.drained:
	default:
		close(r.drained)
	}
}

// able returns why nothing can be settled at all, by what the view says.
func (r *Rollup) able(view chain.View) error {
	account := r.deps.Signer.Address()
	switch {
	case !view.Registered():
		return chain.ErrNotRegistered
	case view.Worker.Account != account && r.deps.Signer.Key() != account:
		return fmt.Errorf("%w: worker %d settles with %s, keys.granter is %s", ErrWrongAccount, view.Worker.Id, view.Worker.Account, account)
	case view.Worker.Account != account:
		return fmt.Errorf("%w: worker %d settles with %s, the keyring has %s", ErrWrongAccount, view.Worker.Id, view.Worker.Account, account)
	}
	if err := checkRoom(view, r.overhead); err != nil {
		return err
	}
	if err := r.checkGrants(view); err != nil {
		return err
	}
	return r.checkFee(view)
}

// expire tells the pool which epochs have died. A transaction in flight keeps its epoch: its verdict comes first. What the pool
// deletes is money and does not come back, so that it is not done for what one endpoint says.
func (r *Rollup) expire(ctx context.Context, view chain.View) {
	if view.OldestLive <= r.expired || time.Now().Before(r.confirm) {
		return
	}
	if err := r.deps.Chain.ConfirmOldest(ctx, view.OldestLive); err != nil {
		r.confirm = time.Now().Add(r.cfg.CallTimeout)
		if pending := r.deps.Pool.PendingEpochs(); r.doubted != view.OldestLive && len(pending) > 0 && pending[0] < view.OldestLive {
			r.doubted = view.OldestLive
			r.log.Warn("acknowledgements are kept of an epoch that is said to be dead", "epoch", pending[0], "oldest_live", view.OldestLive, "err", err)
		}
		return
	}
	if err := r.deps.Pool.Expire(view.OldestLive); err != nil {
		r.log.Error("expire acknowledgements", "oldest_live", view.OldestLive, "err", err)
		return
	}
	r.expired = view.OldestLive
	r.partials.expire(view.OldestLive)
	maps.DeleteFunc(r.paces, func(epoch uint64, _ pace) bool { return epoch < view.OldestLive })
	maps.DeleteFunc(r.alarmed, func(epoch uint64, _ time.Time) bool { return epoch < view.OldestLive })
}

// alarmWindow is how long before their end acknowledgements are an alarm: never more than a quarter of an epoch, else those of
// a short epoch would be one from the start.
func alarmWindow(configured, epoch time.Duration) time.Duration {
	if epoch <= 0 {
		return configured
	}
	return min(configured, epoch/4)
}

// watch raises an alarm while acknowledgements that are about to die are not settled.
func (r *Rollup) watch(view chain.View) {
	endangered, unsettled := new(big.Int), new(big.Int)
	var deadline time.Time
	for epoch := view.OldestLive; epoch <= view.Epoch; epoch++ {
		totals := r.deps.Pool.Epoch(epoch)
		open := new(big.Int)
		for _, a := range []ackpool.Amount{totals.Pending, totals.Submitted} {
			if a.Value != nil {
				open.Add(open, a.Value)
			}
		}
		unsettled.Add(unsettled, open)
		dies, known := view.Dies(epoch)
		if !known || open.Sign() == 0 || dies.Sub(view.Time) > alarmWindow(r.cfg.Alarm, view.EpochDuration) {
			continue
		}
		endangered.Add(endangered, open)
		deadline = dies
		if time.Since(r.alarmed[epoch]) < time.Minute {
			continue
		}
		r.alarmed[epoch] = time.Now()
		r.log.Warn("acknowledgements are about to die unsettled", "epoch", epoch, "value", open.String(),
			"dies_in", dies.Sub(view.Time).Round(time.Second).String(), "err", r.Problem())
	}
	r.metrics.unsettled.Set(float(unsettled))
	r.metrics.endangered.Set(float(endangered))
	until, granted := grantsUntil(view)
	r.metrics.grantLeft.Set(0)
	if granted {
		r.metrics.grantLeft.Set(max(until.Sub(view.Time).Seconds(), 0))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Endangered, r.status.EndangeredAt, r.status.GrantUntil = "", nil, nil
	if endangered.Sign() > 0 {
		r.status.Endangered, r.status.EndangeredAt = endangered.String(), &deadline
	}
	if granted {
		r.status.GrantUntil = &until
	}
}

// grantsUntil returns when the first of the grants that settlements need ends; false if none does.
func grantsUntil(view chain.View) (until time.Time, ends bool) {
	if view.Grants == nil {
		return until, false
	}
	note := func(end time.Time) {
		if !end.IsZero() && (until.IsZero() || end.Before(until)) {
			until = end
		}
	}
	note(view.Grants.Messages[settleURL])
	if view.Grants.Fees != nil {
		note(view.Grants.Fees.Until)
	}
	return until, !until.IsZero()
}

// Endangered returns an error while acknowledgements are about to die unsettled and settling them does not go well: no new
// ones should be taken then. While it goes well, they are settled in time.
func (r *Rollup) Endangered() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	problem := r.blocked
	if problem == nil {
		problem = r.failure
	}
	if r.status.Endangered == "" || problem == nil {
		return nil
	}
	return fmt.Errorf("%w: %s at %s: %w", ErrEndangered, r.status.Endangered, r.status.EndangeredAt.UTC().Format(timeFormat), problem)
}

// limit is how many acknowledgements the next settlement may carry.
func (r *Rollup) limit(view chain.View) int {
	limit := max(view.MaxAcks, 1)
	if r.maxAcks > 0 {
		limit = min(limit, r.maxAcks)
	}
	return limit
}

func float(v *big.Int) float64 {
	f, _ := v.Float64()
	return f
}
