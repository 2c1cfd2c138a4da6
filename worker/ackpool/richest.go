package ackpool

import (
	"cmp"
	"container/heap"
	"math/big"
	"slices"

	"github.com/edgechain/edge/ack"
)

// AccountAmount is an account with an amount, in units of the settlement coin.
type AccountAmount struct {
	AccountID uint64
	Value     *big.Int
}

// RichestAccounts returns the accounts with the most pending over all epochs, at most limit of them, the most first, without those
// that skip names; nil names none. skip must not call the pool.
func (p *Pool) RichestAccounts(limit int, skip func(account uint64) bool) []AccountAmount {
	p.mu.Lock()
	defer p.mu.Unlock()
	top := newTop(limit, func(a, b AccountAmount) int {
		return cmp.Or(a.Value.Cmp(b.Value), cmp.Compare(b.AccountID, a.AccountID))
	})
	for id, g := range p.accounts {
		if g.held.Pending.Value.Sign() > 0 && (skip == nil || !skip(id)) {
			top.offer(AccountAmount{AccountID: id, Value: g.held.Pending.Value})
		}
	}
	list := top.descending()
	for i := range list {
		list[i].Value = new(big.Int).Set(list[i].Value)
	}
	return list
}

// Richest returns the entries of an epoch with the most pending, at most limit of them, the most first. It looks at every
// lane that waits; Pending, which does not, will do if there are no more than limit.
func (p *Pool) Richest(epoch uint64, limit int) []Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	type waiting struct {
		lane    *lane
		pending *big.Int
	}
	top := newTop(limit, func(a, b waiting) int {
		return cmp.Or(a.pending.Cmp(b.pending), compareLanes(b.lane.signed.LaneID(), a.lane.signed.LaneID()))
	})
	p.pending.Ascend(ack.LaneID{Epoch: epoch}, func(id ack.LaneID) bool {
		if id.Epoch != epoch {
			return false
		}
		pending, _ := p.lanes[id].split()
		top.offer(waiting{lane: p.lanes[id], pending: pending})
		return true
	})
	list := top.descending()
	entries := make([]Entry, len(list))
	for i := range list {
		entries[i] = list[i].lane.entry()
	}
	return entries
}

// top keeps the greatest of what it is offered, at most limit. It is a heap with the least of them on top.
type top[T any] struct {
	items   []T
	limit   int
	compare func(a, b T) int
}

func newTop[T any](limit int, compare func(a, b T) int) *top[T] {
	return &top[T]{limit: max(limit, 0), compare: compare}
}

func (t *top[T]) offer(item T) {
	switch {
	case len(t.items) < t.limit:
		heap.Push(t, item)
	case t.limit > 0 && t.compare(item, t.items[0]) > 0:
		t.items[0] = item
		heap.Fix(t, 0)
	}
}

// descending returns the items, the greatest first. The heap must not be used afterwards.
func (t *top[T]) descending() []T {
	slices.SortFunc(t.items, func(a, b T) int { return t.compare(b, a) })
	return t.items
}

// Len implements heap.Interface.
func (t *top[T]) Len() int { return len(t.items) }

// Less implements heap.Interface.
func (t *top[T]) Less(i, j int) bool { return t.compare(t.items[i], t.items[j]) < 0 }

// Swap implements heap.Interface.
func (t *top[T]) Swap(i, j int) { t.items[i], t.items[j] = t.items[j], t.items[i] }

// Push implements heap.Interface.
func (t *top[T]) Push(x any) { t.items = append(t.items, x.(T)) }

// Pop implements heap.Interface.
func (t *top[T]) Pop() any {
	last := t.items[len(t.items)-1]
	t.items = t.items[:len(t.items)-1]
	return last
}
