package rollup

import (
	"math/big"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// batch is what one settlement is going to carry.
type batch struct {
	epoch uint64
	acks  []ackpool.Submitted
	value *big.Int
	// more is true if further entries wait that did not fit.
	more bool
}

// newBatch takes entries of one epoch, ascending by (key, service, lane), as far as they fit into one settlement.
func newBatch(epoch uint64, entries []ackpool.Entry, maxAcks int) batch {
	b := batch{epoch: epoch, value: new(big.Int)}
	size := 0
	for i := range entries {
		entry := &entries[i]
		a := dacktypes.NewAcknowledgement(&entry.Signed)
		size += a.Size()
		if len(b.acks) == maxAcks || size > dacktypes.MaxSettleBytes {
			b.more = true
			break
		}
		b.acks = append(b.acks, entry.Submit())
		b.value.Add(b.value, entry.Pending)
	}
	return b
}

// message returns the settlement of the batch.
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
