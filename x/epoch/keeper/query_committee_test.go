package keeper

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/epoch/types"
)

func TestQueryElection(t *testing.T) {
	f := newStakes(t)
	f.open(4)
	_, err := f.query.Election(f.ctx, &types.QueryElectionRequest{})
	require.Equal(t, codes.NotFound, status.Code(err))
	_, err = f.query.Election(f.ctx, &types.QueryElectionRequest{Epoch: 3})
	require.Equal(t, codes.NotFound, status.Code(err))
	for n := uint64(3); n <= 5; n++ {
		f.elect(blankElection(n))
	}
	for asked, want := range map[uint64]uint64{0: 5, 3: 3, 5: 5} {
		resp, err := f.query.Election(f.ctx, &types.QueryElectionRequest{Epoch: asked})
		require.NoError(t, err)
		require.Equal(t, blankElection(want), resp.Election)
	}
	for _, epoch := range []uint64{1, 2, 6, 1 << 63} {
		_, err := f.query.Election(f.ctx, &types.QueryElectionRequest{Epoch: epoch})
		require.Equal(t, codes.NotFound, status.Code(err))
		require.ErrorContains(t, err, "3 to 5")
		_, err = f.query.Frozen(f.ctx, &types.QueryFrozenRequest{Epoch: epoch})
		require.Equal(t, codes.NotFound, status.Code(err))
		_, err = f.query.Committee(f.ctx, &types.QueryCommitteeRequest{Epoch: epoch})
		require.Equal(t, codes.NotFound, status.Code(err))
	}
}

func TestQueryFrozenPages(t *testing.T) {
	f := newStakes(t)
	for n := uint64(1); n <= 3; n++ {
		f.elect(blankElection(n))
		for i := range int64(5) {
			f.row(n, sdk.ValAddress(strings.Repeat(string(rune('a'+i)), 20)), 100*int64(n)+i, types.INELIGIBILITY_NONE)
		}
	}
	for asked, want := range map[uint64]int64{0: 300, 1: 100, 2: 200} {
		for _, reverse := range []bool{false, true} {
			var got []int64
			var key []byte
			for {
				resp, err := f.query.Frozen(f.ctx, &types.QueryFrozenRequest{
					Epoch: asked, Pagination: &query.PageRequest{Key: key, Limit: 2, Reverse: reverse},
				})
				require.NoError(t, err)
				for _, v := range resp.Validators {
					got = append(got, v.Tokens.Int64()-want)
				}
				if key = resp.Pagination.NextKey; key == nil {
					break
				}
			}
			if reverse {
				require.Equal(t, []int64{4, 3, 2, 1, 0}, got)
			} else {
				require.Equal(t, []int64{0, 1, 2, 3, 4}, got)
			}
		}
	}
	resp, err := f.query.Frozen(f.ctx, &types.QueryFrozenRequest{Pagination: &query.PageRequest{Offset: 1, Limit: 1, CountTotal: true}})
	require.NoError(t, err)
	require.Len(t, resp.Validators, 1)
	require.EqualValues(t, 5, resp.Pagination.Total)
}

func TestQueryCommittee(t *testing.T) {
	f := newStakes(t)
	f.open(4)
	a, b, c, d := sdk.ValAddress("a___________________"), sdk.ValAddress("b___________________"),
		sdk.ValAddress("c___________________"), sdk.ValAddress("d___________________")
	e := blankElection(4)
	e.Seed, e.Seats = []byte{1}, 8
	e.Elected = []types.SeatRun{seatRun(a, 4, 400, 7), seatRun(b, 2, 200, 7), seatRun(c, 2, 190, 7)}
	e.Spares = []types.SeatRun{seatRun(d, 1, 50, 7), seatRun(b, 3, 200, 7), seatRun(a, 4, 400, 7)}
	f.elect(e)
	committee := func(epoch uint64) *types.QueryCommitteeResponse {
		t.Helper()
		resp, err := f.query.Committee(f.ctx, &types.QueryCommitteeRequest{Epoch: epoch})
		require.NoError(t, err)
		return resp
	}
	member := func(operator sdk.ValAddress, elected, held uint32, tokens int64) types.CommitteeMember {
		return types.CommitteeMember{Operator: operator.String(), Elected: elected, Held: held, Tokens: math.NewInt(tokens)}
	}
	require.Equal(t, &types.QueryCommitteeResponse{
		Epoch: 4, Seats: 8, Members: []types.CommitteeMember{member(a, 4, 4, 400), member(b, 2, 2, 200), member(c, 2, 2, 190)},
	}, committee(0), "the open epoch")

	f.leave(4, c, types.LEAVE_REASON_MISSED_REVEAL)
	resp := committee(4)
	require.EqualValues(t, 2, resp.Vacant, "three quarters are held: no spare is called")
	require.Equal(t, []types.CommitteeMember{member(a, 4, 4, 400), member(b, 2, 2, 200), member(c, 2, 0, 190)}, resp.Members)
	require.Equal(t, []types.Leaving{{Epoch: 4, Operator: c.String(), Reason: types.LEAVE_REASON_MISSED_REVEAL, Height: 1}}, resp.Leavings)

	f.leave(4, b, types.LEAVE_REASON_UNBONDED)
	resp = committee(4)
	require.Zero(t, resp.Vacant)
	require.Equal(t, []types.CommitteeMember{member(a, 4, 7, 400), member(d, 0, 1, 50), member(b, 2, 0, 200), member(c, 2, 0, 190)}, resp.Members)

	f.leave(4, a, types.LEAVE_REASON_UNBONDED)
	require.EqualValues(t, 7, committee(4).Vacant, "nobody is left for them")

	// Frozen, not drawn.
	e = blankElection(5)
	e.ClosingHeight = 99
	f.elect(e)
	_, err := f.query.Committee(f.ctx, &types.QueryCommitteeRequest{Epoch: 5})
	require.Equal(t, codes.NotFound, status.Code(err))
	require.ErrorContains(t, err, "block 99")
}

func TestQuerySeats(t *testing.T) {
	f := newStakes(t)
	f.open(6)
	v, w := f.validator(1_000), f.validator(2_000)
	drawn := func(n uint64, fallback, drawFallback types.Fallback, candidates uint32, elected ...types.SeatRun) {
		e := blankElection(n)
		e.Seed, e.Seats, e.Candidates, e.Elected = []byte{1}, 2, candidates, elected
		e.Fallback, e.DrawFallback, e.HealthyTokens = fallback, drawFallback, math.NewInt(int64(1_000*n))
		f.elect(e)
	}
	// 1: w alone stood. 2: v won. 3: v stood and won nothing. 4: a fallback over two of three. 5: kept. 6: not drawn.
	drawn(1, types.FALLBACK_NONE, types.FALLBACK_NONE, 1, seatRun(w, 10, 2_000, 1))
	drawn(2, types.FALLBACK_NONE, types.FALLBACK_NONE, 2, seatRun(w, 6, 2_000, 1), seatRun(v, 4, 1_000, 1))
	f.row(2, v, 1_000, types.INELIGIBILITY_NONE)
	drawn(3, types.FALLBACK_NONE, types.FALLBACK_NONE, 1, seatRun(w, 10, 2_000, 1))
	f.row(3, v, 1_100, types.INELIGIBILITY_WAITING)
	drawn(4, types.FALLBACK_PARTICIPATION, types.FALLBACK_PARTICIPATION, 2, seatRun(w, 1, 2_000, 1), seatRun(v, 1, 1_200, 1))
	f.row(4, v, 1_200, types.INELIGIBILITY_NOT_OPTED_IN)
	f.row(4, w, 2_000, types.INELIGIBILITY_NONE)
	f.row(4, sdk.ValAddress("small_______________"), 10, types.INELIGIBILITY_NONE)
	f.row(4, sdk.ValAddress("jailed______________"), 9_000, types.INELIGIBILITY_JAILED)
	drawn(5, types.FALLBACK_KEPT, types.FALLBACK_COMMITTEE, 0, seatRun(w, 1, 2_000, 1), seatRun(v, 1, 1_200, 1))
	e := blankElection(6)
	f.elect(e)
	f.row(6, v, 1_300, types.INELIGIBILITY_NONE)

	won := func(epoch uint64, seats, of uint32, tokens, candidates int64, why types.Ineligibility) types.SeatsWon {
		return types.SeatsWon{
			Epoch: epoch, Seats: seats, Of: of, Tokens: math.NewInt(tokens), CandidateTokens: math.NewInt(candidates), Ineligibility: why,
		}
	}
	want := []types.SeatsWon{
		won(5, 1, 2, 0, 0, types.INELIGIBILITY_NOT_BONDED),
		won(4, 1, 2, 1_200, 3_200, types.INELIGIBILITY_NOT_OPTED_IN),
		won(3, 0, 10, 1_100, 3_000, types.INELIGIBILITY_WAITING),
		won(2, 4, 10, 1_000, 2_000, types.INELIGIBILITY_NONE),
	}
	seats := func(operator string, page *query.PageRequest) *types.QuerySeatsResponse {
		t.Helper()
		resp, err := f.query.Seats(f.ctx, &types.QuerySeatsRequest{Operator: operator, Pagination: page})
		require.NoError(t, err)
		return resp
	}
	require.Equal(t, want, seats(v.String(), nil).Seats)
	require.Equal(t, want, seats(strings.ToUpper(v.String()), nil).Seats, "an address may be written in capitals")
	require.Equal(t, []types.SeatsWon{want[3], want[2], want[1], want[0]}, seats(v.String(), &query.PageRequest{Reverse: true}).Seats)
	var paged []types.SeatsWon
	var key []byte
	for {
		resp := seats(v.String(), &query.PageRequest{Key: key, Limit: 1})
		paged = append(paged, resp.Seats...)
		if key = resp.Pagination.NextKey; key == nil {
			break
		}
	}
	require.Equal(t, want, paged)

	require.Empty(t, seats(f.validator(5).String(), nil).Seats, "a validator that was in no record")
	_, err := f.query.Seats(f.ctx, &types.QuerySeatsRequest{Operator: sdk.ValAddress("nobody______________").String()})
	require.Equal(t, codes.NotFound, status.Code(err))
}

func TestQueryValidatorSet(t *testing.T) {
	f := newStakes(t)
	_, err := f.query.ValidatorSet(f.ctx, &types.QueryValidatorSetRequest{})
	require.Equal(t, codes.NotFound, status.Code(err))
	f.until(30)
	for _, height := range []int64{5, 12, 32} {
		f.sendAt(height)
	}
	for asked, want := range map[int64]int64{5: 5, 11: 5, 12: 12, 31: 12, 32: 32, 0: 32} {
		resp, err := f.query.ValidatorSet(f.ctx, &types.QueryValidatorSetRequest{Height: asked})
		require.NoError(t, err)
		require.Equal(t, want, resp.Set.Height, "height %d", asked)
	}
	for asked, want := range map[int64]codes.Code{4: codes.NotFound, 33: codes.InvalidArgument, -1: codes.InvalidArgument} {
		_, err := f.query.ValidatorSet(f.ctx, &types.QueryValidatorSetRequest{Height: asked})
		require.Equal(t, want, status.Code(err), "height %d", asked)
	}
}
