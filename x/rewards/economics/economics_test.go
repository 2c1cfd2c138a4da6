package economics_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/x/rewards/economics"
)

// In the rules as they are no search finds profit.
func TestNoProfit(t *testing.T) {
	for seed := range uint64(4) {
		found := economics.Search(economics.NoHole, economics.Options{Seed: seed, Plays: 400})
		t.Logf("seed %d: %s of 1,000,000 paid", seed, found.Score)
		require.False(t, found.Result.Profit.IsPositive(), "%+v: %v", found.Result, economics.Differences(found.Play))
	}
}

// With any hole open the same search finds profit.
func TestEveryHolePays(t *testing.T) {
	for _, hole := range economics.Holes() {
		t.Run(hole.String(), func(t *testing.T) {
			found := economics.Search(hole, economics.Options{Seed: 5, Plays: 4_000, Enough: 1_000})
			t.Logf("%d plays: %s of 1,000,000 paid: %v", found.Plays, found.Score, economics.Differences(found.Play))
			require.True(t, found.Result.Profit.IsPositive())
			require.False(t, economics.Run(&found.Play, economics.NoHole).Profit.IsPositive(), "the rules stop it")
		})
	}
}
