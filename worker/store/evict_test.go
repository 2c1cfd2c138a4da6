package store

import (
	"bytes"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/client/content"
)

// addSome adds objects of a size that may be evicted, an hour apart, and returns their names.
func addSome(t *testing.T, s *Store, first, n, size int) (names []content.Name) {
	t.Helper()
	for i := range n {
		time.Sleep(time.Hour)
		a, err := s.Add(t.Context(), bytes.NewReader(some(first+i, size)))
		require.NoError(t, err)
		names = append(names, a.Name)
	}
	return names
}

func use(t *testing.T, s *Store, name content.Name) {
	t.Helper()
	time.Sleep(2 * sameUse)
	o, err := s.Open(name)
	require.NoError(t, err)
	require.NoError(t, o.Close())
}

func present(s *Store, names []content.Name) (has []bool) {
	for _, name := range names {
		has = append(has, s.Has(name))
	}
	return has
}

// TestEvictionOrder: what was used once goes first, the longest unused before others; a crawler that reads much once does not
// drive out what was used again. The order outlives a restart, after a stop and after a crash.
func TestEvictionOrder(t *testing.T) {
	for _, restart := range []string{"none", "stop", "crash"} {
		t.Run(restart, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig(t.TempDir(), 4*diskSize(1000))
				s := mustOpen(t, cfg, &testDisk{})
				names := addSome(t, s, 0, 4, 1000)
				use(t, s, names[0])
				use(t, s, names[1])
				switch restart {
				case "stop":
					require.NoError(t, s.Close())
					s = mustOpen(t, cfg, &testDisk{})
				case "crash":
					time.Sleep(saveUse)
					use(t, s, names[0])
					use(t, s, names[1])
					s.look(t.Context())
					crash(t, s)
					s = mustOpen(t, cfg, &testDisk{})
				}
				names = append(names, addSome(t, s, 10, 1, 1000)...)
				require.Equal(t, []bool{true, true, false, true, true}, present(s, names))
				names = append(names, addSome(t, s, 20, 3, 1000)...)
				require.Equal(t, []bool{true, true, false, false, false, false, true, true}, present(s, names))
				require.EqualValues(t, 4, s.Stats().Evicted)
				// Two uses within a minute are one.
				o, err := s.Open(names[6])
				require.NoError(t, err)
				require.NoError(t, o.Close())
				requireSound(t, s)
				require.NoError(t, s.Close())
			})
		})
	}
}

// crash leaves a store as a killed process does: nothing is written, and the lock is free.
func crash(t *testing.T, s *Store) {
	t.Helper()
	s.hot.close()
	require.NoError(t, s.lock.Unlock())
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	if s.index.file != nil {
		require.NoError(t, s.index.file.Close())
	}
}

// TestProtectedObjectsAgeToo: what was used again long ago makes room when four fifths are full of its like.
func TestProtectedObjectsAgeToo(t *testing.T) {
	p := newPolicy()
	name := func(i int) content.Name { return content.Name{byte(i)} }
	for i := range 10 {
		p.add(name(i), 10, true)
	}
	require.EqualValues(t, 100, p.bytes)
	require.EqualValues(t, 80, p.againBytes)
	first, ok := p.victim()
	require.True(t, ok)
	require.Equal(t, name(0), first)
	for i := range 10 {
		p.remove(name(i))
	}
	require.Zero(t, p.bytes)
	require.Zero(t, p.againBytes)
	_, ok = p.victim()
	require.False(t, ok)
}

// TestPinnedStays: neither pinned nor held objects make room; without others adds are refused, and nothing is evicted for
// one that does not fit anyway.
func TestPinnedStays(t *testing.T) {
	cfg := testConfig(t.TempDir(), 10*diskSize(1000))
	s := mustOpen(t, cfg, &testDisk{})
	pinned, err := s.AddPinned(t.Context(), bytes.NewReader(some(1, 1000)))
	require.NoError(t, err)
	held, err := s.AddUpload(t.Context(), Upload{Size: -1, Hold: Hold{1, 5}}, bytes.NewReader(some(2, 1000)))
	require.NoError(t, err)
	require.False(t, pinned.Existed)
	for i := range 30 {
		_, err := s.Add(t.Context(), bytes.NewReader(some(100+i, 1000)))
		require.NoError(t, err)
	}
	require.True(t, s.Has(pinned.Name))
	require.True(t, s.Has(held.Name))
	require.EqualValues(t, 22, s.Stats().Evicted)
	require.EqualValues(t, 22*diskSize(1000), s.Stats().EvictedBytes)
	_, err = s.AddUpload(t.Context(), Upload{Size: 9 * 1000, Hold: Hold{1, 5}}, bytes.NewReader(nil))
	require.ErrorIs(t, err, ErrQuota)
	require.EqualValues(t, 22, s.Stats().Evicted)
	require.ErrorIs(t, s.reserve(9*diskSize(1000), 0), ErrFull)
	require.EqualValues(t, 22, s.Stats().Evicted, "what does not fit anyway evicts nothing")
	require.NoError(t, s.Unpin(pinned.Name))
	require.NoError(t, s.Expire(6))
	list, err := s.List(content.Name{}, 100)
	require.NoError(t, err)
	for _, e := range list {
		require.True(t, e.Evictable())
	}
	requireSound(t, s)
	for i := range 10 {
		_, err := s.AddPinned(t.Context(), bytes.NewReader(some(200+i, 1000)))
		require.NoError(t, err)
	}
	require.False(t, s.Has(pinned.Name))
	_, err = s.Add(t.Context(), bytes.NewReader(some(300, 1000)))
	require.ErrorIs(t, err, ErrFull)
	require.NotErrorIs(t, err, ErrDiskFull)
	require.NoError(t, s.Close())

	// A smaller budget does not touch what is pinned, and a larger one takes adds again.
	cfg.MaxBytes, cfg.UploadBytes = diskSize(1000), 0
	s = mustOpen(t, cfg, &testDisk{})
	require.EqualValues(t, 10, s.Stats().Objects)
	_, err = s.Add(t.Context(), bytes.NewReader(nil))
	require.ErrorIs(t, err, ErrFull)
	require.NoError(t, s.Close())
}

// TestSmallerBudget: a store that opens with a smaller budget or bound of objects evicts down to it.
func TestSmallerBudget(t *testing.T) {
	cfg := testConfig(t.TempDir(), 10*diskSize(1000))
	s := mustOpen(t, cfg, &testDisk{})
	for i := range 10 {
		_, err := s.Add(t.Context(), bytes.NewReader(some(i, 1000)))
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	cfg.MaxBytes, cfg.UploadBytes = 6*diskSize(1000), 0
	s = mustOpen(t, cfg, &testDisk{})
	require.EqualValues(t, 6, s.Stats().Objects)
	requireSound(t, s)
	require.NoError(t, s.Close())
	cfg.MaxObjects = 3
	s = mustOpen(t, cfg, &testDisk{})
	require.EqualValues(t, 3, s.Stats().Objects)
	_, err := s.Add(t.Context(), bytes.NewReader(some(99, 10)))
	require.NoError(t, err)
	require.EqualValues(t, 3, s.Stats().Objects)
	cfg.Evict = false
	require.NoError(t, s.Close())
	s = mustOpen(t, cfg, &testDisk{})
	_, err = s.Add(t.Context(), bytes.NewReader(some(98, 10)))
	require.ErrorIs(t, err, ErrFull)
	requireSound(t, s)
	require.NoError(t, s.Close())
}

// TestReadWhileEvicted: who has an object open reads it to its end.
func TestReadWhileEvicted(t *testing.T) {
	s := mustOpen(t, testConfig(t.TempDir(), diskSize(200_000)), &testDisk{})
	b := some(1, 200_000)
	a, err := s.Add(t.Context(), bytes.NewReader(b))
	require.NoError(t, err)
	o, err := s.Open(a.Name)
	require.NoError(t, err)
	_, err = s.Add(t.Context(), bytes.NewReader(some(2, 200_000)))
	require.NoError(t, err)
	_, err = s.Open(a.Name)
	require.ErrorIs(t, err, ErrNotFound)
	got, err := io.ReadAll(o.Data())
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, got))
	require.NoError(t, o.Close())
	require.NoError(t, s.Close())
}

// TestQuarantineMakesRoom: damaged files are kept for the operator until their room is needed, after all that may be evicted.
func TestQuarantineMakesRoom(t *testing.T) {
	cfg := testConfig(t.TempDir(), 3*diskSize(1000))
	s := mustOpen(t, cfg, &testDisk{})
	bad, err := s.AddPinned(t.Context(), bytes.NewReader(some(1, 1000)))
	require.NoError(t, err)
	other, err := s.Add(t.Context(), bytes.NewReader(some(2, 1000)))
	require.NoError(t, err)
	require.NoError(t, os.Truncate(s.path(bad.Name), 900))
	_, err = s.Open(bad.Name)
	require.ErrorIs(t, err, ErrCorrupt)
	require.EqualValues(t, 900+diskSize(1000), s.Stats().Used)
	require.Zero(t, s.Stats().Pinned)
	_, err = s.Lookup(bad.Name)
	require.ErrorIs(t, err, ErrNotFound, "the index knows of the quarantine")
	for i := range 2 {
		_, err = s.AddPinned(t.Context(), bytes.NewReader(some(10+i, 1000)))
		require.NoError(t, err)
	}
	require.False(t, s.Has(other.Name))
	require.EqualValues(t, 1, s.Stats().Quarantined)
	_, err = s.AddPinned(t.Context(), bytes.NewReader(some(20, 1000)))
	require.NoError(t, err)
	require.Zero(t, s.Stats().Quarantined)
	requireSound(t, s)
	require.NoError(t, s.Close())
}

// Room is what an add can take: of the budget and of the disk, with what may be evicted and without what stays.
func TestRoom(t *testing.T) {
	const size = 1000
	cfg := testConfig(t.TempDir(), 10*diskSize(size))
	cfg.MinFreeBytes = 500
	free := uint64(1 << 30)
	s := mustOpen(t, cfg, &testDisk{free: func() (uint64, error) { return free, nil }})
	room := func() uint64 {
		n, err := s.Room()
		require.NoError(t, err)
		return n
	}
	require.Equal(t, cfg.MaxBytes, room())
	_, err := s.AddPinned(t.Context(), bytes.NewReader(some(1, size)))
	require.NoError(t, err)
	require.Equal(t, 9*diskSize(size), room())
	_, err = s.Add(t.Context(), bytes.NewReader(some(2, size)))
	require.NoError(t, err)
	require.Equal(t, 9*diskSize(size), room(), "it makes room")
	s.cfg.Evict = false
	require.Equal(t, 8*diskSize(size), room(), "it does not")
	free = 700
	require.EqualValues(t, 200, room())
	free = 499
	require.Zero(t, room())
	s.cfg.Evict = true
	require.Equal(t, diskSize(size)-1, room())
	free = 1 << 30
	require.NoError(t, s.Close())
}
