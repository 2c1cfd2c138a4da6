package fetch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/lane"
)

var (
	// ErrNoWorker reports that there is no worker to ask.
	ErrNoWorker = errors.New("no worker to fetch from")
	// ErrWorkerURL reports an address that cannot be a worker's.
	ErrWorkerURL = errors.New("unusable worker address")
	// ErrRange reports a range that cannot be fetched.
	ErrRange = errors.New("unusable range")
	// ErrProtocol reports an answer that the protocol does not allow.
	ErrProtocol = errors.New("worker breaks the protocol")
	// ErrIdentity reports a worker that is not the one it claims to be, or not one that the chain lets serve.
	ErrIdentity = errors.New("worker is not what the chain says")
	// ErrFutureEpoch reports a worker that works in an epoch which the chain has not reached.
	ErrFutureEpoch = errors.New("worker claims an epoch that the chain has not reached")
	// ErrAckRefused reports a worker that does not take correct acknowledgements.
	ErrAckRefused = errors.New("worker refuses acknowledgements")
	// ErrStalled reports a stream without a verified group for too long.
	ErrStalled = errors.New("stream stalled")
	// ErrRedirect reports a redirect, which is never followed.
	ErrRedirect = errors.New("worker redirects, which is refused")
	// ErrWrite reports that verified bytes could not be written.
	ErrWrite = errors.New("write verified content")
	// ErrNotWhole reports a stream that ended early.
	ErrNotWhole = errors.New("stream broke off")

	// errAgain asks for another attempt at once.
	errAgain = errors.New("try again")
	// errFull reports a worker without room for an upload. It will hardly have any in a few seconds, and another one may.
	errFull = errors.New("worker is full")
	// errFatal is in the chain of errors that no other worker can mend.
	errFatal = errors.New("")
)

// WorkerError is an error that one worker answers for.
type WorkerError struct {
	Worker Worker
	Err    error
}

// Error implements error.
func (e *WorkerError) Error() string { return fmt.Sprintf("%s: %v", e.Worker, e.Err) }

// Unwrap returns the cause.
func (e *WorkerError) Unwrap() error { return e.Err }

// CorruptError says that a worker sent bytes that do not belong to the object. Everything before Group is verified,
// written and acknowledged.
type CorruptError struct {
	WorkerID uint64
	URL      string
	// Group is the index of the 16 KiB group in the object, from 0.
	Group uint64
	Name  content.Name
}

// Error implements error.
func (e *CorruptError) Error() string {
	w := Worker{ID: e.WorkerID, URL: e.URL}
	return fmt.Sprintf("%s sent bytes that do not verify in group %d of %s; everything before byte %d is verified and kept",
		w, e.Group, e.Name, e.Group*content.GroupSize)
}

// Unwrap returns content.ErrCorrupt.
func (e *CorruptError) Unwrap() error { return content.ErrCorrupt }

// WorkersError is the errors of all workers that were tried, in order.
type WorkersError struct{ Errors []error }

// Error implements error.
func (e *WorkersError) Error() string {
	texts := make([]string, len(e.Errors))
	for i, err := range e.Errors {
		texts[i] = err.Error()
	}
	return fmt.Sprintf("all %d workers failed: %s", len(texts), strings.Join(texts, "; "))
}

// Unwrap returns the errors of the workers.
func (e *WorkersError) Unwrap() []error { return e.Errors }

// waitError asks for another attempt later.
type waitError struct {
	// wait as the worker asked for, 0 if it did not say.
	wait  time.Duration
	cause error
}

func (e *waitError) Error() string { return e.cause.Error() }
func (e *waitError) Unwrap() error { return e.cause }

// retryable reports whether the same worker may do better on another try: after everything that a network or a restart
// can cause, and never after an answer that only a broken or hostile worker gives.
func retryable(err error) bool {
	for _, final := range []error{
		ErrProtocol, ErrIdentity, ErrFutureEpoch, ErrAckRefused, ErrRedirect, ErrWrite, ErrRange, ErrWorkerURL, ErrAddress, ErrSlow, ErrChanged, ErrUnkept, errFull,
		content.ErrCorrupt, content.ErrSize,
		lane.ErrForeign, lane.ErrFutureEpoch, lane.ErrSequence, lane.ErrBusy, lane.ErrState, lane.ErrEpochBackwards,
		context.Canceled,
	} {
		if errors.Is(err, final) {
			return false
		}
	}
	var p *Problem
	if errors.As(err, &p) {
		return p.Status >= 500
	}
	return true
}

// blame turns the error of an attempt into one that names the worker.
func (s *source) blame(err error) error {
	var corrupt *content.CorruptError
	if errors.As(err, &corrupt) {
		return &CorruptError{WorkerID: s.worker.ID, URL: s.worker.URL, Group: corrupt.Group, Name: s.req.Name}
	}
	if errors.Is(err, ErrWrite) {
		return fmt.Errorf("%w%w", err, errFatal)
	}
	return &WorkerError{Worker: s.worker, Err: err}
}
