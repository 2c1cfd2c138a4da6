package gateway_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/session"
)

// BeginNow stores acknowledgements, begins a request and reserves its payload, unless anything is in the way.
func (x *fakeSession) BeginNow(acks []ack.Signed, meta session.Meta) (gateway.Request, bool) {
	s := x.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil || s.claim+meta.Bytes > s.limit {
		return nil, false
	}
	for _, a := range acks {
		if s.refuse[a.Bytes] != nil {
			return nil, false
		}
	}
	for _, a := range acks {
		s.stored = append(s.stored, a)
		s.claim -= min(s.claim, a.Bytes)
	}
	s.claim += meta.Bytes
	r := &request{s: s, meta: meta, sequence: uint64(len(s.requests)) + 1, reserved: meta.Bytes, asked: meta.Bytes}
	s.requests = append(s.requests, r)
	return r, true
}

// plenty lifts the bounds that tests with many requests meet.
func plenty(c *gateway.Config, _ *gateway.Deps) {
	c.FreeQuotaBytes, c.FreeQuotaTotalBytes, c.NewConnectionsPerSecond = 1<<50, 1<<50, 0
}

// unquick turns the quick path off: HTTP/2 without TLS keeps it from seeing connections first.
func unquick(c *gateway.Config, _ *gateway.Deps) { c.H2C = true }

func (b *bench) quick(t *testing.T) float64 {
	t.Helper()
	return b.metric(t, "edge_gateway_quick_answers_total")
}

// requireQuick waits until so many answers of the quick path are counted, which they are when they are sent.
func (b *bench) requireQuick(t *testing.T, n int) {
	t.Helper()
	b.requireRest(t)
	require.EqualValues(t, n, b.quick(t))
}

// requireRest waits until no request is under way.
func (b *bench) requireRest(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_requests_in_flight") == 0 }, patience, tick)
}

// answerOf reads one answer, as it was sent but for the time.
func answerOf(t *testing.T, r *bufio.Reader, method string) (head string, body []byte) {
	t.Helper()
	var raw bytes.Buffer
	for {
		line, err := r.ReadString('\n')
		require.NoError(t, err, "after %q", raw.String())
		if !strings.HasPrefix(line, "Date: ") {
			raw.WriteString(line)
		}
		if line == "\r\n" {
			break
		}
	}
	res, err := http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(raw.Bytes()), r)), &http.Request{Method: method})
	require.NoError(t, err)
	n := max(0, res.ContentLength)
	if method == http.MethodHead || res.StatusCode == http.StatusNotModified {
		n = 0
	}
	// The answer's length is known, so that nothing of the next one is read.
	body = make([]byte, n)
	return raw.String(), body
}

// connect opens a connection like anybody's, unlike dial.
func connect(t *testing.T, b *bench) *net.TCPConn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return c.(*net.TCPConn)
}

// talk sends requests over one connection, each after the answer to the one before.
func talk(t *testing.T, b *bench, requests []string) (answers []string) {
	t.Helper()
	c := connect(t, b)
	r := bufio.NewReader(c)
	for _, request := range requests {
		var closed string
		if _, err := io.WriteString(c, request); err == nil {
			_, err = r.Peek(1)
			if err != nil {
				closed = "closed before: "
			}
		}
		if closed != "" {
			c = connect(t, b)
			r = bufio.NewReader(c)
			_, err := io.WriteString(c, request)
			require.NoError(t, err)
		}
		method, _, _ := strings.Cut(request, " ")
		head, body := answerOf(t, r, method)
		_, err := io.ReadFull(r, body)
		require.NoError(t, err)
		answers = append(answers, closed+head+string(body))
		if strings.Contains(head, "Connection: close\r\n") {
			_ = c.Close()
			c = connect(t, b)
			r = bufio.NewReader(c)
		}
	}
	_ = c.Close()
	return answers
}

// heated adds objects to both and has them verified and kept.
func heated(t *testing.T, sizes []int, benches ...*bench) []content.Name {
	t.Helper()
	var names []content.Name
	for _, size := range sizes {
		for i, b := range benches {
			name := b.add(t, object(size))
			if i == 0 {
				names = append(names, name)
			}
			for range 2 {
				require.Equal(t, 200, b.get(t, "/b3/"+name.String(), auth).StatusCode)
			}
		}
	}
	for _, b := range benches {
		b.sessions.requests, b.sessions.claim = nil, 0
	}
	return names
}

// requestTable are requests in the many ways in which they come.
func requestTable(names []content.Name) []string {
	a := signed(3)
	acks := "Edge-Ack: " + base64.StdEncoding.EncodeToString(a.AppendEncoded(nil))
	headers := []string{
		"", "User-Agent: curl/8.5.0\r\nAccept: */*", "Accept-Encoding: gzip\r\nConnection: keep-alive", "Connection: Keep-Alive", "Connection: close",
		"Range: bytes=0-0", "Range: bytes=-5", "Range: bytes=5-", "Range: bytes=100-200", "Range: bytes=1-2,3-4", "Range: bytes=99999999-", "Range: pages=1-2",
		"Range: bytes", "Range:", "Range: bytes=0-1\r\nRange: bytes=2-3", "Range: bytes=1-9\r\nIf-Range: \"x\"", "Range: bytes=1-9\r\nIf-Range: \"TAG\"",
		"If-None-Match: *", "If-None-Match: \"TAG\"", "If-None-Match: W/\"TAG\"", "If-None-Match: \"x\", \"TAG\"", "If-None-Match: \"x\"", "If-None-Match:", "If-None-Match: \"x\"\r\nIf-None-Match: \"TAG\"",
		"If-Match: *", "If-Match: \"TAG\"", "If-Match: \"x\"", "If-Match: W/\"TAG\"", "If-Match:", "If-Match: \"TAG\"\r\nIf-None-Match: \"TAG\"",
		"If-Modified-Since: Mon, 02 Jan 2006 15:04:05 GMT", "Accept: application/vnd.edge.bao", "Accept: text/html, application/vnd.edge.bao;q=0.5", "Accept: application/vnd.edge.bao;q=0",
		"Origin: https://app.example", "Origin: null", "Cookie: a=b", "X-Forwarded-For: 198.51.100.1", "X-Unknown: 1", "Content-Length: 0", "Content-Length: 3\r\n\r\nabc", "Expect: 100-continue",
		auth, auth + "\r\n" + acks, auth + "\r\nRange: bytes=3-8", auth + "\r\nRange: bytes=3-8\r\n" + acks, auth + "\r\nIf-None-Match: *", auth + "\r\nIf-None-Match: *\r\n" + acks,
		"Authorization: Edge-Session nobody", "Authorization: edge-session token", "Authorization: Basic dG9rZW4=", "Authorization:", auth + "\r\n" + auth, acks, auth + "\r\nEdge-Ack: ????", auth + "\r\nEdge-Ack: AAAA",
		"eDgE-aCk: " + base64.StdEncoding.EncodeToString(a.AppendEncoded(a.AppendEncoded(nil))) + "\r\n" + auth,
		"X-" + strings.Repeat("long-", 20) + ": 1", "Trailer: x", "TE: trailers",
	}
	var list []string
	for _, name := range names {
		for _, method := range []string{"GET", "HEAD"} {
			for _, h := range headers {
				if h != "" {
					h += "\r\n"
				}
				h = strings.ReplaceAll(h, "TAG", name.String())
				end := "\r\n"
				if strings.Contains(h, "\r\n\r\n") {
					end = ""
					h = strings.TrimSuffix(h, "\r\n")
				}
				list = append(list, fmt.Sprintf("%s /b3/%s HTTP/1.1\r\nHost: worker.example:80\r\n%s%s", method, name, h, end))
			}
			list = append(list,
				fmt.Sprintf("%s /b3/%s HTTP/1.1\r\nHost: x\r\n\r\n", method, strings.ToUpper(name.String())),
				fmt.Sprintf("%s /b3/%s HTTP/1.1\r\nHost: x\r\n\r\n", method, name.CID()),
				fmt.Sprintf("%s /b3/%s?format=bao HTTP/1.1\r\nHost: x\r\n\r\n", method, name),
				fmt.Sprintf("%s /b3/%s? HTTP/1.1\r\nHost: x\r\n\r\n", method, name),
				fmt.Sprintf("%s /b3/%%%x%s HTTP/1.1\r\nHost: x\r\n\r\n", method, name.String()[0], name.String()[1:]),
				fmt.Sprintf("%s /b3/%s HTTP/1.1\r\nHost: x\r\nRange:\tbytes=1-2 \t\r\n\r\n", method, name),
			)
		}
	}
	name := names[0]
	return append(list,
		"GET /b3/"+content.EmptyName.String()+" HTTP/1.1\r\nHost: x\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "GET /b3/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /b3/"+name.String()+" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"OPTIONS /b3/"+name.String()+" HTTP/1.1\r\nHost: x\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n\r\n",
		"GET /b3/"+name.String()+" HTTP/1.0\r\nHost: x\r\n\r\n", "GET /b3/"+name.String()+" HTTP/1.1\r\n\r\n", "GET /b3/"+name.String()+" HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"GET /b3/"+name.String()+" HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", "GET /b3/"+name.String()+" HTTP/1.1\r\nHost : x\r\n\r\n",
		"GET /b3/"+name.String()+" HTTP/1.1\r\nHost: a/b\r\n\r\n", "GET /b3/"+name.String()+" HTTP/2.0\r\nHost: x\r\n\r\n",
		"GET http://h/b3/"+name.String()+" HTTP/1.1\r\nHost: x\r\n\r\n", "GET  /b3/"+name.String()+" HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /b3/"+name.String()+" HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n", "GET /b3/"+name.String()+" HTTP/1.1\r\nHost: x\r\nA: \xc3\xa4\r\n\r\n",
		"GET /b3/"+name.String()+" HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 5000)+"\r\n\r\n",
		"GET /b3/"+name.String()+" HTTP/1.1\nHost: x\n\n",
	)
}

// TestQuickAnswersAreTheSame compares the answers of the quick path with those of net/http, byte by byte but for the time, and
// what was billed.
func TestQuickAnswersAreTheSame(t *testing.T) {
	for what, change := range map[string]func(*gateway.Config, *gateway.Deps){
		"any origin": func(*gateway.Config, *gateway.Deps) {},
		"no origin":  func(c *gateway.Config, _ *gateway.Deps) { c.CORSOrigins = nil },
		"one origin": func(c *gateway.Config, _ *gateway.Deps) { c.CORSOrigins = []string{"https://app.example"} },
	} {
		t.Run(what, func(t *testing.T) {
			quick, other := newBench(t, plenty, change), newBench(t, plenty, change, unquick)
			quick.start(t)
			other.start(t)
			names := heated(t, []int{0, 1, 1000, 30_000, 300_000}, quick, other)
			requests := requestTable(names)
			require.Greater(t, len(requests), 500)
			got, want := talk(t, quick, requests), talk(t, other, requests)
			for i := range requests {
				require.True(t, got[i] == want[i], "%q\n\nquick: %.600q\n\nother: %.600q", requests[i], got[i], want[i])
			}
			quick.requireRest(t)
			other.requireRest(t)
			require.Zero(t, other.quick(t))
			require.Greater(t, quick.quick(t), float64(len(requests))/4)
			require.Equal(t, other.sessions.stored, quick.sessions.stored)
			require.Equal(t, len(other.sessions.requests), len(quick.sessions.requests))
			for i, r := range other.sessions.requests {
				require.Equal(t, r.meta, quick.sessions.requests[i].meta)
				require.Equal(t, r.state(), quick.sessions.requests[i].state())
			}
			for _, name := range []string{"edge_gateway_requests_total", "edge_gateway_sent_bytes_total", "edge_gateway_payload_bytes_total", "edge_gateway_problems_total", "edge_gateway_request_duration_seconds", "edge_gateway_credit_wait_seconds"} {
				require.InDelta(t, other.metric(t, name), quick.metric(t, name), 0, name)
			}
			require.Equal(t, other.metric(t, "edge_gateway_free_addresses"), quick.metric(t, "edge_gateway_free_addresses"))
		})
	}
}

// TestQuickPipelines sends all requests at once, in pieces that end anywhere.
func TestQuickPipelines(t *testing.T) {
	b := newBench(t, plenty)
	b.start(t)
	names := heated(t, []int{0, 10, 5000, 30_000, 200_000}, b)
	var all bytes.Buffer
	var want [][]byte
	for i := range 40 {
		name := names[i%len(names)]
		size := []int{0, 10, 5000, 30_000, 200_000}[i%len(names)]
		line := ""
		if i%7 == 3 {
			line = "X-Unknown: 1\r\n" // one for net/http among them
		}
		if i > 20 {
			line += auth + "\r\n"
		}
		fmt.Fprintf(&all, "GET /b3/%s HTTP/1.1\r\nHost: x\r\n%s\r\n", name, line)
		want = append(want, object(size))
	}
	for _, piece := range []int{1, 7, 64, 1000, all.Len()} {
		c := connect(t, b)
		sent := make(chan error, 1)
		go func() {
			rest := all.Bytes()
			for len(rest) > 0 {
				n := min(piece, len(rest))
				if _, err := c.Write(rest[:n]); err != nil {
					sent <- err
					return
				}
				rest = rest[n:]
			}
			sent <- nil
		}()
		r := bufio.NewReader(c)
		for _, body := range want {
			res, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			require.Equal(t, 200, res.StatusCode)
			require.True(t, bytes.Equal(body, bodyOf(t, res)))
		}
		require.NoError(t, <-sent)
	}
	require.NotZero(t, b.quick(t))
}

// TestQuickComesBack: a request that net/http answers does not take the connection away from the quick path if its end was
// sure, whatever comes behind it and however soon.
func TestQuickComesBack(t *testing.T) {
	b := newBench(t, plenty)
	b.start(t)
	name := heated(t, []int{10}, b)[0]
	get := "GET /b3/" + name.String() + " HTTP/1.1\r\nHost: x\r\n\r\n"
	health := "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	a := signed(1)
	acks := "POST /v1/acks HTTP/1.1\r\nHost: x\r\nContent-Type: application/vnd.edge.ack\r\nContent-Length: " + strconv.Itoa(ack.SignedSize) + "\r\n\r\n" + string(a.AppendEncoded(nil))
	nothing := "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nGET /b3/x"
	list := []string{get, health, get, health, health, acks, get, nothing, get}
	for range 50 {
		for _, answer := range talk(t, b, list) {
			require.NotContains(t, answer, "closed before")
		}
	}
	b.requireQuick(t, 4*50)
	// All at once.
	c := connect(t, b)
	_, err := io.WriteString(c, strings.Join(list, ""))
	require.NoError(t, err)
	r := bufio.NewReader(c)
	for i, want := range []int{200, 200, 200, 200, 200, 200, 200, 404, 200} {
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		require.Equal(t, want, res.StatusCode, i)
		bodyOf(t, res)
	}
	b.requireQuick(t, 4*51)
	// What has another end is for net/http, and what follows.
	chunked := "POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
	talk(t, b, []string{get, chunked, get, get})
	b.requireQuick(t, 4*51+1)
	// A client that goes away while net/http answers is noticed: the answer waits for credit in vain.
	paid := b.add(t, object(4*group))
	b.sessions.limit = group
	c = connect(t, b)
	_, err = fmt.Fprintf(c, "GET /b3/%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", paid, auth)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.sessions.waits.Load() > 0 }, patience, tick)
	require.NoError(t, c.Close())
	b.requireRest(t)
	require.EqualValues(t, 1, b.sessions.last().state()[2])
}

// TestQuickBounds: headers and the next request have to come in time also while the quick path reads.
func TestQuickBounds(t *testing.T) {
	b := newBench(t, plenty, func(c *gateway.Config, _ *gateway.Deps) {
		c.HeaderTimeout, c.IdleTimeout = 30*time.Millisecond, 40*time.Millisecond
	})
	b.start(t)
	name := heated(t, []int{10}, b)[0]
	get := "GET /b3/" + name.String() + " HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, c := range []struct {
		sent  string
		whole int
	}{{get, 1}, {get + get, 2}, {get + get[:30], 1}, {get[:len(get)-1], 0}, {get + get + "G", 2}} {
		conn := connect(t, b)
		_, err := io.WriteString(conn, c.sent)
		require.NoError(t, err)
		answer, err := io.ReadAll(conn) // ends when the worker closes the connection
		require.NoError(t, err)
		require.Equal(t, c.whole, strings.Count(string(answer), "HTTP/1.1 200"))
		require.Equal(t, c.whole, strings.Count(string(answer), "HTTP/1.1"))
	}
	// A client that closes its side is answered and let go.
	conn := connect(t, b)
	_, err := io.WriteString(conn, get)
	require.NoError(t, err)
	require.NoError(t, conn.CloseWrite())
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(answer), "HTTP/1.1 200"))
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_connections") == 0 }, patience, tick)
}

// TestQuickSlowReader sends many requests and takes no answer: the worker gives up, and bills what it may have sent.
func TestQuickSlowReader(t *testing.T) {
	for _, size := range []int{30_000, 3 << 20} {
		for _, line := range []string{"", auth + "\r\n"} {
			b := newBench(t, plenty, func(c *gateway.Config, _ *gateway.Deps) { c.WriteTimeout = 50 * time.Millisecond })
			b.start(t)
			name := heated(t, []int{size}, b)[0]
			c := dial(t, b)
			go func() {
				for range 2000 {
					if _, err := fmt.Fprintf(c, "GET /b3/%s HTTP/1.1\r\nHost: x\r\n%s\r\n", name, line); err != nil {
						return
					}
				}
			}()
			require.Eventually(t, func() bool {
				return b.metric(t, "edge_gateway_aborted_answers_total") == 1 && b.metric(t, "edge_gateway_connections") == 0
			}, patience, tick)
			require.NotZero(t, b.quick(t))
			require.Zero(t, b.metric(t, "edge_gateway_requests_in_flight"))
			if line == "" {
				continue
			}
			last := b.sessions.last()
			state := last.state()
			require.EqualValues(t, 1, state[2], "the last request is aborted")
			require.LessOrEqual(t, state[0], uint64(size))
			for _, r := range b.sessions.requests[:len(b.sessions.requests)-1] {
				require.Equal(t, [3]uint64{uint64(size), 1, 0}, r.state())
			}
		}
	}
}

// TestQuickForfeits: a client that does not take in time what is free gets nothing of its quota back.
func TestQuickForfeits(t *testing.T) {
	const size = 3 << 20
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.WriteTimeout, c.FreeQuotaBytes = 50*time.Millisecond, size })
	b.start(t)
	name := heated(t, []int{size}, b)[0]
	_, err := fmt.Fprintf(dialNarrow(t, b), "GET /b3/%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return b.metric(t, "edge_gateway_aborted_answers_total") == 1 && b.metric(t, "edge_gateway_connections") == 0
	}, patience, tick)
	b.requireQuick(t, 1)
	r, err := fetch(t, "http://"+b.Addr()+"/b3/"+name.String(), "Range: bytes=0-0")
	require.NoError(t, err)
	requireProblem(t, r, 402, "session-required")
}

// dialNarrow opens a connection that takes little, and never promised more: one whose window shrinks later stops sending as well.
func dialNarrow(t *testing.T, b *bench) net.Conn {
	t.Helper()
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
		})
		return errors.Join(err, failed)
	}}
	c, err := d.DialContext(t.Context(), "tcp", b.Addr())
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return c
}

// TestQuickUnreadAnswersLeaveRoom: answers that cost nothing keep nobody out while they wait to be read, whoever asks for them, and
// however many.
func TestQuickUnreadAnswersLeaveRoom(t *testing.T) {
	const most = 4
	for what, request := range map[string]string{
		"HEAD":           "HEAD /b3/%s HTTP/1.1\r\nHost: x\r\n\r\n",
		"HEAD, session":  "HEAD /b3/%s HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n\r\n",
		"unchanged":      "GET /b3/%s HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n\r\n",
		"empty, session": "GET /b3/" + content.EmptyName.String() + " HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n\r\n",
	} {
		t.Run(what, func(t *testing.T) {
			b := newBench(t, plenty, func(c *gateway.Config, _ *gateway.Deps) { c.MaxRequests, c.MaxRequestsPerAccount = most, 2*most })
			b.start(t)
			name := heated(t, []int{10, 0}, b)[0]
			if strings.Contains(request, "%s") {
				request = fmt.Sprintf(request, name)
			}
			many := strings.Repeat(request, 100)
			var clients sync.WaitGroup
			defer clients.Wait()
			// As many as have a place while they are worked on.
			places := most
			if !strings.Contains(request, auth) {
				places = most / 2
			}
			for range places {
				c := dialNarrow(t, b)
				defer func() { _ = c.Close() }()
				clients.Go(func() {
					for range 1000 { // ends when the test is over
						if _, err := io.WriteString(c, many); err != nil {
							return
						}
					}
				})
			}
			var last [2]float64
			require.Eventually(t, func() bool {
				now := [2]float64{b.metric(t, "edge_gateway_requests_in_flight"), b.quick(t)}
				stuck := now == last && now[0] == float64(places)
				last = now
				return stuck
			}, patience, 10*tick)
			for _, header := range [][]string{nil, {auth}} {
				r := send(t, connect(t, b), "/b3/"+name.String(), header...)
				require.Equal(t, 200, r.StatusCode, "%v", header)
				require.Len(t, bodyOf(t, r), 10)
			}
		})
	}
}

// TestQuickPipelinedHeaders: each header has its own time, also where every read ends within one.
func TestQuickPipelinedHeaders(t *testing.T) {
	b := newBench(t, plenty, func(c *gateway.Config, _ *gateway.Deps) { c.HeaderTimeout = 400 * time.Millisecond })
	b.start(t)
	name := heated(t, []int{10}, b)[0]
	get := "GET /b3/" + name.String() + " HTTP/1.1\r\nHost: x\r\n\r\n"
	c := connect(t, b)
	r := bufio.NewReader(c)
	_, err := io.WriteString(c, get[:20])
	require.NoError(t, err)
	for range 12 {
		time.Sleep(50 * time.Millisecond)
		_, err := io.WriteString(c, get[20:]+get[:20])
		require.NoError(t, err)
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		require.Equal(t, 200, res.StatusCode)
		require.Len(t, bodyOf(t, res), 10)
	}
	// The last one never ends.
	_, err = r.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	b.requireQuick(t, 12)
}

// TestQuickDeclines: without a place, quota or credit the quick path does nothing, and the answer is the usual problem.
func TestQuickDeclines(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.FreeQuotaBytes, c.MaxRequestsPerAddress = 6*group, 0 })
	b.start(t)
	name := heated(t, []int{2 * group}, b)[0]
	get := "GET /b3/" + name.String() + " HTTP/1.1\r\nHost: x\r\n\r\n"
	answers := talk(t, b, []string{get, get, get, get, get})
	for i, want := range []string{"200 OK", "200 OK", "200 OK", "402 Payment Required", "402 Payment Required"} {
		require.Contains(t, answers[i], "HTTP/1.1 "+want)
	}
	b.requireQuick(t, 3)
	paid := "GET /b3/" + name.String() + " HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n\r\n"
	b.sessions.limit, b.sessions.stall = 2*group, 0
	answers = talk(t, b, []string{paid, paid})
	require.Contains(t, answers[0], "HTTP/1.1 200 OK")
	require.Contains(t, answers[1], "HTTP/1.1 402 Payment Required")
	b.requireQuick(t, 4)
}

// TestQuickStops: connections that wait in the quick path do not hold up a stop, and requests that come meanwhile are refused.
func TestQuickStops(t *testing.T) {
	b := newBench(t, plenty, func(c *gateway.Config, _ *gateway.Deps) { c.DrainGrace = 300 * time.Millisecond })
	require.NoError(t, b.Start(t.Context()))
	name := heated(t, []int{10}, b)[0]
	get := "GET /b3/" + name.String() + " HTTP/1.1\r\nHost: x\r\n\r\n"
	open := make([]net.Conn, 8)
	for i := range open {
		open[i] = connect(t, b)
		if i > 0 { // one has never said anything
			_, err := io.WriteString(open[i], get)
			require.NoError(t, err)
			res, err := http.ReadResponse(bufio.NewReader(open[i]), nil)
			require.NoError(t, err)
			bodyOf(t, res)
		}
	}
	stopped := make(chan error, 1)
	go func() { stopped <- b.Stop(t.Context()) }()
	require.Eventually(t, func() bool { return b.get(t, "/b3/"+name.String()).StatusCode == 503 }, patience, tick)
	_, err := io.WriteString(open[1], get)
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(open[1]), nil)
	require.NoError(t, err)
	requireProblem(t, res, 503, "stopping")
	require.NoError(t, <-stopped)
	for _, c := range open {
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	}
}
