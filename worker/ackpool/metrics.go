package ackpool

import (
	"errors"

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
	reg.MustRegister(m.refused, m.sync,
		size("edge_pool_capacity_lanes", "Lanes that the pool can hold.", func() int { return p.opts.MaxLanes }),
		size("edge_pool_watermarks", "Watermarks of accounts in live epochs.", func() int { return len(p.exposures) }),
		size("edge_pool_in_flight_transactions", "Transactions in flight.", func() int { return len(p.txs) }))
	return m
}

// refusal counts a write that was refused, under a reason from a closed set.
func (m *metrics) refusal(err error) {
	reason := "broken"
	switch {
	case err == nil:
		return
	case errors.Is(err, ErrFull):
		reason = "full"
	case errors.Is(err, ErrExpired):
		reason = "expired"
	case errors.Is(err, ErrForeignAccount):
		reason = "foreign-account"
	case errors.Is(err, ErrInvalid):
		reason = "invalid"
	}
	m.refused.WithLabelValues(reason).Inc()
}
