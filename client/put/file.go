// Package put prepares files for an upload: it finds them, takes their names and sees whether they change meanwhile.
package put

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"github.com/edgechain/edge/client/content"
)

// maxFiles bounds the files of one upload.
const maxFiles = 100_000

var (
	// ErrChanged reports a file that changed while it was worked on.
	ErrChanged = errors.New("the file has changed")
	// ErrTooMany reports a folder of too many files.
	ErrTooMany = errors.New("too many files")
	// ErrNotRegular reports what is neither a file nor a folder.
	ErrNotRegular = errors.New("neither a file nor a folder")
)

// File is a file, or the manifest of a folder, that has a name.
type File struct {
	// Path as it was found.
	Path string
	Name content.Name
	// Size in bytes.
	Size uint64
	stat fs.FileInfo
	// manifest is that of a folder, nil for a file.
	manifest []byte
}

// Folder reports whether it is the manifest of a folder.
func (f *File) Folder() bool { return f.manifest != nil }

// Find returns a file, or the regular files under a folder in lexical order, without their names. Symbolic links and
// special files inside a folder are left out, and leftOut is told the path of each, unless it is nil. It returns ErrNotRegular and
// ErrTooMany.
func Find(path string, leftOut func(path string)) ([]File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() {
		return []File{{Path: path}}, nil
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	var files []File
	// With a separator at the end a link to a folder is followed if it is named itself.
	err = filepath.WalkDir(path+string(filepath.Separator), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			if leftOut != nil {
				leftOut(p)
			}
			return nil
		}
		if len(files) == maxFiles {
			return fmt.Errorf("%s: %w, want at most %d", path, ErrTooMany, maxFiles)
		}
		files = append(files, File{Path: p})
		return nil
	})
	return files, err
}

// Name fills in the names and sizes of files, as many at a time as there are processors. Memory does not grow with them.
func Name(ctx context.Context, files []File) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range files {
		g.Go(func() error { return files[i].name(ctx) })
	}
	return g.Wait()
}

func (f *File) name(ctx context.Context) (err error) {
	r, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if f.stat, err = r.Stat(); err != nil {
		return err
	}
	hash := blake3.New()
	n, err := io.Copy(hash, contextReader{ctx, r})
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	hash.Sum(f.Name[:0])
	f.Size = uint64(n)
	return f.same(r)
}

// Source is what an upload reads.
type Source interface {
	io.ReaderAt
	io.Closer
}

type manifestSource struct{ *bytes.Reader }

func (manifestSource) Close() error { return nil }

// Open opens the file to be sent. It returns ErrChanged if it is not the one that the name was taken of.
func (f *File) Open() (Source, error) {
	if f.Folder() {
		return manifestSource{bytes.NewReader(f.manifest)}, nil
	}
	r, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	if err := f.same(r); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Check returns ErrChanged if the file on disk does not look any more as it did when its name was taken.
func (f *File) Check() error {
	if f.Folder() {
		return nil
	}
	now, err := os.Stat(f.Path)
	if err != nil {
		return err
	}
	return f.compare(now)
}

func (f *File) same(r *os.File) error {
	now, err := r.Stat()
	if err != nil {
		return err
	}
	return f.compare(now)
}

func (f *File) compare(now fs.FileInfo) error {
	if now.Size() != int64(f.Size) || !now.ModTime().Equal(f.stat.ModTime()) || !os.SameFile(now, f.stat) {
		return fmt.Errorf("%s: %w", f.Path, ErrChanged)
	}
	return nil
}

// contextReader ends a long read when the context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
