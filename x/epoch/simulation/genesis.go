// Package simulation makes random states and messages of x/epoch.
package simulation

import (
	"math/rand"
	"time"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/types/module"

	"github.com/edgechain/edge/x/epoch/types"
)

// RandomizedGenState generates a random genesis of a development network: the bounds of a production network would give an
// epoch thousands of blocks.
func RandomizedGenState(simState *module.SimulationState) {
	var params types.Params
	simState.AppParams.GetOrGenerate("epoch_params", &params, simState.Rand, func(r *rand.Rand) { params = randomParams(r) })
	simState.GenState[types.ModuleName] = simState.Cdc.MustMarshalJSON(&types.GenesisState{Params: params, Development: true})
}

// randomParams returns parameters of a development network with blocks of about a second, whose epochs have some ten or
// twenty of them, and whose closing takes from one block to about as many.
func randomParams(r *rand.Rand) types.Params {
	return types.Params{
		Duration:          types.MinDevelopmentDuration * time.Duration(4+r.Int63n(12)),
		CloseBudget:       types.MinCloseBudget + 4 + uint32(r.Int31n(40)),
		BeaconBlocks:      1 + uint32(r.Int31n(4)),
		Seats:             4 + uint32(r.Int31n(13)),
		StepBlocks:        1 + uint32(r.Int31n(3)),
		MinCommittee:      1 + uint32(r.Int31n(4)),
		MinCommitteeStake: math.LegacyNewDecWithPrec(67+r.Int63n(34), 2),
		ReadyBlocks:       types.MinDevelopmentReadyBlocks + uint32(r.Int31n(20)),
	}
}
