package rollup

import (
	"context"
	"math/big"
	"slices"
	"time"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
)

const (
	// smallShare is the part of what an account or a key can still pay that must be pending for a settlement of less than
	// HurryValue: half of the credit that a worker gives on it, a 64th. Whoever is bounded by that waits at its limit with less
	// than HurryValue, and would wait for ever.
	smallShare = 128
	// leastSmall is the part of HurryValue below which nobody is worth a settlement of its own.
	leastSmall = 16
	// leastEntry is the part of HurryValue below which a lane waits for the drain: each has its part of the fee.
	leastEntry = 32
	// maxFavours is how many settlements of less than HurryValue an account is given in an epoch.
	maxFavours = 16
)

// appeal is what the accounts that ask for a settlement of an epoch early bring together, as far as they can pay it.
type appeal struct {
	value *big.Int
	// small are those of them that bring less than HurryValue, because their credit is not larger.
	small []uint64
	// due is set when what they bring is worth a settlement now.
	due bool
}

// favours counts the settlements of less than HurryValue by account, in one epoch.
type favours struct {
	epoch uint64
	given map[uint64]int
}

// has reports whether an account can be given another one.
func (f *favours) has(epoch, account uint64) bool {
	if f.given == nil || f.epoch != epoch {
		f.epoch, f.given = epoch, map[uint64]int{}
	}
	n, known := f.given[account]
	return n < maxFavours && (known || len(f.given) < maxHinted)
}

func (f *favours) note(accounts []uint64) {
	for _, account := range accounts {
		f.given[account]++
	}
}

// rested reports whether the last early settlement is long enough ago.
func (r *Rollup) rested(now time.Time, spacing time.Duration) bool {
	return r.early.IsZero() || now.Sub(r.early) >= spacing
}

// restLeft is how long until the next early settlement may begin, 0 if one may.
func (r *Rollup) restLeft(now time.Time) time.Duration {
	for _, spacing := range []time.Duration{r.cfg.leastSpacing(), r.cfg.HurrySpacing, r.cfg.Interval} {
		if left := spacing - now.Sub(r.early); !r.early.IsZero() && left > 0 {
			return left
		}
	}
	return 0
}

// asked returns what the accounts that ask for a settlement early bring to each epoch. The fee is the worker's, whoever asks:
// the less there is to settle, the longer it waits.
//  1. What brings MinValue is worth a settlement whenever an interval ends, so nearly at once.
//  2. What brings HurryValue waits for HurrySpacing.
//  3. What brings less because the account or key can pay so little that no more is lent to it waits for an interval, and for
//     the next MinValue or the drain after a few in an epoch.
//  4. All else waits until there is more.
func (r *Rollup) asked(ctx context.Context, view chain.View, now time.Time) map[uint64]appeal {
	appeals := map[uint64]appeal{}
	if !r.rested(now, r.cfg.leastSpacing()) {
		return appeals
	}
	for account, wish := range r.hinted {
		if ctx.Err() != nil {
			break
		}
		pending := r.deps.Pool.AccountPending(account)
		if len(pending) == 0 || now.Sub(wish.since) > 2*r.cfg.Interval {
			// Settled since, or it had its turn.
			delete(r.hinted, account)
			continue
		}
		if !r.reaches(pending, r.leastFavour()) {
			continue // there may be more of it soon
		}
		a, err := r.deps.Chain.Account(ctx, account)
		if err != nil {
			continue
		}
		keys := r.keyLimits(ctx)
		pending = r.partials.ready(ctx, pending, func(context.Context, uint64) (chain.Account, error) { return a, nil }, keys, r.cfg, now)
		if !r.reaches(pending, big.NewInt(1)) || a.Payable.Sign() <= 0 {
			// It cannot pay, so no stream of it waits for this.
			delete(r.hinted, account)
			continue
		}
		c := r.collector(ctx)
		c.limits = keys
		for epoch, value := range c.payables(pending) {
			of := appeals[epoch]
			switch {
			case value.Sign() <= 0:
				continue
			case value.Cmp(r.cfg.HurryValue) >= 0:
			case value.Cmp(r.leastFavour()) >= 0 && r.favoured.has(view.Epoch, account) && r.lentLittle(ctx, pending, epoch, value, a.Payable):
				of.small = append(of.small, account)
			default:
				continue
			}
			if of.value == nil {
				of.value = new(big.Int)
			}
			of.value.Add(of.value, value)
			appeals[epoch] = of
		}
	}
	for epoch, of := range appeals {
		switch {
		case of.value.Cmp(r.cfg.MinValue) >= 0 && of.value.Cmp(r.cfg.HurryValue) >= 0:
			of.due = true
		case of.value.Cmp(r.cfg.HurryValue) >= 0:
			of.due = r.rested(now, r.cfg.HurrySpacing)
		default:
			of.due = r.rested(now, r.cfg.Interval)
		}
		appeals[epoch] = of
	}
	return appeals
}

// leastFavour is what must be pending of an account at least for a settlement early.
func (r *Rollup) leastFavour() *big.Int {
	least := new(big.Int).Quo(r.cfg.HurryValue, big.NewInt(leastSmall))
	if least.Sign() == 0 {
		least.SetInt64(1)
	}
	return least
}

// notable returns the entries that bring enough for their part of a fee, so that nobody spreads a value over all of the lanes
// that an account can have.
func (r *Rollup) notable(entries []ackpool.Entry) []ackpool.Entry {
	least := new(big.Int).Quo(r.cfg.HurryValue, big.NewInt(leastEntry))
	return slices.DeleteFunc(entries, func(e ackpool.Entry) bool { return e.Pending.Cmp(least) < 0 })
}

// lentLittle reports whether what is pending of an account in an epoch is about all that is lent to it, or to one of its keys.
func (r *Rollup) lentLittle(ctx context.Context, pending []ackpool.Entry, epoch uint64, value, payable *big.Int) bool {
	most := func(of, left *big.Int) bool {
		return left.Sign() > 0 && new(big.Int).Mul(of, big.NewInt(smallShare)).Cmp(left) >= 0
	}
	if most(value, payable) {
		return true
	}
	for id, sum := range byKey(pending, epoch) {
		key, err := r.deps.Chain.Key(ctx, id)
		if err == nil && sum.Cmp(r.leastFavour()) >= 0 && most(sum, key.LeftIn(epoch)) {
			return true
		}
	}
	return false
}

// reaches reports whether the entries of one account reach a value in an epoch.
func (r *Rollup) reaches(entries []ackpool.Entry, value *big.Int) bool {
	for _, sum := range byEpoch(entries) {
		if sum.Cmp(value) >= 0 {
			return true
		}
	}
	return false
}

// byEpoch sums what is pending by epoch.
func byEpoch(entries []ackpool.Entry) map[uint64]*big.Int {
	return sums(entries, func(e *ackpool.Entry) (uint64, bool) { return e.Signed.Epoch, true })
}

// byKey sums what is pending in an epoch by key.
func byKey(entries []ackpool.Entry, epoch uint64) map[uint64]*big.Int {
	return sums(entries, func(e *ackpool.Entry) (uint64, bool) { return e.Signed.KeyID, e.Signed.Epoch == epoch })
}

func sums(entries []ackpool.Entry, of func(*ackpool.Entry) (uint64, bool)) map[uint64]*big.Int {
	all := map[uint64]*big.Int{}
	for i := range entries {
		id, counts := of(&entries[i])
		if !counts {
			continue
		}
		if all[id] == nil {
			all[id] = new(big.Int)
		}
		all[id].Add(all[id], entries[i].Pending)
	}
	return all
}
