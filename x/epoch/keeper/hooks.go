package keeper

import (
	"context"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// hooks is what x/epoch hears from x/staking. They run within its EndBlock, where an error would halt the chain.
type hooks struct{ k *Keeper }

var _ stakingtypes.StakingHooks = hooks{}

// Hooks returns what x/staking has to call.
func (k *Keeper) Hooks() stakingtypes.StakingHooks { return hooks{k} }

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

// AfterValidatorCreated does nothing.
func (hooks) AfterValidatorCreated(context.Context, sdk.ValAddress) error { return nil }

// BeforeValidatorModified does nothing.
func (hooks) BeforeValidatorModified(context.Context, sdk.ValAddress) error { return nil }

// AfterValidatorConsKeyUpdated does nothing: operators are known by their address.
func (hooks) AfterValidatorConsKeyUpdated(context.Context, sdk.ConsAddress, sdk.ConsAddress, sdk.ValAddress) error {
	return nil
}

// AfterValidatorBonded does nothing: who left stays out until the next election.
func (hooks) AfterValidatorBonded(context.Context, sdk.ConsAddress, sdk.ValAddress) error { return nil }

// BeforeDelegationCreated does nothing.
func (hooks) BeforeDelegationCreated(context.Context, sdk.AccAddress, sdk.ValAddress) error {
	return nil
}

// BeforeDelegationSharesModified does nothing.
func (hooks) BeforeDelegationSharesModified(context.Context, sdk.AccAddress, sdk.ValAddress) error {
	return nil
}

// BeforeDelegationRemoved does nothing.
func (hooks) BeforeDelegationRemoved(context.Context, sdk.AccAddress, sdk.ValAddress) error {
	return nil
}

// AfterDelegationModified does nothing.
func (hooks) AfterDelegationModified(context.Context, sdk.AccAddress, sdk.ValAddress) error {
	return nil
}

// BeforeValidatorSlashed does nothing: seats keep the stake of their freeze.
func (hooks) BeforeValidatorSlashed(context.Context, sdk.ValAddress, math.LegacyDec) error {
	return nil
}

// AfterUnbondingInitiated does nothing.
func (hooks) AfterUnbondingInitiated(context.Context, uint64) error { return nil }
