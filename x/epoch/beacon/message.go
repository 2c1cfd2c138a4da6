package beacon

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
)

// SeedSize is the length of seeds, mixes and start values in bytes.
const SeedSize = sha256.Size

// domainSize is the length of a domain tag: 16 bytes of zero-padded ASCII that stand first in what is signed or hashed.
const domainSize = 16

type domain [domainSize]byte

func newDomain(name string) (d domain) {
	copy(d[:], name)
	return d
}

var (
	domainSeed     = newDomain("edge/seed")
	domainReveal   = newDomain("edge/reveal")
	domainKey      = newDomain("edge/beacon-key")
	domainRevealTx = newDomain("edge/reveal-tx")
)

// FirstSeed returns seed(1), the seed of the first epoch of a chain: SHA-256(domain || chain id).
func FirstSeed(chainID string) []byte {
	return hash(domainSeed[:], []byte(chainID))
}

// Start returns the value with which the beacon starts at a freeze: SHA-256(seed || header hash), of the seed of the epoch
// that ends and the hash of the header of the block before the freeze.
func Start(seed, headerHash []byte) []byte {
	return hash(seed, headerHash)
}

// Mix returns the beacon's value after a reveal: SHA-256(mix || reveal).
func Mix(mix, reveal []byte) []byte {
	return hash(mix, reveal)
}

// EncodeTx returns the transaction in which a proposer puts its reveal at the head of its block. It is no transaction of the
// SDK, fails as one, and shows up as such in explorers.
func EncodeTx(reveal []byte) []byte {
	return append(domainRevealTx[:domainSize:domainSize], reveal...)
}

// DecodeTx tells whether a transaction is one that a proposer injects, and what follows the prefix. It says nothing about
// whether that is a valid reveal, or a reveal at all. The result shares the memory of tx.
func DecodeTx(tx []byte) (reveal []byte, injected bool) {
	return bytes.CutPrefix(tx, domainRevealTx[:])
}

// revealMessage is what a beacon key signs at a height: domain || SHA-256(chain id) || seed || height as u64.
func revealMessage(chainID string, seed []byte, height int64) []byte {
	m := append(domainReveal[:domainSize:domainSize], hash([]byte(chainID))...)
	m = append(m, seed...)
	return binary.LittleEndian.AppendUint64(m, uint64(height))
}

// proofMessage is what a beacon key signs to be registered: domain || SHA-256(chain id) || SHA-256(operator) || key.
func proofMessage(pubKey []byte, chainID string, operator []byte) []byte {
	m := append(domainKey[:domainSize:domainSize], hash([]byte(chainID))...)
	m = append(m, hash(operator)...)
	return append(m, pubKey...)
}

func hash(parts ...[]byte) []byte {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}
