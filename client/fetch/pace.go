package fetch

import (
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"
)

// ErrSlow reports a worker that sends, or takes, less than the least rate. A worker that lets one group drip out now and then would
// otherwise hold a transfer for ever.
var ErrSlow = errors.New("worker is too slow")

// paceSteps is in how many steps the window slides.
const paceSteps = 16

// pace holds one worker's rate, at which it sends or takes an upload, over a sliding window against the least one, across all its
// streams in a transfer and the pauses between them. Time in which the client itself did not read does not count. Time in which the worker had a reason
// to wait does not count either, up to a total: whether it has one is the worker's own word.
type pace struct {
	least  uint64 // bytes per window
	window time.Duration

	mu sync.Mutex
	// last is up to when time was counted, active how much of it counts.
	last   time.Time
	active time.Duration
	// own is true while the client does not read.
	own bool
	// excuse is how much may still be excused.
	excuse time.Duration
	// bytes that arrived, and how many of them before the last check.
	bytes, seen uint64
	// marks are what had arrived at steps of active time, oldest first, one window of them.
	marks []paceMark
}

type paceMark struct {
	at    time.Duration
	bytes uint64
}

// newPace returns a pace that begins now.
func newPace(cfg Config) *pace {
	p := &pace{
		least:  uint64(float64(cfg.MinRate) * cfg.RateWindow.Seconds()),
		window: cfg.RateWindow, last: time.Now(), excuse: cfg.MaxWait,
	}
	p.marks = append(p.marks, paceMark{})
	return p
}

// verified counts bytes.
func (p *pace) verified(n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes += n
}

// reading says whether the client reads. While it does not, no time counts.
func (p *pace) reading(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(false)
	p.own = !yes
}

// count counts the time since the last call, unless it is excused.
func (p *pace) count(excused bool) {
	now := time.Now()
	d := now.Sub(p.last)
	p.last = now
	if p.own {
		return
	}
	if excused {
		free := min(d, p.excuse)
		p.excuse -= free
		d -= free
	}
	p.active += d
}

// check counts the time since the last call and returns ErrSlow if less than the least rate arrived in the last window. If
// nothing arrived since the last check and the worker had a reason to wait, the time is excused.
func (p *pace) check(excused bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(excused && p.bytes == p.seen)
	p.seen = p.bytes
	if p.active-p.marks[len(p.marks)-1].at < p.window/paceSteps {
		return nil
	}
	p.marks = append(p.marks, paceMark{p.active, p.bytes})
	// The newest mark that is a whole window old is where the window begins.
	begin := -1
	for i, m := range p.marks {
		if p.active-m.at >= p.window {
			begin = i
		}
	}
	if begin < 0 {
		return nil
	}
	p.marks = p.marks[begin:]
	if got := p.bytes - p.marks[0].bytes; got < p.least {
		return fmt.Errorf("%w: %d bytes in %s, want at least %d", ErrSlow, got, (p.active - p.marks[0].at).Round(time.Millisecond), p.least)
	}
	return nil
}

// every is how often check has to be called.
func (p *pace) every() time.Duration { return max(p.window/paceSteps, time.Millisecond) }

// watchPace ends a stream with ErrSlow when the worker is too slow. It returns when done is closed.
func (s *source) watchPace(done <-chan struct{}, cancel func(error)) {
	tick := time.NewTicker(s.pace.every())
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		if err := s.pace.check(s.atLimit()); err != nil {
			cancel(err)
			return
		}
	}
}

// atLimit reports whether the credit explains that the worker sends nothing: by its last word the claim has reached the
// limit, but for the eighth that a worker may hold in reserve.
func (s *source) atLimit() bool {
	if s.payer == nil {
		return false
	}
	s.sessionMu.Lock()
	c := s.credit
	s.sessionMu.Unlock()
	limit, ok := amount(c.Limit)
	claim, claimOK := amount(c.Claim)
	if !ok || !claimOK {
		return false
	}
	return claim.Add(claim, new(big.Int).Rsh(limit, 3)).Cmp(limit) >= 0
}
