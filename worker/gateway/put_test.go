package gateway_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/session"
	"github.com/edgechain/edge/worker/store"
)

// uploadBench takes uploads, of which account 5 may have a share.
func uploadBench(t *testing.T, total, each uint64, change ...func(*gateway.Config)) *bench {
	t.Helper()
	return newBench(t, func(cfg *gateway.Config, deps *gateway.Deps) {
		takeUploads(t, deps, total, each)
		cfg.WriteTimeout = 300 * time.Millisecond
		for _, f := range change {
			f(cfg)
		}
	})
}

// takeUploads gives a gateway a store that takes uploads of up to 4 MiB.
func takeUploads(t *testing.T, deps *gateway.Deps, total, each uint64) {
	t.Helper()
	c := store.DefaultConfig(t.TempDir())
	c.MaxObjectBytes, c.UploadBytes, c.UploadBytesPerAccount, c.MinFreeBytes = 4<<20, total, each, 0
	st, err := store.Open(c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	deps.Store, deps.Uploads = st, &gateway.Uploads{Store: st, KeepEpochs: 7}
}

func nameOf(b []byte) content.Name { return content.Name(blake3.Sum256(b)) }

func put(t *testing.T, url string, name content.Name, body io.Reader, size int64, token string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/b3/"+name.String(), body)
	require.NoError(t, err)
	r.ContentLength = size
	if token != "" {
		r.Header.Set("Authorization", "Edge-Session "+token)
	}
	r.Header.Set("Expect", "100-continue")
	transport := &http.Transport{ExpectContinueTimeout: 20 * time.Second, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// unread fails the test if it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was asked for")
	return 0, io.EOF
}

func TestPut(t *testing.T) {
	b := uploadBench(t, 64<<20, 32<<20)
	url := b.start(t)
	data := object(3<<20 + 17)
	name := nameOf(data)
	resp := put(t, url, name, bytes.NewReader(data), int64(len(data)), "token")
	body := bodyOf(t, resp)
	require.Equal(t, http.StatusCreated, resp.StatusCode, "%s", body)
	require.Equal(t, "1", resp.Header.Get("Edge-Sequence"))
	require.Equal(t, fmt.Sprint(len(data)), resp.Header.Get("Edge-Payload-Bytes"))
	var doc map[string]any
	require.NoError(t, json.Unmarshal(body, &doc))
	require.Equal(t, map[string]any{
		"name": name.String(), "cid": name.CID(), "size": float64(len(data)), "existed": false, "kept_until_epoch": float64(19),
	}, doc)
	last := b.sessions.last()
	require.Equal(t, [3]uint64{uint64(len(data)), 1, 0}, last.state())
	require.Equal(t, session.Meta{
		RequestDigest: ack.ContentRequestDigest(name.Digest(), 0, uint64(len(data))), ResponseDigest: name.Digest(), Bytes: uint64(len(data)),
	}, last.meta)

	got := put(t, url, name, unread{t}, int64(len(data)), "token")
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.Contains(t, string(bodyOf(t, got)), `"existed":true`)
	require.Equal(t, 1, b.sessions.begun(), "nothing is billed for what is there")
	answer := b.get(t, "/b3/"+name.String(), auth)
	require.Equal(t, data, bodyOf(t, answer))

	empty := put(t, url, content.EmptyName, http.NoBody, 0, "token")
	require.Equal(t, http.StatusCreated, empty.StatusCode)
	require.EqualValues(t, len(data), b.metric(t, "edge_gateway_received_bytes_total"))
	require.EqualValues(t, 3, b.metric(t, "edge_gateway_uploads_total"))
}

func TestPutRefusesBeforeTheBody(t *testing.T) {
	b := uploadBench(t, 3<<20, 2<<20)
	url := b.start(t)
	name := nameOf([]byte("x"))
	for what, c := range map[string]struct {
		size   int64
		token  string
		status int
		kind   string
	}{
		"no session":      {1000, "", http.StatusPaymentRequired, "session-required"},
		"unknown session": {1000, "other", http.StatusUnauthorized, "session-unknown"},
		"no length":       {-1, "token", http.StatusLengthRequired, "length-required"},
		"too large":       {4<<20 + 1, "token", http.StatusRequestEntityTooLarge, "too-large"},
		"account's quota": {5 << 19, "token", http.StatusRequestEntityTooLarge, "too-large"},
		"all uploads":     {4 << 20, "token", http.StatusInsufficientStorage, "no-room"},
	} {
		t.Log(what)
		doc := requireProblem(t, put(t, url, name, unread{t}, c.size, c.token), c.status, c.kind)
		if c.kind == "session-required" {
			require.Contains(t, doc["how"], "edge account open")
		}
	}
	b.sessions.limit = 100
	b.sessions.stall = time.Millisecond
	requireProblem(t, put(t, url, name, unread{t}, 1000, "token"), http.StatusPaymentRequired, "credit-exhausted")
	require.Zero(t, b.metric(t, "edge_gateway_received_bytes_total"))
}

func TestPutIsOffByDefault(t *testing.T) {
	b := newBench(t)
	url := b.start(t)
	requireProblem(t, put(t, url, nameOf(nil), unread{t}, 1000, "token"), http.StatusForbidden, "uploads-off")
	requireProblem(t, b.do(t, http.MethodPut, "/v1/worker", nil), http.StatusMethodNotAllowed, "method-not-allowed")
}

func TestPutKeepsOnlyTheBytesOfTheName(t *testing.T) {
	b := uploadBench(t, 64<<20, 0)
	url := b.start(t)
	data := object(700_000)
	name := nameOf(object(700_001))
	doc := requireProblem(t, put(t, url, name, bytes.NewReader(data), int64(len(data)), "token"), http.StatusUnprocessableEntity, "content-mismatch")
	require.EqualValues(t, len(data), doc["received_bytes"])
	require.Equal(t, [3]uint64{uint64(len(data)), 0, 1}, b.sessions.last().state(), "what arrived counts in bytes only")
	for _, n := range []content.Name{name, nameOf(data)} {
		requireProblem(t, b.get(t, "/b3/"+n.String(), auth), http.StatusNotFound, "not-found")
	}

	// raw sends a part of a body of 600 KiB, and returns the answer if there is one.
	raw := func(sent []byte, more string, hangUp bool) string {
		c, err := net.Dial("tcp", b.Addr())
		require.NoError(t, err)
		defer c.Close()
		_, err = fmt.Fprintf(c, "PUT /b3/%s HTTP/1.1\r\nHost: w\r\nAuthorization: Edge-Session token\r\nContent-Length: %d\r\n\r\n", nameOf(data[:600<<10]), 600<<10)
		require.NoError(t, err)
		_, err = c.Write(append(bytes.Clone(sent), more...))
		require.NoError(t, err)
		if hangUp {
			return ""
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		require.NoError(t, err)
		return strings.TrimSpace(line)
	}
	over := func(n int) [3]uint64 {
		require.Eventually(t, func() bool {
			return b.sessions.begun() == n && b.sessions.last().state()[1]+b.sessions.last().state()[2] == 1
		}, 10*time.Second, time.Millisecond)
		return b.sessions.last().state()
	}
	raw(data[:300<<10], "", true)
	short := over(2)
	require.EqualValues(t, 1, short[2])
	require.LessOrEqual(t, short[0], uint64(300<<10), "what did not arrive is given back")
	require.Equal(t, "HTTP/1.1 408 Request Timeout", raw(data[:300<<10], "", false), "slow")
	require.Equal(t, [3]uint64{300 << 10, 0, 1}, over(3))
	// What comes behind the length is no part of the object.
	require.Equal(t, "HTTP/1.1 201 Created", raw(data[:600<<10], "tail", false))
	require.Equal(t, data[:600<<10], bodyOf(t, b.get(t, "/b3/"+nameOf(data[:600<<10]).String(), auth)))
}

func TestPutOfOneNameByMany(t *testing.T) {
	b := uploadBench(t, 64<<20, 0)
	url := b.start(t)
	data := object(900_000)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			resp := put(t, url, nameOf(data), bytes.NewReader(data), int64(len(data)), "token")
			if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusOK {
				t.Errorf("status %d", resp.StatusCode)
			}
		})
	}
	wg.Wait()
	require.Equal(t, data, bodyOf(t, b.get(t, "/b3/"+nameOf(data).String(), auth)))
}

func TestPutWaitsForCredit(t *testing.T) {
	b := uploadBench(t, 64<<20, 0)
	b.sessions.limit = 512 << 10
	url := b.start(t)
	data := object(2 << 20)
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp := put(t, url, nameOf(data), bytes.NewReader(data), int64(len(data)), "token")
		if resp.StatusCode != http.StatusCreated {
			t.Errorf("status %d", resp.StatusCode)
		}
	}()
	for waiting := true; waiting; {
		select {
		case <-done:
			waiting = false
		case <-time.After(time.Millisecond):
			if claim := b.sessions.credit().UnacknowledgedBytes; claim > 512<<10 {
				t.Errorf("claim of %d", claim)
			} else if claim > 256<<10 {
				_, err := b.sessions.Acknowledge(t.Context(), ackList(signed(claim)))
				require.NoError(t, err)
			}
		}
	}
	require.Positive(t, b.sessions.waits.Load())
	require.Equal(t, [3]uint64{2 << 20, 1, 0}, b.sessions.last().state())
}
