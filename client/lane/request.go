package lane

import (
	"fmt"
	"math"

	"github.com/edgechain/edge/ack"
)

type requestState uint8

const (
	requestSent     requestState = iota // no answer yet
	requestAccepted                     // has a sequence number
	requestFinished                     // all verified, waits for those before it
	requestOver                         // counted, or given up
)

// Request is one request of a session on the lane. Its methods may be called from one goroutine at a time.
type Request struct {
	lane  *Lane
	state requestState
	order uint64
	// floor is above every number given before the request was sent.
	floor    uint64
	sequence uint64
	bytes    uint64
	// signed are those of the bytes that an acknowledgement covers, earlier those that one of an earlier epoch does.
	signed, earlier uint64
	// done is what the receipt commits to, once it is finished.
	done Finished
}

// startSession forgets the requests of the session before, which the worker has ended.
func (l *Lane) startSession(first uint64) {
	for _, r := range l.open {
		if r.state == requestFinished {
			l.count(r)
		}
		r.state = requestOver
	}
	l.open = nil
	l.firstSequence, l.sent, l.highest = first, 0, 0
}

// Begin notes a request that is about to be sent in the session that Resume began.
func (l *Lane) Begin() *Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &Request{lane: l, order: l.order, floor: max(l.firstSequence, l.highest+1)}
	l.order++
	l.sent++
	l.open = append(l.open, r)
	return r
}

// Accepted takes the sequence number that the worker gave to the request. It returns ErrSequence for one that is taken
// or that cannot be: the worker counts up from the session's first one and knows only requests that were sent.
func (r *Request) Accepted(sequence uint64) error {
	l := r.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.state != requestSent {
		return fmt.Errorf("%w: %d for a request that is over", ErrSequence, sequence)
	}
	if sequence < r.floor || sequence-l.firstSequence >= l.sent {
		return fmt.Errorf("%w: %d, the session began at %d, has had %d requests, and has given %d", ErrSequence, sequence, l.firstSequence, l.sent, l.highest)
	}
	for _, o := range l.open {
		if o != r && o.sequence == sequence {
			return fmt.Errorf("%w: %d was given before", ErrSequence, sequence)
		}
	}
	r.state, r.sequence = requestAccepted, sequence
	l.highest = max(l.highest, sequence)
	return nil
}

// Verified counts n more bytes of verified payload. They are in every acknowledgement from now on.
func (r *Request) Verified(n uint64) {
	l := r.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	r.bytes += n
	l.total.Bytes += n
}

// Finish says that all of the request is verified. Its receipt enters the chain when the requests before it have
// finished or been given up.
func (r *Request) Finish(request, response ack.Digest) {
	r.finish(Finished{Request: request, Response: response})
}

// FinishContent is Finish for a range of an object.
func (r *Request) FinishContent(name ack.Digest, offset, length uint64) {
	r.finish(Finished{
		Request: ack.ContentRequestDigest(name, offset, length), Response: name, Content: true, Offset: offset, Length: length,
	})
}

func (r *Request) finish(f Finished) {
	l := r.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.state != requestAccepted {
		return
	}
	f.Bytes = r.bytes
	r.done = f
	r.state = requestFinished
	l.settle()
}

// Abort says that nothing more of the request will be verified. It counts in bytes as far as it got, never in requests
// or head. After Finish it does nothing.
func (r *Request) Abort() {
	l := r.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.state == requestSent || r.state == requestAccepted {
		r.state = requestOver
		l.settle()
	}
}

// Bytes returns the verified payload of the request in bytes.
func (r *Request) Bytes() uint64 {
	r.lane.mu.Lock()
	defer r.lane.mu.Unlock()
	return r.bytes
}

// settle counts finished requests in the order of their sequence numbers, as far as no earlier one is open. A request
// that was sent earlier and has no number yet may turn out to be an earlier one.
func (l *Lane) settle() {
	for {
		var next *Request
		for _, r := range l.open {
			if r.state == requestFinished && (next == nil || r.sequence < next.sequence) {
				next = r
			}
		}
		if next == nil {
			break
		}
		blocked := false
		for _, r := range l.open {
			blocked = blocked || r.state == requestSent && r.order < next.order || r.state == requestAccepted && r.sequence < next.sequence
		}
		if blocked {
			break
		}
		l.count(next)
		next.state = requestOver
	}
	// One that is over is remembered while a request could be given its number a second time.
	floor := uint64(math.MaxUint64)
	for _, r := range l.open {
		if r.state == requestSent {
			floor = min(floor, r.floor)
		}
	}
	kept := l.open[:0]
	for _, r := range l.open {
		if r.state != requestOver || r.sequence >= floor {
			kept = append(kept, r)
		}
	}
	clear(l.open[len(kept):])
	l.open = kept
}

func (l *Lane) count(r *Request) {
	f := finished{Finished: r.done, receipt: r.done.Receipt(), signed: r.signed, known: true}
	f.Earlier = r.earlier
	l.total.extend(f.receipt)
	l.unsigned = append(l.unsigned, f)
}
