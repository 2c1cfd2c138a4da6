package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"

	"github.com/edgechain/edge/x/epoch/draw"
)

const (
	// honestNodes hold the stake that the attacker does not hold, falling like 1/(rank + 10): the largest has 11 times the
	// stake of the hundredth.
	honestNodes = 200
	// totalStake in units; shares are thousandths of it.
	totalStake = 1_000_000_000_000
)

// scenario is an attacker with a share of the stake, in thousandths, split evenly over identities, and a number of seats.
type scenario struct {
	share, identities int
	seats             uint32
}

// third is the least number of seats that is a third of all.
func (s scenario) third() int { return (int(s.seats) + 2) / 3 }

func (s scenario) String() string {
	return fmt.Sprintf("%d/%d/%d", s.share, s.identities, s.seats)
}

// generator makes the random numbers of one trial that do not come from the chain's draw.
func (s scenario) generator(trial int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(trial), uint64(s.share*1_000_000+s.identities*1000+int(s.seats))))
}

// stakes returns those of the attacker's identities, then those of the honest nodes.
func (s scenario) stakes() []int64 {
	attacker := int64(totalStake / 1000 * s.share)
	stakes := make([]int64, 0, s.identities+honestNodes)
	for range s.identities {
		stakes = append(stakes, attacker/int64(s.identities))
	}
	weight := 0.0
	for i := range honestNodes {
		weight += 1 / float64(i+11)
	}
	for i := range honestNodes {
		stakes = append(stakes, int64(float64(totalStake-attacker)/float64(i+11)/weight))
	}
	return stakes
}

// candidates are the nodes as the chain's draw takes them.
func (s scenario) candidates() []draw.Candidate {
	stakes := s.stakes()
	candidates := make([]draw.Candidate, len(stakes))
	for i, stake := range stakes {
		operator := sha256.Sum256(fmt.Appendf(nil, "node %d", i))
		candidates[i] = draw.Candidate{Operator: operator[:20], Stake: big.NewInt(stake)}
	}
	return candidates
}

// elect draws the seats and returns them by candidate.
func (s scenario) elect(seed []byte, candidates []draw.Candidate) ([]int, error) {
	runs, err := draw.Seats(seed, candidates, s.seats)
	if err != nil {
		return nil, err
	}
	held := make(map[string]int, len(runs))
	for _, r := range runs {
		held[string(r.Operator)] = int(r.Seats)
	}
	seats := make([]int, len(candidates))
	for i, c := range candidates {
		seats[i] = held[string(c.Operator)]
	}
	return seats, nil
}

// attackers adds up the seats of the attacker.
func (s scenario) attackers(seats []int) int {
	sum := 0
	for _, n := range seats[:s.identities] {
		sum += n
	}
	return sum
}

// holders draws the seats like elect, ten times as fast and from another generator, and returns who holds each.
func (s scenario) holders(random *rand.Rand, stakes []int64) []int {
	total := int64(0)
	for _, stake := range stakes {
		total += stake
	}
	r, n, end, before := random.Int64N(total), int64(s.seats), int64(0), int64(0)
	holders := make([]int, 0, n)
	for _, i := range random.Perm(len(stakes)) {
		end += stakes[i]
		for before < n && r+before*total < end*n {
			holders = append(holders, i)
			before++
		}
	}
	return holders
}

// seedOf is the seed of the draw of one trial.
func seedOf(s scenario, trial int) []byte {
	seed := sha256.Sum256(binary.LittleEndian.AppendUint64(fmt.Appendf(nil, "%s ", s), uint64(trial)))
	return seed[:]
}
