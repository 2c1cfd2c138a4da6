package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/store"
)

// pausing says when it has taken all bytes of an upload, and stores them once the client has gone away.
type pausing struct {
	*store.Store
	whole chan struct{}
}

func (p *pausing) AddUpload(ctx context.Context, up store.Upload, r io.Reader) (store.Added, error) {
	return p.Store.AddUpload(ctx, up, &pausingReader{p: p, ctx: ctx, r: r, left: up.Size})
}

type pausingReader struct {
	p   *pausing
	ctx context.Context
	r   io.Reader
	// left is how many bytes are still to come.
	left int64
}

func (r *pausingReader) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if r.left -= int64(n); r.left == 0 && n > 0 {
		close(r.p.whole)
		<-r.ctx.Done()
	}
	return n, err
}

// TestPutWithoutAnAnswer cuts the connection after the last byte of an upload and before its answer. The object is kept and owed for
// once: the same upload finds it there, and costs nothing more.
func TestPutWithoutAnAnswer(t *testing.T) {
	for _, proto := range protocols {
		t.Run(proto, func(t *testing.T) {
			t.Parallel()
			slow := &pausing{whole: make(chan struct{})}
			s := secureUploads(t, func(_ *gateway.Config, deps *gateway.Deps) {
				slow.Store = deps.Store.(*store.Store)
				deps.Uploads.Store = slow
			})
			client := s.client(t, proto)
			data := object(2 << 20)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, http.MethodPut, s.url+"/b3/"+nameOf(data).String(), bytes.NewReader(data))
			require.NoError(t, err)
			r.Header.Set("Authorization", "Edge-Session token")
			go func() {
				<-slow.whole
				cancel()
			}()
			resp, err := client.Do(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			require.ErrorIs(t, err, context.Canceled)
			s.requirePaidOnce(t, client, data)
		})
	}
}

// TestPutWhoseAnswerIsLost sends all of an upload and does not wait for the answer, which the worker gives to nobody.
func TestPutWhoseAnswerIsLost(t *testing.T) {
	b := uploadBench(t, 64<<20, 0)
	url := b.start(t)
	data := object(600 << 10)
	c, err := net.Dial("tcp", b.Addr())
	require.NoError(t, err)
	_, err = fmt.Fprintf(c, "PUT /b3/%s HTTP/1.1\r\nHost: w\r\nAuthorization: Edge-Session token\r\nContent-Length: %d\r\n\r\n%s", nameOf(data), len(data), data)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_uploads_total") == 1 }, patience, tick)
	require.NoError(t, c.Close())
	(&secure{bench: b, url: url}).requirePaidOnce(t, http.DefaultClient, data)
}

// requirePaidOnce expects of an upload whose client had no answer that it is whole and was billed, and that the next one is not.
func (s *secure) requirePaidOnce(t *testing.T, client *http.Client, data []byte) {
	t.Helper()
	once := [3]uint64{uint64(len(data)), 1, 0}
	require.Eventually(t, func() bool { return s.sessions.last().state() == once }, patience, tick)
	url := s.url + "/b3/" + nameOf(data).String()
	again := ask(t, client, http.MethodPut, url, bytes.NewReader(data), auth)
	require.Equal(t, http.StatusOK, again.StatusCode)
	require.Contains(t, string(bodyOf(t, again)), `"existed":true`)
	require.Equal(t, 1, s.sessions.begun())
	require.EqualValues(t, len(data), s.sessions.credit().UnacknowledgedBytes)
	require.Equal(t, data, bodyOf(t, ask(t, client, http.MethodGet, url, nil)))
}
