package keeper

import (
	"context"

	cmttypes "github.com/cometbft/cometbft/types"
)

// RotationLag and MaxRounds are the bounds of the work on the turns of proposers.
const (
	RotationLag = rotationLag
	MaxRounds   = maxRounds
)

// RotationAt returns CometBFT's set of a height, as x/epoch has it.
func (k *Keeper) RotationAt(ctx context.Context, height int64) (*cmttypes.ValidatorSet, error) {
	return k.rotationAt(ctx, height)
}

// RotationHeight returns the height of the stored rotation.
func (k *Keeper) RotationHeight(ctx context.Context) (int64, error) {
	r, err := k.rotation.Get(ctx)
	return r.Height, err
}

// ForgetRotation removes the stored rotation, as no block can.
func (k *Keeper) ForgetRotation(ctx context.Context) error { return k.rotation.Remove(ctx) }
