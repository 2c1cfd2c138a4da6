package types

import (
	"cmp"
	"crypto/ed25519"
	"fmt"
	"math"
	"slices"

	"github.com/edgechain/edge/ack"
)

// NewAcknowledgement returns the form that MsgSettle carries. Epoch and worker stand in the message.
func NewAcknowledgement(s *ack.Signed) Acknowledgement {
	return Acknowledgement{
		KeyId:     s.KeyID,
		ServiceId: s.ServiceID,
		Lane:      uint32(s.Lane),
		Requests:  s.Requests,
		Bytes:     s.Bytes,
		Fuel:      s.Fuel,
		Head:      append([]byte(nil), s.Head[:]...),
		Signature: append([]byte(nil), s.Signature[:]...),
	}
}

// Signed returns the acknowledgement as the client signed it. It returns ack.ErrSize or ack.ErrRange if a field is
// outside of what the format allows, and does not verify the signature.
func (a *Acknowledgement) Signed(epoch, workerID uint64) (ack.Signed, error) {
	if len(a.Head) != ack.HeadSize {
		return ack.Signed{}, fmt.Errorf("%w: head of %d bytes, want %d", ack.ErrSize, len(a.Head), ack.HeadSize)
	}
	if len(a.Signature) != ed25519.SignatureSize {
		return ack.Signed{}, fmt.Errorf("%w: signature of %d bytes, want %d", ack.ErrSize, len(a.Signature), ed25519.SignatureSize)
	}
	if a.Lane > math.MaxUint8 {
		return ack.Signed{}, fmt.Errorf("%w: lane %d, want below %d", ack.ErrRange, a.Lane, ack.MaxLanes)
	}
	s := ack.Signed{Ack: ack.Ack{
		Epoch: epoch, KeyID: a.KeyId, WorkerID: workerID, ServiceID: a.ServiceId, Lane: uint8(a.Lane),
		Requests: a.Requests, Bytes: a.Bytes, Fuel: a.Fuel,
	}}
	copy(s.Head[:], a.Head)
	copy(s.Signature[:], a.Signature)
	return s, s.Check()
}

// compareAcks orders acknowledgements of one settlement by (key, service, lane).
func compareAcks(a, b *Acknowledgement) int {
	switch {
	case a.KeyId != b.KeyId:
		return cmp.Compare(a.KeyId, b.KeyId)
	case a.ServiceId != b.ServiceId:
		return cmp.Compare(a.ServiceId, b.ServiceId)
	default:
		return cmp.Compare(uint64(a.Lane), uint64(b.Lane))
	}
}

// SettledServices are the services that acknowledgements of one settlement name, ascending. They come by key first, so that
// a service can come again with every key.
type SettledServices []uint64

// Add takes a service in. It returns false, and leaves the services alone, if that is one more than
// MaxServicesPerSettlement.
func (s *SettledServices) Add(id uint64) bool {
	i, found := slices.BinarySearch(*s, id)
	if found {
		return true
	}
	if len(*s) >= MaxServicesPerSettlement {
		return false
	}
	*s = slices.Insert(*s, i, id)
	return true
}
