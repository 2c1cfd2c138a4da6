package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	"github.com/edgechain/edge/x/rewards/types"
)

// Shares returns the shares of an epoch: those of the last change that counts from it or from an epoch before it. It
// returns ErrSharesNotFound if there is none.
func (k *Keeper) Shares(ctx context.Context, epoch uint64) (types.Shares, error) {
	it, err := k.shares.Iterate(ctx, new(collections.Range[uint64]).EndInclusive(epoch).Descending())
	if err != nil {
		return types.Shares{}, err
	}
	defer it.Close()
	if !it.Valid() {
		return types.Shares{}, errorsmod.Wrapf(types.ErrSharesNotFound, "epoch %d", epoch)
	}
	return it.Value()
}

// scheduleShares makes shares count from an epoch on. It writes nothing if they do already, so that the schedule has one
// entry for each change, and is kept for good: the payment of an epoch may be retried at any time.
func (k *Keeper) scheduleShares(ctx context.Context, epoch uint64, shares types.Shares) error {
	has, err := k.shares.Has(ctx, epoch)
	if err != nil {
		return err
	}
	if !has {
		before, err := k.Shares(ctx, epoch)
		if err == nil && before.Equal(shares) {
			return nil
		}
		if err != nil && !errors.Is(err, types.ErrSharesNotFound) {
			return err
		}
	}
	return k.shares.Set(ctx, epoch, shares)
}
