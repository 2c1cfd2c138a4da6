// Package app is the chain: it wires the modules of the Cosmos SDK and our own into one application.
package app

import (
	"encoding/json"
	"fmt"
	"sync"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/gogoproto/proto"
	"github.com/spf13/cast"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"
	reflectionv1 "cosmossdk.io/api/cosmos/reflection/v1"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/baseapp/blockexec"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	runtimeservices "github.com/cosmos/cosmos-sdk/runtime/services"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
	"github.com/cosmos/cosmos-sdk/version"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authsims "github.com/cosmos/cosmos-sdk/x/auth/simulation"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app/statedb"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

var (
	_ runtime.AppI            = (*App)(nil)
	_ servertypes.Application = (*App)(nil)
)

// App is the chain's state machine.
type App struct {
	*baseapp.BaseApp
	keepers

	encoding encoding
	keys     map[string]*storetypes.KVStoreKey

	modules *module.Manager
	basics  module.BasicManager
	sims    *module.SimulationManager

	closeOnce sync.Once
	closeErr  error
}

// FlagRecordCacheBytes is the setting for how much memory the records have that settlements touch, in bytes.
const FlagRecordCacheBytes = "state.record-cache-bytes"

// New returns the application on a database. It panics on faults of the wiring and if the database cannot be loaded, as
// the SDK's own constructors do: there is nothing to run then.
func New(
	logger log.Logger,
	db dbm.DB,
	loadLatest bool,
	appOpts servertypes.AppOptions,
	baseAppOptions ...func(*baseapp.BaseApp),
) *App {
	Configure()
	enc, err := newEncoding()
	if err != nil {
		panic(err)
	}

	baseAppOptions = append(baseAppOptions, baseapp.SetOptimisticExecution())
	if bytes := cast.ToInt(appOpts.Get(FlagRecordCacheBytes)); bytes > 0 {
		baseAppOptions = append(baseAppOptions, baseapp.SetInterBlockCache(statedb.NewRecords(db, bytes, append(dacktypes.PurseStoreKeys(), dacktypes.StoreKey)...)))
	}
	base := baseapp.NewBaseApp(Name, logger, db, enc.tx.TxDecoder(), baseAppOptions...)
	base.SetVersion(version.Version)
	base.SetInterfaceRegistry(enc.registry)
	base.SetTxEncoder(enc.tx.TxEncoder())

	app := &App{BaseApp: base, encoding: enc, keys: newStoreKeys()}
	objectKeys := newObjectStoreKeys()
	if err := base.RegisterStreamingServices(appOpts, app.keys); err != nil {
		panic(err)
	}
	blockexec.Apply(base, appOpts, allStoreKeys(app.keys, objectKeys), enc.tx.TxDecoder(),
		func(storetypes.MultiStore) string { return BondDenom }, blockexec.WithRunnerWrap(wrapRunner))

	app.keepers = newKeepers(app, objectKeys, appOpts)
	app.modules = newModules(app)
	app.basics = newBasics(app.modules)
	app.basics.RegisterLegacyAminoCodec(enc.amino)
	app.basics.RegisterInterfaces(enc.registry)
	setOrders(app.modules)

	messages := guardedRouter{next: app.MsgServiceRouter(), check: app.checkParams, stake: newStakeGuard(app.keepers, app.keys[stakingtypes.StoreKey])}
	if err := app.modules.RegisterServices(module.NewConfigurator(enc.codec, messages, app.GRPCQueryRouter())); err != nil {
		panic(err)
	}
	autocliv1.RegisterQueryServer(app.GRPCQueryRouter(), runtimeservices.NewAutoCLIQueryService(app.modules.Modules))
	reflection, err := runtimeservices.NewReflectionService()
	if err != nil {
		panic(err)
	}
	reflectionv1.RegisterReflectionServiceServer(app.GRPCQueryRouter(), reflection)

	app.sims = module.NewSimulationManagerFromAppModules(app.modules.Modules, map[string]module.AppModuleSimulation{
		authtypes.ModuleName: auth.NewAppModule(enc.codec, app.AccountKeeper, authsims.RandomGenesisAccounts),
	})
	app.sims.RegisterStoreDecoders()

	app.MountKVStores(app.keys)
	app.MountObjectStores(objectKeys)
	app.SetInitChainer(app.InitChainer)
	app.SetPreBlocker(app.PreBlocker)
	app.SetBeginBlocker(app.BeginBlocker)
	app.SetEndBlocker(app.EndBlocker)
	ante, err := newAnteHandler(app)
	if err != nil {
		panic(err)
	}
	app.SetAnteHandler(ante)
	reveals, err := newRevealer(logger, cast.ToString(appOpts.Get(flags.FlagHome)))
	if err != nil {
		panic(err)
	}
	proposals := proposalHandler{decode: enc.tx.TxDecoder(), duties: app.EpochKeeper, reveals: reveals}
	app.SetPrepareProposal(proposals.prepare)
	app.SetProcessProposal(proposals.process)

	files, err := proto.MergedRegistry()
	if err != nil {
		panic(err)
	}
	if err := msgservice.ValidateProtoAnnotations(files); err != nil {
		panic(fmt.Errorf("annotations of the messages: %w", err))
	}

	if loadLatest {
		if err := app.LoadLatestVersion(); err != nil {
			panic(fmt.Errorf("load the last state: %w", err))
		}
	}
	return app
}

// GenesisState is the state of each module by its name.
type GenesisState map[string]json.RawMessage

// InitChainer loads the genesis state.
func (app *App) InitChainer(ctx sdk.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	var state GenesisState
	if err := json.Unmarshal(req.AppStateBytes, &state); err != nil {
		return nil, fmt.Errorf("genesis state: %w", err)
	}
	if err := checkConsensusParams(req.ConsensusParams); err != nil {
		return nil, err
	}
	if err := state.check(app.encoding.codec, req.ConsensusParams); err != nil {
		return nil, err
	}
	if err := app.UpgradeKeeper.SetModuleVersionMap(ctx, app.modules.GetVersionMap()); err != nil {
		return nil, err
	}
	return app.modules.InitGenesis(ctx, app.encoding.codec, state)
}

// PreBlocker runs before everything else in a block: first the modules, then what x/epoch takes from the block itself, the
// hash of its header and the reveal of its proposer.
func (app *App) PreBlocker(ctx sdk.Context, req *abci.RequestFinalizeBlock) (*sdk.ResponsePreBlock, error) {
	res, err := app.modules.PreBlock(ctx)
	if err != nil {
		return nil, err
	}
	return res, app.EpochKeeper.PreBlock(ctx, req)
}

// BeginBlocker runs before the transactions of a block.
func (app *App) BeginBlocker(ctx sdk.Context) (sdk.BeginBlock, error) {
	return app.modules.BeginBlock(ctx)
}

// EndBlocker runs after the transactions of a block.
func (app *App) EndBlocker(ctx sdk.Context) (sdk.EndBlock, error) { return app.modules.EndBlock(ctx) }

// Close closes the databases. The SDK's server closes the application twice when it stops, and pebble panics on the second.
func (app *App) Close() error {
	app.closeOnce.Do(func() { app.closeErr = app.BaseApp.Close() })
	return app.closeErr
}

// LoadHeight loads the state of a height that was not pruned.
func (app *App) LoadHeight(height int64) error { return app.LoadVersion(height) }

// Name returns the name of the application.
func (app *App) Name() string { return Name }

// AppCodec returns the codec of the chain.
func (app *App) AppCodec() codec.Codec { return app.encoding.codec }

// InterfaceRegistry returns the registry of interface types.
func (app *App) InterfaceRegistry() codectypes.InterfaceRegistry { return app.encoding.registry }

// LegacyAmino returns the amino codec.
func (app *App) LegacyAmino() *codec.LegacyAmino { return app.encoding.amino }

// TxConfig returns the encoding of transactions.
func (app *App) TxConfig() client.TxConfig { return app.encoding.tx }

// SimulationManager returns the modules' simulations.
func (app *App) SimulationManager() *module.SimulationManager { return app.sims }

// ModuleManager returns the modules.
func (app *App) ModuleManager() *module.Manager { return app.modules }

// Basics returns what modules offer without a state: codecs, genesis, routes.
func (app *App) Basics() module.BasicManager { return app.basics }

// DefaultGenesis returns the state of a new chain.
func (app *App) DefaultGenesis() GenesisState { return app.basics.DefaultGenesis(app.encoding.codec) }

// StoreKey returns the key of a module's store, nil if there is none. For tests.
func (app *App) StoreKey(name string) *storetypes.KVStoreKey { return app.keys[name] }

// StoreKeys returns the keys of all stores. For simulations.
func (app *App) StoreKeys() []storetypes.StoreKey { return allStoreKeys(app.keys, nil) }
