package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/gateway"
)

// payer is a session of an account that can spend something.
type payer struct {
	*fakeSession
	account uint64
	has     *big.Int
}

func (p *payer) AccountID() uint64 { return p.account }

func (p *payer) Spendable(context.Context) (*big.Int, error) { return p.has, nil }

// TestPutCostsNoMoreThanThereIs: an upload that cannot be paid for is refused before it is read. What the credit of the
// moment buys is no bound.
func TestPutCostsNoMoreThanThereIs(t *testing.T) {
	b := uploadBench(t, 64<<20, 0)
	url := b.start(t)
	data := object(3 << 20)
	b.sessions.open["poor"] = &payer{&fakeSession{s: b.sessions}, 5, big.NewInt(28)}
	b.sessions.open["rich"] = &payer{&fakeSession{s: b.sessions}, 5, big.NewInt(29)} // 10,000 for a GiB
	doc := requireProblem(t, put(t, url, nameOf(data), unread{t}, int64(len(data)), "poor"), http.StatusPaymentRequired, "account-empty")
	require.Contains(t, doc, "credit")
	require.Zero(t, b.sessions.begun())
	require.Equal(t, http.StatusCreated, put(t, url, nameOf(data), bytes.NewReader(data), int64(len(data)), "rich").StatusCode)
}

// TestPutPlaces: neither an account nor an address can hold all places of uploads.
func TestPutPlaces(t *testing.T) {
	b := uploadBench(t, 64<<20, 0)
	url := b.start(t)
	for account := range uint64(3) {
		b.sessions.open[fmt.Sprint(account)] = &payer{&fakeSession{s: b.sessions}, account, big.NewInt(1_000_000)}
	}
	hold := make(chan struct{})
	defer close(hold)
	begin := func(account, n int) {
		t.Helper()
		before := b.sessions.begun()
		for i := range n {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/b3/"+nameOf([]byte{byte(account), byte(i)}).String(), io.MultiReader(waiting(hold)))
			require.NoError(t, err)
			r.ContentLength = 1000
			r.Header.Set("Authorization", fmt.Sprintf("Edge-Session %d", account))
			go func() {
				if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
					_ = resp.Body.Close()
				}
			}()
		}
		require.Eventually(t, func() bool { return b.sessions.begun() == before+n }, 10*time.Second, time.Millisecond)
	}
	refused := func(account, of string) {
		t.Helper()
		doc := requireProblem(t, put(t, url, nameOf([]byte("x")), unread{t}, 1000, account), http.StatusTooManyRequests, "overloaded")
		require.Contains(t, doc["detail"], of)
	}
	begin(0, 4)
	refused("0", "one account")
	begin(1, 4)
	refused("2", "one address")
}

// waiting is a body of which nothing comes until the channel is closed.
type waiting chan struct{}

func (w waiting) Read([]byte) (int, error) {
	<-w
	return 0, io.ErrUnexpectedEOF
}

// TestPutHasAFloorOfSpeed: whoever sends each step just in time holds no place for long.
func TestPutHasAFloorOfSpeed(t *testing.T) {
	b := uploadBench(t, 64<<20, 0, func(c *gateway.Config) { c.StepBytes, c.MinUploadBytesPerSecond = group, 16<<20 })
	b.start(t)
	data := object(1 << 20)
	c, err := net.Dial("tcp", b.Addr())
	require.NoError(t, err)
	defer c.Close()
	_, err = fmt.Fprintf(c, "PUT /b3/%s HTTP/1.1\r\nHost: w\r\nAuthorization: Edge-Session token\r\nContent-Length: %d\r\n\r\n", nameOf(data), len(data))
	require.NoError(t, err)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for i := 0; i < len(data); i += group {
			if _, err := c.Write(data[i : i+group]); err != nil {
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(30 * time.Millisecond):
			}
		}
	}()
	line, err := bufio.NewReader(c).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 408 Request Timeout", strings.TrimSpace(line))
}

// TestPutWaitsForCreditNotForEver: nor does who acknowledges a little now and then.
func TestPutWaitsForCreditNotForEver(t *testing.T) {
	b := uploadBench(t, 64<<20, 0, func(c *gateway.Config) {
		c.StepBytes, c.MinUploadBytesPerSecond, c.WriteTimeout = group, 64<<20, 50*time.Millisecond
	})
	b.sessions.limit = group
	url := b.start(t)
	data := object(1 << 20)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
			_, _ = b.sessions.Acknowledge(ctx, ackList(signed(group)))
		}
	}()
	doc := requireProblem(t, put(t, url, nameOf(data), bytes.NewReader(data), int64(len(data)), "token"), http.StatusRequestTimeout, "body-slow")
	require.Contains(t, doc["detail"], "waits for credit")
	require.Positive(t, doc["received_bytes"])
	require.EqualValues(t, 1, b.sessions.last().state()[2])
}

// secureUploads takes uploads in every protocol.
func secureUploads(t *testing.T, change func(*gateway.Config, *gateway.Deps)) *secure {
	t.Helper()
	return newSecureWith(t, func(c *gateway.Config, deps *gateway.Deps) {
		takeUploads(t, deps, 1<<30, 0)
		change(c, deps)
	}).begin(t)
}

// TestPutInEveryProtocol uploads over one connection, with a wait for credit that is longer than every deadline, and more than
// the windows of a stream and of a connection hold.
func TestPutInEveryProtocol(t *testing.T) {
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) {
			t.Parallel()
			const deadline = 250 * time.Millisecond
			s := secureUploads(t, func(c *gateway.Config, _ *gateway.Deps) {
				c.WriteTimeout, c.BodyTimeout, c.FirstByteTimeout, c.MinUploadBytesPerSecond = deadline, deadline, deadline, 1<<20
			})
			s.sessions.limit = 256 << 10
			client := s.client(t, proto)
			data := object(3<<20 + 5)
			name := nameOf(data)
			sent := make(chan *http.Response)
			go func() {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.url+"/b3/"+name.String(), bytes.NewReader(data))
				if err != nil {
					t.Error(err)
				}
				r.Header.Set("Authorization", "Edge-Session token")
				resp, err := client.Do(r)
				if err != nil {
					t.Error(err)
				}
				sent <- resp
			}()
			require.Eventually(t, func() bool { return s.sessions.waits.Load() > 0 }, patience, tick)
			select {
			case <-sent:
				t.Fatal("an answer without credit")
			case <-time.After(2 * deadline):
			}
			var resp *http.Response
			for resp == nil {
				select {
				case resp = <-sent:
				case <-time.After(tick):
					_, err := s.sessions.Acknowledge(t.Context(), ackList(signed(s.sessions.credit().UnacknowledgedBytes)))
					require.NoError(t, err)
				}
			}
			require.Equal(t, http.StatusCreated, resp.StatusCode, "%s", bodyOf(t, resp))
			require.Equal(t, proto, resp.Proto)
			require.Equal(t, fmt.Sprint(len(data)), resp.Header.Get("Edge-Payload-Bytes"))
			require.NoError(t, resp.Body.Close())
			require.Equal(t, [3]uint64{uint64(len(data)), 1, 0}, s.sessions.last().state())

			s.sessions.mu.Lock()
			s.sessions.limit = 1 << 40
			s.sessions.mu.Unlock()
			got := ask(t, client, http.MethodGet, s.url+"/b3/"+name.String(), nil, auth)
			require.Equal(t, data, bodyOf(t, got))
			got = ask(t, client, http.MethodPut, s.url+"/b3/"+name.String(), bytes.NewReader(data), auth)
			require.Equal(t, http.StatusOK, got.StatusCode)
			require.Contains(t, string(bodyOf(t, got)), `"existed":true`)
			other := ask(t, client, http.MethodPut, s.url+"/b3/"+nameOf([]byte("other")).String(), bytes.NewReader(data[:100]), auth)
			requireProblem(t, other, http.StatusUnprocessableEntity, "content-mismatch")
		})
	}
}

// TestPutThatBreaksOff: of an upload whose client goes away nothing is kept, what did not arrive is given back, and the same
// upload succeeds at once.
func TestPutThatBreaksOff(t *testing.T) {
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) {
			t.Parallel()
			s := secureUploads(t, func(*gateway.Config, *gateway.Deps) {})
			client := s.client(t, proto)
			data := object(2 << 20)
			name := nameOf(data)
			url := s.url + "/b3/" + name.String()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			body, more := io.Pipe()
			defer more.Close()
			go func() { _, _ = more.Write(data[:1<<20]) }()
			r, err := http.NewRequestWithContext(ctx, http.MethodPut, url, body)
			require.NoError(t, err)
			r.ContentLength = int64(len(data))
			r.Header.Set("Authorization", "Edge-Session token")
			done := make(chan struct{})
			go func() {
				defer close(done)
				if resp, err := client.Do(r); err == nil {
					t.Errorf("status %d", resp.StatusCode)
					_ = resp.Body.Close()
				}
			}()
			require.Eventually(t, func() bool { return s.metric(t, "edge_gateway_received_bytes_total") == 1<<20 }, patience, tick)
			cancel()
			require.Eventually(t, func() bool { return s.sessions.last().state() == [3]uint64{1 << 20, 0, 1} }, patience, tick)
			requireProblem(t, ask(t, client, http.MethodGet, url, nil, auth), http.StatusNotFound, "not-found")
			resp := ask(t, client, http.MethodPut, url, bytes.NewReader(data), auth)
			require.Equal(t, http.StatusCreated, resp.StatusCode, "%s", bodyOf(t, resp))
			require.Equal(t, data, bodyOf(t, ask(t, client, http.MethodGet, url, nil, auth)))
		})
	}
}
