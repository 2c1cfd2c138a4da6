// Package simulation makes random states and messages of x/epoch.
package simulation

import (
	"math/rand"
	"time"

	"github.com/cosmos/cosmos-sdk/types/module"

	"github.com/edgechain/edge/x/epoch/types"
)

// RandomizedGenState generates a random genesis. Simulated blocks are hours apart, so that an epoch has a few of them.
func RandomizedGenState(simState *module.SimulationState) {
	var duration time.Duration
	simState.AppParams.GetOrGenerate("epoch_duration", &duration, simState.Rand, func(r *rand.Rand) {
		duration = types.MinDuration + time.Duration(r.Int63n(int64(12*time.Hour)))
	})
	var budget uint32
	simState.AppParams.GetOrGenerate("epoch_close_budget", &budget, simState.Rand, func(r *rand.Rand) {
		budget = types.MinCloseBudget + uint32(r.Int31n(20))
	})
	simState.GenState[types.ModuleName] = simState.Cdc.MustMarshalJSON(&types.GenesisState{
		Params: types.Params{Duration: duration, CloseBudget: budget},
	})
}
