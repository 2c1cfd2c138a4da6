package keeper

import (
	"context"

	abci "github.com/cometbft/cometbft/abci/types"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/committee"
	"github.com/edgechain/edge/x/epoch/types"
)

// PreBlock reads what a block brings along:
//
//  1. The hash of its header goes into the ring of the last ready_blocks.
//  2. After a freeze up to the closing height, the reveal of the block before is mixed in, or its proposer leaves the election
//     that is being prepared; and the reveal in the first entry of this block is kept for the next.
//
// Like EndBlock it never fails over its input.
func (k *Keeper) PreBlock(ctx sdk.Context, req *abci.RequestFinalizeBlock) error {
	err := protect(ctx, func(ctx sdk.Context) error { return k.keepHeaderHash(ctx, req) })
	if err != nil {
		k.logger(ctx).Error("header hash was not kept", "height", req.Height, "error", err)
	}
	if err := k.preReveal(ctx, req); err != nil {
		k.logger(ctx).Error("reveal was not taken", "height", req.Height, "error", err)
	}
	return nil
}

// preReveal is the beacon's part of a block. While nothing is frozen it reads one key.
func (k *Keeper) preReveal(ctx sdk.Context, req *abci.RequestFinalizeBlock) error {
	frozen, err := k.beacon.Has(ctx)
	if err != nil || !frozen {
		return err
	}
	return protect(ctx, func(ctx sdk.Context) error { return k.takeReveal(ctx, req) })
}

// EndBlock turns the clock, works on the closed epoch and sends the validator set:
//
//  1. The clock. If an epoch is being closed, the closing machine works through at most close_budget items of it. Else, if the
//     open epoch is frozen and its closing height is reached, it ends with this block: the next epoch opens, its committee is
//     drawn, and the first step of the hand-over is sent. Else, if the duration of the open epoch is over and the last
//     hand-over is complete, the epoch is frozen. One epoch ends at a time, however much time has gone by: a chain that was
//     halted for days closes one.
//  2. The next step of the hand-over, if it is due.
//  3. If a step was sent, someone left or a consensus key rotates, the set is computed anew, and what changed is returned.
//  4. Every rotationLag blocks the turns of the proposers are brought up to date, so that a freeze has little to catch up.
//
// It never returns an error and never panics over its input: a part that fails leaves the state as it was before that part and
// is logged, so that the chain goes on and can be mended. What is returned is exactly what was stored as sent.
func (k *Keeper) EndBlock(goCtx context.Context) ([]abci.ValidatorUpdate, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if err := k.endClock(ctx); err != nil {
		k.logger(ctx).Error("epoch clock stands still", "height", ctx.BlockHeight(), "error", err)
	}
	if err := k.endHandOver(ctx); err != nil {
		k.logger(ctx).Error("hand-over of seats stands still", "height", ctx.BlockHeight(), "error", err)
	}
	updates, err := k.endSet(ctx)
	if err != nil {
		k.logger(ctx).Error("validator set was not sent", "height", ctx.BlockHeight(), "error", err)
	}
	if ctx.BlockHeight()%rotationLag == 0 {
		k.turnRotation(ctx, ctx.BlockHeight())
	}
	return updates, nil
}

// endClock is the clock's part of a block.
func (k *Keeper) endClock(ctx sdk.Context) error {
	closing, err := k.Closing(ctx)
	if err != nil {
		return err
	}
	if closing.Epoch != 0 {
		return protect(ctx, func(ctx sdk.Context) error { return k.advance(ctx, closing) })
	}
	e, err := k.Current(ctx)
	if err != nil {
		return err
	}
	if e.Phase == types.PHASE_FROZEN {
		if ctx.BlockHeight() < e.ClosingHeight {
			return nil
		}
		return protect(ctx, func(ctx sdk.Context) error { return k.turn(ctx, e) })
	}
	if !types.IsOver(e.StartTime, e.Duration, ctx.BlockTime()) {
		return nil
	}
	h, err := k.handOver.Get(ctx)
	if err != nil || h.Steps < committee.Steps {
		return err
	}
	return protect(ctx, func(ctx sdk.Context) error { return k.freeze(ctx, e) })
}

// endHandOver is the hand-over's part of a block.
func (k *Keeper) endHandOver(ctx sdk.Context) error {
	due, err := k.stepDue(ctx)
	if err != nil || !due {
		return err
	}
	return protect(ctx, k.continueHandOver)
}

// endSet is the validator set's part of a block. A failure is tried again in the next block: a key whose rotation CometBFT was
// not told would halt the chain when x/staking applies it.
func (k *Keeper) endSet(ctx sdk.Context) ([]abci.ValidatorUpdate, error) {
	due, err := k.setDue(ctx)
	if err != nil || !due {
		return nil, err
	}
	var updates []abci.ValidatorUpdate
	failure := protect(ctx, func(ctx sdk.Context) (err error) {
		updates, err = k.send(ctx)
		return err
	})
	if failure == nil {
		return updates, nil
	}
	if err := k.changed.Set(ctx, true); err != nil {
		return nil, err
	}
	return nil, failure
}
