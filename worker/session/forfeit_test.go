package session_test

import (
	"context"
	"math/big"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/session"
)

// die lets everything die that is not settled now.
func (w *world) die() {
	w.t.Helper()
	w.chain.nextEpoch()
	w.chain.nextEpoch()
	require.NoError(w.t, w.pool.Expire(w.chain.view.OldestLive))
}

// TestWhatIsNeverAcknowledgedIsHeldAgainstItsAccount: who takes a limit and does not pay has it once.
func TestWhatIsNeverAcknowledgedIsHeldAgainstItsAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *session.Config) { c.Base = big.NewInt(64) })
		defer func() { w.stop() }()
		ctx := context.Background()
		take := func(n uint64) error {
			r, err := w.open(11, 0).Begin(ctx, session.Meta{Bytes: n})
			if err != nil {
				return err
			}
			defer r.Abort()
			return r.Reserve(ctx, n)
		}
		require.NoError(t, take(60*mib))
		w.die()
		require.ErrorIs(t, take(60*mib), session.ErrStalled)
		left := w.credit(1).Limit.Int64()
		require.Less(t, left, int64(8))
		require.EqualValues(t, 64-left, w.credit(1).Forfeited.Int64())
		w.restart()
		require.Equal(t, left, w.credit(1).Limit.Int64(), "a restart forgives nothing")
		require.EqualValues(t, 64, w.credit(2).Limit.Int64(), "it is one account's own")

		// With every epoch 1/64 of the limit is forgiven.
		for range 8 {
			w.chain.nextEpoch()
		}
		require.Equal(t, left+8, w.credit(1).Limit.Int64())
		for range 64 {
			w.chain.nextEpoch()
		}
		require.EqualValues(t, 64, w.credit(1).Limit.Int64())
		require.Nil(t, w.credit(1).Forfeited)
	})
}

// TestNoCreditLeftForAnAccountWithMoney: who has forfeited all is told so, and not that its account is empty.
func TestNoCreditLeftForAnAccountWithMoney(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	require.NoError(t, w.pool.SetExposure(t.Context(), 1, 4, 100*mib))
	w.die()
	s := w.open(11, 0)
	_, err := s.Begin(t.Context(), meta(1, 1))
	for _, err := range []error{err, s.Ready(t.Context())} {
		require.ErrorIs(t, err, session.ErrCreditExhausted)
		require.ErrorContains(t, err, "never paid")
	}
}

// TestForgivenessIsNotSaved: what was forgiven long ago counts against nothing that is forfeited later, however long ago.
func TestForgivenessIsNotSaved(t *testing.T) {
	w := newWorld(t, func(c *session.Config) { c.Base = big.NewInt(64) })
	defer func() { w.stop() }()
	lose := func(bytes uint64) {
		t.Helper()
		require.NoError(t, w.pool.SetExposure(t.Context(), 1, w.chain.view.Epoch, bytes))
		w.die()
	}
	lose(1)
	for range 200 {
		w.chain.nextEpoch()
	}
	require.EqualValues(t, 64, w.credit(1).Limit.Int64())
	w.restart()
	lose(60 * mib)
	left := w.credit(1).Limit.Int64()
	require.Less(t, left, int64(8))
	w.restart()
	require.Equal(t, left, w.credit(1).Limit.Int64())

	// What is not forgiven yet goes on being.
	lose(1)
	require.Equal(t, left+2-1, w.credit(1).Limit.Int64(), "two epochs more, and a byte")
}

// TestForfeitIsEarnedBack: what is settled later raises the limit as ever.
func TestForfeitIsEarnedBack(t *testing.T) {
	w := newWorld(t, nil)
	defer w.stop()
	require.NoError(t, w.pool.SetExposure(t.Context(), 1, 4, 8*mib))
	w.die()
	epoch := w.chain.view.Epoch
	before := w.credit(1).Limit.Int64()
	require.Less(t, before, int64(10))
	s, c := w.open(11, 0), newClient(11, 0, epoch)
	for n := range byte(16) {
		m := meta(n, 5*mib)
		w.fetch(s, m)
		c.finish(m)
		require.True(t, w.acknowledge(c.signed())[0].Accepted())
		w.settle()
	}
	require.Equal(t, before+10, w.credit(1).Limit.Int64())
	w.die()
	require.GreaterOrEqual(t, w.credit(1).Limit.Int64(), before+10, "who acknowledges all forfeits nothing")
	require.Equal(t, big.NewInt(80), func() *big.Int { c, err := w.pool.Claim(1); require.NoError(t, err); return c.Settled }())
}
