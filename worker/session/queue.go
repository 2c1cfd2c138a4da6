package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/chain"
)

const (
	// queuePause is how long acknowledgements are gathered before they are verified: the newest of a lane stands for all that
	// came meanwhile. Whoever waits for credit cuts it short.
	queuePause = 250 * time.Millisecond
	// maxQueueBatch bounds the acknowledgements that are verified and stored together.
	maxQueueBatch = 512
	// queueTimeout bounds what one batch may ask of the chain.
	queueTimeout = 10 * time.Second
)

// queue holds acknowledgements that were taken and not looked at yet. A session has room for the newest of each live epoch
// on its own lane, so that the queue is bounded by the sessions, and nobody but who holds the token of a session can put
// one in the place of another.
type queue struct {
	mu sync.Mutex
	// sessions that have something queued, in the order in which they came.
	sessions []*Session
	// running is true while a goroutine works the queue off.
	running bool
	// kick cuts the pause short.
	kick chan struct{}
	// next is closed when everything is stored or refused that is queued now, current when everything is that was taken out
	// of the queue last. current is nil if nothing is under way.
	next, current chan struct{}
}

func newQueue() *queue { return &queue{kick: make(chan struct{}, 1), next: make(chan struct{})} }

// hurry makes what is queued be looked at now.
func (q *queue) hurry() {
	select {
	case q.kick <- struct{}{}:
	default:
	}
}

// pending returns a channel that is closed when all that was taken so far is stored or refused, nil if nothing is queued.
func (q *queue) pending() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.sessions) > 0 {
		return q.next
	}
	return q.current
}

// flush waits until all that was taken so far is stored or refused, and reports whether there was anything.
func (m *Manager) flush(ctx context.Context) bool {
	done := m.queue.pending()
	if done == nil {
		return false
	}
	m.queue.hurry()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// Take takes acknowledgements beside a request of the session. One of the session's own lane that passes the cheap checks
// is AckTaken: of those that come in a row the newest is verified and stored soon, the ones that it supersedes are skipped,
// and until then credit is as if none had come. A client that has to know that it is stored sends it to Acknowledge. All
// others, the first one of a lane in an epoch, and those of a session of which one was refused after it had been taken, are
// dealt with as by Manager.Acknowledge before Take returns. Its errors are those of Acknowledge.
func (s *Session) Take(ctx context.Context, acks []ack.Signed) ([]AckOutcome, error) {
	m := s.m
	if !m.begin() {
		return nil, ErrStopped
	}
	defer m.work.Done()
	view, ok := m.chain.View()
	if !ok {
		return nil, fmt.Errorf("%w: nothing seen yet", ErrChainStale)
	}
	for i := range acks {
		if !m.takes(s, &view, &acks[i]) {
			// What was taken before is older: it must not come behind.
			m.flush(ctx)
			outcomes, err := m.Acknowledge(ctx, acks)
			if err == nil && !slices.ContainsFunc(outcomes, func(o AckOutcome) bool { return !o.Accepted() }) {
				s.doubted.Store(false) // the pool works again
			}
			return outcomes, err
		}
	}
	outcomes := make([]AckOutcome, len(acks))
	for i := range acks {
		outcomes[i] = AckOutcome{Status: AckTaken, AccountID: s.account.id}
	}
	m.enqueueAll(s, acks)
	return outcomes, nil
}

// enqueueAll queues acknowledgements that takes has passed, and sees to it that the queue is worked off. The caller is counted
// by begin.
func (m *Manager) enqueueAll(s *Session, acks []ack.Signed) {
	m.queue.mu.Lock()
	defer m.queue.mu.Unlock()
	for i := range acks {
		m.enqueue(s, &acks[i])
	}
	if !m.queue.running {
		m.queue.running = true
		m.work.Add(1) // not the first: the caller is counted
		go m.workOff()
	}
}

// takes reports whether an acknowledgement can wait in the queue: it goes on from one that is held of the session's lane.
func (m *Manager) takes(s *Session, view *chain.View, a *ack.Signed) bool {
	if s.distrusted.Load() || s.doubted.Load() || laneKeyOf(a.LaneID()) != s.lane || a.Check() != nil || a.WorkerID != view.Worker.Id {
		return false
	}
	if a.Epoch < view.OldestLive || a.Epoch > view.Epoch || !view.MaySettle(a.Epoch) || s.key.LastEpoch < a.Epoch {
		return false
	}
	held, ok := m.pool.Held(a.LaneID())
	return ok && a.Supersedes(&held.Ack) && (a.Head == held.Head || !held.Supersedes(&a.Ack))
}

// enqueue puts an acknowledgement into the place of its epoch. The caller holds the queue's lock.
func (m *Manager) enqueue(s *Session, a *ack.Signed) {
	for i := range s.queued {
		q := &s.queued[i]
		if q.Epoch != a.Epoch {
			continue
		}
		m.metrics.skipped.Inc()
		// Requests can overtake each other. Of two that are not comparable, which no honest client signs, more bytes count.
		if a.Supersedes(&q.Ack) || !q.Supersedes(&a.Ack) && a.Bytes > q.Bytes {
			*q = *a
		}
		return
	}
	if len(s.queued) == 0 {
		m.queue.sessions = append(m.queue.sessions, s)
	}
	s.queued = append(s.queued, *a)
}

// workOff verifies and stores what is queued, until nothing is.
func (m *Manager) workOff() {
	defer m.work.Done()
	pause := time.NewTimer(queuePause)
	defer pause.Stop()
	q := m.queue
	for {
		select {
		case <-pause.C:
		case <-q.kick:
		case <-m.stopped:
		}
		q.mu.Lock()
		sessions := q.sessions
		if len(sessions) == 0 {
			q.running = false
			q.mu.Unlock()
			return
		}
		q.sessions = nil
		owners, acks := make([]*Session, 0, len(sessions)), make([]ack.Signed, 0, len(sessions))
		for _, s := range sessions {
			for i := range s.queued {
				owners, acks = append(owners, s), append(acks, s.queued[i])
			}
			s.queued = s.queued[:0]
		}
		done := q.next
		q.current, q.next = done, make(chan struct{})
		q.mu.Unlock()

		for from := 0; from < len(acks); from += maxQueueBatch {
			to := min(from+maxQueueBatch, len(acks))
			m.storeQueued(owners[from:to], acks[from:to])
		}
		q.mu.Lock()
		q.current = nil
		q.mu.Unlock()
		close(done)
		pause.Reset(queuePause)
	}
}

// passing are the reasons for a refusal that are the worker's own.
var passing = map[string]bool{ReasonOverloaded: true, ReasonUnavailable: true}

// storeQueued verifies and stores acknowledgements, each of the session at the same place. A session of which one is not
// stored has its next ones dealt with before its requests are served, so that its client learns why: for good if it was refused for
// what it says, until one is stored if the pool or the chain failed.
func (m *Manager) storeQueued(owners []*Session, acks []ack.Signed) {
	ctx, cancel := context.WithTimeout(context.Background(), queueTimeout)
	defer cancel()
	asked := &askedKeys{left: maxUnknownKeys, answers: map[uint64]keyAnswer{}}
	m.mu.Lock()
	for _, s := range owners {
		answer := keyAnswer{key: s.key}
		if held := m.keys[s.key.ID]; held != nil {
			answer.key = held.key
		}
		asked.answers[s.key.ID] = answer
	}
	m.mu.Unlock()
	var outcomes []AckOutcome
	err := m.guarded(func() (err error) {
		outcomes, err = m.process(ctx, 0, acks, asked)
		return err
	})
	if err != nil {
		m.log.Error("acknowledgements that were taken could not be stored; their clients send them again", "count", len(acks), "error", err)
	}
	for i, s := range owners {
		switch {
		case err != nil, !outcomes[i].Accepted() && passing[outcomes[i].Reason]:
			s.doubted.Store(true)
		case !outcomes[i].Accepted():
			s.distrusted.Store(true)
		}
		if err == nil && outcomes[i].Status == AckRefused {
			m.log.Info("acknowledgement that was taken is refused", "key", s.key.ID, "lane", s.lane.lane, "reason", outcomes[i].Reason)
		}
	}
}

// Begin accepts a request. If its account has no credit left, what was taken is looked at before it is refused. It returns
// ErrSessionUnknown, ErrLaneClosed, ErrCreditExhausted (a *CreditError), ErrAccountEmpty, ErrOverloaded, ErrChainStale or
// ErrNotServing.
func (s *Session) Begin(ctx context.Context, meta Meta) (*Request, error) {
	r, err := s.begin(ctx, meta)
	if errors.Is(err, ErrCreditExhausted) {
		s.m.flush(ctx) // nothing is left to look at if somebody else has done so since
		return s.begin(ctx, meta)
	}
	return r, err
}

// Ready returns why no request of the session could be paid for now, or nil. If the account has no credit left, what was taken is
// looked at first. It returns ErrCreditExhausted (a *CreditError), ErrAccountEmpty or ErrChainStale.
func (s *Session) Ready(ctx context.Context) error {
	m := s.m
	if err := m.refresh(ctx, s.account, m.cfg.AccountTTL); err != nil {
		return err
	}
	for flushed := false; ; flushed = true {
		credit, err := s.Credit()
		switch {
		case err != nil:
			return err
		case credit.Limit.Sign() <= 0 && credit.Forfeited == nil:
			return fmt.Errorf("%w: account %d", ErrAccountEmpty, s.account.id)
		case credit.Claim.Cmp(credit.Limit) < 0:
			return nil
		case flushed || !m.flush(ctx):
			return &CreditError{Cause: ErrCreditExhausted, Credit: credit, RetryAfter: m.cfg.RetryAfter}
		}
	}
}
