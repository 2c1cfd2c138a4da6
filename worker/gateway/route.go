package gateway

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// handler answers a request or says why it cannot. An error before the first byte becomes a problem document, one after it
// resets the connection, because a client must be able to tell a whole answer from a cut one.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is a resource and what can be done with it.
type route struct {
	// name labels the metrics.
	name string
	get  handler // also answers HEAD
	post handler
	put  handler
	// light requests are answered also when the worker is at its limit of requests.
	light bool
	// acks requests, those that bring acknowledgements, have a limit of their own: streams that wait for them hold every
	// request and connection of a full worker.
	acks bool
	// work is what a worker that is stopping does not begin.
	work bool
	// steps says that the handler itself gives the client time to take what it writes.
	steps bool
}

// contentPrefix precedes the name of an object.
const contentPrefix = "/b3/"

// find returns the route of a path.
func (s *Server) find(path string) route {
	if strings.HasPrefix(path, contentPrefix) {
		return route{name: "content", get: s.serveContent, put: s.servePut, work: true, steps: true}
	}
	switch path {
	case "/v1/worker":
		return route{name: "worker", get: s.serveWorker}
	case "/v1/challenges":
		return route{name: "challenges", post: s.serveChallenge, work: true}
	case "/v1/sessions":
		return route{name: "sessions", post: s.serveOpen, work: true}
	case "/v1/acks":
		return route{name: "acks", post: s.serveAcks, acks: true}
	case "/healthz":
		return route{name: "healthz", get: s.serveHealth, light: true}
	case "/readyz":
		return route{name: "readyz", get: s.serveReady, light: true}
	}
	return route{name: "unknown", get: s.serveUnknown, post: s.serveUnknown}
}

func (s *Server) serveUnknown(_ http.ResponseWriter, r *http.Request) error {
	return newProblem(notFound, "there is nothing at %q", r.URL.Path)
}

// ServeHTTP answers the public requests. The server's connections come with a count in their context; without one, as in
// tests and behind other servers, connections are not limited.
func (s *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &response{ResponseWriter: rw}
	start := time.Now()
	rt := s.find(r.URL.Path)
	s.metrics.inFlight.Inc()
	defer func() {
		s.metrics.inFlight.Dec()
		p := recover()
		if p != nil && p != http.ErrAbortHandler { //nolint:errorlint // a panic value, not an error chain
			s.log.Error("request panicked", "route", rt.name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			if !w.started() && s.writeProblem(w, r, newProblem(internal, "see the worker's log")) == nil {
				p = nil
			}
		}
		s.metrics.observe(rt.name, w.status, time.Since(start))
		if p != nil {
			panic(http.ErrAbortHandler)
		}
	}()
	h := w.Header()
	h["X-Content-Type-Options"] = nosniff
	h["Date"] = s.dateLine(start)
	if !rt.steps || hasBody(r) {
		s.setDeadlines(w, r, start)
	}
	err := s.dispatch(w, r, rt)
	if err == nil {
		return
	}
	p := problemOf(err)
	switch {
	case isClient(err):
		s.log.Debug("client went away", "route", rt.name, "err", err)
	case p.kind == internal:
		s.log.Error("request failed", "route", rt.name, "path", r.URL.Path, "err", err)
	default:
		s.log.Debug("request refused", "route", rt.name, "err", err)
	}
	if w.started() {
		// The body is announced and cannot be finished.
		panic(http.ErrAbortHandler)
	}
	s.setDeadlines(w, r, time.Now())
	if p.kind == bodySlow && r.ProtoMajor == 1 {
		// The server would wait once more for the rest of the body, before it answers.
		h.Set("Connection", "close")
	}
	if err := s.writeProblem(w, r, p); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// setDeadlines starts the time for the request's body and for the first step of the answer. A request without a body gets
// no deadline for reading: it would end the watch for clients that go away, and with it the request. Writers without
// deadlines are those of tests.
func (s *Server) setDeadlines(w http.ResponseWriter, r *http.Request, now time.Time) {
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(now.Add(s.cfg.WriteTimeout))
	if hasBody(r) {
		_ = rc.SetReadDeadline(now.Add(s.cfg.BodyTimeout))
	}
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

func (s *Server) dispatch(w *response, r *http.Request, rt route) (err error) {
	if rt.work {
		if !s.work.begin() {
			w.Header().Set("Connection", "close")
			// The acknowledgements that it brings are taken all the same.
			if err := s.storeAckHeader(r); err != nil {
				return err
			}
			return newProblem(stopping, "%v", errDraining)
		}
		defer func() { s.work.end(time.Now()) }()
		ctx, done := s.bind(r.Context(), w)
		defer func() { err = done(err) }()
		r = r.WithContext(ctx)
	}
	at, err := s.admit(w, r, rt)
	if err != nil {
		return err
	}
	defer at.leave()
	leave, err := s.admitUnpaid(r, rt)
	if err != nil {
		return err
	}
	defer leave()
	switch {
	case rt.get != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		if hasBody(r) {
			return newProblem(badRequest, "%s takes no body", r.Method)
		}
		return rt.get(w, r)
	case rt.post != nil && r.Method == http.MethodPost:
		return rt.post(w, r)
	case rt.put != nil && r.Method == http.MethodPut:
		return rt.put(w, r)
	}
	allow := "GET, HEAD"
	if rt.get == nil {
		allow = "POST"
	} else if rt.post != nil {
		allow += ", POST"
	}
	if rt.put != nil {
		allow += ", PUT"
	}
	return newProblem(methodNotAllowed, "want one of %s", allow).set("Allow", allow)
}
