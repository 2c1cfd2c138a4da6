package main

import (
	"bytes"
	"slices"
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
			last, err := r.epoch()
			require.NoError(t, err)
			require.Equal(t, int64(s.seats), r.set.TotalVotingPower())
			for _, identity := range slices.Concat(last.blocks, last.rounds) {
				require.Less(t, identity, s.identities)
			}
			longest = max(longest, len(last.blocks))
		}
		require.Positive(t, longest)
	}
}

func TestValues(t *testing.T) {
	for _, c := range []struct {
		run          run
		free, missed float64
	}{
		{run{blocks: []int{7}}, 1, 1},                                 // its reveal; none
		{run{blocks: []int{7}, rounds: []int{8}}, 3, 0},               // 7, 8, none by 8
		{run{blocks: []int{7}, rounds: []int{7}}, 2, 0},               // one identity twice
		{run{blocks: []int{7, 8}}, 3, 3},                              // 7, 8 or none, then 8 or none
		{run{blocks: []int{7, 8, 9}}, 4 * 3, 4 * 3},                   //
		{run{blocks: []int{7, 8}, rounds: []int{9}}, 4 * 3, 0},        //
		{run{blocks: []int{7, 8}, rounds: []int{7, 8}}, 3 * 3, 0},     // the same two again
		{run{blocks: []int{1, 7, 8}, rounds: []int{7}}, 4 * 3 * 3, 0}, //
	} {
		v := c.run.values(len(c.run.blocks))
		require.Equal(t, values{c.free, c.missed}, v, "%+v", c.run)
	}
}

// TestPlay plays runs out seed by seed and compares: what an attacker gains is what the formulas say.
func TestPlay(t *testing.T) {
	for _, identities := range []int{1, 10, 100} {
		s := scenario{330, identities, 100}
		random, stakes := s.generator(1), s.stakes()
		c := s.chances(random, stakes, 20_000)
		require.InDelta(t, 0.33, c.mean, 0.002)
		before := c.play(run{}, 0)
		for n := 1; n <= 3; n++ {
			r := run{blocks: make([]int, n)}
			for i := range n {
				r.blocks[i] = i % identities
			}
			g := c.play(r, n)
			require.GreaterOrEqual(t, g.share, before.share, "a longer run is worth no less")
			require.GreaterOrEqual(t, g.third, before.third)
			require.InDelta(t, 0.5, g.acts, 0.5)
			require.LessOrEqual(t, g.missed, g.acts)

			v := r.values(n)
			const trials = 2000
			share, third, acts, missed := 0.0, 0.0, 0.0, 0.0
			for range trials {
				best, honest, silent, byMiss := before.share, 0.0, true, false
				hit := false
				for i := range int(v.free + v.missed) {
					own, all := 0, int(s.seats)
					lost := float64(i) >= v.free
					for _, holder := range s.holders(random, stakes) {
						switch {
						case holder == 0 && lost:
							all--
						case holder < identities:
							own++
						}
					}
					x := float64(own) / float64(all)
					if i == 0 {
						honest = x
					}
					hit = hit || 3*own >= all
					if x > best || x == best && silent {
						best, silent, byMiss = x, false, lost
					}
				}
				share += best
				if hit || random.Float64() < before.third {
					third++
				}
				if silent || best > honest {
					acts++
				}
				if byMiss {
					missed++
				}
			}
			// Five standard deviations of a mean of coins, and far more than that of shares.
			require.InDelta(t, share/trials, g.share, 0.005, "%d identities, %d blocks", identities, n)
			require.InDelta(t, third/trials, g.third, 0.06)
			require.InDelta(t, acts/trials, g.acts, 0.06)
			require.InDelta(t, missed/trials, g.missed, 0.06)
			before = g
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
