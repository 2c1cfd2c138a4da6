// Package gateway is the worker's HTTP: content, sessions, acknowledgements, health and metrics, as docs/protocol.md
// specifies them. Handlers return errors; one wrapper renders them, and one table says which problem type they are.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/crypto/acme"
)

// Server serves the public and the loopback listener. It is itself the handler of the public one.
type Server struct {
	cfg      Config
	store    Store
	origin   Origin
	folders  *folders
	uploads  *uploads
	sessions Sessions
	info     func() (Info, error)
	checks   []Check
	admin    http.Handler
	registry *prometheus.Registry
	log      *slog.Logger

	metrics      *metrics
	quota        *quota
	certificates certificates
	cors         *cors
	proxies      proxies
	hsts, altSvc []string
	requests     chan struct{}
	acks         chan struct{}
	// requestsBy, acksBy and accountsBy count by whom it is what works or waits.
	requestsBy *occupancy
	acksBy     *perKey[netip.Prefix]
	accountsBy *perKey[uint64]
	unpaid     chan struct{}

	quick   *quickConns
	buffers *sync.Pool
	date    atomic.Pointer[date]
	now     func() time.Time

	listener      atomic.Pointer[connections]
	adminListener net.Listener
	work          *work
	public        *http.Server
	loopback      *http.Server
	quic          *http3Server
	cancel        context.CancelFunc
	// background is what runs beside the listeners, for as long as the context of cancel; failed is what went wrong there.
	background sync.WaitGroup
	mu         sync.Mutex
	failed     []error
}

// New returns a server that does not listen yet.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	if deps.Store == nil || deps.Sessions == nil || deps.Info == nil || deps.Metrics == nil || deps.Log == nil {
		return nil, errors.New("gateway: store, sessions, info, metrics and log are needed")
	}
	if u := deps.Uploads; u != nil && (u.Store == nil || u.KeepEpochs > maxKeepEpochs) {
		return nil, fmt.Errorf("gateway: uploads need a store, and upload_keep_epochs is at most %d", maxKeepEpochs)
	}
	q, err := newQuota(cfg)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	s := &Server{
		cfg: cfg, store: deps.Store, origin: deps.Origin, uploads: newUploads(deps.Uploads), sessions: deps.Sessions, info: deps.Info, checks: deps.Checks, admin: deps.Admin,
		registry: deps.Metrics, log: deps.Log, quota: q, requests: make(chan struct{}, cfg.MaxRequests),
		acks: make(chan struct{}, cfg.MaxAckRequests), requestsBy: newOccupancy(cfg.MaxRequestsPerAddress, cfg.MaxRequestsPerSubnet),
		acksBy: newPerKey[netip.Prefix](cfg.MaxAckRequests), accountsBy: newPerKey[uint64](cfg.MaxRequestsPerAccount), hsts: hstsOf(cfg.HSTSMaxAge),
		buffers: newBuffers(cfg.StepBytes), now: time.Now, work: newWork(), quick: newQuickConns(),
	}
	s.unpaid = make(chan struct{}, unpaidPlaces(cfg.MaxRequests))
	if s.folders, err = newFolders(); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	if s.cors, err = newCORS(cfg.CORSOrigins, cfg.CORSMaxAge); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	if s.proxies, err = parseProxies(cfg.TrustedProxies); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	if s.metrics, err = newMetrics(deps.Metrics, s); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	if s.certificates, err = newCertificates(cfg, s.metrics, deps.Log); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return s, nil
}

// Start listens on the addresses and serves until Stop. The context bounds the start only.
func (s *Server) Start(ctx context.Context) (err error) {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			cancel()
		}
	}()
	var lc net.ListenConfig
	public, err := lc.Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("gateway: listen: %w", err)
	}
	loopback, err := lc.Listen(ctx, "tcp", s.cfg.AdminListen)
	if err != nil {
		return errors.Join(fmt.Errorf("gateway: listen for administration: %w", err), public.Close())
	}
	// A name such as localhost is whatever the machine's files say.
	if at, ok := loopback.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
		return errors.Join(fmt.Errorf("gateway: admin_listen %q is %s here, want a loopback address", s.cfg.AdminListen, loopback.Addr()), loopback.Close(), public.Close())
	}
	limited, err := limitConnections(public, s.cfg, s.proxies)
	if err != nil {
		return errors.Join(fmt.Errorf("gateway: %w", err), loopback.Close(), public.Close())
	}
	front := http.HandlerFunc(s.front)
	if s.cfg.HTTP3 && s.certificates != nil {
		if s.quic, err = s.listenHTTP3(base, front, limited, tlsConfig(s.certificates.get)); err != nil {
			return errors.Join(fmt.Errorf("gateway: listen for HTTP/3: %w", err), loopback.Close(), public.Close())
		}
		port := s.cfg.HTTP3Port
		if at, ok := public.Addr().(*net.TCPAddr); ok && port == 0 {
			port = at.Port
		}
		s.altSvc = altSvcOf(port)
	}
	if s.certificates != nil {
		if err = s.certificates.open(ctx); err != nil {
			if s.quic != nil {
				err = errors.Join(err, s.quic.shutdown())
			}
			return errors.Join(fmt.Errorf("gateway: %w", err), loopback.Close(), public.Close())
		}
	}
	if s.certificates == nil && !s.cfg.H2C {
		limited.wrap = s.wrapPlain()
	}
	s.cancel = cancel
	s.listener.Store(limited)
	s.adminListener = loopback
	s.public = s.server(base, front)
	s.public.DisableGeneralOptionsHandler = true
	s.public.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		ctx = limited.begin(ctx, conn)
		if c, ok := conn.(*plainConn); ok {
			c.peer = peerOf(ctx)
			s.quick.add(c.quickConn)
		}
		return ctx
	}
	s.public.ConnState = func(conn net.Conn, state http.ConnState) {
		c, quick := conn.(*plainConn)
		switch {
		case state == http.StateIdle && quick:
			c.idle()
		case state == http.StateClosed: // nothing here hijacks connections
			if quick {
				s.quick.remove(c.quickConn)
			}
			limited.end(conn)
		}
	}
	s.public.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams: s.cfg.MaxStreams + spareStreams, MaxReadFrameSize: 16 << 10, MaxDecoderHeaderTableSize: 4 << 10, MaxEncoderHeaderTableSize: 4 << 10,
		MaxReceiveBufferPerConnection: quicWindow, MaxReceiveBufferPerStream: quicStreamWindow,
		// A connection with streams that wait says nothing for long. These find out whether there is still somebody.
		SendPingTimeout: s.cfg.WriteTimeout, PingTimeout: s.cfg.WriteTimeout, WriteByteTimeout: s.cfg.WriteTimeout,
	}
	s.public.Protocols = new(http.Protocols)
	s.public.Protocols.SetHTTP1(true)
	serve := func() error { return s.public.Serve(limited) }
	if s.certificates != nil {
		s.public.Protocols.SetHTTP2(true)
		s.public.TLSConfig = tlsConfig(s.certificates.get)
		if len(s.cfg.ACMEDomains) > 0 {
			s.public.TLSConfig.NextProtos = append(s.public.TLSConfig.NextProtos, acme.ALPNProto)
		}
		serve = func() error { return s.public.ServeTLS(limited, "", "") }
		s.run(func() error { return s.certificates.run(base) })
	}
	s.public.Protocols.SetUnencryptedHTTP2(s.cfg.H2C)
	s.loopback = s.server(base, s.AdminHandler())
	s.run(func() error { return closed(serve()) })
	s.run(func() error { return closed(s.loopback.Serve(loopback)) })
	if s.quic != nil {
		s.run(s.quic.serve)
	}
	s.log.Info("gateway listens", "address", s.Addr(), "admin", s.AdminAddr(), "tls", s.certificates != nil, "http3", s.quic != nil)
	return nil
}

// run does something beside the listeners until it ends. What goes wrong there is logged at once, and Stop returns it.
func (s *Server) run(f func() error) {
	s.background.Go(func() {
		if err := f(); err != nil {
			s.log.Error("gateway part ended", "err", err)
			s.mu.Lock()
			s.failed = append(s.failed, fmt.Errorf("gateway: %w", err))
			s.mu.Unlock()
		}
	})
}

func (s *Server) server(base context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: s.cfg.HeaderTimeout,
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    s.cfg.MaxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// closed makes the end of a server that was told to end no error.
func closed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Addr returns the public address after Start.
func (s *Server) Addr() string { return s.listener.Load().Addr().String() }

// AdminAddr returns the loopback address after Start.
func (s *Server) AdminAddr() string { return s.adminListener.Addr().String() }

// Stop fails readiness, begins no new answers and sessions, and lets answers under way come to their end. Meanwhile, and
// for Config.DrainGrace after the last of them, it takes acknowledgements: answers wait for them, and they are money. What
// has not ended shortly before the context does is reset: a client that is slow is no fault of the worker, so the log alone tells of
// that. It returns what went wrong, also while the server ran.
func (s *Server) Stop(ctx context.Context) error {
	s.work.drain()
	if s.public == nil {
		return nil
	}
	s.drain(ctx)
	var errs []error
	if s.quic != nil {
		errs = append(errs, s.quic.shutdown())
	}
	s.quick.close()
	// The loopback listener goes last, so that the drain can be watched.
	for _, server := range []*http.Server{s.public, s.loopback} {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("gateway: drain: %w", err))
			s.cancel()
			errs = append(errs, server.Close())
		}
	}
	s.cancel()
	s.background.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(append(errs, s.failed...)...)
}

// drain waits for the answers under way and their acknowledgements. The grace is taken off the time of the answers.
func (s *Server) drain(ctx context.Context) {
	answers, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		// Half of the time at least is for the answers, and as much as the grace for the shutdown.
		answers, cancel = context.WithDeadline(ctx, deadline.Add(-min(2*s.cfg.DrainGrace, time.Until(deadline)/2)))
	}
	defer cancel()
	select {
	case <-s.work.idle:
	case <-answers.Done():
		s.log.Warn("requests are cut that did not end in time; worker.stop_timeout gives them a third of it", "requests", s.work.cutAll())
	}
	if ended := s.work.ended(); !ended.IsZero() {
		grace := time.NewTimer(s.cfg.DrainGrace - time.Since(ended))
		defer grace.Stop()
		select {
		case <-grace.C:
		case <-ctx.Done():
		}
	}
}
