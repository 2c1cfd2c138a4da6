package store_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/store"
)

// TestHotSmallObjects: the second reader of a small object opens no file, and nobody does after the first one.
func TestHotSmallObjects(t *testing.T) {
	s := open(t)
	b := bytesOf(5000)
	name := add(t, s, b)
	first, err := s.Open(name)
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, first.Bytes()))
	require.Zero(t, s.Stats().OpenFiles)
	second, err := s.Open(name)
	require.NoError(t, err)
	require.Same(t, &first.Bytes()[0], &second.Bytes()[0], "they share the memory")
	require.EqualValues(t, 1, s.Stats().HotHits)
	tree, err := io.ReadAll(second.Outboard())
	require.NoError(t, err)
	require.Len(t, tree, int(content.OutboardSize(uint64(len(b)))))
	require.NoError(t, first.Close())
	require.NoError(t, second.Close())
	require.EqualValues(t, diskSize(len(b)), s.Stats().HotBytes)
}

// TestHotFiles: readers of a large object share one open file, which stays open until another one takes its place.
func TestHotFiles(t *testing.T) {
	s := open(t, func(c *store.Config) { c.HotFiles = 4 })
	var names []content.Name
	for i := range 20 {
		names = append(names, add(t, s, bytesOf(100<<10+i)))
	}
	for _, name := range names {
		a, err := s.Open(name)
		require.NoError(t, err)
		require.Nil(t, a.Bytes())
		open := s.Stats().OpenFiles
		b, err := s.Open(name)
		require.NoError(t, err)
		require.Equal(t, open, s.Stats().OpenFiles)
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
		require.LessOrEqual(t, s.Stats().OpenFiles, uint64(4))
	}
	require.NotZero(t, s.Stats().OpenFiles)
	require.NoError(t, s.Close())
	require.Zero(t, s.Stats().OpenFiles)
}

// TestHotIsBounded: neither what is kept nor what readers hold exceeds the bound by more than a quarter, and what does not fit
// is read from its file.
func TestHotIsBounded(t *testing.T) {
	const bound = 64 << 10
	s := open(t, func(c *store.Config) { c.HotBytes = bound })
	var held []*store.Object
	inFiles := 0
	for i := range 60 {
		b := bytesOf(4000 + i)
		name := add(t, s, b)
		o, err := s.Open(name)
		require.NoError(t, err)
		held = append(held, o)
		require.LessOrEqual(t, s.Stats().HotBytes, uint64(bound+bound/4))
		if o.Bytes() == nil {
			inFiles++
		}
		got, err := io.ReadAll(o.Section(0, o.Size, nil))
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, got))
	}
	require.NotZero(t, inFiles)
	for _, o := range held {
		require.NoError(t, o.Close())
	}
	require.LessOrEqual(t, s.Stats().HotBytes, uint64(bound))
}

// TestHotForgets: what the store removes is gone at once, for those who have it open it stays.
func TestHotForgets(t *testing.T) {
	for _, size := range []int{100, 300 << 10} {
		s := open(t, func(c *store.Config) { c.HotRecheck = time.Hour })
		b := bytesOf(size)
		name := add(t, s, b)
		o, err := s.Open(name)
		require.NoError(t, err)
		require.NoError(t, s.Delete(name))
		_, err = s.Open(name)
		require.ErrorIs(t, err, store.ErrNotFound)
		got, err := io.ReadAll(o.Section(0, o.Size, nil))
		require.NoError(t, err)
		require.True(t, bytes.Equal(b, got))
		require.NoError(t, o.Close())
		require.Zero(t, s.Stats().OpenFiles)
		require.Zero(t, s.Stats().HotBytes)
		add(t, s, b)
		require.True(t, bytes.Equal(b, read(t, s, name)))
	}
}

// TestHotRecheck: what happens to files behind the store's back is seen with the next look at them.
func TestHotRecheck(t *testing.T) {
	for _, size := range []int{100, 300 << 10} {
		cfg := store.DefaultConfig(t.TempDir())
		cfg.HotRecheck = time.Nanosecond
		s := openAt(t, cfg)
		name := add(t, s, bytesOf(size))
		path := filepath.Join(cfg.Dir, object(name))
		read(t, s, name)
		require.NoError(t, os.Truncate(path, 20))
		_, err := s.Open(name)
		require.ErrorIs(t, err, store.ErrCorrupt)
		add(t, s, bytesOf(size))
		read(t, s, name)
		require.NoError(t, os.Remove(path))
		_, err = s.Open(name)
		require.ErrorIs(t, err, store.ErrNotFound)
	}
}

// TestHotDamage: bytes in memory are held to the same: damage is found, set aside and forgotten.
func TestHotDamage(t *testing.T) {
	cfg := store.DefaultConfig(t.TempDir())
	cfg.HotRecheck = time.Hour
	s := openAt(t, cfg)
	b := bytesOf(2*group + 5)
	name := add(t, s, b)
	path := filepath.Join(cfg.Dir, object(name))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	whole[group+1] ^= 4
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	o, err := s.Open(name)
	require.NoError(t, err)
	require.NotNil(t, o.Bytes())
	require.False(t, o.Verified())
	_, _, err = o.Slice(0, content.ToEnd).Append(nil, content.ToEnd)
	require.ErrorIs(t, o.Damaged(err), store.ErrCorrupt)
	require.NoError(t, o.Close())
	_, err = s.Open(name)
	require.ErrorIs(t, err, store.ErrNotFound)
	require.EqualValues(t, 1, s.Stats().Quarantined)

	// The scrub looks at the disk, not at what is in memory.
	add(t, s, b)
	read(t, s, name)
	whole[group+1] ^= 4
	whole[3] ^= 1
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	require.ErrorIs(t, s.Verify(t.Context(), name), store.ErrCorrupt)
	_, err = s.Open(name)
	require.ErrorIs(t, err, store.ErrNotFound)
}

// TestSection sends random parts of objects over TCP and into memory, several of one object at a time.
func TestSection(t *testing.T) {
	s := open(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	objects := map[content.Name][]byte{}
	for _, size := range []int{0, 1, 1000, 64 << 10, 64<<10 + 1, 3<<20 + 17} {
		b := bytesOf(size)
		objects[add(t, s, b)] = b
	}
	rapid.Check(t, func(r *rapid.T) {
		for name, b := range objects {
			from := rapid.IntRange(0, len(b)).Draw(r, "from")
			n := rapid.IntRange(0, len(b)-from).Draw(r, "n")
			o, err := s.Open(name)
			require.NoError(r, err)
			var memory bytes.Buffer
			progress := int64(0)
			wrote, err := o.Section(uint64(from), uint64(n), func(n int64) { progress += n }).WriteTo(&memory)
			require.NoError(r, err)
			require.EqualValues(r, n, wrote)
			require.EqualValues(r, n, progress)
			require.True(r, bytes.Equal(b[from:from+n], memory.Bytes()))
			client, err := net.Dial("tcp", listener.Addr().String())
			require.NoError(r, err)
			server, err := listener.Accept()
			require.NoError(r, err)
			sent := make(chan error, 1)
			go func() {
				_, err := o.Section(uint64(from), uint64(n), nil).SendTo(server)
				sent <- errors.Join(err, server.Close())
			}()
			got, err := io.ReadAll(client)
			require.NoError(r, err)
			require.NoError(r, <-sent)
			require.NoError(r, client.Close())
			require.True(r, bytes.Equal(b[from:from+n], got))
			require.NoError(r, o.Close())
		}
	})
}

// TestSectionOfACutFile: an object that ends early is an error, and never another's bytes.
func TestSectionOfACutFile(t *testing.T) {
	cfg := store.DefaultConfig(t.TempDir())
	s := openAt(t, cfg)
	name := add(t, s, bytesOf(300<<10))
	o, err := s.Open(name)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(filepath.Join(cfg.Dir, object(name)), 100<<10))
	wrote, err := o.Section(0, o.Size, nil).WriteTo(io.Discard)
	require.ErrorIs(t, err, store.ErrCorrupt)
	require.EqualValues(t, 100<<10, wrote)
	require.NoError(t, o.Close())
	_, err = s.Open(name)
	require.ErrorIs(t, err, store.ErrCorrupt, "it was forgotten, and is set aside")
}

// TestHotUnderFire opens, removes and adds the same objects at a time: a reader gets all of an object or none of it.
func TestHotUnderFire(t *testing.T) {
	s := open(t, func(c *store.Config) {
		c.HotBytes, c.HotObjectBytes, c.HotFiles, c.HotRecheck = 8<<10, 2<<10, 2, time.Nanosecond
	})
	var contents [][]byte
	for i := range 6 {
		contents = append(contents, bytesOf(1000+i*700))
	}
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 60 {
				b := contents[(worker+i)%len(contents)]
				name := nameOf(b)
				if worker%4 == 0 {
					if _, err := s.Add(t.Context(), bytes.NewReader(b)); err != nil {
						t.Error(err)
					}
					if err := s.Delete(name); err != nil && !errors.Is(err, store.ErrNotFound) {
						t.Error(err)
					}
					continue
				}
				o, err := s.Open(name)
				if errors.Is(err, store.ErrNotFound) {
					continue
				}
				if err != nil {
					t.Error(err)
					continue
				}
				got, err := io.ReadAll(o.Section(0, o.Size, nil))
				if err != nil || !bytes.Equal(b, got) {
					t.Errorf("%d bytes of %d: %v", len(got), len(b), err)
				}
				if err := o.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for _, b := range contents {
		if err := s.Delete(nameOf(b)); !errors.Is(err, store.ErrNotFound) {
			require.NoError(t, err)
		}
	}
	require.Zero(t, s.Stats().OpenFiles, "nothing that was removed is kept open")
	require.Zero(t, s.Stats().HotBytes)
}
