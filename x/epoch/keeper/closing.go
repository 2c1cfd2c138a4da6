package keeper

import (
	errorsmod "cosmossdk.io/errors"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/types"
)

// protect runs f on a branch of the state and keeps what it wrote and emitted only if it returns nil. A panic that
// the input decides counts as an error; see types.PanicError. f is not metered: who calls protect bounds the work in another way.
func protect(ctx sdk.Context, f func(sdk.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = types.PanicError(r)
		}
	}()
	branch, write := ctx.CacheContext()
	if err := f(branch.WithGasMeter(storetypes.NewInfiniteGasMeter())); err != nil {
		return err
	}
	write()
	return nil
}

// enterStage puts a closed epoch at the beginning of a stage, or marks it done behind the last one.
func (k *Keeper) enterStage(ctx sdk.Context, e types.Epoch, index int) error {
	if index < len(k.stages) {
		e.Phase, e.Stage = types.PHASE_CLOSING, k.stages[index].Name
		if err := k.epochs.Set(ctx, e.Number, e); err != nil {
			return err
		}
		return k.closing.Set(ctx, types.ClosingState{Epoch: e.Number, StageIndex: uint32(index)})
	}
	e.Phase, e.Stage, e.DoneHeight = types.PHASE_DONE, "", ctx.BlockHeight()
	if err := k.epochs.Set(ctx, e.Number, e); err != nil {
		return err
	}
	if err := k.closing.Remove(ctx); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventEpochDone{Epoch: e.Number})
}

// advance lets the stages work until the budget of the block is used up or the last stage has ended. A stage that fails is
// set aside as a whole and the next one has its turn, so that every call either uses budget or gets further, and a block
// calls at most budget + stages closers.
func (k *Keeper) advance(ctx sdk.Context, closing types.ClosingState) error {
	params, err := k.params.Get(ctx)
	if err != nil {
		return err
	}
	budget := params.CloseBudget
	for index := int(closing.StageIndex); ; index++ {
		if index < len(k.stages) {
			ended, used, err := k.runStage(ctx, closing.Epoch, k.stages[index], budget)
			if err != nil || !ended {
				return err
			}
			budget -= min(used, budget)
		}
		// Read after the stage: it may have set items aside, which the record counts.
		e, err := k.Epoch(ctx, closing.Epoch)
		if err != nil {
			return err
		}
		if err := k.enterStage(ctx, e, index+1); err != nil {
			return err
		}
		if index+1 >= len(k.stages) || budget == 0 {
			return nil
		}
	}
}

// runStage lets a stage work until it has ended or used up the budget. The error is one of x/epoch's own state.
func (k *Keeper) runStage(ctx sdk.Context, epoch uint64, stage types.Stage, budget uint32) (ended bool, used uint32, err error) {
	for used < budget {
		var n uint32
		var done bool
		failure := protect(ctx, func(ctx sdk.Context) (err error) {
			n, done, err = closeStage(ctx, stage, epoch, budget-used)
			return err
		})
		if failure != nil {
			k.logger(ctx).Error("closing stage set aside", "epoch", epoch, "stage", stage.Name, "error", failure)
			return true, used, k.putAside(ctx, epoch, stage.Name, nil, failure)
		}
		used += min(n, budget-used)
		if done {
			return true, used, ctx.EventManager().EmitTypedEvent(&types.EventStageDone{Epoch: epoch, Stage: stage.Name})
		}
	}
	return false, used, nil
}

// closeStage calls a closer once. A call that neither uses an item nor ends the stage is an error: repeated, it would hold
// the machine for ever.
func closeStage(ctx sdk.Context, stage types.Stage, epoch uint64, budget uint32) (uint32, bool, error) {
	used, done, err := stage.Closer.Close(ctx, epoch, budget)
	if err == nil && used == 0 && !done {
		err = errorsmod.Wrapf(types.ErrNoProgress, "stage %s of epoch %d", stage.Name, epoch)
	}
	return used, done, err
}
