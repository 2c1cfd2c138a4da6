package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/rewards/types"
)

// Lock returns the lock of an operator, or ErrLockNotFound if it has none that binds.
func (k *Keeper) Lock(ctx context.Context, operator sdk.ValAddress) (types.StakeLock, error) {
	lock, err := k.locks.Get(ctx, operator)
	if errors.Is(err, collections.ErrNotFound) {
		return types.StakeLock{}, errorsmod.Wrapf(types.ErrLockNotFound, "operator %s", operator)
	}
	if err != nil {
		return types.StakeLock{}, err
	}
	current, err := k.epochKeeper.CurrentNumber(ctx)
	if err != nil {
		return types.StakeLock{}, err
	}
	if !lock.Live(current) {
		return types.StakeLock{}, errorsmod.Wrapf(types.ErrLockNotFound, "operator %s: it ended with epoch %d", operator, lock.EndEpoch-1)
	}
	return lock, nil
}

// LockStake locks an amount of what an operator has delegated to his own validator, in all, for a number of epochs from the next
// one on. A lock that binds already can only grow, in amount and in time. The amount is turned into shares as x/staking does it
// for the same amount when it is taken out, so all that is delegated can be locked.
//
// It returns ErrInvalidLock, or the error of x/staking if the validator or its delegation is not there or too small.
func (k *Keeper) LockStake(ctx context.Context, operator sdk.ValAddress, amount sdk.Coin, epochs uint64) (types.StakeLock, error) {
	if amount.Denom != types.EmissionDenom {
		return types.StakeLock{}, errorsmod.Wrapf(types.ErrInvalidLock, "amount %s, want %s", amount, types.EmissionDenom)
	}
	current, err := k.epochKeeper.CurrentNumber(ctx)
	if err != nil {
		return types.StakeLock{}, err
	}
	params, err := k.params.Get(ctx)
	if err != nil {
		return types.StakeLock{}, err
	}
	old, err := k.Lock(ctx, operator)
	bound := err == nil
	if err != nil && !errors.Is(err, types.ErrLockNotFound) {
		return types.StakeLock{}, err
	}
	longest := params.Emission.MaxLockEpochs
	if bound {
		// A lock can stay as long as it is, also if governance has shortened the longest one since.
		longest = max(longest, old.Remaining(current+1))
	}
	if epochs < 1 || epochs > longest {
		return types.StakeLock{}, errorsmod.Wrapf(types.ErrInvalidLock, "%d epochs, want 1 to %d", epochs, longest)
	}
	shares, err := k.stakingKeeper.ValidateUnbondAmount(ctx, sdk.AccAddress(operator), operator, amount.Amount)
	if err != nil {
		return types.StakeLock{}, err
	}
	text, err := k.validatorCodec.BytesToString(operator)
	if err != nil {
		return types.StakeLock{}, err
	}
	lock := types.StakeLock{Operator: text, Shares: shares, EndEpoch: types.LockEnd(current, epochs)}
	if bound {
		if lock, err = k.raised(ctx, operator, old, lock, amount.Amount); err != nil {
			return types.StakeLock{}, err
		}
	}
	if !lock.Shares.IsPositive() {
		return types.StakeLock{}, errorsmod.Wrapf(types.ErrInvalidLock, "%s is not a share", amount)
	}
	return lock, k.setLock(ctx, operator, lock)
}

// raised returns the new lock with no fewer shares than the old one. What a number of shares is worth is seldom a whole amount:
// the amount that the old lock is worth, rounded down, names its shares.
func (k *Keeper) raised(ctx context.Context, operator sdk.ValAddress, old, lock types.StakeLock, amount math.Int) (types.StakeLock, error) {
	if lock.EndEpoch < old.EndEpoch {
		return lock, errorsmod.Wrapf(types.ErrInvalidLock, "it would end with epoch %d, the lock that there is ends with epoch %d", lock.EndEpoch-1, old.EndEpoch-1)
	}
	if lock.Shares.GTE(old.Shares) {
		return lock, nil
	}
	validator, err := k.stakingKeeper.GetValidator(ctx, operator)
	if err != nil {
		return lock, err
	}
	if worth := validator.TokensFromShares(old.Shares).TruncateInt(); amount.LT(worth) {
		return lock, errorsmod.Wrapf(types.ErrInvalidLock, "%s%s, locked are %s", amount, types.EmissionDenom, worth)
	}
	lock.Shares = old.Shares
	return lock, nil
}

// enforce keeps a delegation that has changed, of which some shares are left, at or above the lock of its operator.
//
// In a user's transaction it returns ErrStakeLocked, which undoes the change. Anywhere else the shares are gone already and an
// error would halt the chain, so that it lowers the lock and never fails over it: x/staking takes shares out of a delegation in
// the middle of a slash if they came from the slashed validator by a redelegation.
func (k *Keeper) enforce(goCtx context.Context, operator sdk.ValAddress, left func(context.Context) (math.LegacyDec, error)) error {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if stakingtypes.IsStrictWithdraw(goCtx) {
		return k.enforceLock(ctx, operator, true, left)
	}
	if err := protect(ctx, func(ctx sdk.Context) error { return k.enforceLock(ctx, operator, false, left) }); err != nil {
		k.logger(ctx).Error("stake lock was not lowered", "operator", operator.String(), "error", err)
	}
	return nil
}

func (k *Keeper) enforceLock(ctx sdk.Context, operator sdk.ValAddress, refuse bool, left func(context.Context) (math.LegacyDec, error)) error {
	lock, err := k.locks.Get(ctx, operator)
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	current, err := k.epochKeeper.CurrentNumber(ctx)
	if err != nil {
		return err
	}
	if !lock.Live(current) {
		return k.removeLock(ctx, operator, lock)
	}
	shares, err := left(ctx)
	if err != nil || shares.GTE(lock.Shares) {
		return err
	}
	if refuse {
		return errorsmod.Wrapf(types.ErrStakeLocked, "operator %s: %s shares are locked up to epoch %d, %s would be left",
			lock.Operator, lock.Shares, lock.EndEpoch-1, shares)
	}
	lock.Shares = shares
	if shares.IsPositive() {
		err = k.locks.Set(ctx, operator, lock)
	} else {
		err = k.removeLock(ctx, operator, lock)
	}
	if err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventStakeLockLowered{Operator: lock.Operator, Shares: shares.String()})
}

// setLock writes a lock in the place of the one that there is.
func (k *Keeper) setLock(ctx context.Context, operator sdk.ValAddress, lock types.StakeLock) error {
	old, err := k.locks.Get(ctx, operator)
	switch {
	case err == nil:
		err = k.lockEnds.Remove(ctx, collections.Join(old.EndEpoch, []byte(operator)))
	case errors.Is(err, collections.ErrNotFound):
		err = nil
	}
	if err != nil {
		return err
	}
	if err := k.lockEnds.Set(ctx, collections.Join(lock.EndEpoch, []byte(operator))); err != nil {
		return err
	}
	return k.locks.Set(ctx, operator, lock)
}

func (k *Keeper) removeLock(ctx context.Context, operator sdk.ValAddress, lock types.StakeLock) error {
	if err := k.lockEnds.Remove(ctx, collections.Join(lock.EndEpoch, []byte(operator))); err != nil {
		return err
	}
	return k.locks.Remove(ctx, operator)
}

// pruneLocks removes locks that have ended, at most limit.
func (k *Keeper) pruneLocks(ctx sdk.Context, current uint64, limit uint32) error {
	rng := new(collections.Range[lockEndKey]).EndExclusive(collections.PairPrefix[uint64, []byte](current + 1))
	var ended []lockEndKey
	err := k.lockEnds.Walk(ctx, rng, func(key lockEndKey) (bool, error) {
		ended = append(ended, key)
		return uint64(len(ended)) >= uint64(limit), nil
	})
	if err != nil {
		return err
	}
	for _, key := range ended {
		if err := k.removeLock(ctx, key.K2(), types.StakeLock{EndEpoch: key.K1()}); err != nil {
			return err
		}
	}
	return nil
}

// initLocks writes the locks and boosts of a genesis document, which is valid. It returns ErrInvalidGenesis if a stake that is
// locked is not there.
func (k *Keeper) initLocks(ctx context.Context, g types.GenesisState) error {
	for _, lock := range g.Locks {
		operator, err := k.validatorCodec.StringToBytes(lock.Operator)
		if err != nil {
			return err
		}
		if err := k.setLock(ctx, operator, lock); err != nil {
			return err
		}
	}
	for _, b := range g.Boosts {
		operator, err := k.validatorCodec.StringToBytes(b.Operator)
		if err != nil {
			return err
		}
		if err := k.boosts.Set(ctx, collections.Join(b.Epoch, operator), b); err != nil {
			return err
		}
	}
	if len(g.Locks) != 0 {
		if err := k.checkLocks(ctx, &g); err != nil {
			return errorsmod.Wrap(types.ErrInvalidGenesis, err.Error())
		}
	}
	return k.boostedEpoch.Set(ctx, g.BoostedEpoch)
}

// exportLocks reads the locks and boosts.
func (k *Keeper) exportLocks(ctx context.Context, g *types.GenesisState) error {
	err := k.locks.Walk(ctx, nil, func(_ []byte, lock types.StakeLock) (bool, error) {
		g.Locks = append(g.Locks, lock)
		return false, nil
	})
	if err != nil {
		return err
	}
	err = k.boosts.Walk(ctx, nil, func(_ boostKey, b types.Boost) (bool, error) {
		g.Boosts = append(g.Boosts, b)
		return false, nil
	})
	if err != nil {
		return err
	}
	g.BoostedEpoch, err = k.boostedEpoch.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	return err
}
