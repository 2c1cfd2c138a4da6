package keeper_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/x/node/types"
)

func (f *fixture) exists(id uint64) bool {
	f.t.Helper()
	_, err := f.k.Worker(f.ctx, id)
	if !errors.Is(err, types.ErrWorkerNotFound) {
		require.NoError(f.t, err)
	}
	return err == nil
}

func TestRetirementWaitsForTheClosing(t *testing.T) {
	f := newFixture(t)
	operator := f.operator()
	id := f.register(operator)
	f.open(7)
	f.remove(operator, id)
	for epoch := uint64(7); epoch < 10; epoch++ {
		f.open(epoch)
		f.endBlock()
		require.True(t, f.exists(id), "epoch %d", epoch)
		require.EqualValues(t, wealth-types.DefaultWorkerDeposit, f.balance(operator))
	}
	f.open(10)
	f.events("")
	f.endBlock()
	require.Equal(t, 1, f.events("edge.node.v1.EventWorkerRetired"))
	require.False(t, f.exists(id))
	require.EqualValues(t, wealth, f.balance(operator))

	next := f.register(operator)
	require.Greater(t, next, id, "ids are not used again")
}

func TestRetirementsPerBlockAreBounded(t *testing.T) {
	f := newFixture(t)
	params := types.DefaultParams()
	params.RetirementsPerBlock = 3
	_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: f.authority, Params: params})
	require.NoError(t, err)
	operator := f.operator()
	var ids []uint64
	for range 8 {
		ids = append(ids, f.register(operator))
	}
	for _, id := range ids {
		f.remove(operator, id)
	}
	f.open(4)
	for _, want := range []int{5, 2, 0, 0} {
		f.endBlock()
		left := 0
		for _, id := range ids {
			if f.exists(id) {
				left++
			}
		}
		require.Equal(t, want, left)
	}
}

// An entry that cannot be processed stands in nobody's way, loses nothing, and is tried again once an epoch.
func TestRetirementThatFails(t *testing.T) {
	for name, fault := range map[string]func(f *fixture) map[string]bool{
		"error": func(f *fixture) map[string]bool { return f.bank.refuse },
		"panic": func(f *fixture) map[string]bool { return f.bank.panics },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			bad, good := f.operator(), f.operator()
			badID, goodID := f.register(bad), f.register(good)
			f.remove(bad, badID)
			f.remove(good, goodID)
			fault(f)[string(bad)] = true

			f.open(4)
			f.events("")
			f.endBlock()
			require.Equal(t, 1, f.events("edge.node.v1.EventRetirementPostponed"))
			require.True(t, f.exists(badID))
			require.False(t, f.exists(goodID))
			require.EqualValues(t, wealth-types.DefaultWorkerDeposit, f.balance(bad))
			require.EqualValues(t, wealth, f.balance(good))

			f.endBlock()
			require.Zero(t, f.events("edge.node.v1.EventRetirementPostponed"), "once an epoch")

			clear(fault(f))
			f.open(5)
			f.endBlock()
			require.False(t, f.exists(badID))
			require.EqualValues(t, wealth, f.balance(bad))
		})
	}
}

func TestOpenEpoch(t *testing.T) {
	f := newFixture(t)
	f.open(1) // again
	f.open(3) // one was missed
	require.ErrorIs(t, f.k.OpenEpoch(f.ctx, 2), types.ErrEpoch)
	epoch, err := f.k.Epoch(f.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 3, epoch)
}
