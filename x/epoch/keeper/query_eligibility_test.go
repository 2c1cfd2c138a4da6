package keeper

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

func TestQueryEligibility(t *testing.T) {
	f := newStakes(t)
	f.open(7)
	v := f.validator(1_000_000)
	other := f.validator(5_000_000)
	f.block()
	ask := func() *types.QueryEligibilityResponse {
		t.Helper()
		resp, err := f.query.Eligibility(f.ctx, &types.QueryEligibilityRequest{Operator: v.String()})
		require.NoError(t, err)
		require.EqualValues(t, 8, resp.Epoch)
		require.Equal(t, resp.Ineligibility == types.INELIGIBILITY_NONE, resp.Eligible)
		require.Equal(t, resp.Eligible, resp.Reason == "")
		return resp
	}
	expect := func(want types.Ineligibility, words string) {
		t.Helper()
		got := ask()
		require.Equal(t, want, got.Ineligibility)
		require.Contains(t, got.Reason, words)
	}
	for standing, want := range map[nodetypes.Standing]types.Ineligibility{
		nodetypes.StandingNotOptedIn: types.INELIGIBILITY_NOT_OPTED_IN,
		nodetypes.StandingLapsed:     types.INELIGIBILITY_LAPSED,
		nodetypes.StandingWaiting:    types.INELIGIBILITY_WAITING,
		nodetypes.StandingUnhealthy:  types.INELIGIBILITY_NO_BEACON_KEY,
		nodetypes.StandingOK:         types.INELIGIBILITY_NO_BEACON_KEY,
	} {
		f.nodes[string(v)] = standing
		expect(want, "edged ")
	}
	f.nodes[string(v)] = nodetypes.StandingOK
	require.NoError(t, f.k.beaconKeys.Set(f.ctx, v, types.BeaconKey{Operator: v.String(), PubKey: make([]byte, 48)}))
	expect(types.INELIGIBILITY_NONE, "")
	f.nodes[string(v)] = nodetypes.StandingUnhealthy
	expect(types.INELIGIBILITY_UNHEALTHY, "down in two epochs")
	f.nodes[string(v)] = nodetypes.StandingOK

	// What the record says counts from the freeze on, whatever happens.
	before := f.ctx
	f.ctx, _ = f.ctx.CacheContext()
	e := blankElection(8)
	f.elect(e)
	f.row(8, v, 1, types.INELIGIBILITY_WAITING)
	got := ask()
	require.True(t, got.Frozen)
	require.Equal(t, types.INELIGIBILITY_WAITING, got.Ineligibility)
	require.Contains(t, got.Reason, "record")
	resp, err := f.query.Eligibility(f.ctx, &types.QueryEligibilityRequest{Operator: other.String()})
	require.NoError(t, err)
	require.Equal(t, types.INELIGIBILITY_NOT_BONDED, resp.Ineligibility, "not in the record")
	f.row(8, v, 1, types.INELIGIBILITY_NONE)
	require.True(t, ask().Eligible)
	f.ctx = before

	for range 5 {
		f.validator(2_000_000)
	}
	f.block()
	expect(types.INELIGIBILITY_NOT_BONDED, "more stake")
	require.NoError(t, f.staking.Jail(f.ctx, f.consAddr(other)))
	resp, err = f.query.Eligibility(f.ctx, &types.QueryEligibilityRequest{Operator: other.String()})
	require.NoError(t, err)
	require.Equal(t, types.INELIGIBILITY_JAILED, resp.Ineligibility)
	require.Contains(t, resp.Reason, "unjail")

	_, err = f.query.Eligibility(f.ctx, &types.QueryEligibilityRequest{Operator: sdk.ValAddress("nobody______________").String()})
	require.Equal(t, codes.NotFound, status.Code(err))
}

// Every reason tells the operator something.
func TestReasons(t *testing.T) {
	for i := range types.Ineligibility_name {
		switch why := types.Ineligibility(i); why {
		case types.INELIGIBILITY_UNSPECIFIED, types.INELIGIBILITY_NONE:
		default:
			require.NotEqual(t, why.String(), reason(why, "edgevaloper1x"), "no words for it")
		}
	}
}
