package fetch

import (
	"context"
	"math/big"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/edgechain/edge/client/lane"
)

// link is a batch's relation to a worker: who it is, and a session on a lane of its own. One transfer at a time uses it; between
// transfers it rests in the batch, and its acker goes on.
type link struct {
	client *Client
	batch  *Batch
	// asked is the worker as it was asked for; worker has the id that was found out as well.
	asked, worker Worker
	base          *url.URL
	http          *http.Client
	stall         time.Duration
	// acker is nil before the first session. The batch's lock guards that it is set.
	acker *acker
	// introduced is true when the worker of a free transfer was asked for its id.
	introduced bool
	// left is what could not be acknowledged when the link was closed, in bytes, and fault why. The batch's lock guards them.
	left  uint64
	fault error
	// lane of the session, nil before the first one. Only the goroutine that uses the link touches it.
	lane *lane.Lane

	sessionMu sync.Mutex
	session   string // token
	credit    Credit
	perGiB    *big.Int

	useMu sync.Mutex
	use   *transfer
}

func newLink(b *Batch, w Worker) (*link, error) {
	base, err := parseWorkerURL(w.URL)
	if err != nil {
		return nil, err
	}
	l := &link{client: b.client, batch: b, asked: w, worker: w, base: base, http: b.client.public}
	if w.AnyAddress {
		l.http = b.client.named
	}
	return l, nil
}

// usedBy sets the transfer that uses the link, nil when it rests. Once it returns, an earlier one is told nothing any more.
func (s *link) usedBy(t *transfer) {
	s.useMu.Lock()
	defer s.useMu.Unlock()
	s.use = t
}

// tell reports an event of the acker to the transfer that uses the link.
func (s *link) tell(e Event) {
	s.useMu.Lock()
	defer s.useMu.Unlock()
	if s.use != nil {
		s.use.say(e)
	}
}

func (s *link) token() string {
	s.sessionMu.Lock()
	defer s.sessionMu.Unlock()
	return s.session
}

func (s *link) setToken(token string) {
	s.sessionMu.Lock()
	defer s.sessionMu.Unlock()
	s.session = token
}

func (s *link) setCredit(c Credit) {
	limit, ok := amount(c.Limit)
	if _, claimOK := amount(c.Claim); !ok || !claimOK {
		return
	}
	s.sessionMu.Lock()
	s.credit = c
	perGiB := s.perGiB
	s.sessionMu.Unlock()
	s.acker.limit(ackEvery(limit, perGiB, s.client.cfg.AckBytes, s.batch.busy()))
}

// close delivers the last acknowledgement and lets the lanes go.
func (s *link) close(ctx context.Context) error {
	if s.acker == nil {
		return nil
	}
	return s.acker.stop(context.WithoutCancel(ctx))
}
