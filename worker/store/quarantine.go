package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/edgechain/edge/client/content"
)

// setAside moves an object that does not open to quarantine, unless it was replaced meanwhile, and returns why.
func (s *Store) setAside(name content.Name, cause error) error {
	commit := s.commitOf(name)
	commit.Lock()
	defer commit.Unlock()
	o, err := s.open(name)
	if err == nil {
		return errors.Join(cause, o.Close())
	}
	if !errors.Is(err, ErrCorrupt) {
		return cause
	}
	return errors.Join(cause, s.quarantine(name, cause))
}

// quarantine moves a damaged file out of the objects, keeps the newest maxQuarantined of them for the operator, and says
// so. The caller holds the commit lock of the name.
func (s *Store) quarantine(name content.Name, cause error) error {
	dir := s.dir(quarantineDir)
	to := filepath.Join(dir, fmt.Sprintf("%020d-%s", time.Now().UnixNano(), name))
	path := s.path(name)
	if err := s.disk.Rename(path, to); err != nil {
		return fmt.Errorf("quarantine %s: %w", name, s.failed(err))
	}
	s.forget(name)
	s.log.Error("moved damaged content to quarantine", "name", name.String(), "file", to, "err", cause)
	if err := errors.Join(s.disk.SyncDir(filepath.Dir(path)), s.disk.SyncDir(dir)); err != nil {
		return fmt.Errorf("quarantine %s: %w", name, s.failed(err))
	}
	if _, err := s.dropQuarantined(maxQuarantined); err != nil {
		return fmt.Errorf("quarantine %s: %w", name, err)
	}
	return nil
}

// dropQuarantined counts the files of the quarantine, removes the oldest until at most keep are left, and returns their bytes.
func (s *Store) dropQuarantined(keep int) (freed uint64, err error) {
	s.aside.Lock()
	defer s.aside.Unlock()
	dir := s.dir(quarantineDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("quarantine: %w", err)
	}
	left, bytes := uint64(0), uint64(0)
	for i, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // the operator is at it
		}
		if err != nil {
			return freed, fmt.Errorf("quarantine: %w", err)
		}
		if i < len(entries)-keep {
			if err := s.disk.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return freed, fmt.Errorf("quarantine: %w", s.failed(err))
			}
			freed += uint64(info.Size())
			continue
		}
		left++
		bytes += uint64(info.Size())
	}
	s.mu.Lock()
	s.used = s.used - s.quarantineBytes + bytes
	s.quarantined, s.quarantineBytes = left, bytes
	s.mu.Unlock()
	return freed, nil
}
