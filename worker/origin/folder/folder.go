// Package folder finds files of local folders by the BLAKE3 hash of their bytes. An index of the hashes is kept by path,
// length and time of modification, in memory and in a file, and is brought up to date in the background. What it says is a
// hint: whoever reads a file verifies it.
package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/edgechain/edge/client/content"
)

// ErrNotFound reports a name that no indexed file has.
var ErrNotFound = errors.New("no such file")

// Config of an Index.
type Config struct {
	// Folders are looked through with all that is under them. Files and folders whose names begin with a dot are left out,
	// and symbolic links are not followed.
	Folders []string
	// CacheFile keeps the index over a restart; empty keeps none.
	CacheFile string
	// MaxFiles bounds the index, about 400 bytes of memory each.
	MaxFiles int
	// RescanInterval is the pause between two looks at all files.
	RescanInterval time.Duration
	// BytesPerSecond bounds how fast files are read to hash them; 0 is no bound.
	BytesPerSecond int64
}

// Validate returns all faults of the configuration.
func (c Config) Validate() error {
	var errs []error
	for _, dir := range c.Folders {
		if !filepath.IsAbs(dir) {
			errs = append(errs, fmt.Errorf("folder %q, want an absolute path", dir))
		}
	}
	if c.MaxFiles < 1 {
		errs = append(errs, errors.New("max_files must be positive"))
	}
	if c.RescanInterval < time.Second {
		errs = append(errs, fmt.Errorf("rescan_interval is %s, want at least 1s", c.RescanInterval))
	}
	if c.BytesPerSecond < 0 {
		errs = append(errs, fmt.Errorf("scan_bytes_per_second is %d, want 0 or more", c.BytesPerSecond))
	}
	return errors.Join(errs...)
}

// place of a file: a folder, and the path in it.
type place struct {
	folder, path string
}

// indexed is what a file looked like when it was hashed.
type indexed struct {
	size int64
	// modified in nanoseconds since 1970; 0 hashes the file again at the next look.
	modified int64
	name     content.Name
}

// Index of files. It is safe for concurrent use.
type Index struct {
	cfg Config
	log *slog.Logger
	now func() time.Time

	mu    sync.RWMutex
	files map[place]indexed
	names map[content.Name]place
	stats Stats

	stop    context.CancelFunc
	stopped chan struct{}
}

// Stats are the numbers of an index.
type Stats struct {
	// Files that are indexed.
	Files int
	// LeftOut are files that the last look did not index, because there are too many or they do not open.
	LeftOut int
	// Hashed is what was read to hash it, in bytes, and Scans how often all files were looked at.
	Hashed, Scans uint64
}

// New returns an index with what its file says. A file that does not read is begun anew.
func New(cfg Config, log *slog.Logger) (*Index, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	x := &Index{cfg: cfg, log: log, now: time.Now, files: map[place]indexed{}, names: map[content.Name]place{}}
	if err := x.load(); err != nil {
		log.Warn("began the index of folders anew", "file", cfg.CacheFile, "err", err)
		x.files, x.names = map[place]indexed{}, map[content.Name]place{}
	}
	return x, nil
}

// Start looks at all files, and again and again until Stop or the end of the context.
func (x *Index) Start(ctx context.Context) error {
	if x.stop != nil {
		return errors.New("folder index: started twice")
	}
	ctx, x.stop = context.WithCancel(ctx)
	x.stopped = make(chan struct{})
	go func() {
		defer close(x.stopped)
		for ctx.Err() == nil {
			if err := x.Scan(ctx); err != nil && ctx.Err() == nil {
				x.log.Error("could not look through the folders of origin", "err", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(x.cfg.RescanInterval):
			}
		}
	}()
	return nil
}

// Stop ends the look under way.
func (x *Index) Stop(ctx context.Context) error {
	if x.stop == nil {
		return nil
	}
	x.stop()
	select {
	case <-x.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("folder index: %w", ctx.Err())
	}
}

// Stats returns the numbers of the index.
func (x *Index) Stats() Stats {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := x.stats
	s.Files = len(x.files)
	return s
}

// Open opens the file of a name, and returns its length in bytes. The bytes are not verified. It returns ErrNotFound.
func (x *Index) Open(name content.Name) (io.ReadCloser, int64, error) {
	x.mu.RLock()
	at, ok := x.names[name]
	was := x.files[at]
	x.mu.RUnlock()
	if !ok {
		return nil, 0, ErrNotFound
	}
	f, info, err := openAt(at)
	if err != nil {
		x.Forget(name)
		return nil, 0, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if info.Size() != was.size {
		x.Forget(name)
		return nil, 0, errors.Join(ErrNotFound, f.Close())
	}
	return f, info.Size(), nil
}

// Forget takes a name out of the index whose file has other bytes. The next look hashes the file anew.
func (x *Index) Forget(name content.Name) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if at, ok := x.names[name]; ok {
		delete(x.files, at)
		delete(x.names, name)
	}
}

// openAt opens a regular file without leaving its folder, whatever links lie on the way.
func openAt(at place) (_ *os.File, _ os.FileInfo, err error) {
	root, err := os.OpenRoot(at.folder)
	if err != nil {
		return nil, nil, err
	}
	// A file stays open when its root is closed. A pipe must not block the worker.
	f, err := root.OpenFile(at.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err = errors.Join(err, root.Close()); err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}
