package draw_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/x/epoch/draw"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew, by the naive implementation")

var vectorFile = filepath.Join("testdata", "vectors.json")

// vector is a published draw. Bytes are hex, stakes and r are decimal.
type vector struct {
	Name       string            `json:"name"`
	Seed       string            `json:"seed"`
	Candidates []vectorCandidate `json:"candidates"`
	Seats      uint32            `json:"seats"`
	Order      []string          `json:"order"`
	R          string            `json:"r"`
	Runs       []vectorRun       `json:"runs"`
	SparesR    string            `json:"spares_r"`
	Spares     []vectorRun       `json:"spares"`
}

type vectorCandidate struct {
	Operator string `json:"operator"`
	Stake    string `json:"stake"`
}

type vectorRun struct {
	Operator string `json:"operator"`
	Seats    uint32 `json:"seats"`
}

func (v *vector) input(t *testing.T) (seed []byte, candidates []draw.Candidate) {
	t.Helper()
	for _, c := range v.Candidates {
		stake, ok := new(big.Int).SetString(c.Stake, 10)
		require.True(t, ok, c.Stake)
		candidates = append(candidates, draw.Candidate{Operator: unhex(t, c.Operator), Stake: stake})
	}
	return unhex(t, v.Seed), candidates
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func vectorRuns(runs []draw.Run) []vectorRun {
	var result []vectorRun
	for _, r := range runs {
		result = append(result, vectorRun{Operator: hex.EncodeToString(r.Operator), Seats: r.Seats})
	}
	return result
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	b, err := os.ReadFile(vectorFile)
	require.NoError(t, err)
	var vectors []vector
	require.NoError(t, json.Unmarshal(b, &vectors))
	require.NotEmpty(t, vectors)
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			seed, candidates := v.input(t)

			order, err := draw.Arrange(seed, candidates)
			require.NoError(t, err)
			for i, c := range order {
				require.Equal(t, v.Order[i], hex.EncodeToString(c.Operator), "place %d", i)
			}
			total := new(big.Int)
			for _, c := range candidates {
				total.Add(total, c.Stake)
			}
			r, sparesR := draw.Offsets(seed, total)
			require.Equal(t, v.R, r.String())
			require.Equal(t, v.SparesR, sparesR.String())
			seats, err := draw.Seats(seed, candidates, v.Seats)
			require.NoError(t, err)
			require.Equal(t, v.Runs, vectorRuns(seats))
			spares, err := draw.Spares(seed, candidates, v.Seats)
			require.NoError(t, err)
			require.Equal(t, v.Spares, vectorRuns(spares))

			require.Equal(t, v, byNaive(t, v), "the second implementation")
		})
	}
}

// byNaive fills in the results of a vector by the naive implementation.
func byNaive(t *testing.T, v vector) vector {
	t.Helper()
	seed, candidates := v.input(t)
	seats := naive("edge/draw/seats", seed, candidates, v.Seats)
	spares := naive("edge/draw/spares", seed, candidates, v.Seats)
	v.Order, v.R, v.Runs = seats.order, seats.r.String(), vectorRuns(seats.runs)
	v.SparesR, v.Spares = spares.r.String(), vectorRuns(spares.runs)
	return v
}

func writeVectors(t *testing.T) {
	t.Helper()
	seed := func(n int) string {
		digest := sha256.Sum256(fmt.Appendf(nil, "vector %d", n))
		return hex.EncodeToString(digest[:])
	}
	// operators have the length of addresses unless a vector says otherwise.
	operator := func(n int) string {
		digest := sha256.Sum256(fmt.Appendf(nil, "operator %d", n))
		return hex.EncodeToString(digest[:20])
	}
	stakes := func(values ...string) (list []vectorCandidate) {
		for i, s := range values {
			list = append(list, vectorCandidate{operator(i), s})
		}
		return list
	}
	power := func(n uint) string { return new(big.Int).Lsh(big.NewInt(1), n).String() }
	var many []string
	for i := range 40 {
		many = append(many, fmt.Sprint(1_000_000_000+i*i*123_456_789))
	}
	vectors := []vector{
		{Name: "three seats over 50, 30 and 20", Seats: 3, Candidates: stakes("50", "30", "20")},
		{Name: "one unit of stake", Seats: 100, Candidates: stakes("1")},
		{Name: "two units of stake", Seats: 3, Candidates: stakes("1", "1")},
		{Name: "one seat", Seats: 1, Candidates: stakes("7", "8", "9")},
		{Name: "one candidate", Seats: 150, Candidates: stakes("123456789")},
		{Name: "seven equal validators, four seats", Seats: 4, Candidates: stakes("1000000", "1000000", "1000000", "1000000", "1000000", "1000000", "1000000")},
		{Name: "total a power of two", Seats: 5, Candidates: stakes("1", "2", "5", "8")},
		{Name: "total one above a power of two", Seats: 5, Candidates: stakes("1", "2", "5", "9")},
		{Name: "more seats than units of stake", Seats: 100, Candidates: stakes("3", "1", "2")},
		{Name: "a whale and the dust", Seats: 100, Candidates: stakes("999999999999999", "1", "1", "1")},
		{Name: "forty candidates", Seats: 100, Candidates: stakes(many...)},
		{Name: "forty candidates, few seats", Seats: 10, Candidates: stakes(many...)},
		{Name: "stakes near the bound", Seats: 100, Candidates: stakes(power(191), power(190), power(189), "1", power(130))},
		{Name: "operators of many lengths", Seats: 10, Candidates: []vectorCandidate{
			{"00", "10"}, {"0000", "20"}, {operator(1) + operator(2)[:24], "30"}, {operator(1), "40"},
		}},
	}
	for i, v := range vectors {
		v.Seed = seed(i)
		vectors[i] = byNaive(t, v)
	}
	b, err := json.MarshalIndent(vectors, "", " ")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll("testdata", 0o755))
	require.NoError(t, os.WriteFile(vectorFile, append(b, '\n'), 0o600))
}
