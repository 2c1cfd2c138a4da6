package session

import (
	"errors"
	"fmt"
	"runtime/debug"
)

var errPanicked = errors.New("panicked")

// guarded returns what f does, and errPanicked if it panics: what runs beside the requests, or is waited for by others, must not
// take all of them with it.
func (m *Manager) guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			m.log.Error("work on credit and acknowledgements panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: %v", errPanicked, p)
		}
	}()
	return f()
}
