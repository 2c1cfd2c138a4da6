package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/edgechain/edge/worker/origin/outbound"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func config() outbound.Config {
	return outbound.Config{
		Networks: loopback, FirstByteTimeout: 10 * time.Second, IdleTimeout: 10 * time.Second, TotalTimeout: 20 * time.Second, MaxConnsPerHost: 4,
	}
}

func newClient(t *testing.T, cfg outbound.Config, named ...string) *outbound.Client {
	t.Helper()
	c, err := outbound.New(cfg, named...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestGet(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "identity" || r.Header.Get("X") != "y" || r.Header.Get("Cookie") != "" {
			w.WriteHeader(http.StatusTeapot)
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		_, _ = io.WriteString(w, "body")
	})
	c := newClient(t, config(), s.URL)
	for range 2 {
		a, err := c.Get(t.Context(), s.URL, http.Header{"X": {"y"}})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status)
		require.EqualValues(t, 4, a.Length)
		b, err := io.ReadAll(a.Body)
		require.NoError(t, err)
		require.Equal(t, "body", string(b))
		require.NoError(t, a.Body.Close())
	}
}

// TestNoProxy: a proxy of the environment would resolve names where nothing sees where they lead.
func TestNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	c := newClient(t, config())
	_, err := c.Get(t.Context(), "http://10.0.0.1/", nil)
	require.ErrorIs(t, err, outbound.ErrAddress)
}

// TestRefusedAddresses: only what the operator has named may be elsewhere than on the public Internet.
func TestRefusedAddresses(t *testing.T) {
	var asked atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	c := newClient(t, config())
	for _, to := range []string{
		"http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://169.254.169.254/latest/meta-data/", "http://10.1.2.3/", "http://[fe80::1]/",
		"http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://[::]/", "http://100.64.0.1/", "http://[64:ff9b::7f00:1]/", "http://224.0.0.1/",
		"http://[2002:7f00:1::]/", "https://192.168.0.1/", "http://100.100.100.200/", "http://[fd00:ec2::254]/",
	} {
		_, err := c.Get(t.Context(), to, nil)
		require.ErrorIs(t, err, outbound.ErrAddress, to)
	}
	for _, to := range []string{
		s.URL, "http://1.1.1.1:22/", "ftp://1.1.1.1/", "file:///etc/passwd", "http://user:pass@1.1.1.1/", "http:///x", "//x", "", "http://[fe80::1%25lo]/",
		"http:opaque", "gopher://1.1.1.1:80/", "http://\x00/",
	} {
		_, err := c.Get(t.Context(), to, nil)
		require.ErrorIs(t, err, outbound.ErrURL, to)
	}
	// Named, but in no network that was named.
	cfg := config()
	cfg.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	_, err := newClient(t, cfg, s.URL).Get(t.Context(), s.URL, nil)
	require.ErrorIs(t, err, outbound.ErrAddress)
	require.Zero(t, asked.Load())
}

// TestRedirects: a named host in an allowed network cannot send a request to another place there.
func TestRedirects(t *testing.T) {
	var asked atomic.Int32
	secret := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	for to, want := range map[string]error{
		"http://127.0.0.1/":                        outbound.ErrAddress,
		"http://127.0.0.2/":                        outbound.ErrAddress,
		"http://169.254.169.254/latest/meta-data/": outbound.ErrAddress,
		"http://[::1]/":                            outbound.ErrAddress,
		"http://localhost/":                        outbound.ErrAddress,
		"https://[::ffff:10.0.0.1]/":               outbound.ErrAddress,
		secret.URL:                                 outbound.ErrURL,
		"ftp://127.0.0.1/":                         outbound.ErrURL,
		"http://user:secret@example.com/":          outbound.ErrURL,
		"/loop":                                    outbound.ErrRedirect,
	} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
		_, err := newClient(t, config(), s.URL).Get(t.Context(), s.URL, nil)
		require.ErrorIs(t, err, want, to)
	}
	require.Zero(t, asked.Load())

	var referrer string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/end" {
			referrer = r.Header.Get("Referer")
			return
		}
		http.Redirect(w, r, "/end", http.StatusFound)
	})
	a, err := newClient(t, config(), s.URL).Get(t.Context(), s.URL+"/secret", nil)
	require.NoError(t, err)
	require.NoError(t, a.Body.Close())
	require.Equal(t, http.StatusOK, a.Status)
	require.Empty(t, referrer)
}

// TestRebinding: a name that leads to a public address once and to a private one the next time is refused when it is dialled.
func TestRebinding(t *testing.T) {
	dns := &nameServer{answers: [][4]byte{{127, 0, 0, 1}, {169, 254, 169, 254}}}
	cfg := config()
	cfg.Resolver = &net.Resolver{PreferGo: true, Dial: dns.dial}
	c := newClient(t, cfg)
	for range 3 {
		_, err := c.Get(t.Context(), "http://rebinding.example./", nil)
		require.ErrorIs(t, err, outbound.ErrAddress)
	}
	require.Positive(t, dns.asked.Load())
}

func TestSlowHosts(t *testing.T) {
	for what, c := range map[string]struct {
		change  func(*outbound.Config)
		handler http.HandlerFunc
	}{
		"first byte": {func(c *outbound.Config) { c.FirstByteTimeout = 20 * time.Millisecond }, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		"silence": {func(c *outbound.Config) { c.IdleTimeout = 20 * time.Millisecond }, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}},
		"trickle": {func(c *outbound.Config) { c.IdleTimeout, c.MinBytesPerSecond = 100*time.Millisecond, 1<<20 }, trickle},
		"endless": {func(c *outbound.Config) { c.TotalTimeout = 50 * time.Millisecond }, trickle},
	} {
		t.Run(what, func(t *testing.T) {
			cfg := config()
			c.change(&cfg)
			s := serve(t, c.handler)
			a, err := newClient(t, cfg, s.URL).Get(t.Context(), s.URL, nil)
			if err == nil {
				_, err = io.Copy(io.Discard, a.Body)
				require.NoError(t, a.Body.Close())
			}
			require.ErrorIs(t, err, outbound.ErrTimeout)
		})
	}
}

// trickle delivers a byte now and then, without end.
func trickle(w http.ResponseWriter, r *http.Request) {
	for {
		select {
		case <-r.Context().Done():
			return
		case <-time.After(time.Millisecond):
			if _, err := io.WriteString(w, "x"); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func TestBadAnswers(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/encoded":
			w.Header().Set("Content-Encoding", "gzip")
		case "/header":
			w.Header().Set("X", strings.Repeat("x", 64<<10))
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "x")
		}
	})
	c := newClient(t, config(), s.URL)
	_, err := c.Get(t.Context(), s.URL+"/encoded", nil)
	require.ErrorIs(t, err, outbound.ErrEncoding)
	_, err = c.Get(t.Context(), s.URL+"/header", nil)
	require.Error(t, err)
	a, err := c.Get(t.Context(), s.URL+"/cut", nil)
	require.NoError(t, err)
	_, err = io.ReadAll(a.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, a.Body.Close())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Get(ctx, s.URL, nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestConfig(t *testing.T) {
	require.NoError(t, config().Validate())
	for what, change := range map[string]func(*outbound.Config){
		"first_byte_timeout":   func(c *outbound.Config) { c.FirstByteTimeout = 0 },
		"idle_timeout":         func(c *outbound.Config) { c.IdleTimeout = 0 },
		"total_timeout":        func(c *outbound.Config) { c.TotalTimeout = 0 },
		"min_bytes_per_second": func(c *outbound.Config) { c.MinBytesPerSecond = -1 },
		"connections":          func(c *outbound.Config) { c.MaxConnsPerHost = 0 },
		"network":              func(c *outbound.Config) { c.Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")} },
	} {
		cfg := config()
		change(&cfg)
		require.ErrorContains(t, cfg.Validate(), what)
		_, err := outbound.New(cfg)
		require.Error(t, err)
	}
	_, err := outbound.New(config(), "ftp://x")
	require.ErrorIs(t, err, outbound.ErrURL)
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"https://example.com/x", "http://[::1]:80/", "http://a@b/", "http://%00/", "https://x:99999/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := outbound.ParseURL(text)
		if err != nil {
			require.ErrorIs(t, err, outbound.ErrURL)
			return
		}
		again, err := url.Parse(u.String())
		require.NoError(t, err)
		require.Contains(t, []string{"http", "https"}, again.Scheme)
		require.NotEmpty(t, again.Hostname())
		require.Nil(t, again.User)
	})
}

// nameServer answers each question about a name with the next address.
type nameServer struct {
	answers [][4]byte
	asked   atomic.Int32
}

func (n *nameServer) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer ours.Close()
		// A stream carries each message behind its length.
		for {
			var size [2]byte
			if _, err := io.ReadFull(ours, size[:]); err != nil {
				return
			}
			query := make([]byte, int(size[0])<<8|int(size[1]))
			if _, err := io.ReadFull(ours, query); err != nil {
				return
			}
			answer, err := n.answer(query)
			if err != nil {
				return
			}
			if _, err := ours.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...)); err != nil {
				return
			}
		}
	}()
	return theirs, nil
}

func (n *nameServer) answer(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return nil, errors.Join(err, fmt.Errorf("%d questions", len(m.Questions)))
	}
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	if q.Type == dnsmessage.TypeA {
		at := n.answers[int(n.asked.Add(1)-1)%len(n.answers)]
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: at},
		}}
	}
	return m.Pack()
}
