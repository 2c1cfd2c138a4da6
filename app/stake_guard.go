package app

import (
	"context"
	"errors"
	stdmath "math"

	"cosmossdk.io/collections"
	corestore "cosmossdk.io/core/store"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

var (
	// ErrSmallStake refuses to make a delegation, or an entry of stake on its way out, of less than the least there is.
	ErrSmallStake = errorsmod.Register(Name, 3, "stake too small")
	// ErrNoRoom refuses a redelegation from a validator from which as many are under way as a slash can take in a block.
	ErrNoRoom = errorsmod.Register(Name, 4, "too many redelegations under way")
	// ErrCrowded refuses a small delegation to a validator that has as many delegators as a slash can take in a block.
	ErrCrowded = errorsmod.Register(Name, 8, "too many delegators")
)

// A slash in BeginBlock visits every entry of stake that left the validator after the freeze, and a tally in EndBlock every
// delegation of every voter, and neither pays gas for it. What follows bounds how many of them there can be (docs/adr/014).
const (
	// minStake is the least that a delegation is made of, that is left of one, and that an entry of unbonding or redelegation
	// has, in uedge: 10 EDGE. It does not hold on a chain for development.
	minStake = 10_000_000
	// maxRedelegations is how many redelegations, of any delegator to any validator, can be under way from one validator.
	// They are the dearest to slash: each takes shares out of another validator.
	maxRedelegations = 2_000
	// openRedelegations is how many of them may be under way for anybody to begin another one, and for one that there is to get
	// further entries. From there on it takes a larger part of the validator's stake with each one.
	openRedelegations = maxRedelegations / 8
	// largePart of a validator's tokens, one in so many, moves however many are under way, while there is room at all. It is a part
	// of what is left: to fill the second half of the room takes 63 % of the stake, 1 - 1/e.
	largePart = maxRedelegations / 2
	// openDelegators is how many delegators, counted with those whose stake is on its way out, a validator may have for anybody to
	// become another one. From there on the n-th needs (n - openDelegators) / (openDelegators^2 / 2) of the tokens there are: to double
	// the delegators takes e times the stake.
	openDelegators = 4_000
	// maxStakingEntries is how many entries an unbonding or a redelegation may have.
	maxStakingEntries = 7
)

// stakeGuard keeps stake out of portions so small that a slash or a tally could have any number of them to visit. Whoever made a
// delegation can always take all of it out, whatever slashes have left of it.
type stakeGuard struct {
	staking *stakingkeeper.Keeper
	// store is that of x/staking, whose keeper can only read all redelegations of a validator at once.
	store       corestore.KVStoreService
	development func(context.Context) (bool, error)
}

func newStakeGuard(k keepers, key *storetypes.KVStoreKey) stakeGuard {
	return stakeGuard{staking: k.StakingKeeper, store: runtime.NewKVStoreService(key), development: k.EpochKeeper.Development}
}

// least returns the least stake in uedge, 0 if there is none such: for development, and for what a genesis document says.
func (g stakeGuard) least(ctx context.Context) (math.Int, error) {
	development, err := g.development(ctx)
	if errors.Is(err, collections.ErrNotFound) || (err == nil && development) {
		return math.ZeroInt(), nil // genesis transactions run before x/epoch has read its genesis
	}
	return math.NewInt(minStake), err
}

// delegated returns what a delegation is worth in uedge, with the fraction of one that a slash can leave; 0 if there is none.
func (g stakeGuard) delegated(ctx context.Context, delegator, operator string) (math.LegacyDec, error) {
	from, err := sdk.AccAddressFromBech32(delegator)
	if err != nil {
		return math.LegacyDec{}, err
	}
	to, err := sdk.ValAddressFromBech32(operator)
	if err != nil {
		return math.LegacyDec{}, err
	}
	delegation, err := g.staking.GetDelegation(ctx, from, to)
	if errors.Is(err, stakingtypes.ErrNoDelegation) {
		return math.LegacyZeroDec(), nil
	}
	if err != nil {
		return math.LegacyDec{}, err
	}
	validator, err := g.staking.GetValidator(ctx, to)
	if err != nil {
		return math.LegacyDec{}, err
	}
	return validator.TokensFromShares(delegation.Shares), nil
}

// checkIn returns ErrSmallStake if stake that came in has made less than the least of a delegation.
func (g stakeGuard) checkIn(ctx context.Context, delegator, operator string) error {
	least, err := g.least(ctx)
	if err != nil || !least.IsPositive() {
		return err
	}
	has, err := g.delegated(ctx, delegator, operator)
	if err != nil {
		return err
	}
	// Rounded up: shares of exactly the least can be worth a fraction of a unit less.
	if has.Ceil().TruncateInt().LT(least) {
		return errorsmod.Wrapf(ErrSmallStake, "%s would have %suedge with %s, want at least %s", delegator, has.TruncateInt(), operator, least)
	}
	return nil
}

// checkOut returns ErrSmallStake if stake that went out was less than the least, or has left less of a delegation, unless all of
// it went. What is worth less than a unit is nothing: x/staking cannot take it out.
func (g stakeGuard) checkOut(ctx context.Context, delegator, operator string, amount math.Int) error {
	least, err := g.least(ctx)
	if err != nil || !least.IsPositive() {
		return err
	}
	left, err := g.delegated(ctx, delegator, operator)
	if err != nil || left.LT(math.LegacyOneDec()) {
		return err
	}
	if amount.LT(least) {
		return errorsmod.Wrapf(ErrSmallStake, "%suedge, want all of the delegation or at least %s", amount, least)
	}
	if left.Ceil().TruncateInt().LT(least) {
		return errorsmod.Wrapf(ErrSmallStake, "%s would have %suedge left with %s, want nothing or at least %s",
			delegator, left.TruncateInt(), operator, least)
	}
	return nil
}

// checkCancelled returns ErrSmallStake if less than the least is left of an unbonding that was cancelled in part, or less came of
// it.
func (g stakeGuard) checkCancelled(ctx context.Context, msg *stakingtypes.MsgCancelUnbondingDelegation) error {
	least, err := g.least(ctx)
	if err != nil || !least.IsPositive() {
		return err
	}
	delegator, err := sdk.AccAddressFromBech32(msg.DelegatorAddress)
	if err != nil {
		return err
	}
	operator, err := sdk.ValAddressFromBech32(msg.ValidatorAddress)
	if err != nil {
		return err
	}
	unbonding, err := g.staking.GetUnbondingDelegation(ctx, delegator, operator)
	if errors.Is(err, stakingtypes.ErrNoUnbondingDelegation) {
		return nil // all of it was cancelled, and it was the last one
	}
	if err != nil {
		return err
	}
	for _, entry := range unbonding.Entries {
		if entry.CreationHeight != msg.CreationHeight {
			continue
		}
		if entry.Balance.LT(least) {
			return errorsmod.Wrapf(ErrSmallStake, "%suedge would be left of the unbonding, want nothing or at least %s", entry.Balance, least)
		}
		return g.checkIn(ctx, msg.DelegatorAddress, msg.ValidatorAddress)
	}
	return nil
}

// checkRoom returns ErrNoRoom if there is no room for a redelegation. What is wrong with it otherwise is left to x/staking.
func (g stakeGuard) checkRoom(ctx context.Context, msg *stakingtypes.MsgBeginRedelegate) error {
	delegator, errDelegator := sdk.AccAddressFromBech32(msg.DelegatorAddress)
	source, errSource := sdk.ValAddressFromBech32(msg.ValidatorSrcAddress)
	destination, errDestination := sdk.ValAddressFromBech32(msg.ValidatorDstAddress)
	if errors.Join(errDelegator, errSource, errDestination) != nil || msg.Amount.Amount.IsNil() {
		return nil //nolint:nilerr // x/staking refuses it
	}
	validator, err := g.staking.GetValidator(ctx, source)
	if errors.Is(err, stakingtypes.ErrNoValidatorFound) || (err == nil && validator.IsUnbonded()) {
		return nil // stake of a validator that is unbonded moves at once
	}
	if err != nil {
		return err
	}
	underWay, err := g.redelegations(ctx, source)
	if err != nil || underWay < openRedelegations {
		return err
	}
	least := largeStake(validator.Tokens, min(underWay, maxRedelegations/2)-openRedelegations, (maxRedelegations/2-openRedelegations)*largePart)
	_, err = g.staking.GetRedelegation(ctx, delegator, source, destination)
	switch {
	case err == nil:
		return errorsmod.Wrapf(ErrNoRoom, "%s has one from %s to %s; want none, as there are %d from that validator, or undelegate",
			msg.DelegatorAddress, msg.ValidatorSrcAddress, msg.ValidatorDstAddress, underWay)
	case !errors.Is(err, stakingtypes.ErrNoRedelegation):
		return err
	case underWay >= maxRedelegations:
		return errorsmod.Wrapf(ErrNoRoom, "%d from %s, at most %d; undelegate instead", underWay, msg.ValidatorSrcAddress, maxRedelegations)
	case msg.Amount.Amount.LT(least):
		return errorsmod.Wrapf(ErrNoRoom, "%d from %s, where only %suedge and more can still move; undelegate instead",
			underWay, msg.ValidatorSrcAddress, least)
	}
	return nil
}

// largeStake returns the part over/parts of a validator's tokens.
func largeStake(tokens math.Int, over, parts int) math.Int {
	return tokens.MulRaw(int64(over)).QuoRaw(int64(parts))
}

// checkCrowd returns ErrCrowded if stake would make another delegator of a validator that has too many for as little as that. Whoever
// is one, or has stake on its way out, may always add to it: a slash visits no more for it. What is wrong with it otherwise is
// left to x/staking.
func (g stakeGuard) checkCrowd(ctx context.Context, delegator, operator string, amount math.Int) error {
	least, err := g.least(ctx)
	if err != nil || !least.IsPositive() {
		return err
	}
	from, errFrom := sdk.AccAddressFromBech32(delegator)
	to, errTo := sdk.ValAddressFromBech32(operator)
	if errors.Join(errFrom, errTo) != nil || amount.IsNil() {
		return nil //nolint:nilerr // x/staking refuses it
	}
	validator, err := g.staking.GetValidator(ctx, to)
	if errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := g.staking.GetDelegation(ctx, from, to); !errors.Is(err, stakingtypes.ErrNoDelegation) {
		return err
	}
	if _, err := g.staking.GetUnbondingDelegation(ctx, from, to); !errors.Is(err, stakingtypes.ErrNoUnbondingDelegation) {
		return err
	}
	has, err := g.delegators(ctx, to)
	if err != nil || has < openDelegators {
		return err
	}
	// The stake of those who are leaving is not among the tokens any more, but each has brought the least.
	tokens := math.MaxInt(validator.Tokens, math.NewInt(minStake).MulRaw(int64(has)))
	if least := largeStake(tokens, has-openDelegators, openDelegators*openDelegators/2); amount.LT(least) {
		return errorsmod.Wrapf(ErrCrowded, "%s has %d, a further one needs %suedge: choose another validator", operator, has, least)
	}
	return nil
}

// delegators counts the delegations to a validator and those that have stake on its way out; who has both counts twice.
func (g stakeGuard) delegators(ctx context.Context, operator sdk.ValAddress) (int, error) {
	in, err := g.count(ctx, stakingtypes.GetDelegationsByValPrefixKey(operator), stdmath.MaxInt)
	if err != nil {
		return 0, err
	}
	out, err := g.count(ctx, stakingtypes.GetUBDsByValIndexKey(operator), stdmath.MaxInt)
	return in + out, err
}

// redelegations counts those under way from a validator, up to as many as there may be.
func (g stakeGuard) redelegations(ctx context.Context, source sdk.ValAddress) (int, error) {
	return g.count(ctx, stakingtypes.GetREDsFromValSrcIndexKey(source), maxRedelegations)
}

// count returns how many keys there are with a prefix, up to a number. It takes about 220 gas for each.
func (g stakeGuard) count(ctx context.Context, prefix []byte, most int) (count int, err error) {
	all, err := g.store.OpenKVStore(ctx).Iterator(prefix, storetypes.PrefixEndBytes(prefix))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, all.Close()) }()
	for ; all.Valid() && count < most; all.Next() {
		count++
	}
	return count, nil
}

// guardedStaking is the service of x/staking with the guards of its parameters and of small stakes.
type guardedStaking struct {
	stakingtypes.MsgServer

	check func(context.Context) error
	stake stakeGuard
}

// UpdateParams implements stakingtypes.MsgServer.
func (s guardedStaking) UpdateParams(ctx context.Context, msg *stakingtypes.MsgUpdateParams) (*stakingtypes.MsgUpdateParamsResponse, error) {
	return guarded(ctx, msg, s.MsgServer.UpdateParams, s.check)
}

// CreateValidator implements stakingtypes.MsgServer.
func (s guardedStaking) CreateValidator(
	ctx context.Context, msg *stakingtypes.MsgCreateValidator,
) (*stakingtypes.MsgCreateValidatorResponse, error) {
	return guarded(ctx, msg, s.MsgServer.CreateValidator, func(ctx context.Context) error {
		operator, err := sdk.ValAddressFromBech32(msg.ValidatorAddress)
		if err != nil {
			return err
		}
		return s.stake.checkIn(ctx, sdk.AccAddress(operator).String(), msg.ValidatorAddress)
	})
}

// Delegate implements stakingtypes.MsgServer.
func (s guardedStaking) Delegate(ctx context.Context, msg *stakingtypes.MsgDelegate) (*stakingtypes.MsgDelegateResponse, error) {
	if err := s.stake.checkCrowd(ctx, msg.DelegatorAddress, msg.ValidatorAddress, msg.Amount.Amount); err != nil {
		return nil, err
	}
	return guarded(ctx, msg, s.MsgServer.Delegate, func(ctx context.Context) error {
		return s.stake.checkIn(ctx, msg.DelegatorAddress, msg.ValidatorAddress)
	})
}

// Undelegate implements stakingtypes.MsgServer.
func (s guardedStaking) Undelegate(ctx context.Context, msg *stakingtypes.MsgUndelegate) (*stakingtypes.MsgUndelegateResponse, error) {
	return guarded(ctx, msg, s.MsgServer.Undelegate, func(ctx context.Context) error {
		return s.stake.checkOut(ctx, msg.DelegatorAddress, msg.ValidatorAddress, msg.Amount.Amount)
	})
}

// BeginRedelegate implements stakingtypes.MsgServer.
func (s guardedStaking) BeginRedelegate(
	ctx context.Context, msg *stakingtypes.MsgBeginRedelegate,
) (*stakingtypes.MsgBeginRedelegateResponse, error) {
	if err := s.stake.checkRoom(ctx, msg); err != nil {
		return nil, err
	}
	if err := s.stake.checkCrowd(ctx, msg.DelegatorAddress, msg.ValidatorDstAddress, msg.Amount.Amount); err != nil {
		return nil, err
	}
	return guarded(ctx, msg, s.MsgServer.BeginRedelegate, func(ctx context.Context) error {
		return s.stake.checkOut(ctx, msg.DelegatorAddress, msg.ValidatorSrcAddress, msg.Amount.Amount)
	})
}

// CancelUnbondingDelegation implements stakingtypes.MsgServer.
func (s guardedStaking) CancelUnbondingDelegation(
	ctx context.Context, msg *stakingtypes.MsgCancelUnbondingDelegation,
) (*stakingtypes.MsgCancelUnbondingDelegationResponse, error) {
	return guarded(ctx, msg, s.MsgServer.CancelUnbondingDelegation, func(ctx context.Context) error {
		return s.stake.checkCancelled(ctx, msg)
	})
}
