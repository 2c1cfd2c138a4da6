package keeper

import (
	"context"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	"github.com/edgechain/edge/x/dack/types"
)

// Prices returns the prices of an epoch: those of the last change that counts from it or from an earlier one. It returns
// ErrPricesNotFound if there is none (any more).
func (k *Keeper) Prices(ctx context.Context, epoch uint64) (types.Prices, error) {
	iter, err := k.prices.Iterate(ctx, new(collections.Range[uint64]).EndInclusive(epoch).Descending())
	if err != nil {
		return types.Prices{}, err
	}
	defer iter.Close()
	if !iter.Valid() {
		return types.Prices{}, errorsmod.Wrapf(types.ErrPricesNotFound, "epoch %d", epoch)
	}
	return iter.Value()
}

// schedulePrices lets prices count from the epoch after the current one. A change that was scheduled there is replaced;
// the current epoch and the one before keep their prices.
func (k *Keeper) schedulePrices(ctx context.Context, current uint64, prices types.Prices) error {
	next, err := k.Prices(ctx, current+1)
	if err != nil {
		return err
	}
	if next.Equal(prices) {
		return nil
	}
	return k.prices.Set(ctx, current+1, prices)
}
