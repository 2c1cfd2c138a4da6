package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

var errDraining = errors.New("the worker is shutting down")

// serveHealth answers /healthz: the process runs and answers.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, r, http.StatusOK, "application/json", map[string]string{"status": "ok"})
}

type readyDoc struct {
	Ready bool `json:"ready"`
	// Reasons names the parts at fault, and says why on the admin listener. Everybody can ask the public one, and reasons name the
	// hot account, what it holds and the nodes behind the worker.
	Reasons map[string]string `json:"reasons"`
}

// withheld is what the public listener says instead of a reason.
const withheld = "the admin listener and edge-worker status say why"

// ofAdmin is the context key of requests to the admin listener.
type ofAdmin struct{}

// serveReady answers /readyz: 200 if every check is met, else 503 with the parts at fault.
func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) error {
	doc := readyDoc{Ready: true, Reasons: map[string]string{}}
	if s.work.stopping() {
		doc.Reasons["gateway"] = errDraining.Error()
	}
	for _, check := range s.checks {
		if err := s.runCheck(r.Context(), check); err != nil {
			doc.Reasons[check.Name] = err.Error()
		}
	}
	if told, _ := r.Context().Value(ofAdmin{}).(bool); !told {
		for part := range doc.Reasons {
			doc.Reasons[part] = withheld
		}
	}
	status := http.StatusOK
	if len(doc.Reasons) > 0 {
		doc.Ready = false
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, r, status, "application/json", doc)
}

func (s *Server) runCheck(ctx context.Context, check Check) (err error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.CheckTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("check panicked: %v", p)
		}
	}()
	return check.Func(ctx)
}
