package chain

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// followAll starts a follower over endpoints whose chain goes on, all but for those that a test spoils.
func followAll(t *testing.T, n *Nodes, peers []*peer) *Follower {
	t.Helper()
	for _, p := range peers {
		go p.block(t.Context())
	}
	cfg := DefaultConfig()
	cfg.WorkerID, cfg.Events = 4, false
	f, err := New(cfg, n, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(t, err)
	require.NoError(t, f.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, f.Stop(context.Background())) })
	time.Sleep(2 * cfg.PollInterval)
	synctest.Wait()
	require.NoError(t, f.Stale())
	return f
}

// An endpoint that claims a height that nobody can have come to is at fault itself, wherever it stands in the list; otherwise
// all others would be behind.
func TestClaimedHeightTakesNothingOver(t *testing.T) {
	for name, tc := range map[string]struct{ endpoints, liar int }{
		"the last of three":  {3, 2},
		"the first of three": {3, 0},
		"the other of two":   {2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, p, _ := newPeers(t, tc.endpoints)
				f := followAll(t, n, p)
				p[tc.liar].at(1_000_000_000)
				probes(3)
				liar := p[tc.liar]
				require.NotEqual(t, string(rune('a'+tc.liar)), used(n))
				require.Contains(t, n.Endpoints()[tc.liar].Problem, errAhead.Error())
				require.NoError(t, f.Stale())
				v, _ := f.View()
				require.Less(t, v.Height, int64(1_000))
				// Also when the others are away for a while, and when it goes.
				for i, other := range p {
					if i != tc.liar {
						other.fail(errNoRoute)
					}
				}
				probes(3)
				v, _ = f.View()
				require.Less(t, v.Height, int64(1_000))
				for _, other := range p {
					other.fail(nil)
				}
				liar.fail(errNoRoute)
				probes(3)
				require.NoError(t, f.Stale())
			})
		})
	}
}

// A chain that is far ahead of an endpoint that has stood still is one all the same.
func TestEndpointThatStoodStillIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := newPeers(t, 2)
		go p[1].block(t.Context())
		time.Sleep(time.Hour)
		require.Equal(t, "b", used(n))
		require.Empty(t, n.Endpoints()[1].Problem)
	})
}

// A worker that begins with a wrong endpoint goes on with the others as soon as they are heard.
func TestWrongViewIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := newPeers(t, 3)
		p[1].fail(errNoRoute)
		p[2].fail(errNoRoute)
		p[0].with(func() { p[0].status.Height, p[0].status.Time = 1_000_000_000, time.Now() })
		for _, e := range n.endpoints {
			e.top = 0 // nothing was heard before
		}
		for _, other := range p[1:] {
			other.with(func() { other.status.Time = time.Now() })
		}
		cfg := DefaultConfig()
		cfg.WorkerID, cfg.Events = 4, false
		f, err := New(cfg, n, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		require.NoError(t, err)
		require.NoError(t, f.Start(t.Context()))
		defer func() { require.NoError(t, f.Stop(context.Background())) }()
		time.Sleep(10 * time.Second)
		v, ok := f.View()
		require.True(t, ok)
		require.EqualValues(t, 1_000_000_000, v.Height)
		for _, other := range p[1:] {
			other.fail(nil)
			go other.block(t.Context())
		}
		probes(5)
		require.NoError(t, f.Stale())
		v, _ = f.View()
		require.Less(t, v.Height, int64(1_000))
	})
}

// What cannot follow on what was seen before is no view.
func TestViewsFollowOnEachOther(t *testing.T) {
	const day = 24 * time.Hour
	for name, spoil := range map[string]func(*source){
		"from the future":    func(s *source) { s.status.Time = time.Now().Add(time.Hour) },
		"two epochs at once": func(s *source) { s.epoch.Number, s.epoch.OldestLive = 3, 2 },
		"an epoch back":      func(s *source) { s.epoch.Number, s.epoch.OldestLive = 0, 0 },
		"all epochs live":    func(s *source) { s.epoch.Number, s.epoch.OldestLive = 1<<40, 1 },
		"none lives":         func(s *source) { s.epoch.Number, s.epoch.OldestLive = 2, 3 },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSource()
				s.epoch.Duration = day
				f := started(t, s)
				before, ok := f.View()
				require.True(t, ok)
				s.with(func() {
					s.status.Height++
					spoil(s)
				})
				time.Sleep(2 * time.Second)
				after, _ := f.View()
				require.Equal(t, before, after)
				time.Sleep(DefaultConfig().MaxLag)
				require.ErrorIs(t, f.Stale(), ErrStale)
				require.ErrorContains(t, f.Stale(), errImplausible.Error())
			})
		})
	}
	t.Run("after days without a node", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSource()
			s.epoch.Duration = day
			f := started(t, s)
			s.with(func() { s.err = errNoRoute })
			time.Sleep(4 * day)
			s.with(func() {
				s.err = nil
				s.status.Height, s.status.Time = 300_000, time.Now()
				s.epoch.Number, s.epoch.OldestLive = 5, 4
			})
			time.Sleep(2 * time.Second)
			v, _ := f.View()
			require.EqualValues(t, 5, v.Epoch)
			require.NoError(t, f.Stale())
		})
	})
}

// started returns a follower of one endpoint that has seen it.
func started(t *testing.T, source Source) *Follower {
	t.Helper()
	cfg := DefaultConfig()
	cfg.WorkerID, cfg.Events = 4, false
	f, err := New(cfg, source, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(t, err)
	require.NoError(t, f.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, f.Stop(context.Background())) })
	time.Sleep(2 * cfg.PollInterval)
	synctest.Wait()
	return f
}

// Nothing is deleted because one endpoint says that its epoch is dead.
func TestDeathOfAnEpochIsConfirmed(t *testing.T) {
	const day = 24 * time.Hour
	// next opens an epoch at an endpoint.
	next := func(s *source, epoch uint64) {
		s.with(func() {
			s.status.Height++
			s.status.Time = time.Now()
			s.epoch = EpochState{Number: epoch, OldestLive: epoch - 1, End: time.Now().Add(day), Duration: day}
		})
		time.Sleep(2 * time.Second)
	}
	t.Run("by another endpoint", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, p, _ := newPeers(t, 3)
			for _, one := range p {
				one.epoch = EpochState{Number: 7, OldestLive: 6, End: time.Now().Add(day), Duration: day}
			}
			f := followAll(t, n, p)
			next(p[0].source, 8)
			v, _ := f.View()
			require.EqualValues(t, 7, v.OldestLive)
			require.ErrorIs(t, f.ConfirmOldest(t.Context(), 7), errUnconfirmed)
			next(p[2].source, 8)
			require.NoError(t, f.ConfirmOldest(t.Context(), 7))
		})
	})
	t.Run("by the clock", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSource()
			s.epoch = EpochState{Number: 7, OldestLive: 6, End: time.Now().Add(day), Duration: day}
			f := started(t, s)
			next(s, 8)
			require.ErrorIs(t, f.ConfirmOldest(t.Context(), 7), errUnconfirmed)
			time.Sleep(day)
			require.NoError(t, f.ConfirmOldest(t.Context(), 7))
		})
	})
	t.Run("by time, if nothing was seen before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSource()
			s.epoch = EpochState{Number: 7, OldestLive: 6, End: time.Now().Add(day), Duration: day}
			f := started(t, s)
			require.ErrorIs(t, f.ConfirmOldest(t.Context(), 6), errUnconfirmed)
			time.Sleep(maxGrace)
			require.NoError(t, f.ConfirmOldest(t.Context(), 6))
			require.ErrorIs(t, f.ConfirmOldest(t.Context(), 7), errUnconfirmed)
		})
	})
}
