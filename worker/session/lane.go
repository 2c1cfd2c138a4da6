package session

import (
	"slices"

	"github.com/edgechain/edge/ack"
)

// maxHeadSteps bounds the hashes that findHead spends on one acknowledgement.
const maxHeadSteps = 4_096

// laneKey names a lane through all epochs.
type laneKey struct {
	key, service uint64
	lane         uint8
}

func (k laneKey) id(epoch uint64) ack.LaneID {
	return ack.LaneID{Epoch: epoch, KeyID: k.key, ServiceID: k.service, Lane: k.lane}
}

func laneKeyOf(id ack.LaneID) laneKey {
	return laneKey{key: id.KeyID, service: id.ServiceID, lane: id.Lane}
}

type receiptState uint8

const (
	receiptRunning receiptState = iota
	receiptFinished
	receiptAborted
)

// receipt is one request on a lane that no acknowledgement covers yet.
type receipt struct {
	digest ack.Digest
	state  receiptState
	// session counts the sessions that were opened on the lane before and with it.
	session uint32
}

// lane is what the worker knows of a lane. The account's lock guards it.
type lane struct {
	epochs map[uint64]*laneEpoch
	// receipts in the order of their sequence numbers.
	receipts []*receipt
	// unknown is set while receipts from before this process may be missing.
	unknown bool
	// session that is open on the lane, nil if none is. sessions were opened so far.
	session  *Session
	sessions uint32
	// served is the last epoch in which bytes were sent on the lane; 0 is none.
	served uint64
	// pins counts the calls that use the lane and would not find it again if it went.
	pins int
	// used orders the lanes for eviction.
	used uint64
}

// laneEpoch is what is acknowledged on a lane in one epoch.
type laneEpoch struct {
	// covered is the bytes of the newest acknowledgement that has been taken off the account's bytes.
	covered  uint64
	requests uint64
	head     [ack.HeadSize]byte
	closed   bool
}

// servedFor reports whether an acknowledgement of an epoch can be about something that was sent on the lane: in that epoch, or in the
// one before, of which what was left over is signed with the next.
func (l *lane) servedFor(epoch uint64) bool { return l.served > 0 && l.served+1 >= epoch }

// awaited reports whether bytes were sent on the lane in an epoch and none of its acknowledgements is held yet.
func (l *lane) awaited(epoch uint64) bool {
	e := l.epochs[epoch]
	return l.served == epoch && (e == nil || e.covered == 0 && e.requests == 0)
}

// observe takes the requests and the head of an acknowledgement that is stored. It returns false if they cannot be: the
// lane is closed for the epoch then, and what the client says is where the lane goes on.
func (l *lane) observe(a *ack.Ack) bool {
	e := l.epochs[a.Epoch]
	ok := false
	switch {
	case a.Requests < e.requests:
		// Fewer requests and more of something else: no client that has its state signs that.
	default:
		var used int
		used, ok = findHead(e.head, a.Head, int(min(a.Requests-e.requests, 1<<30)), l.receipts)
		l.receipts = slices.Delete(l.receipts, 0, used)
	}
	known := ok
	if !ok && l.unknown && a.Requests > e.requests {
		ok, known = true, true
	}
	if known && a.Requests > e.requests {
		l.unknown = false
	}
	e.requests, e.head = a.Requests, a.Head
	if !ok {
		e.closed = true
	}
	return ok
}

// findHead finds which n of the receipts lead from base to head, in their order, and returns how many receipts that
// leaves behind. It tries runs without a gap among those that were not aborted, then among the finished, then among all:
// a run that starts later leaves out requests that the client lost with its state, mostly those of earlier sessions. Last it tries
// one gap: a request that the worker has sent whole and the client did not get whole.
func findHead(base, head [ack.HeadSize]byte, n int, receipts []*receipt) (used int, ok bool) {
	if n == 0 {
		return 0, base == head
	}
	if n > len(receipts) {
		return 0, false
	}
	steps := maxHeadSteps
	list := make([]int, 0, len(receipts))
	for _, among := range []func(receiptState) bool{
		func(s receiptState) bool { return s != receiptAborted },
		func(s receiptState) bool { return s == receiptFinished },
		func(receiptState) bool { return true },
	} {
		list = list[:0]
		for i, r := range receipts {
			if among(r.state) {
				list = append(list, i)
			}
		}
		leads := func(from int) bool {
			if from+n > len(list) {
				return false
			}
			h := base
			for _, i := range list[from : from+n] {
				h = ack.NextHead(h, receipts[i].digest)
			}
			return h == head
		}
		// The first run of all and that of the newest session are always tried: an honest client may have any number of receipts in
		// them.
		if leads(0) {
			return list[n-1] + 1, true
		}
		newest := slices.IndexFunc(list, func(i int) bool { return receipts[i].session == receipts[len(receipts)-1].session })
		if newest > 0 && leads(newest) {
			return list[newest+n-1] + 1, true
		}
		for from := 1; from+n <= len(list); from++ {
			if steps -= n; steps < 0 {
				break
			}
			if leads(from) {
				return list[from+n-1] + 1, true
			}
		}
	}
	list = list[:0]
	for i, r := range receipts {
		if r.state != receiptAborted {
			list = append(list, i)
		}
	}
	if n+1 > len(list) {
		return 0, false
	}
	before := base
	for gap := range n {
		if steps -= n - gap + 1; steps < 0 {
			return 0, false
		}
		h := before
		for _, i := range list[gap+1 : n+1] {
			h = ack.NextHead(h, receipts[i].digest)
		}
		if h == head {
			return list[n] + 1, true
		}
		before = ack.NextHead(before, receipts[list[gap]].digest)
	}
	return 0, false
}
