package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/lane"
)

// ackRequests is after how many finished requests an acknowledgement is due. Workers bound those of a lane that none covers.
const ackRequests = 256

// acker acknowledges what was verified on a link, beside its streams. It owns the link's lanes from add until stop.
type acker struct {
	link   *link
	cancel context.CancelFunc
	done   chan struct{}
	due    chan struct{}
	every  atomic.Uint64
	// fresh counts the bytes verified since the last look, and requests those that have finished.
	fresh, requests atomic.Uint64
	// unsaid is false if the worker was told all that there was at the last look.
	unsaid atomic.Bool

	// flushing keeps acknowledgements in order.
	flushing sync.Mutex

	mu    sync.Mutex
	lanes []*lane.Lane
	// refusedSince is when the worker began to refuse what this client signs.
	refusedSince time.Time
	fault        error
	abort        context.CancelCauseFunc
}

func startAcker(ctx context.Context, l *link) *acker {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a := &acker{link: l, cancel: cancel, done: make(chan struct{}), due: make(chan struct{}, 1)}
	a.every.Store(min(l.client.cfg.AckBytes, 1<<20))
	go a.run(ctx)
	return a
}

// add takes over a lane.
func (a *acker) add(l *lane.Lane) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lanes = append(a.lanes, l)
}

// limit sets after how many bytes an acknowledgement is due.
func (a *acker) limit(n uint64) { a.every.Store(n) }

// verified notes bytes that have been counted on a lane.
func (a *acker) verified(n uint64) {
	a.changed()
	if a.fresh.Add(n) >= a.every.Load() {
		a.poke()
	}
}

// finished notes a request that has finished. Its acknowledgement is not due at once: another request may follow.
func (a *acker) finished() {
	a.changed()
	if a.requests.Add(1) >= ackRequests {
		a.poke()
	}
}

// changed notes that there may be something to acknowledge.
func (a *acker) changed() { a.unsaid.Store(true) }

// poke makes an acknowledgement due now.
func (a *acker) poke() {
	a.changed()
	select {
	case a.due <- struct{}{}:
	default:
	}
}

// guard makes abort end the stream at work when the worker refuses acknowledgements for too long.
func (a *acker) guard(abort context.CancelCauseFunc) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.abort = abort
	return a.fault
}

func (a *acker) run(ctx context.Context) {
	defer close(a.done)
	tick := time.NewTicker(a.link.client.cfg.AckInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.due:
		case <-tick.C:
		}
		// Without a session the stream's goroutine opens the next one; it finds what is not acknowledged.
		if a.link.token() == "" {
			continue
		}
		if err := a.flush(ctx); err != nil {
			a.failed(ctx, err)
		}
	}
}

// failed judges an error of flush. Anything but a refusal passes, or shows in the stream as well.
func (a *acker) failed(ctx context.Context, err error) {
	if ctx.Err() != nil || !errors.Is(err, ErrAckRefused) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refusedSince.IsZero() {
		a.refusedSince = time.Now()
	}
	if time.Since(a.refusedSince) < a.link.client.cfg.EpochPatience {
		return
	}
	a.fault = err
	if a.abort != nil {
		a.abort(err)
	}
}

// refreshTimeout is how long the epoch is asked for before signing.
const refreshTimeout = 2 * time.Second

// flush signs for all that is verified and gives it to the worker. It does nothing if the worker was told all that there is.
func (a *acker) flush(ctx context.Context) error {
	a.flushing.Lock()
	defer a.flushing.Unlock()
	if !a.unsaid.Swap(false) {
		return nil
	}
	a.fresh.Store(0)
	a.requests.Store(0)
	err := a.flushAll(ctx)
	if err != nil {
		a.changed()
	}
	return err
}

// flushAll is flush whatever the worker was told. The caller holds flushing.
func (a *acker) flushAll(ctx context.Context) error {
	a.mu.Lock()
	lanes := append([]*lane.Lane(nil), a.lanes...)
	a.mu.Unlock()
	// What is signed for an epoch that has just ended covers none of the bytes that the worker sent after its end. They
	// would stay in its claim until the new epoch dies. If the node does not answer, the age of the view decides.
	look, cancel := context.WithTimeout(ctx, refreshTimeout)
	_ = a.link.client.payer.View.Refresh(look)
	cancel()
	var (
		list  []ack.Signed
		owner []*lane.Lane
		fault error
	)
	for _, l := range lanes {
		signed, err := l.Sign()
		if err != nil {
			fault = errors.Join(fault, err)
			continue
		}
		for range signed {
			owner = append(owner, l)
		}
		list = append(list, signed...)
	}
	if len(list) == 0 {
		return fault
	}
	var body []byte
	for i := range list {
		body = list[i].AppendEncoded(body)
	}
	var answer struct {
		Accepted uint64 `json:"accepted"`
		Credit   Credit `json:"credit"`
	}
	err := a.link.call(ctx, http.MethodPost, "/v1/acks", typeAck, body, http.StatusOK, &answer)
	var p *Problem
	switch {
	case err == nil:
		for i := range list {
			owner[i].Confirm(list[i : i+1])
		}
		a.confirmed(list)
		a.link.setCredit(answer.Credit)
		return fault
	case errors.As(err, &p) && p.Type == "bad-acknowledgement":
		return a.refused(list, owner, p)
	default:
		return err
	}
}

// finalReasons are those for which a worker can never store an acknowledgement. Any other, such as overloaded or
// unavailable, may be over at the next try.
var finalReasons = map[string]bool{
	"out-of-range":    true,
	"wrong-worker":    true,
	"epoch-dead":      true,
	"unknown-service": true,
	"unknown-key":     true,
	"key-expired":     true,
	"foreign-key":     true,
	"too-many-lanes":  true,
	"bad-signature":   true,
}

// refused takes up what the worker stored of a list and gives up what can never be stored.
func (a *acker) refused(list []ack.Signed, owner []*lane.Lane, p *Problem) error {
	var stored []ack.Signed
	var fault error
	for i := range list {
		reason, bad := p.Refused[i]
		switch {
		case len(p.Refused) == 0:
			fault = fmt.Errorf("%w: %w", ErrAckRefused, p)
		case !bad:
			owner[i].Confirm(list[i : i+1])
			stored = append(stored, list[i])
		case finalReasons[reason] && owner[i].Abandon(&list[i].Ack):
			// The last one of the epoch before: its epoch may have died with the worker, and the newest stands by itself.
		default:
			fault = fmt.Errorf("%w: lane %d of epoch %d: %s", ErrAckRefused, list[i].Lane, list[i].Epoch, reason)
		}
	}
	a.confirmed(stored)
	return fault
}

func (a *acker) confirmed(list []ack.Signed) {
	if len(list) == 0 {
		return
	}
	a.mu.Lock()
	a.refusedSince = time.Time{}
	a.mu.Unlock()
	a.link.batch.confirmed(a.link, list)
	a.link.tell(Event{Kind: EventAcknowledged, Worker: a.link.worker})
}

// stop ends the goroutine, delivers the last acknowledgement within FinalAckTimeout, and closes the lanes. What could not
// be delivered stays in the lanes' files and is delivered by the next transfer.
func (a *acker) stop(ctx context.Context) error {
	a.cancel()
	<-a.done
	left, err := a.finish(ctx)
	a.link.batch.undelivered(a.link, left, err)
	a.mu.Lock()
	defer a.mu.Unlock()
	var closing error
	for _, l := range a.lanes {
		closing = errors.Join(closing, l.Close())
	}
	return closing
}

// finish delivers the last acknowledgement within FinalAckTimeout. It returns how many bytes are not acknowledged, and an error
// if something is left to be delivered.
func (a *acker) finish(ctx context.Context) (left uint64, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.link.client.cfg.FinalAckTimeout)
	defer cancel()
	err = a.deliver(ctx)
	unsent := a.unsent()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.lanes {
		left += l.Unacknowledged()
	}
	if left == 0 && unsent == 0 {
		return 0, nil
	}
	return left, err
}

func (a *acker) deliver(ctx context.Context) error {
	pause := a.link.client.cfg.Backoff
	patience := time.Now().Add(a.link.client.cfg.EpochPatience)
	var last error
	for {
		err := a.flush(ctx)
		if err != nil && ctx.Err() != nil && last != nil {
			// That the time is up says less than what went wrong until then.
			return last
		}
		last = err
		if err == nil {
			if left := a.unsent(); left == 0 {
				return nil
			}
			// The epoch has changed since.
			a.changed()
			continue
		}
		var p *Problem
		switch {
		case errors.Is(err, ErrAckRefused) && time.Now().After(patience):
			return err
		case errors.As(err, &p) && p.Status == http.StatusUnauthorized && a.link.lane != nil:
			if err := a.link.open(ctx); err != nil && !retryable(err) {
				return err
			}
		case !errors.Is(err, ErrAckRefused) && !retryable(classify(err)):
			return err
		}
		if sleepErr := sleep(ctx, pause); sleepErr != nil {
			return err
		}
		pause = min(2*pause, a.link.client.cfg.MaxBackoff)
	}
}

// unsent counts lanes that have something to deliver.
func (a *acker) unsent() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.lanes {
		if list, err := l.Sign(); err == nil && len(list) > 0 {
			n++
		}
	}
	return n
}
