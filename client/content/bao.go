package content

import (
	"encoding/binary"
	"math"
	"math/bits"

	"lukechampine.com/blake3/guts"

	"github.com/edgechain/edge/ack"
)

const (
	// Group is the size of a group as a power of two of 1 KiB chunks, as lukechampine.com/blake3/bao counts it.
	Group = 4
	// GroupSize is the payload of a full group in bytes, the unit of verification and billing.
	GroupSize = ack.GroupSize
	// HeaderSize is the length of the header of a slice or outboard in bytes: the length of the object as u64.
	HeaderSize = 8
	// ParentSize is the length of a parent node in bytes.
	ParentSize = 64
	// MaxSize bounds the length of an object in bytes: no acknowledgement can count more.
	MaxSize = ack.MaxBytes
	// ToEnd is the length of a range that goes on to the end of the object.
	ToEnd = math.MaxUint64
	// UnknownSize stands for a length that nothing has proven.
	UnknownSize = math.MaxUint64
)

// A group must be what one call of guts.CompressBuffer hashes.
const _ = uint(guts.MaxSIMD*guts.ChunkSize-GroupSize) + uint(GroupSize-guts.MaxSIMD*guts.ChunkSize)

const _ = uint(guts.ChunkSize<<Group-GroupSize) + uint(GroupSize-guts.ChunkSize<<Group)

// Groups returns how many groups carry an object of a size. The empty object has one, which is empty.
func Groups(size uint64) uint64 {
	if size == 0 {
		return 1
	}
	return (size-1)/GroupSize + 1
}

// OutboardSize returns the length in bytes of the outboard of an object of a size: header and parents in pre-order.
func OutboardSize(size uint64) uint64 { return HeaderSize + ParentSize*(Groups(size)-1) }

// Clip returns the range [first, end) of an object of a size that offset and length ask for. The part beyond the size
// is left out; ok is false if nothing remains. A sum of offset and length that overflows goes on to the end.
func Clip(size, offset, length uint64) (first, end uint64, ok bool) {
	if offset >= size || length == 0 {
		return 0, 0, false
	}
	if length > size-offset {
		length = size - offset
	}
	return offset, offset + length, true
}

// subtree is a node of the hash tree: the bytes [pos, pos+size) of the object.
type subtree struct {
	pos, size uint64
	root      bool
}

func (t subtree) leaf() bool { return t.size <= GroupSize }

// within reports whether the subtree carries a part of [first, end).
func (t subtree) within(first, end uint64) bool { return t.pos < end && first < t.pos+t.size }

// split returns the children. The left one is the largest power of two that leaves something to the right one.
func (t subtree) split() (left, right subtree) {
	mid := uint64(1) << (bits.Len64(t.size-1) - 1)
	return subtree{pos: t.pos, size: mid}, subtree{pos: t.pos + mid, size: t.size - mid}
}

func (t subtree) flags() uint32 {
	if t.root {
		return guts.FlagRoot
	}
	return 0
}

type chainingValue [8]uint32

func readChainingValue(b []byte) (cv chainingValue) {
	_ = b[31]
	for i := range cv {
		cv[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return cv
}

// hashGroup hashes the first n bytes of buf as the group at pos.
func hashGroup(buf *[GroupSize]byte, n int, t subtree) chainingValue {
	node := guts.CompressBuffer(buf, n, &guts.IV, t.pos/guts.ChunkSize, 0)
	node.Flags |= t.flags()
	return guts.ChainingValue(node)
}

func hashParent(left, right chainingValue, t subtree) chainingValue {
	return guts.ChainingValue(guts.ParentNode(left, right, &guts.IV, t.flags()))
}
