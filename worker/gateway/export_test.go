package gateway

import (
	"net"
	"time"
)

// PollCertificates sets how often the files of the certificate are looked at. It is called before Start.
func (s *Server) PollCertificates(every time.Duration) {
	s.certificates.(*certificateFiles).poll = every
}

// ACMEAddr is where HTTP-01 is answered.
func (s *Server) ACMEAddr() net.Addr { return s.certificates.(*acmeCertificates).http.Addr() }

// Rated returns of how many addresses and subnets the rate of new connections is remembered.
func (s *Server) Rated() int {
	r := s.listener.Load().rates
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buckets.Len()
}

// LimitConnections wraps a listener as Start does.
func LimitConnections(l net.Listener, cfg Config) (net.Listener, error) {
	return limitConnections(l, cfg, nil)
}
