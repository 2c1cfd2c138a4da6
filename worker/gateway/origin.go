package gateway

import (
	"errors"
	"net/http"

	"github.com/edgechain/edge/client/content"
	origins "github.com/edgechain/edge/worker/origin"
	"github.com/edgechain/edge/worker/store"
)

// openOrFill opens an object, and asks the origins for one that the store lacks. A damaged one was set aside by the store and is
// fetched anew.
func (s *Server) openOrFill(r *http.Request, name content.Name) (*store.Object, error) {
	object, err := s.store.Open(name)
	if err == nil || s.origin == nil || !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrCorrupt) {
		return object, err
	}
	ctx := r.Context()
	if r.Header.Get(origins.LoopHeader) != "" {
		// Workers that name each other as origins must not wait for each other.
		ctx = origins.FromWorker(ctx)
	}
	if err := s.origin.Fill(ctx, name); err != nil {
		return nil, err
	}
	return s.store.Open(name)
}
