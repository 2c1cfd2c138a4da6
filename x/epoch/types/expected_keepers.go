package types

import "context"

// NodeKeeper is what x/epoch needs of x/node.
type NodeKeeper interface {
	// OpenEpoch announces that an epoch has begun. Announcing the same epoch again must do no harm.
	OpenEpoch(ctx context.Context, epoch uint64) error
}
