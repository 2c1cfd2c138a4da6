package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/session"
)

// TestBeginNow: a request begins at once, billed and numbered like any other, if all that it takes is at hand; else nothing has
// happened.
func TestBeginNow(t *testing.T) {
	const kib16 = 16 << 10
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		s, c := w.open(11, 0), newClient(11, 0, 5)
		about := meta(1, kib16)
		refused := func(what string, s *session.Session, m session.Meta, acks ...ack.Signed) {
			t.Helper()
			before := w.credit(1)
			next, err := s.Info()
			require.NoError(t, err)
			_, ok := s.BeginNow(acks, m)
			require.False(t, ok, what)
			after, err := s.Info()
			require.NoError(t, err)
			require.Equal(t, next.NextSequence, after.NextSequence, what)
			require.Equal(t, before, w.credit(1), what)
		}
		// long goes the long way, acknowledges what was finished so far, and makes room.
		long := func() {
			t.Helper()
			w.fetch(s, about)
			c.finish(about)
			require.True(t, w.acknowledge(c.signed())[0].Accepted())
			w.fetch(s, about)
			c.finish(about)
		}
		refused("nothing is held of the lane", s, about)
		w.fetch(s, about)
		c.finish(about)
		refused("nothing is held of the lane yet", s, about)
		require.True(t, w.acknowledge(c.signed())[0].Accepted())
		r, ok := s.BeginNow(nil, about)
		require.True(t, ok, "the claim has changed, and can be computed")
		r.Finish()
		c.finish(about)
		long()

		r, ok = s.BeginNow(nil, about)
		require.True(t, ok)
		require.EqualValues(t, 5, r.Sequence())
		require.EqualValues(t, 5, r.Epoch())
		require.EqualValues(t, 2*kib16, w.credit(1).UnacknowledgedBytes)
		r.Finish()
		c.finish(about)

		// Acknowledgements that come with it are looked at later.
		first := c.signed()
		r, ok = s.BeginNow([]ack.Signed{first}, about)
		require.True(t, ok)
		require.EqualValues(t, 6, r.Sequence())
		r.Finish()
		c.finish(about)
		require.NotEqual(t, first, w.held(c.LaneID()))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, first, w.held(c.LaneID()))
		require.EqualValues(t, kib16, w.credit(1).UnacknowledgedBytes)
		r, ok = s.BeginNow(nil, about)
		require.True(t, ok, "the room is old, and can be computed")
		r.Finish()
		c.finish(about)
		time.Sleep(2 * time.Second)
		refused("the balance is old", s, about)

		// What goes wrong on the way gives the bytes back.
		long()
		sent := w.credit(1).UnacknowledgedBytes
		r, ok = s.BeginNow(nil, about)
		require.True(t, ok)
		r.Release(kib16)
		r.Abort()
		require.Equal(t, sent, w.credit(1).UnacknowledgedBytes)

		long()
		refused("more than an eighth of the credit at once", s, meta(2, 4<<20))
		other := newClient(11, 1, 5)
		refused("an acknowledgement of another lane", s, about, other.signed())
		bad := c.signed()
		bad.WorkerID++
		refused("an acknowledgement for another worker", s, about, bad)
		w.chain.update(func(c *fakeChain) { c.stale = chain.ErrStale })
		refused("the chain is stale", s, about)
		w.chain.update(func(c *fakeChain) { c.stale = nil })
		r, ok = s.BeginNow(nil, about)
		require.True(t, ok, "none of this has changed anything")
		r.Finish()
		w.chain.nextEpoch()
		refused("another epoch", s, about)
		w.stop()
		_, ok = s.BeginNow(nil, about)
		require.False(t, ok)
	})
}

// TestBeginNowRaisesAhead: requests that begin at once do not wait for the disk while the watermark goes up with them, and never pass
// it.
func TestBeginNowRaisesAhead(t *testing.T) {
	const kib16 = 16 << 10
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.stop()
		s, c := w.open(11, 0), newClient(11, 0, 5)
		about := meta(1, kib16)
		w.fetch(s, about)
		c.finish(about)
		require.True(t, w.acknowledge(c.signed())[0].Accepted())
		w.fetch(s, about)
		first := w.pool.Exposure(1, 5)
		for range 200 {
			r, ok := s.BeginNow(nil, about)
			require.True(t, ok)
			r.Finish()
			require.GreaterOrEqual(t, w.pool.Exposure(1, 5), w.credit(1).UnacknowledgedBytes)
			synctest.Wait() // the disk was quick
		}
		require.Greater(t, w.pool.Exposure(1, 5), first+100*kib16)
		// A disk that hangs lets nobody pass the watermark.
		for {
			r, ok := s.BeginNow(nil, about)
			require.LessOrEqual(t, w.credit(1).UnacknowledgedBytes, w.pool.Exposure(1, 5))
			if !ok {
				break
			}
			r.Finish()
		}
	})
}

// TestBeginNowAborted: a request of which nothing was sent leaves no receipt, one of which something was leaves one.
func TestBeginNowAborted(t *testing.T) {
	const kib16 = 16 << 10
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *session.Config) { c.MaxReceipts = 4 })
		defer w.stop()
		s, c := w.open(11, 0), newClient(11, 0, 5)
		about := meta(1, kib16)
		w.fetch(s, about)
		c.finish(about)
		require.True(t, w.acknowledge(c.signed())[0].Accepted())
		w.fetch(s, about)
		for range 8 {
			r, ok := s.BeginNow(nil, about)
			require.True(t, ok)
			r.Release(kib16)
			r.Abort()
		}
		for i := range 4 {
			r, ok := s.BeginNow(nil, about)
			require.Equal(t, i < 3, ok)
			if ok {
				r.Abort()
			}
		}
	})
}

// TestShare: a step may need an eighth of what the whole credit buys.
func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.stop()
		s := w.open(11, 0)
		for range 2 { // computed, and as it was remembered
			share, err := s.Share()
			require.NoError(t, err)
			require.EqualValues(t, 16*mib/8, share)
			w.fetch(s, meta(1, mib))
		}
	})
}
