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
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Server serves the public and the loopback listener. It is itself the handler of the public one.
type Server struct {
	cfg      Config
	store    Store
	sessions Sessions
	info     func() (Info, error)
	checks   []Check
	admin    http.Handler
	registry *prometheus.Registry
	log      *slog.Logger

	metrics  *metrics
	quota    *quota
	requests chan struct{}
	acks     chan struct{}
	// requestsBy and acksBy count by address what works or waits.
	requestsBy, acksBy *perAddress

	buffers *sync.Pool
	now     func() time.Time

	listener      atomic.Pointer[connections]
	adminListener net.Listener
	work          *work
	public        *http.Server
	loopback      *http.Server
	cancel        context.CancelFunc
	served        chan error
}

// New returns a server that does not listen yet.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	if deps.Store == nil || deps.Sessions == nil || deps.Info == nil || deps.Metrics == nil || deps.Log == nil {
		return nil, errors.New("gateway: store, sessions, info, metrics and log are needed")
	}
	q, err := newQuota(cfg)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	s := &Server{
		cfg: cfg, store: deps.Store, sessions: deps.Sessions, info: deps.Info, checks: deps.Checks, admin: deps.Admin,
		registry: deps.Metrics, log: deps.Log, quota: q, requests: make(chan struct{}, cfg.MaxRequests),
		acks: make(chan struct{}, cfg.MaxAckRequests), requestsBy: newPerAddress(cfg.MaxRequestsPerAddress), acksBy: newPerAddress(cfg.MaxAckRequests),
		buffers: newBuffers(cfg.StepBytes), now: time.Now, work: newWork(),
	}
	if s.metrics, err = newMetrics(deps.Metrics, s); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return s, nil
}

// Start listens on both addresses and serves until Stop. The context bounds the start only.
func (s *Server) Start(ctx context.Context) error {
	var lc net.ListenConfig
	public, err := lc.Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("gateway: listen: %w", err)
	}
	loopback, err := lc.Listen(ctx, "tcp", s.cfg.AdminListen)
	if err != nil {
		return errors.Join(fmt.Errorf("gateway: listen for administration: %w", err), public.Close())
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	limited := limitConnections(public, s.cfg.MaxConnections, s.cfg.MaxConnectionsPerAddress)
	s.listener.Store(limited)
	s.adminListener = loopback
	s.public = s.server(base, s)
	s.public.DisableGeneralOptionsHandler = true
	s.public.ConnContext = limited.begin
	s.public.ConnState = func(conn net.Conn, state http.ConnState) {
		// Nothing here hijacks connections.
		if state == http.StateClosed {
			limited.end(conn)
		}
	}
	s.loopback = s.server(base, s.AdminHandler())
	s.served = make(chan error, 2)
	go func() { s.served <- serve(s.public, limited) }()
	go func() { s.served <- serve(s.loopback, loopback) }()
	s.log.Info("gateway listens", "address", s.Addr(), "admin", s.AdminAddr())
	return nil
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

func serve(server *http.Server, l net.Listener) error {
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("gateway: serve %s: %w", l.Addr(), err)
	}
	return nil
}

// Addr returns the public address after Start.
func (s *Server) Addr() string { return s.listener.Load().Addr().String() }

// AdminAddr returns the loopback address after Start.
func (s *Server) AdminAddr() string { return s.adminListener.Addr().String() }

// Stop fails readiness, begins no new answers and sessions, and lets answers under way come to their end. Meanwhile, and
// for Config.DrainGrace after the last of them, it takes acknowledgements: answers wait for them, and they are money. What
// has not ended shortly before the context does is reset. It returns what went wrong, also while the server ran.
func (s *Server) Stop(ctx context.Context) error {
	s.work.drain()
	if s.public == nil {
		return nil
	}
	errs := []error{s.drain(ctx)}
	// The loopback listener goes last, so that the drain can be watched.
	for _, server := range []*http.Server{s.public, s.loopback} {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("gateway: drain: %w", err))
			s.cancel()
			errs = append(errs, server.Close())
		}
	}
	s.cancel()
	for range 2 {
		errs = append(errs, <-s.served)
	}
	return errors.Join(errs...)
}

// drain waits for the answers under way and their acknowledgements. The grace is taken off the time of the answers.
func (s *Server) drain(ctx context.Context) error {
	answers, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		// Half of the time at least is for the answers, and as much as the grace for the shutdown.
		answers, cancel = context.WithDeadline(ctx, deadline.Add(-min(2*s.cfg.DrainGrace, time.Until(deadline)/2)))
	}
	defer cancel()
	var err error
	select {
	case <-s.work.idle:
	case <-answers.Done():
		err = fmt.Errorf("gateway: answers did not end in time: %w", answers.Err())
		s.work.cut()
	}
	if ended := s.work.ended(); !ended.IsZero() {
		grace := time.NewTimer(s.cfg.DrainGrace - time.Since(ended))
		defer grace.Stop()
		select {
		case <-grace.C:
		case <-ctx.Done():
		}
	}
	return err
}
