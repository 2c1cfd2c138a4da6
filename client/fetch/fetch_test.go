package fetch_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/fetch"
	"github.com/edgechain/edge/client/lane"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

func TestGetPaid(t *testing.T) {
	for _, size := range []int{0, 1, group - 1, group, group + 1, 3*group + 5, 100 * group} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			e := newEnv(t)
			d := newDouble(t, e.chain, 1, e.public)
			data, name := d.add(size)
			got, report, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
			require.NoError(t, err)
			require.Equal(t, data, append([]byte{}, got...))
			require.True(t, report.Verified)
			require.EqualValues(t, size, report.Bytes)
			require.EqualValues(t, size, report.Size)
			bytes, requests := d.total()
			require.EqualValues(t, size, bytes)
			require.EqualValues(t, 1, requests)
			require.False(t, d.anyClosed(), "the worker has the same head")
			require.EqualValues(t, size, report.AcknowledgedBytes)
			require.Equal(t, fmt.Sprint(size), report.Price, "one unit a byte")
			require.Zero(t, report.Unacknowledged)
			require.Len(t, report.Requests, 1)
			require.True(t, report.Requests[0].Finished)
			require.Len(t, report.Requests[0].Receipt, 64)
			require.EqualValues(t, 1, report.WorkerID)
			require.Equal(t, d.srv.URL, report.WorkerURL)
		})
	}
}

func TestGetRange(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	data, name := d.add(10*group + 100)
	var sum uint64
	for _, r := range []struct{ offset, length uint64 }{
		{0, 1},
		{group - 1, 2},
		{3*group + 7, 2 * group},
		{10 * group, content.ToEnd},
		{10*group + 99, 500},
		{0, 10*group + 100},
	} {
		got, report, err := e.get(t, true, fetch.Request{Name: name, Offset: r.offset, Length: r.length, Workers: []fetch.Worker{d.worker()}})
		require.NoError(t, err)
		end := min(uint64(len(data)), r.offset+min(r.length, content.MaxSize))
		require.Equal(t, data[r.offset:end], got)
		want := ack.ContentBytes(uint64(len(data)), r.offset, r.length)
		require.Equal(t, want, report.Payload)
		require.Equal(t, want, report.AcknowledgedBytes, "the payload of whole groups")
		sum += want
		total, _ := d.total()
		require.Equal(t, sum, total)
	}
	require.False(t, d.anyClosed())

	_, _, err := e.get(t, true, fetch.Request{Name: name, Offset: 11 * group, Workers: []fetch.Worker{d.worker()}})
	require.ErrorIs(t, err, fetch.ErrRange)
	_, _, err = e.get(t, true, fetch.Request{Name: name, Offset: content.MaxSize + 1, Workers: []fetch.Worker{d.worker()}})
	require.ErrorIs(t, err, fetch.ErrRange)
}

func TestFreeQuota(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	d.freeLeft = 3 * group
	data, name := d.add(2 * group)
	got, report, err := e.get(t, false, fetch.Request{Name: name, Workers: []fetch.Worker{{URL: d.srv.URL, AnyAddress: true}}})
	require.NoError(t, err)
	require.Equal(t, data, got)
	require.False(t, report.Paid)
	require.EqualValues(t, 1, report.WorkerID)
	require.Zero(t, d.ackPosts)

	_, _, err = e.get(t, false, fetch.Request{Name: name, Workers: []fetch.Worker{{URL: d.srv.URL, AnyAddress: true}}})
	var p *fetch.Problem
	require.ErrorAs(t, err, &p)
	require.Equal(t, "session-required", p.Type)
	require.NotContains(t, err.Error(), "curl", "a worker's text is not shown as a command")
	require.NotContains(t, err.Error(), "10000")
}

func TestCorruptGroup(t *testing.T) {
	for _, k := range []int{0, 1, 5, 31} {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			e := newEnv(t)
			d := newDouble(t, e.chain, 3, e.public)
			data, name := d.add(32 * group)
			// The byte of group k within the stream: header, k groups before it, and the parents before it in pre-order.
			at := int(content.SliceSize(uint64(len(data)), 0, uint64((k+1)*group))) - 100
			d.wrap = func(_ int, w http.ResponseWriter) io.Writer { return &flipper{w: w, at: at} }
			got, report, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
			var corrupt *fetch.CorruptError
			require.ErrorAs(t, err, &corrupt)
			require.ErrorIs(t, err, content.ErrCorrupt)
			require.EqualValues(t, k, corrupt.Group)
			require.EqualValues(t, 3, corrupt.WorkerID)
			require.Equal(t, d.srv.URL, corrupt.URL)
			require.Contains(t, err.Error(), fmt.Sprintf("worker 3 (%s)", d.srv.URL))
			require.Contains(t, err.Error(), fmt.Sprintf("group %d", k))
			require.Equal(t, data[:k*group], append([]byte{}, got...))
			total, requests := d.total()
			require.EqualValues(t, k*group, total, "exactly the whole groups before it are acknowledged")
			require.Zero(t, requests)
			require.EqualValues(t, k*group, report.AcknowledgedBytes)
			require.False(t, report.Verified)
		})
	}
}

func TestBrokenConnectionResumes(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	data, name := d.add(40*group + 17)
	d.wrap = func(get int, w http.ResponseWriter) io.Writer {
		if get > 6 {
			return w
		}
		return &cutter{w: w, left: 5*group + 3000}
	}
	got, report, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
	total, requests := d.total()
	require.EqualValues(t, len(data), total, "no byte is paid twice and none is left out")
	require.EqualValues(t, 1, requests, "requests that broke off are not counted")
	require.Len(t, report.Requests, 7)
	require.False(t, d.anyClosed())
}

func TestRetriesAreBounded(t *testing.T) {
	e := newEnv(t)
	e.cfg.Retries = 3
	d := newDouble(t, e.chain, 1, e.public)
	_, name := d.add(10 * group)
	d.wrap = func(_ int, w http.ResponseWriter) io.Writer { return &cutter{w: w, left: 100} }
	_, _, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.ErrorIs(t, err, fetch.ErrNotWhole)
	require.Equal(t, 4, d.gets)
}

func TestAcknowledgesWithinCredit(t *testing.T) {
	e := newEnv(t)
	e.cfg.AckInterval = time.Hour // by bytes alone
	d := newDouble(t, e.chain, 1, e.public)
	d.limit = 16 * group
	data, name := d.add(200 * group)
	got, _, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
	require.LessOrEqual(t, d.highest, d.limit)
	require.GreaterOrEqual(t, d.ackPosts, 200/16, "acknowledged while it ran")
	total, _ := d.total()
	require.EqualValues(t, len(data), total)
}

func TestAcknowledgesWithTime(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	_, name := d.add(20 * group)
	gate := make(chan struct{})
	d.wrap = func(_ int, w http.ResponseWriter) io.Writer { return &gated{w: w, after: 4 * group, gate: gate} }
	acknowledged := make(chan struct{})
	var once atomic.Bool
	_, _, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}, Progress: func(ev fetch.Event) {
		if ev.Kind == fetch.EventAcknowledged && ev.Acknowledged > 0 && once.CompareAndSwap(false, true) {
			close(acknowledged)
			close(gate)
		}
	}})
	require.NoError(t, err)
	<-acknowledged
}

// gated stops a stream until the gate opens.
type gated struct {
	w     http.ResponseWriter
	after int
	gate  chan struct{}
}

func (g *gated) Write(p []byte) (int, error) {
	if g.after -= len(p); g.after < 0 {
		_ = http.NewResponseController(g.w).Flush()
		<-g.gate
	}
	return g.w.Write(p)
}

func TestWaitsForCredit(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	d.creditErrors = 3
	data, name := d.add(4 * group)
	var waits []fetch.Event
	got, _, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}, Progress: func(ev fetch.Event) {
		if ev.Kind == fetch.EventWaiting {
			waits = append(waits, ev)
		}
	}})
	require.NoError(t, err)
	require.Equal(t, data, got)
	require.Len(t, waits, 3)
	require.Contains(t, waits[0].Reason, "credit-exhausted")
	require.Contains(t, waits[0].Reason, "wait for the settlement")
	require.Equal(t, 20*time.Millisecond, waits[0].Wait)

	d.creditErrors = 1 << 30
	e.cfg.MaxWait = 100 * time.Millisecond
	_, _, err = e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.ErrorContains(t, err, "gave up waiting")
	require.ErrorContains(t, err, "credit-exhausted")
}

func TestOtherLaneWhenClosed(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	data, name := d.add(4 * group)
	d.closeLane[0], d.closeLane[1] = true, true
	got, report, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.NoError(t, err)
	require.Equal(t, data, got)
	require.Len(t, report.Acknowledged, 1)
	require.EqualValues(t, 2, report.Acknowledged[0].Lane)

	// The client remembers for this epoch: it asks for lane 2 at once, and for lane 0 in the next.
	d.closeLane = map[uint8]bool{}
	_, report, err = e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Acknowledged[0].Lane)
	e.chain.advance()
	_, report, err = e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.NoError(t, err)
	require.EqualValues(t, 0, report.Acknowledged[0].Lane)
}

func TestOtherLaneDuringTransfer(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	data, name := d.add(30 * group)
	d.wrap = func(get int, w http.ResponseWriter) io.Writer {
		if get > 1 {
			return w
		}
		d.mu.Lock()
		d.closeLane[0] = true
		d.mu.Unlock()
		return &cutter{w: w, left: 9*group + 5000}
	}
	got, report, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
	total, _ := d.total()
	require.EqualValues(t, len(data), total, "what was verified on the closed lane is acknowledged as well")
	require.Len(t, report.Acknowledged, 2)
}

func TestAllLanesClosed(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	_, name := d.add(group)
	for n := range uint8(ack.MaxLanes) {
		d.closeLane[n] = true
	}
	_, _, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.ErrorIs(t, err, lane.ErrBusy)
}

func TestReopensUnknownSession(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	data, name := d.add(30 * group)
	d.kick = true
	d.wrap = func(get int, w http.ResponseWriter) io.Writer {
		if get > 2 {
			return w
		}
		d.mu.Lock()
		d.kick = true
		d.mu.Unlock()
		return &cutter{w: w, left: 9*group + 5000}
	}
	got, _, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
	total, _ := d.total()
	require.EqualValues(t, len(data), total)
	require.False(t, d.anyClosed())
}

func TestEpochChangeDuringStream(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	data, name := d.add(120 * group)
	got, _, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}, Out: nil})
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))

	data2, name2 := d.add(121 * group)
	var w bytes.Buffer
	advanced := false
	out := writerFunc(func(p []byte) (int, error) {
		n, err := w.Write(p)
		if w.Len() >= 60*group && !advanced {
			advanced = true
			e.chain.advance()
		}
		return n, err
	})
	_, report, err := e.get(t, true, fetch.Request{Name: name2, Workers: []fetch.Worker{d.worker()}, Out: out})
	require.NoError(t, err)
	require.True(t, bytes.Equal(data2, w.Bytes()))
	total, requests := d.total()
	require.EqualValues(t, len(data)+len(data2), total, "what the old epoch does not cover the new one does")
	require.EqualValues(t, 2, requests)
	require.EqualValues(t, len(data2), report.AcknowledgedBytes)
	require.False(t, d.anyClosed())
	newest := d.acks[ack.LaneID{Epoch: 6, KeyID: testKeyID}]
	require.EqualValues(t, 1, newest.Requests, "the request counts in the epoch in which it finished")
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestLostLaneState(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	data, name := d.add(10 * group)
	for i := range 3 {
		_, report, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
		require.NoError(t, err)
		require.EqualValues(t, len(data), report.AcknowledgedBytes)
		total, requests := d.total()
		require.EqualValues(t, (i+1)*len(data), total)
		require.EqualValues(t, i+1, requests)
		require.NoError(t, os.RemoveAll(e.payer.LaneDir))
	}
	require.False(t, d.anyClosed())
}

func TestOtherWorker(t *testing.T) {
	e := newEnv(t)
	lacks, corrupts, serves := newDouble(t, e.chain, 1, e.public), newDouble(t, e.chain, 2, e.public), newDouble(t, e.chain, 3, e.public)
	data, name := corrupts.add(20 * group)
	serves.objects = corrupts.objects
	corrupts.wrap = func(_ int, w http.ResponseWriter) io.Writer {
		return &flipper{w: w, at: int(content.SliceSize(uint64(len(data)), 0, 8*group)) - 1}
	}
	var failed []uint64
	got, report, err := e.get(t, true, fetch.Request{
		Name: name, Workers: []fetch.Worker{lacks.worker(), corrupts.worker(), serves.worker()},
		Progress: func(ev fetch.Event) {
			if ev.Kind == fetch.EventWorkerFailed {
				failed = append(failed, ev.Worker.ID)
			}
		},
	})
	require.NoError(t, err)
	require.Equal(t, data, got)
	require.Equal(t, []uint64{1, 2}, failed)
	kept, _ := corrupts.total()
	rest, _ := serves.total()
	require.EqualValues(t, 7*group, kept)
	require.EqualValues(t, 13*group, rest)
	require.EqualValues(t, 20*group, report.AcknowledgedBytes)

	_, _, err = e.get(t, true, fetch.Request{Name: content.Name{1}, Workers: []fetch.Worker{lacks.worker(), serves.worker()}})
	var all *fetch.WorkersError
	require.ErrorAs(t, err, &all)
	require.Len(t, all.Errors, 2)
	require.NotContains(t, err.Error(), "\n")
	_, _, err = e.get(t, true, fetch.Request{Name: name})
	require.ErrorIs(t, err, fetch.ErrNoWorker)
}

func TestUndeliveredAcknowledgementIsDeliveredNextTime(t *testing.T) {
	e := newEnv(t)
	e.cfg.FinalAckTimeout = 50 * time.Millisecond
	e.cfg.EpochPatience = time.Minute
	d := newDouble(t, e.chain, 1, e.public)
	d.refuseAcks = true
	data, name := d.add(5 * group)
	got, report, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.NoError(t, err)
	require.Equal(t, data, got)
	require.EqualValues(t, len(data), report.Unacknowledged)
	require.Contains(t, report.AckError, "unavailable")
	require.Zero(t, report.AcknowledgedBytes)

	d.refuseAcks = false
	_, report, err = e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.NoError(t, err)
	require.Zero(t, report.Unacknowledged)
	total, requests := d.total()
	require.EqualValues(t, 2*len(data), total)
	require.EqualValues(t, 2, requests)
	require.False(t, d.anyClosed())
}

// The last acknowledgement of an epoch is given up only if the worker can never store it.
func TestRefusalOfTheEpochBefore(t *testing.T) {
	for reason, final := range map[string]bool{
		"epoch-dead": true, "key-expired": true, "wrong-worker": true, "unknown-key": true, "bad-signature": true, "out-of-range": true,
		"foreign-key": true, "unknown-service": true, "too-many-lanes": true,
		"overloaded": false, "unavailable": false, "epoch-ahead": false, "what is this": false,
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.cfg.EpochPatience = 300 * time.Millisecond
			e.cfg.FinalAckTimeout = time.Minute
			d := newDouble(t, e.chain, 1, e.public)
			d.refuseAcks = true
			data, name := d.add(5 * group)
			req := fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}}
			_, report, err := e.get(t, true, req)
			require.NoError(t, err)
			require.EqualValues(t, len(data), report.Unacknowledged)

			e.chain.advance()
			d.mu.Lock()
			d.refuseAcks, d.refuseOld, d.refuseOldTimes = false, reason, 1<<30
			d.mu.Unlock()
			_, report, err = e.get(t, true, req)
			require.NoError(t, err)
			require.Equal(t, final, report.AckError == "", report.AckError)
			require.Contains(t, report.AckError, map[bool]string{false: reason}[final])

			if final {
				total, _ := d.total()
				require.EqualValues(t, len(data), total)
				return
			}
			d.mu.Lock()
			d.refuseOldTimes = 0
			d.mu.Unlock()
			_, report, err = e.get(t, true, req)
			require.NoError(t, err)
			require.Empty(t, report.AckError)
			total, _ := d.total()
			require.EqualValues(t, 3*len(data), total, "it was kept")
		})
	}
}

func TestCancelAcknowledgesWhatWasVerified(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	_, name := d.add(200 * group)
	c, err := fetch.New(e.cfg, e.payer)
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	var w bytes.Buffer
	report, err := c.Get(ctx, fetch.Request{Name: name, Length: content.ToEnd, Workers: []fetch.Worker{d.worker()}, Out: writerFunc(func(p []byte) (int, error) {
		if w.Len() >= 20*group {
			cancel(errors.New("interrupted by a signal"))
		}
		return w.Write(p)
	})})
	require.ErrorContains(t, err, "interrupted by a signal")
	total, _ := d.total()
	require.EqualValues(t, w.Len(), total)
	require.Equal(t, report.Bytes, total)
}

func TestWriteErrorIsFinal(t *testing.T) {
	e := newEnv(t)
	d, other := newDouble(t, e.chain, 1, e.public), newDouble(t, e.chain, 2, e.public)
	_, name := d.add(5 * group)
	_, _, err := e.get(t, true, fetch.Request{
		Name: name, Workers: []fetch.Worker{d.worker(), other.worker()}, Out: writerFunc(func([]byte) (int, error) { return 0, errors.New("disk full") }),
	})
	require.ErrorIs(t, err, fetch.ErrWrite)
	require.ErrorContains(t, err, "disk full")
	require.Zero(t, other.gets)
	total, _ := d.total()
	require.NotZero(t, total, "it was received and verified")
	require.LessOrEqual(t, total, uint64(5*group))
}

// TestHostileWorker has each thing that a worker can lie about.
func TestHostileWorker(t *testing.T) {
	info := func(k string, v any) func(*env, *double) {
		return func(_ *env, d *double) { d.onInfo = func(m map[string]any) { m[k] = v } }
	}
	session := func(k string, v any) func(*env, *double) {
		return func(_ *env, d *double) { d.onSession = func(m map[string]any) { m[k] = v } }
	}
	header := func(k, v string) func(*env, *double) {
		return func(_ *env, d *double) { d.onHeader = func(h http.Header) { h.Set(k, v) } }
	}
	signed := func(e *env, a ack.Ack) string {
		s := ack.Sign(e.payer.Key, ack.HashChainID(testChain), &a)
		return hex.EncodeToString(s.AppendEncoded(nil))
	}
	ours := ack.Ack{Epoch: 5, KeyID: testKeyID, WorkerID: 1, Requests: 1, Bytes: 10 * group, Head: [32]byte{1}}
	for name, c := range map[string]struct {
		hostile func(*env, *double)
		want    error
		text    string
	}{
		"another chain":            {info("chain_id", "edge-other"), fetch.ErrIdentity, "edge-other"},
		"another worker's id":      {info("worker_id", 2), fetch.ErrIdentity, "not that of worker 2"},
		"no id":                    {info("worker_id", 0), fetch.ErrIdentity, "not registered"},
		"another peer key":         {info("peer_key", strings.Repeat("ab", 32)), fetch.ErrIdentity, "peer key"},
		"no peer key":              {info("peer_key", "zz"), fetch.ErrIdentity, "peer key"},
		"epoch far ahead":          {info("epoch", 900), fetch.ErrFutureEpoch, "epoch 900"},
		"next epoch, never comes":  {info("epoch", 6), fetch.ErrFutureEpoch, "epoch 6"},
		"session of another lane":  {session("lane", 3), fetch.ErrProtocol, "lane 3"},
		"session of another key":   {session("key_id", 8), fetch.ErrProtocol, "key 8"},
		"session of another id":    {session("worker_id", 9), fetch.ErrProtocol, "worker 9"},
		"session of a service":     {session("service_id", 4), fetch.ErrProtocol, "service 4"},
		"session in the future":    {session("epoch", 77), fetch.ErrFutureEpoch, "epoch 77"},
		"token with a line break":  {session("token", "a\r\nX: y"), fetch.ErrProtocol, "token"},
		"token too long":           {session("token", strings.Repeat("a", 2000)), fetch.ErrProtocol, "token"},
		"first sequence 0":         {session("next_sequence", 0), lane.ErrSequence, "begins at 0"},
		"first sequence absurd":    {session("next_sequence", uint64(1)<<63), lane.ErrSequence, ""},
		"three acknowledgements":   {session("acknowledgements", []string{"", "", ""}), fetch.ErrProtocol, "at most 2"},
		"acknowledgement garbage":  {session("acknowledgements", []string{"abcd"}), lane.ErrForeign, ""},
		"sequence out of order":    {header("Edge-Sequence", "7"), lane.ErrSequence, "7"},
		"sequence 0":               {header("Edge-Sequence", "0"), lane.ErrSequence, ""},
		"sequence absurd":          {header("Edge-Sequence", "18446744073709551615"), lane.ErrSequence, ""},
		"sequence no number":       {header("Edge-Sequence", "x"), fetch.ErrProtocol, "Edge-Sequence"},
		"answer of a future epoch": {header("Edge-Epoch", "12"), fetch.ErrFutureEpoch, "epoch 12"},
		"epoch no number":          {header("Edge-Epoch", ""), fetch.ErrProtocol, "Edge-Epoch"},
		"bills too much":           {header("Edge-Payload-Bytes", "999999999"), fetch.ErrProtocol, "bills 999999999"},
		"bills nothing said":       {header("Edge-Payload-Bytes", ""), fetch.ErrProtocol, "Edge-Payload-Bytes"},
		"acknowledgement with a bad signature": {func(e *env, d *double) {
			s := ack.Sign(e.payer.Key, ack.HashChainID(testChain), &ours)
			s.Bytes += group
			d.onSession = func(m map[string]any) { m["acknowledgements"] = []string{hex.EncodeToString(s.AppendEncoded(nil))} }
		}, lane.ErrForeign, "signature"},
		"acknowledgement of another chain": {func(e *env, d *double) {
			s := ack.Sign(e.payer.Key, ack.HashChainID("edge-other"), &ours)
			d.onSession = func(m map[string]any) { m["acknowledgements"] = []string{hex.EncodeToString(s.AppendEncoded(nil))} }
		}, lane.ErrForeign, "signature"},
		"acknowledgement of another worker": {func(e *env, d *double) {
			a := ours
			a.WorkerID = 2
			d.onSession = func(m map[string]any) { m["acknowledgements"] = []string{signed(e, a)} }
		}, lane.ErrForeign, "worker 2"},
		"acknowledgement of the future": {func(e *env, d *double) {
			a := ours
			a.Epoch = 40
			d.onSession = func(m map[string]any) { m["acknowledgements"] = []string{signed(e, a)} }
		}, fetch.ErrFutureEpoch, "epoch 40"},
		"acknowledgements out of order": {func(e *env, d *double) {
			a, b := ours, ours
			b.Epoch = 4
			d.onSession = func(m map[string]any) { m["acknowledgements"] = []string{signed(e, a), signed(e, b)} }
		}, lane.ErrForeign, "not in order"},
		"refuses acknowledgements": {func(e *env, d *double) {
			d.refuseAcks = true
			e.cfg.EpochPatience = time.Millisecond
			d.limit = 4 * group
		}, fetch.ErrAckRefused, "unavailable"},
		"redirects": {func(_ *env, d *double) {
			d.override = func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
			}
		}, fetch.ErrRedirect, ""},
		"endless answer": {func(_ *env, d *double) {
			d.override = func(w http.ResponseWriter, _ *http.Request) {
				for {
					if _, err := w.Write(bytes.Repeat([]byte(" "), 4096)); err != nil {
						return
					}
				}
			}
		}, fetch.ErrProtocol, "is over"},
		"endless header": {func(_ *env, d *double) {
			d.override = func(w http.ResponseWriter, _ *http.Request) {
				for i := range 100 {
					w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("a", 1000))
				}
			}
		}, fetch.ErrProtocol, "header"},
		"no JSON": {func(_ *env, d *double) {
			d.override = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }
		}, fetch.ErrProtocol, "JSON"},
		"claims that the object is empty": {func(_ *env, d *double) {
			d.wrap = func(_ int, w http.ResponseWriter) io.Writer { return headerLie{w, 0} }
			d.onHeader = func(h http.Header) { h.Set("Edge-Payload-Bytes", "0") }
		}, content.ErrCorrupt, ""},
		"claims a longer object": {func(_ *env, d *double) {
			d.wrap = func(_ int, w http.ResponseWriter) io.Writer { return headerLie{w, 1 << 40} }
		}, content.ErrCorrupt, ""},
		"claims an absurd length": {func(_ *env, d *double) {
			d.wrap = func(_ int, w http.ResponseWriter) io.Writer { return headerLie{w, 1 << 63} }
		}, content.ErrSize, ""},
		"endless stream": {func(_ *env, d *double) {
			d.wrap = func(_ int, w http.ResponseWriter) io.Writer { return endless{w} }
		}, content.ErrCorrupt, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.cfg.Retries = -1
			d := newDouble(t, e.chain, 1, e.public)
			e.chain.workers[2] = nodetypes.Worker{Id: 2, PeerKey: bytes.Repeat([]byte{2}, 32), Status: nodetypes.WORKER_STATUS_ACTIVE}
			_, object := d.add(12 * group)
			c.hostile(e, d)
			_, report, err := e.get(t, true, fetch.Request{Name: object, Workers: []fetch.Worker{{URL: d.srv.URL, AnyAddress: true}}})
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.text)
			require.Contains(t, err.Error(), d.srv.URL, "the error names the worker")
			require.NotContains(t, err.Error(), "\n")
			require.False(t, report.Verified)
			d.mu.Lock()
			defer d.mu.Unlock()
			for id, a := range d.acks {
				require.LessOrEqual(t, a.Bytes, report.Payload, "never more than was verified")
				require.EqualValues(t, 5, id.Epoch, "never another epoch than the chain's")
			}
		})
	}
}

// headerLie replaces the length at the head of a stream.
type headerLie struct {
	w    io.Writer
	size uint64
}

func (h headerLie) Write(p []byte) (int, error) {
	q := bytes.Clone(p)
	for i := range 8 {
		q[i] = byte(h.size >> (8 * i))
	}
	return h.w.Write(q)
}

// endless never stops sending.
type endless struct{ w io.Writer }

func (e endless) Write(p []byte) (int, error) {
	if _, err := e.w.Write(p[:8]); err != nil {
		return 0, err
	}
	for {
		if _, err := e.w.Write(bytes.Repeat([]byte{7}, 4096)); err != nil {
			return 0, err
		}
	}
}

func TestRegistryDecidesWhoIsWho(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	_, name := d.add(group)
	_, _, err := e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{{ID: 5, URL: d.srv.URL, AnyAddress: true}}})
	require.ErrorIs(t, err, fetch.ErrIdentity)
	require.ErrorContains(t, err, "the registry has worker 5")

	w := e.chain.workers[1]
	w.Status = nodetypes.WORKER_STATUS_RETIRING
	e.chain.workers[1] = w
	_, _, err = e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.ErrorIs(t, err, fetch.ErrIdentity)
	require.ErrorContains(t, err, "retiring")

	delete(e.chain.workers, 1)
	_, _, err = e.get(t, true, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.ErrorIs(t, err, fetch.ErrIdentity)
}

func TestStalledStream(t *testing.T) {
	e := newEnv(t)
	e.cfg.Retries, e.cfg.IdleTimeout, e.cfg.CallTimeout = -1, 50*time.Millisecond, 200*time.Millisecond
	e.cfg.StallNotice = 10 * time.Millisecond
	d := newDouble(t, e.chain, 1, e.public)
	d.freeLeft = 1 << 30
	_, name := d.add(20 * group)
	gate := make(chan struct{})
	t.Cleanup(func() { close(gate) })
	d.wrap = func(_ int, w http.ResponseWriter) io.Writer { return &gated{w: w, after: 4 * group, gate: gate} }
	var noticed atomic.Bool
	_, report, err := e.get(t, false, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}, Progress: func(ev fetch.Event) {
		if ev.Kind == fetch.EventWaiting {
			noticed.Store(true)
		}
	}})
	require.ErrorIs(t, err, fetch.ErrStalled)
	require.True(t, noticed.Load())
	require.NotZero(t, report.Bytes)
}

// dripper lets a stream come a little at a time, for ever.
type dripper struct {
	w     http.ResponseWriter
	every time.Duration
	ctx   context.Context
}

func (d *dripper) Write(p []byte) (int, error) {
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-time.After(d.every):
	}
	n, err := d.w.Write(p)
	_ = http.NewResponseController(d.w).Flush()
	return n, err
}

func TestSlowDrip(t *testing.T) {
	for _, paid := range []bool{false, true} {
		t.Run(fmt.Sprint(paid), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			// At most 20 of the 200 groups come in a window, and it takes 100.
			e.cfg.RateWindow, e.cfg.MinRate = time.Second/2, 200*group
			slow, fast := newDouble(t, e.chain, 1, e.public), newDouble(t, e.chain, 2, e.public)
			slow.freeLeft, fast.freeLeft = 1<<30, 1<<30
			data, name := slow.add(200 * group)
			fast.objects = slow.objects
			slow.wrap = func(_ int, w http.ResponseWriter) io.Writer {
				return &dripper{w: w, every: 25 * time.Millisecond, ctx: t.Context()}
			}
			_, report, err := e.get(t, paid, fetch.Request{Name: name, Workers: []fetch.Worker{slow.worker()}})
			require.ErrorIs(t, err, fetch.ErrSlow)
			require.False(t, report.Verified)
			require.Less(t, report.Bytes, uint64(len(data)))

			got, report, err := e.get(t, paid, fetch.Request{Name: name, Workers: []fetch.Worker{slow.worker(), fast.worker()}})
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got))
			require.EqualValues(t, 2, report.WorkerID, "the next worker sends the rest")
		})
	}
}

// A worker that breaks off each time, with a byte of progress and a wait, is found out as well.
func TestSlowInPieces(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.cfg.RateWindow, e.cfg.MinRate, e.cfg.Backoff, e.cfg.MaxBackoff = 300*time.Millisecond, 1000*group, 20*time.Millisecond, 20*time.Millisecond
	d := newDouble(t, e.chain, 1, e.public)
	d.freeLeft = 1 << 40
	_, name := d.add(1000 * group)
	d.wrap = func(_ int, w http.ResponseWriter) io.Writer { return &cutter{w: w, left: group + 5000} }
	_, _, err := e.get(t, false, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.ErrorIs(t, err, fetch.ErrSlow)
}

// A reader that takes its time is no fault of the worker's.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.cfg.RateWindow, e.cfg.MinRate, e.cfg.IdleTimeout, e.cfg.CallTimeout = time.Second, 1<<40, time.Second, time.Second
	d := newDouble(t, e.chain, 1, e.public)
	d.freeLeft = 1 << 30
	_, name := d.add(group)
	_, report, err := e.get(t, false, fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}, Out: writerFunc(func(p []byte) (int, error) {
		time.Sleep(1200 * time.Millisecond)
		return len(p), nil
	})})
	require.NoError(t, err)
	require.True(t, report.Verified)
}

// MaxWait is a time on the clock: answers that take long count as well.
func TestMaxWaitIsMeasured(t *testing.T) {
	e := newEnv(t)
	e.cfg.MaxWait = 300 * time.Millisecond
	d := newDouble(t, e.chain, 1, e.public)
	var asked atomic.Int64
	d.override = func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/b3/") {
			asked.Add(1)
			time.Sleep(60 * time.Millisecond)
		}
		d.problem(w, http.StatusTooManyRequests, "overloaded", map[string]any{"retry_after_seconds": 0.001})
	}
	_, _, err := e.get(t, false, fetch.Request{Name: content.Name{1}, Workers: []fetch.Worker{d.worker()}})
	require.ErrorContains(t, err, "gave up waiting")
	require.LessOrEqual(t, asked.Load(), int64(8))
}

func TestWorkerURL(t *testing.T) {
	e := newEnv(t)
	for _, u := range []string{"", "ftp://host", "http://", "http://user:pw@host", "http://host?x=1", "http://host#f", "/dns4/host", "http://[::1"} {
		_, _, err := e.get(t, false, fetch.Request{Name: content.Name{}, Workers: []fetch.Worker{{URL: u}}})
		require.ErrorIs(t, err, fetch.ErrWorkerURL, u)
	}
	u, ok := fetch.HTTPEndpoint(&nodetypes.Worker{Endpoints: []string{"/ip4/1.2.3.4/tcp/1", "https://w.example/edge"}})
	require.True(t, ok)
	require.Equal(t, "https://w.example/edge", u)
	_, ok = fetch.HTTPEndpoint(&nodetypes.Worker{})
	require.False(t, ok)
}

// A worker of the registry may have registered any address, and its name may resolve to any.
func TestRegistryLeadsToPublicAddressesOnly(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	d.freeLeft = 1 << 30
	_, name := d.add(group)
	for _, u := range []string{d.srv.URL, strings.Replace(d.srv.URL, "127.0.0.1", "localhost", 1), strings.Replace(d.srv.URL, "127.0.0.1", "[::ffff:7f00:1]", 1)} {
		for _, paid := range []bool{false, true} {
			_, _, err := e.get(t, paid, fetch.Request{Name: name, Workers: []fetch.Worker{{ID: 1, URL: u}}})
			require.ErrorIs(t, err, fetch.ErrAddress, u)
			require.ErrorContains(t, err, "--worker")
		}
	}
	require.Zero(t, d.gets)

	// Nor by way of a proxy.
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked a proxy") }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	_, _, err := e.get(t, false, fetch.Request{Name: name, Workers: []fetch.Worker{{ID: 1, URL: d.srv.URL}, {ID: 2, URL: "http://10.0.0.1:1"}}})
	require.ErrorIs(t, err, fetch.ErrAddress)
	require.Zero(t, d.gets)
}

func TestProblemTextIsCleaned(t *testing.T) {
	e := newEnv(t)
	e.cfg.Retries = -1
	d := newDouble(t, e.chain, 1, e.public)
	d.override = func(w http.ResponseWriter, _ *http.Request) {
		d.problem(w, http.StatusForbidden, "bad-proof", map[string]any{"detail": "a\x1b[31m\nred\u202egpj.exe\u200b\u2066\ufeff\u00ad\u2028" + strings.Repeat("x", 5000)})
	}
	_, _, err := e.get(t, false, fetch.Request{Name: content.Name{}, Workers: []fetch.Worker{d.worker()}})
	require.Error(t, err)
	require.Contains(t, err.Error(), `"a[31mredgpj.exexxx`, "and in quotes")
	for _, r := range err.Error() {
		require.False(t, unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp), "%U", r)
	}
	require.Less(t, len(err.Error()), 500)
}

func TestNewChecksPayer(t *testing.T) {
	e := newEnv(t)
	for _, spoil := range []func(*fetch.Payer){
		func(p *fetch.Payer) { p.ChainID = "" },
		func(p *fetch.Payer) { p.KeyID = 0 },
		func(p *fetch.Payer) { p.LaneDir = "" },
		func(p *fetch.Payer) { p.Key = nil },
		func(p *fetch.Payer) { p.Chain = nil },
		func(p *fetch.Payer) { p.View = nil },
	} {
		p := *e.payer
		spoil(&p)
		_, err := fetch.New(fetch.Config{}, &p)
		require.Error(t, err)
	}
}
