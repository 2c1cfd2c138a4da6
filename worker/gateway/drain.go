package gateway

import (
	"context"
	"errors"
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

// end says that an answer has ended at a time, which is now.
func (w *work) end(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	w.last = now
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

// cutAll ends what is under way and returns how much that is.
func (w *work) cutAll() int {
	defer w.cut()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running
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

// errLate is why the context of an answer ended that did not begin in time.
var errLate = errors.New("the answer did not begin in time")

// bind returns a context that also ends when the work is cut, and when the answer has not begun in FirstByteTimeout. The
// function that it returns ends it, and makes the error of an answer that was late the problem that it is.
func (s *Server) bind(ctx context.Context, w *response) (context.Context, func(error) error) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.work.context, func() { cancel(errDraining) })
	late := time.AfterFunc(s.cfg.FirstByteTimeout, func() { cancel(errLate) })
	w.onStart = func() { late.Stop() }
	return ctx, func(err error) error {
		late.Stop()
		stop()
		if err != nil && errors.Is(context.Cause(ctx), errLate) && !w.started() {
			// What the context's end looked like on its way says less.
			err = newProblem(timeout, "no byte of the answer was there after %s", s.cfg.FirstByteTimeout)
		}
		cancel(nil)
		return err
	}
}
