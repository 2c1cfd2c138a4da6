package types_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/rewards/types"
)

// The worked example of EmissionYear.Begun, and its edges.
func TestEmissionYearBegun(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	first := types.EmissionYear{Number: 1, Start: start, Supply: math.NewInt(1000)}
	now := math.NewInt(1100)
	for _, tc := range []struct {
		at     time.Time
		number uint64
		start  time.Time
	}{
		{start.Add(-time.Hour), 1, start},
		{start, 1, start},
		{time.Date(2026, 12, 31, 23, 59, 59, 999_999_999, time.UTC), 1, start},
		{time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), 2, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
		{time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC), 2, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
		{time.Date(2029, 6, 1, 0, 0, 0, 0, time.UTC), 4, time.Date(2028, 12, 31, 0, 0, 0, 0, time.UTC)},
		{time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), 101, start.Add(100 * types.EmissionYearDuration)}, // at most 100 at once
	} {
		y, begun := first.Begun(tc.at, now)
		require.Equal(t, tc.number != 1, begun, tc.at)
		require.Equal(t, tc.number, y.Number, tc.at)
		require.Equal(t, tc.start, y.Start, tc.at)
		if begun {
			require.Equal(t, now, y.Supply)
		} else {
			require.Equal(t, first, y)
		}
	}
}

// However the closes fall, years begin 365 days after each other and hold the time they are asked for.
func TestEmissionYearProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		y, at := types.EmissionYear{Number: 1, Start: start, Supply: math.NewInt(1)}, start
		for i := range 20 {
			at = at.Add(time.Duration(rapid.Int64Range(0, int64(3*types.EmissionYearDuration)).Draw(t, "later")))
			next, begun := y.Begun(at, math.NewInt(int64(i)))
			require.Equal(t, begun, next.Number > y.Number)
			y = next
			require.Equal(t, start.Add(time.Duration(y.Number-1)*types.EmissionYearDuration), y.Start)
			require.True(t, !at.Before(y.Start) && at.Before(y.Start.Add(types.EmissionYearDuration)))
		}
	})
}
