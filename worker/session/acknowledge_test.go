package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/session"
)

func TestAcknowledgeRefusesAlone(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	k := w.chain.keys[13]
	k.LastEpoch = 4
	w.chain.keys[13] = k
	w.open(11, 15)
	w.open(21, 15)
	good := newClient(11, 0, 5)
	good.Bytes = 7 * mib
	acks := []ack.Signed{good.signed()}
	want := []string{""}
	add := func(reason string, change func(*client), spoil func(*ack.Signed)) {
		c := newClient(11, uint8(len(acks)), 5)
		c.Bytes = mib
		if change != nil {
			change(c)
		}
		s := c.signed()
		if spoil != nil {
			spoil(&s)
		}
		acks, want = append(acks, s), append(want, reason)
	}
	add(session.ReasonBadSignature, nil, func(s *ack.Signed) { s.Signature[3] ^= 1 })
	add(session.ReasonBadSignature, nil, func(s *ack.Signed) { s.Bytes++ })
	add(session.ReasonBadSignature, nil, func(s *ack.Signed) {
		*s = ack.Sign(secret(11), ack.HashChainID("edge-other-1"), &s.Ack)
	})
	add(session.ReasonBadSignature, nil, func(s *ack.Signed) { *s = ack.Sign(secret(12), ack.HashChainID(chainID), &s.Ack) })
	add(session.ReasonOutOfRange, nil, func(s *ack.Signed) { s.Lane = 16 })
	add(session.ReasonWrongWorker, func(c *client) { c.WorkerID = 2 }, nil)
	add(session.ReasonEpochDead, func(c *client) { c.Epoch = 3 }, nil)
	add(session.ReasonEpochAhead, func(c *client) { c.Epoch = 6 }, nil)
	add(session.ReasonUnknownService, func(c *client) { c.ServiceID = 1 }, nil)
	add(session.ReasonUnknownKey, func(c *client) { c.KeyID = 99 }, nil)
	add(session.ReasonKeyExpired, func(c *client) { c.KeyID = 13 }, nil)
	add("", func(c *client) { c.KeyID = 21 }, nil)
	out := w.acknowledge(acks...)
	for i := range acks {
		require.Equal(t, want[i], out[i].Reason, "acknowledgement %d", i)
		require.Equal(t, want[i] == "", out[i].Accepted(), "acknowledgement %d", i)
	}
	require.Equal(t, 2, w.pool.Len())

	// Of a session only keys of its account are taken.
	foreign := newClient(21, 5, 5)
	foreign.Bytes = mib
	sameKey := newClient(21, 12, 5) // held of account 2 already
	s := w.open(11, 0)
	got, err := s.Acknowledge(context.Background(), []ack.Signed{foreign.signed(), sameKey.signed()})
	require.NoError(t, err)
	require.Equal(t, session.ReasonForeignKey, got[0].Reason)
	require.Equal(t, session.ReasonForeignKey, got[1].Reason)
}

func TestSupersededIsNotVerified(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	c := newClient(11, 0, 5)
	c.Bytes = 5 * mib
	w.acknowledge(c.signed())
	old := newClient(11, 0, 5)
	old.Bytes = 4 * mib
	lookups := w.chain.lookups
	require.Equal(t, session.AckSuperseded, w.acknowledge(old.signed())[0].Status)
	require.Equal(t, session.AckSuperseded, w.acknowledge(c.signed())[0].Status)
	require.Equal(t, lookups, w.chain.lookups, "not even its key is asked for")
	e, _ := w.pool.Newest(c.LaneID())
	require.Equal(t, uint64(5*mib), e.Signed.Bytes)

	// An older one behind a newer one in the same call.
	c.Bytes++
	newer := c.signed()
	c.Bytes += 10
	newest := c.signed()
	out := w.acknowledge(newest, newer)
	require.Equal(t, session.AckStored, out[0].Status)
	require.Equal(t, session.AckSuperseded, out[1].Status)
}

func TestAcknowledgeWhileStale(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	s := w.open(11, 0)
	w.fetch(s, meta(1, mib))
	w.chain.update(func(c *fakeChain) { c.stale, c.keyErr = errors.New("down"), errors.New("down") })
	c := newClient(11, 0, 5)
	c.finish(meta(1, mib))
	other := newClient(12, 0, 5)
	other.Bytes = 1
	out := w.acknowledge(c.signed(), other.signed())
	require.True(t, out[0].Accepted(), "of the key of an open session")
	require.Equal(t, session.ReasonUnavailable, out[1].Reason)
	_, err := s.Begin(context.Background(), meta(2, 1))
	require.ErrorIs(t, err, session.ErrChainStale)
}

func TestHeadMismatchClosesTheLane(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	ctx := context.Background()
	s, c := w.open(11, 0), newClient(11, 0, 5)
	w.fetch(s, meta(1, mib))
	c.finish(meta(9, mib)) // not what was served
	out := w.acknowledge(c.signed())
	require.Equal(t, session.AckOutcome{Status: session.AckStored, LaneClosed: true, AccountID: 1}, out[0])
	require.Equal(t, uint64(0), w.credit(1).UnacknowledgedBytes, "the money does not depend on the head")
	_, err := s.Begin(ctx, meta(2, mib))
	require.ErrorIs(t, err, session.ErrLaneClosed)
	_, err = w.m.Open(ctx, w.request(11, 0))
	require.ErrorIs(t, err, session.ErrLaneClosed)
	w.fetch(w.open(11, 1), meta(2, mib))
	w.chain.nextEpoch()
	w.fetch(w.open(11, 0), meta(2, mib)) // the lane is usable again in the next epoch
}

func TestContradictingHeadsCloseTheLane(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	s, c := w.open(11, 0), newClient(11, 0, 5)
	w.fetch(s, meta(1, mib))
	c.finish(meta(1, mib))
	require.False(t, w.acknowledge(c.signed())[0].LaneClosed)
	c.Head[0] ^= 1
	out := w.acknowledge(c.signed())[0]
	require.Equal(t, session.AckSuperseded, out.Status)
	require.True(t, out.LaneClosed)
	forged := c.signed()
	forged.Lane, forged.Head[1] = 1, 7
	require.False(t, w.acknowledge(forged)[0].Accepted())
}

func TestFewerRequestsForMoreBytesCloseTheLane(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	s, c := w.open(11, 0), newClient(11, 0, 5)
	w.fetch(s, meta(1, mib))
	c.finish(meta(1, mib))
	w.acknowledge(c.signed())
	lost := newClient(11, 0, 5)
	lost.Bytes = 2 * mib
	out := w.acknowledge(lost.signed())[0]
	require.Equal(t, session.AckStored, out.Status, "the higher value is kept")
	require.True(t, out.LaneClosed)
}

func TestHeadsInSequenceOrder(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	ctx := context.Background()
	s, c := w.open(11, 0), newClient(11, 0, 5)
	a, err := s.Begin(ctx, meta(1, mib))
	require.NoError(t, err)
	b, err := s.Begin(ctx, meta(2, mib))
	require.NoError(t, err)
	aborted, err := s.Begin(ctx, meta(3, mib))
	require.NoError(t, err)
	require.Equal(t, []uint64{1, 2, 3}, []uint64{a.Sequence(), b.Sequence(), aborted.Sequence()})
	require.NoError(t, b.Reserve(ctx, mib))
	b.Finish()
	require.NoError(t, aborted.Reserve(ctx, mib/2))
	aborted.Abort()
	c.Bytes = mib
	require.False(t, w.acknowledge(c.signed())[0].LaneClosed, "the second waits for the first")
	require.NoError(t, a.Reserve(ctx, mib))
	c.Bytes = 0
	c.finish(meta(1, mib))
	c.finish(meta(2, mib)) // acknowledged before the worker has noticed that it sent all
	require.False(t, w.acknowledge(c.signed())[0].LaneClosed)
	a.Finish()
	w.fetch(s, meta(4, mib))
	c.Bytes += mib / 2
	c.finish(meta(4, mib))
	require.False(t, w.acknowledge(c.signed())[0].LaneClosed, "the aborted one counts in bytes alone")
	require.Equal(t, uint64(0), w.credit(1).UnacknowledgedBytes)
}

func TestClientThatLostItsState(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	s, c := w.open(11, 0), newClient(11, 0, 5)
	w.fetch(s, meta(1, mib))
	c.finish(meta(1, mib))
	w.acknowledge(c.signed())
	w.fetch(s, meta(2, mib)) // and never acknowledged
	s = w.open(11, 0)
	info, err := s.Info()
	require.NoError(t, err)
	again := &client{info.Acknowledgements[0].Ack}
	w.fetch(s, meta(3, mib))
	again.finish(meta(3, mib))
	require.False(t, w.acknowledge(again.signed())[0].LaneClosed)
	require.Equal(t, uint64(mib), w.credit(1).UnacknowledgedBytes, "what it lost stays claimed")
}

func TestRestartAdoptsTheClientsHead(t *testing.T) {
	w := newWorld(t, nil)
	defer func() { w.stop() }()
	s, c := w.open(11, 0), newClient(11, 0, 5)
	w.fetch(s, meta(1, mib))
	c.finish(meta(1, mib))
	w.acknowledge(c.signed())
	w.fetch(s, meta(2, mib))
	c.finish(meta(2, mib))
	w.crash()

	s = w.open(11, 0)
	w.fetch(s, meta(3, mib))
	c.finish(meta(3, mib))
	require.False(t, w.acknowledge(c.signed())[0].LaneClosed, "what was finished before the restart is not known")
	w.fetch(s, meta(4, mib))
	c.finish(meta(4, mib))
	require.False(t, w.acknowledge(c.signed())[0].LaneClosed)
	w.fetch(s, meta(5, mib))
	c.finish(meta(6, mib))
	require.True(t, w.acknowledge(c.signed())[0].LaneClosed, "but only once")
}

func TestConcurrentAcknowledgements(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	ctx := context.Background()
	var wg sync.WaitGroup
	for lane := range uint8(8) {
		s := w.open(11, lane)
		r, err := s.Begin(ctx, meta(1, mib))
		require.NoError(t, err)
		require.NoError(t, r.Reserve(ctx, mib))
		for from := range uint64(2) {
			wg.Go(func() {
				for n := from + 1; n <= 16; n++ {
					c := newClient(11, lane, 5)
					c.Bytes = n * mib / 16
					if out, err := s.Acknowledge(ctx, []ack.Signed{c.signed()}); err != nil || !out[0].Accepted() {
						t.Error(out, err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	require.Equal(t, session.Credit{Limit: w.credit(1).Limit, Claim: w.credit(1).Claim}, w.credit(1))
	require.Equal(t, int64(8), w.credit(1).Claim.Int64())
	require.NoError(t, w.pool.Ledger().Total.Check())
}
