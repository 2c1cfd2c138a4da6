package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// tlsConfig returns what TLS 1.2 and 1.3 look like here. Suites of 1.3 cannot be chosen; those of 1.2 are the ones with
// forward secrecy and authenticated encryption. Curves are Go's, with the hybrid of X25519 and ML-KEM first.
func tlsConfig(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		GetCertificate: certificate,
		MinVersion:     tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos: []string{"h2", "http/1.1"},
	}
}

// certificates are where the public listener's certificate comes from.
type certificates interface {
	// open begins to listen for what run answers.
	open(context.Context) error
	// get answers a handshake.
	get(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// run does what is to be done in the background until the context ends.
	run(context.Context) error
	// expiry is when the first of those in use ends to be valid, zero if none is in use.
	expiry() time.Time
}

// newCertificates returns nil if TLS is off.
func newCertificates(cfg Config, m *metrics, log *slog.Logger) (certificates, error) {
	switch {
	case cfg.TLSCertFile != "":
		return newCertificateFiles(cfg.TLSCertFile, cfg.TLSKeyFile, m, log)
	case len(cfg.ACMEDomains) > 0:
		return newACME(cfg, m, log), nil
	}
	return nil, nil
}

// certificatePoll is how often the files are looked at.
const certificatePoll = 5 * time.Second

// certificateFiles serve a pair of files and follow their changes. Handshakes get the last pair that was good; connections
// that stand are not touched.
type certificateFiles struct {
	cert, key string
	poll      time.Duration
	metrics   *metrics
	log       *slog.Logger

	mu   sync.RWMutex
	pair *tls.Certificate
	// seen is what was loaded last, good or bad.
	seen [2]fs.FileInfo
}

func newCertificateFiles(cert, key string, m *metrics, log *slog.Logger) (*certificateFiles, error) {
	f := &certificateFiles{cert: cert, key: key, poll: certificatePoll, metrics: m, log: log}
	if err := f.load(); err != nil {
		return nil, err
	}
	return f, nil
}

// load reads the pair. One that is not good leaves the old one in place. A pair that has expired is good: an operator who
// sets the clock or renews late is better off with a worker that runs and says so.
func (f *certificateFiles) load() error {
	var seen [2]fs.FileInfo
	for i, name := range []string{f.cert, f.key} {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("certificate: %w", err)
		}
		seen[i] = info
	}
	f.mu.Lock()
	f.seen = seen
	f.mu.Unlock()
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", f.cert, f.key, err)
	}
	f.mu.Lock()
	f.pair = &pair
	f.mu.Unlock()
	if left := time.Until(pair.Leaf.NotAfter); left <= 0 {
		f.log.Warn("certificate has expired", "file", f.cert, "not_after", pair.Leaf.NotAfter)
	}
	return nil
}

// changed reports whether the files are others than those that were loaded last. Links are followed, as tools that renew
// certificates swap them.
func (f *certificateFiles) changed() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i, name := range []string{f.cert, f.key} {
		info, err := os.Stat(name)
		if err != nil {
			return true // and load says why
		}
		if old := f.seen[i]; old == nil || !os.SameFile(old, info) || !old.ModTime().Equal(info.ModTime()) || old.Size() != info.Size() {
			return true
		}
	}
	return false
}

func (f *certificateFiles) open(context.Context) error { return nil }

func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.pair, nil
}

func (f *certificateFiles) expiry() time.Time {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.pair.Leaf.NotAfter
}

func (f *certificateFiles) run(ctx context.Context) error {
	ticker := time.NewTicker(f.poll)
	defer ticker.Stop()
	fault := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if !f.changed() {
			continue
		}
		err := f.load()
		if err == nil {
			fault = ""
			f.metrics.certificates.WithLabelValues("ok").Inc()
			f.log.Info("certificate loaded anew", "file", f.cert, "not_after", f.expiry())
			continue
		}
		// A file that is missing is looked for each time; it is worth one line and one count.
		if err.Error() != fault {
			fault = err.Error()
			f.metrics.certificates.WithLabelValues("failed").Inc()
			f.log.Error("certificate not loaded, the old one stays", "err", err, "not_after", f.expiry())
		}
	}
}

// acmeCertificates are issued and renewed by an ACME authority. It is proved that the domains are this worker's by
// TLS-ALPN-01 on the public listener, which must be reachable on port 443, or by HTTP-01 on a listener of its own, which
// must be on port 80.
type acmeCertificates struct {
	manager *autocert.Manager
	orders  *acmeTransport
	domains []string
	listen  string
	timeout time.Duration
	metrics *metrics
	log     *slog.Logger

	mu sync.Mutex
	// until is by domain, at most the configured ones.
	until map[string]time.Time

	// http answers HTTP-01, nil if nothing does.
	http net.Listener
}

func newACME(cfg Config, m *metrics, log *slog.Logger) *acmeCertificates {
	orders := &acmeTransport{}
	return &acmeCertificates{
		orders: orders,
		manager: &autocert.Manager{
			// Who names domains of an authority has read its terms: docs/worker.md says so.
			Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(cfg.ACMECache), HostPolicy: autocert.HostWhitelist(cfg.ACMEDomains...),
			Email: cfg.ACMEEmail, Client: &acme.Client{
				DirectoryURL: cfg.ACMEDirectory, UserAgent: "edge-worker", HTTPClient: &http.Client{Transport: orders, Timeout: acmeTimeout},
			},
		},
		domains: cfg.ACMEDomains, listen: cfg.ACMEListen, timeout: cfg.HeaderTimeout, metrics: m, log: log, until: map[string]time.Time{},
	}
}

// acmeTimeout bounds each request to an authority.
const acmeTimeout = 30 * time.Second

// acmeTransport ends requests with the worker. autocert has no context for them and gives an order five minutes.
type acmeTransport struct {
	ctx atomic.Pointer[context.Context]
}

// RoundTrip implements http.RoundTripper.
func (t *acmeTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if until := t.ctx.Load(); until != nil {
		ctx, cancel := context.WithCancel(r.Context())
		// The answer's body is read under this context, too. An order has a handful of requests.
		context.AfterFunc(*until, cancel)
		r = r.WithContext(ctx)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// get answers handshakes with what is there, and challenges. Certificates are ordered in the background alone: a stranger's
// handshake must neither start an order, of which authorities allow few, nor wait for one.
func (a *acmeCertificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
		return a.manager.GetCertificate(hello)
	}
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if name == "" {
		// Who came by the address gets the first one rather than an alert that says nothing.
		name = a.domains[0]
	}
	a.mu.Lock()
	_, known := a.until[name]
	a.mu.Unlock()
	if !known {
		return nil, fmt.Errorf("no certificate for %q", name)
	}
	return a.of(name)
}

// of returns the certificate of a domain, from memory, from the cache or, in the end, from the authority.
func (a *acmeCertificates) of(domain string) (*tls.Certificate, error) {
	// What autocert wants to see of clients that take certificates with an ECDSA key, as all of today do.
	certificate, err := a.manager.GetCertificate(&tls.ClientHelloInfo{
		ServerName: domain, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", domain, err)
	}
	a.mu.Lock()
	a.until[domain] = certificate.Leaf.NotAfter
	a.mu.Unlock()
	return certificate, nil
}

func (a *acmeCertificates) expiry() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	var first time.Time
	for _, t := range a.until {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	return first
}

// warmFirst and warmLast are the waits between tries to get the certificates before anybody asks for them, and warmAgain is
// how often they are looked at when they are there. Authorities lock out who fails too often.
const (
	warmFirst = 10 * time.Second
	warmLast  = time.Hour
	warmAgain = 12 * time.Hour
)

// open listens for HTTP-01. It comes before run.
func (a *acmeCertificates) open(ctx context.Context) error {
	if a.listen == "" {
		return nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", a.listen)
	if err != nil {
		return fmt.Errorf("listen for ACME: %w", err)
	}
	a.http = acmeConnections(l)
	return nil
}

// run gets the certificates before the first client needs them, and answers HTTP-01.
func (a *acmeCertificates) run(ctx context.Context) error {
	var answering sync.WaitGroup
	var served error
	if a.http != nil {
		server := &http.Server{
			Handler: a.manager.HTTPHandler(nil), ReadHeaderTimeout: a.timeout, ReadTimeout: a.timeout, WriteTimeout: a.timeout, IdleTimeout: a.timeout,
			MaxHeaderBytes: 8 << 10, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
		}
		answering.Go(func() {
			if err := server.Serve(a.http); !errors.Is(err, http.ErrServerClosed) {
				served = fmt.Errorf("serve ACME: %w", err)
			}
		})
		stop := context.AfterFunc(ctx, func() { _ = server.Close() })
		defer stop()
	}
	a.orders.ctx.Store(&ctx)
	for wait := warmFirst; ; {
		var errs []error
		for _, domain := range a.domains {
			if ctx.Err() == nil {
				_, err := a.of(domain)
				errs = append(errs, err)
			}
		}
		next := warmAgain
		if err := errors.Join(errs...); err != nil && ctx.Err() == nil {
			a.metrics.certificates.WithLabelValues("failed").Inc()
			a.log.Error("no certificate yet", "err", err, "again_in", wait)
			next, wait = wait, min(2*wait, warmLast)
		} else {
			wait = warmFirst
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			answering.Wait()
			return served
		case <-timer.C:
		}
	}
}

// acmeConnections bounds the connections of the listener for HTTP-01: one authority needs few.
func acmeConnections(l net.Listener) net.Listener {
	return &fewConnections{Listener: l, slots: make(chan struct{}, 64)}
}

type fewConnections struct {
	net.Listener
	slots chan struct{}
}

// Accept implements net.Listener. Connections beyond the bound are closed at once.
func (f *fewConnections) Accept() (net.Conn, error) {
	for {
		conn, err := f.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case f.slots <- struct{}{}:
			return &fewConnection{Conn: conn, leave: sync.OnceFunc(func() { <-f.slots })}, nil
		default:
			_ = conn.Close()
		}
	}
}

type fewConnection struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *fewConnection) Close() error {
	c.leave()
	return c.Conn.Close()
}
