package rollup

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// batch is what one settlement is going to carry.
type batch struct {
	epoch uint64
	acks  []ackpool.Submitted
	// value is the sum of pending, which is what each of them has to collect.
	value   *big.Int
	pending []*big.Int
	// more is true if further entries wait that did not fit.
	more bool
}

// newBatch takes entries of one epoch, the most urgent first, as far as they fit into one settlement: by number, bytes, and
// gas. One of a service that is too many waits for the next settlement, and those behind it do not.
func newBatch(v chain.View, epoch uint64, entries []ackpool.Entry, maxAcks int, overhead uint64) batch {
	b := batch{epoch: epoch, value: new(big.Int)}
	size := 0
	var services dacktypes.SettledServices
	for i := range entries {
		entry := &entries[i]
		if !services.Add(entry.Signed.ServiceID) {
			b.more = true
			continue
		}
		a := dacktypes.NewAcknowledgement(&entry.Signed)
		size += a.Size()
		if !fits(v, len(b.acks)+1, size, maxAcks, overhead) {
			b.more = true
			break
		}
		b.acks = append(b.acks, entry.Submit())
		b.pending = append(b.pending, entry.Pending)
		b.value.Add(b.value, entry.Pending)
	}
	return b
}

// first returns the first n acknowledgements of the batch.
func (b batch) first(n int) batch {
	f := batch{epoch: b.epoch, acks: b.acks[:n], value: new(big.Int), pending: b.pending[:n], more: true}
	for _, pending := range f.pending {
		f.value.Add(f.value, pending)
	}
	return f
}

// ordered returns the batch as a settlement has it, ascending by (key, service, lane).
func (b batch) ordered() batch {
	o := b
	o.acks = slices.Clone(b.acks)
	slices.SortFunc(o.acks, func(x, y ackpool.Submitted) int {
		p, q := &x.Signed, &y.Signed
		return cmp.Or(cmp.Compare(p.KeyID, q.KeyID), cmp.Compare(p.ServiceID, q.ServiceID), cmp.Compare(p.Lane, q.Lane))
	})
	o.pending = nil
	return o
}

// message returns the settlement of the batch, which must be ordered.
func (b batch) message(v chain.View, account string) *dacktypes.MsgSettle {
	msg := &dacktypes.MsgSettle{
		Account:  account,
		WorkerId: v.Worker.Id,
		Epoch:    b.epoch,
		Acks:     make([]dacktypes.Acknowledgement, 0, len(b.acks)),
	}
	for i := range b.acks {
		msg.Acks = append(msg.Acks, dacktypes.NewAcknowledgement(&b.acks[i].Signed))
	}
	return msg
}
