package keeper_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"

	"github.com/edgechain/edge/x/epoch/beacon"
	"github.com/edgechain/edge/x/epoch/types"
)

func TestFirstEpochOpensAtGenesis(t *testing.T) {
	f := newFixture(t, 1).start(10)
	seed := beacon.FirstSeed(chainID)
	require.Equal(t, types.Epoch{
		Number: 1, Phase: types.PHASE_OPEN, StartTime: genesisTime, StartHeight: 1, Duration: time.Minute, Seed: seed,
	}, f.epoch(1))
	require.Equal(t, []uint64{1}, f.node.opened)
	require.Equal(t, [][]byte{seed}, f.node.seeds)

	later := newFixture(t, 1)
	later.ctx = later.ctx.WithBlockHeight(100)
	later.start(10)
	require.EqualValues(t, 100, later.epoch(1).StartHeight)
	require.EqualValues(t, 100, later.newestSet().Height)
	require.EqualValues(t, 99, later.newestSet().Members[0].FreezeHeight)
}

// The duration is over at block 2, which freezes; with one validator and beacon_blocks of 1, block 3 may carry a reveal, and the
// epoch ends with block 4.
func TestEpochEndsAfterItsDurationAndTheBeacon(t *testing.T) {
	f := newFixture(t, 3, 2).start(10)
	require.Empty(t, f.block(59*time.Second))
	require.Equal(t, types.PHASE_OPEN, f.epoch(1).Phase)

	events := f.block(time.Second)
	require.Equal(t, 1, count(events, "EventFrozen"))
	require.Zero(t, count(events, "EventEpochClosed"))
	seed := f.epoch(1).Seed
	require.Equal(t, types.Epoch{
		Number: 1, Phase: types.PHASE_FROZEN, StartTime: genesisTime, StartHeight: 1, Duration: time.Minute,
		Seed: seed, FreezeHeight: 2, ClosingHeight: 4,
	}, f.epoch(1))

	require.Empty(t, f.block(time.Second))
	require.Equal(t, types.PHASE_FROZEN, f.epoch(1).Phase)
	events = f.block(time.Second)
	for _, name := range []string{"EventEpochClosed", "EventEpochOpened", "EventNoReveal", "EventElected", "EventSeatsHandedOver"} {
		require.Equal(t, 1, count(events, name), name)
	}
	end := genesisTime.Add(62 * time.Second)
	require.Equal(t, types.Epoch{
		Number: 1, Phase: types.PHASE_CLOSING, Stage: "sum", StartTime: genesisTime, StartHeight: 1, Duration: time.Minute,
		EndTime: &end, EndHeight: 4, Seed: seed, FreezeHeight: 2, ClosingHeight: 4,
	}, f.epoch(1))
	next := beacon.Start(seed, headerHash(1))
	require.Equal(t, types.Epoch{
		Number: 2, Phase: types.PHASE_OPEN, StartTime: end, StartHeight: 5, Duration: time.Minute, Seed: next,
	}, f.epoch(2))
	require.Equal(t, []uint64{1, 2}, f.node.opened)
	require.Equal(t, next, f.node.seeds[1])
	require.Zero(t, f.stages[0].calls, "the closing begins in the next block")

	events = f.block(time.Second)
	require.Equal(t, 2, count(events, "EventStageDone"))
	require.Equal(t, 1, count(events, "EventEpochDone"))
	e := f.epoch(1)
	require.Equal(t, types.PHASE_DONE, e.Phase)
	require.EqualValues(t, 5, e.DoneHeight)
	require.Empty(t, e.Stage)
	require.Equal(t, []uint64{1, 1, 1}, f.stages[0].marked(f.ctx, t, 1))
	require.Equal(t, []uint64{1, 1}, f.stages[1].marked(f.ctx, t, 1))
	f.block(time.Second)
	f.block(time.Second)
	require.Empty(t, f.block(time.Second), "an idle block does nothing")
}

func TestChainHaltedForDaysClosesOneEpoch(t *testing.T) {
	f := newFixture(t, 1).start(10)
	f.block(72 * time.Hour)
	require.Equal(t, types.PHASE_FROZEN, f.epoch(1).Phase)
	f.block(time.Second)
	f.block(time.Second)
	require.EqualValues(t, 2, f.number())
	for range 10 {
		f.block(time.Second)
	}
	require.EqualValues(t, 2, f.number(), "the new epoch has its whole duration from the first block after the halt on")
	require.Equal(t, types.PHASE_OPEN, f.epoch(2).Phase)
	require.Equal(t, genesisTime.Add(72*time.Hour+2*time.Second), f.epoch(2).StartTime)

	// The same in the middle of the beacon: the closing height is a height, not a time.
	f.block(time.Minute)
	require.Equal(t, types.PHASE_FROZEN, f.epoch(2).Phase)
	f.block(72 * time.Hour)
	require.EqualValues(t, 2, f.number())
	f.block(time.Second)
	require.EqualValues(t, 3, f.number())
}

func TestEpochStaysOpenWhileTheLastOneIsBeingClosed(t *testing.T) {
	f := newFixture(t, 5).start(1)
	f.turn()
	for i := range 5 {
		require.EqualValues(t, 1, f.export().Closing.Epoch, "block %d", i)
		f.block(time.Hour)
		require.Equal(t, types.PHASE_OPEN, f.epoch(2).Phase)
	}
	require.Equal(t, types.PHASE_DONE, f.epoch(1).Phase)
	f.block(time.Second)
	require.Equal(t, types.PHASE_FROZEN, f.epoch(2).Phase)
	f.block(time.Second)
	f.block(time.Second)
	require.EqualValues(t, 3, f.number())
}

// Nothing is frozen before all seats are handed over, however long the epoch has been over.
func TestEpochStaysOpenWhileSeatsAreHandedOver(t *testing.T) {
	f := newFixture(t)
	params := devParams(10)
	params.StepBlocks = 3
	f.genesis(types.GenesisState{Params: params, Development: true})
	f.turn()
	opened := f.ctx.BlockHeight()
	for f.ctx.BlockHeight() < opened+9 {
		f.block(time.Hour)
		require.Equal(t, types.PHASE_OPEN, f.epoch(2).Phase, "height %d", f.ctx.BlockHeight()-opened)
	}
	h, err := f.k.HandOver(f.ctx)
	require.NoError(t, err)
	require.Equal(t, types.HandOver{Epoch: 2, Steps: 4, StepBlocks: 3}, h)
	f.block(time.Second)
	require.Equal(t, types.PHASE_FROZEN, f.epoch(2).Phase)
}

func TestDurationIsFixedWhenAnEpochOpens(t *testing.T) {
	f := newFixture(t, 1).start(10)
	params := devParams(7)
	params.Duration = time.Hour
	_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(t, err)
	require.Equal(t, time.Minute, f.epoch(1).Duration)
	f.turn()
	require.Equal(t, time.Hour, f.epoch(2).Duration)
}

func TestNoStages(t *testing.T) {
	f := newFixture(t).start(10)
	f.turn()
	require.Equal(t, types.PHASE_DONE, f.epoch(1).Phase)
	f.export()
	f.turn()
	require.Equal(t, types.PHASE_DONE, f.epoch(2).Phase)
}

// The result of a closing does not depend on how it is spread over blocks, and no block does more than its budget.
func TestBudgetDoesNotChangeTheResult(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		items := []uint64{rapid.Uint64Range(0, 12).Draw(rt, "sum"), rapid.Uint64Range(0, 12).Draw(rt, "pay")}
		budget := rapid.Uint32Range(1, 30).Draw(rt, "budget")
		bad := rapid.SliceOfN(rapid.Uint64Range(0, 12), 0, 4).Draw(rt, "bad")
		run := func(budget uint32) (*fixture, int) {
			f := newFixture(t, items...).start(budget)
			for _, s := range f.stages {
				s.bad = map[uint64]error{}
				for _, i := range bad {
					s.bad[i] = errBoom
				}
			}
			f.turn()
			blocks := f.finish()
			total := items[0] + items[1]
			require.LessOrEqual(rt, uint64(blocks), total/uint64(budget)+3)
			require.GreaterOrEqual(rt, uint64(blocks)*uint64(budget), total)
			return f, blocks
		}
		a, _ := run(budget)
		b, _ := run(1000)
		for i := range a.stages {
			require.Equal(rt, b.stages[i].marked(b.ctx, t, 1), a.stages[i].marked(a.ctx, t, 1))
		}
		itemsA, itemsB := a.setAside(), b.setAside()
		require.Len(rt, itemsA, len(itemsB))
		for i := range itemsA {
			itemsA[i].Height, itemsB[i].Height = 0, 0
			require.Equal(rt, itemsB[i], itemsA[i])
		}
		require.Equal(rt, uint64(len(itemsA)), a.epoch(1).SetAside)
		a.export()
	})
}

func TestFailingStageIsSetAsideAndTheMachineGoesOn(t *testing.T) {
	for name, fail := range map[string]func(epoch, item uint64) error{
		"error":      func(_, _ uint64) error { return errBoom },
		"panic":      func(_, _ uint64) error { panic(math.ErrIntOverflow) },
		"index":      func(_, item uint64) error { _ = []int{1}[item]; return nil },
		"out of gas": func(_, _ uint64) error { panic(storetypes.ErrorOutOfGas{Descriptor: "boom"}) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 4, 2).start(2)
			f.stages[0].at = func(epoch, item uint64) error {
				if item == 3 {
					return fail(epoch, item)
				}
				return nil
			}
			f.turn()
			f.block(time.Second)
			require.Equal(t, []uint64{1, 1, 0, 0}, f.stages[0].marked(f.ctx, t, 1))
			events := f.block(time.Second)
			require.Equal(t, 1, count(events, "EventItemSetAside"))
			require.Equal(t, []uint64{1, 1, 0, 0}, f.stages[0].marked(f.ctx, t, 1), "the call that failed left nothing behind")
			require.Equal(t, []uint64{1, 1}, f.stages[1].marked(f.ctx, t, 1), "the next stage had its turn")
			require.Equal(t, types.PHASE_DONE, f.epoch(1).Phase)
			require.EqualValues(t, 1, f.epoch(1).SetAside)

			items := f.setAside()
			require.Len(t, items, 1)
			require.Equal(t, "sum", items[0].Stage)
			require.Empty(t, items[0].Key)
			require.NotEmpty(t, items[0].Cause)
			require.NotContains(t, items[0].Cause, "0x", "no addresses in the state")
			require.EqualValues(t, 1, items[0].Tries)
			require.Equal(t, f.ctx.BlockHeight(), items[0].Height)

			// Nothing is retried by itself, and the next epoch is closed as if nothing had happened.
			f.stages[0].at = nil
			f.turn()
			f.finish()
			require.Equal(t, types.PHASE_DONE, f.epoch(2).Phase)
			require.Equal(t, []uint64{1, 1, 1, 1}, f.stages[0].marked(f.ctx, t, 2))
			require.Equal(t, []uint64{1, 1, 0, 0}, f.stages[0].marked(f.ctx, t, 1))
			require.Len(t, f.setAside(), 1)
		})
	}
}

func TestStageWithoutProgressIsSetAside(t *testing.T) {
	f := newFixture(t, 1, 1).start(5)
	f.stages[0].stuck = true
	f.turn()
	f.block(time.Second)
	require.Equal(t, 1, f.stages[0].calls)
	require.Equal(t, types.PHASE_DONE, f.epoch(1).Phase)
	items := f.setAside()
	require.Len(t, items, 1)
	require.Contains(t, items[0].Cause, types.ErrNoProgress.Error())
	require.Equal(t, []uint64{1}, f.stages[1].marked(f.ctx, t, 1))
}

func TestCauseIsCut(t *testing.T) {
	f := newFixture(t, 1).start(5)
	f.stages[0].bad = map[uint64]error{0: fmt.Errorf("%s", strings.Repeat("x", 100_000))}
	f.turn()
	f.finish()
	require.Len(t, f.setAside()[0].Cause, types.MaxCause)
}

// A panic of the store is a fault of this machine alone: it stops the node rather than become a state.
func TestFaultOfTheMachineIsNoState(t *testing.T) {
	f := newFixture(t, 4, 2).start(2)
	disk := errors.New("input/output error")
	f.stages[0].at = func(_, _ uint64) error { panic(disk) }
	f.turn()
	require.PanicsWithValue(t, disk, func() { _, _ = f.k.EndBlock(f.ctx) })
}

// A failing announcement to x/node does not stop the clock; it is retried by hand, or forgotten when the next epoch opens.
func TestFailingAnnouncement(t *testing.T) {
	for name, spoil := range map[string]func(*node){
		"error": func(n *node) { n.err = errBoom },
		"panic": func(n *node) { n.panics = math.ErrIntOverflow },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 1).start(5)
			spoil(f.node)
			events := f.turn()
			require.Equal(t, 1, count(events, "EventItemSetAside"))
			require.Equal(t, types.PHASE_OPEN, f.epoch(2).Phase)
			require.EqualValues(t, 1, f.epoch(2).SetAside)
			require.Equal(t, types.StageOpen, f.setAside()[0].Stage)
			f.finish()
			f.export()

			*f.node = node{opened: f.node.opened, seeds: f.node.seeds}
			if name == "error" {
				_, err := f.msgs.RetryItem(f.ctx, &types.MsgRetryItem{Sender: somebody, Epoch: 2, Stage: types.StageOpen})
				require.NoError(t, err)
				require.Equal(t, []uint64{1, 2}, f.node.opened)
			} else {
				f.turn()
				require.Equal(t, []uint64{1, 3}, f.node.opened)
			}
			require.Empty(t, f.setAside())
			require.Zero(t, f.epoch(2).SetAside)
			f.export()
		})
	}
}

// Even a store that has lost the clock's own records does not halt the chain.
func TestEndBlockNeverFails(t *testing.T) {
	f := newFixture(t, 1)
	updates, err := f.k.EndBlock(f.ctx)
	require.NoError(t, err, "no genesis")
	require.Empty(t, updates)
	require.NoError(t, f.k.PreBlock(f.ctx, &abci.RequestFinalizeBlock{Height: 1}))
	f.start(5)
	f.ctx = f.ctx.WithBlockTime(genesisTime.Add(-time.Hour))
	require.Empty(t, f.block(0), "a block before the start of the epoch")
}
