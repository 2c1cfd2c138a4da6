package ackpool

import (
	"errors"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the pool. docs/metrics.md lists them; the sums of the ledger are made metrics by the worker.
type metrics struct {
	refused *prometheus.CounterVec
	sync    prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, p *Pool) *metrics {
	m := &metrics{
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edge_pool_refused_writes_total", Help: "Writes that the pool refused, by reason.",
		}, []string{"reason"}),
		sync: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "edge_pool_sync_seconds", Help: "Time for which a write waited for the disk.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9),
		}),
	}
	// They are there before the first refusal: an alert sees counters rise, not begin.
	for _, r := range append(slices.Clone(reasons), reasonBroken) {
		m.refused.WithLabelValues(r.name)
	}
	if reg == nil {
		return m
	}
	size := func(name, help string, f func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			p.mu.Lock()
			defer p.mu.Unlock()
			return float64(f())
		})
	}
	broken := func() float64 {
		if p.Err() != nil {
			return 1
		}
		return 0
	}
	reg.MustRegister(m.refused, m.sync,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "edge_pool_broken", Help: "1 once the disk has failed the pool, until the worker starts anew."}, broken),
		size("edge_pool_capacity_lanes", "Lanes that the pool can hold.", func() int { return p.opts.MaxLanes }),
		size("edge_pool_watermarks", "Watermarks of accounts in live epochs.", func() int { return len(p.exposures) }),
		size("edge_pool_in_flight_transactions", "Transactions in flight.", func() int { return len(p.txs) }))
	return m
}

// reason is why a write was refused, from a closed set.
type reason struct {
	err  error
	name string
}

var (
	reasons      = []reason{{ErrFull, "full"}, {ErrExpired, "expired"}, {ErrForeignAccount, "foreign-account"}, {ErrInvalid, "invalid"}}
	reasonBroken = reason{name: "broken"}
)

// refusal counts a write that was refused.
func (m *metrics) refusal(err error) {
	if err == nil {
		return
	}
	why := reasonBroken
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			why = r
			break
		}
	}
	m.refused.WithLabelValues(why.name).Inc()
}
