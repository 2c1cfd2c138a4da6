package keeper

import (
	"context"
	"encoding/binary"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/epoch/types"
)

// maxPage bounds the entries of one answer.
const maxPage = 1000

type queryServer struct{ k *Keeper }

// NewQueryServerImpl returns the query service.
func NewQueryServerImpl(k *Keeper) types.QueryServer { return queryServer{k} }

var _ types.QueryServer = queryServer{}

var errEmptyRequest = status.Error(codes.InvalidArgument, "empty request")

// Params returns the parameters, and whether this is a development network.
func (s queryServer) Params(ctx context.Context, req *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	params, err := s.k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	development, err := s.k.development.Get(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryParamsResponse{Params: params, Development: development}, nil
}

// Current returns the open epoch, the time left in it and how far the hand-over of seats is.
func (s queryServer) Current(ctx context.Context, req *types.QueryCurrentRequest) (*types.QueryCurrentResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	e, err := s.k.Current(ctx)
	if err != nil {
		return nil, err
	}
	closing, err := s.k.Closing(ctx)
	if err != nil {
		return nil, err
	}
	handOver, err := s.k.handOver.Get(ctx)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return nil, err
	}
	return &types.QueryCurrentResponse{
		Epoch:      e,
		TimeLeft:   types.TimeLeft(e.StartTime, e.Duration, sdk.UnwrapSDKContext(ctx).BlockTime()),
		OldestLive: types.OldestLive(e.Number),
		Closing:    closing.Epoch,
		HandOver:   handOver,
	}, nil
}

// Epoch returns one epoch.
func (s queryServer) Epoch(ctx context.Context, req *types.QueryEpochRequest) (*types.QueryEpochResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	e, err := s.k.Epoch(ctx, req.Number)
	if errors.Is(err, types.ErrEpochNotFound) {
		return nil, status.Errorf(codes.NotFound, "epoch %d not found", req.Number)
	}
	if err != nil {
		return nil, err
	}
	return &types.QueryEpochResponse{Epoch: e}, nil
}

// Epochs returns a range of epochs, oldest first, or newest first if the page asks for the reverse. The key of a page is the
// number of its first epoch, big-endian.
func (s queryServer) Epochs(ctx context.Context, req *types.QueryEpochsRequest) (*types.QueryEpochsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	from, to, err := s.bounds(ctx, req.From, req.To)
	if err != nil {
		return nil, err
	}
	page := req.Pagination
	if page == nil {
		page = &query.PageRequest{}
	}
	limit := page.Limit
	if limit == 0 {
		limit = query.DefaultLimit
	}
	limit = min(limit, maxPage)
	resp := &types.QueryEpochsResponse{Pagination: &query.PageResponse{}}
	if from > to {
		return resp, nil
	}
	if page.CountTotal {
		resp.Pagination.Total = to - from + 1
	}
	if err := skip(page, &from, &to); err != nil {
		return nil, err
	}
	if from > to {
		return resp, nil
	}
	rng := new(collections.Range[uint64]).StartInclusive(from).EndInclusive(to)
	if page.Reverse {
		rng = rng.Descending()
	}
	err = s.k.epochs.Walk(ctx, rng, func(n uint64, e types.Epoch) (bool, error) {
		if uint64(len(resp.Epochs)) == limit {
			resp.Pagination.NextKey = binary.BigEndian.AppendUint64(nil, n)
			return true, nil
		}
		resp.Epochs = append(resp.Epochs, e)
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// bounds cuts the asked range to the epochs that exist, which are consecutive.
func (s queryServer) bounds(ctx context.Context, from, to uint64) (uint64, uint64, error) {
	newest, err := s.k.CurrentNumber(ctx)
	if err != nil {
		return 0, 0, err
	}
	it, err := s.k.epochs.Iterate(ctx, nil)
	if err != nil {
		return 0, 0, err
	}
	defer it.Close()
	oldest, err := it.Key()
	if err != nil {
		return 0, 0, err
	}
	if to == 0 || to > newest {
		to = newest
	}
	return max(from, oldest), to, nil
}

// skip moves the near end of the range to where the page begins.
func skip(page *query.PageRequest, from, to *uint64) error {
	if len(page.Key) != 0 {
		if len(page.Key) != 8 || page.Offset != 0 {
			return status.Error(codes.InvalidArgument, "the page key is that of an earlier answer, without an offset")
		}
		n := binary.BigEndian.Uint64(page.Key)
		if n < *from || n > *to {
			return status.Error(codes.InvalidArgument, "the page key lies outside of the range")
		}
		if page.Reverse {
			*to = n
		} else {
			*from = n
		}
		return nil
	}
	if page.Offset > *to-*from {
		*from, *to = 1, 0
		return nil
	}
	if page.Reverse {
		*to -= page.Offset
	} else {
		*from += page.Offset
	}
	return nil
}

// SetAside returns the items that are set aside, by epoch, stage and key.
func (s queryServer) SetAside(ctx context.Context, req *types.QuerySetAsideRequest) (*types.QuerySetAsideResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	page, err := bounded(req.Pagination)
	if err != nil {
		return nil, err
	}
	items, next, err := query.CollectionPaginate(ctx, s.k.setAside, page,
		func(_ setAsideKey, it types.SetAsideItem) (types.SetAsideItem, error) { return it, nil })
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QuerySetAsideResponse{Items: items, Pagination: next}, nil
}
