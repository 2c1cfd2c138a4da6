package gateway

import (
	"net"
	"time"
)

// PollCertificates sets how often the files of the certificate are looked at. It is called before Start.
func (s *Server) PollCertificates(every time.Duration) {
	s.certificates.(*certificateFiles).poll = every
}

// ACMEAddr is where HTTP-01 is answered, nil while it is not.
func (s *Server) ACMEAddr() net.Addr {
	a := s.certificates.(*acmeCertificates)
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at
}
