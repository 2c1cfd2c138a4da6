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
		gauge("edge_chain_fee_balance_units", "What there is of the fee coin for settlements.", func() float64 {
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

// endpointMetrics are those of several endpoints. The label is their host from the configuration, which bounds its values.
type endpointMetrics struct {
	failures  *prometheus.CounterVec
	failovers prometheus.Counter
}

func newEndpointMetrics(reg prometheus.Registerer, n *Nodes) *endpointMetrics {
	m := &endpointMetrics{
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edge_chain_endpoint_failures_total", Help: "Calls of an endpoint that were not answered.",
		}, []string{"endpoint"}),
		failovers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "edge_chain_failovers_total", Help: "Times that another endpoint was taken into use.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.failures, m.failovers, endpointCollector{
			nodes:  n,
			height: prometheus.NewDesc("edge_chain_endpoint_height", "Height that an endpoint was last seen at.", []string{"endpoint"}, nil),
			fit:    prometheus.NewDesc("edge_chain_endpoint_fit", "1 while an endpoint answers and is not behind the others.", []string{"endpoint"}, nil),
			used:   prometheus.NewDesc("edge_chain_endpoint_used", "1 for the endpoint that is used.", []string{"endpoint"}, nil),
		})
	}
	return m
}

// endpointCollector reads the state of the endpoints when it is asked.
type endpointCollector struct {
	nodes             *Nodes
	height, fit, used *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (c endpointCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.height
	ch <- c.fit
	ch <- c.used
}

// Collect implements prometheus.Collector.
func (c endpointCollector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.nodes.Endpoints() {
		ch <- prometheus.MustNewConstMetric(c.height, prometheus.GaugeValue, float64(s.Height), s.Name)
		ch <- prometheus.MustNewConstMetric(c.fit, prometheus.GaugeValue, truth(s.Problem == ""), s.Name)
		ch <- prometheus.MustNewConstMetric(c.used, prometheus.GaugeValue, truth(s.Used), s.Name)
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
