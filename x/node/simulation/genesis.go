// Package simulation makes random states and messages of x/node.
package simulation

import (
	"math/rand"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"

	"github.com/edgechain/edge/x/node/types"
)

// RandomizedGenState writes a genesis with random parameters and no workers.
func RandomizedGenState(simState *module.SimulationState) {
	gs := types.DefaultGenesis()
	simState.AppParams.GetOrGenerate("node_params", &gs.Params, simState.Rand, func(r *rand.Rand) {
		gs.Params.MaxWorkersPerNode = uint32(1 + r.Intn(8))
		gs.Params.RetirementsPerBlock = uint32(1 + r.Intn(3))
		gs.Params.EligibilityEpochs = uint32(r.Intn(4))
		gs.Params.WorkerDeposit = sdk.NewInt64Coin(simState.BondDenom, r.Int63n(1000))
	})
	simState.GenState[types.ModuleName] = simState.Cdc.MustMarshalJSON(gs)
}
