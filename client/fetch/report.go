package fetch

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/lane"
)

// maxRecords bounds the requests that a report lists.
const maxRecords = 1000

// Report is what a transfer came to.
type Report struct {
	Name content.Name `json:"name"`
	// Size of the object in bytes, 0 unless its last group was verified.
	Size   uint64 `json:"size,omitempty"`
	Offset uint64 `json:"offset"`
	// Bytes that were verified and written.
	Bytes uint64 `json:"bytes"`
	// Payload is what that took of whole groups, in bytes.
	Payload uint64 `json:"payload_bytes"`
	// Verified is true if the range is whole. What is written is verified in any case.
	Verified bool          `json:"verified"`
	Duration time.Duration `json:"-"`
	Seconds  float64       `json:"seconds"`
	// Paid is false for a transfer out of free quotas.
	Paid bool `json:"paid"`
	// WorkerID and WorkerURL are those of the last worker that answered.
	WorkerID  uint64 `json:"worker_id,omitempty"`
	WorkerURL string `json:"worker_url,omitempty"`
	KeyID     uint64 `json:"key_id,omitempty"`
	Payment
	Requests []RequestRecord `json:"requests,omitempty"`
}

// Acknowledged is the newest acknowledgement of a lane in an epoch.
type Acknowledged struct {
	WorkerID uint64 `json:"worker_id"`
	Epoch    uint64 `json:"epoch"`
	Lane     uint8  `json:"lane"`
	// Requests and Bytes are the lane's totals, New the bytes that this transfer added.
	Requests uint64 `json:"requests"`
	Bytes    uint64 `json:"bytes"`
	New      uint64 `json:"new_bytes"`
	Head     string `json:"head"`
}

// RequestRecord is one request of a transfer.
type RequestRecord struct {
	WorkerID  uint64 `json:"worker_id,omitempty"`
	WorkerURL string `json:"worker_url"`
	// Sequence that the worker gave, 0 for a free request.
	Sequence uint64 `json:"sequence,omitempty"`
	Offset   uint64 `json:"offset"`
	// Length that arrived, in bytes of the range.
	Length   uint64 `json:"length"`
	Payload  uint64 `json:"payload_bytes"`
	Finished bool   `json:"finished"`
	// Receipt of a finished paid request.
	Receipt string `json:"receipt,omitempty"`
}

type requestRecord struct {
	from, length uint64
	finished     bool
}

// record notes a request that the worker answered.
func (s *source) record(r *lane.Request, rec *requestRecord, h http.Header) {
	out := RequestRecord{
		WorkerID: s.worker.ID, WorkerURL: s.worker.URL, Offset: rec.from, Length: s.pos - rec.from, Finished: rec.finished,
	}
	if r != nil {
		out.Payload = r.Bytes()
		out.Sequence, _ = strconv.ParseUint(h.Get("Edge-Sequence"), 10, 64)
		if rec.finished {
			name := s.req.Name.Digest()
			receipt := ack.Receipt(ack.ContentRequestDigest(name, rec.from, rec.length), name, out.Payload, 0)
			out.Receipt = hex.EncodeToString(receipt[:])
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.WorkerID, s.report.WorkerURL = s.worker.ID, s.worker.URL
	if len(s.report.Requests) < maxRecords {
		s.report.Requests = append(s.report.Requests, out)
	}
}

// laneEpoch names the counters of a lane in an epoch.
type laneEpoch struct {
	worker uint64
	lane   ack.LaneID
}

type entry struct {
	base, newest ack.Ack
	// link is the last one that had the lane.
	link *link
}

// ledger follows what workers hold acknowledgements of.
type ledger struct {
	entries map[laneEpoch]*entry
	order   []laneEpoch
}

func (l *ledger) entry(a *ack.Ack, of *link) *entry {
	k := laneEpoch{worker: a.WorkerID, lane: a.LaneID()}
	e := l.entries[k]
	if e == nil {
		if l.entries == nil {
			l.entries = make(map[laneEpoch]*entry)
		}
		e = new(entry)
		l.entries[k] = e
		l.order = append(l.order, k)
	}
	e.link = of
	return e
}

// base notes what a worker held of a link's lane before anything was added to it.
func (l *ledger) base(held []ack.Signed, id lane.ID, of *link) {
	for i := range held {
		a := &held[i].Ack
		if a.KeyID != id.KeyID || a.WorkerID != id.WorkerID || a.ServiceID != id.ServiceID || a.Lane != id.Lane {
			continue
		}
		if e := l.entry(a, of); e.newest == (ack.Ack{}) {
			e.base, e.newest = *a, *a
		}
	}
}

func (l *ledger) confirm(a *ack.Ack, of *link) {
	if e := l.entry(a, of); a.Supersedes(&e.newest) {
		e.newest = *a
	}
}

// acknowledged is how many bytes were added that were not told.
func (l *ledger) acknowledged() (n uint64) {
	for _, e := range l.entries {
		n += e.newest.Bytes - e.base.Bytes
	}
	return n
}

// tell returns the entries of these links, nil for all, that have grown since they were last told, as they were then and are now.
func (l *ledger) tell(of []*link) (fresh []entry) {
	for _, k := range l.order {
		e := l.entries[k]
		if of != nil && !slices.Contains(of, e.link) {
			continue
		}
		if e.newest.Bytes == e.base.Bytes && e.newest.Requests == e.base.Requests {
			continue
		}
		fresh = append(fresh, *e)
		e.base = e.newest
	}
	return fresh
}

// finish completes the report, but for what was paid.
func (t *transfer) finish() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.report
	r.Duration = time.Since(t.start)
	r.Seconds = r.Duration.Seconds()
	if t.size != content.UnknownSize {
		r.Size = t.size
	}
	r.Verified = t.pos >= t.end || t.size != content.UnknownSize && t.pos >= t.size
	if t.payer != nil {
		r.KeyID = t.payer.KeyID
	}
	return *r
}
