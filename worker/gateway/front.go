package gateway

import (
	"net/http"
	"strconv"
	"time"
)

// front stands before ServeHTTP on the public listeners. It knows about connections and protocols, so that nothing behind
// it has to: it names the client behind a proxy, evens out what HTTP/3 does otherwise than its elders, sets the headers
// that are the same on every answer, and answers preflights, which cost no place.
func (s *Server) front(w http.ResponseWriter, r *http.Request) {
	s.unproxy(r)
	h := w.Header()
	if r.ProtoMajor == 3 {
		w = evenOut(w, r)
	} else if s.altSvc != nil {
		h["Alt-Svc"] = s.altSvc
	}
	if r.ProtoMajor == 2 && r.ContentLength == 0 {
		// HTTP/2 gives every request a body; this one's has ended with the header.
		r.Body = http.NoBody
	}
	if s.hsts != nil && r.TLS != nil {
		h["Strict-Transport-Security"] = s.hsts
	}
	if s.cors != nil {
		start := time.Now()
		if s.cors.serve(w, r) {
			s.metrics.observe("preflight", http.StatusNoContent, time.Since(start))
			return
		}
	}
	s.ServeHTTP(w, r)
}

// evenOut gives a request of HTTP/3 what handlers know from HTTP/1 and 2.
func evenOut(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	// The header is here, and its deadline is over (acceptStreams).
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	if (r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions) && r.ContentLength <= 0 {
		// Whether there is a body is seen when it is read. These have none; what there is nevertheless is not read.
		r.Body = http.NoBody
	}
	return &http3Writer{ResponseWriter: w}
}

// http3Writer leaves out headers about the connection: in HTTP/3 they make an answer malformed. Of answers that have no body it sends
// the header at once: otherwise the library says that their length is 0, which in a 304 would be that of the content.
type http3Writer struct{ http.ResponseWriter }

// Unwrap lets http.ResponseController find the stream.
func (w *http3Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *http3Writer) WriteHeader(status int) {
	w.Header().Del("Connection")
	w.ResponseWriter.WriteHeader(status)
	if status == http.StatusNoContent || status == http.StatusNotModified {
		_ = http.NewResponseController(w.ResponseWriter).Flush() // a client that is gone needs none
	}
}

// hstsOf returns the header by which browsers stay with TLS, nil if it is off.
func hstsOf(age time.Duration) []string {
	if age == 0 {
		return nil
	}
	return []string{"max-age=" + strconv.Itoa(int(age.Seconds()))}
}

// altSvcOf returns the header that tells of HTTP/3 on a UDP port.
func altSvcOf(port int) []string {
	return []string{`h3=":` + strconv.Itoa(port) + `"; ma=86400`}
}
