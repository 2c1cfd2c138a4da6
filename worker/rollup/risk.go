package rollup

import (
	"cmp"
	"context"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
)

const (
	// maxRisky is how many accounts, those that owe the most, are looked at for what they can still pay.
	maxRisky = 64
	// riskLooks is how often in an interval they are.
	riskLooks = 4
	// dryIntervals is for how many intervals an account that can pay nothing is left alone, and maxDry how many are at a time, so
	// that they do not hide those behind them.
	dryIntervals = 30
	maxDry       = 16_384
)

// Reasons of an early settlement, as metrics label them.
const (
	earlyHint    = "hint"
	earlyBalance = "balance"
	earlyKey     = "key"
)

// wish is why and since when an account is to be settled early.
type wish struct {
	since  time.Time
	reason string
}

// watchRisk has accounts settled early whose unsettled amount comes near to what the chain would still pay for them: other
// workers draw on the same balance and on the limits of the same keys, and whoever settles first is paid.
func (r *Rollup) watchRisk(ctx context.Context, view chain.View, now time.Time) {
	if r.cfg.RiskShare == nil || r.cfg.RiskShare.Sign() == 0 || now.Sub(r.riskLooked) < r.cfg.Interval/riskLooks {
		return
	}
	r.riskLooked = now
	maps.DeleteFunc(r.dry, func(_ uint64, until time.Time) bool { return !now.Before(until) })
	dry := maps.Clone(r.dry)
	for _, owing := range r.deps.Pool.RichestAccounts(maxRisky, func(id uint64) bool { _, is := dry[id]; return is }) {
		if owing.Value.Cmp(r.cfg.HurryValue) < 0 {
			return // the others owe less
		}
		if _, wished := r.hinted[owing.AccountID]; wished {
			continue
		}
		account, err := r.deps.Chain.Account(ctx, owing.AccountID)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			continue // the next look asks again
		}
		if account.Payable.Cmp(r.leastFavour()) < 0 && len(r.dry) < maxDry {
			r.dry[owing.AccountID] = now.Add(dryIntervals * r.cfg.Interval)
			continue
		}
		if account.Payable.Sign() > 0 && r.near(owing.Value, account.Payable) {
			r.wish(owing.AccountID, earlyBalance)
			continue
		}
		if r.nearKeyLimit(ctx, view, owing.AccountID) {
			r.wish(owing.AccountID, earlyKey)
		}
	}
}

// near reports whether an unsettled amount has reached the share of what can be paid at which it is settled early.
func (r *Rollup) near(unsettled, payable *big.Int) bool {
	bound := new(big.Rat).Mul(new(big.Rat).SetInt(payable), r.cfg.RiskShare)
	return new(big.Rat).SetInt(unsettled).Cmp(bound) >= 0
}

// nearKeyLimit reports whether what is pending on one key of an account comes near to what is left of its limit.
func (r *Rollup) nearKeyLimit(ctx context.Context, view chain.View, account uint64) bool {
	sums := map[spending]*big.Int{}
	entries := r.deps.Pool.AccountPending(account)
	for i := range entries {
		of := spending{entries[i].Signed.KeyID, entries[i].Signed.Epoch}
		if !view.MaySettle(of.epoch) {
			continue
		}
		if sums[of] == nil {
			sums[of] = new(big.Int)
		}
		sums[of].Add(sums[of], entries[i].Pending)
	}
	for of, sum := range sums {
		key, err := r.deps.Chain.Key(ctx, of.key)
		if err != nil {
			continue
		}
		if left := key.LeftIn(of.epoch); left.Sign() > 0 && r.near(sum, left) {
			return true
		}
	}
	return false
}

// urgent returns entries of an epoch that wait, at most limit, in the order in which they should be settled if not all of
// them fit: those of accounts that are to be settled early, then those with the most pending.
func (r *Rollup) urgent(epoch uint64, limit int) []ackpool.Entry {
	entries := r.deps.Pool.Pending(epoch, limit)
	if len(entries) == limit {
		entries = r.deps.Pool.Richest(epoch, limit)
		held := make(map[ack.LaneID]bool, len(entries))
		for i := range entries {
			held[entries[i].Signed.LaneID()] = true
		}
		for account := range r.hinted {
			for _, e := range r.deps.Pool.AccountPending(account) {
				if e.Signed.Epoch == epoch && !held[e.Signed.LaneID()] {
					entries = append(entries, e)
				}
			}
		}
	}
	slices.SortStableFunc(entries, func(a, b ackpool.Entry) int {
		_, first := r.hinted[a.AccountID]
		_, second := r.hinted[b.AccountID]
		switch {
		case first && !second:
			return -1
		case second && !first:
			return 1
		}
		p, q := &a.Signed, &b.Signed
		return cmp.Or(b.Pending.Cmp(a.Pending), cmp.Compare(p.KeyID, q.KeyID), cmp.Compare(p.ServiceID, q.ServiceID), cmp.Compare(p.Lane, q.Lane))
	})
	return entries
}

// wish notes that an account is to be settled early. It is settled with the next interval in any case, so that nothing is
// lost if there is no room for the note.
func (r *Rollup) wish(account uint64, reason string) {
	if _, noted := r.hinted[account]; !noted && len(r.hinted) < maxHinted {
		r.hinted[account] = wish{since: time.Now(), reason: reason}
		r.metrics.early.WithLabelValues(reason).Inc()
	}
}

// setUneconomic keeps what waits because it is not worth its fee.
func (r *Rollup) setUneconomic(value *big.Int) {
	r.metrics.uneconomic.Set(float(value))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Uneconomic = ""
	if value.Sign() > 0 {
		r.status.Uneconomic = value.String()
	}
}
