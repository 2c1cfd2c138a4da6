package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// disk is what the store asks of the file system where it changes it. Tests make it fail and end the process at it.
type disk interface {
	// CreateTemp makes a new file in a folder.
	CreateTemp(dir string) (file, error)
	// OpenFile is os.OpenFile.
	OpenFile(path string, flag int) (file, error)
	Rename(from, to string) error
	Remove(path string) error
	Mkdir(path string) error
	Chmod(path string, mode fs.FileMode) error
	// SyncDir makes renames and removals in a folder durable.
	SyncDir(path string) error
	// Free returns how many bytes this process may still write to the file system of a folder.
	Free(dir string) (uint64, error)
}

// file is a file that is written.
type file interface {
	io.Reader
	io.Writer
	io.WriterAt
	io.ReaderAt
	io.Closer
	Name() string
	Stat() (fs.FileInfo, error)
	Chmod(mode fs.FileMode) error
	Truncate(size int64) error
	Sync() error
}

// osDisk is the file system of the machine.
type osDisk struct{}

func (osDisk) CreateTemp(dir string) (file, error) { return os.CreateTemp(dir, "add-*") }

func (osDisk) OpenFile(path string, flag int) (file, error) { return os.OpenFile(path, flag, stayMode) }

func (osDisk) Rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) Remove(path string) error { return os.Remove(path) }

func (osDisk) Mkdir(path string) error { return os.Mkdir(path, dirMode) }

func (osDisk) Chmod(path string, mode fs.FileMode) error { return os.Chmod(path, mode) }

func (osDisk) SyncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("sync %s: %w", path, err), f.Close())
	}
	return f.Close()
}

// noSpace reports whether a write failed because the disk, or what the user may take of it, is full.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// failed names what the disk said, and remembers it for Check if it concerns more than one object.
func (s *Store) failed(err error) error {
	switch {
	case err == nil:
		return nil
	case noSpace(err):
		err = fmt.Errorf("%w: %w", ErrDiskFull, err)
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		err = fmt.Errorf("%w: %w", ErrDisk, err)
	default:
		return err
	}
	s.mu.Lock()
	s.diskErrors++
	first := s.fault == nil
	s.fault = err
	s.mu.Unlock()
	if first {
		s.log.Error("the disk of the content store failed", "err", err)
	}
	return err
}

// recovered forgets why the disk failed, after a write that succeeded.
func (s *Store) recovered() {
	s.mu.Lock()
	was := s.fault
	s.fault = nil
	s.mu.Unlock()
	if was != nil {
		s.log.Info("the disk of the content store works again", "after", was)
	}
}

// probe writes a small file, to learn whether a disk that failed works again.
func (s *Store) probe() error {
	f, err := s.disk.CreateTemp(s.dir(tempDir))
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Sync(), f.Close(), s.disk.Remove(f.Name()))
}
