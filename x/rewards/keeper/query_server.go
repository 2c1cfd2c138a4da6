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

// TokenPrice returns the price that is in force in an epoch and the one by which its payments earn tokens; 0 is the open epoch.
// For later epochs it says what there is if no other price is set.
func (s queryServer) TokenPrice(ctx context.Context, req *types.QueryTokenPriceRequest) (*types.QueryTokenPriceResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	epoch, err := s.epochOf(ctx, req.Epoch)
	if err != nil {
		return nil, err
	}
	set, counted, last, err := s.k.TokenPrice(ctx, epoch)
	if err != nil {
		return nil, err
	}
	return &types.QueryTokenPriceResponse{Epoch: epoch, Set: set, Counted: counted, LastEpoch: last}, nil
}

// Emission returns the terms of an epoch, 0 being the open one, the emission year, the history of the supply, and the cap of an
// epoch of these terms in this year that lasts as long as the open one is planned to.
func (s queryServer) Emission(ctx context.Context, req *types.QueryEmissionRequest) (*types.QueryEmissionResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	epoch, err := s.epochOf(ctx, req.Epoch)
	if err != nil {
		return nil, err
	}
	current, err := s.epochOf(ctx, 0)
	if err != nil {
		return nil, err
	}
	open, err := s.k.epochKeeper.Epoch(ctx, current)
	if err != nil {
		return nil, err
	}
	terms, err := s.k.Terms(ctx, epoch)
	if err != nil {
		return nil, err
	}
	year, err := s.k.Year(ctx)
	if err != nil {
		return nil, err
	}
	supply, err := s.k.Supply(ctx)
	if err != nil {
		return nil, err
	}
	begins := supply.Total() // of the first year, if it began now
	if year != nil {
		begins = year.Supply
	}
	return &types.QueryEmissionResponse{
		Epoch: epoch, Terms: terms, Year: year, Supply: supply, Cap: types.EpochCap(terms.Inflation, begins, open.Duration),
	}, nil
}

// epochOf returns the epoch that a request names, the open one for 0.
func (s queryServer) epochOf(ctx context.Context, epoch uint64) (uint64, error) {
	if epoch != 0 {
		return epoch, nil
	}
	return s.k.epochKeeper.CurrentNumber(ctx)
}
