package keeper

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/epoch/types"
)

// Beacon returns the seed of the open epoch and, while it is frozen, the state of the beacon.
func (s queryServer) Beacon(ctx context.Context, req *types.QueryBeaconRequest) (*types.QueryBeaconResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	e, err := s.k.Current(ctx)
	if err != nil {
		return nil, err
	}
	resp := &types.QueryBeaconResponse{Seed: e.Seed}
	b, err := s.k.beacon.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return resp, nil
	}
	if err != nil {
		return nil, err
	}
	resp.Beacon = &b
	return resp, nil
}

// BeaconKey returns the beacon key that a validator has registered.
func (s queryServer) BeaconKey(ctx context.Context, req *types.QueryBeaconKeyRequest) (*types.QueryBeaconKeyResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	operator, text, err := s.operator(req.Operator)
	if err != nil {
		return nil, err
	}
	key, err := s.k.beaconKeys.Get(ctx, operator)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, status.Errorf(codes.NotFound, "%s has registered no beacon key", text)
	}
	if err != nil {
		return nil, err
	}
	return &types.QueryBeaconKeyResponse{Key: key}, nil
}

// BeaconKeys returns the beacon keys of all validators, by the bytes of the operator's address.
func (s queryServer) BeaconKeys(ctx context.Context, req *types.QueryBeaconKeysRequest) (*types.QueryBeaconKeysResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	page, err := bounded(req.Pagination)
	if err != nil {
		return nil, err
	}
	keys, next, err := query.CollectionPaginate(ctx, s.k.beaconKeys, page,
		func(_ []byte, key types.BeaconKey) (types.BeaconKey, error) { return key, nil })
	if err != nil {
		return nil, err
	}
	return &types.QueryBeaconKeysResponse{Keys: keys, Pagination: next}, nil
}

// operator decodes the address of an operator in a request, and returns it in its canonical form as well.
func (s queryServer) operator(text string) (operator []byte, canonical string, err error) {
	operator, err = s.k.operators.StringToBytes(text)
	if err != nil {
		return nil, "", status.Errorf(codes.InvalidArgument, "operator %.100q, want the operator address of a validator (edgevaloper1...): %s", text, err)
	}
	canonical, err = s.k.operators.BytesToString(operator)
	return operator, canonical, err
}

// bounded returns the request of a page with at most maxPage entries. A page is found by a key or by an offset, not by both.
func bounded(page *query.PageRequest) (*query.PageRequest, error) {
	if page == nil {
		return &query.PageRequest{Limit: query.DefaultLimit}, nil
	}
	if len(page.Key) != 0 && page.Offset != 0 {
		return nil, status.Error(codes.InvalidArgument, "the page key is that of an earlier answer, without an offset")
	}
	p := *page
	if p.Limit == 0 {
		p.Limit = query.DefaultLimit
	}
	p.Limit = min(p.Limit, maxPage)
	return &p, nil
}
