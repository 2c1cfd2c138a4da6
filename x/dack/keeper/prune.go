package keeper

import (
	"context"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// prune removes dead records, at most Params.PruneLimit of them, after a block that has opened lanes. It decodes no values, and always begins at the front: what
// it has removed is not there to be met again.
func (k *Keeper) prune(ctx sdk.Context, opened uint64) error {
	params, err := k.params.Get(ctx)
	if err != nil {
		return err
	}
	current, err := k.epoch.CurrentNumber(ctx)
	if err != nil {
		return err
	}
	budget := params.PruneLimit(opened)
	used, err := pruneRange(ctx, k.lanes, new(collections.Range[laneKey]).
		EndExclusive(collections.TriplePrefix[uint64, uint64, uint64](epochtypes.OldestLive(current))), budget)
	if err != nil {
		return err
	}
	budget -= used
	if used, err = k.pruneServices(ctx, current, budget, params.SettlementDenom); err != nil {
		return err
	}
	budget -= used
	oldest, err := k.oldestKept(ctx)
	if err != nil {
		return err
	}
	if err := k.keepFrom(ctx, oldest); err != nil {
		return err
	}
	used, err = k.pruneTotals(ctx, oldest, budget)
	if err != nil {
		return err
	}
	return k.prunePrices(ctx, oldest, budget-used)
}

// pruneRange removes the first records of a range, at most limit, and returns how many they were.
func pruneRange[K, V any](ctx context.Context, m collections.Map[K, V], r collections.Ranger[K], limit int) (int, error) {
	keys, err := firstKeys(ctx, m, r, limit)
	if err != nil {
		return 0, err
	}
	for _, key := range keys {
		if err := m.Remove(ctx, key); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

func firstKeys[K, V any](ctx context.Context, m collections.Map[K, V], r collections.Ranger[K], limit int) ([]K, error) {
	if limit <= 0 {
		return nil, nil
	}
	iter, err := m.Iterate(ctx, r)
	if err != nil {
		return nil, err
	}
	defer iter.Close()
	var keys []K
	for ; iter.Valid() && len(keys) < limit; iter.Next() {
		key, err := iter.Key()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// pruneTotals removes the totals of epochs before oldest that are released, parts before the whole. Epochs whose payouts
// have not all been made or set aside are kept, however old: their totals say to whom the money is owed. They count against
// the limit, and are few: each is a stage of the closing machine that was set aside and that nobody retried.
func (k *Keeper) pruneTotals(ctx context.Context, oldest uint64, limit int) (int, error) {
	epochs, err := firstTotals(ctx, k.epochTotals, oldest, limit)
	if err != nil {
		return 0, err
	}
	used := 0
	for _, total := range epochs {
		used++
		if !total.Released {
			continue
		}
		parts := collections.NewPrefixedPairRange[uint64, uint64](total.Epoch)
		n, err := pruneRange(ctx, k.workerTotals, parts, limit-used)
		if err != nil {
			return 0, err
		}
		used += n
		if n, err = pruneRange(ctx, k.serviceTotals, parts, limit-used); err != nil {
			return 0, err
		}
		used += n
		if used >= limit {
			break // parts may be left; the next block goes on with this epoch
		}
		if err := k.epochTotals.Remove(ctx, total.Epoch); err != nil {
			return 0, err
		}
	}
	return used, nil
}

func firstTotals(ctx context.Context, m collections.Map[uint64, types.EpochRevenue], before uint64, limit int) ([]types.EpochRevenue, error) {
	if limit <= 0 {
		return nil, nil
	}
	iter, err := m.Iterate(ctx, new(collections.Range[uint64]).EndExclusive(before))
	if err != nil {
		return nil, err
	}
	defer iter.Close()
	var totals []types.EpochRevenue
	for ; iter.Valid() && len(totals) < limit; iter.Next() {
		total, err := iter.Value()
		if err != nil {
			return nil, err
		}
		totals = append(totals, total)
	}
	return totals, nil
}

// prunePrices removes the price changes that no kept epoch looks up: all before the newest one that counts from oldest or
// earlier.
func (k *Keeper) prunePrices(ctx context.Context, oldest uint64, limit int) error {
	if limit <= 0 {
		return nil
	}
	keys, err := firstKeys(ctx, k.prices, new(collections.Range[uint64]).EndInclusive(oldest), limit+1)
	if err != nil {
		return err
	}
	for i := 0; i+1 < len(keys); i++ {
		if err := k.prices.Remove(ctx, keys[i]); err != nil {
			return err
		}
	}
	return nil
}
