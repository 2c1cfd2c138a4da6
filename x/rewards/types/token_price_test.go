package types_test

import (
	stdmath "math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/rewards/types"
)

func TestCountedPrice(t *testing.T) {
	two := []types.TokenPrice{{Epoch: 10, Price: dec("0.5")}, {Epoch: 20, Price: dec("0.2")}}
	renewed := append(append([]types.TokenPrice{}, two...), types.TokenPrice{Epoch: 34, Price: dec("0.2")}, types.TokenPrice{Epoch: 48, Price: dec("0.2")})
	ended := []types.TokenPrice{{Epoch: 10, Price: dec("0.5")}, {Epoch: 12, Price: dec("0")}, {Epoch: 15, Price: dec("0.3")}}
	early := []types.TokenPrice{{Epoch: 0, Price: dec("3")}, {Epoch: 1, Price: dec("1")}}
	late := []types.TokenPrice{{Epoch: stdmath.MaxUint64 - 5, Price: dec("1")}}
	replaced := []types.TokenPrice{{Epoch: 5, Price: dec("9")}, {Epoch: 5, Price: dec("1")}}
	for name, tc := range map[string]struct {
		prices       []types.TokenPrice
		epoch        uint64
		set, counted string
		last         uint64
	}{
		"none at all":                        {nil, 5, "0", "0", 0},
		"none yet":                           {two, 9, "0", "0", 0},
		"first epoch":                        {two, 10, "0.5", "0.5", 19},
		"last epoch before the next":         {two, 19, "0.5", "0.5", 19},
		"replaced by a lower one":            {two, 20, "0.2", "0.5", 33},
		"last epoch":                         {two, 33, "0.2", "0.5", 33},
		"no longer valid":                    {two, 34, "0", "0", 0},
		"long after":                         {two, 1_000, "0", "0", 0},
		"a single one, last epoch":           {two[:1], 23, "0.5", "0.5", 23},
		"a single one, no longer valid":      {two[:1], 24, "0", "0", 0},
		"the high one is 29 epochs ago":      {renewed, 48, "0.2", "0.5", 61},
		"the high one is 30 epochs ago":      {renewed, 49, "0.2", "0.2", 61},
		"ended":                              {ended, 12, "0", "0", 0},
		"before it ended":                    {ended, 11, "0.5", "0.5", 11},
		"ended, the last epoch before a new": {ended, 14, "0", "0", 0},
		"what was ended still counts":        {ended, 15, "0.3", "0.5", 28},
		"epoch zero":                         {early, 0, "3", "3", 0},
		"epoch one":                          {early, 1, "1", "3", 14},
		"the end of all epochs":              {late, stdmath.MaxUint64, "1", "1", stdmath.MaxUint64},
		"replaced before it was in force":    {replaced, 5, "1", "1", 18},
		"in force for one epoch":             {early, 13, "1", "3", 14},
	} {
		set, counted, last := types.CountedPrice(tc.prices, tc.epoch)
		require.Equal(t, dec(tc.set).String(), set.String(), name)
		require.Equal(t, dec(tc.counted).String(), counted.String(), name)
		require.Equal(t, tc.last, last, name)
	}
}

// The function agrees with the definition, walked epoch by epoch: in force is the last price set, for 14 epochs; counted is the
// highest in force in the last 30, if one is in force now. So the counted price is never below the one in force, and forgetting
// prices that are older than both windows changes nothing.
func TestCountedPriceIsTheHighestInForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var prices []types.TokenPrice
		var at uint64
		for range rapid.IntRange(0, 12).Draw(t, "prices") {
			at += rapid.Uint64Range(1, 40).Draw(t, "later by")
			prices = append(prices, types.TokenPrice{Epoch: at, Price: math.LegacyNewDec(rapid.Int64Range(0, 9).Draw(t, "price"))})
		}
		epoch := rapid.Uint64Range(0, at+40).Draw(t, "epoch")

		inForce := func(e uint64) math.LegacyDec {
			price := math.LegacyZeroDec()
			for _, p := range prices {
				if p.Epoch <= e {
					price = math.LegacyZeroDec()
					if e-p.Epoch < 14 {
						price = p.Price
					}
				}
			}
			return price
		}
		wantSet, wantCounted := inForce(epoch), math.LegacyZeroDec()
		if wantSet.IsPositive() {
			for back := range uint64(30) {
				if back <= epoch {
					wantCounted = math.LegacyMaxDec(wantCounted, inForce(epoch-back))
				}
			}
		}
		set, counted, last := types.CountedPrice(prices, epoch)
		if !set.Equal(wantSet) || !counted.Equal(wantCounted) {
			t.Fatalf("set %s, counted %s; want %s, %s", set, counted, wantSet, wantCounted)
		}
		if set.IsPositive() {
			next, _, _ := types.CountedPrice(prices, last)
			if last < epoch || !next.Equal(set) {
				t.Fatalf("last epoch %d of %s, then %s", last, set, next)
			}
		}
		var recent []types.TokenPrice
		for _, p := range prices {
			if p.Epoch+types.TokenPriceLookback+types.TokenPriceValidity > epoch {
				recent = append(recent, p)
			}
		}
		set, counted, _ = types.CountedPrice(recent, epoch)
		if !set.Equal(wantSet) || !counted.Equal(wantCounted) {
			t.Fatalf("without old prices: set %s, counted %s; want %s, %s", set, counted, wantSet, wantCounted)
		}
	})
}
