// Package store keeps content on disk under the BLAKE3 hash of its bytes.
//
// An object is one file, objects/<first two digits>/<64 hex digits>:
//
//	data || outboard || magic[8] || size u64
//
// The outboard is the Bao hash tree in groups of 16 KiB: the size as u64, then the parents in pre-order. A file is written
// aside, hashed while it is written, fsynced and renamed, so that what stands under a name is whole, and one rename makes
// it visible. A file whose length does not fit its trailer, or whose bytes do not verify, was damaged later; it is moved to
// quarantine/ and its name is unknown from then on. Object.Slice verifies what it reads; Start verifies everything in the
// background.
//
// # Eviction
//
// The budget is hard. What an operator adds is pinned and what a client uploads is held until an epoch; everything else
// may be evicted, and is when room is needed: first of what was used once, the longest unused, then of what was used again.
// Both lists are those of hashicorp's simplelru. A cache with an admission policy and queues of its own, such as otter,
// keeps the hot objects of this package in memory, but does not fit the disk: it may refuse an object that was just
// paid for and promised to a reader, it evicts at a time of its own choosing, and its bound cannot be shared with adds
// under way, pins and quarantine. Files that are open when their object is evicted stay readable; the disk has their bytes
// back when the last reader is done.
//
// # Index
//
// The file index is a log of what is known of each object: size, pin, holds, last use. The files are the truth. Open reads
// the log, lists the folders, forgets entries without a file and looks at files without an entry; a damaged log makes it
// look at all of them. An entry is written before the rename that makes its file visible, and removed after the file, so
// that a crash in between leaves an entry too much, never a pin too few. The mode of a file says whether it stays, for the
// case that the log is lost.
//
// # Locks
//
// A commit lock orders the changes of a name, in the file system and in the index; Store.mu guards what is in memory and is
// never held while the disk is waited for. Whoever needs both takes the commit lock first, and never two of them.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/edgechain/edge/client/content"
)

const (
	objectsDir    = "objects"
	tempDir       = "tmp"
	quarantineDir = "quarantine"
	lockFile      = "lock"

	// maxQuarantined is how many damaged files are kept for the operator. Older ones are removed.
	maxQuarantined = 16

	dirMode = 0o700
)

var (
	// ErrNotFound reports a name that the store does not have.
	ErrNotFound = errors.New("no such content")
	// ErrCorrupt reports a stored object that is damaged. It has been moved to quarantine.
	ErrCorrupt = errors.New("stored content is damaged")
	// ErrFull reports that the budget does not hold what should be added.
	ErrFull = errors.New("content store is full")
	// ErrDiskFull reports a disk that is full, or would be, whatever the budget says. It is an ErrFull.
	ErrDiskFull = fmt.Errorf("%w: no space is left on the disk", ErrFull)
	// ErrDisk reports a disk that failed.
	ErrDisk = errors.New("the disk of the content store failed")
	// ErrQuota reports an upload that the space for uploads, or what an account may have of it, does not hold.
	ErrQuota = errors.New("upload quota is used up")
	// ErrAccountQuota reports one that what its account may have does not hold. It is an ErrQuota.
	ErrAccountQuota = fmt.Errorf("%w for the account", ErrQuota)
	// ErrTooLarge reports an object over the bound of one object.
	ErrTooLarge = errors.New("object is too large")
	// ErrMismatch reports bytes that do not hash to the name they were announced by.
	ErrMismatch = errors.New("content does not match its name")
	// ErrLocked reports a store that another process has open.
	ErrLocked = errors.New("content store is in use by another process")
	// ErrClosed reports a store that was closed.
	ErrClosed = errors.New("content store is closed")
)

// Store is a content store. It is safe for concurrent use.
type Store struct {
	cfg   Config
	log   *slog.Logger
	lock  *flock.Flock
	disk  disk
	index *index

	verified *verified
	hot      *hot

	// commits order the changes of what is visible: renames, removals and the entries of the index about them. There is one
	// for each first byte of a name.
	commits [256]sync.Mutex
	// aside orders the removals from the quarantine.
	aside sync.Mutex

	mu      sync.Mutex
	closed  bool
	records map[content.Name]*record
	policy  *policy
	// stale are objects whose last use on disk is old.
	stale map[content.Name]struct{}
	// held are the objects with holds.
	held     map[content.Name]struct{}
	uploads  uploads
	pinned   uint64 // bytes of pinned objects
	used     uint64 // bytes on disk, quarantine included
	reserved uint64 // bytes promised to adds under way
	written  uint64 // bytes of them that are written
	promised uint64 // bytes announced for uploads under way and not reserved yet
	slots    int    // adds under way
	adds     sync.WaitGroup

	quarantined, quarantineBytes uint64
	evicted, evictedBytes        uint64
	refused                      uint64 // for want of space
	diskErrors                   uint64
	// fault is why the disk failed, until it works again.
	fault error

	stopUpkeep   context.CancelFunc
	upkeepDone   chan struct{}
	scrubBytes   uint64 // read by the scrub
	scrubRounds  uint64
	scrubDamaged uint64
}

// Stats are the numbers of a store.
type Stats struct {
	// Objects counts the stored objects.
	Objects uint64
	// Used is what they and the quarantined files take on disk, in bytes.
	Used uint64
	// Reserved is what the adds under way have taken of the budget, in bytes.
	Reserved uint64
	// Max is the budget in bytes.
	Max uint64
	// Pinned is what pinned objects take, and Held what clients have had kept, those under way included, in bytes. An object
	// that several accounts keep counts for each.
	Pinned, Held uint64
	// Evictable is what could be evicted, in bytes.
	Evictable uint64
	// Evicted counts the evicted objects, EvictedBytes what they took.
	Evicted, EvictedBytes uint64
	// Refused counts adds that were refused for want of space, DiskErrors failures of the disk.
	Refused, DiskErrors uint64
	// Fault is why the disk refuses to be written to, or nil.
	Fault error
	// Quarantined counts the damaged files that are kept aside.
	Quarantined uint64
	// HotBytes is what lies in memory of small objects, in bytes, and OpenFiles counts the files of others that are open.
	HotBytes, OpenFiles uint64
	// HotHits counts the opens that found their object in memory or open, HotMisses the others.
	HotHits, HotMisses uint64
	// ScrubBytes is what was read in the background to verify it, in bytes, ScrubRounds how often everything was, and
	// ScrubDamaged how many damaged objects that found.
	ScrubBytes, ScrubRounds, ScrubDamaged uint64
}

// Info describes a stored object.
type Info struct {
	Name content.Name
	// Size is the length of the object in bytes.
	Size uint64
	// Disk is what it takes on disk, in bytes.
	Disk uint64
	// Added is when it was stored.
	Added time.Time
}

// Open opens the store of a folder, removes what interrupted adds left behind, brings the index in line with the files, and
// evicts what is over the budget. It returns ErrLocked if another process has it open.
func Open(cfg Config, log *slog.Logger) (*Store, error) { return openOn(cfg, log, osDisk{}) }

func openOn(cfg Config, log *slog.Logger, d disk) (_ *Store, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("content store: %w", err)
	}
	for _, dir := range []string{cfg.Dir, filepath.Join(cfg.Dir, objectsDir), filepath.Join(cfg.Dir, tempDir), filepath.Join(cfg.Dir, quarantineDir)} {
		if err := os.MkdirAll(dir, dirMode); err != nil {
			return nil, fmt.Errorf("content store: %w", err)
		}
	}
	lock := flock.New(filepath.Join(cfg.Dir, lockFile))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("content store: lock: %w", err)
	}
	if !locked {
		return nil, fmt.Errorf("%w: %s", ErrLocked, cfg.Dir)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Unlock())
		}
	}()
	s := &Store{
		cfg: cfg, log: log, lock: lock, disk: d, index: &index{dir: cfg.Dir, disk: d}, verified: newVerified(cfg.VerifiedFor),
		policy: newPolicy(), stale: map[content.Name]struct{}{}, held: map[content.Name]struct{}{},
		uploads: newUploads(cfg),
	}
	if s.hot, err = newHot(cfg, func(err error) { log.Error("content store", "err", err) }); err != nil {
		return nil, fmt.Errorf("content store: %w", err)
	}
	defer func() {
		if err != nil {
			s.hot.close()
			err = errors.Join(err, s.index.close())
		}
	}()
	if err := s.removeLeftovers(); err != nil {
		return nil, fmt.Errorf("content store: %w", err)
	}
	if err := s.recoverIndex(); err != nil {
		return nil, fmt.Errorf("content store: %w", err)
	}
	if err := errors.Join(d.SyncDir(cfg.Dir), d.SyncDir(s.dir(objectsDir))); err != nil {
		return nil, fmt.Errorf("content store: %w", err)
	}
	if err := s.fit(); err != nil {
		return nil, fmt.Errorf("content store: %w", err)
	}
	return s, nil
}

// Close waits for adds under way, writes down when objects were last used, and releases the folder. Objects that are open
// stay readable.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	stop, done := s.stopUpkeep, s.upkeepDone
	s.mu.Unlock()
	if stop != nil {
		stop()
		<-done
	}
	s.adds.Wait()
	s.hot.close()
	// What cannot be written is found out again when the store opens.
	s.compact()
	if err := s.saveUses(0); err != nil {
		s.log.Warn("when content was last used is not written down", "err", err)
	}
	if err := s.index.close(); err != nil {
		s.log.Warn("the index of the content is not durable", "err", err)
	}
	if err := s.lock.Unlock(); err != nil {
		return fmt.Errorf("content store: unlock: %w", err)
	}
	return nil
}

// begin counts an operation that Close waits for, until its end calls s.adds.Done.
func (s *Store) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.adds.Add(1)
	return nil
}

// Check returns why the store cannot be used, or nil. A disk that refused to be written to is a reason until it takes a write
// again; a budget that is used up is none.
func (s *Store) Check(context.Context) error {
	s.mu.Lock()
	closed, fault := s.closed, s.fault
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if fault != nil {
		return fmt.Errorf("content store: %w", fault)
	}
	if _, err := os.Stat(s.dir(objectsDir)); err != nil {
		return fmt.Errorf("content store: %w", err)
	}
	return nil
}

// Stats returns the numbers of the store.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Objects: uint64(len(s.records)), Used: s.used, Reserved: s.reserved, Max: s.cfg.MaxBytes,
		Pinned: s.pinned, Held: s.uploads.taken, Evictable: s.policy.bytes, Evicted: s.evicted, EvictedBytes: s.evictedBytes,
		Refused: s.refused, DiskErrors: s.diskErrors, Fault: s.fault, Quarantined: s.quarantined,
		HotBytes: uint64(max(0, s.hot.loaded.Load())), OpenFiles: uint64(max(0, s.hot.open.Load())),
		HotHits: s.hot.hits.Load(), HotMisses: s.hot.misses.Load(),
		ScrubBytes: s.scrubBytes, ScrubRounds: s.scrubRounds, ScrubDamaged: s.scrubDamaged,
	}
}

// Has reports whether the store has the object. It does not look into the file.
func (s *Store) Has(name content.Name) bool {
	info, err := os.Lstat(s.path(name))
	return err == nil && info.Mode().IsRegular()
}

// Stat describes an object. It returns ErrNotFound or ErrCorrupt, and is no use of the object.
func (s *Store) Stat(name content.Name) (Info, error) {
	o, err := s.openFile(name)
	if err != nil {
		return Info{}, err
	}
	return o.Info, o.Close()
}

// Delete removes an object, pinned or held or not. Readers that have it open finish. It returns ErrNotFound.
func (s *Store) Delete(name content.Name) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.adds.Done()
	commit := s.commitOf(name)
	commit.Lock()
	defer commit.Unlock()
	path := s.path(name)
	if err := s.disk.Remove(path); errors.Is(err, fs.ErrNotExist) {
		s.forget(name)
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	} else if err != nil {
		return fmt.Errorf("delete %s: %w", name, s.failed(err))
	}
	// The entry goes after the file, so that neither a pin nor a hold is forgotten of a file that is back after a crash.
	err := s.disk.SyncDir(filepath.Dir(path))
	s.forget(name)
	if err != nil {
		return fmt.Errorf("delete %s: %w", name, s.failed(err))
	}
	return nil
}

// forget takes an object whose file is gone, or is not what was stored, out of everything that knows of it. The caller holds
// the commit lock of the name.
func (s *Store) forget(name content.Name) {
	s.mu.Lock()
	r := s.records[name]
	if r != nil {
		s.leave(name, r)
		delete(s.records, name)
		s.used -= min(s.used, diskSize(r.size))
	}
	s.mu.Unlock()
	s.verified.remove(name)
	s.hot.drop(name)
	if r != nil {
		s.note(appendDelete(nil, name))
	}
}

// enter makes an object count for what it is: pinned, held or evictable. The caller holds mu.
func (s *Store) enter(name content.Name, r *record) {
	if r.pinned {
		s.pinned += diskSize(r.size)
	}
	for _, h := range r.holds {
		s.uploads.add(h.Owner, diskSize(r.size))
		s.uploads.hold(h.Owner)
	}
	if len(r.holds) > 0 {
		s.held[name] = struct{}{}
	}
	if !r.stays() {
		s.policy.add(name, diskSize(r.size), r.again)
	}
}

// usedAgain reports whether an object counts as used again. The caller holds mu.
func (s *Store) usedAgain(name content.Name, r *record) bool {
	if !s.policy.has(name) {
		return r.again
	}
	return s.policy.usedAgain(name)
}

// leave takes back what enter did. The caller holds mu.
func (s *Store) leave(name content.Name, r *record) {
	r.again = s.usedAgain(name, r)
	if r.pinned {
		s.pinned -= diskSize(r.size)
	}
	for _, h := range r.holds {
		s.uploads.sub(h.Owner, diskSize(r.size))
		s.uploads.drop(h.Owner)
	}
	delete(s.held, name)
	delete(s.stale, name)
	s.policy.remove(name)
}

// note appends an entry that nothing is lost without: the next Open finds out what it says. The index is written anew as
// soon as the disk lets it.
func (s *Store) note(entry []byte) {
	err := s.index.append(entry, false)
	if err == nil {
		return
	}
	s.index.spoil(err)
	if errors.Is(err, ErrClosed) {
		return
	}
	s.log.Warn("the index of the content lags behind", "err", s.failed(err))
}

// removeLeftovers removes files of adds that did not come to their end. The lock says that nobody is at them.
func (s *Store) removeLeftovers() error {
	dir := s.dir(tempDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := s.disk.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove leftover: %w", err)
		}
		s.log.Info("removed the leftover of an interrupted add", "file", e.Name())
	}
	return nil
}

// release gives back what reserve took, of which so much was written, and so many slots.
func (s *Store) release(n, written uint64, slots int) {
	s.mu.Lock()
	s.reserved -= n
	s.written -= written
	s.slots -= slots
	s.mu.Unlock()
}

// commitOf returns the lock that orders the changes of a name.
func (s *Store) commitOf(name content.Name) *sync.Mutex { return &s.commits[name[0]] }

func (s *Store) dir(name string) string { return filepath.Join(s.cfg.Dir, name) }

func (s *Store) path(name content.Name) string {
	text := name.String()
	return filepath.Join(s.cfg.Dir, objectsDir, text[:2], text)
}

func notFound(err error, name content.Name) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return fmt.Errorf("content %s: %w", name, err)
}
