package keeper

import (
	"bytes"
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// hooks is what x/rewards hears from x/staking: every way of taking stake out of a delegation ends in one of the two about
// delegations, and the lock of an operator is enforced there. Those that are not written out here do nothing: they go to an empty
// list of hooks.
type hooks struct {
	stakingtypes.MultiStakingHooks

	k *Keeper
}

var _ stakingtypes.StakingHooks = hooks{}

// Hooks returns what x/staking has to call.
func (k *Keeper) Hooks() stakingtypes.StakingHooks { return hooks{k: k} }

// AfterDelegationModified enforces the lock on the shares that are left.
func (h hooks) AfterDelegationModified(ctx context.Context, delegator sdk.AccAddress, operator sdk.ValAddress) error {
	if !bytes.Equal(delegator, operator) {
		return nil // only what an operator has delegated to himself can be locked
	}
	return h.k.enforce(ctx, operator, func(ctx context.Context) (math.LegacyDec, error) {
		delegation, err := h.k.stakingKeeper.GetDelegation(ctx, delegator, operator)
		return delegation.Shares, err
	})
}

// BeforeDelegationRemoved enforces the lock when no share is left.
func (h hooks) BeforeDelegationRemoved(ctx context.Context, delegator sdk.AccAddress, operator sdk.ValAddress) error {
	if !bytes.Equal(delegator, operator) {
		return nil
	}
	return h.k.enforce(ctx, operator, func(context.Context) (math.LegacyDec, error) { return math.LegacyZeroDec(), nil })
}

// AfterValidatorRemoved forgets the lock of a validator that is gone. It can run in x/staking's EndBlock, where only a failing
// store returns an error.
func (h hooks) AfterValidatorRemoved(ctx context.Context, _ sdk.ConsAddress, operator sdk.ValAddress) error {
	lock, err := h.k.locks.Get(ctx, operator)
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return h.k.removeLock(ctx, operator, lock)
}
