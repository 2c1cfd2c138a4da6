package gateway

import (
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// AdminHandler answers on the loopback listener: /metrics, /debug/pprof/, /healthz, /readyz, and /v1/admin/
// and the page at / with what the worker plugged in.
//
// A page in a browser on this machine can reach loopback, too. Requests that name another host (a rebound DNS name) or come
// from another origin are refused.
func (s *Server) AdminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.InstrumentMetricHandler(prometheus.NewRegistry(), promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{})))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("/healthz", s)
	mux.Handle("/readyz", s)
	if s.admin != nil {
		mux.Handle("/v1/admin/", s.admin)
		mux.Handle("/console/", s.admin)
		mux.Handle("/{$}", s.admin)
	}
	protected := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !isLoopback(host) {
			http.Error(w, "this listener answers to loopback names only", http.StatusMisdirectedRequest)
			return
		}
		protected.ServeHTTP(w, r)
	})
}
