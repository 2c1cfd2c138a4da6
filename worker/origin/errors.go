package origin

import "errors"

// Fill returns store.ErrNotFound for a name that no origin has, the context's error, and these. Their texts do not say where an origin is.
var (
	// ErrBusy reports that as many fetches run and wait as may.
	ErrBusy = errors.New("too many fetches from origins")
	// ErrUnavailable reports that at least one origin could not say whether it has the content.
	ErrUnavailable = errors.New("an origin is not available")
	// ErrTimeout reports an origin that was too slow.
	ErrTimeout = errors.New("an origin is too slow")
	// ErrMismatch reports an origin that delivered other bytes.
	ErrMismatch = errors.New("an origin delivered other content")
	// ErrTooLarge reports content over the bound of one object.
	ErrTooLarge = errors.New("the content is too large")
	// ErrNoRoom reports a store that does not take the content.
	ErrNoRoom = errors.New("the store does not take the content")
	// ErrStopped reports origins that were stopped.
	ErrStopped = errors.New("origins are stopped")

	errNotFound = errors.New("origin does not have it")
	errQuota    = errors.New("the worker's free quota is used up")
)
