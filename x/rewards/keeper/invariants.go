package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	"github.com/edgechain/edge/x/rewards/types"
)

// CheckInvariants reads the whole state and returns ErrBooks if the books do not add up: the module's account holds exactly
// what is not paid yet, every summary adds up to what was debited, and the index lists the payouts that are set aside. It is
// unbounded and meant for tests and simulations.
func (k *Keeper) CheckInvariants(ctx context.Context) error {
	g, err := k.ExportGenesis(ctx)
	if err != nil {
		return err
	}
	if err := g.Validate(); err != nil {
		return err
	}
	held, err := k.Held(ctx)
	if err != nil {
		return err
	}
	if books := g.Held(); !held.Equal(books) {
		return errorsmod.Wrapf(types.ErrBooks, "kept are the sums %s, the books say %s", held, books)
	}
	if err := k.checkFunds(ctx, held); err != nil {
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
