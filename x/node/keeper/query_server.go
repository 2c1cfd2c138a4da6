package keeper

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/node/types"
)

type queryServer struct {
	k *Keeper
}

var _ types.QueryServer = queryServer{}

// NewQueryServerImpl returns the query service of x/node.
func NewQueryServerImpl(k *Keeper) types.QueryServer { return queryServer{k: k} }

var errEmptyRequest = status.Error(codes.InvalidArgument, "empty request")

// Params returns the parameters.
func (s queryServer) Params(ctx context.Context, _ *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	params, err := s.k.Params.Get(ctx)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &types.QueryParamsResponse{Params: params}, nil
}

// Worker returns one worker by its id, or NotFound.
func (s queryServer) Worker(ctx context.Context, req *types.QueryWorkerRequest) (*types.QueryWorkerResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	w, err := s.worker(ctx, req.Id)
	if err != nil {
		return nil, err
	}
	return &types.QueryWorkerResponse{Worker: w}, nil
}

// Workers returns all workers by id.
func (s queryServer) Workers(ctx context.Context, req *types.QueryWorkersRequest) (*types.QueryWorkersResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	workers, page, err := query.CollectionPaginate(ctx, s.k.Workers, req.Pagination,
		func(_ uint64, w types.Worker) (types.Worker, error) { return w, nil })
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QueryWorkersResponse{Workers: workers, Pagination: page}, nil
}

// WorkersByOperator returns the workers of one node by id.
func (s queryServer) WorkersByOperator(ctx context.Context, req *types.QueryWorkersByOperatorRequest) (*types.QueryWorkersByOperatorResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	operator, err := s.k.validatorCodec.StringToBytes(req.Operator)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "operator: %v", err)
	}
	workers, page, err := query.CollectionPaginate(ctx, s.k.Workers.Indexes.Operator, req.Pagination,
		func(key collections.Pair[[]byte, uint64], _ collections.NoValue) (types.Worker, error) {
			return s.k.Workers.Get(ctx, key.K2())
		},
		query.WithCollectionPaginationPairPrefix[[]byte, uint64](operator),
	)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QueryWorkersByOperatorResponse{Workers: workers, Pagination: page}, nil
}

// WorkerByPeerKey returns the worker with a peer key, or NotFound.
func (s queryServer) WorkerByPeerKey(ctx context.Context, req *types.QueryWorkerByPeerKeyRequest) (*types.QueryWorkerByPeerKeyResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	id, err := s.k.Workers.Indexes.PeerKey.MatchExact(ctx, req.PeerKey)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, status.Error(codes.NotFound, "no worker has this peer key")
	} else if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	w, err := s.worker(ctx, id)
	if err != nil {
		return nil, err
	}
	return &types.QueryWorkerByPeerKeyResponse{Worker: w}, nil
}

func (s queryServer) worker(ctx context.Context, id uint64) (types.Worker, error) {
	w, err := s.k.Worker(ctx, id)
	if errors.Is(err, types.ErrWorkerNotFound) {
		return w, status.Error(codes.NotFound, err.Error())
	} else if err != nil {
		return w, status.Error(codes.Internal, err.Error())
	}
	return w, nil
}

// Node returns participation and health of a node, or NotFound if it never opted in.
func (s queryServer) Node(ctx context.Context, req *types.QueryNodeRequest) (*types.QueryNodeResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	operator, err := s.k.validatorCodec.StringToBytes(req.Operator)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "operator: %v", err)
	}
	n, err := s.k.Nodes.Get(ctx, operator)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, status.Errorf(codes.NotFound, "node %s never opted in", req.Operator)
	} else if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	params, err := s.k.Params.Get(ctx)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	epoch, err := s.k.Epoch(ctx)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	height, err := s.k.epochHeight(ctx)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &types.QueryNodeResponse{
		Node:        n,
		Standing:    n.StandingFor(epoch+1, params.EligibilityEpochs).String(),
		ReportDue:   n.ReportDue(epoch),
		EpochsLeft:  n.EpochsLeft(epoch),
		Epoch:       epoch,
		EpochHeight: height,
	}, nil
}

// Nodes returns all nodes that have opted in at least once, by the bytes of their operators.
func (s queryServer) Nodes(ctx context.Context, req *types.QueryNodesRequest) (*types.QueryNodesResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	nodes, page, err := query.CollectionPaginate(ctx, s.k.Nodes, req.Pagination,
		func(_ []byte, n types.Node) (types.Node, error) { return n, nil })
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QueryNodesResponse{Nodes: nodes, Pagination: page}, nil
}
