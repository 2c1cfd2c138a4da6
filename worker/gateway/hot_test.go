package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/gateway"
)

// TestDeletedContentIsGone: memory does not outlive the store.
func TestDeletedContentIsGone(t *testing.T) {
	b := newBench(t)
	url := b.start(t)
	for _, size := range []int{100, 300 << 10} {
		data := object(size)
		name := b.add(t, data)
		for range 2 {
			r, err := fetch(t, url+"/b3/"+name.String())
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, bodyOf(t, r)))
		}
		require.NotZero(t, b.store.Stats().HotHits)
		require.NoError(t, b.store.Delete(name))
		r, err := fetch(t, url+"/b3/"+name.String())
		require.NoError(t, err)
		requireProblem(t, r, 404, "not-found")
	}
}

// TestRangesFromMemoryAndFiles asks a real listener for random ranges of small and large objects in both forms, each over a
// connection of its own.
func TestRangesFromMemoryAndFiles(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) {
		c.FreeQuotaBytes, c.FreeQuotaTotalBytes, c.NewConnectionsPerSecond = 1<<50, 1<<50, 0
	})
	url := b.start(t)
	objects := map[content.Name][]byte{}
	for _, size := range []int{1, group + 1, 3*group + 77, 1<<20 + 12_345, 6<<20 + 1} {
		data := object(size)
		objects[b.add(t, data)] = data
	}
	rapid.Check(t, func(r *rapid.T) {
		for name, data := range objects {
			from := rapid.IntRange(0, len(data)-1).Draw(r, "from")
			to := rapid.IntRange(from, len(data)-1).Draw(r, "to")
			line := fmt.Sprintf("Range: bytes=%d-%d", from, to)
			if rapid.Bool().Draw(r, "whole") {
				line, from, to = "Accept: */*", 0, len(data)-1
			}
			res, err := fetch(t, url+"/b3/"+name.String(), line)
			require.NoError(r, err)
			require.EqualValues(r, to+1-from, res.ContentLength)
			got, err := io.ReadAll(res.Body)
			require.NoError(r, err)
			require.NoError(r, res.Body.Close())
			require.True(r, bytes.Equal(data[from:to+1], got), "%d bytes from %d of %d", to+1-from, from, len(data))
			if rapid.Bool().Draw(r, "bao") {
				res, err := fetch(t, url+"/b3/"+name.String()+"?format=bao", line)
				require.NoError(r, err)
				var out bytes.Buffer
				_, err = content.DecodeSlice(&out, res.Body, name, uint64(from), uint64(to+1-from), content.MaxSize)
				require.NoError(r, err)
				require.NoError(r, res.Body.Close())
				require.True(r, bytes.Equal(data[from:to+1], out.Bytes()))
			}
		}
	})
}

// TestPipelinedRequests: several requests in one packet are answered in order, whatever way their bodies go.
func TestPipelinedRequests(t *testing.T) {
	b := newBench(t)
	b.start(t)
	bodies := [][]byte{object(10), object(200 << 10), object(30_000), object(500 << 10), {}}
	names := make([]content.Name, len(bodies))
	for i, body := range bodies {
		names[i] = b.add(t, body)
	}
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	var requests bytes.Buffer
	for range 2 {
		for _, name := range names {
			fmt.Fprintf(&requests, "GET /b3/%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
		}
	}
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(requests.Bytes())
		sent <- err
	}()
	reader := bufio.NewReader(c)
	for range 2 {
		for _, body := range bodies {
			r, err := http.ReadResponse(reader, nil)
			require.NoError(t, err)
			require.Equal(t, 200, r.StatusCode)
			require.True(t, bytes.Equal(body, bodyOf(t, r)))
		}
	}
	require.NoError(t, <-sent)
}

// TestSlowReadersShareAFile: clients that take nothing hold no file of their own, and no bytes of the object in memory.
func TestSlowReadersShareAFile(t *testing.T) {
	const clients = 40
	size := 16 << 20
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.FreeQuotaBytes, c.FreeQuotaTotalBytes = 1<<40, 1<<40 })
	url := b.start(t)
	data := object(size)
	name := b.add(t, data)
	r, err := fetch(t, url+"/b3/"+name.String()) // from now on it is verified
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, bodyOf(t, r)))
	var open []net.Conn
	for range clients {
		c := dial(t, b)
		_, err := fmt.Fprintf(c, "GET /b3/%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
		require.NoError(t, err)
		first := make([]byte, 12)
		_, err = io.ReadFull(c, first)
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 200", string(first))
		open = append(open, c)
	}
	require.GreaterOrEqual(t, b.metric(t, "edge_gateway_requests_in_flight"), float64(clients))
	require.EqualValues(t, 1, b.store.Stats().OpenFiles)
	require.Zero(t, b.store.Stats().HotBytes)
	for _, c := range open {
		require.NoError(t, c.Close())
	}
	require.Eventually(t, func() bool { return b.metric(t, "edge_gateway_requests_in_flight") == 0 }, patience, tick)
}
