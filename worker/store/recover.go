package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgechain/edge/client/content"
)

// maxChanges is how many differences between index and files are appended to the index; beyond it is written anew.
const maxChanges = 1 << 16

// recoverIndex reads the index and brings it in line with the files: entries without a file go, files without an entry are
// taken in. All files are looked at if there are such or the index is not whole: in a whole one with an entry for each file
// nothing is missing that a caller was told, as pins and holds are synced. An index that cannot be written does not keep the
// store from serving.
func (s *Store) recoverIndex() error {
	records, err := s.index.load()
	whole := err == nil
	switch {
	case records == nil:
		return err
	case whole:
	case errors.Is(err, fs.ErrNotExist): // a new store, or one of a release without an index
	default:
		s.log.Warn("the index of the content is read anew from the files", "err", err)
	}
	found, err := s.compare(records, !whole)
	if err != nil {
		return err
	}
	if whole && len(found) > 0 {
		// The end of the index is lost: what it said of pins is, too.
		if found, err = s.compare(records, true); err != nil {
			return err
		}
	}
	var gone []content.Name
	for name, r := range records {
		if !r.seen {
			gone = append(gone, name)
			delete(records, name)
		}
	}
	// Files of a wrong length are looked into below, and those that appeared behind the store's back, unless there are many.
	var suspect, changed []content.Name
	for _, f := range found {
		r, known := records[f.name]
		size, ok := sizeOnDisk(f.disk)
		if !ok || known && r.size != size || whole && !known && len(suspect) < maxChanges {
			suspect = append(suspect, f.name)
		}
		if !known || r.size != size || f.mode&cacheBit == 0 && !r.stays() {
			changed = append(changed, f.name)
		}
		switch {
		case !ok:
			delete(records, f.name)
		case known && r.size != size:
			r.size = size
		case !known:
			used := seconds(f.added)
			records[f.name] = &record{size: size, added: f.added.UnixNano(), used: used, saved: used, pinned: f.mode&cacheBit == 0}
		case f.mode&cacheBit == 0 && !r.stays():
			r.pinned = true // the entry that pinned it may be what is missing
		}
	}
	s.records = records
	s.enterAll()
	if _, err := s.dropQuarantined(maxQuarantined); err != nil {
		return err
	}
	if !whole || len(gone)+len(changed) > maxChanges {
		s.rewriteIndex()
	} else {
		for _, name := range gone {
			s.note(appendDelete(nil, name))
		}
		for _, name := range changed {
			if r := records[name]; r != nil {
				s.note(appendPut(nil, name, r))
			}
		}
		s.compact()
	}
	for _, name := range suspect {
		// Open sets it aside if it is not what its name says.
		if o, err := s.openFile(name); err == nil {
			err = o.Close()
			if err != nil {
				return err
			}
		} else if !errors.Is(err, ErrCorrupt) {
			return err
		}
	}
	if len(gone)+len(changed) > 0 {
		s.log.Info("brought the index of the content in line with the files", "gone", len(gone), "changed", len(changed), "objects", len(records))
	}
	return nil
}

// enterAll makes the objects count, those unused for longest first, so that the lists of the policy are in order.
func (s *Store) enterAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	type use struct {
		name content.Name
		r    *record
	}
	var uses []use
	for name, r := range s.records {
		s.used += diskSize(r.size)
		if r.stays() {
			s.enter(name, r)
		} else {
			uses = append(uses, use{name, r})
		}
	}
	// Of two used at the same time the name decides, so that every start evicts the same.
	slices.SortFunc(uses, func(a, b use) int {
		if a.r.used != b.r.used {
			if a.r.used < b.r.used {
				return -1
			}
			return 1
		}
		return slices.Compare(a.name[:], b.name[:])
	})
	// The list of those used again is bounded by what there is in both.
	for _, again := range []bool{false, true} {
		for _, u := range uses {
			if u.r.again == again {
				s.enter(u.name, u.r)
			}
		}
	}
}

// found is a file that was looked at.
type found struct {
	name  content.Name
	disk  uint64
	added time.Time
	mode  fs.FileMode
}

// compare lists the files of the store, marks the records that have one as seen, and returns the files without a record, or
// all of them.
func (s *Store) compare(records map[content.Name]*record, all bool) ([]found, error) {
	var perShard [256][]found
	var group errgroup.Group
	group.SetLimit(4 * runtime.GOMAXPROCS(0)) // the disk is waited for more than the processor
	for shard := range 256 {
		group.Go(func() error {
			return s.eachFile(shard, func(name content.Name, d fs.DirEntry) error {
				r := records[name]
				if r != nil {
					r.seen = true // each record belongs to one shard
				}
				if r != nil && !all {
					return nil
				}
				info, err := d.Info()
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				if err != nil {
					return err
				}
				perShard[shard] = append(perShard[shard], found{name: name, disk: uint64(info.Size()), added: info.ModTime(), mode: info.Mode()})
				return nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(perShard[:]...), nil
}

// eachFile calls each for every file of objects/<two digits> that is named like an object, in no order.
func (s *Store) eachFile(shard int, each func(content.Name, fs.DirEntry) error) error {
	dir, err := os.Open(filepath.Join(s.dir(objectsDir), fmt.Sprintf("%02x", shard)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := dir.ReadDir(-1)
	if err = errors.Join(err, dir.Close()); err != nil {
		return err
	}
	for _, e := range entries {
		text := e.Name()
		var name content.Name
		if len(text) != hex.EncodedLen(len(name)) || !e.Type().IsRegular() {
			continue
		}
		if _, err := hex.Decode(name[:], []byte(text)); err != nil || int(name[0]) != shard || name.String() != text {
			continue
		}
		if err := each(name, e); err != nil {
			return err
		}
	}
	return nil
}

// sizeOnDisk returns the size of the object that takes so many bytes on disk, if there is one.
func sizeOnDisk(disk uint64) (uint64, bool) {
	if disk < diskSize(0) || disk > diskSize(content.MaxSize) {
		return 0, false
	}
	size := uint64(sort.Search(int(disk), func(size int) bool { return diskSize(uint64(size)) >= disk }))
	return size, diskSize(size) == disk
}
