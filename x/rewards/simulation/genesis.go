// Package simulation makes random states and messages of x/rewards.
package simulation

import (
	"math/rand"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/types/module"

	"github.com/edgechain/edge/x/rewards/types"
)

// RandomizedGenState generates a random genesis.
func RandomizedGenState(simState *module.SimulationState) {
	var params types.Params
	simState.AppParams.GetOrGenerate("rewards_params", &params, simState.Rand, func(r *rand.Rand) { params = randomParams(r) })
	simState.GenState[types.ModuleName] = simState.Cdc.MustMarshalJSON(&types.GenesisState{Params: params})
}

// randomParams draws shares of whole thousandths and a short history, so that pruning has something to do.
func randomParams(r *rand.Rand) types.Params {
	node := r.Int63n(1001)
	owner := r.Int63n(1001 - node)
	return types.Params{
		Shares: types.Shares{
			Node:     math.LegacyNewDecWithPrec(node, 3),
			Owner:    math.LegacyNewDecWithPrec(owner, 3),
			Protocol: math.LegacyNewDecWithPrec(1000-node-owner, 3),
		},
		HistoryEpochs: types.MinHistoryEpochs + uint32(r.Int31n(5)),
		PrunePerBlock: types.MinPrunePerBlock + uint32(r.Int31n(20)),
	}
}
