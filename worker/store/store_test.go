package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"
	"lukechampine.com/blake3/bao"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/store"
)

const group = content.GroupSize

var sizes = []int{0, 1, 1024, group - 1, group, group + 1, 3 * group, 5*group + 777, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 12_345}

func bytesOf(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16), byte(size >> 24)}).Read(b)
	return b
}

func nameOf(b []byte) content.Name { return blake3.Sum256(b) }

func diskSize(size int) uint64 { return uint64(size) + content.OutboardSize(uint64(size)) + 16 }

func open(t *testing.T, change ...func(*store.Config)) *store.Store {
	t.Helper()
	cfg := store.DefaultConfig(t.TempDir())
	for _, f := range change {
		f(&cfg)
	}
	return openAt(t, cfg)
}

func openAt(t *testing.T, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func add(t *testing.T, s *store.Store, b []byte) content.Name {
	t.Helper()
	added, err := s.Add(t.Context(), bytes.NewReader(b))
	require.NoError(t, err)
	require.Equal(t, nameOf(b), added.Name)
	return added.Name
}

func read(t *testing.T, s *store.Store, name content.Name) []byte {
	t.Helper()
	o, err := s.Open(name)
	require.NoError(t, err)
	defer func() { require.NoError(t, o.Close()) }()
	b, err := io.ReadAll(o.Data())
	require.NoError(t, err)
	return b
}

// files returns the paths of all files under a folder of the store, lock and index left out.
func files(t *testing.T, dir string) (list []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "lock" && d.Name() != "index" {
			rel, _ := filepath.Rel(dir, p)
			list = append(list, rel)
		}
		return err
	}))
	return list
}

func object(name content.Name) string {
	return filepath.Join("objects", name.String()[:2], name.String())
}

func TestAddAndOpen(t *testing.T) {
	cfg := store.DefaultConfig(t.TempDir())
	s := openAt(t, cfg)
	used := uint64(0)
	for _, size := range sizes {
		b := bytesOf(size)
		added, err := s.Add(t.Context(), bytes.NewReader(b))
		require.NoError(t, err)
		require.False(t, added.Existed)
		require.Equal(t, uint64(size), added.Size)
		require.Equal(t, diskSize(size), added.Disk)
		require.True(t, s.Has(added.Name))
		require.True(t, bytes.Equal(b, read(t, s, added.Name)))
		used += added.Disk

		o, err := s.Open(added.Name)
		require.NoError(t, err)
		tree, err := io.ReadAll(o.Outboard())
		require.NoError(t, err)
		want, root := bao.EncodeBuf(b, content.Group, true)
		require.Equal(t, added.Name, content.Name(root))
		require.True(t, bytes.Equal(want, tree), "outboard of %d bytes", size)
		rest, err := io.ReadAll(o.Section(uint64(size/2), uint64(size-size/2), nil))
		require.NoError(t, err)
		require.True(t, bytes.Equal(b[size/2:], rest))
		require.NoError(t, o.Close())
		require.NoError(t, s.Verify(t.Context(), added.Name))

		again, err := s.Add(t.Context(), bytes.NewReader(b))
		require.NoError(t, err)
		require.True(t, again.Existed)
		require.Equal(t, added.Info, again.Info)
	}
	want := store.Stats{Objects: uint64(len(sizes)), Used: used, Evictable: used, Max: cfg.MaxBytes}
	got := s.Stats()
	got.HotBytes, got.OpenFiles, got.HotHits, got.HotMisses = 0, 0, 0, 0
	require.Equal(t, want, got)
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Check(t.Context()), store.ErrClosed)
	_, err := s.Add(t.Context(), strings.NewReader("x"))
	require.ErrorIs(t, err, store.ErrClosed)

	again := openAt(t, cfg)
	require.Equal(t, want, again.Stats(), "what a new process counts")
	for _, size := range sizes {
		require.True(t, bytes.Equal(bytesOf(size), read(t, again, nameOf(bytesOf(size)))))
	}
}

func TestUnknownName(t *testing.T) {
	s := open(t)
	name := nameOf([]byte("not there"))
	require.False(t, s.Has(name))
	_, err := s.Open(name)
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.Stat(name)
	require.ErrorIs(t, err, store.ErrNotFound)
	require.ErrorIs(t, s.Delete(name), store.ErrNotFound)
	require.ErrorIs(t, s.Verify(t.Context(), name), store.ErrNotFound)
}

func TestAddNamed(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, store.DefaultConfig(dir))
	b := bytesOf(2 * group)
	_, err := s.AddNamed(t.Context(), nameOf(nil), bytes.NewReader(b))
	require.ErrorIs(t, err, store.ErrMismatch)
	require.Empty(t, files(t, dir))
	added, err := s.AddNamed(t.Context(), nameOf(b), bytes.NewReader(b))
	require.NoError(t, err)
	require.Equal(t, nameOf(b), added.Name)
}

func TestConcurrentAddsOfOneObject(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, store.DefaultConfig(dir))
	b := bytesOf(3<<20 + 1)
	const n = 16
	var existed [n]bool
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			added, err := s.Add(t.Context(), bytes.NewReader(b))
			if err != nil || added.Name != nameOf(b) {
				t.Errorf("add %d: %v", i, err)
			}
			existed[i] = added.Existed
		})
	}
	wg.Wait()
	first := 0
	for _, e := range existed {
		if !e {
			first++
		}
	}
	require.Equal(t, 1, first, "adds that say they were the first")
	require.Equal(t, []string{object(nameOf(b))}, files(t, dir))
	require.Equal(t, store.Stats{Objects: 1, Used: diskSize(len(b)), Evictable: diskSize(len(b)), Max: store.DefaultMaxBytes}, s.Stats())
}

func TestBudget(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, store.Config{Dir: dir, MaxBytes: diskSize(3*group) + diskSize(2*group), MaxObjectBytes: 5 * group, MaxObjects: 10})
	first := add(t, s, bytesOf(3*group))
	_, err := s.Add(t.Context(), bytes.NewReader(bytesOf(2*group+1)))
	require.ErrorIs(t, err, store.ErrFull)
	_, err = s.Add(t.Context(), bytes.NewReader(bytesOf(5*group+1)))
	require.ErrorIs(t, err, store.ErrTooLarge)
	require.Equal(t, []string{object(first)}, files(t, dir), "a refused add leaves nothing behind")
	require.Zero(t, s.Stats().Reserved)

	second := add(t, s, bytesOf(2*group))
	require.Equal(t, s.Stats().Max, s.Stats().Used)
	// An endless reader is refused as soon as it is over the bound.
	_, err = s.Add(t.Context(), endless{})
	require.ErrorIs(t, err, store.ErrFull)

	require.NoError(t, s.Delete(first))
	require.NoError(t, s.Delete(second))
	require.Equal(t, store.Stats{Max: s.Stats().Max, Refused: 2}, s.Stats())
	_, err = s.Add(t.Context(), endless{})
	require.ErrorIs(t, err, store.ErrTooLarge)
	add(t, s, bytesOf(3*group))
}

// endless delivers zeros for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestDeleteWhileReading(t *testing.T) {
	s := open(t)
	b := bytesOf(group + 1)
	name := add(t, s, b)
	o, err := s.Open(name)
	require.NoError(t, err)
	require.NoError(t, s.Delete(name))
	require.False(t, s.Has(name))
	got, err := io.ReadAll(o.Data())
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, got))
	require.NoError(t, o.Close())
}

// TestFailedAdds has readers that fail, end early, stall or are canceled: nothing is stored and nothing stays behind.
func TestFailedAdds(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, store.DefaultConfig(dir))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	half := func() io.Reader { return bytes.NewReader(bytesOf(3<<20 + 1)) }
	broken := errors.New("broken")
	for what, c := range map[string]struct {
		ctx  context.Context
		r    io.Reader
		want error
	}{
		"reader fails":             {t.Context(), io.MultiReader(half(), failing{broken}), broken},
		"download cut":             {t.Context(), io.MultiReader(half(), failing{io.ErrUnexpectedEOF}), io.ErrUnexpectedEOF},
		"cut at once":              {t.Context(), failing{io.ErrUnexpectedEOF}, io.ErrUnexpectedEOF},
		"wrapped end of something": {t.Context(), io.MultiReader(half(), failing{fmt.Errorf("tunnel: %w", io.EOF)}), io.EOF},
		"reader makes no progress": {t.Context(), failing{nil}, io.ErrNoProgress},
		"canceled":                 {canceled, half(), context.Canceled},
	} {
		_, err := s.Add(c.ctx, c.r)
		require.ErrorIs(t, err, c.want, what)
		require.Empty(t, files(t, dir), what)
		require.Equal(t, store.Stats{Max: store.DefaultMaxBytes}, s.Stats(), what)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestLeftoversOfACrash opens a store as a crash in the middle of an add leaves it.
func TestLeftoversOfACrash(t *testing.T) {
	cfg := store.DefaultConfig(t.TempDir())
	b := bytesOf(3 * group)
	func() {
		s, err := store.Open(cfg, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		add(t, s, b)
	}()
	whole, err := os.ReadFile(filepath.Join(cfg.Dir, object(nameOf(b))))
	require.NoError(t, err)
	for i, cut := range []int{0, 1, len(b), len(b) + 100, len(whole)} {
		require.NoError(t, os.WriteFile(filepath.Join(cfg.Dir, "tmp", fmt.Sprintf("add-%d", i)), whole[:cut], 0o600))
	}
	s := openAt(t, cfg)
	require.Equal(t, []string{object(nameOf(b))}, files(t, cfg.Dir))
	require.Equal(t, store.Stats{Objects: 1, Used: uint64(len(whole)), Evictable: uint64(len(whole)), Max: cfg.MaxBytes}, s.Stats())
	require.NoError(t, s.Verify(t.Context(), nameOf(b)))
}

// TestCutFiles cuts a stored file at every length: it is never served, it is set aside, and can be added again.
func TestCutFiles(t *testing.T) {
	dir := t.TempDir()
	cfg := store.DefaultConfig(dir)
	cfg.HotRecheck = 0
	s := openAt(t, cfg)
	b := bytesOf(2*group + 100)
	name := add(t, s, b)
	path := filepath.Join(dir, object(name))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for cut := 0; cut < len(whole); cut += 1 + len(whole)/97 {
		require.NoError(t, os.Truncate(path, int64(cut)))
		_, err := s.Open(name)
		require.ErrorIs(t, err, store.ErrCorrupt, "cut at %d", cut)
		_, err = s.Open(name)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.False(t, s.Has(name))
		add(t, s, b)
		require.True(t, bytes.Equal(b, read(t, s, name)))
	}
	stats := s.Stats()
	require.EqualValues(t, 1, stats.Objects)
	require.EqualValues(t, 16, stats.Quarantined, "quarantine is bounded")
	require.Len(t, files(t, filepath.Join(dir, "quarantine")), 16)
}

// TestAddReplacesADamagedFile adds what lies damaged under its name, without an Open in between.
func TestAddReplacesADamagedFile(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, store.DefaultConfig(dir))
	b := bytesOf(2 * group)
	name := add(t, s, b)
	require.NoError(t, os.Truncate(filepath.Join(dir, object(name)), 100))
	added, err := s.Add(t.Context(), bytes.NewReader(b))
	require.NoError(t, err)
	require.False(t, added.Existed)
	require.NoError(t, s.Verify(t.Context(), name))
	require.EqualValues(t, 1, s.Stats().Objects)
}

func TestWrongTrailers(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, store.DefaultConfig(dir))
	b := bytesOf(2 * group)
	name := nameOf(b)
	path := filepath.Join(dir, object(name))
	for what, change := range map[string]func(whole []byte) []byte{
		"magic":           func(w []byte) []byte { w[len(w)-16] ^= 1; return w },
		"size":            func(w []byte) []byte { w[len(w)-8] ^= 1; return w },
		"huge size":       func(w []byte) []byte { w[len(w)-1] = 0xff; return w },
		"size in tree":    func(w []byte) []byte { w[len(b)] ^= 1; return w },
		"bytes in front":  func(w []byte) []byte { return append([]byte{1}, w...) },
		"bytes behind":    func(w []byte) []byte { return append(w, 1) },
		"another trailer": func(w []byte) []byte { return append(w, w[len(w)-16:]...) },
	} {
		add(t, s, b)
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, change(whole), 0o600))
		_, err = s.Open(name)
		require.ErrorIs(t, err, store.ErrCorrupt, what)
	}
	// A folder under the name is not served either.
	require.NoError(t, os.MkdirAll(path, 0o700))
	_, err := s.Open(name)
	require.ErrorIs(t, err, store.ErrCorrupt)
}

func TestVerifyFindsFlippedBits(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, store.DefaultConfig(dir))
	b := bytesOf(5 * group)
	name := nameOf(b)
	path := filepath.Join(dir, object(name))
	for _, at := range []int{0, 3*group + 7, 5*group - 1, 5*group + 8, 5*group + 8 + 3*64} {
		add(t, s, b)
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		whole[at] ^= 0x10
		require.NoError(t, os.WriteFile(path, whole, 0o600))
		err = s.Verify(t.Context(), name)
		require.ErrorIs(t, err, store.ErrCorrupt)
		if at < 5*group {
			var bad *content.CorruptError
			require.ErrorAs(t, err, &bad)
			require.EqualValues(t, at/group, bad.Group)
		}
		require.False(t, s.Has(name), "damaged content is not served")
	}
	add(t, s, b)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Verify(ctx, name), context.Canceled)
	require.True(t, s.Has(name), "an interrupted check says nothing about the content")
}

// TestScrub: damage that nobody asks for is found in the background and set aside; the rest stays.
func TestScrub(t *testing.T) {
	cfg := store.DefaultConfig(t.TempDir())
	s := openAt(t, cfg)
	good, bad := bytesOf(3*group), bytesOf(4*group+5)
	add(t, s, good)
	name := add(t, s, bad)
	path := filepath.Join(cfg.Dir, object(name))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	whole[2*group] ^= 1
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	require.NoError(t, s.Start(t.Context()))
	require.Error(t, s.Start(t.Context()))
	require.Eventually(t, func() bool { return s.Stats().ScrubRounds == 1 }, 20*time.Second, time.Millisecond)
	stats := s.Stats()
	require.EqualValues(t, 1, stats.ScrubDamaged)
	require.EqualValues(t, 1, stats.Quarantined)
	require.NotZero(t, stats.ScrubBytes)
	require.False(t, s.Has(name))
	o, err := s.Open(nameOf(good))
	require.NoError(t, err)
	require.True(t, o.Verified())
	require.NoError(t, o.Close())
	require.NoError(t, s.Stop(t.Context()))
}

// TestScrubIsSlow: at a byte per second the first object takes days, and a stop does not wait for it.
func TestScrubIsSlow(t *testing.T) {
	s := open(t, func(c *store.Config) { c.ScrubBytesPerSecond = 1 })
	add(t, s, bytesOf(3<<20))
	require.NoError(t, s.Start(t.Context()))
	require.Eventually(t, func() bool { return s.Stats().ScrubBytes > 0 }, 20*time.Second, time.Millisecond)
	require.NoError(t, s.Stop(t.Context()))
	require.Less(t, s.Stats().ScrubBytes, uint64(1<<20), "no more than the first part was read")
	require.Zero(t, s.Stats().ScrubRounds)
}

// TestVerified: an object counts as verified after it was added or read as a whole, until its file looks different or another
// process has the store.
func TestVerified(t *testing.T) {
	cfg := store.DefaultConfig(t.TempDir())
	cfg.HotRecheck = time.Nanosecond
	cfg.HotRecheck = 0
	s := openAt(t, cfg)
	name := add(t, s, bytesOf(2*group))
	is := func() bool {
		o, err := s.Open(name)
		require.NoError(t, err)
		defer func() { require.NoError(t, o.Close()) }()
		return o.Verified()
	}
	require.True(t, is(), "it was hashed while it was written")
	require.NoError(t, os.Chtimes(filepath.Join(cfg.Dir, object(name)), time.Time{}, time.Unix(1, 0)))
	require.False(t, is())
	require.NoError(t, s.Verify(t.Context(), name))
	require.True(t, is())
	require.NoError(t, s.Close())
	s = openAt(t, cfg)
	require.False(t, is(), "what was verified before the last start may be anything now")
	cfg.VerifiedFor = -1
	require.ErrorContains(t, cfg.Validate(), "verified_for")
}

func TestOneProcessAtATime(t *testing.T) {
	cfg := store.DefaultConfig(t.TempDir())
	s := openAt(t, cfg)
	_, err := store.Open(cfg, slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, store.ErrLocked)
	require.NoError(t, s.Close())
	openAt(t, cfg)
}

func TestAddPath(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"a.txt": "a", "sub/b.txt": "b", "sub/deep/c.txt": "c", "sub/same.txt": "a", ".hidden": "h"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("secret"), 0o600))
	require.NoError(t, os.Symlink(secret, filepath.Join(root, "sub", "link")))

	s := open(t)
	var paths []string
	require.NoError(t, s.AddPath(t.Context(), root, true, func(a store.Added) error {
		rel, err := filepath.Rel(root, a.Path)
		paths = append(paths, rel)
		require.Equal(t, filepath.Base(rel) == "same.txt", a.Existed)
		return err
	}))
	require.Equal(t, []string{".hidden", "a.txt", "sub/b.txt", "sub/deep/c.txt", "sub/same.txt"}, paths)
	require.EqualValues(t, 4, s.Stats().Objects)
	require.False(t, s.Has(nameOf([]byte("secret"))), "links inside of a folder are not followed")

	// A path that is named itself is followed.
	paths = nil
	collect := func(a store.Added) error { paths = append(paths, a.Path); return nil }
	require.NoError(t, s.AddPath(t.Context(), filepath.Join(root, "sub", "link"), true, collect))
	require.Equal(t, []string{filepath.Join(root, "sub", "link")}, paths)
	folder := filepath.Join(t.TempDir(), "folder")
	require.NoError(t, os.Symlink(filepath.Join(root, "sub", "deep"), folder))
	paths = nil
	require.NoError(t, s.AddPath(t.Context(), folder, true, collect))
	require.Equal(t, []string{filepath.Join(folder, "c.txt")}, paths)
	require.Error(t, s.AddPath(t.Context(), filepath.Join(root, "nope"), true, collect))
	require.Error(t, s.AddPath(t.Context(), os.DevNull, true, collect))
	stop := errors.New("stop")
	require.ErrorIs(t, s.AddPath(t.Context(), root, true, func(store.Added) error { return stop }), stop)
}

func TestAddPathRefusesALargeFileAtOnce(t *testing.T) {
	s := open(t, func(c *store.Config) { c.MaxObjectBytes = 10 })
	path := filepath.Join(t.TempDir(), "large")
	require.NoError(t, os.WriteFile(path, make([]byte, 11), 0o600))
	require.ErrorIs(t, s.AddPath(t.Context(), path, true, func(store.Added) error { return nil }), store.ErrTooLarge)
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, store.DefaultConfig(dir))
	for i := range 50 {
		add(t, s, fmt.Appendf(nil, "object %d", i))
	}
	// What is no object of ours is left alone.
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "objects", "00"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "objects", "00", "README"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "objects", "00", strings.Repeat("f", 64)), nil, 0o600))
	var all []content.Name
	var after content.Name
	for {
		page, err := s.List(after, 7)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, info := range page {
			require.Negative(t, bytes.Compare(after[:], info.Name[:]), "ascending")
			after = info.Name
			all = append(all, info.Name)
		}
	}
	require.Len(t, all, 50)
	require.NoError(t, s.Close())
	require.EqualValues(t, 50, openAt(t, store.DefaultConfig(dir)).Stats().Objects)
}

func TestConfig(t *testing.T) {
	require.NoError(t, store.DefaultConfig("x").Validate())
	for what, change := range map[string]func(*store.Config){
		"dir":                                  func(c *store.Config) { c.Dir = "" },
		"max_bytes":                            func(c *store.Config) { c.MaxBytes = 0 },
		"max_object_bytes":                     func(c *store.Config) { c.MaxObjectBytes = 0 },
		"max_objects":                          func(c *store.Config) { c.MaxObjects = 0 },
		"max_bytes is 4611686018427387905":     func(c *store.Config) { c.MaxBytes = 1<<62 + 1 },
		"min_free_bytes":                       func(c *store.Config) { c.MinFreeBytes = 1<<62 + 1 },
		"upload_bytes":                         func(c *store.Config) { c.UploadBytes = c.MaxBytes + 1 },
		"max_object_bytes is 1125899906842625": func(c *store.Config) { c.MaxObjectBytes = content.MaxSize + 1 },
	} {
		cfg := store.DefaultConfig("x")
		change(&cfg)
		require.ErrorContains(t, cfg.Validate(), what)
		_, err := store.Open(cfg, slog.New(slog.DiscardHandler))
		require.Error(t, err)
	}
}

func TestMetrics(t *testing.T) {
	s := open(t, func(c *store.Config) { c.MaxBytes = 1000 })
	add(t, s, []byte("x"))
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(s))
	families, err := registry.Gather()
	require.NoError(t, err)
	got := map[string]float64{}
	for _, f := range families {
		got[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
	}
	require.Positive(t, got["edge_store_disk_free_bytes"])
	delete(got, "edge_store_disk_free_bytes")
	require.Equal(t, map[string]float64{
		"edge_store_objects": 1, "edge_store_used_bytes": 25, "edge_store_budget_bytes": 1000, "edge_store_quarantined_objects": 0,
		"edge_store_pinned_bytes": 0, "edge_store_held_bytes": 0, "edge_store_evictable_bytes": 25, "edge_store_evicted_objects_total": 0,
		"edge_store_evicted_bytes_total": 0, "edge_store_refused_adds_total": 0, "edge_store_disk_errors_total": 0, "edge_store_disk_failed": 0,
		"edge_store_hot_bytes": 0, "edge_store_open_files": 0, "edge_store_hot_hits_total": 0, "edge_store_hot_misses_total": 0,
		"edge_store_scrubbed_bytes_total": 0, "edge_store_scrub_rounds_total": 0, "edge_store_scrub_damaged_objects_total": 0,
	}, got)
}

func BenchmarkAdd(b *testing.B) {
	s, err := store.Open(store.DefaultConfig(b.TempDir()), slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	data := bytesOf(64 << 20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		added, err := s.Add(b.Context(), bytes.NewReader(data))
		if err != nil || added.Existed {
			b.Fatal(err)
		}
		if err := s.Delete(added.Name); err != nil {
			b.Fatal(err)
		}
	}
}
