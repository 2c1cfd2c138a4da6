package session

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
)

// AckStatus is what became of an acknowledgement.
type AckStatus uint8

// The statuses.
const (
	// AckStored: it is on disk as the newest of its lane.
	AckStored AckStatus = iota + 1
	// AckSuperseded: one that counts at least as much is on disk.
	AckSuperseded
	// AckRefused: it was not stored; Reason says why.
	AckRefused
	// AckTaken: it is going to be verified and stored; only Session.Take says so.
	AckTaken
)

// Reasons to refuse an acknowledgement. They are part of the answer to the client.
const (
	ReasonOutOfRange  = "out-of-range"
	ReasonWrongWorker = "wrong-worker"
	ReasonEpochDead   = "epoch-dead"
	ReasonEpochAhead  = "epoch-ahead"
	// ReasonRetired: the worker was removed in an earlier epoch and cannot settle this one.
	ReasonRetired        = "worker-retired"
	ReasonUnknownService = "unknown-service"
	ReasonUnknownKey     = "unknown-key"
	ReasonKeyExpired     = "key-expired"
	ReasonForeignKey     = "foreign-key"
	ReasonTooManyLanes   = "too-many-lanes"
	ReasonBadSignature   = "bad-signature"
	// ReasonNotServed: nothing was served on the lane, and the acknowledgement is worth nothing that could be paid.
	ReasonNotServed = "not-served"
	// ReasonOverloaded and ReasonUnavailable are worth a retry: the worker has no room, or cannot ask the chain for the key.
	ReasonOverloaded  = "overloaded"
	ReasonUnavailable = "unavailable"
)

// AckOutcome is the verdict on one acknowledgement.
type AckOutcome struct {
	Status AckStatus
	// Reason of a refusal.
	Reason string
	// AccountID is the account of the key, if the signature has proven that its client speaks or the session is of that
	// account; else 0, so that nobody learns of an account by naming one of its keys.
	AccountID uint64
	// LaneClosed says that the head is not what the worker has, so that the lane takes no more requests in its epoch.
	LaneClosed bool
}

// Accepted reports whether the acknowledgement, or one that counts at least as much, is on disk.
func (o AckOutcome) Accepted() bool { return o.Status == AckStored || o.Status == AckSuperseded }

func (o *AckOutcome) refuse(reason string) { o.Status, o.Reason = AckRefused, reason }

// Acknowledge takes acknowledgements of any account. The outcomes are in the order of acks; when it returns, the accepted
// ones are on disk. It takes them also while the chain is stale. An error is about the whole call: ErrInvalid if there are
// too many, ErrChainStale before the first view, or one of the pool.
func (m *Manager) Acknowledge(ctx context.Context, acks []ack.Signed) ([]AckOutcome, error) {
	return m.acknowledge(ctx, 0, acks)
}

// Acknowledge takes acknowledgements of keys of the session's account, on any lanes. See Manager.Acknowledge.
func (s *Session) Acknowledge(ctx context.Context, acks []ack.Signed) ([]AckOutcome, error) {
	return s.m.acknowledge(ctx, s.account.id, acks)
}

// candidate is an acknowledgement that has passed the cheap checks.
type candidate struct {
	index   int
	signed  *ack.Signed
	key     chain.Key
	account *account
}

// acknowledge checks the cheapest first: bounds, worker, epoch, service, what is held already, the key, and only then the
// signatures, as one batch.
func (m *Manager) acknowledge(ctx context.Context, accountID uint64, acks []ack.Signed) ([]AckOutcome, error) {
	if !m.begin() {
		return nil, ErrStopped
	}
	defer m.work.Done()
	if len(acks) > m.cfg.MaxAcks {
		return nil, fmt.Errorf("%w: %d acknowledgements, limit %d", ErrInvalid, len(acks), m.cfg.MaxAcks)
	}
	return m.process(ctx, accountID, acks, &askedKeys{left: maxUnknownKeys, answers: map[uint64]keyAnswer{}})
}

// process is acknowledge for any number of acknowledgements and with keys that are known already.
func (m *Manager) process(ctx context.Context, accountID uint64, acks []ack.Signed, asked *askedKeys) ([]AckOutcome, error) {
	view, ok := m.chain.View()
	if !ok {
		return nil, fmt.Errorf("%w: nothing seen yet", ErrChainStale)
	}
	outcomes := make([]AckOutcome, len(acks))
	candidates := make([]candidate, 0, len(acks))
	fresh := map[epochKey]map[laneKey]struct{}{}
	for i := range acks {
		s := &acks[i]
		reason, superseded := m.precheck(&view, accountID, s)
		if superseded {
			outcomes[i].Status, outcomes[i].AccountID = AckSuperseded, accountID
			// The very one that is held has been verified when it came. Of another the signature is not looked at.
			if held, ok := m.pool.Newest(s.LaneID()); ok && held.Signed == *s {
				outcomes[i].AccountID = held.AccountID
			}
			continue
		}
		var key chain.Key
		if reason == "" {
			key, reason = m.keyFor(ctx, accountID, s, asked)
		}
		if reason == "" && !m.laneFits(s, fresh) {
			reason = ReasonTooManyLanes
		}
		if reason != "" {
			outcomes[i].AccountID = accountID
			outcomes[i].refuse(reason)
			continue
		}
		outcomes[i].AccountID = accountID
		candidates = append(candidates, candidate{index: i, signed: s, key: key})
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	candidates = verify(ack.HashChainID(view.ChainID), candidates, outcomes)
	for _, c := range candidates {
		outcomes[c.index].AccountID = c.key.AccountID
		m.proven.Add(c.key.ID, struct{}{})
	}
	candidates = m.admit(ctx, &view, candidates, outcomes)
	candidates, release := m.pin(&view, candidates, outcomes)
	defer release()
	if err := m.store(ctx, &view, candidates, outcomes); err != nil {
		return nil, err
	}
	for _, c := range candidates {
		if outcomes[c.index].Status != AckRefused {
			m.applied(&view, c, &outcomes[c.index])
			// Each has hashed what its client took since the last one. Requests need not wait until all have.
			runtime.Gosched()
		}
	}
	for i := range outcomes {
		m.metrics.outcome(&outcomes[i])
	}
	return outcomes, nil
}

// precheck returns the reason to refuse an acknowledgement for what can be seen without its key, or that one which counts
// at least as much is held.
func (m *Manager) precheck(view *chain.View, accountID uint64, s *ack.Signed) (reason string, superseded bool) {
	switch {
	case s.Check() != nil:
		return ReasonOutOfRange, false
	case s.WorkerID != view.Worker.Id:
		return ReasonWrongWorker, false
	case s.Epoch < view.OldestLive:
		return ReasonEpochDead, false
	case s.Epoch > view.Epoch:
		return ReasonEpochAhead, false
	case !view.MaySettle(s.Epoch):
		return ReasonRetired, false
	case !m.cfg.provides(s.ServiceID):
		return ReasonUnknownService, false
	}
	if _, ok := view.Prices[s.Epoch]; !ok {
		return ReasonUnavailable, false
	}
	held, ok := m.pool.Newest(s.LaneID())
	if !ok || !held.Signed.Supersedes(&s.Ack) {
		return "", false
	}
	if accountID != 0 && held.AccountID != accountID {
		return ReasonForeignKey, false
	}
	// With the same counters another head is another statement: it has to be verified before the lane is closed for it.
	if held.Signed.Requests == s.Requests && held.Signed.Bytes == s.Bytes && held.Signed.Fuel == s.Fuel {
		return "", held.Signed.Head == s.Head
	}
	return "", true
}

type epochKey struct{ epoch, key uint64 }

// laneFits reports whether the chain would take another lane of the key. fresh are the new lanes of this call.
func (m *Manager) laneFits(s *ack.Signed, fresh map[epochKey]map[laneKey]struct{}) bool {
	if _, held := m.pool.Newest(s.LaneID()); held {
		return true
	}
	k := epochKey{s.Epoch, s.KeyID}
	if fresh[k] == nil {
		fresh[k] = map[laneKey]struct{}{}
	}
	fresh[k][laneKeyOf(s.LaneID())] = struct{}{}
	return m.pool.Lanes(s.Epoch, s.KeyID)+len(fresh[k]) <= ack.MaxLanes
}

// verify keeps the candidates whose signature verifies.
func verify(chainHash ack.ChainHash, candidates []candidate, outcomes []AckOutcome) []candidate {
	var valid []bool
	switch len(candidates) {
	case 0:
		return nil
	case 1:
		valid = []bool{candidates[0].signed.Verify(candidates[0].key.PublicKey, chainHash) == nil}
	default:
		batch := ack.NewBatch(chainHash, len(candidates))
		for _, c := range candidates {
			batch.Add(c.key.PublicKey, c.signed)
		}
		valid = batch.Verify()
	}
	good := candidates[:0]
	for i, c := range candidates {
		if !valid[i] {
			outcomes[c.index].refuse(ReasonBadSignature)
			continue
		}
		good = append(good, c)
	}
	return good
}

// pin keeps the accounts and lanes of the candidates in memory until release: what an acknowledgement adds to its lane is
// measured against what was known before it was stored.
func (m *Manager) pin(view *chain.View, candidates []candidate, outcomes []AckOutcome) (good []candidate, release func()) {
	for _, c := range candidates {
		a, err := m.acquire(c.key.AccountID, view)
		if err != nil {
			outcomes[c.index].refuse(ReasonOverloaded)
			continue
		}
		a.mu.Lock()
		l, err := m.laneOf(a, laneKeyOf(c.signed.LaneID()), view)
		if err == nil {
			l.pins++
		}
		a.mu.Unlock()
		if err != nil {
			m.release(a)
			outcomes[c.index].refuse(ReasonOverloaded)
			continue
		}
		c.account = a
		good = append(good, c)
	}
	return good, func() {
		for _, c := range good {
			c.account.mu.Lock()
			if l := c.account.lanes[laneKeyOf(c.signed.LaneID())]; l != nil {
				l.pins--
			}
			c.account.mu.Unlock()
			m.release(c.account)
		}
	}
}

// store puts the candidates on disk together; if the pool refuses them together, one by one. With none it waits for those
// that are held already.
func (m *Manager) store(ctx context.Context, view *chain.View, candidates []candidate, outcomes []AckOutcome) error {
	items := make([]ackpool.Item, 0, len(candidates))
	for _, c := range candidates {
		items = append(items, ackpool.Item{
			Signed: *c.signed, AccountID: c.key.AccountID, Value: view.Prices[c.signed.Epoch].Price(c.signed.Bytes, c.signed.Fuel),
		})
	}
	if len(items) == 0 {
		return m.pool.Sync(ctx)
	}
	err := m.pool.Put(ctx, items)
	if poolRefusal(err) == "" {
		if err != nil {
			return fmt.Errorf("store acknowledgements: %w", err)
		}
		for _, c := range candidates {
			outcomes[c.index].Status = AckStored
		}
		return nil
	}
	for i, c := range candidates {
		err := m.pool.Put(ctx, items[i:i+1])
		if reason := poolRefusal(err); reason != "" {
			outcomes[c.index].refuse(reason)
			continue
		}
		if err != nil {
			return fmt.Errorf("store acknowledgements: %w", err)
		}
		outcomes[c.index].Status = AckStored
	}
	// What is held already may have been on its way to the disk still.
	return m.pool.Sync(ctx)
}

// poolRefusal is the reason for a refusal of the pool that is about what it was given, else empty.
func poolRefusal(err error) string {
	switch {
	case errors.Is(err, ackpool.ErrFull):
		return ReasonOverloaded
	case errors.Is(err, ackpool.ErrExpired):
		return ReasonEpochDead
	case errors.Is(err, ackpool.ErrForeignAccount):
		return ReasonForeignKey
	case errors.Is(err, ackpool.ErrInvalid):
		return ReasonOutOfRange
	}
	return ""
}

// applied lets what is stored count: the newest of the lane is what covers bytes and where its head goes on.
func (m *Manager) applied(view *chain.View, c candidate, outcome *AckOutcome) {
	id := c.signed.LaneID()
	newest, ok := m.pool.Newest(id)
	if !ok {
		return // expired meanwhile
	}
	a := c.account
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lanes[laneKeyOf(id)]
	if l == nil || l.epochs[id.Epoch] == nil {
		return // its epoch has died meanwhile
	}
	e := l.epochs[id.Epoch]
	if newest.Signed.Bytes > e.covered {
		a.cover(id.KeyID, newest.Signed.Bytes-e.covered, id.Epoch)
		e.covered = newest.Signed.Bytes
	}
	if newest.Signed != *c.signed {
		outcome.Status = AckSuperseded
	}
	sameCounters := newest.Signed.Requests == c.signed.Requests && newest.Signed.Bytes == c.signed.Bytes
	switch {
	case newest.Signed.Head != c.signed.Head && sameCounters:
		// Two statements of one client that contradict each other.
		e.closed = true
	case newest.Signed.Requests != e.requests || newest.Signed.Head != e.head:
		before := len(l.receipts)
		l.observe(&newest.Signed.Ack)
		a.keptReceipts(len(l.receipts) - before)
	}
	if outcome.LaneClosed = e.closed; e.closed {
		m.metrics.closed.Inc()
		m.log.Info("lane closed", "account", a.id, "key", id.KeyID, "lane", id.Lane, "epoch", id.Epoch)
	}
	if p, err := m.position(a, view); err == nil {
		m.lowerWatermarks(a, p)
	}
}
