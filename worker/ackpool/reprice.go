package ackpool

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/edgechain/edge/ack"
)

// Reprice values the lanes held of an epoch by what their acknowledgements cost at prices, and returns how many changed. What was
// taken by a price that was too low is pending again with the difference. Only if the prices are certain are values lowered, at most to
// what is settled: a claim that is too high keeps a client out, one that is too low is not settled.
func (p *Pool) Reprice(epoch uint64, prices ack.Prices, certain bool) (changed int, err error) {
	for {
		n, wait, err := p.repriceSome(epoch, prices, certain)
		if err == nil && n > 0 {
			err = wait()
		}
		if err != nil {
			return changed, fmt.Errorf("value lanes of epoch %d: %w", epoch, err)
		}
		changed += n
		if n < expireChunk {
			return changed, nil
		}
	}
}

func (p *Pool) repriceSome(epoch uint64, prices ack.Prices, certain bool) (n int, wait func() error, err error) {
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
		value = maxInt(value, l.settled)
		if order := value.Cmp(l.value); order == 0 || order < 0 && !certain {
			continue
		}
		next := *l
		next.value = new(big.Int).Set(value)
		next.refusals = capRefusals(l.refusals, new(big.Int).Sub(value, l.settled))
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
