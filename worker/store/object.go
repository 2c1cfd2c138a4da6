package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/edgechain/edge/client/content"
)

// Object is an open object. It keeps a file open until Close and must not be used after it. Data and Outboard are safe for
// concurrent use, File is not.
type Object struct {
	Info
	file  *os.File
	store *Store
	stat  os.FileInfo
}

// Verified reports whether this process has verified the whole file in the last Config.VerifiedFor, and its length and time
// of modification are those of then.
func (o *Object) Verified() bool { return o.store.verified.holds(o.Name, o.stat, time.Now()) }

// Slice reads a range and verifies it on the way. Its errors are those of content.SliceReader; Damaged takes them.
func (o *Object) Slice(offset, length uint64) *content.SliceReader {
	return content.NewSliceReader(o.Data(), o.Outboard(), o.Size, offset, length).Verify(o.Name)
}

// SetVerified says that the whole object has come out of Slice.
func (o *Object) SetVerified() { o.store.verified.add(o.Name, o.stat, time.Now()) }

// Damaged moves the object to quarantine if the error of a Slice says that it is damaged, and it was not replaced since.
// It returns the error, with ErrCorrupt in its chain.
func (o *Object) Damaged(cause error) error {
	if !errors.Is(cause, content.ErrCorrupt) {
		return cause
	}
	s := o.store
	s.verified.remove(o.Name)
	cause = fmt.Errorf("%w: %s: %w", ErrCorrupt, o.Name, cause)
	s.commit.Lock()
	defer s.commit.Unlock()
	now, err := os.Lstat(s.path(o.Name))
	if err != nil || !os.SameFile(now, o.stat) {
		return cause // moved, removed or replaced by another reader
	}
	return errors.Join(cause, s.quarantine(o.Name, cause))
}

// Data reads the bytes of the object.
func (o *Object) Data() *io.SectionReader { return io.NewSectionReader(o.file, 0, int64(o.Size)) }

// Outboard reads its hash tree: the size as u64, then the parents in pre-order.
func (o *Object) Outboard() *io.SectionReader {
	return io.NewSectionReader(o.file, int64(o.Size), int64(content.OutboardSize(o.Size)))
}

// File returns the file that begins with the bytes of the object, positioned at offset, so that they can be sent without
// passing through this process. What follows behind the size of the object is not content.
func (o *Object) File(offset uint64) (*os.File, error) {
	if _, err := o.file.Seek(int64(offset), io.SeekStart); err != nil {
		return nil, fmt.Errorf("content %s: %w", o.Name, err)
	}
	return o.file, nil
}

// Close closes the file.
func (o *Object) Close() error { return o.file.Close() }

// Open opens an object. It returns ErrNotFound, or ErrCorrupt if the file's length or trailer is wrong; the file is then
// moved to quarantine, and the object can be added again.
func (s *Store) Open(name content.Name) (*Object, error) {
	o, err := s.open(name)
	if errors.Is(err, ErrCorrupt) {
		return nil, s.setAside(name, err)
	}
	return o, err
}

// open is Open without the quarantine.
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
	return &Object{Info: Info{Name: name, Size: size, Disk: uint64(info.Size()), Added: info.ModTime()}, file: f, store: s, stat: info}, nil
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
	o, err := s.Open(name)
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

// setAside moves an object that does not open to quarantine, unless it was replaced meanwhile, and returns why.
func (s *Store) setAside(name content.Name, cause error) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	o, err := s.open(name)
	if err == nil {
		return errors.Join(cause, o.Close())
	}
	if !errors.Is(err, ErrCorrupt) {
		return cause
	}
	return errors.Join(cause, s.quarantine(name, cause))
}

// quarantine moves a damaged file out of the objects, keeps the newest maxQuarantined of them for the operator, and says
// so. The caller holds commit.
func (s *Store) quarantine(name content.Name, cause error) error {
	dir := filepath.Join(s.cfg.Dir, quarantineDir)
	to := filepath.Join(dir, fmt.Sprintf("%020d-%s", time.Now().UnixNano(), name))
	path := s.path(name)
	if err := os.Rename(path, to); err != nil {
		return fmt.Errorf("quarantine %s: %w", name, err)
	}
	s.mu.Lock()
	s.objects--
	s.quarantined++
	s.mu.Unlock()
	s.log.Error("moved damaged content to quarantine", "name", name.String(), "file", to, "err", cause)
	if err := errors.Join(syncDir(filepath.Dir(path)), syncDir(dir)); err != nil {
		return fmt.Errorf("quarantine %s: %w", name, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("quarantine %s: %w", name, err)
	}
	for _, e := range entries[:max(0, len(entries)-maxQuarantined)] {
		info, err := e.Info()
		if err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
		s.mu.Lock()
		s.quarantined--
		s.forget(info)
		s.mu.Unlock()
	}
	return nil
}

// List returns at most limit objects in ascending order of their names, from the first name behind after on. A zero after
// begins at the beginning.
func (s *Store) List(after content.Name, limit int) ([]Info, error) {
	var list []Info
	for shard := int(after[0]); shard < 256 && len(list) < limit; shard++ {
		entries, err := s.shard(shard)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if len(list) == limit {
				break
			}
			if after != (content.Name{}) && bytes.Compare(e.name[:], after[:]) <= 0 {
				continue
			}
			info, err := s.Stat(e.name)
			if errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) {
				continue // deleted or set aside since
			}
			if err != nil {
				return nil, err
			}
			list = append(list, info)
		}
	}
	return list, nil
}

// entry is a file of a shard.
type entry struct {
	name content.Name
	disk uint64
}

// shard returns the files of objects/<two digits> in ascending order of their names. Files that are no objects are left
// alone.
func (s *Store) shard(shard int) ([]entry, error) {
	dir := filepath.Join(s.cfg.Dir, objectsDir, fmt.Sprintf("%02x", shard))
	files, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("content store: %w", err)
	}
	entries := make([]entry, 0, len(files))
	for _, f := range files {
		name, err := content.ParseName(f.Name())
		if err != nil || name.String() != f.Name() || int(name[0]) != shard || !f.Type().IsRegular() {
			continue
		}
		info, err := f.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted since
		}
		if err != nil {
			return nil, fmt.Errorf("content store: %w", err)
		}
		entries = append(entries, entry{name, uint64(info.Size())})
	}
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.name[:], b.name[:]) })
	return entries, nil
}
