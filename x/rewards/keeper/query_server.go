package keeper

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/rewards/types"
)

type queryServer struct {
	*types.UnimplementedQueryServer
	k *Keeper
}

// NewQueryServerImpl returns the query service.
func NewQueryServerImpl(k *Keeper) types.QueryServer { return queryServer{k: k} }

var _ types.QueryServer = queryServer{}

var errEmptyRequest = status.Error(codes.InvalidArgument, "empty request")

// Params returns the parameters.
func (s queryServer) Params(ctx context.Context, req *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	params, err := s.k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryParamsResponse{Params: params}, nil
}

// EpochSummary returns the books of an epoch.
func (s queryServer) EpochSummary(ctx context.Context, req *types.QueryEpochSummaryRequest) (*types.QueryEpochSummaryResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	summary, err := s.k.Summary(ctx, req.Epoch)
	if errors.Is(err, types.ErrSummaryNotFound) {
		return nil, status.Errorf(codes.NotFound, "epoch %d is not being paid yet", req.Epoch)
	}
	if err != nil {
		return nil, err
	}
	return &types.QueryEpochSummaryResponse{Summary: summary}, nil
}

// EpochSummaries returns the books of all epochs, by epoch.
func (s queryServer) EpochSummaries(ctx context.Context, req *types.QueryEpochSummariesRequest) (*types.QueryEpochSummariesResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	summaries, page, err := query.CollectionPaginate(ctx, s.k.summaries, req.Pagination,
		func(_ uint64, v types.EpochSummary) (types.EpochSummary, error) { return v, nil })
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QueryEpochSummariesResponse{Summaries: summaries, Pagination: page}, nil
}

// Payouts returns the payouts of an epoch, by kind and id. Those of epochs older than history_epochs are gone, except for
// those that are set aside.
func (s queryServer) Payouts(ctx context.Context, req *types.QueryPayoutsRequest) (*types.QueryPayoutsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	prefix := collections.TriplePrefix[uint64, uint16, uint64](req.Epoch)
	payouts, page, err := query.CollectionPaginate(ctx, s.k.payouts, req.Pagination,
		func(_ payoutKey, v types.Payout) (types.Payout, error) { return v, nil },
		func(o *query.CollectionsPaginateOptions[payoutKey]) { o.Prefix = &prefix })
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QueryPayoutsResponse{Payouts: payouts, Pagination: page}, nil
}

// SetAside returns the payouts that are set aside, by epoch, kind and id.
func (s queryServer) SetAside(ctx context.Context, req *types.QuerySetAsideRequest) (*types.QuerySetAsideResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	payouts, page, err := query.CollectionPaginate(ctx, s.k.setAside, req.Pagination,
		func(key payoutKey, _ collections.NoValue) (types.Payout, error) { return s.k.payouts.Get(ctx, key) })
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QuerySetAsideResponse{Payouts: payouts, Pagination: page}, nil
}
