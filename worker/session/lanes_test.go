package session_test

import (
	"context"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/session"
)

// TestLanesForNothing: neither opened sessions nor acknowledgements of nothing take a place in the pool.
func TestLanesForNothing(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	var s *session.Session
	for lane := range uint8(16) {
		s = w.open(11, lane)
		c := newClient(11, lane, 5)
		require.Equal(t, session.ReasonNotServed, w.acknowledge(c.signed())[0].Reason)
		c.Bytes = 1
		require.Equal(t, session.ReasonNotServed, w.acknowledge(c.signed())[0].Reason, "worth nothing, and nothing was sent")
	}
	m, c := meta(1, 16<<10), newClient(11, 15, 5)
	w.fetch(s, m)
	require.Equal(t, session.ReasonNotServed, w.acknowledge(c.signed())[0].Reason, "it says nothing of what was sent")
	c.finish(m)
	require.True(t, w.acknowledge(c.signed())[0].Accepted(), "worth less than the smallest unit, and sent")
	require.Equal(t, 1, w.pool.AccountLanes(1))
}

// TestLanesOfASpentKey: a key that has nothing left in an epoch takes no place for what it signs in it.
func TestLanesOfASpentKey(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	s, m := w.open(11, 1), meta(1, mib)
	w.fetch(s, m)
	w.chain.update(func(c *fakeChain) {
		for _, id := range []uint64{11, 12} {
			k := c.keys[id]
			k.Left = new(big.Int)
			c.keys[id] = k
		}
	})
	c := newClient(12, 0, 5)
	c.Bytes = 1 << 40
	require.Equal(t, session.ReasonNotServed, w.acknowledge(c.signed())[0].Reason)
	c = newClient(11, 1, 5)
	c.finish(m)
	require.True(t, w.acknowledge(c.signed())[0].Accepted(), "what was served is taken")
}

// TestLanesCostSomething: an account that has paid little has few lanes, and is refused service before an acknowledgement of
// something that it got.
func TestLanesCostSomething(t *testing.T) {
	const most = 2 * 2
	w := newWorld(t, func(c *session.Config) { c.MaxSessionsPerAccount, c.MaxHeldLanes, c.Base = 2, 32, big.NewInt(64) })
	defer w.stop()
	ctx := context.Background()
	group := meta(1, 16<<10)
	serve := func(lane uint8) error {
		s := w.open(11, lane)
		r, err := s.Begin(ctx, group)
		if err != nil {
			return err
		}
		require.NoError(t, r.Reserve(ctx, group.Bytes))
		r.Finish()
		return nil
	}
	sign := func(lane uint8, bytes uint64) session.AckOutcome {
		c := newClient(11, lane, 5)
		c.finish(group)
		c.Bytes = bytes
		return w.acknowledge(c.signed())[0]
	}
	for lane := range uint8(most) {
		require.NoError(t, serve(lane))
	}
	require.ErrorIs(t, serve(most), session.ErrOverloaded, "their acknowledgements take all places that it has")
	for lane := range uint8(most) {
		require.True(t, sign(lane, group.Bytes).Accepted())
	}
	require.ErrorIs(t, serve(most), session.ErrOverloaded)
	c := newClient(12, 0, 5)
	c.Bytes = mib
	require.Equal(t, session.ReasonTooManyLanes, w.acknowledge(c.signed())[0].Reason)
	// An eighth of base buys one more, but only if it can be paid.
	require.True(t, sign(0, 8*mib).Accepted())
	require.NoError(t, serve(most))
	require.True(t, sign(most, group.Bytes).Accepted())
	require.ErrorIs(t, serve(most+1), session.ErrOverloaded)
	require.True(t, sign(0, 1<<40).Accepted())
	w.chain.update(func(c *fakeChain) {
		c.accounts[1] = chain.Account{ID: 1, Spendable: big.NewInt(64 * 15), Payable: big.NewInt(64 * 15)}
	})
	w.settle()
	require.NoError(t, serve(most+1))
}
