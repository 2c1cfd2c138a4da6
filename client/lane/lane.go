// Package lane keeps the client's side of a lane: what it has verified, what it has signed for it, and the chain of
// receipts behind it. A lane is (epoch, key, worker, service, lane number); this package follows one (key, worker,
// service, lane number) through the epochs. docs/protocol.md, sections 2 and 4, specifies the rules.
//
// Two rules hold whatever the worker does. Nothing is signed that was not verified, and nothing that was verified is
// left out of the next acknowledgement. And an acknowledgement names the epoch that the client's own view of the chain
// has as current, never one that a worker asked for.
package lane

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"

	"github.com/edgechain/edge/ack"
)

var (
	// ErrBusy reports a lane that another process or transfer holds.
	ErrBusy = errors.New("lane is in use")
	// ErrClosed reports a lane that is not usable for the rest of the epoch, because worker and client disagree about
	// its head.
	ErrClosed = errors.New("lane is closed for this epoch")
	// ErrForeign reports an acknowledgement that a worker presents and that this key has not signed for this lane.
	ErrForeign = errors.New("acknowledgement is not ours")
	// ErrFutureEpoch reports an epoch that the client's view of the chain has not reached.
	ErrFutureEpoch = errors.New("epoch lies in the future")
	// ErrEpochBackwards reports a view of the chain that fell behind the epoch of this lane's counters.
	ErrEpochBackwards = errors.New("view of the chain went back")
	// ErrSequence reports a sequence number that the worker cannot have given.
	ErrSequence = errors.New("impossible sequence number")
	// ErrExhausted reports counters at the bounds of the format.
	ErrExhausted = errors.New("lane has reached the bounds of an acknowledgement")
	// ErrState reports a state file that cannot be used.
	ErrState = errors.New("unusable lane state")
)

// MaxSequence bounds sequence numbers. No session gets near it.
const MaxSequence = ack.MaxRequests

// View is the client's own view of the chain.
type View interface {
	// Epoch returns the current epoch, or an error if the view is too old to sign by.
	Epoch() (uint64, error)
}

// ID names a lane apart from its epoch.
type ID struct {
	ChainID   string
	KeyID     uint64
	WorkerID  uint64
	ServiceID uint64
	// Lane is below ack.MaxLanes.
	Lane uint8
}

// Counters are the running totals of a lane in an epoch.
type Counters struct {
	Requests uint64
	// Bytes is verified payload in bytes.
	Bytes uint64
	Head  [ack.HeadSize]byte
}

func countersOf(a *ack.Ack) Counters {
	return Counters{Requests: a.Requests, Bytes: a.Bytes, Head: a.Head}
}

// extend adds one finished request, whose bytes have been counted before.
func (c *Counters) extend(receipt ack.Digest) {
	c.Head = ack.NextHead(c.Head, receipt)
	c.Requests++
}

// signed is an acknowledgement that was made, and whether the worker has confirmed that it holds it.
type signed struct {
	ack.Signed
	confirmed bool
	// abandoned ones are not sent again while the lane is open.
	abandoned bool
}

// Lane is the state of one lane. It is safe for concurrent use; requests may run in parallel.
type Lane struct {
	id    ID
	chain ack.ChainHash
	key   ed25519.PrivateKey
	view  View
	file  *file

	mu sync.Mutex
	// epoch of the counters, 0 before the first one.
	epoch uint64
	// total counts everything verified in the epoch. It is at or ahead of last.
	total Counters
	// unsigned are the requests in total that no acknowledgement covers, so that they can move to the next epoch.
	unsigned []finished
	// journal of the requests in total.
	journal journal
	// rolled is true while journals of epochs that are over may be left.
	rolled bool
	// last is the newest acknowledgement of the epoch, prev that of the epoch before.
	last, prev *signed
	// closed is the epoch in which the lane was closed.
	closed uint64

	// The session's requests.
	firstSequence uint64
	sent          uint64
	highest       uint64 // of the sequence numbers given so far
	order         uint64
	open          []*Request
}

// ID returns the lane's name.
func (l *Lane) ID() ID { return l.id }

// Totals returns the epoch of the counters and the counters, acknowledged or not.
func (l *Lane) Totals() (epoch uint64, c Counters) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch, l.total
}

// Unacknowledged returns the verified bytes that no confirmed acknowledgement covers.
func (l *Lane) Unacknowledged() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.total.Bytes
	if l.last != nil && l.last.confirmed {
		n -= l.last.Bytes
	}
	return n
}

// Usable returns ErrClosed if the lane was closed in the current epoch.
func (l *Lane) Usable() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.roll(); err != nil {
		return err
	}
	if l.closed == l.epoch {
		return fmt.Errorf("%w: lane %d, epoch %d", ErrClosed, l.id.Lane, l.epoch)
	}
	return nil
}

// MarkClosed records that the lane cannot be used for the rest of the current epoch. What it has signed stays good.
func (l *Lane) MarkClosed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.roll(); err != nil {
		return err
	}
	l.closed = l.epoch
	return l.save()
}

// roll moves the counters to the current epoch of the view. What was verified and not signed for moves along; what was
// signed for stays behind in prev, which travels before the first acknowledgement of the new epoch.
func (l *Lane) roll() error {
	epoch, err := l.view.Epoch()
	if err != nil {
		return err
	}
	switch {
	case epoch == 0:
		return fmt.Errorf("%w: the view of the chain has epoch 0, epochs count from 1", ErrEpochBackwards)
	case epoch == l.epoch:
		return nil
	case epoch < l.epoch:
		return fmt.Errorf("%w: the chain is in epoch %d, lane %d has signed for epoch %d", ErrEpochBackwards, epoch, l.id.Lane, l.epoch)
	}
	moved := Counters{Bytes: l.total.Bytes}
	if l.last != nil {
		moved.Bytes -= l.last.Bytes
	}
	for i := range l.unsigned {
		moved.extend(l.unsigned[i].receipt)
		l.unsigned[i].Earlier = l.unsigned[i].signed
	}
	for _, r := range l.open {
		r.earlier = r.signed
	}
	switch {
	case epoch > l.epoch+1:
		// An acknowledgement lives for its epoch and the next one: everything older is beyond settling.
		l.prev = nil
	default:
		l.prev = l.last
	}
	// The receipts stay unsigned, and the first acknowledgement of the new epoch covers them.
	l.epoch, l.total, l.last = epoch, moved, nil
	l.journal, l.rolled = journal{path: l.file.journalPath(epoch)}, true
	return nil
}

// Sign makes an acknowledgement of everything verified so far and returns what the worker has to be sent, oldest first:
// nothing if it has confirmed all, else the newest acknowledgement, behind the last one of the epoch before if that one is
// not confirmed or the newest is the first of its epoch. What it returns is on disk.
func (l *Lane) Sign() ([]ack.Signed, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.roll(); err != nil {
		return nil, err
	}
	fresh := l.last == nil && (l.total.Bytes > 0 || l.total.Requests > 0) || l.last != nil && countersOf(&l.last.Ack) != l.total
	if fresh {
		a := ack.Ack{
			Epoch: l.epoch, KeyID: l.id.KeyID, WorkerID: l.id.WorkerID, ServiceID: l.id.ServiceID, Lane: l.id.Lane,
			Requests: l.total.Requests, Bytes: l.total.Bytes, Head: l.total.Head,
		}
		if err := a.Check(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrExhausted, err)
		}
		if l.last == nil && l.prev != nil {
			// The first of an epoch travels behind the last one of the epoch before.
			l.prev.confirmed = false
		}
		if err := l.writeJournal(); err != nil {
			return nil, err
		}
		l.last = &signed{Signed: ack.Sign(l.key, l.chain, &a)}
		l.unsigned = nil
		for _, r := range l.open {
			r.signed = r.bytes
		}
		if err := l.save(); err != nil {
			return nil, err
		}
	}
	var list []ack.Signed
	if l.prev != nil && !l.prev.confirmed && !l.prev.abandoned {
		list = append(list, l.prev.Signed)
	}
	if l.last != nil && !l.last.confirmed {
		list = append(list, l.last.Signed)
	}
	return list, nil
}

// Confirm records that the worker holds these acknowledgements durably. Ones that have been replaced since are ignored.
func (l *Lane) Confirm(list []ack.Signed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range list {
		for _, s := range []*signed{l.prev, l.last} {
			if s != nil && s.Ack == list[i].Ack {
				s.confirmed = true
			}
		}
	}
}

// Abandon gives up an acknowledgement of the epoch before that the worker refuses for good, so that it is not sent again.
// It reports whether it was that: the newest one is never given up.
func (l *Lane) Abandon(a *ack.Ack) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.prev == nil || l.prev.Ack != *a {
		return false
	}
	l.prev.abandoned = true
	return true
}

// Resume takes over what a worker says it holds of this lane, the newest acknowledgement of the current epoch and of the
// one before, oldest first, as the answer to a new session. Each must bear this key's signature. If the worker holds a
// newer one than this client remembers, the client goes on from there; if it holds an older one, the newest is sent again.
// It returns ErrForeign, ErrFutureEpoch, or ErrClosed if the two cannot be of one chain of receipts. firstSequence is the
// sequence number that the worker gives to the session's first request.
func (l *Lane) Resume(list []ack.Signed, firstSequence uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.roll(); err != nil {
		return err
	}
	if firstSequence == 0 || firstSequence > MaxSequence {
		return fmt.Errorf("%w: the session begins at %d", ErrSequence, firstSequence)
	}
	if len(list) > 2 {
		return fmt.Errorf("%w: %d of one lane, want at most 2", ErrForeign, len(list))
	}
	public := l.key.Public().(ed25519.PublicKey)
	for i := range list {
		a := &list[i]
		switch {
		case a.KeyID != l.id.KeyID || a.WorkerID != l.id.WorkerID || a.ServiceID != l.id.ServiceID || a.Lane != l.id.Lane:
			return fmt.Errorf("%w: it is of key %d, worker %d, service %d, lane %d", ErrForeign, a.KeyID, a.WorkerID, a.ServiceID, a.Lane)
		case a.Epoch > l.epoch:
			return fmt.Errorf("%w: acknowledgement of epoch %d, the chain is in epoch %d", ErrFutureEpoch, a.Epoch, l.epoch)
		case i > 0 && a.Epoch <= list[i-1].Epoch:
			return fmt.Errorf("%w: epochs %d and %d are not in order", ErrForeign, list[i-1].Epoch, a.Epoch)
		}
		if err := a.Verify(public, l.chain); err != nil {
			return fmt.Errorf("%w: %w", ErrForeign, err)
		}
	}
	// The worker has ended the session before. Check all before taking over any.
	l.startSession(firstSequence)
	heldPrev, heldLast := l.held(list, l.epoch-1), l.held(list, l.epoch)
	takePrev, err := compare(l.prev, heldPrev)
	if err != nil {
		return l.diverged(err)
	}
	takeLast, err := compare(l.last, heldLast)
	if err != nil {
		return l.diverged(err)
	}
	switch {
	case takeLast:
		// Another instance of this key has gone further, or our state was lost. What we verified beyond our own last
		// acknowledgement may be part of it: never pay for it twice.
		l.last = &signed{Signed: *heldLast, confirmed: true}
		l.total, l.unsigned = countersOf(&heldLast.Ack), nil
		// The requests behind it are not known here.
		if err := l.journal.give(); err != nil {
			return err
		}
	case takePrev && l.prev != nil && l.last == nil:
		l.total, l.unsigned = Counters{}, nil
		l.journal.count = 0
	}
	if takePrev {
		l.prev = &signed{Signed: *heldPrev, confirmed: true}
	}
	mark(l.prev, heldPrev)
	mark(l.last, heldLast)
	return l.save()
}

func (l *Lane) held(list []ack.Signed, epoch uint64) *ack.Signed {
	for i := range list {
		if list[i].Epoch == epoch {
			return &list[i]
		}
	}
	return nil
}

func (l *Lane) diverged(cause error) error {
	l.closed = l.epoch
	if err := l.save(); err != nil {
		return errors.Join(cause, err)
	}
	return cause
}

// mark sets ours confirmed or not, by whether the worker holds exactly it.
func mark(ours *signed, held *ack.Signed) {
	if ours != nil {
		ours.confirmed = held != nil && ours.Ack == held.Ack
	}
}

// compare reports whether the worker's is newer than ours, and ErrClosed if neither replaces the other.
func compare(ours *signed, held *ack.Signed) (newer bool, err error) {
	switch {
	case held == nil:
		return false, nil
	case ours == nil:
		return true, nil
	case held.Requests == ours.Requests && held.Head != ours.Head, !held.Supersedes(&ours.Ack) && !ours.Supersedes(&held.Ack):
		return false, fmt.Errorf("%w: of lane %d in epoch %d the worker holds %d requests and %d bytes, this client has signed %d and %d with another head",
			ErrClosed, held.Lane, held.Epoch, held.Requests, held.Bytes, ours.Requests, ours.Bytes)
	}
	return !ours.Supersedes(&held.Ack), nil
}

// Close lets the lane go. It must not be used afterwards.
func (l *Lane) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.save(), l.file.close())
}

// save writes the journal before the state that counts on it, and removes journals that nothing counts on any more after it.
func (l *Lane) save() error {
	if l.epoch != 0 {
		if err := l.writeJournal(); err != nil {
			return err
		}
	}
	if err := l.file.write(l.snapshot()); err != nil {
		return err
	}
	if !l.rolled {
		return nil
	}
	oldest := l.epoch
	if l.prev != nil {
		oldest = l.prev.Epoch
	}
	if err := l.file.sweep(oldest); err != nil {
		return err
	}
	l.rolled = false
	return nil
}
