package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/zeebo/blake3"
	"lukechampine.com/blake3/bao"

	"github.com/edgechain/edge/client/content"
)

const (
	// copySize is the unit in which data is read, hashed, written and taken from the budget, in bytes.
	copySize = 1 << 20

	trailerSize = 16
)

var magic = [8]byte{'e', 'd', 'g', 'e', 'o', 'b', 'j', '1'}

var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

// diskSize returns what an object takes on disk, in bytes.
func diskSize(size uint64) uint64 { return size + content.OutboardSize(size) + trailerSize }

// Added is the outcome of an add.
type Added struct {
	Info
	// Path is the file that was added, if it was a file.
	Path string
	// Existed says that the store had the object already.
	Existed bool
}

// Upload is content that a client has kept. It takes of the space for uploads, and of what its account may have of that.
type Upload struct {
	// Name is what the bytes must hash to, or nil for whatever they are.
	Name *content.Name
	// Size is the length in bytes, or -1 if it is not known; then space is taken as the bytes arrive. Other lengths are
	// ErrMismatch.
	Size int64
	// Hold says for whom it is kept, and until when.
	Hold
}

// terms are those of an add: what must come of it, and for how long it stays.
type terms struct {
	name   *content.Name
	pinned bool
	upload *Upload
}

// Add stores what r delivers, durable when it returns, and returns its name. Memory does not grow with the size. The object
// may be evicted. It returns ErrFull, ErrTooLarge, the errors of r and of the disk, and leaves nothing behind.
func (s *Store) Add(ctx context.Context, r io.Reader) (Added, error) {
	return s.add(ctx, r, terms{})
}

// AddNamed is Add for bytes that must hash to a name, else it returns ErrMismatch.
func (s *Store) AddNamed(ctx context.Context, name content.Name, r io.Reader) (Added, error) {
	return s.add(ctx, r, terms{name: &name})
}

// AddPinned is Add for an object that stays until Unpin or Delete.
func (s *Store) AddPinned(ctx context.Context, r io.Reader) (Added, error) {
	return s.add(ctx, r, terms{pinned: true})
}

// AddUpload is Add for an object that is kept for an account. It returns ErrQuota, too; if the size is known, before it has
// read anything of r.
func (s *Store) AddUpload(ctx context.Context, up Upload, r io.Reader) (Added, error) {
	return s.add(ctx, r, terms{name: up.Name, upload: &up})
}

// AddPath adds a file, or the regular files under a folder in lexical order, and calls each for every one. Symbolic links
// and special files inside a folder are skipped. Objects are pinned or may be evicted. It stops at the first error.
func (s *Store) AddPath(ctx context.Context, path string, pinned bool, each func(Added) error) error {
	root := path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		root += string(filepath.Separator) // a link to a folder is followed if it is named itself
	}
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || (p != root && !d.Type().IsRegular()) {
			return nil
		}
		added, err := s.addFile(ctx, p, pinned)
		if err != nil {
			return fmt.Errorf("add %s: %w", p, err)
		}
		return each(added)
	})
}

func (s *Store) addFile(ctx context.Context, path string, pinned bool) (added Added, err error) {
	f, err := os.Open(path)
	if err != nil {
		return Added{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return Added{}, err
	}
	if !info.Mode().IsRegular() {
		return Added{}, errors.New("not a regular file")
	}
	if uint64(info.Size()) > s.cfg.MaxObjectBytes {
		return Added{}, fmt.Errorf("%w: %d bytes, want at most %d", ErrTooLarge, info.Size(), s.cfg.MaxObjectBytes)
	}
	added, err = s.add(ctx, f, terms{pinned: pinned})
	added.Path = path
	return added, err
}

// incoming is an add under way.
type incoming struct {
	s        *Store
	terms    terms
	file     file
	size     uint64
	reserved uint64
	// charged is what was taken of the space for uploads, and promised what of the budget was announced and is not reserved, both
	// in bytes.
	charged, promised uint64
	// published says that the object is visible: what was reserved is its own now.
	published bool
}

func (s *Store) add(ctx context.Context, r io.Reader, t terms) (added Added, err error) {
	if err := s.begin(); err != nil {
		return Added{}, err
	}
	defer s.adds.Done()
	in := &incoming{s: s, terms: t}
	if err := s.reserve(0, 1); err != nil {
		return Added{}, fmt.Errorf("add content: %w", err)
	}
	defer func() {
		if !in.published {
			s.release(in.reserved, in.size, 1)
		}
		in.uncharge()
		in.fulfil(in.promised)
	}()
	known := uint64(0)
	if t.upload != nil {
		known = uint64(max(t.upload.Size, 0))
	}
	if err := in.announce(known); err != nil {
		return Added{}, fmt.Errorf("add content: %w", err)
	}
	if err := in.grow(0); err != nil {
		return Added{}, fmt.Errorf("add content: %w", err)
	}
	if in.file, err = s.disk.CreateTemp(s.dir(tempDir)); err != nil {
		return Added{}, fmt.Errorf("add content: %w", s.failed(err))
	}
	moved := false
	defer func() {
		err = errors.Join(err, in.file.Close())
		if !moved {
			err = errors.Join(err, s.failed(s.disk.Remove(in.file.Name())))
		}
	}()
	name, err := in.receive(ctx, r)
	if err != nil {
		return Added{}, fmt.Errorf("add content: %w", err)
	}
	if t.name != nil && name != *t.name {
		return Added{}, fmt.Errorf("%w: %s hashes to %s", ErrMismatch, *t.name, name)
	}
	if t.upload != nil && t.upload.Size >= 0 && in.size != known {
		return Added{}, fmt.Errorf("%w: %d bytes, not %d", ErrMismatch, in.size, known)
	}
	if t.upload != nil {
		// All of it is here and is owed for. Who went away meanwhile finds it the next time, instead of paying for it again.
		ctx = context.WithoutCancel(ctx)
	}
	if err := in.finish(ctx, name); err != nil {
		return Added{}, fmt.Errorf("add content %s: %w", name, err)
	}
	var info Info
	if info, moved, err = in.publish(name); err != nil {
		return Added{}, fmt.Errorf("add content %s: %w", name, err)
	}
	s.recovered()
	return Added{Info: info, Existed: !moved}, nil
}

// announce refuses an upload of size bytes that has no room. It takes the space for uploads, but evicts nothing for a word alone:
// the budget is taken as the bytes arrive.
func (in *incoming) announce(size uint64) error {
	up := in.terms.upload
	if up == nil {
		return nil
	}
	in.s.mu.Lock()
	err := in.s.uploads.takes(up.Owner, len(in.s.held))
	in.s.mu.Unlock()
	if err != nil || size == 0 {
		return err
	}
	if size > in.s.cfg.MaxObjectBytes {
		return fmt.Errorf("%w: over %d bytes", ErrTooLarge, in.s.cfg.MaxObjectBytes)
	}
	need := diskSize(size)
	if err := in.s.charge(up.Owner, need); err != nil {
		return err
	}
	in.charged = need
	if err := in.s.promise(need); err != nil {
		return err
	}
	in.promised = need
	return nil
}

// fulfil takes bytes off what was announced.
func (in *incoming) fulfil(n uint64) {
	n = min(n, in.promised)
	in.s.mu.Lock()
	in.s.promised -= n
	in.s.mu.Unlock()
	in.promised -= n
}

// grow takes the budget for an object of at least size bytes.
func (in *incoming) grow(size uint64) error {
	if size > in.s.cfg.MaxObjectBytes {
		return fmt.Errorf("%w: over %d bytes", ErrTooLarge, in.s.cfg.MaxObjectBytes)
	}
	need := diskSize(size)
	if need <= in.reserved {
		return nil
	}
	if up := in.terms.upload; up != nil && need > in.charged {
		if err := in.s.charge(up.Owner, need-in.charged); err != nil {
			return err
		}
		in.charged = need
	}
	more := need - in.reserved
	if err := in.s.reserve(more, 0); err != nil {
		return err
	}
	in.reserved = need
	in.fulfil(more)
	return nil
}

// uncharge gives back what was taken of the space for uploads and is not kept.
func (in *incoming) uncharge() {
	if in.charged == 0 {
		return
	}
	in.s.mu.Lock()
	in.s.uploads.sub(in.terms.upload.Owner, in.charged)
	in.s.mu.Unlock()
	in.charged = 0
}

// write appends to the file. If the disk is full before the budget is, objects are evicted to make room.
func (in *incoming) write(b []byte) error {
	for tries := 0; ; tries++ {
		n, err := in.file.Write(b)
		in.size += uint64(n)
		in.s.mu.Lock()
		in.s.written += uint64(n)
		in.s.mu.Unlock()
		if b = b[n:]; err == nil {
			return nil
		}
		if !noSpace(err) || !in.s.cfg.Evict || tries == maxRetryEvictions {
			return in.s.failed(err)
		}
		if _, none := in.s.evictOne(); none != nil {
			return in.s.failed(err)
		}
	}
}

// receive writes the data and returns its hash.
func (in *incoming) receive(ctx context.Context, r io.Reader) (content.Name, error) {
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	hash := blake3.New()
	for {
		if err := ctx.Err(); err != nil && !in.whole() {
			return content.Name{}, err
		}
		n, err := readFull(r, buf[:])
		if n > 0 {
			if up := in.terms.upload; up != nil && up.Size >= 0 && in.size+uint64(n) > uint64(up.Size) {
				return content.Name{}, fmt.Errorf("%w: more than %d bytes", ErrMismatch, up.Size)
			}
			if err := in.grow(in.size + uint64(n)); err != nil {
				return content.Name{}, err
			}
			_, _ = hash.Write(buf[:n]) // a hash.Hash returns no error
			if err := in.write(buf[:n]); err != nil {
				return content.Name{}, err
			}
		}
		if err == io.EOF { //nolint:errorlint // a wrapped io.EOF is a failure of the reader, not its end
			var name content.Name
			hash.Sum(name[:0])
			return name, nil
		}
		if err != nil {
			return content.Name{}, fmt.Errorf("read: %w", err)
		}
	}
}

// whole reports whether all is here of an upload that was announced with its size.
func (in *incoming) whole() bool {
	up := in.terms.upload
	return up != nil && up.Size >= 0 && in.size == uint64(up.Size)
}

// readFull fills buf. Unlike io.ReadFull it returns io.EOF for the end of r only: an io.ErrUnexpectedEOF of a cut download
// must not pass for the end of the object.
func readFull(r io.Reader, buf []byte) (n int, err error) {
	for idle := 0; n < len(buf) && err == nil; {
		var got int
		got, err = r.Read(buf[n:])
		n += got
		if got > 0 {
			idle = 0
		} else if idle++; err == nil && idle > 100 {
			err = io.ErrNoProgress
		}
	}
	return n, err
}

// finish writes the outboard and the trailer behind the data and makes the file durable. The hash tree is made from what
// lies in the file by another implementation than the hash, and both must agree.
func (in *incoming) finish(ctx context.Context, name content.Name) error {
	data := io.NewSectionReader(in.file, 0, int64(in.size))
	root, err := bao.Encode(io.NewOffsetWriter(in.file, int64(in.size)), &contextReader{ctx, data}, int64(in.size), content.Group, true)
	if err != nil {
		return fmt.Errorf("hash tree: %w", in.s.failed(err))
	}
	if root != name {
		return fmt.Errorf("%w: read back as %x", ErrCorrupt, root)
	}
	trailer := binary.LittleEndian.AppendUint64(magic[:], in.size)
	if _, err := in.file.WriteAt(trailer, int64(diskSize(in.size)-trailerSize)); err != nil {
		return in.s.failed(err)
	}
	if !in.terms.stay() {
		if err := in.file.Chmod(cacheMode); err != nil {
			return in.s.failed(err)
		}
	}
	return in.s.failed(in.file.Sync())
}

// stay reports whether the object may not be evicted.
func (t *terms) stay() bool { return t.pinned || t.upload != nil }

// apply changes a record to the terms.
func (t *terms) apply(r *record) error {
	r.pinned = r.pinned || t.pinned
	if t.upload != nil {
		return r.keep(t.upload.Hold)
	}
	return nil
}

// publish renames the file to its name, unless the store has it already, and reports whether it did. The entry of the index
// comes first: an entry without a file is dropped when the store opens, while a file without one would have lost its hold.
func (in *incoming) publish(name content.Name) (_ Info, moved bool, err error) {
	s := in.s
	commit := s.commitOf(name)
	commit.Lock()
	defer commit.Unlock()
	path := s.path(name)
	shard := filepath.Dir(path)
	if err := s.disk.Mkdir(shard); err == nil {
		if err := s.disk.SyncDir(filepath.Dir(shard)); err != nil {
			return Info{}, false, s.failed(err)
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return Info{}, false, s.failed(err)
	}
	switch o, err := s.open(name); {
	case err == nil:
		if err := o.Close(); err != nil {
			return Info{}, false, err
		}
		// Whoever stored it may not have come to the sync of the folder yet when it crashed.
		if err := s.disk.SyncDir(shard); err != nil {
			return Info{}, false, s.failed(err)
		}
		return o.Info, false, in.join(name, o.Info)
	case errors.Is(err, ErrCorrupt):
		if err := s.quarantine(name, err); err != nil {
			return Info{}, false, err
		}
	case errors.Is(err, ErrNotFound):
		s.forget(name) // a file that somebody else removed
	default:
		return Info{}, false, err
	}
	stat, err := in.file.Stat()
	if err != nil {
		return Info{}, false, s.failed(err)
	}
	now := seconds(time.Now())
	r := &record{size: in.size, added: stat.ModTime().UnixNano(), used: now, saved: now}
	if err := in.terms.apply(r); err != nil {
		return Info{}, false, err
	}
	if r.stays() {
		if err := s.index.append(appendPut(nil, name, r), true); err != nil {
			return Info{}, false, s.failed(err)
		}
	} else {
		s.note(appendPut(nil, name, r))
	}
	if err := s.disk.Rename(in.file.Name(), path); err != nil {
		s.note(appendDelete(nil, name))
		return Info{}, false, s.failed(err)
	}
	s.mu.Lock()
	s.records[name] = r
	if in.charged > 0 { // enter charges what is kept
		s.uploads.sub(in.terms.upload.Owner, in.charged)
		in.charged = 0
	}
	s.enter(name, r)
	s.used += diskSize(in.size)
	s.reserved -= in.reserved
	s.written -= in.size
	s.slots--
	in.published = true
	s.mu.Unlock()
	// Its bytes were hashed as they came, and once more as the file has them: nobody has to do so again. That is known to this
	// process alone, and says nothing of what a crash leaves.
	s.verified.add(name, stat, time.Now())
	if err := s.disk.SyncDir(shard); err != nil {
		// It may be gone after a crash, so nobody may be told that it is stored.
		if removed := s.disk.Remove(path); removed == nil {
			s.forget(name)
		}
		return Info{}, true, s.failed(err)
	}
	return Info{Name: name, Size: in.size, Disk: diskSize(in.size), Added: stat.ModTime()}, true, nil
}

// join applies the terms of the add to an object that the store has already. The caller holds the commit lock of the name.
func (in *incoming) join(name content.Name, info Info) error {
	s := in.s
	in.uncharge()
	s.mu.Lock()
	if s.records[name] == nil { // somebody else put the file there
		used := seconds(info.Added)
		r := &record{size: info.Size, added: info.Added.UnixNano(), used: used, saved: used, pinned: true}
		s.records[name] = r
		s.enter(name, r)
		s.used += info.Disk
	}
	s.touch(name, time.Now())
	s.mu.Unlock()
	if !in.terms.stay() {
		return nil
	}
	return s.change(name, in.terms.apply)
}

// contextReader ends a long read when the context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
