package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/testutil/devnet"
)

// testFlippedByte has a proxy flip one byte in group k of a real stream. The file holds k whole groups, the last
// acknowledgement says k x 16 KiB, and the debit is its price.
func testFlippedByte(t *testing.T) {
	const groups, k = 2048, 1500
	n := shared.long.get(t)
	ctx := bounded(t, 2*time.Minute)
	c := newClient(ctx, t, n, 10_000_000)
	o, content := object(ctx, t, n, groups*ack.GroupSize, 21)
	p := newProxy(t, n)
	p.flip = func(res *http.Response) int64 {
		if res.Header.Get("Content-Type") != "application/vnd.edge.bao" {
			return -1
		}
		return groupOffset(groups, k) + 5_000
	}
	before, err := c.Balance(ctx)
	require.NoError(t, err)

	file := filepath.Join(t.TempDir(), "object")
	_, err = c.Get(ctx, o.Name, file, "--worker", p.url)
	var failed *devnet.CommandError
	require.True(t, errors.As(err, &failed), "%v", err)
	require.Equal(t, 1, failed.ExitCode())
	require.Contains(t, failed.Stderr, p.url, "the message names the worker")
	require.Contains(t, failed.Stderr, fmt.Sprintf("worker %d", n.WorkerID))
	require.Contains(t, failed.Stderr, fmt.Sprintf("group %d ", k))
	require.NoFileExists(t, file)
	part, err := os.ReadFile(file + ".part")
	require.NoError(t, err)
	require.Len(t, part, k*ack.GroupSize)
	require.True(t, bytes.Equal(content[:k*ack.GroupSize], part), "every byte that is kept is right")

	signed := devnet.Signed{}
	require.NoError(t, signed.Collect(c.Home))
	require.Len(t, signed, 1)
	require.Equal(t, uint64(k*ack.GroupSize), signed.Bytes())
	require.Zero(t, signed.Requests(), "the request did not finish")
	price, err := signed.Price(ctx, n.Chain)
	require.NoError(t, err)
	require.True(t, price.IsPositive())
	requireDebit(ctx, t, n, c, before, price)

	// The honest way, the rest is fetched and paid for, and nothing twice.
	_, err = c.Get(ctx, o.Name, file)
	require.NoError(t, err)
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, whole))
	require.NoError(t, signed.Collect(c.Home))
	require.Equal(t, uint64(groups*ack.GroupSize), signed.Bytes())
	price, err = signed.Price(ctx, n.Chain)
	require.NoError(t, err)
	requireDebit(ctx, t, n, c, before, price)
}
