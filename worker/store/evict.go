package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/edgechain/edge/client/content"
)

const (
	// sameUse is how close two uses of an object may be to count as one: the ranges of one download are no reason to keep it
	// for longer.
	sameUse = time.Minute
	// saveUse is how far the time of the last use on disk may be behind.
	saveUse = time.Hour
	// againShare is the part of the evictable bytes, in fifths, that objects used again may take before the oldest of them
	// have to prove themselves anew.
	againShare = 4
	// maxRetryEvictions is how many objects one write evicts that the disk refuses for want of space.
	maxRetryEvictions = 64
)

// policy says what is evicted next: of the objects that were used once since they came, or came back from the other list,
// the one that is unused for longest, and only then one of those that were used again. So a crawler that asks for everything
// once drives out nothing but what others asked for once. The caller holds Store.mu.
type policy struct {
	// once and again map a name to what the object takes on disk, in bytes.
	once, again *simplelru.LRU[content.Name, uint64]
	// bytes is what the objects of both lists take on disk, againBytes those of again.
	bytes, againBytes uint64
}

func newPolicy() *policy {
	// The store bounds them. NewLRU fails for a size of 0 only.
	once, _ := simplelru.NewLRU[content.Name, uint64](math.MaxInt, nil)
	again, _ := simplelru.NewLRU[content.Name, uint64](math.MaxInt, nil)
	return &policy{once: once, again: again}
}

// add puts an object in front of one of the lists.
func (p *policy) add(name content.Name, disk uint64, again bool) {
	p.remove(name)
	p.bytes += disk
	if !again {
		p.once.Add(name, disk)
		return
	}
	p.againBytes += disk
	p.again.Add(name, disk)
	for p.againBytes > p.bytes/5*againShare && p.again.Len() > 1 {
		oldest, disk, _ := p.again.RemoveOldest()
		p.againBytes -= disk
		p.once.Add(oldest, disk)
	}
}

// remove takes an object out of the lists.
func (p *policy) remove(name content.Name) {
	if disk, ok := p.once.Peek(name); ok {
		p.bytes -= disk
		p.once.Remove(name)
	} else if disk, ok := p.again.Peek(name); ok {
		p.bytes -= disk
		p.againBytes -= disk
		p.again.Remove(name)
	}
}

// has reports whether an object may be evicted.
func (p *policy) has(name content.Name) bool { return p.once.Contains(name) || p.again.Contains(name) }

// usedAgain reports whether it is in the list of those that were used again.
func (p *policy) usedAgain(name content.Name) bool { return p.again.Contains(name) }

// victim returns the object to evict next.
func (p *policy) victim() (content.Name, bool) {
	if name, _, ok := p.once.GetOldest(); ok {
		return name, true
	}
	name, _, ok := p.again.GetOldest()
	return name, ok
}

// touched says that an object is used at a time, which is now. It costs a failed attempt to lock if the store is busy: a use that goes unnoticed
// now and then does no harm.
func (s *Store) touched(name content.Name, now time.Time) {
	if !s.mu.TryLock() {
		return
	}
	s.touch(name, now)
	s.mu.Unlock()
}

// touch is touched for a caller that holds mu.
func (s *Store) touch(name content.Name, now time.Time) {
	r := s.records[name]
	if r == nil || now.Sub(unix(r.used)) < sameUse {
		return
	}
	r.used, r.again = seconds(now), true
	if s.policy.has(name) {
		s.policy.add(name, diskSize(r.size), true)
	}
	if unix(r.used).Sub(unix(r.saved)) >= saveUse && len(s.stale) < maxStale {
		s.stale[name] = struct{}{}
	}
}

// reserve takes n bytes of the budget and of the disk, and slots for so many objects, and evicts what is in the way. It
// evicts nothing if that would not make room. It returns ErrFull or ErrDiskFull.
func (s *Store) reserve(n uint64, slots int) error {
	s.mu.Lock()
	for !s.fits(n, slots) {
		stays := s.used + s.reserved - min(s.used, s.policy.bytes+s.quarantineBytes)
		staying := len(s.records) + s.slots - s.policy.once.Len() - s.policy.again.Len()
		// Each term is below 2^63, so the sum of two does not overflow.
		if !s.cfg.Evict || n > s.cfg.MaxBytes || stays > s.cfg.MaxBytes-n || staying+slots > s.cfg.MaxObjects {
			err := fmt.Errorf("%w: %d of %d bytes are taken, %d of them for good, and %d of %d objects; %d more bytes are needed",
				ErrFull, s.used+s.reserved, s.cfg.MaxBytes, stays, len(s.records)+s.slots, s.cfg.MaxObjects, n)
			s.refused++
			s.mu.Unlock()
			return err
		}
		s.mu.Unlock()
		if _, err := s.evictOne(); err != nil {
			return err
		}
		s.mu.Lock()
	}
	s.reserved += n
	s.slots += slots
	s.mu.Unlock()
	if err := s.keepFree(); err != nil {
		s.release(n, 0, slots)
		return err
	}
	return nil
}

// promise counts n bytes that are announced, if the budget and the disk have room for them beside all that stays and all that is
// announced. It evicts nothing. It returns ErrFull or ErrDiskFull.
func (s *Store) promise(n uint64) error {
	var free uint64
	if s.cfg.MinFreeBytes > 0 {
		var err error
		if free, err = s.disk.Free(s.cfg.Dir); err != nil {
			return fmt.Errorf("free disk space: %w", s.failed(err))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	evictable := s.evictable()
	stays := s.used + s.reserved - min(s.used, evictable) + s.promised
	if stays > s.cfg.MaxBytes || n > s.cfg.MaxBytes-stays {
		s.refused++
		return fmt.Errorf("%w: %d of %d bytes are taken for good or announced, %d more are needed", ErrFull, stays, s.cfg.MaxBytes, n)
	}
	want := s.cfg.MinFreeBytes + s.reserved - min(s.reserved, s.written) + s.promised + n
	if want -= min(want, evictable); s.cfg.MinFreeBytes > 0 && want > free {
		s.refused++
		return fmt.Errorf("%w: %d bytes are missing to keep %d free", ErrDiskFull, want-free, s.cfg.MinFreeBytes)
	}
	s.promised += n
	return nil
}

// Room returns how many bytes budget and disk can still take beside all that stays.
func (s *Store) Room() (uint64, error) {
	free, err := s.disk.Free(s.cfg.Dir)
	if err != nil {
		return 0, fmt.Errorf("free disk space: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	evictable := s.evictable()
	stays := s.used + s.reserved - min(s.used, evictable)
	spared := s.cfg.MinFreeBytes + s.reserved - min(s.reserved, s.written)
	return min(s.cfg.MaxBytes-min(s.cfg.MaxBytes, stays), free+evictable-min(free+evictable, spared)), nil
}

// evictable returns how many bytes can make room for others. The caller holds mu.
func (s *Store) evictable() uint64 {
	if !s.cfg.Evict {
		return 0
	}
	return s.policy.bytes + s.quarantineBytes
}

// fits reports whether the budget holds n bytes more and so many objects. The caller holds mu.
func (s *Store) fits(n uint64, slots int) bool {
	taken := s.used + s.reserved
	return taken <= s.cfg.MaxBytes && n <= s.cfg.MaxBytes-taken && (slots == 0 || len(s.records)+s.slots+slots <= s.cfg.MaxObjects)
}

// keepFree evicts until the disk holds what is reserved and not written yet, and the configured reserve besides. It evicts
// at most what is missing: if the bytes do not come free, because somebody reads the files or another program fills the
// disk, the store must not empty itself for nothing.
func (s *Store) keepFree() error {
	if s.cfg.MinFreeBytes == 0 {
		return nil
	}
	short, err := s.short()
	if err != nil || short == 0 {
		return err
	}
	for freed := uint64(0); s.cfg.Evict && freed < short; {
		n, err := s.evictOne()
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil {
			return err
		}
		freed += n
	}
	if short, err = s.short(); err != nil || short == 0 {
		return err
	}
	s.mu.Lock()
	s.refused++
	s.mu.Unlock()
	return fmt.Errorf("%w: %d bytes are missing to keep %d free", ErrDiskFull, short, s.cfg.MinFreeBytes)
}

// short returns how many bytes the disk lacks.
func (s *Store) short() (uint64, error) {
	free, err := s.disk.Free(s.cfg.Dir)
	if err != nil {
		return 0, fmt.Errorf("free disk space: %w", s.failed(err))
	}
	s.mu.Lock()
	want := s.cfg.MinFreeBytes + s.reserved - min(s.reserved, s.written)
	s.mu.Unlock()
	return want - min(want, free), nil
}

// evictOne evicts what the policy names, else the oldest file of the quarantine, and returns how many bytes that frees: 0
// if another got ahead. It returns ErrFull if everything stays.
func (s *Store) evictOne() (uint64, error) {
	s.mu.Lock()
	name, ok := s.policy.victim()
	aside := s.quarantined
	s.mu.Unlock()
	if !ok {
		if aside == 0 {
			return 0, fmt.Errorf("%w: nothing is left to evict", ErrFull)
		}
		return s.dropQuarantined(int(aside) - 1)
	}
	commit := s.commitOf(name)
	commit.Lock()
	defer commit.Unlock()
	s.mu.Lock()
	evictable, r := s.policy.has(name), s.records[name]
	s.mu.Unlock()
	if !evictable {
		return 0, nil // removed, or pinned meanwhile
	}
	// Nothing waits for the disk here: a file that is back after a loss of power is found when the store opens.
	if err := s.disk.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.mu.Lock()
		s.policy.add(name, diskSize(r.size), true) // so that the next try is another's
		s.mu.Unlock()
		return 0, fmt.Errorf("evict %s: %w", name, s.failed(err))
	}
	s.forget(name)
	s.mu.Lock()
	s.evicted++
	s.evictedBytes += diskSize(r.size)
	s.mu.Unlock()
	return diskSize(r.size), nil
}

// fit evicts until the store is within its budget, which may have been larger when it was last open.
func (s *Store) fit() error {
	for s.cfg.Evict {
		s.mu.Lock()
		fits := s.fits(0, 0) && len(s.records) <= s.cfg.MaxObjects
		s.mu.Unlock()
		if fits {
			return nil
		}
		if _, err := s.evictOne(); errors.Is(err, ErrFull) {
			break
		} else if err != nil {
			return err
		}
	}
	if stats := s.Stats(); stats.Used > s.cfg.MaxBytes {
		s.log.Warn("the content that stays takes more than the budget", "used", stats.Used, "max", s.cfg.MaxBytes)
	}
	return nil
}

// seconds is the coarse time of records.
func seconds(t time.Time) uint32 {
	return uint32(min(max(t.Unix(), 0), math.MaxUint32))
}

func unix(t uint32) time.Time { return time.Unix(int64(t), 0) }
