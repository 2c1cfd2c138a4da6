package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/edgechain/edge/client/content"
)

// entryBytes is what an entry takes besides the bytes of its object, about.
const entryBytes = 1 << 10

// hot keeps what is asked for within reach, so that a request for it opens, stats and hashes nothing: the files of small
// objects as bytes, up to Config.HotBytes, and those of the others open, up to Config.HotFiles. Which ones stay is up to the
// cache library, which goes by frequency and recency.
//
// Whoever removes, replaces or sets aside a file calls drop after it. What happens to files behind the store's back is seen
// when an entry is Config.HotRecheck old.
type hot struct {
	recheck  time.Duration
	largest  uint64
	maxBytes int64
	// small and files are nil if nothing may be kept of the kind.
	small, files *otter.Cache[content.Name, *held]

	// loaded is what lies in memory of small objects, in bytes: those that are kept and those that are still being sent.
	loaded atomic.Int64
	open   atomic.Int64
	hits   atomic.Uint64
	misses atomic.Uint64
	fault  func(error)
}

func newHot(cfg Config, fault func(error)) (*hot, error) {
	h := &hot{recheck: cfg.HotRecheck, largest: cfg.HotObjectBytes, maxBytes: int64(cfg.HotBytes), fault: fault}
	// The callers run the cache's upkeep and what it deletes: it has no goroutine that somebody would have to own.
	here := func(f func()) { f() }
	deleted := func(e otter.DeletionEvent[content.Name, *held]) { e.Value.release() }
	var err error
	if cfg.HotBytes > 0 && cfg.HotObjectBytes > 0 {
		if h.small, err = otter.New(&otter.Options[content.Name, *held]{
			MaximumWeight: cfg.HotBytes,
			Weigher:       func(_ content.Name, o *held) uint32 { return uint32(len(o.bytes)) + entryBytes },
			OnDeletion:    deleted, Executor: here,
		}); err != nil {
			return nil, fmt.Errorf("memory of small objects: %w", err)
		}
	}
	if cfg.HotFiles > 0 {
		if h.files, err = otter.New(&otter.Options[content.Name, *held]{MaximumSize: cfg.HotFiles, OnDeletion: deleted, Executor: here}); err != nil {
			return nil, fmt.Errorf("memory of open files: %w", err)
		}
	}
	return h, nil
}

// get returns an object that is kept, for the caller to release, or nil.
func (h *hot) get(name content.Name) *held {
	if o := h.peek(name); o != nil {
		h.hits.Add(1)
		return o
	}
	h.misses.Add(1)
	return nil
}

// peek is get without counting.
func (h *hot) peek(name content.Name) *held {
	for _, c := range [...]*otter.Cache[content.Name, *held]{h.small, h.files} {
		if c == nil {
			continue
		}
		if o, ok := c.GetIfPresent(name); ok && o.acquire() {
			return o
		}
	}
	return nil
}

// add keeps an object that was opened, unless another one is kept under its name already. It looks at the file once more
// afterwards: whoever removed it before add may have called drop before add, too.
func (h *hot) add(name content.Name, o *held, path string) {
	c := h.files
	if o.bytes != nil {
		c = h.small
	}
	if c == nil || h.recheck <= 0 {
		return
	}
	o.acquire()
	if _, added := c.SetIfAbsent(name, o); !added {
		o.release()
		return
	}
	if !o.same(path) {
		h.drop(name)
	}
}

// drop forgets what is kept under a name. Who has it open keeps it open.
func (h *hot) drop(name content.Name) {
	for _, c := range []*otter.Cache[content.Name, *held]{h.small, h.files} {
		if c != nil {
			c.Invalidate(name)
		}
	}
}

// close forgets everything.
func (h *hot) close() {
	for _, c := range []*otter.Cache[content.Name, *held]{h.small, h.files} {
		if c != nil {
			c.InvalidateAll()
			c.CleanUp()
			c.StopAllGoroutines()
		}
	}
}

// reserve takes memory for a file of n bytes, if it is a small one. What is kept may be exceeded by a quarter, for the bytes
// of objects that were displaced while slow clients take them; beyond that small objects are sent from their files, too.
func (h *hot) reserve(n uint64) bool {
	if h.small == nil || h.recheck <= 0 || n > h.largest+content.OutboardSize(h.largest)+trailerSize {
		return false
	}
	if h.loaded.Add(int64(n)) > h.maxBytes+h.maxBytes/4 {
		h.loaded.Add(-int64(n))
		return false
	}
	return true
}

// held is an open object, shared by those who have it open and by the memory of hot ones. It closes with the last of them.
type held struct {
	Info
	hot  *hot
	stat os.FileInfo
	// file is nil if bytes holds all of it.
	file  *os.File
	fd    int
	bytes []byte

	refs atomic.Int32
	// checked is when the file was last seen to be the one under its name, verified when all of it was found to be good, both
	// in Unix nanoseconds.
	checked, verified atomic.Int64
	attached          atomic.Pointer[any]
}

// acquire counts another user, unless the last one has left.
func (o *held) acquire() bool {
	for {
		n := o.refs.Load()
		if n <= 0 {
			return false
		}
		if o.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release ends what acquire began.
func (o *held) release() {
	if o.refs.Add(-1) > 0 {
		return
	}
	if o.file == nil {
		o.hot.loaded.Add(-int64(len(o.bytes)))
		return
	}
	o.hot.open.Add(-1)
	if err := o.file.Close(); err != nil {
		o.hot.fault(fmt.Errorf("close content %s: %w", o.Name, err))
	}
}

// fresh reports whether the object can be handed out at a time: once in recheck one of those who ask looks at the file.
func (o *held) fresh(path func() string, now time.Time) bool {
	checked := o.checked.Load()
	if now.UnixNano()-checked < int64(o.hot.recheck) {
		return true
	}
	return !o.checked.CompareAndSwap(checked, now.UnixNano()) || o.same(path())
}

// same reports whether the file at path is the one that was opened, and looks as it did then.
func (o *held) same(path string) bool {
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(now, o.stat) && now.Size() == o.stat.Size() && now.ModTime().Equal(o.stat.ModTime())
}

// readAt reads the file: data, outboard, trailer.
func (o *held) readAt() io.ReaderAt {
	if o.file == nil {
		return memory(o.bytes)
	}
	return o.file
}

// memory is bytes as an io.ReaderAt.
type memory []byte

// ReadAt implements io.ReaderAt.
func (m memory) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > int64(len(m)) {
		return 0, errors.New("read outside of the file")
	}
	n := copy(p, m[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
