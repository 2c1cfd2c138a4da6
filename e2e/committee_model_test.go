package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/testutil/devnet"
)

// This file is a second implementation of the beacon's hashes, the draw, and who holds which seat when, written from the
// description of the protocol. It shares no code with the chain.

// Domains of what is hashed.
const (
	domainFirstSeed = "edge/seed"
	domainSeats     = "edge/draw/seats"
	domainSpares    = "edge/draw/spares"
	domainRevealTx  = "edge/reveal-tx"
)

// padded is a domain as it stands before what is hashed.
func padded(domain string) []byte {
	return append([]byte(domain), make([]byte, 16-len(domain))...)
}

func digest(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// modelStake is somebody over whose stake seats are laid. The operator is the raw address.
type modelStake struct {
	operator []byte
	stake    *big.Int
}

// modelOffset draws a number in [0, total): the low bits of the blocks of a counter until one of them is small enough.
func modelOffset(domain string, seed []byte, total *big.Int) *big.Int {
	width := uint(new(big.Int).Sub(total, big.NewInt(1)).BitLen())
	modulus := new(big.Int).Lsh(big.NewInt(1), width)
	for k := uint64(0); ; k++ {
		block := digest(padded(domain), seed, binary.LittleEndian.AppendUint64(nil, k))
		r := new(big.Int).Mod(new(big.Int).SetBytes(block), modulus)
		if r.Cmp(total) < 0 {
			return r
		}
	}
}

// modelDraw returns the raw operator of each of n seats.
func modelDraw(domain string, seed []byte, stakes []modelStake, n int) []string {
	line := slices.Clone(stakes)
	slices.SortFunc(line, func(a, b modelStake) int {
		return bytes.Compare(digest(seed, a.operator), digest(seed, b.operator))
	})
	total := new(big.Int)
	ends := make([]*big.Int, len(line))
	for i, s := range line {
		total.Add(total, s.stake)
		ends[i] = new(big.Int).Set(total)
	}
	r := modelOffset(domain, seed, total)
	drawn := make([]string, n)
	for i := range drawn {
		point := new(big.Int).Mul(total, big.NewInt(int64(i)))
		point.Div(point.Add(point, r), big.NewInt(int64(n)))
		at := slices.IndexFunc(ends, func(end *big.Int) bool { return point.Cmp(end) < 0 })
		drawn[i] = string(line[at].operator)
	}
	return drawn
}

// modelHolders says who holds the seats after some have left, "" for nobody.
func modelHolders(seats, spares []string, left map[string]bool) []string {
	var vacant []int
	held := slices.Clone(seats)
	for i, operator := range held {
		if left[operator] {
			held[i] = ""
			vacant = append(vacant, i)
		}
	}
	if 4*(len(held)-len(vacant)) >= 3*len(held) {
		return held
	}
	for _, spare := range spares {
		if len(vacant) > 0 && !left[spare] {
			held[vacant[0]], vacant = spare, vacant[1:]
		}
	}
	return held
}

// modelPowers counts the seats in force after so many of the four steps from one committee to the next.
func modelPowers(incoming, outgoing []string, steps int) map[string]int64 {
	powers := make(map[string]int64)
	for i, operator := range incoming {
		if operator != "" && i%4 < steps {
			powers[operator]++
		}
	}
	for i, operator := range outgoing {
		if operator != "" && i%4 >= steps {
			powers[operator]++
		}
	}
	return powers
}

// TestCommitteeModel ties the model to the published vectors of the draw and of the beacon.
func TestCommitteeModel(t *testing.T) {
	vectors := func(name string, into any) {
		raw, err := os.ReadFile(filepath.Join(devnet.Root(), "x", "epoch", name, "testdata", "vectors.json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, into))
	}
	raw := func(s string) []byte {
		b, err := hex.DecodeString(s)
		require.NoError(t, err)
		return b
	}
	type run struct {
		Operator string
		Seats    int
	}
	var draws []struct {
		Name, Seed   string
		Candidates   []struct{ Operator, Stake string }
		Seats        int
		Runs, Spares []run
	}
	vectors("draw", &draws)
	require.NotEmpty(t, draws)
	for _, v := range draws {
		var stakes []modelStake
		for _, c := range v.Candidates {
			stake, ok := new(big.Int).SetString(c.Stake, 10)
			require.True(t, ok)
			stakes = append(stakes, modelStake{raw(c.Operator), stake})
		}
		for domain, runs := range map[string][]run{domainSeats: v.Runs, domainSpares: v.Spares} {
			var want []string
			for _, r := range runs {
				want = append(want, slices.Repeat([]string{string(raw(r.Operator))}, r.Seats)...)
			}
			require.Equal(t, want, modelDraw(domain, raw(v.Seed), stakes, v.Seats), "%s, %s", v.Name, domain)
		}
	}

	var beacons []struct {
		Seed, Start, Reveal, Mix, Tx string
		HeaderHash                   string `json:"header_hash"`
	}
	vectors("beacon", &beacons)
	require.NotEmpty(t, beacons)
	for _, v := range beacons {
		start := digest(raw(v.Seed), raw(v.HeaderHash))
		require.Equal(t, v.Start, hex.EncodeToString(start))
		require.Equal(t, v.Mix, hex.EncodeToString(digest(start, raw(v.Reveal))))
		require.Equal(t, v.Tx, hex.EncodeToString(append(padded(domainRevealTx), raw(v.Reveal)...)))
	}

	// The worked examples of the rule for vacant seats.
	left := func(operators ...string) map[string]bool {
		m := make(map[string]bool)
		for _, o := range operators {
			m[o] = true
		}
		return m
	}
	seats, spares := []string{"A", "A", "B", "C"}, []string{"B", "D"}
	require.Equal(t, []string{"A", "A", "B", ""}, modelHolders(seats, spares, left("C")))
	require.Equal(t, []string{"A", "A", "D", ""}, modelHolders(seats, spares, left("B", "C")))
}
