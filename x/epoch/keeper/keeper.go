// Package keeper implements x/epoch: the clock of the chain, the machine that closes epochs, the randomness beacon and the
// committee that runs consensus.
package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/epoch/types"
)

// setAsideKey is (epoch, stage, item key).
type setAsideKey = collections.Triple[uint64, string, []byte]

// operatorKey is (epoch, operator).
type operatorKey = collections.Pair[uint64, []byte]

// Keeper owns the epochs.
type Keeper struct {
	cdc       codec.BinaryCodec
	authority string
	operators address.Codec

	schema      collections.Schema
	params      collections.Item[types.Params]
	development collections.Item[bool]
	current     collections.Item[uint64]
	epochs      collections.Map[uint64, types.Epoch]
	closing     collections.Item[types.ClosingState]
	setAside    collections.Map[setAsideKey, types.SetAsideItem]

	beaconKeys    collections.Map[[]byte, types.BeaconKey]
	elections     collections.Map[uint64, types.Election]
	frozen        collections.Map[operatorKey, types.FrozenValidator]
	leavings      collections.Map[operatorKey, types.Leaving]
	beacon        collections.Item[types.Beacon]
	handOver      collections.Item[types.HandOver]
	validatorSets collections.Map[int64, types.ValidatorSet]
	headerHashes  collections.Map[int64, []byte]
	changed       collections.Item[bool]
	rotation      collections.Item[types.Rotation]

	nodeKeeper    types.NodeKeeper
	stakingKeeper StakingKeeper
	// consensusParams is set once while the application is wired, for queries.
	consensusParams ConsensusParams

	// stages and paramsGuard are set once while the application is wired and only read after that.
	stages      []types.Stage
	stagesSet   bool
	paramsGuard func(ctx context.Context, p types.Params) error
}

// NewKeeper builds the keeper. It panics on wiring faults only.
func NewKeeper(
	cdc codec.BinaryCodec, svc corestore.KVStoreService, authority string, operators address.Codec,
	nk types.NodeKeeper, sk StakingKeeper,
) *Keeper {
	sb := collections.NewSchemaBuilder(svc)
	k := &Keeper{
		cdc:         cdc,
		authority:   authority,
		operators:   operators,
		params:      collections.NewItem(sb, types.ParamsKey, "params", codec.CollValue[types.Params](cdc)),
		development: collections.NewItem(sb, types.DevelopmentKey, "development", collections.BoolValue),
		current:     collections.NewItem(sb, types.CurrentKey, "current", collections.Uint64Value),
		epochs:      collections.NewMap(sb, types.EpochsPrefix, "epochs", collections.Uint64Key, codec.CollValue[types.Epoch](cdc)),
		closing:     collections.NewItem(sb, types.ClosingKey, "closing", codec.CollValue[types.ClosingState](cdc)),
		setAside: collections.NewMap(sb, types.SetAsidePrefix, "set_aside",
			collections.TripleKeyCodec(collections.Uint64Key, collections.StringKey, collections.BytesKey),
			codec.CollValue[types.SetAsideItem](cdc)),
		beaconKeys: collections.NewMap(sb, types.BeaconKeysPrefix, "beacon_keys", collections.BytesKey, codec.CollValue[types.BeaconKey](cdc)),
		elections:  collections.NewMap(sb, types.ElectionsPrefix, "elections", collections.Uint64Key, codec.CollValue[types.Election](cdc)),
		frozen: collections.NewMap(sb, types.FrozenPrefix, "frozen",
			collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey), codec.CollValue[types.FrozenValidator](cdc)),
		leavings: collections.NewMap(sb, types.LeavingsPrefix, "leavings",
			collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey), codec.CollValue[types.Leaving](cdc)),
		beacon:   collections.NewItem(sb, types.BeaconStateKey, "beacon", codec.CollValue[types.Beacon](cdc)),
		handOver: collections.NewItem(sb, types.HandOverKey, "hand_over", codec.CollValue[types.HandOver](cdc)),
		validatorSets: collections.NewMap(sb, types.ValidatorSetsPrefix, "validator_sets",
			collections.Int64Key, codec.CollValue[types.ValidatorSet](cdc)),
		headerHashes:  collections.NewMap(sb, types.HeaderHashesPrefix, "header_hashes", collections.Int64Key, collections.BytesValue),
		changed:       collections.NewItem(sb, types.ChangedKey, "changed", collections.BoolValue),
		rotation:      collections.NewItem(sb, types.RotationKey, "rotation", codec.CollValue[types.Rotation](cdc)),
		nodeKeeper:    nk,
		stakingKeeper: sk,
	}
	schema, err := sb.Build()
	if err != nil {
		panic(fmt.Sprintf("x/epoch: %s", err))
	}
	k.schema = schema
	return k
}

// SetStages registers the stages of the closing machine, in the order in which they run. The application calls it once
// while it is wired; a second call or invalid stages panic.
func (k *Keeper) SetStages(stages ...types.Stage) {
	if k.stagesSet {
		panic("x/epoch: the closing stages are set already")
	}
	if err := types.ValidateStages(stages); err != nil {
		panic("x/epoch: " + err.Error())
	}
	k.stages = slices.Clone(stages)
	k.stagesSet = true
}

// SetParamsGuard registers a further check of parameters that governance wants to set, against the parameters of other modules.
// The application calls it once while it is wired; a second call panics.
func (k *Keeper) SetParamsGuard(guard func(ctx context.Context, p types.Params) error) {
	if k.paramsGuard != nil {
		panic("x/epoch: the guard of the parameters is set already")
	}
	k.paramsGuard = guard
}

// Authority is the address that may change the parameters.
func (k *Keeper) Authority() string { return k.authority }

// Schema describes the store, for simulations and state tools.
func (k *Keeper) Schema() collections.Schema { return k.schema }

// Params returns the parameters.
func (k *Keeper) Params(ctx context.Context) (types.Params, error) { return k.params.Get(ctx) }

// Development says whether the genesis lifted the lower bounds of parameters. It never changes.
func (k *Keeper) Development(ctx context.Context) (bool, error) { return k.development.Get(ctx) }

// IsValidator says whether an operator has a validator, bonded or not.
func (k *Keeper) IsValidator(ctx context.Context, operator sdk.ValAddress) (bool, error) {
	_, err := k.stakingKeeper.GetValidator(ctx, operator)
	if errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		return false, nil
	}
	return err == nil, err
}

// stageIndex returns the place of a stage in the machine.
func (k *Keeper) stageIndex(name string) (int, bool) {
	i := slices.IndexFunc(k.stages, func(s types.Stage) bool { return s.Name == name })
	return i, i >= 0
}

func (k *Keeper) logger(ctx sdk.Context) log.Logger {
	return ctx.Logger().With("module", "x/"+types.ModuleName)
}
