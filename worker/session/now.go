package session

import (
	"fmt"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/chain"
)

// shareOfCredit is the divisor of share: a client acknowledges every quarter of its limit, so that a step must not need more
// than the rest.
const shareOfCredit = 8

// Share returns how many bytes of an answer may be reserved at a time: an eighth of what the whole credit buys. It may be as
// old as a room. Its errors are those of Credit.
func (s *Session) Share() (uint64, error) {
	a := s.account
	a.mu.Lock()
	if r := &s.room; time.Now().Before(r.until) {
		defer a.mu.Unlock()
		return r.share, nil
	}
	a.mu.Unlock()
	view, ok := s.m.chain.View()
	if !ok {
		return 0, fmt.Errorf("%w: nothing seen yet", ErrChainStale)
	}
	credit, err := s.Credit()
	if err != nil {
		return 0, err
	}
	return bytesFor(view.Prices[view.Epoch], credit.Limit) / shareOfCredit, nil
}

// BeginNow is Take, Begin and the Reserve of a whole answer in one, if nothing of it has to wait or to ask the chain: the session's
// room, which is at most roomTTL old, is wide enough, the watermark is high enough, the lane is open and known, and the
// acknowledgements go to the queue. Otherwise it does nothing and returns false, and who asks goes the long way.
func (s *Session) BeginNow(acks []ack.Signed, meta Meta) (*Request, bool) {
	m := s.m
	if !m.begin() {
		return nil, false
	}
	defer m.work.Done()
	if m.chain.Stale() != nil {
		return nil, false
	}
	view, ok := m.chain.View()
	if !ok || !view.Active() {
		return nil, false
	}
	held := false
	for i := range acks {
		if !m.takes(s, &view, &acks[i]) {
			return nil, false
		}
		held = held || acks[i].Epoch == view.Epoch // what it goes on from is
	}
	if !held {
		if _, held = m.pool.Held(s.lane.id(view.Epoch)); !held {
			return nil, false // its first request may have to be refused for want of room
		}
	}
	r := &Request{s: s, receipt: &receipt{digest: meta.receipt()}, epoch: view.Epoch, droppable: meta.Bytes > 0}
	if !r.beginNow(&view, meta.Bytes) {
		return nil, false
	}
	if len(acks) > 0 {
		m.enqueueAll(s, acks)
	}
	return r, true
}

// beginNow counts a request and its n bytes if they fit into the session's room.
func (r *Request) beginNow(view *chain.View, n uint64) bool {
	s := r.s
	m, a := s.m, s.account
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.lanes[s.lane]
	if s.over() || l == nil || l.session != s || m.full(a, l) || m.receiptsFull() {
		return false
	}
	if e := l.epochs[view.Epoch]; e == nil || e.closed {
		return false
	}
	if payableBy(&s.seen, view) != nil {
		return false
	}
	now := time.Now()
	if n > 0 && !s.holds(view, n, now) {
		s.findRoom(view, now)
	}
	if !s.holds(view, n, now) || n > s.room.share {
		return false
	}
	a.tick++
	l.used = a.tick
	r.lane = l
	r.sequence = s.count(l, r.receipt, now)
	if n > 0 {
		r.reserved = n
		l.served = view.Epoch
		a.bytes[view.Epoch] += n
		a.keyBytes[keyEpoch{s.key.ID, view.Epoch}] += n
		s.raiseSoon(view)
	}
	return true
}
