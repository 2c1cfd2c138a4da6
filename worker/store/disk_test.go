package store

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
)

// testDisk is the machine's file system without its waits for the disk, with a word before every change.
type testDisk struct {
	osDisk
	mu sync.Mutex
	// before may refuse an operation; n counts them from 0.
	before func(op string, n int) error
	n      int
	// free is what Free returns, if it is set.
	free func() (uint64, error)
}

func (d *testDisk) ask(op string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.n
	d.n++
	if d.before == nil {
		return nil
	}
	return d.before(op, n)
}

func (d *testDisk) CreateTemp(dir string) (file, error) {
	if err := d.ask("create"); err != nil {
		return nil, err
	}
	f, err := d.osDisk.CreateTemp(dir)
	return &testFile{f, d, "write"}, err
}

func (d *testDisk) OpenFile(path string, flag int) (file, error) {
	if err := d.ask("open"); err != nil {
		return nil, err
	}
	f, err := d.osDisk.OpenFile(path, flag)
	if err != nil {
		return nil, err
	}
	return &testFile{f, d, "append"}, nil
}

func (d *testDisk) Rename(from, to string) error {
	if err := d.ask("rename"); err != nil {
		return err
	}
	return d.osDisk.Rename(from, to)
}

func (d *testDisk) Remove(path string) error {
	if err := d.ask("remove"); err != nil {
		return err
	}
	return d.osDisk.Remove(path)
}

func (d *testDisk) Mkdir(path string) error {
	if err := d.ask("mkdir"); err != nil {
		return err
	}
	return d.osDisk.Mkdir(path)
}

func (d *testDisk) Chmod(path string, mode fs.FileMode) error {
	if err := d.ask("chmod"); err != nil {
		return err
	}
	return d.osDisk.Chmod(path, mode)
}

func (d *testDisk) SyncDir(string) error { return d.ask("sync folder") }

func (d *testDisk) Free(dir string) (uint64, error) {
	if d.free != nil {
		return d.free()
	}
	return d.osDisk.Free(dir)
}

type testFile struct {
	file
	d *testDisk
	// write is what a write is called: append for the index.
	write string
}

func (f *testFile) Write(b []byte) (int, error) {
	if err := f.d.ask(f.write); err != nil {
		n, _ := f.file.Write(b[:len(b)/2]) // a disk that fills up takes a part
		return n, err
	}
	return f.file.Write(b)
}

func (f *testFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.d.ask("write at"); err != nil {
		return 0, err
	}
	return f.file.WriteAt(b, off)
}

func (f *testFile) Chmod(mode fs.FileMode) error {
	if err := f.d.ask("chmod"); err != nil {
		return err
	}
	return f.file.Chmod(mode)
}

func (f *testFile) Truncate(size int64) error {
	if err := f.d.ask("truncate"); err != nil {
		return err
	}
	return f.file.Truncate(size)
}

func (f *testFile) Sync() error { return f.d.ask("sync") }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// testConfig is a store of a folder for so many bytes on disk.
func testConfig(dir string, max uint64) Config {
	cfg := DefaultConfig(dir)
	cfg.MaxBytes, cfg.MinFreeBytes, cfg.UploadBytes, cfg.HotRecheck = max, 0, max/2, 0
	return cfg
}

func mustOpen(t require.TestingT, cfg Config, d disk) *Store {
	s, err := openOn(cfg, quiet(), d)
	require.NoError(t, err)
	return s
}

func some(seed, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1}).Read(b)
	return b
}

func nameOf(b []byte) content.Name { return blake3.Sum256(b) }

// onDisk adds up what the files of a store take.
func onDisk(t require.TestingT, dir string) (used uint64) {
	for _, folder := range []string{objectsDir, quarantineDir} {
		require.NoError(t, filepath.WalkDir(filepath.Join(dir, folder), func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			used += uint64(info.Size())
			return err
		}))
	}
	return used
}

// known returns what the store knows of its objects, in no order.
func known(s *Store) (list []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, r := range s.records {
		list = append(list, entryOf(name, r))
	}
	return list
}

// requireSound checks that the numbers are those of the files, and that what is visible is whole.
func requireSound(t require.TestingT, s *Store) {
	stats := s.Stats()
	require.Equal(t, onDisk(t, s.cfg.Dir), stats.Used, "used")
	require.LessOrEqual(t, stats.Used, stats.Max)
	require.Zero(t, stats.Reserved)
	list := known(s)
	require.Len(t, list, int(stats.Objects))
	var pinned, held, evictable uint64
	for _, e := range list {
		require.NoError(t, s.Verify(context.Background(), e.Name))
		info, err := os.Stat(s.path(e.Name))
		require.NoError(t, err)
		require.True(t, e.Evictable() || info.Mode()&cacheBit == 0, "mode %s of %s", info.Mode(), e.Name)
		if e.Pinned {
			pinned += e.Disk
		}
		held += uint64(len(e.Holds)) * e.Disk
		if e.Evictable() {
			evictable += e.Disk
		}
	}
	require.Equal(t, []uint64{pinned, held, evictable}, []uint64{stats.Pinned, stats.Held, stats.Evictable})
	require.Zero(t, s.slots)
	require.Zero(t, s.written)
	left, err := os.ReadDir(s.dir(tempDir))
	require.NoError(t, err)
	require.Empty(t, left, "files of adds that ended")
}

// TestDiskFailsAtEveryStep refuses the n-th change of the disk, or it and all that follow, for every n: what was not stored
// leaves nothing behind, and what a caller was told is stored is there afterwards, in this process and in the next.
func TestDiskFailsAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, fault := range []struct {
		errno error
		want  error
	}{{syscall.ENOSPC, ErrDiskFull}, {syscall.EIO, ErrDisk}} {
		for _, forever := range []bool{false, true} {
			for n := 0; ; n++ {
				d := &testDisk{}
				cfg := testConfig(t.TempDir(), 1<<20)
				cfg.Evict = false
				s := mustOpen(t, cfg, d)
				old, err := s.AddPinned(t.Context(), bytes.NewReader(some(0, 1000)))
				require.NoError(t, err)
				failed := false
				d.n, d.before = 0, func(op string, at int) error {
					// A removal that fails too leaves its file to the next start.
					if at == n || forever && at > n && op != "remove" {
						failed = true
						return fault.errno
					}
					return nil
				}
				told := map[content.Name]func(Entry) bool{old.Name: func(e Entry) bool { return true }}
				do := func(err error) bool {
					if err != nil {
						require.ErrorIs(t, err, fault.want)
						require.Equal(t, errors.Is(fault.want, ErrDiskFull), errors.Is(err, ErrFull))
					}
					return err == nil
				}
				if a, err := s.AddPinned(t.Context(), bytes.NewReader(some(1, 40_000))); do(err) {
					told[a.Name] = func(e Entry) bool { return e.Pinned }
				}
				if a, err := s.Add(t.Context(), bytes.NewReader(some(2, 3_000))); do(err) {
					told[a.Name] = func(Entry) bool { return true }
				}
				if a, err := s.AddUpload(t.Context(), Upload{Size: 500, Hold: Hold{7, 3}}, bytes.NewReader(some(3, 500))); do(err) {
					told[a.Name] = func(e Entry) bool { return len(e.Holds) == 1 && e.Holds[0] == Hold{7, 3} }
				}
				if do(s.Unpin(old.Name)) {
					told[old.Name] = func(e Entry) bool { return !e.Pinned }
				}
				if do(s.Pin(old.Name)) {
					told[old.Name] = func(e Entry) bool { return e.Pinned }
				}
				if failed {
					require.Positive(t, s.Stats().DiskErrors, "failure %d", n)
				}
				// What could not be removed waits for the next start.
				left, err := filepath.Glob(filepath.Join(s.dir(tempDir), "*"))
				require.NoError(t, err)
				for _, path := range left {
					require.True(t, failed)
					require.NoError(t, os.Remove(path))
				}
				d.before = nil
				check := func(s *Store, when string) {
					requireSound(t, s)
					for name, is := range told {
						e, err := s.Lookup(name)
						require.NoError(t, err, "failure %d, %s", n, when)
						require.True(t, is(e), "failure %d, %s: %+v", n, when, e)
					}
				}
				check(s, "before")
				s.look(t.Context()) // the disk works again: the fault is forgotten and the index is whole
				require.NoError(t, s.Check(t.Context()))
				_, broken := s.index.state()
				require.NoError(t, broken)
				require.NoError(t, s.Pin(old.Name))
				told[old.Name] = func(e Entry) bool { return e.Pinned }
				require.NoError(t, s.Close())
				again := mustOpen(t, cfg, &testDisk{})
				check(again, "after")
				require.NoError(t, again.Close())
				if !failed {
					require.Greater(t, n, 20, "the store changes the disk at more places")
					break
				}
			}
		}
	}
}

// TestCheckNamesTheDisk: the store is not ready while the disk refuses writes, says so in numbers, and recovers by itself.
func TestCheckNamesTheDisk(t *testing.T) {
	d := &testDisk{}
	s := mustOpen(t, testConfig(t.TempDir(), 1<<20), d)
	defer func() { require.NoError(t, s.Close()) }()
	d.before = func(op string, _ int) error {
		if op == "write" || op == "create" {
			return &fs.PathError{Op: op, Err: syscall.EDQUOT}
		}
		return nil
	}
	_, err := s.Add(t.Context(), bytes.NewReader(some(1, 10)))
	require.ErrorIs(t, err, ErrDiskFull)
	require.ErrorIs(t, s.Check(t.Context()), ErrDiskFull)
	s.look(t.Context())
	require.ErrorIs(t, s.Stats().Fault, ErrDiskFull)
	d.before = nil
	s.look(t.Context())
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, s.Stats().Fault)
}

// TestDiskFillsUp: objects make room on a disk that is full before the budget is, but only if they may.
func TestDiskFillsUp(t *testing.T) {
	for _, evict := range []bool{true, false} {
		d := &testDisk{}
		cfg := testConfig(t.TempDir(), 1<<20)
		cfg.Evict = evict
		s := mustOpen(t, cfg, d)
		_, err := s.AddPinned(t.Context(), bytes.NewReader(some(9, 100)))
		require.NoError(t, err)
		for i := range 3 {
			_, err := s.Add(t.Context(), bytes.NewReader(some(i, 5000)))
			require.NoError(t, err)
		}
		refuse := 2
		d.before = func(op string, _ int) error {
			if op == "write" && refuse > 0 {
				refuse--
				return syscall.ENOSPC
			}
			return nil
		}
		b := some(4, 7000)
		added, err := s.Add(t.Context(), bytes.NewReader(b))
		if !evict {
			require.ErrorIs(t, err, ErrDiskFull)
			require.Zero(t, s.Stats().Evicted)
			require.NoError(t, s.Close())
			continue
		}
		require.NoError(t, err)
		require.Equal(t, nameOf(b), added.Name)
		require.EqualValues(t, 2, s.Stats().Evicted)
		requireSound(t, s)
		require.NoError(t, s.Close())
	}
}

// TestReserveOfTheDisk: the store evicts before the free space falls below the reserve, no more than is missing, and refuses
// if that does not help.
func TestReserveOfTheDisk(t *testing.T) {
	const capacity = 1 << 20
	dir, other := t.TempDir(), uint64(0)
	d := &testDisk{}
	d.free = func() (uint64, error) { return capacity - min(capacity, onDisk(t, dir)+other), nil }
	cfg := testConfig(dir, 1<<30)
	cfg.MinFreeBytes = capacity / 2
	s := mustOpen(t, cfg, d)
	for i := range 20 {
		_, err := s.Add(t.Context(), bytes.NewReader(some(i, 100_000)))
		require.NoError(t, err)
		free, err := d.free()
		require.NoError(t, err)
		require.GreaterOrEqual(t, free, cfg.MinFreeBytes)
	}
	requireSound(t, s)
	require.EqualValues(t, 5, s.Stats().Objects)
	// Another program takes the space: what is evicted for one add is what is missing, not everything.
	d.free = func() (uint64, error) { return cfg.MinFreeBytes - 1, nil }
	_, err := s.Add(t.Context(), bytes.NewReader(some(99, 100_000)))
	require.ErrorIs(t, err, ErrDiskFull)
	require.NotErrorIs(t, err, ErrDisk)
	require.EqualValues(t, 4, s.Stats().Objects)
	require.NoError(t, s.Check(t.Context()), "a reserve that is used up is no failure")
	d.free = func() (uint64, error) { return 0, syscall.EIO }
	_, err = s.Add(t.Context(), bytes.NewReader(some(98, 100)))
	require.ErrorIs(t, err, ErrDisk)
	requireSound(t, s)
	require.NoError(t, s.Close())
}
