package keeper

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/epoch/committee"
	"github.com/edgechain/edge/x/epoch/types"
)

// updateDelay is the number of blocks after which the updates that EndBlock sends are in force.
const updateDelay = 2

// maxElections bounds the elections of one answer about a validator: each of them may cost the rows of a whole record.
const maxElections = 100

// Election returns the record of the freeze and of the draw for the committee of an epoch.
func (s queryServer) Election(ctx context.Context, req *types.QueryElectionRequest) (*types.QueryElectionResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	e, err := s.election(ctx, req.Epoch)
	if err != nil {
		return nil, err
	}
	return &types.QueryElectionResponse{Election: e}, nil
}

// Frozen returns the rows of the record of a freeze, by the bytes of the operator's address.
func (s queryServer) Frozen(ctx context.Context, req *types.QueryFrozenRequest) (*types.QueryFrozenResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	page, err := bounded(req.Pagination)
	if err != nil {
		return nil, err
	}
	e, err := s.election(ctx, req.Epoch)
	if err != nil {
		return nil, err
	}
	rows, next, err := query.CollectionPaginate(ctx, s.k.frozen, page,
		func(_ operatorKey, v types.FrozenValidator) (types.FrozenValidator, error) { return v, nil },
		query.WithCollectionPaginationPairPrefix[uint64, []byte](e.Epoch))
	if err != nil {
		return nil, err
	}
	return &types.QueryFrozenResponse{Validators: rows, Pagination: next}, nil
}

// election returns the election of an epoch, or the newest one for epoch 0.
func (s queryServer) election(ctx context.Context, epoch uint64) (types.Election, error) {
	if epoch != 0 {
		e, err := s.k.elections.Get(ctx, epoch)
		if !errors.Is(err, collections.ErrNotFound) {
			return e, err
		}
	}
	oldest, err := first(ctx, s.k.elections, collections.OrderAscending)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Election{}, status.Error(codes.NotFound, "there has been no election yet")
	}
	if err != nil {
		return types.Election{}, err
	}
	newest, err := first(ctx, s.k.elections, collections.OrderDescending)
	if err != nil {
		return types.Election{}, err
	}
	if epoch == 0 {
		return newest, nil
	}
	return types.Election{}, status.Errorf(codes.NotFound,
		"no election of epoch %d: those of the epochs %d to %d are kept", epoch, oldest.Epoch, newest.Epoch)
}

// first returns the first value of a map in an order, or ErrNotFound.
func first[K, V any](ctx context.Context, m collections.Map[K, V], order collections.Order) (v V, err error) {
	rng := new(collections.Range[K])
	if order == collections.OrderDescending {
		rng = rng.Descending()
	}
	err = collections.ErrNotFound
	walk := m.Walk(ctx, rng, func(_ K, got V) (bool, error) {
		v, err = got, nil
		return true, nil
	})
	if walk != nil {
		return v, walk
	}
	return v, err
}

// Committee returns who was elected for an epoch, who left, and who holds the seats: those who hold most of them first.
func (s queryServer) Committee(ctx context.Context, req *types.QueryCommitteeRequest) (*types.QueryCommitteeResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	epoch := req.Epoch
	if epoch == 0 {
		current, err := s.k.CurrentNumber(ctx)
		if err != nil {
			return nil, err
		}
		epoch = current
	}
	e, err := s.election(ctx, epoch)
	if err != nil {
		return nil, err
	}
	if !e.Drawn() {
		return nil, status.Errorf(codes.NotFound, "the committee of epoch %d is drawn at the end of block %d", e.Epoch, e.ClosingHeight)
	}
	leavings, err := s.k.leavingsOf(ctx, e.Epoch)
	if err != nil {
		return nil, err
	}
	seats := holders(e, leavings)
	resp := &types.QueryCommitteeResponse{Epoch: e.Epoch, Seats: uint32(len(seats)), Leavings: leavings}
	index := make(map[string]int)
	member := func(operator string, tokens math.Int) *types.CommitteeMember {
		i, ok := index[operator]
		if !ok {
			i = len(resp.Members)
			index[operator] = i
			resp.Members = append(resp.Members, types.CommitteeMember{Operator: operator, Tokens: tokens})
		}
		return &resp.Members[i]
	}
	for _, r := range e.Elected {
		member(r.Operator, r.Tokens).Elected += r.Seats
	}
	for _, seat := range seats {
		if seat.Vacant() {
			resp.Vacant++
			continue
		}
		member(seat.Operator, seat.Tokens).Held++
	}
	slices.SortFunc(resp.Members, func(a, b types.CommitteeMember) int {
		return cmp.Or(cmp.Compare(b.Held, a.Held), cmp.Compare(b.Elected, a.Elected), b.Tokens.BigInt().Cmp(a.Tokens.BigInt()),
			cmp.Compare(a.Operator, b.Operator))
	})
	return resp, nil
}

// leavingsOf lists who left an election.
func (k *Keeper) leavingsOf(ctx context.Context, epoch uint64) (out []types.Leaving, err error) {
	rng := collections.NewPrefixedPairRange[uint64, []byte](epoch)
	err = k.leavings.Walk(ctx, rng, func(_ operatorKey, l types.Leaving) (bool, error) {
		out = append(out, l)
		return false, nil
	})
	return out, err
}

// holders returns who holds each seat of an election that is drawn.
func holders(e types.Election, leavings []types.Leaving) []committee.Seat {
	left := make(map[string]bool, len(leavings))
	for _, l := range leavings {
		left[l.Operator] = true
	}
	return committee.Holders(e.Elected, e.Spares, func(operator string) bool { return left[operator] })
}

// Seats returns what a validator won in the elections that are kept, newest first, or oldest first if the page asks for the
// reverse. An election is left out if the validator neither stood in its record nor holds a seat by it.
func (s queryServer) Seats(ctx context.Context, req *types.QuerySeatsRequest) (*types.QuerySeatsResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	operator, text, err := s.operator(req.Operator)
	if err != nil {
		return nil, err
	}
	page, err := bounded(req.Pagination)
	if err != nil {
		return nil, err
	}
	page.Limit = min(page.Limit, maxElections)
	page.Reverse = !page.Reverse
	won, next, err := query.CollectionFilteredPaginate(ctx, s.k.elections, page,
		func(epoch uint64, e types.Election) (bool, error) {
			if !e.Drawn() {
				return false, nil
			}
			if seats, _ := seatsOf(e.Elected, text); seats > 0 {
				return true, nil
			}
			return s.k.frozen.Has(ctx, collections.Join(epoch, operator))
		},
		func(_ uint64, e types.Election) (types.SeatsWon, error) { return s.won(ctx, e, operator, text) })
	if err != nil {
		return nil, err
	}
	if len(won) == 0 {
		if err := s.known(ctx, operator, text); err != nil {
			return nil, err
		}
	}
	return &types.QuerySeatsResponse{Seats: won, Pagination: next}, nil
}

// won tells what a validator won in an election.
func (s queryServer) won(ctx context.Context, e types.Election, operator []byte, text string) (types.SeatsWon, error) {
	w := types.SeatsWon{Epoch: e.Epoch, Tokens: math.ZeroInt(), Ineligibility: types.INELIGIBILITY_NOT_BONDED}
	w.Seats, w.Of = seatsOf(e.Elected, text)
	row, err := s.k.frozen.Get(ctx, collections.Join(e.Epoch, operator))
	switch {
	case err == nil:
		w.Tokens, w.Ineligibility = row.Tokens, row.Ineligibility
	case !errors.Is(err, collections.ErrNotFound):
		return w, err
	}
	w.CandidateTokens, err = s.candidateTokens(ctx, e)
	return w, err
}

// candidateTokens is the stake over which the draw of an election ran, 0 if the seats of the election before were kept.
func (s queryServer) candidateTokens(ctx context.Context, e types.Election) (math.Int, error) {
	switch e.Fallback {
	case types.FALLBACK_NONE:
		return e.HealthyTokens, nil
	case types.FALLBACK_KEPT:
		return math.ZeroInt(), nil
	}
	// The pool of a fallback is not stored; it follows from the record.
	rows, err := s.k.rows(ctx, e.Epoch)
	if err != nil {
		return math.Int{}, err
	}
	total := math.ZeroInt()
	for _, v := range e.DrawCandidates(rows) {
		total = total.Add(v.Tokens)
	}
	return total, nil
}

// seatsOf counts the seats of an operator in the result of a draw, and all of them.
func seatsOf(runs []types.SeatRun, operator string) (seats, all uint32) {
	for _, r := range runs {
		all += r.Seats
		if r.Operator == operator {
			seats += r.Seats
		}
	}
	return seats, all
}

// ValidatorSet returns the set that is in force at a height, or the newest one that was sent.
func (s queryServer) ValidatorSet(goCtx context.Context, req *types.QueryValidatorSetRequest) (*types.QueryValidatorSetResponse, error) {
	if req == nil {
		return nil, errEmptyRequest
	}
	ctx := sdk.UnwrapSDKContext(goCtx)
	// What EndBlock sends is in force two blocks later, so that is how far the future is known.
	known := ctx.BlockHeight() + updateDelay
	if req.Height < 0 || req.Height > known {
		return nil, status.Errorf(codes.InvalidArgument, "height %d, want 1 to %d, the last one whose validators are known, or 0 for the newest set", req.Height, known)
	}
	set, err := s.set(ctx, req.Height)
	if errors.Is(err, collections.ErrNotFound) {
		oldest, err := first(ctx, s.k.validatorSets, collections.OrderAscending)
		if errors.Is(err, collections.ErrNotFound) {
			return nil, status.Error(codes.NotFound, "no validator set has been sent yet")
		}
		if err != nil {
			return nil, err
		}
		return nil, status.Errorf(codes.NotFound, "the set of height %d is not kept any more: the oldest one is in force from height %d on", req.Height, oldest.Height)
	}
	if err != nil {
		return nil, err
	}
	return &types.QueryValidatorSetResponse{Set: set}, nil
}

// set returns the set that is in force at a height, or the newest one for height 0.
func (s queryServer) set(ctx context.Context, height int64) (types.ValidatorSet, error) {
	if height == 0 {
		return first(ctx, s.k.validatorSets, collections.OrderDescending)
	}
	return s.k.setAt(ctx, height)
}
