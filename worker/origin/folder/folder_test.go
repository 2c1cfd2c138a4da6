package folder_test

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/origin/folder"
)

func nameOf(text string) content.Name { return content.Name(blake3.Sum256([]byte(text))) }

// write makes a file that has been as it is for an hour.
func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(path, old, old))
}

func newIndex(t *testing.T, cfg folder.Config) *folder.Index {
	t.Helper()
	if cfg.MaxFiles == 0 {
		cfg.MaxFiles = 100
	}
	cfg.RescanInterval = time.Hour
	x, err := folder.New(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return x
}

func has(t *testing.T, x *folder.Index, text string) bool {
	t.Helper()
	r, size, err := x.Open(nameOf(text))
	if err != nil {
		require.ErrorIs(t, err, folder.ErrNotFound)
		return false
	}
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.EqualValues(t, len(text), size)
	return string(got) == text
}

func TestIndex(t *testing.T) {
	dir, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	write(t, secret, "secret")
	write(t, filepath.Join(dir, "a"), "a")
	write(t, filepath.Join(dir, "sub/b"), "b")
	write(t, filepath.Join(dir, "sub/copy"), "a")
	write(t, filepath.Join(dir, ".hidden"), "hidden")
	write(t, filepath.Join(dir, ".git/config"), "git")
	require.NoError(t, os.Symlink(secret, filepath.Join(dir, "link")))
	require.NoError(t, os.Symlink(filepath.Dir(secret), filepath.Join(dir, "folder")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	x := newIndex(t, folder.Config{Folders: []string{dir}})
	require.False(t, has(t, x, "a"), "nothing was looked at yet")
	require.NoError(t, x.Scan(t.Context()))
	require.Equal(t, 3, x.Stats().Files)
	for text, want := range map[string]bool{"a": true, "b": true, "hidden": false, "git": false, "secret": false} {
		require.Equal(t, want, has(t, x, text), text)
	}
	// Files that look the same are not read again.
	hashed := x.Stats().Hashed
	require.NoError(t, x.Scan(t.Context()))
	require.Equal(t, hashed, x.Stats().Hashed)
	// One copy goes, the other stays.
	require.NoError(t, os.Remove(filepath.Join(dir, "a")))
	require.NoError(t, x.Scan(t.Context()))
	require.True(t, has(t, x, "a"))
	// A file that became a link out of the folder after the look is not followed.
	require.NoError(t, os.Remove(filepath.Join(dir, "sub/b")))
	write(t, secret, "b")
	require.NoError(t, os.Symlink(secret, filepath.Join(dir, "sub/b")))
	require.False(t, has(t, x, "b"))
	// A change is found.
	write(t, filepath.Join(dir, "sub/copy"), "changed")
	require.False(t, has(t, x, "a"))
	require.NoError(t, x.Scan(t.Context()))
	require.True(t, has(t, x, "changed"))
	require.False(t, has(t, x, "a"))
	// A pipe in place of a file blocks nobody.
	require.NoError(t, os.Remove(filepath.Join(dir, "sub/copy")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "sub/copy"), 0o600))
	require.False(t, has(t, x, "changed"))
}

// TestYoungFiles are hashed again: their next change may not show in their time.
func TestYoungFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	info, err := os.Stat(path)
	require.NoError(t, err)
	x := newIndex(t, folder.Config{Folders: []string{dir}})
	require.NoError(t, x.Scan(t.Context()))
	require.NoError(t, os.WriteFile(path, []byte("new"), 0o600))
	require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	require.NoError(t, x.Scan(t.Context()))
	require.True(t, has(t, x, "new"))
	require.False(t, has(t, x, "old"))
}

func TestBounds(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		write(t, filepath.Join(dir, name), name)
	}
	x := newIndex(t, folder.Config{Folders: []string{dir}, MaxFiles: 2})
	require.NoError(t, x.Scan(t.Context()))
	require.Equal(t, 2, x.Stats().Files)
	require.Equal(t, 1, x.Stats().LeftOut)
	// A folder that is away for a moment keeps what is known of it.
	away := dir + ".away"
	require.NoError(t, os.Rename(dir, away))
	require.Error(t, x.Scan(t.Context()))
	require.Equal(t, 2, x.Stats().Files)
	require.NoError(t, os.Rename(away, dir))
	require.True(t, has(t, x, "a"))
	for what, change := range map[string]func(*folder.Config){
		"absolute":              func(c *folder.Config) { c.Folders = []string{"x"} },
		"max_files":             func(c *folder.Config) { c.MaxFiles = 0 },
		"rescan_interval":       func(c *folder.Config) { c.RescanInterval = 0 },
		"scan_bytes_per_second": func(c *folder.Config) { c.BytesPerSecond = -1 },
	} {
		cfg := folder.Config{MaxFiles: 1, RescanInterval: time.Minute}
		change(&cfg)
		require.ErrorContains(t, cfg.Validate(), what)
	}
}

func TestCache(t *testing.T) {
	dir, cache := t.TempDir(), filepath.Join(t.TempDir(), "index")
	write(t, filepath.Join(dir, "a\nb"), "a")
	cfg := folder.Config{Folders: []string{dir}, CacheFile: cache, BytesPerSecond: 1 << 30}
	x := newIndex(t, cfg)
	require.NoError(t, x.Start(t.Context()))
	require.Error(t, x.Start(t.Context()))
	require.Eventually(t, func() bool { return x.Stats().Scans == 1 }, 20*time.Second, time.Millisecond)
	require.NoError(t, x.Stop(t.Context()))
	again := newIndex(t, cfg)
	require.True(t, has(t, again, "a"), "known without a look")
	require.NoError(t, again.Scan(t.Context()))
	require.Zero(t, again.Stats().Hashed)
	// Another folder's entries are left out, and a damaged file is begun anew.
	require.Zero(t, newIndex(t, folder.Config{Folders: []string{t.TempDir()}, CacheFile: cache}).Stats().Files)
	for _, damage := range []string{"x", `{"folder":"` + dir + `","path":"../x","size":1}`, `{"folder":"` + dir + `","path":"x","size":-1}`} {
		require.NoError(t, os.WriteFile(cache, []byte(damage), 0o600))
		require.Zero(t, newIndex(t, cfg).Stats().Files, damage)
	}
}
