package gateway

import (
	"cmp"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The quick path answers what most requests are, a GET or HEAD of content that is in memory or open, without net/http, which
// takes several times as long for it. It sits in Read of the connections of the public listener without TLS: what it
// understands and can answer at once it answers there, and net/http never sees it; any other request it returns from Read
// untouched, before anything of it was counted, billed or sent. So net/http stays the one place for everything else, and keeps
// the connections: it accepts, times out, shuts down and closes them.
//
// net/http takes a connection for good with bytes whose meaning or end the quick path is not sure of. For a request that
// surely is one, and all of it is here, it only borrows the connection.

// quickMode says who reads a connection.
type quickMode int32

const (
	// quickReads: the quick path.
	quickReads quickMode = iota
	// quickLends: net/http, until it has answered one request.
	quickLends
	// quickOver: net/http, for good.
	quickOver
)

// quickBuffer is the least room for a header with which the quick path begins, in bytes. net/http reads with 4 KiB.
const quickBuffer = 1 << 10

// quickConn is a connection with the quick path. http.Server reads and writes it from one goroutine at a time, but for
// the reads by which it watches a client while a request is under way.
type quickConn struct {
	*net.TCPConn
	s    *Server
	peer *peer
	mode atomic.Int32

	// readBy and writeBy are the deadlines in force.
	readBy, writeBy time.Time
	// heading is set while the rest of a header is waited for.
	heading bool
	// answered is set if a request was answered since a header last had its time.
	answered bool
	// rest is what was read behind a request that was lent.
	rest    []byte
	request plainRequest
	// authorization is the last one, which mostly is that of the next request too.
	authorization string
	// answer is the one on its way, parts are its header and body.
	answer quickAnswer
	parts  [2][]byte
}

func (c *quickConn) is(m quickMode) bool { return quickMode(c.mode.Load()) == m }

func (c *quickConn) become(m quickMode) { c.mode.Store(int32(m)) }

// SetReadDeadline implements net.Conn.
func (c *quickConn) SetReadDeadline(t time.Time) error {
	c.readBy = t
	return c.TCPConn.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (c *quickConn) SetWriteDeadline(t time.Time) error {
	c.writeBy = t
	return c.TCPConn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *quickConn) SetDeadline(t time.Time) error {
	c.readBy, c.writeBy = t, t
	return c.TCPConn.SetDeadline(t)
}

// Read implements net.Conn: it returns bytes that net/http has to answer.
func (c *quickConn) Read(p []byte) (int, error) {
	switch quickMode(c.mode.Load()) {
	case quickReads:
		if len(p) >= max(quickBuffer, len(c.rest)) {
			return c.serve(p)
		}
		c.become(quickOver)
	case quickLends:
		if len(p) == 1 {
			return 0, c.watch()
		}
		// Where requests begin and end in what net/http reads by itself is not known here.
		c.become(quickOver)
	}
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	return c.TCPConn.Read(p)
}

// watch waits until the client has closed the connection or net/http, which looks for that while a request is under way, ends
// the wait. What the client sends meanwhile stays where it is.
func (c *quickConn) watch() error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	var b [1]byte
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
			switch {
			case errors.Is(err, syscall.EINTR):
				continue
			case errors.Is(err, syscall.EAGAIN), n > 0:
				return false
			case err != nil:
				failed = os.NewSyscallError("recvfrom", err)
			default:
				failed = io.EOF
			}
			return true
		}
	})
	return cmp.Or(err, failed)
}

// idle says that net/http has answered a request and is about to read the next one.
func (c *quickConn) idle() {
	if c.is(quickLends) {
		c.become(quickReads)
	}
}

// errQuick ends a connection whose answer broke off. It looks to net/http like one that the client has ended.
var errQuick = io.EOF

// serve reads into p and answers requests from it, until there is one for net/http.
func (c *quickConn) serve(p []byte) (int, error) {
	if c.s.quick.closing.Load() {
		return 0, io.EOF
	}
	have := copy(p, c.rest)
	c.rest = nil
	for {
		if have == 0 || c.heading {
			n, err := c.TCPConn.Read(p[have:])
			have += n
			if n == 0 || err != nil {
				switch {
				case have == 0 || errors.Is(err, os.ErrDeadlineExceeded):
					return 0, err
				case errors.Is(err, io.EOF):
					err = nil // net/http says what is missing, and meets the end itself
				}
				return c.give(have, quickOver, err)
			}
		}
		for have > 0 {
			what, end := c.request.parse(p[:have], c.s.cors != nil && !c.s.cors.any)
			if what == understood {
				done, err := c.s.answerQuick(c, &c.request)
				if err != nil {
					return 0, errQuick
				}
				if done {
					c.heading, c.answered = false, true
					have = copy(p, p[end:have])
					continue
				}
				what = single
			}
			switch {
			case what == single:
				c.rest = append([]byte(nil), p[end:have]...)
				return c.give(end, quickLends, nil)
			case what != unfinished || have == len(p):
				return c.give(have, quickOver, c.awaitHeader(time.Now()))
			}
			break
		}
		await := c.awaitRequest
		if have > 0 {
			await = c.awaitHeader
		}
		if err := await(time.Now()); err != nil {
			return 0, err
		}
		if c.s.quick.closing.Load() {
			return 0, io.EOF
		}
	}
}

// give returns bytes to net/http, which begins without deadlines for writing.
func (c *quickConn) give(n int, m quickMode, err error) (int, error) {
	c.heading = false
	if !c.writeBy.IsZero() {
		err = errors.Join(err, c.SetWriteDeadline(time.Time{}))
	}
	c.become(m)
	return n, err
}

// awaitHeader bounds the time in which the rest of a header arrives. The first one's began before, when net/http accepted the
// connection; one behind an answer has its own, however the requests lie in what was read.
func (c *quickConn) awaitHeader(now time.Time) error {
	if c.heading {
		return nil
	}
	c.heading = true
	if t := now.Add(c.s.cfg.HeaderTimeout); c.answered || c.readBy.IsZero() || t.Before(c.readBy) {
		c.answered = false
		return c.SetReadDeadline(t)
	}
	return nil
}

// slack is the part of a timeout, as its divisor, by which it may come late, so that deadlines need not be moved with every
// request.
const slack = 4

// awaitRequest bounds the silence before the next request.
func (c *quickConn) awaitRequest(now time.Time) error {
	if c.readBy.Sub(now) >= c.s.cfg.IdleTimeout {
		return nil
	}
	return c.SetReadDeadline(now.Add(c.s.cfg.IdleTimeout + c.s.cfg.IdleTimeout/slack))
}

// allowWrite gives the client the time of one step from now on.
func (c *quickConn) allowWrite(now time.Time) error {
	if c.writeBy.Sub(now) >= c.s.cfg.WriteTimeout {
		return nil
	}
	return c.SetWriteDeadline(now.Add(c.s.cfg.WriteTimeout + c.s.cfg.WriteTimeout/slack))
}

// quickConns are the connections with the quick path.
type quickConns struct {
	mu      sync.Mutex
	open    map[*quickConn]struct{}
	closing atomic.Bool
}

func newQuickConns() *quickConns { return &quickConns{open: map[*quickConn]struct{}{}} }

func (q *quickConns) add(c *quickConn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open[c] = struct{}{}
}

func (q *quickConns) remove(c *quickConn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.open, c)
}

// close ends the connections that wait for a request in the quick path. Those of which net/http has never seen one look new
// to it, and it would wait for them.
func (q *quickConns) close() {
	q.closing.Store(true)
	q.mu.Lock()
	defer q.mu.Unlock()
	for c := range q.open {
		if c.is(quickReads) {
			_ = c.TCPConn.SetReadDeadline(time.Unix(1, 0))
		}
	}
}

// wrapQuick returns a connection with the quick path, if it can have it.
func (s *Server) wrapQuick(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	return &quickConn{TCPConn: tcp, s: s}
}
