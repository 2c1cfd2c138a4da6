package gateway

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/session"
	"github.com/edgechain/edge/worker/store"
)

// hotStore is implemented by stores that tell at once whether they have an object at hand.
type hotStore interface {
	// OpenHot opens an object if it is in memory or open and verified at a time, which is now.
	OpenHot(name content.Name, now time.Time) (store.Object, bool)
}

// quickSession is implemented by sessions that can begin a request at once.
type quickSession interface {
	// BeginNow takes acknowledgements, begins a request and reserves all of its payload, or does nothing and returns false.
	BeginNow(acks []ack.Signed, meta session.Meta) (Request, bool)
}

// maxAuthorization is the longest Authorization header that the quick path looks at, in bytes. Each connection keeps its last one.
const maxAuthorization = 256

// quickCopy is up to which size header and body are copied together, in bytes.
const quickCopy = 8 << 10

var quickBuffers = sync.Pool{New: func() any { b := make([]byte, 0, quickCopy); return &b }}

// quickAnswer is an answer on its way. Its connection has room for one, which is zero between answers.
type quickAnswer struct {
	object  store.Object
	span    span
	status  int
	payload uint64
	lines   *lines
	private bool
	// meter accounts for the payload; nil if nothing is billed. It is free or paid.
	meter    meter
	request  Request // of a session
	wrote    int64
	finished bool
	// unpaid is set while it has a place among the requests without a session.
	unpaid bool

	free    freeMeter
	paid    paidMeter
	bounded boundedRequest
	ack     [1]ack.Signed
}

// answerQuick answers a request if that can be done at once: the object is at hand, there is a place for the request, and the
// payload is left of the address' quota or fits into the session's credit. If not it has done nothing and returns false. The
// answer is what serveContent would give, decided by the same functions; all problems are left to it. An error ends
// the connection.
func (s *Server) answerQuick(c *quickConn, r *plainRequest) (done bool, err error) {
	start := time.Now()
	if c.peer == nil || c.peer.refused != nil || c.peer.from.trusted || s.quick.closing.Load() {
		return false, nil
	}
	hot, ok := s.store.(hotStore)
	if !ok || !s.work.begin() {
		return false, nil
	}
	ended := start
	defer func() { s.work.end(ended) }()
	at, full := s.seat(c.peer, c.peer.from)
	if full != nil {
		return false, nil
	}
	defer at.leave()
	s.metrics.inFlight.Inc()
	defer s.metrics.inFlight.Dec()
	a := &c.answer
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("request panicked", "route", "content", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = nil
			if a.status != 0 {
				done, err = true, fmt.Errorf("panic: %v", p)
			}
		}
		s.leaveUnpaid(a)
		if a.meter != nil && !a.finished {
			a.meter.release(unsent(a.payload, a.wrote))
			if free, ok := a.meter.(*freeMeter); ok && timedOut(err) {
				free.forfeit()
			}
			a.meter.abort()
			cause := "worker"
			if isClient(err) {
				cause = "client"
			}
			s.metrics.aborted.WithLabelValues(cause).Inc()
		}
		if done {
			ended = time.Now()
			s.metrics.quick.Inc()
			s.metrics.observe("content", a.status, ended.Sub(start))
		}
		*a = quickAnswer{}
	}()
	if a.object, ok = hot.OpenHot(r.name, start); !ok {
		return false, nil
	}
	defer a.object.Close()
	if !s.decideQuick(c, r, a, start) {
		return false, nil
	}
	if a.meter == nil || a.payload == 0 {
		// It costs nothing: one who does not take it must not keep anybody out.
		s.leaveUnpaid(a)
		at.leave()
	}
	err = s.writeQuick(c, r, a, start)
	s.metrics.sentPlain.Add(float64(a.wrote))
	switch {
	case err == nil:
		a.finished = true
		if a.meter != nil {
			a.meter.finish()
		}
	case isClient(err):
		s.log.Debug("client went away", "route", "content", "err", err)
	default:
		s.log.Error("request failed", "route", "content", "path", contentPrefix+r.name.String(), "err", err)
	}
	return true, err
}

// decideQuick settles what is answered and takes the payload for it, or does nothing and returns false.
func (s *Server) decideQuick(c *quickConn, r *plainRequest, a *quickAnswer, now time.Time) bool {
	var client Session
	var quick quickSession
	if r.authorization != nil {
		if len(r.authorization) > maxAuthorization {
			return false
		}
		if string(r.authorization) != c.authorization {
			c.authorization = string(r.authorization)
		}
		scheme, token, _ := strings.Cut(c.authorization, " ")
		if !strings.EqualFold(scheme, authScheme) {
			return false
		}
		found, err := s.sessions.Lookup(strings.TrimSpace(token))
		if err != nil {
			return false
		}
		var ok bool
		if quick, ok = found.(quickSession); !ok {
			return false
		}
		client, a.private = found, true
	} else {
		select {
		case s.unpaid <- struct{}{}:
			a.unpaid = true
		default:
			return false
		}
	}
	a.lines = linesOf(&a.object)
	tag := a.lines.plainTag[0]
	status := http.StatusOK
	if r.match != nil || r.noneMatch != nil {
		switch heldBack(lineOf(r.match), lineOf(r.noneMatch), tag) {
		case http.StatusPreconditionFailed:
			return false
		case http.StatusNotModified:
			a.status = http.StatusNotModified
			return r.acks == nil
		}
	}
	a.span = span{length: a.object.Size}
	if r.rng != nil {
		var bad *problem
		if a.span, bad = spanFor(r.method, string(r.rng), string(r.ifRange), a.object.Size, tag); bad != nil {
			return false
		}
		if a.span.partial {
			status = http.StatusPartialContent
		}
	}
	a.payload = ack.ContentBytes(a.object.Size, a.span.offset, a.span.length)
	if r.method == http.MethodHead {
		a.status = status
		return r.acks == nil
	}
	if a.payload > straightStep {
		return false
	}
	if client == nil {
		if r.acks != nil {
			return false
		}
		if _, ok := s.quota.take(c.peer.from.address, a.payload, now); !ok {
			return false
		}
		a.free = freeMeter{s: s, from: c.peer.from.address}
		a.meter = &a.free
		s.metrics.free.Add(float64(a.payload))
		a.status = status
		return true
	}
	acks, ok := decodeAcks(r.acks, &a.ack)
	if !ok || !s.beginQuick(a, client, quick, acks, a.lines.about(a.span, a.payload)) {
		return false
	}
	if a.payload > 0 {
		s.metrics.waited.Observe(0)
		s.metrics.paid.Add(float64(a.payload))
	}
	a.status = status
	return true
}

// beginQuick begins a request of a session within the bound of its account.
func (s *Server) beginQuick(a *quickAnswer, client Session, quick quickSession, acks []ack.Signed, meta session.Meta) bool {
	account, bounded := s.boundOf(client)
	if bounded && !s.accountsBy.take(account) {
		return false
	}
	request, ok := quick.BeginNow(acks, meta)
	if !ok {
		if bounded {
			s.accountsBy.done(account)
		}
		return false
	}
	if bounded {
		a.bounded = boundedRequest{request, s, account}
		request = &a.bounded
	}
	a.request = request
	a.paid = paidMeter{s: s, client: client, request: request}
	a.meter = &a.paid
	return true
}

// leaveUnpaid gives the place among the requests without a session back, if it has one.
func (s *Server) leaveUnpaid(a *quickAnswer) {
	if a.unpaid {
		a.unpaid = false
		<-s.unpaid
	}
}

// lineOf is the value of a header as a list of lines.
func lineOf(value []byte) []string {
	if value == nil {
		return nil
	}
	return []string{string(value)}
}

// decodeAcks reads the value of an Edge-Ack header, if all of it is in order. It mostly is one acknowledgement, which has its
// place.
func decodeAcks(value []byte, one *[1]ack.Signed) ([]ack.Signed, bool) {
	if value == nil {
		return nil, true
	}
	if base64.StdEncoding.DecodedLen(len(value)) < ack.SignedSize+3 {
		var raw [ack.SignedSize + 2]byte
		n, err := base64.StdEncoding.Decode(raw[:], value)
		return one[:], err == nil && one[0].Decode(raw[:n]) == nil
	}
	var raw [maxHeaderAcks*ack.SignedSize + 3]byte
	if base64.StdEncoding.DecodedLen(len(value)) > len(raw) {
		return nil, false
	}
	n, err := base64.StdEncoding.Decode(raw[:], value)
	if err != nil {
		return nil, false
	}
	acks, err := ack.DecodeList(raw[:n], maxHeaderAcks)
	return acks, err == nil
}

// writeQuick writes an answer: a small one in one piece, a larger one from memory as header and body with one call, one from a
// file by the kernel.
func (s *Server) writeQuick(c *quickConn, r *plainRequest, a *quickAnswer, now time.Time) error {
	if err := c.allowWrite(now); err != nil {
		return fmt.Errorf("%w: %w", errClient, err)
	}
	buf := quickBuffers.Get().(*[]byte)
	defer quickBuffers.Put(buf)
	head := a.appendHeader((*buf)[:0], s, now)
	if r.method == http.MethodHead || a.status == http.StatusNotModified || a.span.length == 0 {
		_, err := c.TCPConn.Write(head)
		return sendError(err)
	}
	body := a.object.Bytes()
	if body == nil {
		return s.sendQuick(c, a, head)
	}
	body = body[a.span.offset : a.span.offset+a.span.length]
	var n int64
	var err error
	if len(head)+len(body) <= cap(*buf) {
		var wrote int
		wrote, err = c.TCPConn.Write(append(head, body...))
		n = int64(wrote)
	} else {
		c.parts = [2][]byte{head, body}
		parts := net.Buffers(c.parts[:])
		n, err = parts.WriteTo(c.TCPConn)
		c.parts = [2][]byte{}
	}
	a.wrote = max(0, n-int64(len(head)))
	return sendError(err)
}

// sendQuick writes the header and has the kernel send the body from its file.
func (s *Server) sendQuick(c *quickConn, a *quickAnswer, head []byte) error {
	if _, err := writeMore(c.TCPConn, head); err != nil {
		return sendError(err)
	}
	since := int64(0)
	section := a.object.Section(a.span.offset, a.span.length, func(wrote int64) {
		a.wrote += wrote
		// Whoever takes step after step in time has more of it for the next one.
		if since += wrote; since >= int64(s.cfg.StepBytes) {
			since = 0
			_ = c.allowWrite(time.Now())
		}
	})
	_, err := section.WriteTo(c.TCPConn)
	return sendError(err)
}

// appendHeader writes the header of an answer as net/http does: sorted lines.
func (a *quickAnswer) appendHeader(b []byte, s *Server, now time.Time) []byte {
	switch a.status {
	case http.StatusOK:
		b = append(b, "HTTP/1.1 200 OK\r\n"...)
	case http.StatusPartialContent:
		b = append(b, "HTTP/1.1 206 Partial Content\r\n"...)
	default:
		b = append(b, "HTTP/1.1 304 Not Modified\r\n"...)
	}
	body := a.status != http.StatusNotModified
	if body {
		b = appendLine(b, "Accept-Ranges", rangesBytes[0])
	}
	if s.cors != nil && s.cors.any {
		b = appendLine(b, "Access-Control-Allow-Origin", s.cors.anyone[0])
		b = appendLine(b, "Access-Control-Expose-Headers", s.cors.exposed[0])
	}
	if a.private {
		b = appendLine(b, "Cache-Control", immutablePrivate)
	} else {
		b = appendLine(b, "Cache-Control", immutable)
	}
	if body {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendUint(b, a.span.length, 10)
		b = append(b, "\r\n"...)
		if a.span.partial {
			b = appendLine(b, "Content-Range", a.span.contentRange(a.object.Size))
		}
		b = appendLine(b, "Content-Security-Policy", sandboxed[0])
		b = appendLine(b, "Content-Type", plainType)
	}
	b = appendLine(b, "Date", s.dateLine(now)[0])
	if a.request != nil {
		b = append(b, "Edge-Epoch: "...)
		b = strconv.AppendUint(b, a.request.Epoch(), 10)
		b = append(b, "\r\n"...)
	}
	if body {
		b = append(b, "Edge-Payload-Bytes: "...)
		b = strconv.AppendUint(b, a.payload, 10)
		b = append(b, "\r\n"...)
	}
	if a.request != nil {
		b = append(b, "Edge-Sequence: "...)
		b = strconv.AppendUint(b, a.request.Sequence(), 10)
		b = append(b, "\r\n"...)
	}
	b = appendLine(b, "Etag", a.lines.plainTag[0])
	if s.cors != nil && !s.cors.any {
		b = appendLine(b, "Vary", "Origin")
	}
	b = appendLine(b, "Vary", varyPlain[0])
	b = appendLine(b, "X-Content-Type-Options", nosniff[0])
	return append(b, "\r\n"...)
}

func appendLine(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}
