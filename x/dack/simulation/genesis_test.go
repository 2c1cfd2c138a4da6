package simulation_test

import (
	"encoding/json"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"

	"github.com/edgechain/edge/x/dack"
	"github.com/edgechain/edge/x/dack/types"
)

func TestRandomGenesisIsValid(t *testing.T) {
	cdc := codec.NewProtoCodec(codectypes.NewInterfaceRegistry())
	for seed := range int64(200) {
		state := &module.SimulationState{
			AppParams: make(simtypes.AppParams), Cdc: cdc, Rand: rand.New(rand.NewSource(seed)), GenState: map[string]json.RawMessage{},
		}
		dack.AppModule{}.GenerateGenesisState(state)
		require.NoError(t, dack.AppModule{}.ValidateGenesis(cdc, nil, state.GenState[types.ModuleName]), "seed %d", seed)
	}
}
