package types_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/x/epoch/types"
)

func TestOldestLive(t *testing.T) {
	for current, want := range map[uint64]uint64{0: 1, 1: 1, 2: 1, 3: 2, 10: 9, 1 << 63: 1<<63 - 1} {
		require.Equal(t, want, types.OldestLive(current), "current %d", current)
	}
}

func TestIsLive(t *testing.T) {
	for _, tc := range []struct {
		epoch, current uint64
		want           bool
	}{
		{0, 1, false}, {1, 1, true}, {2, 1, false}, {1, 2, true}, {2, 2, true}, {1, 3, false}, {2, 3, true}, {3, 3, true}, {4, 3, false},
	} {
		require.Equal(t, tc.want, types.IsLive(tc.epoch, tc.current), "epoch %d current %d", tc.epoch, tc.current)
	}
}

// An acknowledgement lives for its epoch and the next, and the oldest live epoch only rises.
func TestLivenessProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		current := rapid.Uint64Range(1, 1<<62).Draw(t, "current")
		oldest := types.OldestLive(current)
		require.GreaterOrEqual(t, oldest, uint64(1))
		require.LessOrEqual(t, oldest, current)
		require.LessOrEqual(t, current-oldest, uint64(1))
		require.LessOrEqual(t, oldest, types.OldestLive(current+1))
		epoch := rapid.Uint64Range(0, current+3).Draw(t, "epoch")
		require.Equal(t, epoch >= oldest && epoch <= current, types.IsLive(epoch, current))
		require.True(t, types.IsLive(current, current))
		require.True(t, types.IsLive(current, current+1))
		require.False(t, types.IsLive(current, current+2))
	})
}

func TestIsOverAndTimeLeft(t *testing.T) {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		after time.Duration
		over  bool
		left  time.Duration
	}{
		{-time.Hour, false, time.Minute},
		{0, false, time.Minute},
		{15 * time.Second, false, 45 * time.Second},
		{time.Minute - 1, false, 1},
		{time.Minute, true, 0},
		{time.Minute + 1, true, 0},
		{72 * time.Hour, true, 0},
	} {
		now := start.Add(tc.after)
		require.Equal(t, tc.over, types.IsOver(start, time.Minute, now), "%s", tc.after)
		require.Equal(t, tc.left, types.TimeLeft(start, time.Minute, now), "%s", tc.after)
	}
	require.Equal(t, start.Add(time.Minute), types.Epoch{StartTime: start, Duration: time.Minute}.PlannedEnd())
}

// An epoch is over exactly when no time is left in it, and it stays over.
func TestClockProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "start"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC()
		duration := time.Duration(rapid.Int64Range(int64(types.MinDevelopmentDuration), int64(types.MaxDuration)).Draw(t, "duration"))
		now := start.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), 2*int64(types.MaxDuration)).Draw(t, "after")))
		later := now.Add(time.Duration(rapid.Int64Range(0, int64(types.MaxDuration)).Draw(t, "step")))

		left := types.TimeLeft(start, duration, now)
		require.Equal(t, left == 0, types.IsOver(start, duration, now))
		require.GreaterOrEqual(t, left, time.Duration(0))
		require.LessOrEqual(t, left, duration)
		require.LessOrEqual(t, types.TimeLeft(start, duration, later), left)
		if types.IsOver(start, duration, now) {
			require.True(t, types.IsOver(start, duration, later))
		} else if !now.Before(start) {
			require.True(t, types.IsOver(start, duration, now.Add(left)))
		}
	})
}
