package report

import "github.com/prometheus/client_golang/prometheus"

// How epochs ended, and what became of broadcasts, as metrics label them.
const (
	outcomeReported = "reported"
	outcomeExempt   = "exempt"
	outcomeMissed   = "missed"

	resultAccepted = "accepted"
	resultRefused  = "refused"
	resultUnknown  = "unknown"
)

// metrics of the reporter. docs/metrics.md lists them.
type metrics struct {
	epochs     *prometheus.CounterVec
	broadcasts *prometheus.CounterVec
	failures   prometheus.Counter
	panics     prometheus.Counter
	due        prometheus.Gauge
	late       prometheus.Gauge
	left       prometheus.Gauge
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
		epochs:     vector("edge_report_epochs_total", "Epochs by what became of their report; exempt is a node that takes no part.", "outcome"),
		broadcasts: vector("edge_report_broadcasts_total", "Broadcasts of reports by what the mempool said.", "result"),
		failures:   counter("edge_report_failures_total", "Tries to report that failed."),
		panics:     counter("edge_report_panics_total", "Panics that were recovered from."),
		due:        gauge("edge_report_due", "1 while the node takes part and has not reported in the epoch."),
		late:       gauge("edge_report_late", "1 while edge_report_due is 1 in the last quarter of the epoch."),
		left:       gauge("edge_report_left_epochs", "Further epochs without a report after which the node counts as opted out."),
	}
	reg.MustRegister(m.epochs, m.broadcasts, m.failures, m.panics, m.due, m.late, m.left)
	return m
}

func set(g prometheus.Gauge, on bool) {
	if on {
		g.Set(1)
	} else {
		g.Set(0)
	}
}
