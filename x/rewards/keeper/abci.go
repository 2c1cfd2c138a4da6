package keeper

import (
	"context"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/rewards/types"
)

// EndBlock removes the payouts of epochs that are older than history_epochs, visiting at most prune_per_block of them, and as many
// boosts. Payouts that are set aside stay until they are paid; summaries stay for good. It also removes stake locks that have ended,
// as many.
//
// It never returns an error: what fails is undone and logged.
func (k *Keeper) EndBlock(goCtx context.Context) error {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if err := protect(ctx, k.prune); err != nil {
		k.logger(ctx).Error("payouts are not pruned", "height", ctx.BlockHeight(), "error", err)
	}
	if err := protect(ctx, k.pruneStake); err != nil {
		k.logger(ctx).Error("stake locks and boosts are not pruned", "height", ctx.BlockHeight(), "error", err)
	}
	return nil
}

func (k *Keeper) prune(ctx sdk.Context) error {
	params, err := k.params.Get(ctx)
	if err != nil {
		return err
	}
	current, err := k.epochKeeper.CurrentNumber(ctx)
	if err != nil {
		return err
	}
	if current <= uint64(params.HistoryEpochs) {
		return nil
	}
	from, err := k.prunedTo(ctx)
	if err != nil {
		return err
	}
	due, err := k.payoutsBetween(ctx, from, current-uint64(params.HistoryEpochs), params.PrunePerBlock)
	if err != nil || len(due) == 0 {
		return err
	}
	for _, p := range due {
		if p.SetAside {
			continue
		}
		if err := k.payouts.Remove(ctx, keyOf(p.Epoch, p.Kind, p.Id)); err != nil {
			return err
		}
	}
	last := due[len(due)-1]
	return k.pruneCursor.Set(ctx, types.PruneCursor{Epoch: last.Epoch, Kind: last.Kind, NextId: last.Id + 1})
}

// payoutsBetween returns at most limit payouts from a position on, of epochs before the given one.
func (k *Keeper) payoutsBetween(ctx sdk.Context, from types.PruneCursor, epoch uint64, limit uint32) ([]types.Payout, error) {
	rng := new(collections.Range[payoutKey]).
		StartInclusive(keyOf(from.Epoch, from.Kind, from.NextId)).
		EndExclusive(collections.TriplePrefix[uint64, uint16, uint64](epoch))
	var out []types.Payout
	err := k.payouts.Walk(ctx, rng, func(_ payoutKey, p types.Payout) (bool, error) {
		out = append(out, p)
		return uint64(len(out)) >= uint64(limit), nil
	})
	return out, err
}

func (k *Keeper) pruneStake(ctx sdk.Context) error {
	params, err := k.params.Get(ctx)
	if err != nil {
		return err
	}
	current, err := k.epochKeeper.CurrentNumber(ctx)
	if err != nil {
		return err
	}
	if err := k.pruneLocks(ctx, current, params.PrunePerBlock); err != nil {
		return err
	}
	if current <= uint64(params.HistoryEpochs) {
		return nil
	}
	return k.pruneBoosts(ctx, current-uint64(params.HistoryEpochs), params.PrunePerBlock)
}
