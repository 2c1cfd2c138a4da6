package rollup

import "github.com/prometheus/client_golang/prometheus"

// metrics of the rollup. docs/metrics.md lists them.
type metrics struct {
	broadcasts   *prometheus.CounterVec
	transactions *prometheus.CounterVec
	verdicts     *prometheus.CounterVec
	paid         prometheus.Counter
	gasUsed      prometheus.Counter
	panics       prometheus.Counter
	unsettled    prometheus.Gauge
	endangered   prometheus.Gauge
	blocked      prometheus.Gauge
	inFlight     prometheus.Gauge
	uneconomic   prometheus.Gauge
	grantLeft    prometheus.Gauge
	early        *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	vector := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	m := &metrics{
		broadcasts:   vector("edge_rollup_broadcasts_total", "Broadcasts of settlements by what the mempool said.", "result"),
		transactions: vector("edge_rollup_transactions_total", "Settlements by how they ended.", "result"),
		verdicts:     vector("edge_rollup_acknowledgements_total", "Acknowledgements by the chain's verdict.", "verdict"),
		paid:         counter("edge_rollup_paid_units_total", "Paid by settlements that were seen in a block."),
		gasUsed:      counter("edge_rollup_gas_used_total", "Gas used by settlements that were seen in a block."),
		panics:       counter("edge_rollup_panics_total", "Panics that were recovered from."),
		unsettled:    gauge("edge_rollup_unsettled_units", "Acknowledged in live epochs and not settled."),
		endangered:   gauge("edge_rollup_endangered_units", "Of that, what dies within the alarm time."),
		blocked:      gauge("edge_rollup_blocked", "1 while nothing can be settled."),
		inFlight:     gauge("edge_rollup_in_flight_acknowledgements", "Acknowledgements in the transaction in flight."),
		uneconomic:   gauge("edge_rollup_uneconomic_units", "What waits because its fee is more than the configured share of it."),
		grantLeft:    gauge("edge_rollup_grant_left_seconds", "Time until the first of the hot account's grants ends; 0 if none does."),
		early:        vector("edge_rollup_early_total", "Times that an account was to be settled early, by why.", "reason"),
	}
	reg.MustRegister(m.broadcasts, m.transactions, m.verdicts, m.paid, m.gasUsed, m.panics, m.unsettled, m.endangered, m.blocked, m.inFlight,
		m.uneconomic, m.grantLeft, m.early)
	return m
}
