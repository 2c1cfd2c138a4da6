package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	"github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// InitGenesis stores a genesis state. It returns ErrInvalidGenesis if the state contradicts itself, or if the module's
// account holds anything else than what the state says it owes: it receives nothing from outside. The genesis of x/bank comes before it.
func (k *Keeper) InitGenesis(ctx context.Context, gs *types.GenesisState) error {
	if err := gs.Validate(); err != nil {
		return err
	}
	if err := errors.Join(
		k.params.Set(ctx, gs.Params),
		k.nextAccountID.Set(ctx, gs.NextAccountId),
		k.nextKeyID.Set(ctx, gs.NextKeyId),
	); err != nil {
		return err
	}
	if err := k.initPrices(ctx, gs); err != nil {
		return err
	}
	if err := k.initServices(ctx, gs); err != nil {
		return err
	}
	for _, a := range gs.Accounts {
		if err := k.initAccount(ctx, a); err != nil {
			return err
		}
	}
	if err := k.initKeys(ctx, gs); err != nil {
		return err
	}
	for _, r := range gs.LaneSets {
		if err := k.lanes.Set(ctx, collections.Join3(r.Epoch, r.WorkerId, r.KeyId), r.Lanes); err != nil {
			return err
		}
	}
	if err := k.initRevenue(ctx, gs); err != nil {
		return err
	}
	if err := k.initTotals(ctx); err != nil {
		return err
	}
	totals, err := k.Totals(ctx)
	if err != nil {
		return err
	}
	held, err := k.Held(ctx)
	if err != nil {
		return err
	}
	if owed := totals.Sum(); !held.Equal(owed) {
		return errorsmod.Wrapf(types.ErrInvalidGenesis, "the module's account holds %s, %s is owed", held, owed)
	}
	return nil
}

// initPrices stores the schedule of prices. Every live epoch must have prices.
func (k *Keeper) initPrices(ctx context.Context, gs *types.GenesisState) error {
	changes := gs.PriceChanges
	if len(changes) == 0 {
		changes = []types.PriceChange{{Epoch: 1, Prices: gs.Params.Prices}}
	}
	current, err := k.epoch.CurrentNumber(ctx)
	if err != nil {
		return err
	}
	if oldest := epochtypes.OldestLive(current); changes[0].Epoch > oldest {
		return errorsmod.Wrapf(types.ErrInvalidGenesis, "prices from epoch %d on, the oldest live epoch is %d", changes[0].Epoch, oldest)
	}
	for _, c := range changes {
		if err := k.prices.Set(ctx, c.Epoch, c.Prices); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) initAccount(ctx context.Context, a types.Account) error {
	owner, err := k.decodeAddress("owner", a.Owner)
	if err != nil {
		return errorsmod.Wrapf(types.ErrInvalidGenesis, "account %d: %s", a.Id, err)
	}
	if has, err := k.owners.Has(ctx, owner); err != nil || has {
		return errors.Join(err, errorsmod.Wrapf(types.ErrInvalidGenesis, "account %d: the owner has another one", a.Id))
	}
	if err := errors.Join(k.owners.Set(ctx, owner, a.Id), k.setAccount(ctx, a)); err != nil {
		return err
	}
	for _, w := range a.Withdrawals {
		if err := k.withdrawals.Set(ctx, collections.Join(w.Epoch+types.WithdrawalDelay, a.Id)); err != nil {
			return err
		}
	}
	return nil
}

// initKeys stores the client keys. A limit can be pending for the next epoch at most.
func (k *Keeper) initKeys(ctx context.Context, gs *types.GenesisState) error {
	current, err := k.epoch.CurrentNumber(ctx)
	if err != nil {
		return err
	}
	for _, key := range gs.Keys {
		if key.LimitFrom > current+1 {
			return errorsmod.Wrapf(types.ErrInvalidGenesis, "key %d: limit from epoch %d on, the next one is %d", key.Id, key.LimitFrom, current+1)
		}
		if err := k.storeKey(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) initRevenue(ctx context.Context, gs *types.GenesisState) error {
	for _, r := range gs.Revenue {
		if err := k.revenue.Set(ctx, collections.Join3(r.Epoch, r.WorkerId, r.ServiceId), workerRevenue(r)); err != nil {
			return err
		}
	}
	for _, r := range gs.WorkerTotals {
		if err := k.workerTotals.Set(ctx, collections.Join(r.Epoch, r.WorkerId), workerRevenue(r)); err != nil {
			return err
		}
	}
	for _, r := range gs.ServiceTotals {
		total := types.ServiceRevenue{Revenue: r.Revenue, Owner: r.Owner}
		if err := k.serviceTotals.Set(ctx, collections.Join(r.Epoch, r.ServiceId), total); err != nil {
			return err
		}
	}
	for _, t := range gs.EpochTotals {
		if err := k.epochTotals.Set(ctx, t.Epoch, t); err != nil {
			return err
		}
	}
	for _, c := range gs.SumCursors {
		if err := k.sumCursors.Set(ctx, c.Epoch, c); err != nil {
			return err
		}
	}
	return k.initOldestKept(ctx, gs.OldestKept)
}

// initOldestKept stores from which epoch on history is kept: one that is over.
func (k *Keeper) initOldestKept(ctx context.Context, oldest uint64) error {
	current, err := k.epoch.CurrentNumber(ctx)
	if err != nil {
		return err
	}
	if oldest > current {
		return errorsmod.Wrapf(types.ErrInvalidGenesis, "history is kept from epoch %d on, the open one is %d", oldest, current)
	}
	return k.keepFrom(ctx, oldest)
}

func workerRevenue(r types.RevenueRecord) types.WorkerRevenue {
	return types.WorkerRevenue{Revenue: r.Revenue, Operator: r.Operator, Owner: r.Owner, ProtocolAmount: r.ProtocolAmount}
}

// ExportGenesis returns the whole state; importing it gives the same state back, also in the middle of a sum.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	gs := &types.GenesisState{}
	var err error
	if gs.Params, err = k.params.Get(ctx); err != nil {
		return nil, err
	}
	if gs.NextAccountId, err = k.nextAccountID.Peek(ctx); err != nil {
		return nil, err
	}
	if gs.NextKeyId, err = k.nextKeyID.Peek(ctx); err != nil {
		return nil, err
	}
	if gs.NextServiceId, err = k.nextServiceID.Peek(ctx); err != nil {
		return nil, err
	}
	if err := k.prices.Walk(ctx, nil, func(epoch uint64, p types.Prices) (bool, error) {
		gs.PriceChanges = append(gs.PriceChanges, types.PriceChange{Epoch: epoch, Prices: p})
		return false, nil
	}); err != nil {
		return nil, err
	}
	if gs.Services, err = values(ctx, k.services); err != nil {
		return nil, err
	}
	if gs.Accounts, gs.Keys, err = k.exportClients(ctx); err != nil {
		return nil, err
	}
	if err := k.lanes.Walk(ctx, nil, func(key laneKey, lanes types.LaneSet) (bool, error) {
		gs.LaneSets = append(gs.LaneSets, types.LaneSetRecord{Epoch: key.K1(), WorkerId: key.K2(), KeyId: key.K3(), Lanes: lanes})
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.revenue.Walk(ctx, nil, func(key revenueKey, r types.WorkerRevenue) (bool, error) {
		gs.Revenue = append(gs.Revenue, revenueRecord(key, r))
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.workerTotals.Walk(ctx, nil, func(key totalKey, r types.WorkerRevenue) (bool, error) {
		gs.WorkerTotals = append(gs.WorkerTotals, workerTotal(key, r))
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.serviceTotals.Walk(ctx, nil, func(key totalKey, r types.ServiceRevenue) (bool, error) {
		gs.ServiceTotals = append(gs.ServiceTotals, serviceTotal(key, r))
		return false, nil
	}); err != nil {
		return nil, err
	}
	if gs.EpochTotals, err = values(ctx, k.epochTotals); err != nil {
		return nil, err
	}
	if gs.SumCursors, err = values(ctx, k.sumCursors); err != nil {
		return nil, err
	}
	gs.OldestKept, err = k.oldestPruned.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return gs, nil
	}
	return gs, err
}

// values returns all values of a collection in the order of their keys.
func values[K, V any](ctx context.Context, m collections.Map[K, V]) ([]V, error) {
	iter, err := m.Iterate(ctx, nil)
	if err != nil {
		return nil, err
	}
	return iter.Values()
}
