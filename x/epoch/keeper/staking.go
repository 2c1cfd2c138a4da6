package keeper

import (
	"context"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// StakingKeeper is what x/epoch needs of x/staking.
type StakingKeeper interface {
	// GetValidator returns stakingtypes.ErrNoValidatorFound if there is none.
	GetValidator(ctx context.Context, operator sdk.ValAddress) (stakingtypes.Validator, error)
	// GetBondedValidatorsByPower returns at most max_validators bonded validators, the largest first.
	GetBondedValidatorsByPower(ctx context.Context) ([]stakingtypes.Validator, error)
	// PendingConsKeyRotations returns the rotations that x/staking has announced and not yet applied.
	PendingConsKeyRotations(ctx context.Context) (stakingkeeper.PendingRotations, error)
	// UnbondingTime is the time that undelegated stake stays slashable.
	UnbondingTime(ctx context.Context) (time.Duration, error)
	// GetUnbondingDelegation and GetRedelegations list what a delegator is taking out; for queries.
	GetUnbondingDelegation(ctx context.Context, delegator sdk.AccAddress, operator sdk.ValAddress) (stakingtypes.UnbondingDelegation, error)
	GetRedelegations(ctx context.Context, delegator sdk.AccAddress, maxRetrieve uint16) ([]stakingtypes.Redelegation, error)
}
