package gateway_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/gateway"
)

// spoken is what a log said.
type spoken struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// TestTLSToPlainPort: whoever speaks TLS to the listener without it is told at once, and not only when its header is late, and the
// operator is told once.
func TestTLSToPlainPort(t *testing.T) {
	var said spoken
	b := newBench(t, func(c *gateway.Config, deps *gateway.Deps) {
		c.HeaderTimeout = time.Hour
		deps.Log = slog.New(slog.NewTextHandler(&said, nil))
	})
	b.start(t)
	client := &http.Client{Timeout: patience}
	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+b.Addr()+"/healthz", http.NoBody)
		require.NoError(t, err)
		resp, err := client.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		require.ErrorContains(t, err, "server gave HTTP response to HTTPS client")
	}
	require.Equal(t, 1, strings.Count(said.String(), "spoke TLS"), said.String())
	require.Contains(t, said.String(), "gateway.tls_cert_file")

	conn := dial(t, b)
	_, err := conn.Write([]byte{0x16})
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(answer), "HTTP/1.0 400 Bad Request\r\n")
	require.Contains(t, string(answer), "use http://")
}

// TestBodyThatLooksLikeTLS: only the first byte of a connection says what it speaks.
func TestBodyThatLooksLikeTLS(t *testing.T) {
	b := uploadBench(t, 64<<20, 0)
	url := b.start(t)
	data := append([]byte{0x16, 3, 1}, object(1000)...)
	resp := put(t, url, nameOf(data), bytes.NewReader(data), int64(len(data)), "token")
	require.Equal(t, http.StatusCreated, resp.StatusCode, "%s", bodyOf(t, resp))
}
