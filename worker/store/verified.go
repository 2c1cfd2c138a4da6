package store

import (
	"os"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/edgechain/edge/client/content"
)

// maxVerified is how many objects are remembered as verified, about 150 bytes of memory each.
const maxVerified = 1 << 16

// verified remembers which files this process has verified, and when. A file that looks different since is forgotten; a
// disk that rots without a trace is what the limited time is for.
type verified struct {
	keep time.Duration

	mu    sync.Mutex
	files *simplelru.LRU[content.Name, seen]
}

// seen is what a file looked like when it was verified.
type seen struct {
	at, modified time.Time
	size         int64
}

func newVerified(keep time.Duration) *verified {
	files, _ := simplelru.NewLRU[content.Name, seen](maxVerified, nil) // fails for a size of 0 only
	return &verified{keep: keep, files: files}
}

func (v *verified) add(name content.Name, file os.FileInfo, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.files.Add(name, seen{now, file.ModTime(), file.Size()})
}

func (v *verified) remove(name content.Name) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.files.Remove(name)
}

// holds reports whether the file counts as verified, and when it was.
func (v *verified) holds(name content.Name, file os.FileInfo, now time.Time) (at time.Time, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s, ok := v.files.Get(name)
	return s.at, ok && now.Sub(s.at) < v.keep && s.modified.Equal(file.ModTime()) && s.size == file.Size()
}
