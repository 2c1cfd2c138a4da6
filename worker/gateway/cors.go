package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What pages of other origins may send and see. Nothing here rests on cookies or on the address of a network: a page gets what
// anybody gets, and pays with a session that it opened itself. So every origin is as good as another by default.
const (
	corsMethods = "GET, HEAD, POST, PUT"
	corsRequest = "Accept, Authorization, Content-Type, Edge-Ack, If-Match, If-None-Match, If-Range, Range, *"
	corsAnswer  = "Accept-Ranges, Content-Length, Content-Range, Edge-Epoch, Edge-Payload-Bytes, Edge-Range, Edge-Sequence, ETag, Retry-After, WWW-Authenticate"
)

// cors answers for the origins that are allowed.
type cors struct {
	any     bool
	origins []string
	maxAge  []string
	anyone  []string
	exposed []string
}

func newCORS(origins []string, maxAge time.Duration) (*cors, error) {
	if len(origins) == 0 {
		return nil, nil
	}
	c := &cors{any: slices.Contains(origins, "*"), origins: origins, maxAge: []string{strconv.Itoa(int(maxAge.Seconds()))}, anyone: []string{"*"}, exposed: []string{corsAnswer}}
	if c.any && len(origins) > 1 {
		return nil, errors.New(`cors_origins: "*" stands alone`)
	}
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if !c.any && (err != nil || u.Host == "" || u.Scheme == "" || strings.ToLower(u.Scheme+"://"+u.Host) != origin) {
			return nil, fmt.Errorf("cors_origins: %q, want * or origins such as https://app.example", origin)
		}
	}
	return c, nil
}

// serve sets the headers and answers preflights. With a list of origins the answer depends on who asks, and says so. With
// any it does not, and the headers are there also for those who have not asked: a cache answers both.
func (c *cors) serve(w http.ResponseWriter, r *http.Request) (done bool) {
	h := w.Header()
	if c.any {
		h["Access-Control-Allow-Origin"] = c.anyone
		h["Access-Control-Expose-Headers"] = c.exposed
	} else {
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if origin == "" || !slices.Contains(c.origins, origin) {
			return false
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h["Access-Control-Expose-Headers"] = c.exposed
	}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	delete(h, "Access-Control-Expose-Headers")
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsRequest)
	h["Access-Control-Max-Age"] = c.maxAge
	h.Add("Vary", "Access-Control-Request-Method")
	w.WriteHeader(http.StatusNoContent)
	return true
}
