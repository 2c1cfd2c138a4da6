package main

import (
	"context"
	"errors"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/session"
)

// sessions makes the session manager what the gateway wants: its types, and errors that its table knows.
type sessions struct {
	manager *session.Manager
	// byKey is the newest session of a client key, for the credit that an answer to acknowledgements shows.
	byKey *lru.Cache[uint64, *session.Session]
}

func newSessions(manager *session.Manager, limit int) (*sessions, error) {
	byKey, err := lru.New[uint64, *session.Session](limit)
	if err != nil {
		return nil, err
	}
	return &sessions{manager: manager, byKey: byKey}, nil
}

// sessionErrors says which error of the gateway an error of the sessions is. The first match counts.
var sessionErrors = []struct{ from, to error }{
	{session.ErrInvalid, ack.ErrRange},
	{session.ErrBadProof, gateway.ErrBadProof},
	{session.ErrSessionUnknown, gateway.ErrSessionUnknown},
	{session.ErrLaneClosed, gateway.ErrLaneClosed},
	{session.ErrCreditExhausted, gateway.ErrCreditExhausted},
	{session.ErrStalled, gateway.ErrCreditExhausted},
	{session.ErrAccountEmpty, gateway.ErrAccountEmpty},
	{session.ErrOverloaded, gateway.ErrOverloaded},
	{session.ErrChainStale, gateway.ErrChainStale},
	// A worker that is not registered cannot tell a client what is true on the chain either.
	{session.ErrNotServing, gateway.ErrChainStale},
	{session.ErrStopped, gateway.ErrOverloaded},
	{ackpool.ErrFull, gateway.ErrOverloaded},
}

func sessionError(err error) error {
	if err == nil {
		return nil
	}
	for _, row := range sessionErrors {
		if errors.Is(err, row.from) {
			return fmt.Errorf("%w: %w", row.to, err)
		}
	}
	return err
}

func gatewayCredit(c session.Credit) gateway.Credit {
	return gateway.Credit{Limit: c.Limit, Claim: c.Claim, UnacknowledgedBytes: c.UnacknowledgedBytes}
}

// Challenge implements gateway.Sessions.
func (s *sessions) Challenge(context.Context) (gateway.Challenge, error) {
	challenge, expires, err := s.manager.Challenge()
	return gateway.Challenge{Bytes: challenge, ExpiresAt: expires}, sessionError(err)
}

// Open implements gateway.Sessions.
func (s *sessions) Open(ctx context.Context, r gateway.OpenRequest) (gateway.Opened, error) {
	opened, err := s.manager.Open(ctx, session.OpenRequest{
		KeyID: r.KeyID, ServiceID: r.ServiceID, Lane: r.Lane, Challenge: r.Challenge, Signature: r.Signature,
	})
	if err != nil {
		return gateway.Opened{}, sessionError(err)
	}
	info, err := opened.Info()
	if err != nil {
		return gateway.Opened{}, sessionError(err)
	}
	s.byKey.Add(r.KeyID, opened)
	return gateway.Opened{
		Token: info.Token, WorkerID: info.WorkerID, KeyID: info.KeyID, ServiceID: info.ServiceID, Lane: info.Lane, Epoch: info.Epoch,
		ExpiresAt: info.ExpiresAt, NextSequence: info.NextSequence, Acknowledgements: info.Acknowledgements, Credit: gatewayCredit(info.Credit),
	}, nil
}

// Lookup implements gateway.Sessions.
func (s *sessions) Lookup(token string) (gateway.Session, error) {
	found, err := s.manager.Lookup(token)
	if err != nil {
		return nil, sessionError(err)
	}
	return paidSession{found}, nil
}

// Acknowledge implements gateway.Sessions.
func (s *sessions) Acknowledge(ctx context.Context, acks []ack.Signed) (gateway.Acknowledged, error) {
	outcomes, err := s.manager.Acknowledge(ctx, acks)
	if err != nil {
		return gateway.Acknowledged{}, sessionError(err)
	}
	done := gateway.Acknowledged{Refused: make([]error, len(outcomes))}
	for i, o := range outcomes {
		if !o.Accepted() {
			done.Refused[i] = errors.New(o.Reason)
		}
	}
	for i := range acks {
		if known, ok := s.byKey.Get(acks[i].KeyID); ok {
			if credit, err := known.Credit(); err == nil {
				c := gatewayCredit(credit)
				done.Credit = &c
				break
			}
		}
	}
	return done, nil
}

type paidSession struct{ *session.Session }

// Begin implements gateway.Session.
func (s paidSession) Begin(ctx context.Context, meta gateway.Meta) (gateway.Request, error) {
	request, err := s.Session.Begin(ctx, session.Meta{
		RequestDigest: meta.RequestDigest, ResponseDigest: meta.ResponseDigest, Bytes: meta.Bytes,
	})
	if err != nil {
		return nil, sessionError(err)
	}
	return paidRequest{request}, nil
}

// Credit implements gateway.Session.
func (s paidSession) Credit() (gateway.Credit, error) {
	credit, err := s.Session.Credit()
	return gatewayCredit(credit), sessionError(err)
}

type paidRequest struct{ *session.Request }

// Reserve implements gateway.Request.
func (r paidRequest) Reserve(ctx context.Context, n uint64) error {
	return sessionError(r.Request.Reserve(ctx, n))
}
