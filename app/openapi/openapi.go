// Package openapi hands out the reference of the REST API: an OpenAPI 2 document for programs and a page for people. Both
// are generated from the schemas (scripts/openapi.sh), those of our modules and of the SDK's.
package openapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/gorilla/mux"
)

var (
	//go:embed openapi.json
	document []byte
	//go:embed index.html
	page []byte
)

// Register adds GET and HEAD of /openapi.json and of /openapi to a router.
func Register(r *mux.Router) {
	for _, f := range []struct {
		path, contentType string
		body              []byte
	}{
		{"/openapi.json", "application/json", document},
		{"/openapi", "text/html; charset=utf-8", page},
	} {
		r.Handle(f.path, static(f.contentType, f.body)).Methods(http.MethodGet, http.MethodHead)
	}
}

// static serves a body that changes with the program alone: with a strong ETag, and to be asked for again each time.
func static(contentType string, body []byte) http.Handler {
	sum := sha256.Sum256(body)
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Set("ETag", etag)
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Content-Type-Options", "nosniff")
		// The page loads nothing and runs nothing but its own style.
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(body))
	})
}
