package simulation_test

import (
	"encoding/json"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/types/module"
	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"

	"github.com/edgechain/edge/x/rewards"
	"github.com/edgechain/edge/x/rewards/types"
)

func TestRandomGenesisIsValid(t *testing.T) {
	cdc := moduletestutil.MakeTestEncodingConfig(rewards.AppModuleBasic{}).Codec
	for seed := range int64(200) {
		state := &module.SimulationState{
			AppParams: make(simtypes.AppParams), Cdc: cdc, Rand: rand.New(rand.NewSource(seed)), GenState: map[string]json.RawMessage{},
		}
		rewards.AppModule{}.GenerateGenesisState(state)
		require.NoError(t, rewards.AppModule{}.ValidateGenesis(cdc, nil, state.GenState[types.ModuleName]), "seed %d", seed)
	}
}
