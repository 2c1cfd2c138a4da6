package rollup

import (
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// A hint brings a settlement at once, but only where it was asked for, for what is worth it, and not more often than the
// spacing allows.
func TestHurry(t *testing.T) {
	quiet := func(t *testing.T) *world {
		w := newWorld(t)
		w.cfg.Interval = 10 * time.Minute
		w.cfg.HurryValue = big.NewInt(50)
		w.cfg.HurrySpacing = 20 * time.Second
		w.key(1, 1, 1_000_000)
		w.key(2, 2, 0)
		return w
	}
	settlements := func(w *world) (n int) {
		w.chain.with(func() { n = w.chain.settlements })
		return n
	}
	t.Run("is prompt for an account that pays", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := quiet(t)
			w.start()
			time.Sleep(3 * time.Second)
			w.put(1, w.signed(1, 0, 1, 100))
			w.hints <- 1
			time.Sleep(3 * time.Second)
			require.EqualValues(t, 100, w.settled())
			w.end()
		})
	})
	t.Run("keeps a hint until there is enough", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := quiet(t)
			w.start()
			time.Sleep(3 * time.Second)
			w.put(1, w.signed(1, 0, 1, 49))
			w.hints <- 1
			time.Sleep(time.Minute)
			require.Zero(t, settlements(w))
			w.put(1, w.signed(1, 0, 1, 50))
			time.Sleep(4 * time.Second)
			require.EqualValues(t, 50, w.settled())
			w.end()
		})
	})
	t.Run("is spaced", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := quiet(t)
			w.start()
			time.Sleep(3 * time.Second)
			for n := range uint64(60) {
				w.put(1, w.signed(1, 0, 1, 100*(n+1)))
				w.hints <- 1
				time.Sleep(time.Second)
			}
			require.LessOrEqual(t, settlements(w), 4, "one every 20 s of the minute")
			require.GreaterOrEqual(t, settlements(w), 3)
			w.end()
		})
	})
	t.Run("not for who cannot pay, nor because others have something pending", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := quiet(t)
			w.start()
			time.Sleep(3 * time.Second)
			w.put(1, w.signed(1, 0, 1, 1_000))
			for n := range uint64(60) {
				w.put(2, w.signed(2, uint8(n%16), 1, 1_000*(n+1)))
				w.hints <- 2
				w.hints <- 77
				time.Sleep(time.Second)
			}
			require.Zero(t, settlements(w))
			require.Empty(t, w.rollup.hinted)
			w.eventually("settled in turn", func() bool { return w.settled() == 1_000 })
			w.end()
		})
	})
	t.Run("what is left of a large round follows at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := quiet(t)
			w.chain.maxAcks = 4
			w.start()
			time.Sleep(3 * time.Second)
			for lane := range uint8(12) {
				w.put(1, w.signed(1, lane, 1, 100))
			}
			w.hints <- 1
			time.Sleep(15 * time.Second)
			require.EqualValues(t, 1_200, w.settled())
			w.end()
		})
	})
}

func TestHurryIsBounded(t *testing.T) {
	cfg := DefaultConfig()
	require.NoError(t, cfg.Validate())
	filled := cfg.withDefaults()
	require.Equal(t, 3*time.Second, filled.HurrySpacing)
	require.Equal(t, cfg.MinValue, filled.HurryValue)
	cfg.HurrySpacing = 2 * cfg.Interval
	require.ErrorContains(t, cfg.Validate(), "hurry_spacing")
	cfg.HurrySpacing, cfg.HurryValue = 0, big.NewInt(-1)
	require.ErrorContains(t, cfg.Validate(), "hurry_value")
	r := &Rollup{hinted: map[uint64]wish{}, metrics: newMetrics(prometheus.NewRegistry())}
	for account := range uint64(2 * maxHinted) {
		r.hurry(account)
	}
	require.Len(t, r.hinted, maxHinted)
}
