package chain

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrStale reports a view of the chain that is too old to sign by.
var ErrStale = errors.New("lost sight of the chain")

// EpochSource tells the current epoch. *Client is one.
type EpochSource interface {
	Epoch(ctx context.Context) (Epoch, error)
}

// Watch follows the chain's current epoch by polling. Its view is what acknowledgements are signed by.
type Watch struct {
	source        EpochSource
	every, maxAge time.Duration
	cancel        context.CancelFunc
	done          chan struct{}
	changed       chan struct{}

	// asking is held by the one that asks.
	asking chan struct{}

	mu    sync.Mutex
	epoch Epoch
	seen  time.Time
	// asked is when the question was put that was answered last.
	asked   time.Time
	lastErr error
}

// recent is how old an answer may be that Refresh takes for one of now. It is far less than what blocks are apart, and one that
// acknowledges many small files would otherwise ask a node for each of them.
const recent = 100 * time.Millisecond

// StartWatch reads the epoch once and then every so often until Stop. maxAge is how old a view may be to be used.
func StartWatch(ctx context.Context, source EpochSource, every, maxAge time.Duration) (*Watch, error) {
	asked := time.Now()
	first, err := source.Epoch(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w := &Watch{
		source: source, every: every, maxAge: maxAge, cancel: cancel, done: make(chan struct{}), changed: make(chan struct{}, 1),
		asking: make(chan struct{}, 1), epoch: first, seen: time.Now(), asked: asked,
	}
	go w.run(ctx)
	return w, nil
}

func (w *Watch) run(ctx context.Context) {
	defer close(w.done)
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// An error shows when the view is too old.
			_ = w.Refresh(ctx)
		}
	}
}

// Refresh reads the epoch now, unless it was read within the last tenth of a second. A node that tells an older epoch than before
// is behind, and its answer is not taken.
func (w *Watch) Refresh(ctx context.Context) error {
	select {
	case w.asking <- struct{}{}:
		defer func() { <-w.asking }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	now := time.Now()
	w.mu.Lock()
	fresh := w.lastErr == nil && now.Sub(w.asked) < recent
	w.mu.Unlock()
	if fresh {
		return nil
	}
	e, err := w.source.Epoch(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && e.Number < w.epoch.Number {
		err = fmt.Errorf("%w: it tells epoch %d after epoch %d", ErrBehind, e.Number, w.epoch.Number)
	}
	w.lastErr = err
	if err != nil {
		return err
	}
	if e.Number != w.epoch.Number {
		select {
		case w.changed <- struct{}{}:
		default:
		}
	}
	w.epoch, w.seen, w.asked = e, time.Now(), now
	return nil
}

// Changed receives a value after the epoch has changed.
func (w *Watch) Changed() <-chan struct{} { return w.changed }

// Epoch returns the current epoch. It returns ErrStale if the view is too old.
func (w *Watch) Epoch() (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if age := time.Since(w.seen); age > w.maxAge {
		if w.lastErr != nil {
			return 0, fmt.Errorf("%w for %s: %w", ErrStale, age.Round(time.Second), w.lastErr)
		}
		return 0, fmt.Errorf("%w for %s", ErrStale, age.Round(time.Second))
	}
	return w.epoch.Number, nil
}

// Stop ends the watch and waits for it.
func (w *Watch) Stop() {
	w.cancel()
	<-w.done
}
