package origin

import (
	"sync"
	"time"
)

// failuresToBackoff is how many failures in a row it takes to leave an origin alone: a single one may be the object's.
const failuresToBackoff = 3

// breaker leaves a failing origin alone for a while.
type breaker struct {
	first, last time.Duration

	mu       sync.Mutex
	failures int
	until    time.Time
}

// closed reports whether the origin may be asked.
func (b *breaker) closed(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !now.Before(b.until)
}

// answered says that the origin has answered as it should.
func (b *breaker) answered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.until = 0, time.Time{}
}

// failed says that it has not, and returns for how long it is left alone. A wait that the origin asks for begins at once.
func (b *breaker) failed(now time.Time, asked time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	wait := min(asked, b.last)
	if over := b.failures - failuresToBackoff; over >= 0 {
		wait = max(wait, min(b.first<<min(over, 20), b.last))
	}
	if until := now.Add(wait); wait > 0 && until.After(b.until) {
		b.until = until
	}
	return wait
}
