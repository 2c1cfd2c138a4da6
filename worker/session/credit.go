package session

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
)

const (
	// creditShare and settledShare are the divisors of what is spendable and of what has been settled so far.
	creditShare  = 64
	settledShare = 8
	// forgiveShare is the divisor of what is forgiven with every epoch of what an account has forfeited.
	forgiveShare = 64
	// A watermark is raised in steps of 1/stepShare of the limit, within these bounds in bytes: small enough that a crash,
	// which costs two of them, costs little credit; large enough that a fast stream does not wait for the disk. The least is
	// one group of content.
	stepShare = 128
	minStep   = 16 << 10
	maxStep   = 64 << 20
)

// hintAgain is after how long an account that is still over half of its limit is hinted at again: there was too little to
// settle, or no room for it.
const hintAgain = 15 * time.Second

// hintGiven is a settle hint: what was settled then, and when it was given.
type hintGiven struct {
	settled *big.Int
	at      time.Time
}

var settleHintShare = big.NewInt(2)

// account is what the worker has open with one client account.
type account struct {
	id uint64
	// refs counts sessions and calls that use the account. The manager's lock guards it.
	refs int

	mu sync.Mutex
	// bytes sent and covered by no acknowledgement, by the epoch in which they were sent.
	bytes map[uint64]uint64
	// keyBytes are those of them that were sent by this process, by key and epoch.
	keyBytes map[keyEpoch]uint64
	// granted is the watermark on disk, by epoch: never below what has been sent.
	granted map[uint64]uint64
	// moving is closed when the watermark that is being raised is on disk; nil if none is.
	moving chan struct{}
	// restored is set while bytes may be left that were sent before this process.
	restored bool
	// running counts requests that may still send, and open the sessions in which more can begin.
	running, open int

	spendable   *big.Int
	spendableAt time.Time
	// queue of streams that wait for credit; the first is served first.
	queue []*waiter

	lanes map[laneKey]*lane
	tick  uint64
	// receipts of all lanes, and total is that of all accounts.
	receipts int
	total    *atomic.Int64
	// expired is the oldest live epoch that the lanes were swept for.
	expired uint64
}

type keyEpoch struct{ key, epoch uint64 }

type waiter struct{ wake chan struct{} }

func newAccount(id uint64) *account {
	return &account{
		id: id, bytes: map[uint64]uint64{}, keyBytes: map[keyEpoch]uint64{}, granted: map[uint64]uint64{}, lanes: map[laneKey]*lane{}, spendable: new(big.Int), total: new(atomic.Int64),
	}
}

// priceUp is the price of bytes, rounded up: a claim must not be too low.
func priceUp(p ack.Prices, bytes uint64) *big.Int {
	price := new(big.Int).SetUint64(bytes)
	price.Mul(price, p.PerGiB)
	price.Add(price, big.NewInt(1<<30-1))
	return price.Rsh(price, 30)
}

// bytesFor is the most bytes whose rounded up price is at most amount, at most ack.MaxBytes.
func bytesFor(p ack.Prices, amount *big.Int) uint64 {
	if amount.Sign() < 0 {
		return 0
	}
	if p.PerGiB.Sign() == 0 {
		return ack.MaxBytes
	}
	n := new(big.Int).Lsh(amount, 30)
	n.Quo(n, p.PerGiB)
	if !n.IsUint64() {
		return ack.MaxBytes
	}
	return min(n.Uint64(), ack.MaxBytes)
}

// position is an account's credit at one moment, in the parts that a decision needs.
type position struct {
	Credit
	settled, unsettled *big.Int
	epoch              uint64
	prices             ack.Prices
	// others is the claim without the unacknowledged bytes of the current epoch.
	others *big.Int
}

// fits reports whether n more bytes stay within the limit.
func (p *position) fits(sent, n uint64) bool {
	claim := priceUp(p.prices, sent+n)
	return claim.Add(claim, p.others).Cmp(p.Limit) <= 0
}

// step by which a watermark is raised, in bytes.
func (p *position) step() uint64 {
	return min(max(bytesFor(p.prices, p.Limit)/stepShare, minStep), maxStep)
}

// cover is the watermark for bytes that are sent: a step above, unless that is over the limit.
func (p *position) cover(sent uint64) uint64 {
	room := bytesFor(p.prices, new(big.Int).Sub(p.Limit, p.others))
	return max(sent, min(sent+p.step(), room))
}

// creditLimit is min(max unsettled, base + settled / 8 - forfeited, spendable / 64), and not negative. forfeited may be nil.
//
// Example: base 1,000, settled 4,000, forfeited 100, spendable 128,000 -> min(1,400, 2,000) = 1,400.
func creditLimit(base, maxUnsettled, settled, forfeited, spendable *big.Int) *big.Int {
	limit := new(big.Int).Quo(settled, big.NewInt(settledShare))
	limit.Add(limit, base)
	if forfeited != nil {
		if limit.Sub(limit, forfeited); limit.Sign() < 0 {
			limit.SetInt64(0)
		}
	}
	for _, bound := range []*big.Int{maxUnsettled, new(big.Int).Quo(spendable, big.NewInt(creditShare))} {
		if limit.Cmp(bound) > 0 {
			limit = new(big.Int).Set(bound)
		}
	}
	return limit
}

// forfeited is what an account has forfeited at the prices of now, without what is forgiven of it: with every epoch forgiveShare
// of what its limit would be, so that crashes, on either side, and answers that broke off keep nobody out for good. nil is nothing.
//
// Example: base 1,000, settled 4,000, forfeited 500 in epoch 7, now epoch 15 is the oldest live -> 500 - 8 * 1,500 / 64 = 313.
func forfeited(cfg *Config, claim *ackpool.Claim, prices ack.Prices, oldestLive uint64) *big.Int {
	f := &claim.Forfeit
	if f.Bytes == 0 && f.Value == nil {
		return nil
	}
	lost := priceUp(prices, f.Bytes)
	if f.Value != nil {
		lost.Add(lost, f.Value)
	}
	forgiven := new(big.Int).SetUint64(oldestLive - min(oldestLive, f.Since))
	forgiven.Mul(forgiven, creditLimit(cfg.Base, cfg.MaxUnsettled, claim.Settled, nil, new(big.Int).Lsh(cfg.MaxUnsettled, 6)))
	if lost.Sub(lost, forgiven.Quo(forgiven, big.NewInt(forgiveShare))); lost.Sign() <= 0 {
		return nil
	}
	return lost
}

// forgiven reports whether all that an account has forfeited was forgiven by an epoch.
func (m *Manager) forgiven(claim ackpool.Claim, epoch uint64) bool {
	view, ok := m.chain.View()
	if !ok {
		return false
	}
	prices, ok := view.Prices[view.Epoch]
	return ok && forfeited(&m.cfg, &claim, prices, epoch) == nil
}

// position computes where the account stands. The caller holds a.mu.
func (m *Manager) position(a *account, view *chain.View) (*position, error) {
	a.expire(view.OldestLive)
	claim, err := m.pool.Claim(a.id)
	if err != nil {
		return nil, fmt.Errorf("claim on account %d: %w", a.id, err)
	}
	prices, ok := view.Prices[view.Epoch]
	if !ok {
		return nil, fmt.Errorf("%w: no prices of epoch %d", ErrChainStale, view.Epoch)
	}
	lost := forfeited(&m.cfg, &claim, prices, view.OldestLive)
	p := &position{
		Credit:  Credit{Limit: creditLimit(m.cfg.Base, m.cfg.MaxUnsettled, claim.Settled, lost, a.spendable), Forfeited: lost},
		settled: claim.Settled, unsettled: claim.Unsettled, epoch: view.Epoch, prices: prices,
		others: new(big.Int).Set(claim.Unsettled),
	}
	for epoch, n := range a.bytes {
		p.UnacknowledgedBytes += n
		if epoch == view.Epoch {
			continue
		}
		at, ok := view.Prices[epoch]
		if !ok {
			// Sent before this view of the chain: the current price is the best there is.
			at = prices
		}
		p.others.Add(p.others, priceUp(at, n))
	}
	p.Claim = new(big.Int).Add(p.others, priceUp(prices, a.bytes[view.Epoch]))
	m.hint(a, p)
	return p, nil
}

// keyPosition is where a key stands that has less left to spend in this epoch than its account: nil if the account's credit is
// the lower bound anyway. Its limit is the part of what is left that spendable has of the balance: several workers see the
// same amount. The caller holds a.mu and has computed the account's position.
func (m *Manager) keyPosition(a *account, p *position, key uint64, left *big.Int) *position {
	limit := new(big.Int).Quo(left, big.NewInt(creditShare))
	if limit.Cmp(p.Limit) >= 0 {
		// The claim on the key is part of that on the account, which is bounded by less.
		return nil
	}
	k := &position{
		Credit: Credit{Limit: limit, Forfeited: p.Forfeited}, settled: p.settled, unsettled: new(big.Int), epoch: p.epoch, prices: p.prices, others: new(big.Int),
	}
	for _, e := range m.pool.LaneEntries(p.epoch, key) {
		k.unsettled.Add(k.unsettled, e.Unsettled())
	}
	k.others.Set(k.unsettled)
	// Bytes of earlier epochs that no acknowledgement covers are covered by one of this epoch.
	for at, n := range a.keyBytes {
		if at.key == key {
			k.UnacknowledgedBytes += n
		}
	}
	k.Claim = new(big.Int).Add(k.others, priceUp(p.prices, k.UnacknowledgedBytes))
	if m.shouldHint(k, key, m.hintedKeys) {
		m.sendHint(a.id, key, k, m.hintedKeys)
	}
	return k
}

// hint asks for a settlement when the claim has passed half of the limit and there is something to settle: once, and
// again when a settlement was not enough or does not come. An account without a limit, because it has nothing to spend or
// nobody has asked for its balance yet, is settled in turn: it has no stream that waits, and a settlement may cost more than
// it brings. What was hinted is remembered apart from the account, which is forgotten between two calls.
func (m *Manager) hint(a *account, p *position) {
	if m.shouldHint(p, a.id, m.hinted) {
		m.sendHint(a.id, a.id, p, m.hinted)
	}
}

// shouldHint reports whether a settlement is to be asked for, and forgets what was asked for if it is not needed any more.
func (m *Manager) shouldHint(p *position, id uint64, hinted *lru.Cache[uint64, hintGiven]) bool {
	if p.Limit.Sign() <= 0 {
		return false
	}
	twice := new(big.Int).Mul(p.Claim, settleHintShare)
	if twice.Cmp(p.Limit) < 0 || p.unsettled.Sign() == 0 {
		hinted.Remove(id)
		return false
	}
	at, ok := hinted.Get(id)
	return !ok || at.settled.Cmp(p.settled) != 0 || time.Since(at.at) >= hintAgain
}

func (m *Manager) sendHint(account, id uint64, p *position, hinted *lru.Cache[uint64, hintGiven]) {
	select {
	case m.hints <- account:
		hinted.Add(id, hintGiven{p.settled, time.Now()})
		m.metrics.hints.Inc()
	default: // The rollup has more hints than it can take; it settles everything in turn anyway.
	}
}

// expire forgets bytes of dead epochs. The caller holds a.mu.
func (a *account) expire(oldestLive uint64) {
	for epoch := range a.bytes {
		if epoch < oldestLive {
			delete(a.bytes, epoch)
		}
	}
	for at := range a.keyBytes {
		if at.epoch < oldestLive {
			delete(a.keyBytes, at)
		}
	}
	for epoch := range a.granted {
		if epoch < oldestLive {
			delete(a.granted, epoch)
		}
	}
	if a.expired != oldestLive {
		a.expired = oldestLive
		for _, l := range a.lanes {
			for epoch := range l.epochs {
				if epoch < oldestLive {
					delete(l.epochs, epoch)
				}
			}
		}
		a.dropReceipts()
	}
	if len(a.bytes) == 0 {
		a.restored = false
	}
}

// cover takes bytes that a key has acknowledged off those that were sent up to an epoch, the oldest first, and wakes who waits.
// Bytes of later epochs stay: they have another price, and count against another limit of their key. The caller holds a.mu.
func (a *account) cover(key, n, upTo uint64) {
	a.coverKey(key, n, upTo)
	epochs := make([]uint64, 0, len(a.bytes))
	for epoch := range a.bytes {
		if epoch <= upTo {
			epochs = append(epochs, epoch)
		}
	}
	slices.Sort(epochs)
	for _, epoch := range epochs {
		take := min(n, a.bytes[epoch])
		n -= take
		if a.bytes[epoch] -= take; a.bytes[epoch] == 0 {
			delete(a.bytes, epoch)
		}
	}
	if len(a.bytes) == 0 {
		a.restored = false
	}
	a.wakeFirst()
}

func (a *account) coverKey(key, n, upTo uint64) {
	for epoch := upTo - min(upTo, 1); epoch <= upTo; epoch++ { // only two live
		at := keyEpoch{key, epoch}
		take := min(n, a.keyBytes[at])
		n -= take
		if a.keyBytes[at] -= take; a.keyBytes[at] == 0 {
			delete(a.keyBytes, at)
		}
	}
}

func (a *account) wakeFirst() {
	if len(a.queue) == 0 {
		return
	}
	select {
	case a.queue[0].wake <- struct{}{}:
	default:
	}
}

func (a *account) leaveQueue(w *waiter) {
	if i := slices.Index(a.queue, w); i >= 0 {
		a.queue = slices.Delete(a.queue, i, i+1)
	}
	a.wakeFirst()
}

// lowerWatermarks brings watermarks down to what is sent: to a step above while a session is open, whose next request would
// wait for the disk otherwise, exactly when none is. It does not wait for the disk, but sees to it that they get there soon.
// The caller holds a.mu.
func (m *Manager) lowerWatermarks(a *account, p *position) {
	if a.moving != nil {
		return
	}
	for epoch, granted := range a.granted {
		sent, target := a.bytes[epoch], a.bytes[epoch]
		if (a.running > 0 || a.open > 0) && epoch == p.epoch {
			if granted-sent <= 2*p.step() {
				continue
			}
			target = p.cover(sent)
		}
		if target >= granted {
			continue
		}
		if err := m.pool.SetExposure(context.Background(), a.id, epoch, target); err != nil {
			// The higher one stays, which is the safe side.
			m.log.Warn("lower watermark", "account", a.id, "epoch", epoch, "error", err)
			return
		}
		m.syncSoon()
		if target == 0 {
			delete(a.granted, epoch)
		} else {
			a.granted[epoch] = target
		}
	}
}

// settleWatermarks is lowerWatermarks where the account stands now. The caller holds a.mu.
func (m *Manager) settleWatermarks(a *account, view *chain.View) {
	if p, err := m.position(a, view); err == nil {
		m.lowerWatermarks(a, p)
	}
}

// syncSoon brings lowered watermarks to the disk in the background: until they are there, a crash takes credit from a
// client for bytes that it has acknowledged. One sync serves all who ask before it begins.
func (m *Manager) syncSoon() {
	if m.syncing.Swap(true) {
		return
	}
	if !m.begin() {
		return
	}
	go func() {
		defer m.work.Done()
		m.syncing.Store(false)
		if err := m.guarded(func() error { return m.pool.Sync(context.Background()) }); err != nil {
			m.log.Warn("sync watermarks", "error", err)
		}
	}()
}

// raise brings the watermark of an epoch at least to the bytes sent in it. The caller holds a.mu, which is released while
// the disk is waited for.
func (m *Manager) raise(a *account, p *position) error {
	for a.bytes[p.epoch] > a.granted[p.epoch] {
		if a.moving != nil {
			moving := a.moving
			a.mu.Unlock()
			<-moving
			a.mu.Lock()
			continue
		}
		if err := m.move(a, p.epoch, p.cover(a.bytes[p.epoch])); err != nil {
			return err
		}
	}
	return nil
}

// move sets a watermark. The caller holds a.mu, which is released meanwhile; a.moving is nil.
func (m *Manager) move(a *account, epoch, target uint64) error {
	moving := make(chan struct{})
	a.moving = moving
	a.mu.Unlock()
	err := m.guarded(func() error { return m.pool.SetExposure(context.Background(), a.id, epoch, target) })
	a.mu.Lock()
	a.moving = nil
	close(moving)
	if err != nil {
		if errors.Is(err, ackpool.ErrFull) {
			err = fmt.Errorf("%w: %w", ErrOverloaded, err)
		}
		return fmt.Errorf("watermark of account %d: %w", a.id, err)
	}
	a.granted[epoch] = target
	return nil
}

// raiseAhead raises the watermark in the background when a stream comes near to it. The caller holds a.mu.
func (m *Manager) raiseAhead(a *account, p *position) {
	sent, granted := a.bytes[p.epoch], a.granted[p.epoch]
	target := p.cover(sent)
	if a.moving != nil || granted-sent > p.step()/2 || target <= granted || !m.begin() {
		return
	}
	// The mark is set here, so that nothing else moves the watermark before the goroutine runs.
	moving := make(chan struct{})
	a.moving = moving
	go func() {
		defer m.work.Done()
		err := m.guarded(func() error { return m.pool.SetExposure(context.Background(), a.id, p.epoch, target) })
		err = errors.Join(err, m.guarded(func() error {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.moving = nil
			close(moving)
			if err != nil {
				return nil
			}
			a.granted[p.epoch] = target
			// Acknowledgements that came meanwhile left the watermark alone.
			m.lowerWatermarks(a, p)
			return nil
		}))
		if err != nil {
			// The stream meets the error itself when it has used up what is granted.
			m.log.Warn("raise watermark", "account", a.id, "epoch", p.epoch, "error", err)
		}
	}()
}

// refresh asks for the account's balance if it is older than ttl. Without an answer the last one counts, if there is any.
func (m *Manager) refresh(ctx context.Context, a *account, ttl time.Duration) error {
	a.mu.Lock()
	at := a.spendableAt
	a.mu.Unlock()
	now := time.Now()
	if !at.IsZero() && now.Sub(at) < ttl {
		return nil
	}
	info, err := m.chain.Account(ctx, a.id)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		if a.spendableAt.IsZero() || ctx.Err() != nil {
			return chainError(err)
		}
		m.log.Debug("account balance is old", "account", a.id, "error", err)
		return nil
	}
	a.spendable, a.spendableAt = info.Spendable, now
	if !info.At.IsZero() && info.At.Before(now) {
		// What is remembered elsewhere is older than this call.
		a.spendableAt = info.At
	}
	return nil
}

// chainError maps an error of the chain to one of this package.
func chainError(err error) error {
	switch {
	case errors.Is(err, chain.ErrUnknownKey):
		return fmt.Errorf("%w: %w", ErrBadProof, err)
	case errors.Is(err, chain.ErrUnknownAccount):
		return fmt.Errorf("%w: %w", ErrAccountEmpty, err)
	case errors.Is(err, chain.ErrBusy):
		return fmt.Errorf("%w: %w", ErrOverloaded, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return fmt.Errorf("%w: %w", ErrChainStale, err)
}
