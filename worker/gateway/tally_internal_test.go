package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestTally compares it with a map that holds what counts and nothing else.
func TestTally(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		got, want, all := newTally[uint16](), map[uint16]int{}, 0
		most := 0
		for range rapid.IntRange(0, 2_000).Draw(t, "steps") {
			of := rapid.Uint16Range(0, 300).Draw(t, "of")
			if rapid.Bool().Draw(t, "more") {
				want[of]++
				all++
				require.Equal(t, want[of], got.add(of))
			} else {
				got.done(of)
				if want[of] > 0 {
					all--
					want[of]--
				}
			}
			if want[of] == 0 {
				delete(want, of)
			}
			require.Equal(t, want[of], got.count(of))
			most = max(most, len(want))
			require.LessOrEqual(t, len(got.counts), 2*most+spareTallies)
			require.Equal(t, len(got.counts)-len(want), got.idle)
		}
	})
}

// TestTallyForgets: those who came once do not stay.
func TestTallyForgets(t *testing.T) {
	counts := newTally[int]()
	counts.add(-1)
	for of := range 100_000 {
		counts.add(of)
		counts.done(of)
		require.LessOrEqual(t, len(counts.counts), spareTallies+2)
	}
	require.Equal(t, 1, counts.count(-1))
}
