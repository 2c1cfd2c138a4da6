package origin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"
	"lukechampine.com/blake3/bao"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/origin"
	"github.com/edgechain/edge/worker/store"
)

// object returns bytes and their name.
func object(size int) ([]byte, content.Name) {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(b)
	return b, content.Name(blake3.Sum256(b))
}

// fixture has a real store.
type fixture struct {
	*origin.Origins
	store    *store.Store
	registry *prometheus.Registry
}

func newFixture(t *testing.T, change func(*origin.Config)) *fixture {
	t.Helper()
	s, err := store.Open(store.DefaultConfig(t.TempDir()), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	cfg := origin.DefaultConfig()
	cfg.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	cfg.Linger = 0
	change(&cfg)
	f := &fixture{store: s, registry: prometheus.NewPedanticRegistry()}
	f.Origins, err = origin.New(cfg, origin.Deps{Store: s, Log: slog.New(slog.DiscardHandler), Metrics: f.registry})
	require.NoError(t, err)
	require.NoError(t, f.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, f.Stop(context.Background())) })
	return f
}

// metric returns the sum of a metric's values.
func (f *fixture) metric(t *testing.T, name string, labels ...string) (sum float64) {
	t.Helper()
	families, err := f.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			var got []string
			for _, l := range m.GetLabel() {
				got = append(got, l.GetValue())
			}
			if len(labels) == 0 || fmt.Sprint(labels) == fmt.Sprint(got) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func (f *fixture) requireStored(t *testing.T, want []byte, name content.Name) {
	t.Helper()
	o, err := f.store.Open(name)
	require.NoError(t, err)
	got, err := io.ReadAll(o.Data())
	require.NoError(t, err)
	require.NoError(t, o.Close())
	require.True(t, bytes.Equal(want, got))
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// files serves bytes at /{name}.
func files(objects ...[]byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, b := range objects {
			if name := content.Name(blake3.Sum256(b)); r.URL.Path == "/"+name.String() || r.URL.Path == "/"+name.CID() {
				_, _ = w.Write(b)
				return
			}
		}
		http.NotFound(w, r)
	}
}

// baoOf returns the verified stream of bytes.
func baoOf(t *testing.T, b []byte) []byte {
	t.Helper()
	encoded, _ := bao.EncodeBuf(b, content.Group, false)
	return encoded
}

func TestHTTP(t *testing.T) {
	b, name := object(300_000)
	empty, emptyName := object(0)
	for _, template := range []string{"/{name}", "/{cid}"} {
		base := serve(t, files(b, empty))
		f := newFixture(t, func(c *origin.Config) { c.HTTP = []string{base + template} })
		require.NoError(t, f.Fill(t.Context(), name))
		f.requireStored(t, b, name)
		require.NoError(t, f.Fill(t.Context(), emptyName))
		f.requireStored(t, empty, emptyName)
		require.EqualValues(t, 2, f.metric(t, "edge_origin_fetches_total", "http", "filled"))
		require.EqualValues(t, len(b), f.metric(t, "edge_origin_received_bytes_total", "http"))
		require.EqualValues(t, 2, f.metric(t, "edge_origin_fetch_seconds", "http"))
		require.Zero(t, f.metric(t, "edge_origin_in_flight_fetches", "http"))
	}
}

func TestWorker(t *testing.T) {
	b, name := object(300_001)
	encoded := baoOf(t, b)
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/base/b3/"+name.String() || r.URL.RawQuery != "format=bao" || r.Header.Get("CDN-Loop") == "" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(encoded)
	})
	f := newFixture(t, func(c *origin.Config) { c.Workers = []string{base + "/base/"} })
	require.NoError(t, f.Fill(t.Context(), name))
	f.requireStored(t, b, name)
	// A request of another worker is not passed on to workers, whatever is known of the name.
	_, other := object(5)
	require.ErrorIs(t, f.Fill(origin.FromWorker(t.Context()), other), store.ErrNotFound)
	require.Zero(t, f.metric(t, "edge_origin_fetches_total", "worker", "missing"))
}

func TestFolder(t *testing.T) {
	b, name := object(100_000)
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	f := newFixture(t, func(c *origin.Config) { c.Folders, c.MissingTTL = []string{dir}, 0 })
	require.Eventually(t, func() bool { return f.metric(t, "edge_origin_indexed_files") == 1 }, 20*time.Second, time.Millisecond)
	require.NoError(t, f.Fill(t.Context(), name))
	f.requireStored(t, b, name)
	// A file that changes behind the index does not pass.
	require.NoError(t, f.store.Delete(name))
	b[0] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o600))
	require.ErrorIs(t, f.Fill(t.Context(), name), origin.ErrMismatch)
	require.ErrorIs(t, f.Fill(t.Context(), name), store.ErrNotFound)
}

// TestBadOrigins: nothing is stored that is not the content, and the next origin is asked.
func TestBadOrigins(t *testing.T) {
	b, name := object(200_000)
	wrong := bytes.Clone(b)
	wrong[150_000] ^= 1
	encoded := baoOf(t, b)
	flipped := bytes.Clone(encoded)
	flipped[len(flipped)/2] ^= 1
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	body := func(b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) }
	}
	cut := func(b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(b)))
			_, _ = w.Write(b[:len(b)/2])
		}
	}
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	}
	slow := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for what, c := range map[string]struct {
		worker, http http.HandlerFunc
		outcome      string
		want         error
	}{
		"wrong bytes":             {nil, body(wrong), "mismatch", origin.ErrMismatch},
		"a page in place of 404":  {nil, body([]byte("<html>")), "mismatch", origin.ErrMismatch},
		"truncated":               {nil, cut(b), "failed", origin.ErrUnavailable},
		"short":                   {nil, body(b[:1000]), "mismatch", origin.ErrMismatch},
		"endless":                 {nil, endless, "too_large", origin.ErrTooLarge},
		"announced too large":     {nil, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "9999999999") }, "too_large", origin.ErrTooLarge},
		"slow":                    {nil, slow, "timeout", origin.ErrTimeout},
		"server error":            {nil, status(500), "failed", origin.ErrUnavailable},
		"not there":               {nil, status(404), "missing", store.ErrNotFound},
		"forbidden":               {nil, status(403), "missing", store.ErrNotFound},
		"range":                   {nil, status(206), "failed", origin.ErrUnavailable},
		"redirect to metadata":    {nil, http.RedirectHandler("http://169.254.169.254/", http.StatusFound).ServeHTTP, "failed", origin.ErrUnavailable},
		"redirect to loopback":    {nil, http.RedirectHandler("http://127.0.0.1/", http.StatusFound).ServeHTTP, "failed", origin.ErrUnavailable},
		"redirect to loopback v6": {nil, http.RedirectHandler("http://[::1]/", http.StatusFound).ServeHTTP, "failed", origin.ErrUnavailable},
		"worker: flipped bit":     {body(flipped), nil, "mismatch", origin.ErrMismatch},
		"worker: truncated":       {body(encoded[:len(encoded)/2]), nil, "failed", origin.ErrUnavailable},
		"worker: endless":         {body(append(bytes.Repeat([]byte{0xff}, 6), encoded...)), nil, "too_large", origin.ErrTooLarge},
		"worker: quota":           {status(402), nil, "failed", origin.ErrUnavailable},
		"worker: not bao":         {body([]byte("x")), nil, "failed", origin.ErrUnavailable},
		"worker: slow":            {slow, nil, "timeout", origin.ErrTimeout},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			good := files(b)
			goodURL := serve(t, good)
			for _, rescued := range []bool{false, true} {
				f := newFixture(t, func(cfg *origin.Config) {
					cfg.MaxObjectBytes, cfg.FirstByteTimeout = 250_000, 200*time.Millisecond
					if c.worker != nil {
						cfg.Workers = []string{serve(t, c.worker)}
					} else {
						cfg.HTTP = []string{serve(t, c.http) + "/{name}"}
					}
					if rescued {
						cfg.HTTP = append(cfg.HTTP, goodURL+"/{name}")
						cfg.FirstByteTimeout = 10 * time.Second
						if strings.Contains(what, "slow") {
							cfg.FirstByteTimeout = 2 * time.Second
						}
					}
				})
				err := f.Fill(t.Context(), name)
				if rescued {
					require.NoError(t, err)
					f.requireStored(t, b, name)
					continue
				}
				require.ErrorIs(t, err, c.want)
				require.False(t, f.store.Has(name))
				require.Zero(t, f.store.Stats().Objects)
				require.EqualValues(t, 1, f.metric(t, "edge_origin_fetches_total", map[bool]string{true: "worker", false: "http"}[c.worker != nil], c.outcome))
				require.NotContains(t, err.Error(), "127.0.0.1", "clients are not told where origins are")
			}
		})
	}
}

// held is an origin that delivers when it is told to.
type held struct {
	asked, gone atomic.Int32
	release     chan struct{}
	body        []byte
}

func (h *held) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.asked.Add(1)
	_, _ = w.Write(h.body[:1])
	_ = http.NewResponseController(w).Flush()
	select {
	case <-h.release:
		_, _ = w.Write(h.body[1:])
	case <-r.Context().Done():
		h.gone.Add(1)
	}
}

func newHeld(t *testing.T, body []byte) (*held, string) {
	h := &held{release: make(chan struct{}), body: body}
	return h, serve(t, h.ServeHTTP) + "/{name}"
}

func eventually(t *testing.T, f func() bool) {
	t.Helper()
	require.Eventually(t, f, 20*time.Second, time.Millisecond)
}

// TestOneFetch: a hundred requests share one, and those that go away take nothing from the others.
func TestOneFetch(t *testing.T) {
	b, name := object(100_000)
	h, template := newHeld(t, b)
	f := newFixture(t, func(c *origin.Config) { c.HTTP = []string{template} })
	leaving, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var filled, left atomic.Int32
	for i := range 100 {
		ctx := t.Context()
		if i%2 == 0 {
			ctx = leaving
		}
		wg.Go(func() {
			switch err := f.Fill(ctx, name); {
			case err == nil:
				filled.Add(1)
			case errors.Is(err, context.Canceled):
				left.Add(1)
			}
		})
	}
	eventually(t, func() bool { return f.metric(t, "edge_origin_waiting_requests") == 100 && h.asked.Load() == 1 })
	leave()
	eventually(t, func() bool { return left.Load() == 50 })
	close(h.release)
	wg.Wait()
	require.EqualValues(t, 50, filled.Load())
	require.EqualValues(t, 1, h.asked.Load())
	require.Zero(t, h.gone.Load())
	require.Zero(t, f.metric(t, "edge_origin_waiting_requests"))
	f.requireStored(t, b, name)
}

// TestNobodyWaits: the last one that leaves ends the fetch, and the next one begins another.
func TestNobodyWaits(t *testing.T) {
	b, name := object(100_000)
	h, template := newHeld(t, b)
	f := newFixture(t, func(c *origin.Config) { c.HTTP, c.MaxFetches = []string{template}, 1 })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Fill(ctx, name) }()
	eventually(t, func() bool { return h.asked.Load() == 1 })
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	eventually(t, func() bool { return h.gone.Load() == 1 })
	eventually(t, func() bool { return f.metric(t, "edge_origin_fetches_total", "http", "canceled") == 1 })
	close(h.release)
	require.NoError(t, f.Fill(t.Context(), name))
	f.requireStored(t, b, name)
}

// TestLinger: a fetch goes on for a while, so that who comes again finds it further on.
func TestLinger(t *testing.T) {
	b, name := object(100_000)
	h, template := newHeld(t, b)
	f := newFixture(t, func(c *origin.Config) { c.HTTP, c.Linger = []string{template}, time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Fill(ctx, name) }()
	eventually(t, func() bool { return h.asked.Load() == 1 })
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	go func() { done <- f.Fill(t.Context(), name) }()
	eventually(t, func() bool { return f.metric(t, "edge_origin_waiting_requests") == 1 })
	close(h.release)
	require.NoError(t, <-done)
	require.EqualValues(t, 1, h.asked.Load())

	h, template = newHeld(t, b)
	f = newFixture(t, func(c *origin.Config) { c.HTTP, c.Linger = []string{template}, 10*time.Millisecond })
	ctx, cancel = context.WithCancel(t.Context())
	go func() { done <- f.Fill(ctx, name) }()
	eventually(t, func() bool { return h.asked.Load() == 1 })
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	eventually(t, func() bool { return h.gone.Load() == 1 })
}

// TestBusy reaches the bounds of fetches that run and wait.
func TestBusy(t *testing.T) {
	b, _ := object(10)
	h, template := newHeld(t, b)
	defer close(h.release)
	f := newFixture(t, func(c *origin.Config) {
		c.HTTP, c.MaxFetches, c.MaxQueued, c.QueueTimeout = []string{template}, 1, 1, time.Hour
	})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 2 {
		_, name := object(20 + i)
		wg.Go(func() { require.ErrorIs(t, f.Fill(ctx, name), context.Canceled) })
	}
	eventually(t, func() bool { return f.metric(t, "edge_origin_waiting_requests") == 2 })
	_, third := object(30)
	require.ErrorIs(t, f.Fill(t.Context(), third), origin.ErrBusy)
	require.EqualValues(t, 1, f.metric(t, "edge_origin_refused_requests_total"))
	cancel()
	wg.Wait()

	f = newFixture(t, func(c *origin.Config) {
		c.HTTP, c.MaxFetches, c.QueueTimeout = []string{template}, 1, time.Millisecond
	})
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	asked := h.asked.Load()
	_, first := object(20)
	wg.Go(func() { _ = f.Fill(ctx, first) })
	eventually(t, func() bool { return h.asked.Load() > asked })
	require.ErrorIs(t, f.Fill(t.Context(), third), origin.ErrBusy, "it waited for too long")
	cancel()
	wg.Wait()
}

// TestMissing: what nobody has is not asked for again at once, and few such names are remembered.
func TestMissing(t *testing.T) {
	var asked atomic.Int32
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.NotFound(w, r)
	})
	f := newFixture(t, func(c *origin.Config) {
		c.HTTP, c.MissingTTL, c.MaxMissing = []string{base + "/{name}"}, time.Hour, 2
	})
	_, name := object(1)
	for range 5 {
		require.ErrorIs(t, f.Fill(t.Context(), name), store.ErrNotFound)
	}
	require.EqualValues(t, 1, asked.Load())
	require.EqualValues(t, 4, f.metric(t, "edge_origin_remembered_misses_total"))
	for i := range 3 {
		_, other := object(2 + i)
		require.ErrorIs(t, f.Fill(t.Context(), other), store.ErrNotFound)
	}
	require.EqualValues(t, 2, f.metric(t, "edge_origin_missing_names"))
	require.ErrorIs(t, f.Fill(t.Context(), name), store.ErrNotFound)
	require.EqualValues(t, 5, asked.Load(), "the oldest was forgotten")
}

// TestBackoff: an origin that fails three times is left alone, and answers that it does not have something are no failures.
func TestBackoff(t *testing.T) {
	var asked atomic.Int32
	var code atomic.Int32
	code.Store(http.StatusInternalServerError)
	base := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", "7200")
		w.WriteHeader(int(code.Load()))
	})
	backoff := func(c *origin.Config) {
		c.HTTP, c.FirstBackoff, c.LastBackoff = []string{base + "/{name}"}, time.Hour, time.Hour
	}
	f := newFixture(t, backoff)
	for i := range 6 {
		_, name := object(1 + i)
		require.ErrorIs(t, f.Fill(t.Context(), name), origin.ErrUnavailable)
	}
	require.EqualValues(t, 3, asked.Load())
	require.EqualValues(t, 1, f.metric(t, "edge_origin_suspended_origins"))
	require.EqualValues(t, 3, f.metric(t, "edge_origin_fetches_total", "http", "suspended"))
	require.Zero(t, f.metric(t, "edge_origin_missing_names"), "nobody knows whether it is there")

	// One that asks for it is left alone at once.
	asked.Store(0)
	code.Store(http.StatusTooManyRequests)
	f = newFixture(t, backoff)
	for i := range 3 {
		_, name := object(1 + i)
		require.ErrorIs(t, f.Fill(t.Context(), name), origin.ErrUnavailable)
	}
	require.EqualValues(t, 1, asked.Load())
}

// TestStoreFails: what the store does not take is no fault of the origin.
func TestStoreFails(t *testing.T) {
	b, name := object(100_000)
	base := serve(t, files(b))
	f := newFixture(t, func(c *origin.Config) { c.HTTP = []string{base + "/{name}"} })
	require.NoError(t, f.store.Close())
	require.ErrorIs(t, f.Fill(t.Context(), name), origin.ErrNoRoom)
	require.EqualValues(t, 1, f.metric(t, "edge_origin_fetches_total", "http", "store"))
}

type panicking struct{ *store.Store }

func (panicking) AddNamed(context.Context, content.Name, io.Reader) (store.Added, error) { panic("x") }

func TestPanic(t *testing.T) {
	b, name := object(10)
	f := newFixture(t, func(c *origin.Config) {})
	cfg := origin.DefaultConfig()
	cfg.AllowNetworks, cfg.HTTP = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, []string{serve(t, files(b)) + "/{name}"}
	o, err := origin.New(cfg, origin.Deps{Store: panicking{f.store}, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	require.NoError(t, err)
	require.ErrorIs(t, o.Fill(t.Context(), name), origin.ErrStopped, "not started")
	require.NoError(t, o.Stop(t.Context()))
	require.NoError(t, o.Start(t.Context()))
	require.Error(t, o.Start(t.Context()))
	require.ErrorContains(t, o.Fill(t.Context(), name), "panic")
	require.NoError(t, o.Stop(t.Context()))
	require.ErrorIs(t, o.Fill(t.Context(), name), origin.ErrStopped)
}

// TestStop: requests that wait are told, and fetches end.
func TestStop(t *testing.T) {
	b, name := object(100_000)
	h, template := newHeld(t, b)
	f := newFixture(t, func(c *origin.Config) { c.HTTP = []string{template} })
	done := make(chan error, 1)
	go func() { done <- f.Fill(t.Context(), name) }()
	eventually(t, func() bool { return h.asked.Load() == 1 })
	require.NoError(t, f.Stop(t.Context()))
	require.ErrorIs(t, <-done, origin.ErrStopped)
	require.False(t, f.store.Has(name))
}

func TestConfig(t *testing.T) {
	require.NoError(t, origin.DefaultConfig().Validate())
	require.False(t, origin.DefaultConfig().Enabled())
	for what, change := range map[string]func(*origin.Config){
		"workers":            func(c *origin.Config) { c.Workers = []string{"ftp://x"} },
		"without query":      func(c *origin.Config) { c.Workers = []string{"http://x/?a=b"} },
		"http":               func(c *origin.Config) { c.HTTP = []string{"{name}"} },
		"{name} or {cid}":    func(c *origin.Config) { c.HTTP = []string{"http://x/name"} },
		"behind the host":    func(c *origin.Config) { c.HTTP = []string{"http://{cid}.example/"} },
		"at most 16":         func(c *origin.Config) { c.Workers = make([]string, 17) },
		"absolute":           func(c *origin.Config) { c.Folders = []string{"x"} },
		"max_object_bytes":   func(c *origin.Config) { c.MaxObjectBytes = 0 },
		"max_fetches":        func(c *origin.Config) { c.MaxFetches = 0 },
		"max_queued":         func(c *origin.Config) { c.MaxQueued = -1 },
		"max_missing":        func(c *origin.Config) { c.MaxMissing = 0 },
		"queue_timeout":      func(c *origin.Config) { c.QueueTimeout = 0 },
		"missing_ttl":        func(c *origin.Config) { c.MissingTTL = -1 },
		"linger":             func(c *origin.Config) { c.Linger = -1 },
		"first_backoff":      func(c *origin.Config) { c.FirstBackoff = 0 },
		"last_backoff":       func(c *origin.Config) { c.LastBackoff = 0 },
		"first_byte_timeout": func(c *origin.Config) { c.FirstByteTimeout = 0 },
		"max_files":          func(c *origin.Config) { c.Index.MaxFiles = 0 },
	} {
		cfg := origin.DefaultConfig()
		change(&cfg)
		require.ErrorContains(t, cfg.Validate(), what)
	}
}
