package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	"github.com/edgechain/edge/x/node/types"
)

// setParams stores changed parameters, or returns types.ErrParams.
func (k *Keeper) setParams(ctx context.Context, params types.Params) error {
	if err := params.Validate(); err != nil {
		return err
	}
	// Asked of changes only: when governance replaces the staking coin, the parameters here lag behind, and a chain that
	// runs like that must be able to start again from its own export.
	denom, err := k.stakingKeeper.BondDenom(ctx)
	if err != nil {
		return err
	}
	if params.WorkerDeposit.Denom != denom {
		return errorsmod.Wrapf(types.ErrParams, "worker_deposit in %s, want the staking coin %s", params.WorkerDeposit.Denom, denom)
	}
	return k.Params.Set(ctx, params)
}
