package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/math"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/x/rewards/types"
)

func TestMsgSetTokenPrice(t *testing.T) {
	for _, tc := range []struct {
		name      string
		authority string
		price     math.LegacyDec
		want      error
	}{
		{"governance", authority, dec("0.25"), nil},
		{"none", authority, dec("0"), nil},
		{"the smallest", authority, types.MinTokenPrice, nil},
		{"the largest", authority, types.MaxTokenPrice, nil},
		{"somebody else", somebody, dec("0.25"), sdkerrors.ErrUnauthorized},
		{"nobody", "", dec("0.25"), sdkerrors.ErrInvalidAddress},
		{"missing", authority, math.LegacyDec{}, types.ErrInvalidPrice},
		{"negative", authority, dec("-0.25"), types.ErrInvalidPrice},
		{"too large", authority, types.MaxTokenPrice.Add(types.MinTokenPrice), types.ErrInvalidPrice},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t).start(10, types.DefaultParams())
			before := f.export()
			resp, err := f.msgs.SetTokenPrice(f.ctx, &types.MsgSetTokenPrice{Authority: tc.authority, Price: tc.price})
			f.check()
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want)
				require.Equal(t, before, f.export())
				return
			}
			require.NoError(t, err)
			require.EqualValues(t, 2, resp.Epoch)
			require.Equal(t, []types.TokenPrice{{Epoch: 2, Price: tc.price}}, f.export().TokenPrices)
		})
	}
}

// A price counts from the next epoch on, the last one of an epoch wins, it ends after 14 epochs, and for 30 epochs the highest
// counts.
func TestTokenPriceOverTime(t *testing.T) {
	f := newFixture(t).start(100, types.DefaultParams())
	set := func(price string) {
		t.Helper()
		_, err := f.msgs.SetTokenPrice(f.ctx, &types.MsgSetTokenPrice{Authority: authority, Price: dec(price)})
		require.NoError(t, err)
	}
	requirePrice := func(epoch uint64, set, counted string, last uint64) {
		t.Helper()
		resp, err := f.query.TokenPrice(f.ctx, &types.QueryTokenPriceRequest{Epoch: epoch})
		require.NoError(t, err)
		require.True(t, resp.Set.Equal(dec(set)) && resp.Counted.Equal(dec(counted)), "epoch %d: %s, %s", epoch, resp.Set, resp.Counted)
		require.Equal(t, last, resp.LastEpoch)
	}
	requirePrice(0, "0", "0", 0)
	set("9")
	set("0.5")
	requirePrice(0, "0", "0", 0)
	requirePrice(2, "0.5", "0.5", 15)
	f.earn(1, record{2, 0, 10_000})
	f.earn(2, record{2, 0, 10_000})
	f.earn(3, record{2, 0, 10_000})
	f.close()
	set("0.25") // from epoch 3 on: the higher one counts still
	f.close()
	requirePrice(2, "0.5", "0.5", 2)
	requirePrice(0, "0.25", "0.5", 16)
	f.close()
	require.True(t, f.summary(1).Emission.Earned.IsZero())
	require.Equal(t, "0.500000000000000000", f.summary(2).Emission.TokenPrice.String())
	require.Equal(t, f.summary(2).Emission.Earned.String(), f.summary(3).Emission.Earned.String())

	f.earn(16, record{2, 0, 10_000})
	f.earn(17, record{2, 0, 10_000})
	for f.current() <= 17 {
		f.close()
	}
	require.True(t, f.summary(16).Emission.Earned.IsPositive())
	require.True(t, f.summary(17).Emission.Earned.IsZero(), "nobody has renewed the price")
	set("0")
	set("0.25")
	requirePrice(19, "0.25", "0.5", 32)
	set("0.25")
	requirePrice(32, "0.25", "0.25", 32) // 0.5 was last in force in epoch 2

	_, err := f.query.TokenPrice(f.ctx, nil)
	require.Equal(t, codes.InvalidArgument, status.Code(err))
}

func (f *fixture) current() uint64 {
	f.t.Helper()
	n, err := f.epochs.CurrentNumber(f.ctx)
	require.NoError(f.t, err)
	return n
}

// Prices that nothing can look back on are removed, one with each that is set; an epoch from before that is paid without a price.
func TestTokenPricesArePruned(t *testing.T) {
	f := newFixture(t).startFrom(100, types.GenesisState{
		Params: types.DefaultParams(), TokenPrices: []types.TokenPrice{{Epoch: 1, Price: dec("1")}, {Epoch: 2, Price: dec("2")}, {Epoch: 3, Price: dec("3")}},
	})
	const reach = types.TokenPriceLookback + types.TokenPriceValidity - 2
	for _, tc := range []struct {
		current uint64
		kept    []uint64
	}{
		{types.TokenPriceHistory + reach + 1, []uint64{1, 2, 3}},
		{types.TokenPriceHistory + reach + 2, []uint64{2, 3}},
		{types.TokenPriceHistory + reach + 2, []uint64{2, 3}},
		{types.TokenPriceHistory + reach + 50, []uint64{3}},
		{types.TokenPriceHistory + reach + 60, nil},
	} {
		f.setCurrent(tc.current)
		_, err := f.msgs.SetTokenPrice(f.ctx, &types.MsgSetTokenPrice{Authority: authority, Price: dec("1")})
		require.NoError(t, err)
		var kept []uint64
		for _, p := range f.export().TokenPrices {
			if p.Epoch <= 3 {
				kept = append(kept, p.Epoch)
			}
		}
		require.Equal(t, tc.kept, kept, "in epoch %d", tc.current)
	}
	last := uint64(types.TokenPriceHistory + reach + 52)
	f.setCurrent(last + types.TokenPriceHistory)
	_, counted, _, err := f.k.TokenPrice(f.ctx, last)
	require.NoError(t, err)
	require.True(t, counted.IsPositive())
	f.setCurrent(last + types.TokenPriceHistory + 1)
	_, counted, _, err = f.k.TokenPrice(f.ctx, last)
	require.NoError(t, err)
	require.True(t, counted.IsZero())
}

func TestEmissionQuery(t *testing.T) {
	f := newFixture(t).startPriced(100, "0.25")
	resp, err := f.query.Emission(f.ctx, &types.QueryEmissionRequest{})
	require.NoError(t, err)
	require.Equal(t, "1", math.NewIntFromUint64(resp.Epoch).String())
	require.Nil(t, resp.Year)
	require.Equal(t, types.DefaultEmissionTerms(), resp.Terms)
	require.Equal(t, "190258", resp.Cap.String())
	require.EqualValues(t, tokens, resp.Supply.Initial.Int64())
	f.earn(1, record{2, 0, 10_000})
	f.close()
	resp, err = f.query.Emission(f.ctx, &types.QueryEmissionRequest{Epoch: 1})
	require.NoError(t, err)
	require.EqualValues(t, 1, resp.Year.Number)
	require.Equal(t, f.summary(1).Emission.Minted(true), resp.Supply.Minted)
	require.Equal(t, f.summary(1).Emission.Cap, resp.Cap)
	_, err = f.query.Emission(f.ctx, nil)
	require.Equal(t, codes.InvalidArgument, status.Code(err))
}
