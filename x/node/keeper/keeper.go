// Package keeper holds the state machine of x/node.
package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/collections/indexes"
	"cosmossdk.io/core/address"
	"cosmossdk.io/core/store"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/node/types"
)

// Keeper of x/node.
type Keeper struct {
	addressCodec   address.Codec
	validatorCodec address.Codec
	// authority may change parameters: the account of x/gov.
	authority string
	// account holds the deposits.
	account sdk.AccAddress

	// Schema of the store.
	Schema collections.Schema
	// Params are set at genesis.
	Params collections.Item[types.Params]
	// NextWorkerID is the id of the next worker.
	NextWorkerID collections.Sequence
	// CurrentEpoch is the epoch as x/epoch last announced it.
	CurrentEpoch collections.Item[uint64]
	// EpochHeight is the first height of that epoch.
	EpochHeight collections.Item[int64]
	// Nodes by operator: those that have opted in at least once and whose validator is still there.
	Nodes collections.Map[[]byte, types.Node]
	// Workers by id.
	Workers *collections.IndexedMap[uint64, types.Worker, WorkerIndexes]
	// Retirements are the removed workers by the epoch in which their deposit is due.
	Retirements collections.KeySet[collections.Pair[uint64, uint64]]

	stakingKeeper types.StakingKeeper
	bankKeeper    types.BankKeeper
	// headerHashes is set once while the application is wired and only read after that.
	headerHashes types.HeaderHashes
}

// WorkerIndexes find workers by node and by peer key.
type WorkerIndexes struct {
	Operator *indexes.Multi[[]byte, uint64, types.Worker]
	PeerKey  *indexes.Unique[[]byte, uint64, types.Worker]
}

// IndexesList implements collections.Indexes.
func (i WorkerIndexes) IndexesList() []collections.Index[uint64, types.Worker] {
	return []collections.Index[uint64, types.Worker]{i.Operator, i.PeerKey}
}

// NewKeeper returns the keeper of x/node. It panics if authority is not an address or the schema contradicts itself.
func NewKeeper(
	cdc codec.BinaryCodec,
	service store.KVStoreService,
	authority string,
	addressCodec, validatorCodec address.Codec,
	stakingKeeper types.StakingKeeper,
	bankKeeper types.BankKeeper,
) *Keeper {
	if _, err := addressCodec.StringToBytes(authority); err != nil {
		panic("x/node: authority is not an address: " + err.Error())
	}
	sb := collections.NewSchemaBuilder(service)
	k := &Keeper{
		addressCodec:   addressCodec,
		validatorCodec: validatorCodec,
		authority:      authority,
		account:        authtypes.NewModuleAddress(types.ModuleName),

		Params:       collections.NewItem(sb, types.ParamsKey, "params", codec.CollValue[types.Params](cdc)),
		NextWorkerID: collections.NewSequence(sb, types.NextWorkerIDKey, "next_worker_id"),
		CurrentEpoch: collections.NewItem(sb, types.EpochKey, "epoch", collections.Uint64Value),
		EpochHeight:  collections.NewItem(sb, types.EpochHeightKey, "epoch_height", collections.Int64Value),
		Nodes:        collections.NewMap(sb, types.NodesKey, "nodes", collections.BytesKey, codec.CollValue[types.Node](cdc)),
		Workers: collections.NewIndexedMap(
			sb, types.WorkersKey, "workers", collections.Uint64Key, codec.CollValue[types.Worker](cdc),
			WorkerIndexes{
				Operator: indexes.NewMulti(
					sb, types.WorkersByOperatorKey, "workers_by_operator", collections.BytesKey, collections.Uint64Key,
					func(_ uint64, w types.Worker) ([]byte, error) { return validatorCodec.StringToBytes(w.Operator) },
				),
				PeerKey: indexes.NewUnique(
					sb, types.WorkersByPeerKeyKey, "workers_by_peer_key", collections.BytesKey, collections.Uint64Key,
					func(_ uint64, w types.Worker) ([]byte, error) { return w.PeerKey, nil },
				),
			},
		),
		Retirements: collections.NewKeySet(
			sb, types.RetirementsKey, "retirements", collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key),
		),

		stakingKeeper: stakingKeeper,
		bankKeeper:    bankKeeper,
	}
	schema, err := sb.Build()
	if err != nil {
		panic(err)
	}
	k.Schema = schema
	return k
}

// SetHeaderHashes hands in where the hashes of headers are kept. The application calls it once while it is wired; a second
// call panics.
func (k *Keeper) SetHeaderHashes(h types.HeaderHashes) {
	if k.headerHashes != nil || h == nil {
		panic("x/node: the header hashes are set once")
	}
	k.headerHashes = h
}

// Authority returns the address that may change parameters.
func (k *Keeper) Authority() string { return k.authority }

// Worker returns a worker, or types.ErrWorkerNotFound.
func (k *Keeper) Worker(ctx context.Context, id uint64) (types.Worker, error) {
	w, err := k.Workers.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Worker{}, errorsmod.Wrapf(types.ErrWorkerNotFound, "worker %d", id)
	}
	return w, err
}

// IsNode reports whether there is a validator with this operator address.
func (k *Keeper) IsNode(ctx context.Context, operator sdk.ValAddress) (bool, error) {
	_, err := k.stakingKeeper.GetValidator(ctx, operator)
	if errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		return false, nil
	}
	return err == nil, err
}

func (k *Keeper) logger(ctx context.Context) log.Logger {
	return sdk.UnwrapSDKContext(ctx).Logger().With("module", "x/"+types.ModuleName)
}
