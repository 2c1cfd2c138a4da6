// Package ack holds the acknowledgement of delivery: its fields, bounds, signed bytes and wire form, its verification one
// by one and in batches, its price, and the receipt chain that it commits to. Chain, worker and client import it, so that
// the rules of proof live in one place. It does no I/O. docs/protocol.md specifies the formats.
package ack

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
)

// Bounds and sizes of an acknowledgement.
const (
	// MaxLanes is how many lanes a key has with a worker in an epoch, over all services. Lane numbers are below it.
	MaxLanes = 16
	// MaxBytes bounds the payload that one acknowledgement can claim, in bytes.
	MaxBytes = 1 << 50
	// MaxFuel bounds the fuel that one acknowledgement can claim.
	MaxFuel = 1 << 60
	// MaxRequests bounds the requests that one acknowledgement can claim.
	MaxRequests = 1 << 50
	// HeadSize is the length of the head of a receipt chain in bytes.
	HeadSize = 32

	// EncodedSize is the length of an encoded acknowledgement without its signature, in bytes.
	EncodedSize = 4*8 + 1 + 3*8 + HeadSize
	// SignedSize is the length of an encoded signed acknowledgement, in bytes.
	SignedSize = EncodedSize + ed25519.SignatureSize
	// SignBytesSize is the length of the bytes that are signed.
	SignBytesSize = DomainSize + len(ChainHash{}) + EncodedSize
)

// Errors of this package. Callers match them with errors.Is.
var (
	// ErrSize reports bytes whose length is not that of the format.
	ErrSize = errors.New("wrong size")
	// ErrRange reports a field outside of its bounds.
	ErrRange = errors.New("out of range")
	// ErrSignature reports a signature that does not verify.
	ErrSignature = errors.New("signature does not verify")
	// ErrPublicKey reports a public key that must not be registered.
	ErrPublicKey = errors.New("unusable public key")
)

// Ack is a cumulative statement of a client: in this epoch, on this lane, it has received Bytes of payload and Fuel in
// Requests finished requests, and Head commits to the finished ones in order.
type Ack struct {
	Epoch     uint64
	KeyID     uint64
	WorkerID  uint64
	ServiceID uint64
	Lane      uint8
	// Requests counts the finished requests.
	Requests uint64
	// Bytes is the payload received, in bytes, that of unfinished requests included.
	Bytes uint64
	// Fuel is the fuel of the functions run.
	Fuel uint64
	// Head is the head of the receipt chain; all zero before the first finished request.
	Head [HeadSize]byte
}

// LaneID names the lane of an acknowledgement within one worker.
type LaneID struct {
	Epoch     uint64
	KeyID     uint64
	ServiceID uint64
	Lane      uint8
}

// LaneID returns the lane that the acknowledgement speaks of.
func (a *Ack) LaneID() LaneID {
	return LaneID{Epoch: a.Epoch, KeyID: a.KeyID, ServiceID: a.ServiceID, Lane: a.Lane}
}

// Check returns ErrRange with the field at fault if a field is outside of its bounds.
func (a *Ack) Check() error {
	switch {
	case a.Epoch == 0:
		return fmt.Errorf("%w: epoch is 0, epochs count from 1", ErrRange)
	case a.KeyID == 0:
		return fmt.Errorf("%w: key id is 0, ids count from 1", ErrRange)
	case a.WorkerID == 0:
		return fmt.Errorf("%w: worker id is 0, ids count from 1", ErrRange)
	case a.Lane >= MaxLanes:
		return fmt.Errorf("%w: lane %d, want below %d", ErrRange, a.Lane, MaxLanes)
	case a.Requests > MaxRequests:
		return fmt.Errorf("%w: requests %d, want at most 2^50", ErrRange, a.Requests)
	case a.Bytes > MaxBytes:
		return fmt.Errorf("%w: bytes %d, want at most 2^50", ErrRange, a.Bytes)
	case a.Fuel > MaxFuel:
		return fmt.Errorf("%w: fuel %d, want at most 2^60", ErrRange, a.Fuel)
	}
	return nil
}

// Supersedes reports whether a counts at least as much as b in every counter. Both must be of one lane.
func (a *Ack) Supersedes(b *Ack) bool {
	return a.Requests >= b.Requests && a.Bytes >= b.Bytes && a.Fuel >= b.Fuel
}

// AppendEncoded appends the EncodedSize bytes of the acknowledgement: all fields in order, little-endian.
func (a *Ack) AppendEncoded(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, a.Epoch)
	dst = binary.LittleEndian.AppendUint64(dst, a.KeyID)
	dst = binary.LittleEndian.AppendUint64(dst, a.WorkerID)
	dst = binary.LittleEndian.AppendUint64(dst, a.ServiceID)
	dst = append(dst, a.Lane)
	dst = binary.LittleEndian.AppendUint64(dst, a.Requests)
	dst = binary.LittleEndian.AppendUint64(dst, a.Bytes)
	dst = binary.LittleEndian.AppendUint64(dst, a.Fuel)
	return append(dst, a.Head[:]...)
}

// AppendSignBytes appends the SignBytesSize bytes that the client key signs: domain || chain hash || encoded fields.
func (a *Ack) AppendSignBytes(dst []byte, chain ChainHash) []byte {
	dst = append(dst, DomainAck[:]...)
	dst = append(dst, chain[:]...)
	return a.AppendEncoded(dst)
}

// Decode reads the encoded fields from b, whose length must be EncodedSize, and checks their bounds.
// It returns ErrSize or ErrRange.
func (a *Ack) Decode(b []byte) error {
	if len(b) != EncodedSize {
		return fmt.Errorf("%w: acknowledgement of %d bytes, want %d", ErrSize, len(b), EncodedSize)
	}
	a.Epoch = binary.LittleEndian.Uint64(b[0:])
	a.KeyID = binary.LittleEndian.Uint64(b[8:])
	a.WorkerID = binary.LittleEndian.Uint64(b[16:])
	a.ServiceID = binary.LittleEndian.Uint64(b[24:])
	a.Lane = b[32]
	a.Requests = binary.LittleEndian.Uint64(b[33:])
	a.Bytes = binary.LittleEndian.Uint64(b[41:])
	a.Fuel = binary.LittleEndian.Uint64(b[49:])
	copy(a.Head[:], b[57:])
	return a.Check()
}

// Signed is an acknowledgement with the client key's signature.
type Signed struct {
	Ack
	Signature [ed25519.SignatureSize]byte
}

// AppendEncoded appends the SignedSize bytes of the signed acknowledgement: the encoded fields, then the signature.
func (s *Signed) AppendEncoded(dst []byte) []byte {
	dst = s.Ack.AppendEncoded(dst)
	return append(dst, s.Signature[:]...)
}

// Decode reads a signed acknowledgement from b, whose length must be SignedSize, and checks the bounds of its fields.
// It does not verify the signature. It returns ErrSize or ErrRange.
func (s *Signed) Decode(b []byte) error {
	if len(b) != SignedSize {
		return fmt.Errorf("%w: signed acknowledgement of %d bytes, want %d", ErrSize, len(b), SignedSize)
	}
	if err := s.Ack.Decode(b[:EncodedSize]); err != nil {
		return err
	}
	copy(s.Signature[:], b[EncodedSize:])
	return nil
}

// DecodeList reads signed acknowledgements that stand one behind the other, at most limit of them.
// It returns ErrSize or ErrRange.
func DecodeList(b []byte, limit int) ([]Signed, error) {
	if len(b) == 0 || len(b)%SignedSize != 0 {
		return nil, fmt.Errorf("%w: %d bytes, want a positive multiple of %d", ErrSize, len(b), SignedSize)
	}
	n := len(b) / SignedSize
	if n > limit {
		return nil, fmt.Errorf("%w: %d acknowledgements, want at most %d", ErrSize, n, limit)
	}
	list := make([]Signed, n)
	for i := range list {
		if err := list[i].Decode(b[i*SignedSize : (i+1)*SignedSize]); err != nil {
			return nil, fmt.Errorf("acknowledgement %d: %w", i, err)
		}
	}
	return list, nil
}
