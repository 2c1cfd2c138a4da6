package store

import (
	"errors"
	"fmt"
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
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("quarantine %s: %w", name, err)
	}
	if err := s.disk.Rename(path, to); err != nil {
		return fmt.Errorf("quarantine %s: %w", name, s.failed(err))
	}
	s.forget(name)
	s.mu.Lock()
	s.quarantined++
	s.quarantineBytes += uint64(info.Size())
	s.used += uint64(info.Size())
	s.mu.Unlock()
	s.log.Error("moved damaged content to quarantine", "name", name.String(), "file", to, "err", cause)
	if err := errors.Join(s.disk.SyncDir(filepath.Dir(path)), s.disk.SyncDir(dir)); err != nil {
		return fmt.Errorf("quarantine %s: %w", name, s.failed(err))
	}
	if _, err := s.dropQuarantined(maxQuarantined); err != nil {
		return fmt.Errorf("quarantine %s: %w", name, err)
	}
	return nil
}

// dropQuarantined removes the oldest files of the quarantine until at most keep are left, and returns their bytes.
func (s *Store) dropQuarantined(keep int) (freed uint64, err error) {
	s.aside.Lock()
	defer s.aside.Unlock()
	dir := s.dir(quarantineDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("quarantine: %w", err)
	}
	for _, e := range entries[:max(0, len(entries)-keep)] {
		info, err := e.Info()
		if err != nil {
			return freed, fmt.Errorf("quarantine: %w", err)
		}
		if err := s.disk.Remove(filepath.Join(dir, e.Name())); err != nil {
			return freed, fmt.Errorf("quarantine: %w", s.failed(err))
		}
		size := uint64(info.Size())
		freed += size
		s.mu.Lock()
		s.quarantined--
		s.quarantineBytes -= min(s.quarantineBytes, size)
		s.used -= min(s.used, size)
		s.mu.Unlock()
	}
	return freed, nil
}
