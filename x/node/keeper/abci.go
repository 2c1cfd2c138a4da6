package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/node/types"
)

// maxCauseSize bounds the text of an error in an event, in bytes.
const maxCauseSize = 256

// EndBlock works on the queue of removed workers:
//  1. take the entries that are due, oldest first, at most retirements_per_block of them;
//  2. each in a cached context: return the deposit, delete the record, emit EventWorkerRetired;
//  3. an entry that fails is postponed to the next epoch with EventRetirementPostponed, so that it stands in nobody's way.
func (k *Keeper) EndBlock(ctx context.Context) error {
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
		if err := k.Retirements.Remove(ctx, key); err != nil {
			return err
		}
		if cause := k.tryRetirement(ctx, key.K2()); cause != nil {
			if err := k.postpone(ctx, key.K2(), epoch+1, cause); err != nil {
				return err
			}
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

// tryRetirement returns the deposit of one worker and deletes it, or changes nothing and returns why.
func (k *Keeper) tryRetirement(ctx context.Context, id uint64) (err error) {
	defer func() {
		// A panic of a dependency must not halt the chain; an exhausted gas meter cannot occur in EndBlock.
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	cached, write := sdk.UnwrapSDKContext(ctx).CacheContext()
	w, err := k.Worker(cached, id)
	if err != nil {
		return err
	}
	if err := k.refund(cached, w); err != nil {
		return err
	}
	err = cached.EventManager().EmitTypedEvent(&types.EventWorkerRetired{WorkerId: id, Refunded: w.Deposit.String()})
	if err != nil {
		return err
	}
	write()
	return nil
}

func (k *Keeper) postpone(ctx context.Context, id, epoch uint64, cause error) error {
	k.logger(ctx).Error("worker deposit could not be returned", "worker", id, "err", cause)
	if err := k.Retirements.Set(ctx, collections.Join(epoch, id)); err != nil {
		return err
	}
	text := cause.Error()
	if len(text) > maxCauseSize {
		text = text[:maxCauseSize]
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventRetirementPostponed{
		WorkerId: id, DueEpoch: epoch, Cause: text,
	})
}
