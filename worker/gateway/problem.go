package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	origins "github.com/edgechain/edge/worker/origin"
	"github.com/edgechain/edge/worker/session"
	"github.com/edgechain/edge/worker/store"
)

// problemBase precedes every problem type.
const problemBase = "https://edge.network/problems/"

// kind is a problem type of docs/protocol.md, section 6.
type kind struct {
	name   string
	status int
	title  string
}

var (
	badRequest         = kind{"bad-request", http.StatusBadRequest, "The request does not parse"}
	sessionRequired    = kind{"session-required", http.StatusPaymentRequired, "The free quota is used up"}
	creditExhausted    = kind{"credit-exhausted", http.StatusPaymentRequired, "The account's claim is at its limit"}
	accountEmpty       = kind{"account-empty", http.StatusPaymentRequired, "The account has nothing spendable"}
	badProof           = kind{"bad-proof", http.StatusForbidden, "The session proof does not verify"}
	sessionUnknown     = kind{"session-unknown", http.StatusUnauthorized, "The session is unknown or has ended"}
	notFound           = kind{"not-found", http.StatusNotFound, "The worker has no such content"}
	methodNotAllowed   = kind{"method-not-allowed", http.StatusMethodNotAllowed, "The resource does not know this method"}
	laneClosed         = kind{"lane-closed", http.StatusConflict, "Client and worker disagree about the lane's head"}
	preconditionFailed = kind{"precondition-failed", http.StatusPreconditionFailed, "If-Match names other content"}
	rangeUnsatisfiable = kind{"range-not-satisfiable", http.StatusRequestedRangeNotSatisfiable, "The range lies outside of the object"}
	badAcknowledgement = kind{"bad-acknowledgement", http.StatusUnprocessableEntity, "At least one acknowledgement was refused"}
	overloaded         = kind{"overloaded", http.StatusTooManyRequests, "The worker is at one of its limits"}
	chainStale         = kind{"chain-stale", http.StatusServiceUnavailable, "The worker has lost sight of the chain"}
	stopping           = kind{"stopping", http.StatusServiceUnavailable, "The worker is shutting down"}
	timeout            = kind{"timeout", http.StatusGatewayTimeout, "The answer did not begin in time"}
	originFailed       = kind{"origin-failed", http.StatusBadGateway, "No origin delivers the content"}
	originBusy         = kind{"origin-busy", http.StatusServiceUnavailable, "Too much is being fetched from origins"}
	originSlow         = kind{"origin-slow", http.StatusGatewayTimeout, "An origin is too slow"}
	uploadsOff         = kind{"uploads-off", http.StatusForbidden, "The worker takes no uploads"}
	lengthRequired     = kind{"length-required", http.StatusLengthRequired, "The length of the upload is not known"}
	tooLarge           = kind{"too-large", http.StatusRequestEntityTooLarge, "What is sent is over a bound"}
	contentMismatch    = kind{"content-mismatch", http.StatusUnprocessableEntity, "The bytes are not those of the name"}
	bodySlow           = kind{"body-slow", http.StatusRequestTimeout, "The body arrives too slowly"}
	noRoom             = kind{"no-room", http.StatusInsufficientStorage, "The worker has no room for the content"}
	internal           = kind{"internal", http.StatusInternalServerError, "The worker failed"}
)

// table is the only place where errors of the worker's parts become problem types. The first match counts; what it does
// not name is internal.
var table = []struct {
	err  error
	kind kind
}{
	{content.ErrName, badRequest},
	{ack.ErrSize, badRequest},
	{ack.ErrRange, badRequest},
	{store.ErrNotFound, notFound},
	{origins.ErrBusy, originBusy},
	{origins.ErrStopped, stopping},
	{origins.ErrUnavailable, originFailed},
	{origins.ErrMismatch, originFailed},
	{origins.ErrTooLarge, originFailed},
	{origins.ErrTimeout, originSlow},
	{origins.ErrNoRoom, noRoom},
	{store.ErrTooLarge, tooLarge},
	{store.ErrMismatch, contentMismatch},
	{store.ErrAccountQuota, tooLarge},
	{store.ErrQuota, noRoom},
	{store.ErrFull, noRoom},
	{session.ErrInvalid, badRequest},
	{session.ErrBadProof, badProof},
	{session.ErrSessionUnknown, sessionUnknown},
	{session.ErrLaneClosed, laneClosed},
	{session.ErrCreditExhausted, creditExhausted},
	{session.ErrStalled, creditExhausted},
	{session.ErrAccountEmpty, accountEmpty},
	{session.ErrOverloaded, overloaded},
	{session.ErrStopped, overloaded},
	{session.ErrChainStale, chainStale},
	{session.ErrNotServing, chainStale},
	{chain.ErrStale, chainStale},
	{chain.ErrBusy, overloaded},
	{ackpool.ErrFull, overloaded},
}

// problem is an error that knows its type, with members and headers of its own.
type problem struct {
	kind    kind
	detail  string
	members map[string]any
	header  http.Header
	// cause is for the log. It is not shown to the client.
	cause error
}

func newProblem(k kind, format string, args ...any) *problem {
	return &problem{kind: k, detail: fmt.Sprintf(format, args...)}
}

// Error implements error.
func (p *problem) Error() string {
	if p.cause != nil {
		return fmt.Sprintf("%s: %s: %v", p.kind.name, p.detail, p.cause)
	}
	return p.kind.name + ": " + p.detail
}

// Unwrap returns the cause.
func (p *problem) Unwrap() error { return p.cause }

func (p *problem) with(member string, value any) *problem {
	if p.members == nil {
		p.members = map[string]any{}
	}
	p.members[member] = value
	return p
}

func (p *problem) set(name, value string) *problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// problemOf returns the problem that an error is.
func problemOf(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	for _, row := range table {
		if errors.Is(err, row.err) {
			p := &problem{kind: row.kind, detail: err.Error(), cause: err}
			if tellsPlaces(err) {
				p.detail = row.err.Error()
			}
			var credit *session.CreditError
			if errors.As(err, &credit) {
				p = p.with("credit", creditJSON(credit.Credit)).set("Retry-After", seconds(credit.RetryAfter))
			}
			return p
		}
	}
	// The text of an unforeseen error can hold paths and addresses.
	return &problem{kind: internal, detail: "see the worker's log", cause: err}
}

// tellsPlaces reports whether the text of an error says where files of the worker lie, or what it speaks to.
func tellsPlaces(err error) bool {
	var (
		file    *fs.PathError
		link    *os.LinkError
		address *url.Error
		network *net.OpError
	)
	return errors.As(err, &file) || errors.As(err, &link) || errors.As(err, &address) || errors.As(err, &network)
}

// writeProblem answers a request with a problem. Nothing of the answer may have been written.
func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, p *problem) error {
	switch {
	case p.kind.status == http.StatusTooManyRequests || p.kind == creditExhausted || p.kind == chainStale || p.kind == stopping || p.kind == timeout || p.kind == originBusy:
		if p.header.Get("Retry-After") == "" {
			p = p.set("Retry-After", seconds(s.cfg.RetryAfter))
		}
	case p.kind == sessionUnknown:
		p = p.set("WWW-Authenticate", authScheme)
	}
	body := map[string]any{}
	maps.Copy(body, p.members)
	body["type"], body["title"], body["status"] = problemBase+p.kind.name, p.kind.title, p.kind.status
	if p.detail != "" {
		body["detail"] = p.detail
	}
	h := w.Header()
	// What a handler said about the content does not hold for the problem.
	for _, name := range []string{"Cache-Control", "ETag", "Content-Length", "Content-Range", "Accept-Ranges", "Edge-Range", "Edge-Payload-Bytes", "Edge-Sequence", "Edge-Epoch"} {
		h.Del(name)
	}
	maps.Copy(h, p.header)
	s.metrics.problems.WithLabelValues(p.kind.name).Inc()
	return writeJSON(w, r, p.kind.status, "application/problem+json", body)
}

// writeJSON answers with a JSON document that nobody may keep.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, mediaType string, doc any) error {
	b, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	b = append(b, '\n')
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("%w: %w", errClient, err)
	}
	return nil
}

// errClient is in the chain of errors that are the client's or the network's: they are no fault of the worker.
var errClient = errors.New("client went away")

// isClient reports whether a request failed because of its client.
func isClient(err error) bool {
	return errors.Is(err, errClient) || errors.Is(err, context.Canceled)
}

// seconds writes a duration as whole seconds, at least 1.
func seconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64(math.Ceil(d.Seconds()))), 10)
}
