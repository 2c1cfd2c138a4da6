package gateway_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/edgechain/edge/worker/gateway"
)

// writePair makes a certificate for the names and 127.0.0.1, signed by itself, and returns it in PEM.
func writePair(t *testing.T, cert, key string, serial int64, names ...string) *x509.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "worker"}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour).Truncate(time.Second), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return leaf
}

// secure is a gateway with TLS and HTTP/3.
type secure struct {
	*bench
	url       string
	cert, key string
	roots     *x509.CertPool
}

func newSecure(t *testing.T, change ...func(*gateway.Config)) *secure {
	t.Helper()
	return newSecureWith(t, func(c *gateway.Config, _ *gateway.Deps) {
		for _, f := range change {
			f(c)
		}
	})
}

func newSecureWith(t *testing.T, change func(*gateway.Config, *gateway.Deps)) *secure {
	t.Helper()
	dir := t.TempDir()
	s := &secure{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), roots: x509.NewCertPool()}
	s.roots.AddCert(writePair(t, s.cert, s.key, 1))
	s.bench = newBench(t, func(c *gateway.Config, deps *gateway.Deps) {
		c.TLSCertFile, c.TLSKeyFile = s.cert, s.key
		change(c, deps)
	})
	return s
}

func (s *secure) begin(t *testing.T) *secure {
	t.Helper()
	s.url = "https://" + strings.TrimPrefix(s.start(t), "http://")
	return s
}

func (s *secure) tls() *tls.Config {
	return &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}
}

// client speaks one protocol over one connection as long as it can.
func (s *secure) client(t *testing.T, proto string) *http.Client {
	t.Helper()
	if proto == "HTTP/3.0" {
		rt := &http3.Transport{TLSClientConfig: s.tls()}
		t.Cleanup(func() { _ = rt.Close() })
		return &http.Client{Transport: rt, Timeout: patience}
	}
	rt := &http.Transport{TLSClientConfig: s.tls(), Protocols: new(http.Protocols)}
	rt.Protocols.SetHTTP1(proto == "HTTP/1.1")
	rt.Protocols.SetHTTP2(proto == "HTTP/2.0")
	t.Cleanup(rt.CloseIdleConnections)
	return &http.Client{Transport: rt, Timeout: patience}
}

func ask(t *testing.T, client *http.Client, method, url string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	require.NoError(t, err)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	answer, err := client.Do(r)
	require.NoError(t, err)
	return answer
}

var protocols = []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"}

// TestAnswersWithoutBody: neither 304 nor 204 says how long a body is that they do not have.
func TestAnswersWithoutBody(t *testing.T) {
	s := newSecure(t).begin(t)
	name := s.add(t, object(group)).String()
	for _, proto := range protocols {
		client := s.client(t, proto)
		for status, answer := range map[int]*http.Response{
			http.StatusNotModified: ask(t, client, http.MethodGet, s.url+"/b3/"+name, nil, `If-None-Match: "`+name+`"`),
			http.StatusNoContent: ask(t, client, http.MethodOptions, s.url+"/b3/"+name, nil,
				"Origin: https://site.example", "Access-Control-Request-Method: GET"),
		} {
			require.Equal(t, proto, answer.Proto)
			require.Equal(t, status, answer.StatusCode)
			require.Empty(t, bodyOf(t, answer))
			require.Empty(t, answer.Header.Values("Content-Length"), proto)
		}
	}
}

// TestProtocols asks for the same things in each protocol: content, ranges, conditions, a session, acknowledgements.
func TestProtocols(t *testing.T) {
	s := newSecure(t, func(c *gateway.Config) { c.HSTSMaxAge = time.Hour }).begin(t)
	data := object(20*group + 7)
	name := s.add(t, data)
	url := s.url + "/b3/" + name.String()
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) {
			client := s.client(t, proto)
			r := ask(t, client, "GET", url, nil, auth)
			require.Equal(t, 200, r.StatusCode)
			require.Equal(t, proto, r.Proto)
			require.Equal(t, "max-age=3600", r.Header.Get("Strict-Transport-Security"))
			require.NotEmpty(t, r.Header.Get("Edge-Sequence"))
			require.EqualValues(t, len(data), r.ContentLength)
			require.True(t, bytes.Equal(data, bodyOf(t, r)))
			last := s.sessions.last()
			require.Eventually(t, func() bool { return last.state() == [3]uint64{uint64(len(data)), 1, 0} }, patience, tick)
			tag := r.Header.Get("ETag")
			if proto == "HTTP/3.0" {
				require.Empty(t, r.Header.Get("Alt-Svc"))
			} else {
				_, port, err := net.SplitHostPort(s.Addr())
				require.NoError(t, err)
				require.Equal(t, `h3=":`+port+`"; ma=86400`, r.Header.Get("Alt-Svc"))
			}

			r = ask(t, client, "HEAD", url, nil)
			require.Equal(t, 200, r.StatusCode)
			require.EqualValues(t, len(data), r.ContentLength)
			require.Empty(t, bodyOf(t, r))
			r = ask(t, client, "GET", url, nil, "Range: bytes=100-50099", "If-Range: "+tag)
			require.Equal(t, 206, r.StatusCode)
			require.Equal(t, fmt.Sprintf("bytes 100-50099/%d", len(data)), r.Header.Get("Content-Range"))
			require.True(t, bytes.Equal(data[100:50100], bodyOf(t, r)))
			r = ask(t, client, "GET", url, nil, "Range: bytes=-3", `If-Range: "other"`)
			require.Equal(t, 200, r.StatusCode)
			require.True(t, bytes.Equal(data, bodyOf(t, r)))
			r = ask(t, client, "GET", url, nil, "If-None-Match: "+tag)
			require.Equal(t, 304, r.StatusCode)
			require.Empty(t, bodyOf(t, r))
			r = ask(t, client, "GET", url+"?format=bao", nil, "If-None-Match: "+tag)
			require.Equal(t, 200, r.StatusCode, "the tag is of another form")
			require.NotEqual(t, tag, r.Header.Get("ETag"))
			bodyOf(t, r)
			r = ask(t, client, "GET", url, nil, fmt.Sprintf("Range: bytes=%d-", len(data)))
			require.Equal(t, fmt.Sprintf("bytes */%d", len(data)), r.Header.Get("Content-Range"))
			requireProblem(t, r, 416, "range-not-satisfiable")
			requireProblem(t, ask(t, client, "GET", s.url+"/nothing", nil), 404, "not-found")
			requireProblem(t, ask(t, client, "DELETE", url, nil), 405, "method-not-allowed")

			r = ask(t, client, "POST", s.url+"/v1/challenges", nil)
			require.Equal(t, 200, r.StatusCode)
			bodyOf(t, r)
			a := signed(group)
			r = ask(t, client, "POST", s.url+"/v1/acks", bytes.NewReader(a.AppendEncoded(nil)), "Content-Type: application/vnd.edge.ack")
			require.Equal(t, 200, r.StatusCode)
			require.JSONEq(t, `{"accepted":1,"credit":`+fmt.Sprintf(`{"limit":"1099511627776","claim":"%d","unacknowledged_bytes":%[1]d}}`, s.sessions.credit().UnacknowledgedBytes), string(bodyOf(t, r)))

			r, err := client.Do(mustRequest(t, s.url+"/healthz", "X-Long", strings.Repeat("x", 64<<10)))
			if err == nil { // a server may also end the connection over it
				require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, r.StatusCode)
				require.NoError(t, r.Body.Close())
			}
		})
	}
	require.Eventually(t, func() bool { return s.metric(t, "edge_gateway_requests_in_flight") == 0 }, patience, tick)
}

func mustRequest(t *testing.T, url, name, value string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	r.Header.Set(name, value)
	return r
}

// TestAckOnFullConnection has a connection whose streams are all paused: one more is refused, and the acknowledgement gets
// in on the very same connection.
func TestAckOnFullConnection(t *testing.T) {
	for _, proto := range protocols[1:] {
		t.Run(proto, func(t *testing.T) {
			s := newSecure(t, func(c *gateway.Config) { c.MaxStreams, c.StepBytes, c.MaxConnectionsPerAddress = 2, group, 1 }).begin(t)
			s.sessions.limit = 0
			data := object(2 * group)
			name := s.add(t, data)
			client := s.client(t, proto)
			var streams []*http.Response
			for i := range 2 {
				s.sessions.mu.Lock()
				s.sessions.limit += group
				s.sessions.mu.Unlock()
				r := ask(t, client, "GET", s.url+"/b3/"+name.String(), nil, auth)
				require.Equal(t, 200, r.StatusCode)
				_, err := io.ReadFull(r.Body, make([]byte, group))
				require.NoError(t, err)
				streams = append(streams, r)
				require.Eventually(t, func() bool { return int(s.sessions.waits.Load()) == i+1 }, patience, tick)
			}
			doc := requireProblem(t, ask(t, client, "GET", s.url+"/b3/"+name.String(), nil), 429, "overloaded")
			require.Contains(t, doc["detail"], "one connection")
			a := signed(2 * group)
			r := ask(t, client, "POST", s.url+"/v1/acks", bytes.NewReader(a.AppendEncoded(nil)), "Content-Type: application/vnd.edge.ack")
			require.Equal(t, 200, r.StatusCode)
			bodyOf(t, r)
			require.EqualValues(t, 1, s.metric(t, "edge_gateway_connections"))
			for _, r := range streams {
				require.True(t, bytes.Equal(data[group:], bodyOf(t, r)))
			}
		})
	}
}

// TestStopDrainsProtocols stops the worker while a stream is paused: it is refused nothing that it needs to come to its end.
func TestStopDrainsProtocols(t *testing.T) {
	for _, proto := range protocols[1:] {
		t.Run(proto, func(t *testing.T) {
			s := newSecure(t, func(c *gateway.Config) { c.StepBytes = group })
			s.sessions.limit = group
			require.NoError(t, s.Start(t.Context()))
			url := "https://" + s.Addr()
			data := object(2 * group)
			name := s.add(t, data)
			client := s.client(t, proto)
			r := ask(t, client, "GET", url+"/b3/"+name.String(), nil, auth)
			got := make([]byte, 2*group)
			_, err := io.ReadFull(r.Body, got[:group])
			require.NoError(t, err)
			stopped := make(chan error, 1)
			go func() { stopped <- s.Stop(t.Context()) }()
			require.Eventually(t, func() bool {
				ready, err := fetch(t, "http://"+s.AdminAddr()+"/readyz")
				if err != nil {
					return false
				}
				defer func() { _ = ready.Body.Close() }()
				return ready.StatusCode == 503
			}, patience, tick)
			// In HTTP/2 the header that closes the connection ends it for new requests, so the acknowledgement comes first there.
			if proto == "HTTP/3.0" {
				requireProblem(t, ask(t, client, "GET", url+"/b3/"+name.String(), nil), 503, "stopping")
			}
			a := signed(group)
			answer := ask(t, client, "POST", url+"/v1/acks", bytes.NewReader(a.AppendEncoded(nil)), "Content-Type: application/vnd.edge.ack")
			require.Equal(t, 200, answer.StatusCode)
			bodyOf(t, answer)
			_, err = io.ReadFull(r.Body, got[group:])
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got))
			require.NoError(t, r.Body.Close())
			require.NoError(t, <-stopped)
			require.Zero(t, s.metric(t, "edge_gateway_http3_connections"))
		})
	}
}

// TestSlowReaderOfProtocols does not read: the stream is reset after the write timeout, and the connection lives.
func TestSlowReaderOfProtocols(t *testing.T) {
	for _, proto := range protocols[1:] {
		t.Run(proto, func(t *testing.T) {
			s := newSecure(t, func(c *gateway.Config) { c.WriteTimeout, c.FreeQuotaBytes = 200*time.Millisecond, 1<<30 }).begin(t)
			name := s.add(t, object(32<<20))
			client := s.client(t, proto)
			r := ask(t, client, "GET", s.url+"/b3/"+name.String(), nil)
			require.Eventually(t, func() bool { return s.metric(t, "edge_gateway_aborted_answers_total") == 1 }, patience, tick)
			_, err := io.Copy(io.Discard, r.Body)
			require.Error(t, err, "a cut answer does not look whole")
			require.NoError(t, r.Body.Close())
			r = ask(t, client, "GET", s.url+"/healthz", nil)
			require.Equal(t, 200, r.StatusCode)
			bodyOf(t, r)
		})
	}
}

// TestClientGoesAwayOverProtocols ends a paused stream as soon as its client has cancelled it.
func TestClientGoesAwayOverProtocols(t *testing.T) {
	for _, proto := range protocols[1:] {
		t.Run(proto, func(t *testing.T) {
			s := newSecure(t, func(c *gateway.Config) { c.StepBytes = group }).begin(t)
			s.sessions.limit = group
			name := s.add(t, object(10*group))
			r := ask(t, s.client(t, proto), "GET", s.url+"/b3/"+name.String(), nil, auth)
			_, err := io.ReadFull(r.Body, make([]byte, group))
			require.NoError(t, err)
			require.NoError(t, r.Body.Close())
			last := s.sessions.last()
			require.Eventually(t, func() bool { return last.state() == [3]uint64{group, 0, 1} }, patience, tick)
			require.Eventually(t, func() bool { return s.metric(t, "edge_gateway_requests_in_flight") == 0 }, patience, tick)
		})
	}
}

func dialQUIC(t *testing.T, s *secure) (*quic.Conn, error) {
	t.Helper()
	config := s.tls()
	config.NextProtos = []string{"h3"}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := quic.DialAddr(ctx, s.Addr(), config, &quic.Config{HandshakeIdleTimeout: patience})
	if err == nil {
		t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	}
	return conn, err
}

// TestSlowHeaderOverHTTP3 begins a request and says no more.
func TestSlowHeaderOverHTTP3(t *testing.T) {
	s := newSecure(t, func(c *gateway.Config) { c.HeaderTimeout = 200 * time.Millisecond }).begin(t)
	conn, err := dialQUIC(t, s)
	require.NoError(t, err)
	stream, err := conn.OpenStreamSync(t.Context())
	require.NoError(t, err)
	_, err = stream.Write([]byte{1, 40, 0}) // a HEADERS frame of 40 bytes, of which one comes
	require.NoError(t, err)
	require.NoError(t, stream.SetReadDeadline(time.Now().Add(patience)))
	_, err = stream.Read(make([]byte, 1))
	var reset *quic.StreamError
	require.ErrorAs(t, err, &reset)
	require.True(t, reset.Remote)
}

// TestHTTP3Connections: those beyond the bound of HTTP/3 are refused at once, and the places of those that go are free.
func TestHTTP3Connections(t *testing.T) {
	s := newSecure(t, func(c *gateway.Config) { c.MaxHTTP3Connections = 2 }).begin(t)
	first, err := dialQUIC(t, s)
	require.NoError(t, err)
	_, err = dialQUIC(t, s)
	require.NoError(t, err)
	_, err = dialQUIC(t, s)
	var refused *quic.TransportError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, quic.ConnectionRefused, refused.ErrorCode)
	require.EqualValues(t, 2, s.metric(t, "edge_gateway_http3_connections"))
	require.NoError(t, first.CloseWithError(0, ""))
	require.Eventually(t, func() bool { return s.metric(t, "edge_gateway_http3_connections") == 1 }, patience, tick)
	_, err = dialQUIC(t, s)
	require.NoError(t, err)
	// TCP has room.
	r := ask(t, s.client(t, "HTTP/2.0"), "GET", s.url+"/v1/worker", nil)
	require.Equal(t, 200, r.StatusCode)
	bodyOf(t, r)
}

// TestRapidReset opens streams and resets them as fast as it can. The worker ends the connection, and never works on more
// requests than a connection may have.
func TestRapidReset(t *testing.T) {
	if raceDetector {
		t.Skip("the detector makes the streams too slow to pile up, so that there is nothing to end the connection for")
	}
	s := newSecure(t, func(c *gateway.Config) { c.MaxStreams, c.StepBytes = 4, group }).begin(t)
	s.sessions.limit = 0
	name := s.add(t, object(group))
	config := s.tls()
	config.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", s.Addr())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	framer := http2.NewFramer(conn, conn)
	require.NoError(t, framer.WriteSettings())
	ended := make(chan error, 1)
	go func() {
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				ended <- err
				return
			}
			if away, ok := frame.(*http2.GoAwayFrame); ok && away.ErrCode == http2.ErrCodeEnhanceYourCalm {
				ended <- nil
				return
			}
		}
	}()
	for id := uint32(1); id < 20_000; id += 2 {
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "x"}, {":path", "/b3/" + name.String()}, {"authorization", "Edge-Session token"}} {
			require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
		}
		if framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}) != nil ||
			framer.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
			break // the worker has closed the connection
		}
	}
	err = <-ended
	require.False(t, errors.Is(err, os.ErrDeadlineExceeded), "the worker let it go on")
	require.Eventually(t, func() bool { return s.metric(t, "edge_gateway_requests_in_flight") == 0 }, patience, tick)
	r := ask(t, s.client(t, "HTTP/2.0"), "GET", s.url+"/v1/worker", nil)
	require.Equal(t, 200, r.StatusCode)
	bodyOf(t, r)
}

// TestH2C speaks HTTP/2 without TLS where it is asked for, and not where it is not.
func TestH2C(t *testing.T) {
	for _, on := range []bool{true, false} {
		b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.H2C = on })
		url := b.start(t)
		rt := &http.Transport{Protocols: new(http.Protocols)}
		rt.Protocols.SetUnencryptedHTTP2(true)
		r, err := (&http.Client{Transport: rt}).Do(mustRequest(t, url+"/healthz", "X", "y"))
		if !on {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, "HTTP/2.0", r.Proto)
		bodyOf(t, r)
		rt.CloseIdleConnections()
	}
}

// TestOldTLS refuses versions that are broken.
func TestOldTLS(t *testing.T) {
	s := newSecure(t).begin(t)
	config := s.tls()
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	_, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", s.Addr())
	require.ErrorContains(t, err, "protocol version")
}

// TestCertificateFollowsFiles replaces the pair under a running worker: connections that stand go on, new ones get the new
// one, and a pair that does not fit changes nothing.
func TestCertificateFollowsFiles(t *testing.T) {
	s := newSecure(t)
	s.PollCertificates(tick)
	s.begin(t)
	serial := func() int64 {
		config := s.tls()
		config.InsecureSkipVerify = true
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", s.Addr())
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		leaf := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
		require.EqualValues(t, leaf.NotAfter.Unix(), s.metric(t, "edge_gateway_certificate_expiry_timestamp_seconds"))
		return leaf.SerialNumber.Int64()
	}
	standing := s.client(t, "HTTP/2.0")
	bodyOf(t, ask(t, standing, "GET", s.url+"/healthz", nil))
	require.EqualValues(t, 1, serial())
	old, err := os.ReadFile(s.key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.key, []byte("no key"), 0o600))
	require.Eventually(t, func() bool { return s.metric(t, "edge_gateway_certificate_loads_total") >= 1 }, patience, tick)
	require.EqualValues(t, 1, serial())
	require.NoError(t, os.WriteFile(s.key, old, 0o600))
	dir := t.TempDir()
	writePair(t, filepath.Join(dir, "c"), filepath.Join(dir, "k"), 2)
	require.NoError(t, os.Rename(filepath.Join(dir, "k"), s.key))
	require.NoError(t, os.Rename(filepath.Join(dir, "c"), s.cert))
	require.Eventually(t, func() bool { return serial() == 2 }, patience, tick)
	// The old root is all that this client knows: it has not shaken hands again.
	bodyOf(t, ask(t, standing, "GET", s.url+"/healthz", nil))

	missing := newBench(t)
	cfg := missing.cfg
	cfg.TLSCertFile, cfg.TLSKeyFile = s.cert, s.cert+".missing"
	_, err = gateway.New(cfg, gateway.Deps{Store: missing.store, Sessions: missing.sessions, Info: info, Metrics: s.registry, Log: nil})
	require.Error(t, err)
}
