package lane_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/lane"
)

const chainID = "edge-test-1"

type view struct {
	epoch uint64
	err   error
}

func (v *view) Epoch() (uint64, error) { return v.epoch, v.err }

var errView = errors.New("no view")

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	return key
}

func testID(n uint8) lane.ID {
	return lane.ID{ChainID: chainID, KeyID: 7, WorkerID: 3, Lane: n}
}

func open(t testing.TB, dir string, key ed25519.PrivateKey, v *view) *lane.Lane {
	t.Helper()
	l, err := lane.Open(dir, testID(0), key, v)
	require.NoError(t, err)
	return l
}

// request makes a request of n bytes with a sequence number.
func request(t testing.TB, l *lane.Lane, sequence, n uint64) {
	t.Helper()
	r := l.Begin()
	require.NoError(t, r.Accepted(sequence))
	r.Verified(n)
	r.Finish(ack.Digest{byte(sequence)}, ack.Digest{2})
}

func sign(t testing.TB, l *lane.Lane, want int) []ack.Signed {
	t.Helper()
	list, err := l.Sign()
	require.NoError(t, err)
	require.Len(t, list, want)
	return list
}

func TestSignsExactlyWhatIsVerified(t *testing.T) {
	key, v := newKey(t), &view{epoch: 4}
	l := open(t, t.TempDir(), key, v)
	require.NoError(t, l.Resume(nil, 1))
	sign(t, l, 0)

	request(t, l, 1, 1000)
	a := sign(t, l, 1)[0]
	require.NoError(t, a.Verify(key.Public().(ed25519.PublicKey), ack.HashChainID(chainID)))
	want := ack.NextHead([32]byte{}, ack.Receipt(ack.Digest{1}, ack.Digest{2}, 1000, 0))
	require.Equal(t, ack.Ack{Epoch: 4, KeyID: 7, WorkerID: 3, Requests: 1, Bytes: 1000, Head: want}, a.Ack)
	require.Equal(t, sign(t, l, 1)[0], a, "it is sent until it is confirmed")
	require.EqualValues(t, 1000, l.Unacknowledged())
	l.Confirm([]ack.Signed{a})
	sign(t, l, 0)
	require.Zero(t, l.Unacknowledged())

	r := l.Begin()
	require.NoError(t, r.Accepted(2))
	r.Verified(50)
	require.EqualValues(t, 1050, sign(t, l, 1)[0].Bytes, "a request under way counts as far as it got")
	r.Verified(5)
	r.Abort()
	r.Finish(ack.Digest{}, ack.Digest{})
	a = sign(t, l, 1)[0]
	require.EqualValues(t, 1055, a.Bytes)
	require.EqualValues(t, 1, a.Requests, "an aborted one is in bytes alone")
	require.Equal(t, want, a.Head)
	require.EqualValues(t, 55, r.Bytes())
	require.NoError(t, l.Close())
}

func TestReceiptsEnterInTheOrderOfSequenceNumbers(t *testing.T) {
	key, v := newKey(t), &view{epoch: 4}
	l := open(t, t.TempDir(), key, v)
	require.NoError(t, l.Resume(nil, 10))
	first, second, third := l.Begin(), l.Begin(), l.Begin()
	require.NoError(t, second.Accepted(11))
	second.Verified(2)
	second.Finish(ack.Digest{2}, ack.Digest{})
	require.Zero(t, sign(t, l, 1)[0].Requests, "the first has no number yet and may come before")
	require.NoError(t, third.Accepted(12))
	third.Verified(3)
	require.NoError(t, first.Accepted(10))
	first.Verified(1)
	third.Finish(ack.Digest{3}, ack.Digest{})
	require.Zero(t, sign(t, l, 1)[0].Requests)
	first.Finish(ack.Digest{1}, ack.Digest{})
	a := sign(t, l, 1)[0]
	var head [32]byte
	for i := byte(1); i <= 3; i++ {
		head = ack.NextHead(head, ack.Receipt(ack.Digest{i}, ack.Digest{}, uint64(i), 0))
	}
	require.EqualValues(t, 3, a.Requests)
	require.EqualValues(t, 6, a.Bytes)
	require.Equal(t, head, a.Head)
}

func TestImpossibleSequenceNumbers(t *testing.T) {
	l := open(t, t.TempDir(), newKey(t), &view{epoch: 4})
	require.ErrorIs(t, l.Resume(nil, 0), lane.ErrSequence)
	require.ErrorIs(t, l.Resume(nil, lane.MaxSequence+1), lane.ErrSequence)
	require.NoError(t, l.Resume(nil, 5))
	a := l.Begin()
	for _, n := range []uint64{0, 4, 6, 1 << 63} {
		require.ErrorIs(t, a.Accepted(n), lane.ErrSequence)
	}
	b := l.Begin()
	require.NoError(t, a.Accepted(6), "b may have been first")
	require.ErrorIs(t, b.Accepted(6), lane.ErrSequence, "given before")
	a.Finish(ack.Digest{}, ack.Digest{})
	a.Abort()
	require.ErrorIs(t, b.Accepted(6), lane.ErrSequence, "given before, and over")
	c := l.Begin()
	require.ErrorIs(t, c.Accepted(5), lane.ErrSequence, "sent after 6 was given")
	require.NoError(t, b.Accepted(5))
	require.ErrorIs(t, b.Accepted(5), lane.ErrSequence, "has one")
	require.NoError(t, c.Accepted(7))
}

func TestEpochChange(t *testing.T) {
	key, v := newKey(t), &view{epoch: 4}
	l := open(t, t.TempDir(), key, v)
	require.NoError(t, l.Resume(nil, 1))
	request(t, l, 1, 100)
	old := sign(t, l, 1)
	l.Confirm(old)
	request(t, l, 2, 30)
	r := l.Begin()
	require.NoError(t, r.Accepted(3))
	r.Verified(7)

	v.epoch = 5
	list := sign(t, l, 2)
	require.Equal(t, old[0], list[0], "the last one of the old epoch travels before the first of the new")
	first := list[1]
	require.EqualValues(t, 5, first.Epoch)
	require.EqualValues(t, 37, first.Bytes, "what the old one does not cover")
	require.EqualValues(t, 1, first.Requests)
	require.Equal(t, ack.NextHead([32]byte{}, ack.Receipt(ack.Digest{2}, ack.Digest{2}, 30, 0)), first.Head)
	l.Confirm(list)
	sign(t, l, 0)
	r.Verified(3)
	r.Finish(ack.Digest{3}, ack.Digest{2})
	a := sign(t, l, 1)[0]
	require.EqualValues(t, 40, a.Bytes)
	require.EqualValues(t, 2, a.Requests)
	require.Equal(t, ack.NextHead(first.Head, ack.Receipt(ack.Digest{3}, ack.Digest{2}, 10, 0)), a.Head, "the receipt has all of the request's bytes")

	v.epoch = 7
	request(t, l, 4, 1)
	list = sign(t, l, 1)
	require.EqualValues(t, 7, list[0].Epoch, "one of epoch 5 would be dead")
	require.EqualValues(t, 1, list[0].Bytes)

	v.epoch = 6
	_, err := l.Sign()
	require.ErrorIs(t, err, lane.ErrEpochBackwards)
	v.epoch = 0
	_, err = l.Sign()
	require.ErrorIs(t, err, lane.ErrEpochBackwards)
	v.err = errView
	_, err = l.Sign()
	require.ErrorIs(t, err, errView, "no signature without a view")
}

func TestAbandonsOldEpochOnly(t *testing.T) {
	l := open(t, t.TempDir(), newKey(t), &view{epoch: 4})
	v := &view{epoch: 4}
	require.NoError(t, l.Close())
	l = open(t, t.TempDir(), newKey(t), v)
	require.NoError(t, l.Resume(nil, 1))
	request(t, l, 1, 10)
	sign(t, l, 1)
	v.epoch = 5
	request(t, l, 2, 10)
	list := sign(t, l, 2)
	l.Abandon(&list[1].Ack)
	sign(t, l, 2)
	l.Abandon(&list[0].Ack)
	require.Equal(t, list[1:], sign(t, l, 1))
}

func TestResume(t *testing.T) {
	key, v := newKey(t), &view{epoch: 4}
	dir := t.TempDir()
	l := open(t, dir, key, v)
	require.NoError(t, l.Resume(nil, 1))
	request(t, l, 1, 100)
	one := sign(t, l, 1)
	request(t, l, 2, 100)
	two := sign(t, l, 1)
	require.NoError(t, l.Close())

	t.Run("the worker holds an older one", func(t *testing.T) {
		l := open(t, dir, key, v)
		defer l.Close()
		require.NoError(t, l.Resume(one, 1))
		require.Equal(t, two, sign(t, l, 1))
	})
	t.Run("the worker holds the newest", func(t *testing.T) {
		l := open(t, dir, key, v)
		defer l.Close()
		require.NoError(t, l.Resume(two, 1))
		sign(t, l, 0)
	})
	t.Run("the worker holds none", func(t *testing.T) {
		l := open(t, dir, key, v)
		defer l.Close()
		require.NoError(t, l.Resume(nil, 1))
		require.Equal(t, two, sign(t, l, 1))
	})
	t.Run("the state is lost", func(t *testing.T) {
		l := open(t, t.TempDir(), key, v)
		defer l.Close()
		require.NoError(t, l.Resume(two, 9))
		sign(t, l, 0)
		request(t, l, 9, 11)
		a := sign(t, l, 1)[0]
		require.EqualValues(t, 211, a.Bytes)
		require.EqualValues(t, 3, a.Requests)
		require.Equal(t, ack.NextHead(two[0].Head, ack.Receipt(ack.Digest{9}, ack.Digest{2}, 11, 0)), a.Head)
	})
	t.Run("the state is lost and the epoch has changed", func(t *testing.T) {
		l := open(t, t.TempDir(), key, &view{epoch: 5})
		defer l.Close()
		require.NoError(t, l.Resume(two, 1))
		request(t, l, 1, 11)
		list := sign(t, l, 2)
		require.Equal(t, two[0], list[0])
		require.EqualValues(t, 11, list[1].Bytes)
	})
	t.Run("two heads", func(t *testing.T) {
		dir := t.TempDir()
		l := open(t, dir, key, v)
		require.NoError(t, l.Resume(nil, 1))
		r := l.Begin()
		require.NoError(t, r.Accepted(1))
		r.Verified(500)
		r.Finish(ack.Digest{77}, ack.Digest{})
		sign(t, l, 1)
		require.ErrorIs(t, l.Resume(one, 1), lane.ErrClosed, "as many requests, another head")
		require.ErrorIs(t, l.Usable(), lane.ErrClosed)
		require.ErrorIs(t, l.Resume(two, 1), lane.ErrClosed, "more requests, fewer bytes")
		require.NoError(t, l.Close())
		next, err := lane.OpenAny(dir, testID(0), 0, key, v)
		require.NoError(t, err)
		require.EqualValues(t, 1, next.ID().Lane)
		require.NoError(t, next.Close())
		next, err = lane.OpenAny(dir, testID(0), 0, key, &view{epoch: 5})
		require.NoError(t, err)
		require.Zero(t, next.ID().Lane, "closed for an epoch only")
		require.NoError(t, next.Close())
	})
}

func TestResumeRefusesWhatIsNotOurs(t *testing.T) {
	key, v := newKey(t), &view{epoch: 4}
	l := open(t, t.TempDir(), key, v)
	hash := ack.HashChainID(chainID)
	good := ack.Ack{Epoch: 4, KeyID: 7, WorkerID: 3, Requests: 1, Bytes: 10, Head: [32]byte{1}}
	with := func(f func(*ack.Ack)) ack.Signed {
		a := good
		f(&a)
		return ack.Sign(key, hash, &a)
	}
	tampered := ack.Sign(key, hash, &good)
	tampered.Bytes++
	before := with(func(a *ack.Ack) { a.Epoch = 3 })
	same := with(func(*ack.Ack) {})
	for name, c := range map[string]struct {
		list []ack.Signed
		want error
	}{
		"signature":    {[]ack.Signed{tampered}, lane.ErrForeign},
		"another key":  {[]ack.Signed{ack.Sign(newKey(t), hash, &good)}, lane.ErrForeign},
		"chain":        {[]ack.Signed{ack.Sign(key, ack.HashChainID("edge-2"), &good)}, lane.ErrForeign},
		"key id":       {[]ack.Signed{with(func(a *ack.Ack) { a.KeyID = 8 })}, lane.ErrForeign},
		"worker":       {[]ack.Signed{with(func(a *ack.Ack) { a.WorkerID = 8 })}, lane.ErrForeign},
		"service":      {[]ack.Signed{with(func(a *ack.Ack) { a.ServiceID = 8 })}, lane.ErrForeign},
		"lane":         {[]ack.Signed{with(func(a *ack.Ack) { a.Lane = 8 })}, lane.ErrForeign},
		"future epoch": {[]ack.Signed{with(func(a *ack.Ack) { a.Epoch = 5 })}, lane.ErrFutureEpoch},
		"order":        {[]ack.Signed{same, before}, lane.ErrForeign},
		"twice":        {[]ack.Signed{same, same}, lane.ErrForeign},
		"too many":     {[]ack.Signed{before, same, same}, lane.ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, l.Resume(c.list, 1), c.want)
			_, counters := l.Totals()
			require.Zero(t, counters.Bytes, "nothing is taken over")
		})
	}
	require.NoError(t, l.Resume([]ack.Signed{before, same}, 1))
}

func TestLock(t *testing.T) {
	key, v, dir := newKey(t), &view{epoch: 4}, t.TempDir()
	var held []*lane.Lane
	for n := range uint8(ack.MaxLanes) {
		l, err := lane.OpenAny(dir, testID(0), 0, key, v)
		require.NoError(t, err)
		require.Equal(t, n, l.ID().Lane, "the first that is free")
		held = append(held, l)
	}
	_, err := lane.OpenAny(dir, testID(0), 0, key, v)
	require.ErrorIs(t, err, lane.ErrBusy)
	_, err = lane.Open(dir, testID(3), key, v)
	require.ErrorIs(t, err, lane.ErrBusy)
	require.NoError(t, held[3].Close())
	l, err := lane.Open(dir, testID(3), key, v)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	for i, l := range held {
		if i != 3 {
			require.NoError(t, l.Close())
		}
	}
}

func TestOpenRefusesImpossibleLanes(t *testing.T) {
	key, v := newKey(t), &view{epoch: 4}
	for _, id := range []lane.ID{
		{ChainID: chainID, KeyID: 7, WorkerID: 3, Lane: ack.MaxLanes},
		{ChainID: chainID, WorkerID: 3},
		{ChainID: chainID, KeyID: 7},
		{KeyID: 7, WorkerID: 3},
	} {
		_, err := lane.Open(t.TempDir(), id, key, v)
		require.ErrorIs(t, err, lane.ErrState)
	}
	_, err := lane.Open(t.TempDir(), testID(0), key[:5], v)
	require.ErrorIs(t, err, lane.ErrState)
	dir := t.TempDir()
	id := testID(0)
	id.ChainID = "../../etc"
	l, err := lane.Open(dir, id, key, v)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "a chain id cannot leave the folder")
}

// TestDamagedState cuts the state file at many places. The lane then starts from what is right or from
// nothing, and never signs less than before once the worker has told what it holds.
func TestDamagedState(t *testing.T) {
	key, v, dir := newKey(t), &view{epoch: 4}, t.TempDir()
	l := open(t, dir, key, v)
	require.NoError(t, l.Resume(nil, 1))
	request(t, l, 1, 100)
	sign(t, l, 1)
	v.epoch = 5
	request(t, l, 2, 23)
	newest := sign(t, l, 2)
	request(t, l, 3, 7)
	require.NoError(t, l.Close())
	path := filepath.Join(dir, chainID, "key-7", "worker-3-service-0-lane-0.json")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, json.Valid(whole))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	l = open(t, dir, key, v)
	_, c := l.Totals()
	require.EqualValues(t, 30, c.Bytes, "what was verified and not signed for survives an orderly end")
	require.EqualValues(t, 2, c.Requests)
	require.NoError(t, l.Close())

	check := func(b []byte) {
		require.NoError(t, os.WriteFile(path, b, 0o600))
		l := open(t, dir, key, v)
		if err := l.Resume(newest, 1); err != nil {
			require.ErrorIs(t, err, lane.ErrEpochBackwards, "the file may name a later epoch")
		} else {
			_, c := l.Totals()
			require.GreaterOrEqual(t, c.Bytes, uint64(23))
			list, err := l.Sign()
			require.NoError(t, err)
			for _, a := range list {
				require.LessOrEqual(t, a.Bytes, uint64(100))
			}
		}
		require.NoError(t, l.Close())
	}
	step := 5
	if testing.Short() {
		step = 37
	}
	for i := 0; i < len(whole); i += step {
		check(whole[:i])
	}
	big := make([]byte, 2<<20)
	check(big)
}

func TestStateOfAnotherKeyIsSetAside(t *testing.T) {
	v, dir := &view{epoch: 4}, t.TempDir()
	l := open(t, dir, newKey(t), v)
	require.NoError(t, l.Resume(nil, 1))
	request(t, l, 1, 100)
	sign(t, l, 1)
	require.NoError(t, l.Close())
	l = open(t, dir, newKey(t), &view{epoch: 1})
	sign(t, l, 0)
	_, c := l.Totals()
	require.Zero(t, c.Bytes)
	require.NoError(t, l.Close())
}

func TestExhausted(t *testing.T) {
	l := open(t, t.TempDir(), newKey(t), &view{epoch: 4})
	require.NoError(t, l.Resume(nil, 1))
	r := l.Begin()
	require.NoError(t, r.Accepted(1))
	r.Verified(ack.MaxBytes + 1)
	_, err := l.Sign()
	require.ErrorIs(t, err, lane.ErrExhausted)
}
