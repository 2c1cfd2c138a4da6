package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/edgechain/edge/client/content"
	origins "github.com/edgechain/edge/worker/origin"
	"github.com/edgechain/edge/worker/session"
	"github.com/edgechain/edge/worker/store"
)

// openOrFill opens an object, and asks the origins for one that the store lacks. A damaged one was set aside by the store and is
// fetched anew. HEAD asks no origin: it bills nothing, and would make the worker fetch for nothing.
func (s *Server) openOrFill(r *http.Request, name content.Name) (*store.Object, error) {
	object, err := s.store.Open(name)
	if err == nil || s.origin == nil || !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrCorrupt) {
		return object, err
	}
	if r.Method == http.MethodHead {
		return nil, fmt.Errorf("%w: %s", store.ErrNotFound, name)
	}
	filled, err := s.beginFill(r)
	if err != nil {
		return nil, err
	}
	size, left := uint64(0), false
	defer func() { filled(size, left) }()
	ctx := r.Context()
	if r.Header.Get(origins.LoopHeader) != "" {
		// Workers that name each other as origins must not wait for each other.
		ctx = origins.FromWorker(ctx)
	}
	if err := s.origin.Fill(ctx, name); err != nil {
		left = ctx.Err() != nil
		return nil, err
	}
	if object, err = s.store.Open(name); err == nil {
		size = object.Size
	}
	return object, err
}

// beginFill says whether origins may be asked on behalf of a request, and waits for its turn among those of its address or account:
// an account that could not pay, and an address whose quota is used up, make the worker ask for nothing. The function that
// it returns takes the size of what came, and whether the client left before.
func (s *Server) beginFill(r *http.Request) (func(size uint64, left bool), error) {
	client, err := s.sessionOf(r)
	if err != nil {
		return nil, err
	}
	if client != nil {
		if err := s.inCredit(r.Context(), client); err != nil {
			return nil, err
		}
		account, _ := accountIn(client)
		done, err := s.quota.accountFills.take(r.Context(), account)
		return func(uint64, bool) { done() }, err
	}
	// What the object will take of the quota is not known yet.
	free, err := s.takeFree(r, 1)
	if err != nil {
		return nil, err
	}
	free.abort()
	from := s.originOf(r, peerOf(r.Context())).address
	if err := s.takeAside(r, askCost); err != nil {
		return nil, err
	}
	done, err := s.quota.fills.take(r.Context(), from)
	return func(size uint64, left bool) {
		if left {
			size = leaveCost
		}
		s.quota.aside.spend(from, size, s.now())
		done()
	}, err
}

// takeAside takes bytes of what an address has aside.
func (s *Server) takeAside(r *http.Request, n uint64) error {
	from := s.originOf(r, peerOf(r.Context())).address
	wait, ok := s.quota.aside.take(from, n, s.now())
	if ok {
		return nil
	}
	return s.refuse("aside", "too much was read and fetched for one address, or for all of them, that nobody pays for").set("Retry-After", seconds(wait))
}

// readySession is implemented by sessions that know whether they could begin a request.
type readySession interface {
	// Ready returns why not.
	Ready(ctx context.Context) error
}

// inCredit returns why a session could not pay for anything now, or nil.
func (s *Server) inCredit(ctx context.Context, client Session) error {
	of := client
	if b, ok := of.(boundedSession); ok {
		of = b.Session
	}
	if known, ok := of.(readySession); ok {
		if err := known.Ready(ctx); err != nil {
			return withCredit(err, client)
		}
		return nil
	}
	credit, err := client.Credit()
	switch {
	case err != nil:
		return err
	case credit.Limit.Sign() <= 0:
		return withCredit(session.ErrAccountEmpty, client)
	case credit.Claim.Cmp(credit.Limit) >= 0:
		return withCredit(session.ErrCreditExhausted, client)
	}
	return nil
}
