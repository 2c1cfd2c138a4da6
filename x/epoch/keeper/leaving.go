package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/types"
)

// leave notes that an operator holds no seat of an election any more, once and for good, and says whether that is new. Whoever
// missed a reveal can be pardoned and sit all the same: that it is not bonded any more is new, and outlasts a pardon.
func (k *Keeper) leave(ctx sdk.Context, epoch uint64, operator []byte, reason types.LeaveReason) (bool, error) {
	key := collections.Join(epoch, operator)
	switch before, err := k.leavings.Get(ctx, key); {
	case errors.Is(err, collections.ErrNotFound):
	case err != nil:
		return false, err
	case before.Reason == reason || before.Reason != types.LEAVE_REASON_MISSED_REVEAL:
		return false, nil
	}
	text, err := k.operators.BytesToString(operator)
	if err != nil {
		return false, err
	}
	err = k.leavings.Set(ctx, key, types.Leaving{Epoch: epoch, Operator: text, Reason: reason, Height: ctx.BlockHeight()})
	if err != nil {
		return false, err
	}
	return true, ctx.EventManager().EmitTypedEvent(&types.EventMemberLeft{Epoch: epoch, Operator: text, Reason: reason})
}

// leaveAll notes that an operator is no longer among the bonded validators in every election that still hands out seats: those
// of the hand-over and the one that is being prepared.
func (k *Keeper) leaveAll(ctx sdk.Context, operator []byte) error {
	epochs, err := k.liveElections(ctx)
	if err != nil {
		return err
	}
	for _, epoch := range epochs {
		known, err := k.stoodIn(ctx, epoch, operator)
		if err != nil {
			return err
		}
		if !known {
			continue
		}
		left, err := k.leave(ctx, epoch, operator, types.LEAVE_REASON_UNBONDED)
		if err != nil {
			return err
		}
		if left {
			if err := k.changed.Set(ctx, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// liveElections returns the epochs of the elections that still hand out seats, oldest first.
func (k *Keeper) liveElections(ctx context.Context) ([]uint64, error) {
	var epochs []uint64
	h, err := k.handOver.Get(ctx)
	switch {
	case err == nil:
		epochs = seatedElections(h)
	case !errors.Is(err, collections.ErrNotFound): // before genesis is done nobody holds a seat
		return nil, err
	}
	b, err := k.beacon.Get(ctx)
	switch {
	case err == nil:
		epochs = append(epochs, b.Epoch)
	case !errors.Is(err, collections.ErrNotFound):
		return nil, err
	}
	return epochs, nil
}

// stoodIn says whether an operator is in the record of an election, or was kept in it from the one before.
func (k *Keeper) stoodIn(ctx context.Context, epoch uint64, operator []byte) (bool, error) {
	if has, err := k.frozen.Has(ctx, collections.Join(epoch, operator)); err != nil || has {
		return has, err
	}
	e, err := k.Election(ctx, epoch)
	if err != nil {
		return false, err
	}
	return e.Fallback == types.FALLBACK_KEPT, nil
}
