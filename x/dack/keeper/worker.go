package keeper

import (
	"context"

	nodetypes "github.com/edgechain/edge/x/node/types"
)

// Worker returns a worker as x/node knows it, or its error if there is none. For simulations, which settle for random workers.
func (k *Keeper) Worker(ctx context.Context, id uint64) (nodetypes.Worker, error) {
	return k.node.Worker(ctx, id)
}
