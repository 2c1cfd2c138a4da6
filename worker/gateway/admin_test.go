package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/gateway"
)

// TestAdminRefusesPagesOfOthers has a browser on the worker's machine ask for what costs the worker time or tells about it.
func TestAdminRefusesPagesOfOthers(t *testing.T) {
	b := newBench(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Admin = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })
	})
	const host = "localhost:8081"
	fetched := func(site, mode, dest string) http.Header {
		return http.Header{"Sec-Fetch-Site": {site}, "Sec-Fetch-Mode": {mode}, "Sec-Fetch-Dest": {dest}}
	}
	for what, c := range map[string]struct {
		path   string
		header http.Header
		host   string
		status int
	}{
		"a command":                        {"/debug/pprof/cmdline", nil, host, 200},
		"typed by the operator":            {"/debug/pprof/cmdline", fetched("none", "navigate", "document"), host, 200},
		"the console's own page":           {"/debug/pprof/cmdline", fetched("same-origin", "cors", "empty"), host, 200},
		"a picture of another site":        {"/debug/pprof/profile?seconds=1", fetched("cross-site", "no-cors", "image"), host, 403},
		"another port of this machine":     {"/metrics", fetched("same-site", "cors", "empty"), host, 403},
		"a frame of another site":          {"/debug/pprof/", fetched("cross-site", "navigate", "iframe"), host, 403},
		"a link to a profile":              {"/debug/pprof/profile?seconds=1", fetched("cross-site", "navigate", "document"), host, 403},
		"a link to the console":            {"/", fetched("cross-site", "navigate", "document"), host, 200},
		"the console in a frame":           {"/", fetched("cross-site", "navigate", "iframe"), host, 403},
		"an old browser, another origin":   {"/metrics", http.Header{"Origin": {"https://evil.example"}}, host, 403},
		"an old browser, no origin to see": {"/metrics", http.Header{"Origin": {"null"}}, host, 403},
		"an old browser, a picture":        {"/debug/pprof/trace", http.Header{"Referer": {"https://evil.example/x"}}, host, 403},
		"an old browser, from the console": {"/metrics", http.Header{"Referer": {"http://" + host + "/"}}, host, 200},
		"a rebound name":                   {"/debug/pprof/cmdline", fetched("same-origin", "cors", "empty"), "evil.example:8081", 421},
		"a rebound name like loopback":     {"/debug/pprof/cmdline", nil, "127.0.0.1.evil.example", 421},
		"no name":                          {"/debug/pprof/cmdline", nil, "", 421},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.path, nil)
		r.Host = c.host
		if c.header != nil {
			r.Header = c.header
		}
		w := httptest.NewRecorder()
		b.AdminHandler().ServeHTTP(w, r)
		require.Equal(t, c.status, w.Code, what)
	}
}
