package draw

import (
	"crypto/sha256"
	"math/big"
)

// MaxRejections is the bound of the generator's loop.
const MaxRejections = maxRejections

// Offsets returns the r of the seats and that of the spares.
func Offsets(seed []byte, total *big.Int) (seats, spares *big.Int) {
	return offset(newDomain("edge/draw/seats"), seed, total), offset(newDomain("edge/draw/spares"), seed, total)
}

// Below is the generator with blocks of the test's own.
func Below(total *big.Int, block func(k uint64) [sha256.Size]byte) *big.Int {
	return below(total, block)
}

// Arrange returns the order of the line.
func Arrange(seed []byte, candidates []Candidate) ([]Candidate, error) {
	return arrange(seed, candidates)
}

// Lay lays seats over a line with an r of the test's own.
func Lay(order []Candidate, seats uint32, total, r *big.Int) []Run {
	return runs(order, seats, total, r)
}
