package session_test

import (
	"context"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/session"
)

// take hands acknowledgements to a session beside a request and returns their statuses.
func take(t *testing.T, s *session.Session, acks ...ack.Signed) (out []session.AckStatus) {
	t.Helper()
	outcomes, err := s.Take(context.Background(), acks)
	require.NoError(t, err)
	for _, o := range outcomes {
		out = append(out, o.Status)
	}
	return out
}

func (w *world) held(lane ack.LaneID) ack.Signed {
	held, _ := w.pool.Held(lane)
	return held
}

// TestTakeVerifiesTheNewest: the first acknowledgement of a lane is stored at once, the next ones wait, and the newest of
// them is what is looked at: one in between with a bad signature does not matter.
func TestTakeVerifiesTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.stop()
		s, c := w.open(11, 0), newClient(11, 0, 5)
		w.fetch(s, meta(1, mib))
		c.finish(meta(1, mib))
		first := c.signed()
		require.Equal(t, []session.AckStatus{session.AckStored}, take(t, s, first))
		for n := range byte(3) {
			w.fetch(s, meta(2+n, mib))
			c.finish(meta(2+n, mib))
			next := c.signed()
			if n == 1 {
				next.Signature[0] ^= 1
			}
			require.Equal(t, []session.AckStatus{session.AckTaken}, take(t, s, next))
		}
		require.Equal(t, first, w.held(c.LaneID()), "nothing was looked at yet")
		require.Equal(t, uint64(3*mib), w.credit(1).UnacknowledgedBytes, "credit does not rise before it is stored")
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, c.signed(), w.held(c.LaneID()))
		require.Zero(t, w.credit(1).UnacknowledgedBytes)
		w.crash()
		require.Equal(t, c.signed(), w.held(c.LaneID()), "what counts for credit is on disk")
	})
}

// TestTakeRefusesTheBadAlone: among sessions whose acknowledgements are verified together, the one with a bad signature
// is not stored, its next one is dealt with before its request, and the others do not notice.
func TestTakeRefusesTheBadAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.stop()
		var sessions []*session.Session
		var clients []*client
		for lane := range uint8(4) {
			s, c := w.open(11, lane), newClient(11, lane, 5)
			for n := range byte(2) {
				w.fetch(s, meta(n, mib))
				c.finish(meta(n, mib))
				next := c.signed()
				if n == 1 && lane == 2 {
					next.Signature[0] ^= 1
				}
				take(t, s, next)
			}
			sessions, clients = append(sessions, s), append(clients, c)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for lane, c := range clients {
			require.Equal(t, lane != 2, w.held(c.LaneID()) == c.signed(), "lane %d", lane)
		}
		bad := clients[2].signed()
		bad.Signature[1] ^= 1
		require.Equal(t, []session.AckStatus{session.AckRefused}, take(t, sessions[2], bad))
		require.Equal(t, []session.AckStatus{session.AckStored}, take(t, sessions[2], clients[2].signed()))
		require.Equal(t, clients[2].signed(), w.held(clients[2].LaneID()))
	})
}

// TestTakeOfAnotherLane: nobody can put an acknowledgement into the place of another's, which he has not signed.
func TestTakeOfAnotherLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.stop()
		victim, c := w.open(11, 0), newClient(11, 0, 5)
		w.fetch(victim, meta(1, mib))
		c.finish(meta(1, mib))
		take(t, victim, c.signed())
		w.fetch(victim, meta(2, mib))
		c.finish(meta(2, mib))
		require.Equal(t, []session.AckStatus{session.AckTaken}, take(t, victim, c.signed()))
		forged := c.signed()
		forged.Bytes += mib
		require.Equal(t, []session.AckStatus{session.AckRefused}, take(t, w.open(21, 0), forged))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, c.signed(), w.held(c.LaneID()))
	})
}

// TestTakenIsLookedAtWhenCreditIsShort: at the limit a request does not wait for the pause, nor is it refused.
func TestTakenIsLookedAtWhenCreditIsShort(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	s, c := w.open(11, 0), newClient(11, 0, 5)
	w.fetch(s, meta(1, mib))
	c.finish(meta(1, mib))
	take(t, s, c.signed())
	w.settle()
	w.fetch(s, meta(2, 16*mib))
	c.finish(meta(2, 16*mib))
	_, err := s.Begin(context.Background(), meta(3, mib))
	require.ErrorIs(t, err, session.ErrCreditExhausted)
	require.Equal(t, []session.AckStatus{session.AckTaken}, take(t, s, c.signed()))
	_, err = s.Begin(context.Background(), meta(3, mib))
	require.ErrorIs(t, err, session.ErrCreditExhausted, "acknowledged is not settled")
	require.Equal(t, c.signed(), w.held(c.LaneID()))
	w.settle()
	w.fetch(s, meta(3, mib))
}

// TestStopStoresWhatWasTaken: a graceful stop loses nothing, a crash only what no answer said to be stored.
func TestStopStoresWhatWasTaken(t *testing.T) {
	for name, end := range map[string]func(*world){"stop": (*world).restart, "crash": (*world).crash} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				defer func() { w.stop() }()
				s, c := w.open(11, 0), newClient(11, 0, 5)
				w.fetch(s, meta(1, mib))
				c.finish(meta(1, mib))
				stored := c.signed()
				take(t, s, stored)
				w.fetch(s, meta(2, mib))
				c.finish(meta(2, mib))
				take(t, s, c.signed())
				end(w)
				if name == "stop" {
					require.Equal(t, c.signed(), w.held(c.LaneID()))
					return
				}
				require.Equal(t, stored, w.held(c.LaneID()))
				require.GreaterOrEqual(t, w.credit(1).UnacknowledgedBytes, uint64(mib), "what is not stored is still owed")
				require.True(t, w.acknowledge(c.signed())[0].Accepted(), "the client sends it again")
			})
		})
	}
}

// TestDoubtPasses: after the worker itself could not store what was taken, a session's acknowledgements are dealt with at once
// until one is stored, and taken as before from then on. A bad signature is not forgotten.
func TestDoubtPasses(t *testing.T) {
	for name, fault := range map[string]func(*fakeChain){
		"of all":  func(c *fakeChain) { c.view.Epoch = 0 },
		"of one":  func(c *fakeChain) { c.view.Prices = map[uint64]ack.Prices{4: prices()} },
		"of mine": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				defer w.stop()
				s, c := w.open(11, 0), newClient(11, 0, 5)
				next := func(n byte) ack.Signed {
					w.fetch(s, meta(n, mib))
					c.finish(meta(n, mib))
					return c.signed()
				}
				take(t, s, next(1))
				lost := next(2)
				if fault == nil {
					lost.Signature[0] ^= 1
				}
				require.Equal(t, []session.AckStatus{session.AckTaken}, take(t, s, lost))
				healthy, _ := w.chain.View()
				if fault != nil {
					w.chain.update(fault)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				w.chain.update(func(c *fakeChain) { c.view = healthy })
				require.NotEqual(t, lost, w.held(c.LaneID()))
				require.Equal(t, []session.AckStatus{session.AckStored}, take(t, s, next(3)), "dealt with at once")
				want := session.AckTaken
				if fault == nil {
					want = session.AckStored
				}
				require.Equal(t, []session.AckStatus{want}, take(t, s, next(4)))
				time.Sleep(time.Second)
				synctest.Wait()
				require.Equal(t, c.signed(), w.held(c.LaneID()))
			})
		})
	}
}

// TestReady: who is at the limit is looked at once more before it is said so.
func TestReady(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	ctx := context.Background()
	s, c := w.open(11, 0), newClient(11, 0, 5)
	require.NoError(t, s.Ready(ctx))
	has, err := s.Spendable(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1_000_000, has.Int64())
	w.fetch(s, meta(1, 16*mib))
	require.ErrorIs(t, s.Ready(ctx), session.ErrCreditExhausted)
	has, err = s.Spendable(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1_000_000-16, has.Int64(), "what is owed is spent")
	c.finish(meta(1, 16*mib))
	take(t, s, c.signed())
	w.settle()
	require.NoError(t, s.Ready(ctx))

	w.fetch(s, meta(2, mib))
	c.finish(meta(2, mib))
	require.Equal(t, []session.AckStatus{session.AckTaken}, take(t, s, c.signed()))
	w.fetch(s, meta(3, 17*mib))
	c.finish(meta(3, 17*mib))
	require.Equal(t, []session.AckStatus{session.AckTaken}, take(t, s, c.signed()))
	require.ErrorIs(t, s.Ready(ctx), session.ErrCreditExhausted)
	require.Equal(t, c.signed(), w.held(c.LaneID()), "what was taken was looked at")

	// A key with little left cannot be billed what the account has.
	w.chain.update(func(c *fakeChain) {
		k := c.keys[12]
		k.Left = big.NewInt(100)
		c.keys[12] = k
	})
	has, err = w.open(12, 0).Spendable(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 100, has.Int64())
	w.chain.update(func(c *fakeChain) {
		c.accounts[2] = chain.Account{ID: 2, Spendable: big.NewInt(0), Payable: big.NewInt(0)}
	})
	_, err = w.m.Open(ctx, w.request(21, 0))
	require.ErrorIs(t, err, session.ErrAccountEmpty)
}
