package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// steps reads its parts one at a time, and calls before each of them.
type steps struct {
	parts  [][]byte
	before func(i int) error
	i      int
}

func (s *steps) Read(p []byte) (int, error) {
	if s.i == len(s.parts) {
		return 0, io.EOF
	}
	if err := s.before(s.i); err != nil {
		return 0, err
	}
	n := copy(p, s.parts[s.i])
	if s.parts[s.i] = s.parts[s.i][n:]; len(s.parts[s.i]) == 0 {
		s.i++
	}
	return n, nil
}

// TestAnnouncedUploadsEvictNothing: objects make room for the bytes of an upload that have arrived, not for its word.
func TestAnnouncedUploadsEvictNothing(t *testing.T) {
	const size, each = 8 * copySize, copySize
	cfg := testConfig(t.TempDir(), 10*diskSize(each))
	cfg.MaxObjectBytes, cfg.UploadBytes = size, cfg.MaxBytes
	s := mustOpen(t, cfg, &testDisk{})
	for i := range 10 {
		a, err := s.Add(t.Context(), bytes.NewReader(some(i, each)))
		require.NoError(t, err)
		if i == 0 {
			require.NoError(t, s.Pin(a.Name))
		}
	}
	b := some(100, size)
	hold := Hold{1, 5}
	var parts [][]byte
	for i := range size / copySize {
		parts = append(parts, b[i*copySize:(i+1)*copySize])
	}
	broken := errors.New("broken")
	_, err := s.AddUpload(t.Context(), Upload{Size: size, Hold: hold}, &steps{parts: parts, before: func(i int) error {
		require.LessOrEqual(t, s.Stats().Evicted, uint64(i)+1)
		require.LessOrEqual(t, s.Stats().Reserved, diskSize(uint64(i)*copySize))
		// What is announced is not there for the next one.
		_, err := s.AddUpload(t.Context(), Upload{Size: each * 3 / 2, Hold: Hold{2, 5}}, unread{t})
		require.ErrorIs(t, err, ErrFull)
		if i == 2 {
			return broken
		}
		return nil
	}})
	require.ErrorIs(t, err, broken)
	require.LessOrEqual(t, s.Stats().Evicted, uint64(3))
	require.Zero(t, s.Stats().Held)
	require.Zero(t, s.promised)
	requireSound(t, s)

	a, err := s.AddUpload(t.Context(), Upload{Size: size, Hold: hold}, bytes.NewReader(b))
	require.NoError(t, err)
	require.Equal(t, nameOf(b), a.Name)
	require.Zero(t, s.promised)
	requireSound(t, s)
	// Beside what stays there is no room, whatever the space for uploads.
	require.NoError(t, s.Pin(a.Name))
	require.NoError(t, s.Expire(6))
	_, err = s.AddUpload(t.Context(), Upload{Size: 3 * each, Hold: hold}, unread{t})
	require.ErrorIs(t, err, ErrFull)
	require.Zero(t, s.promised)
	require.Zero(t, s.Stats().Held)
	require.NoError(t, s.Close())
}

// TestAnnouncedUploadsNeedTheDisk: what a disk cannot hold even without what may be evicted is refused before it is read.
func TestAnnouncedUploadsNeedTheDisk(t *testing.T) {
	cfg := testConfig(t.TempDir(), 1<<20)
	cfg.MinFreeBytes, cfg.UploadBytes = 1000, 1<<20
	free := uint64(1000)
	s := mustOpen(t, cfg, &testDisk{free: func() (uint64, error) { return free, nil }})
	_, err := s.AddUpload(t.Context(), Upload{Size: 5000, Hold: Hold{1, 5}}, unread{t})
	require.ErrorIs(t, err, ErrDiskFull)
	require.Zero(t, s.Stats().Held)
	free = 1 << 20
	_, err = s.AddUpload(t.Context(), Upload{Size: 5000, Hold: Hold{1, 5}}, bytes.NewReader(some(1, 5000)))
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// killedUpload is the size of the upload in which a process is killed.
const killedUpload = 3*copySize + 5

// uploadVictim says when it has taken the half of an upload, and waits to be killed.
func uploadVictim(dir string, say func(string, ...any)) error {
	s, err := openOn(uploadConfig(dir), quiet(), osDisk{})
	if err != nil {
		return err
	}
	b := some(1, killedUpload)
	_, err = s.AddUpload(context.Background(), Upload{Size: killedUpload, Hold: Hold{4, 8}}, &steps{parts: [][]byte{b[:2*copySize], b[2*copySize:]}, before: func(i int) error {
		if i == 1 {
			say("half")
			select {}
		}
		return nil
	}})
	return fmt.Errorf("not killed: %w", err)
}

func uploadConfig(dir string) Config {
	cfg := testConfig(dir, diskSize(killedUpload))
	cfg.MaxObjectBytes, cfg.UploadBytes = killedUpload, cfg.MaxBytes
	return cfg
}

// TestKilledUpload: of an upload in which the process is killed nothing stays, and the same upload has room at once.
func TestKilledUpload(t *testing.T) {
	dir := t.TempDir()
	b := some(1, killedUpload)
	for range 2 {
		require.Equal(t, []string{"half"}, runVictim(t, dir, "upload", 1))
		left, err := os.ReadDir(filepath.Join(dir, tempDir))
		require.NoError(t, err)
		require.Len(t, left, 1, "it was killed on the way")
		s := mustOpen(t, uploadConfig(dir), &testDisk{})
		require.False(t, s.Has(nameOf(b)))
		stats := s.Stats()
		require.Zero(t, stats.Objects+stats.Used+stats.Reserved+stats.Held)
		left, err = os.ReadDir(filepath.Join(dir, tempDir))
		require.NoError(t, err)
		require.Empty(t, left)
		require.NoError(t, s.Close())
	}
	s := mustOpen(t, uploadConfig(dir), &testDisk{})
	name := nameOf(b)
	a, err := s.AddUpload(t.Context(), Upload{Name: &name, Size: killedUpload, Hold: Hold{4, 8}}, bytes.NewReader(b))
	require.NoError(t, err)
	require.False(t, a.Existed)
	e, err := s.Lookup(name)
	require.NoError(t, err)
	require.Equal(t, []Hold{{4, 8}}, e.Holds)
	requireSound(t, s)
	require.NoError(t, s.Close())
}

// TestUploadsLeavePlaces: small uploads take no bytes to speak of, but must not take all places of the store.
func TestUploadsLeavePlaces(t *testing.T) {
	cfg := testConfig(t.TempDir(), 1<<20)
	cfg.MaxObjects, cfg.UploadBytes = 10_000, 1<<20
	s := mustOpen(t, cfg, &testDisk{})
	require.Equal(t, []int{5000, 1024}, []int{s.uploads.most, s.uploads.mostEach})
	s.uploads.most, s.uploads.mostEach = 3, 2
	upload := func(seed int, owner uint64) (Added, error) {
		return s.AddUpload(t.Context(), Upload{Size: 1, Hold: Hold{owner, 5}}, bytes.NewReader([]byte{byte(seed)}))
	}
	first, err := upload(1, 1)
	require.NoError(t, err)
	_, err = upload(2, 1)
	require.NoError(t, err)
	for _, size := range []int64{-1, 0, 1} {
		_, err = s.AddUpload(t.Context(), Upload{Size: size, Hold: Hold{1, 5}}, unread{t})
		require.ErrorIs(t, err, ErrAccountQuota)
	}
	_, err = upload(3, 2)
	require.NoError(t, err)
	_, err = s.AddUpload(t.Context(), Upload{Size: 1, Hold: Hold{3, 5}}, unread{t})
	require.ErrorIs(t, err, ErrQuota)
	require.NotErrorIs(t, err, ErrAccountQuota)
	require.ErrorIs(t, s.Keep(first.Name, Hold{4, 5}), ErrQuota)
	require.NoError(t, s.Keep(first.Name, Hold{1, 9}), "to keep for longer takes no place")
	_, err = s.Add(t.Context(), bytes.NewReader([]byte("cached")))
	require.NoError(t, err)
	require.NoError(t, s.Expire(6))
	_, err = upload(4, 1)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// TestUploadOutlivesItsClient: a client that goes away once all of its bytes are here, which it owes for, finds them the next time.
// One that goes away a byte before leaves nothing.
func TestUploadOutlivesItsClient(t *testing.T) {
	for _, size := range []int{1, copySize, 2*copySize + 5} {
		s := mustOpen(t, uploadConfig(t.TempDir()), &testDisk{})
		b := some(1, size)
		name := nameOf(b)
		upload := func(of []byte) error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := s.AddUpload(ctx, Upload{Name: &name, Size: int64(size), Hold: Hold{4, 8}}, io.MultiReader(bytes.NewReader(of), goodbye(cancel)))
			return err
		}
		require.Error(t, upload(b[:size-1]))
		require.Zero(t, s.Stats().Objects+s.Stats().Held)
		require.NoError(t, upload(b))
		e, err := s.Lookup(name)
		require.NoError(t, err)
		require.Equal(t, []Hold{{4, 8}}, e.Holds)
		requireSound(t, s)
		require.NoError(t, s.Close())
	}
}

// goodbye ends the context of an upload where its bytes end, as a client does that goes away.
type goodbye context.CancelFunc

func (g goodbye) Read([]byte) (int, error) {
	g()
	return 0, io.EOF
}
