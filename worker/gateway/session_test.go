package gateway_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/session"
	"github.com/edgechain/edge/worker/store"
)

func post(t *testing.T, b *bench, path, mediaType string, body []byte) *http.Response {
	t.Helper()
	return b.do(t, http.MethodPost, path, bytes.NewReader(body), "Content-Type: "+mediaType)
}

func TestWorker(t *testing.T) {
	b := newBench(t)
	r := b.get(t, "/v1/worker")
	require.Equal(t, 200, r.StatusCode)
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.JSONEq(t, `{"chain_id":"edge-1","worker_id":1,"peer_key":"0102","epoch":12,"height":4711,"settlement_denom":"uusd",
		"price_per_gib":"10000","price_per_gfuel":"1000","free_quota_bytes":16777216,"free_quota_window_seconds":3600,
		"max_unsettled":"1000000","base_credit":"1000","stall_timeout_seconds":30}`, string(bodyOf(t, r)))

	stale := newBench(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Info = func() (gateway.Info, error) { return gateway.Info{}, session.ErrChainStale }
	})
	r = stale.get(t, "/v1/worker")
	requireProblem(t, r, 503, "chain-stale")
	require.Equal(t, "1", r.Header.Get("Retry-After"))
}

func TestChallenge(t *testing.T) {
	b := newBench(t)
	r := b.do(t, http.MethodPost, "/v1/challenges", nil)
	require.Equal(t, 200, r.StatusCode)
	require.JSONEq(t, `{"challenge":"ab`+strings.Repeat("00", 31)+`","expires_at":"2023-11-14T22:13:20Z"}`, string(bodyOf(t, r)))
	requireProblem(t, post(t, b, "/v1/challenges", "application/json", []byte("x")), 413, "too-large")
}

func TestOpenSession(t *testing.T) {
	b := newBench(t)
	body := fmt.Sprintf(`{"key_id":7,"service_id":0,"lane":3,"challenge":%q,"signature":%q}`, strings.Repeat("ab", 32), strings.Repeat("cd", 64))
	r := post(t, b, "/v1/sessions", "application/json", []byte(body))
	require.Equal(t, 201, r.StatusCode)
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.Equal(t, session.OpenRequest{
		KeyID: 7, Lane: 3, Challenge: [32]byte(bytes.Repeat([]byte{0xab}, 32)), Signature: bytes.Repeat([]byte{0xcd}, 64),
	}, b.sessions.asked)
	held := signed(1)
	require.JSONEq(t, `{"token":"t","worker_id":1,"key_id":7,"service_id":0,"lane":3,"epoch":12,"expires_at":"2023-11-14T22:13:20Z",
		"acknowledgements":["`+hex.EncodeToString(held.AppendEncoded(nil))+`"],"next_sequence":5,
		"credit":{"limit":"1099511627776","claim":"0","unacknowledged_bytes":0}}`, string(bodyOf(t, r)))

	// lane and key id must be named: 0 is a lane, and nobody's default.
	for what, bad := range map[string]string{
		"not JSON":        "x",
		"empty":           "",
		"no lane":         strings.Replace(body, `"lane":3,`, "", 1),
		"lane 16":         strings.Replace(body, `"lane":3`, `"lane":16`, 1),
		"lane 256":        strings.Replace(body, `"lane":3`, `"lane":256`, 1),
		"no key":          strings.Replace(body, `"key_id":7,`, "", 1),
		"key 0":           strings.Replace(body, `"key_id":7`, `"key_id":0`, 1),
		"negative key":    strings.Replace(body, `"key_id":7`, `"key_id":-7`, 1),
		"unknown field":   strings.Replace(body, `"lane":3`, `"lane":3,"admin":true`, 1),
		"two values":      body + body,
		"short challenge": strings.Replace(body, `"abab`, `"ab`, 1),
		"challenge":       strings.Replace(body, `"abab`, `"xxab`, 1),
		"short signature": strings.Replace(body, `"cdcd`, `"cd`, 1),
	} {
		r := post(t, b, "/v1/sessions", "application/json", []byte(bad))
		require.NotNil(t, requireProblem(t, r, 400, "bad-request"), what)
	}
	long := `{"challenge":"` + strings.Repeat("a", 1<<17) + `"}`
	requireProblem(t, post(t, b, "/v1/sessions", "application/json", []byte(long)), 413, "too-large")
}

func TestAcks(t *testing.T) {
	b := newBench(t)
	b.sessions.claim = 1000
	var body []byte
	for i := range uint64(64) {
		a := signed(i)
		body = a.AppendEncoded(body)
	}
	r := post(t, b, "/v1/acks", "application/vnd.edge.ack", body)
	require.Equal(t, 200, r.StatusCode)
	require.JSONEq(t, `{"accepted":64,"credit":{"limit":"1099511627776","claim":"0","unacknowledged_bytes":0}}`, string(bodyOf(t, r)))
	require.Len(t, b.sessions.stored, 64)

	b.sessions.refuse[1] = fmt.Errorf("unknown key")
	b.sessions.refuse[3] = ack.ErrSignature
	r = post(t, b, "/v1/acks", "application/vnd.edge.ack", body[:4*ack.SignedSize])
	doc := requireProblem(t, r, 422, "bad-acknowledgement")
	require.EqualValues(t, 2, doc["accepted"])
	require.Equal(t, []any{
		map[string]any{"index": 1.0, "reason": "unknown key"},
		map[string]any{"index": 3.0, "reason": "signature does not verify"},
	}, doc["results"])
	require.Contains(t, doc, "credit")
	require.Len(t, b.sessions.stored, 66)

	for what, bad := range map[string][]byte{
		"empty": nil,
		"cut":   body[:ack.SignedSize-1],
	} {
		require.NotNil(t, requireProblem(t, post(t, b, "/v1/acks", "application/vnd.edge.ack", bad), 400, "bad-request"), what)
	}
	requireProblem(t, post(t, b, "/v1/acks", "application/json", body), 400, "bad-request")
	tooMany := append(bytes.Clone(body), body[:ack.SignedSize]...)
	requireProblem(t, post(t, b, "/v1/acks", "application/vnd.edge.ack", tooMany), 413, "too-large")
	require.Len(t, b.sessions.stored, 66)
}

// TestAckOutOfRange: one acknowledgement whose fields are out of bounds does not cost the worker its neighbours.
func TestAckOutOfRange(t *testing.T) {
	b := newBench(t)
	first, third, fourth := signed(1), signed(3), signed(4)
	body := first.AppendEncoded(nil)
	body = append(body, make([]byte, ack.SignedSize)...)
	body = fourth.AppendEncoded(third.AppendEncoded(body))
	b.sessions.refuse[3] = ack.ErrSignature
	doc := requireProblem(t, post(t, b, "/v1/acks", "application/vnd.edge.ack", body), 422, "bad-acknowledgement")
	require.Equal(t, []any{
		map[string]any{"index": 1.0, "reason": "out-of-range"},
		map[string]any{"index": 2.0, "reason": "signature does not verify"},
	}, doc["results"])
	require.EqualValues(t, 2, doc["accepted"])
	require.Equal(t, []ack.Signed{first, fourth}, b.sessions.stored)

	doc = requireProblem(t, post(t, b, "/v1/acks", "application/vnd.edge.ack", make([]byte, ack.SignedSize)), 422, "bad-acknowledgement")
	require.EqualValues(t, 0, doc["accepted"])
}

// TestAckClosesLane: the answer says which lanes take no more requests, in the indices of the list that was sent.
func TestAckClosesLane(t *testing.T) {
	b := newBench(t)
	b.sessions.closed[2] = true
	first, second := signed(1), signed(2)
	body := second.AppendEncoded(first.AppendEncoded(nil))
	r := post(t, b, "/v1/acks", "application/vnd.edge.ack", body)
	require.Equal(t, 200, r.StatusCode)
	require.JSONEq(t, `{"accepted":2,"lane_closed":[1],"credit":{"limit":"1099511627776","claim":"0","unacknowledged_bytes":0}}`, string(bodyOf(t, r)))
	body = append(make([]byte, ack.SignedSize), body...)
	doc := requireProblem(t, post(t, b, "/v1/acks", "application/vnd.edge.ack", body), 422, "bad-acknowledgement")
	require.Equal(t, []any{2.0}, doc["lane_closed"])
}

// TestProblemTable has every error that a session can meet on each of its ways.
func TestProblemTable(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		kind   string
		retry  string
	}{
		{session.ErrCreditExhausted, 402, "credit-exhausted", "1"},
		{session.ErrAccountEmpty, 402, "account-empty", ""},
		{session.ErrBadProof, 403, "bad-proof", ""},
		{session.ErrSessionUnknown, 401, "session-unknown", ""},
		{session.ErrLaneClosed, 409, "lane-closed", ""},
		{session.ErrOverloaded, 429, "overloaded", "1"},
		{session.ErrInvalid, 400, "bad-request", ""},
		{session.ErrStalled, 402, "credit-exhausted", "1"},
		{session.ErrStopped, 429, "overloaded", "1"},
		{session.ErrNotServing, 503, "chain-stale", "1"},
		{session.ErrChainStale, 503, "chain-stale", "1"},
		{chain.ErrStale, 503, "chain-stale", "1"},
		{chain.ErrBusy, 429, "overloaded", "1"},
		{ackpool.ErrFull, 429, "overloaded", "1"},
		{errDisk, 500, "internal", ""},
	} {
		b := newBench(t)
		b.sessions.fail = fmt.Errorf("account 3: %w", c.err)
		a := signed(1)
		open := fmt.Sprintf(`{"key_id":7,"lane":0,"challenge":%q,"signature":%q}`, strings.Repeat("ab", 32), strings.Repeat("cd", 64))
		name := b.add(t, object(group))
		for what, r := range map[string]*http.Response{
			"challenge": b.do(t, http.MethodPost, "/v1/challenges", nil),
			"open":      post(t, b, "/v1/sessions", "application/json", []byte(open)),
			"acks":      post(t, b, "/v1/acks", "application/vnd.edge.ack", a.AppendEncoded(nil)),
			"get":       b.get(t, "/b3/"+name.String(), auth),
		} {
			doc := requireProblem(t, r, c.status, c.kind)
			require.Equal(t, c.retry, r.Header.Get("Retry-After"), what)
			if c.status == 500 {
				require.NotContains(t, doc["detail"], "secret", "what is inside stays inside")
			} else {
				require.Contains(t, doc["detail"], c.err.Error())
			}
			if what == "get" && c.status == 402 {
				require.Equal(t, map[string]any{"limit": "1099511627776", "claim": "0", "unacknowledged_bytes": 0.0}, doc["credit"])
			}
		}
	}
}

// TestProblemsKeepPlaces: clients are told of a full disk and of a node that is away, but neither a path nor an address.
func TestProblemsKeepPlaces(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused at secret.example")}
	for _, err := range []error{
		fmt.Errorf("%w: %w", store.ErrDiskFull, &fs.PathError{Op: "write", Path: "/secret/add-1", Err: syscall.ENOSPC}),
		fmt.Errorf("%w: %w", store.ErrFull, &os.LinkError{Op: "rename", Old: "/secret/a", New: "/secret/b", Err: syscall.ENOSPC}),
		fmt.Errorf("%w: %w", chain.ErrStale, &url.Error{Op: "Post", URL: "http://secret.example/key", Err: syscall.ECONNREFUSED}),
		fmt.Errorf("%w: %w", chain.ErrStale, refused),
	} {
		b := newBench(t)
		b.sessions.fail = err
		r := b.get(t, "/b3/"+b.add(t, object(group)).String(), auth)
		body := string(bodyOf(t, r))
		require.NotContains(t, body, "secret")
		require.Contains(t, []int{http.StatusInsufficientStorage, http.StatusServiceUnavailable}, r.StatusCode, body)
	}
}

func TestUnknownRoutesAndMethods(t *testing.T) {
	b := newBench(t)
	for _, path := range []string{"/", "/b3", "/v1/", "/v1/worker/", "/v1/admin/status", "/metrics", "/debug/pprof/", "//b3/x", "/b3x"} {
		requireProblem(t, b.get(t, path), 404, "not-found")
		requireProblem(t, b.do(t, http.MethodPost, path, nil), 404, "not-found")
	}
	for _, c := range []struct{ method, path, allow string }{
		{http.MethodPost, "/b3/x", "GET, HEAD, PUT"},
		{http.MethodDelete, "/b3/x", "GET, HEAD, PUT"},
		{http.MethodOptions, "/b3/x", "GET, HEAD, PUT"},
		{"BREW", "/v1/worker", "GET, HEAD"},
		{http.MethodGet, "/v1/sessions", "POST"},
		{http.MethodPut, "/v1/acks", "POST"},
		{http.MethodDelete, "/healthz", "GET, HEAD"},
		{http.MethodPatch, "/nowhere", "GET, HEAD, POST"},
	} {
		r := b.do(t, c.method, c.path, nil)
		requireProblem(t, r, 405, "method-not-allowed")
		require.Equal(t, c.allow, r.Header.Get("Allow"))
	}
}

// TestPanicsAreAnswered has a store that panics: the client gets 500 and the worker goes on.
func TestPanicsAreAnswered(t *testing.T) {
	b := newBench(t, func(_ *gateway.Config, d *gateway.Deps) { d.Store = nil; d.Store = panicking{} })
	requireProblem(t, b.get(t, "/b3/"+strings.Repeat("00", 32)), 500, "internal")
	require.Equal(t, 200, b.get(t, "/healthz").StatusCode)
	require.Zero(t, b.metric(t, "edge_gateway_requests_in_flight"))
}

func FuzzAckBody(f *testing.F) {
	a := signed(1)
	f.Add(a.AppendEncoded(nil))
	f.Fuzz(func(t *testing.T, body []byte) {
		b := newBench(t)
		r := post(t, b, "/v1/acks", "application/vnd.edge.ack", body)
		if r.StatusCode != 200 && r.StatusCode != 400 && r.StatusCode != 422 {
			t.Fatalf("status %d", r.StatusCode)
		}
	})
}

// FuzzRange asks for any range in any form: what comes is 200, 206 or 416, and as long as announced.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-0", "bytes=-5", "bytes=5-", "bytes=1-2,3-4", "bytes", "=", "bytes=18446744073709551615-18446744073709551615"} {
		f.Add(s, `"x"`, false)
	}
	f.Fuzz(func(t *testing.T, rng, ifRange string, bao bool) {
		b := newBench(t)
		name := b.add(t, object(2*group+3))
		path := "/b3/" + name.String()
		if bao {
			path += "?format=bao"
		}
		r := b.get(t, path, "Range: "+rng, "If-Range: "+ifRange)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if r.StatusCode != 200 && r.StatusCode != 206 && r.StatusCode != 416 {
			t.Fatalf("status %d", r.StatusCode)
		}
		if r.Header.Get("Content-Length") != fmt.Sprint(len(body)) {
			t.Fatalf("announced %s bytes, sent %d", r.Header.Get("Content-Length"), len(body))
		}
		if r.StatusCode == 416 && !json.Valid(body) {
			t.Fatal("no problem document")
		}
	})
}

// TestCreditErrorNamesCredit pins that the credit at the time of the refusal is what the client is told.
func TestCreditErrorNamesCredit(t *testing.T) {
	b := newBench(t)
	name := b.add(t, object(group))
	b.sessions.fail = fmt.Errorf("begin: %w", &session.CreditError{
		Cause:  session.ErrCreditExhausted,
		Credit: session.Credit{Limit: big.NewInt(10), Claim: big.NewInt(9), UnacknowledgedBytes: 8}, RetryAfter: 4200 * time.Millisecond,
	})
	r := b.get(t, "/b3/"+name.String(), auth)
	doc := requireProblem(t, r, 402, "credit-exhausted")
	require.Equal(t, "5", r.Header.Get("Retry-After"))
	require.Equal(t, map[string]any{"limit": "10", "claim": "9", "unacknowledged_bytes": 8.0}, doc["credit"])
}

// TestLittleCreditGetsSmallSteps: a step that is larger than the credit would wait for ever.
func TestLittleCreditGetsSmallSteps(t *testing.T) {
	for _, c := range []struct{ limit, want uint64 }{
		{1, group},        // buys 107 KB, an eighth of it is less than a group
		{2, group},        // 26 KB
		{3, 2 * group},    // 40 KB
		{10, 8 * group},   // 134 KB
		{100, 16 * group}, // as configured
	} {
		b := newBench(t)
		name := b.add(t, object(64*group))
		b.sessions.limit = c.limit
		b.sessions.stall = 0
		b.get(t, "/b3/"+name.String(), auth)
		require.Equal(t, c.want, b.sessions.last().asked, "limit %d", c.limit)
	}
}
