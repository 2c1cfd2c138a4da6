package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/session"
	"github.com/edgechain/edge/worker/store"
)

type panicking struct{}

func (panicking) Open(content.Name) (*store.Object, error) { panic("no store") }

const (
	patience = 20 * time.Second
	tick     = 5 * time.Millisecond
)

// dial opens a connection with a small receive buffer, so that a client that does not read is noticed soon.
func dial(t *testing.T, b *bench) *net.TCPConn {
	t.Helper()
	d := net.Dialer{}
	c, err := d.DialContext(t.Context(), "tcp", b.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	tcp := c.(*net.TCPConn)
	require.NoError(t, tcp.SetReadBuffer(4<<10))
	require.NoError(t, tcp.SetDeadline(time.Now().Add(patience)))
	return tcp
}

func fetch(t *testing.T, url string, header ...string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return client.Do(req)
}

// TestPauseAndResume has an account whose credit is one step: the stream pauses after whole groups that the client has
// in hand, goes on with each acknowledgement, and comes out whole.
func TestPauseAndResume(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.StepBytes = 4 * group })
	b.sessions.limit = 4 * group
	url := b.start(t)
	data := object(18*group + 5)
	name := b.add(t, data)
	for _, query := range []string{"", "?format=bao"} {
		r, err := fetch(t, url+"/b3/"+name.String()+query, auth)
		require.NoError(t, err)
		var next func() ([]byte, error)
		if query == "" {
			next = func() ([]byte, error) {
				buf := make([]byte, group)
				n, err := io.ReadFull(r.Body, buf)
				if errors.Is(err, io.ErrUnexpectedEOF) {
					err = nil
				}
				return buf[:n], err
			}
		} else {
			d := content.NewDecoder(r.Body, name, 0, content.ToEnd, content.MaxSize)
			next = d.Next
		}
		var got []byte
		for acknowledged := 0; ; {
			p, err := next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			got = append(got, p...)
			claim, _ := strconv.Atoi(b.sessions.credit().Claim.String())
			require.LessOrEqual(t, claim, 4*group, "the claim is over the limit")
			if len(got)-acknowledged == 4*group || len(got) == len(data) {
				// Everything that is reserved is here to be verified, before anything is acknowledged.
				_, err = b.sessions.Acknowledge(t.Context(), ackList(signed(uint64(len(got)-acknowledged))))
				require.NoError(t, err)
				acknowledged = len(got)
			}
		}
		require.NoError(t, r.Body.Close())
		require.True(t, bytes.Equal(data, got))
		last := b.sessions.last()
		require.Eventually(t, func() bool { return last.state() == [3]uint64{uint64(len(data)), 1, 0} }, patience, tick)
	}
}

// TestStalledStreamIsReset has a client that never acknowledges: it gets what its credit covers, then a broken connection
// rather than a short answer that looks whole.
func TestStalledStreamIsReset(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.StepBytes = group })
	b.sessions.limit, b.sessions.stall = 3*group, time.Millisecond
	url := b.start(t)
	data := object(10 * group)
	name := b.add(t, data)
	r, err := fetch(t, url+"/b3/"+name.String(), auth)
	require.NoError(t, err)
	require.Equal(t, 200, r.StatusCode)
	got, err := io.ReadAll(r.Body)
	require.Error(t, err)
	require.NoError(t, r.Body.Close())
	require.True(t, bytes.Equal(data[:3*group], got))
	require.Equal(t, [3]uint64{3 * group, 0, 1}, b.sessions.last().state())
	require.EqualValues(t, 1, b.metric(t, "edge_gateway_aborted_answers_total"))

	// At the limit before the first byte it is 402.
	r, err = fetch(t, url+"/b3/"+name.String(), auth)
	require.NoError(t, err)
	doc := requireProblem(t, r, 402, "credit-exhausted")
	require.Equal(t, "1", r.Header.Get("Retry-After"))
	require.Equal(t, map[string]any{"limit": "49152", "claim": "49152", "unacknowledged_bytes": 49152.0}, doc["credit"])
	require.Equal(t, [3]uint64{0, 0, 1}, b.sessions.last().state())
}

// TestClientGoesAway ends a paused stream as soon as its client is gone.
func TestClientGoesAway(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.StepBytes = group })
	b.sessions.limit = group
	url := b.start(t)
	name := b.add(t, object(10*group))
	r, err := fetch(t, url+"/b3/"+name.String(), auth)
	require.NoError(t, err)
	_, err = io.ReadFull(r.Body, make([]byte, group))
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	last := b.sessions.last()
	require.Eventually(t, func() bool { return last.state() == [3]uint64{group, 0, 1} }, patience, tick)
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_requests_in_flight") == 0 }, patience, tick)
}

// TestSlowReader does not read: the worker gives up after its write timeout and frees the connection. The quota is not given back.
func TestSlowReader(t *testing.T) {
	size := 32 << 20
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) {
		c.WriteTimeout = 50 * time.Millisecond
		c.FreeQuotaBytes = uint64(size)
	})
	b.start(t)
	name := b.add(t, object(size))
	for _, query := range []string{"", "?format=bao"} {
		c := dial(t, b)
		_, err := fmt.Fprintf(c, "GET /b3/%s%s HTTP/1.1\r\nHost: x\r\n\r\n", name, query)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			return b.metric(t, "edge_gateway_aborted_answers_total") > 0 && b.metric(t, "edge_gateway_connections") == 0
		}, patience, tick)
		sent := b.metric(t, "edge_gateway_payload_bytes_total")
		require.Less(t, sent, float64(size))
		r, err := fetch(t, "http://"+b.Addr()+"/b3/"+name.String(), fmt.Sprintf("Range: bytes=0-%d", group-1))
		require.NoError(t, err)
		requireProblem(t, r, 402, "session-required")
		if query == "" {
			// Begin the other form with a fresh worker.
			b = newBench(t, func(c *gateway.Config, _ *gateway.Deps) {
				c.WriteTimeout = 50 * time.Millisecond
				c.FreeQuotaBytes = uint64(size)
			})
			b.start(t)
			b.add(t, object(size))
		}
	}
}

// TestSlowRequests has clients that never finish their header or body.
func TestSlowRequests(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) {
		c.HeaderTimeout, c.BodyTimeout, c.IdleTimeout = 30*time.Millisecond, 30*time.Millisecond, 30*time.Millisecond
	})
	b.start(t)
	for what, c := range map[string]struct{ request, want string }{
		"header":                         {"GET / HTTP/1.1\r\nHost:", ""},
		"body":                           {"POST /v1/acks HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.edge.ack\r\nContent-Length: 161\r\n\r\nabc", "HTTP/1.1 408"},
		"body of a GET":                  {"GET /b3/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc", "HTTP/1.1 400"},
		"body that nobody has asked for": {"POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 404"},
		"next request":                   {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200"},
	} {
		conn := dial(t, b)
		_, err := io.WriteString(conn, c.request)
		require.NoError(t, err, what)
		answer, err := io.ReadAll(conn) // ends when the worker closes the connection
		require.NoError(t, err, what)
		require.True(t, strings.HasPrefix(string(answer), c.want), "%s: %s", what, answer)
		require.NotContains(t, string(answer), b.Addr(), "what is inside stays inside")
		if what == "body" {
			require.Contains(t, string(answer), "problems/body-slow")
			require.Contains(t, string(answer), "Connection: close\r\n", "nothing more is waited for")
		}
	}
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_connections") == 0 }, patience, tick)
}

// TestIdleStreamSurvivesBodyTimeout pins that the deadline for bodies does not end a long answer.
func TestIdleStreamSurvivesBodyTimeout(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) {
		c.StepBytes, c.BodyTimeout, c.WriteTimeout = group, time.Millisecond, time.Second
	})
	b.sessions.limit = group
	url := b.start(t)
	data := object(2 * group)
	name := b.add(t, data)
	r, err := fetch(t, url+"/b3/"+name.String(), auth)
	require.NoError(t, err)
	got := make([]byte, 2*group)
	_, err = io.ReadFull(r.Body, got[:group])
	require.NoError(t, err)
	// Another request takes much longer than the body timeout, and changes nothing.
	for range 20 {
		health, err := fetch(t, url+"/healthz")
		require.NoError(t, err)
		require.NoError(t, health.Body.Close())
	}
	_, err = b.sessions.Acknowledge(t.Context(), ackList(signed(group)))
	require.NoError(t, err)
	_, err = io.ReadFull(r.Body, got[group:])
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.True(t, bytes.Equal(data, got))
}

func TestHeaderIsBounded(t *testing.T) {
	b := newBench(t)
	url := b.start(t)
	r, err := fetch(t, url+"/healthz", "X-Long: "+strings.Repeat("x", 64<<10))
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, r.StatusCode)
	require.NoError(t, r.Body.Close())
}

// TestRequestLimit fills the worker with paused streams.
func TestRequestLimit(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.MaxRequests, c.StepBytes = 2, group })
	b.sessions.limit = 2 * group
	b.start(t)
	name := b.add(t, object(4*group))
	var open []net.Conn
	for range 2 {
		c := dial(t, b)
		_, err := fmt.Fprintf(c, "GET /b3/%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", name, auth)
		require.NoError(t, err)
		open = append(open, c)
	}
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_requests_in_flight") == 2 }, patience, tick)
	r := b.get(t, "/b3/"+name.String())
	requireProblem(t, r, 429, "overloaded")
	require.Equal(t, "1", r.Header.Get("Retry-After"))
	require.Equal(t, 200, b.get(t, "/readyz").StatusCode, "a full worker still tells how it is")
	for _, c := range open {
		require.NoError(t, c.Close())
	}
	require.Eventually(t, func() bool { return b.get(t, "/b3/"+name.String()).StatusCode == 200 }, patience, tick)
}

// TestAckReachesFullWorker has every request and connection of the worker taken by a paused stream: the acknowledgement
// that each waits for gets in on a connection beyond the limit, and all of them come to their end.
func TestAckReachesFullWorker(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*gateway.Config)
		n      int
	}{
		{"one request", func(c *gateway.Config) { c.MaxRequests = 1 }, 1},
		{"requests", func(c *gateway.Config) { c.MaxRequests = 3 }, 3},
		{"connections", func(c *gateway.Config) { c.MaxConnections = 3 }, 3},
		{"of an address", func(c *gateway.Config) { c.MaxConnectionsPerAddress, c.MaxRequestsPerAddress = 2, 2 }, 2},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := newBench(t, func(cfg *gateway.Config, _ *gateway.Deps) { cfg.StepBytes = group; c.change(cfg) })
			b.sessions.limit = 0
			url := b.start(t)
			data := object(2 * group)
			name := b.add(t, data)
			var streams []*http.Response
			for range c.n {
				b.sessions.mu.Lock()
				b.sessions.limit += group // for this stream: those that wait already do not look again
				b.sessions.mu.Unlock()
				r, err := fetch(t, url+"/b3/"+name.String(), auth)
				require.NoError(t, err)
				require.Equal(t, 200, r.StatusCode)
				_, err = io.ReadFull(r.Body, make([]byte, group))
				require.NoError(t, err)
				streams = append(streams, r)
				require.Eventually(t, func() bool { return int(b.sessions.waits.Load()) == len(streams) }, patience, tick)
			}
			r, err := fetch(t, url+"/b3/"+name.String(), auth)
			require.NoError(t, err)
			requireProblem(t, r, 429, "overloaded")
			require.EqualValues(t, c.n, b.metric(t, "edge_gateway_requests_in_flight"))
			a := signed(uint64(c.n) * group)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/acks", bytes.NewReader(a.AppendEncoded(nil)))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/vnd.edge.ack")
			r, err = (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
			require.NoError(t, err)
			require.Equal(t, 200, r.StatusCode)
			bodyOf(t, r)
			for _, r := range streams {
				require.True(t, bytes.Equal(data[group:], bodyOf(t, r)))
			}
		})
	}
}

// TestAcksAreBounded: requests with acknowledgements wait for each other; one address gets no more of them than there are
// places, and another address its turn.
func TestAcksAreBounded(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.MaxAckRequests, c.BodyTimeout = 2, 20*time.Millisecond })
	a := signed(1)
	send := func(from string) *http.Response {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/acks", bytes.NewReader(a.AppendEncoded(nil)))
		r.RemoteAddr = from
		r.Header.Set("Content-Type", "application/vnd.edge.ack")
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		return w.Result()
	}
	b.sessions.hold = make(chan struct{})
	var held sync.WaitGroup
	for range 2 {
		held.Go(func() { send("192.0.2.1:1") })
	}
	require.Eventually(t, func() bool { return b.sessions.holding.Load() == 2 }, patience, tick)
	doc := requireProblem(t, send("192.0.2.1:2"), 429, "overloaded")
	require.Contains(t, doc["detail"], "one address")
	requireProblem(t, send("192.0.2.2:1"), 429, "overloaded")
	close(b.sessions.hold)
	held.Wait()
	require.Equal(t, 200, send("192.0.2.1:1").StatusCode)
	require.Equal(t, 200, send("192.0.2.2:1").StatusCode)
}

// TestAddressLimits: one address, or one IPv6 /64, gets a part of the worker only.
func TestAddressLimits(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.MaxRequestsPerAddress, c.StepBytes = 2, group })
	b.sessions.limit = 0
	name := b.add(t, object(group))
	send := func(ctx context.Context, from string) *http.Response {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/b3/"+name.String(), nil)
		r.RemoteAddr = from
		r.Header.Set("Authorization", "Edge-Session token")
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		return w.Result()
	}
	ctx, cancel := context.WithCancel(t.Context())
	var paused sync.WaitGroup
	for _, from := range []string{"192.0.2.1:1", "192.0.2.1:2", "[2001:db8::1]:1", "[2001:db8::2]:1"} {
		paused.Go(func() { _ = send(ctx, from).Body.Close() })
	}
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_requests_in_flight") == 4 && b.sessions.begun() == 4 }, patience, tick)
	for _, from := range []string{"192.0.2.1:3", "[2001:db8::3]:1"} {
		doc := requireProblem(t, send(t.Context(), from), 429, "overloaded")
		require.Contains(t, doc["detail"], "one address")
	}
	paused.Go(func() { _ = send(ctx, "192.0.2.2:1").Body.Close() })
	require.Eventually(t, func() bool { return b.sessions.begun() == 5 }, patience, tick)
	cancel()
	paused.Wait()
	b.sessions.mu.Lock()
	b.sessions.limit = group
	b.sessions.mu.Unlock()
	require.Equal(t, 200, send(t.Context(), "192.0.2.1:3").StatusCode)
}

// TestConnectionsOfOneAddress: those far beyond the bound are closed, and do not take the places of others.
func TestConnectionsOfOneAddress(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.MaxConnectionsPerAddress = 1 })
	b.start(t)
	for range 2*1 + 16 {
		dial(t, b)
	}
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_connections") == 2*1+16 }, patience, tick)
	_, err := dial(t, b).Read(make([]byte, 1))
	require.Error(t, err)
	var late net.Error
	require.False(t, errors.As(err, &late) && late.Timeout(), "the connection is closed: %v", err)
	require.EqualValues(t, 2*1+16, b.metric(t, "edge_gateway_connections"))
}

// TestConnectionLimit: connections beyond the limit are told so, those beyond twice the limit wait, and room that is left
// is used.
func TestConnectionLimit(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.MaxConnections = 2 })
	b.start(t)
	ask := func(c net.Conn) string {
		_, err := io.WriteString(c, "GET /v1/worker HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		if r.StatusCode == 429 {
			require.True(t, r.Close)
			requireProblem(t, r, 429, "overloaded")
			require.Equal(t, "1", r.Header.Get("Retry-After"))
		} else {
			bodyOf(t, r)
		}
		return r.Status
	}
	first, second := dial(t, b), dial(t, b)
	require.Equal(t, "200 OK", ask(first))
	require.Equal(t, "200 OK", ask(second))
	for range 30 { // more than may be refused at a time, so refusals give their place back
		require.Equal(t, "429 Too Many Requests", ask(dial(t, b)))
	}
	require.Equal(t, "200 OK", ask(first), "whoever is inside stays inside")
	require.NoError(t, first.Close())
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_connections") == 1 }, patience, tick)
	require.Equal(t, "200 OK", ask(dial(t, b)))

	// Silent connections fill the room for refusals; the next ones wait in the kernel and are served when there is room.
	var silent []net.Conn
	for range 2*2 + 16 - 2 {
		silent = append(silent, dial(t, b))
	}
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_connections") == 2*2+16 }, patience, tick)
	waiting := dial(t, b)
	_, err := io.WriteString(waiting, "GET /v1/worker HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	for _, c := range silent {
		require.NoError(t, c.Close())
	}
	r, err := http.ReadResponse(bufio.NewReader(waiting), nil)
	require.NoError(t, err)
	require.Contains(t, []int{200, 429}, r.StatusCode)
	bodyOf(t, r)
}

func TestFreeQuota(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.FreeQuotaBytes = 4 * group })
	name := b.add(t, object(3*group))
	large := b.add(t, object(4*group+1))
	from := func(addr, path string, header ...string) *http.Response {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.RemoteAddr = addr
		for _, line := range header {
			k, v, _ := strings.Cut(line, ": ")
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		return w.Result()
	}
	path := "/b3/" + name.String()
	require.Equal(t, 200, from("192.0.2.1:1000", path).StatusCode)
	r := from("192.0.2.1:2000", path)
	doc := requireProblem(t, r, 402, "session-required")
	require.Equal(t, "10000", doc["price_per_gib"])
	require.Equal(t, "uusd", doc["settlement_denom"])
	require.Equal(t, "edge account open --deposit AMOUNTuusd --from NAME && edge account add-key --from NAME", doc["how"])
	require.InDelta(t, 3600, doc["retry_after_seconds"], 60)
	require.NotEmpty(t, r.Header.Get("Retry-After"))
	// What is left is left: one group.
	require.Equal(t, 206, from("192.0.2.1:3000", path, "Range: bytes=0-9").StatusCode)
	requireProblem(t, from("192.0.2.1:3000", path, "Range: bytes=0-9"), 402, "session-required")
	// Headers that name another address are not believed.
	requireProblem(t, from("192.0.2.1:3000", path, "X-Forwarded-For: 198.51.100.1"), 402, "session-required")
	// A condition that saves the answer costs nothing, nor does an unknown name.
	require.Equal(t, 304, from("192.0.2.1:3000", path, "If-None-Match: *").StatusCode)
	requireProblem(t, from("192.0.2.1:3000", "/b3/"+content.EmptyName.String()), 404, "not-found")
	// An IPv4 address in IPv6 clothes is the same one.
	requireProblem(t, from("[::ffff:192.0.2.1]:1", path), 402, "session-required")
	// Other addresses have their own; an IPv6 /64 is one.
	require.Equal(t, 200, from("192.0.2.2:1", path).StatusCode)
	require.Equal(t, 200, from("[2001:db8::1]:1", path).StatusCode)
	requireProblem(t, from("[2001:db8::ffff:1]:1", path), 402, "session-required")
	require.Equal(t, 200, from("[2001:db8:0:1::1]:1", path).StatusCode)
	// More than the whole quota never comes free.
	requireProblem(t, from("192.0.2.9:1", "/b3/"+large.String()), 402, "session-required")
	// With a session the quota does not matter.
	require.Equal(t, 200, from("192.0.2.1:1", "/b3/"+large.String(), auth).StatusCode)
}

func TestFreeQuotaWithoutChain(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, d *gateway.Deps) {
		c.FreeQuotaBytes = 0
		d.Info = func() (gateway.Info, error) { return gateway.Info{}, session.ErrChainStale }
	})
	name := b.add(t, object(1))
	doc := requireProblem(t, b.get(t, "/b3/"+name.String()), 402, "session-required")
	require.NotContains(t, doc, "price_per_gib")
	require.Contains(t, doc, "how")
}

func TestFreeQuotaRemembersABoundedNumber(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.FreeQuotaAddresses = 10 })
	name := b.add(t, object(1))
	for i := range 100 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/b3/"+name.String(), nil)
		r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", i)
		b.ServeHTTP(httptest.NewRecorder(), r)
	}
	require.EqualValues(t, 10, b.metric(t, "edge_gateway_free_addresses"))
}

func TestReadiness(t *testing.T) {
	var lag error
	b := newBench(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Checks = []gateway.Check{
			{Name: "chain", Func: func(context.Context) error { return lag }},
			{Name: "store", Func: func(ctx context.Context) error {
				if _, ok := ctx.Deadline(); !ok {
					return errors.New("a check without a deadline")
				}
				return nil
			}},
		}
	})
	r := b.get(t, "/readyz")
	require.Equal(t, 200, r.StatusCode)
	require.JSONEq(t, `{"ready":true,"reasons":{}}`, string(bodyOf(t, r)))
	lag = errors.New("40 s behind")
	r = b.get(t, "/readyz")
	require.Equal(t, 503, r.StatusCode)
	require.JSONEq(t, `{"ready":false,"reasons":{"chain":"the admin listener and edge-worker status say why"}}`, string(bodyOf(t, r)))
	b.start(t)
	r, err := fetch(t, "http://"+b.AdminAddr()+"/readyz")
	require.NoError(t, err)
	require.Equal(t, 503, r.StatusCode)
	require.JSONEq(t, `{"ready":false,"reasons":{"chain":"40 s behind"}}`, string(bodyOf(t, r)))
	require.JSONEq(t, `{"status":"ok"}`, string(bodyOf(t, b.get(t, "/healthz"))))
}

func TestReadinessSurvivesAPanic(t *testing.T) {
	b := newBench(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Checks = []gateway.Check{{Name: "signer", Func: func(context.Context) error { panic("nil keyring") }}}
	})
	r := b.get(t, "/readyz")
	require.Equal(t, 503, r.StatusCode)
	require.Contains(t, string(bodyOf(t, r)), "signer")
}

func TestAdmin(t *testing.T) {
	b := newBench(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Admin = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	})
	b.start(t)
	url := "http://" + b.AdminAddr()
	for path, want := range map[string]string{
		"/metrics":          "edge_gateway_requests_in_flight 0",
		"/v1/admin/ledger":  "/v1/admin/ledger",
		"/healthz":          "ok",
		"/readyz":           "true",
		"/debug/pprof/heap": "",
	} {
		r, err := fetch(t, url+path)
		require.NoError(t, err)
		require.Equal(t, 200, r.StatusCode, path)
		require.Contains(t, string(bodyOf(t, r)), want, path)
	}
	for what, c := range map[string]struct {
		host   string
		origin string
		status int
	}{
		"loopback name": {"localhost:1", "", 200},
		"IPv6":          {"[::1]", "", 200},
		"rebound name":  {"evil.example", "", 421},
		"other origin":  {"localhost", "https://evil.example", 403},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/admin/add", nil)
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}
		w := httptest.NewRecorder()
		b.AdminHandler().ServeHTTP(w, r)
		require.Equal(t, c.status, w.Code, what)
	}
}

// TestStopDrains stops the worker while a paused stream is open: readiness fails, new work is refused, the acknowledgement
// gets in on a new connection, the stream comes to its end, one more acknowledgement is taken in the grace, and then the
// listener is closed.
func TestStopDrains(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.StepBytes, c.DrainGrace = group, time.Second })
	b.sessions.limit = group
	require.NoError(t, b.Start(t.Context()))
	url := "http://" + b.Addr()
	data := object(2 * group)
	name := b.add(t, data)
	r, err := fetch(t, url+"/b3/"+name.String(), auth)
	require.NoError(t, err)
	got := make([]byte, 2*group)
	_, err = io.ReadFull(r.Body, got[:group])
	require.NoError(t, err)

	stopped := make(chan error, 1)
	go func() { stopped <- b.Stop(t.Context()) }()
	require.Eventually(t, func() bool {
		ready, err := fetch(t, "http://"+b.AdminAddr()+"/readyz")
		if err != nil {
			return false
		}
		defer func() { _ = ready.Body.Close() }()
		return ready.StatusCode == 503
	}, patience, tick)
	send := func(method, path string, a ...ack.Signed) *http.Response {
		var body []byte
		for i := range a {
			body = a[i].AppendEncoded(body)
		}
		req, err := http.NewRequestWithContext(t.Context(), method, url+path, bytes.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/vnd.edge.ack")
		answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		require.NoError(t, err)
		return answer
	}
	for path, method := range map[string]string{"/b3/" + name.String(): "GET", "/v1/challenges": "POST", "/v1/sessions": "POST"} {
		answer := send(method, path)
		require.True(t, answer.Close)
		require.Equal(t, "1", answer.Header.Get("Retry-After"))
		requireProblem(t, answer, 503, "stopping")
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped while a stream was under way: %v", err)
	default:
	}
	answer := send("POST", "/v1/acks", signed(group))
	require.Equal(t, 200, answer.StatusCode)
	bodyOf(t, answer)
	_, err = io.ReadFull(r.Body, got[group:])
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.True(t, bytes.Equal(data, got))
	answer = send("POST", "/v1/acks", signed(2*group))
	require.Equal(t, 200, answer.StatusCode)
	bodyOf(t, answer)
	require.NoError(t, <-stopped)
	_, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", b.Addr())
	require.Error(t, err)
}

// TestStopLeavesTimeForAcknowledgements: a stream that does not end is cut before the time is over, so that what the client
// has of it can still be acknowledged.
func TestStopLeavesTimeForAcknowledgements(t *testing.T) {
	var said spoken
	b := newBench(t, func(c *gateway.Config, deps *gateway.Deps) {
		c.StepBytes, c.DrainGrace = group, 2*time.Second
		deps.Log = slog.New(slog.NewTextHandler(&said, nil))
	})
	b.sessions.limit = group
	require.NoError(t, b.Start(t.Context()))
	name := b.add(t, object(2*group))
	r, err := fetch(t, "http://"+b.Addr()+"/b3/"+name.String(), auth)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- b.Stop(ctx) }()
	_, err = io.ReadAll(r.Body)
	require.Error(t, err)
	require.NoError(t, r.Body.Close())
	a := signed(group)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.Addr()+"/v1/acks", bytes.NewReader(a.AppendEncoded(nil)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/vnd.edge.ack")
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	require.NoError(t, err)
	require.Equal(t, 200, answer.StatusCode)
	bodyOf(t, answer)
	require.NoError(t, <-stopped)
	require.Contains(t, said.String(), "level=WARN msg=\"requests are cut")
	require.Contains(t, said.String(), "requests=1\n")
}

// TestFreeQuotaOfNetworks: neither a wide IPv6 network nor all addresses together get more than their bound, and what was
// not sent is given back to all of them.
func TestFreeQuotaOfNetworks(t *testing.T) {
	for what, c := range map[string]struct {
		total   uint64
		address string
		want    int
	}{
		"IPv4":      {1 << 40, "192.0.2.%d:1", 40},
		"total":     {7 * group, "192.0.2.%d:1", 7},
		"/56":       {1 << 40, "[2001:db8:0:%x::1]:1", 4},
		"/48":       {1 << 40, "[2001:db8:0:%x00::1]:1", 16},
		"other /48": {1 << 40, "[2001:db8:%x::1]:1", 40},
	} {
		b := newBench(t, func(c2 *gateway.Config, _ *gateway.Deps) { c2.FreeQuotaBytes, c2.FreeQuotaTotalBytes = group, c.total })
		name := b.add(t, object(group))
		served := 0
		for i := range 40 {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/b3/"+name.String(), nil)
			r.RemoteAddr = fmt.Sprintf(c.address, i)
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			b.ServeHTTP(httptest.NewRecorder(), r.WithContext(gone)) // nothing is sent
			w := httptest.NewRecorder()
			b.ServeHTTP(w, r)
			if w.Code == 200 {
				served++
			}
		}
		require.Equal(t, c.want, served, what)
	}
}

// TestStopEnds resets what does not come to its end in time.
func TestStopEnds(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.StepBytes = group })
	b.sessions.limit = group
	require.NoError(t, b.Start(t.Context()))
	name := b.add(t, object(2*group))
	r, err := fetch(t, "http://"+b.Addr()+"/b3/"+name.String(), auth)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Stop(ctx); err != nil { // else the connection, which was cut, ended before the listener was waited for
		require.ErrorIs(t, err, context.Canceled)
	}
	_, err = io.ReadAll(r.Body)
	require.Error(t, err)
	require.NoError(t, r.Body.Close())
	last := b.sessions.last()
	require.Eventually(t, func() bool { return last.state()[2] == 1 }, patience, tick)
}

func TestStartTellsWhichPortIsTaken(t *testing.T) {
	b := newBench(t)
	b.start(t)
	for what, change := range map[string]func(*gateway.Config){
		"listen:":                    func(c *gateway.Config) { c.Listen = b.Addr() },
		"listen for administration:": func(c *gateway.Config) { c.AdminListen = b.AdminAddr() },
	} {
		other := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { change(c) })
		err := other.Start(t.Context())
		require.ErrorContains(t, err, what)
		require.ErrorContains(t, err, "address already in use")
		require.NoError(t, other.Stop(t.Context()))
	}
}

func TestConfig(t *testing.T) {
	require.NoError(t, gateway.DefaultConfig().Validate())
	for want, change := range map[string]func(*gateway.Config){
		"listen":                      func(c *gateway.Config) { c.Listen = "8080" },
		"admin_listen":                func(c *gateway.Config) { c.AdminListen = "0.0.0.0:8081" },
		"free_quota_window":           func(c *gateway.Config) { c.FreeQuotaWindow = 0 },
		"free_quota_addresses":        func(c *gateway.Config) { c.FreeQuotaAddresses = 0 },
		"max_connections":             func(c *gateway.Config) { c.MaxConnections = 0 },
		"max_connections_per_address": func(c *gateway.Config) { c.MaxConnectionsPerAddress = -1 },
		"max_requests_per_address":    func(c *gateway.Config) { c.MaxRequestsPerAddress = -1 },
		"max_ack_requests":            func(c *gateway.Config) { c.MaxAckRequests = 0 },
		"max_requests":                func(c *gateway.Config) { c.MaxRequests = -1 },
		"drain_grace":                 func(c *gateway.Config) { c.DrainGrace = 0 },
		"write_timeout":               func(c *gateway.Config) { c.WriteTimeout = 0 },
		"max_header_bytes":            func(c *gateway.Config) { c.MaxHeaderBytes = 1 },
		"max_body_bytes":              func(c *gateway.Config) { c.MaxBodyBytes = 100 },
		"step_bytes":                  func(c *gateway.Config) { c.StepBytes = group + 1 },
	} {
		cfg := gateway.DefaultConfig()
		change(&cfg)
		require.ErrorContains(t, cfg.Validate(), want)
		_, err := gateway.New(cfg, gateway.Deps{})
		require.Error(t, err)
	}
	_, err := gateway.New(gateway.DefaultConfig(), gateway.Deps{})
	require.Error(t, err)
}
