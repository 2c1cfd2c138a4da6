package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/lane"
)

// progressEvery is how often progress is told at most.
const progressEvery = 100 * time.Millisecond

// attempt makes one request for what is left of the range and takes in its stream.
func (s *source) attempt(ctx context.Context) error {
	if s.upload != nil {
		return s.offer(ctx)
	}
	if s.payer == nil {
		s.introduce(ctx)
		return s.stream(ctx, nil)
	}
	if s.token() == "" {
		if err := s.open(ctx); err != nil {
			return err
		}
	}
	r := s.lane.Begin()
	defer r.Abort()
	err := s.stream(ctx, r)
	var p *Problem
	if !errors.As(err, &p) {
		return err
	}
	switch p.Type {
	case "session-unknown":
		s.setToken("")
		return fmt.Errorf("%w: %w", errAgain, err)
	case "lane-closed":
		if closeErr := s.leaveLane(); closeErr != nil {
			return closeErr
		}
		return fmt.Errorf("%w: %w", errAgain, err)
	case "credit-exhausted":
		if p.Credit != nil {
			s.setCredit(*p.Credit)
		}
	}
	return err
}

// stream requests [pos, end) and passes on what verifies. r is nil for a free request.
func (s *source) stream(ctx context.Context, r *lane.Request) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := s.cfg.IdleTimeout
	if r != nil {
		idle += s.stall
		if err := s.acker.guard(cancel); err != nil {
			return err
		}
		defer func() { _ = s.acker.guard(nil) }()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base.JoinPath("b3", s.req.Name.String()).String(), nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWorkerURL, err)
	}
	req.Header.Set("Accept", acceptBao)
	from, to := s.pos, s.end
	switch {
	case to != content.ToEnd:
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to-1))
	case from > 0:
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	if r != nil {
		req.Header.Set("Authorization", authScheme+s.token())
	}
	watch := time.AfterFunc(max(idle, s.cfg.CallTimeout), func() { cancel(fmt.Errorf("%w: nothing verified for %s", ErrStalled, idle)) })
	defer watch.Stop()
	resp, err := s.http.Do(req)
	if err != nil {
		return transportError(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return classify(problem(resp))
	}
	if r != nil {
		if err := s.accepted(ctx, r, resp.Header); err != nil {
			return err
		}
	}
	done := make(chan struct{})
	defer close(done)
	go s.watchPace(done, cancel)
	notice := time.AfterFunc(s.cfg.StallNotice, s.noticeStall)
	defer notice.Stop()

	dec := content.NewDecoder(resp.Body, s.req.Name, from, to-from, s.cfg.MaxSize)
	switch {
	case s.size != content.UnknownSize:
		dec.RequireSize(s.size)
	case s.req.Size != nil:
		dec.RequireSize(*s.req.Size)
	}
	rec := requestRecord{from: from}
	defer func() { s.record(r, &rec, resp.Header) }()
	var payload uint64
	var told time.Time
	for first := true; ; first = false {
		p, err := dec.Next()
		if first && (err == nil || errors.Is(err, io.EOF)) {
			s.mu.Lock()
			s.claimed = dec.Claimed()
			s.mu.Unlock()
			if err := s.checkPayload(resp.Header, dec.Claimed(), from, to, r != nil); err != nil {
				return err
			}
			s.say(Event{Kind: EventStart, Worker: s.worker})
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return streamError(ctx, err)
		}
		n := dec.Payload() - payload
		payload += n
		if r != nil {
			r.Verified(n)
			s.acker.verified(n)
		}
		// While the bytes are written nothing is read, and that is not the worker's fault.
		watch.Stop()
		notice.Stop()
		s.pace.verified(n)
		s.pace.reading(false)
		err = s.pass(p, n)
		s.pace.reading(true)
		if err != nil {
			return err
		}
		watch.Reset(idle)
		notice.Reset(s.cfg.StallNotice)
		if ctx.Err() != nil {
			// What is buffered would go on arriving for a while.
			return context.Cause(ctx)
		}
		if now := time.Now(); now.Sub(told) >= progressEvery {
			told = now
			s.say(Event{Kind: EventProgress, Worker: s.worker})
		}
	}
	s.mu.Lock()
	if size, ok := dec.Size(); ok {
		s.size = size
	}
	s.mu.Unlock()
	// The decoder ends at the end of the range or of the object, whichever comes first.
	rec.finished, rec.length = true, s.pos-from
	if r != nil {
		r.FinishContent(s.req.Name.Digest(), from, rec.length)
		s.acker.finished()
	}
	s.say(Event{Kind: EventProgress, Worker: s.worker})
	return nil
}

// pass writes verified bytes, those of a group of n bytes.
func (s *source) pass(p []byte, n uint64) error {
	written, err := s.req.Out.Write(p)
	s.mu.Lock()
	s.report.Payload += n
	s.report.Bytes += uint64(max(written, 0))
	s.mu.Unlock()
	if err == nil && written != len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWrite, err)
	}
	s.pos += uint64(len(p))
	return nil
}

// accepted checks what stands in the header of a paid answer.
func (s *source) accepted(ctx context.Context, r *lane.Request, h http.Header) error {
	sequence, err := strconv.ParseUint(h.Get("Edge-Sequence"), 10, 64)
	if err != nil {
		return fmt.Errorf("%w: Edge-Sequence %q", ErrProtocol, clean(h.Get("Edge-Sequence")))
	}
	if err := r.Accepted(sequence); err != nil {
		return err
	}
	epoch, err := strconv.ParseUint(h.Get("Edge-Epoch"), 10, 64)
	if err != nil {
		return fmt.Errorf("%w: Edge-Epoch %q", ErrProtocol, clean(h.Get("Edge-Epoch")))
	}
	return s.reach(ctx, epoch)
}

// checkPayload holds what the worker says that it bills against what the range costs for the length that it claims. A
// free answer need not say it.
func (s *source) checkPayload(h http.Header, size, from, to uint64, paid bool) error {
	text := h.Get("Edge-Payload-Bytes")
	if text == "" && !paid {
		return nil
	}
	billed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: Edge-Payload-Bytes %q", ErrProtocol, clean(text))
	}
	if want := ack.ContentBytes(size, from, to-from); billed != want {
		return fmt.Errorf("%w: it bills %d bytes for a range that takes %d", ErrProtocol, billed, want)
	}
	return nil
}

// streamError says why a stream ended.
func streamError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, content.ErrCorrupt), errors.Is(err, content.ErrSize):
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %s", ErrNotWhole, clean(err.Error()))
}

func (s *source) noticeStall() {
	s.sessionMu.Lock()
	c := s.credit
	s.sessionMu.Unlock()
	reason := "the worker sends nothing"
	if s.payer != nil && c.Limit != "" {
		reason = fmt.Sprintf("the worker sends nothing; of a credit limit of %s it claims %s and waits for acknowledgements or a settlement", c.Limit, c.Claim)
	}
	s.say(Event{Kind: EventWaiting, Worker: s.worker, Reason: reason})
}
