package content

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// SliceReader makes the Bao slice of a range out of an object and its outboard. It reads the groups and parents of the
// slice only, so that a short range of a large object costs little. It verifies nothing. It is not safe for concurrent
// use.
type SliceReader struct {
	data, outboard io.ReaderAt
	size           uint64
	first, end     uint64
	started        bool
	stack          []stored
}

// stored is a subtree with the place of its parents in the outboard.
type stored struct {
	subtree
	at uint64
}

// NewSliceReader returns a reader of the slice of [offset, offset+length) of an object of a size. The part of the range
// beyond the size is left out.
func NewSliceReader(data, outboard io.ReaderAt, size, offset, length uint64) *SliceReader {
	r := &SliceReader{data: data, outboard: outboard, size: size}
	var ok bool
	if r.first, r.end, ok = Clip(size, offset, length); ok {
		r.stack = append(r.stack, stored{subtree{size: size, root: true}, HeaderSize})
	}
	return r
}

// Append appends the next part of the slice to dst: whole nodes, until they carry at least payload bytes of groups or the
// slice is complete. It returns how many bytes of groups it appended, and io.EOF together with the last part. A dst with
// enough capacity is not allocated anew. After an error of data or outboard the reader must not be used.
func (r *SliceReader) Append(dst []byte, payload uint64) (out []byte, appended uint64, err error) {
	if !r.started {
		r.started = true
		dst = binary.LittleEndian.AppendUint64(dst, r.size)
	}
	for len(r.stack) > 0 && appended < payload {
		t := r.stack[len(r.stack)-1]
		r.stack = r.stack[:len(r.stack)-1]
		if t.leaf() {
			if dst, err = appendAt(dst, r.data, t.pos, t.size); err != nil {
				return dst, appended, fmt.Errorf("read group at byte %d: %w", t.pos, err)
			}
			appended += t.size
			continue
		}
		if dst, err = appendAt(dst, r.outboard, t.at, ParentSize); err != nil {
			return dst, appended, fmt.Errorf("read parent at byte %d of the outboard: %w", t.at, err)
		}
		left, right := t.split()
		at := t.at + ParentSize
		if right.within(r.first, r.end) {
			r.stack = append(r.stack, stored{right, at + ParentSize*(Groups(left.size)-1)})
		}
		if left.within(r.first, r.end) {
			r.stack = append(r.stack, stored{left, at})
		}
	}
	if len(r.stack) == 0 {
		err = io.EOF
	}
	return dst, appended, err
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
	dst = append(dst, make([]byte, n)...)
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
