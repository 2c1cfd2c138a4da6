package store

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/edgechain/edge/client/content"
)

// Entry is what the store knows of an object.
type Entry struct {
	Info
	// Pinned says that it stays until it is unpinned or deleted.
	Pinned bool
	// Holds are the accounts that have it kept.
	Holds []Hold
	// Used is when it was last used, give or take a minute, or an hour after a crash.
	Used time.Time
}

// Evictable reports whether the object goes when its room is needed.
func (e *Entry) Evictable() bool { return !e.Pinned && len(e.Holds) == 0 }

func entryOf(name content.Name, r *record) Entry {
	return Entry{
		Info:   Info{Name: name, Size: r.size, Disk: diskSize(r.size), Added: time.Unix(0, r.added)},
		Pinned: r.pinned, Holds: r.holds, Used: unix(r.used),
	}
}

// Lookup returns what the store knows of an object, without a look at its file. It returns ErrNotFound.
func (s *Store) Lookup(name content.Name) (Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.records[name]
	if r == nil {
		return Entry{}, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return entryOf(name, r), nil
}

// List returns at most limit objects in ascending order of their names, from the first name behind after on. A zero after
// begins at the beginning.
func (s *Store) List(after content.Name, limit int) ([]Entry, error) {
	var list []Entry
	for shard := int(after[0]); shard < len(s.commits) && len(list) < limit; shard++ {
		var names []content.Name
		err := s.eachFile(shard, func(name content.Name, _ fs.DirEntry) error {
			if after == (content.Name{}) || bytes.Compare(name[:], after[:]) > 0 {
				names = append(names, name)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("content store: %w", err)
		}
		slices.SortFunc(names, func(a, b content.Name) int { return bytes.Compare(a[:], b[:]) })
		s.mu.Lock()
		for _, name := range names {
			if r := s.records[name]; r != nil && len(list) < limit {
				list = append(list, entryOf(name, r))
			}
		}
		s.mu.Unlock()
	}
	return list, nil
}
