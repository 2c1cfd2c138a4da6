package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/dack/types"
)

func TestQueries(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, 10_000)
	second := f.addKey("client", k.account, 2, 500)
	const e = firstEpoch
	f.setParams(func(p *types.Params) { p.Prices.PerGib = math.NewInt(2 << 30) })
	f.earn(k, 4)
	f.settle(e, second.ack(e, 3, 40))

	t.Run("params", func(t *testing.T) {
		res, err := f.query.Params(f.ctx, &types.QueryParamsRequest{})
		require.NoError(t, err)
		require.EqualValues(t, 2<<30, res.Params.Prices.PerGib.Int64())
		d, err := f.keeper.SettlementDenom(f.ctx)
		require.NoError(t, err)
		require.Equal(t, denom, d)
	})
	t.Run("prices", func(t *testing.T) {
		for epoch, want := range map[uint64]int64{0: 1 << 30, 1: 1 << 30, e: 1 << 30, e + 1: 2 << 30} {
			res, err := f.query.Prices(f.ctx, &types.QueryPricesRequest{Epoch: epoch})
			require.NoError(t, err)
			require.Equal(t, want, res.Prices.PerGib.Int64())
		}
		_, err := f.query.Prices(f.ctx, &types.QueryPricesRequest{Epoch: e + 2})
		require.Equal(t, codes.InvalidArgument, status.Code(err), "they can still change")
	})
	t.Run("services", func(t *testing.T) {
		res, err := f.query.Service(f.ctx, &types.QueryServiceRequest{})
		require.NoError(t, err)
		require.Equal(t, types.ContentService(), res.Service)
		_, err = f.query.Service(f.ctx, &types.QueryServiceRequest{Id: 1})
		require.Equal(t, codes.NotFound, status.Code(err))
		all, err := f.query.Services(f.ctx, &types.QueryServicesRequest{})
		require.NoError(t, err)
		require.Len(t, all.Services, 1)
		_, err = f.keeper.Service(f.ctx, 1)
		require.ErrorIs(t, err, types.ErrServiceNotFound)
	})
	t.Run("account", func(t *testing.T) {
		byID, err := f.query.Account(f.ctx, &types.QueryAccountRequest{Id: k.account})
		require.NoError(t, err)
		require.Equal(t, "9860", byID.Spendable.String())
		byOwner, err := f.query.AccountByOwner(f.ctx, &types.QueryAccountByOwnerRequest{Owner: f.address("client")})
		require.NoError(t, err)
		require.Equal(t, byID.Account, byOwner.Account)
		_, err = f.query.Account(f.ctx, &types.QueryAccountRequest{Id: 9})
		require.Equal(t, codes.NotFound, status.Code(err))
		_, err = f.query.AccountByOwner(f.ctx, &types.QueryAccountByOwnerRequest{Owner: f.address("nobody")})
		require.Equal(t, codes.NotFound, status.Code(err))
		_, err = f.query.AccountByOwner(f.ctx, &types.QueryAccountByOwnerRequest{Owner: "nobody"})
		require.Equal(t, codes.InvalidArgument, status.Code(err))
	})
	t.Run("keys", func(t *testing.T) {
		res, err := f.query.ClientKey(f.ctx, &types.QueryClientKeyRequest{Id: second.id})
		require.NoError(t, err)
		require.Equal(t, "460", res.Left.String())
		require.Equal(t, k.account, res.Account.Id)
		_, err = f.query.ClientKey(f.ctx, &types.QueryClientKeyRequest{Id: 9})
		require.Equal(t, codes.NotFound, status.Code(err))
		page, err := f.query.ClientKeys(f.ctx, &types.QueryClientKeysRequest{AccountId: k.account, Pagination: &query.PageRequest{Limit: 1}})
		require.NoError(t, err)
		require.Equal(t, k.id, page.Keys[0].Id)
		page, err = f.query.ClientKeys(f.ctx, &types.QueryClientKeysRequest{AccountId: k.account, Pagination: &query.PageRequest{Key: page.Pagination.NextKey}})
		require.NoError(t, err)
		require.Len(t, page.Keys, 1)
		require.Equal(t, second.id, page.Keys[0].Id)
		_, err = f.query.ClientKeys(f.ctx, &types.QueryClientKeysRequest{AccountId: 9})
		require.Equal(t, codes.NotFound, status.Code(err))
	})
	t.Run("lanes", func(t *testing.T) {
		res, err := f.query.Lanes(f.ctx, &types.QueryLanesRequest{Epoch: e, WorkerId: workerID, KeyId: second.id})
		require.NoError(t, err)
		require.Len(t, res.Lanes, 1)
		require.EqualValues(t, 3, res.Lanes[0].Lane)
		res, err = f.query.Lanes(f.ctx, &types.QueryLanesRequest{Epoch: e + 1, WorkerId: workerID, KeyId: second.id})
		require.NoError(t, err)
		require.Empty(t, res.Lanes)
		var keys []uint64
		page := &query.PageRequest{Limit: 1}
		for page != nil {
			res, err := f.query.WorkerLanes(f.ctx, &types.QueryWorkerLanesRequest{Epoch: e, WorkerId: workerID, Pagination: page})
			require.NoError(t, err)
			for _, r := range res.Keys {
				require.Len(t, r.Lanes, 1)
				keys = append(keys, r.KeyId)
			}
			page = nil
			if next := res.Pagination.NextKey; next != nil {
				page = &query.PageRequest{Limit: 1, Key: next}
			}
		}
		require.Equal(t, []uint64{k.id, second.id}, keys)
	})
	t.Run("revenue", func(t *testing.T) {
		res, err := f.query.Revenue(f.ctx, &types.QueryRevenueRequest{Epoch: e})
		require.NoError(t, err)
		require.Len(t, res.Records, 4)
		res, err = f.query.Revenue(f.ctx, &types.QueryRevenueRequest{Epoch: e, WorkerId: workerID})
		require.NoError(t, err)
		require.Len(t, res.Records, 1)
		require.Equal(t, "70", res.Records[0].Revenue.Amount.String())
		require.Equal(t, workerID, res.Records[0].WorkerId)
	})
	t.Run("totals", func(t *testing.T) {
		for _, call := range []func() error{
			func() error {
				_, err := f.query.WorkerTotals(f.ctx, &types.QueryWorkerTotalsRequest{Epoch: e})
				return err
			},
			func() error {
				_, err := f.query.ServiceTotals(f.ctx, &types.QueryServiceTotalsRequest{Epoch: e})
				return err
			},
			func() error {
				_, err := f.query.EpochTotal(f.ctx, &types.QueryEpochTotalRequest{Epoch: e})
				return err
			},
		} {
			require.Equal(t, codes.NotFound, status.Code(call()))
		}
		f.epoch.current++
		_, done, err := f.keeper.Close(f.ctx, e, 100)
		require.NoError(t, err)
		require.True(t, done)
		workers, err := f.query.WorkerTotals(f.ctx, &types.QueryWorkerTotalsRequest{Epoch: e, Pagination: &query.PageRequest{Limit: 3}})
		require.NoError(t, err)
		require.Len(t, workers.Totals, 3)
		require.NotEmpty(t, workers.Pagination.NextKey)
		services, err := f.query.ServiceTotals(f.ctx, &types.QueryServiceTotalsRequest{Epoch: e})
		require.NoError(t, err)
		require.Len(t, services.Totals, 1)
		total, err := f.query.EpochTotal(f.ctx, &types.QueryEpochTotalRequest{Epoch: e})
		require.NoError(t, err)
		require.Equal(t, "140", total.Total.Revenue.Amount.String())
		require.Equal(t, services.Totals[0].Revenue, total.Total.Revenue)
	})
	t.Run("empty requests", func(t *testing.T) {
		for _, call := range []func() error{
			func() error { _, err := f.query.Prices(f.ctx, nil); return err },
			func() error { _, err := f.query.Service(f.ctx, nil); return err },
			func() error { _, err := f.query.Services(f.ctx, nil); return err },
			func() error { _, err := f.query.Account(f.ctx, nil); return err },
			func() error { _, err := f.query.AccountByOwner(f.ctx, nil); return err },
			func() error { _, err := f.query.ClientKey(f.ctx, nil); return err },
			func() error { _, err := f.query.ClientKeys(f.ctx, nil); return err },
			func() error { _, err := f.query.Lanes(f.ctx, nil); return err },
			func() error { _, err := f.query.WorkerLanes(f.ctx, nil); return err },
			func() error { _, err := f.query.Revenue(f.ctx, nil); return err },
			func() error { _, err := f.query.WorkerTotals(f.ctx, nil); return err },
			func() error { _, err := f.query.ServiceTotals(f.ctx, nil); return err },
			func() error { _, err := f.query.EpochTotal(f.ctx, nil); return err },
		} {
			require.Equal(t, codes.InvalidArgument, status.Code(call()))
		}
	})
}
