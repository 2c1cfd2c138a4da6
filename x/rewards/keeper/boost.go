package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/rewards/types"
)

// BeginBlock computes the boosts of an epoch in its first block. It runs before every other BeginBlocker, so that it sees the state
// at the end of the block that opened the epoch: nothing that is done within the epoch, no slash either, can change its boosts.
//
// It is tried once for each epoch and never returns an error: if it fails, no node has a boost in the epoch.
func (k *Keeper) BeginBlock(goCtx context.Context) error {
	ctx := sdk.UnwrapSDKContext(goCtx)
	current, due, err := k.boostsDue(ctx)
	if err == nil && !due {
		return nil
	}
	if err == nil {
		err = k.boostedEpoch.Set(ctx, current)
	}
	if err == nil {
		err = protect(ctx, func(ctx sdk.Context) error { return k.computeBoosts(ctx, current) })
	}
	if err != nil {
		k.logger(ctx).Error("no boosts were computed", "epoch", current, "error", err)
	}
	return nil
}

// boostsDue returns the open epoch and whether its boosts have not been computed yet.
func (k *Keeper) boostsDue(ctx sdk.Context) (current uint64, due bool, err error) {
	if current, err = k.epochKeeper.CurrentNumber(ctx); err != nil {
		return 0, false, err
	}
	boosted, err := k.boostedEpoch.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return current, true, nil
	}
	return current, boosted < current, err
}

// computeBoosts stores the boosts of the bonded validators that have a lock. There are at most max_validators of them.
func (k *Keeper) computeBoosts(ctx sdk.Context, epoch uint64) error {
	terms, err := k.Terms(ctx, epoch)
	if err != nil {
		return err
	}
	validators, err := k.stakingKeeper.GetBondedValidatorsByPower(ctx)
	if err != nil {
		return err
	}
	nodes := uint32(0)
	for _, v := range validators {
		operator, err := k.validatorCodec.StringToBytes(v.OperatorAddress)
		if err != nil {
			return err
		}
		lock, err := k.locks.Get(ctx, operator)
		if errors.Is(err, collections.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		boost := boostOf(lock, v, epoch, terms)
		if boost.LTE(math.LegacyOneDec()) {
			continue
		}
		if err := k.boosts.Set(ctx, collections.Join(epoch, operator), types.Boost{Epoch: epoch, Operator: lock.Operator, Boost: boost}); err != nil {
			return err
		}
		nodes++
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventBoostsComputed{Epoch: epoch, Nodes: nodes})
}

// boostOf returns the boost of a validator in an epoch that opens now.
func boostOf(lock types.StakeLock, v stakingtypes.Validator, epoch uint64, terms types.EmissionTerms) math.LegacyDec {
	if !v.IsBonded() || !v.DelegatorShares.IsPositive() || !v.Tokens.IsPositive() {
		return math.LegacyOneDec()
	}
	return types.BoostOf(v.TokensFromSharesTruncated(lock.Shares).TruncateInt(), v.Tokens, lock.Remaining(epoch), terms)
}

// boost returns what the lock of a node was worth when the epoch opened, 1 if it had none or was not bonded.
func (k *Keeper) boost(ctx context.Context, epoch uint64, operator sdk.ValAddress) (math.LegacyDec, error) {
	b, err := k.boosts.Get(ctx, collections.Join(epoch, []byte(operator)))
	if errors.Is(err, collections.ErrNotFound) {
		return math.LegacyOneDec(), nil
	}
	return b.Boost, err
}

// pruneBoosts removes boosts of epochs before the given one, visiting at most limit. Those of an epoch that is not paid stay: its
// payment can be retried at any time.
func (k *Keeper) pruneBoosts(ctx sdk.Context, before uint64, limit uint32) error {
	for from := uint64(0); limit > 0; limit-- {
		epoch, found, err := k.nextBoosted(ctx, from, before)
		if err != nil || !found {
			return err
		}
		from = epoch + 1
		s, err := k.summaries.Get(ctx, epoch)
		if err != nil && !errors.Is(err, collections.ErrNotFound) {
			return err
		}
		if err != nil || !s.Done {
			continue
		}
		removed, err := k.removeBoosts(ctx, epoch, limit)
		if err != nil {
			return err
		}
		limit -= removed - 1
	}
	return nil
}

// nextBoosted returns the first epoch that has boosts, from one on and before another one.
func (k *Keeper) nextBoosted(ctx sdk.Context, from, before uint64) (epoch uint64, found bool, err error) {
	rng := new(collections.Range[boostKey]).
		StartInclusive(collections.PairPrefix[uint64, []byte](from)).
		EndExclusive(collections.PairPrefix[uint64, []byte](before))
	err = k.boosts.Walk(ctx, rng, func(key boostKey, _ types.Boost) (bool, error) {
		epoch, found = key.K1(), true
		return true, nil
	})
	return epoch, found, err
}

// removeBoosts removes boosts of an epoch that has some, at most limit, and returns how many.
func (k *Keeper) removeBoosts(ctx sdk.Context, epoch uint64, limit uint32) (uint32, error) {
	var keys []boostKey
	err := k.boosts.Walk(ctx, collections.NewPrefixedPairRange[uint64, []byte](epoch), func(key boostKey, _ types.Boost) (bool, error) {
		keys = append(keys, key)
		return uint64(len(keys)) >= uint64(limit), nil
	})
	if err != nil {
		return 0, err
	}
	for _, key := range keys {
		if err := k.boosts.Remove(ctx, key); err != nil {
			return 0, err
		}
	}
	return uint32(len(keys)), nil
}
