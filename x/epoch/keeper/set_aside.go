package keeper

import (
	"context"
	"errors"
	"math"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/types"
)

// SetAside records that an item of a stage failed, so that the stage can go on and anyone can retry the item later. The key
// identifies the item within (epoch, stage), at most types.MaxItemKey bytes and not empty. Setting the same item aside again
// counts a further try. It returns ErrUnknownStage, ErrInvalidItem, ErrEpochNotFound or ErrEpochOpen.
func (k *Keeper) SetAside(ctx context.Context, epoch uint64, stage string, key []byte, cause error) error {
	if _, ok := k.stageIndex(stage); !ok {
		return errorsmod.Wrapf(types.ErrUnknownStage, "%.32q", stage)
	}
	if len(key) == 0 || len(key) > types.MaxItemKey {
		return errorsmod.Wrapf(types.ErrInvalidItem, "epoch %d stage %s: key of %d bytes, want 1 to %d", epoch, stage, len(key), types.MaxItemKey)
	}
	e, err := k.Epoch(ctx, epoch)
	if err != nil {
		return err
	}
	if e.Phase == types.PHASE_OPEN || e.Phase == types.PHASE_FROZEN {
		return errorsmod.Wrapf(types.ErrEpochOpen, "epoch %d", epoch)
	}
	return k.putAside(sdk.UnwrapSDKContext(ctx), epoch, stage, key, cause)
}

// Resolve takes an item off the list that its stage has dealt with by itself. An item that is not on the list is no error.
func (k *Keeper) Resolve(ctx context.Context, epoch uint64, stage string, key []byte) error {
	sdkCtx := sdk.UnwrapSDKContext(ctx)
	removed, err := k.removeItem(sdkCtx, epoch, stage, key)
	if err != nil || !removed {
		return err
	}
	return sdkCtx.EventManager().EmitTypedEvent(&types.EventItemRetried{Epoch: epoch, Stage: stage, Key: key})
}

// RetryItem tries an item that is set aside again, with an empty key the stage as a whole, and takes it off the list when it
// succeeds. A whole stage works through at most params.RetryBudget items and is done only when it says so. An error leaves
// everything to be undone by the transaction. It returns ErrItemNotFound, ErrUnknownStage, ErrEarlierStage, ErrNoProgress or
// the error of the stage.
func (k *Keeper) RetryItem(goCtx context.Context, epoch uint64, stage string, key []byte) (done bool, err error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	item, err := k.setAside.Get(ctx, collections.Join3(epoch, stage, key))
	if errors.Is(err, collections.ErrNotFound) {
		return false, errorsmod.Wrapf(types.ErrItemNotFound, "epoch %d stage %.32q key %X", epoch, stage, key)
	}
	if err != nil {
		return false, err
	}
	if stage == types.StageOpen {
		done, err = true, k.announce(ctx, epoch)
	} else {
		done, err = k.retryStage(ctx, item)
	}
	if err != nil {
		return false, errorsmod.Wrapf(err, "epoch %d stage %s key %X", epoch, stage, key)
	}
	if !done {
		item.Height, item.Tries = ctx.BlockHeight(), addTry(item.Tries)
		return false, k.setAside.Set(ctx, collections.Join3(epoch, stage, key), item)
	}
	return true, k.Resolve(ctx, epoch, stage, key)
}

// announce tells x/node again that an epoch has opened.
func (k *Keeper) announce(ctx sdk.Context, epoch uint64) error {
	e, err := k.Epoch(ctx, epoch)
	if err != nil {
		return err
	}
	return k.nodeKeeper.OpenEpoch(ctx, epoch, e.Seed)
}

func (k *Keeper) retryStage(ctx sdk.Context, item types.SetAsideItem) (done bool, err error) {
	index, ok := k.stageIndex(item.Stage)
	if !ok {
		return false, types.ErrUnknownStage
	}
	for _, earlier := range k.stages[:index] {
		has, err := k.setAside.Has(ctx, collections.Join3(item.Epoch, earlier.Name, []byte(nil)))
		if err != nil {
			return false, err
		}
		if has {
			return false, errorsmod.Wrapf(types.ErrEarlierStage, "retry stage %s first", earlier.Name)
		}
	}
	if len(item.Key) != 0 {
		return true, k.stages[index].Closer.RetryItem(ctx, item.Epoch, item.Key)
	}
	params, err := k.params.Get(ctx)
	if err != nil {
		return false, err
	}
	_, done, err = closeStage(ctx, k.stages[index], item.Epoch, params.RetryBudget())
	return done, err
}

// putAside writes an item that failed, counts it in its epoch and tells the world. An empty key is the stage as a whole.
func (k *Keeper) putAside(ctx sdk.Context, epoch uint64, stage string, key []byte, cause error) error {
	id := collections.Join3(epoch, stage, key)
	item, err := k.setAside.Get(ctx, id)
	switch {
	case errors.Is(err, collections.ErrNotFound):
		item = types.SetAsideItem{Epoch: epoch, Stage: stage, Key: key}
		if err := k.countSetAside(ctx, epoch, func(n uint64) uint64 { return n + 1 }); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	item.Cause, item.Height, item.Tries = types.Cause(cause), ctx.BlockHeight(), addTry(item.Tries)
	if err := k.setAside.Set(ctx, id, item); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventItemSetAside{Epoch: epoch, Stage: stage, Key: key, Cause: item.Cause})
}

// removeItem takes an item off the list and says whether it was there.
func (k *Keeper) removeItem(ctx sdk.Context, epoch uint64, stage string, key []byte) (bool, error) {
	id := collections.Join3(epoch, stage, key)
	has, err := k.setAside.Has(ctx, id)
	if err != nil || !has {
		return false, err
	}
	if err := k.setAside.Remove(ctx, id); err != nil {
		return false, err
	}
	return true, k.countSetAside(ctx, epoch, func(n uint64) uint64 { return n - min(n, 1) })
}

func (k *Keeper) countSetAside(ctx sdk.Context, epoch uint64, change func(uint64) uint64) error {
	e, err := k.Epoch(ctx, epoch)
	if err != nil {
		return err
	}
	e.SetAside = change(e.SetAside)
	return k.epochs.Set(ctx, epoch, e)
}

func addTry(tries uint32) uint32 {
	if tries == math.MaxUint32 {
		return tries
	}
	return tries + 1
}
