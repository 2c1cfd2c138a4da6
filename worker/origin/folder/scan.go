package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zeebo/blake3"
	"golang.org/x/time/rate"

	"github.com/edgechain/edge/client/content"
)

// readSize is how much is read and hashed at a time, in bytes.
const readSize = 256 << 10

// racy is how old a file must be when it is hashed for its time of modification to tell its next change.
const racy = 2 * time.Second

// Scan looks at all files once, hashes those that are new or look different, and forgets those that are gone. What was found
// can be opened at once. It returns the errors of folders that do not open; the files of these stay in the index.
func (x *Index) Scan(ctx context.Context) error {
	s := &scan{x: x, seen: map[place]bool{}}
	if x.cfg.BytesPerSecond > 0 {
		s.limit = rate.NewLimiter(rate.Limit(x.cfg.BytesPerSecond), int(max(x.cfg.BytesPerSecond, readSize)))
	}
	var errs []error
	failed := map[string]bool{}
	for _, dir := range x.cfg.Folders {
		if err := s.folder(ctx, dir); err != nil {
			if ctx.Err() != nil {
				// The first look at large folders takes hours, which a restart must not lose.
				if s.changed {
					return errors.Join(ctx.Err(), x.save())
				}
				return ctx.Err()
			}
			failed[dir] = true
			errs = append(errs, fmt.Errorf("folder %s: %w", dir, err))
		}
	}
	x.mu.Lock()
	for at, f := range x.files {
		if !s.seen[at] && !failed[at.folder] {
			delete(x.files, at)
			if x.names[f.name] == at {
				delete(x.names, f.name)
			}
			s.changed = true
		}
	}
	// A name whose file is gone or has changed may have another one.
	for at, f := range x.files {
		if _, ok := x.names[f.name]; !ok {
			x.names[f.name] = at
		}
	}
	x.stats.LeftOut = s.leftOut
	x.stats.Scans++
	x.mu.Unlock()
	if s.leftOut > 0 {
		x.log.Warn("left files of folders out of the index", "files", s.leftOut, "max_files", x.cfg.MaxFiles)
	}
	if s.changed {
		errs = append(errs, x.save())
	}
	return errors.Join(errs...)
}

// scan is one look at all files.
type scan struct {
	x       *Index
	limit   *rate.Limiter
	seen    map[place]bool
	leftOut int
	changed bool
}

func (s *scan) folder(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if path == "." {
				return err
			}
			s.leftOut++ // a folder that may not be read
			return nil
		}
		if path != "." && strings.HasPrefix(filepath.Base(path), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		return s.file(ctx, place{dir, path}, d)
	})
	return errors.Join(err, root.Close())
}

// file brings the index up to date with one file. It returns errors of the context only.
func (s *scan) file(ctx context.Context, at place, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return nil
	}
	x := s.x
	x.mu.RLock()
	was, known := x.files[at]
	full := !known && len(x.files) >= x.cfg.MaxFiles
	x.mu.RUnlock()
	if full {
		s.leftOut++
		return nil
	}
	if known && was.size == info.Size() && was.modified == info.ModTime().UnixNano() {
		s.seen[at] = true
		return nil
	}
	f, err := s.hash(ctx, at)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		s.leftOut++
		x.log.Debug("did not index a file", "folder", at.folder, "path", at.path, "err", err)
		return nil
	}
	s.seen[at], s.changed = true, s.changed || f != was
	x.mu.Lock()
	defer x.mu.Unlock()
	if known && x.names[was.name] == at {
		delete(x.names, was.name)
	}
	x.files[at], x.names[f.name] = f, at
	return nil
}

func (s *scan) hash(ctx context.Context, at place) (_ indexed, err error) {
	file, before, err := openAt(at)
	if err != nil {
		return indexed{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	begun := s.x.now()
	h := blake3.New()
	buf := make([]byte, readSize)
	var size int64
	for {
		if s.limit != nil {
			if err := s.limit.WaitN(ctx, len(buf)); err != nil {
				return indexed{}, err
			}
		}
		if err := ctx.Err(); err != nil {
			return indexed{}, err
		}
		n, err := file.Read(buf)
		_, _ = h.Write(buf[:n])
		size += int64(n)
		s.x.mu.Lock()
		s.x.stats.Hashed += uint64(n)
		s.x.mu.Unlock()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return indexed{}, err
		}
	}
	after, err := file.Stat()
	if err != nil {
		return indexed{}, err
	}
	if after.Size() != size || !after.ModTime().Equal(before.ModTime()) {
		return indexed{}, errors.New("it changes")
	}
	f := indexed{size: size, modified: after.ModTime().UnixNano()}
	if begun.Sub(after.ModTime()) < racy {
		f.modified = 0
	}
	var name content.Name
	h.Sum(name[:0])
	f.name = name
	return f, nil
}
