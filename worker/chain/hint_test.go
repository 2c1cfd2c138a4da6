package chain

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// feed plays a subscription: an event for each value of the channel, and an end when it is closed.
func feed(events <-chan struct{}) func(context.Context, func()) error {
	return func(ctx context.Context, seen func()) error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case _, ok := <-events:
				if !ok {
					return errors.New("broken")
				}
				seen()
			}
		}
	}
}

// count reads a counter.
func count(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(c)
	families, err := reg.Gather()
	require.NoError(t, err)
	return families[0].GetMetric()[0].GetCounter().GetValue()
}

// slowly polls so seldom that only events can tell of a block in time.
// It makes the channel, which must belong to the test's bubble.
func slowly(events *chan struct{}) func(*Config, *source) {
	return func(c *Config, s *source) {
		*events = make(chan struct{})
		c.PollInterval, c.MaxLag, s.blocks = 20*time.Second, time.Minute, feed(*events)
	}
}

// sees requires that the follower has seen the newest block of the double.
func sees(t *testing.T, f *Follower, s *source) {
	t.Helper()
	synctest.Wait()
	v, ok := f.View()
	require.True(t, ok)
	s.with(func() { require.Equal(t, s.status.Height, v.Height) })
}

// behind requires that it has not.
func behind(t *testing.T, f *Follower, s *source) {
	t.Helper()
	synctest.Wait()
	v, _ := f.View()
	s.with(func() { require.Greater(t, s.status.Height, v.Height) })
}

func TestEventsWakeThePoller(t *testing.T) {
	var events chan struct{}
	follow(t, slowly(&events), func(t *testing.T, f *Follower, s *source) {
		time.Sleep(2500 * time.Millisecond)
		behind(t, f, s)
		for range 5 {
			events <- struct{}{}
			sees(t, f, s)
			time.Sleep(3 * time.Second)
			behind(t, f, s)
		}
		require.EqualValues(t, 5, count(t, f.metrics.events))
		require.Zero(t, count(t, f.metrics.breaks))
		// A flood of them is one poll in a tenth of the interval.
		before := s.count("status")
		for range 10_000 {
			events <- struct{}{}
		}
		time.Sleep(2 * time.Second)
		require.LessOrEqual(t, s.count("status")-before, 3)
		sees(t, f, s)
	})
}

// An event says nothing about the chain: the height does.
func TestEventsAreNoTruth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := make(chan struct{})
		s := newSource()
		s.blocks = feed(events)
		f := newFollower(t, testConfig(), s)
		require.NoError(t, f.Start(t.Context()))
		for range 40 {
			events <- struct{}{}
			time.Sleep(time.Second)
		}
		require.ErrorContains(t, f.Stale(), "no new block for")
		require.NoError(t, f.Stop(t.Context()))
	})
}

func TestWithoutEvents(t *testing.T) {
	for name, change := range map[string]func(*Config, *source){
		"switched off":   func(c *Config, s *source) { c.Events, s.blocks = false, feed(nil) },
		"no websocket":   nil,
		"it panics":      func(_ *Config, s *source) { s.blocks = func(context.Context, func()) error { panic("planned") } },
		"nothing comes":  func(_ *Config, s *source) { s.blocks = feed(nil) },
		"it ends itself": func(_ *Config, s *source) { s.blocks = func(context.Context, func()) error { return nil } },
	} {
		t.Run(name, func(t *testing.T) {
			follow(t, change, func(t *testing.T, f *Follower, s *source) {
				time.Sleep(600 * time.Second)
				require.NoError(t, f.Stale())
				time.Sleep(600 * time.Millisecond)
				sees(t, f, s)
				tries := s.count("blocks")
				switch name {
				case "switched off":
					require.Zero(t, tries)
				default:
					// 1+2+4+8+16+32 seconds, then each minute; a silent one takes five blocks more.
					require.GreaterOrEqual(t, tries, 13)
					require.LessOrEqual(t, tries, 16)
					require.InDelta(t, tries, count(t, f.metrics.breaks), 1)
				}
				require.Zero(t, count(t, f.metrics.events))
			})
		})
	}
}

func TestSubscriptionThatDies(t *testing.T) {
	t.Run("silently", func(t *testing.T) {
		var events chan struct{}
		follow(t, func(c *Config, s *source) {
			slowly(&events)(c, s)
			c.PollInterval = 2 * time.Second
		}, func(t *testing.T, f *Follower, s *source) {
			events <- struct{}{}
			require.Equal(t, 1, s.count("blocks"))
			// No more events: polls alone show the blocks, and after a few the subscription is given up.
			second := make(chan struct{})
			s.with(func() { s.blocks = feed(second) })
			time.Sleep(9 * time.Second)
			require.Equal(t, 1, s.count("blocks"))
			v, _ := f.View()
			require.GreaterOrEqual(t, v.Height, int64(5+7), "only later")
			require.NoError(t, f.Stale())
			time.Sleep(4 * time.Second)
			require.Equal(t, 2, s.count("blocks"))
			require.EqualValues(t, 1, count(t, f.metrics.breaks))
			second <- struct{}{}
			sees(t, f, s)
		})
	})
	t.Run("with an error", func(t *testing.T) {
		var first chan struct{}
		follow(t, slowly(&first), func(t *testing.T, f *Follower, s *source) {
			second := make(chan struct{})
			first <- struct{}{}
			s.with(func() { s.blocks = feed(second) })
			close(first)
			time.Sleep(1500 * time.Millisecond)
			require.Equal(t, 2, s.count("blocks"))
			require.EqualValues(t, 1, count(t, f.metrics.breaks))
			second <- struct{}{}
			time.Sleep(4 * time.Second)
			v, _ := f.View()
			require.GreaterOrEqual(t, v.Height, int64(5+3), "long before the next poll without a hint")
		})
	})
	t.Run("a chain that stands still is no silence", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSource()
			s.blocks = feed(nil)
			f := newFollower(t, testConfig(), s)
			require.NoError(t, f.Start(t.Context()))
			time.Sleep(time.Hour)
			require.Equal(t, 1, s.count("blocks"))
			require.NoError(t, f.Stop(t.Context()))
		})
	})
}
