package gateway_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/edgechain/edge/worker/gateway"
)

// cutStream asks over HTTP/2 with a window of the stream that is one byte too small, reads all that fits and resets the stream.
func cutStream(t *testing.T, s *secure, path string, window int, header ...string) {
	t.Helper()
	cfg := s.tls()
	cfg.NextProtos = []string{"h2"}
	conn, err := (&tls.Dialer{Config: cfg}).DialContext(t.Context(), "tcp", s.Addr())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	framer := http2.NewFramer(conn, conn)
	require.NoError(t, framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(window)}))
	require.NoError(t, framer.WriteWindowUpdate(0, 1<<28))
	var fields bytes.Buffer
	encoder := hpack.NewEncoder(&fields)
	for _, line := range append([]string{":method: GET", ":scheme: https", ":authority: 127.0.0.1", ":path: " + path}, header...) {
		name, value, _ := strings.Cut(line[1:], ": ")
		require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: line[:1] + name, Value: value}))
	}
	require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields.Bytes(), EndStream: true, EndHeaders: true}))
	for got := 0; got < window; {
		f, err := framer.ReadFrame()
		require.NoError(t, err)
		switch f := f.(type) {
		case *http2.DataFrame:
			got += len(f.Data())
		case *http2.SettingsFrame:
			if !f.IsAck() {
				require.NoError(t, framer.WriteSettingsAck())
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			require.Fail(t, "the worker ended it", "%v", f)
		}
	}
	require.NoError(t, framer.WriteRSTStream(1, http2.ErrCodeCancel))
}

// A client that resets a stream has what its window took, and pays for it.
func TestStreamIsCutByItsWindow(t *testing.T) {
	const groups = 16
	s := newSecure(t, func(*gateway.Config) {}).begin(t)
	name := s.add(t, object(groups*group)).String()
	for _, form := range []string{"plain", "bao"} {
		before := s.sessions.last()
		cutStream(t, s, "/b3/"+name+"?format="+form, groups*group-1, "authorization: Edge-Session token")
		require.NotSame(t, before, s.sessions.last(), form)
		require.Eventually(t, func() bool {
			return s.sessions.last().state()[2] == 1
		}, 10*time.Second, 5*time.Millisecond, form)
		require.EqualValues(t, groups*group, s.sessions.last().state()[0], form)
	}
	// What strangers get for nothing is spent likewise: 16 MiB for an address.
	const strangers = 16 << 20 / (groups * group)
	for range strangers {
		cutStream(t, s, "/b3/"+name+"?format=plain", groups*group-1)
	}
	require.Eventually(t, func() bool {
		return s.metric(t, "edge_gateway_aborted_answers_total") == 2+strangers
	}, 10*time.Second, 5*time.Millisecond)
	require.Equal(t, http.StatusPaymentRequired, ask(t, s.client(t, "HTTP/2.0"), "GET", s.url+"/b3/"+name, nil).StatusCode)
}
