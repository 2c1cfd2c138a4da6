package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/edgechain/edge/x/rewards/types"
)

// Held returns the sums of the module's books, which together are what its account holds. They are kept up to date with every
// change, so that an audit need not add up the books of all epochs.
func (k *Keeper) Held(ctx context.Context) (types.Held, error) {
	h, err := k.held.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return types.NewHeld(), nil
	}
	return h, err
}

// addHeld changes the sums of the books. It returns ErrBooks, and writes nothing, if a part would become negative.
func (k *Keeper) addHeld(ctx context.Context, delta types.Held) error {
	h, err := k.Held(ctx)
	if err != nil {
		return err
	}
	h = h.Add(delta)
	if err := h.Validate(); err != nil {
		return err
	}
	return k.held.Set(ctx, h)
}
