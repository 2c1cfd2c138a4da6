package session_test

import (
	"context"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/session"
)

// A client that asks for its session every now and then and can pay nothing does not keep others out.
func TestSessionsDoNotOutliveTheirMoney(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *session.Config) { c.MaxSessions = 1 })
		defer w.stop()
		s := w.open(11, 0)
		w.chain.update(func(c *fakeChain) {
			c.accounts[1] = chain.Account{ID: 1, Spendable: new(big.Int), Payable: new(big.Int)}
			delete(c.keys, 11)
		})
		var err error
		for range 4 {
			time.Sleep(w.cfg.IdleTimeout - time.Minute)
			_, err = w.m.Lookup(s.Token())
		}
		require.ErrorIs(t, err, session.ErrSessionUnknown, "no request has begun for three times the timeout")
		w.open(21, 0)
	})
}

// A sweep ends what nobody can pay in any more, however it is used.
func TestSweepEndsWhatCannotPay(t *testing.T) {
	for name, spoil := range map[string]func(*world, *session.Session){
		"the key has expired": func(w *world, _ *session.Session) {
			w.chain.update(func(c *fakeChain) { c.view.Epoch = 101; c.view.OldestLive = 100; c.view.Prices[101] = prices() })
		},
		"the account is empty": func(w *world, s *session.Session) {
			w.chain.update(func(c *fakeChain) {
				c.accounts[1] = chain.Account{ID: 1, Spendable: new(big.Int), Payable: new(big.Int)}
			})
			time.Sleep(w.cfg.AccountTTL)
			_, err := s.Begin(context.Background(), meta(1, 1))
			require.ErrorIs(w.t, err, session.ErrAccountEmpty)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				defer w.stop()
				s := w.open(11, 0)
				spoil(w, s)
				time.Sleep(w.cfg.IdleTimeout / 2)
				w.chain.update(func(c *fakeChain) {
					k := c.keys[21]
					k.LastEpoch = 1_000
					c.keys[21] = k
				})
				w.open(21, 0)
				require.Equal(t, 1, w.m.Sessions())
			})
		})
	}
}

// An account has its part of the sessions, and a full worker ends the one in which no request has begun for longest.
func TestSessionsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *session.Config) { c.MaxSessions, c.MaxSessionsPerAccount = 3, 2 })
		defer w.stop()
		ctx := context.Background()
		gone := func(s *session.Session) bool {
			_, err := w.m.Lookup(s.Token())
			return err != nil
		}
		first := w.open(11, 0)
		time.Sleep(2 * time.Second)
		second := w.open(11, 1)
		time.Sleep(time.Second)
		w.fetch(first, meta(1, 1))
		time.Sleep(2 * time.Second)
		third := w.open(11, 2)
		require.True(t, gone(second), "the one of the account that was not used for longest")
		require.False(t, gone(first))
		time.Sleep(2 * time.Second)
		other := w.open(21, 0)
		require.Equal(t, 3, w.m.Sessions())
		time.Sleep(2 * time.Second)
		again := w.open(21, 1)
		require.True(t, gone(first), "the one of all")
		require.False(t, gone(third))
		// Whoever has a request under way stays.
		for _, s := range []*session.Session{third, other, again} {
			r, err := s.Begin(ctx, meta(2, 1))
			require.NoError(t, err)
			defer r.Abort()
		}
		time.Sleep(2 * time.Second)
		_, err := w.m.Open(ctx, w.request(21, 2))
		require.ErrorIs(t, err, session.ErrOverloaded, "of the account")
		_, err = w.m.Open(ctx, w.request(12, 0))
		require.ErrorIs(t, err, session.ErrOverloaded, "of all")
	})
}

// The keys of one account cannot use up the challenges that all share.
func TestAnAccountOpensSoManySessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *session.Config) { c.MaxChallenges = 300 })
		defer w.stop()
		opened := 0
		for i := range uint64(400) {
			_, err := w.m.Open(context.Background(), w.request(11+i%2, 0))
			if err == nil {
				opened++
				continue
			}
			require.ErrorIs(t, err, session.ErrOverloaded)
		}
		require.Equal(t, 256, opened)
		w.open(21, 0)
		time.Sleep(time.Second)
		w.open(11, 0)
	})
}

// Neither requests that were given up nor clients that have gone stay in memory.
func TestReceiptsAreForgotten(t *testing.T) {
	t.Run("of a request of which nothing was sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(c *session.Config) { c.MaxAccounts, c.MaxReceipts = 1, 1 })
			defer w.stop()
			ctx := context.Background()
			s := w.open(11, 0)
			for range 3 {
				r, err := s.Begin(ctx, meta(1, 16<<10))
				require.NoError(t, err)
				require.NoError(t, r.Reserve(ctx, 16<<10))
				r.Release(16 << 10)
				r.Abort()
			}
			time.Sleep(w.cfg.IdleTimeout)
			w.open(21, 0)
		})
	})
	t.Run("of a client that has gone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(c *session.Config) { c.MaxAccounts = 1 })
			defer w.stop()
			s := w.open(11, 0)
			w.fetch(s, meta(1, mib))
			time.Sleep(w.cfg.IdleTimeout)
			_, err := w.m.Open(context.Background(), w.request(21, 0))
			require.ErrorIs(t, err, session.ErrOverloaded, "it may still acknowledge")
			for range 2 {
				w.chain.nextEpoch()
			}
			time.Sleep(w.cfg.IdleTimeout)
			w.open(21, 0)
		})
	})
	t.Run("and a late acknowledgement is taken all the same", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(c *session.Config) { c.MaxTotalReceipts = 4 })
			defer w.stop()
			s := w.open(11, 0)
			c := newClient(11, 0, 5)
			for n := range byte(4) {
				w.fetch(s, meta(n, mib))
				c.finish(meta(n, mib))
			}
			time.Sleep(w.cfg.IdleTimeout)
			other := w.open(21, 0)
			w.fetch(other, meta(1, mib))
			out := w.acknowledge(c.signed())
			require.Equal(t, session.AckStored, out[0].Status)
			require.False(t, out[0].LaneClosed)
		})
	})
}

// The receipts of an account are bounded over all of its lanes, and those of all accounts.
func TestReceiptsAreBounded(t *testing.T) {
	w := newWorld(t, func(c *session.Config) { c.MaxAccountReceipts, c.MaxTotalReceipts = 3, 4 })
	defer w.stop()
	ctx := context.Background()
	a, b, other := w.open(11, 0), w.open(11, 1), w.open(21, 0)
	c := newClient(11, 0, 5)
	for n := range byte(2) {
		w.fetch(a, meta(n, 1))
		c.finish(meta(n, 1))
	}
	w.fetch(b, meta(3, 1))
	_, err := b.Begin(ctx, meta(4, 1))
	require.ErrorIs(t, err, session.ErrCreditExhausted)
	w.fetch(other, meta(1, 1))
	_, err = other.Begin(ctx, meta(2, 1))
	require.ErrorIs(t, err, session.ErrOverloaded)
	require.Equal(t, session.AckStored, w.acknowledge(c.signed())[0].Status)
	w.fetch(b, meta(4, 1))
	w.fetch(other, meta(2, 1))
}
