// Package dack keeps clients' prepaid accounts and settles what they acknowledge to have received. README.md is its
// specification.
package dack

import (
	"context"
	"encoding/json"
	"fmt"

	gwruntime "github.com/grpc-ecosystem/grpc-gateway/runtime"

	"cosmossdk.io/core/appmodule"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"

	"github.com/edgechain/edge/x/dack/keeper"
	"github.com/edgechain/edge/x/dack/simulation"
	"github.com/edgechain/edge/x/dack/types"
)

// ConsensusVersion is raised by every change that needs a migration.
const ConsensusVersion = 1

var (
	_ module.AppModuleBasic      = AppModule{}
	_ module.HasGenesis          = AppModule{}
	_ module.HasServices         = AppModule{}
	_ module.HasConsensusVersion = AppModule{}

	_ appmodule.AppModule     = AppModule{}
	_ appmodule.HasEndBlocker = AppModule{}

	_ module.AppModuleSimulation = AppModule{}
	_ simsx.HasProposalMsgsX     = AppModule{}
)

// AppModule is the module x/dack.
type AppModule struct {
	cdc    codec.Codec
	keeper *keeper.Keeper
}

// NewAppModule returns the module around its keeper.
func NewAppModule(cdc codec.Codec, k *keeper.Keeper) AppModule { return AppModule{cdc: cdc, keeper: k} }

// IsOnePerModuleType marks the module for depinject.
func (AppModule) IsOnePerModuleType() {}

// IsAppModule marks the module.
func (AppModule) IsAppModule() {}

// Name returns the module's name.
func (AppModule) Name() string { return types.ModuleName }

// ConsensusVersion returns the version of the module's state.
func (AppModule) ConsensusVersion() uint64 { return ConsensusVersion }

// RegisterLegacyAminoCodec registers the messages for amino JSON.
func (AppModule) RegisterLegacyAminoCodec(cdc *codec.LegacyAmino) {
	types.RegisterLegacyAminoCodec(cdc)
}

// RegisterInterfaces registers the messages.
func (AppModule) RegisterInterfaces(r codectypes.InterfaceRegistry) { types.RegisterInterfaces(r) }

// RegisterGRPCGatewayRoutes registers the REST routes of the queries.
func (AppModule) RegisterGRPCGatewayRoutes(clientCtx client.Context, mux *gwruntime.ServeMux) {
	if err := types.RegisterQueryHandlerClient(context.Background(), mux, types.NewQueryClient(clientCtx)); err != nil {
		panic(err)
	}
}

// RegisterServices registers the transaction and query services.
func (am AppModule) RegisterServices(cfg module.Configurator) {
	types.RegisterMsgServer(cfg.MsgServer(), keeper.NewMsgServerImpl(am.keeper))
	types.RegisterQueryServer(cfg.QueryServer(), keeper.NewQueryServerImpl(am.keeper))
}

// DefaultGenesis returns the genesis state of a new chain.
func (AppModule) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	return cdc.MustMarshalJSON(types.DefaultGenesis())
}

// ValidateGenesis returns an error if a genesis state contradicts itself.
func (AppModule) ValidateGenesis(cdc codec.JSONCodec, _ client.TxEncodingConfig, bz json.RawMessage) error {
	var gs types.GenesisState
	if err := cdc.UnmarshalJSON(bz, &gs); err != nil {
		return fmt.Errorf("%s genesis: %w", types.ModuleName, err)
	}
	return gs.Validate()
}

// InitGenesis stores a genesis state. It panics if the state is invalid: the chain must not start from it.
func (am AppModule) InitGenesis(ctx sdk.Context, cdc codec.JSONCodec, bz json.RawMessage) {
	var gs types.GenesisState
	cdc.MustUnmarshalJSON(bz, &gs)
	if err := am.keeper.InitGenesis(ctx, &gs); err != nil {
		panic(fmt.Errorf("%s genesis: %w", types.ModuleName, err))
	}
}

// ExportGenesis returns the state. It panics if the store cannot be read.
func (am AppModule) ExportGenesis(ctx sdk.Context, cdc codec.JSONCodec) json.RawMessage {
	gs, err := am.keeper.ExportGenesis(ctx)
	if err != nil {
		panic(fmt.Errorf("%s genesis: %w", types.ModuleName, err))
	}
	return cdc.MustMarshalJSON(gs)
}

// EndBlock pays withdrawals and removes what is dead.
func (am AppModule) EndBlock(ctx context.Context) error { return am.keeper.EndBlock(ctx) }

// GenerateGenesisState writes a random genesis for simulations.
func (AppModule) GenerateGenesisState(simState *module.SimulationState) {
	simulation.RandomizedGenState(simState)
}

// RegisterStoreDecoder registers how simulations print the store.
func (am AppModule) RegisterStoreDecoder(sdr simtypes.StoreDecoderRegistry) {
	for _, name := range append(types.PurseStoreKeys(), types.StoreKey) {
		sdr[name] = simtypes.NewStoreDecoderFuncFromCollectionsSchema(am.keeper.Schemas()[name])
	}
}

// WeightedOperations is replaced by WeightedOperationsX.
func (AppModule) WeightedOperations(module.SimulationState) []simtypes.WeightedOperation { return nil }

// WeightedOperationsX registers the messages for simulations.
func (am AppModule) WeightedOperationsX(weights simsx.WeightSource, reg simsx.Registry) {
	reg.Add(weights.Get("msg_dack_deposit", 60), simulation.MsgDepositFactory(am.keeper))
	reg.Add(weights.Get("msg_request_withdrawal", 30), simulation.MsgRequestWithdrawalFactory(am.keeper))
	reg.Add(weights.Get("msg_add_client_key", 60), simulation.MsgAddClientKeyFactory(am.keeper))
	reg.Add(weights.Get("msg_update_client_key", 20), simulation.MsgUpdateClientKeyFactory(am.keeper))
	reg.Add(weights.Get("msg_revoke_client_key", 10), simulation.MsgRevokeClientKeyFactory(am.keeper))
	reg.Add(weights.Get("msg_publish_service", 20), simulation.MsgPublishServiceFactory(am.keeper))
	reg.Add(weights.Get("msg_update_service", 15), simulation.MsgUpdateServiceFactory(am.keeper))
	reg.Add(weights.Get("msg_transfer_service", 10), simulation.MsgTransferServiceFactory(am.keeper))
	reg.Add(weights.Get("msg_remove_service", 8), simulation.MsgRemoveServiceFactory(am.keeper))
	reg.Add(weights.Get("msg_settle", 150), simulation.MsgSettleFactory(am.keeper))
}

// ProposalMsgsX registers the messages of governance for simulations.
func (am AppModule) ProposalMsgsX(weights simsx.WeightSource, reg simsx.Registry) {
	reg.Add(weights.Get("msg_dack_update_params", 50), simulation.MsgUpdateParamsFactory(am.keeper))
}
