package console

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// policy lets the page load its own style, script, picture and documents, and nothing else; nobody may frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Paths of the console.
const (
	PathPage    = "/"
	PathAssets  = "/console/"
	PathStatus  = "/v1/admin/status"
	PathHistory = "/v1/admin/history"
)

var contentTypes = map[string]string{
	"index.html": "text/html; charset=utf-8", "console.css": "text/css; charset=utf-8",
	"console.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
}

// Handler answers GET and HEAD of the page at /, of what it is made of below /console/, and of the documents. status makes the
// first of them. The listener has checked that the request came to a loopback name.
func (c *Console) Handler(status func(context.Context) Status) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", asset("index.html"))
	for name := range contentTypes {
		if name != "index.html" {
			mux.Handle("GET "+PathAssets+name, asset(name))
		}
	}
	mux.HandleFunc("GET "+PathStatus, func(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, status(r.Context())) })
	mux.HandleFunc("GET "+PathHistory, c.serveHistory)
	return guard(mux)
}

func (c *Console) serveHistory(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("range")
	if name == "" {
		name = spans[0].name
	}
	picture, ok := c.history.Picture(name, time.Now())
	if !ok {
		answer(w, http.StatusBadRequest, map[string]string{"error": "range must be 1h, 24h or 30d"})
		return
	}
	answer(w, http.StatusOK, picture)
}

// guard refuses what a page of another site asks for, but for a link to the page itself: it could not read the answer, and it has no
// business to make the worker work.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "same-origin", "none":
		default:
			if r.URL.Path != PathPage || r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document" {
				http.Error(w, "requests of other sites are refused", http.StatusForbidden)
				return
			}
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// asset serves a file of the program. It has to be asked for again each time, which a tag makes cheap: an upgrade shows at once.
func asset(name string) http.Handler {
	b, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // the program is built without it
	}
	sum := sha256.Sum256(b)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentTypes[name])
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		if strings.Contains(r.Header.Get("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		// A client that went away is no fault of the worker.
		_, _ = w.Write(b)
	})
}

func answer(w http.ResponseWriter, status int, doc any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// A client that went away is no fault of the worker.
	_ = json.NewEncoder(w).Encode(doc)
}
