package keeper_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/x/epoch/types"
)

func TestMsgUpdateParams(t *testing.T) {
	good := types.DefaultParams()
	good.Duration, good.CloseBudget = 2*time.Hour, 9
	with := func(change func(*types.Params)) types.Params {
		p := good
		change(&p)
		return p
	}
	for _, tc := range []struct {
		name        string
		development bool
		authority   string
		params      types.Params
		want        error
	}{
		{"governance", false, authority, good, nil},
		{"somebody else", false, somebody, good, sdkerrors.ErrUnauthorized},
		{"nobody", false, "", good, sdkerrors.ErrInvalidAddress},
		{"too short for production", false, authority, with(func(p *types.Params) { p.Duration = time.Minute }), types.ErrInvalidParams},
		{"short in development", true, authority, with(func(p *types.Params) { p.Duration = time.Second }), nil},
		{"too short", true, authority, with(func(p *types.Params) { p.Duration = time.Millisecond }), types.ErrInvalidParams},
		{"no budget", false, authority, with(func(p *types.Params) { p.CloseBudget = 0 }), types.ErrInvalidParams},
		{"too long", false, authority, with(func(p *types.Params) { p.Duration = types.MaxDuration + 1 }), types.ErrInvalidParams},
		{"few seats", false, authority, with(func(p *types.Params) { p.Seats = types.MinSeats - 1 }), types.ErrInvalidParams},
		{"few seats in development", true, authority, with(func(p *types.Params) { p.Seats = 1 }), nil},
		{"what another module refuses", false, authority, with(func(p *types.Params) { p.CloseBudget = 13 }), errBoom},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, 1)
			f.k.SetParamsGuard(func(_ context.Context, p types.Params) error {
				if p.CloseBudget == 13 {
					return errBoom
				}
				return nil
			})
			f.genesis(types.GenesisState{Params: types.DefaultParams(), Development: tc.development})
			before := f.export()
			_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: tc.authority, Params: tc.params})
			after := f.export()
			require.Equal(t, tc.development, after.Development, "development never changes")
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want)
				require.Equal(t, before, after)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.params, after.Params)
			require.Equal(t, 1, count(f.ctx.EventManager().Events(), "EventParamsUpdated"))
		})
	}
}

func TestMsgRetryItemRefuses(t *testing.T) {
	f := newFixture(t, 2).start(10)
	f.stages[0].bad = map[uint64]error{1: errBoom}
	f.turn()
	f.finish()
	before := f.export()
	for name, tc := range map[string]struct {
		msg  types.MsgRetryItem
		want error
	}{
		"no sender":      {types.MsgRetryItem{Epoch: 1, Stage: "sum", Key: itemKey(1)}, sdkerrors.ErrInvalidAddress},
		"epoch 0":        {types.MsgRetryItem{Sender: somebody, Stage: "sum", Key: itemKey(1)}, types.ErrEpochNotFound},
		"another epoch":  {types.MsgRetryItem{Sender: somebody, Epoch: 2, Stage: "sum", Key: itemKey(1)}, types.ErrItemNotFound},
		"no stage":       {types.MsgRetryItem{Sender: somebody, Epoch: 1, Key: itemKey(1)}, types.ErrUnknownStage},
		"another stage":  {types.MsgRetryItem{Sender: somebody, Epoch: 1, Stage: "pay", Key: itemKey(1)}, types.ErrItemNotFound},
		"another key":    {types.MsgRetryItem{Sender: somebody, Epoch: 1, Stage: "sum", Key: itemKey(0)}, types.ErrItemNotFound},
		"whole stage":    {types.MsgRetryItem{Sender: somebody, Epoch: 1, Stage: "sum"}, types.ErrItemNotFound},
		"a long key":     {types.MsgRetryItem{Sender: somebody, Epoch: 1, Stage: "sum", Key: make([]byte, types.MaxItemKey+1)}, types.ErrInvalidItem},
		"a long stage":   {types.MsgRetryItem{Sender: somebody, Epoch: 1, Stage: strings.Repeat("s", 10_000), Key: itemKey(1)}, types.ErrUnknownStage},
		"it still fails": {types.MsgRetryItem{Sender: somebody, Epoch: 1, Stage: "sum", Key: itemKey(1)}, errBoom},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.msgs.RetryItem(f.ctx, &tc.msg)
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, before, f.export())
		})
	}
}

func TestRetryOneItem(t *testing.T) {
	f := newFixture(t, 3).start(10)
	f.stages[0].bad = map[uint64]error{0: errBoom, 2: errBoom}
	f.turn()
	f.finish()
	require.EqualValues(t, 2, f.epoch(1).SetAside)
	require.Equal(t, []uint64{0, 1, 0}, f.stages[0].marked(f.ctx, t, 1))

	f.stages[0].bad = nil
	retry := &types.MsgRetryItem{Sender: somebody, Epoch: 1, Stage: "sum", Key: itemKey(2)}
	resp, err := f.msgs.RetryItem(f.ctx, retry)
	require.NoError(t, err)
	require.True(t, resp.Done)
	require.Equal(t, 1, count(f.ctx.EventManager().Events(), "EventItemRetried"))
	require.Equal(t, []uint64{0, 1, 1}, f.stages[0].marked(f.ctx, t, 1))
	require.EqualValues(t, 1, f.epoch(1).SetAside)

	_, err = f.msgs.RetryItem(f.ctx, retry)
	require.ErrorIs(t, err, types.ErrItemNotFound, "once only")
	require.Equal(t, []uint64{0, 1, 1}, f.stages[0].marked(f.ctx, t, 1))
}

// Stages that were set aside as a whole are retried in their order, in as many transactions as it takes.
func TestRetryWholeStages(t *testing.T) {
	items := uint64(types.MaxRetryBudget + 50)
	f := newFixture(t, items, 2).start(1000)
	fail := func(_, _ uint64) error { return errBoom }
	f.stages[0].at, f.stages[1].at = fail, fail
	f.turn()
	f.finish()
	require.Equal(t, types.PHASE_DONE, f.epoch(1).Phase)
	require.EqualValues(t, 2, f.epoch(1).SetAside)

	retry := func(stage string) (bool, error) {
		resp, err := f.msgs.RetryItem(f.ctx, &types.MsgRetryItem{Sender: somebody, Epoch: 1, Stage: stage})
		if err != nil {
			return false, err
		}
		return resp.Done, nil
	}
	_, err := retry("sum")
	require.ErrorIs(t, err, errBoom)
	f.stages[0].at, f.stages[1].at = nil, nil
	_, err = retry("pay")
	require.ErrorIs(t, err, types.ErrEarlierStage)

	done, err := retry("sum")
	require.NoError(t, err)
	require.False(t, done)
	require.EqualValues(t, 2, f.setAside()[1].Tries)
	_, err = retry("pay")
	require.ErrorIs(t, err, types.ErrEarlierStage, "the earlier stage is not done yet")
	done, err = retry("sum")
	require.NoError(t, err)
	require.True(t, done)
	done, err = retry("pay")
	require.NoError(t, err)
	require.True(t, done)

	for _, n := range f.stages[0].marked(f.ctx, t, 1) {
		require.EqualValues(t, 1, n)
	}
	require.Empty(t, f.setAside())
	require.Zero(t, f.epoch(1).SetAside)
	f.export()
}

func TestRetryOfAStuckStageIsRefused(t *testing.T) {
	f := newFixture(t, 1).start(10)
	f.stages[0].stuck = true
	f.turn()
	f.finish()
	_, err := f.msgs.RetryItem(f.ctx, &types.MsgRetryItem{Sender: somebody, Epoch: 1, Stage: "sum"})
	require.ErrorIs(t, err, types.ErrNoProgress)
}

func TestSetAside(t *testing.T) {
	f := newFixture(t, 2).start(1)
	f.turn()
	ctx := context.Context(f.ctx)
	require.ErrorIs(t, f.k.SetAside(ctx, 1, "pay", itemKey(1), errBoom), types.ErrUnknownStage)
	require.ErrorIs(t, f.k.SetAside(ctx, 1, types.StageOpen, itemKey(1), errBoom), types.ErrUnknownStage)
	require.ErrorIs(t, f.k.SetAside(ctx, 1, "sum", nil, errBoom), types.ErrInvalidItem)
	require.ErrorIs(t, f.k.SetAside(ctx, 1, "sum", make([]byte, types.MaxItemKey+1), errBoom), types.ErrInvalidItem)
	require.ErrorIs(t, f.k.SetAside(ctx, 2, "sum", itemKey(1), errBoom), types.ErrEpochOpen)
	require.ErrorIs(t, f.k.SetAside(ctx, 9, "sum", itemKey(1), errBoom), types.ErrEpochNotFound)
	require.Empty(t, f.setAside())

	require.NoError(t, f.k.SetAside(ctx, 1, "sum", itemKey(1), errBoom))
	require.NoError(t, f.k.SetAside(ctx, 1, "sum", itemKey(1), errors.New("again")))
	require.Equal(t, []types.SetAsideItem{{Epoch: 1, Stage: "sum", Key: itemKey(1), Cause: "again", Height: f.ctx.BlockHeight(), Tries: 2}}, f.setAside())
	require.EqualValues(t, 1, f.epoch(1).SetAside)

	require.NoError(t, f.k.Resolve(ctx, 1, "sum", itemKey(1)))
	require.NoError(t, f.k.Resolve(ctx, 1, "sum", itemKey(1)), "an item that is not there is no error")
	require.Empty(t, f.setAside())
	require.Zero(t, f.epoch(1).SetAside)
}

func TestSetStagesPanicsOnWiringFaults(t *testing.T) {
	f := newFixture(t, 1)
	require.Panics(t, func() { f.k.SetStages() }, "twice")
	guard := func(context.Context, types.Params) error { return nil }
	f.k.SetParamsGuard(guard)
	require.Panics(t, func() { f.k.SetParamsGuard(guard) }, "twice")
}
