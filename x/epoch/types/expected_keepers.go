package types

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	nodetypes "github.com/edgechain/edge/x/node/types"
)

// NodeKeeper is what x/epoch needs of x/node.
type NodeKeeper interface {
	// OpenEpoch announces the number and the seed of the epoch that opens with the next block.
	OpenEpoch(ctx context.Context, epoch uint64, seed []byte) error
	// Standing tells whether a node can be elected for the committee of an epoch as far as x/node knows, and why not.
	Standing(ctx context.Context, operator sdk.ValAddress, epoch uint64) (nodetypes.Standing, error)
}
