package fetch

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPace(t *testing.T) {
	// The default: 240 KiB a minute.
	cfg := Config{}.withDefaults()
	// run lets groups of 16 KiB come every so often for a while and returns when it became too slow.
	run := func(p *pace, every, long time.Duration, excused bool) (time.Duration, error) {
		start := time.Now()
		next := start.Add(every)
		for time.Since(start) < long {
			time.Sleep(p.every())
			for every > 0 && !time.Now().Before(next) {
				p.verified(16 << 10)
				next = next.Add(every)
			}
			if err := p.check(excused); err != nil {
				return time.Since(start), err
			}
		}
		return long, nil
	}
	for name, c := range map[string]func(t *testing.T){
		"a group in 3 s is enough": func(t *testing.T) {
			t.Helper()
			_, err := run(newPace(cfg), 3*time.Second, time.Hour, false)
			require.NoError(t, err)
		},
		"a group in 20 s is not": func(t *testing.T) {
			t.Helper()
			at, err := run(newPace(cfg), 20*time.Second, time.Hour, false)
			require.ErrorIs(t, err, ErrSlow)
			require.LessOrEqual(t, at, cfg.RateWindow+cfg.RateWindow/paceSteps)
		},
		"what came long ago does not count": func(t *testing.T) {
			t.Helper()
			p := newPace(cfg)
			p.verified(1 << 40)
			_, err := run(p, 20*time.Second, time.Hour, false)
			require.ErrorIs(t, err, ErrSlow)
		},
		"a short pause is no matter": func(t *testing.T) {
			t.Helper()
			p := newPace(cfg)
			for range 100 {
				p.verified(8 << 20)
				_, err := run(p, 0, 45*time.Second, false)
				require.NoError(t, err)
			}
		},
		"waits with a reason are excused up to a total": func(t *testing.T) {
			t.Helper()
			p := newPace(cfg)
			at, err := run(p, 0, time.Hour, true)
			require.ErrorIs(t, err, ErrSlow)
			require.GreaterOrEqual(t, at, cfg.MaxWait)
			require.LessOrEqual(t, at, cfg.MaxWait+cfg.RateWindow+cfg.RateWindow/paceSteps)
		},
		"the total does not come back": func(t *testing.T) {
			t.Helper()
			p := newPace(cfg)
			var at time.Duration
			var err error
			for err == nil && at < time.Hour {
				var d time.Duration
				d, err = run(p, 0, 4*time.Minute, true)
				at += d
				p.verified(16 << 10)
			}
			require.ErrorIs(t, err, ErrSlow)
			require.Less(t, at, 10*time.Minute)
		},
		"a reason excuses nothing while bytes come": func(t *testing.T) {
			t.Helper()
			p := newPace(cfg)
			_, err := run(p, 3*time.Second, 10*time.Minute, true)
			require.NoError(t, err)
			require.NotZero(t, p.excuse)
		},
		"the client's own pauses do not count": func(t *testing.T) {
			t.Helper()
			p := newPace(cfg)
			p.reading(false)
			_, err := run(p, 0, time.Hour, false)
			require.NoError(t, err)
			p.reading(true)
			at, err := run(p, 0, time.Hour, false)
			require.ErrorIs(t, err, ErrSlow)
			require.GreaterOrEqual(t, at, cfg.RateWindow)
			require.LessOrEqual(t, len(p.marks), 2*paceSteps)
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, c) })
	}
}

func TestAtLimit(t *testing.T) {
	s := &source{transfer: &transfer{Client: &Client{payer: &Payer{}}}, link: &link{}}
	for _, c := range []struct {
		limit, claim string
		want         bool
	}{
		{"800", "800", true}, {"800", "700", true}, {"800", "699", false}, {"800", "0", false}, {"", "", false}, {"x", "1", false}, {"1", "-1", false},
	} {
		s.credit = Credit{Limit: c.limit, Claim: c.claim}
		require.Equal(t, c.want, s.atLimit(), "%+v", c)
	}
	s.payer = nil
	s.credit = Credit{Limit: "1", Claim: "1"}
	require.False(t, s.atLimit(), "a free fetch has no credit")
}
