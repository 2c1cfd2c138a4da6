package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// earn makes each of n workers earn 10 * its id in the current epoch.
func (f *fixture) earn(k clientKey, n uint64) { f.earnUpTo(k, n, 10) }

// earnMore goes on with the lanes that earn has opened.
func (f *fixture) earnMore(k clientKey, n uint64) { f.earnUpTo(k, n, 20) }

func (f *fixture) earnUpTo(k clientKey, n, bytes uint64) {
	f.t.Helper()
	e := f.epoch.current
	for id := uint64(1); id <= n; id++ {
		f.node.workers[id] = nodetypes.Worker{Id: id, Operator: operatorOf(id), Account: f.worker, Status: nodetypes.WORKER_STATUS_ACTIVE}
		s := k.forWorker(id, e, bytes*id)
		res, err := f.msg.Settle(f.ctx, &types.MsgSettle{Account: f.worker, WorkerId: id, Epoch: e, Acks: []types.Acknowledgement{s}})
		require.NoError(f.t, err)
		require.Equal(f.t, types.ACK_STATUS_PAID, res.Results[0].Status)
	}
	f.check()
}

func TestSum(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	const e, workers = firstEpoch, 7
	f.earn(k, workers)
	f.epoch.current++

	_, err := f.keeper.CollectRevenue(f.ctx, e, rewards)
	require.ErrorIs(t, err, types.ErrNotSummed)
	_, err = f.keeper.WorkerTotals(f.ctx, e, 0, 10)
	require.ErrorIs(t, err, types.ErrNotSummed)

	// Three a block; revenue of the new epoch comes in between and does not count.
	var total uint32
	for block, want := range []struct {
		used uint32
		done bool
	}{{3, false}, {3, false}, {1, true}} {
		used, done, err := f.keeper.Close(f.ctx, e, 3)
		require.NoError(t, err)
		require.Equal(t, want.used, used, "block %d", block)
		require.Equal(t, want.done, done, "block %d", block)
		total += used
		f.check()
		f.earn(k, 2)
		_, err = f.keeper.CollectRevenue(f.ctx, e, rewards)
		if !done {
			require.ErrorIs(t, err, types.ErrNotSummed)
		} else {
			require.NoError(t, err)
		}
		f.check()
		k = f.addKey("client", k.account, uint64(block)+10, limitOfKey)
	}
	require.EqualValues(t, workers, total)
	require.EqualValues(t, 280, f.moduleBalance(rewards))
	used, done, err := f.keeper.Close(f.ctx, e, 3)
	require.NoError(t, err)
	require.True(t, done, "closing again does nothing")
	require.Zero(t, used)

	f.requireRefused(types.ErrAlreadyCollected, func() error {
		_, err := f.keeper.CollectRevenue(f.ctx, e, rewards)
		return err
	})
	records, err := f.keeper.WorkerTotals(f.ctx, e, 3, 2)
	require.NoError(t, err)
	require.Len(t, records, 2)
	for i, r := range records {
		require.EqualValues(t, i+3, r.WorkerId)
		require.Equal(t, e, r.Epoch)
		require.Equal(t, operatorOf(r.WorkerId), r.Operator)
		require.Equal(t, types.Revenue{Amount: math.NewInt(int64(10 * (i + 3))), Bytes: uint64(10 * (i + 3)), Requests: uint64(5 * (i + 3))}, r.Revenue)
	}
	services, err := f.keeper.ServiceTotals(f.ctx, e, 0, 10)
	require.NoError(t, err)
	require.Len(t, services, 1)
	require.Equal(t, "280", services[0].Revenue.Amount.String())
	epochTotal, err := f.query.EpochTotal(f.ctx, &types.QueryEpochTotalRequest{Epoch: e})
	require.NoError(t, err)
	require.True(t, epochTotal.Total.Summed && epochTotal.Total.Collected)
	require.Zero(t, f.openRevenue(e))
	require.EqualValues(t, 90, f.openRevenue(e+1))
	require.Empty(t, f.epoch.aside)
}

func TestSumOfNothing(t *testing.T) {
	f := newFixture(t)
	f.epoch.current++
	used, done, err := f.keeper.Close(f.ctx, firstEpoch, 1)
	require.NoError(t, err)
	require.Zero(t, used)
	require.True(t, done)
	amount, err := f.keeper.CollectRevenue(f.ctx, firstEpoch, rewards)
	require.NoError(t, err)
	require.True(t, amount.IsZero())
	_, err = f.keeper.CollectRevenue(f.ctx, firstEpoch, rewards)
	require.ErrorIs(t, err, types.ErrAlreadyCollected)
	records, err := f.keeper.WorkerTotals(f.ctx, firstEpoch, 0, 10)
	require.NoError(t, err)
	require.Empty(t, records)
}

// TestSumExactBudget: an epoch whose records are as many as the budget is done in one call.
func TestSumExactBudget(t *testing.T) {
	f := newFixture(t)
	f.earn(f.client("client", 1, bigDeposit), 3)
	f.epoch.current++
	used, done, err := f.keeper.Close(f.ctx, firstEpoch, 3)
	require.NoError(t, err)
	require.EqualValues(t, 3, used)
	require.True(t, done)
}

// TestSumSetsAside: a record that cannot be summed is set aside once, the others are summed, and a retry takes it into the
// current epoch.
func TestSumSetsAside(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	const e = firstEpoch
	f.earn(k, 4)
	f.epoch.current++

	raw, err := collections.EncodeKeyWithPrefix(types.RevenuePrefix.Bytes(),
		collections.TripleKeyCodec(collections.Uint64Key, collections.Uint64Key, collections.Uint64Key), collections.Join3(e, uint64(2), uint64(0)))
	require.NoError(t, err)
	store := f.ctx.KVStore(f.storeKeys[types.StoreKey])
	good := store.Get(raw)
	require.NotEmpty(t, good)
	store.Set(raw, []byte{0xff})

	for range 4 {
		_, done, err := f.keeper.Close(f.ctx, e, 1)
		require.NoError(t, err)
		if done {
			break
		}
		require.ErrorIs(t, f.keeper.RetryItem(f.ctx, e, types.SumItemKey(3, 0)), types.ErrNotSummed, "it is still to come")
	}
	require.Len(t, f.epoch.aside, 1)
	require.Equal(t, types.StageSum, f.epoch.aside[0].stage)
	require.Equal(t, types.SumItemKey(2, 0), f.epoch.aside[0].key)
	require.Error(t, f.epoch.aside[0].cause)
	amount, err := f.keeper.CollectRevenue(f.ctx, e, rewards)
	require.NoError(t, err)
	require.Equal(t, "80", amount.String())

	require.Error(t, f.keeper.RetryItem(f.ctx, e, types.SumItemKey(2, 0)), "it is still unreadable")
	store.Set(raw, good)
	f.check()
	delete(f.node.workers, 2) // retired and deleted in the meantime
	require.NoError(t, f.keeper.RetryItem(f.ctx, e, types.SumItemKey(2, 0)))
	f.check()
	require.EqualValues(t, 20, f.openRevenue(e+1))
	for _, key := range [][]byte{types.SumItemKey(2, 0), types.SumItemKey(3, 0), nil, {1}, make([]byte, 17)} {
		require.ErrorIs(t, f.keeper.RetryItem(f.ctx, e, key), types.ErrItemNotFound, "never twice")
	}
	f.epoch.current++
	_, done, err := f.keeper.Close(f.ctx, e+1, 10)
	require.NoError(t, err)
	require.True(t, done)
	totals, err := f.keeper.WorkerTotals(f.ctx, e+1, 0, 10)
	require.NoError(t, err)
	require.Equal(t, []types.RevenueRecord{{Epoch: e + 1, WorkerId: 2, Operator: operatorOf(2), ProtocolAmount: math.NewInt(20), Revenue: types.Revenue{
		Amount: math.NewInt(20), Bytes: 20, Requests: 10,
	}}}, totals)
}

// TestSumsSideBySide: the sum of an epoch that was set aside as a whole goes on while that of a later one is under way.
func TestSumsSideBySide(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	const e = firstEpoch
	f.earn(k, 5)
	f.epoch.current++
	f.earn(k, 5)
	f.epoch.current++
	for _, epoch := range []uint64{e, e + 1, e, e + 1} {
		_, done, err := f.keeper.Close(f.ctx, epoch, 2)
		require.NoError(t, err)
		require.False(t, done)
		f.check()
	}
	gs, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, []types.SumCursor{{Epoch: e, WorkerId: 4}, {Epoch: e + 1, WorkerId: 4}}, gs.SumCursors)
	for _, epoch := range []uint64{e, e + 1} {
		used, done, err := f.keeper.Close(f.ctx, epoch, 2)
		require.NoError(t, err)
		require.True(t, done)
		require.EqualValues(t, 1, used)
		amount, err := f.keeper.CollectRevenue(f.ctx, epoch, rewards)
		require.NoError(t, err)
		require.Equal(t, "150", amount.String())
		f.check()
	}
}
