package rollup

import (
	"context"
	"math/big"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
)

// partial is a lane whose account could not pay all that was due.
type partial struct {
	// payable is what the account could pay right after.
	payable *big.Int
	// spent is true if it was its key that could not pay. What is left of the limit of an epoch never rises in it.
	spent bool
	tries int
	next  time.Time
}

// partials remembers the lanes that wait for their accounts, so that they are not settled over and over for nothing. It
// holds at most the lanes of the pool in live epochs; after a restart each of them is tried once.
type partials map[ack.LaneID]partial

// note records that a lane was paid in part, with what the account can pay now, and whether its key has spent its limit.
func (p partials) note(lane ack.LaneID, payable *big.Int, spent bool, cfg Config, now time.Time, jitter float64) {
	tries := p[lane].tries + 1
	p[lane] = partial{
		payable: payable, spent: spent, tries: tries, next: now.Add(backoff(tries, cfg.PartialBackoff, cfg.LastPartialBackoff, jitter)),
	}
}

// spending is what the limit of a key bounds: what it spends in an epoch.
type spending struct{ key, epoch uint64 }

// limits answers what of the limit of a key in an epoch is left, nil if that cannot be told.
type limits func(key, epoch uint64) *big.Int

// keyLimits asks the chain for what is left of limits, each once.
func (r *Rollup) keyLimits(ctx context.Context) limits {
	known := map[spending]*big.Int{}
	return func(id, epoch uint64) *big.Int {
		left, asked := known[spending{id, epoch}]
		if !asked {
			if key, err := r.deps.Chain.Key(ctx, id); err == nil {
				left = key.LeftIn(epoch)
			}
			known[spending{id, epoch}] = left
		}
		return left
	}
}

// expire forgets lanes of dead epochs.
func (p partials) expire(oldestLive uint64) {
	for lane := range p {
		if lane.Epoch < oldestLive {
			delete(p, lane)
		}
	}
}

// ready returns the entries that are worth a settlement: those that do not wait for an account, whose wait is over, or
// whose account can pay more than before. accounts answers from the chain, and keys as well; one that does not answer keeps its
// lanes waiting. A lane whose key has spent its limit waits on, whatever its account can pay.
func (p partials) ready(ctx context.Context, entries []ackpool.Entry, accounts func(context.Context, uint64) (chain.Account, error), keys limits,
	cfg Config, now time.Time,
) []ackpool.Entry {
	if len(p) == 0 {
		return entries
	}
	payable := map[uint64]*big.Int{}
	ready := make([]ackpool.Entry, 0, len(entries))
	for _, e := range entries {
		id := e.Signed.LaneID()
		lane, waits := p[id]
		switch {
		case waits && lane.spent && !now.Before(lane.next):
			if left := keys(id.KeyID, id.Epoch); left == nil || left.Sign() <= 0 {
				lane.next = now.Add(cfg.LastPartialBackoff)
				p[id] = lane
				continue
			}
			// It was told wrong before.
		case waits && lane.spent:
			continue
		case waits && now.Before(lane.next):
			able, asked := payable[e.AccountID]
			if !asked {
				if account, err := accounts(ctx, e.AccountID); err == nil {
					able = account.Payable
				}
				payable[e.AccountID] = able
			}
			if able == nil || lane.payable == nil {
				continue
			}
			if able.Cmp(lane.payable) <= 0 {
				// Others may draw on the account meanwhile: it is a rise from here on that counts.
				lane.payable = able
				p[id] = lane
				continue
			}
		}
		ready = append(ready, e)
	}
	return ready
}
