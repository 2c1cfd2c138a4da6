package ack

import (
	"crypto/ed25519"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/oasisprotocol/curve25519-voi/curve"
	voi "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// zip215 are the rules of https://zips.z.cash/zip-0215: cofactored, so that single and batch verification agree.
var zip215 = &voi.Options{Verify: voi.VerifyOptionsZIP_215}

// CheckPublicKey returns ErrPublicKey if a key must not be registered: wrong length, not a point, not canonically
// encoded, or of small order. Under ZIP-215 anyone can sign for a key of small order.
func CheckPublicKey(key []byte) error {
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: %d bytes, want %d", ErrPublicKey, len(key), ed25519.PublicKeySize)
	}
	var compressed curve.CompressedEdwardsY
	if _, err := compressed.SetBytes(key); err != nil {
		return fmt.Errorf("%w: %w", ErrPublicKey, err)
	}
	if !compressed.IsCanonicalVartime() {
		return fmt.Errorf("%w: the encoding is not canonical", ErrPublicKey)
	}
	var point curve.EdwardsPoint
	if _, err := point.SetCompressedY(&compressed); err != nil {
		return fmt.Errorf("%w: not a point of the curve", ErrPublicKey)
	}
	if point.IsSmallOrder() {
		return fmt.Errorf("%w: the point is of small order", ErrPublicKey)
	}
	return nil
}

// VerifyMessage reports whether sig is the key's signature over message under ZIP-215. Keys and signatures of a wrong
// length do not verify.
func VerifyMessage(key, message, sig []byte) bool {
	if len(key) != ed25519.PublicKeySize || len(sig) != ed25519.SignatureSize {
		return false
	}
	return voi.VerifyWithOptions(key, message, sig, zip215)
}

// Sign signs the acknowledgement on the chain. The key must be a valid ed25519 private key.
func Sign(key ed25519.PrivateKey, chain ChainHash, a *Ack) Signed {
	var buf [SignBytesSize]byte
	s := Signed{Ack: *a}
	copy(s.Signature[:], ed25519.Sign(key, a.AppendSignBytes(buf[:0], chain)))
	return s
}

// Verify returns nil if the fields are in their bounds and the signature is that of key on the chain, else ErrRange or
// ErrSignature.
func (s *Signed) Verify(key []byte, chain ChainHash) error {
	if err := s.Check(); err != nil {
		return err
	}
	var buf [SignBytesSize]byte
	if !VerifyMessage(key, s.AppendSignBytes(buf[:0], chain), s.Signature[:]) {
		return ErrSignature
	}
	return nil
}

// minPart is how many acknowledgements are worth a core of their own: about 2 ms of work.
const minPart = 128

// Batch verifies many acknowledgements at once, about three times as fast as one by one, and on all cores. Its verdicts are those of
// Signed.Verify. A Batch is not safe for concurrent use.
type Batch struct {
	chain   ChainHash
	entries []entry
}

type entry struct {
	key       []byte
	message   [SignBytesSize]byte
	signature [ed25519.SignatureSize]byte
}

// NewBatch returns an empty batch for a chain with room for n acknowledgements.
func NewBatch(chain ChainHash, n int) *Batch {
	return &Batch{chain: chain, entries: make([]entry, 0, n)}
}

// Add adds an acknowledgement and the key that should have signed it. The caller has checked the bounds of its fields, and leaves
// the key as it is until the batch is verified; a key of a wrong length fails verification.
func (b *Batch) Add(key []byte, s *Signed) {
	e := entry{key: key, signature: s.Signature}
	s.AppendSignBytes(e.message[:0], b.chain)
	b.entries = append(b.entries, e)
}

// Len returns how many acknowledgements have been added.
func (b *Batch) Len() int { return len(b.entries) }

// Verify returns a verdict for each acknowledgement in the order of Add. The coefficients are random, the verdicts are a
// function of the input: if a part of the batch fails as a whole, each signature in it is verified alone. How many parts there
// are, one for each core, makes no difference either.
func (b *Batch) Verify() []bool { return b.Start().Wait() }

// Start begins to verify on the other cores, for a caller that has something else to do before it asks for the verdicts. Whoever
// starts a verification waits for it. Nothing may be added to the batch meanwhile.
func (b *Batch) Start() *Verification {
	cores := runtime.GOMAXPROCS(0)
	parts := max(1, min(cores, len(b.entries)/minPart))
	v := &Verification{entries: b.entries, verdicts: make([][]bool, parts), faults: make([]any, parts)}
	if len(b.entries) >= minPart {
		for range min(cores-1, parts) {
			v.others.Go(v.work)
		}
	}
	return v
}

// Verification is a batch whose acknowledgements are being verified. It belongs to one goroutine.
type Verification struct {
	entries  []entry
	next     atomic.Int64 // part that nobody has taken
	verdicts [][]bool     // of each part
	faults   []any
	others   sync.WaitGroup
}

// Wait helps with what is left and returns the verdicts, in the order of Add. A panic of a part is raised again.
func (v *Verification) Wait() []bool {
	v.work()
	v.others.Wait()
	for _, fault := range v.faults {
		if fault != nil {
			panic(fault)
		}
	}
	return slices.Concat(v.verdicts...)
}

// work verifies parts of about the same size until all are taken.
func (v *Verification) work() {
	parts := len(v.verdicts)
	for i := int(v.next.Add(1)) - 1; i < parts; i = int(v.next.Add(1)) - 1 {
		func() {
			defer func() { v.faults[i] = recover() }()
			v.verdicts[i] = verify(v.entries[i*len(v.entries)/parts : (i+1)*len(v.entries)/parts])
		}()
	}
}

func verify(entries []entry) []bool {
	if len(entries) == 0 {
		return nil
	}
	verifier := voi.NewBatchVerifierWithCapacity(len(entries))
	for i := range entries {
		e := &entries[i]
		verifier.AddWithOptions(e.key, e.message[:], e.signature[:], zip215)
	}
	_, valid := verifier.Verify(nil)
	return valid
}
