package keeper

import (
	"context"

	"github.com/edgechain/edge/x/rewards/types"
)

// Shares returns the shares of an epoch: those of the last change that counts from it or from an epoch before it. It
// returns ErrSharesNotFound if there is none.
func (k *Keeper) Shares(ctx context.Context, epoch uint64) (types.Shares, error) {
	return inForce(ctx, k.shares, epoch, types.ErrSharesNotFound)
}

// scheduleShares makes shares count from an epoch on.
func (k *Keeper) scheduleShares(ctx context.Context, epoch uint64, shares types.Shares) error {
	return change(ctx, k.shares, epoch, shares, types.ErrSharesNotFound)
}
