package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/store"
)

// answer is the body that is to be sent.
type answer struct {
	object *store.Object
	span
	bao     bool
	payload uint64
}

// meter accounts for the payload of an answer before it is sent. Exactly one of finish and abort ends it.
type meter interface {
	// step is the most payload that may be reserved at a time, whole groups; straight says that no memory of this process
	// holds it while the client takes it.
	step(straight bool) uint64
	// waits reports whether reserve may wait until the client has what was reserved before.
	waits() bool
	reserve(ctx context.Context, n uint64) error
	// release gives back the last part of what was reserved.
	release(n uint64)
	finish()
	abort()
}

// straightStep is how much an answer counts as sent before it is, if the kernel takes it from the file, in bytes. What
// it says to the connection's deadline is per Config.StepBytes nevertheless.
const straightStep = 4 << 20

// freeMeter stands on a quota that was taken for the whole answer.
type freeMeter struct {
	s    *Server
	from netip.Prefix
	left uint64
}

func (m *freeMeter) reserve(_ context.Context, n uint64) error {
	if n > m.left {
		return fmt.Errorf("answer of more than its %d bytes of free quota", m.left)
	}
	m.left -= n
	m.s.metrics.free.Add(float64(n))
	return nil
}

func (m *freeMeter) step(straight bool) uint64 {
	if straight {
		return max(straightStep, uint64(m.s.cfg.StepBytes))
	}
	return uint64(m.s.cfg.StepBytes)
}

func (m *freeMeter) waits() bool { return false }

func (m *freeMeter) release(n uint64) { m.left += n }

func (m *freeMeter) finish() {}

func (m *freeMeter) abort() { m.s.quota.refund(m.from, m.left, m.s.now()) }

// paidMeter reserves credit.
type paidMeter struct {
	s       *Server
	client  Session
	request Request
	most    uint64
}

func (m *paidMeter) step(straight bool) uint64 {
	if straight {
		return m.most
	}
	return min(m.most, uint64(m.s.cfg.StepBytes))
}

func (m *paidMeter) waits() bool { return true }

func (m *paidMeter) release(n uint64) { m.request.Release(n) }

func (m *paidMeter) reserve(ctx context.Context, n uint64) error {
	start := time.Now()
	err := m.request.Reserve(ctx, n)
	m.s.metrics.waited.Observe(time.Since(start).Seconds())
	if err != nil {
		return withCredit(err, m.client)
	}
	m.s.metrics.paid.Add(float64(n))
	return nil
}

func (m *paidMeter) finish() { m.request.Finish() }

func (m *paidMeter) abort() { m.request.Abort() }

// stream sends an answer step by step: reserve the payload of the next groups, give the connection time for them, write
// them, and hand them over before the next reservation, which may wait. A client that waits for the rest of a group could
// not acknowledge what it has.
//
// What was verified goes out as it is: small objects from memory in one write, others by the kernel from the page cache.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, status int, a answer, m meter) (err error) {
	finished := false
	defer func() {
		if !finished {
			if free, ok := m.(*freeMeter); ok && timedOut(err) {
				free.forfeit()
			}
			m.abort()
			cause := "worker"
			switch {
			case isClient(err):
				cause = "client"
			case err != nil && problemOf(err).kind != internal:
				cause = problemOf(err).kind.name
			}
			s.metrics.aborted.WithLabelValues(cause).Inc()
		}
	}()
	rc := http.NewResponseController(w)
	// Only a file that was verified goes to the connection without being looked at.
	verified := a.payload == 0 || a.object.Verified()
	straight := verified && !a.bao
	write := func(w io.Writer, done, n uint64) (int64, error) { return s.writePlain(rc, w, a, done, n) }
	sent := s.metrics.sentPlain
	if !straight {
		buf := s.buffers.Get().(*[]byte)
		defer s.buffers.Put(buf)
		slice := a.object.Trusted(a.offset, a.length)
		if !verified || a.payload == 0 {
			slice.Verify(a.object.Name)
		}
		if a.bao {
			sent = s.metrics.sentBao
		} else {
			slice.GroupsOnly()
		}
		write = func(w io.Writer, done, n uint64) (int64, error) {
			wrote, err := a.writeSlice(w, slice, (*buf)[:0], done, n)
			sent.Add(float64(wrote))
			return wrote, err
		}
	}
	// What of the body a failed write can have sent although it does not say so.
	var body io.Writer = w
	unsaid := int64(0)
	if r.ProtoMajor == 2 {
		body, unsaid = pieces{w}, pieceBytes
	}
	for done := uint64(0); ; {
		n := min(m.step(straight), a.payload-done)
		if n > 0 {
			if err := m.reserve(r.Context(), n); err != nil {
				return err
			}
		}
		if err := errors.Join(r.Context().Err(), s.work.context.Err()); err != nil {
			m.release(n)
			return err
		}
		s.extend(rc)
		if done == 0 {
			w.WriteHeader(status)
		}
		wrote, err := write(body, done, n)
		if err != nil {
			m.release(unsent(n, wrote+unsaid))
			return err
		}
		done += n
		// The server itself flushes the end of an answer.
		if m.waits() || done < a.payload {
			if err := rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return fmt.Errorf("%w: %w", errClient, err)
			}
		}
		if done == a.payload {
			if !verified && a.payload == a.object.Size {
				a.object.SetVerified()
			}
			finished = true
			m.finish()
			return nil
		}
	}
}

// extend gives the client the time of one step from now on. Writers of tests have no deadlines.
func (s *Server) extend(rc *http.ResponseController) {
	_ = rc.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout))
}

// unsent returns how much of a step of n bytes of groups has surely not been handed to the connection, if only so many
// bytes of the body were: those may begin and end within a group.
func unsent(n uint64, wrote int64) uint64 {
	if wrote == 0 {
		return n
	}
	return n - min(n, (uint64(wrote)/content.GroupSize+2)*content.GroupSize)
}

// writePlain writes the part of the range that lies in the n bytes of groups from payload byte done on.
func (s *Server) writePlain(rc *http.ResponseController, w io.Writer, a answer, done, n uint64) (int64, error) {
	if n == 0 {
		return 0, nil
	}
	groups := a.offset/content.GroupSize*content.GroupSize + done
	from := max(a.offset, groups)
	to := min(a.offset+a.length, groups+n)
	if b := a.object.Bytes(); b != nil {
		wrote, err := w.Write(b[from:to])
		s.metrics.sentPlain.Add(float64(wrote))
		if err != nil {
			return int64(wrote), fmt.Errorf("%w: %w", errClient, err)
		}
		return int64(wrote), nil
	}
	// Whoever takes step after step in time has more of it for the next one.
	since := int64(0)
	section := a.object.Section(from, to-from, func(wrote int64) {
		s.metrics.sentPlain.Add(float64(wrote))
		if since += wrote; since >= int64(s.cfg.StepBytes) {
			since = 0
			s.extend(rc)
		}
	})
	if done == 0 {
		// With the header gone, net/http leaves the body to the section.
		if err := rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return 0, fmt.Errorf("%w: %w", errClient, err)
		}
	}
	wrote, err := section.SendTo(w)
	return wrote, sendError(err)
}

// sendError tells what went wrong while an object was sent: the disk, or else the client or the network.
func sendError(err error) error {
	var disk *store.ReadError
	if err == nil || errors.As(err, &disk) || errors.Is(err, store.ErrCorrupt) {
		return err
	}
	return fmt.Errorf("%w: %w", errClient, err)
}

// writeSlice writes the next part of the range, the one that carries the n bytes of groups from payload byte done on, after
// all of it has verified. A damaged object is moved to quarantine, and nothing of the part is written.
func (a answer) writeSlice(w io.Writer, slice *content.SliceReader, buf []byte, done, n uint64) (int64, error) {
	part, carried, err := slice.Append(buf, n)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, a.object.Damaged(err)
	}
	if carried != n {
		return 0, fmt.Errorf("slice carries %d bytes of groups in a step of %d", carried, n)
	}
	if !a.bao {
		groups := a.offset/content.GroupSize*content.GroupSize + done
		part = part[max(a.offset, groups)-groups : min(a.offset+a.length, groups+n)-groups]
	}
	wrote, err := w.Write(part)
	if err != nil {
		return int64(wrote), fmt.Errorf("%w: %w", errClient, err)
	}
	return int64(wrote), nil
}

// newBuffers returns a pool of buffers for one step of a slice: the groups, a parent for each, and the path to the first.
func newBuffers(step int) *sync.Pool {
	size := step + content.ParentSize*(step/content.GroupSize+64) + content.HeaderSize
	return &sync.Pool{New: func() any { b := make([]byte, 0, size); return &b }}
}
