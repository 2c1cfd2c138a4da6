package origin

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What became of a fetch from one origin, as metrics label it.
const (
	outcomeFilled    = "filled"
	outcomeMissing   = "missing"
	outcomeMismatch  = "mismatch"
	outcomeTooLarge  = "too_large"
	outcomeTimeout   = "timeout"
	outcomeFailed    = "failed"
	outcomeCanceled  = "canceled"
	outcomeStore     = "store"
	outcomeSuspended = "suspended"
)

// metrics of the origins. docs/metrics.md lists them.
type metrics struct {
	fetches    *prometheus.CounterVec
	bytes      *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	inFlight   *prometheus.GaugeVec
	remembered prometheus.Counter
	refused    prometheus.Counter
	panics     prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, o *Origins) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	m := &metrics{
		fetches: vector("edge_origin_fetches_total", "Origins asked, by kind and what became of it; suspended ones were left alone.", "kind", "outcome"),
		bytes:   vector("edge_origin_received_bytes_total", "Content that origins delivered, verified or not.", "kind"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "edge_origin_fetch_seconds", Help: "Time from a request to an origin until its content was stored.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 10),
		}, []string{"kind"}),
		inFlight:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "edge_origin_in_flight_fetches", Help: "Origins that are asked or deliver."}, []string{"kind"}),
		remembered: counter("edge_origin_remembered_misses_total", "Requests that were told at once what was found out a moment ago."),
		refused:    counter("edge_origin_refused_requests_total", "Requests that were refused because too many fetches run and wait."),
		panics:     counter("edge_origin_panics_total", "Panics that were recovered from."),
	}
	reg.MustRegister(m.fetches, m.bytes, m.seconds, m.inFlight, m.remembered, m.refused, m.panics,
		gauge("edge_origin_waiting_requests", "Requests that wait for a fetch.", func() int {
			o.mu.Lock()
			defer o.mu.Unlock()
			return o.waiting
		}),
		gauge("edge_origin_missing_names", "Names that are remembered because no origin has them.", o.missing.len),
		gauge("edge_origin_suspended_origins", "Origins that are left alone because they fail.", func() (n int) {
			for _, s := range o.sources(key{}) {
				if !s.breaker.closed(time.Now()) {
					n++
				}
			}
			return n
		}),
		gauge("edge_origin_indexed_files", "Files of local folders that are indexed.", func() int {
			if o.index == nil {
				return 0
			}
			return o.index.Stats().Files
		}),
		gauge("edge_origin_left_out_files", "Files of local folders that the last look did not index.", func() int {
			if o.index == nil {
				return 0
			}
			return o.index.Stats().LeftOut
		}),
	)
	return m
}
