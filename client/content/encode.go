package content

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// SliceReader makes the Bao slice of a range out of an object and its outboard. It reads the groups and parents of the
// slice only, so that a short range of a large object costs little. It verifies nothing unless Verify was called. It is
// not safe for concurrent use.
type SliceReader struct {
	data, outboard io.ReaderAt
	size           uint64
	first, end     uint64
	started        bool
	bare           bool
	name           *Name
	last           *[GroupSize]byte
	stack          []stored
	// tree is what was read of the outboard last, from treeAt on.
	tree   []byte
	treeAt uint64
}

// parentsAhead is how many parents are read at a time.
const parentsAhead = 32

// stored is a subtree with the place of its parents in the outboard, and the hash that its parent has for it.
type stored struct {
	subtree
	at uint64
	cv chainingValue
}

// NewSliceReader returns a reader of the slice of [offset, offset+length) of an object of a size. The part of the range
// beyond the size is left out.
func NewSliceReader(data, outboard io.ReaderAt, size, offset, length uint64) *SliceReader {
	r := &SliceReader{data: data, outboard: outboard, size: size}
	var ok bool
	if r.first, r.end, ok = Clip(size, offset, length); ok {
		r.stack = append(r.stack, stored{subtree: subtree{size: size, root: true}, at: HeaderSize})
	}
	return r
}

// Verify makes the reader compare what it reads with the name of the object, so that Append returns a CorruptError for the
// first node that does not belong to it, behind the verified ones. It must be called before the first Append.
func (r *SliceReader) Verify(name Name) *SliceReader {
	r.name, r.last = &name, new([GroupSize]byte)
	if len(r.stack) > 0 {
		r.stack[0].cv = readChainingValue(name[:])
	}
	return r
}

// GroupsOnly makes the reader leave out the header and the parents. It must be called before the first Append.
func (r *SliceReader) GroupsOnly() *SliceReader {
	r.bare = true
	return r
}

// Append appends the next part of the slice to dst: whole nodes, until they carry at least payload bytes of groups or the
// slice is complete. It returns how many bytes of groups it appended, and io.EOF together with the last part. A dst with
// enough capacity is not allocated anew. After an error of data or outboard the reader must not be used.
func (r *SliceReader) Append(dst []byte, payload uint64) (out []byte, appended uint64, err error) {
	if !r.started {
		r.started = true
		if r.name != nil && r.size == 0 && *r.name != EmptyName {
			return dst, 0, &CorruptError{}
		}
		if !r.bare {
			dst = binary.LittleEndian.AppendUint64(dst, r.size)
		}
	}
	for len(r.stack) > 0 && appended < payload {
		t := r.stack[len(r.stack)-1]
		r.stack = r.stack[:len(r.stack)-1]
		if t.leaf() {
			if r.name == nil && appended+t.size < payload && len(r.stack) > 0 {
				// Two groups of one parent lie side by side, here and there.
				if next := r.stack[len(r.stack)-1]; next.leaf() && next.pos == t.pos+t.size {
					r.stack = r.stack[:len(r.stack)-1]
					t.size += next.size
				}
			}
			if dst, err = appendAt(dst, r.data, t.pos, t.size); err != nil {
				return dst, appended, fmt.Errorf("read group at byte %d: %w", t.pos, err)
			}
			if group := dst[uint64(len(dst))-t.size:]; r.name != nil && r.hash(group, t.subtree) != t.cv {
				return dst[:len(dst)-len(group)], appended, r.corrupt(t.pos)
			}
			appended += t.size
			continue
		}
		if dst, err = r.appendParent(dst, t.at); err != nil {
			return dst, appended, fmt.Errorf("read parent at byte %d of the outboard: %w", t.at, err)
		}
		parent := dst[len(dst)-ParentSize:]
		l, h := readChainingValue(parent[:32]), readChainingValue(parent[32:])
		if r.name != nil && hashParent(l, h, t.subtree) != t.cv {
			return dst[:len(dst)-ParentSize], appended, r.corrupt(t.pos)
		}
		if r.bare {
			dst = dst[:len(dst)-ParentSize]
		}
		left, right := t.split()
		at := t.at + ParentSize
		if right.within(r.first, r.end) {
			r.stack = append(r.stack, stored{right, at + ParentSize*(Groups(left.size)-1), h})
		}
		if left.within(r.first, r.end) {
			r.stack = append(r.stack, stored{left, at, l})
		}
	}
	if len(r.stack) == 0 {
		err = io.EOF
	}
	return dst, appended, err
}

// appendParent appends the parent at a place of the outboard. Parents are read some ahead: those of neighbouring groups lie
// one behind the other.
func (r *SliceReader) appendParent(dst []byte, at uint64) ([]byte, error) {
	if at < r.treeAt || at+ParentSize > r.treeAt+uint64(len(r.tree)) {
		n := min(parentsAhead*ParentSize, OutboardSize(r.size)-at)
		if r.tree == nil {
			r.tree = make([]byte, 0, n)
		}
		r.tree, r.treeAt = r.tree[:min(n, uint64(cap(r.tree)))], at
		got, err := r.outboard.ReadAt(r.tree, int64(at))
		if r.tree = r.tree[:got]; got < ParentSize {
			return dst, noEOF(err)
		}
	}
	from := at - r.treeAt
	return append(dst, r.tree[from:from+ParentSize]...), nil
}

func (r *SliceReader) hash(group []byte, t subtree) chainingValue {
	if len(group) == GroupSize {
		return hashGroup((*[GroupSize]byte)(group), GroupSize, t)
	}
	return hashGroup(r.last, copy(r.last[:], group), t)
}

// corrupt names the first group of the range at or behind pos.
func (r *SliceReader) corrupt(pos uint64) error {
	return &CorruptError{Group: max(pos, r.first) / GroupSize}
}

// SliceSize returns the length in bytes of the slice of a range: header, parents and groups.
func SliceSize(size, offset, length uint64) uint64 {
	first, end, ok := Clip(size, offset, length)
	if !ok {
		return HeaderSize
	}
	var walk func(t subtree) uint64
	walk = func(t subtree) uint64 {
		switch {
		case !t.within(first, end):
			return 0
		case t.leaf():
			return t.size
		case first <= t.pos && t.pos+t.size <= end:
			return t.size + ParentSize*(Groups(t.size)-1)
		}
		left, right := t.split()
		return ParentSize + walk(left) + walk(right)
	}
	return HeaderSize + walk(subtree{size: size, root: true})
}

func appendAt(dst []byte, src io.ReaderAt, at, n uint64) ([]byte, error) {
	have := len(dst)
	dst = slices.Grow(dst, int(n))[:have+int(n)]
	// A ReaderAt may return io.EOF with the last bytes.
	if got, err := src.ReadAt(dst[have:], int64(at)); uint64(got) < n {
		return dst[:have], noEOF(err)
	}
	return dst, nil
}

// noEOF turns io.EOF into io.ErrUnexpectedEOF, for places in the middle of a node.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
