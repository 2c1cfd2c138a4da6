// Package draw elects a committee: it lays a number of seats over the stakes of candidates by systematic sampling, from a
// seed that nobody can choose. It is pure integer arithmetic without state, so that anybody can repeat an election.
//
// The candidates stand in the order of SHA-256(seed || operator), their stakes end to end on a line from 0 to total. Seat i
// of n is taken at floor((r + i*total)/n), with r drawn from the seed in [0, total): n points at equal distances, the whole
// comb shifted by chance. Who stands on [a, b) holds the seats with a <= point < b. So everyone gets its exact share
// n*stake/total rounded down or up, the mean over r is the exact share, and parts of a stake that was split win what the
// whole would win.
//
// A worked example: 3 seats over stakes 50, 30 and 20, which the seed orders as B (30), C (20), A (50). The total is 100 and
// the seed gives r = 47.
//
//	seat 0  floor((47 +   0)/3) = 15   in B = [ 0,  30)
//	seat 1  floor((47 + 100)/3) = 49   in C = [30,  50)
//	seat 2  floor((47 + 200)/3) = 82   in A = [50, 100)
//
// The runs are B:1, C:1, A:1. The exact shares are 0.9, 0.6 and 1.5, and over all r from 0 to 99 B wins its seat 90 times, C
// 60 times (seat 1 for r < 50, seat 0 for r >= 90) and A 150 seats (seat 2 always, seat 1 for r >= 50).
package draw

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// SeedSize is the length of a seed in bytes.
const SeedSize = sha256.Size

// maxTotalBits bounds the sum of the stakes. It leaves room below the 256 bits from which r is taken, so that a draw is
// rejected at most every other time at any total.
const maxTotalBits = 192

// The errors of bad input. A caller that feeds a record of the chain meets none of them.
var (
	ErrSeed       = errors.New("draw: a seed has 32 bytes")
	ErrSeats      = errors.New("draw: there must be at least one seat")
	ErrCandidates = errors.New("draw: there must be at least one candidate")
	ErrOperator   = errors.New("draw: operators must be unique and not empty")
	ErrStake      = errors.New("draw: stakes must be above 0 and below 2^192 in sum")
)

// Candidate is somebody who can win seats in proportion to a stake, in any unit.
type Candidate struct {
	Operator []byte
	Stake    *big.Int
}

// Run is a number of consecutive seats of one holder.
type Run struct {
	Operator []byte
	Seats    uint32
}

// Seats draws the seats of a committee and returns them as runs in the order of the seats' indices: the first run begins
// with seat 0, and the runs add up to seats. Nobody has more than one run, and who has no seat has none. The order of the
// candidates makes no difference. The runs share the candidates' Operator slices; nothing else is kept or changed.
func Seats(seed []byte, candidates []Candidate, seats uint32) ([]Run, error) {
	return draw(newDomain("edge/draw/seats"), seed, candidates, seats)
}

// Spares draws as many spare seats, from the same line with a shift of their own: who won no seat by bad luck of the shift
// has its fair chance of a spare.
func Spares(seed []byte, candidates []Candidate, seats uint32) ([]Run, error) {
	return draw(newDomain("edge/draw/spares"), seed, candidates, seats)
}

func draw(d domain, seed []byte, candidates []Candidate, seats uint32) ([]Run, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("%w, not %d", ErrSeed, len(seed))
	}
	if seats == 0 {
		return nil, ErrSeats
	}
	total, err := sum(candidates)
	if err != nil {
		return nil, err
	}
	order, err := arrange(seed, candidates)
	if err != nil {
		return nil, err
	}
	return runs(order, seats, total, offset(d, seed, total)), nil
}

// sum checks the stakes and adds them up.
func sum(candidates []Candidate) (*big.Int, error) {
	if len(candidates) == 0 {
		return nil, ErrCandidates
	}
	total := new(big.Int)
	for _, c := range candidates {
		if c.Stake == nil || c.Stake.Sign() <= 0 {
			return nil, fmt.Errorf("%w: operator %x has %v", ErrStake, c.Operator, c.Stake)
		}
		if total.Add(total, c.Stake).BitLen() > maxTotalBits {
			return nil, ErrStake
		}
	}
	return total, nil
}

// arrange returns the candidates in the order in which their stakes are laid end to end.
func arrange(seed []byte, candidates []Candidate) ([]Candidate, error) {
	type placed struct {
		Candidate
		place [sha256.Size]byte
	}
	line := make([]placed, len(candidates))
	var message []byte
	for i, c := range candidates {
		if len(c.Operator) == 0 {
			return nil, ErrOperator
		}
		message = append(append(message[:0], seed...), c.Operator...)
		line[i] = placed{c, sha256.Sum256(message)}
	}
	slices.SortFunc(line, func(a, b placed) int { return bytes.Compare(a.place[:], b.place[:]) })
	order := make([]Candidate, len(line))
	for i, p := range line {
		// The same operator has the same place, so doubles are neighbours.
		if i > 0 && p.place == line[i-1].place {
			return nil, fmt.Errorf("%w: %x stands twice", ErrOperator, p.Operator)
		}
		order[i] = p.Candidate
	}
	return order, nil
}

// runs lays the seats over the candidates. It counts seats instead of placing them one by one: seat i lies before b if
// floor((r + i*total)/n) < b, which is i < (b*n - r)/total, so ceil((b*n - r)/total) seats do.
func runs(order []Candidate, seats uint32, total, r *big.Int) []Run {
	var result []Run
	n := new(big.Int).SetUint64(uint64(seats))
	lessOne := new(big.Int).Sub(total, big.NewInt(1))
	end, before := new(big.Int), new(big.Int)
	taken := uint64(0)
	for _, c := range order {
		end.Add(end, c.Stake)
		// ceil(x/total) = floor((x + total - 1)/total); the sum is never negative, because r < total.
		before.Mul(end, n).Sub(before, r).Add(before, lessOne).Quo(before, total)
		if held := before.Uint64() - taken; held > 0 {
			result = append(result, Run{Operator: c.Operator, Seats: uint32(held)})
			taken += held
		}
	}
	return result
}
