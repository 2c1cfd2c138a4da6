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
		w.cfg.MinValue, w.cfg.HurryValue = big.NewInt(900), big.NewInt(50)
		w.cfg.HurrySpacing = 20 * time.Second
		w.key(1, 1, 1_000_000)
		w.key(2, 2, 0)
		return w
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
			require.Zero(t, w.settlements())
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
			require.LessOrEqual(t, w.settlements(), 4, "one every 20 s of the minute")
			require.GreaterOrEqual(t, w.settlements(), 3)
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
			synctest.Wait()
			require.Zero(t, w.settlements())
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

// Whoever keeps its claim at half of its limit and acknowledges a unit at a time hints with every verdict. The worker's fees are
// 400 uedge for each settlement, so that must not bring one per block.
func TestUnitsDoNotDrainTheHotAccount(t *testing.T) {
	for name, tc := range map[string]struct {
		payable, left int64
		// step is what each acknowledgement adds, over how many lanes.
		step  uint64
		lanes uint8
		most  int
	}{
		"of an account that pays":        {payable: 1_000_000, left: 1_000_000, step: 1, lanes: 1},
		"of one with hardly anything":    {payable: 100, left: 1_000_000, step: 1, lanes: 1, most: maxFavours},
		"of a key with hardly anything":  {payable: 1_000_000, left: 100, step: 1, lanes: 1, most: maxFavours},
		"spread over lanes":              {payable: 1_000_000, left: 1_000_000, step: 1, lanes: 16},
		"of an account that gets little": {payable: 3_000, left: 1_000_000, step: 25, lanes: 1, most: maxFavours},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.cfg.RiskShare = nil
				w.cfg.MinValue, w.cfg.HurryValue, w.cfg.HurrySpacing = DefaultConfig().MinValue, DefaultConfig().HurryValue, DefaultConfig().HurrySpacing
				w.key(1, 1, tc.payable)
				w.chain.with(func() { w.chain.keyLeft[1] = big.NewInt(tc.left) })
				w.start()
				var signed [16]uint64
				for n := range uint64(400) {
					lane := uint8(n % uint64(tc.lanes))
					signed[lane] += tc.step
					w.put(1, w.signed(1, lane, 1, signed[lane]))
					w.hints <- 1
					time.Sleep(500 * time.Millisecond)
				}
				settlements := 0
				w.chain.with(func() { settlements = w.chain.settlements })
				require.LessOrEqual(t, settlements, tc.most+int(w.settled()/250), "settled %d", w.settled())
				w.end()
			})
		})
	}
}

// A stream whose account or key can hardly pay waits at its limit with less than HurryValue. It gets on, within the time after
// which streams are reset.
func TestSmallCreditGetsOn(t *testing.T) {
	for name, tc := range map[string]struct{ payable, left, pending int64 }{
		"account": {payable: 12_800, left: 1_000_000, pending: 100},
		"key":     {payable: 1_000_000, left: 12_800, pending: 100},
		"base":    {payable: 1_000_000, left: 1_000_000, pending: 500},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.cfg.RiskShare = nil
				w.cfg.MinValue, w.cfg.HurryValue, w.cfg.HurrySpacing = DefaultConfig().MinValue, DefaultConfig().HurryValue, DefaultConfig().HurrySpacing
				w.key(1, 1, tc.payable)
				w.chain.with(func() { w.chain.keyLeft[1] = big.NewInt(tc.left) })
				w.start()
				time.Sleep(time.Minute)
				for n := range int64(4) {
					before := w.settled()
					w.put(1, w.signed(1, 0, 1, uint64((n+1)*tc.pending)))
					w.hints <- 1
					time.Sleep(w.cfg.Interval + 3*time.Second)
					require.EqualValues(t, tc.pending, w.settled()-before, "settlement %d", n)
				}
				w.end()
			})
		})
	}
}

// What no settlement was worth its fee for is settled before the epoch ends.
func TestDrainTakesWhatIsBelowTheLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.MinValue, w.cfg.HurryValue = big.NewInt(500), big.NewInt(250)
		w.key(1, 1, 1_000_000)
		w.start()
		w.put(1, w.signed(1, 0, 1, 3), w.signed(1, 1, 1, 1))
		time.Sleep(40 * time.Minute)
		require.Zero(t, w.settled())
		time.Sleep(19*time.Minute + 50*time.Second)
		require.EqualValues(t, 4, w.settled())
		w.end()
	})
}

func TestHurryIsBounded(t *testing.T) {
	cfg := DefaultConfig()
	require.NoError(t, cfg.Validate())
	cfg.HurryValue, cfg.HurrySpacing = nil, 0
	filled := cfg.withDefaults()
	require.Equal(t, cfg.Interval/2, filled.HurrySpacing)
	require.Equal(t, cfg.MinValue, filled.HurryValue)
	cfg.HurrySpacing = 2 * cfg.Interval
	require.Equal(t, cfg.Interval, cfg.withDefaults().HurrySpacing)
	cfg.HurrySpacing = 2 * time.Hour
	require.ErrorContains(t, cfg.Validate(), "hurry_spacing")
	cfg.HurrySpacing, cfg.HurryValue = 0, big.NewInt(-1)
	require.ErrorContains(t, cfg.Validate(), "hurry_value")
	r := &Rollup{hinted: map[uint64]wish{}, metrics: newMetrics(prometheus.NewRegistry())}
	for account := range uint64(2 * maxHinted) {
		r.hurry(account)
	}
	require.Len(t, r.hinted, maxHinted)
	var f favours
	require.True(t, f.has(1, 1))
	for range maxFavours {
		f.note([]uint64{1})
	}
	require.False(t, f.has(1, 1))
	require.True(t, f.has(2, 1), "each epoch begins anew")
	for account := range uint64(maxHinted) {
		f.note([]uint64{account})
	}
	require.False(t, f.has(2, maxHinted+1))
}
