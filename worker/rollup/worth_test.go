package rollup

import (
	"context"
	"errors"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
)

// careful gives a world the bounds of a worker that pays its fees with real coins.
func careful(w *world) {
	d := DefaultConfig()
	w.cfg.MinValue, w.cfg.HurryValue, w.cfg.HurrySpacing = d.MinValue, d.HurryValue, d.HurrySpacing
	w.cfg.PartialBackoff, w.cfg.LastPartialBackoff = d.PartialBackoff, d.LastPartialBackoff
}

// settlements counts those in blocks.
func (w *world) settlements() (n int) {
	w.chain.with(func() { n = w.chain.settlements })
	return n
}

// What somebody who cannot pay has acknowledged is no reason to settle the crumbs of others.
func TestUnpayableIsNoValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		careful(w)
		w.key(1, 1, 1_000_000)
		w.key(2, 2, 0)
		w.start()
		w.put(2, w.signed(2, 0, 1, 100_000))
		time.Sleep(time.Minute)
		before := w.settlements()
		n := uint64(0)
		for range 180 {
			n += 8
			w.put(1, w.signed(1, 0, 1, n))
			time.Sleep(10 * time.Second)
		}
		require.LessOrEqual(t, w.settlements()-before, 3, "1440 units are three settlements of 500 at most")
		require.GreaterOrEqual(t, w.settled(), int64(900))
		w.end()
	})
}

// A key that has spent its limit costs no fees, however rich its account is and whatever is paid into that.
func TestSpentKeyCostsNothing(t *testing.T) {
	for name, left := range map[string]int64{"nothing was left": 0, "one unit was left": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				careful(w)
				w.key(1, 1, 1_000_000)
				w.chain.with(func() { w.chain.keyLeft[1] = big.NewInt(left) })
				w.start()
				for lane := range uint8(16) {
					w.put(1, w.signed(1, lane, 1, 1_000_000))
					w.hints <- 1
					time.Sleep(2 * time.Second)
				}
				for range 100 {
					w.chain.with(func() { w.chain.payable[1].Add(w.chain.payable[1], big.NewInt(1)) })
					w.hints <- 1
					time.Sleep(5 * time.Second)
				}
				require.Zero(t, w.settlements())
				w.end()
			})
		})
	}
}

// A lane that was paid in part because of its key does not wake when somebody pays into the account.
func TestLaneOfSpentKeyWaits(t *testing.T) {
	now := time.Now()
	lane := ack.LaneID{Epoch: 1, KeyID: 1}
	entry := ackpool.Entry{Signed: ack.Signed{Ack: ack.Ack{Epoch: 1, KeyID: 1}}, AccountID: 1, Pending: big.NewInt(5)}
	rich := func(context.Context, uint64) (chain.Account, error) {
		return chain.Account{ID: 1, Payable: big.NewInt(1_000)}, nil
	}
	left := new(big.Int)
	keys := func(uint64, uint64) *big.Int { return left }
	cfg := DefaultConfig()
	for spent, want := range map[bool]int{true: 0, false: 1} {
		p := partials{}
		p.note(lane, big.NewInt(1), spent, cfg, now, 0)
		require.Len(t, p.ready(t.Context(), []ackpool.Entry{entry}, rich, keys, cfg, now), want)
	}
	p := partials{}
	p.note(lane, big.NewInt(1), true, cfg, now, 0)
	later := now.Add(cfg.LastPartialBackoff)
	require.Empty(t, p.ready(t.Context(), []ackpool.Entry{entry}, rich, keys, cfg, later), "nothing is left still")
	left.SetInt64(7)
	require.Empty(t, p.ready(t.Context(), []ackpool.Entry{entry}, rich, keys, cfg, later))
	require.Len(t, p.ready(t.Context(), []ackpool.Entry{entry}, rich, keys, cfg, later.Add(cfg.LastPartialBackoff)), 1, "it was told wrong")
}

// What one node alone says was paid is still owed.
func TestVerdictIsConfirmed(t *testing.T) {
	t.Run("in the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.key(1, 1, 1_000_000)
			w.chain.unconfirmed = chain.ErrUnconfirmedTx
			w.put(1, w.signed(1, 0, 1, 100))
			w.start()
			w.eventually("it is in a block", func() bool { return w.settlements() == 1 })
			time.Sleep(5 * time.Second)
			require.Zero(t, w.settled())
			require.Len(t, w.pool.InFlight(), 1)
			w.chain.with(func() { w.chain.unconfirmed = nil })
			w.eventually("it is settled", func() bool { return w.settled() == 100 })
			require.Equal(t, 1, w.settlements())
			w.end()
		})
	})
	t.Run("never", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.key(1, 1, 1_000_000)
			w.chain.unconfirmed = chain.ErrUnconfirmedTx
			w.put(1, w.signed(1, 0, 1, 100))
			w.start()
			w.eventually("it is pending again", func() bool { return w.rollup.Status().Failed > 0 })
			require.Zero(t, w.settled())
			require.ErrorIs(t, w.rollup.Problem(), chain.ErrUnconfirmedTx)
			w.chain.with(func() { w.chain.unconfirmed = nil })
			w.eventually("it is settled", func() bool { return w.settled() == 100 })
			require.EqualValues(t, 100, w.debited(), "nothing is paid twice")
			w.end()
		})
	})
}

// Endpoints that contradict each other about what becomes of settlements cost few fees, and nothing is lost when they agree again.
func TestDoubtsCostFewFees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		w.chain.unconfirmed = chain.ErrUnconfirmedTx
		w.put(1, w.signed(1, 0, 1, 100))
		w.start()
		time.Sleep(time.Hour)
		require.Zero(t, w.settled())
		require.Greater(t, w.settlements(), 1)
		require.Less(t, w.settlements(), 12)
		w.chain.with(func() { w.chain.unconfirmed = nil })
		w.eventually("it is settled", func() bool { return w.settled() == 100 })
		require.EqualValues(t, 100, w.debited())
		w.end()
	})
}

// A node that takes transactions and passes them on to nobody does not have them alone.
func TestSentAgainToAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		w.put(1, w.signed(1, 0, 1, 100))
		first := 0
		w.chain.broadcast = func([]byte) (bool, error) {
			if w.chain.broadcasts == 1 {
				first = w.chain.toAll
			}
			return w.chain.toAll > 0, nil
		}
		w.start()
		w.eventually("settled", func() bool { return w.settled() == 100 })
		require.Zero(t, first)
		require.Equal(t, 1, w.settlements())
		w.end()
	})
}

// Lanes that were taken while a wrong price was told are settled at the real one.
func TestLanesAreRepriced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000_000)
		signed := w.signed(1, 0, 1, 100)
		require.NoError(t, w.pool.Put(t.Context(), []ackpool.Item{{Signed: signed, AccountID: 1, Value: new(big.Int)}}))
		w.start()
		w.eventually("settled", func() bool { return w.settled() == 100 })
		w.end()
	})
}

// When a chain goes on that stood still, nothing waits for the rest of a backoff.
func TestChainThatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.FirstBackoff, w.cfg.LastBackoff = time.Hour, time.Hour
		w.key(1, 1, 1_000_000)
		w.stop()
		w.chain.with(func() { w.chain.down = true })
		w.put(1, w.signed(1, 0, 1, 100))
		w.start()
		time.Sleep(time.Minute)
		require.Error(t, w.rollup.Problem())
		w.chain.with(func() { w.chain.down = false })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go w.chain.run(ctx)
		time.Sleep(time.Minute)
		require.EqualValues(t, 100, w.settled())
		w.end()
	})
}

// slowChain hangs on accounts and keys.
type slowChain struct{ *testChain }

func (c slowChain) Account(ctx context.Context, _ uint64) (chain.Account, error) {
	<-ctx.Done()
	return chain.Account{}, ctx.Err()
}

func (c slowChain) Key(ctx context.Context, _ uint64) (chain.Key, error) {
	<-ctx.Done()
	return chain.Key{}, ctx.Err()
}

// A node that is quick to say where it is and hangs on accounts does not keep what is acknowledged from being settled.
func TestAccountsThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for id := uint64(1); id <= 60; id++ {
			w.key(id, id, 1_000_000)
			w.put(id, w.signed(id, 0, 1, 100))
		}
		r, err := New(w.cfg, depsOf(w, slowChain{w.chain}))
		require.NoError(t, err)
		w.rollup = r
		require.NoError(t, r.Start(t.Context()))
		for id := range uint64(8) {
			w.hints <- id + 1
		}
		time.Sleep(2 * time.Minute)
		require.EqualValues(t, 6_000, w.settled())
		w.end()
	})
}

// Accounts that can pay nothing do not hide those that are about to be unable to.
func TestDryAccountsHideNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		careful(w)
		w.cfg.Interval = 10 * time.Minute
		for id := uint64(1); id <= 2*maxRisky; id++ {
			w.key(id, id, 0)
			w.put(id, w.signed(id, 0, 1, 1_000_000))
		}
		w.key(200, 200, 900)
		w.put(200, w.signed(200, 0, 1, 600))
		w.start()
		time.Sleep(40 * time.Minute)
		require.EqualValues(t, 600, w.settled())
		w.end()
	})
}

// Gas that nobody takes is not paid for.
func TestFeeOfGasThatIsTooHigh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.MaxFee = big.NewInt(25_000)
		w.key(1, 1, 1_000_000)
		w.chain.with(func() { w.chain.gasPerAck = 19_000_000 })
		w.put(1, w.signed(1, 0, 1, 100))
		w.start()
		time.Sleep(time.Minute)
		require.True(t, errors.Is(w.rollup.Problem(), ErrFeeCap), "%v", w.rollup.Problem())
		require.Zero(t, w.chain.broadcasts)
		w.end()
	})
}
