package session

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/chain"
)

const (
	// maxUnknownKeys is how many keys of which nobody has proven possession one call can have looked up.
	maxUnknownKeys = 2
	// maxUnknownAccounts is how many accounts without a session one call can have looked up.
	maxUnknownAccounts = 2
	// lookupWait is how long the opening of a session waits for a slot to look its key up.
	lookupWait = time.Second
	// unservedShare of the lanes of an account, and reservedShare of the pool, are the divisors of what is given to and kept
	// from lanes on which nothing was served.
	unservedShare = 2
	reservedShare = 4
	// laneShare of base is what an account has to have settled or owe for each lane beyond those that all accounts can have: lanes
	// take places that all share until their epoch has died, and the smallest cost next to nothing.
	laneShare = 8
)

// askedKeys are the keys that one call has asked for.
type askedKeys struct {
	// left is how many unknown ones may still be looked up.
	left    int
	answers map[uint64]keyAnswer
}

type keyAnswer struct {
	key    chain.Key
	reason string
}

// keyFor returns the key of an acknowledgement or the reason to refuse it. Keys of open sessions are at hand; others are
// asked for once in a call, and only a few of them if nobody has proven to have them: the signature is looked at later.
func (m *Manager) keyFor(ctx context.Context, accountID uint64, s *ack.Signed, asked *askedKeys) (key chain.Key, reason string) {
	answer, ok := asked.answers[s.KeyID]
	if !ok {
		answer.key, answer.reason = m.lookUp(ctx, s.KeyID, asked)
		asked.answers[s.KeyID] = answer
	}
	key = answer.key
	switch {
	case answer.reason != "":
		return key, answer.reason
	case accountID != 0 && key.AccountID != accountID:
		return key, ReasonForeignKey
	case key.LastEpoch < s.Epoch:
		return key, ReasonKeyExpired
	}
	return key, ""
}

func (m *Manager) lookUp(ctx context.Context, id uint64, asked *askedKeys) (key chain.Key, reason string) {
	m.mu.Lock()
	held := m.keys[id]
	if held != nil {
		key = held.key
	}
	m.mu.Unlock()
	if held != nil {
		return key, ""
	}
	if !m.proven.Contains(id) {
		if asked.left == 0 {
			m.metrics.lookups.WithLabelValues(lookupRefused).Inc()
			return key, ReasonUnavailable
		}
		asked.left--
		select {
		case m.lookupSlots <- struct{}{}:
			defer func() { <-m.lookupSlots }()
		default:
			m.metrics.lookups.WithLabelValues(lookupRefused).Inc()
			return key, ReasonUnavailable
		}
	}
	key, err := m.chain.Key(ctx, id)
	m.metrics.lookup(err)
	switch {
	case errors.Is(err, chain.ErrUnknownKey):
		return key, ReasonUnknownKey
	case err != nil:
		return key, ReasonUnavailable
	}
	return key, ""
}

// openingKey returns the key that is to open a session. One that nobody has proven to have waits for a slot.
func (m *Manager) openingKey(ctx context.Context, id uint64) (chain.Key, error) {
	if !m.proven.Contains(id) {
		timer := time.NewTimer(lookupWait)
		defer timer.Stop()
		select {
		case m.lookupSlots <- struct{}{}:
			defer func() { <-m.lookupSlots }()
		case <-timer.C:
			m.metrics.lookups.WithLabelValues(lookupRefused).Inc()
			return chain.Key{}, fmt.Errorf("%w: too many unknown keys are looked up", ErrOverloaded)
		case <-ctx.Done():
			return chain.Key{}, ctx.Err()
		}
	}
	key, err := m.chain.Key(ctx, id)
	m.metrics.lookup(err)
	if err != nil {
		return chain.Key{}, chainError(err)
	}
	return key, nil
}

// mostLanes is how many lanes an account can have in the pool: as many as its sessions need in the two epochs that live, and one
// more for every part of base that it has settled or owes and can pay. The caller holds a.mu.
func (m *Manager) mostLanes(a *account) int {
	most := 2 * m.cfg.MaxSessionsPerAccount
	if claim, err := m.pool.Claim(a.id); err == nil {
		value := claim.Unsettled
		if value.Cmp(a.spendable) > 0 {
			value = a.spendable
		}
		paid := new(big.Int).Add(claim.Settled, value)
		paid.Mul(paid, big.NewInt(laneShare)).Quo(paid, m.cfg.Base)
		if !paid.IsInt64() || paid.Int64() >= int64(m.cfg.MaxHeldLanes) {
			return m.cfg.MaxHeldLanes
		}
		most += int(paid.Int64())
	}
	return min(most, m.cfg.MaxHeldLanes)
}

// freshLanes is how many lanes of an account are held or awaited in an epoch. The caller holds a.mu.
func (m *Manager) freshLanes(a *account, epoch uint64) int {
	n := m.pool.AccountLanes(a.id)
	for _, l := range a.lanes {
		if l.awaited(epoch) {
			n++
		}
	}
	return n
}

// admit keeps the candidates on lanes that are held already and those whose new lane may take room in the pool: something
// was served on it, or the acknowledgement is worth something and its account and key have something to pay with. The pool and
// the lanes of an account have room that only lanes of the first kind can take.
func (m *Manager) admit(ctx context.Context, view *chain.View, candidates []candidate, outcomes []AckOutcome) []candidate {
	good := candidates[:0]
	fresh, taken, left := map[ack.LaneID]struct{}{}, map[uint64]int{}, maxUnknownAccounts
	for _, c := range candidates {
		id := c.signed.LaneID()
		_, again := fresh[id]
		if _, held := m.pool.Newest(id); held || again {
			good = append(good, c)
			continue
		}
		if reason := m.refuseLane(ctx, view, &c, len(fresh), taken[c.key.AccountID], &left); reason != "" {
			outcomes[c.index].refuse(reason)
			continue
		}
		fresh[id] = struct{}{}
		taken[c.key.AccountID]++
		good = append(good, c)
	}
	return good
}

// refuseLane returns the reason not to take a new lane, empty if it is taken. fresh and taken are the new lanes of this
// call, in all and of the account; left is how many accounts may still be looked up.
func (m *Manager) refuseLane(ctx context.Context, view *chain.View, c *candidate, fresh, taken int, left *int) string {
	a, err := m.acquire(c.key.AccountID, view)
	if err != nil {
		return ReasonOverloaded
	}
	defer m.release(a)
	a.mu.Lock()
	a.expire(view.OldestLive)
	l := a.lanes[laneKeyOf(c.signed.LaneID())]
	// Which lanes were served before a restart is not known, only that some were.
	served := l != nil && l.servedFor(c.signed.Epoch) || a.restored && len(a.bytes) > 0
	known := time.Since(a.spendableAt) < m.cfg.AccountTTL
	limit := m.cfg.MaxHeldLanes
	if !served {
		// A lane on which something was served has its place since then.
		limit = min(limit/unservedShare, m.mostLanes(a))
	}
	a.mu.Unlock()
	if c.signed.Bytes == 0 && c.signed.Fuel == 0 {
		return ReasonNotServed
	}
	if m.pool.AccountLanes(a.id)+taken >= limit {
		return ReasonTooManyLanes
	}
	if served {
		return ""
	}
	// What a key has left in an epoch never rises.
	if view.Prices[c.signed.Epoch].Price(c.signed.Bytes, c.signed.Fuel).Sign() == 0 || c.key.LeftIn(c.signed.Epoch).Sign() <= 0 {
		return ReasonNotServed
	}
	if m.pool.Room()-fresh <= 2*m.Sessions()+m.pool.Capacity()/reservedShare {
		return ReasonOverloaded
	}
	if !known {
		if *left == 0 {
			return ReasonUnavailable
		}
		*left--
		switch err := m.refresh(ctx, a, m.cfg.AccountTTL); {
		case errors.Is(err, ErrAccountEmpty):
			return ReasonNotServed
		case err != nil:
			return ReasonUnavailable
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.spendable.Sign() <= 0 {
		return ReasonNotServed
	}
	return ""
}
