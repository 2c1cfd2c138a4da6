package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/node/types"
)

// Epoch returns the current epoch as x/epoch last announced it, 0 before the first one.
func (k *Keeper) Epoch(ctx context.Context) (uint64, error) {
	epoch, err := k.CurrentEpoch.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return 0, nil
	}
	return epoch, err
}

// OpenEpoch tells x/node that an epoch opens with the next block. It returns types.ErrEpoch if a later one is open already;
// the same one again changes nothing. The seed draws the measurements of the epoch.
func (k *Keeper) OpenEpoch(ctx context.Context, epoch uint64, _ []byte) error {
	current, err := k.Epoch(ctx)
	if err != nil {
		return err
	}
	if epoch < current {
		return errorsmod.Wrapf(types.ErrEpoch, "epoch %d, current is %d", epoch, current)
	}
	if epoch == current {
		return nil
	}
	height := sdk.UnwrapSDKContext(ctx).BlockHeight()
	if current == 0 {
		// Genesis: its context has the height of the first block, and 0 if that is 1.
		height = max(height, 1)
	} else {
		height++
	}
	if err := k.EpochHeight.Set(ctx, height); err != nil {
		return err
	}
	return k.CurrentEpoch.Set(ctx, epoch)
}

// epochHeight returns the first height of the current epoch, 0 before the first one.
func (k *Keeper) epochHeight(ctx context.Context) (int64, error) {
	height, err := k.EpochHeight.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return 0, nil
	}
	return height, err
}
