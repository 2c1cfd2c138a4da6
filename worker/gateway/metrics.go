package gateway

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the gateway. All labels are from closed sets: routes, status codes that the gateway gives, problem types.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	problems *prometheus.CounterVec
	payload  *prometheus.CounterVec
	sent     *prometheus.CounterVec
	aborted  *prometheus.CounterVec
	waited   prometheus.Histogram
	refused  *prometheus.CounterVec
	uploads  *prometheus.CounterVec
	received prometheus.Counter
	quick    prometheus.Counter
	// certificates counts what became of new ones.
	certificates *prometheus.CounterVec

	// What every answer counts is looked up once.
	free, paid, sentPlain, sentBao prometheus.Counter
	routes                         sync.Map // of *routeMetrics by name
}

// routeMetrics are the metrics of a route.
type routeMetrics struct {
	duration prometheus.Observer
	// answers counts by status, from 0 for none.
	answers [600]atomic.Pointer[prometheus.Counter]
}

func newMetrics(reg prometheus.Registerer, s *Server) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edge_gateway_requests_total", Help: "Requests answered, by route and status; status 0 is none.",
		}, []string{"route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "edge_gateway_request_duration_seconds", Help: "Time from header to end of the answer, by route.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 10),
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "edge_gateway_requests_in_flight", Help: "Requests under way.",
		}),
		problems: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edge_gateway_problems_total", Help: "Problem documents sent, by type.",
		}, []string{"type"}),
		payload: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edge_gateway_payload_bytes_total", Help: "Payload of content that was taken from a free quota or reserved from credit to be sent.",
		}, []string{"paid"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edge_gateway_sent_bytes_total", Help: "Bytes of content bodies sent, proofs included, by form.",
		}, []string{"form"}),
		aborted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edge_gateway_aborted_answers_total", Help: "Content answers that ended early, by cause.",
		}, []string{"cause"}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "edge_gateway_credit_wait_seconds", Help: "Time for which a step of a paid answer waited for credit.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edge_gateway_refused_requests_total", Help: "Requests refused with 429, by the kind of bound that they met.",
		}, []string{"bound"}),
		uploads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edge_gateway_uploads_total", Help: "Uploads that were begun or not needed, by result.",
		}, []string{"result"}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "edge_gateway_received_bytes_total", Help: "Bytes of uploads that arrived, reserved from credit before.",
		}),
		quick: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "edge_gateway_quick_answers_total", Help: "Requests for content at hand that were answered on the quick path.",
		}),
		certificates: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "edge_gateway_certificate_loads_total", Help: "Certificates that came anew from files or an authority, and faults, by result.",
		}, []string{"result"}),
	}
	m.free, m.paid = m.payload.WithLabelValues("false"), m.payload.WithLabelValues("true")
	m.sentPlain, m.sentBao = m.sent.WithLabelValues("plain"), m.sent.WithLabelValues("bao")
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	for _, c := range []prometheus.Collector{
		m.requests, m.duration, m.inFlight, m.problems, m.payload, m.sent, m.aborted, m.waited, m.refused, m.uploads, m.received, m.quick, m.certificates,
		gauge("edge_gateway_connections", "Open public connections.", func() int { all, _ := s.openConnections(); return all }),
		gauge("edge_gateway_http3_connections", "Open public connections of HTTP/3.", func() int { _, quic := s.openConnections(); return quic }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "edge_gateway_certificate_expiry_timestamp_seconds", Help: "When the first of the certificates in use ends to be valid; 0 if there is none.",
		}, func() float64 {
			if s.certificates != nil {
				if at := s.certificates.expiry(); !at.IsZero() {
					return float64(at.Unix())
				}
			}
			return 0
		}),
		gauge("edge_gateway_free_addresses", "Addresses whose use of the free quota is remembered.", s.quota.count),
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// openConnections returns how many public connections are open, and how many of them are of HTTP/3.
func (s *Server) openConnections() (all, quic int) {
	if l := s.listener.Load(); l != nil {
		return l.count()
	}
	return 0, 0
}

func (m *metrics) observe(route string, status int, d time.Duration) {
	known, ok := m.routes.Load(route)
	if !ok {
		known, _ = m.routes.LoadOrStore(route, &routeMetrics{duration: m.duration.WithLabelValues(route)})
	}
	of := known.(*routeMetrics)
	of.duration.Observe(d.Seconds())
	if status < 0 || status >= len(of.answers) {
		m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
		return
	}
	if of.answers[status].Load() == nil {
		c := m.requests.WithLabelValues(route, strconv.Itoa(status))
		of.answers[status].Store(&c)
	}
	(*of.answers[status].Load()).Inc()
}
