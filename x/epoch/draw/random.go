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
// k = 0, 1, ...
func offset(d domain, seed []byte, total *big.Int) *big.Int {
	message := append(append(make([]byte, 0, len(d)+len(seed)+8), d[:]...), seed...)
	return below(total, func(k uint64) [sha256.Size]byte {
		return sha256.Sum256(binary.LittleEndian.AppendUint64(message, k))
	})
}

// below returns a number below total: of each block, read as a big-endian integer, it takes the low bits, as many as total-1
// has, and the first result below total counts. A total of 1 leaves no choice and takes no block.
func below(total *big.Int, block func(k uint64) [sha256.Size]byte) *big.Int {
	r := new(big.Int)
	bits := new(big.Int).Sub(total, big.NewInt(1)).BitLen()
	if bits == 0 {
		return r
	}
	mask := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	mask.Sub(mask, big.NewInt(1))
	for k := range uint64(maxRejections) {
		b := block(k)
		if r.SetBytes(b[:]).And(r, mask); r.Cmp(total) < 0 {
			return r
		}
	}
	return r.Mod(r, total)
}
