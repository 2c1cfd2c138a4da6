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

// Add stores what r delivers, durable when it returns, and returns its name. Memory does not grow with the size. It
// returns ErrFull, ErrTooLarge, the errors of r and of the disk, and leaves nothing behind.
func (s *Store) Add(ctx context.Context, r io.Reader) (Added, error) {
	return s.add(ctx, r, nil)
}

// AddNamed is Add for bytes that must hash to a name, else it returns ErrMismatch.
func (s *Store) AddNamed(ctx context.Context, name content.Name, r io.Reader) (Added, error) {
	return s.add(ctx, r, &name)
}

// AddPath adds a file, or the regular files under a folder in lexical order, and calls each for every one. Symbolic links
// and special files inside a folder are skipped. It stops at the first error.
func (s *Store) AddPath(ctx context.Context, path string, each func(Added) error) error {
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
		added, err := s.addFile(ctx, p)
		if err != nil {
			return fmt.Errorf("add %s: %w", p, err)
		}
		return each(added)
	})
}

func (s *Store) addFile(ctx context.Context, path string) (added Added, err error) {
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
	added, err = s.add(ctx, f, nil)
	added.Path = path
	return added, err
}

// incoming is an add under way.
type incoming struct {
	s        *Store
	file     *os.File
	size     uint64
	reserved uint64
}

func (s *Store) add(ctx context.Context, r io.Reader, want *content.Name) (added Added, err error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return Added{}, ErrClosed
	}
	s.adds.Add(1)
	s.mu.Unlock()
	defer s.adds.Done()

	file, err := os.CreateTemp(filepath.Join(s.cfg.Dir, tempDir), "add-*")
	if err != nil {
		return Added{}, fmt.Errorf("add content: %w", err)
	}
	in := &incoming{s: s, file: file}
	moved := false
	defer func() {
		s.release(in.reserved)
		err = errors.Join(err, file.Close())
		if !moved {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	name, err := in.receive(ctx, r)
	if err != nil {
		return Added{}, fmt.Errorf("add content: %w", err)
	}
	if want != nil && name != *want {
		return Added{}, fmt.Errorf("%w: %s hashes to %s", ErrMismatch, *want, name)
	}
	if err := in.finish(ctx, name); err != nil {
		return Added{}, fmt.Errorf("add content %s: %w", name, err)
	}
	if moved, err = in.publish(name); err != nil {
		return Added{}, fmt.Errorf("add content %s: %w", name, err)
	}
	info, err := s.Stat(name)
	if err != nil {
		return Added{}, err
	}
	return Added{Info: info, Existed: !moved}, nil
}

// grow takes the budget for an object of at least size bytes.
func (in *incoming) grow(size uint64) error {
	if size > in.s.cfg.MaxObjectBytes {
		return fmt.Errorf("%w: over %d bytes", ErrTooLarge, in.s.cfg.MaxObjectBytes)
	}
	need := diskSize(size)
	if err := in.s.reserve(need - in.reserved); err != nil {
		return err
	}
	in.reserved = need
	return nil
}

// receive writes the data and returns its hash.
func (in *incoming) receive(ctx context.Context, r io.Reader) (content.Name, error) {
	buf := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buf)
	if err := in.grow(0); err != nil {
		return content.Name{}, err
	}
	hash := blake3.New()
	for {
		if err := ctx.Err(); err != nil {
			return content.Name{}, err
		}
		n, err := readFull(r, buf[:])
		if n > 0 {
			if err := in.grow(in.size + uint64(n)); err != nil {
				return content.Name{}, err
			}
			_, _ = hash.Write(buf[:n]) // a hash.Hash returns no error
			if _, err := in.file.Write(buf[:n]); err != nil {
				return content.Name{}, err
			}
			in.size += uint64(n)
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
		return fmt.Errorf("hash tree: %w", err)
	}
	if root != name {
		return fmt.Errorf("%w: read back as %x", ErrCorrupt, root)
	}
	trailer := binary.LittleEndian.AppendUint64(magic[:], in.size)
	if _, err := in.file.WriteAt(trailer, int64(diskSize(in.size)-trailerSize)); err != nil {
		return err
	}
	return in.file.Sync()
}

// publish renames the file to its name, unless the store has it already, and reports whether it did.
func (in *incoming) publish(name content.Name) (bool, error) {
	s := in.s
	s.commit.Lock()
	defer s.commit.Unlock()
	path := s.path(name)
	shard := filepath.Dir(path)
	if err := os.Mkdir(shard, dirMode); err == nil {
		if err := syncDir(filepath.Dir(shard)); err != nil {
			return false, err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	switch o, err := s.open(name); {
	case err == nil:
		// Whoever stored it may not have come to the sync of the folder yet when it crashed.
		return false, errors.Join(o.Close(), syncDir(shard))
	case errors.Is(err, ErrCorrupt):
		if err := s.quarantine(name, err); err != nil {
			return false, err
		}
	case !errors.Is(err, ErrNotFound):
		return false, err
	}
	if err := os.Rename(in.file.Name(), path); err != nil {
		return false, err
	}
	s.mu.Lock()
	s.objects++
	s.used += diskSize(in.size)
	s.reserved -= in.reserved
	in.reserved = 0
	s.mu.Unlock()
	return true, syncDir(shard)
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
