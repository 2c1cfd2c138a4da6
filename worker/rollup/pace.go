package rollup

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"time"

	"github.com/edgechain/edge/worker/chain"
)

// maxHinted bounds the accounts that ask for a settlement early at a time.
const maxHinted = 1_024

// pace says when an epoch's acknowledgements are settled next.
type pace struct {
	// due is when the interval is over.
	due time.Time
	// hurry settles whatever is pending at the next step: what is left of a round, or of one that failed.
	hurry bool
	// drained is true when the drain at the end of the current epoch has begun.
	drained bool
	// crumbs is when that settles what is below MinValue and can be settled in the next epoch too.
	crumbs time.Time
}

// choose returns the batch that is to be settled now. The oldest live epoch comes first, because it dies first. A batch
// that holds all that waits in its epoch ends the epoch's round; after one that does not, the next follows at once.
func (r *Rollup) choose(ctx context.Context, view chain.View) (batch, bool) {
	now := time.Now()
	// One time for all questions: whoever hangs on them must not keep the others from being settled, and a batch that is chosen by
	// a view that has become old comes too late.
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	ending := r.inDrain(view)
	var asked map[uint64]appeal
	if !ending && !r.draining() {
		// In a drain all is settled anyway.
		r.watchRisk(ctx, view, now)
		asked = r.asked(ctx, view, now)
	}
	uneconomic := new(big.Int)
	looked, waiting := false, false
	defer func() {
		// Between two rounds nothing is known anew.
		if looked || !waiting {
			r.setUneconomic(uneconomic)
		}
	}()
	for epoch := view.OldestLive; epoch <= view.Epoch; epoch++ {
		p, known := r.paces[epoch]
		if !known {
			p.due = r.nextRound(now, r.cfg.Interval)
		}
		if ending && !p.drained {
			p.drained, p.hurry = true, true
		} else if !ending {
			p.drained, p.crumbs = false, time.Time{}
		}
		r.paces[epoch] = p
		pending := r.deps.Pool.Epoch(epoch).Pending.Value
		if pending == nil || pending.Sign() == 0 || !view.MaySettle(epoch) {
			p.hurry = false
			r.paces[epoch] = p
			continue
		}
		waiting = true
		full := r.rested(now, r.cfg.leastSpacing()) && r.cfg.MaxValue.Sign() > 0 && pending.Cmp(r.cfg.MaxValue) >= 0
		last := ending && epoch < view.Epoch
		everything := last || ending && !now.Before(p.crumbs)
		round := !now.Before(p.due) && (everything || pending.Cmp(r.cfg.MinValue) >= 0)
		early := full || asked[epoch].due
		hurry := p.hurry || r.draining()
		if !hurry && !early && !round {
			continue
		}
		limit := r.limit(view)
		looked = true
		entries := r.partials.ready(ctx, r.urgent(epoch, limit+1+len(r.partials)), r.deps.Chain.Account, r.keyLimits(ctx), r.cfg, now)
		if !hurry && !asked[epoch].due && (!round || !everything) {
			least := r.cfg.MinValue
			if !round {
				least = r.cfg.MaxValue
			}
			if !r.brings(ctx, entries, least) {
				if full {
					r.early = now
				}
				if round {
					p.due = r.nextRound(now, r.cfg.Interval)
					r.paces[epoch] = p
				}
				continue
			}
		}
		if !ending && !r.draining() {
			entries = r.notable(entries)
		}
		b := newBatch(view, epoch, r.worthwhile(view, entries, last), limit, r.overhead)
		if len(b.acks) > 0 && !r.cfg.worth(r.fee(view, b), b.value, last) {
			// It waits for more, or for the drain. What is left of a round can never be worth more than its head.
			uneconomic.Add(uneconomic, pending)
			b = batch{epoch: epoch, value: new(big.Int)}
		}
		if !b.more {
			interval := r.cfg.Interval
			if ending {
				interval = min(interval, r.cfg.Drain/10)
				p.crumbs = now.Add(r.cfg.Drain / 4)
			}
			p.hurry, p.due = false, r.nextRound(now, interval)
			r.paces[epoch] = p
		}
		if len(b.acks) > 0 {
			if early && !hurry && !round {
				r.early = now
				if !full {
					r.favoured.note(asked[epoch].small)
				}
				p.hurry = b.more
				r.paces[epoch] = p
			}
			return b, true
		}
	}
	return batch{}, false
}

// nextRound is between three and five quarters of an interval away.
func (r *Rollup) nextRound(now time.Time, interval time.Duration) time.Time {
	return now.Add(interval*3/4 + time.Duration(r.deps.Jitter()*float64(interval)/2))
}

// hurry notes that an account asks for a settlement early.
func (r *Rollup) hurry(account uint64) { r.wish(account, earlyHint) }

// retry takes a round back whose batch did not get through.
func (r *Rollup) retry(epoch uint64) {
	if p, ok := r.paces[epoch]; ok {
		p.hurry = true
		r.paces[epoch] = p
	}
}

// inDrain reports whether this worker's part of the last minutes of the epoch has begun.
func (r *Rollup) inDrain(view chain.View) bool {
	return view.EpochEnd.Sub(view.Time) <= r.cfg.Drain-drainSlot(view.Worker.Id, view.Epoch, r.cfg.Drain)
}

// drainSlot is by how much a worker begins its drain later than the earliest: a point in the first half of the drain that
// is spread evenly over workers and changes with the epoch.
func drainSlot(workerID, epoch uint64, drain time.Duration) time.Duration {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], workerID)
	binary.LittleEndian.PutUint64(b[8:], epoch)
	h := sha256.Sum256(b[:])
	return time.Duration(float64(binary.LittleEndian.Uint64(h[:])>>11) / (1 << 53) * float64(drain/2))
}
