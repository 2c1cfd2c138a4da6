package ack

import (
	"crypto/sha256"
	"encoding/binary"
)

// DomainSize is the length of every domain tag in bytes.
const DomainSize = 16

// Domain separates the kinds of message that are signed or hashed: 16 bytes of zero-padded ASCII that stand first.
type Domain [DomainSize]byte

// The domains of all signed and hashed messages.
var (
	DomainAck            = newDomain("edge-ack-v1")
	DomainReceipt        = newDomain("edge-receipt-v1")
	DomainHead           = newDomain("edge-head-v1")
	DomainContentRequest = newDomain("edge-content-v1")
	DomainSession        = newDomain("edge-session-v1")
	DomainKeyProof       = newDomain("edge-key-pop-v1")
	DomainPeerProof      = newDomain("edge-peer-pop-v1")
)

func newDomain(name string) (d Domain) {
	if len(name) > DomainSize {
		panic("ack: domain is too long: " + name)
	}
	copy(d[:], name)
	return d
}

// ChainHash is SHA-256 of the chain id. Every signed message names it, so none is valid on another chain.
type ChainHash [sha256.Size]byte

// HashChainID returns the ChainHash of a chain id.
func HashChainID(chainID string) ChainHash { return sha256.Sum256([]byte(chainID)) }

// ChallengeSize is the length of a session challenge in bytes.
const ChallengeSize = 32

// AppendSessionSignBytes appends what a client key signs to open a session:
// domain || chain hash || worker id || key id || lane || challenge.
func AppendSessionSignBytes(dst []byte, chain ChainHash, workerID, keyID uint64, lane uint8, challenge [ChallengeSize]byte) []byte {
	dst = append(dst, DomainSession[:]...)
	dst = append(dst, chain[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, workerID)
	dst = binary.LittleEndian.AppendUint64(dst, keyID)
	dst = append(dst, lane)
	return append(dst, challenge[:]...)
}

// AppendKeyProofSignBytes appends what a client key signs to be registered with an account:
// domain || chain hash || account id.
func AppendKeyProofSignBytes(dst []byte, chain ChainHash, accountID uint64) []byte {
	dst = append(dst, DomainKeyProof[:]...)
	dst = append(dst, chain[:]...)
	return binary.LittleEndian.AppendUint64(dst, accountID)
}

// AppendPeerProofSignBytes appends what a worker's peer key signs to be registered by an operator:
// domain || chain hash || SHA-256(operator address bytes).
func AppendPeerProofSignBytes(dst []byte, chain ChainHash, operator []byte) []byte {
	dst = append(dst, DomainPeerProof[:]...)
	dst = append(dst, chain[:]...)
	h := sha256.Sum256(operator)
	return append(dst, h[:]...)
}
