package keeper

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/epoch/types"
)

func TestQueryBeacon(t *testing.T) {
	f := newStakes(t)
	f.open(7)
	resp, err := f.query.Beacon(f.ctx, &types.QueryBeaconRequest{})
	require.NoError(t, err)
	require.Equal(t, &types.QueryBeaconResponse{Seed: []byte{1, 2}}, resp)

	b := types.Beacon{Epoch: 8, FreezeHeight: 10, ClosingHeight: 20, Start: []byte{3}, Mix: []byte{4}, Reveals: 5}
	require.NoError(t, f.k.beacon.Set(f.ctx, b))
	resp, err = f.query.Beacon(f.ctx, &types.QueryBeaconRequest{})
	require.NoError(t, err)
	require.Equal(t, &types.QueryBeaconResponse{Seed: []byte{1, 2}, Beacon: &b}, resp)
}

func TestQueryCurrentHandOver(t *testing.T) {
	f := newStakes(t)
	f.open(7)
	h := types.HandOver{Epoch: 7, Steps: 2, NextHeight: 30, StepBlocks: 4}
	require.NoError(t, f.k.handOver.Set(f.ctx, h))
	resp, err := f.query.Current(f.ctx, &types.QueryCurrentRequest{})
	require.NoError(t, err)
	require.Equal(t, h, resp.HandOver)
}

func TestQueryBeaconKeys(t *testing.T) {
	f := newStakes(t)
	var all []types.BeaconKey
	for i := range byte(5) {
		operator := sdk.ValAddress(bytes.Repeat([]byte{i + 1}, 20))
		key := types.BeaconKey{Operator: operator.String(), PubKey: bytes.Repeat([]byte{i}, 48), Height: int64(i)}
		require.NoError(t, f.k.beaconKeys.Set(f.ctx, operator, key))
		all = append(all, key)
	}
	one, err := f.query.BeaconKey(f.ctx, &types.QueryBeaconKeyRequest{Operator: all[2].Operator})
	require.NoError(t, err)
	require.Equal(t, all[2], one.Key)
	_, err = f.query.BeaconKey(f.ctx, &types.QueryBeaconKeyRequest{Operator: sdk.ValAddress("without a key_______").String()})
	require.Equal(t, codes.NotFound, status.Code(err))

	for _, reverse := range []bool{false, true} {
		var got []types.BeaconKey
		var key []byte
		for {
			resp, err := f.query.BeaconKeys(f.ctx, &types.QueryBeaconKeysRequest{Pagination: &query.PageRequest{Key: key, Limit: 2, Reverse: reverse}})
			require.NoError(t, err)
			require.LessOrEqual(t, len(resp.Keys), 2)
			got = append(got, resp.Keys...)
			if key = resp.Pagination.NextKey; key == nil {
				break
			}
		}
		want := append([]types.BeaconKey(nil), all...)
		if reverse {
			for i := range want {
				want[i] = all[len(all)-1-i]
			}
		}
		require.Equal(t, want, got)
	}
	_, err = f.query.BeaconKeys(f.ctx, &types.QueryBeaconKeysRequest{Pagination: &query.PageRequest{Key: []byte{1}, Offset: 1}})
	require.Equal(t, codes.InvalidArgument, status.Code(err))
}

func TestPagesAreBounded(t *testing.T) {
	for name, tc := range map[string]struct {
		page *query.PageRequest
		want uint64
	}{
		"none":     {nil, query.DefaultLimit},
		"no limit": {&query.PageRequest{}, query.DefaultLimit},
		"limit":    {&query.PageRequest{Limit: 7}, 7},
		"too much": {&query.PageRequest{Limit: 1 << 63}, maxPage},
	} {
		got, err := bounded(tc.page)
		require.NoError(t, err)
		require.Equal(t, tc.want, got.Limit, name)
	}
	asked := &query.PageRequest{}
	_, err := bounded(asked)
	require.NoError(t, err)
	require.Zero(t, asked.Limit, "the request is the caller's")
}

// Every query of an operator refuses what is no address of one and says what would be.
func TestQueriesRefuseWhatIsNoOperator(t *testing.T) {
	f := newStakes(t)
	f.open(1)
	account := f.person().String()
	for _, operator := range []string{"", "x", account, string(make([]byte, 10_000))} {
		for name, q := range map[string]func() error{
			"beacon key": func() error {
				_, err := f.query.BeaconKey(f.ctx, &types.QueryBeaconKeyRequest{Operator: operator})
				return err
			},
			"seats": func() error {
				_, err := f.query.Seats(f.ctx, &types.QuerySeatsRequest{Operator: operator})
				return err
			},
			"eligibility": func() error {
				_, err := f.query.Eligibility(f.ctx, &types.QueryEligibilityRequest{Operator: operator})
				return err
			},
			"slashable": func() error {
				_, err := f.query.Slashable(f.ctx, &types.QuerySlashableRequest{Operator: operator})
				return err
			},
		} {
			err := q()
			require.Equal(t, codes.InvalidArgument, status.Code(err), name)
			require.ErrorContains(t, err, "edgevaloper1", name)
			require.Less(t, len(err.Error()), 1_000, name)
		}
	}
}

func TestEmptyCommitteeQueries(t *testing.T) {
	f := newStakes(t)
	for name, q := range map[string]func() error{
		"beacon":        func() error { _, err := f.query.Beacon(f.ctx, nil); return err },
		"beacon key":    func() error { _, err := f.query.BeaconKey(f.ctx, nil); return err },
		"beacon keys":   func() error { _, err := f.query.BeaconKeys(f.ctx, nil); return err },
		"election":      func() error { _, err := f.query.Election(f.ctx, nil); return err },
		"frozen":        func() error { _, err := f.query.Frozen(f.ctx, nil); return err },
		"committee":     func() error { _, err := f.query.Committee(f.ctx, nil); return err },
		"seats":         func() error { _, err := f.query.Seats(f.ctx, nil); return err },
		"eligibility":   func() error { _, err := f.query.Eligibility(f.ctx, nil); return err },
		"slashable":     func() error { _, err := f.query.Slashable(f.ctx, nil); return err },
		"validator set": func() error { _, err := f.query.ValidatorSet(f.ctx, nil); return err },
	} {
		require.Equal(t, codes.InvalidArgument, status.Code(q()), name)
	}
}
