package keeper

import (
	"context"
	"encoding/binary"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/rewards/types"
)

const (
	// defaultPending and maxPending bound the entries that a page of pending payments visits.
	defaultPending = 200
	maxPending     = 1_000
	// pendingKeySize is epoch(8) | part(1) | three ids of 8 bytes.
	pendingKeySize = 8 + 1 + 3*8
)

// Pending returns what an operator, named by the address of his validator, or an owner of services, named by that of his account, has
// earned and not been paid. The limit bounds the entries that are looked at: a page can have fewer payments, or none, and be followed
// by another one.
func (s queryServer) Pending(ctx context.Context, req *types.QueryPendingRequest) (*types.QueryPendingResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	who, err := s.k.payeeOf(req.Address)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "address %.100q, want that of an account or of a validator: %s", req.Address, err)
	}
	page := req.Pagination
	if page == nil {
		page = &query.PageRequest{}
	}
	if page.Offset != 0 || page.Reverse || page.CountTotal {
		return nil, status.Error(codes.InvalidArgument, "pages go forward, by their key")
	}
	begin, err := parsePendingKey(page.Key)
	if err != nil {
		return nil, err
	}
	limit := page.Limit
	if limit == 0 {
		limit = defaultPending
	}
	payments, next, err := s.k.pending(ctx, who, begin, uint32(min(limit, maxPending)))
	if err != nil {
		return nil, err
	}
	res := &types.QueryPendingResponse{Payments: payments, Pagination: &query.PageResponse{}}
	if next != nil {
		res.Pagination.NextKey = next.key()
	}
	return res, nil
}

func (p pendingPosition) key() []byte {
	key := append(binary.BigEndian.AppendUint64(nil, p.epoch), byte(p.part))
	for _, id := range p.ids {
		key = binary.BigEndian.AppendUint64(key, id)
	}
	return key
}

func parsePendingKey(key []byte) (p pendingPosition, err error) {
	if len(key) == 0 {
		return p, nil
	}
	if len(key) != pendingKeySize {
		return p, status.Errorf(codes.InvalidArgument, "page key of %d bytes, want %d", len(key), pendingKeySize)
	}
	p.epoch, p.part = binary.BigEndian.Uint64(key), pendingPart(key[8])
	for i := range p.ids {
		p.ids[i] = binary.BigEndian.Uint64(key[9+8*i:])
	}
	return p, nil
}
