package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	"github.com/edgechain/edge/x/node/types"
)

// setParams stores parameters, or returns types.ErrParams.
func (k *Keeper) setParams(ctx context.Context, params types.Params) error {
	if err := params.Validate(); err != nil {
		return err
	}
	denom, err := k.stakingKeeper.BondDenom(ctx)
	if err != nil {
		return err
	}
	if params.WorkerDeposit.Denom != denom {
		return errorsmod.Wrapf(types.ErrParams, "worker_deposit in %s, want the staking coin %s", params.WorkerDeposit.Denom, denom)
	}
	return k.Params.Set(ctx, params)
}
