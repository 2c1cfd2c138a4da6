package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// addRevenue adds to the record of a worker and a service in an epoch. The record names the operator and the owner of the
// service, so that paying their shares needs no other record, however late. It returns ErrInvariant if the record is another
// owner's: within an epoch a service has one.
func (k *Keeper) addRevenue(ctx context.Context, epoch, workerID, serviceID uint64, revenue types.WorkerRevenue) error {
	return addTo(ctx, k.revenue, collections.Join3(epoch, workerID, serviceID), revenue)
}

// addTo adds to a revenue that may not exist yet.
func addTo[K any, V interface{ Add(V) (V, error) }](ctx context.Context, m collections.Map[K, V], key K, revenue V) error {
	old, err := m.Get(ctx, key)
	if errors.Is(err, collections.ErrNotFound) {
		return m.Set(ctx, key, revenue)
	}
	if err != nil {
		return err
	}
	sum, err := old.Add(revenue)
	if err != nil {
		return err
	}
	return m.Set(ctx, key, sum)
}

// RecordsPerUnit is how many records Close sums for each unit of the budget. A record is three writes, a payout of the stage
// behind it twelve, so that a unit is about the same work in both. It is what makes closings as fast as blocks can open records
// under the default parameters: MaxServicesPerSettlement for 60,000 + 8 * 9,000 gas are 2,424 in a block of 40,000,000, and
// the default budget sums 2,500.
const RecordsPerUnit = 5

// Close is the sum stage of the closing machine: it moves up to budget * RecordsPerUnit records of a closed epoch into the
// totals by worker, by service and of the epoch, and says how many units of the budget it has used, begun ones included. A record exists until it is summed, so none is counted twice; one that fails is set
// aside and stays where it is. The position is in the state, for each epoch by itself, so that Close can be called again
// at any time.
func (k *Keeper) Close(ctx context.Context, epoch uint64, budget uint32) (used uint32, done bool, err error) {
	total, err := k.epochTotals.Get(ctx, epoch)
	switch {
	case errors.Is(err, collections.ErrNotFound):
		total = types.EpochRevenue{Epoch: epoch, Revenue: types.NewRevenue()}
	case err != nil:
		return 0, false, err
	case total.Summed:
		return 0, true, nil
	}
	records, more, err := k.nextRecords(ctx, epoch, RecordsPerUnit*uint64(max(budget, 1)))
	if err != nil {
		return 0, false, err
	}
	for _, key := range records {
		var revenue types.Revenue
		if err := inCache(ctx, func(ctx sdk.Context) (err error) {
			revenue, err = k.sumRecord(ctx, key)
			return err
		}); err != nil {
			if err := k.epoch.SetAside(ctx, epoch, types.StageSum, types.SumItemKey(key.K2(), key.K3()), err); err != nil {
				return 0, false, err
			}
		} else {
			total.Revenue = total.Revenue.Add(revenue)
		}
	}
	used = uint32((len(records) + RecordsPerUnit - 1) / RecordsPerUnit)
	if more {
		last := records[len(records)-1]
		cursor := types.SumCursor{Epoch: epoch, WorkerId: last.K2(), ServiceId: last.K3()}
		if err := k.sumCursors.Set(ctx, epoch, cursor); err != nil {
			return 0, false, err
		}
		return used, false, k.epochTotals.Set(ctx, epoch, total)
	}
	total.Summed = true
	if err := k.sumCursors.Remove(ctx, epoch); err != nil {
		return 0, false, err
	}
	if err := k.epochTotals.Set(ctx, epoch, total); err != nil {
		return 0, false, err
	}
	return used, true, sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&types.EventRevenueSummed{
		Epoch: epoch, Amount: total.Revenue.Amount.String(),
	})
}

// nextRecords returns the keys of the next records to be summed, at most limit, and whether there are more.
func (k *Keeper) nextRecords(ctx context.Context, epoch, limit uint64) ([]revenueKey, bool, error) {
	r := new(collections.Range[revenueKey]).
		StartInclusive(collections.TriplePrefix[uint64, uint64, uint64](epoch)).
		EndExclusive(collections.TriplePrefix[uint64, uint64, uint64](epoch + 1))
	cursor, err := k.sumCursors.Get(ctx, epoch)
	switch {
	case err == nil:
		r = r.StartExclusive(collections.Join3(epoch, cursor.WorkerId, cursor.ServiceId))
	case !errors.Is(err, collections.ErrNotFound):
		return nil, false, err
	}
	iter, err := k.revenue.Iterate(ctx, r)
	if err != nil {
		return nil, false, err
	}
	defer iter.Close()
	var keys []revenueKey
	for ; iter.Valid(); iter.Next() {
		if uint64(len(keys)) >= limit {
			return keys, true, nil
		}
		key, err := iter.Key()
		if err != nil {
			return nil, false, err
		}
		keys = append(keys, key)
	}
	return keys, false, nil
}

// sumRecord moves one record into the totals by worker and by service and returns it.
func (k *Keeper) sumRecord(ctx context.Context, key revenueKey) (types.Revenue, error) {
	revenue, err := k.revenue.Get(ctx, key)
	if err != nil {
		return types.Revenue{}, err
	}
	if err := k.revenue.Remove(ctx, key); err != nil {
		return types.Revenue{}, err
	}
	owned := types.ServiceRevenue{Revenue: revenue.Revenue, Owner: revenue.Owner}
	if err := addTo(ctx, k.serviceTotals, collections.Join(key.K1(), key.K3()), owned); err != nil {
		return types.Revenue{}, err
	}
	revenue.Owner = "" // a worker serves many
	return revenue.Revenue, addTo(ctx, k.workerTotals, collections.Join(key.K1(), key.K2()), revenue)
}

// RetryItem takes a record that the sum stage set aside into the current epoch, with which it is summed, shared and paid:
// its own epoch may be paid already. So the owner share goes to who owns the service in the current epoch; if the service is pruned,
// to whom the record names. It returns ErrItemNotFound if there is no such record, and ErrNotSummed while the sum of the epoch is
// under way, because the record may then be one that is still to come.
func (k *Keeper) RetryItem(ctx context.Context, epoch uint64, key []byte) error {
	workerID, serviceID, err := types.ParseSumItemKey(key)
	if err != nil {
		return err
	}
	total, err := k.epochTotals.Get(ctx, epoch)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	if !total.Summed {
		return errorsmod.Wrapf(types.ErrNotSummed, "epoch %d", epoch)
	}
	record := collections.Join3(epoch, workerID, serviceID)
	revenue, err := k.revenue.Get(ctx, record)
	if errors.Is(err, collections.ErrNotFound) {
		return errorsmod.Wrapf(types.ErrItemNotFound, "epoch %d worker %d service %d", epoch, workerID, serviceID)
	}
	if err != nil {
		return err
	}
	current, err := k.epoch.CurrentNumber(ctx)
	if err != nil {
		return err
	}
	if err := k.revenue.Remove(ctx, record); err != nil {
		return err
	}
	switch service, err := k.Service(ctx, serviceID); {
	case err == nil:
		now := service.At(current)
		revenue = types.NewWorkerRevenue(revenue.Revenue, revenue.Operator, now.Owner)
	case !errors.Is(err, types.ErrServiceNotFound):
		return err
	}
	return k.addRevenue(ctx, current, workerID, serviceID, revenue)
}

// CollectRevenue sends the summed revenue of an epoch to a module account, once, and returns the amount in units of the
// settlement coin. It returns ErrNotSummed or ErrAlreadyCollected.
func (k *Keeper) CollectRevenue(ctx context.Context, epoch uint64, recipientModule string) (math.Int, error) {
	total, err := k.EpochTotal(ctx, epoch)
	if err != nil {
		return math.Int{}, err
	}
	if total.Collected {
		return math.Int{}, errorsmod.Wrapf(types.ErrAlreadyCollected, "epoch %d", epoch)
	}
	denom, err := k.SettlementDenom(ctx)
	if err != nil {
		return math.Int{}, err
	}
	amount := total.Revenue.Amount
	total.Collected = true
	if err := k.epochTotals.Set(ctx, epoch, total); err != nil {
		return math.Int{}, err
	}
	if amount.IsPositive() {
		coins := sdk.NewCoins(sdk.NewCoin(denom, amount))
		if err := k.bank.SendCoinsFromModuleToModule(ctx, types.ModuleName, recipientModule, coins); err != nil {
			return math.Int{}, err
		}
	}
	change := types.NewTotals()
	change.OpenRevenue = amount.Neg()
	return amount, k.addTotals(ctx, change)
}

// ReleaseTotals says that x/rewards has made or set aside every payout of an epoch and reads its totals no more: from the
// end of history_epochs on they can be pruned. It returns ErrNotCollected if the revenue has not been collected.
func (k *Keeper) ReleaseTotals(ctx context.Context, epoch uint64) error {
	total, err := k.EpochTotal(ctx, epoch)
	if err != nil {
		return err
	}
	if !total.Collected {
		return errorsmod.Wrapf(types.ErrNotCollected, "epoch %d", epoch)
	}
	total.Released = true
	return k.epochTotals.Set(ctx, epoch, total)
}

// EpochTotal returns the total of an epoch that is summed. It returns ErrNotSummed while the sum is under way, and ErrPruned
// for an epoch before history_epochs whose totals are gone or, once released, on the way out, whatever history_epochs is now.
func (k *Keeper) EpochTotal(ctx context.Context, epoch uint64) (types.EpochRevenue, error) {
	total, err := k.epochTotals.Get(ctx, epoch)
	gone := errors.Is(err, collections.ErrNotFound)
	if err != nil && !gone {
		return types.EpochRevenue{}, err
	}
	if gone || total.Released {
		oldest, err := k.oldestKept(ctx)
		if err != nil {
			return types.EpochRevenue{}, err
		}
		if epoch < oldest {
			return types.EpochRevenue{}, errorsmod.Wrapf(types.ErrPruned, "epoch %d, kept from %d on", epoch, oldest)
		}
	}
	if !total.Summed {
		return types.EpochRevenue{}, errorsmod.Wrapf(types.ErrNotSummed, "epoch %d", epoch)
	}
	return total, nil
}

// WorkerTotals returns the totals by worker of an epoch, ascending by worker id from fromWorker on, at most limit, each with
// the operator. It returns the errors of EpochTotal.
func (k *Keeper) WorkerTotals(ctx context.Context, epoch, fromWorker uint64, limit uint32) ([]types.RevenueRecord, error) {
	return totals(ctx, k, k.workerTotals, epoch, fromWorker, limit, workerTotal)
}

// ServiceTotals returns the totals by service of an epoch, ascending by service id from fromService on, at most limit. It
// returns the errors of EpochTotal.
func (k *Keeper) ServiceTotals(ctx context.Context, epoch, fromService uint64, limit uint32) ([]types.RevenueRecord, error) {
	return totals(ctx, k, k.serviceTotals, epoch, fromService, limit, serviceTotal)
}

func revenueRecord(key revenueKey, r types.WorkerRevenue) types.RevenueRecord {
	return types.RevenueRecord{
		Epoch: key.K1(), WorkerId: key.K2(), ServiceId: key.K3(),
		Revenue: r.Revenue, Operator: r.Operator, Owner: r.Owner, ProtocolAmount: r.ProtocolAmount,
	}
}

func workerTotal(key totalKey, r types.WorkerRevenue) types.RevenueRecord {
	return types.RevenueRecord{
		Epoch: key.K1(), WorkerId: key.K2(), Revenue: r.Revenue, Operator: r.Operator, ProtocolAmount: r.ProtocolAmount,
	}
}

// serviceTotal is all the protocol's if the service is.
func serviceTotal(key totalKey, r types.ServiceRevenue) types.RevenueRecord {
	whole := types.NewWorkerRevenue(r.Revenue, "", r.Owner)
	return types.RevenueRecord{
		Epoch: key.K1(), ServiceId: key.K2(), Revenue: r.Revenue, Owner: r.Owner, ProtocolAmount: whole.ProtocolAmount,
	}
}

func totals[V any](
	ctx context.Context, k *Keeper, m collections.Map[totalKey, V], epoch, from uint64, limit uint32,
	record func(totalKey, V) types.RevenueRecord,
) ([]types.RevenueRecord, error) {
	if _, err := k.EpochTotal(ctx, epoch); err != nil {
		return nil, err
	}
	return sums(ctx, m, epoch, from, limit, record)
}

// oldestKept is the oldest epoch whose prices, and whose totals once they are released, are kept. It never falls: what has been
// pruned, or begun to be, does not come back when governance raises history_epochs.
func (k *Keeper) oldestKept(ctx context.Context) (uint64, error) {
	pruned, err := k.oldestPruned.Get(ctx)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return 0, err
	}
	params, err := k.params.Get(ctx)
	if err != nil {
		return 0, err
	}
	current, err := k.epoch.CurrentNumber(ctx)
	if err != nil {
		return 0, err
	}
	oldest := uint64(1)
	if current > uint64(params.HistoryEpochs) {
		oldest = current - uint64(params.HistoryEpochs)
	}
	return max(oldest, pruned), nil
}

// keepFrom remembers from which epoch on totals and prices are kept, before older ones are pruned. Before there is anything to
// prune it writes nothing.
func (k *Keeper) keepFrom(ctx context.Context, oldest uint64) error {
	pruned, err := k.oldestPruned.Get(ctx)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	if oldest <= max(pruned, 1) {
		return nil
	}
	return k.oldestPruned.Set(ctx, oldest)
}

// inCache runs f and keeps what it wrote only if it returns nil. A panic that the input decides is an error, see
// epochtypes.PanicError: what it guards must not halt the chain.
func inCache(ctx context.Context, f func(ctx sdk.Context) error) (err error) {
	cached, write := sdk.UnwrapSDKContext(ctx).CacheContext()
	defer func() {
		r := recover()
		switch r.(type) {
		case nil:
		case storetypes.ErrorOutOfGas, storetypes.ErrorGasOverflow:
			panic(r) // the sender's gas, not the item, is at fault: the transaction fails as a whole
		default:
			err = epochtypes.PanicError(r)
		}
	}()
	if err := f(cached); err != nil {
		return err
	}
	write()
	return nil
}
