package gateway

import (
	"context"

	"github.com/edgechain/edge/worker/session"
)

// accountOf is implemented by sessions that know whose they are.
type accountOf interface {
	AccountID() uint64
}

// boundedSession bounds how many requests of the account behind a session are worked on at a time, over all of its keys,
// lanes, connections and addresses.
type boundedSession struct {
	Session
	s       *Server
	account uint64
}

// bounded returns the session with the bound of its account.
func (s *Server) bounded(of Session) Session {
	known, ok := of.(accountOf)
	if !ok || s.cfg.MaxRequestsPerAccount == 0 {
		return of
	}
	return boundedSession{of, s, known.AccountID()}
}

// Begin implements Session.
func (b boundedSession) Begin(ctx context.Context, meta session.Meta) (Request, error) {
	if !b.s.accountsBy.take(b.account) {
		return nil, b.s.refuse("account", "more than %d requests are under way for one account", b.s.cfg.MaxRequestsPerAccount)
	}
	request, err := b.Session.Begin(ctx, meta)
	if err != nil {
		b.s.accountsBy.done(b.account)
		return nil, err
	}
	return boundedRequest{request, b}, nil
}

// boundedRequest gives the account's place back when it ends.
type boundedRequest struct {
	Request
	of boundedSession
}

// Finish implements Request.
func (r boundedRequest) Finish() {
	r.Request.Finish()
	r.of.s.accountsBy.done(r.of.account)
}

// Abort implements Request.
func (r boundedRequest) Abort() {
	r.Request.Abort()
	r.of.s.accountsBy.done(r.of.account)
}
