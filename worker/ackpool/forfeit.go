package ackpool

import (
	"encoding/binary"
	"math/big"
)

// Forfeit is what an account has had of this worker that it cannot be made to pay for any more, over all dead epochs. It is
// remembered for good: a limit that was earned would be there for the taking again and again otherwise.
//
// What was acknowledged and could have been paid is not part of it, even if it died because nobody settled it: that is the
// worker's own fault.
type Forfeit struct {
	// Bytes were delivered and never acknowledged: the watermarks that died.
	Bytes uint64
	// Value was acknowledged, and by the chain's last verdict account or key could not pay it, in units of the settlement coin.
	// nil is nothing.
	Value *big.Int
	// Since is the first epoch of which there is any, since all of it was last forgiven.
	Since uint64
}

func (f *Forfeit) isZero() bool { return f.Bytes == 0 && f.Value == nil }

// plus returns the sum, which shares nothing that changes with either.
func (f Forfeit) plus(o Forfeit) Forfeit {
	switch {
	case o.isZero():
		return f
	case f.isZero():
		return o
	}
	sum := Forfeit{Bytes: f.Bytes + o.Bytes, Since: min(f.Since, o.Since), Value: f.Value}
	if sum.Bytes < f.Bytes {
		sum.Bytes = ^uint64(0)
	}
	if o.Value != nil {
		sum.Value = new(big.Int).Set(o.Value)
		if f.Value != nil {
			sum.Value.Add(sum.Value, f.Value)
		}
	}
	return sum
}

// ForgiveBy sets who says whether all that an account has forfeited was forgiven by an epoch. What it forfeits from that one on is then a
// new beginning: what an account has long been forgiven must not count in its favour. forgiven is called with the pool locked.
func (p *Pool) ForgiveBy(forgiven func(claim Claim, epoch uint64) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgiven = forgiven
}

// forfeit returns what an account has forfeited with more of it. The caller holds p.mu.
func (p *Pool) forfeit(g *group, more Forfeit) Forfeit {
	if !more.isZero() && !g.forfeit.isZero() && p.forgiven != nil && p.forgiven(g.claim(), more.Since) {
		return more
	}
	return g.forfeit.plus(more)
}

// append writes the record behind the archived totals of its account; nothing if there is nothing.
func (f *Forfeit) append(dst []byte) []byte {
	if f.isZero() {
		return dst
	}
	dst = binary.LittleEndian.AppendUint64(dst, f.Bytes)
	dst = binary.LittleEndian.AppendUint64(dst, f.Since)
	value := f.Value
	if value == nil {
		value = new(big.Int)
	}
	return appendInt(dst, value)
}

func (r *reader) forfeit() Forfeit {
	f := Forfeit{Bytes: r.u64(), Since: r.u64()}
	if value := r.int(); value.Sign() > 0 {
		f.Value = value
	}
	return f
}

// decodeArchive reads archived totals, and behind those of an account what it has forfeited, if there is any.
func decodeArchive(b []byte) (Totals, Forfeit, error) {
	r := &reader{b: b}
	t, f := r.totals(), Forfeit{}
	if r.err == nil && len(r.b) > 0 {
		f = r.forfeit()
	}
	return t, f, r.end()
}
