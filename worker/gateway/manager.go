package gateway

import (
	"context"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/session"
)

// ManagedSessions returns the sessions of a manager.
func ManagedSessions(m *session.Manager) Sessions { return managedSessions{m} }

type managedSessions struct{ m *session.Manager }

func (s managedSessions) Challenge(context.Context) (c Challenge, err error) {
	c.Bytes, c.ExpiresAt, err = s.m.Challenge()
	return c, err
}

func (s managedSessions) Open(ctx context.Context, req session.OpenRequest) (session.Info, error) {
	opened, err := s.m.Open(ctx, req)
	if err != nil {
		return session.Info{}, err
	}
	return opened.Info()
}

func (s managedSessions) Lookup(token string) (Session, error) {
	found, err := s.m.Lookup(token)
	if err != nil {
		return nil, err
	}
	return managedSession{found}, nil
}

func (s managedSessions) Acknowledge(ctx context.Context, acks []ack.Signed) (Acknowledged, error) {
	outcomes, err := s.m.Acknowledge(ctx, acks)
	if err != nil {
		return Acknowledged{}, err
	}
	done := Acknowledged{Outcomes: outcomes}
	for _, o := range outcomes {
		if o.AccountID == 0 {
			continue
		}
		// What is stored is stored, also if nobody can say what credit it makes.
		if credit, err := s.m.Credit(ctx, o.AccountID); err == nil {
			done.Credit = &credit
		}
		break
	}
	return done, nil
}

type managedSession struct{ *session.Session }

func (s managedSession) Begin(ctx context.Context, meta session.Meta) (Request, error) {
	request, err := s.Session.Begin(ctx, meta)
	if err != nil {
		return nil, err // not a nil *session.Request, which is no nil Request
	}
	return request, nil
}

// BeginNow implements quickSession.
func (s managedSession) BeginNow(acks []ack.Signed, meta session.Meta) (Request, bool) {
	request, ok := s.Session.BeginNow(acks, meta)
	if !ok {
		return nil, false
	}
	return request, true
}
