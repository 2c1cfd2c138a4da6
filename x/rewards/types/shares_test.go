package types_test

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/rewards/types"
)

func dec(s string) math.LegacyDec { return math.LegacyMustNewDecFromStr(s) }

func shares(node, owner, protocol string) types.Shares {
	return types.Shares{Node: dec(node), Owner: dec(owner), Protocol: dec(protocol)}
}

func TestSharesValidate(t *testing.T) {
	for name, s := range map[string]types.Shares{
		"default":       types.DefaultShares(),
		"all to nodes":  shares("1", "0", "0"),
		"all to owners": shares("0", "1", "0"),
		"none to them":  shares("0", "0", "1"),
		"fine-grained":  shares("0.333333333333333333", "0.333333333333333333", "0.333333333333333334"),
	} {
		require.NoError(t, s.Validate(), name)
	}
	for name, s := range map[string]types.Shares{
		"nothing":        {},
		"too little":     shares("0.8", "0.15", "0.049999999999999999"),
		"too much":       shares("0.8", "0.15", "0.050000000000000001"),
		"negative":       shares("1.1", "-0.1", "0"),
		"more than one":  shares("2", "-1", "0"),
		"no owner share": {Node: dec("0.8"), Protocol: dec("0.2")},
	} {
		require.ErrorIs(t, s.Validate(), types.ErrInvalidShares, name)
	}
}

func TestShareOf(t *testing.T) {
	huge := math.NewIntFromBigInt(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)))
	for _, tc := range []struct {
		amount math.Int
		share  string
		want   math.Int
	}{
		{math.NewInt(1003), "0.8", math.NewInt(802)},
		{math.NewInt(1), "0.15", math.NewInt(0)},
		{math.NewInt(0), "0.8", math.NewInt(0)},
		{math.NewInt(7), "1", math.NewInt(7)},
		{math.NewInt(7), "0", math.NewInt(0)},
		{math.NewInt(3), "0.333333333333333333", math.NewInt(0)},
		{math.NewInt(3), "0.333333333333333334", math.NewInt(1)},
		{huge, "1", huge}, // no intermediate overflow
	} {
		require.Equal(t, tc.want.String(), types.ShareOf(tc.amount, dec(tc.share)).String(), "%s of %s", tc.share, tc.amount)
	}
}

// drawShares draws shares that add up to one to the last of 18 decimals.
func drawShares(t *rapid.T) types.Shares {
	one := math.LegacyOneDec().BigInt().Int64()
	a := rapid.Int64Range(0, one).Draw(t, "node")
	b := rapid.Int64Range(0, one-a).Draw(t, "owner")
	prec := func(n int64) math.LegacyDec { return math.LegacyNewDecWithPrec(n, math.LegacyPrecision) }
	return types.Shares{Node: prec(a), Owner: prec(b), Protocol: prec(one - a - b)}
}

// A share is never more than its part, less than one unit short of it, and grows with the amount.
func TestShareOfProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawShares(t)
		require.NoError(t, s.Validate())
		amount := math.NewIntFromUint64(rapid.Uint64().Draw(t, "amount"))
		sum := math.ZeroInt()
		for _, share := range []math.LegacyDec{s.Node, s.Owner, s.Protocol} {
			part := types.ShareOf(amount, share)
			exact := share.MulInt(amount)
			require.True(t, part.ToLegacyDec().LTE(exact))
			require.True(t, exact.Sub(part.ToLegacyDec()).LT(math.LegacyOneDec()))
			require.True(t, types.ShareOf(amount.AddRaw(1), share).GTE(part))
			sum = sum.Add(part)
		}
		require.True(t, sum.LTE(amount) && amount.Sub(sum).LT(math.NewInt(3)))
	})
}

func TestParamsValidate(t *testing.T) {
	require.NoError(t, types.DefaultParams().Validate())
	for name, tc := range map[string]struct {
		spoil func(*types.Params)
		want  error
	}{
		"shares":            {func(p *types.Params) { p.Shares = shares("1", "1", "0") }, types.ErrInvalidShares},
		"no history":        {func(p *types.Params) { p.HistoryEpochs = 0 }, types.ErrInvalidParams},
		"long history":      {func(p *types.Params) { p.HistoryEpochs = types.MaxHistoryEpochs + 1 }, types.ErrInvalidParams},
		"no pruning":        {func(p *types.Params) { p.PrunePerBlock = 0 }, types.ErrInvalidParams},
		"unbounded pruning": {func(p *types.Params) { p.PrunePerBlock = types.MaxPrunePerBlock + 1 }, types.ErrInvalidParams},
	} {
		p := types.DefaultParams()
		tc.spoil(&p)
		require.ErrorIs(t, p.Validate(), tc.want, name)
	}
	p := types.DefaultParams()
	p.HistoryEpochs, p.PrunePerBlock = types.MinHistoryEpochs, types.MinPrunePerBlock
	require.NoError(t, p.Validate())
	p.HistoryEpochs, p.PrunePerBlock = types.MaxHistoryEpochs, types.MaxPrunePerBlock
	require.NoError(t, p.Validate())
}

func TestItemKey(t *testing.T) {
	require.Equal(t, []byte{1, 0, 0, 0, 0, 0, 0, 0, 3}, types.ItemKey(types.PAYOUT_KIND_NODE, 3))
	for _, bad := range [][]byte{nil, {1}, make([]byte, 9), {7, 0, 0, 0, 0, 0, 0, 0, 3}, make([]byte, 10)} {
		_, _, err := types.ParseItemKey(bad)
		require.ErrorIs(t, err, types.ErrPayoutNotFound, "%X", bad)
	}
	rapid.Check(t, func(t *rapid.T) {
		kind := types.PayoutKind(rapid.Int32Range(1, 6).Draw(t, "kind"))
		id := rapid.Uint64().Draw(t, "id")
		k, i, err := types.ParseItemKey(types.ItemKey(kind, id))
		require.NoError(t, err)
		require.Equal(t, kind, k)
		require.Equal(t, id, i)
	})
}

// FuzzParseItemKey: whatever anyone puts into a message is refused or is a key that ItemKey makes.
func FuzzParseItemKey(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(types.ItemKey(types.PAYOUT_KIND_OWNER, 1<<63))
	f.Fuzz(func(t *testing.T, key []byte) {
		kind, id, err := types.ParseItemKey(key)
		if err != nil {
			require.ErrorIs(t, err, types.ErrPayoutNotFound)
			return
		}
		require.Equal(t, key, types.ItemKey(kind, id))
	})
}
