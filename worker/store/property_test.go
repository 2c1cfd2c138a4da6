package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/client/content"
)

// TestAnyInterleaving runs random operations and compares the store with its files and with what must stay.
func TestAnyInterleaving(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "store")
		require.NoError(t, err)
		defer func() { require.NoError(t, os.RemoveAll(dir)) }()
		cfg := testConfig(dir, 60_000)
		cfg.UploadBytes, cfg.UploadBytesPerAccount, cfg.MaxObjects = 30_000, 20_000, 8
		cfg.Evict = rapid.Bool().Draw(t, "evict")
		s := mustOpen(t, cfg, &testDisk{})
		defer func() { require.NoError(t, s.Close()) }()
		sizes := []int{0, 1, 700, 5_000, 16_384, 16_385, 30_000, 70_000}
		bytesOf := func(i int) []byte { return some(i, sizes[i%len(sizes)]) }
		epoch := uint64(1)
		pinned := map[content.Name]bool{}
		holds := map[content.Name]map[uint64]uint64{}
		open := map[*Object][]byte{}
		seed := rapid.IntRange(0, 2*len(sizes)-1)
		added := func(i int, a Added, err error) bool {
			if err != nil {
				require.True(t, errors.Is(err, ErrFull) || errors.Is(err, ErrQuota), "%v", err)
				return false
			}
			require.Equal(t, nameOf(bytesOf(i)), a.Name)
			return true
		}
		there := func(err error, name content.Name) bool {
			if err != nil {
				require.ErrorIs(t, err, ErrNotFound)
				require.False(t, s.Has(name))
			}
			return err == nil
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				i := seed.Draw(t, "i")
				a, err := s.Add(t.Context(), bytes.NewReader(bytesOf(i)))
				added(i, a, err)
			},
			"add pinned": func(t *rapid.T) {
				i := seed.Draw(t, "i")
				a, err := s.AddPinned(t.Context(), bytes.NewReader(bytesOf(i)))
				if added(i, a, err) {
					pinned[a.Name] = true
				}
			},
			"upload": func(t *rapid.T) {
				i, owner, until := seed.Draw(t, "i"), rapid.Uint64Range(1, 3).Draw(t, "owner"), epoch+rapid.Uint64Range(0, 3).Draw(t, "for")
				b := bytesOf(i)
				size := int64(len(b))
				if rapid.Bool().Draw(t, "chunked") {
					size = -1
				}
				a, err := s.AddUpload(t.Context(), Upload{Size: size, Hold: Hold{owner, until}}, bytes.NewReader(b))
				if added(i, a, err) {
					if holds[a.Name] == nil {
						holds[a.Name] = map[uint64]uint64{}
					}
					holds[a.Name][owner] = max(holds[a.Name][owner], until)
				}
			},
			"fail": func(t *rapid.T) {
				_, err := s.AddNamed(t.Context(), content.Name{}, bytes.NewReader(bytesOf(seed.Draw(t, "i"))))
				require.Error(t, err)
			},
			"open": func(t *rapid.T) {
				b := bytesOf(seed.Draw(t, "i"))
				if o, err := s.Open(nameOf(b)); there(err, nameOf(b)) {
					open[o] = b
				}
			},
			"read": func(t *rapid.T) {
				for o, b := range open {
					got, err := io.ReadAll(o.Data())
					require.NoError(t, err)
					require.True(t, bytes.Equal(b, got))
					require.NoError(t, o.Close())
				}
				clear(open)
			},
			"pin": func(t *rapid.T) {
				name := nameOf(bytesOf(seed.Draw(t, "i")))
				if there(s.Pin(name), name) {
					pinned[name] = true
				}
			},
			"unpin": func(t *rapid.T) {
				name := nameOf(bytesOf(seed.Draw(t, "i")))
				if there(s.Unpin(name), name) {
					delete(pinned, name)
				}
			},
			"delete": func(t *rapid.T) {
				name := nameOf(bytesOf(seed.Draw(t, "i")))
				if there(s.Delete(name), name) {
					delete(pinned, name)
					delete(holds, name)
				}
			},
			"epoch": func(t *rapid.T) {
				epoch++
				require.NoError(t, s.Expire(epoch))
				for name, of := range holds {
					for owner, until := range of {
						if until < epoch {
							delete(of, owner)
						}
					}
					if len(of) == 0 {
						delete(holds, name)
					}
				}
			},
			"reopen": func(t *rapid.T) {
				require.NoError(t, s.Close())
				if rapid.Bool().Draw(t, "without index") && len(holds) == 0 {
					require.NoError(t, os.Remove(s.index.path()))
				}
				s = mustOpen(t, cfg, &testDisk{})
			},
			"": func(t *rapid.T) {
				requireSound(t, s)
				stats := s.Stats()
				require.LessOrEqual(t, stats.Objects, uint64(cfg.MaxObjects))
				require.LessOrEqual(t, stats.Held, cfg.UploadBytes)
				seen := 0
				for _, e := range known(s) {
					require.Equal(t, pinned[e.Name], e.Pinned)
					require.Len(t, e.Holds, len(holds[e.Name]))
					for _, h := range e.Holds {
						require.Equal(t, holds[e.Name][h.Owner], h.Until)
					}
					if !e.Evictable() {
						seen++
					}
				}
				stay := len(pinned)
				for name := range holds {
					if !pinned[name] {
						stay++
					}
				}
				require.Equal(t, stay, seen, "what must stay is there")
			},
		})
		for o := range open {
			require.NoError(t, o.Close())
		}
	})
}
