package fetch_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/fetch"
)

// receive is an upload as the protocol has it. It returns what arrived, and how to confirm it.
func (d *double) receive(w http.ResponseWriter, r *http.Request) ([]byte, func()) {
	d.mu.Lock()
	s := d.sessions[strings.TrimPrefix(r.Header.Get("Authorization"), "Edge-Session ")]
	if s == nil {
		d.mu.Unlock()
		d.problem(w, http.StatusUnauthorized, "session-unknown", nil)
		return nil, nil
	}
	name, _ := content.ParseName(strings.TrimPrefix(r.URL.Path, "/b3/"))
	s.sequence++
	sequence, size := s.sequence, uint64(r.ContentLength)
	epoch, _ := d.chain.Epoch()
	rc := &doubleReceipt{aborted: true, digest: ack.Receipt(ack.ContentRequestDigest(name.Digest(), 0, size), name.Digest(), size, 0)}
	l := d.lane(s.lane)
	l.receipts = append(l.receipts, rc)
	d.mu.Unlock()
	var got []byte
	for left := size; left > 0; {
		n := min(left, 64<<10)
		// An upload has no answer yet that a wait could flush.
		if err := d.reserve(r.Context(), httptest.NewRecorder(), n); err != nil {
			return nil, nil
		}
		part := make([]byte, n)
		if _, err := io.ReadFull(r.Body, part); err != nil {
			return nil, nil
		}
		got, left = append(got, part...), left-n
	}
	return got, func() {
		d.mu.Lock()
		rc.aborted = false
		d.mu.Unlock()
		h := w.Header()
		h.Set("Edge-Sequence", strconv.FormatUint(sequence, 10))
		h.Set("Edge-Epoch", strconv.FormatUint(epoch, 10))
		h.Set("Edge-Payload-Bytes", strconv.FormatUint(size, 10))
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"name": name.String(), "size": size, "kept_until_epoch": epoch + 7})
	}
}

func (e *env) put(t *testing.T, d *double, data []byte) (fetch.PutReport, error) {
	t.Helper()
	c, err := fetch.New(e.cfg, e.payer)
	require.NoError(t, err)
	defer c.Close()
	return c.Put(t.Context(), fetch.PutRequest{
		Name: content.Name(blake3.Sum256(data)), Size: uint64(len(data)), From: bytes.NewReader(data), Workers: []fetch.Worker{d.worker()},
	})
}

func TestPut(t *testing.T) {
	for _, size := range []int{0, 1, 3 << 20} {
		e := newEnv(t)
		d := newDouble(t, e.chain, 1, e.public)
		data := bytes.Repeat([]byte{7}, size)
		d.onPut = func(w http.ResponseWriter, r *http.Request) {
			if got, confirm := d.receive(w, r); confirm != nil {
				if !bytes.Equal(data, got) {
					t.Error("other bytes arrived")
				}
				confirm()
			}
		}
		report, err := e.put(t, d, data)
		require.NoError(t, err)
		require.NotZero(t, report.KeptUntilEpoch)
		require.EqualValues(t, size, report.AcknowledgedBytes)
		require.Zero(t, report.Unacknowledged)
		acked, requests := d.total()
		require.EqualValues(t, size, acked)
		require.EqualValues(t, 1, requests)
		require.False(t, d.anyClosed())
	}
}

func TestPutOfMoreThanTheCredit(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	d.limit = 256 << 10
	data := bytes.Repeat([]byte{8}, 5<<20)
	d.onPut = func(w http.ResponseWriter, r *http.Request) {
		if _, confirm := d.receive(w, r); confirm != nil {
			confirm()
		}
	}
	report, err := e.put(t, d, data)
	require.NoError(t, err)
	require.EqualValues(t, len(data), report.AcknowledgedBytes)
	require.False(t, d.anyClosed())
}

// TestPutPaysNobodyWhoDoesNotConfirm meets workers that take an object and confirm nothing, or something else.
func TestPutPaysNobodyWhoDoesNotConfirm(t *testing.T) {
	data := bytes.Repeat([]byte{9}, 100<<10)
	for what, answer := range map[string]http.HandlerFunc{
		"broken": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"other name": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(map[string]any{"name": content.EmptyName.String(), "size": len(data)})
		},
		"no document": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) },
		"no sequence": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(map[string]any{"name": strings.TrimPrefix(r.URL.Path, "/b3/"), "size": len(data)})
		},
		"existed after all": func(w http.ResponseWriter, r *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]any{"name": strings.TrimPrefix(r.URL.Path, "/b3/"), "size": len(data), "existed": true})
		},
	} {
		t.Run(what, func(t *testing.T) {
			e := newEnv(t)
			e.cfg.Retries = 2
			d := newDouble(t, e.chain, 1, e.public)
			d.onPut = func(w http.ResponseWriter, r *http.Request) {
				if _, confirm := d.receive(w, r); confirm != nil {
					answer(w, r)
				}
			}
			report, err := e.put(t, d, data)
			require.Equal(t, what == "existed after all", err == nil, "%v", err)
			require.Zero(t, report.AcknowledgedBytes)
			acked, requests := d.total()
			require.Zero(t, acked)
			require.Zero(t, requests)
		})
	}
}

func TestPutTriesAgain(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	data := bytes.Repeat([]byte{10}, 100<<10)
	var tries atomic.Int32
	d.onPut = func(w http.ResponseWriter, r *http.Request) {
		switch tries.Add(1) {
		case 1:
			d.problem(w, http.StatusTooManyRequests, "overloaded", map[string]any{"retry_after_seconds": 0.01})
		case 2:
			d.problem(w, http.StatusServiceUnavailable, "stopping", map[string]any{"retry_after_seconds": 0.01})
		case 3:
			d.problem(w, http.StatusPaymentRequired, "credit-exhausted", map[string]any{"retry_after_seconds": 0.01})
		default:
			if _, confirm := d.receive(w, r); confirm != nil {
				confirm()
			}
		}
	}
	report, err := e.put(t, d, data)
	require.NoError(t, err)
	require.EqualValues(t, len(data), report.AcknowledgedBytes)
	require.EqualValues(t, 4, tries.Load())
}

// A worker that will take nothing soon is asked once.
func TestPutIsToldThatTheWorkerTakesNothing(t *testing.T) {
	for kind, status := range map[string]int{
		"uploads-off": http.StatusForbidden, "no-room": http.StatusInsufficientStorage, "too-large": http.StatusRequestEntityTooLarge,
	} {
		e := newEnv(t)
		d := newDouble(t, e.chain, 1, e.public)
		var tries int
		d.onPut = func(w http.ResponseWriter, _ *http.Request) {
			tries++
			d.problem(w, status, kind, nil)
		}
		_, err := e.put(t, d, []byte("x"))
		var p *fetch.Problem
		require.ErrorAs(t, err, &p)
		require.Equal(t, kind, p.Type)
		require.Equal(t, 1, tries, kind)
	}
}

// TestPutIsSentTwiceAtMost meets workers that take all bytes, have them paid on the way, and find another reason each time not to
// keep them.
func TestPutIsSentTwiceAtMost(t *testing.T) {
	data := bytes.Repeat([]byte{11}, 2<<20)
	for what, refuse := range map[string]func(d *double, w http.ResponseWriter){
		"session-unknown": func(d *double, w http.ResponseWriter) {
			d.mu.Lock()
			clear(d.sessions)
			d.mu.Unlock()
			d.problem(w, http.StatusUnauthorized, "session-unknown", nil)
		},
		"lane-closed": func(d *double, w http.ResponseWriter) { d.problem(w, http.StatusConflict, "lane-closed", nil) },
		"credit-exhausted": func(d *double, w http.ResponseWriter) {
			d.problem(w, http.StatusPaymentRequired, "credit-exhausted", map[string]any{"retry_after_seconds": 0.001})
		},
		"overloaded": func(d *double, w http.ResponseWriter) {
			d.problem(w, http.StatusTooManyRequests, "overloaded", map[string]any{"retry_after_seconds": 0.001})
		},
		"internal": func(d *double, w http.ResponseWriter) { d.problem(w, http.StatusInternalServerError, "internal", nil) },
		"broken":   func(*double, http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(what, func(t *testing.T) {
			e := newEnv(t)
			e.cfg.Backoff, e.cfg.MaxBackoff = time.Millisecond, time.Millisecond
			workers, tries := []fetch.Worker{}, [3]atomic.Int32{}
			doubles := []*double{}
			for i := range tries {
				d := newDouble(t, e.chain, uint64(i)+1, e.public)
				d.limit = 256 << 10
				d.onPut = func(w http.ResponseWriter, r *http.Request) {
					if got, _ := d.receive(w, r); len(got) == len(data) {
						tries[i].Add(1)
						refuse(d, w)
					}
				}
				doubles, workers = append(doubles, d), append(workers, d.worker())
			}
			c, err := fetch.New(e.cfg, e.payer)
			require.NoError(t, err)
			defer c.Close()
			_, err = c.Put(t.Context(), fetch.PutRequest{
				Name: content.Name(blake3.Sum256(data)), Size: uint64(len(data)), From: bytes.NewReader(data), Workers: workers,
			})
			require.ErrorIs(t, err, fetch.ErrUnkept)
			var paid uint64
			for _, d := range doubles {
				acked, requests := d.total()
				require.LessOrEqual(t, acked, uint64(5<<20))
				require.Zero(t, requests)
				paid += acked
			}
			require.Positive(t, paid, "the workers were paid on the way")
			require.LessOrEqual(t, paid, uint64(10<<20))
			require.Equal(t, []int32{2, 2, 1}, []int32{tries[0].Load(), tries[1].Load(), tries[2].Load()})
		})
	}
}

// TestPutOfWhatExistsIsNotVerified: that a worker has an object is its word alone.
func TestPutOfWhatExistsIsNotVerified(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	data := bytes.Repeat([]byte{12}, 100_000)
	d.override = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	}
	report, err := e.put(t, d, data)
	require.NoError(t, err)
	require.True(t, report.Existed)
	require.False(t, report.Verified)
	require.Zero(t, report.Bytes)

	d = newDouble(t, e.chain, 2, e.public)
	d.onPut = func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"name": strings.TrimPrefix(r.URL.Path, "/b3/"), "size": len(data), "existed": true})
	}
	report, err = e.put(t, d, data)
	require.NoError(t, err)
	require.True(t, report.Existed)
	require.False(t, report.Verified)

	d.onPut = func(w http.ResponseWriter, r *http.Request) {
		if _, confirm := d.receive(w, r); confirm != nil {
			confirm()
		}
	}
	report, err = e.put(t, d, data)
	require.NoError(t, err)
	require.False(t, report.Existed)
	require.True(t, report.Verified)
}

// An upload that takes longer than the window of the least rate and then breaks off is tried again: it was not slow.
func TestPutThatTookLongIsTriedAgain(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.cfg.RateWindow = 400 * time.Millisecond
	d := newDouble(t, e.chain, 1, e.public)
	data := bytes.Repeat([]byte{13}, 3<<20)
	var tries atomic.Int32
	d.onPut = func(w http.ResponseWriter, r *http.Request) {
		_, confirm := d.receive(w, r)
		if tries.Add(1) == 1 {
			// The worker makes what it has durable, and that takes as long as it takes.
			time.Sleep(3 * e.cfg.RateWindow / 2)
			panic(http.ErrAbortHandler)
		}
		if confirm != nil {
			confirm()
		}
	}
	report, err := e.put(t, d, data)
	require.NoError(t, err)
	require.True(t, report.Verified)
	require.EqualValues(t, 2, tries.Load())
}

// A worker that takes a little now and then, so that nothing ever stalls, does not hold an upload for ever.
func TestPutLeavesAWorkerThatIsTooSlow(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.cfg.RateWindow, e.cfg.MinRate, e.cfg.StallNotice = 200*time.Millisecond, 1<<30, 20*time.Millisecond
	d := newDouble(t, e.chain, 1, e.public)
	data := bytes.Repeat([]byte{14}, 64<<20)
	var over atomic.Bool
	d.onPut = func(_ http.ResponseWriter, r *http.Request) {
		p := make([]byte, 1<<10)
		for !over.Load() {
			if _, err := r.Body.Read(p); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	_, err := e.put(t, d, data)
	over.Store(true)
	require.ErrorIs(t, err, fetch.ErrSlow)
}
