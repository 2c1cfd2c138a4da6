// Package simulation makes random states and messages of x/dack.
package simulation

import (
	"math/rand"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/types/module"

	"github.com/edgechain/edge/x/dack/types"
)

// RandomizedGenState generates a random genesis.
func RandomizedGenState(simState *module.SimulationState) {
	gs := types.DefaultGenesis()
	simState.AppParams.GetOrGenerate("dack_params", &gs.Params, simState.Rand, func(r *rand.Rand) { gs.Params = randomParams(r, gs.Params) })
	gs.PriceChanges = nil
	simState.GenState[types.ModuleName] = simState.Cdc.MustMarshalJSON(gs)
}

// randomParams draws prices and limits, small enough for the accounts of a simulation to pay and for queues to fill.
func randomParams(r *rand.Rand, p types.Params) types.Params {
	p.Prices = types.Prices{PerGib: math.NewInt(r.Int63n(100_000)), PerGfuel: math.NewInt(r.Int63n(10_000))}
	p.MinDeposit = math.NewInt(1 + r.Int63n(1_000))
	p.ServiceDeposit = math.NewInt(1 + r.Int63n(10_000))
	p.MaxAcks = 5 + uint32(r.Intn(1_000))
	p.WithdrawalsPerBlock = 1 + uint32(r.Intn(5))
	p.PrunePerBlock = types.MinPrunePerBlock + uint32(r.Intn(100))
	p.HistoryEpochs = types.MinHistoryEpochs + uint32(r.Intn(5))
	return p
}
