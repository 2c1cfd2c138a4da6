package rollup

import "time"

// backoff is how long to wait before the n-th try again, n from 1: it doubles from first up to last, and jitter in [0, 1)
// places it between one and one and a half of that, so that workers that failed together do not return together.
func backoff(n int, first, last time.Duration, jitter float64) time.Duration {
	wait := first
	for i := 1; i < n && wait < last; i++ {
		wait *= 2
	}
	wait = min(wait, last)
	return wait + time.Duration(jitter*float64(wait)/2)
}
