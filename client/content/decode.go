package content

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

var (
	// ErrCorrupt reports bytes that do not belong to the object. It is in the chain of every CorruptError.
	ErrCorrupt = errors.New("content does not verify")
	// ErrSize reports a stream that claims a length which is over the receiver's bound, differs from the known one, or
	// ends before the range begins.
	ErrSize = errors.New("claimed length is refused")
)

// CorruptError says which group is the first that does not verify. Everything before it was verified and written.
type CorruptError struct {
	// Group is the index of the group in the object, from 0.
	Group uint64
}

// Error implements error.
func (e *CorruptError) Error() string { return fmt.Sprintf("%v: group %d", ErrCorrupt, e.Group) }

// Unwrap returns ErrCorrupt.
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// readSize is how much of a stream is read and verified at a time, in bytes: few calls, and what fits into a core's cache.
const readSize = 256 << 10

// Decoder verifies a Bao slice group by group as it arrives. It holds what it reads at a time and one path of the tree,
// whatever the stream claims. It is not safe for concurrent use.
//
// The header of a slice is not authenticated. The Decoder therefore bounds it, treats it as a claim until the last group
// of the object has verified, and accepts a claim of 0 for EmptyName alone. Bytes of the range are authenticated without
// it: the hash of a group binds its position, its length and its place in the tree.
type Decoder struct {
	src            io.Reader
	name           Name
	offset, length uint64
	max, known     uint64

	first, end uint64 // the clipped range, once the header is read
	size       uint64 // as claimed
	started    bool
	proven     bool
	err        error
	payload    uint64
	written    uint64
	stack      []pending

	// buf[at:have] was read and not looked at yet; behind it there is room to hash a group that is not full. left is how much
	// of the slice is still to be read, readErr what reading ended with.
	buf      []byte
	at, have int
	left     uint64
	readErr  error
}

// pending is a subtree that is still to come, with the hash that its parent promised.
type pending struct {
	subtree
	cv chainingValue
}

// NewDecoder returns a decoder of the slice of [offset, offset+length) of the object, which src delivers. Length may be
// ToEnd and may go beyond the end. A stream that claims more than maxSize bytes (at most MaxSize) is refused.
func NewDecoder(src io.Reader, name Name, offset, length, maxSize uint64) *Decoder {
	return &Decoder{src: src, name: name, offset: offset, length: length, max: min(maxSize, MaxSize), known: UnknownSize}
}

// RequireSize makes the decoder refuse a stream that claims another length than size, which was proven before. It must be
// called before the first Next.
func (d *Decoder) RequireSize(size uint64) { d.known = size }

// Claimed returns the length that the stream claims, 0 before the first Next. It is good for a progress bar only.
func (d *Decoder) Claimed() uint64 { return d.size }

// Size returns the length of the object and true, once it is proven: the last group has verified.
func (d *Decoder) Size() (uint64, bool) {
	if !d.proven {
		return UnknownSize, false
	}
	return d.size, true
}

// Payload returns the bytes of the groups that have verified: what has to be acknowledged, in bytes.
func (d *Decoder) Payload() uint64 { return d.payload }

// Written returns how many bytes of the range Next has returned.
func (d *Decoder) Written() uint64 { return d.written }

// Next returns the next verified bytes of the range, those of the groups that have arrived, at least of one, valid until the
// next call. After the last ones it returns io.EOF and leaves what follows in the stream unread. Other errors are a
// CorruptError, ErrSize, io.ErrUnexpectedEOF if the stream ends early, and those of the stream. They come behind what
// verified before them, and they stay.
func (d *Decoder) Next() ([]byte, error) {
	if d.err != nil {
		return nil, d.err
	}
	p, err := d.next()
	d.err = err
	if len(p) == 0 && err != nil {
		return nil, err
	}
	d.written += uint64(len(p))
	return p, nil
}

// next returns verified bytes, why there are no more behind them, or both.
func (d *Decoder) next() ([]byte, error) {
	if !d.started {
		if err := d.start(); err != nil {
			return nil, err
		}
	}
	d.have, d.at = copy(d.buf, d.buf[d.at:d.have]), 0
	// The groups of the range are moved together at the front, over the parents between them.
	out := 0
	for len(d.stack) > 0 {
		t := d.stack[len(d.stack)-1]
		if d.have-d.at < t.encoded() {
			if out > 0 {
				return d.buf[:out], nil
			}
			if err := d.fill(t.encoded()); err != nil {
				return nil, fmt.Errorf("read slice at byte %d of the object: %w", max(t.pos, d.first), noEOF(err))
			}
			continue
		}
		d.stack = d.stack[:len(d.stack)-1]
		if !t.leaf() {
			if err := d.parent(t); err != nil {
				return d.buf[:out], err
			}
			continue
		}
		p, err := d.group(t)
		if err != nil {
			return d.buf[:out], err
		}
		out += copy(d.buf[out:], p)
	}
	return d.buf[:out], io.EOF
}

// fill reads on until n bytes are there to be looked at. It returns what reading ended with if they cannot be.
func (d *Decoder) fill(n int) error {
	if d.at > 0 {
		d.have, d.at = copy(d.buf, d.buf[d.at:d.have]), 0
	}
	for empty := 0; d.have < n; {
		if d.readErr != nil {
			return d.readErr
		}
		room := d.buf[d.have : len(d.buf)-GroupSize]
		if uint64(len(room)) > d.left {
			room = room[:d.left]
		}
		if len(room) == 0 {
			return io.ErrUnexpectedEOF // not for a slice of the claimed length
		}
		got, err := d.src.Read(room)
		if got < 0 || got > len(room) {
			return errRead
		}
		d.have, d.left, d.readErr = d.have+got, d.left-uint64(got), err
		if got > 0 {
			empty = 0
		} else if empty++; empty == maxEmptyReads && err == nil {
			return io.ErrNoProgress
		}
	}
	return nil
}

// maxEmptyReads is how often a stream may return nothing and no error in a row.
const maxEmptyReads = 100

var errRead = errors.New("stream returned an impossible count")

// start reads the header and settles what the claimed length means for the range.
func (d *Decoder) start() error {
	d.started = true
	var header [HeaderSize]byte
	if _, err := io.ReadFull(d.src, header[:]); err != nil {
		return fmt.Errorf("read slice at byte %d of the object: %w", d.first, noEOF(err))
	}
	size := binary.LittleEndian.Uint64(header[:])
	switch {
	case size > d.max:
		return fmt.Errorf("%w: %d bytes, want at most %d", ErrSize, size, d.max)
	case d.known != UnknownSize && size != d.known:
		return fmt.Errorf("%w: %d bytes, the object has %d", ErrSize, size, d.known)
	}
	d.size = size
	if size == 0 {
		// A claim of 0 verifies against any hash if nobody looks.
		if d.name != EmptyName {
			return &CorruptError{}
		}
		d.proven = true
		if d.offset > 0 {
			return fmt.Errorf("%w: 0 bytes, the range begins at %d", ErrSize, d.offset)
		}
		return nil
	}
	if d.offset >= size {
		return fmt.Errorf("%w: %d bytes, the range begins at %d", ErrSize, size, d.offset)
	}
	if d.length == 0 {
		return nil
	}
	d.first, d.end, _ = Clip(size, d.offset, d.length)
	d.stack = append(d.stack, pending{subtree{size: size, root: true}, readChainingValue(d.name[:])})
	d.left = SliceSize(size, d.offset, d.length) - HeaderSize
	d.buf = make([]byte, min(d.left, readSize)+GroupSize)
	return nil
}

// encoded is how many bytes the node takes in a slice.
func (t pending) encoded() int {
	if t.leaf() {
		return int(t.size)
	}
	return ParentSize
}

// parent verifies the parent that lies at hand, and expects its children as far as they carry a part of the range.
func (d *Decoder) parent(t pending) error {
	b := d.buf[d.at : d.at+ParentSize]
	d.at += ParentSize
	l, r := readChainingValue(b[:32]), readChainingValue(b[32:])
	if hashParent(l, r, t.subtree) != t.cv {
		return d.corrupt(t.pos)
	}
	left, right := t.split()
	if right.within(d.first, d.end) {
		d.stack = append(d.stack, pending{right, r})
	}
	if left.within(d.first, d.end) {
		d.stack = append(d.stack, pending{left, l})
	}
	return nil
}

// group verifies the group that lies at hand and returns its part of the range.
func (d *Decoder) group(t pending) ([]byte, error) {
	n := int(t.size)
	buf := (*[GroupSize]byte)(d.buf[d.at : d.at+GroupSize])
	d.at += n
	if hashGroup(buf, n, t.subtree) != t.cv {
		return nil, d.corrupt(t.pos)
	}
	d.payload += t.size
	if t.pos+t.size == d.size {
		// The path to this group is the right edge of the tree, and the hash binds the number of each chunk.
		d.proven = true
	}
	p := buf[:n]
	if t.pos+t.size > d.end {
		p = p[:d.end-t.pos]
	}
	if t.pos < d.first {
		p = p[d.first-t.pos:]
	}
	return p, nil
}

// corrupt names the first group of the range at or behind pos.
func (d *Decoder) corrupt(pos uint64) error {
	return &CorruptError{Group: max(pos, d.first) / GroupSize}
}

// DecodeSlice writes the bytes [offset, offset+length) of the object to dst in order, each one after it has verified, from
// the Bao slice that src delivers. It returns the length of the object if the slice proves it, that is if the range
// reaches the last group, else UnknownSize. Its errors are those of Decoder.Next and of dst.
func DecodeSlice(dst io.Writer, src io.Reader, name Name, offset, length, maxSize uint64) (size uint64, err error) {
	d := NewDecoder(src, name, offset, length, maxSize)
	for {
		p, err := d.Next()
		if err != nil {
			size, _ = d.Size()
			if errors.Is(err, io.EOF) {
				return size, nil
			}
			return size, err
		}
		if _, err := dst.Write(p); err != nil {
			return UnknownSize, fmt.Errorf("write verified content: %w", err)
		}
	}
}
