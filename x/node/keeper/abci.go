package keeper

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/node/types"
)

// maxCauseSize bounds the text of an error in an event, in bytes.
const maxCauseSize = 256

// EndBlock works on the queue of removed workers, in a cached context, so that no failure can halt the chain:
//  1. take the entries that are due, oldest first, at most retirements_per_block of them, and remove them from the queue;
//  2. each in a cached context: return the deposit, delete the record, emit EventWorkerRetired;
//  3. one that fails is postponed to the next epoch with EventRetirementPostponed, so that it stands in nobody's way. After
//     types.MaxRefundFailures it does not come back into the queue until its operator removes the worker again.
func (k *Keeper) EndBlock(ctx context.Context) error {
	if err := inCache(ctx, k.returnDeposits); err != nil {
		k.logger(ctx).Error("end block step failed", "step", "retirements", "error", err)
	}
	return nil
}

func (k *Keeper) returnDeposits(ctx sdk.Context) error {
	params, err := k.Params.Get(ctx)
	if err != nil {
		return err
	}
	epoch, err := k.Epoch(ctx)
	if err != nil {
		return err
	}
	due, err := k.dueRetirements(ctx, epoch, params.RetirementsPerBlock)
	if err != nil {
		return err
	}
	for _, key := range due {
		// Whatever comes of it, the entry leaves the queue: it must not be met again in each block.
		if err := k.Retirements.Remove(ctx, key); err != nil {
			return err
		}
		id := key.K2()
		cause := inCache(ctx, func(ctx sdk.Context) error { return k.returnDeposit(ctx, id) })
		if cause == nil {
			continue
		}
		k.logger(ctx).Error("worker deposit could not be returned", "worker", id, "error", cause)
		if err := inCache(ctx, func(ctx sdk.Context) error { return k.postpone(ctx, id, epoch+1, cause) }); err != nil {
			k.logger(ctx).Error("retirement can neither be done nor postponed", "worker", id, "error", err)
		}
	}
	return nil
}

// dueRetirements returns at most limit entries of the queue that are due in the epoch, oldest first.
func (k *Keeper) dueRetirements(ctx context.Context, epoch uint64, limit uint32) (due []collections.Pair[uint64, uint64], err error) {
	it, err := k.Retirements.Iterate(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for ; uint32(len(due)) < limit && it.Valid(); it.Next() {
		key, err := it.Key()
		if err != nil {
			return nil, err
		}
		if key.K1() > epoch {
			break
		}
		due = append(due, key)
	}
	return due, nil
}

// returnDeposit returns the deposit of one worker and deletes it.
func (k *Keeper) returnDeposit(ctx sdk.Context, id uint64) error {
	w, err := k.Worker(ctx, id)
	if err != nil {
		return err
	}
	if err := k.refund(ctx, w); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventWorkerRetired{WorkerId: id, Refunded: w.Deposit.String()})
}

// postpone counts a failure and queues the worker for an epoch, unless it has failed too often.
func (k *Keeper) postpone(ctx sdk.Context, id, epoch uint64, cause error) error {
	w, err := k.Worker(ctx, id)
	if err != nil {
		return err
	}
	w.RefundFailures++
	if err := k.Workers.Set(ctx, id, w); err != nil {
		return err
	}
	if w.IsParked() {
		epoch = 0
	} else if err := k.Retirements.Set(ctx, collections.Join(epoch, id)); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventRetirementPostponed{WorkerId: id, DueEpoch: epoch, Cause: causeText(cause)})
}

// inCache runs f on a branch of the state and keeps what it wrote and emitted only if it returns nil. A panic that every
// machine meets alike counts as an error: one of the Go runtime, or an amount that overflows. Any other one goes on, because
// the store panics when a disk fails: that stops this machine, and must not become state.
func inCache(ctx context.Context, f func(sdk.Context) error) (err error) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		cause, ok := r.(error)
		if !ok || !isDeterministic(cause) {
			panic(r)
		}
		err = fmt.Errorf("panic: %w", cause)
	}()
	branch, write := sdk.UnwrapSDKContext(ctx).CacheContext()
	if err := f(branch); err != nil {
		return err
	}
	write()
	return nil
}

func isDeterministic(panicked error) bool {
	var fault runtime.Error
	return errors.As(panicked, &fault) || errors.Is(panicked, math.ErrIntOverflow)
}

// causeText returns the text of an error for an event: valid UTF-8 of at most maxCauseSize bytes.
func causeText(err error) string {
	text := strings.ToValidUTF8(err.Error(), "?")
	if len(text) <= maxCauseSize {
		return text
	}
	n := maxCauseSize
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
