package lane_test

import (
	"crypto/ed25519"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/lane"
)

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// journals are the files of journals below a folder.
func journals(t *testing.T, dir string) (paths []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".journal") {
			paths = append(paths, path)
		}
		return err
	}))
	return paths
}

// requireEvidence reads a lane and expects that what it lists leads to the head and is part of what was acknowledged.
func requireEvidence(t require.TestingT, dir string, key ed25519.PrivateKey) []lane.Held {
	list, err := lane.Read(dir, testID(0), publicOf(key))
	require.NoError(t, err)
	for _, h := range list {
		if !h.Whole {
			require.Empty(t, h.Requests)
			continue
		}
		require.Len(t, h.Requests, int(h.Signed.Requests))
		var head [ack.HeadSize]byte
		var bytes uint64
		for i := range h.Requests {
			head = ack.NextHead(head, h.Requests[i].Receipt())
			bytes += h.Requests[i].Bytes - h.Requests[i].Earlier
		}
		require.Equal(t, h.Signed.Head, head)
		require.LessOrEqual(t, bytes, h.Signed.Bytes)
	}
	return list
}

func TestReadListsFinishedRequests(t *testing.T) {
	dir, key, v := t.TempDir(), newKey(t), &view{epoch: 4}
	_, err := lane.Read(dir, testID(0), publicOf(key))
	require.ErrorIs(t, err, fs.ErrNotExist)
	l := open(t, dir, key, v)
	require.NoError(t, l.Resume(nil, 1))
	r := l.Begin()
	require.NoError(t, r.Accepted(1))
	r.Verified(20_000)
	name := ack.Digest{7}
	r.FinishContent(name, 5, 19_000)
	request(t, l, 2, 30)
	broken := l.Begin()
	require.NoError(t, broken.Accepted(3))
	broken.Verified(9)
	broken.Abort()
	a := sign(t, l, 1)[0]

	want := []lane.Finished{
		{Request: ack.ContentRequestDigest(name, 5, 19_000), Response: name, Bytes: 20_000, Content: true, Offset: 5, Length: 19_000},
		{Request: ack.Digest{2}, Response: ack.Digest{2}, Bytes: 30},
	}
	list := requireEvidence(t, dir, key)
	require.Equal(t, []lane.Held{{Signed: a, Requests: want, Whole: true}}, list, "while the lane is in use")
	require.NoError(t, l.Close())

	// What is counted and not signed is on disk, and not part of what an acknowledgement lists.
	l = open(t, dir, key, v)
	require.NoError(t, l.Resume([]ack.Signed{a}, 1))
	request(t, l, 1, 40)
	require.NoError(t, l.Close())
	require.Equal(t, list, requireEvidence(t, dir, key))
	l = open(t, dir, key, v)
	sign(t, l, 1)
	require.NoError(t, l.Close())
	list = requireEvidence(t, dir, key)
	require.Equal(t, append(want, lane.Finished{Request: ack.Digest{1}, Response: ack.Digest{2}, Bytes: 40}), list[0].Requests)

	other := testID(3)
	other.ServiceID, other.WorkerID = 9, 20
	l, err = lane.Open(dir, other, key, v)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	ids, err := lane.List(dir, chainID, 7)
	require.NoError(t, err)
	require.Equal(t, []lane.ID{testID(0), other}, ids)
	ids, err = lane.List(dir, chainID, 8)
	require.NoError(t, err)
	require.Empty(t, ids)
	_, err = lane.Read(dir, testID(0), publicOf(newKey(t)))
	require.ErrorIs(t, err, lane.ErrState, "another key")
}

func TestRequestsOverAnEpochChange(t *testing.T) {
	dir, key, v := t.TempDir(), newKey(t), &view{epoch: 4}
	l := open(t, dir, key, v)
	require.NoError(t, l.Resume(nil, 1))
	long := l.Begin()
	require.NoError(t, long.Accepted(1))
	long.Verified(900)
	old := sign(t, l, 1)
	l.Confirm(old)
	long.Verified(50)
	long.Finish(ack.Digest{1}, ack.Digest{})
	v.epoch = 5
	list := sign(t, l, 2)
	require.EqualValues(t, 50, list[1].Bytes)
	held := requireEvidence(t, dir, key)
	require.Len(t, held, 2)
	require.True(t, held[0].Whole)
	require.Empty(t, held[0].Requests, "none had finished")
	require.Equal(t, []lane.Finished{{Request: ack.Digest{1}, Bytes: 950, Earlier: 900}}, held[1].Requests)
	l.Confirm(list)

	// A request that is under way over two changes.
	longer := l.Begin()
	require.NoError(t, longer.Accepted(2))
	longer.Verified(10)
	l.Confirm(sign(t, l, 1))
	v.epoch = 6
	longer.Verified(20)
	l.Confirm(sign(t, l, 2))
	v.epoch = 7
	longer.Verified(3)
	longer.Finish(ack.Digest{2}, ack.Digest{})
	sign(t, l, 2)
	held = requireEvidence(t, dir, key)
	require.Equal(t, []lane.Finished{{Request: ack.Digest{2}, Bytes: 33, Earlier: 30}}, held[1].Requests)
	require.Len(t, journals(t, dir), 1, "epoch 6 had no finished request, and those before are over")

	// A lane that rests is read as it was left, and its journals go when another lane finds them long dead.
	require.NoError(t, l.Close())
	for _, c := range []struct {
		epoch uint64
		want  int
	}{{8, 1}, {14, 1}, {15, 0}} {
		v.epoch = c.epoch
		other, err := lane.Open(dir, testID(1), key, v)
		require.NoError(t, err)
		_, err = other.Sign()
		require.NoError(t, err)
		require.NoError(t, other.Close())
		require.Len(t, journals(t, dir), c.want, "epoch %d", c.epoch)
	}
	held = requireEvidence(t, dir, key)
	require.False(t, held[1].Whole)
}

// TestJournalCutAnywhere cuts the journal at every byte, and flips one in every record: the lane goes on, and lists either
// what leads to the head or nothing.
func TestJournalCutAnywhere(t *testing.T) {
	dir, key, v := t.TempDir(), newKey(t), &view{epoch: 4}
	l := open(t, dir, key, v)
	require.NoError(t, l.Resume(nil, 1))
	for i := uint64(1); i <= 3; i++ {
		request(t, l, i, i)
	}
	a := sign(t, l, 1)[0]
	require.NoError(t, l.Close())
	paths := journals(t, dir)
	require.Len(t, paths, 1)
	whole, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	try := func(b []byte, want bool) {
		require.NoError(t, os.WriteFile(paths[0], b, 0o600))
		list := requireEvidence(t, dir, key)
		require.Equal(t, want, list[0].Whole)
		l := open(t, dir, key, v)
		require.NoError(t, l.Resume([]ack.Signed{a}, 1))
		request(t, l, 1, 5)
		next := sign(t, l, 1)[0]
		require.EqualValues(t, 4, next.Requests, "paying does not rest on the journal")
		list = requireEvidence(t, dir, key)
		require.Equal(t, want, list[0].Whole)
		if want {
			require.Len(t, list[0].Requests, 4)
		}
		require.NoError(t, l.Close())
	}
	state, err := os.ReadFile(strings.TrimSuffix(paths[0], ".epoch-4.journal") + ".json")
	require.NoError(t, err)
	restore := func() {
		require.NoError(t, os.WriteFile(strings.TrimSuffix(paths[0], ".epoch-4.journal")+".json", state, 0o600))
	}
	for cut := 0; cut < len(whole); cut += 5 {
		try(whole[:cut], false)
		restore()
	}
	for at := 3; at < len(whole); at += 29 {
		b := append([]byte(nil), whole...)
		b[at] ^= 1
		try(b, false)
		restore()
	}
	// A record behind those that the state counts is of a crash before the state was written.
	try(append(append([]byte(nil), whole...), whole[:77]...), true)
	restore()
	try(whole, true)
}

func TestNoListWithoutAllRequests(t *testing.T) {
	dir, key, v := t.TempDir(), newKey(t), &view{epoch: 4}
	l := open(t, dir, key, v)
	require.NoError(t, l.Resume(nil, 1))
	request(t, l, 1, 10)
	a := sign(t, l, 1)[0]
	require.NoError(t, l.Close())
	require.NoError(t, os.RemoveAll(dir))

	// The client lost its state: the requests of the worker's acknowledgement are not known.
	l = open(t, dir, key, v)
	require.NoError(t, l.Resume([]ack.Signed{a}, 1))
	request(t, l, 1, 20)
	sign(t, l, 1)
	require.False(t, requireEvidence(t, dir, key)[0].Whole)
	require.Empty(t, journals(t, dir))

	// The next epoch begins anew.
	v.epoch = 5
	request(t, l, 2, 30)
	sign(t, l, 2)
	list := requireEvidence(t, dir, key)
	require.False(t, list[0].Whole)
	require.True(t, list[1].Whole)
	require.Len(t, list[1].Requests, 1)

	// A lane with more requests than are kept goes on without a list.
	for i := uint64(3); i <= lane.MaxFinished+2; i++ {
		request(t, l, i, 1)
	}
	a = sign(t, l, 2)[1]
	require.EqualValues(t, lane.MaxFinished+1, a.Requests)
	require.False(t, requireEvidence(t, dir, key)[1].Whole)
	require.Empty(t, journals(t, dir))
	v.epoch = 6
	request(t, l, lane.MaxFinished+3, 1)
	sign(t, l, 2)
	require.True(t, requireEvidence(t, dir, key)[1].Whole)
	require.NoError(t, l.Close())
}

// TestStateOfAnOlderVersion: a lane whose state has requests and whose journal was never written goes on.
func TestStateOfAnOlderVersion(t *testing.T) {
	dir, key, v := t.TempDir(), newKey(t), &view{epoch: 4}
	l := open(t, dir, key, v)
	require.NoError(t, l.Resume(nil, 1))
	request(t, l, 1, 10)
	require.NoError(t, l.Close()) // counted, not signed
	for _, path := range journals(t, dir) {
		require.NoError(t, os.Remove(path))
	}
	l = open(t, dir, key, v)
	require.NoError(t, l.Resume(nil, 2))
	request(t, l, 2, 20)
	require.EqualValues(t, 2, sign(t, l, 1)[0].Requests)
	require.False(t, requireEvidence(t, dir, key)[0].Whole)
	require.NoError(t, l.Close())
}
