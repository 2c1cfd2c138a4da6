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

// boundOf returns whose requests the session's are counted with, false if they are not.
func (s *Server) boundOf(of Session) (account uint64, bounded bool) {
	known, ok := of.(accountOf)
	if !ok || s.cfg.MaxRequestsPerAccount == 0 {
		return 0, false
	}
	return known.AccountID(), true
}

// bounded returns the session with the bound of its account.
func (s *Server) bounded(of Session) Session {
	account, bounded := s.boundOf(of)
	if !bounded {
		return of
	}
	return boundedSession{of, s, account}
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
	return &boundedRequest{request, b.s, b.account}, nil
}

// boundedRequest gives the account's place back when it ends.
type boundedRequest struct {
	Request
	s       *Server
	account uint64
}

// Finish implements Request.
func (r *boundedRequest) Finish() {
	r.Request.Finish()
	r.s.accountsBy.done(r.account)
}

// Abort implements Request.
func (r *boundedRequest) Abort() {
	r.Request.Abort()
	r.s.accountsBy.done(r.account)
}
