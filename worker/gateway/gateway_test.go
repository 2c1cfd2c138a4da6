package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/session"
	"github.com/edgechain/edge/worker/store"
)

const group = content.GroupSize

// bench is a gateway over a real store, with sessions that keep the rules of credit in memory.
type bench struct {
	*gateway.Server
	store    *store.Store
	sessions *sessions
	registry *prometheus.Registry
	cfg      gateway.Config
}

func newBench(t *testing.T, change ...func(*gateway.Config, *gateway.Deps)) *bench {
	t.Helper()
	st, err := store.Open(store.DefaultConfig(t.TempDir()), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	b := &bench{store: st, sessions: newSessions(), registry: prometheus.NewPedanticRegistry(), cfg: gateway.DefaultConfig()}
	b.cfg.Listen, b.cfg.AdminListen = "127.0.0.1:0", "127.0.0.1:0"
	deps := gateway.Deps{Store: st, Sessions: b.sessions, Info: info, Metrics: b.registry, Log: slog.New(slog.DiscardHandler)}
	b.cfg.DrainGrace = time.Millisecond
	for _, f := range change {
		f(&b.cfg, &deps)
	}
	b.Server, err = gateway.New(b.cfg, deps)
	require.NoError(t, err)
	return b
}

// start makes the gateway listen until the test ends.
func (b *bench) start(t *testing.T) (url string) {
	t.Helper()
	require.NoError(t, b.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		require.NoError(t, b.Stop(ctx))
	})
	return "http://" + b.Addr()
}

func (b *bench) add(t *testing.T, data []byte) content.Name {
	t.Helper()
	added, err := b.store.Add(t.Context(), bytes.NewReader(data))
	require.NoError(t, err)
	return added.Name
}

// do sends a request to the handler, with header lines "Name: value".
func (b *bench) do(t *testing.T, method, target string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, body)
	for _, line := range header {
		name, value, ok := strings.Cut(line, ": ")
		require.True(t, ok)
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w.Result()
}

func (b *bench) get(t *testing.T, target string, header ...string) *http.Response {
	t.Helper()
	return b.do(t, http.MethodGet, target, nil, header...)
}

func bodyOf(t *testing.T, r *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	return b
}

// requireProblem checks that an answer is a problem document of a type, and returns its members.
func requireProblem(t *testing.T, r *http.Response, status int, kind string) map[string]any {
	t.Helper()
	b := bodyOf(t, r)
	require.Equal(t, status, r.StatusCode, "%s", b)
	require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
	for _, name := range []string{"ETag", "Edge-Sequence", "Edge-Payload-Bytes", "Accept-Ranges"} {
		require.Empty(t, r.Header.Get(name), name)
	}
	var doc map[string]any
	require.NoError(t, json.Unmarshal(b, &doc), "%s", b)
	require.Equal(t, "https://edge.network/problems/"+kind, doc["type"])
	require.EqualValues(t, status, doc["status"])
	require.NotEmpty(t, doc["title"])
	return doc
}

func object(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16), byte(size >> 24)}).Read(b)
	return b
}

func info() (gateway.Info, error) {
	return gateway.Info{
		ChainID: "edge-1", WorkerID: 1, PeerKey: []byte{1, 2}, Epoch: 12, Height: 4711, SettlementDenom: "uusd",
		Prices:       ack.Prices{PerGiB: big.NewInt(10_000), PerGFuel: big.NewInt(1_000)},
		MaxUnsettled: big.NewInt(1_000_000), BaseCredit: big.NewInt(1_000), StallTimeout: 30 * time.Second,
	}, nil
}

// sessions is one account whose claim is counted in bytes, with sessions by token.
type sessions struct {
	mu       sync.Mutex
	limit    uint64
	claim    uint64
	changed  chan struct{}
	open     map[string]gateway.Session
	requests []*request
	// fail is what every call returns, if it is set.
	fail error
	// refuse says why the acknowledgement of a number of bytes is refused.
	refuse map[uint64]error
	// closed is the number of bytes whose acknowledgement closes its lane.
	closed map[uint64]bool
	stored []ack.Signed
	stall  time.Duration
	asked  session.OpenRequest
	// hold keeps calls of Acknowledge until it is closed, if it is set; holding counts them.
	hold    chan struct{}
	holding atomic.Int32
	// waits counts how often a reservation found no room.
	waits atomic.Int32
}

func newSessions() *sessions {
	s := &sessions{limit: 1 << 40, changed: make(chan struct{}), open: map[string]gateway.Session{}, refuse: map[uint64]error{}, closed: map[uint64]bool{}, stall: time.Hour}
	s.open["token"] = &fakeSession{s: s}
	return s
}

const auth = "Authorization: Edge-Session token"

func (s *sessions) Challenge(context.Context) (gateway.Challenge, error) {
	return gateway.Challenge{Bytes: [32]byte{0xab}, ExpiresAt: time.Unix(1_700_000_000, 0)}, s.fail
}

func (s *sessions) Open(_ context.Context, req session.OpenRequest) (session.Info, error) {
	s.asked = req
	return session.Info{
		Token: "t", WorkerID: 1, KeyID: req.KeyID, ServiceID: req.ServiceID, Lane: req.Lane, Epoch: 12, ExpiresAt: time.Unix(1_700_000_000, 0),
		NextSequence: 5, Acknowledgements: []ack.Signed{signed(1)}, Credit: s.credit(),
	}, s.fail
}

func (s *sessions) Lookup(token string) (gateway.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.open[token]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("%w: %q", session.ErrSessionUnknown, token)
}

func (s *sessions) Acknowledge(_ context.Context, acks []ack.Signed) (gateway.Acknowledged, error) {
	if s.hold != nil {
		s.holding.Add(1)
		<-s.hold
	}
	if s.fail != nil {
		return gateway.Acknowledged{}, s.fail
	}
	out := gateway.Acknowledged{Outcomes: make([]session.AckOutcome, len(acks))}
	for i, a := range acks {
		if err := s.refuse[a.Bytes]; err != nil {
			out.Outcomes[i] = session.AckOutcome{Status: session.AckRefused, Reason: err.Error()}
		} else {
			out.Outcomes[i] = session.AckOutcome{Status: session.AckStored, LaneClosed: s.closed[a.Bytes]}
			s.mu.Lock()
			s.stored = append(s.stored, a)
			s.claim -= min(s.claim, a.Bytes)
			close(s.changed)
			s.changed = make(chan struct{})
			s.mu.Unlock()
		}
	}
	c := s.credit()
	out.Credit = &c
	return out, nil
}

func (s *sessions) credit() session.Credit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return session.Credit{Limit: new(big.Int).SetUint64(s.limit), Claim: new(big.Int).SetUint64(s.claim), UnacknowledgedBytes: s.claim}
}

// begun counts the requests.
func (s *sessions) begun() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// last returns the newest request.
func (s *sessions) last() *request {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.requests) == 0 {
		return nil
	}
	return s.requests[len(s.requests)-1]
}

type fakeSession struct{ s *sessions }

func (x *fakeSession) AccountID() uint64 { return 5 }

func (x *fakeSession) Credit() (session.Credit, error) { return x.s.credit(), nil }

func (x *fakeSession) Begin(_ context.Context, meta session.Meta) (gateway.Request, error) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if x.s.fail != nil {
		return nil, x.s.fail
	}
	r := &request{s: x.s, meta: meta, sequence: uint64(len(x.s.requests)) + 1}
	x.s.requests = append(x.s.requests, r)
	return r, nil
}

type request struct {
	s        *sessions
	meta     session.Meta
	sequence uint64
	reserved uint64
	// asked is what the first Reserve asked for.
	asked             uint64
	finished, aborted int
}

func (r *request) Sequence() uint64 { return r.sequence }
func (r *request) Epoch() uint64    { return 12 }

func (r *request) Reserve(ctx context.Context, n uint64) error {
	r.s.mu.Lock()
	if r.asked == 0 {
		r.asked = n
	}
	r.s.mu.Unlock()
	for {
		r.s.mu.Lock()
		if r.s.claim+n <= r.s.limit {
			r.s.claim += n
			r.reserved += n
			r.s.mu.Unlock()
			return nil
		}
		changed, stall := r.s.changed, r.s.stall
		r.s.mu.Unlock()
		r.s.waits.Add(1)
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(stall):
			return fmt.Errorf("%w: stalled", session.ErrCreditExhausted)
		}
	}
}

func (r *request) Release(n uint64) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.reserved -= n
	r.s.claim -= min(r.s.claim, n)
}

func (r *request) Finish() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.finished++
}

func (r *request) Abort() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.aborted++
}

// state returns reserved bytes, and how often the request was finished and aborted.
func (r *request) state() [3]uint64 {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return [3]uint64{r.reserved, uint64(r.finished), uint64(r.aborted)}
}

func signed(bytes uint64) ack.Signed {
	return ack.Signed{Ack: ack.Ack{Epoch: 12, KeyID: 7, WorkerID: 1, Bytes: bytes}}
}

// metric returns the sum of a counter or gauge over its labels, those of a histogram's samples.
func (b *bench) metric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := b.registry.Gather()
	require.NoError(t, err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

var errDisk = errors.New("disk on fire at /secret/path")

func ackList(acks ...ack.Signed) []ack.Signed { return acks }
