package ipfs

import (
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
)

const (
	// maxDepth bounds the nodes above a part of a file; 12 levels of 1024 links are more than any file has.
	maxDepth = 32
	// maxOpenLinks bounds the links of these nodes together.
	maxOpenLinks = 1 << 18
)

// fileReader reads a file from its blocks, in order.
type fileReader struct {
	blocks *blocks
	stack  [][]link // what is to come, the innermost last
	open   int      // links on the stack
	rest   []byte
	left   uint64 // bytes that the file may still have
	read   uint64
	size   uint64 // as its root says
	err    error
}

// newFile returns a reader of the file whose root was read.
func (b *blocks) newFile(root *node) (*fileReader, error) {
	if root.size > b.c.limits.FileBytes {
		return nil, fmt.Errorf("%w: a file of %d bytes, want at most %d", ErrLimit, root.size, b.c.limits.FileBytes)
	}
	f := &fileReader{blocks: b, left: b.c.limits.FileBytes, size: root.size}
	return f, f.push(root)
}

func (f *fileReader) push(n *node) error {
	if n.kind != file {
		return fmt.Errorf("%w: a part of a file is none", ErrFormat)
	}
	if uint64(len(n.data)) > f.left {
		return fmt.Errorf("%w: a file of over %d bytes", ErrLimit, f.blocks.c.limits.FileBytes)
	}
	f.left -= uint64(len(n.data))
	f.rest = n.data
	if len(n.links) == 0 {
		return nil
	}
	if f.open += len(n.links); len(f.stack) == maxDepth || f.open > maxOpenLinks {
		return fmt.Errorf("%w: a file of over %d levels or %d open links", ErrLimit, maxDepth, maxOpenLinks)
	}
	f.stack = append(f.stack, n.links)
	return nil
}

// pop returns the next part.
func (f *fileReader) pop() (cid.Cid, bool) {
	for len(f.stack) > 0 {
		top := len(f.stack) - 1
		if len(f.stack[top]) == 0 {
			f.stack = f.stack[:top]
			continue
		}
		id := f.stack[top][0].id
		f.stack[top] = f.stack[top][1:]
		f.open--
		return id, true
	}
	return cid.Undef, false
}

// Read implements io.Reader. Errors stay.
func (f *fileReader) Read(p []byte) (int, error) {
	for len(f.rest) == 0 && f.err == nil {
		f.err = f.next()
	}
	if len(f.rest) == 0 {
		return 0, f.err
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	f.read += uint64(n)
	return n, nil
}

func (f *fileReader) next() error {
	id, ok := f.pop()
	if !ok {
		if f.size != 0 && f.size != f.read {
			return fmt.Errorf("%w: a file of %d bytes says that it has %d", ErrFormat, f.read, f.size)
		}
		return io.EOF
	}
	block, err := f.blocks.get(id)
	if err != nil {
		return err
	}
	n, err := parse(id, block)
	if err != nil {
		return err
	}
	return f.push(n)
}
