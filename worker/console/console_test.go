package console

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/chain"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

type viewDouble struct{ view chain.View }

func (v viewDouble) View() (chain.View, bool) { return v.view, v.view.Epoch != 0 }

// metricsDouble are metrics under the names of the worker's.
type metricsDouble struct {
	*prometheus.Registry
	requests, sent *prometheus.CounterVec
}

func newMetricsDouble() *metricsDouble {
	m := &metricsDouble{Registry: prometheus.NewRegistry()}
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "edge_gateway_requests_total"}, []string{"route", "status"})
	m.sent = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "edge_gateway_sent_bytes_total"}, []string{"form"})
	lanes := prometheus.NewGauge(prometheus.GaugeOpts{Name: "edge_pool_lanes"})
	lanes.Set(5)
	m.MustRegister(m.requests, m.sent, lanes)
	return m
}

func newConsole(t *testing.T, file string, m *metricsDouble, c *chainDouble) *Console {
	t.Helper()
	view := chain.View{Epoch: c.open, Worker: nodetypes.Worker{Id: 7}, Denom: "uusd"}
	out, err := New(Config{File: file, SaveInterval: time.Minute}, Deps{
		Metrics: m, Register: prometheus.NewRegistry(), Chain: viewDouble{view}, Conn: c, Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return out
}

// The console samples, asks the chain, and keeps its history over a stop.
func TestConsoleRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history")
	synctest.Test(t, func(t *testing.T) {
		m, double := newMetricsDouble(), &chainDouble{asked: map[string]int{}, open: 3, paid: 2, history: 9}
		c := newConsole(t, file, m, double)
		require.NoError(t, c.Start(t.Context()))
		synctest.Wait()
		m.requests.WithLabelValues("content", "200").Add(50)
		m.requests.WithLabelValues("content", "402").Add(10)
		m.requests.WithLabelValues("content", "0").Add(1)
		m.sent.WithLabelValues("plain").Add(1 << 20)
		time.Sleep(sampleInterval)
		synctest.Wait()
		var s Status
		c.Fill(&s)
		require.Equal(t, Served{
			Requests: 61, OK: 50, Refused: 10, Failed: 1, Bytes: 1 << 20, RequestsPerSecond: 6.1, BytesPerSecond: (1 << 20) / 10.0,
			Forms: map[string]uint64{"plain": 1 << 20},
		}, s.Served)
		require.EqualValues(t, 5, s.Lanes.Held)
		require.Len(t, s.Earned.Epochs, 3)
		require.Equal(t, "0", s.Money.Unsettled)
		require.NoError(t, c.Stop(t.Context()))
		asked := double.asked["*types.QueryRevenueRequest"]
		time.Sleep(time.Hour)
		require.Equal(t, asked, double.asked["*types.QueryRevenueRequest"], "nothing runs after a stop")
		back := newConsole(t, file, newMetricsDouble(), double)
		require.Equal(t, c.history.Encode(), back.history.Encode())
	})
}

// panicking is a part that fails badly: the console is only there to look at.
type panicking struct{}

func (panicking) View() (chain.View, bool) {
	return chain.View{Epoch: 1, Worker: nodetypes.Worker{Id: 7}}, true
}

func TestConsoleOutlivesItsTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMetricsDouble()
		reg := prometheus.NewRegistry()
		c, err := New(Config{File: filepath.Join(t.TempDir(), "none", "history"), SaveInterval: time.Minute}, Deps{
			Metrics: m, Register: reg, Chain: panicking{}, Conn: nil, Log: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		require.NoError(t, c.Start(t.Context()))
		time.Sleep(5 * time.Minute)
		require.Error(t, c.Stop(t.Context()), "the history cannot be written")
		families, err := reg.Gather()
		require.NoError(t, err)
		failed := map[string]bool{}
		for _, metric := range families[0].GetMetric() {
			failed[metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue() > 0
		}
		require.Equal(t, map[string]bool{"earned": true, "save": true}, failed)
	})
}

func TestConsoleConfig(t *testing.T) {
	require.Error(t, Config{SaveInterval: time.Second}.Validate())
	require.NoError(t, Config{SaveInterval: time.Minute}.Validate())
}

// The page is closed to other sites, loads nothing from elsewhere, and says what went wrong.
func TestHandler(t *testing.T) {
	c := newConsole(t, filepath.Join(t.TempDir(), "h"), newMetricsDouble(), &chainDouble{asked: map[string]int{}, fail: errors.New("x")})
	handler := c.Handler(func(context.Context) Status { return Status{Schema: Schema} })
	do := func(method, path string, header ...string) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, req)
		return rec
	}
	for path, contentType := range map[string]string{
		"/": "text/html; charset=utf-8", "/console/console.js": "text/javascript; charset=utf-8", "/console/console.css": "text/css; charset=utf-8",
		"/console/icon.svg": "image/svg+xml", PathStatus: "application/json", PathHistory: "application/json", PathHistory + "?range=30d": "application/json",
	} {
		rec := do(http.MethodGet, path)
		require.Equal(t, http.StatusOK, rec.Code, path)
		require.Equal(t, contentType, rec.Header().Get("Content-Type"), path)
		require.NotEmpty(t, rec.Body.String(), path)
		require.Contains(t, rec.Header().Get("Content-Security-Policy"), "default-src 'none'")
		require.NotContains(t, rec.Header().Get("Content-Security-Policy"), "unsafe")
		require.Equal(t, "nosniff", rec.Header().Get("X-Content-Type-Options"))
		require.Empty(t, rec.Header().Get("Access-Control-Allow-Origin"))
		if tag := rec.Header().Get("ETag"); tag != "" {
			require.Equal(t, http.StatusNotModified, do(http.MethodGet, path, "If-None-Match", tag).Code)
		}
		cross := do(http.MethodGet, path, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script")
		require.Equal(t, http.StatusForbidden, cross.Code, path)
	}
	require.Equal(t, http.StatusOK, do(http.MethodGet, "/", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document").Code, "a link")
	require.Equal(t, http.StatusForbidden, do(http.MethodGet, "/", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe").Code)
	require.Equal(t, http.StatusOK, do(http.MethodGet, PathStatus, "Sec-Fetch-Site", "same-origin").Code)
	require.Equal(t, http.StatusBadRequest, do(http.MethodGet, PathHistory+"?range=1y").Code)
	require.Equal(t, http.StatusNotFound, do(http.MethodGet, "/console/").Code)
	require.Equal(t, http.StatusNotFound, do(http.MethodGet, "/console/nothing").Code)
	require.Equal(t, http.StatusMethodNotAllowed, do(http.MethodPost, "/").Code)
	var p Picture
	require.NoError(t, json.Unmarshal(do(http.MethodGet, PathHistory).Body.Bytes(), &p))
	require.Len(t, p.Series, seriesCount)
}
