package keeper_test

import (
	"crypto/ed25519"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

func requireResult(t *testing.T, r types.AckResult, status types.AckStatus, paid, total int64) {
	t.Helper()
	require.Equal(t, status, r.Status)
	require.Equal(t, math.NewInt(paid).String(), r.Paid.String(), "paid")
	require.Equal(t, math.NewInt(total).String(), r.TotalPaid.String(), "total paid")
}

func TestSettleRefusesMessage(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	const retired, gone = uint64(8), uint64(9)
	f.node.workers[retired] = nodetypes.Worker{
		Id: retired, Account: f.worker, Status: nodetypes.WORKER_STATUS_RETIRING, RetiredEpoch: firstEpoch - 1,
	}
	f.node.workers[gone] = nodetypes.Worker{Id: gone, Account: f.worker}
	many := make([]types.Acknowledgement, types.DefaultMaxAcks+1)
	for i := range many {
		many[i] = types.Acknowledgement{KeyId: uint64(i + 1)}
	}
	nine := make([]types.Acknowledgement, types.MaxServicesPerSettlement+1)
	for i := range nine {
		nine[i] = types.Acknowledgement{KeyId: 1, ServiceId: uint64(i)}
	}
	large := []types.Acknowledgement{k.ack(firstEpoch, 0, 1)}
	large[0].Head = make([]byte, types.MaxSettleBytes)

	for _, c := range []struct {
		name   string
		change func(m *types.MsgSettle)
		want   error
	}{
		{"wrong signer", func(m *types.MsgSettle) { m.Account = f.address("client") }, types.ErrWrongAccount},
		{"signer is no address", func(m *types.MsgSettle) { m.Account = "nobody" }, types.ErrWrongAccount},
		{"no worker", func(m *types.MsgSettle) { m.WorkerId = 0 }, types.ErrInvalidSettlement},
		{"unknown worker", func(m *types.MsgSettle) { m.WorkerId = 77 }, nodetypes.ErrWorkerNotFound},
		{"worker removed before the epoch", func(m *types.MsgSettle) { m.WorkerId = retired }, types.ErrWorkerNotAllowed},
		{"worker without status", func(m *types.MsgSettle) { m.WorkerId = gone }, types.ErrWorkerNotAllowed},
		{"no epoch", func(m *types.MsgSettle) { m.Epoch = 0 }, types.ErrInvalidSettlement},
		{"dead epoch", func(m *types.MsgSettle) { m.Epoch = firstEpoch - 2 }, types.ErrDeadEpoch},
		{"future epoch", func(m *types.MsgSettle) { m.Epoch = firstEpoch + 1 }, types.ErrFutureEpoch},
		{"no acknowledgements", func(m *types.MsgSettle) { m.Acks = nil }, types.ErrInvalidSettlement},
		{"too many", func(m *types.MsgSettle) { m.Acks = many }, types.ErrTooManyAcks},
		{"too large", func(m *types.MsgSettle) { m.Acks = large }, types.ErrSettlementTooLarge},
		{"too many services", func(m *types.MsgSettle) { m.Acks = nine }, types.ErrTooManyServices},
		{"twice the same", func(m *types.MsgSettle) { m.Acks = append(m.Acks, m.Acks[0]) }, types.ErrOrder},
		{"lanes descend", func(m *types.MsgSettle) { m.Acks = append(m.Acks, k.ack(firstEpoch, 0, 1)); m.Acks[0].Lane = 1 }, types.ErrOrder},
		{"services descend", func(m *types.MsgSettle) { m.Acks = append(m.Acks, k.ack(firstEpoch, 5, 1)); m.Acks[0].ServiceId = 1 }, types.ErrOrder},
		{"keys descend", func(m *types.MsgSettle) { m.Acks = append(m.Acks, k.ack(firstEpoch, 5, 1)); m.Acks[0].KeyId = 9 }, types.ErrOrder},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := f.settleMsg(firstEpoch, k.ack(firstEpoch, 0, 10))
			c.change(m)
			f.requireRefused(c.want, func() error {
				_, err := f.msg.Settle(f.ctx, m)
				return err
			})
		})
	}
	// The same worker may still settle what it served before it was removed.
	m := f.settleMsg(firstEpoch-1, k.ack(firstEpoch-1, 0, 10))
	m.WorkerId = retired
	_, err := f.msg.Settle(f.ctx, m)
	require.NoError(t, err)
}

func TestSettleAtBounds(t *testing.T) {
	f := newFixture(t)
	f.setParams(func(p *types.Params) { p.MaxAcks = 2 })
	k := f.client("client", 1, bigDeposit)
	f.requireRefused(types.ErrTooManyAcks, func() error {
		_, err := f.msg.Settle(f.ctx, f.settleMsg(firstEpoch, k.ack(firstEpoch, 0, 1), k.ack(firstEpoch, 1, 1), k.ack(firstEpoch, 2, 1)))
		return err
	})
	for _, r := range f.settle(firstEpoch, k.ack(firstEpoch, 0, 1), k.ack(firstEpoch, 1, 1)) {
		requireResult(t, r, types.ACK_STATUS_PAID, 1, 1)
	}

	// 256 KiB are enough, one byte more is not.
	a := k.ack(firstEpoch, 2, 1)
	a.Head = nil
	rest := types.MaxSettleBytes - a.Size()
	a.Head = make([]byte, rest-4) // one byte of tag and three of length
	require.Equal(t, types.MaxSettleBytes, a.Size())
	requireResult(t, f.settle(firstEpoch, a)[0], types.ACK_STATUS_OUT_OF_RANGE, 0, 0)
	a.Head = append(a.Head, 0)
	f.requireRefused(types.ErrSettlementTooLarge, func() error {
		_, err := f.msg.Settle(f.ctx, f.settleMsg(firstEpoch, a))
		return err
	})
}

// TestSettleServicesAtBound: a settlement opens as many revenue records as it may name services, and no more.
func TestSettleServicesAtBound(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	var acks []types.Acknowledgement
	for id := range uint64(types.MaxServicesPerSettlement) {
		if id > 0 {
			f.publish("owner")
		}
		for lane := range uint8(2) {
			acks = append(acks, k.sign(ack.Ack{Epoch: firstEpoch, ServiceID: id, Lane: lane, Bytes: 1}))
		}
	}
	for _, r := range f.settle(firstEpoch, acks...) {
		requireResult(t, r, types.ACK_STATUS_PAID, 1, 1)
	}
	res, err := f.query.Revenue(f.ctx, &types.QueryRevenueRequest{Epoch: firstEpoch})
	require.NoError(t, err)
	require.Len(t, res.Records, types.MaxServicesPerSettlement)
}

// TestSettleStatuses reaches every status in one message: each is refused alone, the rest is paid.
func TestSettleStatuses(t *testing.T) {
	f := newFixture(t)
	const e = firstEpoch
	rich := f.client("rich", 1, bigDeposit)
	poor := f.client("poor", 2, 100)
	short := f.addKey("rich", rich.account, 3, 30)
	full := f.addKey("rich", rich.account, 5, limitOfKey)
	// The expired key ended with the epoch before: it could acknowledge then, and cannot now.
	expiring := addKeyMsg(f.address("rich"), rich.account, privateKey(6), limitOfKey, e)
	res, err := f.msg.AddClientKey(f.ctx, expiring)
	require.NoError(t, err)
	ended := clientKey{id: res.KeyId, account: rich.account, private: privateKey(6)}

	lanes := make([]types.Acknowledgement, ack.MaxLanes)
	for i := range lanes {
		lanes[i] = full.ack(e+1, uint8(i), 1)
	}
	f.epoch.current = e + 1
	now := e + 1
	f.settle(now, lanes...)
	requireResult(t, f.settle(now, rich.ack(now, 1, 500))[0], types.ACK_STATUS_PAID, 500, 500)

	foreign := poor.sign(ack.Ack{Epoch: now, Lane: 9, Bytes: 50})
	foreign.KeyId = rich.id // signed by poor's key in the name of rich's
	otherChain := ack.Sign(rich.private, ack.HashChainID("edge-other-1"), &ack.Ack{Epoch: now, KeyID: rich.id, WorkerID: workerID, Lane: 10, Bytes: 50})
	otherEpoch := rich.ack(e, 11, 50)
	otherWorker := ack.Sign(rich.private, ack.HashChainID(chainID), &ack.Ack{Epoch: now, KeyID: rich.id, WorkerID: workerID + 1, Lane: 12, Bytes: 50})
	changed := rich.ack(now, 13, 50)
	changed.Bytes++
	badSignature := rich.ack(now, 14, 50)
	badSignature.Signature[0] ^= 1
	unknownService := rich.sign(ack.Ack{Epoch: now, ServiceID: 7, Bytes: 50})
	f.putService(types.Service{Id: 8, Status: types.SERVICE_STATUS_REMOVED, RemovedEpoch: now})
	f.putService(types.Service{Id: 9, Status: types.SERVICE_STATUS_REMOVED, RemovedEpoch: now + 1})
	removedService := rich.sign(ack.Ack{Epoch: now, ServiceID: 8, Bytes: 50})
	leavingService := rich.sign(ack.Ack{Epoch: now, ServiceID: 9, Bytes: 50})
	fresh := full.sign(ack.Ack{Epoch: now, ServiceID: 7, Bytes: 50}) // of no service, so that it does not count as a lane
	unknownKey := rich.ack(now, 0, 50)
	unknownKey.KeyId = 999

	type item struct {
		ack         types.Acknowledgement
		status      types.AckStatus
		paid, total int64
	}
	items := []item{
		{rich.ack(now, 0, 1_000), types.ACK_STATUS_PAID, 1_000, 1_000},
		{rich.ack(now, 1, 500), types.ACK_STATUS_NOTHING_DUE, 0, 500},
		{rich.ack(now, 2, 0), types.ACK_STATUS_NOTHING_DUE, 0, 0},
		{rich.sign(ack.Ack{Epoch: now, Lane: 3, Fuel: 70}), types.ACK_STATUS_PAID, 70, 70},
		{foreign, types.ACK_STATUS_BAD_SIGNATURE, 0, 0},
		{types.NewAcknowledgement(&otherChain), types.ACK_STATUS_BAD_SIGNATURE, 0, 0},
		{otherEpoch, types.ACK_STATUS_BAD_SIGNATURE, 0, 0},
		{types.NewAcknowledgement(&otherWorker), types.ACK_STATUS_BAD_SIGNATURE, 0, 0},
		{changed, types.ACK_STATUS_BAD_SIGNATURE, 0, 0},
		{badSignature, types.ACK_STATUS_BAD_SIGNATURE, 0, 0},
		{unknownService, types.ACK_STATUS_UNKNOWN_SERVICE, 0, 0},
		{removedService, types.ACK_STATUS_SERVICE_REMOVED, 0, 0},
		{leavingService, types.ACK_STATUS_PAID, 50, 50},
		{poor.ack(now, 0, 60), types.ACK_STATUS_PAID, 60, 60},
		{poor.ack(now, 1, 60), types.ACK_STATUS_PARTIAL, 40, 40},
		{poor.ack(now, 2, 60), types.ACK_STATUS_PARTIAL, 0, 0},
		{short.ack(now, 0, 20), types.ACK_STATUS_PAID, 20, 20},
		{short.ack(now, 1, 20), types.ACK_STATUS_PARTIAL, 10, 10},
		{short.ack(now, 2, 20), types.ACK_STATUS_PARTIAL, 0, 0},
		{full.ack(now, 0, 3), types.ACK_STATUS_PAID, 2, 3},
		{fresh, types.ACK_STATUS_UNKNOWN_SERVICE, 0, 0},
		{ended.ack(now, 0, 20), types.ACK_STATUS_KEY_EXPIRED, 0, 0},
		{unknownKey, types.ACK_STATUS_UNKNOWN_KEY, 0, 0},
	}
	for i, change := range []func(a *types.Acknowledgement){
		func(a *types.Acknowledgement) { a.Lane = ack.MaxLanes },
		func(a *types.Acknowledgement) { a.Lane = 256 },
		func(a *types.Acknowledgement) { a.Lane = 1 << 31 },
		func(a *types.Acknowledgement) { a.KeyId = 0 },
		func(a *types.Acknowledgement) { a.Head = a.Head[:31] },
		func(a *types.Acknowledgement) { a.Head = append(a.Head, 0) },
		func(a *types.Acknowledgement) { a.Head = nil },
		func(a *types.Acknowledgement) { a.Signature = a.Signature[:63] },
		func(a *types.Acknowledgement) { a.Signature = nil },
		func(a *types.Acknowledgement) { a.Bytes = ack.MaxBytes + 1 },
		func(a *types.Acknowledgement) { a.Fuel = ack.MaxFuel + 1 },
		func(a *types.Acknowledgement) { a.Requests = ack.MaxRequests + 1 },
	} {
		a := rich.ack(now, 15, 50)
		a.ServiceId, a.Lane = 101, uint32(i) // of a service of their own, so that each has a place in the order
		change(&a)
		items = append(items, item{a, types.ACK_STATUS_OUT_OF_RANGE, 0, 0})
	}
	slices.SortFunc(items, func(a, b item) int {
		if a.ack.KeyId != b.ack.KeyId {
			return int(a.ack.KeyId) - int(b.ack.KeyId)
		}
		if a.ack.ServiceId != b.ack.ServiceId {
			return int(a.ack.ServiceId) - int(b.ack.ServiceId)
		}
		return int(int64(a.ack.Lane) - int64(b.ack.Lane))
	})
	acks := make([]types.Acknowledgement, len(items))
	for i := range items {
		acks[i] = items[i].ack
	}
	f.ctx = f.ctx.WithEventManager(sdk.NewEventManager())
	seen := map[types.AckStatus]bool{types.ACK_STATUS_TOO_MANY_LANES: true} // reached in TestSettleLanes
	var paid int64
	for i, r := range f.settle(now, acks...) {
		require.Equal(t, items[i].status, r.Status, "acknowledgement %d: %v", i, items[i].ack)
		requireResult(t, r, items[i].status, items[i].paid, items[i].total)
		seen[r.Status] = true
		paid += items[i].paid
	}
	for code, name := range types.AckStatus_name {
		if status := types.AckStatus(code); status != types.ACK_STATUS_UNSPECIFIED {
			require.True(t, seen[status], "%s is not reached", name)
		}
	}

	// One typed event carries the totals.
	events := f.ctx.EventManager().Events()
	require.Len(t, events, 1, "a settlement moves no coins and emits one event")
	parsed, err := sdk.ParseTypedEvent(sdk.Events{events[0]}.ToABCIEvents()[0])
	require.NoError(t, err)
	event := parsed.(*types.EventSettled)
	require.EqualValues(t, len(items), event.Acks)
	require.EqualValues(t, len(items), event.PaidAcks+event.PartialAcks+event.NothingDueAcks+event.RefusedAcks)
	require.Equal(t, math.NewInt(paid).String(), event.Amount)
	require.EqualValues(t, 6, event.PaidAcks)
	require.EqualValues(t, 4, event.PartialAcks)
	require.EqualValues(t, 2, event.NothingDueAcks)
	require.Equal(t, paid+500+ack.MaxLanes, f.openRevenue(now))

	// Refused ones have left no lane; neither have those that could be paid nothing.
	lanesOf := func(key uint64) []types.Lane {
		res, err := f.query.Lanes(f.ctx, &types.QueryLanesRequest{Epoch: now, WorkerId: workerID, KeyId: key})
		require.NoError(t, err)
		return res.Lanes
	}
	require.Len(t, lanesOf(rich.id), 4)
	require.Len(t, lanesOf(poor.id), 2)
	require.Len(t, lanesOf(short.id), 2)
	require.Empty(t, lanesOf(ended.id))
}

func TestSettleLanes(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	// Lanes of all services count together.
	f.putService(types.Service{Id: 4, Status: types.SERVICE_STATUS_ACTIVE})

	var first []types.Acknowledgement
	for lane := range uint8(10) {
		first = append(first, k.ack(firstEpoch, lane, 5))
	}
	for lane := range uint8(8) {
		first = append(first, k.sign(ack.Ack{Epoch: firstEpoch, ServiceID: 4, Lane: lane, Bytes: 5}))
	}
	results := f.settle(firstEpoch, first...)
	for i, r := range results[:ack.MaxLanes] {
		requireResult(t, r, types.ACK_STATUS_PAID, 5, 5)
		require.NotEmpty(t, first[i])
	}
	for _, r := range results[ack.MaxLanes:] {
		requireResult(t, r, types.ACK_STATUS_TOO_MANY_LANES, 0, 0)
	}
	// Open lanes go on, in this epoch; the next one has room for 16 new ones, and so has another worker.
	requireResult(t, f.settle(firstEpoch, k.ack(firstEpoch, 9, 8))[0], types.ACK_STATUS_PAID, 3, 8)
	f.epoch.current++
	requireResult(t, f.settle(firstEpoch+1, k.ack(firstEpoch+1, 15, 8))[0], types.ACK_STATUS_PAID, 8, 8)

	res, err := f.query.Revenue(f.ctx, &types.QueryRevenueRequest{Epoch: firstEpoch, WorkerId: workerID})
	require.NoError(t, err)
	require.Len(t, res.Records, 2, "one record for each service")
	require.Equal(t, "53", res.Records[0].Revenue.Amount.String())
	require.Equal(t, "30", res.Records[1].Revenue.Amount.String())
}

// TestSettleSkipsNothingOfBadBatch: an unverifiable acknowledgement between good ones harms none of them.
func TestSettleSkipsNothingOfBadBatch(t *testing.T) {
	f := newFixture(t)
	var keys []clientKey
	for i := range uint64(8) {
		keys = append(keys, f.client("client"+string('a'+rune(i)), i+1, 1_000))
	}
	for bad := range keys {
		acks := make([]types.Acknowledgement, len(keys))
		for i, k := range keys {
			acks[i] = k.ack(firstEpoch, uint8(bad), 10)
		}
		acks[bad].Signature = append([]byte(nil), acks[(bad+1)%len(keys)].Signature...)
		for i, r := range f.settle(firstEpoch, acks...) {
			if i == bad {
				requireResult(t, r, types.ACK_STATUS_BAD_SIGNATURE, 0, 0)
			} else {
				requireResult(t, r, types.ACK_STATUS_PAID, 10, 10)
			}
		}
	}
}

// TestSettleCumulative: what was paid on the lane is deducted; replays, reordering and lower counters pay nothing.
func TestSettleCumulative(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, 10_000)
	const e = firstEpoch
	requireResult(t, f.settle(e, k.ack(e, 0, 1_000))[0], types.ACK_STATUS_PAID, 1_000, 1_000)
	requireResult(t, f.settle(e, k.ack(e, 0, 1_000))[0], types.ACK_STATUS_NOTHING_DUE, 0, 1_000)
	requireResult(t, f.settle(e, k.ack(e, 0, 3_000))[0], types.ACK_STATUS_PAID, 2_000, 3_000)
	before := f.state()
	requireResult(t, f.settle(e, k.ack(e, 0, 2_000))[0], types.ACK_STATUS_NOTHING_DUE, 0, 3_000)
	require.Equal(t, before, f.state(), "nothing was paid, nothing is written")
	require.Equal(t, "7000", f.account(k.account).Balance.String())
	require.EqualValues(t, 3_000, f.openRevenue(e))
	require.Equal(t, "3000", f.key(k.id).SpentIn(e).String())

	res, err := f.query.Lanes(f.ctx, &types.QueryLanesRequest{Epoch: e, WorkerId: workerID, KeyId: k.id})
	require.NoError(t, err)
	require.Len(t, res.Lanes, 1)
	require.EqualValues(t, 3_000, res.Lanes[0].Bytes)
	require.EqualValues(t, 1_500, res.Lanes[0].Requests)

	// A client that contradicts itself pays the dearest of its statements; the counters stay those of one statement.
	requireResult(t, f.settle(e, k.sign(ack.Ack{Epoch: e, Fuel: 3_500}))[0], types.ACK_STATUS_PAID, 500, 3_500)
	res, err = f.query.Lanes(f.ctx, &types.QueryLanesRequest{Epoch: e, WorkerId: workerID, KeyId: k.id})
	require.NoError(t, err)
	require.EqualValues(t, 3_000, res.Lanes[0].Bytes)
	require.Zero(t, res.Lanes[0].Fuel)
	require.Equal(t, "3500", res.Lanes[0].Paid.String())
}

// TestSettleTopUp: the same acknowledgement is paid the rest after a deposit.
func TestSettleTopUp(t *testing.T) {
	f := newFixture(t)
	const e = firstEpoch
	k := f.client("client", 1, 100)
	a := k.ack(e, 0, 1_000)
	requireResult(t, f.settle(e, a)[0], types.ACK_STATUS_PARTIAL, 100, 100)
	before := f.state()
	requireResult(t, f.settle(e, a)[0], types.ACK_STATUS_PARTIAL, 0, 100)
	require.Equal(t, before, f.state(), "an empty account is not written")
	f.deposit("client", 250)
	requireResult(t, f.settle(e, a)[0], types.ACK_STATUS_PARTIAL, 250, 350)
	f.deposit("client", 10_000)
	requireResult(t, f.settle(e, a)[0], types.ACK_STATUS_PAID, 650, 1_000)
	requireResult(t, f.settle(e, a)[0], types.ACK_STATUS_NOTHING_DUE, 0, 1_000)
	res, err := f.query.Revenue(f.ctx, &types.QueryRevenueRequest{Epoch: e})
	require.NoError(t, err)
	require.Equal(t, types.Revenue{Amount: math.NewInt(1_000), Requests: 500, Bytes: 1_000}, res.Records[0].Revenue, "bytes count once")
}

// TestSettleKeyLimit: the limit is per epoch of the acknowledgement, over all lanes and workers.
func TestSettleKeyLimit(t *testing.T) {
	f := newFixture(t)
	const e = firstEpoch
	account := f.deposit("client", bigDeposit)
	k := f.addKey("client", account, 1, 100)
	requireResult(t, f.settle(e, k.ack(e, 0, 70))[0], types.ACK_STATUS_PAID, 70, 70)
	requireResult(t, f.settle(e, k.ack(e, 1, 70))[0], types.ACK_STATUS_PARTIAL, 30, 30)
	f.epoch.current++
	requireResult(t, f.settle(e, k.ack(e, 1, 70))[0], types.ACK_STATUS_PARTIAL, 0, 30)
	requireResult(t, f.settle(e+1, k.ack(e+1, 0, 99))[0], types.ACK_STATUS_PAID, 99, 99)
	require.Len(t, f.key(k.id).Spent, 2)
	f.epoch.current++
	requireResult(t, f.settle(e+2, k.ack(e+2, 0, 100))[0], types.ACK_STATUS_PAID, 100, 100)
	require.Equal(t, []types.KeySpend{{Epoch: e + 1, Amount: math.NewInt(99)}, {Epoch: e + 2, Amount: math.NewInt(100)}}, f.key(k.id).Spent)
	res, err := f.query.ClientKey(f.ctx, &types.QueryClientKeyRequest{Id: k.id})
	require.NoError(t, err)
	require.Equal(t, "0", res.Left.String())
}

// TestSettleWithdrawals: pending withdrawals are payable, newest first, and not spendable.
func TestSettleWithdrawals(t *testing.T) {
	f := newFixture(t)
	const e = firstEpoch
	k := f.client("client", 1, 1_000)
	withdraw := func(amount int64) {
		_, err := f.msg.RequestWithdrawal(f.ctx, &types.MsgRequestWithdrawal{Owner: f.address("client"), Amount: coin(amount)})
		require.NoError(t, err)
		f.check()
	}
	withdraw(300)
	f.epoch.current++
	withdraw(600)
	a, err := f.query.Account(f.ctx, &types.QueryAccountRequest{Id: k.account})
	require.NoError(t, err)
	require.Equal(t, "100", a.Spendable.String())
	require.Equal(t, "1000", a.Payable.String())

	requireResult(t, f.settle(e, k.ack(e, 0, 400))[0], types.ACK_STATUS_PAID, 400, 400)
	got := f.account(k.account)
	require.Equal(t, "0", got.Balance.String())
	require.Equal(t, []types.Withdrawal{{Epoch: e, Amount: math.NewInt(300)}, {Epoch: e + 1, Amount: math.NewInt(300)}}, got.Withdrawals)

	requireResult(t, f.settle(e, k.ack(e, 0, 900))[0], types.ACK_STATUS_PAID, 500, 900)
	require.Equal(t, []types.Withdrawal{{Epoch: e, Amount: math.NewInt(100)}}, f.account(k.account).Withdrawals)
	requireResult(t, f.settle(e, k.ack(e, 0, 1_200))[0], types.ACK_STATUS_PARTIAL, 100, 1_000)
	require.Empty(t, f.account(k.account).Withdrawals)

	// The queue still has the entries; they pay nothing and go.
	f.epoch.current = e + 3
	f.endBlock()
	require.Zero(t, f.wallet("client"))
}

// TestSettleLate: an acknowledgement of the last epoch is paid at that epoch's prices, and counts in the epoch of debit.
func TestSettleLate(t *testing.T) {
	f := newFixture(t)
	const e = firstEpoch
	k := f.client("client", 1, bigDeposit)
	f.setParams(func(p *types.Params) { p.Prices.PerGib = math.NewInt(2 << 30) })
	requireResult(t, f.settle(e, k.ack(e, 0, 100))[0], types.ACK_STATUS_PAID, 100, 100)
	f.epoch.current++
	requireResult(t, f.settle(e, k.ack(e, 0, 150))[0], types.ACK_STATUS_PAID, 50, 150)
	requireResult(t, f.settle(e+1, k.ack(e+1, 0, 150))[0], types.ACK_STATUS_PAID, 300, 300)
	require.EqualValues(t, 100, f.openRevenue(e))
	require.EqualValues(t, 350, f.openRevenue(e+1))
	require.Equal(t, "150", f.key(k.id).SpentIn(e).String(), "the key's limit is that of the epoch it acknowledged")
	require.Equal(t, "300", f.key(k.id).SpentIn(e+1).String())
	f.epoch.current++
	f.requireRefused(types.ErrDeadEpoch, func() error {
		_, err := f.msg.Settle(f.ctx, f.settleMsg(e, k.ack(e, 0, 200)))
		return err
	})
}

// TestSettleKeyEnds: what a key signed in its last epoch is paid as long as it lives, and nothing later.
func TestSettleKeyEnds(t *testing.T) {
	f := newFixture(t)
	const e = firstEpoch
	account := f.deposit("client", bigDeposit)
	private := privateKey(1)
	res, err := f.msg.AddClientKey(f.ctx, addKeyMsg(f.address("client"), account, private, limitOfKey, e))
	require.NoError(t, err)
	k := clientKey{id: res.KeyId, account: account, private: private}
	f.epoch.current++
	requireResult(t, f.settle(e, k.ack(e, 0, 20))[0], types.ACK_STATUS_PAID, 20, 20)
	requireResult(t, f.settle(e+1, k.ack(e+1, 0, 20))[0], types.ACK_STATUS_KEY_EXPIRED, 0, 0)
}

// TestSettleGas pins the formula: a + b*n, exactly, whatever the acknowledgements come to.
func TestSettleGas(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	params := types.DefaultParams()
	require.EqualValues(t, 60_000, params.SettleGasBase)
	require.EqualValues(t, 9_000, params.SettleGasPerAck)
	require.EqualValues(t, 9_060_000, params.SettleGas(1_000))
	bad := k.ack(firstEpoch, 5, 1)
	bad.Signature[3] ^= 1
	for _, acks := range [][]types.Acknowledgement{
		{k.ack(firstEpoch, 0, 10)}, // opens the lane
		{k.ack(firstEpoch, 0, 20)}, // goes on
		{k.ack(firstEpoch, 0, 20)}, // nothing due
		{bad},
		{k.ack(firstEpoch, 0, 30), k.ack(firstEpoch, 1, 30), k.ack(firstEpoch, 2, 1<<40), bad},
	} {
		want := uint64(60_000 + 9_000*len(acks))
		meter := storetypes.NewGasMeter(want)
		_, err := f.msg.Settle(f.ctx.WithGasMeter(meter), f.settleMsg(firstEpoch, acks...))
		require.NoError(t, err)
		require.Equal(t, want, meter.GasConsumed())

		meter = storetypes.NewGasMeter(want - 1)
		require.PanicsWithValue(t, storetypes.ErrorOutOfGas{Descriptor: "settlement"}, func() {
			_, _ = f.msg.Settle(f.ctx.WithGasMeter(meter), f.settleMsg(firstEpoch, acks...))
		})
	}
}

// TestSettleLargestAmounts: prices and counters at their bounds do not overflow.
func TestSettleLargestAmounts(t *testing.T) {
	f := newFixture(t)
	f.setParams(func(p *types.Params) { p.Prices = types.Prices{PerGib: types.MaxPrice, PerGfuel: types.MaxPrice} })
	k := f.client("client", 1, 1_000)
	f.epoch.current++
	e := f.epoch.current
	requireResult(t, f.settle(e, k.sign(ack.Ack{Epoch: e, Bytes: ack.MaxBytes, Fuel: ack.MaxFuel, Requests: ack.MaxRequests}))[0],
		types.ACK_STATUS_PARTIAL, 1_000, 1_000)
}

// TestSettleSharedAccount: keys of one account in one message draw on the same money.
func TestSettleSharedAccount(t *testing.T) {
	f := newFixture(t)
	account := f.deposit("client", 100)
	a, b := f.addKey("client", account, 1, limitOfKey), f.addKey("client", account, 2, limitOfKey)
	results := f.settle(firstEpoch, a.ack(firstEpoch, 0, 80), b.ack(firstEpoch, 0, 80))
	requireResult(t, results[0], types.ACK_STATUS_PAID, 80, 80)
	requireResult(t, results[1], types.ACK_STATUS_PARTIAL, 20, 20)
	require.Equal(t, "0", f.account(account).Balance.String())
}

func FuzzSettle(f *testing.F) {
	fx := newFixture(f)
	k := fx.client("client", 1, bigDeposit)
	for _, m := range []*types.MsgSettle{
		fx.settleMsg(firstEpoch, k.ack(firstEpoch, 0, 10), k.ack(firstEpoch, 1, 10)),
		fx.settleMsg(firstEpoch, types.Acknowledgement{KeyId: 1, Head: make([]byte, 32), Signature: make([]byte, ed25519.SignatureSize)}),
	} {
		bz, err := m.Marshal()
		require.NoError(f, err)
		f.Add(bz)
	}
	ctx := fx.ctx
	f.Fuzz(func(t *testing.T, bz []byte) {
		var m types.MsgSettle
		if m.Unmarshal(bz) != nil {
			return
		}
		_ = m.ValidateBasic()
		m.Account, m.WorkerId, m.Epoch = fx.worker, workerID, firstEpoch
		fx.t = t
		fx.ctx, _ = ctx.CacheContext()
		res, err := fx.msg.Settle(fx.ctx, &m)
		if err != nil {
			require.True(t, errorsmod.IsOf(err, types.ErrInvalidSettlement, types.ErrOrder, types.ErrTooManyAcks, types.ErrSettlementTooLarge,
				types.ErrTooManyServices), err)
			return
		}
		require.Len(t, res.Results, len(m.Acks))
		fx.check()
	})
}
