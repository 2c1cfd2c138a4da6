package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

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
