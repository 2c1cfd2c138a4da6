package keeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/x/epoch/types"
)

// before puts a chain before the first height of another one's export.
func (f *fixture) before(from *fixture) *fixture {
	f.ctx = f.ctx.WithBlockHeight(from.ctx.BlockHeight() + 1).WithBlockTime(from.ctx.BlockTime())
	return f
}

// What a document says of the past lies before the initial height, and what it plans is within reach.
func TestInitGenesisRefusesHeightsToCome(t *testing.T) {
	params := devParams(1)
	params.Seats, params.StepBlocks, params.BeaconBlocks = 13, 4, 4
	// One export while seats are handed over, another one between freeze and closing height.
	handOver, frozen := newFixture(t, 3, 2), newFixture(t, 3, 2)
	for _, f := range []*fixture{handOver, frozen} {
		f.genesis(types.GenesisState{Params: params, Development: true})
		for f.number() < 2 {
			f.block(10 * time.Second)
		}
	}
	for frozen.phase(2) != types.PHASE_FROZEN {
		frozen.block(10 * time.Second)
	}
	require.NoError(t, frozen.k.Hooks().AfterValidatorBeginUnbonding(frozen.ctx, nil, frozen.staking.validators[0].operator))
	initial := map[*fixture]int64{handOver: handOver.ctx.BlockHeight() + 1, frozen: frozen.ctx.BlockHeight() + 1}

	type change = func(g *types.GenesisState, initial int64)
	for name, tt := range map[string]struct {
		from   *fixture
		change change
		err    string
	}{
		"hand-over, as it was exported": {handOver, func(*types.GenesisState, int64) {}, ""},
		"frozen, as it was exported":    {frozen, func(*types.GenesisState, int64) {}, ""},
		"epoch opened by the last block": {handOver, func(g *types.GenesisState, initial int64) {
			g.Epochs[1].StartHeight = initial
		}, ""},
		"epoch that starts later": {handOver, func(g *types.GenesisState, initial int64) {
			g.Epochs[1].StartHeight = initial + 1
		}, "epoch 2: start at height"},
		"epoch that ends later": {handOver, func(g *types.GenesisState, initial int64) {
			g.Epochs[0].EndHeight, g.Epochs[0].DoneHeight = initial, max(g.Epochs[0].DoneHeight, initial)
			if g.Closing.Epoch == 1 {
				g.Epochs[0].DoneHeight = 0
			}
		}, "epoch 1: end at height"},
		"epoch that is done later": {frozen, func(g *types.GenesisState, initial int64) {
			g.Epochs[0].DoneHeight = initial
		}, "epoch 1: done at height"},
		"freeze to come": {frozen, func(g *types.GenesisState, initial int64) {
			refreeze(g, initial, initial+4)
		}, "epoch 2: freeze at height"},
		"freeze in the last block": {frozen, func(g *types.GenesisState, initial int64) {
			refreeze(g, initial-1, initial+3)
		}, ""},
		"the furthest closing height": {frozen, func(g *types.GenesisState, _ int64) {
			refreeze(g, g.Beacon.FreezeHeight, g.Beacon.FreezeHeight+1+types.MaxBeaconBlocks)
		}, ""},
		"closing height that is too far": {frozen, func(g *types.GenesisState, _ int64) {
			refreeze(g, g.Beacon.FreezeHeight, g.Beacon.FreezeHeight+2+types.MaxBeaconBlocks)
		}, "more than 10001 blocks later"},
		"election frozen later": {handOver, func(g *types.GenesisState, initial int64) {
			g.Elections[0].FreezeHeight, g.Elections[0].ClosingHeight = initial, initial
		}, "election of epoch 1: freeze at height"},
		"leaving later": {frozen, func(g *types.GenesisState, initial int64) {
			g.Leavings[0].Height = initial
		}, "leaving at height"},
		"the furthest step": {handOver, func(g *types.GenesisState, initial int64) {
			g.HandOver.NextHeight = initial + 3
		}, ""},
		"step that is too far": {handOver, func(g *types.GenesisState, initial int64) {
			g.HandOver.NextHeight = initial + 4
		}, "hand-over to epoch 2: the next step at"},
		"set sent in the last block": {handOver, func(g *types.GenesisState, initial int64) {
			newest := &g.ValidatorSets[len(g.ValidatorSets)-1]
			newest.SentHeight, newest.Height = initial-1, initial+1
		}, ""},
		"set sent later": {handOver, func(g *types.GenesisState, initial int64) {
			newest := &g.ValidatorSets[len(g.ValidatorSets)-1]
			newest.SentHeight, newest.Height = initial, initial+2
		}, "sent at height"},
		"member frozen later": {handOver, func(g *types.GenesisState, initial int64) {
			newest := &g.ValidatorSets[len(g.ValidatorSets)-1]
			newest.SentHeight, newest.Height, newest.Members[0].FreezeHeight = initial, initial+2, initial
		}, "sent at height"},
		"hash of the last header": {handOver, func(g *types.GenesisState, initial int64) {
			g.HeaderHashes = []types.HeaderHash{{Height: initial - 1, Hash: make([]byte, types.HeaderHashSize)}}
		}, ""},
		"hash of a header to come": {handOver, func(g *types.GenesisState, initial int64) {
			g.HeaderHashes = []types.HeaderHash{{Height: initial, Hash: make([]byte, types.HeaderHashSize)}}
		}, "header hash at height"},
	} {
		t.Run(name, func(t *testing.T) {
			g := tt.from.export()
			tt.change(g, initial[tt.from])
			require.NoError(t, g.Validate(), "the module by itself sees nothing wrong")
			to := newFixture(t, 3, 2).before(tt.from)
			_, err := to.k.InitGenesis(to.ctx, *g)
			if tt.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, types.ErrInvalidGenesis)
			require.ErrorContains(t, err, tt.err)
		})
	}
}

// refreeze moves the freeze that is going on.
func refreeze(g *types.GenesisState, freeze, closing int64) {
	epoch, election := &g.Epochs[len(g.Epochs)-1], &g.Elections[len(g.Elections)-1]
	epoch.FreezeHeight, epoch.ClosingHeight = freeze, closing
	election.FreezeHeight, election.ClosingHeight = freeze, closing
	g.Beacon.FreezeHeight, g.Beacon.ClosingHeight, g.Beacon.Pending = freeze, closing, nil
}
