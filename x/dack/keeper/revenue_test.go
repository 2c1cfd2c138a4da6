package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/dack/keeper"
	"github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
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
	const e, workers = firstEpoch, 2*3*keeper.RecordsPerUnit + 1
	f.earn(k, workers)
	f.epoch.current++

	_, err := f.keeper.CollectRevenue(f.ctx, e, rewards)
	require.ErrorIs(t, err, types.ErrNotSummed)
	_, err = f.keeper.WorkerTotals(f.ctx, e, 0, 10)
	require.ErrorIs(t, err, types.ErrNotSummed)

	// Three units a block; revenue of the new epoch comes in between and does not count.
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
		left, err := f.query.Revenue(f.ctx, &types.QueryRevenueRequest{Epoch: e, Pagination: &query.PageRequest{CountTotal: true}})
		require.NoError(t, err)
		require.EqualValues(t, max(workers-3*keeper.RecordsPerUnit*(block+1), 0), left.Pagination.Total)
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
	require.EqualValues(t, 7, total)
	const sum = 5 * workers * (workers + 1)
	require.EqualValues(t, sum, f.moduleBalance(rewards))
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
	require.EqualValues(t, sum, services[0].Revenue.Amount.Int64())
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

// TestSumExactBudget: an epoch whose records are as many as the budget allows is done in one call.
func TestSumExactBudget(t *testing.T) {
	f := newFixture(t)
	f.earn(f.client("client", 1, bigDeposit), 3*keeper.RecordsPerUnit)
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
	f.earn(k, 7)
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
	require.Equal(t, "260", amount.String())

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
	const perUnit = keeper.RecordsPerUnit
	const workers = 5 * perUnit
	f.earn(k, workers)
	f.epoch.current++
	f.earn(k, workers)
	f.epoch.current++
	for _, epoch := range []uint64{e, e + 1, e, e + 1} {
		_, done, err := f.keeper.Close(f.ctx, epoch, 2)
		require.NoError(t, err)
		require.False(t, done)
		f.check()
	}
	gs, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Equal(t, []types.SumCursor{{Epoch: e, WorkerId: 4 * perUnit}, {Epoch: e + 1, WorkerId: 4 * perUnit}}, gs.SumCursors)
	for _, epoch := range []uint64{e, e + 1} {
		used, done, err := f.keeper.Close(f.ctx, epoch, 2)
		require.NoError(t, err)
		require.True(t, done)
		require.EqualValues(t, 1, used)
		amount, err := f.keeper.CollectRevenue(f.ctx, epoch, rewards)
		require.NoError(t, err)
		require.EqualValues(t, 5*workers*(workers+1), amount.Int64())
		f.check()
	}
}

// TestClosingCannotBeOutrun: the records that a full block can open, even if its gas were for settlements alone, are no more than
// one block of a closing sums. The block's gas is the default of the application; TestDefaultMaxGas holds it to that.
func TestClosingCannotBeOutrun(t *testing.T) {
	const maxGas = 40_000_000
	p := types.DefaultParams()
	summed := uint64(epochtypes.DefaultParams().CloseBudget) * keeper.RecordsPerUnit
	most := uint64(0)
	// A settlement of n acknowledgements opens n records at most, and never more than it may name services.
	for n := 1; n <= int(p.MaxAcks); n++ {
		most = max(most, maxGas/p.SettleGas(n)*uint64(min(n, types.MaxServicesPerSettlement)))
	}
	require.EqualValues(t, 2_424, most, "README and ADR 006 say so")
	require.EqualValues(t, 2_500, summed, "README and ADR 006 say so")
	require.LessOrEqual(t, most, summed)
}

// TestRetriedSumFitsIntoATransaction: MsgRetryItem sums as many records as MaxRetryBudget allows, with the amounts that are the
// longest, within the 20,000,000 gas that a transaction may want.
func TestRetriedSumFitsIntoATransaction(t *testing.T) {
	const maxTxGas, records = 20_000_000, epochtypes.MaxRetryBudget * keeper.RecordsPerUnit
	f := newFixture(t)
	const e = firstEpoch
	f.earn(f.client("client", 1, bigDeposit), 1)
	f.epoch.current++
	gs := must(f.keeper.ExportGenesis(f.ctx))(t)
	longest := gs.Revenue[0]
	longest.Revenue = types.Revenue{Amount: types.MaxPrice, Bytes: 1 << 63, Requests: 1 << 63, Fuel: 1 << 63}
	longest.Owner, longest.ProtocolAmount = f.address("owner"), math.ZeroInt()
	gs.Revenue, gs.NextServiceId = nil, records+2
	for i := range uint64(records + 1) {
		longest.WorkerId, longest.ServiceId = 1+i%7*1_000_000, 1+i
		gs.Revenue = append(gs.Revenue, longest)
	}
	missing := sdk.NewCoins(sdk.NewCoin(denom, types.MaxPrice.MulRaw(records+1).SubRaw(10))) // 10 is what the record was before
	require.NoError(t, f.bank.MintCoins(f.ctx, faucet, missing))
	require.NoError(t, f.bank.SendCoinsFromModuleToModule(f.ctx, faucet, types.ModuleName, missing))
	require.NoError(t, f.keeper.InitGenesis(f.reopen(), gs))
	meter := storetypes.NewGasMeter(maxTxGas)
	used, done, err := f.keeper.Close(f.ctx.WithGasMeter(meter), e, epochtypes.MaxRetryBudget)
	require.NoError(t, err)
	require.False(t, done)
	require.EqualValues(t, epochtypes.MaxRetryBudget, used)
	t.Logf("%d records: %d gas", records, meter.GasConsumed())
	require.Less(t, meter.GasConsumed(), uint64(maxTxGas*3/4), "the rest of the transaction needs gas too")
	f.check()
}
