package session

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/edgechain/edge/worker/chain"
)

// roomTTL is how long a session may go by a room that was computed before.
const roomTTL = 100 * time.Millisecond

// room is how far the bytes of a session's account may rise before its position has to be computed anew: as long as nothing
// that the position depends on has changed, and short of the credit limit and of half of it, where a settlement is asked for.
// Sums of money cost more than a small request otherwise.
type room struct {
	version         uint64
	spendable, left *big.Int
	epoch, oldest   uint64
	until           time.Time
	// most is what the account's bytes of the epoch may rise to, keyMost what those of the session's key may.
	most, keyMost uint64
	// step of the watermark, in bytes.
	step uint64
	// share is what one step of an answer may need: an eighth of what the whole credit buys, in bytes.
	share uint64
}

// holds reports whether n more bytes of the session fit into its room, below the watermark and with nobody waiting. The caller
// holds the account's lock.
func (s *Session) holds(view *chain.View, n uint64, now time.Time) bool {
	a, r := s.account, &s.room
	if r.version != s.m.pool.Version() || r.spendable != a.spendable || r.epoch != view.Epoch || r.oldest != view.OldestLive ||
		len(a.queue) > 0 || !now.Before(r.until) {
		return false
	}
	sent := a.bytes[r.epoch] + n
	if sent > r.most || a.keyBytes[keyEpoch{s.key.ID, r.epoch}]+n > r.keyMost {
		return false
	}
	return n == 0 || sent <= a.granted[r.epoch]
}

// findRoom computes the session's room anew, if that takes no question to the chain and a request may begin in it. The caller holds
// the account's lock.
func (s *Session) findRoom(view *chain.View, now time.Time) {
	m, a := s.m, s.account
	if now.Sub(a.spendableAt) >= m.cfg.AccountTTL || now.Sub(s.seenAt) >= m.cfg.AccountTTL {
		return
	}
	left := s.seen.LeftIn(view.Epoch)
	if left.Cmp(big.NewInt(creditShare)) < 0 {
		return
	}
	version := m.pool.Version()
	p, err := m.position(a, view)
	if err != nil || p.Claim.Cmp(p.Limit) >= 0 {
		return
	}
	k := m.keyPosition(a, p, s.key.ID, left)
	if k != nil && k.Claim.Cmp(k.Limit) >= 0 {
		return
	}
	s.remember(view, version, left, p, k)
}

// raiseSoon raises the watermark in the background when what was let into the room comes near to it. The caller holds the account's
// lock.
func (s *Session) raiseSoon(view *chain.View) {
	a, r := s.account, &s.room
	if a.moving != nil || a.granted[r.epoch]-a.bytes[r.epoch] > r.step/2 {
		return
	}
	if p, err := s.m.position(a, view); err == nil {
		s.m.raiseAhead(a, p)
	}
}

// Spendable returns what the session could still be billed: what its account can spend and its key in this epoch, less what both
// owe the worker already. It returns ErrChainStale and those of the chain.
func (s *Session) Spendable(ctx context.Context) (*big.Int, error) {
	m, a := s.m, s.account
	if err := m.refresh(ctx, a, m.cfg.AccountTTL); err != nil {
		return nil, err
	}
	if err := s.refreshKey(ctx, m.cfg.AccountTTL); err != nil {
		return nil, err
	}
	view, ok := m.chain.View()
	if !ok {
		return nil, fmt.Errorf("%w: nothing seen yet", ErrChainStale)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p, err := m.position(a, &view)
	if err != nil {
		return nil, err
	}
	has, left := new(big.Int).Sub(a.spendable, p.Claim), s.seen.LeftIn(view.Epoch)
	if k := m.keyPosition(a, p, s.key.ID, left); k != nil {
		left = new(big.Int).Sub(left, k.Claim)
	}
	if left.Cmp(has) < 0 {
		has = left
	}
	if has.Sign() < 0 {
		return new(big.Int), nil
	}
	return new(big.Int).Set(has), nil
}

// settled reports whether the session's account has nothing to lower: its one watermark is within the steps that an open
// session may have. The caller holds the account's lock.
func (s *Session) settled(view *chain.View, now time.Time) bool {
	a := s.account
	if a.open == 0 || len(a.granted) != 1 || !s.holds(view, 0, now) {
		return false
	}
	granted, ok := a.granted[s.room.epoch]
	return ok && granted-a.bytes[s.room.epoch] <= 2*s.room.step
}

// remember keeps what a position says of the room. k is that of the session's key, nil if it is bound by its account alone.
// version is the pool's from before the position was computed, left what the key had left then. The caller holds the account's lock.
func (s *Session) remember(view *chain.View, version uint64, left *big.Int, p, k *position) {
	s.room = room{
		version: version, spendable: s.account.spendable, left: left, epoch: view.Epoch, oldest: view.OldestLive, until: time.Now().Add(roomTTL),
		most: p.room(), keyMost: ^uint64(0), step: p.step(), share: bytesFor(p.prices, p.Limit) / shareOfCredit,
	}
	if k != nil {
		s.room.share = bytesFor(k.prices, k.Limit) / shareOfCredit
		// The limit counts bytes of earlier epochs as well; they only ever fall.
		earlier := k.UnacknowledgedBytes - s.account.keyBytes[keyEpoch{s.key.ID, view.Epoch}]
		s.room.keyMost = k.room() - min(k.room(), earlier)
	}
}

// room is what the bytes of the epoch may rise to below the limit, and below half of it if the claim is.
func (p *position) room() uint64 {
	limit := new(big.Int).Sub(p.Limit, big.NewInt(1))
	if half := new(big.Int).Quo(limit, settleHintShare); p.Claim.Cmp(half) <= 0 {
		limit = half
	}
	return bytesFor(p.prices, limit.Sub(limit, p.others))
}
