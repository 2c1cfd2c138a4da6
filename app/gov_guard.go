package app

import (
	"context"
	"errors"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// ErrNoStake refuses the vote of somebody without stake.
var ErrNoStake = errorsmod.Register(Name, 5, "no stake to vote with")

// voters is what x/gov asks about every vote, whatever version of its service it comes through, and by x/authz too. A vote
// without stake counts nothing, but the tally in EndBlock would look it up all the same, at no one's cost.
type voters struct {
	govtypes.MultiGovHooks

	stake stakeGuard
}

var _ govtypes.GovHooks = voters{}

// AfterProposalVote returns ErrNoStake unless the voter runs a validator that is bonded, who votes with what others delegated to
// it, or has delegated the least stake, to one validator or to several together. It looks at no more delegations than needed.
func (v voters) AfterProposalVote(ctx context.Context, _ uint64, voter sdk.AccAddress) error {
	least, err := v.stake.least(ctx)
	if err != nil || !least.IsPositive() {
		return err
	}
	own, err := v.stake.staking.GetValidator(ctx, sdk.ValAddress(voter))
	if err != nil && !errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		return err
	}
	if err == nil && own.IsBonded() {
		return nil
	}
	has, err := v.delegated(ctx, voter, least)
	if err != nil {
		return err
	}
	if has.Ceil().TruncateInt().LT(least) {
		return errorsmod.Wrapf(ErrNoStake, "%s has delegated %suedge, want at least %s", voter, has.TruncateInt(), least)
	}
	return nil
}

// delegated returns what an account has delegated in uedge, or a part of it that is enough.
func (v voters) delegated(ctx context.Context, delegator sdk.AccAddress, enough math.Int) (math.LegacyDec, error) {
	sum, inner := math.LegacyZeroDec(), error(nil)
	err := v.stake.staking.IterateDelegatorDelegations(ctx, delegator, func(d stakingtypes.Delegation) (stop bool) {
		operator, err := sdk.ValAddressFromBech32(d.ValidatorAddress)
		if err != nil {
			inner = err
			return true
		}
		validator, err := v.stake.staking.GetValidator(ctx, operator)
		if err != nil {
			inner = err
			return true
		}
		sum = sum.Add(validator.TokensFromShares(d.Shares))
		return sum.GTE(math.LegacyNewDecFromInt(enough))
	})
	return sum, errors.Join(err, inner)
}
