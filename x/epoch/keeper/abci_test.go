package keeper_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"

	"github.com/edgechain/edge/x/epoch/types"
)

func TestFirstEpochOpensAtGenesis(t *testing.T) {
	f := newFixture(t, 1).start(10)
	require.Equal(t, types.Epoch{
		Number: 1, Phase: types.PHASE_OPEN, StartTime: genesisTime, StartHeight: 1, Duration: time.Minute,
	}, f.epoch(1))
	require.Equal(t, []uint64{1}, f.node.opened)

	later := newFixture(t, 1)
	later.ctx = later.ctx.WithBlockHeight(100)
	later.start(10)
	require.EqualValues(t, 100, later.epoch(1).StartHeight)
}

func TestEpochEndsWithTheFirstBlockAfterItsDuration(t *testing.T) {
	f := newFixture(t, 3, 2).start(10)
	require.Empty(t, f.block(59*time.Second))
	require.EqualValues(t, 1, f.epoch(1).Number)

	events := f.block(time.Second)
	require.Equal(t, 1, count(events, "EventEpochClosed"))
	require.Equal(t, 1, count(events, "EventEpochOpened"))
	end := genesisTime.Add(time.Minute)
	require.Equal(t, types.Epoch{
		Number: 1, Phase: types.PHASE_CLOSING, Stage: "sum", StartTime: genesisTime, StartHeight: 1, Duration: time.Minute,
		EndTime: &end, EndHeight: 2,
	}, f.epoch(1))
	require.Equal(t, types.Epoch{Number: 2, Phase: types.PHASE_OPEN, StartTime: end, StartHeight: 3, Duration: time.Minute}, f.epoch(2))
	require.Equal(t, []uint64{1, 2}, f.node.opened)
	require.Zero(t, f.stages[0].calls, "the closing begins in the next block")

	events = f.block(time.Second)
	require.Equal(t, 2, count(events, "EventStageDone"))
	require.Equal(t, 1, count(events, "EventEpochDone"))
	e := f.epoch(1)
	require.Equal(t, types.PHASE_DONE, e.Phase)
	require.EqualValues(t, 3, e.DoneHeight)
	require.Empty(t, e.Stage)
	require.Equal(t, []uint64{1, 1, 1}, f.stages[0].marked(f.ctx, t, 1))
	require.Equal(t, []uint64{1, 1}, f.stages[1].marked(f.ctx, t, 1))
	require.Empty(t, f.block(time.Second), "an idle block does nothing")
}

func TestChainHaltedForDaysClosesOneEpoch(t *testing.T) {
	f := newFixture(t, 1).start(10)
	f.block(72 * time.Hour)
	n, err := f.k.CurrentNumber(f.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	f.finish()
	f.block(time.Second)
	n, err = f.k.CurrentNumber(f.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, n, "the new epoch has its whole duration from the first block after the halt on")
	require.Equal(t, genesisTime.Add(72*time.Hour), f.epoch(2).StartTime)
}

func TestEpochStaysOpenWhileTheLastOneIsBeingClosed(t *testing.T) {
	f := newFixture(t, 5).start(1)
	f.block(time.Minute)
	for i := range 5 {
		require.EqualValues(t, 1, f.export().Closing.Epoch, "block %d", i)
		f.block(time.Hour)
		n, err := f.k.CurrentNumber(f.ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	}
	require.Equal(t, types.PHASE_DONE, f.epoch(1).Phase)
	f.block(time.Second)
	n, err := f.k.CurrentNumber(f.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
}

func TestDurationIsFixedWhenAnEpochOpens(t *testing.T) {
	f := newFixture(t, 1).start(10)
	_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: types.Params{Duration: time.Hour, CloseBudget: 7}})
	require.NoError(t, err)
	require.Equal(t, time.Minute, f.epoch(1).Duration)
	f.block(time.Minute)
	require.Equal(t, time.Hour, f.epoch(2).Duration)
}

func TestNoStages(t *testing.T) {
	f := newFixture(t).start(10)
	f.block(time.Minute)
	require.Equal(t, types.PHASE_DONE, f.epoch(1).Phase)
	f.export()
	f.block(time.Minute)
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
			f.block(time.Minute)
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
			f.block(time.Minute)
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
			f.block(time.Minute)
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
	f.block(time.Minute)
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
	f.block(time.Minute)
	f.finish()
	require.Len(t, f.setAside()[0].Cause, types.MaxCause)
}

// A panic of the store is a fault of this machine alone: it stops the node rather than become a state.
func TestFaultOfTheMachineIsNoState(t *testing.T) {
	f := newFixture(t, 4, 2).start(2)
	disk := errors.New("input/output error")
	f.stages[0].at = func(_, _ uint64) error { panic(disk) }
	f.block(time.Minute)
	require.PanicsWithValue(t, disk, func() { _ = f.k.EndBlock(f.ctx) })
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
			events := f.block(time.Minute)
			require.Equal(t, 1, count(events, "EventItemSetAside"))
			require.Equal(t, types.PHASE_OPEN, f.epoch(2).Phase)
			require.EqualValues(t, 1, f.epoch(2).SetAside)
			require.Equal(t, types.StageOpen, f.setAside()[0].Stage)
			f.finish()
			f.export()

			*f.node = node{opened: f.node.opened}
			if name == "error" {
				_, err := f.msgs.RetryItem(f.ctx, &types.MsgRetryItem{Sender: somebody, Epoch: 2, Stage: types.StageOpen})
				require.NoError(t, err)
				require.Equal(t, []uint64{1, 2}, f.node.opened)
			} else {
				f.block(time.Minute)
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
	require.NoError(t, f.k.EndBlock(f.ctx), "no genesis")
	f.start(5)
	f.ctx = f.ctx.WithBlockTime(genesisTime.Add(-time.Hour))
	require.Empty(t, f.block(0), "a block before the start of the epoch")
}
