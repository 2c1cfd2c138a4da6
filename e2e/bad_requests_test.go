package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// testBadRequests asks a real worker for what it must refuse.
func testBadRequests(t *testing.T) {
	n := shared.long.get(t)
	ctx := bounded(t, 2*time.Minute)
	o, content := object(ctx, t, n, 1<<20, 11)

	t.Run("unknown name", func(t *testing.T) {
		w := newWire(t, n, "127.0.0.11")
		w.get(ctx, t, "/b3/"+strings.Repeat("ab", 32), nil).problem(t, http.StatusNotFound, "not-found")
	})
	t.Run("no name", func(t *testing.T) {
		w := newWire(t, n, "127.0.0.11")
		w.get(ctx, t, "/b3/nonsense", nil).problem(t, http.StatusBadRequest, "bad-request")
	})
	t.Run("range outside of the object", func(t *testing.T) {
		w := newWire(t, n, "127.0.0.12")
		a := w.get(ctx, t, "/b3/"+o.Name, http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", o.Size, o.Size+10)}})
		a.problem(t, http.StatusRequestedRangeNotSatisfiable, "range-not-satisfiable")
		require.Equal(t, fmt.Sprintf("bytes */%d", o.Size), a.header.Get("Content-Range"))
	})
	t.Run("beyond the free quota", func(t *testing.T) {
		w := newWire(t, n, "127.0.0.13")
		a := w.get(ctx, t, "/b3/"+o.Name, http.Header{"Range": {fmt.Sprintf("bytes=0-%d", freeQuota-1)}})
		require.Equal(t, http.StatusPartialContent, a.status)
		require.True(t, bytes.Equal(content[:freeQuota], a.body))
		p := w.get(ctx, t, "/b3/"+o.Name, http.Header{"Range": {"bytes=0-0"}}).problem(t, http.StatusPaymentRequired, "session-required")
		require.Equal(t, "10000", p.PricePerGib)
		require.Equal(t, "uusd", p.SettlementDenom)
		require.Contains(t, p.How, "edge account open")
		require.Positive(t, p.RetryAfter)
		// Another address has a quota of its own.
		require.Equal(t, http.StatusPartialContent, newWire(t, n, "127.0.0.14").get(ctx, t, "/b3/"+o.Name, http.Header{"Range": {"bytes=0-0"}}).status)
	})
	t.Run("token of nobody", func(t *testing.T) {
		w := newWire(t, n, "127.0.0.15")
		w.get(ctx, t, "/b3/"+o.Name, session{Token: strings.Repeat("00", 32)}.header()).problem(t, http.StatusUnauthorized, "session-unknown")
	})
	t.Run("overloaded", func(t *testing.T) {
		overload(ctx, t, n.Ports.Worker)
		// The last of it is gone when the worker answers again.
		w := newWire(t, n, "127.0.0.17")
		require.Eventually(t, func() bool { return w.get(ctx, t, "/v1/worker", nil).status == http.StatusOK }, 30*time.Second, 50*time.Millisecond)
	})
}

// overload holds as many connections as the worker serves and expects the next one to be told so.
func overload(ctx context.Context, t *testing.T, port int) {
	t.Helper()
	for range maxConnections {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.16")}}
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		require.NoError(t, err)
		defer conn.Close()
	}
	w := newWire(t, shared.long.get(t), "127.0.0.17")
	var last answer
	require.Eventually(t, func() bool {
		last = w.get(ctx, t, "/v1/worker", nil)
		w.http.CloseIdleConnections()
		return last.status == http.StatusTooManyRequests
	}, 20*time.Second, 20*time.Millisecond)
	last.problem(t, http.StatusTooManyRequests, "overloaded")
	seconds, err := strconv.Atoi(last.header.Get("Retry-After"))
	require.NoError(t, err)
	require.Positive(t, seconds)
}
