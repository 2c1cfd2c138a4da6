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
	f := started(t, n)
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
		f := started(t, n)
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
				s.epoch.Duration, s.epoch.End = day, time.Now().Add(day)
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
			s.epoch.Duration, s.epoch.End = day, time.Now().Add(day)
			f := started(t, s)
			s.with(func() { s.err = errNoRoute })
			time.Sleep(4 * day)
			s.with(func() {
				s.err = nil
				s.status.Height, s.status.Time = 300_000, time.Now()
				s.epoch = opens(5)
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

// day is how long epochs last in these tests: longer than maxGrace, and not so long that each second of it takes a while.
const day = 2 * time.Hour

// tell has an endpoint say that an epoch is current, in a block of its own.
func tell(s *source, epoch EpochState) {
	s.with(func() {
		s.status.Height++
		s.status.Time = time.Now()
		s.epoch = epoch
	})
	time.Sleep(2 * time.Second)
}

// opens is the state after an epoch has opened now.
func opens(number uint64) EpochState {
	return EpochState{Number: number, OldestLive: number - 1, End: time.Now().Add(day), Duration: day}
}

// Nothing is deleted because one endpoint says that its epoch is dead.
func TestDeathOfAnEpochIsConfirmed(t *testing.T) {
	t.Run("by another endpoint", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, p, _ := newPeers(t, 2)
			for _, one := range p {
				one.epoch = opens(7)
			}
			f := followAll(t, n, p)
			time.Sleep(day)
			tell(p[0].source, opens(8))
			time.Sleep(DefaultConfig().MaxLag)
			v, _ := f.View()
			require.EqualValues(t, 7, v.OldestLive)
			require.ErrorIs(t, f.ConfirmOldest(t.Context(), 7), errUnconfirmed)
			epoch, known := f.ConfirmedEpoch(t.Context())
			require.False(t, known, "%d", epoch)
			// The one that has told it is no second one, whichever is used.
			p[0].fail(errNoRoute)
			probes(3)
			require.Equal(t, "b", used(n))
			p[0].fail(nil)
			probes(1)
			require.ErrorIs(t, f.ConfirmOldest(t.Context(), 7), errUnconfirmed)
			tell(p[1].source, opens(8))
			require.NoError(t, f.ConfirmOldest(t.Context(), 7))
			epoch, known = f.ConfirmedEpoch(t.Context())
			require.True(t, known)
			require.EqualValues(t, 8, epoch)
		})
	})
	t.Run("by the clock", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSource()
			s.epoch = opens(7)
			f := started(t, s)
			time.Sleep(day)
			tell(s, opens(8))
			require.NoError(t, f.ConfirmOldest(t.Context(), 7), "epoch 7 has come to its end, so that 6 is dead")
			require.ErrorIs(t, f.ConfirmOldest(t.Context(), 8), errUnconfirmed)
		})
	})
	t.Run("by time, if nothing was seen before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSource()
			s.epoch = opens(7)
			// It says of its epochs that they are short.
			s.epoch.Duration = 1
			f := started(t, s)
			require.ErrorIs(t, f.ConfirmOldest(t.Context(), 6), errUnconfirmed)
			time.Sleep(maxGrace)
			require.ErrorIs(t, f.ConfirmOldest(t.Context(), 7), errUnconfirmed)
		})
	})
}

// An endpoint that is the only one cannot have epochs die by telling of one after the other.
func TestEpochsDieNoSoonerThanTheyCan(t *testing.T) {
	t.Run("step by step", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSource()
			s.epoch = opens(7)
			f := started(t, s)
			for epoch := uint64(8); epoch < 12; epoch++ {
				tell(s, EpochState{Number: epoch, OldestLive: epoch - 1, End: time.Now(), Duration: time.Second})
			}
			v, _ := f.View()
			require.EqualValues(t, 7, v.Epoch)
			require.ErrorIs(t, f.ConfirmOldest(t.Context(), 8), errUnconfirmed)
		})
	})
	t.Run("at the end of a true one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSource()
			s.epoch = opens(7)
			f := started(t, s)
			time.Sleep(day)
			for epoch := uint64(8); epoch < 12; epoch++ {
				tell(s, EpochState{Number: epoch, OldestLive: epoch - 1, End: time.Now(), Duration: time.Second})
			}
			require.NoError(t, f.ConfirmOldest(t.Context(), 7))
			for oldest := uint64(8); oldest < 11; oldest++ {
				require.ErrorIs(t, f.ConfirmOldest(t.Context(), oldest), errUnconfirmed, "epoch 7 can be settled for another day")
			}
		})
	})
	t.Run("from the first answer on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSource()
			s.epoch = EpochState{Number: 107, OldestLive: 106, End: time.Now(), Duration: 1}
			f := started(t, s)
			tell(s, EpochState{Number: 108, OldestLive: 107, End: time.Now(), Duration: 1})
			for _, oldest := range []uint64{106, 107} {
				require.ErrorIs(t, f.ConfirmOldest(t.Context(), oldest), errUnconfirmed)
			}
		})
	})
	t.Run("behind a list of one", func(t *testing.T) {
		for name, lie := range map[string]EpochState{
			"a jump":           {Number: 107, OldestLive: 106, Duration: day},
			"without duration": {Number: 107, OldestLive: 106},
			"of a nanosecond":  {Number: 107, OldestLive: 106, Duration: 1},
			"for ever":         {Number: 7, OldestLive: 6, Duration: day},
		} {
			lies := day
			if name == "for ever" {
				lies *= 1_000
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n, p, _ := newPeers(t, 1)
					p[0].epoch = opens(7)
					f := followAll(t, n, p)
					before, _ := f.View()
					lie.End = time.Now().Add(lies)
					tell(p[0].source, lie)
					after, _ := f.View()
					require.EqualValues(t, 7, after.Epoch)
					require.Equal(t, before.EpochEnd, after.EpochEnd)
					require.ErrorIs(t, f.ConfirmOldest(t.Context(), 106), errUnconfirmed)
				})
			})
		}
	})
}

// A chain that stood still for hours has a longer epoch, and one endpoint will do to go on with it.
func TestEpochAfterAHalt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := newPeers(t, 1)
		s := p[0].source
		s.epoch = opens(7)
		f := started(t, n)
		time.Sleep(2 * day)
		require.ErrorIs(t, f.Stale(), ErrStale)
		tell(s, opens(8))
		v, _ := f.View()
		require.EqualValues(t, 8, v.Epoch)
		require.NoError(t, f.ConfirmOldest(t.Context(), 7))
		time.Sleep(day)
		tell(s, opens(9))
		v, _ = f.View()
		require.EqualValues(t, 9, v.Epoch)
		require.NoError(t, f.ConfirmOldest(t.Context(), 8))
	})
}

// Epochs of seconds follow each other, as those of development do.
func TestShortEpochs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		short := func(epoch uint64) EpochState {
			return EpochState{Number: epoch, OldestLive: max(epoch, 2) - 1, End: time.Now().Add(5 * time.Second), Duration: 5 * time.Second}
		}
		s.epoch = short(1)
		f := started(t, s)
		for epoch := uint64(2); epoch < 800; epoch++ {
			time.Sleep(4 * time.Second)
			tell(s, short(epoch))
			v, _ := f.View()
			require.Equal(t, epoch, v.Epoch)
		}
		require.NoError(t, f.ConfirmOldest(t.Context(), 798))
	})
}

// One wrong answer of one endpoint does not keep a worker from the honest ones.
func TestWrongEpochIsLeftBehind(t *testing.T) {
	for _, count := range []int{2, 3} {
		for name, early := range map[string]time.Duration{"long before its end": time.Hour, "a minute before its end": time.Minute} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n, p, _ := newPeers(t, count)
					for _, one := range p {
						one.epoch = opens(7)
					}
					honest := p[0].epoch
					f := followAll(t, n, p)
					time.Sleep(time.Until(honest.End) - early)
					tell(p[0].source, opens(8))
					p[0].with(func() { p[0].epoch = honest })
					// The chain stands at the end of its epoch for a while.
					time.Sleep(10 * time.Minute)
					v, _ := f.View()
					require.EqualValues(t, 7, v.Epoch)
					require.NoError(t, f.Stale())
				})
			})
		}
	}
}

// Endpoints that come to a new epoch one after the other are none of them at fault.
func TestEpochIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, reg := newPeers(t, 2)
		for _, one := range p {
			one.epoch = opens(7)
		}
		f := started(t, n)
		time.Sleep(day)
		p[0].with(func() { p[0].status.Height++; p[0].status.Time = time.Now(); p[0].epoch = opens(8) })
		time.Sleep(3 * time.Second)
		v, _ := f.View()
		require.EqualValues(t, 7, v.Epoch)
		p[1].with(func() { p[1].status.Height++; p[1].status.Time = time.Now(); p[1].epoch = opens(8) })
		time.Sleep(2 * time.Second)
		v, _ = f.View()
		require.EqualValues(t, 8, v.Epoch)
		require.Equal(t, map[string]float64{"": 0}, values(t, reg, "edge_chain_failovers_total"))
	})
}

// Somebody who is always about to come to the new epoch holds nobody up.
func TestEpochIsNotAwaitedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, p, _ := newPeers(t, 2)
		for _, one := range p {
			one.epoch = opens(7)
		}
		f := followAll(t, n, p)
		time.Sleep(day)
		p[1].with(func() { p[1].status.Height -= 2 })
		p[0].with(func() { p[0].epoch = opens(8) })
		time.Sleep(DefaultConfig().MaxLag)
		v, _ := f.View()
		require.EqualValues(t, 8, v.Epoch)
		require.NoError(t, f.Stale())
	})
}

// What settlements are taken does not rise by much on the word of one.
func TestGasThatRises(t *testing.T) {
	for name, count := range map[string]int{"one": 1, "the first of two": 2, "both of two": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, p, _ := newPeers(t, count)
				f := followAll(t, n, p)
				before, _ := f.View()
				p[0].with(func() { p[0].dearer = 1_000_000 })
				if name == "both of two" {
					p[1].with(func() { p[1].dearer = 1_000_000 })
				}
				time.Sleep(5 * time.Second)
				after, _ := f.View()
				if name == "both of two" {
					require.Greater(t, after.GasPerAck, before.GasPerAck)
					return
				}
				require.Equal(t, before.GasPerAck, after.GasPerAck)
				if count == 2 {
					require.NoError(t, f.Stale())
					require.Equal(t, "b", used(n))
				}
			})
		})
	}
}
