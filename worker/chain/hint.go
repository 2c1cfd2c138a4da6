package chain

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxHaste is how many polls there are in a poll interval at most, however many events come.
	maxHaste = 10
	// maxUnheard is how many times polls may see the height rise without an event before the subscription counts as dead.
	maxUnheard = 5
	// firstRetry and lastRetry bound the wait before the next subscription, which doubles in between.
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// errSilent reports a subscription that brings no events although blocks come.
var errSilent = errors.New("no events although the height rises")

// hint connects the subscription to the poller: events wake it, and what it sees tells whether events still come. Neither
// ever waits for the other.
type hint struct {
	wake   chan struct{}
	silent chan struct{}
	// unheard counts rises of the height since the last event.
	unheard *atomic.Int32
}

func newHint() hint {
	return hint{wake: make(chan struct{}, 1), silent: make(chan struct{}, 1), unheard: new(atomic.Int32)}
}

// event wakes the poller. Events that come while it polls are one.
func (h hint) event() {
	h.unheard.Store(0)
	offer(h.wake)
}

// risen notes that a poll has seen the height rise.
func (h hint) risen() {
	if h.unheard.Add(1) >= maxUnheard {
		h.unheard.Store(0)
		offer(h.silent)
	}
}

// fresh starts to count for a new subscription.
func (h hint) fresh() {
	h.unheard.Store(0)
	select {
	case <-h.silent:
	default:
	}
}

func offer(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// listen keeps a subscription to new blocks until the context ends. Whatever becomes of it, polls go on.
func (f *Follower) listen(ctx context.Context) {
	retry, told := firstRetry, false
	for {
		heard, err := f.subscribe(ctx)
		if ctx.Err() != nil {
			return
		}
		f.metrics.breaks.Inc()
		if heard {
			retry, told = firstRetry, false
		}
		// A node without websocket would fill the log.
		if !told {
			f.log.Warn("no events of new blocks; polls go on", "err", err, "retry_in", retry.String())
			told = true
		}
		if !sleep(ctx, retry) {
			return
		}
		retry = min(2*retry, lastRetry)
	}
}

// subscribe passes events on until the subscription breaks or goes silent, and says whether there were any.
func (f *Follower) subscribe(ctx context.Context) (heard bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel(nil)
	defer func() {
		if r := recover(); r != nil {
			f.log.Error("subscription panicked", "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("subscription panicked: %v", r)
		}
	}()
	f.hint.fresh()
	watch.Go(func() {
		select {
		case <-f.hint.silent:
			cancel(errSilent)
		case <-ctx.Done():
		}
	})
	var any atomic.Bool
	err = f.source.Blocks(ctx, func() {
		any.Store(true)
		f.metrics.events.Inc()
		f.hint.event()
	})
	if errors.Is(context.Cause(ctx), errSilent) {
		err = errSilent
	}
	return any.Load(), err
}

// sleep waits, and returns false if the context ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
