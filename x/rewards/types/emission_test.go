package types_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/rewards/types"
)

// emissionTerms of a new network.
func emissionTerms() types.EmissionTerms {
	return types.EmissionTerms{Guard: dec("0.5"), Inflation: dec("0.1"), MaxBoost: dec("4"), MaxLockEpochs: 1460}
}

func drawDec(t *rapid.T, name string, low, high int64) math.LegacyDec {
	return math.LegacyNewDecWithPrec(rapid.Int64Range(low, high).Draw(t, name), math.LegacyPrecision)
}

func drawTerms(t *rapid.T) types.EmissionTerms {
	return types.EmissionTerms{
		Guard:         drawDec(t, "guard", 0, 5e17),
		Inflation:     drawDec(t, "inflation", 0, 5e17),
		MaxBoost:      math.LegacyOneDec().Add(drawDec(t, "max_boost - 1", 0, 9e18)),
		MaxLockEpochs: rapid.Uint64Range(1, 3650).Draw(t, "max_lock_epochs"),
	}
}

func drawShareOfAll(t *rapid.T) types.Shares {
	node := rapid.Int64Range(0, 1e18).Draw(t, "node")
	owner := rapid.Int64Range(0, 1e18-node).Draw(t, "owner")
	return types.Shares{
		Node:     math.LegacyNewDecWithPrec(node, 18),
		Owner:    math.LegacyNewDecWithPrec(owner, 18),
		Protocol: math.LegacyNewDecWithPrec(1e18-node-owner, 18),
	}
}

// drawPrice draws from all orders of magnitude that governance may set.
func drawPrice(t *rapid.T) math.LegacyDec {
	p := new(big.Int).Exp(big.NewInt(10), big.NewInt(rapid.Int64Range(0, 29).Draw(t, "exponent")), nil)
	p.Mul(p, big.NewInt(rapid.Int64Range(1, 10).Draw(t, "digit")))
	return math.LegacyNewDecFromBigIntWithPrec(p, 18)
}

func drawAmount(t *rapid.T, name string) math.Int {
	return math.NewInt(rapid.Int64Range(0, 1<<62).Draw(t, name) >> rapid.IntRange(0, 61).Draw(t, name+" shift"))
}

func drawBoost(t *rapid.T, terms types.EmissionTerms) math.LegacyDec {
	extra := terms.MaxBoost.Sub(math.LegacyOneDec())
	return math.LegacyOneDec().Add(extra.MulTruncate(drawDec(t, "boost", 0, 1e18)))
}

// allEarned is what all recipients of one payment earn together.
func allEarned(u math.Int, s types.Shares, terms types.EmissionTerms, price, boost math.LegacyDec) math.Int {
	return types.NodeEarned(u, terms, price, s.Node, boost).
		Add(types.OwnerEarned(u, terms, price, s.Owner)).
		Add(types.CommunityEarned(u, terms, price, s.Protocol))
}

// value of tokens at a price, without rounding.
func value(tokens math.Int, price math.LegacyDec) *big.Rat {
	p := new(big.Rat).SetFrac(price.BigInt(), new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil))
	return p.Mul(p, new(big.Rat).SetInt(tokens.BigInt()))
}

func rat(d math.LegacyDec) *big.Rat { return value(math.OneInt(), d) }

func TestUnrecoverable(t *testing.T) {
	for _, tc := range []struct {
		amount, protocol int64
		shares           types.Shares
		want             int64
	}{
		{1003, 400, types.DefaultShares(), 110},
		{1003, 0, types.DefaultShares(), 50},
		{1003, 1003, types.DefaultShares(), 200}, // 200.6
		{19, 0, types.DefaultShares(), 0},        // 0.95
		{20, 0, types.DefaultShares(), 1},
		{5, 5, types.DefaultShares(), 1},
		{4, 4, types.DefaultShares(), 0},
		{0, 0, types.DefaultShares(), 0},
		{7, 7, shares("1", "0", "0"), 0},
		{7, 0, shares("0", "0", "1"), 7},
		{7, 7, shares("0", "1", "0"), 7},
	} {
		got := types.Unrecoverable(math.NewInt(tc.amount), math.NewInt(tc.protocol), tc.shares)
		require.Equal(t, tc.want, got.Int64(), "%+v", tc)
	}
}

func TestEarned(t *testing.T) {
	terms, u := emissionTerms(), math.NewInt(110_000)
	price := dec("0.25")
	require.Equal(t, int64(110_000), types.NodeEarned(u, terms, price, dec("0.8"), dec("2.5")).Int64())
	require.Equal(t, int64(44_000), types.NodeEarned(u, terms, price, dec("0.8"), dec("1")).Int64())
	require.Equal(t, int64(44_000), types.NodeEarned(u, terms, price, dec("0.8"), dec("0")).Int64(), "no boost below 1")
	require.Equal(t, int64(176_000), types.NodeEarned(u, terms, price, dec("0.8"), dec("4")).Int64())
	require.Equal(t, int64(176_000), types.NodeEarned(u, terms, price, dec("0.8"), dec("40")).Int64(), "no boost above the largest")
	require.Equal(t, int64(33_000), types.OwnerEarned(u, terms, price, dec("0.15")).Int64())
	require.Equal(t, int64(11_000), types.CommunityEarned(u, terms, price, dec("0.05")).Int64())
	// 0.8 * 0.5 * 7 / 3 / 4 = 0.233..., 0.15 * 0.5 * 7 / 0.1 = 5.25
	require.Equal(t, int64(0), types.NodeEarned(math.NewInt(7), terms, dec("3"), dec("0.8"), dec("1")).Int64())
	require.Equal(t, int64(5), types.OwnerEarned(math.NewInt(7), terms, dec("0.1"), dec("0.15")).Int64())
}

func TestNothingEarnedWithoutPriceGuardOrLoss(t *testing.T) {
	terms := emissionTerms()
	one, u := math.LegacyOneDec(), math.NewInt(1_000)
	for name, tokens := range map[string]math.Int{
		"no price":       allEarned(u, types.DefaultShares(), terms, math.LegacyZeroDec(), one),
		"negative price": allEarned(u, types.DefaultShares(), terms, one.Neg(), one),
		"no loss":        allEarned(math.ZeroInt(), types.DefaultShares(), terms, one, one),
		"no guard":       allEarned(u, types.DefaultShares(), types.EmissionTerms{Guard: math.LegacyZeroDec(), MaxBoost: one}, one, one),
		"no boost":       types.NodeEarned(u, types.EmissionTerms{Guard: one, MaxBoost: math.LegacyZeroDec()}, one, one, one),
	} {
		require.True(t, tokens.IsZero(), name)
	}
}

// The lowest price and the largest amount overflow nothing, and neither does the sum over very many parts.
func TestEarnedIsBounded(t *testing.T) {
	huge := math.NewIntFromBigInt(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)))
	got := allEarned(huge, types.DefaultShares(), emissionTerms(), math.LegacySmallestDec(), dec("4"))
	require.Equal(t, 130, got.BigInt().BitLen()) // three parts of 2^128 - 1
	require.NotPanics(t, func() { got.MulRaw(1 << 62).MulRaw(1 << 62) })
	require.Equal(t, huge, types.ScaleToCap(huge, huge, huge))
	require.Equal(t, "1", types.ScaleToCap(huge, huge, math.OneInt()).String())
	require.NotPanics(t, func() { types.EpochCap(dec("0.5"), huge, types.EmissionYearDuration) })
	require.NotPanics(t, func() { types.Unrecoverable(huge, huge, types.DefaultShares()) })
}

func TestScaleToCap(t *testing.T) {
	for _, tc := range []struct{ part, earned, cap, want int64 }{
		{33_000, 154_000, 100_000, 21_428},
		{33_000, 90_000, 100_000, 33_000},
		{33_000, 100_000, 100_000, 33_000},
		{33_000, 100_001, 100_000, 32_999},
		{33_000, 33_000, 0, 0},
		{0, 5, 3, 0},
		{0, 0, 0, 0},
		{-1, 5, 3, 0},
	} {
		got := types.ScaleToCap(math.NewInt(tc.part), math.NewInt(tc.earned), math.NewInt(tc.cap))
		require.Equal(t, tc.want, got.Int64(), "%+v", tc)
	}
}

func TestEpochCap(t *testing.T) {
	const day = 24 * time.Hour
	for _, tc := range []struct {
		inflation string
		supply    int64
		duration  time.Duration
		want      int64
	}{
		{"0.1", 1_000_000_000, day, 273_972},
		{"0.1", 1_000_000_000, types.EmissionYearDuration, 100_000_000},
		{"0.1", 1_000_000_000, types.EmissionYearDuration + 1, 100_000_000},
		{"0.1", 1_000_000_000, types.EmissionYearDuration - 1, 99_999_999},
		{"0.5", 1_000_000_000, 10 * time.Minute, 9_512},
		{"0", 1_000_000_000, day, 0},
		{"0.1", 0, day, 0},
		{"0.1", 1_000_000_000, 0, 0},
		{"0.1", 1_000_000_000, -day, 0},
	} {
		require.Equal(t, tc.want, types.EpochCap(dec(tc.inflation), math.NewInt(tc.supply), tc.duration).Int64(), "%+v", tc)
	}
}

// Whatever the shares, terms, price and boost: all recipients of one payment together earn at most guard * u / price, and u is at
// most what the payment loses when one person wears all hats.
func TestAllRecipientsTogetherStayBelowTheGuard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, terms, price := drawShareOfAll(t), drawTerms(t), drawPrice(t)
		amount := drawAmount(t, "amount")
		protocol := math.ZeroInt()
		if rapid.Bool().Draw(t, "for the protocol's service") {
			protocol = amount
		}
		u := types.Unrecoverable(amount, protocol, s)
		back := types.ShareOf(amount, s.Node).Add(types.ShareOf(amount.Sub(protocol), s.Owner))
		if lost := amount.Sub(back); u.IsNegative() || u.GT(lost) {
			t.Fatalf("u %s of %s, but %s were lost", u, amount, lost)
		}
		tokens := allEarned(u, s, terms, price, drawBoost(t, terms))
		if tokens.IsNegative() {
			t.Fatalf("%s tokens", tokens)
		}
		guarded := new(big.Rat).Mul(rat(terms.Guard), new(big.Rat).SetInt(u.BigInt()))
		if value(tokens, price).Cmp(guarded) > 0 {
			t.Fatalf("%s tokens at %s are worth more than %s of u %s", tokens, price, terms.Guard, u)
		}
	})
}

// With a market of at most price / guard, nobody who pays himself has more afterwards.
func TestSelfPaymentDoesNotPay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, terms, price := drawShareOfAll(t), drawTerms(t), drawPrice(t)
		amount := drawAmount(t, "amount")
		u := types.Unrecoverable(amount, math.ZeroInt(), s)
		tokens := allEarned(u, s, terms, price, terms.MaxBoost)
		back := types.ShareOf(amount, s.Node).Add(types.ShareOf(amount, s.Owner))
		// value / guard, compared without dividing: the guard may be zero
		gain := value(tokens, price)
		lost := new(big.Rat).Mul(rat(terms.Guard), new(big.Rat).SetInt(amount.Sub(back).BigInt()))
		if gain.Cmp(lost) > 0 {
			t.Fatalf("paid %s, got %s and %s tokens", amount, back, tokens)
		}
	})
}

// Splitting a payment, over workers, nodes or services, earns nothing more; joining it earns less than one token and one unit of u
// per part more.
func TestSplittingEarnsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, terms, price := drawShareOfAll(t), drawTerms(t), drawPrice(t)
		boost := drawBoost(t, terms)
		protocolOwned := rapid.Bool().Draw(t, "for the protocol's service")
		pay := func(amount math.Int) (u, tokens math.Int) {
			protocol := math.ZeroInt()
			if protocolOwned {
				protocol = amount
			}
			u = types.Unrecoverable(amount, protocol, s)
			return u, allEarned(u, s, terms, price, boost)
		}
		n := rapid.Int64Range(1, 8).Draw(t, "parts")
		whole, us, sum := math.ZeroInt(), math.ZeroInt(), math.ZeroInt()
		for range n {
			part := drawAmount(t, "part")
			u, tokens := pay(part)
			whole, us, sum = whole.Add(part), us.Add(u), sum.Add(tokens)
		}
		u, tokens := pay(whole)
		if us.GT(u) || sum.GT(tokens) {
			t.Fatalf("parts: u %s, %s tokens; whole: u %s, %s tokens", us, sum, u, tokens)
		}
		if u.Sub(us).GTE(math.NewInt(n)) && n > 1 {
			t.Fatalf("splitting in %d loses %s of u", n, u.Sub(us))
		}
		// three parts of each payment are rounded, and each unit of u that rounding took earned at most guard / price
		most := new(big.Rat).Quo(new(big.Rat).Mul(rat(terms.Guard), new(big.Rat).SetInt(u.Sub(us).BigInt())), rat(price))
		most.Add(most, big.NewRat(3*n, 1))
		if new(big.Rat).SetInt(tokens.Sub(sum).BigInt()).Cmp(most) > 0 {
			t.Fatalf("splitting in %d loses %s tokens", n, tokens.Sub(sum))
		}
	})
}

// More u, more boost and a lower price never earn less.
func TestEarnedIsMonotonic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, terms := drawShareOfAll(t), drawTerms(t)
		u, price, boost := drawAmount(t, "u"), drawPrice(t), drawBoost(t, terms)
		tokens := allEarned(u, s, terms, price, boost)
		if more := allEarned(u.Add(drawAmount(t, "more")), s, terms, price, boost); more.LT(tokens) {
			t.Fatalf("more u: %s < %s", more, tokens)
		}
		if more := allEarned(u, s, terms, price, boost.Add(drawDec(t, "more boost", 0, 9e18))); more.LT(tokens) {
			t.Fatalf("more boost: %s < %s", more, tokens)
		}
		if fewer := allEarned(u, s, terms, price.Add(drawPrice(t)), boost); fewer.GT(tokens) {
			t.Fatalf("higher price: %s > %s", fewer, tokens)
		}
	})
}

// The parts of an epoch come to at most the cap, less than one token below it for each part, and each to at most what it earned.
func TestScaledPartsKeepTheCap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 20).Draw(t, "parts")
		parts, earned := make([]math.Int, n), math.ZeroInt()
		for i := range parts {
			parts[i] = drawAmount(t, "part")
			earned = earned.Add(parts[i])
		}
		limit := drawAmount(t, "cap")
		minted := math.ZeroInt()
		for _, part := range parts {
			m := types.ScaleToCap(part, earned, limit)
			if m.IsNegative() || m.GT(part) {
				t.Fatalf("%s minted for %s", m, part)
			}
			minted = minted.Add(m)
		}
		want := math.MinInt(earned, limit)
		if minted.GT(want) || want.Sub(minted).GTE(math.NewInt(n)) && n > 1 {
			t.Fatalf("minted %s of %s", minted, want)
		}
	})
}

// Shorter epochs, taken together, have no more to mint than a long one.
func TestEpochCapIsAdditive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inflation, supply := drawDec(t, "inflation", 0, 5e17), drawAmount(t, "supply")
		a := time.Duration(rapid.Int64Range(0, int64(types.EmissionYearDuration)).Draw(t, "a"))
		b := time.Duration(rapid.Int64Range(0, int64(types.EmissionYearDuration-a)).Draw(t, "b"))
		whole := types.EpochCap(inflation, supply, a+b)
		parts := types.EpochCap(inflation, supply, a).Add(types.EpochCap(inflation, supply, b))
		if parts.GT(whole) || whole.Sub(parts).GT(math.OneInt()) {
			t.Fatalf("%s + %s: %s, want %s", a, b, parts, whole)
		}
		if whole.GT(types.ShareOf(supply, inflation)) {
			t.Fatalf("%s is more than a year's", whole)
		}
	})
}
