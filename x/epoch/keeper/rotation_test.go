package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/x/epoch/keeper"
	"github.com/edgechain/edge/x/epoch/types"
)

// x/epoch's turns are CometBFT's after the genesis, and at any initial height.
func TestRotationBeginsWithTheGenesis(t *testing.T) {
	for _, initial := range []int64{0, 1, 100} {
		f := newFixture(t)
		f.staking.add(3_000)
		f.staking.add(500)
		f.ctx = f.ctx.WithBlockHeight(initial)
		params := devParams(1)
		params.Seats = 13
		f.genesis(types.GenesisState{Params: params, Development: true})
		f.sameTurns(f.comet.next, f.comet.height+1)
		_, err := f.k.RotationAt(f.ctx, f.comet.height)
		require.ErrorIs(t, err, types.ErrRotation, "there is none before")
	}
}

// They stay CometBFT's whatever happens to the set: steps of a hand-over, members who leave, who come back and who join, other
// stakes, rotations of keys, and blocks in which nothing is sent. What is asked for is checked after each block, for the two heights
// to come as well.
func TestRotationFollowsCometBFT(t *testing.T) {
	f := newCommittee(t, 29, 700, 500, 400, 300, 200, 100)
	v := f.staking.validators
	sets := map[int64]bool{}
	for i := range 160 {
		switch i {
		case 7, 70:
			f.staking.jail(v[1])
			f.staking.jail(v[4])
		case 31:
			v[1].jailed, v[1].wanted = false, true
			v[4].jailed, v[4].wanted = false, true
		case 12, 33, 58, 101, 102:
			f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), v[i%3], consensusKey(fmt.Sprintf("rotated %d", i)))
		case 40:
			f.register(f.staking.add(900), "first")
			v[0].tokens = 50
		case 73:
			f.staking.jail(v[2])
			f.staking.jail(v[3])
			f.staking.jail(v[5]) // spares take over
		case 74:
			f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), v[0], consensusKey("in the middle"))
		}
		later := 5 * time.Second
		if i%40 == 20 {
			later = time.Hour
		}
		f.block(later)
		f.checkRotation()
		sets[f.newestSet().Height] = true
	}
	require.Greater(t, f.number(), uint64(4))
	require.Greater(t, len(sets), 15)
	steps, err := f.k.HandOver(f.ctx)
	require.NoError(t, err)
	require.Greater(t, steps.Epoch, uint64(4))
}

// The stored rotation is never further behind than rotationLag, and what was sent meanwhile and what was pruned make no
// difference: not one priority is another.
func TestRotationAcrossALag(t *testing.T) {
	f := newCommittee(t, 31, 700, 500, 400, 300, 200)
	params := devParams(10)
	params.Seats, params.StepBlocks, params.BeaconBlocks, params.Duration = 31, 3, 4, 30*24*time.Hour
	_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(t, err)
	f.turn() // the next epoch takes a month
	for range 12 {
		f.block(time.Second)
	}
	v := f.staking.validators
	require.GreaterOrEqual(t, len(f.export().ValidatorSets), 3)
	stored := func() int64 {
		height, err := f.k.RotationHeight(f.ctx)
		require.NoError(t, err)
		return height
	}

	// Nothing is sent for more than two lags.
	sets := f.export().ValidatorSets
	last := stored()
	for f.ctx.BlockHeight() < 2*keeper.RotationLag+300 {
		f.block(time.Second)
		if height := stored(); height != last {
			require.Zero(t, height%keeper.RotationLag)
			require.Equal(t, f.ctx.BlockHeight(), height)
			last = height
		}
	}
	require.EqualValues(t, 2*keeper.RotationLag, last)
	require.Equal(t, sets, f.export().ValidatorSets)
	f.checkRotation()

	// Members leave, months after the older sets were replaced: those are pruned with it.
	oldest := f.export().ValidatorSets[0].Height
	for _, who := range []*validator{v[4], v[1]} {
		f.staking.jail(who)
		f.block(70 * 24 * time.Hour)
		require.Equal(t, f.ctx.BlockHeight(), stored(), "it is stored with each set, while those that it needs are there")
		f.checkRotation()
		for range 3 {
			f.block(time.Second)
			f.checkRotation()
		}
	}
	require.Greater(t, f.export().ValidatorSets[0].Height, oldest, "pruned")

	// The beacon is settled by the turns.
	for f.phase(f.number()) != types.PHASE_FROZEN {
		f.block(time.Hour)
	}
	require.Equal(t, f.ctx.BlockHeight(), stored(), "the freeze catches up")
	missed := f.proposer(0)
	require.Equal(t, 1, count(f.settle(f.silent(0)), "EventRevealMissed"))
	require.Contains(t, f.left(f.number()+1), missed.operator.String())
	f.checkRotation()
}

// Sets that are sent just before, at and after a height at which the rotation is stored anyway make no difference.
func TestRotationAtTheLag(t *testing.T) {
	f := newCommittee(t, 13, 700, 500, 400)
	params := devParams(10)
	params.Seats, params.Duration = 13, time.Hour
	_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(t, err)
	f.turn()
	for f.ctx.BlockHeight() < keeper.RotationLag-2 {
		f.block(time.Second)
	}
	for i, who := range f.staking.validators {
		f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), who, consensusKey(fmt.Sprintf("rotated %d", i)))
		f.block(time.Second)
		f.checkRotation()
	}
	require.EqualValues(t, keeper.RotationLag+1, f.ctx.BlockHeight())
	for range 5 {
		f.block(time.Second)
		f.checkRotation()
	}
}
