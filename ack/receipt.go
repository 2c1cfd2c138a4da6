package ack

import (
	"encoding/binary"

	"github.com/zeebo/blake3"
)

// GroupSize is the unit of verification and billing of content: the payload of one group of a Bao stream, in bytes.
const GroupSize = 16 << 10

// Digest is a BLAKE3 hash.
type Digest [32]byte

// ContentRequestDigest is the request digest of the content service: BLAKE3(domain || name || offset || length). The
// response digest of a content request is the name itself.
func ContentRequestDigest(name Digest, offset, length uint64) Digest {
	var buf [DomainSize + 32 + 16]byte
	b := append(buf[:0], DomainContentRequest[:]...)
	b = append(b, name[:]...)
	b = binary.LittleEndian.AppendUint64(b, offset)
	b = binary.LittleEndian.AppendUint64(b, length)
	return blake3.Sum256(b)
}

// Receipt commits to one finished request: BLAKE3(domain || request digest || response digest || bytes || fuel).
func Receipt(request, response Digest, bytes, fuel uint64) Digest {
	var buf [DomainSize + 64 + 16]byte
	b := append(buf[:0], DomainReceipt[:]...)
	b = append(b, request[:]...)
	b = append(b, response[:]...)
	b = binary.LittleEndian.AppendUint64(b, bytes)
	b = binary.LittleEndian.AppendUint64(b, fuel)
	return blake3.Sum256(b)
}

// NextHead extends a receipt chain: BLAKE3(domain || head || receipt). The first head is all zero. Receipts enter in the
// order of the sequence numbers that the worker puts into its responses.
func NextHead(head [HeadSize]byte, receipt Digest) [HeadSize]byte {
	var buf [DomainSize + HeadSize + 32]byte
	b := append(buf[:0], DomainHead[:]...)
	b = append(b, head[:]...)
	b = append(b, receipt[:]...)
	return blake3.Sum256(b)
}

// ContentBytes is the payload billed for a range of content of a size: all bytes of the groups that carry the range. The
// part of the range beyond the size counts nothing, and an empty range costs nothing.
//
// Example: size 40,000, offset 16,384, length 1 -> 16,384; size 40,000, offset 39,999, length 1 -> 7,232.
func ContentBytes(size, offset, length uint64) uint64 {
	if length == 0 || offset >= size {
		return 0
	}
	if length > size-offset {
		length = size - offset
	}
	first := offset / GroupSize * GroupSize
	end := offset + length
	if rest := end % GroupSize; rest != 0 {
		end += min(GroupSize-rest, size-end)
	}
	return end - first
}
