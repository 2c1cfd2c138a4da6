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
	cfg  Config
	log  *slog.Logger
	lock *flock.Flock

	verified *verified

	// commit orders the changes of what is visible: renames, removals and the numbers that count them.
	commit sync.Mutex

	mu          sync.Mutex
	closed      bool
	objects     uint64
	used        uint64 // bytes on disk, quarantine included
	reserved    uint64 // bytes promised to adds under way
	quarantined uint64
	adds        sync.WaitGroup

	stopScrub    context.CancelFunc
	scrubbed     chan struct{}
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
	// Quarantined counts the damaged files that are kept aside.
	Quarantined uint64
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

// Open opens the store of a folder, removes what interrupted adds left behind, and counts what is there. It returns
// ErrLocked if another process has it open.
func Open(cfg Config, log *slog.Logger) (_ *Store, err error) {
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
	s := &Store{cfg: cfg, log: log, lock: lock, verified: newVerified(cfg.VerifiedFor)}
	if err := s.removeLeftovers(); err != nil {
		return nil, fmt.Errorf("content store: %w", err)
	}
	if err := s.count(); err != nil {
		return nil, fmt.Errorf("content store: %w", err)
	}
	if err := errors.Join(syncDir(cfg.Dir), syncDir(filepath.Join(cfg.Dir, objectsDir))); err != nil {
		return nil, fmt.Errorf("content store: %w", err)
	}
	return s, nil
}

// Close waits for adds under way and releases the folder. Objects that are open stay readable.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	stop, done := s.stopScrub, s.scrubbed
	s.mu.Unlock()
	if stop != nil {
		stop()
		<-done
	}
	s.adds.Wait()
	if err := s.lock.Unlock(); err != nil {
		return fmt.Errorf("content store: unlock: %w", err)
	}
	return nil
}

// Check returns why the store cannot be used, or nil.
func (s *Store) Check(context.Context) error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if _, err := os.Stat(filepath.Join(s.cfg.Dir, objectsDir)); err != nil {
		return fmt.Errorf("content store: %w", err)
	}
	return nil
}

// Stats returns the numbers of the store.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Objects: s.objects, Used: s.used, Reserved: s.reserved, Max: s.cfg.MaxBytes, Quarantined: s.quarantined,
		ScrubBytes: s.scrubBytes, ScrubRounds: s.scrubRounds, ScrubDamaged: s.scrubDamaged,
	}
}

// Has reports whether the store has the object. It does not look into the file.
func (s *Store) Has(name content.Name) bool {
	info, err := os.Lstat(s.path(name))
	return err == nil && info.Mode().IsRegular()
}

// Stat describes an object. It returns ErrNotFound or ErrCorrupt.
func (s *Store) Stat(name content.Name) (Info, error) {
	o, err := s.Open(name)
	if err != nil {
		return Info{}, err
	}
	return o.Info, o.Close()
}

// Delete removes an object. Readers that have it open finish. It returns ErrNotFound.
func (s *Store) Delete(name content.Name) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	path := s.path(name)
	info, err := os.Lstat(path)
	if err != nil {
		return notFound(err, name)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	s.mu.Lock()
	s.objects--
	s.forget(info)
	s.mu.Unlock()
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

// removeLeftovers removes files of adds that did not come to their end. The lock says that nobody is at them.
func (s *Store) removeLeftovers() error {
	dir := filepath.Join(s.cfg.Dir, tempDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove leftover: %w", err)
		}
		s.log.Info("removed the leftover of an interrupted add", "file", e.Name())
	}
	return nil
}

// count adds up what lies on disk.
func (s *Store) count() error {
	for shard := range 256 {
		entries, err := s.shard(shard)
		if err != nil {
			return err
		}
		for _, e := range entries {
			s.objects++
			s.used += e.disk
		}
	}
	entries, err := os.ReadDir(filepath.Join(s.cfg.Dir, quarantineDir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		s.quarantined++
		s.used += uint64(info.Size())
	}
	return nil
}

// reserve takes n bytes of the budget.
func (s *Store) reserve(n uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Each term is below 2^63, so the sum of two does not overflow.
	if taken := s.used + s.reserved; taken > s.cfg.MaxBytes || n > s.cfg.MaxBytes-taken {
		return fmt.Errorf("%w: %d of %d bytes are taken, %d more are needed", ErrFull, taken, s.cfg.MaxBytes, n)
	}
	s.reserved += n
	return nil
}

// forget takes a file that is gone off the bytes on disk. Its length may differ from the counted one if it was damaged. The
// caller holds mu.
func (s *Store) forget(info fs.FileInfo) { s.used -= min(s.used, uint64(info.Size())) }

func (s *Store) release(n uint64) {
	s.mu.Lock()
	s.reserved -= n
	s.mu.Unlock()
}

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

// syncDir makes renames and removals in a folder durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("sync %s: %w", dir, err), f.Close())
	}
	return f.Close()
}
