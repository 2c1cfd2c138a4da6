package beacon

import (
	"errors"
	"fmt"
	"io"
	"slices"

	blst "github.com/supranational/blst/bindings/go"
)

// KeySize is the length of a private key in bytes: a big-endian integer.
const KeySize = blst.BLST_SCALAR_BYTES

// ErrKey says that bytes are no private key: not 32, zero, or not below the order of the group.
var ErrKey = errors.New("beacon: no valid private key")

// Key is a private key. It never changes, so it can be copied and shared freely. The zero value is no key, and its methods
// return nil. Printing it shows the public key alone.
type Key struct {
	// secret is a pointer so that fmt, which cannot ask the methods of a key inside another struct, prints an address.
	secret *[KeySize]byte
}

// GenerateKey makes a key from 32 bytes of randomness.
func GenerateKey(rand io.Reader) (Key, error) {
	var material [KeySize]byte
	defer clear(material[:])
	if _, err := io.ReadFull(rand, material[:]); err != nil {
		return Key{}, fmt.Errorf("beacon: randomness for a key: %w", err)
	}
	secret := blst.KeyGen(material[:])
	if secret == nil {
		return Key{}, ErrKey
	}
	defer secret.Zeroize()
	return ParseKey(secret.Serialize())
}

// ParseKey decodes what Bytes returned.
func ParseKey(b []byte) (Key, error) {
	var secret blst.SecretKey
	defer secret.Zeroize()
	if len(b) != KeySize || secret.Deserialize(b) == nil {
		return Key{}, ErrKey
	}
	k := [KeySize]byte(b)
	return Key{secret: &k}, nil
}

// Bytes returns the private key, 32 bytes, big-endian.
func (k Key) Bytes() []byte {
	if k.secret == nil {
		return nil
	}
	return slices.Clone(k.secret[:])
}

// PubKey returns the public key, PubKeySize bytes.
func (k Key) PubKey() []byte {
	var secret blst.SecretKey
	defer secret.Zeroize()
	if secret.Deserialize(k.Bytes()) == nil {
		return nil
	}
	return new(blst.P1Affine).From(&secret).Compress()
}

// Prove returns the proof of possession with which an operator registers the key on a chain, SignatureSize bytes.
func (k Key) Prove(chainID string, operator []byte) []byte {
	return k.sign(proofMessage(k.PubKey(), chainID, operator), suiteProof)
}

// Reveal returns the reveal of the key at a height of the chain, in the epoch with the seed given: SignatureSize bytes, or
// nil if the seed does not have SeedSize bytes or the height is negative.
func (k Key) Reveal(chainID string, seed []byte, height int64) []byte {
	if checkMessage(seed, height) != nil {
		return nil
	}
	return k.sign(revealMessage(chainID, seed, height), suiteReveal)
}

func (k Key) sign(message, suite []byte) []byte {
	var secret blst.SecretKey
	defer secret.Zeroize()
	if secret.Deserialize(k.Bytes()) == nil {
		return nil
	}
	return new(blst.P2Affine).Sign(&secret, message, suite).Compress()
}

// Format keeps the private key out of logs and error texts, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) {
	// The error of writing is fmt's own to handle.
	_, _ = fmt.Fprintf(f, "beacon key %x", k.PubKey())
}
