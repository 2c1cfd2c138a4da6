package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/app"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// A short simulation, so that every run of the tests meets it. `make sim` runs the long ones.
func TestShortSimulation(t *testing.T) {
	s := newSimulation(t, simSetup{seed: 1, change: func(s *simulation, state app.GenesisState) {
		edit(s.t, s.chain, state, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) {
			gs.Params.Duration, gs.Params.CloseBudget = 5*blockTime, 50
		})
	}})
	s.run(40)
	require.Greater(t, s.epoch().Number, uint64(1), "no epoch has ended")
	t.Log("\n" + s.tally.String())
}
