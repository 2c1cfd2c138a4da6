package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/gateway"
)

// TestHTTP3Shutdown stops the worker while a request that the drain does not wait for is under way. It comes to its end, later ones
// on the connection are refused as not begun, and the connection ends without an error.
func TestHTTP3Shutdown(t *testing.T) {
	s := newSecure(t, func(c *gateway.Config) { c.DrainGrace = 30 * time.Second })
	require.NoError(t, s.Start(t.Context()))
	s.url = "https://" + s.Addr()
	conn, err := dialQUIC(t, s)
	require.NoError(t, err)
	client := (&http3.Transport{}).NewClientConn(conn)

	body, write := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/acks", body)
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/vnd.edge.ack")
	answers := make(chan error, 1)
	go func() {
		answer, err := client.RoundTrip(r)
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
		}
		answers <- err
	}()
	_, err = io.WriteString(write, strings.Repeat("x", 10))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.metric(t, "edge_gateway_requests_in_flight") == 1 }, patience, tick)

	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(t.Context()) }()
	require.Eventually(t, func() bool {
		// What is begun now was not seen by anybody.
		stream, err := conn.OpenStream()
		if err != nil {
			return false
		}
		_, _ = stream.Write([]byte{1, 1})
		_ = stream.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, err = stream.Read(make([]byte, 1))
		stream.CancelWrite(0)
		var reset *quic.StreamError
		return errors.As(err, &reset) && reset.Remote && reset.ErrorCode == quic.StreamErrorCode(http3.ErrCodeRequestRejected)
	}, patience, tick)
	require.NoError(t, conn.Context().Err(), "the connection lasts as long as the request")
	require.NoError(t, write.Close())
	require.NoError(t, <-answers, "a request under way is answered whole")
	require.NoError(t, <-stopped)
	<-conn.Context().Done()
	var ended *quic.ApplicationError
	require.ErrorAs(t, context.Cause(conn.Context()), &ended)
	require.Equal(t, quic.ApplicationErrorCode(http3.ErrCodeNoError), ended.ErrorCode)
	require.True(t, ended.Remote)
}
