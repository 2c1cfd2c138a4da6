package types

import "time"

// LiveEpochs is for how many epochs an acknowledgement can be settled: its own and the next one.
const LiveEpochs = 2

// OldestLive returns the oldest epoch whose acknowledgements are accepted while current is open. It never falls as current
// rises.
//
//	current      0  1  2  3  10
//	oldest live  1  1  1  2   9
func OldestLive(current uint64) uint64 {
	if current <= LiveEpochs {
		return 1
	}
	return current - (LiveEpochs - 1)
}

// IsLive says whether acknowledgements of an epoch are accepted while current is open.
func IsLive(epoch, current uint64) bool {
	return epoch >= OldestLive(current) && epoch <= current
}

// IsOver says whether the planned duration of an epoch is over at a time. A block exactly at the end is the epoch's last.
//
//	start 12:00:00, duration 60 s: not at 12:00:59, at 12:01:00, nor ever before the start
func IsOver(start time.Time, duration time.Duration, now time.Time) bool {
	return !now.Before(start.Add(duration))
}

// TimeLeft returns what is left of an epoch's duration at a time, between 0 and the duration.
//
//	start 12:00:00, duration 60 s: 45 s at 12:00:15, 0 s at 12:07:00
func TimeLeft(start time.Time, duration time.Duration, now time.Time) time.Duration {
	return min(max(start.Add(duration).Sub(now), 0), duration)
}

// PlannedEnd returns when the duration of the epoch is over; the epoch ends with the first block from then on that finds
// the epoch before it closed.
func (e Epoch) PlannedEnd() time.Time { return e.StartTime.Add(e.Duration) }
