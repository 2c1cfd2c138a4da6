package session

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync/atomic"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/chain"
)

// Session is a client's right to send requests on one lane. It is safe for concurrent use.
type Session struct {
	m       *Manager
	token   string
	account *account
	key     chain.Key
	lane    laneKey
	// ended is closed when the session is no longer valid.
	ended chan struct{}
	// distrusted is set once an acknowledgement that was taken was refused for what it says, doubted while the worker itself could
	// not store one.
	distrusted, doubted atomic.Bool
	// queued are the newest acknowledgements that were taken and not looked at, one of an epoch. The queue's lock guards it.
	queued []ack.Signed

	// The account's lock guards the rest.
	lastUsed time.Time
	// begun is when a request last began, or the session.
	begun    time.Time
	sequence uint64
	running  int
	// seen is the key as it was last asked for, at seenAt.
	seen   chain.Key
	seenAt time.Time
	room   room
}

// refreshKey asks for the session's key if it was asked for longer ago than ttl: what it has left to spend falls with what
// other workers settle, and it can be revoked. Without an answer the last one counts, if there is any.
func (s *Session) refreshKey(ctx context.Context, ttl time.Duration) error {
	a := s.account
	a.mu.Lock()
	at := s.seenAt
	a.mu.Unlock()
	now := time.Now()
	if !at.IsZero() && now.Sub(at) < ttl {
		return nil
	}
	key, err := s.m.chain.Key(ctx, s.key.ID)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil:
		s.seen, s.seenAt = key, now
	case s.seenAt.IsZero() || ctx.Err() != nil || errors.Is(err, chain.ErrUnknownKey):
		return chainError(err)
	default:
		s.m.log.Debug("client key is old", "key", s.key.ID, "error", err)
	}
	return nil
}

// payableBy returns why what is sent in the view's epoch could never be settled with the key: the key has expired, or the
// worker has been removed in an earlier epoch.
func payableBy(key *chain.Key, view *chain.View) error {
	switch {
	case key.LastEpoch < view.Epoch:
		return fmt.Errorf("%w: key %d expired with epoch %d", ErrBadProof, key.ID, key.LastEpoch)
	case !view.MaySettle(view.Epoch):
		return fmt.Errorf("%w: it cannot settle epoch %d", ErrNotServing, view.Epoch)
	}
	return nil
}

// unsend takes bytes back from those that were sent for the session's key. The caller holds the account's lock.
func (s *Session) unsend(epoch, n uint64) {
	at := keyEpoch{s.key.ID, epoch}
	if sent := s.account.keyBytes[at]; sent > n {
		s.account.keyBytes[at] = sent - n
		return
	}
	delete(s.account.keyBytes, at)
}

// Info describes a session to its client.
type Info struct {
	Token                                 string
	WorkerID, KeyID, AccountID, ServiceID uint64
	Lane                                  uint8
	Epoch                                 uint64
	ExpiresAt                             time.Time
	// Acknowledgements are the newest held of the lane in the live epochs, oldest first.
	Acknowledgements []ack.Signed
	// NextSequence is the sequence number of the next request.
	NextSequence uint64
	Credit       Credit
}

// Token is what requests of the session carry.
func (s *Session) Token() string { return s.token }

// AccountID is the account that pays.
func (s *Session) AccountID() uint64 { return s.account.id }

// Info returns what a client is told of the session.
func (s *Session) Info() (Info, error) {
	view, ok := s.m.chain.View()
	if !ok {
		return Info{}, fmt.Errorf("%w: nothing seen yet", ErrChainStale)
	}
	info := Info{
		Token: s.token, WorkerID: view.Worker.Id, KeyID: s.lane.key, AccountID: s.account.id, ServiceID: s.lane.service,
		Lane: s.lane.lane, Epoch: view.Epoch,
	}
	for _, epoch := range liveEpochs(&view) {
		if held, ok := s.m.pool.Held(s.lane.id(epoch)); ok {
			info.Acknowledgements = append(info.Acknowledgements, held)
		}
	}
	a := s.account
	a.mu.Lock()
	defer a.mu.Unlock()
	p, err := s.m.position(a, &view)
	if err != nil {
		return Info{}, err
	}
	info.Credit, info.NextSequence, info.ExpiresAt = p.Credit, s.sequence+1, s.lastUsed.Add(s.m.cfg.IdleTimeout)
	if k := s.m.keyPosition(a, p, s.key.ID, s.seen.LeftIn(view.Epoch)); k != nil {
		info.Credit = k.Credit
	}
	return info, nil
}

// Credit returns where the session's account stands.
func (s *Session) Credit() (Credit, error) {
	info, err := s.Info()
	return info.Credit, err
}

// idle reports whether the session has not been used for too long. To ask for it keeps it open for a while only: a request has
// to begin, for which key and balance are looked at. The caller holds the account's lock.
func (s *Session) idle(now time.Time) bool {
	return s.running == 0 && (now.Sub(s.lastUsed) >= s.m.cfg.IdleTimeout || now.Sub(s.begun) >= idleTimeouts*s.m.cfg.IdleTimeout)
}

// count takes a request that begins into account, and returns its sequence number. The caller holds the account's lock.
func (s *Session) count(l *lane, r *receipt, now time.Time) uint64 {
	s.sequence++
	s.lastUsed, s.begun = now, now
	s.running++
	s.account.running++
	r.session = l.sessions
	l.receipts = append(l.receipts, r)
	s.account.keptReceipts(1)
	return s.sequence
}

func (s *Session) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// Meta says what a request is about, as its receipt commits to it.
type Meta struct {
	RequestDigest  ack.Digest
	ResponseDigest ack.Digest
	// Bytes is the payload billed for the whole request.
	Bytes uint64
	// Receipt is that of all of the above, if it is known already.
	Receipt ack.Digest
}

// receipt is what the client will have to commit to.
func (m *Meta) receipt() ack.Digest {
	if m.Receipt != (ack.Digest{}) {
		return m.Receipt
	}
	return ack.Receipt(m.RequestDigest, m.ResponseDigest, m.Bytes, 0)
}

// Request is one request under way. Call Reserve before every part that is sent, and Finish or Abort at the end.
type Request struct {
	s        *Session
	lane     *lane
	receipt  *receipt
	sequence uint64
	epoch    uint64
	over     bool
	// droppable is set if a request of which nothing was sent leaves no receipt: its client cannot have got all of the answer.
	// reserved counts what Reserve has given out and Release not taken back.
	droppable bool
	reserved  uint64
}

// begin is Begin with what is stored now.
func (s *Session) begin(ctx context.Context, meta Meta) (*Request, error) {
	m, a := s.m, s.account
	if !m.begin() {
		return nil, ErrStopped
	}
	defer m.work.Done()
	if s.over() {
		return nil, ErrSessionUnknown
	}
	view, err := m.current()
	if err != nil {
		return nil, err
	}
	key, err := m.chain.Key(ctx, s.key.ID)
	if err != nil {
		return nil, chainError(err)
	}
	if err := payableBy(&key, &view); err != nil {
		return nil, err
	}
	m.renew(&key)
	if err := m.refresh(ctx, a, m.cfg.AccountTTL); err != nil {
		return nil, err
	}
	receipt := &receipt{digest: meta.receipt()}
	// Lanes that the open sessions may still come to need must fit into the pool: one in this epoch and one in the next.
	_, held := m.pool.Held(s.lane.id(view.Epoch))
	if !held && m.pool.Room() < 2*m.Sessions() {
		return nil, fmt.Errorf("%w: no room for acknowledgements", ErrOverloaded)
	}
	if !held && m.pool.Lanes(view.Epoch, s.lane.key) >= ack.MaxLanes {
		return nil, fmt.Errorf("%w: key %d has %d lanes in epoch %d", ErrLaneClosed, s.lane.key, ack.MaxLanes, view.Epoch)
	}

	if m.receiptsFull() {
		m.makeRoom(&view)
		if m.receiptsFull() {
			return nil, fmt.Errorf("%w: %d receipts", ErrOverloaded, m.cfg.MaxTotalReceipts)
		}
	}

	a.mu.Lock()
	defer a.mu.Unlock()
	if s.over() {
		return nil, ErrSessionUnknown
	}
	l, err := m.laneOf(a, s.lane, &view)
	if err != nil {
		return nil, err
	}
	if l.epochs[view.Epoch].closed {
		return nil, fmt.Errorf("%w: lane %d of key %d in epoch %d", ErrLaneClosed, s.lane.lane, s.lane.key, view.Epoch)
	}
	if !held && !l.awaited(view.Epoch) && m.freshLanes(a, view.Epoch) >= m.mostLanes(a) {
		return nil, fmt.Errorf("%w: account %d has all lanes that it can have for what it has paid", ErrOverloaded, a.id)
	}
	left, full, now := key.LeftIn(view.Epoch), m.full(a, l), time.Now()
	if full || !s.holds(&view, 0, now) || left.Cmp(s.room.left) != 0 {
		if err := s.mayBegin(&view, &key, left, full); err != nil {
			return nil, err
		}
	}
	return &Request{s: s, lane: l, receipt: receipt, sequence: s.count(l, receipt, now), epoch: view.Epoch, droppable: meta.Bytes > 0}, nil
}

// mayBegin returns why no request may begin for what the account and the key have left; left is the latter. full says that the lane has room for
// no more receipts. The caller holds the account's lock.
func (s *Session) mayBegin(view *chain.View, key *chain.Key, left *big.Int, full bool) error {
	m, a := s.m, s.account
	if left.Cmp(big.NewInt(creditShare)) < 0 {
		return fmt.Errorf("%w: key %d has %s of its limit of epoch %d left", ErrAccountEmpty, key.ID, left, view.Epoch)
	}
	version := m.pool.Version()
	p, err := m.position(a, view)
	if err != nil {
		return err
	}
	if p.Limit.Sign() <= 0 && a.spendable.Cmp(big.NewInt(creditShare)) < 0 {
		return fmt.Errorf("%w: account %d has %s", ErrAccountEmpty, a.id, a.spendable)
	}
	s.seen, s.seenAt = *key, time.Now()
	if p.Claim.Cmp(p.Limit) >= 0 || full {
		return &CreditError{Cause: ErrCreditExhausted, Credit: p.Credit, RetryAfter: m.cfg.RetryAfter}
	}
	k := m.keyPosition(a, p, key.ID, left)
	if k != nil && k.Claim.Cmp(k.Limit) >= 0 {
		return &CreditError{Cause: ErrCreditExhausted, Credit: k.Credit, RetryAfter: m.cfg.RetryAfter}
	}
	s.remember(view, version, left, p, k)
	return nil
}

// Sequence is the request's place in the receipt chain, from 1 in each session.
func (r *Request) Sequence() uint64 { return r.sequence }

// Epoch in which the request was accepted.
func (r *Request) Epoch() uint64 { return r.epoch }

// Finish says that the whole answer has been sent. Only the first of Finish and Abort counts.
func (r *Request) Finish() { r.close(receiptFinished) }

// Abort says that the answer was not sent whole. What was reserved stays claimed, but for what Release gives back.
func (r *Request) Abort() { r.close(receiptAborted) }

func (r *Request) close(state receiptState) {
	a := r.s.account
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.over {
		return
	}
	r.over = true
	r.receipt.state = state
	if l := a.lanes[r.s.lane]; state == receiptAborted && r.droppable && r.reserved == 0 && l != nil {
		if i := slices.Index(l.receipts, r.receipt); i >= 0 {
			l.receipts = slices.Delete(l.receipts, i, i+1)
			a.keptReceipts(-1)
		}
	}
	r.s.running--
	a.running--
	now := time.Now()
	r.s.lastUsed = now
	if a.running > 0 {
		return
	}
	if view, ok := r.s.m.chain.View(); ok && !r.s.settled(&view, now) {
		r.s.m.settleWatermarks(a, &view)
	}
}

// Release gives back bytes that were reserved and never handed to the network.
func (r *Request) Release(n uint64) {
	a := r.s.account
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.over {
		return
	}
	r.reserved -= min(n, r.reserved)
	// They are the newest bytes of the account.
	epochs := make([]uint64, 0, len(a.bytes))
	for epoch := range a.bytes {
		epochs = append(epochs, epoch)
	}
	slices.Sort(epochs)
	for _, epoch := range slices.Backward(epochs) {
		take := min(n, a.bytes[epoch])
		n -= take
		r.s.unsend(epoch, take)
		if a.bytes[epoch] -= take; a.bytes[epoch] == 0 {
			delete(a.bytes, epoch)
		}
	}
	a.wakeFirst()
}

// Reserve returns when n more bytes may be sent. At the credit limit it waits, in the order of the account's streams,
// until an acknowledgement, a settlement or a deposit makes room. It returns ErrStalled (a *CreditError) after the stall
// timeout, ErrSessionUnknown when the session has ended, ErrBadProof or ErrNotServing when an epoch has begun in which the
// key or the worker cannot settle, ErrStopped, or the context's error. Ask for a few groups at a
// time: what is more than the whole limit never fits.
func (r *Request) Reserve(ctx context.Context, n uint64) error {
	m, a := r.s.m, r.s.account
	if n > ack.MaxBytes {
		return fmt.Errorf("%w: %d bytes at once", ErrInvalid, n)
	}
	if !m.begin() {
		return ErrStopped
	}
	defer m.work.Done()
	var self *waiter
	var stall *time.Timer
	for {
		// Taken before the position is looked at, so that no change in between is missed.
		settled, advanced := m.pool.Changed(), m.chain.Changed()
		if err := m.refresh(ctx, a, m.cfg.AccountTTL); err != nil && ctx.Err() != nil {
			return r.giveUp(self, err)
		}
		if err := r.s.refreshKey(ctx, m.cfg.AccountTTL); err != nil && (ctx.Err() != nil || errors.Is(err, ErrBadProof)) {
			return r.giveUp(self, err)
		}
		view, ok := m.chain.View()
		if !ok {
			return r.giveUp(self, fmt.Errorf("%w: nothing seen yet", ErrChainStale))
		}
		a.mu.Lock()
		p, done, err := r.take(&view, self, n)
		if done || err != nil {
			a.mu.Unlock()
			return r.giveUp(self, err)
		}
		if self == nil {
			self = &waiter{wake: make(chan struct{}, 1)}
			a.queue = append(a.queue, self)
			stall = time.NewTimer(m.cfg.StallTimeout)
			defer stall.Stop()
			m.queue.hurry()
			m.metrics.waiting.Inc()
			defer m.metrics.waiting.Dec()
		}
		if a.queue[0] != self {
			// Only the first looks at what changes; it wakes the next when it leaves.
			settled, advanced = nil, nil
		}
		a.mu.Unlock()
		select {
		case <-self.wake:
		case <-settled:
		case <-advanced:
		case <-stall.C:
			m.metrics.stalled.Inc()
			return r.giveUp(self, &CreditError{Cause: ErrStalled, Credit: p.Credit, RetryAfter: m.cfg.RetryAfter})
		case <-ctx.Done():
			return r.giveUp(self, ctx.Err())
		case <-r.s.ended:
			return r.giveUp(self, ErrSessionUnknown)
		case <-m.stopped:
			return r.giveUp(self, ErrStopped)
		}
	}
}

// giveUp takes a waiter out of the queue, if it is in it, and returns err.
func (r *Request) giveUp(w *waiter, err error) error {
	if w != nil {
		r.s.account.mu.Lock()
		r.s.account.leaveQueue(w)
		r.s.account.mu.Unlock()
	}
	return err
}

// take counts n bytes as sent if it is the stream's turn and they fit, and puts the watermark over them. The caller holds
// the account's lock.
func (r *Request) take(view *chain.View, self *waiter, n uint64) (p *position, done bool, err error) {
	m, a := r.s.m, r.s.account
	if r.over || r.s.over() {
		return nil, false, ErrSessionUnknown
	}
	// A request that began in one epoch may go on in the next, but only if that can be paid for.
	if err := payableBy(&r.s.seen, view); err != nil {
		return nil, false, err
	}
	if now := time.Now(); r.s.holds(view, n, now) {
		r.reserved += n
		a.bytes[view.Epoch] += n
		a.keyBytes[keyEpoch{r.s.key.ID, view.Epoch}] += n
		r.s.lastUsed = now
		if n > 0 {
			r.lane.served = view.Epoch
			r.s.raiseSoon(view)
		}
		return nil, true, nil
	}
	version := m.pool.Version()
	if p, err = m.position(a, view); err != nil {
		return nil, false, err
	}
	if turn := len(a.queue) == 0 || a.queue[0] == self; !turn || !p.fits(a.bytes[p.epoch], n) {
		return p, false, nil
	}
	left := r.s.seen.LeftIn(p.epoch)
	k := m.keyPosition(a, p, r.s.key.ID, left)
	if k != nil && !k.fits(k.UnacknowledgedBytes, n) {
		return k, false, nil
	}
	r.s.remember(view, version, left, p, k)
	if n == 0 {
		return p, true, nil
	}
	r.reserved += n
	a.bytes[p.epoch] += n
	a.keyBytes[keyEpoch{r.s.key.ID, p.epoch}] += n
	r.s.lastUsed = time.Now()
	if err := m.raise(a, p); err != nil {
		r.reserved -= n
		a.bytes[p.epoch] -= min(n, a.bytes[p.epoch])
		r.s.unsend(p.epoch, n)
		return nil, false, err
	}
	r.lane.served = p.epoch
	m.raiseAhead(a, p)
	return p, true, nil
}
