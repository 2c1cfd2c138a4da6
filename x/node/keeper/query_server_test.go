package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/node/types"
)

func TestQueries(t *testing.T) {
	f := newFixture(t)
	one, two := f.operator(), f.operator()
	for range 5 {
		f.register(one)
		f.register(two)
	}
	params, err := f.queries.Params(f.ctx, &types.QueryParamsRequest{})
	require.NoError(t, err)
	require.Equal(t, types.DefaultParams(), params.Params)

	w, err := f.queries.Worker(f.ctx, &types.QueryWorkerRequest{Id: 3})
	require.NoError(t, err)
	require.EqualValues(t, 3, w.Worker.Id)
	byKey, err := f.queries.WorkerByPeerKey(f.ctx, &types.QueryWorkerByPeerKeyRequest{PeerKey: w.Worker.PeerKey})
	require.NoError(t, err)
	require.Equal(t, w.Worker, byKey.Worker)

	page, err := f.queries.Workers(f.ctx, &types.QueryWorkersRequest{Pagination: &query.PageRequest{Limit: 7, CountTotal: true}})
	require.NoError(t, err)
	require.Len(t, page.Workers, 7)
	require.EqualValues(t, 10, page.Pagination.Total)
	rest, err := f.queries.Workers(f.ctx, &types.QueryWorkersRequest{Pagination: &query.PageRequest{Key: page.Pagination.NextKey}})
	require.NoError(t, err)
	require.Len(t, rest.Workers, 3)
	require.EqualValues(t, 8, rest.Workers[0].Id)

	mine, err := f.queries.WorkersByOperator(f.ctx, &types.QueryWorkersByOperatorRequest{
		Operator: f.operatorText(two), Pagination: &query.PageRequest{Limit: 3},
	})
	require.NoError(t, err)
	require.Len(t, mine.Workers, 3)
	more, err := f.queries.WorkersByOperator(f.ctx, &types.QueryWorkersByOperatorRequest{
		Operator: f.operatorText(two), Pagination: &query.PageRequest{Key: mine.Pagination.NextKey},
	})
	require.NoError(t, err)
	require.Len(t, more.Workers, 2)
	for i, w := range append(mine.Workers, more.Workers...) {
		require.Equal(t, f.operatorText(two), w.Operator)
		require.EqualValues(t, 2*i+2, w.Id)
	}
}

func TestQueriesRefuse(t *testing.T) {
	f := newFixture(t)
	code := func(_ any, err error) codes.Code { return status.Code(err) }
	require.Equal(t, codes.NotFound, code(f.queries.Worker(f.ctx, &types.QueryWorkerRequest{Id: 1})))
	require.Equal(t, codes.NotFound, code(f.queries.WorkerByPeerKey(f.ctx, &types.QueryWorkerByPeerKeyRequest{PeerKey: make([]byte, 32)})))
	require.Equal(t, codes.InvalidArgument, code(f.queries.WorkersByOperator(f.ctx, &types.QueryWorkersByOperatorRequest{Operator: "edge1"})))
	require.Equal(t, codes.InvalidArgument, code(f.queries.Worker(f.ctx, nil)))
	require.Equal(t, codes.InvalidArgument, code(f.queries.Workers(f.ctx, nil)))
	require.Equal(t, codes.InvalidArgument, code(f.queries.WorkersByOperator(f.ctx, nil)))
	require.Equal(t, codes.InvalidArgument, code(f.queries.WorkerByPeerKey(f.ctx, nil)))
}
