package gateway

import (
	"context"
	"sync"
	"time"
)

// work counts the answers of content under way, so that a stop can wait for them while the listener stays open.
type work struct {
	// idle is closed when nothing is under way and nothing begins any more.
	idle chan struct{}
	// context ends when what is under way has to.
	context context.Context
	cut     context.CancelFunc

	mu       sync.Mutex
	draining bool
	running  int
	last     time.Time
}

func newWork() *work {
	w := &work{idle: make(chan struct{})}
	w.context, w.cut = context.WithCancel(context.Background())
	return w
}

// begin counts an answer, unless none may begin any more.
func (w *work) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.draining {
		return false
	}
	w.running++
	return true
}

// end says that an answer has ended.
func (w *work) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	w.last = time.Now()
	if w.draining && w.running == 0 {
		close(w.idle)
	}
}

// drain lets nothing begin any more.
func (w *work) drain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.draining {
		return
	}
	w.draining = true
	if w.running == 0 {
		close(w.idle)
	}
}

// stopping reports whether drain was called.
func (w *work) stopping() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.draining
}

// ended returns when an answer ended last, now if some are under way, and nothing if there was none.
func (w *work) ended() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running > 0 {
		return time.Now()
	}
	return w.last
}

// bind returns a context that also ends when the work is cut.
func (w *work) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(w.context, cancel)
	return ctx, func() { stop(); cancel() }
}
