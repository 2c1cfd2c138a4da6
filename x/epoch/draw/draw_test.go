package draw_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/x/epoch/draw"
)

func seedOf(n int) []byte {
	digest := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("seed"), uint64(n)))
	return digest[:]
}

func operatorOf(n int) []byte {
	digest := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("operator"), uint64(n)))
	return digest[:20]
}

func candidatesOf(stakes ...int64) []draw.Candidate {
	var candidates []draw.Candidate
	for i, s := range stakes {
		candidates = append(candidates, draw.Candidate{Operator: operatorOf(i), Stake: big.NewInt(s)})
	}
	return candidates
}

func totalOf(candidates []draw.Candidate) *big.Int {
	total := new(big.Int)
	for _, c := range candidates {
		total.Add(total, c.Stake)
	}
	return total
}

// held returns the seats of each candidate, in the order of the candidates, and checks what is true of every result.
func held(t require.TestingT, candidates []draw.Candidate, runs []draw.Run, seats uint32) []int64 {
	index := map[string]int{}
	for i, c := range candidates {
		index[string(c.Operator)] = i
	}
	won := make([]int64, len(candidates))
	sum := uint64(0)
	for _, r := range runs {
		i, ok := index[string(r.Operator)]
		require.True(t, ok, "the holder is a candidate")
		require.Zero(t, won[i], "nobody has two runs")
		require.NotZero(t, r.Seats, "no run is empty")
		won[i] = int64(r.Seats)
		sum += uint64(r.Seats)
	}
	require.Equal(t, uint64(seats), sum, "all seats are taken")
	return won
}

// requireShares checks that everyone has its exact share rounded down or up.
func requireShares(t require.TestingT, candidates []draw.Candidate, won []int64, seats uint32) {
	total := totalOf(candidates)
	for i, c := range candidates {
		share := new(big.Int).Mul(c.Stake, big.NewInt(int64(seats)))
		low, rest := new(big.Int).QuoRem(share, total, new(big.Int))
		high := new(big.Int).Set(low)
		if rest.Sign() > 0 {
			high.Add(high, big.NewInt(1))
		}
		got := big.NewInt(won[i])
		require.True(t, got.Cmp(low) == 0 || got.Cmp(high) == 0, "candidate %d has %d seats of %v/%v", i, won[i], share, total)
	}
}

func TestWorkedExample(t *testing.T) {
	a, b, c := []byte("A"), []byte("B"), []byte("C")
	line := []draw.Candidate{{Operator: b, Stake: big.NewInt(30)}, {Operator: c, Stake: big.NewInt(20)}, {Operator: a, Stake: big.NewInt(50)}}
	runs := draw.Lay(line, 3, big.NewInt(100), big.NewInt(47))
	require.Equal(t, []draw.Run{{Operator: b, Seats: 1}, {Operator: c, Seats: 1}, {Operator: a, Seats: 1}}, runs)

	wins := map[string]int64{}
	for r := range int64(100) {
		for _, run := range draw.Lay(line, 3, big.NewInt(100), big.NewInt(r)) {
			wins[string(run.Operator)] += int64(run.Seats)
		}
	}
	require.Equal(t, map[string]int64{"A": 150, "B": 90, "C": 60}, wins)
}

func TestRefused(t *testing.T) {
	seed, good := seedOf(0), candidatesOf(1, 2)
	huge := new(big.Int).Lsh(big.NewInt(1), 191)
	for name, c := range map[string]struct {
		seed       []byte
		candidates []draw.Candidate
		seats      uint32
		want       error
	}{
		"no seed":        {nil, good, 1, draw.ErrSeed},
		"short seed":     {seed[1:], good, 1, draw.ErrSeed},
		"long seed":      {append(seed[:32:32], 0), good, 1, draw.ErrSeed},
		"no seats":       {seed, good, 0, draw.ErrSeats},
		"no candidates":  {seed, nil, 1, draw.ErrCandidates},
		"empty operator": {seed, []draw.Candidate{{Stake: big.NewInt(1)}}, 1, draw.ErrOperator},
		"operator twice": {seed, slices.Concat(good, good[:1]), 1, draw.ErrOperator},
		"no stake":       {seed, []draw.Candidate{{Operator: []byte{1}}}, 1, draw.ErrStake},
		"stake 0":        {seed, candidatesOf(1, 0), 1, draw.ErrStake},
		"stake below 0":  {seed, candidatesOf(5, -1), 1, draw.ErrStake},
		"too much stake": {seed, []draw.Candidate{{Operator: []byte{1}, Stake: huge}, {Operator: []byte{2}, Stake: huge}}, 1, draw.ErrStake},
	} {
		t.Run(name, func(t *testing.T) {
			runs, err := draw.Seats(c.seed, c.candidates, c.seats)
			require.ErrorIs(t, err, c.want)
			require.Nil(t, runs)
			runs, err = draw.Spares(c.seed, c.candidates, c.seats)
			require.ErrorIs(t, err, c.want)
			require.Nil(t, runs)
		})
	}
}

// TestBounds goes to the largest stake and the largest number of seats, which cost no more than small ones.
func TestBounds(t *testing.T) {
	most := new(big.Int).Lsh(big.NewInt(1), 192)
	most.Sub(most, big.NewInt(1))
	runs, err := draw.Seats(seedOf(0), []draw.Candidate{{Operator: []byte{1}, Stake: most}}, math.MaxUint32)
	require.NoError(t, err)
	require.Equal(t, []draw.Run{{Operator: []byte{1}, Seats: math.MaxUint32}}, runs)

	candidates := candidatesOf(1, math.MaxInt64, 12345)
	runs, err = draw.Seats(seedOf(0), candidates, math.MaxUint32)
	require.NoError(t, err)
	requireShares(t, candidates, held(t, candidates, runs, math.MaxUint32), math.MaxUint32)
}

// genCandidates makes lists with equal, tiny and huge stakes side by side.
func genCandidates(t *rapid.T) []draw.Candidate {
	n := rapid.IntRange(1, 60).Draw(t, "candidates")
	candidates := make([]draw.Candidate, n)
	for i := range candidates {
		bits := rapid.IntRange(1, 180).Draw(t, "bits")
		stake := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 23, 23).Draw(t, "stake"))
		stake.Rsh(stake, uint(184-bits))
		if stake.Sign() == 0 {
			stake.SetInt64(1)
		}
		candidates[i] = draw.Candidate{Operator: operatorOf(i), Stake: stake}
	}
	return candidates
}

func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := seedOf(rapid.Int().Draw(t, "seed"))
		candidates := genCandidates(t)
		seats := rapid.Uint32Range(1, 300).Draw(t, "seats")
		for _, d := range []struct {
			domain string
			draw   func([]byte, []draw.Candidate, uint32) ([]draw.Run, error)
		}{{"edge/draw/seats", draw.Seats}, {"edge/draw/spares", draw.Spares}} {
			before := slices.Clone(candidates)
			runs, err := d.draw(seed, candidates, seats)
			require.NoError(t, err)
			require.Equal(t, before, candidates, "the input stays as it is")
			requireShares(t, candidates, held(t, candidates, runs, seats), seats)
			require.Equal(t, naive(d.domain, seed, candidates, seats).runs, runs)

			shuffled := slices.Clone(candidates)
			rand.New(rand.NewSource(1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			again, err := d.draw(seed, shuffled, seats)
			require.NoError(t, err)
			require.Equal(t, runs, again, "the order of the candidates makes no difference")
		}
	})
}

// TestExactMean goes through every r: each candidate wins exactly seats * stake seats in total, which over total values of r
// is the exact share, and the parts of a stake win together exactly what the whole wins in their place.
func TestExactMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stakes := rapid.SliceOfN(rapid.Int64Range(1, 50), 1, 12).Draw(t, "stakes")
		seats := rapid.Uint32Range(1, 40).Draw(t, "seats")
		line := candidatesOf(stakes...)
		total := totalOf(line)

		split := rapid.IntRange(0, len(line)-1).Draw(t, "split")
		var parts []draw.Candidate
		for i, rest := 0, stakes[split]; rest > 0; i++ {
			part := rapid.Int64Range(1, rest).Draw(t, "part")
			parts = append(parts, draw.Candidate{Operator: operatorOf(1000 + i), Stake: big.NewInt(part)})
			rest -= part
		}
		splitLine := slices.Concat(line[:split], parts, line[split+1:])

		wins := make([]int64, len(line))
		for r := range total.Int64() {
			won := held(t, line, draw.Lay(line, seats, total, big.NewInt(r)), seats)
			for i, w := range won {
				wins[i] += w
			}
			ofParts := int64(0)
			for _, w := range held(t, splitLine, draw.Lay(splitLine, seats, total, big.NewInt(r)), seats)[split : split+len(parts)] {
				ofParts += w
			}
			require.Equal(t, won[split], ofParts)
		}
		for i, s := range stakes {
			require.Equal(t, int64(seats)*s, wins[i])
		}
	})
}

const draws = 10_000

// stakesOfMany are those of 60 candidates, from a twentieth of a seat to 15 seats of 100.
func stakesOfMany() []int64 {
	stakes := make([]int64, 60)
	for i := range stakes {
		stakes[i] = int64(math.Pow(1.1, float64(i)) * 1_000_000)
	}
	return stakes
}

// deviation is the largest distance of a mean over all draws from its expectation that the tests accept: five standard
// deviations. A candidate wins its share rounded down or up, so the seat above is a coin with the share's fraction f as its
// chance, its standard deviation sqrt(f(1-f)), and that of a mean smaller by sqrt(draws). The seeds are fixed, so nothing can
// come out differently on another day; with other seeds one mean in 1.7 million would exceed the bound.
func deviation(share float64) float64 {
	f := share - math.Floor(share)
	return 5*math.Sqrt(f*(1-f)/draws) + 1e-9 // what is left where the share is a whole number is the error of the floats
}

func shareOf(candidates []draw.Candidate, i int, seats uint32) float64 {
	share, _ := new(big.Rat).SetFrac(new(big.Int).Mul(candidates[i].Stake, big.NewInt(int64(seats))), totalOf(candidates)).Float64()
	return share
}

// TestManyDraws draws 10,000 committees by seeds, twice: with a large candidate as one and with the same stake in parts. The
// means are the shares, and the parts win what the whole wins.
func TestManyDraws(t *testing.T) {
	const seats = 100
	whole := candidatesOf(stakesOfMany()...)
	last := len(whole) - 1
	const partsN = 7
	parts := slices.Clone(whole[:last])
	rest := whole[last].Stake.Int64()
	for i := range partsN {
		part := rest / 2
		if i == partsN-1 {
			part = rest
		}
		rest -= part
		parts = append(parts, draw.Candidate{Operator: operatorOf(1000 + i), Stake: big.NewInt(part)})
	}
	require.Equal(t, totalOf(whole), totalOf(parts))

	wins, winsParts := make([]int64, len(whole)), make([]int64, len(parts))
	share := shareOf(whole, last, seats)
	for n := range draws {
		runs, err := draw.Seats(seedOf(n), whole, seats)
		require.NoError(t, err)
		won := held(t, whole, runs, seats)
		requireShares(t, whole, won, seats)
		runs, err = draw.Seats(seedOf(n), parts, seats)
		require.NoError(t, err)
		wonParts := held(t, parts, runs, seats)
		requireShares(t, parts, wonParts, seats)
		ofParts := int64(0)
		for i, w := range wonParts {
			winsParts[i] += w
			if i >= last {
				ofParts += w
			}
		}
		require.Less(t, math.Abs(float64(ofParts)-share), float64(partsN), "the parts differ by their roundings only")
		for i, w := range won {
			wins[i] += w
		}
	}

	mean := func(wins int64) float64 { return float64(wins) / draws }
	for i := range whole {
		share := shareOf(whole, i, seats)
		require.InDelta(t, share, mean(wins[i]), deviation(share), "candidate %d", i)
	}
	// The standard deviation of a sum is at most the sum of the standard deviations.
	ofParts, bound := int64(0), 0.0
	for i := range parts {
		share := shareOf(parts, i, seats)
		require.InDelta(t, share, mean(winsParts[i]), deviation(share), "candidate %d beside the parts", i)
		if i >= last {
			ofParts += winsParts[i]
			bound += deviation(share)
		}
	}
	require.InDelta(t, share, mean(ofParts), bound, "the parts together")
}

// TestSparesAreIndependent looks at the two shifts of 10,000 elections in a table of 10 by 10 tenths: each row, each column
// and each field is hit as often as chance wants (chi-squared within five standard deviations). And who lost a seat by bad luck
// wins the spare as often as anyone.
func TestSparesAreIndependent(t *testing.T) {
	const seats = 100
	candidates := candidatesOf(stakesOfMany()...)
	total := totalOf(candidates)
	const cells = 10
	var table [cells][cells]int
	tenth := func(r *big.Int) int64 {
		return new(big.Int).Quo(new(big.Int).Mul(r, big.NewInt(cells)), total).Int64()
	}
	both := make([]int, len(candidates))
	for n := range draws {
		r, spare := draw.Offsets(seedOf(n), total)
		table[tenth(r)][tenth(spare)]++
		runs, err := draw.Seats(seedOf(n), candidates, seats)
		require.NoError(t, err)
		won := held(t, candidates, runs, seats)
		runs, err = draw.Spares(seedOf(n), candidates, seats)
		require.NoError(t, err)
		wonSpares := held(t, candidates, runs, seats)
		requireShares(t, candidates, wonSpares, seats)
		for i := range candidates {
			low := int64(math.Floor(shareOf(candidates, i, seats)))
			if won[i] > low && wonSpares[i] > low {
				both[i]++
			}
		}
	}
	chi := func(counts []int) float64 {
		want, sum := float64(draws)/float64(len(counts)), 0.0
		for _, c := range counts {
			sum += (float64(c) - want) * (float64(c) - want) / want
		}
		return sum
	}
	limit := func(freedom float64) float64 { return freedom + 5*math.Sqrt(2*freedom) }
	var fields, rows, columns []int
	for i := range cells {
		row, column := 0, 0
		for j := range cells {
			fields = append(fields, table[i][j])
			row += table[i][j]
			column += table[j][i]
		}
		rows, columns = append(rows, row), append(columns, column)
	}
	require.Less(t, chi(fields), limit(cells*cells-1))
	require.Less(t, chi(rows), limit(cells-1))
	require.Less(t, chi(columns), limit(cells-1))
	for i := range candidates {
		share := shareOf(candidates, i, seats)
		f := share - math.Floor(share)
		require.InDelta(t, f*f, float64(both[i])/draws, deviation(f*f), "candidate %d", i)
	}
}

// TestBelow feeds the generator blocks of its own.
func TestBelow(t *testing.T) {
	word := func(v uint64) (b [sha256.Size]byte) {
		for i := range b {
			b[i] = 0xff // what stands above the low bits does not count
		}
		binary.BigEndian.PutUint64(b[len(b)-8:], v)
		return b
	}
	for name, c := range map[string]struct {
		total  int64
		blocks []uint64
		want   int64
	}{
		"a total of 1 takes no block":             {1, nil, 0},
		"the first that fits":                     {5, []uint64{4}, 4},
		"the low bits alone":                      {5, []uint64{0xf8 | 3}, 3},
		"above the total is rejected":             {5, []uint64{5, 6, 7, 2}, 2},
		"a power of two has no bit above":         {8, []uint64{0xf8 | 7}, 7},
		"one above a power of two has a bit more": {9, []uint64{15, 9, 8}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			taken := 0
			r := draw.Below(big.NewInt(c.total), func(k uint64) [sha256.Size]byte {
				require.Equal(t, uint64(taken), k)
				taken++
				return word(c.blocks[k])
			})
			require.Equal(t, c.want, r.Int64())
			require.Len(t, c.blocks, taken)
		})
	}
	taken := 0
	r := draw.Below(big.NewInt(5), func(uint64) [sha256.Size]byte { taken++; return word(7) })
	require.Equal(t, int64(7%5), r.Int64(), "the loop is bounded, and still says a number below the total")
	require.Equal(t, draw.MaxRejections, taken)
}

func BenchmarkSeats(b *testing.B) {
	for _, n := range []int{300, 1_000, 10_000} {
		b.Run(fmt.Sprintf("candidates=%d", n), func(b *testing.B) {
			stakes := make([]int64, n)
			for i := range stakes {
				stakes[i] = 1_000_000_000_000 + int64(i)*123_456_789
			}
			candidates := candidatesOf(stakes...)
			for b.Loop() {
				_, err := draw.Seats(seedOf(0), candidates, 150)
				require.NoError(b, err)
			}
		})
	}
}

func FuzzDraw(f *testing.F) {
	// Each candidate takes a byte for the length of its operator, one for the length of its stake and its sign, and these.
	f.Add(seedOf(0), uint32(3), []byte{1, 1, 'A', 50, 1, 1, 'B', 30, 1, 1, 'C', 20})
	f.Add(seedOf(1), uint32(100), []byte{3, 8, 1, 2, 3, 255, 1, 2, 3, 4, 5, 6, 7})
	f.Add(seedOf(2), uint32(1), []byte{1, 1, 'A', 50, 1, 1, 'A', 30})
	f.Add(seedOf(3), uint32(1), []byte{1, 0, 'A', 0, 1, 1, 1, 251, 'B', 1})
	f.Add([]byte{1}, uint32(math.MaxUint32), []byte{})
	f.Fuzz(func(t *testing.T, seed []byte, seats uint32, b []byte) {
		var candidates []draw.Candidate
		for len(b) >= 2 && len(candidates) < 100 {
			operator, stake := int(b[0]%4), int(b[1]%32)
			negative := b[1] >= 250
			b = b[2:]
			if len(b) < operator+stake {
				break
			}
			c := draw.Candidate{Operator: b[:operator], Stake: new(big.Int).SetBytes(b[operator : operator+stake])}
			if negative {
				c.Stake.Neg(c.Stake)
			}
			if stake == 31 {
				c.Stake = nil
			}
			candidates = append(candidates, c)
			b = b[operator+stake:]
		}
		runs, err := draw.Seats(seed, candidates, seats)
		spares, errSpares := draw.Spares(seed, candidates, seats)
		require.Equal(t, err, errSpares)
		if err != nil {
			require.Nil(t, runs)
			return
		}
		requireShares(t, candidates, held(t, candidates, runs, seats), seats)
		requireShares(t, candidates, held(t, candidates, spares, seats), seats)
		if seats <= 1000 {
			require.Equal(t, naive("edge/draw/seats", seed, candidates, seats).runs, runs)
			require.Equal(t, naive("edge/draw/spares", seed, candidates, seats).runs, spares)
		}
	})
}
