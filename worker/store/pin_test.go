package store

import (
	"bytes"
	"context"
	"io"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/client/content"
)

// unread fails the test if anybody reads it.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("read before it was refused")
	return 0, io.EOF
}

func TestUploads(t *testing.T) {
	cfg := testConfig(t.TempDir(), 1<<20)
	cfg.UploadBytes, cfg.UploadBytesPerAccount = 3*diskSize(1000), 2*diskSize(1000)
	s := mustOpen(t, cfg, &testDisk{})
	upload := func(seed int, owner, until uint64) (Added, error) {
		return s.AddUpload(t.Context(), Upload{Size: 1000, Hold: Hold{owner, until}}, bytes.NewReader(some(seed, 1000)))
	}
	a, err := upload(1, 7, 10)
	require.NoError(t, err)
	require.EqualValues(t, diskSize(1000), s.Stats().Held)
	again, err := upload(1, 7, 9)
	require.NoError(t, err)
	require.True(t, again.Existed)
	require.EqualValues(t, diskSize(1000), s.Stats().Held, "the same object of an account counts once")
	e, err := s.Lookup(a.Name)
	require.NoError(t, err)
	require.Equal(t, []Hold{{7, 10}}, e.Holds, "a shorter hold does not shorten it")
	_, err = upload(2, 7, 10)
	require.NoError(t, err)
	for _, size := range []int64{1, 1000} {
		_, err = s.AddUpload(t.Context(), Upload{Size: size, Hold: Hold{7, 10}}, unread{t})
		require.ErrorIs(t, err, ErrQuota, "an account's part")
	}
	_, err = upload(1, 3, 12)
	require.NoError(t, err)
	e, err = s.Lookup(a.Name)
	require.NoError(t, err)
	require.Equal(t, []Hold{{3, 12}, {7, 10}}, e.Holds)
	_, err = s.AddUpload(t.Context(), Upload{Size: 0, Hold: Hold{4, 10}}, unread{t})
	require.ErrorIs(t, err, ErrQuota, "all uploads together")
	_, err = s.AddUpload(t.Context(), Upload{Size: -1, Hold: Hold{4, 10}}, bytes.NewReader(nil))
	require.ErrorIs(t, err, ErrQuota)
	require.ErrorIs(t, s.Keep(a.Name, Hold{4, 10}), ErrQuota)
	require.NoError(t, s.Keep(a.Name, Hold{7, 20}))
	require.ErrorIs(t, s.Keep(content.Name{1}, Hold{7, 20}), ErrNotFound)
	require.ErrorIs(t, s.Release(a.Name, 5), ErrNotFound)
	require.NoError(t, s.Release(a.Name, 3))
	require.NoError(t, s.Close())

	s = mustOpen(t, cfg, &testDisk{})
	require.EqualValues(t, 2*diskSize(1000), s.Stats().Held, "holds outlive a restart")
	_, err = upload(3, 7, 10)
	require.ErrorIs(t, err, ErrQuota)
	require.NoError(t, s.Expire(10))
	require.EqualValues(t, 2*diskSize(1000), s.Stats().Held, "a hold lasts through its epoch")
	require.NoError(t, s.Expire(11))
	require.EqualValues(t, diskSize(1000), s.Stats().Held)
	_, err = upload(3, 7, 30)
	require.NoError(t, err)
	require.NoError(t, s.Expire(1000))
	require.Equal(t, newUploads(cfg), s.uploads)
	requireSound(t, s)
	require.NoError(t, s.Close())

	// Off is off, whatever is kept already.
	cfg.UploadBytes = 0
	s = mustOpen(t, cfg, &testDisk{})
	_, err = s.AddUpload(t.Context(), Upload{Size: 0, Hold: Hold{1, 1}}, unread{t})
	require.ErrorIs(t, err, ErrQuota)
	require.NoError(t, s.Close())
}

func TestUploadsAreWhatTheySay(t *testing.T) {
	s := mustOpen(t, testConfig(t.TempDir(), 1<<20), &testDisk{})
	b := some(1, 1000)
	name := nameOf(b)
	other := nameOf(nil)
	for what, up := range map[string]Upload{
		"longer": {Size: 999}, "shorter": {Size: 1001}, "another": {Size: 1000, Name: &other},
	} {
		_, err := s.AddUpload(t.Context(), up, bytes.NewReader(b))
		require.ErrorIs(t, err, ErrMismatch, what)
		require.Zero(t, s.Stats().Held, what)
	}
	_, err := s.AddUpload(t.Context(), Upload{Size: 1 << 40}, unread{t})
	require.ErrorIs(t, err, ErrTooLarge)
	a, err := s.AddUpload(t.Context(), Upload{Size: 1000, Name: &name, Hold: Hold{1, 2}}, bytes.NewReader(b))
	require.NoError(t, err)
	require.Equal(t, name, a.Name)
	require.NoError(t, s.Delete(name))
	require.Zero(t, s.Stats().Held)
	requireSound(t, s)
	require.NoError(t, s.Close())
}

func TestPins(t *testing.T) {
	cfg := testConfig(t.TempDir(), 1<<20)
	s := mustOpen(t, cfg, &testDisk{})
	name := nameOf(some(1, 1000))
	require.ErrorIs(t, s.Pin(name), ErrNotFound)
	require.ErrorIs(t, s.Unpin(name), ErrNotFound)
	_, err := s.Add(t.Context(), bytes.NewReader(some(1, 1000)))
	require.NoError(t, err)
	mode := func() os.FileMode {
		info, err := os.Stat(s.path(name))
		require.NoError(t, err)
		return info.Mode()
	}
	require.Equal(t, cacheMode, mode())
	require.NoError(t, s.Pin(name))
	require.NoError(t, s.Pin(name))
	require.Equal(t, stayMode, mode())
	require.EqualValues(t, diskSize(1000), s.Stats().Pinned)
	// A plain add of what is pinned leaves it pinned; a pinned one pins what is there.
	_, err = s.Add(t.Context(), bytes.NewReader(some(1, 1000)))
	require.NoError(t, err)
	require.EqualValues(t, diskSize(1000), s.Stats().Pinned)
	require.NoError(t, s.Unpin(name))
	require.Equal(t, cacheMode, mode())
	a, err := s.AddPinned(t.Context(), bytes.NewReader(some(1, 1000)))
	require.NoError(t, err)
	require.True(t, a.Existed)
	require.EqualValues(t, diskSize(1000), s.Stats().Pinned)
	requireSound(t, s)
	// A file that somebody removed cannot be pinned, and is forgotten.
	require.NoError(t, os.Remove(s.path(name)))
	require.ErrorIs(t, s.Pin(name), ErrNotFound)
	requireSound(t, s)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Pin(name), ErrClosed)
}

// TestHoldsAreBounded: an entry of the index has room for so many accounts.
func TestHoldsAreBounded(t *testing.T) {
	r := &record{}
	for i := range maxHolds {
		require.NoError(t, r.keep(Hold{uint64(i * 7 % 1000), 1}))
	}
	require.ErrorIs(t, r.keep(Hold{5000, 1}), ErrQuota)
	_, back, err := parseEntry(appendPut(nil, content.Name{}, r))
	require.NoError(t, err)
	require.Equal(t, r.holds, back.holds)
}

// TestEpochsEndHolds: the running store asks for the epoch and ends the holds of those before.
func TestEpochsEndHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig(t.TempDir(), 1<<20)
		cfg.ScrubBytesPerSecond = 0
		var known atomic.Bool
		cfg.Epoch = func(ctx context.Context) (uint64, bool) {
			_, limited := ctx.Deadline()
			require.True(t, limited, "the answer is waited for so long")
			return 9, known.Load()
		}
		s := mustOpen(t, cfg, &testDisk{})
		a, err := s.AddUpload(t.Context(), Upload{Size: -1, Hold: Hold{1, 5}}, bytes.NewReader(some(1, 1000)))
		require.NoError(t, err)
		require.NoError(t, s.Start(t.Context()))
		time.Sleep(2 * upkeepEvery)
		synctest.Wait()
		require.NotZero(t, s.Stats().Held, "nobody knows the epoch")
		known.Store(true)
		time.Sleep(2 * upkeepEvery)
		synctest.Wait()
		require.Zero(t, s.Stats().Held)
		e, err := s.Lookup(a.Name)
		require.NoError(t, err)
		require.True(t, e.Evictable())
		require.NoError(t, s.Close())
	})
}
