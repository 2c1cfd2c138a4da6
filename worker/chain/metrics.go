package chain

import "github.com/prometheus/client_golang/prometheus"

// metrics of the follower. docs/metrics.md lists them.
type metrics struct {
	pollErrors prometheus.Counter
	events     prometheus.Counter
	breaks     prometheus.Counter
	refused    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, f *Follower) *metrics {
	m := &metrics{
		pollErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "edge_chain_poll_errors_total", Help: "Polls of the node that failed.",
		}),
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "edge_chain_events_total", Help: "Events of new blocks that woke the poller.",
		}),
		breaks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "edge_chain_subscription_failures_total", Help: "Subscriptions to new blocks that failed, broke or went silent.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "edge_chain_refused_queries_total", Help: "Queries on behalf of clients that were refused because too many were under way.",
		}),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	reg.MustRegister(
		m.pollErrors, m.events, m.breaks, m.refused,
		gauge("edge_chain_height", "Last height seen.", func() float64 {
			v, _ := f.View()
			return float64(v.Height)
		}),
		gauge("edge_chain_epoch", "Current epoch.", func() float64 {
			v, _ := f.View()
			return float64(v.Epoch)
		}),
		gauge("edge_chain_lag_seconds", "Time since the height was last seen to rise.", func() float64 {
			return f.Lag().Seconds()
		}),
		gauge("edge_chain_stale", "1 while the chain cannot be relied on.", func() float64 {
			if f.Stale() != nil {
				return 1
			}
			return 0
		}),
		gauge("edge_chain_fee_balance_units", "What the hot account holds of the fee coin.", func() float64 {
			v, ok := f.View()
			if !ok {
				return 0
			}
			balance, _ := v.FeeBalance.Float64()
			return balance
		}),
	)
	return m
}
