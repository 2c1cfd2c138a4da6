package gateway_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/store"
)

// dialFrom opens a connection from an address of the loopback network.
func dialFrom(t *testing.T, b *bench, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(t.Context(), "tcp", b.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return c
}

// send writes a request on a connection and returns the answer.
func send(t *testing.T, c net.Conn, path string, header ...string) *http.Response {
	t.Helper()
	_, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n"+strings.Join(append(header, ""), "\r\n")+"\r\n")
	require.NoError(t, err)
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	return r
}

// TestConnectionsOfOneSubnet: addresses of a /24 share a bound, those of another have their own.
func TestConnectionsOfOneSubnet(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.MaxConnectionsPerSubnet = 2 })
	b.start(t)
	for i := range 2 {
		r := send(t, dialFrom(t, b, fmt.Sprintf("127.0.0.%d", i+2)), "/v1/worker")
		require.Equal(t, 200, r.StatusCode)
		bodyOf(t, r)
	}
	r := send(t, dialFrom(t, b, "127.0.0.9"), "/v1/worker")
	require.True(t, r.Close)
	require.Equal(t, "1", r.Header.Get("Retry-After"))
	doc := requireProblem(t, r, 429, "overloaded")
	require.Contains(t, doc["detail"], "more than 2 connections are open from one subnet")
	r = send(t, dialFrom(t, b, "127.0.1.9"), "/v1/worker")
	require.Equal(t, 200, r.StatusCode)
	bodyOf(t, r)
	require.EqualValues(t, 1, b.metric(t, "edge_gateway_refused_requests_total"))
}

// TestRequestsOfOneSubnet is the same for requests under way.
func TestRequestsOfOneSubnet(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.MaxRequestsPerSubnet, c.StepBytes = 1, group })
	b.start(t)
	b.sessions.limit = 0
	path := "/b3/" + b.add(t, object(group)).String()
	paused := dialFrom(t, b, "127.0.0.2")
	_, err := fmt.Fprintf(paused, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", path, auth)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.sessions.begun() == 1 }, patience, tick)
	doc := requireProblem(t, send(t, dialFrom(t, b, "127.0.0.3"), path), 429, "overloaded")
	require.Contains(t, doc["detail"], "one subnet")
	r := send(t, dialFrom(t, b, "127.0.1.3"), path)
	require.Equal(t, 200, r.StatusCode)
	bodyOf(t, r)
}

// TestRequestsOfOneAccount: the bound holds over sessions, connections and addresses, and ends with the requests.
func TestRequestsOfOneAccount(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.MaxRequestsPerAccount, c.StepBytes = 1, group })
	b.start(t)
	b.sessions.open["other"] = &fakeSession{s: b.sessions}
	b.sessions.limit = group
	path := "/b3/" + b.add(t, object(2*group)).String()
	paused := send(t, dialFrom(t, b, "127.0.0.2"), path, auth)
	require.Equal(t, 200, paused.StatusCode)
	doc := requireProblem(t, send(t, dialFrom(t, b, "127.0.1.2"), path, "Authorization: Edge-Session other"), 429, "overloaded")
	require.Contains(t, doc["detail"], "one account")
	_, err := b.sessions.Acknowledge(t.Context(), ackList(signed(group)))
	require.NoError(t, err)
	require.Len(t, bodyOf(t, paused), 2*group)
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_requests_in_flight") == 0 }, patience, tick)
	b.sessions.mu.Lock()
	b.sessions.limit = 1 << 40
	b.sessions.mu.Unlock()
	r := send(t, dialFrom(t, b, "127.0.1.2"), path, "Authorization: Edge-Session other")
	require.Equal(t, 200, r.StatusCode)
	bodyOf(t, r)
}

// TestRateOfConnections: an address that opens connections faster than it may is told so, and when it goes on it is not
// answered any more. Others are not touched.
func TestRateOfConnections(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.NewConnectionsPerSecond, c.MaxConnectionsPerAddress = 1, 3 })
	b.start(t)
	states := map[string]int{}
	for range 30 {
		c := dialFrom(t, b, "127.0.0.2")
		_, err := io.WriteString(c, "GET /v1/worker HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if err != nil {
			states["closed"]++
			continue
		}
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			require.False(t, errors.Is(err, net.ErrClosed))
			states["closed"]++
			continue
		}
		if r.StatusCode == 429 {
			require.Contains(t, requireProblem(t, r, 429, "overloaded")["detail"], "connections a second")
			states["refused"]++
		} else {
			bodyOf(t, r)
			states["served"]++
		}
		require.NoError(t, c.Close())
		require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_connections") == 0 }, patience, tick)
	}
	require.GreaterOrEqual(t, states["served"], 3)
	require.GreaterOrEqual(t, states["refused"], 3)
	require.NotZero(t, states["closed"])
	r := send(t, dialFrom(t, b, "127.0.1.2"), "/v1/worker")
	require.Equal(t, 200, r.StatusCode)
	bodyOf(t, r)
}

// TestRatesRememberABoundedNumber opens connections from more addresses than are remembered.
func TestRatesRememberABoundedNumber(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.FreeQuotaAddresses = 4 })
	b.start(t)
	for i := range 10 {
		r := send(t, dialFrom(t, b, fmt.Sprintf("127.0.%d.2", i)), "/healthz")
		require.Equal(t, 200, r.StatusCode)
		bodyOf(t, r)
	}
	require.Equal(t, 4, b.Rated())
}

// TestAckPassesRate: who is refused for anything else gets an acknowledgement in.
func TestAckPassesRate(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.NewConnectionsPerSecond, c.MaxConnectionsPerAddress = 1, 1 })
	b.start(t)
	r := send(t, dialFrom(t, b, "127.0.0.2"), "/v1/worker")
	require.Equal(t, 200, r.StatusCode)
	bodyOf(t, r)
	c := dialFrom(t, b, "127.0.0.2")
	a := signed(group)
	body := a.AppendEncoded(nil)
	_, err := fmt.Fprintf(c, "POST /v1/acks HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.edge.ack\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	require.NoError(t, err)
	r, err = http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, 200, r.StatusCode)
	bodyOf(t, r)
}

// TestFirstByteTimeout ends an answer that does not begin.
func TestFirstByteTimeout(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) {
		c.FirstByteTimeout, c.StepBytes = 300*time.Millisecond, group
	})
	b.sessions.limit = 0
	url := b.start(t)
	name := b.add(t, object(2*group))
	r, err := fetch(t, url+"/b3/"+name.String(), auth)
	require.NoError(t, err)
	require.NotEmpty(t, r.Header.Get("Retry-After"))
	requireProblem(t, r, 504, "timeout")
	require.Equal(t, [3]uint64{0, 0, 1}, b.sessions.last().state())
	// Once it has begun it may take longer.
	b.sessions.mu.Lock()
	b.sessions.limit = group
	b.sessions.mu.Unlock()
	r, err = fetch(t, url+"/b3/"+name.String(), auth)
	require.NoError(t, err)
	_, err = io.ReadFull(r.Body, make([]byte, group))
	require.NoError(t, err)
	time.Sleep(400 * time.Millisecond) // longer than the time to the first byte
	_, err = b.sessions.Acknowledge(t.Context(), ackList(signed(group)))
	require.NoError(t, err)
	require.Len(t, bodyOf(t, r), group)
}

// TestTrustedProxy: behind one the client is whom it names, and its own connections have no bound. The word of others is
// not taken.
func TestTrustedProxy(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) {
		c.TrustedProxies = []string{"127.0.0.7", "10.0.0.0/8"}
		c.MaxConnectionsPerAddress, c.MaxConnectionsPerSubnet, c.FreeQuotaBytes = 1, 1, group
	})
	b.start(t)
	path := "/b3/" + b.add(t, object(group)).String()
	status := func(from string, header ...string) int {
		c := dialFrom(t, b, from)
		r := send(t, c, path, append(header, "Connection: close")...)
		_ = bodyOf(t, r)
		return r.StatusCode
	}
	kept := []net.Conn{dialFrom(t, b, "127.0.0.7"), dialFrom(t, b, "127.0.0.7")} // more than an address may have
	defer func() { require.Len(t, kept, 2) }()
	require.Equal(t, 200, status("127.0.0.7", "X-Forwarded-For: 192.0.2.1"))
	require.Equal(t, 402, status("127.0.0.7", "X-Forwarded-For: 192.0.2.1"))
	require.Equal(t, 402, status("127.0.0.7", "X-Forwarded-For: 198.51.100.7, 192.0.2.1"), "what stands before is the client's word")
	require.Equal(t, 402, status("127.0.0.7", "X-Forwarded-For: 192.0.2.1, 10.1.2.3"), "a chain of proxies")
	require.Equal(t, 402, status("127.0.0.7", "X-Forwarded-For: 192.0.2.1:4711"))
	require.Equal(t, 200, status("127.0.0.7", "X-Forwarded-For: 192.0.2.2"))
	require.Equal(t, 200, status("127.0.0.7", "X-Forwarded-For: [2001:db8::1]:443"))
	require.Equal(t, 402, status("127.0.0.7", "X-Forwarded-For: 2001:db8::2"))
	require.Equal(t, 200, status("127.0.0.7", "X-Forwarded-For: nonsense"), "else it is the proxy")
	require.Equal(t, 402, status("127.0.0.7"))
	require.Equal(t, 200, status("127.0.1.8", "X-Forwarded-For: 192.0.2.9"))
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_connections") == 2 }, patience, tick)
	require.Equal(t, 402, status("127.0.1.8", "X-Forwarded-For: 192.0.2.10"), "not a proxy")
}

// TestCORS lets pages of any origin use the worker, and says before what they may send.
func TestCORS(t *testing.T) {
	b := newBench(t)
	url := b.start(t)
	name := b.add(t, object(group))
	preflight := func(url string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, url, nil)
		require.NoError(t, err)
		r.Header.Set("Origin", "https://app.example")
		r.Header.Set("Access-Control-Request-Method", "PUT")
		r.Header.Set("Access-Control-Request-Headers", "authorization,edge-ack,range")
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		if body := bodyOf(t, answer); answer.StatusCode == http.StatusNoContent {
			require.Empty(t, body)
		}
		return answer
	}
	for _, path := range []string{"/b3/" + name.String(), "/v1/sessions", "/v1/acks"} {
		r := preflight(url + path)
		require.Equal(t, 204, r.StatusCode)
		require.Equal(t, "*", r.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "7200", r.Header.Get("Access-Control-Max-Age"))
		for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
			require.Contains(t, r.Header.Get("Access-Control-Allow-Methods"), method)
		}
		for _, header := range []string{"Authorization", "Edge-Ack", "Range", "If-Range", "If-None-Match", "Content-Type"} {
			require.Contains(t, r.Header.Get("Access-Control-Allow-Headers"), header)
		}
		require.Empty(t, r.Header.Get("Access-Control-Allow-Credentials"))
	}
	for _, header := range []string{"Origin: https://app.example", "X-None: 1"} {
		r, err := fetch(t, url+"/b3/"+name.String(), header)
		require.NoError(t, err)
		require.Equal(t, "*", r.Header.Get("Access-Control-Allow-Origin"))
		for _, exposed := range []string{"ETag", "Content-Range", "Edge-Sequence", "Edge-Payload-Bytes"} {
			require.Contains(t, r.Header.Get("Access-Control-Expose-Headers"), exposed)
		}
		require.NotContains(t, r.Header.Values("Vary"), "Origin")
		bodyOf(t, r)
	}
	// A refusal can be read, too.
	r, err := fetch(t, url+"/nothing", "Origin: https://app.example")
	require.NoError(t, err)
	require.Equal(t, "*", r.Header.Get("Access-Control-Allow-Origin"))
	requireProblem(t, r, 404, "not-found")
	// They are counted behind their last bytes.
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_requests_total") == 3+3 }, patience, tick)

	r, err = fetch(t, "http://"+b.AdminAddr()+"/healthz", "Origin: https://app.example")
	require.NoError(t, err)
	require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"), "administration is for nobody's pages")
	bodyOf(t, r)

	some := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.CORSOrigins = []string{"https://app.example"} })
	url = some.start(t)
	some.add(t, object(group))
	require.Equal(t, 204, preflight(url+"/v1/acks").StatusCode)
	for origin, want := range map[string]string{"https://app.example": "https://app.example", "https://evil.example": ""} {
		r, err := fetch(t, url+"/healthz", "Origin: "+origin)
		require.NoError(t, err)
		require.Equal(t, want, r.Header.Get("Access-Control-Allow-Origin"))
		require.Contains(t, r.Header.Values("Vary"), "Origin")
		bodyOf(t, r)
	}
	none := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.CORSOrigins = nil })
	require.Equal(t, 405, preflight(none.start(t)+"/healthz").StatusCode)
}

type slowStore struct{ hold chan struct{} }

func (s slowStore) Open(content.Name) (*store.Object, error) {
	<-s.hold
	return nil, store.ErrNotFound
}

// TestConnectionHasOneAnswerAtATime: a client that sends request upon request without reading gets no more than one worked
// on at a time (HTTP/1.1 pipelining).
func TestConnectionHasOneAnswerAtATime(t *testing.T) {
	hold := make(chan struct{})
	b := newBench(t, func(_ *gateway.Config, d *gateway.Deps) { d.Store = slowStore{hold} })
	b.start(t)
	c := dialFrom(t, b, "127.0.0.1")
	_, err := io.WriteString(c, strings.Repeat("GET /b3/"+content.EmptyName.String()+" HTTP/1.1\r\nHost: x\r\n\r\n", 5))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_requests_in_flight") == 1 }, patience, tick)
	close(hold)
	reader := bufio.NewReader(c)
	for range 5 {
		r, err := http.ReadResponse(reader, nil)
		require.NoError(t, err)
		requireProblem(t, r, 404, "not-found")
	}
}

func TestConfigOfProtocols(t *testing.T) {
	for want, change := range map[string]func(*gateway.Config){
		"tls_key_file":                func(c *gateway.Config) { c.TLSCertFile = "x" },
		"acme_domains and":            func(c *gateway.Config) { c.TLSCertFile, c.TLSKeyFile, c.ACMEDomains = "x", "y", []string{"a.example"} },
		"acme_domains: \"A.example\"": func(c *gateway.Config) { c.ACMEDomains, c.ACMECache = []string{"A.example"}, "x" },
		"acme_domains: \"192.0.2.1\"": func(c *gateway.Config) { c.ACMEDomains, c.ACMECache = []string{"192.0.2.1"}, "x" },
		"acme_directory": func(c *gateway.Config) {
			c.ACMEDomains, c.ACMECache, c.ACMEDirectory = []string{"a.example"}, "x", "http://ca.example"
		},
		"acme_cache":                 func(c *gateway.Config) { c.ACMEDomains = []string{"a.example"} },
		"acme_listen":                func(c *gateway.Config) { c.ACMEDomains, c.ACMECache, c.ACMEListen = []string{"a.example"}, "x", "80" },
		"h2c":                        func(c *gateway.Config) { c.TLSCertFile, c.TLSKeyFile, c.H2C = "x", "y", true },
		"http3_port":                 func(c *gateway.Config) { c.HTTP3Port = -1 },
		"max_http3_connections":      func(c *gateway.Config) { c.MaxHTTP3Connections = 0 },
		"hsts_max_age":               func(c *gateway.Config) { c.HSTSMaxAge = -1 },
		"cors_origins":               func(c *gateway.Config) { c.CORSOrigins = []string{"app.example"} },
		"cors_origins: \"*\"":        func(c *gateway.Config) { c.CORSOrigins = []string{"*", "https://app.example"} },
		"cors_max_age":               func(c *gateway.Config) { c.CORSMaxAge = -1 },
		"trusted_proxies":            func(c *gateway.Config) { c.TrustedProxies = []string{"proxy.example"} },
		"max_connections_per_subnet": func(c *gateway.Config) { c.MaxConnectionsPerSubnet = -1 },
		"max_requests_per_subnet":    func(c *gateway.Config) { c.MaxRequestsPerSubnet = -1 },
		"max_requests_per_account":   func(c *gateway.Config) { c.MaxRequestsPerAccount = -1 },
		"new_connections_per_second": func(c *gateway.Config) { c.NewConnectionsPerSecond = -1 },
		"max_streams":                func(c *gateway.Config) { c.MaxStreams = 0 },
		"first_byte_timeout":         func(c *gateway.Config) { c.FirstByteTimeout = 0 },
	} {
		cfg := gateway.DefaultConfig()
		change(&cfg)
		require.ErrorContains(t, cfg.Validate(), want)
	}
	cfg := gateway.DefaultConfig()
	cfg.ACMEDomains, cfg.ACMECache = []string{"a.example", "xn--bcher-kva.example"}, "x"
	require.NoError(t, cfg.Validate())
}
