package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/dack/types"
)

// addTotals adds a change, whose parts can be negative, to the module's books. Whoever moves money calls it in the same
// breath: setAccount, addRevenue and CollectRevenue do.
func (k *Keeper) addTotals(ctx context.Context, change types.Totals) error {
	if change.IsZero() {
		return nil
	}
	return k.addDelta(ctx, delta{totals: change})
}

// applyTotals adds a change to the record of the totals. It returns ErrInvariant if a part would become negative.
func (k *Keeper) applyTotals(ctx context.Context, change types.Totals) error {
	if change.IsZero() {
		return nil
	}
	old, err := k.storedTotals(ctx)
	if err != nil {
		return err
	}
	sum := old.Add(change)
	if err := sum.Validate(); err != nil {
		return err
	}
	return k.totals.Set(ctx, sum)
}

// storedTotals is the record of the totals, as the last fold has left it.
func (k *Keeper) storedTotals(ctx context.Context) (types.Totals, error) {
	totals, err := k.totals.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return types.NewTotals(), nil
	}
	return totals, err
}

// Totals returns the module's books, maintained with every change: balances, pending withdrawals, open revenue and service
// deposits in units of the settlement coin. Transactions must not call it: it depends on all that ran before in the block.
func (k *Keeper) Totals(ctx context.Context) (types.Totals, error) {
	totals, err := k.storedTotals(ctx)
	if err != nil {
		return types.Totals{}, err
	}
	sum, err := deltas(k.objects(ctx))
	return totals.Add(sum.totals), err
}

// Held is what the module's account holds in units of the settlement coin. It equals the sum of Totals.
func (k *Keeper) Held(ctx context.Context) (math.Int, error) {
	denom, err := k.SettlementDenom(ctx)
	if err != nil {
		return math.Int{}, err
	}
	return k.bank.GetBalance(ctx, k.module, denom).Amount, nil
}

// initTotals takes purses that a genesis state has put into the object store over into their pages, and begins the books with
// what the state says.
func (k *Keeper) initTotals(ctx context.Context) error {
	if _, err := k.fold(ctx); err != nil {
		return err
	}
	totals, err := k.walkTotals(ctx)
	if err != nil {
		return err
	}
	return k.totals.Set(ctx, totals)
}

// walkTotals sums the books up by walking the whole state. For genesis files, tests and simulations.
func (k *Keeper) walkTotals(ctx context.Context) (types.Totals, error) {
	sum := types.NewTotals()
	if err := k.walkPurses(ctx, func(p types.Purse) error {
		sum.Balances = sum.Balances.Add(p.Balance)
		sum.Pending = sum.Pending.Add(p.Pending())
		return nil
	}); err != nil {
		return sum, err
	}
	if err := k.revenue.Walk(ctx, nil, func(_ revenueKey, r types.WorkerRevenue) (bool, error) {
		sum.OpenRevenue = sum.OpenRevenue.Add(r.Revenue.Amount)
		return false, nil
	}); err != nil {
		return sum, err
	}
	if err := k.epochTotals.Walk(ctx, nil, func(_ uint64, t types.EpochRevenue) (bool, error) {
		if !t.Collected {
			sum.OpenRevenue = sum.OpenRevenue.Add(t.Revenue.Amount)
		}
		return false, nil
	}); err != nil {
		return sum, err
	}
	err := k.services.Walk(ctx, nil, func(_ uint64, s types.Service) (bool, error) {
		if !s.Deposit.IsNil() {
			sum.ServiceDeposits = sum.ServiceDeposits.Add(s.Deposit)
		}
		return false, nil
	})
	return sum, err
}
