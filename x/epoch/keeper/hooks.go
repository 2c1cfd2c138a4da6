package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// hooks is what x/epoch hears from x/staking. They run within its EndBlock, where an error would halt the chain. Those that are
// not written out here do nothing: they go to an empty list of hooks.
type hooks struct {
	stakingtypes.MultiStakingHooks

	k *Keeper
}

var _ stakingtypes.StakingHooks = hooks{}

// Hooks returns what x/staking has to call.
func (k *Keeper) Hooks() stakingtypes.StakingHooks { return hooks{k: k} }

// AfterValidatorBeginUnbonding has a validator that is jailed, tombstoned or pushed out leave the committee in the same block:
// x/staking's EndBlock runs before ours. What fails is only logged; our EndBlock then computes the set anew and asks x/staking
// itself who is bonded.
func (h hooks) AfterValidatorBeginUnbonding(goCtx context.Context, _ sdk.ConsAddress, operator sdk.ValAddress) error {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if err := protect(ctx, func(ctx sdk.Context) error { return h.k.leaveAll(ctx, operator) }); err != nil {
		h.k.logger(ctx).Error("leaving was not noted", "operator", operator.String(), "error", err)
		return h.k.changed.Set(ctx, true)
	}
	return nil
}

// AfterValidatorRemoved forgets the beacon key of a validator that is gone, so that nobody can fill the state with the keys of
// validators that come and go. Records of a freeze have their own copy.
func (h hooks) AfterValidatorRemoved(ctx context.Context, _ sdk.ConsAddress, operator sdk.ValAddress) error {
	return h.k.beaconKeys.Remove(ctx, operator)
}
