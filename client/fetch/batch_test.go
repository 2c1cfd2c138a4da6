package fetch_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/fetch"
)

// batchEnv is a batch at a worker that counts its sessions.
type batchEnv struct {
	*env
	d        *double
	b        *fetch.Batch
	sessions int
}

func newBatchEnv(t *testing.T) *batchEnv {
	t.Helper()
	e := &batchEnv{env: newEnv(t)}
	e.d = newDouble(t, e.chain, 1, e.public)
	e.d.onSession = func(map[string]any) { e.sessions++ }
	c, err := fetch.New(e.cfg, e.payer)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	e.b = c.Batch()
	return e
}

func (e *batchEnv) fetch(t *testing.T, name content.Name) ([]byte, error) {
	t.Helper()
	var out bytes.Buffer
	report, err := e.b.Get(t.Context(), fetch.Request{Name: name, Length: content.ToEnd, Workers: []fetch.Worker{e.d.worker()}, Out: &out})
	if err == nil && !report.Verified {
		return nil, fmt.Errorf("%s is not whole", name)
	}
	return out.Bytes(), err
}

// close ends the batch, and expects that each byte and each request is paid once, of which so many bytes were told before.
func (e *batchEnv) close(t *testing.T, earlier, bytes, requests uint64) fetch.Payment {
	t.Helper()
	p, err := e.b.Close(t.Context())
	require.NoError(t, err)
	require.Empty(t, p.AckError)
	require.Zero(t, p.Unacknowledged)
	require.Equal(t, bytes, earlier+p.AcknowledgedBytes)
	gotBytes, gotRequests := e.d.total()
	require.Equal(t, bytes, gotBytes)
	require.Equal(t, requests, gotRequests)
	require.False(t, e.d.anyClosed(), "the worker has the same heads")
	_, err = e.fetch(t, content.Name{})
	require.ErrorContains(t, err, "closed")
	return p
}

func TestBatchSharesSessions(t *testing.T) {
	e := newBatchEnv(t)
	const files, parallel = 60, 3
	var g errgroup.Group
	g.SetLimit(parallel)
	var total uint64
	for i := range files {
		data, name := e.d.add(1000 + 500*i)
		total += uint64(len(data))
		g.Go(func() error {
			got, err := e.fetch(t, name)
			if err == nil && !bytes.Equal(data, got) {
				err = fmt.Errorf("%s has other bytes", name)
			}
			return err
		})
	}
	require.NoError(t, g.Wait())
	require.LessOrEqual(t, e.sessions, parallel, "one for each transfer at a time")
	p := e.close(t, 0, total, files)
	require.Equal(t, fmt.Sprint(total), p.Price)
	require.LessOrEqual(t, len(p.Acknowledged), parallel)
}

// A session that rests does not survive a worker that starts anew, nor the end of an epoch what was signed in it; neither costs a file.
func TestBatchOutlivesItsSession(t *testing.T) {
	e := newBatchEnv(t)
	var total uint64
	for i := range 6 {
		data, name := e.d.add(3*group + i)
		total += uint64(len(data))
		if i == 2 {
			e.d.kick = true
		}
		if i == 4 {
			require.Eventually(t, func() bool { got, _ := e.d.total(); return got == total-uint64(len(data)) }, 5*time.Second, time.Millisecond)
			e.chain.advance()
		}
		got, err := e.fetch(t, name)
		require.NoError(t, err)
		require.Equal(t, data, got)
	}
	require.Equal(t, 2, e.sessions)
	p, err := e.b.Close(t.Context())
	require.NoError(t, err)
	require.Empty(t, p.AckError)
	gotBytes, gotRequests := e.d.total()
	require.Equal(t, total, gotBytes)
	require.EqualValues(t, 6, gotRequests)
	require.False(t, e.d.anyClosed())
}

func TestBatchKeepsItsSessionWhenAnObjectIsMissing(t *testing.T) {
	e := newBatchEnv(t)
	data, name := e.d.add(2*group + 1)
	for i := range 40 {
		if i%2 == 0 {
			_, err := e.fetch(t, content.Name{byte(i)})
			var p *fetch.Problem
			require.ErrorAs(t, err, &p)
			require.Equal(t, http.StatusNotFound, p.Status)
			continue
		}
		got, err := e.fetch(t, name)
		require.NoError(t, err)
		require.Equal(t, data, got)
	}
	require.Equal(t, 1, e.sessions)
	e.close(t, 0, 20*uint64(len(data)), 20)
}

// A worker that sends what does not verify is left with all that it sent before acknowledged.
func TestBatchLeavesAWorkerThatLies(t *testing.T) {
	e := newBatchEnv(t)
	data, name := e.d.add(4 * group)
	_, err := e.fetch(t, name)
	require.NoError(t, err)
	good := e.d.objects[name]
	bad := object{data: bytes.Clone(good.data), outboard: good.outboard}
	bad.data[0] ^= 1
	e.d.objects[name] = bad
	_, err = e.fetch(t, name)
	require.ErrorIs(t, err, content.ErrCorrupt)
	got, _ := e.d.total()
	require.EqualValues(t, len(data), got, "acknowledged when the worker was left")
	e.d.objects[name] = good
	_, err = e.fetch(t, name)
	require.NoError(t, err)
	require.Equal(t, 2, e.sessions)
	e.close(t, 0, 2*uint64(len(data)), 2)
}

func TestBatchOfUploads(t *testing.T) {
	e := newBatchEnv(t)
	e.d.onPut = func(w http.ResponseWriter, r *http.Request) {
		if _, confirm := e.d.receive(w, r); confirm != nil {
			confirm()
		}
	}
	var total uint64
	var all uint64
	for i := range 10 {
		data := bytes.Repeat([]byte{byte(i)}, 5000+i)
		report, err := e.b.Put(t.Context(), fetch.PutRequest{
			Name: content.Name(blake3.Sum256(data)), Size: uint64(len(data)), From: bytes.NewReader(data), Workers: []fetch.Worker{e.d.worker()},
		})
		require.NoError(t, err)
		require.True(t, report.Verified)
		p := report.Payment
		require.EqualValues(t, len(data), p.AcknowledgedBytes, "what this upload has cost")
		require.Equal(t, fmt.Sprint(len(data)), p.Price)
		all += p.AcknowledgedBytes
		total += uint64(len(data))
	}
	require.Equal(t, 1, e.sessions)
	e.close(t, all, total, 10)
}

// Uploads at a time share sessions, wait for a worker that is busy, and each tells its own cost.
func TestBatchOfUploadsAtATime(t *testing.T) {
	e := newBatchEnv(t)
	var tries atomic.Int32
	e.d.onPut = func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1)%5 == 0 {
			e.d.problem(w, http.StatusTooManyRequests, "overloaded", map[string]any{"retry_after_seconds": 0.001})
			return
		}
		if _, confirm := e.d.receive(w, r); confirm != nil {
			confirm()
		}
	}
	const files, parallel = 40, 4
	var g errgroup.Group
	g.SetLimit(parallel)
	var total uint64
	for i := range files {
		data := bytes.Repeat([]byte{byte(i)}, 5000+i)
		total += uint64(len(data))
		g.Go(func() error {
			report, err := e.b.Put(t.Context(), fetch.PutRequest{
				Name: content.Name(blake3.Sum256(data)), Size: uint64(len(data)), From: bytes.NewReader(data), Workers: []fetch.Worker{e.d.worker()},
			})
			if err == nil && (report.AcknowledgedBytes != uint64(len(data)) || report.Price != fmt.Sprint(len(data)) || report.Unacknowledged != 0) {
				err = fmt.Errorf("an upload of %d bytes tells %+v", len(data), report.Payment)
			}
			return err
		})
	}
	require.NoError(t, g.Wait())
	require.LessOrEqual(t, e.sessions, parallel, "one for each upload at a time")
	e.close(t, total, total, files)
}

// What an upload could not acknowledge is told by its own report, not by that of another one which ends meanwhile.
func TestBatchTellsEachUploadItsOwnFaults(t *testing.T) {
	t.Parallel()
	e := newBatchEnv(t)
	e.cfg.FinalAckTimeout, e.cfg.EpochPatience, e.cfg.Retries = 50*time.Millisecond, time.Millisecond, -1
	c, err := fetch.New(e.cfg, e.payer)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	b := c.Batch()
	deaf := newDouble(t, e.chain, 2, e.public)
	deaf.refuseAcks, deaf.limit = true, 256<<10
	for _, d := range []*double{e.d, deaf} {
		d.onPut = func(w http.ResponseWriter, r *http.Request) {
			if _, confirm := d.receive(w, r); confirm != nil {
				confirm()
			}
		}
	}
	upload := func(d *double, data []byte) (fetch.PutReport, error) {
		return b.Put(t.Context(), fetch.PutRequest{
			Name: content.Name(blake3.Sum256(data)), Size: uint64(len(data)), From: bytes.NewReader(data), Workers: []fetch.Worker{d.worker()},
		})
	}
	var g errgroup.Group
	var failed fetch.PutReport
	g.Go(func() error {
		var err error
		if failed, err = upload(deaf, bytes.Repeat([]byte{1}, 1<<20)); err == nil {
			return fmt.Errorf("an upload goes on without credit")
		}
		return nil
	})
	stop := make(chan struct{})
	g.Go(func() error {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return nil
			default:
			}
			report, err := upload(e.d, fmt.Append(nil, i))
			if err == nil && (report.AckError != "" || report.Unacknowledged != 0) {
				err = fmt.Errorf("%+v is not its own", report.Payment)
			}
			if err != nil {
				return err
			}
		}
	})
	require.Eventually(t, func() bool { deaf.mu.Lock(); defer deaf.mu.Unlock(); return deaf.ackPosts > 0 }, 5*time.Second, time.Millisecond)
	time.Sleep(2 * e.cfg.FinalAckTimeout)
	close(stop)
	require.NoError(t, g.Wait())
	deaf.mu.Lock()
	deaf.limit = 0
	close(deaf.moved)
	deaf.moved = make(chan struct{})
	deaf.mu.Unlock()
	require.NotEmpty(t, failed.AckError)
	require.NotZero(t, failed.Unacknowledged)
	_, err = b.Close(t.Context())
	require.NoError(t, err)
}

// A folder that is there already costs a look at each file, and nothing is asked of the chain for it.
func TestBatchAsksTheChainForNothingThatItKnows(t *testing.T) {
	e := newBatchEnv(t)
	e.d.onPut = func(w http.ResponseWriter, r *http.Request) {
		if _, confirm := e.d.receive(w, r); confirm != nil {
			confirm()
		}
	}
	upload := func(text string) {
		_, err := e.b.Put(t.Context(), fetch.PutRequest{
			Name: content.Name(blake3.Sum256([]byte(text))), Size: uint64(len(text)), From: strings.NewReader(text), Workers: []fetch.Worker{e.d.worker()},
		})
		require.NoError(t, err)
	}
	upload("a")
	upload("b")
	require.EqualValues(t, 1, e.chain.prices.Load(), "those of an epoch do not change")
	e.d.override = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1") }
	before := e.chain.refreshes.Load()
	for range 10 {
		upload("c")
	}
	require.Equal(t, before, e.chain.refreshes.Load(), "nothing is to be signed")
	e.d.override = nil
	e.close(t, 2, 2, 2)
}
