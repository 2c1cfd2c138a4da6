package app_test

import (
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/app"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// A short simulation, so that every run of the tests meets it, with each executor, one of them with records in memory: they must
// give the same results, reveals included. `make sim` runs the long ones.
func TestShortSimulation(t *testing.T) {
	var first *simulation
	for _, opts := range []map[string]any{
		{"block-executor": "sequential"},
		{"block-executor": "block-stm", "block-stm-workers": 4, app.FlagRecordCacheBytes: 1 << 20},
	} {
		s := newSimulation(t, simSetup{
			seed: 1,
			opts: opts,
			change: func(s *simulation, state app.GenesisState) {
				edit(s.t, s.chain, state, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) {
					gs.Params.Duration, gs.Params.CloseBudget = 5*blockTime, 50
				})
			},
		})
		s.run(40)
		require.Greater(t, s.epoch().Number, uint64(1), "no epoch has ended")
		if first == nil {
			first = s
			continue
		}
		for i := range s.responses {
			requireSameResponse(t, first.responses[i], s.responses[i], i)
		}
		require.Equal(t, first.comet.appHashes, s.comet.appHashes)
	}
}

// requireSameResponse compares all that a block returns.
func requireSameResponse(t *testing.T, want, got *abci.ResponseFinalizeBlock, block int) {
	t.Helper()
	require.Len(t, got.TxResults, len(want.TxResults), "block %d", block)
	for i, res := range want.TxResults {
		require.Equal(t, res.String(), got.TxResults[i].String(), "block %d, transaction %d", block, i)
	}
	require.Equal(t, want.String(), got.String(), "block %d", block)
}
