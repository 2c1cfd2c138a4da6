package types_test

import (
	stdmath "math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/rewards/types"
)

func TestBoostOf(t *testing.T) {
	for name, tc := range map[string]struct {
		locked, tokens int64
		remaining      uint64
		want           string
	}{
		"half of both":           {50_000, 1_000_000, 730, "1.75"},
		"full lock":              {100_000, 1_000_000, 1460, "4"},
		"more than a tenth":      {900_000, 1_000_000, 1460, "4"},
		"longer than the most":   {100_000, 1_000_000, 1461, "4"},
		"longest of all":         {100_000, 1_000_000, stdmath.MaxUint64, "4"},
		"just under a tenth":     {99_999, 1_000_000, 1460, "3.99997"},
		"one epoch":              {100_000, 1_000_000, 1, "1.002054794520547945"},
		"truncated":              {1, 3_000_000, 1, "1.000000006849315068"},
		"nothing locked":         {0, 1_000_000, 1460, "1"},
		"negative":               {-1, 1_000_000, 1460, "1"},
		"node without tokens":    {100_000, 0, 1460, "1"},
		"lock over":              {100_000, 1_000_000, 0, "1"},
		"more than the node has": {100, 10, 1460, "4"},
	} {
		got := types.BoostOf(math.NewInt(tc.locked), math.NewInt(tc.tokens), tc.remaining, emissionTerms())
		require.Equal(t, dec(tc.want).String(), got.String(), name)
	}
	for name, terms := range map[string]types.EmissionTerms{
		"no boost":   {MaxBoost: dec("1"), MaxLockEpochs: 10},
		"no lock":    {MaxBoost: dec("4"), MaxLockEpochs: 0},
		"below one":  {MaxBoost: dec("0.5"), MaxLockEpochs: 10},
		"half boost": {MaxBoost: dec("1.000000000000000001"), MaxLockEpochs: 2},
	} {
		require.Equal(t, math.LegacyOneDec().String(), types.BoostOf(math.NewInt(5), math.NewInt(5), 1, terms).String(), name)
	}
	huge := math.NewIntFromBigInt(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)))
	require.Equal(t, dec("4").String(), types.BoostOf(huge, huge, stdmath.MaxUint64, emissionTerms()).String())
}

// A boost is between 1 and the largest, grows with the lock, its length and the largest boost, and falls with the node's tokens.
func TestBoostIsBoundedAndMonotonic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := drawTerms(t)
		locked, tokens := drawAmount(t, "locked"), drawAmount(t, "tokens")
		remaining := rapid.Uint64Range(0, 4000).Draw(t, "remaining")
		boost := types.BoostOf(locked, tokens, remaining, terms)
		if boost.LT(math.LegacyOneDec()) || boost.GT(terms.MaxBoost) {
			t.Fatalf("boost %s", boost)
		}
		if more := types.BoostOf(locked.Add(drawAmount(t, "more")), tokens, remaining, terms); more.LT(boost) {
			t.Fatalf("more locked: %s < %s", more, boost)
		}
		if more := types.BoostOf(locked, tokens, remaining+rapid.Uint64Range(0, 4000).Draw(t, "longer"), terms); more.LT(boost) {
			t.Fatalf("longer: %s < %s", more, boost)
		}
		if tokens.IsPositive() {
			if fewer := types.BoostOf(locked, tokens.Add(drawAmount(t, "more tokens")), remaining, terms); fewer.GT(boost) {
				t.Fatalf("more tokens: %s > %s", fewer, boost)
			}
		}
	})
}

// Splitting a node, its stake and its lock alike changes nothing. Putting the whole lock on one of the parts gains no more tokens for
// the same stake: the mean of the boosts, weighted by stake, never rises.
func TestSplittingANodeGainsNoBoost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		terms := drawTerms(t)
		remaining := rapid.Uint64Range(0, 4000).Draw(t, "remaining")
		a, b := rapid.Int64Range(1, 1e12).Draw(t, "a"), rapid.Int64Range(1, 1e12).Draw(t, "b")
		lockA, lockB := rapid.Int64Range(0, a).Draw(t, "lock a"), rapid.Int64Range(0, b).Draw(t, "lock b")
		weighted := func(locked, tokens int64) math.LegacyDec {
			return types.BoostOf(math.NewInt(locked), math.NewInt(tokens), remaining, terms).MulInt64(tokens)
		}
		parts, whole := weighted(lockA, a).Add(weighted(lockB, b)), weighted(lockA+lockB, a+b)
		// each boost is truncated by less than 10^-18
		if parts.Sub(whole).GT(math.LegacySmallestDec().MulInt64(a + b)) {
			t.Fatalf("parts %s, whole %s", parts, whole)
		}
		n := rapid.Int64Range(1, 1e6).Draw(t, "n")
		if whole, part := types.BoostOf(math.NewInt(lockA*n), math.NewInt(a*n), remaining, terms), types.BoostOf(math.NewInt(lockA), math.NewInt(a), remaining, terms); !whole.Equal(part) {
			t.Fatalf("whole %s, equal part %s", whole, part)
		}
	})
}
