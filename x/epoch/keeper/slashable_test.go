package keeper

import (
	"context"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/types"
)

func (f *stakes) slashable(operator sdk.ValAddress, delegator sdk.AccAddress) *types.QuerySlashableResponse {
	f.t.Helper()
	req := &types.QuerySlashableRequest{Operator: operator.String()}
	if delegator != nil {
		req.Delegator = delegator.String()
	}
	resp, err := f.query.Slashable(f.ctx, req)
	require.NoError(f.t, err)
	return resp
}

func TestQuerySlashable(t *testing.T) {
	f := newStakes(t)
	f.open(1)
	v, w := f.validator(1_000_000), f.validator(2_000_000)
	who := f.person()
	f.delegate(who, v, 600_000)
	f.until(5)
	require.Equal(t, &types.QuerySlashableResponse{}, f.slashable(v, who), "in no set, and nothing on its way out")

	f.undelegate(who, v, 100_000)
	early := f.ctx.BlockTime().Add(unbondingTime)
	f.block()
	f.undelegate(who, v, 200_000) // in the block of the freeze
	frozen := f.ctx.BlockHeight()
	inFreeze := f.ctx.BlockTime().Add(unbondingTime)
	f.send(f.member(v, 4))
	f.block()
	f.redelegate(who, v, w, 150_000)
	after := f.ctx.BlockTime().Add(unbondingTime)
	entries := func(slashable *time.Time) []types.SlashableEntry {
		return []types.SlashableEntry{
			{CreationHeight: frozen - 1, CompletionTime: early, Tokens: math.NewInt(100_000)},
			{CreationHeight: frozen, CompletionTime: inFreeze, Tokens: math.NewInt(200_000)},
			{RedelegatedTo: w.String(), CreationHeight: frozen + 1, CompletionTime: after, Tokens: math.NewInt(150_000), SlashableUntil: slashable},
		}
	}
	// In the set: the end is open.
	until := f.ctx.BlockTime().Add(evidenceAge)
	want := &types.QuerySlashableResponse{InSet: true, Until: &until, OldestFreeze: frozen, Entries: entries(&after)}
	require.Equal(t, want, f.slashable(v, who))
	want.Entries = nil
	require.Equal(t, want, f.slashable(v, nil))

	// Out of it by a set that is in force two blocks later.
	f.until(12)
	f.send(f.member(w, 4))
	sent := f.ctx.BlockTime()
	until = sent.Add(evidenceAge)
	f.block()
	resp := f.slashable(v, who)
	require.False(t, resp.InSet, "the next block has the new set")
	require.Equal(t, entries(&until), resp.Entries)
	require.Equal(t, until, *resp.Until)
	require.Equal(t, frozen, resp.OldestFreeze)
	require.True(t, f.slashable(w, nil).InSet)

	// Too old by time, not by blocks.
	f.ctx = f.ctx.WithBlockTime(until.Add(time.Minute))
	now := f.ctx.BlockTime()
	resp = f.slashable(v, who)
	require.Equal(t, entries(&now), resp.Entries)
	require.Equal(t, now, *resp.Until)

	// Too old by blocks as well.
	f.ctx = f.ctx.WithBlockHeight(13 + evidenceLimit - 1)
	require.NotNil(t, f.slashable(v, who).Entries[2].SlashableUntil)
	f.ctx = f.ctx.WithBlockHeight(13 + evidenceLimit)
	resp = f.slashable(v, who)
	require.Equal(t, entries(nil), resp.Entries)
	require.Equal(t, until, *resp.Until)
	require.Zero(t, resp.OldestFreeze)

	// Too old by blocks, not by time.
	f.ctx = f.ctx.WithBlockTime(until.Add(-time.Nanosecond))
	require.Equal(t, entries(&until), f.slashable(v, who).Entries)

	// What is paid out is not listed, even before x/staking has done so.
	f.ctx = f.ctx.WithBlockTime(inFreeze)
	require.Equal(t, entries(nil)[2:], f.slashable(v, who).Entries)
}

// Stake is never slashable for longer than it takes to be paid out.
func TestSlashableEndsWithTheUnbonding(t *testing.T) {
	f := newStakes(t)
	f.open(1)
	v, w := f.validator(1_000_000), f.validator(1_000_000)
	who := f.person()
	f.delegate(who, v, 600_000)
	f.block()
	f.send(f.member(v, 4))
	f.block()
	f.undelegate(who, v, 600_000)
	paid := f.ctx.BlockTime().Add(unbondingTime)
	f.ctx = f.ctx.WithBlockTime(paid.Add(-time.Hour))
	f.send(f.member(w, 4))
	f.until(f.ctx.BlockHeight() + 5)
	resp := f.slashable(v, who)
	require.Equal(t, paid, *resp.Entries[0].SlashableUntil)
	require.True(t, resp.Until.After(paid))
}

// Seats that are not in the set yet count: stake that leaves now is behind them.
func TestSlashableBeforeTheSeatsAreHandedOver(t *testing.T) {
	f := newStakes(t)
	f.open(1)
	v, w, spare, left := f.validator(1_000_000), f.validator(2_000_000), f.validator(1_500_000), f.validator(1_500_000)
	who := f.person()
	for _, operator := range []sdk.ValAddress{v, spare, left} {
		f.delegate(who, operator, 600_000)
	}
	require.NoError(t, f.k.handOver.Set(f.ctx, types.HandOver{Epoch: 1, Steps: 4}))
	one := blankElection(1)
	one.Seed, one.Elected = []byte{1}, []types.SeatRun{seatRun(w, 4, 2_000_000, 0)}
	f.elect(one)
	f.block()
	f.sendAt(1, f.member(w, 4))
	f.block()
	freeze := f.ctx.BlockHeight()
	f.undelegate(who, v, 1) // not behind the seats
	f.block()
	for _, operator := range []sdk.ValAddress{v, spare, left} {
		f.undelegate(who, operator, 300_000)
	}
	paid := f.ctx.BlockTime().Add(unbondingTime)

	slashableUntil := func(operator sdk.ValAddress) (out []*time.Time) {
		for _, e := range f.slashable(operator, who).Entries {
			out = append(out, e.SlashableUntil)
		}
		return out
	}
	require.Equal(t, []*time.Time{nil, nil}, slashableUntil(v), "nobody is frozen")

	// Frozen, not drawn.
	two := blankElection(2)
	two.FreezeHeight, two.ClosingHeight, two.Seats = freeze, freeze+10, 4
	f.elect(two)
	require.NoError(t, f.k.beacon.Set(f.ctx, types.Beacon{Epoch: 2, FreezeHeight: freeze, ClosingHeight: freeze + 10}))
	f.row(2, v, 1_600_000, types.INELIGIBILITY_NONE)
	f.row(2, spare, 1_600_000, types.INELIGIBILITY_NONE)
	f.row(2, left, 1_600_000, types.INELIGIBILITY_WAITING)
	require.Equal(t, []*time.Time{nil, &paid}, slashableUntil(v))
	require.False(t, f.slashable(v, who).InSet)
	require.Equal(t, []*time.Time{nil}, slashableUntil(left), "no candidate")

	// Drawn, and its seat is in the second step.
	require.NoError(t, f.k.beacon.Remove(f.ctx))
	two.Seed = []byte{1}
	two.Elected = []types.SeatRun{seatRun(left, 1, 1_600_000, freeze), seatRun(v, 1, 1_600_000, freeze)}
	two.Spares = []types.SeatRun{seatRun(spare, 2, 1_600_000, freeze)}
	f.elect(two)
	require.NoError(t, f.k.handOver.Set(f.ctx, types.HandOver{Epoch: 2, Steps: 1, NextHeight: 100}))
	require.True(t, f.slashable(v, who).InSet)
	require.Equal(t, []*time.Time{nil, &paid}, slashableUntil(v))
	require.False(t, f.slashable(spare, who).InSet)
	require.Equal(t, []*time.Time{&paid}, slashableUntil(spare), "a spare may get seats")
	f.leave(2, left, types.LEAVE_REASON_UNBONDED)
	require.False(t, f.slashable(left, who).InSet)
	require.Equal(t, []*time.Time{nil}, slashableUntil(left))
}

// fixedParams are consensus parameters as a query finds them: not in its context.
type fixedParams cmtproto.ConsensusParams

func (p fixedParams) Get(context.Context) (cmtproto.ConsensusParams, error) {
	return cmtproto.ConsensusParams(p), nil
}

func TestSlashableNeedsEvidenceParams(t *testing.T) {
	f := newStakes(t)
	f.open(1)
	v := f.validator(1_000_000)
	f.send(f.member(v, 4))
	params := f.ctx.ConsensusParams()
	f.ctx = f.ctx.WithConsensusParams(cmtproto.ConsensusParams{})
	_, err := f.query.Slashable(f.ctx, &types.QuerySlashableRequest{Operator: v.String()})
	require.Equal(t, codes.FailedPrecondition, status.Code(err))
	f.k.SetConsensusParams(fixedParams(params))
	require.Equal(t, f.ctx.BlockTime().Add(evidenceAge), *f.slashable(v, nil).Until)
	require.Panics(t, func() { f.k.SetConsensusParams(fixedParams(params)) })
}

func TestQuerySlashableRefuses(t *testing.T) {
	f := newStakes(t)
	f.open(1)
	v := f.validator(1_000_000)
	_, err := f.query.Slashable(f.ctx, &types.QuerySlashableRequest{Operator: sdk.ValAddress("nobody______________").String()})
	require.Equal(t, codes.NotFound, status.Code(err))
	_, err = f.query.Slashable(f.ctx, &types.QuerySlashableRequest{Operator: v.String(), Delegator: v.String()})
	require.Equal(t, codes.InvalidArgument, status.Code(err))
}
