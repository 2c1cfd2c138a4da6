package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/edgechain/edge/client/content"
)

// Object is an open object. It must not be used after Close. Its methods are safe for concurrent use.
type Object struct {
	Info
	store *Store
	held  *held
}

// Verified reports whether this process has verified the whole file in the last Config.VerifiedFor, and its length and time
// of modification are those of then.
func (o *Object) Verified() bool { return o.verifiedAt(time.Now()) }

func (o *Object) verifiedAt(now time.Time) bool {
	if at := o.held.verified.Load(); at != 0 && now.UnixNano()-at < int64(o.store.verified.keep) {
		return true
	}
	at, ok := o.store.verified.holds(o.Name, o.held.stat, now)
	if ok {
		o.held.verified.Store(at.UnixNano())
	}
	return ok
}

// Slice reads a range and verifies it on the way. Its errors are those of content.SliceReader; Damaged takes them.
func (o *Object) Slice(offset, length uint64) *content.SliceReader {
	return o.Trusted(offset, length).Verify(o.Name)
}

// Trusted is Slice without the verification, for an object that is Verified.
func (o *Object) Trusted(offset, length uint64) *content.SliceReader {
	return content.NewSliceReader(o.Data(), o.Outboard(), o.Size, offset, length)
}

// SetVerified says that the whole object has come out of Slice.
func (o *Object) SetVerified() {
	now := time.Now()
	o.store.verified.add(o.Name, o.held.stat, now)
	if o.store.verified.keep > 0 {
		o.held.verified.Store(now.UnixNano())
	}
}

// Damaged moves the object to quarantine if the error of a Slice says that it is damaged, and it was not replaced since.
// It returns the error, with ErrCorrupt in its chain.
func (o *Object) Damaged(cause error) error {
	if !errors.Is(cause, content.ErrCorrupt) {
		return cause
	}
	s := o.store
	s.verified.remove(o.Name)
	s.hot.drop(o.Name)
	cause = fmt.Errorf("%w: %s: %w", ErrCorrupt, o.Name, cause)
	commit := s.commitOf(o.Name)
	commit.Lock()
	defer commit.Unlock()
	now, err := os.Lstat(s.path(o.Name))
	if err != nil || !os.SameFile(now, o.held.stat) {
		return cause // moved, removed or replaced by another reader
	}
	return errors.Join(cause, s.quarantine(o.Name, cause))
}

// Data reads the bytes of the object.
func (o *Object) Data() *io.SectionReader {
	return io.NewSectionReader(o.held.readAt(), 0, int64(o.Size))
}

// Outboard reads its hash tree: the size as u64, then the parents in pre-order.
func (o *Object) Outboard() *io.SectionReader {
	return io.NewSectionReader(o.held.readAt(), int64(o.Size), int64(content.OutboardSize(o.Size)))
}

// Bytes returns the whole object if it lies in memory, as small ones that are asked for often do, else nil. Nobody may
// change it, and it must not be used after Close.
func (o *Object) Bytes() []byte {
	if o.held.bytes == nil {
		return nil
	}
	return o.held.bytes[:o.Size:o.Size]
}

// Attached returns what derive made of the object when it was called first, for as long as the object is held open or
// kept in memory: a place for what would else be made anew for every reader. Every caller must derive the same.
func (o *Object) Attached(derive func(Info) any) any {
	if known := o.held.attached.Load(); known != nil {
		return *known
	}
	made := derive(o.Info)
	o.held.attached.Store(&made)
	return made
}

// Close ends the use of the object.
func (o *Object) Close() error {
	o.held.release()
	return nil
}

// Open opens an object. It returns ErrNotFound, or ErrCorrupt if the file's length or trailer is wrong; the file is then
// moved to quarantine, and the object can be added again. An object that is kept in memory or open is not looked at again
// within Config.HotRecheck, unless the store itself removes it.
func (s *Store) Open(name content.Name) (*Object, error) {
	s.touched(name, time.Now())
	if kept := s.hot.get(name); kept != nil {
		if s.confirm(kept, time.Now()) {
			return &Object{Info: kept.Info, store: s, held: kept}, nil
		}
	}
	return s.read(name, true)
}

// OpenHot opens an object if Open would find it in memory or open, and Verified, else it does nothing and returns false. It is
// told what time it is: asking for it costs as much as all the rest.
func (s *Store) OpenHot(name content.Name, now time.Time) (o Object, ok bool) {
	kept := s.hot.peek(name)
	if kept == nil || !s.confirm(kept, now) {
		return Object{}, false
	}
	o = Object{Info: kept.Info, store: s, held: kept}
	if !o.verifiedAt(now) {
		kept.release()
		return Object{}, false
	}
	s.hot.hits.Add(1)
	s.touched(name, now)
	return o, true
}

// confirm reports whether an object that was kept can be handed out. If not, it is forgotten and released.
func (s *Store) confirm(kept *held, now time.Time) bool {
	if kept.fresh(func() string { return s.path(kept.Name) }, now) {
		return true
	}
	s.hot.drop(kept.Name)
	kept.release()
	return false
}

// openFile opens the file of an object, whatever is in memory. Errors are those of Open.
func (s *Store) openFile(name content.Name) (*Object, error) { return s.read(name, false) }

// read opens an object from the disk and may keep it for others.
func (s *Store) read(name content.Name, keep bool) (*Object, error) {
	o, err := s.open(name)
	if errors.Is(err, ErrCorrupt) {
		return nil, s.setAside(name, err)
	}
	if err != nil || !keep {
		return o, err
	}
	if err := o.held.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("content %s: %w", name, err), o.Close())
	}
	s.hot.add(name, o.held, s.path(name))
	return o, nil
}

// load reads the file of a small object into memory if there is room, and closes it.
func (o *held) load() error {
	if !o.hot.reserve(o.Disk) {
		return nil
	}
	b := make([]byte, o.Disk)
	if _, err := o.file.ReadAt(b, 0); err != nil {
		o.hot.loaded.Add(-int64(len(b)))
		return err
	}
	err := o.file.Close()
	o.hot.open.Add(-1)
	o.file, o.bytes = nil, b
	return err
}

// open opens the file of an object, without the quarantine and for the caller alone.
func (s *Store) open(name content.Name) (_ *Object, err error) {
	f, err := os.Open(s.path(name))
	if err != nil {
		return nil, notFound(err, name)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("content %s: %w", name, err)
	}
	size, err := readSize(f, info)
	if err != nil {
		return nil, fmt.Errorf("content %s: %w", name, err)
	}
	o := &held{
		Info: Info{Name: name, Size: size, Disk: uint64(info.Size()), Added: info.ModTime()},
		hot:  s.hot, stat: info, file: f, fd: int(f.Fd()),
	}
	o.refs.Store(1)
	o.checked.Store(time.Now().UnixNano())
	s.hot.open.Add(1)
	return &Object{Info: o.Info, store: s, held: o}, nil
}

// readSize returns the length of the object in a file whose trailer, outboard and length agree, else ErrCorrupt.
func readSize(f *os.File, info os.FileInfo) (uint64, error) {
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%w: not a regular file", ErrCorrupt)
	}
	disk := uint64(info.Size())
	if disk < diskSize(0) {
		return 0, fmt.Errorf("%w: %d bytes on disk, want at least %d", ErrCorrupt, disk, diskSize(0))
	}
	var trailer [trailerSize]byte
	if _, err := f.ReadAt(trailer[:], int64(disk-trailerSize)); err != nil {
		return 0, fmt.Errorf("read trailer: %w", err)
	}
	if !bytes.Equal(trailer[:len(magic)], magic[:]) {
		return 0, fmt.Errorf("%w: no trailer, the file is cut or was written over", ErrCorrupt)
	}
	size := binary.LittleEndian.Uint64(trailer[len(magic):])
	if size > content.MaxSize || diskSize(size) != disk {
		return 0, fmt.Errorf("%w: %d bytes on disk do not hold an object of %d", ErrCorrupt, disk, size)
	}
	var header [content.HeaderSize]byte
	if _, err := f.ReadAt(header[:], int64(size)); err != nil {
		return 0, fmt.Errorf("read outboard: %w", err)
	}
	if tree := binary.LittleEndian.Uint64(header[:]); tree != size {
		return 0, fmt.Errorf("%w: the hash tree is that of an object of %d bytes, not %d", ErrCorrupt, tree, size)
	}
	return size, nil
}

// Verify reads an object and its hash tree and compares both with the name. It returns ErrNotFound, or ErrCorrupt with the
// first group that is damaged; the file is then moved to quarantine.
func (s *Store) Verify(ctx context.Context, name content.Name) (err error) {
	o, err := s.openFile(name)
	if err != nil {
		return err
	}
	err = o.Damaged(o.verify(ctx, func(context.Context, int) error { return nil }))
	return errors.Join(err, o.Close())
}

// verify reads the whole object. It calls pace after every part with the bytes that it has read.
func (o *Object) verify(ctx context.Context, pace func(context.Context, int) error) error {
	slice := o.Slice(0, content.ToEnd)
	buf := make([]byte, 0, copySize)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		part, _, err := slice.Append(buf[:0], copySize/2)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if perr := pace(ctx, len(part)); perr != nil {
			return perr
		}
		if errors.Is(err, io.EOF) {
			o.SetVerified()
			return nil
		}
	}
}
