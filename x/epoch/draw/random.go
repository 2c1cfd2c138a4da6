package draw

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
)

// maxRejections bounds the search for a random number. A draw is rejected with a chance below 1/2, so the bound is met once
// in 2^256 elections at the most.
const maxRejections = 256

// domain separates the random numbers of one purpose from those of another: 16 bytes of zero-padded ASCII.
type domain [16]byte

func newDomain(name string) (d domain) {
	copy(d[:], name)
	return d
}

// offset returns r, uniform in [0, total). Block k of the generator is SHA-256(domain || seed || k as u64, little-endian),
// k = 0, 1, ...; the low bits of a block, read as a big-endian integer, are taken, as many as total-1 has, and the first
// that are below total count. A total of 1 leaves no choice and takes no block.
func offset(d domain, seed []byte, total *big.Int) *big.Int {
	r := new(big.Int)
	bits := new(big.Int).Sub(total, big.NewInt(1)).BitLen()
	if bits == 0 {
		return r
	}
	mask := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	mask.Sub(mask, big.NewInt(1))
	message := append(append(make([]byte, 0, len(d)+len(seed)+8), d[:]...), seed...)
	for k := range uint64(maxRejections) {
		block := sha256.Sum256(binary.LittleEndian.AppendUint64(message, k))
		if r.SetBytes(block[:]).And(r, mask); r.Cmp(total) < 0 {
			return r
		}
	}
	return r.Mod(r, total)
}
