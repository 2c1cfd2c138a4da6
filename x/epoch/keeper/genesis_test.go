package keeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"

	"github.com/edgechain/edge/x/epoch/types"
)

// A chain that is exported and imported anywhere in its life goes on exactly as the one that was not.
func TestGenesisRoundTripInEveryPhase(t *testing.T) {
	prepare := func(f *fixture) {
		f.stages[0].bad = map[uint64]error{1: errBoom}
		f.stages[1].at = func(epoch, item uint64) error {
			if epoch == 2 && item == 1 {
				return errBoom
			}
			return nil
		}
	}
	script := make([]time.Duration, 0, 40)
	for range 3 {
		script = append(script, 30*time.Second, 30*time.Second)
		for range 8 {
			script = append(script, time.Second)
		}
	}
	whole := newFixture(t, 3, 2).start(1)
	prepare(whole)
	phases := map[string]bool{}
	for cut := range script {
		g := whole.export()
		phase := "idle"
		if g.Closing.Epoch != 0 {
			phase = whole.epoch(g.Closing.Epoch).Stage
		}
		phases[phase] = true

		imported := newFixture(t, 3, 2)
		prepare(imported)
		imported.ctx = imported.ctx.WithBlockHeight(whole.ctx.BlockHeight()).WithBlockTime(whole.ctx.BlockTime())
		bz := whole.module.ExportGenesis(whole.ctx, whole.cdc.Codec)
		require.NoError(t, imported.module.ValidateGenesis(imported.cdc.Codec, nil, bz))
		imported.module.InitGenesis(imported.ctx, imported.cdc.Codec, bz)
		require.Equal(t, g, imported.export(), "cut %d", cut)
		require.Empty(t, imported.node.opened, "an import announces nothing")
		copyStages(t, whole, imported)

		whole.block(script[cut])
		rest := script[cut:]
		for _, later := range rest[:min(len(rest), 12)] {
			imported.block(later)
		}
		control := imported.export()
		again := newFixture(t, 3, 2)
		prepare(again)
		again.start(1)
		for _, later := range script[:cut+min(len(rest), 12)] {
			again.block(later)
		}
		require.Equal(t, again.export(), control, "cut %d", cut)
	}
	require.Equal(t, map[string]bool{"idle": true, "sum": true, "pay": true}, phases)
}

// copyStages gives the stages of an imported chain the cursors that their own genesis would.
func copyStages(t *testing.T, from, to *fixture) {
	t.Helper()
	for i, s := range from.stages {
		require.NoError(t, s.cursor.Walk(from.ctx, nil, func(epoch, next uint64) (bool, error) {
			return false, to.stages[i].cursor.Set(to.ctx, epoch, next)
		}))
		require.NoError(t, s.marks.Walk(from.ctx, nil, func(k collections.Pair[uint64, uint64], n uint64) (bool, error) {
			return false, to.stages[i].marks.Set(to.ctx, k, n)
		}))
	}
}

func TestDefaultGenesis(t *testing.T) {
	f := newFixture(t, 1)
	bz := f.module.DefaultGenesis(f.cdc.Codec)
	require.NoError(t, f.module.ValidateGenesis(f.cdc.Codec, nil, bz))
	f.module.InitGenesis(f.ctx, f.cdc.Codec, bz)
	require.Equal(t, types.DefaultParams().Duration, f.epoch(1).Duration)
	development, err := f.k.Development(f.ctx)
	require.NoError(t, err)
	require.False(t, development)
}

func TestInitGenesisRefuses(t *testing.T) {
	f := newFixture(t, 1)
	require.ErrorIs(t, f.k.InitGenesis(f.ctx, types.GenesisState{Params: devParams(1)}), types.ErrInvalidParams)
	require.Panics(t, func() {
		f.module.InitGenesis(f.ctx, f.cdc.Codec, []byte(`{"params":{"duration":"1s","close_budget":1}}`))
	})

	// A stage that this application does not have at that place.
	from := newFixture(t, 3, 3).start(1)
	from.block(time.Minute)
	g := *from.export()
	g.Closing.StageIndex, g.Epochs[0].Stage = 1, "pay"
	other := newFixture(t, 3)
	require.ErrorIs(t, other.k.InitGenesis(other.ctx, g), types.ErrInvalidGenesis)
}
