// Package beacon holds the cryptography of the randomness beacon: keys, proofs of possession, reveals, and how reveals become
// the seed of an epoch. docs/protocol.md specifies it, docs/adr/010-randomness-beacon.md argues for it.
//
// Signatures are BLS over BLS12-381 with keys in G1 and signatures in G2, as in draft-irtf-cfrg-bls-signature, proof of
// possession scheme. A key has exactly one signature on a message and that one has exactly one encoding, so a proposer
// cannot choose among reveals, only reveal or not.
//
// All functions are pure: they keep no state, start no goroutines, and can be called from several at once.
package beacon

import (
	"errors"
	"fmt"

	blst "github.com/supranational/blst/bindings/go"
)

const (
	// PubKeySize is the length of a compressed point of G1 in bytes.
	PubKeySize = blst.BLST_P1_COMPRESS_BYTES
	// SignatureSize is the length of a compressed point of G2 in bytes: of reveals and of proofs.
	SignatureSize = blst.BLST_P2_COMPRESS_BYTES
)

// The ciphersuites. Their tags go into the hash to the curve, so a proof can never serve as a reveal or the other way round.
var (
	suiteReveal = []byte("BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_")
	suiteProof  = []byte("BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_")
)

var (
	// ErrPubKey says that bytes are no public key: not a canonical compressed point, outside of the subgroup, or infinity.
	ErrPubKey = errors.New("beacon: no valid public key")
	// ErrSignature says that bytes are no signature, for the same reasons, or not that of the key on the message.
	ErrSignature = errors.New("beacon: no valid signature")
	// ErrMessage says that a seed or a height is none, so that there is nothing to sign or to check.
	ErrMessage = errors.New("beacon: no valid seed and height")
)

// CheckPubKey checks that b is the canonical encoding of a key that may be registered. It returns ErrPubKey.
func CheckPubKey(b []byte) error {
	_, err := decodePubKey(b)
	return err
}

// CheckProof checks that whoever registers a key for an operator on a chain holds it. Without the proof somebody could
// register another's key and go without reveals of its own. It returns ErrPubKey or ErrSignature.
func CheckProof(pubKey, proof []byte, chainID string, operator []byte) error {
	return verify(pubKey, proof, proofMessage(pubKey, chainID, operator), suiteProof)
}

// CheckReveal checks the reveal of a proposer at a height, in the epoch with the seed given. It returns ErrPubKey,
// ErrSignature or ErrMessage.
func CheckReveal(pubKey, reveal []byte, chainID string, seed []byte, height int64) error {
	if err := checkMessage(seed, height); err != nil {
		return err
	}
	return verify(pubKey, reveal, revealMessage(chainID, seed, height), suiteReveal)
}

func checkMessage(seed []byte, height int64) error {
	if len(seed) != SeedSize || height < 0 {
		return fmt.Errorf("%w: a seed of %d bytes at height %d", ErrMessage, len(seed), height)
	}
	return nil
}

// decodePubKey accepts one encoding of each key: blst refuses coordinates of the modulus and above, flags that do not fit,
// and points off the curve; KeyValidate refuses infinity and points outside of the subgroup.
func decodePubKey(b []byte) (*blst.P1Affine, error) {
	if len(b) != PubKeySize {
		return nil, fmt.Errorf("%w: %d bytes, not %d", ErrPubKey, len(b), PubKeySize)
	}
	p := new(blst.P1Affine).Uncompress(b)
	if p == nil || !p.KeyValidate() {
		return nil, ErrPubKey
	}
	return p, nil
}

func decodeSignature(b []byte) (*blst.P2Affine, error) {
	if len(b) != SignatureSize {
		return nil, fmt.Errorf("%w: %d bytes, not %d", ErrSignature, len(b), SignatureSize)
	}
	s := new(blst.P2Affine).Uncompress(b)
	if s == nil || !s.SigValidate(true) {
		return nil, ErrSignature
	}
	return s, nil
}

// verify uses the pairing step by step, because P2Affine.Verify spreads even a single one over goroutines.
func verify(pubKey, signature, message, suite []byte) error {
	key, err := decodePubKey(pubKey)
	if err != nil {
		return err
	}
	sig, err := decodeSignature(signature)
	if err != nil {
		return err
	}
	pairing := blst.PairingCtx(true, suite)
	const again = false // both points have been checked
	if code := blst.PairingAggregatePkInG1(pairing, key, again, sig, again, message); code != 0 {
		return fmt.Errorf("%w: code %d", ErrSignature, code)
	}
	blst.PairingCommit(pairing)
	if !blst.PairingFinalVerify(pairing) {
		return ErrSignature
	}
	return nil
}
