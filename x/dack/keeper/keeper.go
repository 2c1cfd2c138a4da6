// Package keeper holds the state machine of x/dack: accounts, keys, settlements, revenue and its sums.
package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/codec"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/edgechain/edge/x/dack/types"
)

type (
	// laneKey is epoch, worker, key.
	laneKey = collections.Triple[uint64, uint64, uint64]
	// revenueKey is epoch, worker, service.
	revenueKey = collections.Triple[uint64, uint64, uint64]
	// totalKey is epoch and the id of a worker or service.
	totalKey = collections.Pair[uint64, uint64]
)

// Keeper is the state of x/dack. It has no mutable memory: transactions may run in parallel and be run again.
type Keeper struct {
	cdc       codec.BinaryCodec
	addresses address.Codec
	module    sdk.AccAddress

	// objectKey is that of the store of changes that EndBlock folds into the state.
	objectKey *storetypes.ObjectStoreKey

	// authority may change the parameters.
	authority string

	schema        collections.Schema
	params        collections.Item[types.Params]
	prices        collections.Map[uint64, types.Prices]
	services      collections.Map[uint64, types.Service]
	nextAccountID collections.Sequence
	nextKeyID     collections.Sequence
	accounts      collections.Map[uint64, types.Account]
	owners        collections.Map[[]byte, uint64]
	keys          collections.Map[uint64, types.ClientKey]
	publicKeys    collections.Map[[]byte, uint64]
	accountKeys   collections.KeySet[collections.Pair[uint64, uint64]]
	lanes         collections.Map[laneKey, types.LaneSet]
	withdrawals   collections.KeySet[collections.Pair[uint64, uint64]]
	revenue       collections.Map[revenueKey, types.WorkerRevenue]
	workerTotals  collections.Map[totalKey, types.WorkerRevenue]
	serviceTotals collections.Map[totalKey, types.ServiceRevenue]
	epochTotals   collections.Map[uint64, types.EpochRevenue]
	sumCursors    collections.Map[uint64, types.SumCursor]
	// oldestPruned is what oldestKept was when records of history were pruned last; it only rises.
	oldestPruned collections.Item[uint64]
	// serviceOwners are services by their owner in the newest state.
	serviceOwners collections.KeySet[collections.Pair[[]byte, uint64]]
	// removedServices are those to be pruned, by the epoch from which they can.
	removedServices collections.KeySet[collections.Pair[uint64, uint64]]
	nextServiceID   collections.Sequence
	totals          collections.Item[types.Totals]
	// pursePages are encoded PursePages by PurseStoreOf, each map in a store of its own: to replace one purse the others need not
	// be decoded.
	pursePages   [types.PurseStores]collections.Map[uint64, []byte]
	purseSchemas [types.PurseStores]collections.Schema

	bank  types.BankKeeper
	epoch types.EpochKeeper
	node  types.NodeKeeper
}

// NewKeeper returns the keeper of x/dack. Its stores are opened by their names. It panics on wiring faults.
func NewKeeper(
	cdc codec.BinaryCodec, open func(store string) corestore.KVStoreService, objectKey *storetypes.ObjectStoreKey, authority string, ac address.Codec,
	bk types.BankKeeper, ek types.EpochKeeper, nk types.NodeKeeper,
) *Keeper {
	if _, err := ac.StringToBytes(authority); err != nil {
		panic(fmt.Errorf("x/%s: authority: %w", types.ModuleName, err))
	}
	u64, pair := collections.Uint64Key, collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key)
	triple := collections.TripleKeyCodec(collections.Uint64Key, collections.Uint64Key, collections.Uint64Key)
	workerRevenue := codec.CollValue[types.WorkerRevenue](cdc)
	sb := collections.NewSchemaBuilder(open(types.StoreKey))
	k := &Keeper{
		cdc:       cdc,
		addresses: ac,
		module:    authtypes.NewModuleAddress(types.ModuleName),
		objectKey: objectKey,
		authority: authority,

		params:        collections.NewItem(sb, types.ParamsPrefix, "params", codec.CollValue[types.Params](cdc)),
		prices:        collections.NewMap(sb, types.PricesPrefix, "prices", u64, codec.CollValue[types.Prices](cdc)),
		services:      collections.NewMap(sb, types.ServicesPrefix, "services", u64, codec.CollValue[types.Service](cdc)),
		nextAccountID: collections.NewSequence(sb, types.NextAccountIDPrefix, "next_account_id"),
		nextKeyID:     collections.NewSequence(sb, types.NextKeyIDPrefix, "next_key_id"),
		accounts:      collections.NewMap(sb, types.AccountsPrefix, "accounts", u64, codec.CollValue[types.Account](cdc)),
		owners:        collections.NewMap(sb, types.OwnersPrefix, "owners", collections.BytesKey, collections.Uint64Value),
		keys:          collections.NewMap(sb, types.KeysPrefix, "keys", u64, codec.CollValue[types.ClientKey](cdc)),
		publicKeys:    collections.NewMap(sb, types.PublicKeysPrefix, "public_keys", collections.BytesKey, collections.Uint64Value),
		accountKeys:   collections.NewKeySet(sb, types.AccountKeysPrefix, "account_keys", pair),
		lanes:         collections.NewMap(sb, types.LanesPrefix, "lanes", triple, codec.CollValue[types.LaneSet](cdc)),
		withdrawals:   collections.NewKeySet(sb, types.WithdrawalsPrefix, "withdrawals", pair),
		revenue:       collections.NewMap(sb, types.RevenuePrefix, "revenue", triple, workerRevenue),
		workerTotals:  collections.NewMap(sb, types.WorkerTotalsPrefix, "worker_totals", pair, workerRevenue),
		serviceTotals: collections.NewMap(sb, types.ServiceTotalsPrefix, "service_totals", pair, codec.CollValue[types.ServiceRevenue](cdc)),
		epochTotals:   collections.NewMap(sb, types.EpochTotalsPrefix, "epoch_totals", u64, codec.CollValue[types.EpochRevenue](cdc)),
		sumCursors:    collections.NewMap(sb, types.SumCursorsPrefix, "sum_cursors", u64, codec.CollValue[types.SumCursor](cdc)),
		nextServiceID: collections.NewSequence(sb, types.NextServiceIDPrefix, "next_service_id"),
		serviceOwners: collections.NewKeySet(sb, types.ServiceOwnersPrefix, "service_owners",
			collections.PairKeyCodec(collections.BytesKey, collections.Uint64Key)),
		removedServices: collections.NewKeySet(sb, types.RemovedServicesPrefix, "removed_services", pair),
		oldestPruned:    collections.NewItem(sb, types.OldestKeptPrefix, "oldest_kept", collections.Uint64Value),
		totals:          collections.NewItem(sb, types.TotalsPrefix, "totals", codec.CollValue[types.Totals](cdc)),

		bank:  bk,
		epoch: ek,
		node:  nk,
	}
	schema, err := sb.Build()
	if err != nil {
		panic(err)
	}
	k.schema = schema
	for i, name := range types.PurseStoreKeys() {
		sb := collections.NewSchemaBuilder(open(name))
		k.pursePages[i] = collections.NewMap(sb, types.PursePagesPrefix, "purse_pages", u64, collections.BytesValue)
		if k.purseSchemas[i], err = sb.Build(); err != nil {
			panic(err)
		}
	}
	return k
}

// Schemas describe the stores by their names, for simulations and state tools.
func (k *Keeper) Schemas() map[string]collections.Schema {
	schemas := map[string]collections.Schema{types.StoreKey: k.schema}
	for i, name := range types.PurseStoreKeys() {
		schemas[name] = k.purseSchemas[i]
	}
	return schemas
}

// Params returns the parameters.
func (k *Keeper) Params(ctx context.Context) (types.Params, error) { return k.params.Get(ctx) }

// SettlementDenom returns the denom of the settlement coin.
func (k *Keeper) SettlementDenom(ctx context.Context) (string, error) {
	params, err := k.params.Get(ctx)
	if err != nil {
		return "", err
	}
	return params.SettlementDenom, nil
}

func (k *Keeper) logger(ctx context.Context) log.Logger {
	return sdk.UnwrapSDKContext(ctx).Logger().With("module", "x/"+types.ModuleName)
}
