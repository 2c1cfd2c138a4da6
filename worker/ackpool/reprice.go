package ackpool

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/edgechain/edge/ack"
)

// Reprice raises the value of the lanes held of an epoch to what their acknowledgements cost at prices, and returns of how many.
// What was taken by a price that was too low is pending again with the difference. No value is lowered: the chain says what it
// does not owe.
func (p *Pool) Reprice(epoch uint64, prices ack.Prices) (raised int, err error) {
	for {
		n, wait, err := p.repriceSome(epoch, prices)
		if err == nil && n > 0 {
			err = wait()
		}
		if err != nil {
			return raised, fmt.Errorf("value lanes of epoch %d: %w", epoch, err)
		}
		raised += n
		if n < expireChunk {
			return raised, nil
		}
	}
}

func (p *Pool) repriceSome(epoch uint64, prices ack.Prices) (n int, wait func() error, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.usable(); err != nil {
		return 0, nil, err
	}
	type change struct{ prev, next *lane }
	var changes []change
	for id, l := range p.lanes {
		if id.Epoch != epoch {
			continue
		}
		if len(changes) == expireChunk {
			break
		}
		value := prices.Price(l.signed.Bytes, l.signed.Fuel)
		if value.Cmp(l.value) <= 0 {
			continue
		}
		next := *l
		next.value = new(big.Int).Set(value)
		changes = append(changes, change{l, &next})
	}
	if len(changes) == 0 {
		return 0, nil, nil
	}
	batch := p.db.NewBatch()
	for _, c := range changes {
		if err := batch.Set(keyLane(c.next.signed.LaneID()), c.next.encode(), nil); err != nil {
			return 0, nil, errors.Join(err, batch.Close())
		}
	}
	wait, err = p.write(batch, func() error {
		for _, c := range changes {
			if err := p.replace(c.prev, c.next); err != nil {
				return err
			}
		}
		p.signal()
		return nil
	})
	return len(changes), wait, err
}
