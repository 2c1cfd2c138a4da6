package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/origin"
	"github.com/edgechain/edge/worker/store"
)

// fill is an origin.
type fill func(context.Context, content.Name) error

func (f fill) Fill(ctx context.Context, name content.Name) error { return f(ctx, name) }

func TestOrigin(t *testing.T) {
	data := []byte("what an origin has")
	name := content.Name(blake3.Sum256(data))
	asked := 0
	var b *bench
	b = newBench(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Origin = fill(func(ctx context.Context, got content.Name) error {
			asked++
			require.Equal(t, name, got)
			_, err := b.store.AddNamed(ctx, got, bytes.NewReader(data))
			return err
		})
	})
	for range 2 {
		r := b.get(t, "/b3/"+name.String())
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.Equal(t, data, bodyOf(t, r))
	}
	require.Equal(t, 1, asked)
}

func TestOriginFails(t *testing.T) {
	for err, want := range map[error]struct {
		status int
		kind   string
	}{
		store.ErrNotFound:     {http.StatusNotFound, "not-found"},
		origin.ErrUnavailable: {http.StatusBadGateway, "origin-failed"},
		origin.ErrMismatch:    {http.StatusBadGateway, "origin-failed"},
		origin.ErrTooLarge:    {http.StatusBadGateway, "origin-failed"},
		origin.ErrTimeout:     {http.StatusGatewayTimeout, "origin-slow"},
		origin.ErrBusy:        {http.StatusServiceUnavailable, "origin-busy"},
		origin.ErrStopped:     {http.StatusServiceUnavailable, "stopping"},
		origin.ErrNoRoom:      {http.StatusInsufficientStorage, "no-room"},
	} {
		b := newBench(t, func(_ *gateway.Config, d *gateway.Deps) {
			d.Origin = fill(func(context.Context, content.Name) error { return fmt.Errorf("%w: why", err) })
		})
		r := b.get(t, "/b3/"+content.EmptyName.String())
		require.Equal(t, want.status == http.StatusServiceUnavailable, r.Header.Get("Retry-After") != "")
		requireProblem(t, r, want.status, want.kind)
	}
}

// TestOriginsOfWorkers: a request that another worker makes for an origin must not come back to it.
func TestOriginsOfWorkers(t *testing.T) {
	o, err := origin.New(func() origin.Config {
		cfg := origin.DefaultConfig()
		cfg.Workers = []string{"http://192.0.2.1"}
		return cfg
	}(), origin.Deps{Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	require.NoError(t, err)
	b := newBench(t, func(_ *gateway.Config, d *gateway.Deps) { d.Origin = o })
	// It was not started: whoever gets as far as to ask a worker is told so.
	requireProblem(t, b.get(t, "/b3/"+content.EmptyName.String()), http.StatusServiceUnavailable, "stopping")
	requireProblem(t, b.get(t, "/b3/"+content.EmptyName.String(), "CDN-Loop: edge-worker"), http.StatusNotFound, "not-found")
}

// TestOriginIsNotAskedForNothing: who could not be served what an origin has makes the worker ask for nothing.
func TestOriginIsNotAskedForNothing(t *testing.T) {
	asked := 0
	lacks := func(cfg *gateway.Config, d *gateway.Deps) {
		cfg.FreeQuotaBytes = 20_000
		d.Origin = fill(func(_ context.Context, name content.Name) error {
			asked++
			return fmt.Errorf("%w: %s", store.ErrNotFound, name)
		})
	}
	b := newBench(t, lacks)
	path := "/b3/" + nameOf([]byte("unknown")).String()
	require.Equal(t, http.StatusNotFound, b.do(t, http.MethodHead, path, nil).StatusCode)
	require.Equal(t, http.StatusNotFound, b.do(t, http.MethodHead, path, nil, auth).StatusCode)
	require.Equal(t, http.StatusNotFound, b.do(t, http.MethodHead, path+"/index.html", nil).StatusCode)
	require.Zero(t, asked, "HEAD fetches nothing")

	requireProblem(t, b.get(t, path), http.StatusNotFound, "not-found")
	require.Equal(t, 1, asked)
	require.Equal(t, http.StatusOK, b.get(t, "/b3/"+b.add(t, object(20_000)).String()).StatusCode, "asking took nothing of the quota")
	requireProblem(t, b.get(t, path), http.StatusPaymentRequired, "session-required")
	requireProblem(t, b.get(t, path+"/index.html"), http.StatusPaymentRequired, "session-required")
	requireProblem(t, b.get(t, path, "Authorization: Edge-Session none"), http.StatusUnauthorized, "session-unknown")
	b.sessions.limit, b.sessions.claim = 100, 100
	requireProblem(t, b.get(t, path, auth), http.StatusPaymentRequired, "credit-exhausted")
	b.sessions.limit, b.sessions.claim = 0, 0
	requireProblem(t, b.get(t, path, auth), http.StatusPaymentRequired, "account-empty")
	require.Equal(t, 1, asked)
	b.sessions.limit = 100
	requireProblem(t, b.get(t, path, auth), http.StatusNotFound, "not-found")
	require.Equal(t, 2, asked)

	asked = 0
	b = newBench(t, lacks)
	for asked < 256<<20/(16<<10) {
		before := asked
		require.Equal(t, http.StatusNotFound, b.get(t, path).StatusCode)
		require.Equal(t, before+1, asked)
	}
	requireProblem(t, b.get(t, path), http.StatusTooManyRequests, "overloaded")
	require.Equal(t, 256<<20/(16<<10), asked, "an address cannot have names asked for as often as it likes")
	requireProblem(t, b.get(t, path, auth), http.StatusNotFound, "not-found")
}

// TestOriginTakesTurns: one address cannot fill the queue of the origins.
func TestOriginTakesTurns(t *testing.T) {
	const most = 16
	var running, highest atomic.Int32
	hold := make(chan struct{})
	b := newBench(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Origin = fill(func(_ context.Context, name content.Name) error {
			n := running.Add(1)
			defer running.Add(-1)
			for old := highest.Load(); n > old && !highest.CompareAndSwap(old, n); {
				old = highest.Load()
			}
			<-hold
			return fmt.Errorf("%w: %s", store.ErrNotFound, name)
		})
	})
	for _, header := range [][]string{nil, {auth}} {
		highest.Store(0)
		hold = make(chan struct{})
		var requests sync.WaitGroup
		for i := range 3 * most {
			requests.Go(func() {
				if r := b.get(t, "/b3/"+nameOf([]byte{byte(i)}).String(), header...); r.StatusCode != http.StatusNotFound {
					t.Errorf("status %d", r.StatusCode)
				}
			})
		}
		require.Eventually(t, func() bool { return running.Load() == most }, 10*time.Second, time.Millisecond)
		close(hold)
		requests.Wait()
		require.EqualValues(t, most, highest.Load())
	}
}

// TestLeavingOriginsCosts: who asks for a name without a session and leaves, while the fetch goes on, does so a bounded number
// of times.
func TestLeavingOriginsCosts(t *testing.T) {
	var leave context.CancelFunc
	asked := 0
	b := newBench(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Origin = fill(func(ctx context.Context, _ content.Name) error {
			asked++
			leave()
			<-ctx.Done()
			return ctx.Err()
		})
	})
	const most = 256 / 4
	for i := range 2 * most {
		ctx, cancel := context.WithCancel(t.Context())
		leave = cancel
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/b3/"+nameOf([]byte{byte(i)}).String(), nil)
		w := httptest.NewRecorder()
		func() {
			defer func() { _ = recover() }() // nobody is there to answer
			b.ServeHTTP(w, r)
		}()
		if i >= most {
			require.Equal(t, http.StatusTooManyRequests, w.Code)
		}
		cancel()
	}
	require.LessOrEqual(t, asked, most)
	require.Greater(t, asked, most/2)
}
