package keeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/x/epoch/types"
)

func TestQueryCurrent(t *testing.T) {
	f := newFixture(t, 2).start(1)
	current := func() *types.QueryCurrentResponse {
		resp, err := f.query.Current(f.ctx, &types.QueryCurrentRequest{})
		require.NoError(t, err)
		return resp
	}
	handOver := types.HandOver{Epoch: 1, Steps: 4, StepBlocks: 1}
	f.block(20 * time.Second)
	require.Equal(t, &types.QueryCurrentResponse{Epoch: f.epoch(1), TimeLeft: 40 * time.Second, OldestLive: 1, HandOver: handOver}, current())
	f.block(40 * time.Second)
	require.Equal(t, &types.QueryCurrentResponse{Epoch: f.epoch(1), OldestLive: 1, HandOver: handOver}, current(), "frozen")
	require.Equal(t, types.PHASE_FROZEN, current().Epoch.Phase)
	f.block(time.Second)
	f.block(time.Second)
	handOver = types.HandOver{Epoch: 2, Steps: 1, NextHeight: 5, StepBlocks: 1}
	require.Equal(t, &types.QueryCurrentResponse{Epoch: f.epoch(2), TimeLeft: time.Minute, OldestLive: 1, Closing: 1, HandOver: handOver}, current())
	f.block(2 * time.Minute)
	handOver.Steps, handOver.NextHeight = 2, 6
	require.Equal(t, &types.QueryCurrentResponse{Epoch: f.epoch(2), OldestLive: 1, Closing: 1, HandOver: handOver}, current(), "over, but the last one is still being closed")
	f.turn()
	require.Equal(t, types.HandOver{Epoch: 3, Steps: 1, NextHeight: f.ctx.BlockHeight() + 1, StepBlocks: 1}, current().HandOver)
	require.EqualValues(t, 2, current().OldestLive)
	require.EqualValues(t, 2, current().Closing)
}

func TestQueryParamsAndEpoch(t *testing.T) {
	f := newFixture(t, 1).start(3)
	params, err := f.query.Params(f.ctx, &types.QueryParamsRequest{})
	require.NoError(t, err)
	require.Equal(t, &types.QueryParamsResponse{Params: devParams(3), Development: true}, params)

	e, err := f.query.Epoch(f.ctx, &types.QueryEpochRequest{Number: 1})
	require.NoError(t, err)
	require.Equal(t, f.epoch(1), e.Epoch)
	_, err = f.query.Epoch(f.ctx, &types.QueryEpochRequest{Number: 2})
	require.Equal(t, codes.NotFound, status.Code(err))
}

func TestEmptyQueries(t *testing.T) {
	f := newFixture(t, 1).start(3)
	for name, q := range map[string]func() error{
		"params":   func() error { _, err := f.query.Params(f.ctx, nil); return err },
		"current":  func() error { _, err := f.query.Current(f.ctx, nil); return err },
		"epoch":    func() error { _, err := f.query.Epoch(f.ctx, nil); return err },
		"epochs":   func() error { _, err := f.query.Epochs(f.ctx, nil); return err },
		"setaside": func() error { _, err := f.query.SetAside(f.ctx, nil); return err },
	} {
		require.Equal(t, codes.InvalidArgument, status.Code(q()), name)
	}
}

func TestQueryEpochs(t *testing.T) {
	f := newFixture(t, 1).start(10)
	for range 9 {
		f.turn()
		f.finish()
	}
	numbers := func(req *types.QueryEpochsRequest) (out []uint64, page *query.PageResponse) {
		t.Helper()
		resp, err := f.query.Epochs(f.ctx, req)
		require.NoError(t, err)
		for _, e := range resp.Epochs {
			out = append(out, e.Number)
		}
		return out, resp.Pagination
	}
	for name, tc := range map[string]struct {
		req  types.QueryEpochsRequest
		want []uint64
	}{
		"all":          {types.QueryEpochsRequest{}, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		"from":         {types.QueryEpochsRequest{From: 8}, []uint64{8, 9, 10}},
		"to":           {types.QueryEpochsRequest{To: 2}, []uint64{1, 2}},
		"from and to":  {types.QueryEpochsRequest{From: 4, To: 6}, []uint64{4, 5, 6}},
		"one":          {types.QueryEpochsRequest{From: 4, To: 4}, []uint64{4}},
		"none":         {types.QueryEpochsRequest{From: 5, To: 4}, nil},
		"beyond":       {types.QueryEpochsRequest{From: 99}, nil},
		"to beyond":    {types.QueryEpochsRequest{From: 9, To: 99}, []uint64{9, 10}},
		"offset":       {types.QueryEpochsRequest{From: 4, Pagination: &query.PageRequest{Offset: 2, Limit: 2}}, []uint64{6, 7}},
		"far offset":   {types.QueryEpochsRequest{Pagination: &query.PageRequest{Offset: 1 << 60}}, nil},
		"newest first": {types.QueryEpochsRequest{From: 4, Pagination: &query.PageRequest{Reverse: true, Offset: 1, Limit: 3}}, []uint64{9, 8, 7}},
	} {
		got, _ := numbers(&tc.req)
		require.Equal(t, tc.want, got, name)
	}

	// Page by page, in both directions.
	for _, reverse := range []bool{false, true} {
		var all []uint64
		var key []byte
		for {
			got, page := numbers(&types.QueryEpochsRequest{From: 2, To: 9, Pagination: &query.PageRequest{Key: key, Limit: 3, Reverse: reverse, CountTotal: true}})
			require.EqualValues(t, 8, page.Total)
			require.LessOrEqual(t, len(got), 3)
			all = append(all, got...)
			if key = page.NextKey; key == nil {
				break
			}
		}
		want := []uint64{2, 3, 4, 5, 6, 7, 8, 9}
		if reverse {
			want = []uint64{9, 8, 7, 6, 5, 4, 3, 2}
		}
		require.Equal(t, want, all)
	}

	for name, page := range map[string]*query.PageRequest{
		"short key":      {Key: []byte{1}},
		"key and offset": {Key: itemKey(3), Offset: 1},
		"key outside":    {Key: itemKey(11)},
	} {
		_, err := f.query.Epochs(f.ctx, &types.QueryEpochsRequest{Pagination: page})
		require.Equal(t, codes.InvalidArgument, status.Code(err), name)
	}
}

func TestQuerySetAsidePages(t *testing.T) {
	f := newFixture(t, 4, 4).start(100)
	for _, s := range f.stages {
		s.bad = map[uint64]error{0: errBoom, 2: errBoom}
	}
	f.turn()
	f.finish()
	all := f.setAside()
	require.Len(t, all, 4)
	var paged []types.SetAsideItem
	var key []byte
	for {
		resp, err := f.query.SetAside(f.ctx, &types.QuerySetAsideRequest{Pagination: &query.PageRequest{Key: key, Limit: 3}})
		require.NoError(t, err)
		paged = append(paged, resp.Items...)
		if key = resp.Pagination.NextKey; key == nil {
			break
		}
	}
	require.Equal(t, all, paged)
}
