package console

import (
	"math"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// reading is what the metrics said at one time: counters and gauges under their names, and the same by label.
type reading struct {
	at time.Time
	// sums over the labels.
	sums map[string]float64
	// parts by name and then by the value of one label, for the few metrics that are shown by it.
	parts map[string]map[string]float64
}

// labelOf says by which label a metric is shown.
var labelOf = map[string]string{
	"edge_gateway_requests_total":      "status",
	"edge_gateway_payload_bytes_total": "paid",
	"edge_gateway_sent_bytes_total":    "form",
	"edge_pool_acknowledged_units":     "state",
}

// read gathers the metrics. What can be gathered is taken although something else cannot.
func read(g prometheus.Gatherer, now time.Time) (reading, error) {
	families, err := g.Gather()
	r := reading{at: now, sums: map[string]float64{}, parts: map[string]map[string]float64{}}
	for _, f := range families {
		name := f.GetName()
		label, split := labelOf[name]
		for _, m := range f.GetMetric() {
			var v float64
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				v = m.GetCounter().GetValue()
			case dto.MetricType_GAUGE:
				v = m.GetGauge().GetValue()
			default:
				continue
			}
			r.sums[name] += v
			if !split {
				continue
			}
			for _, pair := range m.GetLabel() {
				if pair.GetName() == label {
					if r.parts[name] == nil {
						r.parts[name] = map[string]float64{}
					}
					r.parts[name][pair.GetValue()] += v
				}
			}
		}
	}
	return r, err
}

// value of a metric; NaN if there is none.
func (r *reading) value(name string) float64 {
	if v, ok := r.sums[name]; ok {
		return v
	}
	return math.NaN()
}

// count of a metric as a whole number; 0 if there is none. Counters stay below 2^53, where floats are exact.
func (r *reading) count(name string) uint64 { return whole(r.sums[name]) }

func whole(v float64) uint64 {
	if math.IsNaN(v) || v <= 0 {
		return 0
	}
	return uint64(min(v, 1<<62))
}

// rate of a counter since an earlier reading, per second; NaN if there is none. A counter that has not been touched yet, and so is
// not there, stands at zero.
func (r *reading) rate(before *reading, name string) float64 {
	if before == nil {
		return math.NaN()
	}
	seconds := r.at.Sub(before.at).Seconds()
	rise := r.sums[name] - before.sums[name]
	if seconds <= 0 || rise < 0 {
		return math.NaN()
	}
	return rise / seconds
}

// sample makes a point of the picture out of two readings.
func (r *reading) sample(before *reading) Sample {
	s := missing()
	s[atRequests] = r.rate(before, "edge_gateway_requests_total")
	s[atBytes] = r.rate(before, "edge_gateway_sent_bytes_total")
	s[atSessions] = r.value("edge_session_open_sessions")
	s[atConnections] = r.value("edge_gateway_connections")
	s[atLanes] = r.value("edge_pool_lanes")
	s[atUnsettled] = r.value("edge_rollup_unsettled_units")
	if v, ok := r.parts["edge_pool_acknowledged_units"]["settled"]; ok {
		s[atSettled] = v
	}
	s[atStore] = r.value("edge_store_used_bytes")
	s[atMemory] = r.value("process_resident_memory_bytes")
	if v := r.value("edge_chain_lag_seconds"); v >= 0 {
		s[atLag] = v
	}
	return s
}

// served says what the gateway has answered.
func (r *reading) served() Served {
	s := Served{
		Requests: r.count("edge_gateway_requests_total"), Bytes: r.count("edge_gateway_sent_bytes_total"),
		PaidBytes: whole(r.parts["edge_gateway_payload_bytes_total"]["true"]),
		FreeBytes: whole(r.parts["edge_gateway_payload_bytes_total"]["false"]),
		InFlight:  r.count("edge_gateway_requests_in_flight"), Connections: r.count("edge_gateway_connections"),
		Forms: map[string]uint64{},
	}
	for status, v := range r.parts["edge_gateway_requests_total"] {
		switch {
		case strings.HasPrefix(status, "2"), strings.HasPrefix(status, "3"):
			s.OK += whole(v)
		case strings.HasPrefix(status, "4"):
			s.Refused += whole(v)
		default:
			s.Failed += whole(v)
		}
	}
	for form, v := range r.parts["edge_gateway_sent_bytes_total"] {
		s.Forms[form] = whole(v)
	}
	return s
}
