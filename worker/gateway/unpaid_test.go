package gateway_test

import (
	"bufio"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/gateway"
)

// TestUnpaidRequestsLeaveRoom: whoever asks without a session, or with a token that opens none, and does not read holds half of
// the places at most.
func TestUnpaidRequestsLeaveRoom(t *testing.T) {
	for what, header := range map[string]string{"no token": "X-Nothing: 1", "a wrong token": "Authorization: Edge-Session wrong"} {
		t.Run(what, func(t *testing.T) {
			b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) {
				c.MaxRequests, c.StepBytes, c.FreeQuotaBytes, c.FreeQuotaTotalBytes = 4, group, 1<<40, 1<<40
			})
			url := b.start(t)
			// More than the buffers of a connection hold.
			large, small := b.add(t, object(64<<20)), b.add(t, object(group))
			for range 2 {
				_, err := fmt.Fprintf(dial(t, b), "GET /b3/%s HTTP/1.1\r\nHost: x\r\nX-Nothing: 1\r\n\r\n", large)
				require.NoError(t, err)
			}
			require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_requests_in_flight") == 2 }, patience, tick)
			refused := dial(t, b)
			_, err := fmt.Fprintf(refused, "GET /b3/%s HTTP/1.1\r\nHost: x\r\n%s\r\nRange: bytes=0-99\r\n\r\n", large, header)
			require.NoError(t, err)
			r, err := http.ReadResponse(bufio.NewReader(refused), nil)
			require.NoError(t, err)
			requireProblem(t, r, 429, "overloaded")
			r, err = fetch(t, url+"/b3/"+small.String(), auth)
			require.NoError(t, err)
			require.Equal(t, 200, r.StatusCode)
			require.Len(t, bodyOf(t, r), group)
		})
	}
}
