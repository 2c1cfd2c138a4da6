package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// boost returns what the lock of a node was worth when the epoch opened, 1 if it had none or was not bonded.
func (k *Keeper) boost(ctx context.Context, epoch uint64, operator sdk.ValAddress) (math.LegacyDec, error) {
	b, err := k.boosts.Get(ctx, collections.Join(epoch, []byte(operator)))
	if errors.Is(err, collections.ErrNotFound) {
		return math.LegacyOneDec(), nil
	}
	return b.Boost, err
}
