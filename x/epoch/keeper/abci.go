package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/types"
)

// EndBlock turns the clock and works on the closed epoch:
//
//  1. If no epoch is being closed and the duration of the open one is over, the open epoch ends with this block and the next
//     one opens. One epoch ends in a block, however much time has gone by: a chain that was halted for days closes one.
//  2. Else, if an epoch is being closed, the closing machine works through at most close_budget items of it.
//
// It never returns an error and never panics: whatever fails inside leaves the state of x/epoch as it was before the block
// and is logged, so that the chain goes on and can be mended.
func (k *Keeper) EndBlock(goCtx context.Context) error {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if err := protect(ctx, k.step); err != nil {
		k.logger(ctx).Error("epoch clock stands still", "height", ctx.BlockHeight(), "error", err)
	}
	return nil
}

func (k *Keeper) step(ctx sdk.Context) error {
	closing, err := k.Closing(ctx)
	if err != nil {
		return err
	}
	if closing.Epoch != 0 {
		return k.advance(ctx, closing)
	}
	e, err := k.Current(ctx)
	if err != nil {
		return err
	}
	if !types.IsOver(e.StartTime, e.Duration, ctx.BlockTime()) {
		return nil
	}
	return k.end(ctx, e)
}
