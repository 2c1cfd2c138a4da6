package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/committee"
	"github.com/edgechain/edge/x/epoch/types"
)

// HandOver returns the state of the hand-over of seats.
func (k *Keeper) HandOver(ctx context.Context) (types.HandOver, error) { return k.handOver.Get(ctx) }

// beginHandOver sends the first step of the hand-over to the committee of an epoch.
func (k *Keeper) beginHandOver(ctx sdk.Context, epoch uint64) error {
	params, err := k.params.Get(ctx)
	if err != nil {
		return err
	}
	return k.sendStep(ctx, types.HandOver{Epoch: epoch, StepBlocks: params.StepBlocks})
}

// stepDue says whether the next step of the hand-over is due in this block.
func (k *Keeper) stepDue(ctx sdk.Context) (bool, error) {
	h, err := k.handOver.Get(ctx)
	if err != nil {
		return false, err
	}
	return h.Steps < committee.Steps && ctx.BlockHeight() >= h.NextHeight, nil
}

func (k *Keeper) continueHandOver(ctx sdk.Context) error {
	h, err := k.handOver.Get(ctx)
	if err != nil {
		return err
	}
	return k.sendStep(ctx, h)
}

// sendStep counts a step and has the set computed anew. The next step counts from here, so that a step that came late does not
// shorten the time for which the one after it is tested.
func (k *Keeper) sendStep(ctx sdk.Context, h types.HandOver) error {
	h.Steps++
	h.NextHeight = 0
	if h.Steps < committee.Steps {
		h.NextHeight = ctx.BlockHeight() + int64(h.StepBlocks)
	}
	if err := k.handOver.Set(ctx, h); err != nil {
		return err
	}
	if err := k.changed.Set(ctx, true); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventSeatsHandedOver{Epoch: h.Epoch, Step: h.Steps})
}

// seatedElections returns the epochs of the elections whose seats are in the set, oldest first.
func seatedElections(h types.HandOver) []uint64 {
	if h.Steps < committee.Steps && h.Epoch > 1 {
		return []uint64{h.Epoch - 1, h.Epoch}
	}
	return []uint64{h.Epoch}
}
