package app

import (
	"context"
	"encoding/json"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/staking"
)

// stakingModule is x/staking without a say in who runs consensus: its validators are the candidates from whom x/epoch draws
// the committee. What it does at genesis and at the end of a block is done; the updates that it returns for CometBFT are
// dropped, for only one module may return any.
type stakingModule struct{ staking.AppModule }

var (
	_ module.HasABCIGenesis  = stakingModule{}
	_ module.HasABCIEndBlock = stakingModule{}
)

// InitGenesis implements module.HasABCIGenesis.
func (m stakingModule) InitGenesis(ctx sdk.Context, cdc codec.JSONCodec, raw json.RawMessage) []abci.ValidatorUpdate {
	m.AppModule.InitGenesis(ctx, cdc, raw)
	return nil
}

// EndBlock implements module.HasABCIEndBlock.
func (m stakingModule) EndBlock(ctx context.Context) ([]abci.ValidatorUpdate, error) {
	_, err := m.AppModule.EndBlock(ctx)
	return nil, err
}

// genutilModule is x/genutil, which delivers the transactions of the genesis, without the updates that it returns for them:
// x/epoch comes later and draws the first committee from all validators of the genesis.
type genutilModule struct{ module.GenesisOnlyAppModule }

var _ module.HasABCIGenesis = genutilModule{}

// InitGenesis implements module.HasABCIGenesis.
func (m genutilModule) InitGenesis(ctx sdk.Context, cdc codec.JSONCodec, raw json.RawMessage) []abci.ValidatorUpdate {
	m.GenesisOnlyAppModule.InitGenesis(ctx, cdc, raw)
	return nil
}
