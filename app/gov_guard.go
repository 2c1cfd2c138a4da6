package app

import (
	"context"
	"errors"
	stdmath "math"
	"time"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

var (
	// ErrNoStake refuses the vote of somebody without stake.
	ErrNoStake = errorsmod.Register(Name, 5, "no stake to vote with")
	// ErrNoDeposit refuses a deposit that a proposal does not need, or that would split what it needs into too many.
	ErrNoDeposit = errorsmod.Register(Name, 6, "deposit not taken")
	// ErrVotesTooClose refuses to begin a vote that would end together with another one.
	ErrVotesTooClose = errorsmod.Register(Name, 7, "another vote ends at about the same time")
)

const (
	// maxDepositors is how many accounts can pay the deposit of a proposal, each of which x/gov pays back in the same EndBlock.
	maxDepositors = 10
	// voteGap is the least time between the ends of two votes. All votes that end in a block are tallied in it, and the same stake can
	// vote on each of them.
	voteGap = time.Minute
	// votingParts is how many parts of all bonded stake there are of which a voter needs one. However much stake there is, who has a
	// tenth of it makes no more than 20,000 votes.
	votingParts = 200_000
	// talliedDelegations is how many delegations of a voter a tally looks at. The validators of all further ones vote with them.
	talliedDelegations = 16
)

// govGuard is what x/gov asks about every deposit and every vote, whatever version of its service they come through, and by x/authz
// too. It bounds what x/gov does in EndBlock at no one's cost (docs/adr/014). On a chain for development it takes everything.
type govGuard struct {
	govtypes.MultiGovHooks

	gov   *govkeeper.Keeper
	stake stakeGuard
}

var _ govtypes.GovHooks = govGuard{}

// AfterProposalDeposit returns ErrNoDeposit for the deposit of somebody without whom the proposal has enough, or whose deposits on
// it are less than a tenth of what it needs; and ErrVotesTooClose if the deposit begins a vote which would end within a minute of
// another one. x/gov has added the deposit to the proposal by then, and begun the vote, but not kept it as the depositor's.
func (g govGuard) AfterProposalDeposit(ctx context.Context, id uint64, depositor sdk.AccAddress) error {
	least, err := g.stake.least(ctx)
	if err != nil || !least.IsPositive() {
		return err
	}
	proposal, err := g.gov.Proposals.Get(ctx, id)
	if err != nil {
		return err
	}
	params, err := g.gov.Params.Get(ctx)
	if err != nil {
		return err
	}
	others := sdk.NewCoins()
	if err := g.gov.IterateDeposits(ctx, id, func(key collections.Pair[uint64, sdk.AccAddress], d govv1.Deposit) (bool, error) {
		if !key.K2().Equals(depositor) {
			others = others.Add(d.Amount...)
		}
		return false, nil
	}); err != nil {
		return err
	}
	needs := sdk.NewCoins(proposal.GetMinDepositFromParams(params)...)
	if others.IsAllGTE(needs) {
		return errorsmod.Wrapf(ErrNoDeposit, "proposal %d has %s of others and needs %s", id, others, needs)
	}
	whole, negative := sdk.NewCoins(proposal.TotalDeposit...).SafeSub(others...)
	if negative || whole.IsZero() || !whole.MulInt(math.NewInt(maxDepositors)).IsAllGTE(needs) {
		return errorsmod.Wrapf(ErrNoDeposit, "%s of %s on proposal %d, want at least one in %d of %s", whole, depositor, id, maxDepositors, needs)
	}
	return g.checkVoteEnd(ctx, proposal)
}

// checkVoteEnd returns ErrVotesTooClose if the vote on a proposal has begun in this block and would end close to another one.
func (g govGuard) checkVoteEnd(ctx context.Context, proposal govv1.Proposal) error {
	start, end := proposal.VotingStartTime, proposal.VotingEndTime
	if proposal.Status != govv1.StatusVotingPeriod || start == nil || end == nil || !start.Equal(sdk.UnwrapSDKContext(ctx).BlockTime()) {
		return nil
	}
	near := new(collections.Range[collections.Pair[time.Time, uint64]]).
		StartExclusive(collections.Join(end.Add(-voteGap), uint64(stdmath.MaxUint64))).
		EndExclusive(collections.Join(end.Add(voteGap), uint64(0)))
	return g.gov.ActiveProposalsQueue.Walk(ctx, near, func(key collections.Pair[time.Time, uint64], _ uint64) (bool, error) {
		if key.K2() == proposal.Id {
			return false, nil
		}
		return true, errorsmod.Wrapf(ErrVotesTooClose, "that on proposal %d at %s, this one at %s, want %s between them: try again later",
			key.K2(), key.K1().UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339), voteGap)
	})
}

// AfterProposalVote returns ErrNoStake unless there is enough behind the vote: one of votingParts of all that is bonded, and half of the
// least stake, as a slash can have taken some of it. Who runs a bonded validator votes with what others delegated to it, others
// with what they have delegated, to one validator or to several together. It looks at no more delegations than needed. A vote without stake counts nothing,
// but the tally would look it up all the same.
func (g govGuard) AfterProposalVote(ctx context.Context, _ uint64, voter sdk.AccAddress) error {
	least, err := g.stake.least(ctx)
	if err != nil || !least.IsPositive() {
		return err
	}
	bonded, err := g.stake.staking.TotalValidatorPower(ctx)
	if err != nil {
		return err
	}
	least = math.MaxInt(least.QuoRaw(2), bonded.QuoRaw(votingParts))
	own, err := g.stake.staking.GetValidator(ctx, sdk.ValAddress(voter))
	if err != nil && !errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		return err
	}
	if err == nil && own.IsBonded() && own.Tokens.GTE(least) {
		return nil
	}
	has, err := g.delegated(ctx, voter, least)
	if err != nil {
		return err
	}
	if has.Ceil().TruncateInt().LT(least) {
		return errorsmod.Wrapf(ErrNoStake, "%s has delegated %suedge, want at least %s", voter, has.TruncateInt(), least)
	}
	return nil
}

// delegated returns what an account has delegated in uedge, or a part of it that is enough.
func (g govGuard) delegated(ctx context.Context, delegator sdk.AccAddress, enough math.Int) (math.LegacyDec, error) {
	sum, inner := math.LegacyZeroDec(), error(nil)
	err := g.stake.staking.IterateDelegatorDelegations(ctx, delegator, func(d stakingtypes.Delegation) (stop bool) {
		operator, err := sdk.ValAddressFromBech32(d.ValidatorAddress)
		if err != nil {
			inner = err
			return true
		}
		validator, err := g.stake.staking.GetValidator(ctx, operator)
		if err != nil {
			inner = err
			return true
		}
		sum = sum.Add(validator.TokensFromShares(d.Shares))
		return sum.GTE(math.LegacyNewDecFromInt(enough))
	})
	return sum, errors.Join(err, inner)
}

// tallyStake is what a tally asks about stake.
type tallyStake struct{ *stakingkeeper.Keeper }

// IterateDelegations goes through the first delegations of a voter, by the addresses of their validators.
func (t tallyStake) IterateDelegations(
	ctx context.Context, voter sdk.AccAddress, next func(int64, stakingtypes.DelegationI) (stop bool),
) error {
	return t.Keeper.IterateDelegations(ctx, voter, func(i int64, d stakingtypes.DelegationI) bool {
		return next(i, d) || i == talliedDelegations-1
	})
}
