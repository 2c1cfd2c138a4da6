package e2e_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/testutil/devnet"
)

// testCreditLimit lets one account take what it can with 100 sessions, 4 keys, all lanes, reconnects and restarts of the
// worker, and never acknowledge: the unpaid bytes stay within one credit limit.
func testCreditLimit(t *testing.T) {
	const sessions, keys = 100, 4
	n := shared.long.get(t)
	ctx := bounded(t, 3*time.Minute)
	c := newClient(ctx, t, n, 1_000_000)
	for len(c.KeyIDs) < keys {
		require.NoError(t, c.AddKey(ctx))
	}
	private := make([]ed25519.PrivateKey, keys)
	for i, id := range c.KeyIDs {
		var err error
		private[i], err = c.PrivateKey(id)
		require.NoError(t, err)
	}
	o, _ := object(ctx, t, n, 4<<20, 41)

	var received atomic.Int64
	var limit atomic.Pointer[string]
	phase := func() {
		var all sync.WaitGroup
		var opened, exhausted atomic.Int64
		for i := range sessions {
			all.Go(func() {
				l := leech{
					wire: newWire(t, n, fmt.Sprintf("127.0.1.%d", 1+i)), network: n, path: "/b3/" + o.Name,
					keyID: c.KeyIDs[i%keys], key: private[i%keys], lane: uint8(i / keys % ack.MaxLanes),
					received: &received, opened: &opened, exhausted: &exhausted, limit: &limit,
				}
				l.run(ctx, t)
			})
		}
		all.Wait()
		require.GreaterOrEqual(t, opened.Load(), int64(sessions))
		require.GreaterOrEqual(t, exhausted.Load(), int64(enoughRefusals))
	}
	phase()
	require.NoError(t, n.StopWorker(ctx))
	require.NoError(t, n.StartWorker(ctx))
	phase()
	require.NoError(t, n.KillWorker())
	require.NoError(t, n.StartWorker(ctx))
	phase()

	require.NotNil(t, limit.Load())
	credit, ok := new(big.Int).SetString(*limit.Load(), 10)
	require.True(t, ok)
	require.Equal(t, int64(creditBase), credit.Int64(), "a stranger gets the base")
	prices := ack.Prices{PerGiB: big.NewInt(10_000), PerGFuel: new(big.Int)}
	taken := uint64(received.Load())
	t.Logf("%d bytes taken, worth %s, limit %s", taken, prices.Price(taken, 0), credit)
	require.LessOrEqual(t, prices.Price(taken, 0).Cmp(credit), 0, "unpaid bytes exceed one credit limit")
	require.Greater(t, prices.Price(2*taken, 0).Cmp(credit), 0, "the limit was approached")
	paid, err := c.Balance(ctx)
	require.NoError(t, err)
	require.Equal(t, "1000000", paid.String(), "nothing was acknowledged, so nothing is paid")
}

// enoughRefusals is how often the worker must have said that the credit is used up before the leeches let go.
const enoughRefusals = 20

// leech takes what it can on one lane and pays nothing.
type leech struct {
	wire    *wire
	network *devnet.Network
	path    string
	keyID   uint64
	key     ed25519.PrivateKey
	lane    uint8
	// received counts bytes, opened sessions, exhausted answers that say that the credit is used up.
	received, opened, exhausted *atomic.Int64
	limit                       *atomic.Pointer[string]
}

// run opens sessions and reads until the worker refuses. A session that another one on its lane has ended, and a stream
// that was reset at the limit, is tried again with a new session.
func (l *leech) run(ctx context.Context, t *testing.T) {
	t.Helper()
	for first := true; first || l.exhausted.Load() < enoughRefusals; {
		if ctx.Err() != nil {
			t.Error(context.Cause(ctx))
			return
		}
		s, a, err := l.wire.open(ctx, l.network, l.keyID, l.key, l.lane)
		if err != nil || a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable {
			continue
		}
		if a.status != http.StatusCreated {
			t.Errorf("open: status %d: %s", a.status, a.body)
			return
		}
		first = false
		l.opened.Add(1)
		l.limit.Store(&s.Credit.Limit)
		for {
			status, header, body, err := l.wire.take(ctx, l.path, s.header(), l.received)
			if status == http.StatusPaymentRequired {
				var p problem
				if err := json.Unmarshal(body, &p); err != nil || p.Type != "https://edge.network/problems/credit-exhausted" || header.Get("Retry-After") == "" {
					t.Errorf("status 402, Retry-After %q: %s", header.Get("Retry-After"), body)
				}
				l.exhausted.Add(1)
				break
			}
			if err != nil || status != http.StatusOK {
				break
			}
		}
	}
}

// take reads an answer as far as it comes and counts its bytes.
func (w *wire) take(ctx context.Context, path string, header http.Header, received *atomic.Int64) (int, http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+path, http.NoBody)
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header = header
	res, err := w.http.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b, err := io.ReadAll(res.Body)
		return res.StatusCode, res.Header, b, err
	}
	count, err := io.Copy(io.Discard, res.Body)
	received.Add(count)
	return res.StatusCode, res.Header, nil, err
}
