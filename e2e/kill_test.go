package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/testutil/devnet"
)

// testKilledWorker kills the worker 20 times at random moments while clients fetch. Every acknowledgement that was answered
// with 2xx must be paid, and nothing twice.
func testKilledWorker(t *testing.T) {
	const kills, fetchers = 20, 2
	n := shared.long.get(t)
	ctx := bounded(t, 5*time.Minute)
	c := newClient(ctx, t, n, 100_000_000)
	o, _ := object(ctx, t, n, 32<<20, 31)
	before, err := c.Balance(ctx)
	require.NoError(t, err)
	ledgerBefore, err := n.WaitDrained(ctx)
	require.NoError(t, err)
	p := newProxy(t, n)

	var fetching sync.WaitGroup
	stop := make(chan struct{})
	var done, failed atomic.Int64
	for i := range fetchers {
		dir := t.TempDir()
		fetching.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-stop:
					return
				default:
				}
				// A fetch may give a worker up that dies under it again and again; the next one goes on.
				if _, err := c.Get(ctx, o.Name, filepath.Join(dir, fmt.Sprintf("%d-%d", i, round)), "--worker", p.url); err != nil {
					failed.Add(1)
				} else {
					done.Add(1)
				}
			}
		})
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range kills {
		wait(ctx, t, time.Duration(random.Int64N(int64(time.Second))))
		require.NoError(t, n.KillWorker())
		require.NoError(t, n.StartWorker(ctx))
	}
	close(stop)
	fetching.Wait()
	t.Logf("%d fetches whole, %d given up", done.Load(), failed.Load())
	require.Positive(t, done.Load())

	ledger, err := n.WaitDrained(ctx)
	require.NoError(t, err)
	require.Equal(t, ledger.Acknowledged.String(), ledger.Settled.Add(ledger.Refused).String())
	require.Equal(t, ledgerBefore.Refused.String(), ledger.Refused.String(), "nothing was refused")

	signed := devnet.Signed{}
	require.NoError(t, signed.Collect(c.Home))
	prices := map[ack.LaneID]math.Int{}
	p.mu.Lock()
	defer p.mu.Unlock()
	require.NotEmpty(t, p.acked)
	total := math.ZeroInt()
	for _, key := range c.KeyIDs {
		for _, lane := range lanesOf(ctx, t, n, 1, key) {
			id := ack.LaneID{Epoch: 1, KeyID: key, ServiceID: lane.ServiceId, Lane: uint8(lane.Lane)}
			one := devnet.Signed{id: ack.Signed{Ack: ack.Ack{Epoch: 1, Bytes: lane.Bytes}}}
			price, err := one.Price(ctx, n.Chain)
			require.NoError(t, err)
			require.Equal(t, price.String(), lane.Paid.String(), "lane %+v is paid for what it was acknowledged for, once", id)
			require.LessOrEqual(t, lane.Bytes, signed[id].Bytes, "nothing is paid that the client has not signed")
			total = total.Add(lane.Paid)
			prices[id] = price
			if a, ok := p.acked[id]; ok {
				require.GreaterOrEqual(t, lane.Bytes, a.Bytes, "lane %+v: an acknowledgement that was answered with 2xx was lost", id)
				require.GreaterOrEqual(t, lane.Requests, a.Requests)
			}
		}
	}
	for id := range p.acked {
		require.Contains(t, prices, id, "a lane that was acknowledged is not on the chain")
	}
	require.True(t, total.IsPositive())
	requireDebit(ctx, t, n, c, before, total)
}

// wait lets a random time pass: the moment of the crash is what the test is about.
func wait(ctx context.Context, t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-ctx.Done():
		t.Fatal(context.Cause(ctx))
	case <-time.After(d):
	}
}
