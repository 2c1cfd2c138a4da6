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
)

// errTooManyConnections refuses a QUIC connection in its first packet.
var errTooManyConnections = errors.New("too many connections")

// http3Server serves HTTP/3 on the UDP port of the public listener, with the admission of the other protocols.
type http3Server struct {
	server    *http3.Server
	transport *quic.Transport
	listener  *quic.Listener
	header    time.Duration

	// context ends with the server; the connections and their streams are in running.
	context context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
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
	h := &http3Server{header: s.cfg.HeaderTimeout}
	h.context, h.cancel = context.WithCancel(base)
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
		conn, err := h.listener.Accept(h.context)
		if err != nil {
			if h.context.Err() != nil || errors.Is(err, quic.ErrServerClosed) {
				return nil //nolint:nilerr // it was closed
			}
			return fmt.Errorf("gateway: serve HTTP/3: %w", err)
		}
		h.running.Go(func() { h.serveConn(conn) })
	}
}

// serveConn serves a connection until it ends. The loop is its own, because that of http3.Server gives the header of a
// request all the time that a client likes.
func (h *http3Server) serveConn(conn *quic.Conn) {
	raw, err := h.server.NewRawServerConn(conn)
	if err != nil {
		_ = conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeInternalError), "")
		return
	}
	var streams sync.WaitGroup
	defer streams.Wait()
	streams.Go(func() {
		for {
			stream, err := conn.AcceptUniStream(conn.Context())
			if err != nil {
				return
			}
			streams.Go(func() { raw.HandleUnidirectionalStream(stream) })
		}
	})
	for {
		stream, err := conn.AcceptStream(h.context)
		if err != nil {
			break
		}
		_ = stream.SetReadDeadline(time.Now().Add(h.header))
		streams.Go(func() { raw.HandleRequestStream(stream) })
	}
	if h.context.Err() != nil {
		_ = raw.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	}
}

// shutdown ends the connections. What they bring that anybody waits for has ended before (Server.Stop).
func (h *http3Server) shutdown() error {
	h.cancel()
	err := h.listener.Close()
	h.running.Wait()
	return errors.Join(err, h.transport.Close(), h.transport.Conn.Close())
}
