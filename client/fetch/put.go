package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/lane"
)

// settleRate is the least speed in bytes per second at which a worker that has a whole upload must make it durable.
const settleRate = 16 << 20

// uploadSlack is what a worker may be sent beyond twice the size of an object, in bytes: small objects may be tried more often.
const uploadSlack = 1 << 20

// ErrUnkept reports that an object was sent as often as it may be, and no worker has confirmed it.
var ErrUnkept = errors.New("sent as often as it may be, and not confirmed")

// ErrChanged reports a file that is not what it was when its name was taken.
var ErrChanged = errors.New("the file has changed since its name was taken")

// PutRequest says what to upload.
type PutRequest struct {
	Name content.Name
	// Size in bytes, and From, which has that many. An upload reads it again at each try.
	Size uint64
	From io.ReaderAt
	// Workers to try, best first.
	Workers []Worker
	// Progress is told what happens, one call at a time. It must not block. May be nil.
	Progress func(Event)
}

// PutReport is what an upload came to. Its Verified says that a worker has confirmed what it was sent.
type PutReport struct {
	Report
	// Existed says that the worker claims to have the object, which nothing proves unless it is fetched. Then nothing is kept for
	// the account.
	Existed bool `json:"existed"`
	// KeptUntilEpoch is the last epoch in which the worker says that it keeps the object.
	KeptUntilEpoch uint64 `json:"kept_until_epoch,omitempty"`
}

// sending is the upload of a transfer.
type sending struct {
	PutRequest
	existed bool
	until   uint64
	// sent is what all workers were sent, in bytes.
	sent uint64
}

// most is what a worker may be sent of the object over all tries, in bytes: each try can cost its bytes, whether the worker keeps
// them or not. All workers together may be sent twice that.
func (u *sending) most() uint64 { return 2*u.Size + uploadSlack }

// answerDoc is what a worker says of an upload.
type answerDoc struct {
	Name           string `json:"name"`
	Size           uint64 `json:"size"`
	Existed        bool   `json:"existed"`
	KeptUntilEpoch uint64 `json:"kept_until_epoch"`
}

// Put uploads an object to the first worker that takes it. It acknowledges what it has sent as far as the worker's credit
// demands it on the way, never more than it has sent, and the whole of it once the worker has confirmed the name. It sends a
// worker at most twice the size of the object and 1 MiB, and all workers twice that: then it returns ErrUnkept.
func (c *Client) Put(ctx context.Context, req PutRequest) (PutReport, error) {
	start, b := time.Now(), c.Batch()
	_, report, err := b.put(ctx, req)
	return report, b.only(ctx, &report.Report, start, err)
}

// sending returns the transfer that an upload is.
func (b *Batch) sending(req PutRequest) (*transfer, error) {
	c := b.client
	if c.payer == nil {
		return nil, errors.New("an upload is paid: it needs a client key")
	}
	if req.Size > c.cfg.MaxSize {
		return nil, fmt.Errorf("%w: the object has %d bytes, want at most %d", ErrRange, req.Size, c.cfg.MaxSize)
	}
	t := &transfer{
		Client: c, in: b, req: Request{Name: req.Name, Workers: req.Workers, Progress: req.Progress}, start: time.Now(),
		end: req.Size, size: req.Size, upload: &sending{PutRequest: req},
	}
	t.report = Report{Name: req.Name, Paid: true}
	return t, nil
}

// newUploadClient returns a client for bodies: how long a worker takes for its answer depends on their size, and refusals
// are waited for before a body is sent.
func newUploadClient(cfg Config, anyAddress bool) *http.Client {
	c := newHTTPClient(cfg, anyAddress)
	if t, ok := c.Transport.(*http.Transport); ok && cfg.Transport == nil {
		t.ResponseHeaderTimeout, t.ExpectContinueTimeout = 0, cfg.CallTimeout
	}
	return c
}

// offer makes one try to upload.
func (s *source) offer(ctx context.Context) error {
	there, err := s.has(ctx)
	if err != nil {
		return err
	}
	if there {
		s.upload.existed = true
		s.mu.Lock()
		s.report.WorkerID, s.report.WorkerURL = s.worker.ID, s.worker.URL
		s.mu.Unlock()
		return nil
	}
	if s.token() == "" {
		if err := s.open(ctx); err != nil {
			return err
		}
	}
	if s.upload.sent+s.upload.Size > 2*s.upload.most() {
		return fmt.Errorf("%w: %d bytes of an object of %d went to all workers%w", ErrUnkept, s.upload.sent, s.upload.Size, errFatal)
	}
	if s.sent+s.upload.Size > s.upload.most() {
		return fmt.Errorf("%w: %d bytes of an object of %d went to the worker", ErrUnkept, s.sent, s.upload.Size)
	}
	r := s.lane.Begin()
	defer r.Abort()
	sent, err := s.send(ctx, r)
	s.sent += sent
	s.upload.sent += sent
	var p *Problem
	if !errors.As(err, &p) {
		return err
	}
	switch p.Type {
	case "session-unknown":
		s.setToken("")
		return again(sent, err)
	case "lane-closed":
		if closeErr := s.leaveLane(); closeErr != nil {
			return closeErr
		}
		return again(sent, err)
	case "no-room":
		return fmt.Errorf("%w: %w", errFull, err)
	case "credit-exhausted":
		if p.Credit != nil {
			s.setCredit(*p.Credit)
		}
		// The worker waits for what broken tries sent.
		r.Verified(s.owed)
		s.owed = 0
		s.acker.poke()
	}
	return err
}

// again asks for another attempt: at once if nothing was sent, else as after any broken try. A worker that refuses a session only
// once it has the bytes must not get them as often as it likes.
func again(sent uint64, err error) error {
	if sent == 0 {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	return fmt.Errorf("%w after %d bytes: %s", ErrNotWhole, sent, err) //nolint:errorlint // what it was must not decide how it is tried again
}

// has asks whether the worker has the object, which costs nothing.
func (s *source) has(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.CallTimeout, fmt.Errorf("no answer to HEAD in %s", s.cfg.CallTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, s.base.JoinPath("b3", s.req.Name.String()).String(), nil)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrWorkerURL, err)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return false, transportError(ctx, err)
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK && resp.ContentLength == int64(s.upload.Size), nil
}

// send makes the request and follows its body. It returns how many bytes it gave to the connection.
func (s *source) send(ctx context.Context, r *lane.Request) (sent uint64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := s.acker.guard(cancel); err != nil {
		return 0, err
	}
	defer func() { _ = s.acker.guard(nil) }()
	body := &sentBody{s: s, r: r, from: io.NewSectionReader(s.upload.From, 0, int64(s.upload.Size))}
	var reader io.ReadCloser = http.NoBody
	if s.upload.Size > 0 {
		reader = body
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, s.base.JoinPath("b3", s.req.Name.String()).String(), reader)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrWorkerURL, err)
	}
	req.ContentLength = int64(s.upload.Size)
	req.Header.Set("Authorization", authScheme+s.token())
	if s.upload.Size > 0 {
		req.Header.Set("Expect", "100-continue")
	}
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { body.watch(done, cancel) })
	s.say(Event{Kind: EventStart, Worker: s.worker})
	// What the worker needs to make a whole body durable has its own bound, and is not the speed at which it takes bytes.
	defer s.pace.reading(true)
	resp, err := s.uploadClient().Do(req)
	// The transport may still read: from here on nothing counts that it does.
	sent = body.stop()
	close(done)
	watching.Wait()
	if err != nil {
		s.owed += sent - body.counted
		if body.fault != nil {
			return sent, fmt.Errorf("%w: %w%w", ErrChanged, body.fault, errFatal)
		}
		return sent, transportError(ctx, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated:
	default:
		s.owed += sent - body.counted
		err := problem(resp)
		var p *Problem
		if errors.As(err, &p) && p.Type == "content-mismatch" {
			return sent, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		return sent, classify(err)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		s.owed += sent - body.counted
		return sent, transportError(ctx, err)
	}
	var doc answerDoc
	if err := json.Unmarshal(b, &doc); err != nil {
		return sent, fmt.Errorf("%w: the answer to an upload is no JSON of its kind: %s", ErrProtocol, clean(err.Error()))
	}
	if doc.Name != s.req.Name.String() || doc.Size != s.upload.Size {
		return sent, fmt.Errorf("%w: it confirms %q of %d bytes, and was sent %s of %d", ErrProtocol, clean(doc.Name), doc.Size, s.req.Name, s.upload.Size)
	}
	if resp.StatusCode == http.StatusOK {
		s.upload.existed = true
		s.owed += sent - body.counted
		s.mu.Lock()
		s.report.WorkerID, s.report.WorkerURL = s.worker.ID, s.worker.URL
		s.mu.Unlock()
		return sent, nil
	}
	return sent, s.stored(ctx, r, body, sent, resp.Header, &doc)
}

// stored takes up that the worker has the object: all of it is acknowledged.
func (s *source) stored(ctx context.Context, r *lane.Request, body *sentBody, sent uint64, h http.Header, doc *answerDoc) error {
	if sent != s.upload.Size {
		return fmt.Errorf("%w: it confirms %d bytes and took %d", ErrProtocol, s.upload.Size, sent)
	}
	if err := s.accepted(ctx, r, h); err != nil {
		return err
	}
	if text := h.Get("Edge-Payload-Bytes"); text != strconv.FormatUint(sent, 10) {
		return fmt.Errorf("%w: it bills %q bytes for an upload of %d", ErrProtocol, clean(text), sent)
	}
	n := sent - body.counted
	r.Verified(n)
	r.FinishContent(s.req.Name.Digest(), 0, sent)
	s.acker.finished()
	s.upload.until = doc.KeptUntilEpoch
	s.mu.Lock()
	s.report.WorkerID, s.report.WorkerURL = s.worker.ID, s.worker.URL
	s.report.Bytes, s.report.Payload = sent, sent
	s.mu.Unlock()
	sequence, _ := strconv.ParseUint(h.Get("Edge-Sequence"), 10, 64) // accepted has read it
	s.mu.Lock()
	if len(s.report.Requests) < maxRecords {
		s.report.Requests = append(s.report.Requests, RequestRecord{
			WorkerID: s.worker.ID, WorkerURL: s.worker.URL, Sequence: sequence, Length: sent, Payload: sent, Finished: true,
		})
	}
	s.mu.Unlock()
	s.say(Event{Kind: EventProgress, Worker: s.worker})
	return nil
}

// sentBody is the body of an upload. It counts what it gives to the connection, and acknowledges of it what credit demands.
type sentBody struct {
	s    *source
	r    *lane.Request
	from io.Reader

	mu      sync.Mutex
	stopped bool
	// sent was given to the connection, and counted is what of it is acknowledged or will be, both in bytes.
	sent, counted uint64
	last          time.Time
	told          time.Time
	fault         error
}

// Read implements io.Reader.
func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return 0, io.ErrClosedPipe
	}
	b.sent += uint64(n)
	b.last = time.Now()
	b.s.pace.verified(uint64(n))
	if b.sent == b.s.upload.Size {
		b.s.pace.reading(false)
	}
	if errors.Is(err, io.EOF) && b.sent != b.s.upload.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.fault = err
	}
	// A worker holds an eighth of the limit in reserve for the next step, and a quarter is what a client may be behind.
	if b.sent-b.counted >= b.s.acker.every.Load() {
		b.count()
	}
	b.s.mu.Lock()
	b.s.report.Bytes = b.sent
	b.s.mu.Unlock()
	if b.last.Sub(b.told) >= progressEvery {
		b.told = b.last
		b.s.say(Event{Kind: EventProgress, Worker: b.s.worker})
	}
	return n, err
}

// Close implements io.Closer.
func (b *sentBody) Close() error { return nil }

// count has all that was sent acknowledged. The caller holds mu.
func (b *sentBody) count() {
	n := b.sent - b.counted
	if n == 0 {
		return
	}
	b.counted = b.sent
	b.r.Verified(n)
	b.s.acker.poke()
}

// stop ends the counting and returns what was sent.
func (b *sentBody) stop() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	return b.sent
}

// watch acknowledges what was sent when the worker takes no more of it, and ends the upload if that does not help, or if the worker
// takes too little over a longer time. It returns when done is closed.
func (b *sentBody) watch(done <-chan struct{}, cancel func(error)) {
	b.mu.Lock()
	b.last = time.Now()
	b.mu.Unlock()
	tick := time.NewTicker(max(min(b.s.cfg.StallNotice/4, b.s.pace.every()), time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		b.mu.Lock()
		quiet, whole := time.Since(b.last), b.sent == b.s.upload.Size
		if quiet >= b.s.cfg.StallNotice && !whole {
			b.count()
		}
		b.mu.Unlock()
		if !whole {
			if err := b.s.pace.check(b.s.atLimit()); err != nil {
				cancel(err)
				return
			}
		}
		most := max(b.s.cfg.IdleTimeout+b.s.stall, b.s.cfg.CallTimeout)
		if whole {
			most += time.Duration(b.s.upload.Size/settleRate) * time.Second
		}
		if quiet >= most {
			cancel(fmt.Errorf("%w: the worker took nothing for %s", ErrStalled, most))
			return
		}
	}
}

// uploadClient returns the client for the worker's bodies.
func (s *source) uploadClient() *http.Client {
	if s.worker.AnyAddress {
		return s.namedPuts
	}
	return s.publicPuts
}

// ContentURL returns where a worker serves an object.
func ContentURL(worker string, name content.Name) (string, error) {
	base, err := parseWorkerURL(worker)
	if err != nil {
		return "", err
	}
	return base.JoinPath("b3", name.String()).String(), nil
}
