package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/rewards/types"
)

// booked returns what the books say is in the module's account: the money of epochs that are being paid and what is set aside,
// in units of the settlement coin.
func (k *Keeper) booked(ctx context.Context) (math.Int, error) {
	held := math.ZeroInt()
	err := k.summaries.Walk(ctx, nil, func(_ uint64, s types.EpochSummary) (bool, error) {
		held = held.Add(s.Held())
		return false, nil
	})
	return held, err
}

// CheckInvariants reads the whole state and returns ErrBooks if the books do not add up: the module's account holds exactly
// what is not paid yet, every summary adds up to what was debited, and the index lists the payouts that are set aside. It is
// unbounded and meant for tests and simulations.
func (k *Keeper) CheckInvariants(ctx context.Context) error {
	denom, err := k.dackKeeper.SettlementDenom(ctx)
	if err != nil {
		return err
	}
	held, err := k.booked(ctx)
	if err != nil {
		return err
	}
	if balance := k.bankKeeper.GetBalance(ctx, k.account, denom).Amount; !balance.Equal(held) {
		return errorsmod.Wrapf(types.ErrBooks, "the account holds %s, the books say %s", balance, held)
	}
	g, err := k.ExportGenesis(ctx)
	if err != nil {
		return err
	}
	if err := g.Validate(); err != nil {
		return err
	}
	listed := 0
	for _, p := range g.Payouts {
		has, err := k.setAside.Has(ctx, keyOf(p.Epoch, p.Kind, p.Id))
		if err != nil {
			return err
		}
		if has != p.SetAside {
			return errorsmod.Wrapf(types.ErrBooks, "epoch %d kind %s id %d: listed as set aside %t, is %t", p.Epoch, p.Kind, p.Id, has, p.SetAside)
		}
		if has {
			listed++
		}
	}
	keys := 0
	err = k.setAside.Walk(ctx, nil, func(payoutKey) (bool, error) { keys++; return false, nil })
	if err != nil {
		return err
	}
	if keys != listed {
		return errorsmod.Wrapf(types.ErrBooks, "%d payouts are listed as set aside, %d are", keys, listed)
	}
	return nil
}
