package keeper

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/rewards/types"
)

// Lock returns the lock of an operator with the boost of the open epoch, and that of the next one as things stand.
func (s queryServer) Lock(ctx context.Context, req *types.QueryLockRequest) (*types.QueryLockResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	operator, err := s.k.validatorCodec.StringToBytes(req.Operator)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "operator %.100q: %s", req.Operator, err)
	}
	lock, err := s.k.Lock(ctx, operator)
	if errors.Is(err, types.ErrLockNotFound) {
		return nil, status.Errorf(codes.NotFound, "%s has no lock", req.Operator)
	}
	if err != nil {
		return nil, err
	}
	current, err := s.k.epochKeeper.CurrentNumber(ctx)
	if err != nil {
		return nil, err
	}
	boost, err := s.k.boost(ctx, current, operator)
	if err != nil {
		return nil, err
	}
	next, err := s.k.nextBoost(ctx, operator, lock, current+1)
	if err != nil {
		return nil, err
	}
	return &types.QueryLockResponse{Lock: lock, Boost: boost, NextBoost: next}, nil
}

// nextBoost returns the boost of an operator if an epoch opened now.
func (k *Keeper) nextBoost(ctx context.Context, operator sdk.ValAddress, lock types.StakeLock, epoch uint64) (math.LegacyDec, error) {
	terms, err := k.Terms(ctx, epoch)
	if err != nil {
		return math.LegacyDec{}, err
	}
	v, err := k.stakingKeeper.GetValidator(ctx, operator)
	if errors.Is(err, stakingtypes.ErrNoValidatorFound) {
		return math.LegacyOneDec(), nil
	}
	if err != nil {
		return math.LegacyDec{}, err
	}
	return boostOf(lock, v, epoch, terms), nil
}

// Locks returns the locks that bind, by operator.
func (s queryServer) Locks(ctx context.Context, req *types.QueryLocksRequest) (*types.QueryLocksResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	current, err := s.k.epochKeeper.CurrentNumber(ctx)
	if err != nil {
		return nil, err
	}
	locks, page, err := query.CollectionFilteredPaginate(ctx, s.k.locks, req.Pagination,
		func(_ []byte, lock types.StakeLock) (bool, error) { return lock.Live(current), nil },
		func(_ []byte, lock types.StakeLock) (types.StakeLock, error) { return lock, nil })
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QueryLocksResponse{Locks: locks, Pagination: page}, nil
}

// Boosts returns the boosts of an epoch, by operator. Nodes without one have the boost 1.
func (s queryServer) Boosts(ctx context.Context, req *types.QueryBoostsRequest) (*types.QueryBoostsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	boosts, page, err := query.CollectionPaginate(ctx, s.k.boosts, req.Pagination,
		func(_ boostKey, b types.Boost) (types.Boost, error) { return b, nil },
		query.WithCollectionPaginationPairPrefix[uint64, []byte](req.Epoch))
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &types.QueryBoostsResponse{Boosts: boosts, Pagination: page}, nil
}
