package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/testutil/devnet"
)

// proxy stands between clients and a worker. It notes which acknowledgements the worker has answered with 2xx and can
// change what the worker sends.
type proxy struct {
	url string

	mu sync.Mutex
	// acked is the newest acknowledgement of each lane that was answered with 2xx.
	acked devnet.Signed
	// flip returns the offset of the byte to be flipped in the body of an answer, -1 for none.
	flip func(*http.Response) int64
}

type sentAcks struct{ list []ack.Signed }

type sentAcksKey struct{}

func newProxy(t *testing.T, n *devnet.Network) *proxy {
	t.Helper()
	target, err := url.Parse(n.WorkerURL())
	require.NoError(t, err)
	p := &proxy{acked: devnet.Signed{}}
	reverse := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		FlushInterval:  -1,
		ModifyResponse: p.answered,
		ErrorLog:       log.New(io.Discard, "", 0),
		// A worker that is gone is a connection that is gone.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if len(body) == 0 {
			r.Body = http.NoBody
		}
		r.ContentLength = int64(len(body))
		sent := &sentAcks{list: acksOf(r, body)}
		reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), sentAcksKey{}, sent)))
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// acksOf returns the acknowledgements that a request carries in its header or body.
func acksOf(r *http.Request, body []byte) []ack.Signed {
	var list []ack.Signed
	if text := r.Header.Get("Edge-Ack"); text != "" {
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
			if acks, err := ack.DecodeList(raw, 64); err == nil {
				list = append(list, acks...)
			}
		}
	}
	if strings.HasSuffix(r.URL.Path, "/v1/acks") {
		if acks, err := ack.DecodeList(body, 64); err == nil {
			list = append(list, acks...)
		}
	}
	return list
}

// answered notes acknowledgements that were taken, and flips what is to be flipped.
func (p *proxy) answered(res *http.Response) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sent, ok := res.Request.Context().Value(sentAcksKey{}).(*sentAcks); ok && res.StatusCode/100 == 2 {
		for _, a := range sent.list {
			if old, ok := p.acked[a.LaneID()]; !ok || a.Supersedes(&old.Ack) {
				p.acked[a.LaneID()] = a
			}
		}
	}
	if p.flip != nil {
		if at := p.flip(res); at >= 0 {
			res.Body = &flipper{body: res.Body, at: at}
		}
	}
	return nil
}

// flipper changes one bit of a stream.
type flipper struct {
	body io.ReadCloser
	at   int64
}

func (f *flipper) Read(b []byte) (int, error) {
	n, err := f.body.Read(b)
	if f.at >= 0 && f.at < int64(n) {
		b[f.at] ^= 0x10
		f.at = -1
	} else if f.at >= 0 {
		f.at -= int64(n)
	}
	return n, err
}

func (f *flipper) Close() error { return f.body.Close() }

// groupOffset returns where group k of n whole groups begins in a Bao stream: behind the length, the parents before it in
// pre-order, 64 bytes each, and the groups before it.
func groupOffset(n, k int64) int64 {
	offset := int64(8)
	for n > 1 {
		offset += 64
		left := int64(1)
		for left*2 < n {
			left *= 2
		}
		if k < left {
			n = left
			continue
		}
		offset += left*ack.GroupSize + (left-1)*64
		n, k = n-left, k-left
	}
	return offset
}

func TestGroupOffset(t *testing.T) {
	require.Equal(t, int64(8), groupOffset(1, 0))
	require.Equal(t, int64(8+64), groupOffset(2, 0))
	require.Equal(t, int64(8+64+ack.GroupSize), groupOffset(2, 1))
	// Three groups: root, then a parent over the first two, then the third alone.
	require.Equal(t, int64(8+128), groupOffset(3, 0))
	require.Equal(t, int64(8+128+2*ack.GroupSize), groupOffset(3, 2))
}
