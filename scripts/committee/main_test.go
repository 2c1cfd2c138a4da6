package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTables(t *testing.T) {
	var a, b bytes.Buffer
	require.NoError(t, tables(&a, "all", 3))
	require.NoError(t, tables(&b, "all", 3))
	require.Equal(t, a.String(), b.String(), "the same command gives the same numbers")
	for _, title := range []string{"runs: ", "gain: ", "stake: ", "methods: "} {
		require.Contains(t, a.String(), title)
	}
	require.NotContains(t, a.String(), "NaN")
	require.ErrorContains(t, tables(&a, "none", 1), "none")
}

// TestHolders holds the fast draw against the chain's own: the same means within the roundings, and all seats taken.
func TestHolders(t *testing.T) {
	s := scenario{300, 10, 150}
	stakes, random := s.stakes(), s.generator(0)
	const trials = 2000
	fast := make([]float64, len(stakes))
	chain := make([]float64, len(stakes))
	for trial := range trials {
		holders := s.holders(random, stakes)
		require.Len(t, holders, int(s.seats))
		for _, h := range holders {
			fast[h]++
		}
		seats, err := s.elect(seedOf(s, trial), s.candidates())
		require.NoError(t, err)
		for i, n := range seats {
			chain[i] += float64(n)
		}
	}
	for i := range stakes {
		// Five standard deviations of the difference of two means of roundings: 5 * sqrt(2 * 1/4 / trials).
		require.InDelta(t, chain[i]/trials, fast[i]/trials, 0.08, "node %d", i)
	}
}

// TestRotation goes through epochs of the real rotation: powers are the seats, and runs are the attacker's.
func TestRotation(t *testing.T) {
	for _, ground := range []bool{false, true} {
		s := scenario{330, 100, 100}
		r, err := newRotation(s, ground, s.generator(1))
		require.NoError(t, err)
		longest := 0
		for range 50 {
			run, err := r.epoch()
			require.NoError(t, err)
			require.Equal(t, int64(s.seats), r.set.TotalVotingPower())
			for _, identity := range run {
				require.Less(t, identity, s.identities)
			}
			longest = max(longest, len(run))
		}
		require.Positive(t, longest)
	}
}

// TestChoose gives the attacker runs of each length: it never does worse than by revealing, and with one identity it gains
// nothing, because who withholds has no seats.
func TestChoose(t *testing.T) {
	for trial := range 20 {
		for _, identities := range []int{1, 10, 100} {
			s := scenario{330, identities, 100}
			for k := range 5 {
				run := make([]int, k)
				for i := range run {
					run[i] = (trial + i) % identities
				}
				honest, best := s.choose(s.generator(trial), s.stakes(), run)
				require.Equal(t, 100, honest.all)
				require.False(t, honest.better(best))
				if k == 0 || identities == 1 {
					require.Equal(t, honest, best)
				}
				require.LessOrEqual(t, best.all, 100)
			}
		}
	}
}

func TestMethods(t *testing.T) {
	s := scenario{300, 10, 100}
	candidates := s.candidates()
	for _, elect := range []method{systematic, sortition, withoutReplacement} {
		for trial := range 10 {
			seats, err := elect(s, trial, candidates)
			require.NoError(t, err)
			sum := 0
			for _, n := range seats {
				sum += n
			}
			require.Equal(t, 100, sum)
		}
	}
	require.Equal(t, 34, s.third())
	require.Equal(t, 50, scenario{seats: 150}.third())
}
