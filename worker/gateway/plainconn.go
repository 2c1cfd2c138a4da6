package gateway

import (
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	// tlsHandshake is the first byte of a client that speaks TLS. No method of HTTP begins with it.
	tlsHandshake = 0x16
	// plainAnswer is for clients that speak TLS to the listener without: they know these first bytes, and say what is wrong.
	plainAnswer = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" +
		"This port speaks HTTP without TLS: use http:// instead of https://\n"
	// plainLinger and plainDrain bound what is read of such a client, so that the answer is not lost to a reset.
	plainLinger = 500 * time.Millisecond
	plainDrain  = 64 << 10
)

// plainConn is a connection of the listener without TLS. It answers a client that begins with TLS at once: such a beginning
// mostly has no end of a line, and would be waited for until the header is late.
type plainConn struct {
	*quickConn
	told  *tlsTold
	begun bool
}

// tlsTold tells the operator of the first such client: an endpoint that is registered with https turns all of them away.
type tlsTold struct {
	once sync.Once
	log  *slog.Logger
}

// wrapPlain wraps what the listener without TLS accepts.
func (s *Server) wrapPlain() func(net.Conn) net.Conn {
	told := &tlsTold{log: s.log}
	return func(conn net.Conn) net.Conn {
		quick, ok := s.wrapQuick(conn).(*quickConn)
		if !ok {
			return conn
		}
		return &plainConn{quickConn: quick, told: told}
	}
}

// Read implements net.Conn.
func (c *plainConn) Read(p []byte) (int, error) {
	n, err := c.quickConn.Read(p)
	if n == 0 || c.begun {
		return n, err
	}
	c.begun = true
	if p[0] != tlsHandshake {
		return n, err
	}
	c.told.once.Do(func() {
		c.told.log.Warn("a client spoke TLS to the listener without it; if its endpoint is registered with https, set gateway.tls_cert_file and tls_key_file, or gateway.acme_domains",
			"client", c.RemoteAddr().String())
	})
	if err := c.SetDeadline(time.Now().Add(plainLinger)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(c.TCPConn, plainAnswer); err != nil {
		return 0, err
	}
	if err := c.CloseWrite(); err != nil {
		return 0, err
	}
	_, _ = io.CopyN(io.Discard, c.TCPConn, plainDrain) // whatever ends it, nothing more is to be said
	return 0, io.EOF
}
