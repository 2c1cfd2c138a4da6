package keeper

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/dack/types"
)

var _ types.QueryServer = queryServer{}

type queryServer struct{ k *Keeper }

// NewQueryServerImpl returns the query service of x/dack.
func NewQueryServerImpl(k *Keeper) types.QueryServer { return queryServer{k: k} }

var errEmptyRequest = status.Error(codes.InvalidArgument, "empty request")

// queryError gives what was not found its gRPC code.
func queryError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, types.ErrAccountNotFound), errors.Is(err, types.ErrKeyNotFound),
		errors.Is(err, types.ErrServiceNotFound), errors.Is(err, types.ErrPricesNotFound),
		errors.Is(err, types.ErrNotSummed), errors.Is(err, types.ErrPruned), errors.Is(err, collections.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}

// Params returns the parameters.
func (q queryServer) Params(ctx context.Context, _ *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	params, err := q.k.params.Get(ctx)
	if err != nil {
		return nil, queryError(err)
	}
	return &types.QueryParamsResponse{Params: params}, nil
}

// Prices returns the prices of an epoch; 0 means the current one. Those of the next epoch can still change.
func (q queryServer) Prices(ctx context.Context, req *types.QueryPricesRequest) (*types.QueryPricesResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	current, err := q.k.epoch.CurrentNumber(ctx)
	if err != nil {
		return nil, queryError(err)
	}
	epoch := req.Epoch
	if epoch == 0 {
		epoch = current
	}
	if epoch > current+1 {
		return nil, status.Errorf(codes.InvalidArgument, "epoch %d: prices are known up to epoch %d", epoch, current+1)
	}
	prices, err := q.k.Prices(ctx, epoch)
	if err != nil {
		return nil, queryError(err)
	}
	return &types.QueryPricesResponse{Prices: prices}, nil
}

// Service returns one service by its id, as it is in the current epoch, with the change that is to come.
func (q queryServer) Service(ctx context.Context, req *types.QueryServiceRequest) (*types.QueryServiceResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	service, err := q.k.Service(ctx, req.Id)
	if err != nil {
		return nil, queryError(err)
	}
	current, err := q.k.epoch.CurrentNumber(ctx)
	if err != nil {
		return nil, queryError(err)
	}
	return &types.QueryServiceResponse{Service: service.AsOf(current)}, nil
}

// Services returns all services by id.
func (q queryServer) Services(ctx context.Context, req *types.QueryServicesRequest) (*types.QueryServicesResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	current, err := q.k.epoch.CurrentNumber(ctx)
	if err != nil {
		return nil, queryError(err)
	}
	services, page, err := query.CollectionPaginate(ctx, q.k.services, req.Pagination,
		func(_ uint64, s types.Service) (types.Service, error) { return s.AsOf(current), nil })
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QueryServicesResponse{Services: services, Pagination: page}, nil
}

// ServicesByOwner returns the services that an address owns in their newest state, by id.
func (q queryServer) ServicesByOwner(ctx context.Context, req *types.QueryServicesByOwnerRequest) (*types.QueryServicesByOwnerResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	owner, err := q.k.decodeAddress("owner", req.Owner)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	current, err := q.k.epoch.CurrentNumber(ctx)
	if err != nil {
		return nil, queryError(err)
	}
	services, page, err := query.CollectionPaginate(ctx, q.k.serviceOwners, req.Pagination,
		func(key collections.Pair[[]byte, uint64], _ collections.NoValue) (types.Service, error) {
			service, err := q.k.Service(ctx, key.K2())
			return service.AsOf(current), err
		},
		query.WithCollectionPaginationPairPrefix[[]byte, uint64](owner))
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QueryServicesByOwnerResponse{Services: services, Pagination: page}, nil
}

// Totals returns the sums of the module's books, with what its account holds.
func (q queryServer) Totals(ctx context.Context, _ *types.QueryTotalsRequest) (*types.QueryTotalsResponse, error) {
	totals, err := q.k.Totals(ctx)
	if err != nil {
		return nil, queryError(err)
	}
	held, err := q.k.Held(ctx)
	if err != nil {
		return nil, queryError(err)
	}
	return &types.QueryTotalsResponse{Totals: totals, Held: held}, nil
}

// Account returns a client account by its id.
func (q queryServer) Account(ctx context.Context, req *types.QueryAccountRequest) (*types.QueryAccountResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	account, err := q.k.Account(ctx, req.Id)
	if err != nil {
		return nil, queryError(err)
	}
	return &types.QueryAccountResponse{Account: account, Spendable: account.Spendable(), Payable: account.Payable()}, nil
}

// AccountByOwner returns the client account of an owner.
func (q queryServer) AccountByOwner(ctx context.Context, req *types.QueryAccountByOwnerRequest) (*types.QueryAccountByOwnerResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	owner, err := q.k.decodeAddress("owner", req.Owner)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	account, err := q.k.AccountByOwner(ctx, owner)
	if err != nil {
		return nil, queryError(err)
	}
	return &types.QueryAccountByOwnerResponse{Account: account, Spendable: account.Spendable(), Payable: account.Payable()}, nil
}

// ClientKey returns a client key with what it has left to spend in the current epoch, and its account.
func (q queryServer) ClientKey(ctx context.Context, req *types.QueryClientKeyRequest) (*types.QueryClientKeyResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	key, err := q.k.ClientKey(ctx, req.Id)
	if err != nil {
		return nil, queryError(err)
	}
	account, err := q.k.Account(ctx, key.AccountId)
	if err != nil {
		return nil, queryError(err)
	}
	current, err := q.k.epoch.CurrentNumber(ctx)
	if err != nil {
		return nil, queryError(err)
	}
	return &types.QueryClientKeyResponse{Key: key, Left: key.Left(current), Account: account}, nil
}

// ClientKeys returns the keys of an account.
func (q queryServer) ClientKeys(ctx context.Context, req *types.QueryClientKeysRequest) (*types.QueryClientKeysResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	if _, err := q.k.Account(ctx, req.AccountId); err != nil {
		return nil, queryError(err)
	}
	keys, page, err := query.CollectionPaginate(ctx, q.k.accountKeys, req.Pagination,
		func(key collections.Pair[uint64, uint64], _ collections.NoValue) (types.ClientKey, error) {
			return q.k.ClientKey(ctx, key.K2())
		},
		query.WithCollectionPaginationPairPrefix[uint64, uint64](req.AccountId))
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QueryClientKeysResponse{Keys: keys, Pagination: page}, nil
}

// Lanes returns what has been settled on the lanes of (epoch, worker, key); none if nothing has.
func (q queryServer) Lanes(ctx context.Context, req *types.QueryLanesRequest) (*types.QueryLanesResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	lanes, err := q.k.lanes.Get(ctx, collections.Join3(req.Epoch, req.WorkerId, req.KeyId))
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return nil, queryError(err)
	}
	return &types.QueryLanesResponse{Lanes: lanes.Lanes}, nil
}

// WorkerLanes returns the lanes of all keys with a worker in an epoch.
func (q queryServer) WorkerLanes(ctx context.Context, req *types.QueryWorkerLanesRequest) (*types.QueryWorkerLanesResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	keys, page, err := query.CollectionPaginate(ctx, q.k.lanes, req.Pagination,
		func(key laneKey, set types.LaneSet) (types.KeyLanes, error) {
			return types.KeyLanes{KeyId: key.K3(), Lanes: set.Lanes}, nil
		},
		func(o *query.CollectionsPaginateOptions[laneKey]) {
			prefix := collections.TripleSuperPrefix[uint64, uint64, uint64](req.Epoch, req.WorkerId)
			o.Prefix = &prefix
		})
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QueryWorkerLanesResponse{Keys: keys, Pagination: page}, nil
}

// Revenue returns the records of an epoch that are not summed yet; worker_id narrows them to one worker.
func (q queryServer) Revenue(ctx context.Context, req *types.QueryRevenueRequest) (*types.QueryRevenueResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	records, page, err := query.CollectionPaginate(ctx, q.k.revenue, req.Pagination,
		func(key revenueKey, r types.WorkerRevenue) (types.RevenueRecord, error) {
			return revenueRecord(key, r), nil
		},
		func(o *query.CollectionsPaginateOptions[revenueKey]) {
			prefix := collections.TriplePrefix[uint64, uint64, uint64](req.Epoch)
			if req.WorkerId != 0 {
				prefix = collections.TripleSuperPrefix[uint64, uint64, uint64](req.Epoch, req.WorkerId)
			}
			o.Prefix = &prefix
		})
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QueryRevenueResponse{Records: records, Pagination: page}, nil
}

// WorkerTotals returns the sums by worker of a closed epoch.
func (q queryServer) WorkerTotals(ctx context.Context, req *types.QueryWorkerTotalsRequest) (*types.QueryWorkerTotalsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	totals, page, err := pageOfTotals(ctx, q.k, q.k.workerTotals, req.Epoch, req.Pagination, workerTotal)
	if err != nil {
		return nil, err
	}
	return &types.QueryWorkerTotalsResponse{Totals: totals, Pagination: page}, nil
}

// ServiceTotals returns the sums by service of a closed epoch.
func (q queryServer) ServiceTotals(ctx context.Context, req *types.QueryServiceTotalsRequest) (*types.QueryServiceTotalsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	totals, page, err := pageOfTotals(ctx, q.k, q.k.serviceTotals, req.Epoch, req.Pagination, serviceTotal)
	if err != nil {
		return nil, err
	}
	return &types.QueryServiceTotalsResponse{Totals: totals, Pagination: page}, nil
}

func pageOfTotals[V any](
	ctx context.Context, k *Keeper, m collections.Map[totalKey, V], epoch uint64, page *query.PageRequest,
	record func(totalKey, V) types.RevenueRecord,
) ([]types.RevenueRecord, *query.PageResponse, error) {
	if _, err := k.EpochTotal(ctx, epoch); err != nil {
		return nil, nil, queryError(err)
	}
	totals, pageRes, err := query.CollectionPaginate(ctx, m, page,
		func(key totalKey, v V) (types.RevenueRecord, error) { return record(key, v), nil },
		query.WithCollectionPaginationPairPrefix[uint64, uint64](epoch))
	if err != nil {
		return nil, nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return totals, pageRes, nil
}

// EpochTotal returns the sum of a closed epoch, as far as it has got. One that is pruned, or on the way out, is not found.
func (q queryServer) EpochTotal(ctx context.Context, req *types.QueryEpochTotalRequest) (*types.QueryEpochTotalResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	if _, err := q.k.EpochTotal(ctx, req.Epoch); err != nil && !errors.Is(err, types.ErrNotSummed) {
		return nil, queryError(err)
	}
	total, err := q.k.epochTotals.Get(ctx, req.Epoch)
	if errors.Is(err, collections.ErrNotFound) {
		err = errorsmod.Wrapf(types.ErrNotSummed, "epoch %d", req.Epoch)
	}
	if err != nil {
		return nil, queryError(err)
	}
	return &types.QueryEpochTotalResponse{Total: total}, nil
}
