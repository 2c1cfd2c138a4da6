package keeper

import (
	"context"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// hooks is what x/node hears from x/staking. They run within its EndBlock, where an error would halt the chain: only a failing
// store returns one.
type hooks struct{ k *Keeper }

var _ stakingtypes.StakingHooks = hooks{}

// Hooks returns what x/staking has to call.
func (k *Keeper) Hooks() stakingtypes.StakingHooks { return hooks{k} }

// AfterValidatorRemoved forgets the node of a validator that is gone, so that nobody can fill the state with the nodes of
// validators that come and go. Whoever makes the validator anew opts in for the first time, and waits. Workers stay: they settle
// what they hold, and their operator gets the deposits back.
func (h hooks) AfterValidatorRemoved(ctx context.Context, _ sdk.ConsAddress, operator sdk.ValAddress) error {
	return h.k.Nodes.Remove(ctx, operator)
}

// AfterValidatorCreated does nothing.
func (hooks) AfterValidatorCreated(context.Context, sdk.ValAddress) error { return nil }

// BeforeValidatorModified does nothing.
func (hooks) BeforeValidatorModified(context.Context, sdk.ValAddress) error { return nil }

// AfterValidatorConsKeyUpdated does nothing: operators are known by their address.
func (hooks) AfterValidatorConsKeyUpdated(context.Context, sdk.ConsAddress, sdk.ConsAddress, sdk.ValAddress) error {
	return nil
}

// AfterValidatorBonded does nothing: participation is what an operator says.
func (hooks) AfterValidatorBonded(context.Context, sdk.ConsAddress, sdk.ValAddress) error { return nil }

// AfterValidatorBeginUnbonding does nothing: who is jailed or pushed out can come back.
func (hooks) AfterValidatorBeginUnbonding(context.Context, sdk.ConsAddress, sdk.ValAddress) error {
	return nil
}

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

// BeforeValidatorSlashed does nothing.
func (hooks) BeforeValidatorSlashed(context.Context, sdk.ValAddress, math.LegacyDec) error {
	return nil
}

// AfterUnbondingInitiated does nothing.
func (hooks) AfterUnbondingInitiated(context.Context, uint64) error { return nil }
