package gateway

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const (
	// quicStreamWindow and quicWindow bound what a client may send ahead on a stream and on a connection, in bytes.
	quicStreamWindow = 256 << 10
	quicWindow       = 512 << 10
	// quicUniStreams are what a client needs of its own: control, and two of QPACK.
	quicUniStreams = 8

	// minLinger and maxLinger bound the time between the last byte of the last answer and the end of its connection.
	minLinger, maxLinger = 50 * time.Millisecond, time.Second
)

// errTooManyConnections refuses a QUIC connection in its first packet.
var errTooManyConnections = errors.New("too many connections")

// http3Server serves HTTP/3 on the UDP port of the public listener, with the admission of the other protocols.
type http3Server struct {
	server    *http3.Server
	transport *quic.Transport
	listener  *quic.Listener
	// header is the time for the header of a request, and grace that of requests under way at a shutdown.
	header, grace time.Duration

	// open ends when no new requests are taken, and context with the server; the connections and their streams are in running.
	open, context context.Context
	stop, cancel  context.CancelFunc
	running       sync.WaitGroup
}

// listenHTTP3 opens the UDP port of the public TCP listener.
func (s *Server) listenHTTP3(base context.Context, handler http.Handler, admission *connections, tlsConfig *tls.Config) (*http3Server, error) {
	at, ok := admission.Addr().(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("no UDP port beside %s", admission.Addr())
	}
	var lc net.ListenConfig
	host, _, err := net.SplitHostPort(s.cfg.Listen)
	if err != nil {
		return nil, err
	}
	udp, err := lc.ListenPacket(base, "udp", net.JoinHostPort(host, fmt.Sprint(at.Port)))
	if err != nil {
		return nil, err
	}
	var reset quic.StatelessResetKey
	if _, err := rand.Read(reset[:]); err != nil {
		return nil, errors.Join(err, udp.Close())
	}
	h := &http3Server{header: s.cfg.HeaderTimeout, grace: s.cfg.DrainGrace + maxLinger}
	h.context, h.cancel = context.WithCancel(base)
	h.open, h.stop = context.WithCancel(h.context)
	h.transport = &quic.Transport{
		Conn: udp, StatelessResetKey: &reset, VerifySourceAddress: admission.unproven,
		ConnContext: func(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
			ctx, ok := admission.beginQUIC(ctx, info.RemoteAddr)
			if !ok {
				return nil, errTooManyConnections
			}
			return ctx, nil
		},
	}
	h.listener, err = h.transport.Listen(http3.ConfigureTLSConfig(tlsConfig), &quic.Config{
		// The handshake may take twice this.
		HandshakeIdleTimeout: s.cfg.HeaderTimeout / 2, MaxIdleTimeout: s.cfg.IdleTimeout,
		InitialStreamReceiveWindow: quicStreamWindow / 4, MaxStreamReceiveWindow: quicStreamWindow,
		InitialConnectionReceiveWindow: quicWindow / 4, MaxConnectionReceiveWindow: quicWindow,
		MaxIncomingStreams: int64(s.cfg.MaxStreams + spareStreams), MaxIncomingUniStreams: quicUniStreams,
		// What comes before the handshake is over can be sent again by anybody, and requests cost money.
		Allow0RTT: false,
	})
	if err != nil {
		h.cancel()
		return nil, errors.Join(err, h.transport.Close(), udp.Close())
	}
	h.server = &http3.Server{
		Handler: handler, MaxHeaderBytes: s.cfg.MaxHeaderBytes, IdleTimeout: s.cfg.IdleTimeout,
		Logger: slog.New(slog.DiscardHandler),
	}
	return h, nil
}

// serve accepts connections until the server is closed.
func (h *http3Server) serve() error {
	for {
		conn, err := h.listener.Accept(h.open)
		if err != nil {
			if h.open.Err() != nil || errors.Is(err, quic.ErrServerClosed) {
				return nil //nolint:nilerr // it was closed
			}
			return fmt.Errorf("gateway: serve HTTP/3: %w", err)
		}
		h.running.Go(func() { h.serveConn(conn) })
	}
}

// serveConn serves a connection until it ends. The loop is its own, because that of http3.Server gives the header of a
// request all the time that a client likes.
//
// When no new requests are taken, those under way come to their end, and the connection is closed behind their last bytes. New ones
// are refused as not begun, so that a client may send them again elsewhere: that is what a GOAWAY would say, for which this version
// of the library does not hand out the control stream.
func (h *http3Server) serveConn(conn *quic.Conn) {
	raw, err := h.server.NewRawServerConn(conn)
	if err != nil {
		_ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeInternalError), "")
		return
	}
	end := func() { _ = raw.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") }
	var others, requests sync.WaitGroup
	defer others.Wait()
	defer requests.Wait()
	others.Go(func() {
		for {
			stream, err := conn.AcceptUniStream(conn.Context())
			if err != nil {
				return
			}
			others.Go(func() { raw.HandleUnidirectionalStream(stream) })
		}
	})
	accept := h.open
	for {
		stream, err := conn.AcceptStream(accept)
		switch {
		case err == nil && accept == h.open:
			_ = stream.SetReadDeadline(time.Now().Add(h.header))
			requests.Go(func() { raw.HandleRequestStream(stream) })
		case err == nil:
			stream.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestRejected))
			stream.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestRejected))
		case accept == h.open && h.open.Err() != nil && h.context.Err() == nil && conn.Context().Err() == nil:
			accept = h.context
			others.Go(func() {
				requests.Wait()
				h.linger(conn)
				end()
			})
		default:
			if h.context.Err() != nil {
				end()
			}
			return
		}
	}
}

// linger waits until the last bytes of answers have had the time to arrive, once more if they got lost: a connection that is closed
// sends nothing again.
func (h *http3Server) linger(conn *quic.Conn) {
	timer := time.NewTimer(min(max(4*conn.ConnectionStats().SmoothedRTT, minLinger), maxLinger))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-conn.Context().Done():
	case <-h.context.Done():
	}
}

// shutdown takes no new connections and requests, gives those under way the grace to come to their end, and ends the rest. Answers
// that anybody waits for have ended before (Server.Stop).
func (h *http3Server) shutdown() error {
	h.stop()
	err := h.listener.Close()
	cut := time.AfterFunc(h.grace, h.cancel)
	h.running.Wait()
	cut.Stop()
	h.cancel()
	return errors.Join(err, h.transport.Close(), h.transport.Conn.Close())
}
