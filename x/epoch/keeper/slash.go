package keeper

import (
	"context"
	"errors"
	stdmath "math"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/epoch/types"
)

// Slasher is the keeper of x/staking as x/slashing gets it. x/slashing names a fault by the power that CometBFT saw, which is a
// number of seats, and by a height that may be long after the election in which the stake behind those seats was counted. The
// Slasher puts the stake and the height of that freeze in their place, so that whoever took stake out after the freeze loses
// the same part of it as those who stayed. All other methods are those of x/staking.
type Slasher struct {
	*stakingkeeper.Keeper
	epochs *Keeper
}

// Slasher wraps the keeper of x/staking.
func (k *Keeper) Slasher(sk *stakingkeeper.Keeper) *Slasher { return &Slasher{Keeper: sk, epochs: k} }

// SlashWithInfractionReason is Slash; x/staking does not use the reason.
func (s *Slasher) SlashWithInfractionReason(
	ctx context.Context, consAddr sdk.ConsAddress, distributionHeight, power int64, fraction math.LegacyDec, _ stakingtypes.Infraction,
) (math.Int, error) {
	return s.Slash(ctx, consAddr, distributionHeight, power, fraction)
}

// Slash burns a fraction, in 0 to 1, of the stake that stood behind the seats of a member, and returns how much of it came from
// the validator's own tokens, in uedge. consAddr is the present consensus address. distributionHeight is one less than the
// height of the fault, and negative for faults at the beginning of a chain.
//
// It is called in BeginBlock, where an error halts the chain: a validator that is unknown or unbonded loses nothing and is logged,
// and one that was not in the set of that height, which cannot happen, is slashed by its present tokens.
func (s *Slasher) Slash(
	goCtx context.Context, consAddr sdk.ConsAddress, distributionHeight, power int64, fraction math.LegacyDec,
) (math.Int, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	logger := s.epochs.logger(ctx)
	validator, err := s.GetValidatorByConsAddr(ctx, consAddr)
	if errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		logger.Error("nothing slashed: no such validator", "validator", consAddr.String(), "distribution_height", distributionHeight)
		return math.ZeroInt(), nil
	}
	if err != nil {
		return math.ZeroInt(), err
	}
	if validator.IsUnbonded() {
		logger.Error("nothing slashed: the validator is unbonded", "operator", validator.OperatorAddress, "distribution_height", distributionHeight)
		return math.ZeroInt(), nil
	}
	address, operator, err := s.epochs.operator(validator.OperatorAddress)
	if err != nil {
		return math.ZeroInt(), err
	}
	member, found, err := s.epochs.memberAt(ctx, distributionHeight+sdk.ValidatorUpdateDelay, operator)
	if err != nil {
		return math.ZeroInt(), err
	}
	tokens, height := member.Tokens, member.FreezeHeight+1
	if !found {
		logger.Error("slashed by the present tokens: the validator is in no set of this height",
			"operator", operator, "distribution_height", distributionHeight, "power", power)
		tokens, height = validator.Tokens, distributionHeight
	}
	// x/staking refuses a height in the future, and looks for stake that left only below the present height.
	burned := math.ZeroInt()
	err = s.keepDestinations(ctx, address, func() (err error) {
		burned, err = s.Keeper.Slash(ctx, consAddr, min(height, ctx.BlockHeight()), stakingPower(tokens, s.PowerReduction(ctx)), fraction)
		return err
	})
	return burned, err
}

// stakingPower is the power that x/staking turns back into tokens; what is beyond its range counts as the largest.
func stakingPower(tokens, reduction math.Int) int64 {
	power := tokens.Quo(reduction)
	if !power.IsInt64() {
		return stdmath.MaxInt64
	}
	return power.Int64()
}

// memberAt returns a member of the set that was in force at a height, by the canonical text of its operator's address.
func (k *Keeper) memberAt(ctx context.Context, height int64, operator string) (types.Member, bool, error) {
	set, err := k.setAt(ctx, height)
	if errors.Is(err, collections.ErrNotFound) {
		// Older than what is kept, or before the first block: the oldest set is the nearest.
		set, err = first(ctx, k.validatorSets, collections.OrderAscending)
	}
	if errors.Is(err, collections.ErrNotFound) {
		return types.Member{}, false, nil
	}
	if err != nil {
		return types.Member{}, false, err
	}
	m, found := memberOf(set, operator)
	return m, found, nil
}

// memberOf finds a member of a set by the address of its operator.
func memberOf(set types.ValidatorSet, operator string) (types.Member, bool) {
	for _, m := range set.Members {
		if m.Operator == operator {
			return m, true
		}
	}
	return types.Member{}, false
}

// setAt returns the set that is in force at a height, or collections.ErrNotFound if it is not kept.
func (k *Keeper) setAt(ctx context.Context, height int64) (set types.ValidatorSet, err error) {
	err = collections.ErrNotFound
	rng := new(collections.Range[int64]).EndInclusive(height).Descending()
	walk := k.validatorSets.Walk(ctx, rng, func(_ int64, got types.ValidatorSet) (bool, error) {
		set, err = got, nil
		return true, nil
	})
	if walk != nil {
		return set, walk
	}
	return set, err
}
