package session

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/edgechain/edge/worker/chain"
)

// Results of key lookups, as metrics label them.
const (
	lookupFound   = "found"
	lookupUnknown = "unknown"
	lookupFailed  = "failed"
	lookupRefused = "refused"
)

// metrics of the sessions. docs/metrics.md lists them.
type metrics struct {
	acknowledgements *prometheus.CounterVec
	lookups          *prometheus.CounterVec
	skipped          prometheus.Counter
	hints            prometheus.Counter
	closed           prometheus.Counter
	stalled          prometheus.Counter
	waiting          prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, m *Manager) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	vector := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	size := func(name, help string, f func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(f()) })
	}
	n := &metrics{
		acknowledgements: vector("edge_session_acknowledgements_total", "Acknowledgements received, by what became of them.", "outcome"),
		lookups:          vector("edge_session_key_lookups_total", "Client keys asked of the chain, by answer; refused ones were not asked.", "result"),
		skipped:          counter("edge_session_skipped_acknowledgements_total", "Acknowledgements that a newer one of their lane replaced before they were looked at."),
		hints:            counter("edge_session_settle_hints_total", "Settlements asked for early."),
		closed:           counter("edge_session_lane_closures_total", "Acknowledgements that found or left their lane closed."),
		stalled:          counter("edge_session_stalled_streams_total", "Streams that waited for credit for longer than the stall timeout."),
		waiting:          prometheus.NewGauge(prometheus.GaugeOpts{Name: "edge_session_waiting_streams", Help: "Streams that wait for credit."}),
	}
	if reg != nil {
		reg.MustRegister(n.acknowledgements, n.lookups, n.skipped, n.hints, n.closed, n.stalled, n.waiting,
			size("edge_session_open_sessions", "Open sessions.", m.Sessions),
			size("edge_session_accounts", "Accounts in memory.", func() int {
				m.mu.Lock()
				defer m.mu.Unlock()
				return len(m.accounts)
			}))
	}
	return n
}

// outcome counts an acknowledgement under its status or the reason of its refusal, which are closed sets.
func (n *metrics) outcome(o *AckOutcome) {
	label := o.Reason
	switch o.Status {
	case AckStored:
		label = "stored"
	case AckSuperseded:
		label = "superseded"
	case AckRefused:
	}
	n.acknowledgements.WithLabelValues(label).Inc()
}

func (n *metrics) lookup(err error) {
	result := lookupFailed
	switch {
	case err == nil:
		result = lookupFound
	case errors.Is(err, chain.ErrUnknownKey):
		result = lookupUnknown
	}
	n.lookups.WithLabelValues(result).Inc()
}
