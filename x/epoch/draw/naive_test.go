package draw_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"sort"
	"strings"

	"github.com/edgechain/edge/x/epoch/draw"
)

// outcome is a draw as the naive implementation spells it out.
type outcome struct {
	order  []string // operators in hex
	r      *big.Int
	points []*big.Int
	runs   []draw.Run
}

// naive is the draw written a second time, from its specification alone and sharing no code with the package: seat by seat,
// walking the line from its beginning for each.
func naive(domain string, seed []byte, candidates []draw.Candidate, seats uint32) outcome {
	places := map[string]string{}
	stakes := map[string]*big.Int{}
	var o outcome
	total := big.NewInt(0)
	for _, c := range candidates {
		name := hex.EncodeToString(c.Operator)
		digest := sha256.Sum256([]byte(string(seed) + string(c.Operator)))
		places[name] = hex.EncodeToString(digest[:])
		stakes[name] = c.Stake
		o.order = append(o.order, name)
		total = new(big.Int).Add(total, c.Stake)
	}
	sort.Slice(o.order, func(i, j int) bool { return places[o.order[i]] < places[o.order[j]] })

	o.r = naiveOffset(domain, seed, total)
	held := map[string]uint32{}
	var holders []string
	for i := range seats {
		point := new(big.Int).Mul(big.NewInt(int64(i)), total)
		point.Add(point, o.r).Div(point, big.NewInt(int64(seats)))
		o.points = append(o.points, point)
		a := big.NewInt(0)
		for _, name := range o.order {
			b := new(big.Int).Add(a, stakes[name])
			if a.Cmp(point) <= 0 && point.Cmp(b) < 0 {
				if held[name] == 0 {
					holders = append(holders, name)
				}
				held[name]++
				break
			}
			a = b
		}
	}
	for _, name := range holders {
		operator, err := hex.DecodeString(name)
		if err != nil {
			panic(err)
		}
		o.runs = append(o.runs, draw.Run{Operator: operator, Seats: held[name]})
	}
	return o
}

// naiveOffset works on strings of binary digits.
func naiveOffset(domain string, seed []byte, total *big.Int) *big.Int {
	if total.Cmp(big.NewInt(1)) == 0 {
		return big.NewInt(0)
	}
	digits := len(new(big.Int).Sub(total, big.NewInt(1)).Text(2))
	for len(domain) < 16 {
		domain += "\x00"
	}
	for k := 0; ; k++ {
		var counter [8]byte
		for rest, i := k, 0; i < len(counter); i++ {
			counter[i] = byte(rest % 256)
			rest /= 256
		}
		var block strings.Builder
		for _, b := range sha256.Sum256([]byte(domain + string(seed) + string(counter[:]))) {
			fmt.Fprintf(&block, "%08b", b)
		}
		r, ok := new(big.Int).SetString(block.String()[256-digits:], 2)
		if !ok {
			panic("no binary digits: " + block.String())
		}
		if r.Cmp(total) < 0 {
			return r
		}
	}
}
