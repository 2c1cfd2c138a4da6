package gateway

import (
	"context"
	"net"
	"net/http"
	"net/http/pprof"
	"net/url"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// AdminHandler answers on the loopback listener: /metrics, /debug/pprof/, /healthz, /readyz, and /v1/admin/
// and the page at / with what the worker plugged in.
//
// A page in a browser on this machine can reach loopback, too. Requests that name another host (a rebound DNS name) or come
// from another site are refused, reading ones as well: a profile takes the worker's time whoever sees it.
func (s *Server) AdminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.InstrumentMetricHandler(prometheus.NewRegistry(), promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{})))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("/healthz", s)
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), ofAdmin{}, true)))
	})
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
		if ofAnotherSite(r) {
			http.Error(w, "requests of other sites are refused", http.StatusForbidden)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

// ofAnotherSite reports whether a page of another site asks, other ports of this machine included. Browsers say so to loopback
// addresses, which they trust; of those that do not, the origin and the referrer do. A link to the page at / may stand anywhere.
func ofAnotherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
		return another(r.Header.Get("Origin"), r.Host) || r.URL.Path != "/" && another(r.Header.Get("Referer"), r.Host)
	}
	return r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}

// another reports whether a header names an origin other than that of a host.
func another(address, host string) bool {
	if address == "" {
		return false
	}
	u, err := url.Parse(address)
	return err != nil || u.Host != host
}
