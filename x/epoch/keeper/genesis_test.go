package keeper_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"

	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/epoch/types"
)

const (
	// cuts is up to which height a chain is exported.
	cuts = 42
	// goesOn is for how many blocks an imported chain is followed: more than three epochs.
	goesOn = 45
)

// story is a chain on which something happens in every phase: six validators, of whom one is jailed and comes back, one rotates
// its key, one registers another beacon key and one opts out for a while; reveals that are given, withheld and wrong; items that
// fail. What happens depends on the height alone.
func story(t *testing.T) *fixture {
	f := newFixture(t, 3, 2)
	for _, tokens := range []int64{900, 800, 700, 600, 500} {
		f.staking.add(tokens)
	}
	f.spoil()
	return f
}

func (f *fixture) spoil() {
	f.stages[0].bad = map[uint64]error{1: errBoom}
	f.stages[1].at = func(epoch, item uint64) error {
		if epoch == 2 && item == 1 {
			return errBoom
		}
		return nil
	}
}

func (f *fixture) tell(height int64) {
	v := f.staking.validators
	switch height {
	case 5:
		f.staking.jail(v[4])
	case 17:
		v[4].jailed, v[4].wanted = false, true
	case 20:
		f.staking.rotate(f.ctx, v[1], consensusKey("another"))
	case 26:
		f.register(v[2], "new")
	case 30:
		f.node.standing[v[5].operator.String()] = 1
	case 55:
		f.node.standing[v[5].operator.String()] = 0
	}
	// An imported chain begins its turns anew: no block is decided in the first round, so that both have the same reveals.
	proposer := v[[]int{0, 2, 3}[height%3]]
	first := txs(f.reveal(proposer))
	switch {
	case height%7 == 0:
		first = nil
	case height%11 == 0 && first != nil:
		first[0] = append(first[0], 0)
	}
	f.run(10*time.Second, proposer.address(), first)
}

// comparable is an export without what an import cannot bring along: the times at which sets came in force.
func comparable(g *types.GenesisState) *types.GenesisState {
	out := *g
	newest := g.ValidatorSets[len(g.ValidatorSets)-1]
	newest.Height, newest.SentHeight, newest.SentTime = 0, 0, time.Time{}
	out.ValidatorSets = []types.ValidatorSet{newest}
	return &out
}

// A chain that is exported and imported anywhere in its life goes on exactly as the one that was not.
func TestGenesisRoundTripInEveryPhase(t *testing.T) {
	whole := story(t)
	params := devParams(1)
	params.Seats, params.StepBlocks, params.BeaconBlocks = 13, 2, 3
	whole.genesis(types.GenesisState{Params: params, Development: true})
	for _, v := range whole.staking.validators[:4] {
		whole.register(v, "first")
	}
	phases, ends := map[string]bool{}, map[int64]*types.GenesisState{}
	for height := int64(1); height <= cuts+goesOn; height++ {
		if height > 1 && height <= cuts {
			for _, name := range phasesOf(whole) {
				phases[name] = true
			}
			ends[height-1+goesOn] = comparable(importAndGoOn(t, whole))
		}
		whole.tell(height)
		if end, ok := ends[height]; ok {
			require.Equal(t, comparable(whole.export()), end, "imported at height %d", height-goesOn+1)
		}
	}
	require.GreaterOrEqual(t, whole.number(), uint64(5))
	require.Equal(t, map[string]bool{
		"open": true, "frozen": true, "frozen, revealed": true, "closing sum": true, "closing pay": true, "step 1": true, "step 2": true, "step 3": true,
	}, phases)
}

// phasesOf names where a chain is in its life.
func phasesOf(f *fixture) (names []string) {
	g := f.export()
	switch {
	case g.Beacon != nil && g.Beacon.Reveals > 0:
		names = append(names, "frozen, revealed")
	case g.Beacon != nil:
		names = append(names, "frozen")
	}
	if g.Closing.Epoch != 0 {
		names = append(names, "closing "+f.epoch(g.Closing.Epoch).Stage)
	}
	if g.HandOver.Steps < 4 {
		names = append(names, fmt.Sprintf("step %d", g.HandOver.Steps))
	}
	if len(names) == 0 {
		names = append(names, "open")
	}
	return names
}

// importAndGoOn starts a new chain from an export of this one and lets it live, and returns its end.
func importAndGoOn(t *testing.T, from *fixture) *types.GenesisState {
	t.Helper()
	g := from.export()
	initial := from.ctx.BlockHeight() + 1
	to := newFixture(t, 3, 2)
	to.spoil()
	to.ctx = to.ctx.WithBlockHeight(initial).WithBlockTime(from.ctx.BlockTime())
	to.staking.validators, to.staking.pending, to.staking.owners = nil, stakingkeeper.PendingRotations{}, maps.Clone(from.staking.owners)
	for _, v := range from.staking.validators {
		clone := *v
		to.staking.validators = append(to.staking.validators, &clone)
		if r, ok := from.staking.pending[string(v.operator)]; ok {
			if r.ApplyHeight > initial { // what x/staking does: the new chain announces it again
				r.ApplyHeight = initial + stakingtypes.ConsensusUpdateDelay
			}
			to.staking.pending[string(v.operator)] = r
		}
	}
	to.node.standing = maps.Clone(from.node.standing)
	bz := from.module.ExportGenesis(from.ctx, from.cdc.Codec)
	require.NoError(t, to.module.ValidateGenesis(to.cdc.Codec, nil, bz))
	updates := to.module.InitGenesis(to.ctx, to.cdc.Codec, bz)
	validators, err := from.k.GenesisValidators(from.ctx)
	require.NoError(t, err)
	require.Len(t, updates, len(validators))
	for i, v := range validators {
		require.Equal(t, v.Power, updates[i].Power)
		require.Equal(t, v.PubKey.Bytes(), updates[i].PubKey.GetEd25519())
		require.EqualValues(t, v.PubKey.Address(), v.Address)
		require.Equal(t, "node", v.Name)
	}
	to.startComet(updates)
	require.Empty(t, to.node.opened, "an import announces nothing")
	require.LessOrEqual(t, to.newestSet().Height, initial, "CometBFT starts with the newest set")
	copyStages(t, from, to)
	to.ctx = to.ctx.WithBlockHeight(initial - 1)
	require.Equal(t, comparable(g), comparable(to.export()))
	for height := initial; height < initial+goesOn; height++ {
		to.tell(height)
	}
	return to.export()
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
	updates := f.module.InitGenesis(f.ctx, f.cdc.Codec, bz)
	require.Len(t, updates, 1)
	require.EqualValues(t, types.DefaultParams().Seats, updates[0].Power)
	require.Equal(t, types.DefaultParams().Duration, f.epoch(1).Duration)
	development, err := f.k.Development(f.ctx)
	require.NoError(t, err)
	require.False(t, development)
}

// The committee of epoch 1 is drawn from the genesis stake, whoever has opted in or registered a key.
func TestGenesisDraw(t *testing.T) {
	f := newFixture(t)
	f.staking.add(3_000)
	jailed := f.staking.add(5_000)
	jailed.jailed = true
	params := devParams(1)
	params.Seats, params.MinCommittee = 100, 100
	f.ctx = f.ctx.WithBlockHeight(50)
	f.genesis(types.GenesisState{Params: params, Development: true})
	e := f.election(1)
	require.Equal(t, types.FALLBACK_GENESIS, e.Fallback)
	require.EqualValues(t, 3, e.Validators)
	require.EqualValues(t, 2, e.Candidates)
	require.EqualValues(t, 49, e.FreezeHeight)
	require.EqualValues(t, 49, e.ClosingHeight)
	require.Equal(t, f.epoch(1).Seed, e.Seed)
	powers := map[string]int64{}
	for _, m := range f.newestSet().Members {
		powers[m.Operator] = m.Power
		require.EqualValues(t, 49, m.FreezeHeight)
	}
	v := f.staking.validators
	require.Equal(t, map[string]int64{v[0].operator.String(): 25, v[1].operator.String(): 75}, powers)
	h, err := f.k.HandOver(f.ctx)
	require.NoError(t, err)
	require.Equal(t, types.HandOver{Epoch: 1, Steps: 4, StepBlocks: 1}, h)
	f.export()
}

func TestInitGenesisRefuses(t *testing.T) {
	f := newFixture(t, 1)
	_, err := f.k.InitGenesis(f.ctx, types.GenesisState{Params: devParams(1)})
	require.ErrorIs(t, err, types.ErrInvalidParams)
	require.Panics(t, func() {
		f.module.InitGenesis(f.ctx, f.cdc.Codec, []byte(`{"params":{"duration":"1s","close_budget":1}}`))
	})

	nobody := newFixture(t)
	nobody.staking.validators[0].jailed = true
	_, err = nobody.k.InitGenesis(nobody.ctx, types.GenesisState{Params: types.DefaultParams()})
	require.ErrorIs(t, err, types.ErrInvalidGenesis)

	// A stage that this application does not have at that place.
	from := newFixture(t, 3, 3).start(1)
	from.turn()
	g := *from.export()
	g.Closing.StageIndex, g.Epochs[0].Stage = 1, "pay"
	other := newFixture(t, 3).before(from)
	_, err = other.k.InitGenesis(other.ctx, g)
	require.ErrorIs(t, err, types.ErrInvalidGenesis)

	// A set that x/staking does not know would halt the first block.
	for name, spoil := range map[string]func(*validator){
		"another key":  func(v *validator) { v.key = consensusKey("another") },
		"no validator": func(v *validator) { v.gone = true },
	} {
		t.Run(name, func(t *testing.T) {
			to := newFixture(t, 3, 3).before(from)
			spoil(to.staking.validators[0])
			_, err := to.k.InitGenesis(to.ctx, *from.export())
			require.ErrorIs(t, err, types.ErrInvalidGenesis)
			require.ErrorContains(t, err, "the validator set has ")
		})
	}
}
