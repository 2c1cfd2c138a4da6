package keeper_test

import (
	"fmt"
	"testing"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"
	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/dack/types"
)

// page returns the encoded page of an account's purse as the state has it.
func (f *fixture) page(account uint64) []byte {
	f.t.Helper()
	return f.pages(account).Get(f.pageKey(account))
}

// pages returns the store in which the page of an account's purse stands.
func (f *fixture) pages(account uint64) storetypes.KVStore {
	return f.ctx.KVStore(f.storeKeys[types.PurseStoreKey(types.PurseStoreOf(types.PageOf(account)))])
}

func (f *fixture) pageKey(account uint64) []byte {
	f.t.Helper()
	key, err := collections.EncodeKeyWithPrefix(types.PursePagesPrefix.Bytes(), collections.Uint64Key, types.PageOf(account))
	require.NoError(f.t, err)
	return key
}

func (f *fixture) objects() (n int) {
	f.t.Helper()
	iter := f.ctx.ObjectStore(f.objectKey).Iterator(nil, nil)
	for ; iter.Valid(); iter.Next() {
		n++
	}
	require.NoError(f.t, iter.Close())
	return n
}

// Within a block no page is written; at its end each changed one is, once, and the object store holds nothing that a query at
// the state of the block could take for newer.
func TestPursesAreFolded(t *testing.T) {
	f := newFixture(t)
	a, b := f.client("a", 1, 1_000), f.client("b", 2, 1_000)
	require.Equal(t, types.PageOf(a.account), types.PageOf(b.account), "strangers share a page")
	f.endBlock()
	before := f.page(a.account)
	require.NotEmpty(t, before)

	e := f.epoch.current
	f.settle(e, a.ack(e, 0, 100))
	f.settle(e, a.ack(e, 1, 20), b.ack(e, 0, 300))
	_, err := f.msg.RequestWithdrawal(f.ctx, &types.MsgRequestWithdrawal{Owner: f.address("b"), Amount: coin(50)})
	require.NoError(t, err)
	require.Equal(t, before, f.page(a.account))
	want := []string{"880", "650"}
	check := func() {
		t.Helper()
		for i, k := range []clientKey{a, b} {
			require.Equal(t, want[i], f.account(k.account).Balance.String())
		}
		require.EqualValues(t, 120, f.key(a.id).SpentIn(e).Int64())
		require.EqualValues(t, 300, f.key(b.id).SpentIn(e).Int64())
		pending := f.account(b.account)
		require.EqualValues(t, 50, pending.Pending().Int64())
		f.check()
	}
	check()
	require.NoError(t, f.keeper.EndBlock(f.ctx))
	require.NotEqual(t, before, f.page(a.account))
	require.Equal(t, 1, f.objects(), "nothing but that the block is folded")
	check()

	// What still happens in the block goes to the state itself.
	f.deposit("a", 1)
	_, err = f.msg.RequestWithdrawal(f.ctx, &types.MsgRequestWithdrawal{Owner: f.address("b"), Amount: coin(50)})
	require.NoError(t, err)
	require.Equal(t, 1, f.objects())
	f.nextBlock()
	require.Equal(t, "881", f.account(a.account).Balance.String())
	require.Equal(t, "600", f.account(b.account).Balance.String())
	f.check()

	// An untouched page is not written.
	before = f.page(a.account)
	f.endBlock()
	require.Equal(t, before, f.page(a.account))
}

// A message that fails, and a context that is thrown away, leave no purse behind.
func TestPursesOfDiscardedContexts(t *testing.T) {
	f := newFixture(t)
	k := f.client("a", 1, 1_000)
	e := f.epoch.current
	before := f.state()
	cached, _ := f.ctx.CacheContext()
	res, err := f.msg.Settle(cached, f.settleMsg(e, k.ack(e, 0, 100)))
	require.NoError(t, err)
	require.Equal(t, types.ACK_STATUS_PAID, res.Results[0].Status)
	account, err := f.keeper.Account(cached, k.account)
	require.NoError(t, err)
	require.Equal(t, "900", account.Balance.String())
	require.Equal(t, before, f.state())
	require.Equal(t, "1000", f.account(k.account).Balance.String())
}

// Each transaction adds to the books under its own index; the sum is theirs.
func TestTotalsOfTransactions(t *testing.T) {
	f := newFixture(t)
	k := f.client("a", 1, 1_000)
	e := f.epoch.current
	outer := f.ctx
	for i := range 3 {
		f.ctx = outer.WithTxIndex(i)
		f.settle(e, k.ack(e, uint8(i), 10))
		f.settle(e, k.ack(e, uint8(i), 15))
	}
	f.ctx = outer
	want := types.Totals{Balances: math.NewInt(955), Pending: math.ZeroInt(), OpenRevenue: math.NewInt(45), ServiceDeposits: math.ZeroInt()}
	for range 2 {
		totals, err := f.keeper.Totals(f.ctx)
		require.NoError(t, err)
		require.Equal(t, want.String(), totals.String())
		f.endBlock()
	}
}

// Queries at a height read the pages of that height, and find an object store that is empty.
func TestPursesAtAHeight(t *testing.T) {
	f := newFixture(t)
	k := f.client("a", 1, 1_000)
	e := f.epoch.current
	f.endBlock()
	first := f.cms.Commit().Version
	f.settle(e, k.ack(e, 0, 100))
	f.endBlock()
	f.cms.Commit()
	ms, err := f.cms.CacheMultiStoreWithVersion(first)
	require.NoError(t, err)
	res, err := f.query.Account(sdk.NewContext(ms, cmtproto.Header{ChainID: chainID}, false, log.NewNopLogger()),
		&types.QueryAccountRequest{Id: k.account})
	require.NoError(t, err)
	require.Equal(t, "1000", res.Account.Balance.String())
	require.Equal(t, "900", f.account(k.account).Balance.String())
}

// Purses are walked in the order of their accounts, whatever stores their pages stand in; one that stands in a store that is not
// its own is an error.
func TestPursesAreWalkedInOrder(t *testing.T) {
	f := newFixture(t)
	for i := range 3 * types.PurseStores * types.PursesPerPage {
		f.deposit(fmt.Sprintf("owner-%d", i), 1_000)
	}
	f.endBlock()
	gs, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Len(t, gs.Accounts, 3*types.PurseStores*types.PursesPerPage)
	for i, a := range gs.Accounts {
		require.EqualValues(t, i+1, a.Id)
		require.Equal(t, "1000", a.Balance.String())
		require.NotEmpty(t, f.page(a.Id))
	}
	f.check()
	const account = 2 * types.PursesPerPage
	wrong := f.ctx.KVStore(f.storeKeys[types.PurseStoreKey(types.PurseStoreOf(types.PageOf(account))+1)])
	wrong.Set(f.pageKey(account), f.page(account))
	require.ErrorIs(t, f.keeper.CheckInvariants(f.ctx), types.ErrInvariant)
}

// A page that cannot be read stops the block: it must not go on without the money in it.
func TestFoldFails(t *testing.T) {
	f := newFixture(t)
	k := f.client("a", 1, 1_000)
	f.endBlock()
	e := f.epoch.current
	f.settle(e, k.ack(e, 0, 100))
	f.pages(k.account).Set(f.pageKey(k.account), []byte{1, 2, 3})
	require.ErrorIs(t, f.keeper.EndBlock(f.ctx), types.ErrInvariant)
}

// The owner of a service in the epoch in which the money counts is in the record, and what the protocol's own services earn is
// in the totals of the worker.
func TestRevenueNamesTheOwner(t *testing.T) {
	f := newFixture(t)
	k := f.client("a", 1, 10_000)
	e := f.epoch.current
	old, buyer := f.address("old"), f.address("buyer")
	f.putService(types.Service{
		Id: 5, Owner: old, Status: types.SERVICE_STATUS_ACTIVE,
		Next: &types.ServiceChange{Epoch: e + 1, Owner: buyer, Status: types.SERVICE_STATUS_PAUSED},
	})
	settle := func(bytes uint64) {
		t.Helper()
		for _, r := range f.settle(e, k.sign(ack.Ack{Epoch: e, Bytes: bytes}), k.sign(ack.Ack{Epoch: e, ServiceID: 5, Bytes: 10 * bytes})) {
			require.Equal(t, types.ACK_STATUS_PAID, r.Status)
		}
	}
	settle(10)
	f.epoch.current++
	settle(30) // of the epoch before, debited now
	f.epoch.current++
	for i, want := range []struct {
		owner string
		bytes int64
	}{{old, 10}, {buyer, 20}} {
		_, done, err := f.keeper.Close(f.ctx, e+uint64(i), 10)
		require.NoError(t, err)
		require.True(t, done)
		services, err := f.keeper.ServiceTotals(f.ctx, e+uint64(i), 0, 10)
		require.NoError(t, err)
		require.Len(t, services, 2)
		require.Empty(t, services[0].Owner)
		require.EqualValues(t, want.bytes, services[0].ProtocolAmount.Int64())
		require.Equal(t, want.owner, services[1].Owner)
		require.True(t, services[1].ProtocolAmount.IsZero())
		workers, err := f.keeper.WorkerTotals(f.ctx, e+uint64(i), 0, 10)
		require.NoError(t, err)
		require.Len(t, workers, 1)
		require.Empty(t, workers[0].Owner)
		require.EqualValues(t, 11*want.bytes, workers[0].Revenue.Amount.Int64())
		require.EqualValues(t, want.bytes, workers[0].ProtocolAmount.Int64())
	}
	f.check()
}
