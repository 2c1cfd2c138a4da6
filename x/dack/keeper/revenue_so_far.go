package keeper

import (
	"context"

	"cosmossdk.io/collections"

	"github.com/edgechain/edge/x/dack/types"
)

// The three lists of what was debited in an epoch, whatever has become of it: together the records and the sums by worker are all of
// it, and so are the records and the sums by service. They are for queries: what is paid comes from WorkerTotals and ServiceTotals.

// OpenRevenue returns the records of an epoch that are not summed, ascending by worker and service from a pair of ids on, at most
// limit.
func (k *Keeper) OpenRevenue(ctx context.Context, epoch, fromWorker, fromService uint64, limit uint32) ([]types.RevenueRecord, error) {
	iter, err := k.revenue.Iterate(ctx, new(collections.Range[revenueKey]).
		StartInclusive(collections.Join3(epoch, fromWorker, fromService)).
		EndExclusive(collections.TriplePrefix[uint64, uint64, uint64](epoch+1)))
	if err != nil {
		return nil, err
	}
	return firstRecords(iter, limit, revenueRecord)
}

// WorkerSums returns what has been summed so far by worker, ascending from a worker id on, at most limit.
func (k *Keeper) WorkerSums(ctx context.Context, epoch, fromWorker uint64, limit uint32) ([]types.RevenueRecord, error) {
	return sums(ctx, k.workerTotals, epoch, fromWorker, limit, workerTotal)
}

// ServiceSums returns what has been summed so far by service, ascending from a service id on, at most limit.
func (k *Keeper) ServiceSums(ctx context.Context, epoch, fromService uint64, limit uint32) ([]types.RevenueRecord, error) {
	return sums(ctx, k.serviceTotals, epoch, fromService, limit, serviceTotal)
}

func sums[V any](
	ctx context.Context, m collections.Map[totalKey, V], epoch, from uint64, limit uint32, record func(totalKey, V) types.RevenueRecord,
) ([]types.RevenueRecord, error) {
	iter, err := m.Iterate(ctx, collections.NewPrefixedPairRange[uint64, uint64](epoch).StartInclusive(from))
	if err != nil {
		return nil, err
	}
	return firstRecords(iter, limit, record)
}

// firstRecords returns at most limit entries of an iterator, which it closes.
func firstRecords[K, V any](iter collections.Iterator[K, V], limit uint32, record func(K, V) types.RevenueRecord) ([]types.RevenueRecord, error) {
	defer iter.Close()
	var records []types.RevenueRecord
	for ; iter.Valid() && uint64(len(records)) < uint64(limit); iter.Next() {
		kv, err := iter.KeyValue()
		if err != nil {
			return nil, err
		}
		records = append(records, record(kv.Key, kv.Value))
	}
	return records, nil
}
