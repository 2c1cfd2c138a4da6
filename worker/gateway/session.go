package gateway

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/session"
)

const (
	authScheme = "Edge-Session"
	ackType    = "application/vnd.edge.ack"

	// maxHeaderAcks is how many acknowledgements a request's header carries: the last of an old epoch and the first of a new one.
	maxHeaderAcks = 2
	// maxBodyAcks bounds those of POST /v1/acks.
	maxBodyAcks = 64
	maxAckBody  = maxBodyAcks * ack.SignedSize
)

// creditDoc is the credit of an account. Amounts are decimal strings, because they can exceed what a JSON number holds.
type creditDoc struct {
	Limit               string `json:"limit"`
	Claim               string `json:"claim"`
	UnacknowledgedBytes uint64 `json:"unacknowledged_bytes"`
}

func creditJSON(c session.Credit) creditDoc {
	return creditDoc{Limit: c.Limit.String(), Claim: c.Claim.String(), UnacknowledgedBytes: c.UnacknowledgedBytes}
}

type infoDoc struct {
	ChainID            string `json:"chain_id"`
	WorkerID           uint64 `json:"worker_id"`
	PeerKey            string `json:"peer_key"`
	Epoch              uint64 `json:"epoch"`
	Height             int64  `json:"height"`
	SettlementDenom    string `json:"settlement_denom"`
	PricePerGiB        string `json:"price_per_gib"`
	PricePerGFuel      string `json:"price_per_gfuel"`
	FreeQuotaBytes     uint64 `json:"free_quota_bytes"`
	FreeQuotaWindow    int64  `json:"free_quota_window_seconds"`
	MaxUnsettled       string `json:"max_unsettled"`
	BaseCredit         string `json:"base_credit"`
	StallTimeoutSecond int64  `json:"stall_timeout_seconds"`
}

// serveWorker answers GET /v1/worker.
func (s *Server) serveWorker(w http.ResponseWriter, r *http.Request) error {
	info, err := s.info()
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, "application/json", infoDoc{
		ChainID: info.ChainID, WorkerID: info.WorkerID, PeerKey: hex.EncodeToString(info.PeerKey), Epoch: info.Epoch, Height: info.Height,
		SettlementDenom: info.SettlementDenom, PricePerGiB: info.Prices.PerGiB.String(), PricePerGFuel: info.Prices.PerGFuel.String(),
		FreeQuotaBytes: s.cfg.FreeQuotaBytes, FreeQuotaWindow: int64(s.cfg.FreeQuotaWindow.Seconds()),
		MaxUnsettled: info.MaxUnsettled.String(), BaseCredit: info.BaseCredit.String(), StallTimeoutSecond: int64(info.StallTimeout.Seconds()),
	})
}

type challengeDoc struct {
	Challenge string    `json:"challenge"`
	ExpiresAt time.Time `json:"expires_at"`
}

// serveChallenge answers POST /v1/challenges.
func (s *Server) serveChallenge(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.readBody(w, r, 0); err != nil {
		return err
	}
	c, err := s.sessions.Challenge(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, "application/json", challengeDoc{hex.EncodeToString(c.Bytes[:]), c.ExpiresAt.UTC()})
}

type openDoc struct {
	KeyID     *uint64 `json:"key_id"`
	ServiceID uint64  `json:"service_id"`
	Lane      *uint8  `json:"lane"`
	Challenge string  `json:"challenge"`
	Signature string  `json:"signature"`
}

type openedDoc struct {
	Token            string    `json:"token"`
	WorkerID         uint64    `json:"worker_id"`
	KeyID            uint64    `json:"key_id"`
	ServiceID        uint64    `json:"service_id"`
	Lane             uint8     `json:"lane"`
	Epoch            uint64    `json:"epoch"`
	ExpiresAt        time.Time `json:"expires_at"`
	Acknowledgements []string  `json:"acknowledgements"`
	NextSequence     uint64    `json:"next_sequence"`
	Credit           creditDoc `json:"credit"`
}

// serveOpen answers POST /v1/sessions.
func (s *Server) serveOpen(w http.ResponseWriter, r *http.Request) error {
	body, err := s.readBody(w, r, s.cfg.MaxBodyBytes)
	if err != nil {
		return err
	}
	var doc openDoc
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&doc); err != nil {
		return newProblem(badRequest, "body: %v", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return newProblem(badRequest, "body: more than one JSON value")
	}
	switch {
	case doc.KeyID == nil || *doc.KeyID == 0:
		return newProblem(badRequest, "key_id is missing or 0")
	case doc.Lane == nil || *doc.Lane >= ack.MaxLanes:
		return newProblem(badRequest, "lane is missing or not below %d", ack.MaxLanes)
	}
	req := session.OpenRequest{KeyID: *doc.KeyID, ServiceID: doc.ServiceID, Lane: *doc.Lane}
	challenge, err := hex.DecodeString(doc.Challenge)
	if err != nil || len(challenge) != ack.ChallengeSize {
		return newProblem(badRequest, "challenge is not %d bytes of hex", ack.ChallengeSize)
	}
	copy(req.Challenge[:], challenge)
	if req.Signature, err = hex.DecodeString(doc.Signature); err != nil || len(req.Signature) != ack.SignedSize-ack.EncodedSize {
		return newProblem(badRequest, "signature is not %d bytes of hex", ack.SignedSize-ack.EncodedSize)
	}
	o, err := s.sessions.Open(r.Context(), req)
	if err != nil {
		return err
	}
	acks := make([]string, len(o.Acknowledgements))
	for i := range acks {
		acks[i] = hex.EncodeToString(o.Acknowledgements[i].AppendEncoded(nil))
	}
	return writeJSON(w, r, http.StatusCreated, "application/json", openedDoc{
		Token: o.Token, WorkerID: o.WorkerID, KeyID: o.KeyID, ServiceID: o.ServiceID, Lane: o.Lane, Epoch: o.Epoch,
		ExpiresAt: o.ExpiresAt.UTC(), Acknowledgements: acks, NextSequence: o.NextSequence, Credit: creditJSON(o.Credit),
	})
}

// sessionOf returns the session that a request names, nil if it names none.
func (s *Server) sessionOf(r *http.Request) (Session, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, authScheme) {
		return nil, newProblem(sessionUnknown, "authorization scheme %q is unknown, want %s", scheme, authScheme)
	}
	found, err := s.sessions.Lookup(strings.TrimSpace(token))
	if err != nil {
		return nil, err
	}
	return s.bounded(found), nil
}

type acceptedDoc struct {
	Accepted int        `json:"accepted"`
	Credit   *creditDoc `json:"credit,omitempty"`
	// LaneClosed has the indices of those that were accepted and whose lane takes no more requests in its epoch.
	LaneClosed []int `json:"lane_closed,omitempty"`
}

type refusedDoc struct {
	Index  int    `json:"index"`
	Reason string `json:"reason"`
}

// serveAcks answers POST /v1/acks. The acknowledgements prove themselves; no session is needed.
func (s *Server) serveAcks(w http.ResponseWriter, r *http.Request) error {
	if t := r.Header.Get("Content-Type"); t != ackType {
		return newProblem(badRequest, "content type %q, want %s", t, ackType)
	}
	body, err := s.readBody(w, r, maxAckBody)
	if err != nil {
		return err
	}
	// The body is here: a client that is slow to send it holds up nobody.
	leave, err := s.enterAcks(r)
	if err != nil {
		return err
	}
	defer leave()
	doc, err := s.acknowledge(r, body, maxBodyAcks, s.sessions.Acknowledge)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, "application/json", doc)
}

// enterAcks waits for a place among those that store acknowledgements, for as long as a body may take. Places are given in
// the order of the requests, and one address cannot have more requests waiting than there are places, so that it does not
// keep others out. The function that it returns leaves the place.
func (s *Server) enterAcks(r *http.Request) (leave func(), err error) {
	from := addressOf(r.RemoteAddr)
	if !s.acksBy.take(from) {
		return nil, s.refuse("acks", "more than %d requests with acknowledgements are under way from one address", s.cfg.MaxAckRequests)
	}
	late := time.NewTimer(s.cfg.BodyTimeout)
	defer late.Stop()
	select {
	case s.acks <- struct{}{}:
		return func() { <-s.acks; s.acksBy.done(from) }, nil
	case <-late.C:
		err = s.refuse("acks", "more than %d requests with acknowledgements are under way", s.cfg.MaxAckRequests)
	case <-r.Context().Done():
		err = r.Context().Err()
	}
	s.acksBy.done(from)
	return nil, err
}

// storeAckHeader stores what the Edge-Ack header brings.
func (s *Server) storeAckHeader(r *http.Request) error {
	header := r.Header.Get("Edge-Ack")
	if header == "" {
		return nil
	}
	if len(header) > base64.StdEncoding.EncodedLen(maxHeaderAcks*ack.SignedSize) {
		return newProblem(badRequest, "Edge-Ack has %d characters, want at most %d acknowledgements", len(header), maxHeaderAcks)
	}
	b, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return newProblem(badRequest, "Edge-Ack: %v", err)
	}
	_, err = s.acknowledge(r, b, maxHeaderAcks, s.taking(r))
	return err
}

// taker is implemented by sessions that take acknowledgements of their own lane to be verified and stored beside the serving
// path.
type taker interface {
	Take(ctx context.Context, acks []ack.Signed) ([]session.AckOutcome, error)
}

// storing stores acknowledgements or takes them to be stored.
type storing func(ctx context.Context, acks []ack.Signed) (Acknowledged, error)

// taking is what becomes of the acknowledgements that stand beside a request: its session takes them, if it has one.
// A session that is unknown is told by the request; what stands beside it is stored nevertheless.
func (s *Server) taking(r *http.Request) storing {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, authScheme) {
		return s.sessions.Acknowledge
	}
	found, err := s.sessions.Lookup(strings.TrimSpace(token))
	if err != nil {
		return s.sessions.Acknowledge
	}
	own, ok := found.(taker)
	if !ok {
		return s.sessions.Acknowledge
	}
	return func(ctx context.Context, acks []ack.Signed) (Acknowledged, error) {
		outcomes, err := own.Take(ctx, acks)
		return Acknowledged{Outcomes: outcomes}, err
	}
}

// acknowledge stores the acknowledgements that stand in b one behind the other. A list of the wrong length stores nothing.
// If any is refused it returns bad-acknowledgement; the others are stored. Each is read by itself, because one whose fields
// are out of bounds says nothing about its neighbours.
func (s *Server) acknowledge(r *http.Request, b []byte, limit int, store storing) (acceptedDoc, error) {
	n := len(b) / ack.SignedSize
	if n == 0 || len(b)%ack.SignedSize != 0 || n > limit {
		return acceptedDoc{}, newProblem(badRequest, "acknowledgements of %d bytes, want 1 to %d of %d bytes each", len(b), limit, ack.SignedSize)
	}
	var refused []refusedDoc
	acks, indices := make([]ack.Signed, 0, n), make([]int, 0, n)
	for i := range n {
		var a ack.Signed
		if err := a.Decode(b[i*ack.SignedSize : (i+1)*ack.SignedSize]); err != nil {
			refused = append(refused, refusedDoc{i, session.ReasonOutOfRange})
			continue
		}
		acks, indices = append(acks, a), append(indices, i)
	}
	doc := acceptedDoc{}
	if len(acks) > 0 {
		done, err := store(r.Context(), acks)
		if err != nil {
			return acceptedDoc{}, err
		}
		if done.Credit != nil {
			credit := creditJSON(*done.Credit)
			doc.Credit = &credit
		}
		for i, o := range done.Outcomes {
			switch {
			case o.Status == session.AckTaken:
			case !o.Accepted():
				refused = append(refused, refusedDoc{indices[i], o.Reason})
			case o.LaneClosed:
				doc.LaneClosed = append(doc.LaneClosed, indices[i])
			}
		}
	}
	doc.Accepted = n - len(refused)
	if len(refused) == 0 {
		return doc, nil
	}
	slices.SortFunc(refused, func(a, b refusedDoc) int { return a.Index - b.Index })
	p := newProblem(badAcknowledgement, "%d of %d acknowledgements are refused, the others are stored", len(refused), n).
		with("results", refused).with("accepted", doc.Accepted)
	if doc.Credit != nil {
		p = p.with("credit", doc.Credit)
	}
	if len(doc.LaneClosed) > 0 {
		p = p.with("lane_closed", doc.LaneClosed)
	}
	return acceptedDoc{}, p
}

// readBody reads a request's body of at most limit bytes, in BodyTimeout.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, limit int) ([]byte, error) {
	if !hasBody(r) {
		return nil, nil
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, newProblem(tooLarge, "the body is longer than %d bytes", limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, newProblem(bodySlow, "the body did not arrive within %s", s.cfg.BodyTimeout)
	case err != nil:
		return nil, newProblem(badRequest, "the body broke off behind %d bytes", len(b))
	}
	// The body is here: from now on a deadline would only end the watch for a client that goes away.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // writers of tests have none
	return b, nil
}
