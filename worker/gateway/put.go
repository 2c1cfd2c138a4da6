package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/session"
	"github.com/edgechain/edge/worker/store"
)

const (
	// maxUploads bounds the uploads under way, each of which holds 1 MiB of memory and what it has taken of the disk. UploadMemory is
	// what they take of memory, in bytes.
	maxUploads   = 32
	UploadMemory = maxUploads << 20
	// maxUploadsPerAccount and maxUploadsPerAddress keep few from holding all of them with slow bodies.
	maxUploadsPerAccount = 4
	maxUploadsPerAddress = 8
	// creditPatience is how many times the time that the body may take an upload may, with its waits for credit.
	creditPatience = 8
	// maxUploadSeconds keeps the time for a body within a time.Duration.
	maxUploadSeconds = 1e8
	// maxKeepEpochs bounds for how many epochs uploads are kept.
	maxKeepEpochs = 1_000_000
)

// Uploads is what the gateway needs to take content from clients.
type Uploads struct {
	Store Uploader
	// KeepEpochs is for how many epochs after the one of its upload an object is kept.
	KeepEpochs uint64
}

// Uploader keeps content for accounts. *store.Store implements it.
type Uploader interface {
	// AddUpload reads r only if there is room for what it announces. What it returns is durable; nothing is kept of bytes that
	// do not hash to the name.
	AddUpload(ctx context.Context, up store.Upload, r io.Reader) (store.Added, error)
}

// uploads is what is under way of them.
type uploads struct {
	Uploads
	places chan struct{}
	of     *perKey[uint64]
	from   *perKey[netip.Prefix]
}

func newUploads(u *Uploads) *uploads {
	if u == nil {
		return nil
	}
	return &uploads{
		Uploads: *u, places: make(chan struct{}, maxUploads), of: newPerKey[uint64](maxUploadsPerAccount), from: newPerKey[netip.Prefix](maxUploadsPerAddress),
	}
}

// uploadDoc is the answer to an upload.
type uploadDoc struct {
	Name    string `json:"name"`
	CID     string `json:"cid"`
	Size    uint64 `json:"size"`
	Existed bool   `json:"existed"`
	// KeptUntilEpoch is the last epoch in which the object is kept for the account. It is absent if nothing was paid.
	KeptUntilEpoch uint64 `json:"kept_until_epoch,omitempty"`
}

// servePut answers PUT /b3/{name} (docs/protocol.md, section 13). Everything that can be refused is refused before the
// first byte of the body is read, so that a client that expects 100-continue has sent none.
func (s *Server) servePut(w http.ResponseWriter, r *http.Request) error {
	if err := s.storeAckHeader(r); err != nil {
		return err
	}
	if s.uploads == nil {
		return newProblem(uploadsOff, "its operator has not set store.upload_bytes")
	}
	name, err := content.ParseName(strings.TrimPrefix(r.URL.Path, contentPrefix))
	if err != nil {
		return err
	}
	if r.URL.RawQuery != "" || r.Header.Get("Content-Range") != "" || r.Header.Get("Content-Encoding") != "" {
		return newProblem(badRequest, "an upload is the whole object, plain, without a query")
	}
	if r.ContentLength < 0 || r.ContentLength == 0 && name != content.EmptyName {
		return newProblem(lengthRequired, "say with Content-Length how many bytes the object has")
	}
	client, err := s.sessionOf(r)
	if err != nil {
		return err
	}
	if client == nil {
		return s.uploadNeedsSession()
	}
	account, ok := accountIn(client)
	if !ok {
		return errors.New("session without an account")
	}
	if object, err := s.store.Open(name); err == nil {
		size := object.Size
		if err := object.Close(); err != nil {
			return err
		}
		s.metrics.uploads.WithLabelValues("existed").Inc()
		return writeJSON(w, r, http.StatusOK, "application/json", uploadDoc{Name: name.String(), CID: name.CID(), Size: size, Existed: true})
	} else if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	if err := s.affords(r, client); err != nil {
		return err
	}
	from := s.originOf(r, peerOf(r.Context())).address
	if !s.uploads.from.take(from) {
		return s.refuse("uploads", "more than %d uploads are under way from one address", maxUploadsPerAddress)
	}
	defer s.uploads.from.done(from)
	if !s.uploads.of.take(account) {
		return s.refuse("uploads", "more than %d uploads are under way for one account", maxUploadsPerAccount)
	}
	defer s.uploads.of.done(account)
	select {
	case s.uploads.places <- struct{}{}:
	default:
		return s.refuse("uploads", "more than %d uploads are under way", maxUploads)
	}
	defer func() { <-s.uploads.places }()
	// A long body is no answer that is late: its parts have deadlines of their own.
	if rw, ok := w.(*response); ok && rw.onStart != nil {
		rw.onStart()
	}
	return s.receive(w, r, client, account, name)
}

// spenderSession is implemented by sessions that know what could still be spent.
type spenderSession interface {
	// Spendable returns what the session could still be billed, in units of the settlement coin.
	Spendable(ctx context.Context) (*big.Int, error)
}

// affords refuses an upload that costs more than the session can pay. Credit opens up on the way, so that is no bound here.
func (s *Server) affords(r *http.Request, client Session) error {
	of := client
	if b, ok := of.(boundedSession); ok {
		of = b.Session
	}
	spender, ok := of.(spenderSession)
	if !ok {
		return s.inCredit(r.Context(), client)
	}
	info, err := s.info()
	if err != nil {
		return err
	}
	has, err := spender.Spendable(r.Context())
	if err != nil {
		return err
	}
	if price := info.Prices.Price(uint64(r.ContentLength), 0); price.Cmp(has) > 0 {
		return withCredit(newProblem(accountEmpty, "the upload costs %s, and %s can be spent", price, has), client)
	}
	return nil
}

// receive takes the body of an upload, which it has reserved from the session's credit before it reads it.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, client Session, account uint64, name content.Name) (err error) {
	size := uint64(r.ContentLength)
	request, err := client.Begin(r.Context(), session.Meta{
		RequestDigest:  ack.ContentRequestDigest(name.Digest(), 0, size),
		ResponseDigest: name.Digest(),
		Bytes:          ack.ContentBytes(size, 0, size),
	})
	if err != nil {
		return withCredit(err, client)
	}
	rc := http.NewResponseController(w)
	body := &uploadBody{
		s: s, rc: rc, ctx: r.Context(), body: r.Body, client: client, request: request, size: size, left: size, step: s.paidStep(client, size),
	}
	finished := false
	defer func() {
		request.Release(body.reserved)
		if !finished {
			request.Abort()
			s.metrics.uploads.WithLabelValues("refused").Inc()
		}
	}()
	until := request.Epoch() + s.uploads.KeepEpochs
	added, err := s.uploads.Store.AddUpload(r.Context(), store.Upload{
		Name: &name, Size: r.ContentLength, Hold: store.Hold{Owner: account, Until: until},
	}, body)
	if err != nil {
		if errors.Is(err, store.ErrMismatch) || errors.Is(err, store.ErrFull) || errors.Is(err, session.ErrStalled) || problemOf(err).kind == bodySlow {
			// What arrived is owed for, whatever became of it.
			return problemOf(err).with("received_bytes", size-body.left-body.reserved)
		}
		return err
	}
	finished = true
	request.Finish()
	s.metrics.uploads.WithLabelValues("stored").Inc()
	// The body is here: a deadline would only end the connection.
	_ = rc.SetReadDeadline(time.Time{})
	s.extend(rc)
	h := w.Header()
	h.Set("Edge-Sequence", strconv.FormatUint(request.Sequence(), 10))
	h.Set("Edge-Epoch", strconv.FormatUint(request.Epoch(), 10))
	h.Set("Edge-Payload-Bytes", strconv.FormatUint(size, 10))
	h.Set("Location", contentPrefix+name.String())
	return writeJSON(w, r, http.StatusCreated, "application/json", uploadDoc{
		Name: name.String(), CID: name.CID(), Size: size, Existed: added.Existed, KeptUntilEpoch: until,
	})
}

// uploadBody reads the body of an upload step by step: reserve credit, give the client time for the step, read it.
type uploadBody struct {
	s       *Server
	rc      *http.ResponseController
	ctx     context.Context
	body    io.Reader
	client  Session
	request Request
	// left is what of the size is not reserved yet, and reserved what is and was not read, all in bytes.
	size, left, reserved uint64
	step                 uint64
	// reading and waiting are the times that were spent on the body and on the credit for it.
	reading, waiting time.Duration
}

// allowance is how long the first n bytes of a body may take.
func (b *uploadBody) allowance(n uint64) time.Duration {
	seconds := min(float64(n)/float64(b.s.cfg.MinUploadBytesPerSecond), maxUploadSeconds)
	return b.s.cfg.WriteTimeout + time.Duration(seconds*float64(time.Second))
}

// Read implements io.Reader.
func (b *uploadBody) Read(p []byte) (int, error) {
	if b.left+b.reserved == 0 {
		return 0, io.EOF
	}
	if err := errors.Join(b.ctx.Err(), b.s.work.context.Err()); err != nil {
		return 0, err
	}
	if b.reserved == 0 {
		n := min(b.step, b.left)
		through := b.size - b.left + n
		// The wait for credit is the worker's: with HTTP/2 a deadline that passes meanwhile would end the body for good, and
		// that for writing the stream, although nothing is to be written yet.
		_ = b.rc.SetReadDeadline(time.Time{})
		_ = b.rc.SetWriteDeadline(time.Time{})
		if err := b.reserve(n, through); err != nil {
			return 0, err
		}
		b.left, b.reserved = b.left-n, n
		_ = b.rc.SetReadDeadline(time.Now().Add(min(b.s.cfg.WriteTimeout, b.allowance(through)-b.reading))) // writers of tests have none
	}
	start := time.Now()
	n, err := b.body.Read(p[:min(uint64(len(p)), b.reserved)])
	b.reading += time.Since(start)
	b.reserved -= uint64(n)
	b.s.metrics.received.Add(float64(n))
	switch {
	case err == nil || errors.Is(err, io.EOF) && b.left+b.reserved == 0:
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, newProblem(bodySlow, "%d bytes did not arrive in %s, or all so far not at %d bytes a second",
			b.step, b.s.cfg.WriteTimeout, b.s.cfg.MinUploadBytesPerSecond)
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return n, fmt.Errorf("%w: %w", errClient, err)
}

// reserve takes credit for the next n bytes, those up to through. Whoever acknowledges a little whenever the stall timeout is about
// to end holds a place no longer than creditPatience.
func (b *uploadBody) reserve(n, through uint64) error {
	ctx, cancel := context.WithTimeoutCause(b.ctx, creditPatience*b.allowance(through)-b.reading-b.waiting, errUploadSlow)
	defer cancel()
	start := time.Now()
	err := b.request.Reserve(ctx, n)
	took := time.Since(start)
	b.waiting += took
	b.s.metrics.waited.Observe(took.Seconds())
	if err != nil && errors.Is(context.Cause(ctx), errUploadSlow) {
		return newProblem(bodySlow, "%d bytes, with the waits for credit, took longer than %s", through-n, creditPatience*b.allowance(through))
	}
	if err != nil {
		return withCredit(err, b.client)
	}
	return nil
}

// errUploadSlow ends the wait for the credit of an upload.
var errUploadSlow = errors.New("the upload takes too long")

// uploadNeedsSession says how to pay.
func (s *Server) uploadNeedsSession() error {
	p := newProblem(sessionRequired, "uploads are paid: no address has a free quota of them")
	info, err := s.info()
	if err != nil {
		return p.with("how", howToPay("uusd"))
	}
	return p.with("how", howToPay(info.SettlementDenom)).with("price_per_gib", info.Prices.PerGiB.String()).with("settlement_denom", info.SettlementDenom)
}

// accountIn returns whose session it is.
func accountIn(of Session) (uint64, bool) {
	if b, ok := of.(boundedSession); ok {
		return b.account, true
	}
	known, ok := of.(accountOf)
	if !ok {
		return 0, false
	}
	return known.AccountID(), true
}
