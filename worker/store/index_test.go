package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/client/content"
)

// mixed makes a store with something of each kind, and returns what must be found in it again.
func mixed(t *testing.T, cfg Config) map[content.Name]Entry {
	t.Helper()
	s := mustOpen(t, cfg, &testDisk{})
	for i := range 3 {
		_, err := s.AddPinned(t.Context(), bytes.NewReader(some(i, 100+i)))
		require.NoError(t, err)
		_, err = s.Add(t.Context(), bytes.NewReader(some(10+i, 100+i)))
		require.NoError(t, err)
	}
	require.NoError(t, s.Unpin(nameOf(some(0, 100))))
	require.NoError(t, s.Pin(nameOf(some(10, 100))))
	// Last, so that any cut leaves a file without an entry. A pin at the end is synced: no crash cuts it off.
	_, err := s.AddUpload(t.Context(), Upload{Size: -1, Hold: Hold{3, 9}}, bytes.NewReader(some(20, 50)))
	require.NoError(t, err)
	require.NoError(t, s.Delete(nameOf(some(11, 101))))
	entries := map[content.Name]Entry{}
	list, err := s.List(content.Name{}, 100)
	require.NoError(t, err)
	require.Len(t, list, 6)
	for _, e := range list {
		entries[e.Name] = e
	}
	require.NoError(t, s.Close())
	return entries
}

// TestDamagedIndex cuts the index all over and flips bytes of it: whatever it lacks is found in the files, and
// what stayed stays.
func TestDamagedIndex(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir(), 1<<20)
	want := mixed(t, cfg)
	path := filepath.Join(cfg.Dir, indexFile)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	check := func(index []byte, what string) {
		require.NoError(t, os.WriteFile(path, index, stayMode))
		s := mustOpen(t, cfg, &testDisk{})
		require.EqualValues(t, len(want), s.Stats().Objects, what)
		for name, e := range want {
			got, err := s.Lookup(name)
			require.NoError(t, err, what)
			require.Equal(t, e.Info.Size, got.Info.Size, what)
			require.True(t, e.Added.Equal(got.Added), what)
			require.False(t, !e.Evictable() && got.Evictable(), "%s: %s does not stay any more", what, name)
		}
		require.NoError(t, s.Close())
		left, err := os.ReadFile(path)
		require.NoError(t, err)
		_, err = readIndex(bytes.NewReader(left), func(content.Name, *record) {})
		require.NoError(t, err, "the next start finds it whole")
	}
	check(whole, "as it was")
	step := 3
	if testing.Short() {
		step = 17
	}
	for cut := 0; cut < len(whole); cut += step {
		check(whole[:cut], fmt.Sprintf("cut at %d", cut))
	}
	for at := 0; at < len(whole); at += 3 * step {
		bad := bytes.Clone(whole)
		bad[at] ^= 0x41
		check(bad, fmt.Sprintf("flipped at %d", at))
	}
	require.NoError(t, os.Remove(path))
	s := mustOpen(t, cfg, &testDisk{})
	requireSound(t, s)
	require.NoError(t, s.Close())
}

// TestIndexFollowsTheFiles: an entry without a file goes, a file without an entry is taken in, and what is no object is
// neither.
func TestIndexFollowsTheFiles(t *testing.T) {
	cfg := testConfig(t.TempDir(), 1<<20)
	want := mixed(t, cfg)
	old, err := os.ReadFile(filepath.Join(cfg.Dir, indexFile))
	require.NoError(t, err)
	s := mustOpen(t, cfg, &testDisk{})
	fresh, err := s.Add(t.Context(), bytes.NewReader(some(77, 70)))
	require.NoError(t, err)
	stays, err := s.AddPinned(t.Context(), bytes.NewReader(some(78, 70)))
	require.NoError(t, err)
	var removed content.Name
	for removed = range want {
		break
	}
	require.NoError(t, os.Remove(s.path(removed)))
	cut := nameOf(some(79, 70))
	require.NoError(t, os.MkdirAll(filepath.Dir(s.path(cut)), dirMode))
	require.NoError(t, os.WriteFile(s.path(cut), some(79, 70), stayMode))
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(filepath.Join(cfg.Dir, indexFile), old, stayMode))

	s = mustOpen(t, cfg, &testDisk{})
	requireSound(t, s)
	_, err = s.Lookup(removed)
	require.ErrorIs(t, err, ErrNotFound)
	e, err := s.Lookup(fresh.Name)
	require.NoError(t, err)
	require.True(t, e.Evictable())
	e, err = s.Lookup(stays.Name)
	require.NoError(t, err)
	require.True(t, e.Pinned)
	require.EqualValues(t, 1, s.Stats().Quarantined, "a file that is no object")
	require.NoError(t, s.Close())
}

// TestStoreWithoutIndex: what a release without an index has stored stays.
func TestStoreWithoutIndex(t *testing.T) {
	cfg := testConfig(t.TempDir(), 1<<20)
	mixed(t, cfg)
	require.NoError(t, os.Remove(filepath.Join(cfg.Dir, indexFile)))
	require.NoError(t, filepath.WalkDir(filepath.Join(cfg.Dir, objectsDir), func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = os.Chmod(p, 0o600)
		}
		return err
	}))
	s := mustOpen(t, cfg, &testDisk{})
	require.Zero(t, s.Stats().Evictable)
	require.Equal(t, s.Stats().Used, s.Stats().Pinned)
	requireSound(t, s)
	require.NoError(t, s.Close())
}

// TestIndexIsCompacted: the log does not grow with what was, only with what is.
func TestIndexIsCompacted(t *testing.T) {
	cfg := testConfig(t.TempDir(), 1<<20)
	s := mustOpen(t, cfg, &testDisk{})
	a, err := s.AddPinned(t.Context(), bytes.NewReader(some(1, 1)))
	require.NoError(t, err)
	entry := appendDelete(nil, content.Name{1})
	for length := uint64(0); length <= indexSlack; length, _ = s.index.state() {
		for range 1000 {
			require.NoError(t, s.index.append(entry, false))
		}
	}
	require.NoError(t, s.index.append(appendPut(nil, a.Name, s.records[a.Name]), false))
	s.look(t.Context())
	length, broken := s.index.state()
	require.NoError(t, broken)
	require.EqualValues(t, len(indexMagic)+frameSize+putSize, length)
	require.NoError(t, s.Unpin(a.Name))
	require.NoError(t, s.Close())
	s = mustOpen(t, cfg, &testDisk{})
	requireSound(t, s)
	require.NoError(t, s.Close())
}

func TestSizeOnDisk(t *testing.T) {
	for range 10_000 {
		size := rand.Uint64N(content.MaxSize + 1)
		got, ok := sizeOnDisk(diskSize(size))
		require.True(t, ok)
		require.Equal(t, size, got)
	}
	for _, disk := range []uint64{0, diskSize(0) - 1, diskSize(content.GroupSize) + 1, diskSize(content.MaxSize) + 1, 1 << 63} {
		_, ok := sizeOnDisk(disk)
		require.False(t, ok, disk)
	}
}

func FuzzParseEntry(f *testing.F) {
	r := &record{size: 5, added: -3, used: 9, pinned: true, holds: []Hold{{1, 2}, {3, 4}}}
	f.Add(appendPut(nil, content.Name{1}, r))
	f.Add(appendPut(nil, content.Name{1}, &record{again: true}))
	f.Add(appendDelete(nil, content.Name{2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		name, r, err := parseEntry(b)
		if err != nil {
			require.ErrorIs(t, err, errEntry)
			return
		}
		again := appendDelete(nil, name)
		if r != nil {
			again = appendPut(nil, name, r)
		}
		require.Equal(t, b, again)
	})
}

func FuzzReadIndex(f *testing.F) {
	frame := appendFrame(bytes.Clone(indexMagic[:]), appendPut(nil, content.Name{1}, &record{size: 5, holds: []Hold{{1, 2}}}))
	f.Add(frame)
	f.Add(appendFrame(frame, appendDelete(nil, content.Name{1})))
	f.Add(binary.LittleEndian.AppendUint16(bytes.Clone(indexMagic[:]), 0xffff))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		end, err := readIndex(bytes.NewReader(b), func(content.Name, *record) { n++ })
		require.LessOrEqual(t, end, uint64(len(b)))
		if err != nil {
			require.ErrorIs(t, err, errIndex)
			if end > 0 {
				again, err := readIndex(bytes.NewReader(b[:end]), func(content.Name, *record) { n-- })
				require.NoError(t, err)
				require.Equal(t, end, again)
				require.Zero(t, n)
			}
			return
		}
		require.Equal(t, uint64(len(b)), end)
	})
}

// fill makes a store of n objects of 1 KiB that take no space on the disk, with their index.
func fill(tb testing.TB, cfg Config, n int) {
	tb.Helper()
	for shard := range 256 {
		require.NoError(tb, os.MkdirAll(filepath.Join(cfg.Dir, objectsDir, fmt.Sprintf("%02x", shard)), dirMode))
	}
	x := &index{dir: cfg.Dir, disk: osDisk{}}
	var name content.Name
	random := rand.NewChaCha8([32]byte{1})
	s := Store{cfg: cfg}
	now := seconds(time.Now())
	require.NoError(tb, x.rewrite(func(put func(content.Name, *record)) {
		for i := range n {
			_, _ = random.Read(name[:])
			f, err := os.OpenFile(s.path(name), os.O_CREATE|os.O_WRONLY, cacheMode)
			require.NoError(tb, err)
			require.NoError(tb, errors.Join(f.Truncate(int64(diskSize(1024))), f.Close()))
			used := now - uint32(i*7919%n)
			put(name, &record{size: 1024, added: time.Now().UnixNano(), used: used, again: i%3 == 0})
		}
	}))
	require.NoError(tb, x.close())
}

// TestManyObjects opens a store of many objects: from the index, and without it.
func TestManyObjects(t *testing.T) {
	const n = 5000
	cfg := testConfig(t.TempDir(), n*diskSize(1024))
	fill(t, cfg, n)
	for range 2 {
		s := mustOpen(t, cfg, osDisk{})
		require.EqualValues(t, n, s.Stats().Objects)
		require.EqualValues(t, n*diskSize(1024), s.Stats().Used)
		require.EqualValues(t, n*diskSize(1024), s.Stats().Evictable)
		oldest, ok := s.policy.victim()
		require.True(t, ok)
		for _, r := range s.records {
			require.False(t, !r.again && r.used < s.records[oldest].used)
		}
		require.NoError(t, s.Close())
		require.NoError(t, os.Remove(filepath.Join(cfg.Dir, indexFile)))
	}
}

// BenchmarkOpen opens a store of STORE_OBJECTS objects (100,000 unless it is set), from its index and by a scan of the files.
func BenchmarkOpen(b *testing.B) {
	n := 100_000
	if text := os.Getenv("STORE_OBJECTS"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	cfg := testConfig(b.TempDir(), uint64(n)*diskSize(1024))
	cfg.MaxObjects = n
	fill(b, cfg, n)
	for _, from := range []string{"index", "files"} {
		b.Run(fmt.Sprintf("%s/%d", from, n), func(b *testing.B) {
			for b.Loop() {
				if from == "files" {
					b.StopTimer()
					require.NoError(b, os.Remove(filepath.Join(cfg.Dir, indexFile)))
					b.StartTimer()
				}
				s := mustOpen(b, cfg, osDisk{})
				require.EqualValues(b, n, s.Stats().Objects)
				require.NoError(b, s.Close())
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "objects/s")
		})
	}
}
