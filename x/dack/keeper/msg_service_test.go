package keeper_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/dack/types"
)

// serviceDeposit is what a service costs in these tests.
const serviceDeposit = types.DefaultServiceDeposit

func publishMsg(owner string) *types.MsgPublishService {
	return &types.MsgPublishService{Owner: owner, Name: "function", CodeHash: codeHash(1), Replicas: 3}
}

func updateMsg(owner string, id uint64, status types.ServiceStatus) *types.MsgUpdateService {
	return &types.MsgUpdateService{Owner: owner, ServiceId: id, Name: "new name", CodeHash: codeHash(2), Replicas: 5, Status: status}
}

// publish funds a named account and publishes a service of it.
func (f *fixture) publish(name string) uint64 {
	f.t.Helper()
	f.fund(name, serviceDeposit)
	res, err := f.msg.PublishService(f.ctx, publishMsg(f.address(name)))
	require.NoError(f.t, err)
	f.check()
	return res.ServiceId
}

// transfer gives a service from one named account to another.
func (f *fixture) transfer(from string, id uint64, to string) {
	f.t.Helper()
	res, err := f.msg.TransferService(f.ctx, &types.MsgTransferService{Owner: f.address(from), ServiceId: id, NewOwner: f.address(to)})
	require.NoError(f.t, err)
	require.Equal(f.t, f.epoch.current+1, res.Epoch)
	f.check()
}

// remove removes a service of a named account.
func (f *fixture) remove(owner string, id uint64) {
	f.t.Helper()
	res, err := f.msg.RemoveService(f.ctx, &types.MsgRemoveService{Owner: f.address(owner), ServiceId: id})
	require.NoError(f.t, err)
	require.Equal(f.t, f.epoch.current+1, res.Epoch)
	f.check()
}

// pruned opens epochs until what is removed in the current one can be pruned, and ends a block.
func (f *fixture) pruned() {
	f.t.Helper()
	f.epoch.current += 2
	f.endBlock()
}

func (f *fixture) service(id uint64) types.Service {
	f.t.Helper()
	s, err := f.keeper.Service(f.ctx, id)
	require.NoError(f.t, err)
	return s
}

// ownedBy returns the ids of the services of a named account.
func (f *fixture) ownedBy(name string) []uint64 {
	f.t.Helper()
	res, err := f.query.ServicesByOwner(f.ctx, &types.QueryServicesByOwnerRequest{Owner: f.address(name)})
	require.NoError(f.t, err)
	var ids []uint64
	for _, s := range res.Services {
		ids = append(ids, s.Id)
	}
	return ids
}

func (f *fixture) serviceDeposits() int64 {
	f.t.Helper()
	totals, err := f.keeper.Totals(f.ctx)
	require.NoError(f.t, err)
	return totals.ServiceDeposits.Int64()
}

// settleFor settles bytes with a service in an epoch, which must give a status.
func (f *fixture) settleFor(k clientKey, epoch, service, bytes uint64, status types.AckStatus) {
	f.t.Helper()
	require.Equal(f.t, status.String(), f.settle(epoch, k.sign(ack.Ack{Epoch: epoch, ServiceID: service, Bytes: bytes}))[0].Status.String())
}

// requireEvent requires a message to emit one event of the type of want, which is equal to it.
func (f *fixture) requireEvent(deliver func() error, want sdk.Event) {
	f.t.Helper()
	ctx := f.ctx
	defer func() { f.ctx = ctx }()
	f.ctx = ctx.WithEventManager(sdk.NewEventManager())
	require.NoError(f.t, deliver())
	var own []sdk.Event
	for _, e := range f.ctx.EventManager().Events() {
		if e.Type == want.Type {
			own = append(own, e)
		}
	}
	require.Equal(f.t, []sdk.Event{want}, own)
}

func typedEvent(t *testing.T, e interface {
	Reset()
	String() string
	ProtoMessage()
},
) sdk.Event {
	t.Helper()
	event, err := sdk.TypedEventToEvent(e)
	require.NoError(t, err)
	return event
}

func TestPublishService(t *testing.T) {
	f := newFixture(t)
	module, err := f.addresses.BytesToString(authtypes.NewModuleAddress(types.ModuleName))
	require.NoError(t, err)
	f.fund("poor", serviceDeposit-1)
	f.fund("owner", serviceDeposit)
	for name, c := range map[string]struct {
		change func(m *types.MsgPublishService)
		want   error
	}{
		"owner is no address": {func(m *types.MsgPublishService) { m.Owner = "owner" }, sdkerrors.ErrInvalidAddress},
		"no owner":            {func(m *types.MsgPublishService) { m.Owner = "" }, sdkerrors.ErrInvalidAddress},
		"blocked owner":       {func(m *types.MsgPublishService) { m.Owner = module }, types.ErrInvalidOwner},
		"too little":          {func(m *types.MsgPublishService) { m.Owner = f.address("poor") }, sdkerrors.ErrInsufficientFunds},
		"no name":             {func(m *types.MsgPublishService) { m.Name = "" }, types.ErrInvalidServiceName},
		"bad name":            {func(m *types.MsgPublishService) { m.Name = "a\u202eb" }, types.ErrInvalidServiceName},
		"no code":             {func(m *types.MsgPublishService) { m.CodeHash = nil }, types.ErrInvalidCodeHash},
		"code of zeros":       {func(m *types.MsgPublishService) { m.CodeHash = codeHash(0) }, types.ErrInvalidCodeHash},
		"short code":          {func(m *types.MsgPublishService) { m.CodeHash = codeHash(1)[1:] }, types.ErrInvalidCodeHash},
		"no replicas":         {func(m *types.MsgPublishService) { m.Replicas = 0 }, types.ErrInvalidReplicas},
		"too many replicas":   {func(m *types.MsgPublishService) { m.Replicas = types.MaxReplicas + 1 }, types.ErrInvalidReplicas},
	} {
		t.Run(name, func(t *testing.T) {
			m := publishMsg(f.address("owner"))
			c.change(m)
			f.requireRefused(c.want, func() error {
				_, err := f.msg.PublishService(f.ctx, m)
				return err
			})
		})
	}

	m := publishMsg(f.address("owner"))
	m.Replicas = types.MaxReplicas
	f.requireEvent(func() error {
		res, err := f.msg.PublishService(f.ctx, m)
		require.NoError(t, err)
		require.EqualValues(t, 1, res.ServiceId, "ids count from 1: 0 is the content service")
		return err
	}, typedEvent(t, &types.EventServicePublished{
		ServiceId: 1, Owner: m.Owner, Name: m.Name, CodeHash: m.CodeHash, Deposit: coin(serviceDeposit).String(),
	}))
	f.check()
	require.Equal(t, types.Service{
		Id: 1, Owner: m.Owner, Name: "function", Kind: types.SERVICE_KIND_FUNCTION, CodeHash: codeHash(1), Replicas: types.MaxReplicas,
		Status: types.SERVICE_STATUS_ACTIVE, Deposit: math.NewInt(serviceDeposit),
	}, f.service(1))
	require.Zero(t, f.wallet("owner"))
	require.EqualValues(t, serviceDeposit, f.moduleBalance(types.ModuleName))
	require.EqualValues(t, serviceDeposit, f.serviceDeposits())
	require.Equal(t, []uint64{1}, f.ownedBy("owner"))

	// It counts at once: in the epoch of its publication, and late for the epoch before.
	k := f.client("client", 1, 1_000)
	f.settleFor(k, firstEpoch, 1, 10, types.ACK_STATUS_PAID)
	f.settleFor(k, firstEpoch-1, 1, 10, types.ACK_STATUS_PAID)
}

// TestServiceKeepsItsDeposit: a service gets back what was paid for it, whatever the parameter has become.
func TestServiceKeepsItsDeposit(t *testing.T) {
	f := newFixture(t)
	first := f.publish("first")
	f.setParams(func(p *types.Params) { p.ServiceDeposit = math.NewInt(7) })
	f.fund("second", 7)
	res, err := f.msg.PublishService(f.ctx, publishMsg(f.address("second")))
	require.NoError(t, err)
	f.check()
	require.EqualValues(t, serviceDeposit+7, f.serviceDeposits())
	f.setParams(func(p *types.Params) { p.ServiceDeposit = types.MaxServiceDeposit })
	f.remove("first", first)
	f.remove("second", res.ServiceId)
	f.pruned()
	require.EqualValues(t, serviceDeposit, f.wallet("first"))
	require.EqualValues(t, 7, f.wallet("second"))
	require.Zero(t, f.serviceDeposits())
	require.Zero(t, f.moduleBalance(types.ModuleName))
}

// TestServiceIDsAreNeverReused: not even when the record of a removed one is gone.
func TestServiceIDsAreNeverReused(t *testing.T) {
	f := newFixture(t)
	require.EqualValues(t, 1, f.publish("a"))
	f.remove("a", 1)
	f.epoch.current += 2
	f.endBlock()
	_, err := f.keeper.Service(f.ctx, 1)
	require.ErrorIs(t, err, types.ErrServiceNotFound)
	require.EqualValues(t, 2, f.publish("a"))
}

// TestServiceChangesAreRefused: what the three messages that change a service refuse alike, and what each refuses itself.
func TestServiceChangesAreRefused(t *testing.T) {
	f := newFixture(t)
	id := f.publish("owner")
	sold := f.publish("seller")
	f.transfer("seller", sold, "buyer")
	removed := f.publish("owner")
	f.remove("owner", removed)
	module, err := f.addresses.BytesToString(authtypes.NewModuleAddress(types.ModuleName))
	require.NoError(t, err)
	owner := f.address("owner")

	for name, deliver := range map[string]func(owner string, id uint64) error{
		"update": func(owner string, id uint64) error {
			_, err := f.msg.UpdateService(f.ctx, updateMsg(owner, id, types.SERVICE_STATUS_PAUSED))
			return err
		},
		"transfer": func(owner string, id uint64) error {
			_, err := f.msg.TransferService(f.ctx, &types.MsgTransferService{Owner: owner, ServiceId: id, NewOwner: f.address("heir")})
			return err
		},
		"remove": func(owner string, id uint64) error {
			_, err := f.msg.RemoveService(f.ctx, &types.MsgRemoveService{Owner: owner, ServiceId: id})
			return err
		},
	} {
		for cause, c := range map[string]struct {
			owner string
			id    uint64
			want  error
		}{
			"no address":      {"owner", id, sdkerrors.ErrInvalidAddress},
			"stranger":        {f.address("stranger"), id, types.ErrWrongOwner},
			"governance":      {f.authority, id, types.ErrWrongOwner},
			"seller":          {f.address("seller"), sold, types.ErrWrongOwner},
			"no such service": {owner, 99, types.ErrServiceNotFound},
			"content":         {owner, types.ContentServiceID, types.ErrProtocolService},
			"content by gov":  {f.authority, types.ContentServiceID, types.ErrProtocolService},
			"removed":         {owner, removed, types.ErrServiceRemoved},
			"removed, other":  {f.address("stranger"), removed, types.ErrWrongOwner},
		} {
			t.Run(name+": "+cause, func(t *testing.T) {
				f.requireRefused(c.want, func() error { return deliver(c.owner, c.id) })
			})
		}
	}

	for name, c := range map[string]struct {
		change func(m *types.MsgUpdateService)
		want   error
	}{
		"bad name":           {func(m *types.MsgUpdateService) { m.Name = " a" }, types.ErrInvalidServiceName},
		"no code":            {func(m *types.MsgUpdateService) { m.CodeHash = nil }, types.ErrInvalidCodeHash},
		"code of zeros":      {func(m *types.MsgUpdateService) { m.CodeHash = codeHash(0) }, types.ErrInvalidCodeHash},
		"no replicas":        {func(m *types.MsgUpdateService) { m.Replicas = 0 }, types.ErrInvalidReplicas},
		"too many replicas":  {func(m *types.MsgUpdateService) { m.Replicas = types.MaxReplicas + 1 }, types.ErrInvalidReplicas},
		"no status":          {func(m *types.MsgUpdateService) { m.Status = 0 }, types.ErrInvalidServiceStatus},
		"removed by update":  {func(m *types.MsgUpdateService) { m.Status = types.SERVICE_STATUS_REMOVED }, types.ErrInvalidServiceStatus},
		"status from beyond": {func(m *types.MsgUpdateService) { m.Status = 4 }, types.ErrInvalidServiceStatus},
	} {
		t.Run("update: "+name, func(t *testing.T) {
			m := updateMsg(owner, id, types.SERVICE_STATUS_ACTIVE)
			c.change(m)
			f.requireRefused(c.want, func() error {
				_, err := f.msg.UpdateService(f.ctx, m)
				return err
			})
		})
	}
	for name, c := range map[string]struct {
		heir string
		want error
	}{
		"no address":     {"heir", sdkerrors.ErrInvalidAddress},
		"nobody":         {"", sdkerrors.ErrInvalidAddress},
		"blocked":        {module, types.ErrInvalidOwner},
		"to the owner":   {owner, types.ErrInvalidOwner},
		"to another net": {"cosmos1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqnrql8a", sdkerrors.ErrInvalidAddress},
	} {
		t.Run("transfer: "+name, func(t *testing.T) {
			f.requireRefused(c.want, func() error {
				_, err := f.msg.TransferService(f.ctx, &types.MsgTransferService{Owner: owner, ServiceId: id, NewOwner: c.heir})
				return err
			})
		})
	}
}

// TestUpdateService: the name changes at once, all else from the next epoch on, and changes of an epoch add up.
func TestUpdateService(t *testing.T) {
	f := newFixture(t)
	id := f.publish("owner")
	const e = firstEpoch
	published := f.service(id)
	f.requireEvent(func() error {
		res, err := f.msg.UpdateService(f.ctx, updateMsg(f.address("owner"), id, types.SERVICE_STATUS_PAUSED))
		require.NoError(t, err)
		require.Equal(t, e+1, res.Epoch)
		return err
	}, typedEvent(t, &types.EventServiceUpdated{
		ServiceId: id, Epoch: e + 1, Owner: f.address("owner"), CodeHash: codeHash(2), Replicas: 5, Status: "SERVICE_STATUS_PAUSED",
	}))
	f.check()
	now, next := f.service(id).At(e), f.service(id).At(e+1)
	published.Name = "new name"
	require.Equal(t, published, now)
	published.CodeHash, published.Replicas, published.Status = codeHash(2), 5, types.SERVICE_STATUS_PAUSED
	require.Equal(t, published, next)

	// A second change in the epoch merges into the first; one in the next epoch begins where that has led.
	f.transfer("owner", id, "heir")
	merged := f.service(id).At(e + 1)
	require.Equal(t, f.address("heir"), merged.Owner)
	require.Equal(t, codeHash(2), merged.CodeHash)
	require.Equal(t, types.SERVICE_STATUS_PAUSED, merged.Status)
	f.epoch.current++
	_, err := f.msg.UpdateService(f.ctx, updateMsg(f.address("heir"), id, types.SERVICE_STATUS_ACTIVE))
	require.NoError(t, err)
	f.check()
	stored := f.service(id)
	require.Equal(t, merged, stored.At(e+1), "the change that has come is what the service is")
	require.Equal(t, f.address("heir"), stored.Owner)
	require.Equal(t, e+2, stored.Next.Epoch)
	require.Equal(t, types.SERVICE_STATUS_ACTIVE, stored.At(e+2).Status)

	// The query answers with what it is now, and with the change only while that is to come.
	f.epoch.current++
	res, err := f.query.Service(f.ctx, &types.QueryServiceRequest{Id: id})
	require.NoError(t, err)
	require.Equal(t, stored.At(e+2), res.Service)
	exportedAgain(t, f)
}

// TestTransferredService: what is debited up to the epoch of the transfer is the old owner's, whenever it is paid, and
// what comes later is the new owner's, also for what was delivered before. Of several transfers in an epoch the last counts.
func TestTransferredService(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	id := f.publish("old")
	const e = firstEpoch
	f.settleFor(k, e, id, 100, types.ACK_STATUS_PAID)
	f.transfer("old", id, "middle")
	require.Empty(t, f.ownedBy("old"))
	f.requireRefused(types.ErrWrongOwner, func() error {
		_, err := f.msg.RemoveService(f.ctx, &types.MsgRemoveService{Owner: f.address("old"), ServiceId: id})
		return err
	})
	f.transfer("middle", id, "new") // the new owner can act at once
	require.Empty(t, f.ownedBy("middle"))
	require.Equal(t, []uint64{id}, f.ownedBy("new"))
	f.settleFor(k, e, id, 130, types.ACK_STATUS_PAID) // after the transfers, in their epoch
	exportedAgain(t, f)

	f.epoch.current++
	f.settleFor(k, e, id, 175, types.ACK_STATUS_PAID) // delivered before, debited now
	f.settleFor(k, e+1, id, 20, types.ACK_STATUS_PAID)
	f.transfer("new", id, "last") // before the epoch of the old owner is summed
	f.settleFor(k, e+1, id, 25, types.ACK_STATUS_PAID)
	exportedAgain(t, f)

	f.epoch.current += 3 // the closing comes late
	for _, want := range []struct {
		epoch  uint64
		owner  string
		amount int64
	}{{e, "old", 130}, {e + 1, "new", 70}} {
		_, done, err := f.keeper.Close(f.ctx, want.epoch, 100)
		require.NoError(t, err)
		require.True(t, done)
		services, err := f.keeper.ServiceTotals(f.ctx, want.epoch, 0, 10)
		require.NoError(t, err)
		require.Len(t, services, 1)
		require.Equal(t, id, services[0].ServiceId)
		require.Equal(t, f.address(want.owner), services[0].Owner)
		require.Equal(t, want.amount, services[0].Revenue.Amount.Int64())
		require.Equal(t, "0", services[0].ProtocolAmount.String())
		workers, err := f.keeper.WorkerTotals(f.ctx, want.epoch, 0, 10)
		require.NoError(t, err)
		require.Equal(t, want.amount, workers[0].Revenue.Amount.Int64())
		require.Equal(t, "0", workers[0].ProtocolAmount.String())
		f.check()
	}
	exportedAgain(t, f)
	f.remove("last", id)
	f.pruned()
	require.EqualValues(t, serviceDeposit, f.wallet("last"), "the deposit goes with the service")
}

// TestTransferBack: a transfer that is taken back in its epoch leaves nothing to come.
func TestTransferBack(t *testing.T) {
	f := newFixture(t)
	id := f.publish("a")
	before := f.service(id)
	f.transfer("a", id, "b")
	f.transfer("b", id, "a")
	require.Equal(t, before, f.service(id))
	require.Equal(t, []uint64{id}, f.ownedBy("a"))
	require.Empty(t, f.ownedBy("b"))
}

// TestRemovedService: what was delivered up to the epoch of the removal is settled as long as it lives, nothing later, and
// then the record is pruned and the deposit goes back.
func TestRemovedService(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	id := f.publish("owner")
	const e = firstEpoch
	f.settleFor(k, e-1, id, 10, types.ACK_STATUS_PAID)
	f.requireEvent(func() error {
		_, err := f.msg.RemoveService(f.ctx, &types.MsgRemoveService{Owner: f.address("owner"), ServiceId: id})
		return err
	}, typedEvent(t, &types.EventServiceRemoved{ServiceId: id, Epoch: e + 1, Deposit: coin(serviceDeposit).String()}))
	f.check()
	kept := func() {
		t.Helper()
		require.Zero(t, f.wallet("owner"), "the deposit stays as long as the record")
		require.EqualValues(t, serviceDeposit, f.serviceDeposits())
		require.EqualValues(t, serviceDeposit, f.service(id).Deposit.Int64())
	}
	kept()
	require.Equal(t, types.SERVICE_STATUS_ACTIVE, f.service(id).At(e).Status)
	require.Equal(t, types.SERVICE_STATUS_REMOVED, f.service(id).At(e+1).Status)
	require.Equal(t, []uint64{id}, f.ownedBy("owner"), "as long as it is there")

	// Both live epochs, in the epoch of the removal and in the one after.
	f.settleFor(k, e-1, id, 20, types.ACK_STATUS_PAID)
	f.settleFor(k, e, id, 30, types.ACK_STATUS_PAID)
	f.endBlock()
	exportedAgain(t, f)
	f.epoch.current++
	f.endBlock()
	f.settleFor(k, e, id, 40, types.ACK_STATUS_PAID)
	f.settleFor(k, e+1, id, 50, types.ACK_STATUS_SERVICE_REMOVED)
	require.EqualValues(t, 10, f.openRevenue(e+1))
	f.requireRefused(types.ErrServiceRemoved, func() error {
		_, err := f.msg.UpdateService(f.ctx, updateMsg(f.address("owner"), id, types.SERVICE_STATUS_ACTIVE))
		return err
	})
	exportedAgain(t, f)
	kept()

	f.epoch.current++
	f.settleFor(k, e+1, id, 50, types.ACK_STATUS_SERVICE_REMOVED)
	f.settleFor(k, e+2, id, 50, types.ACK_STATUS_SERVICE_REMOVED)
	kept()
	f.requireEvent(func() error {
		defer f.nextBlock()
		return f.keeper.EndBlock(f.ctx)
	}, typedEvent(t, &types.EventServiceDepositReturned{
		ServiceId: id, Owner: f.address("owner"), Amount: coin(serviceDeposit).String(),
	}))
	f.check()
	require.EqualValues(t, serviceDeposit, f.wallet("owner"))
	require.Zero(t, f.serviceDeposits())
	_, err := f.keeper.Service(f.ctx, id)
	require.ErrorIs(t, err, types.ErrServiceNotFound)
	require.Empty(t, f.ownedBy("owner"))
	f.settleFor(k, e+1, id, 50, types.ACK_STATUS_UNKNOWN_SERVICE)

	// What it earned is summed and paid though it is gone.
	for epoch, want := range map[uint64]int64{e: 50, e + 1: 10} {
		_, done, err := f.keeper.Close(f.ctx, epoch, 100)
		require.NoError(t, err)
		require.True(t, done)
		totals, err := f.keeper.ServiceTotals(f.ctx, epoch, 0, 10)
		require.NoError(t, err)
		require.Len(t, totals, 1)
		require.Equal(t, f.address("owner"), totals[0].Owner)
		require.Equal(t, want, totals[0].Revenue.Amount.Int64())
	}
	exportedAgain(t, f)
}

// TestRemovalOfTheBuyer: who has bought a service can remove it in the epoch of the transfer, and gets the deposit; what is
// debited in that epoch stays the seller's.
func TestRemovalOfTheBuyer(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	id := f.publish("seller")
	const e = firstEpoch
	f.transfer("seller", id, "buyer")
	f.remove("buyer", id)
	f.settleFor(k, e, id, 10, types.ACK_STATUS_PAID)
	f.epoch.current++
	f.settleFor(k, e, id, 30, types.ACK_STATUS_PAID)
	res, err := f.query.Revenue(f.ctx, &types.QueryRevenueRequest{Epoch: e})
	require.NoError(t, err)
	require.Equal(t, f.address("seller"), res.Records[0].Owner)
	res, err = f.query.Revenue(f.ctx, &types.QueryRevenueRequest{Epoch: e + 1})
	require.NoError(t, err)
	require.Equal(t, f.address("buyer"), res.Records[0].Owner)
	exportedAgain(t, f)
	f.epoch.current++
	f.endBlock()
	require.EqualValues(t, serviceDeposit, f.wallet("buyer"))
	require.Zero(t, f.wallet("seller"))
}

// TestPausedServiceIsSettled: a pause asks workers not to serve. What clients have acknowledged all the same is paid.
func TestPausedServiceIsSettled(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	id := f.publish("owner")
	_, err := f.msg.UpdateService(f.ctx, updateMsg(f.address("owner"), id, types.SERVICE_STATUS_PAUSED))
	require.NoError(t, err)
	f.epoch.current++
	require.Equal(t, types.SERVICE_STATUS_PAUSED, f.service(id).At(f.epoch.current).Status)
	f.settleFor(k, firstEpoch, id, 10, types.ACK_STATUS_PAID)
	f.settleFor(k, firstEpoch+1, id, 10, types.ACK_STATUS_PAID)
	exportedAgain(t, f)
}

// TestFunctionFuel: a function is billed for bytes and fuel, each rounded down, at the prices of the acknowledgement's epoch.
func TestFunctionFuel(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	id := f.publish("owner")
	const e = firstEpoch
	f.setParams(func(p *types.Params) {
		p.Prices = types.Prices{PerGib: math.NewInt(3 << 30), PerGfuel: math.NewInt(2_500_000_000)}
	})
	pay := func(epoch uint64, bytes, fuel uint64, paid, total int64) {
		t.Helper()
		a := k.sign(ack.Ack{Epoch: epoch, ServiceID: id, Bytes: bytes, Fuel: fuel, Requests: 1})
		requireResult(t, f.settle(epoch, a)[0], types.ACK_STATUS_PAID, paid, total)
	}
	pay(e, 10, 7, 17, 17)
	f.epoch.current++
	pay(e, 10, 9, 2, 19)       // late, at the old prices
	pay(e+1, 10, 7, 47, 47)    // 30 + floor(17.5)
	pay(e+1, 10, 8, 3, 50)     // 30 + 20
	pay(e+1, 0, 100, 200, 250) // lower bytes than before: only what is above the paid total counts
	res, err := f.query.Revenue(f.ctx, &types.QueryRevenueRequest{Epoch: e + 1})
	require.NoError(t, err)
	require.Len(t, res.Records, 1)
	require.Equal(t, "252", res.Records[0].Revenue.Amount.String())
	require.Equal(t, f.address("owner"), res.Records[0].Owner)
}

// corruptRecord makes the revenue record of a worker and a service unreadable and returns how to mend it.
func (f *fixture) corruptRecord(epoch, worker, service uint64) (mend func()) {
	f.t.Helper()
	raw, err := collections.EncodeKeyWithPrefix(types.RevenuePrefix.Bytes(),
		collections.TripleKeyCodec(collections.Uint64Key, collections.Uint64Key, collections.Uint64Key), collections.Join3(epoch, worker, service))
	require.NoError(f.t, err)
	store := f.ctx.KVStore(f.storeKeys[types.StoreKey])
	good := store.Get(raw)
	require.NotEmpty(f.t, good)
	store.Set(raw, []byte{0xff})
	return func() { store.Set(raw, good) }
}

// TestRetryAfterTransfer: a record that was set aside counts in the epoch of the retry, and so does who owns the service then.
// When the service is gone the record says who owned it.
func TestRetryAfterTransfer(t *testing.T) {
	for _, removed := range []bool{false, true} {
		f := newFixture(t)
		k := f.client("client", 1, bigDeposit)
		id := f.publish("old")
		const e = firstEpoch
		f.settleFor(k, e, id, 100, types.ACK_STATUS_PAID)
		mend := f.corruptRecord(e, workerID, id)
		f.epoch.current++
		_, done, err := f.keeper.Close(f.ctx, e, 10)
		require.NoError(t, err)
		require.True(t, done)
		require.Len(t, f.epoch.aside, 1)
		mend()
		f.check()
		exportedAgain(t, f)

		owner := "new"
		if removed {
			f.remove("old", id)
			f.epoch.current += 2
			f.endBlock()
			owner = "old"
		} else {
			f.transfer("old", id, "new")
			f.epoch.current++
			f.settleFor(k, e+1, id, 5, types.ACK_STATUS_PAID) // of the new owner, with the same record
		}
		require.NoError(t, f.keeper.RetryItem(f.ctx, e, types.SumItemKey(workerID, id)))
		f.check()
		exportedAgain(t, f)
		now := f.epoch.current
		f.epoch.current++
		_, done, err = f.keeper.Close(f.ctx, now, 10)
		require.NoError(t, err)
		require.True(t, done)
		totals, err := f.keeper.ServiceTotals(f.ctx, now, 0, 10)
		require.NoError(t, err)
		require.Len(t, totals, 1)
		require.Equal(t, f.address(owner), totals[0].Owner)
		want := int64(105)
		if removed {
			want = 100
		}
		require.Equal(t, want, totals[0].Revenue.Amount.Int64())
		require.Len(t, f.epoch.aside, 1, "nothing more is set aside")
	}
}

// refusingBank refuses to send anything out of the module.
type refusingBank struct{ types.BankKeeper }

var errRefused = errors.New("refused")

func (refusingBank) SendCoinsFromModuleToAccount(context.Context, string, sdk.AccAddress, sdk.Coins) error {
	return errRefused
}

// TestBankRefusesTheDeposit: a removed service whose deposit cannot be returned stays as it is, in the books too, does not hold
// up others, and is tried again once in each epoch.
func TestBankRefusesTheDeposit(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	id := f.publish("owner")
	const e = firstEpoch
	f.remove("owner", id)
	f.epoch.current = e + 2
	refusing := f.newKeeper(refusingBank{f.bank})
	for epoch := e + 2; epoch < e+5; epoch++ {
		f.epoch.current = epoch
		before := f.service(id)
		f.requireEvent(func() error {
			defer f.nextBlock()
			return refusing.EndBlock(f.ctx)
		}, typedEvent(t, &types.EventServiceDepositDeferred{ServiceId: id, RetriedFrom: epoch + 1, Cause: errRefused.Error()}))
		f.check()
		require.Equal(t, before, f.service(id))
		require.Zero(t, f.wallet("owner"))
		require.EqualValues(t, serviceDeposit, f.serviceDeposits())
		f.settleFor(k, epoch, id, 10, types.ACK_STATUS_SERVICE_REMOVED)
		f.endBlock() // with a bank that would pay
		require.Zero(t, f.wallet("owner"), "once in an epoch")

		// A chain that begins from here tries at once.
		ctx := f.ctx
		f.ctx, _ = ctx.CacheContext()
		exportedAgain(t, f)
		require.NoError(t, f.keeper.EndBlock(f.ctx))
		f.check()
		require.EqualValues(t, serviceDeposit, f.wallet("owner"))
		f.ctx = ctx
		f.nextBlock()
	}
	f.epoch.current++
	f.endBlock()
	require.EqualValues(t, serviceDeposit, f.wallet("owner"))
	require.Zero(t, f.serviceDeposits())
	_, err := f.keeper.Service(f.ctx, id)
	require.ErrorIs(t, err, types.ErrServiceNotFound)
	require.Empty(t, f.ownedBy("owner"))
	f.epoch.current++
	f.endBlock()
	require.EqualValues(t, serviceDeposit, f.wallet("owner"), "once")
}

// TestPruneServicesIsBounded: removed services go in blocks of the cap, oldest first, and their deposits with them.
func TestPruneServicesIsBounded(t *testing.T) {
	f := newFixture(t)
	f.setParams(func(p *types.Params) { p.PrunePerBlock = types.MinPrunePerBlock })
	const n, perBlock = 80, int(types.MinPrunePerBlock) / 7
	kept := f.publish("keeper")
	var ids []uint64
	for range n {
		ids = append(ids, f.publish("owner"))
	}
	for _, id := range ids {
		f.remove("owner", id)
	}
	f.endBlock()
	f.epoch.current++
	f.endBlock()
	require.Equal(t, ids, f.ownedByAll("owner"), "their last acknowledgements live")
	f.epoch.current++
	for left := n; left > 0; left = max(left-perBlock, 0) {
		require.Equal(t, ids[n-left:], f.ownedByAll("owner"))
		require.EqualValues(t, (n-left)*serviceDeposit, f.wallet("owner"))
		f.endBlock()
		exportedAgain(t, f)
	}
	require.Empty(t, f.ownedBy("owner"))
	require.Equal(t, []uint64{kept}, f.ownedBy("keeper"))
}

// ownedByAll is ownedBy over all pages.
func (f *fixture) ownedByAll(name string) []uint64 {
	f.t.Helper()
	res, err := f.query.Services(f.ctx, &types.QueryServicesRequest{})
	require.NoError(f.t, err)
	var ids []uint64
	for _, s := range res.Services {
		if s.Newest().Owner == f.address(name) {
			ids = append(ids, s.Id)
		}
	}
	return ids
}

// TestAnyLifeOfServices: whatever owners, strangers and clients do in whatever order, each owner is owed exactly what was debited
// in the epochs in which the service was his, deposits come back once, and the invariants hold.
func TestAnyLifeOfServices(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(rt)
		k := f.client("client", 1, bigDeposit)
		people := []string{"a", "b", "c"}
		type life struct {
			now, next string // owner in the current epoch and from the next one on
			removed   uint64
			bytes     map[uint64]uint64 // acknowledged by epoch
		}
		lives := map[uint64]*life{}
		owed := map[string]int64{}     // by address and epoch
		returned := map[string]int64{} // deposits
		var ids []uint64
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			e := f.epoch.current
			person := rapid.SampledFrom(people).Draw(rt, "person")
			var id uint64
			if len(ids) > 0 {
				id = rapid.SampledFrom(ids).Draw(rt, "service")
			}
			l := lives[id]
			allowed := l != nil && l.next == person && l.removed == 0
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				id = f.publish(person)
				require.Nil(rt, lives[id])
				lives[id] = &life{now: person, next: person, bytes: map[uint64]uint64{}}
				ids = append(ids, id)
			case 1:
				heir := rapid.SampledFrom(people).Draw(rt, "heir")
				msg := &types.MsgTransferService{Owner: f.address(person), ServiceId: id, NewOwner: f.address(heir)}
				_, err := f.msg.TransferService(f.ctx, msg)
				require.Equal(rt, allowed && heir != person, err == nil, "%v", err)
				if err == nil {
					l.next = heir
				}
			case 2:
				_, err := f.msg.UpdateService(f.ctx, updateMsg(f.address(person), id, types.SERVICE_STATUS_PAUSED))
				require.Equal(rt, allowed, err == nil, "%v", err)
			case 3:
				_, err := f.msg.RemoveService(f.ctx, &types.MsgRemoveService{Owner: f.address(person), ServiceId: id})
				require.Equal(rt, allowed, err == nil, "%v", err)
				if err == nil {
					l.removed = e + 1
				}
			case 4:
				if l == nil {
					continue
				}
				epoch := e - rapid.Uint64Range(0, 1).Draw(rt, "late")
				want := types.ACK_STATUS_PAID
				switch {
				case l.removed == 0 || epoch < l.removed:
				case e > l.removed:
					want = types.ACK_STATUS_UNKNOWN_SERVICE // pruned below
				default:
					want = types.ACK_STATUS_SERVICE_REMOVED
				}
				more := rapid.Uint64Range(1, 50).Draw(rt, "bytes")
				f.settleFor(k, epoch, id, l.bytes[epoch]+more, want)
				if want == types.ACK_STATUS_PAID {
					l.bytes[epoch] += more
					owed[f.address(l.now)] += int64(more)
				}
			case 5:
				f.epoch.current++
				f.endBlock()
				for _, l := range lives {
					l.now = l.next
					if l.removed != 0 && l.removed+1 == e+1 {
						returned[l.next] += serviceDeposit
					}
				}
				if rapid.Bool().Draw(rt, "closes") {
					_, _, err := f.keeper.Close(f.ctx, e, 100)
					require.NoError(rt, err)
				}
			}
			f.check()
			for _, person := range people {
				require.Equal(rt, returned[person], f.wallet(person))
			}
		}
		// Each owner is owed what was debited while the service was his.
		exported, err := f.keeper.ExportGenesis(f.ctx)
		require.NoError(rt, err)
		require.NoError(rt, exported.Validate())
		got := map[string]int64{}
		for _, r := range slices.Concat(exported.Revenue, exported.ServiceTotals) {
			got[r.Owner] += r.Revenue.Amount.Int64()
		}
		require.Equal(rt, owed, got)
		require.Empty(rt, f.epoch.aside)
	})
}

// TestPruneSkipsWhatItCannotRead: a removed service whose record is broken waits for the next epoch, and the next one goes.
func TestPruneSkipsWhatItCannotRead(t *testing.T) {
	f := newFixture(t)
	broken, good := f.publish("a"), f.publish("b")
	f.remove("a", broken)
	f.remove("b", good)
	f.epoch.current += 2
	key, err := collections.EncodeKeyWithPrefix(types.ServicesPrefix.Bytes(), collections.Uint64Key, broken)
	require.NoError(t, err)
	store := f.ctx.KVStore(f.storeKeys[types.StoreKey])
	record := store.Get(key)
	store.Set(key, []byte{0xff})
	for range 3 {
		f.ctx = f.ctx.WithEventManager(sdk.NewEventManager())
		require.NoError(t, f.keeper.EndBlock(f.ctx))
		require.Equal(t, 1, countEvents(f.ctx, &types.EventServiceDepositDeferred{}))
		f.nextBlock()
		f.ctx = f.ctx.WithEventManager(sdk.NewEventManager())
		require.NoError(t, f.keeper.EndBlock(f.ctx))
		require.Zero(t, countEvents(f.ctx, &types.EventServiceDepositDeferred{}), "once in an epoch")
		f.nextBlock()
		f.epoch.current++
		_, err = f.keeper.Service(f.ctx, broken)
		require.Error(t, err)
		require.NotErrorIs(t, err, types.ErrServiceNotFound)
		_, err = f.keeper.Service(f.ctx, good)
		require.ErrorIs(t, err, types.ErrServiceNotFound)
		require.EqualValues(t, serviceDeposit, f.wallet("b"))
		require.Zero(t, f.wallet("a"))
	}
	store.Set(key, record) // an upgrade has mended it
	f.check()
	f.endBlock()
	require.EqualValues(t, serviceDeposit, f.wallet("a"))
	require.Zero(t, f.serviceDeposits())
}

// countEvents returns how many events of a type the context has seen.
func countEvents(ctx sdk.Context, like proto.Message) (n int) {
	for _, e := range ctx.EventManager().Events() {
		if e.Type == proto.MessageName(like) {
			n++
		}
	}
	return n
}

// TestInitGenesisRefusesServices: services, and what they have earned, that no message could have left so.
func TestInitGenesisRefusesServices(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, bigDeposit)
	kept, removed := f.publish("owner"), f.publish("owner")
	const e = firstEpoch
	f.settleFor(k, e, kept, 10, types.ACK_STATUS_PAID)
	f.settleFor(k, e, types.ContentServiceID, 10, types.ACK_STATUS_PAID)
	f.remove("owner", removed)
	f.transfer("owner", kept, "heir")
	f.epoch.current++
	_, done, err := f.keeper.Close(f.ctx, e, 100)
	require.NoError(t, err)
	require.True(t, done)
	f.settleFor(k, e+1, kept, 10, types.ACK_STATUS_PAID)
	f.transfer("heir", kept, "last")
	f.endBlock()
	valid := must(f.keeper.ExportGenesis(f.ctx))(t)
	for name, change := range map[string]func(gs *types.GenesisState){
		"no next id":                      func(gs *types.GenesisState) { gs.NextServiceId = 0 },
		"service from the future":         func(gs *types.GenesisState) { gs.NextServiceId = removed },
		"service twice":                   func(gs *types.GenesisState) { gs.Services = append(gs.Services, gs.Services[2]) },
		"descending":                      func(gs *types.GenesisState) { gs.Services[1], gs.Services[2] = gs.Services[2], gs.Services[1] },
		"content is not the first":        func(gs *types.GenesisState) { gs.Services = gs.Services[1:] },
		"a deposit that nobody holds":     func(gs *types.GenesisState) { gs.Services[1].Deposit = gs.Services[1].Deposit.AddRaw(1) },
		"a removed service's is missing":  func(gs *types.GenesisState) { gs.Services[2].Deposit = math.ZeroInt() },
		"a removed service's is another":  func(gs *types.GenesisState) { gs.Services[2].Deposit = gs.Services[2].Deposit.SubRaw(1) },
		"a deposit that nobody is owed":   func(gs *types.GenesisState) { gs.Services = gs.Services[:1] },
		"owner is no address":             func(gs *types.GenesisState) { gs.Services[1].Owner = "edge1x" },
		"owner spelled otherwise":         func(gs *types.GenesisState) { gs.Services[1].Owner = strings.ToUpper(gs.Services[1].Owner) },
		"next owner is no address":        func(gs *types.GenesisState) { gs.Services[1].Next.Owner = "heir" },
		"changes after the next epoch":    func(gs *types.GenesisState) { gs.Services[1].Next.Epoch = e + 3 },
		"removed after the next epoch":    func(gs *types.GenesisState) { gs.Services[2].Next.Epoch, gs.Services[2].RemovedEpoch = e+3, e+3 },
		"lanes of a service to come":      func(gs *types.GenesisState) { gs.LaneSets[0].Lanes.Lanes[1].ServiceId = 9 },
		"revenue of a service to come":    func(gs *types.GenesisState) { gs.Revenue[0].ServiceId = 9 },
		"revenue of nobody's":             func(gs *types.GenesisState) { gs.Revenue[0].Owner = "" },
		"an owner's and the protocol's":   func(gs *types.GenesisState) { gs.Revenue[0].ProtocolAmount = math.NewInt(10) },
		"protocol amount is missing":      func(gs *types.GenesisState) { gs.Revenue[0].ProtocolAmount = math.Int{} },
		"protocol amount below 0":         func(gs *types.GenesisState) { gs.WorkerTotals[0].ProtocolAmount = math.NewInt(-1) },
		"protocol amount above the total": func(gs *types.GenesisState) { gs.WorkerTotals[0].ProtocolAmount = math.NewInt(21) },
		"protocol amounts differ":         func(gs *types.GenesisState) { gs.WorkerTotals[0].ProtocolAmount = math.NewInt(9) },
		"a worker's total of an owner":    func(gs *types.GenesisState) { gs.WorkerTotals[0].Owner = f.address("owner") },
		"total of nobody's service":       func(gs *types.GenesisState) { gs.ServiceTotals[1].Owner = "" },
		"total of a service to come":      func(gs *types.GenesisState) { gs.ServiceTotals[1].ServiceId = 9 },
	} {
		t.Run(name, func(t *testing.T) {
			var gs types.GenesisState
			f.cdc.MustUnmarshalJSON(f.cdc.MustMarshalJSON(valid), &gs)
			change(&gs)
			fresh := *f
			fresh.ctx, _ = f.ctx.CacheContext()
			require.ErrorIs(t, f.keeper.InitGenesis(fresh.reopen(), &gs), types.ErrInvalidGenesis)
		})
	}
	exportedAgain(t, f)
}

// TestServiceQueries: pages, codes, and what is shown in which epoch.
func TestServiceQueries(t *testing.T) {
	f := newFixture(t)
	var ids []uint64
	for range 3 {
		ids = append(ids, f.publish("owner"))
	}
	f.publish("other")
	var got []uint64
	for page := (&query.PageRequest{Limit: 2}); page != nil; {
		res, err := f.query.ServicesByOwner(f.ctx, &types.QueryServicesByOwnerRequest{Owner: f.address("owner"), Pagination: page})
		require.NoError(t, err)
		for _, s := range res.Services {
			got = append(got, s.Id)
		}
		page = nil
		if res.Pagination.NextKey != nil {
			page = &query.PageRequest{Limit: 2, Key: res.Pagination.NextKey}
		}
	}
	require.Equal(t, ids, got)
	require.Empty(t, f.ownedBy("nobody"))
	_, err := f.query.ServicesByOwner(f.ctx, &types.QueryServicesByOwnerRequest{Owner: "nobody"})
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	_, err = f.query.ServicesByOwner(f.ctx, nil)
	require.Equal(t, codes.InvalidArgument, status.Code(err))

	totals, err := f.query.Totals(f.ctx, &types.QueryTotalsRequest{})
	require.NoError(t, err)
	require.EqualValues(t, 4*serviceDeposit, totals.Totals.ServiceDeposits.Int64())
	require.Equal(t, totals.Totals.Sum(), totals.Held)

	_, err = f.msg.UpdateService(f.ctx, updateMsg(f.address("owner"), ids[0], types.SERVICE_STATUS_PAUSED))
	require.NoError(t, err)
	shown := func() []types.Service {
		one, err := f.query.Service(f.ctx, &types.QueryServiceRequest{Id: ids[0]})
		require.NoError(t, err)
		all, err := f.query.Services(f.ctx, &types.QueryServicesRequest{})
		require.NoError(t, err)
		require.Len(t, all.Services, 5, "content and four functions")
		owned, err := f.query.ServicesByOwner(f.ctx, &types.QueryServicesByOwnerRequest{Owner: f.address("owner")})
		require.NoError(t, err)
		return []types.Service{one.Service, all.Services[1], owned.Services[0]}
	}
	for _, s := range shown() {
		require.Equal(t, types.SERVICE_STATUS_ACTIVE, s.Status)
		require.Equal(t, types.SERVICE_STATUS_PAUSED, s.Next.Status)
	}
	f.epoch.current++
	for _, s := range shown() {
		require.Equal(t, types.SERVICE_STATUS_PAUSED, s.Status)
		require.Nil(t, s.Next, "it has come")
	}
}
