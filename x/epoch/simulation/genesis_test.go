package simulation_test

import (
	"encoding/json"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/types/module"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"

	"github.com/edgechain/edge/x/epoch"
	"github.com/edgechain/edge/x/epoch/types"
)

func TestRandomGenesisIsValid(t *testing.T) {
	cdc := moduletestutil.MakeTestEncodingConfig(epoch.AppModuleBasic{}).Codec
	for seed := range int64(200) {
		state := &module.SimulationState{
			AppParams: make(simtypes.AppParams), Cdc: cdc, Rand: rand.New(rand.NewSource(seed)), GenState: map[string]json.RawMessage{},
		}
		epoch.AppModule{}.GenerateGenesisState(state)
		require.NoError(t, epoch.AppModule{}.ValidateGenesis(cdc, nil, state.GenState[types.ModuleName]), "seed %d", seed)
	}
}
