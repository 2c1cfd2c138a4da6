package outbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/edgechain/edge/client/address"
)

const (
	// MaxRedirects is how many redirects are followed, each to an address that is checked like the first.
	MaxRedirects = 5

	// maxHeaderBytes bounds the header of an answer.
	maxHeaderBytes = 32 << 10
	dialTimeout    = 10 * time.Second
	userAgent      = "edge-worker"
)

// Client makes requests. It is safe for concurrent use.
type Client struct {
	cfg   Config
	named map[string]bool
	http  *http.Client
}

// New returns a client. Named are addresses that the operator has named: their hosts may be on any port and in
// Config.Networks. It returns ErrURL for one that does not parse.
func New(cfg Config, named ...string) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, named: map[string]bool{}}
	for _, text := range named {
		u, err := ParseURL(text)
		if err != nil {
			return nil, err
		}
		c.named[hostPort(u)] = true
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // it would resolve names itself, where nothing sees where they lead
			DialContext:            c.dial,
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  cfg.FirstByteTimeout,
			IdleConnTimeout:        time.Minute,
			MaxIdleConns:           64,
			MaxIdleConnsPerHost:    min(cfg.MaxConnsPerHost, 16),
			MaxConnsPerHost:        cfg.MaxConnsPerHost,
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableCompression:     true,
			ReadBufferSize:         64 << 10,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: c.redirect,
	}
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ParseURL reads an absolute http or https URL. It returns ErrURL.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: it is no URL", ErrURL)
	}
	return u, checkURL(u)
}

// checkURL says what no request goes to, whoever names it.
func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%w: scheme %q, want http or https", ErrURL, u.Scheme)
	case u.User != nil:
		return fmt.Errorf("%w: it carries credentials", ErrURL)
	case u.Hostname() == "" || u.Opaque != "":
		return fmt.Errorf("%w: it has no host", ErrURL)
	case strings.Contains(u.Hostname(), "%"):
		return fmt.Errorf("%w: it names an interface of this machine", ErrURL)
	}
	return nil
}

// check is checkURL with the ports.
func (c *Client) check(u *url.URL) error {
	if err := checkURL(u); err != nil {
		return err
	}
	if at := hostPort(u); !c.named[at] && !publicPort(at) {
		return fmt.Errorf("%w: %s is not on port 80 or 443", ErrURL, at)
	}
	return nil
}

func publicPort(hostPort string) bool {
	_, port, err := net.SplitHostPort(hostPort)
	return err == nil && (port == "80" || port == "443")
}

// hostPort is what the transport dials for a URL, in lower case.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(net.JoinHostPort(u.Hostname(), port))
}

// redirect is the http.Client's CheckRedirect.
func (c *Client) redirect(req *http.Request, via []*http.Request) error {
	if len(via) > MaxRedirects {
		return fmt.Errorf("%w: over %d in a row", ErrRedirect, MaxRedirects)
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("%w: from https to %s", ErrRedirect, req.URL.Scheme)
	}
	req.Header.Del("Referer")
	return c.check(req.URL)
}

// dial connects to a host. Each address is looked at after the name was resolved and right before the connection, so that no
// answer of a name server gets round it.
func (c *Client) dial(ctx context.Context, network, to string) (net.Conn, error) {
	named := c.named[strings.ToLower(to)]
	if _, err := netip.ParseAddrPort(to); err == nil {
		// The check below would not come to it on a machine without IPv6.
		if err := c.permit(named, to); err != nil {
			return nil, err
		}
	}
	d := &net.Dialer{
		Timeout: dialTimeout, KeepAlive: 15 * time.Second, Resolver: c.cfg.Resolver,
		Control: func(_, target string, _ syscall.RawConn) error { return c.permit(named, target) },
	}
	return d.DialContext(ctx, network, to)
}

// permit says whether a connection to an address and port may be made, on behalf of a named host or not.
func (c *Client) permit(named bool, target string) error {
	to, err := netip.ParseAddrPort(target)
	if err != nil {
		return fmt.Errorf("%w: %q", ErrAddress, target)
	}
	if !named && to.Port() != 80 && to.Port() != 443 {
		return fmt.Errorf("%w: port %d", ErrURL, to.Port())
	}
	if address.Public(to.Addr()) {
		return nil
	}
	if named {
		for _, network := range c.cfg.Networks {
			if network.Contains(to.Addr().Unmap().WithZone("")) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: it leads to %s", ErrAddress, to.Addr())
}

// Answer is an answer whose header has arrived. Close it.
type Answer struct {
	Status int
	Header http.Header
	// Length of the body in bytes; -1 if the host does not say.
	Length int64
	// Body ends with io.EOF only where the host said that it ends.
	Body io.ReadCloser
}

// Get asks for a URL. It returns the errors of this package, those of the network, and the context's.
func (c *Client) Get(ctx context.Context, address string, header http.Header) (_ *Answer, err error) {
	u, err := ParseURL(address)
	if err != nil {
		return nil, err
	}
	if err := c.check(u); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timeout := func(after time.Duration, what string) *time.Timer {
		return time.AfterFunc(after, func() { cancel(fmt.Errorf("%w: %s in %s", ErrTimeout, what, after)) })
	}
	total := timeout(c.cfg.TotalTimeout, "it did not end")
	first := timeout(c.cfg.FirstByteTimeout, "no answer")
	defer first.Stop()
	defer func() {
		if err != nil {
			total.Stop()
			cancel(nil)
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%w: it is no URL", ErrURL)
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", userAgent)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, failure(ctx, err)
	}
	if encoding := res.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, errors.Join(fmt.Errorf("%w: %q", ErrEncoding, encoding), res.Body.Close())
	}
	idle := timeout(c.cfg.IdleTimeout, "its body stood still")
	idle.Stop()
	body := &watched{
		ctx: ctx, body: res.Body, idle: idle, window: c.cfg.IdleTimeout, left: c.cfg.IdleTimeout,
		need: max(1, int64(float64(c.cfg.MinBytesPerSecond)*c.cfg.IdleTimeout.Seconds())),
		done: func() { total.Stop(); idle.Stop(); cancel(nil) },
	}
	return &Answer{Status: res.StatusCode, Header: res.Header, Length: res.ContentLength, Body: body}, nil
}

// failure says why an exchange failed, without the request line that net/http repeats.
func failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	}
	return err
}

// watched is a body that must keep coming.
type watched struct {
	ctx          context.Context //nolint:containedctx // that of the request, whose cause says why a read failed
	body         io.ReadCloser
	idle         *time.Timer
	window, left time.Duration
	need, got    int64
	done         func()
}

// Read implements io.Reader. The clock runs while it waits for the host only.
func (w *watched) Read(p []byte) (int, error) {
	start := time.Now()
	w.idle.Reset(max(w.left, 1))
	n, err := w.body.Read(p)
	w.idle.Stop()
	w.left -= time.Since(start)
	if w.got += int64(n); w.got >= w.need {
		w.left, w.got = w.window, 0
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = failure(w.ctx, err)
	}
	return n, err
}

// Close implements io.Closer.
func (w *watched) Close() error {
	w.done()
	return w.body.Close()
}
