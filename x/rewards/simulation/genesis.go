// Package simulation makes random states and messages of x/rewards.
package simulation

import (
	"math/rand"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/types/module"

	"github.com/edgechain/edge/x/rewards/types"
)

// RandomizedGenState generates a random genesis. Most have a price of the token, so that tokens are minted from the start.
func RandomizedGenState(simState *module.SimulationState) {
	var params types.Params
	simState.AppParams.GetOrGenerate("rewards_params", &params, simState.Rand, func(r *rand.Rand) { params = randomParams(r) })
	g := types.GenesisState{Params: params}
	if simState.Rand.Intn(4) > 0 {
		g.TokenPrices = []types.TokenPrice{{Epoch: 1, Price: randomPrice(simState.Rand)}}
	}
	simState.GenState[types.ModuleName] = simState.Cdc.MustMarshalJSON(&g)
}

// randomParams draws shares of whole thousandths, terms over all of their bounds, and a short history, so that pruning has
// something to do.
func randomParams(r *rand.Rand) types.Params {
	node := r.Int63n(1001)
	owner := r.Int63n(1001 - node)
	return types.Params{
		Shares: types.Shares{
			Node:     math.LegacyNewDecWithPrec(node, 3),
			Owner:    math.LegacyNewDecWithPrec(owner, 3),
			Protocol: math.LegacyNewDecWithPrec(1000-node-owner, 3),
		},
		Emission: types.EmissionTerms{
			Guard:         math.LegacyNewDecWithPrec(r.Int63n(501), 3),
			Inflation:     math.LegacyNewDecWithPrec(r.Int63n(501), 3),
			MaxBoost:      math.LegacyNewDecWithPrec(10+r.Int63n(91), 1),
			MaxLockEpochs: 1 + uint64(r.Int63n(20)),
		},
		HistoryEpochs: types.MinHistoryEpochs + uint32(r.Int31n(5)),
		PrunePerBlock: types.MinPrunePerBlock + uint32(r.Int31n(20)),
	}
}

// randomPrice draws a price between 10^-6 and 10^3, or, now and then, none or one of the bounds.
func randomPrice(r *rand.Rand) math.LegacyDec {
	switch r.Intn(10) {
	case 0:
		return math.LegacyZeroDec()
	case 1:
		return types.MinTokenPrice
	case 2:
		return types.MaxTokenPrice
	default:
		return math.LegacyNewDecWithPrec(1+r.Int63n(1_000), r.Int63n(7))
	}
}
