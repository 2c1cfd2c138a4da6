package keeper

import (
	"context"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// EndBlock does
//
//  1. fold what the transactions of the block have changed of purses and totals into the state, in the order of accounts.
//     Only a state that cannot be read or written makes that fail, and then the block must: money would be lost.
//
// And then, each with a cap for the block and in a cached context, so that no failure can halt the chain:
//
//  2. pay the withdrawals that are due, at most withdrawals_per_block;
//  3. remove what is dead, at most Params.PruneLimit records: lanes of epochs before the oldest live one, removed
//     services, whose deposits go back, then totals and prices of epochs that are not kept any more.
//
// What happens after the fold, here and in the modules whose EndBlock comes later, writes the state itself.
func (k *Keeper) EndBlock(ctx context.Context) error {
	opened, err := k.fold(ctx)
	if err != nil {
		return err
	}
	k.objects(ctx).Set([]byte{foldedKey}, true)
	for _, step := range []struct {
		name string
		run  func(ctx sdk.Context) error
	}{
		{"withdrawals", k.payWithdrawals},
		{"prune", func(ctx sdk.Context) error { return k.prune(ctx, opened) }},
	} {
		if err := inCache(ctx, step.run); err != nil {
			k.logger(ctx).Error("end block step failed", "step", step.name, "error", err)
		}
	}
	return nil
}

// payWithdrawals pays the withdrawals that are due, oldest first.
func (k *Keeper) payWithdrawals(ctx sdk.Context) error {
	params, err := k.params.Get(ctx)
	if err != nil {
		return err
	}
	current, err := k.epoch.CurrentNumber(ctx)
	if err != nil {
		return err
	}
	due, err := k.dueWithdrawals(ctx, current, params.WithdrawalsPerBlock)
	if err != nil {
		return err
	}
	for _, key := range due {
		// Whatever comes of it, the entry leaves its place in the queue: it must not be met again in each block.
		if err := k.withdrawals.Remove(ctx, key); err != nil {
			return err
		}
		upTo, id := key.K1()-types.WithdrawalDelay, key.K2()
		cause := inCache(ctx, func(ctx sdk.Context) error { return k.payWithdrawal(ctx, id, upTo, params.SettlementDenom) })
		if cause == nil {
			continue
		}
		failure := inCache(ctx, func(ctx sdk.Context) error { return k.returnWithdrawal(ctx, id, upTo, params.SettlementDenom, cause) })
		if failure == nil {
			continue
		}
		k.logger(ctx).Error("withdrawal can neither be paid nor returned", "account", id, "epoch", upTo, "cause", cause, "error", failure)
		if err := k.deferWithdrawal(ctx, id, current+1, failure); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) dueWithdrawals(ctx context.Context, current uint64, limit uint32) ([]collections.Pair[uint64, uint64], error) {
	iter, err := k.withdrawals.Iterate(ctx, new(collections.Range[collections.Pair[uint64, uint64]]).
		EndExclusive(collections.PairPrefix[uint64, uint64](current+1)))
	if err != nil {
		return nil, err
	}
	defer iter.Close()
	var keys []collections.Pair[uint64, uint64]
	for ; iter.Valid() && uint64(len(keys)) < uint64(limit); iter.Next() {
		key, err := iter.Key()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// deferWithdrawal puts an account back into the queue, once for each epoch: its record is at fault, and may be mended by an
// upgrade.
func (k *Keeper) deferWithdrawal(ctx sdk.Context, id, due uint64, cause error) error {
	if err := k.withdrawals.Set(ctx, collections.Join(due, id)); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventWithdrawalDeferred{AccountId: id, RetriedFrom: due, Cause: epochtypes.Cause(cause)})
}

// payWithdrawal sends to the owner what settlements have left of the withdrawals that were requested up to an epoch.
func (k *Keeper) payWithdrawal(ctx sdk.Context, id, upTo uint64, denom string) error {
	account, err := k.Account(ctx, id)
	if err != nil {
		return err
	}
	amount := account.TakeWithdrawals(upTo)
	if !amount.IsPositive() {
		return nil
	}
	if err := k.setAccount(ctx, account); err != nil {
		return err
	}
	owner, err := k.decodeAddress("owner", account.Owner)
	if err != nil {
		return err
	}
	coin := sdk.NewCoin(denom, amount)
	if err := k.bank.SendCoinsFromModuleToAccount(ctx, types.ModuleName, owner, sdk.NewCoins(coin)); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventWithdrawalPaid{AccountId: id, Amount: coin.String()})
}

// returnWithdrawal puts a withdrawal that could not be paid back into the balance. The owner can ask again.
func (k *Keeper) returnWithdrawal(ctx sdk.Context, id, upTo uint64, denom string, cause error) error {
	account, err := k.Account(ctx, id)
	if err != nil {
		return err
	}
	amount := account.TakeWithdrawals(upTo)
	account.Balance = account.Balance.Add(amount)
	if err := k.setAccount(ctx, account); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventWithdrawalFailed{
		AccountId: id, Amount: sdk.NewCoin(denom, amount).String(), Cause: epochtypes.Cause(cause),
	})
}
