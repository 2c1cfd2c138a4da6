package gateway

import (
	"errors"
	"net/http"
	"os"
)

// unpaidShare is the divisor of the part of all requests that may be for content without a session.
const unpaidShare = 2

// unpaidPlaces is how many requests for content without a session are worked on at a time. Whoever reads slowly holds a place
// for as long as it likes, and without a session that costs nothing: a few hosts would keep out all who pay.
func unpaidPlaces(maxRequests int) int { return max(1, (maxRequests+unpaidShare-1)/unpaidShare) }

// admitUnpaid gives a request for content without a session that is open a place among those, until leave.
func (s *Server) admitUnpaid(r *http.Request, rt route) (leave func(), err error) {
	if !rt.steps {
		return func() {}, nil
	}
	// A token that opens nothing is no session; what is wrong with it is said later.
	if client, err := s.sessionOf(r); err == nil && client != nil {
		return func() {}, nil
	}
	select {
	case s.unpaid <- struct{}{}:
		return func() { <-s.unpaid }, nil
	default:
		return nil, s.refuse("requests", "more than %d requests without a session are under way", cap(s.unpaid))
	}
}

// timedOut reports whether a client did not take an answer in time.
func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// forfeit keeps what is left from being given back: a client that held its place until the time was over would do so for ever.
func (m *freeMeter) forfeit() { m.left = 0 }
