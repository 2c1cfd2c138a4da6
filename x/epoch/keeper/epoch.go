package keeper

import (
	"context"
	"errors"
	"time"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/types"
)

// CurrentNumber returns the number of the open epoch.
func (k *Keeper) CurrentNumber(ctx context.Context) (uint64, error) { return k.current.Get(ctx) }

// Current returns the open epoch.
func (k *Keeper) Current(ctx context.Context) (types.Epoch, error) {
	n, err := k.current.Get(ctx)
	if err != nil {
		return types.Epoch{}, err
	}
	return k.Epoch(ctx, n)
}

// Epoch returns an epoch by its number, or ErrEpochNotFound.
func (k *Keeper) Epoch(ctx context.Context, number uint64) (types.Epoch, error) {
	e, err := k.epochs.Get(ctx, number)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Epoch{}, errorsmod.Wrapf(types.ErrEpochNotFound, "epoch %d", number)
	}
	return e, err
}

// Closing returns the position of the closing machine; epoch 0 means that it has nothing to do.
func (k *Keeper) Closing(ctx context.Context) (types.ClosingState, error) {
	c, err := k.closing.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return types.ClosingState{}, nil
	}
	return c, err
}

// open writes the record of the next epoch and announces it to x/node. The announcement cannot fail the opening: if it
// does, it is set aside and can be retried while the epoch is open.
func (k *Keeper) open(ctx sdk.Context, number uint64, startHeight int64, seed []byte) error {
	params, err := k.params.Get(ctx)
	if err != nil {
		return err
	}
	e := types.Epoch{
		Number:      number,
		Phase:       types.PHASE_OPEN,
		StartTime:   ctx.BlockTime(),
		StartHeight: startHeight,
		Duration:    params.Duration,
		Seed:        seed,
	}
	if err := k.epochs.Set(ctx, number, e); err != nil {
		return err
	}
	if err := k.current.Set(ctx, number); err != nil {
		return err
	}
	if err := ctx.EventManager().EmitTypedEvent(&types.EventEpochOpened{Epoch: number, Seed: seed}); err != nil {
		return err
	}
	// An announcement of the epoch before that failed has nothing left to announce.
	if _, err := k.removeItem(ctx, number-1, types.StageOpen, nil); err != nil {
		return err
	}
	failure := protect(ctx, func(ctx sdk.Context) error { return k.nodeKeeper.OpenEpoch(ctx, number, seed) })
	if failure != nil {
		return k.putAside(ctx, number, types.StageOpen, nil, failure)
	}
	return nil
}

// turn ends the open epoch with this block and hands it to the closing machine; number, seed and committee change together:
// the next epoch opens, its committee is drawn from the record of the freeze, and the hand-over of seats begins.
func (k *Keeper) turn(ctx sdk.Context, e types.Epoch) error {
	b, err := k.beacon.Get(ctx)
	if err != nil {
		return err
	}
	election, err := k.Election(ctx, b.Epoch)
	if err != nil {
		return err
	}
	e.EndTime, e.EndHeight = blockTime(ctx), ctx.BlockHeight()
	if err := ctx.EventManager().EmitTypedEvent(&types.EventEpochClosed{Epoch: e.Number}); err != nil {
		return err
	}
	if err := k.enterStage(ctx, e, 0); err != nil {
		return err
	}
	if err := k.beacon.Remove(ctx); err != nil {
		return err
	}
	if b.Reveals == 0 {
		if err := ctx.EventManager().EmitTypedEvent(&types.EventNoReveal{Epoch: b.Epoch}); err != nil {
			return err
		}
	}
	if err := k.open(ctx, b.Epoch, ctx.BlockHeight()+1, b.Mix); err != nil {
		return err
	}
	election.Reveals = b.Reveals
	if err := k.elect(ctx, election, b.Mix); err != nil {
		return err
	}
	if err := k.beginHandOver(ctx, b.Epoch); err != nil {
		return err
	}
	return k.pruneElections(ctx, b.Epoch)
}

// blockTime returns the time of the block for a field that may be unset.
func blockTime(ctx sdk.Context) *time.Time {
	now := ctx.BlockTime()
	return &now
}
