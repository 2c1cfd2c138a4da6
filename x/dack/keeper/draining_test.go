package keeper_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// hire registers workers 1 to n with the account of the fixture's worker.
func (f *fixture) hire(n uint64) {
	for id := uint64(1); id <= n; id++ {
		f.node.workers[id] = nodetypes.Worker{Id: id, Operator: operatorOf(id), Account: f.worker, Status: nodetypes.WORKER_STATUS_ACTIVE}
	}
}

// settleAt settles what a key has acknowledged to a worker in an epoch.
func (f *fixture) settleAt(k clientKey, worker, epoch, bytes uint64) types.AckResult {
	f.t.Helper()
	res, err := f.msg.Settle(f.ctx, &types.MsgSettle{
		Account: f.worker, WorkerId: worker, Epoch: epoch, Acks: []types.Acknowledgement{k.forWorker(worker, epoch, bytes)},
	})
	require.NoError(f.t, err)
	f.check()
	return res.Results[0]
}

// request asks for a withdrawal of a named account.
func (f *fixture) request(name string, amount int64) {
	f.t.Helper()
	_, err := f.msg.RequestWithdrawal(f.ctx, &types.MsgRequestWithdrawal{Owner: f.address(name), Amount: coin(amount)})
	require.NoError(f.t, err)
	f.check()
}

// TestWorkersDrainAClient: workers are paid in the order in which their settlements come, each all that it is due as long as there
// is something, and `spendable` has fallen before the next one serves.
func TestWorkersDrainAClient(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, 1_000)
	const e = firstEpoch
	f.hire(4)
	f.request("client", 300)
	for i, want := range []struct {
		worker               uint64
		status               types.AckStatus
		paid                 int64
		spendable, remaining string
	}{
		{3, types.ACK_STATUS_PAID, 400, "300", "600"},
		{1, types.ACK_STATUS_PAID, 400, "0", "200"}, // 100 of it from the withdrawal, which is still payable
		{4, types.ACK_STATUS_PARTIAL, 200, "0", "0"},
		{2, types.ACK_STATUS_PARTIAL, 0, "0", "0"},
	} {
		r := f.settleAt(k, want.worker, e, 400)
		requireResult(t, r, want.status, want.paid, want.paid)
		res, err := f.query.Account(f.ctx, &types.QueryAccountRequest{Id: k.account})
		require.NoError(t, err)
		require.Equal(t, want.spendable, res.Spendable.String(), "settlement %d", i)
		require.Equal(t, want.remaining, res.Payable.String(), "settlement %d", i)
	}
	exportedAgain(t, f)

	// A top-up is for whoever comes first; who has been paid gets nothing more.
	f.deposit("client", 450)
	requireResult(t, f.settleAt(k, 3, e, 400), types.ACK_STATUS_NOTHING_DUE, 0, 400)
	requireResult(t, f.settleAt(k, 2, e, 400), types.ACK_STATUS_PAID, 400, 400)
	requireResult(t, f.settleAt(k, 4, e, 400), types.ACK_STATUS_PARTIAL, 50, 250)
	require.EqualValues(t, 1_450, f.openRevenue(e))

	f.epoch.current += 2
	f.endBlock()
	require.Zero(t, f.wallet("client"), "nothing is left of the withdrawal")
}

// TestWithdrawalIsPayableUntilItIsPaid: to the last acknowledgement that lives, and also while the queue is behind.
func TestWithdrawalIsPayableUntilItIsPaid(t *testing.T) {
	f := newFixture(t)
	f.setParams(func(p *types.Params) { p.WithdrawalsPerBlock = 1 })
	f.hire(2)
	const e = firstEpoch
	first, k := f.client("first", 1, 500), f.client("client", 2, 500)
	f.request("first", 500)
	f.request("client", 500)
	requireResult(t, f.settleAt(k, 1, e, 10), types.ACK_STATUS_PAID, 10, 10)
	exportedAgain(t, f)
	f.epoch.current++
	f.endBlock()
	requireResult(t, f.settleAt(k, 2, e, 20), types.ACK_STATUS_PAID, 20, 20) // of the epoch before, which is the last time
	requireResult(t, f.settleAt(k, 2, e+1, 30), types.ACK_STATUS_PAID, 30, 30)
	exportedAgain(t, f)
	f.epoch.current++
	f.endBlock() // pays one of the two, the other waits for the next block
	require.EqualValues(t, 500, f.wallet("first"))
	require.Zero(t, f.wallet("client"))
	exportedAgain(t, f)
	requireResult(t, f.settleAt(first, 1, e+2, 40), types.ACK_STATUS_PARTIAL, 0, 0)
	requireResult(t, f.settleAt(k, 1, e+2, 40), types.ACK_STATUS_PAID, 40, 40)
	f.endBlock()
	require.EqualValues(t, 400, f.wallet("client"))
	requireResult(t, f.settleAt(k, 1, e+2, 80), types.ACK_STATUS_PARTIAL, 0, 40)
	exportedAgain(t, f)
}

// TestAnyLifeOfKeys: whatever an owner does to limits and ends of a key, what is paid of the acknowledgements of an epoch is at
// most the limit that was in force when it opened, nothing of epochs after the last one, and all of it otherwise.
func TestAnyLifeOfKeys(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(rt)
		f.hire(2)
		k := f.addKey("client", f.deposit("client", bigDeposit), 1, 50)
		limits := map[uint64]int64{} // in force when an epoch opened
		limit, last := int64(50), lastOfKey
		for e := uint64(1); e <= f.epoch.current; e++ {
			limits[e] = limit
		}
		type lane struct{ worker, epoch uint64 }
		paid, signed := map[lane]int64{}, map[lane]uint64{}
		spent := map[uint64]int64{}
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			e := f.epoch.current
			switch rapid.IntRange(0, 4).Draw(rt, "what") {
			case 0:
				to := rapid.Int64Range(1, 100).Draw(rt, "limit")
				end := e + rapid.Uint64Range(0, 3).Draw(rt, "last")
				_, err := f.msg.UpdateClientKey(f.ctx, updateKeyMsg(f.address("client"), k.id, to, end))
				require.Equal(rt, last >= e, err == nil, "%v", err)
				if err == nil {
					limit, last = to, end
				}
			case 1:
				_, err := f.msg.RevokeClientKey(f.ctx, &types.MsgRevokeClientKey{Owner: f.address("client"), KeyId: k.id})
				require.Equal(rt, last >= e, err == nil, "%v", err)
				if err == nil {
					last = e
				}
			case 2, 3:
				on := lane{rapid.Uint64Range(1, 2).Draw(rt, "worker"), e - rapid.Uint64Range(0, 1).Draw(rt, "late")}
				signed[on] += rapid.Uint64Range(1, 40).Draw(rt, "bytes")
				r := f.settleAt(k, on.worker, on.epoch, signed[on])
				if on.epoch > last {
					require.Equal(rt, types.ACK_STATUS_KEY_EXPIRED, r.Status)
					continue
				}
				due := int64(signed[on]) - paid[on]
				want := max(min(due, limits[on.epoch]-spent[on.epoch]), 0)
				require.Equal(rt, fmt.Sprint(want), r.Paid.String(), "epoch %d of %d", on.epoch, e)
				paid[on] += want
				spent[on.epoch] += want
				require.Equal(rt, fmt.Sprint(limits[on.epoch]-spent[on.epoch]), f.key(k.id).Left(on.epoch).String())
			case 4:
				f.endBlock()
				f.epoch.current++
				limits[f.epoch.current] = limit
			}
			f.check()
			exported, err := f.keeper.ExportGenesis(f.ctx)
			require.NoError(rt, err)
			require.NoError(rt, exported.Validate())
		}
	})
}

// A withdrawal that settlements have used up leaves the queue of payouts, so that it holds up nobody behind it and an exported
// state has the same queue. One of which something is left stays.
func TestUsedUpWithdrawalLeavesTheQueue(t *testing.T) {
	f := newFixture(t)
	key := f.client("client", 1, 100)
	e := f.epoch.current
	waiting := func() (n int) {
		iter := f.ctx.KVStore(f.storeKeys[types.StoreKey]).Iterator(types.WithdrawalsPrefix.Bytes(), types.RevenuePrefix.Bytes())
		defer iter.Close()
		for ; iter.Valid(); iter.Next() {
			n++
		}
		return n
	}
	withdraw := func(amount int64) {
		_, err := f.msg.RequestWithdrawal(f.ctx, &types.MsgRequestWithdrawal{Owner: f.address("client"), Amount: coin(amount)})
		require.NoError(t, err)
	}
	withdraw(40)
	f.epoch.current++
	withdraw(60)
	require.Equal(t, 2, waiting())
	require.Equal(t, "59", f.settle(e, key.ack(e, 0, 59))[0].Paid.String())
	require.Equal(t, 2, waiting(), "1 is left of the newer one")
	require.Equal(t, "11", f.settle(e, key.ack(e, 0, 70))[0].Paid.String())
	require.Equal(t, 1, waiting())
	require.Equal(t, "30", f.settle(e, key.ack(e, 0, 200))[0].Paid.String())
	require.Zero(t, waiting())
}
