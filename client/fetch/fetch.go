// Package fetch downloads content from workers: it opens a session, verifies what arrives group by group, acknowledges
// what it has verified while the stream runs, waits for credit, resumes broken streams, and changes the worker if one
// fails. It trusts no worker: everything that it reads is bounded in size and time, every byte is verified before it is
// passed on, and nothing else is acknowledged. docs/protocol.md, sections 3 to 6, specifies the exchange.
package fetch

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/lane"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// Chain is what a paid transfer asks the chain.
type Chain interface {
	Worker(ctx context.Context, id uint64) (nodetypes.Worker, error)
	Prices(ctx context.Context, epoch uint64) (ack.Prices, error)
}

// View is the client's own view of the current epoch.
type View interface {
	lane.View
	// Refresh reads the chain now.
	Refresh(ctx context.Context) error
}

// Payer pays for transfers.
type Payer struct {
	ChainID string
	KeyID   uint64
	Key     ed25519.PrivateKey
	// LaneDir is the folder of lane states.
	LaneDir string
	Chain   Chain
	View    View
}

// Worker is where content may come from.
type Worker struct {
	// ID that the worker must have, 0 if any registered one will do.
	ID uint64
	// URL of its gateway.
	URL string
	// AnyAddress lets the URL lead to a loopback, private or link-local address, and through the proxy of the environment:
	// for one that the user named, and for local networks.
	AnyAddress bool
}

// String names the worker.
func (w Worker) String() string {
	if w.ID == 0 {
		return w.URL
	}
	return fmt.Sprintf("worker %d (%s)", w.ID, w.URL)
}

// Config bounds transfers. The zero value of a field means its default.
type Config struct {
	// CallTimeout bounds a call other than a stream, and the wait for a stream's header. Default 30 s.
	CallTimeout time.Duration
	// IdleTimeout bounds the time between two verified groups of a free stream, and is added to a worker's stall timeout
	// for a paid one. Default 30 s.
	IdleTimeout time.Duration
	// StallNotice is after how long without a verified group Progress is told. Default 2 s.
	StallNotice time.Duration
	// Retries is how often a worker is tried again without having made progress. Default 6; negative means never.
	Retries int
	// Backoff is the first pause between tries; it doubles up to MaxBackoff. Default 250 ms and 8 s.
	Backoff, MaxBackoff time.Duration
	// MaxWait bounds how long a transfer waits for credit or an overloaded worker without progress, on the clock, and how
	// much of such waits in total is excused from MinRate. Default 5 min.
	MaxWait time.Duration
	// MinRate is the least that a worker must send in bytes per second, averaged over RateWindow. Default 4 KiB, a group
	// in 4 s, over 1 min.
	MinRate    uint64
	RateWindow time.Duration
	// AckBytes is after how many bytes an acknowledgement is due even if a quarter of the credit limit is more.
	// Default 64 MiB.
	AckBytes uint64
	// AckInterval is after how long verified bytes are acknowledged at the latest. Default 500 ms.
	AckInterval time.Duration
	// FinalAckTimeout bounds the tries to deliver the last acknowledgement. Default 20 s.
	FinalAckTimeout time.Duration
	// EpochPatience is how long a worker may be ahead of the client's view of the chain. Default 10 s.
	EpochPatience time.Duration
	// MaxSize of an object in bytes. Default content.MaxSize.
	MaxSize uint64
	// Transport replaces the default one, for tests.
	Transport http.RoundTripper
}

func orDefault[T int | uint64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

func (c Config) withDefaults() Config {
	orDefault(&c.CallTimeout, 30*time.Second)
	orDefault(&c.IdleTimeout, 30*time.Second)
	orDefault(&c.StallNotice, 2*time.Second)
	orDefault(&c.Retries, 6)
	orDefault(&c.Backoff, 250*time.Millisecond)
	orDefault(&c.MaxBackoff, 8*time.Second)
	orDefault(&c.MaxWait, 5*time.Minute)
	orDefault(&c.MinRate, content.GroupSize/4)
	orDefault(&c.RateWindow, time.Minute)
	orDefault(&c.AckBytes, 64<<20)
	orDefault(&c.AckInterval, 500*time.Millisecond)
	orDefault(&c.FinalAckTimeout, 20*time.Second)
	orDefault(&c.EpochPatience, 10*time.Second)
	orDefault(&c.MaxSize, content.MaxSize)
	return c
}

// Client makes transfers. It is safe for concurrent use. Every Get and Put has a lane of its own; those of a Batch share lanes.
type Client struct {
	cfg   Config
	payer *Payer
	// named is for workers that may be at any address, public for all others.
	named, public *http.Client
	// namedPuts and publicPuts are those for uploads.
	namedPuts, publicPuts *http.Client
}

// New returns a client. Without a payer it uses the free quota of workers.
func New(cfg Config, payer *Payer) (*Client, error) {
	if payer != nil {
		switch {
		case payer.ChainID == "" || payer.KeyID == 0 || payer.LaneDir == "":
			return nil, errors.New("payer needs a chain id, a key id and a folder for lanes")
		case len(payer.Key) != ed25519.PrivateKeySize:
			return nil, fmt.Errorf("client key %d has %d bytes, want %d", payer.KeyID, len(payer.Key), ed25519.PrivateKeySize)
		case payer.Chain == nil || payer.View == nil:
			return nil, errors.New("payer needs a chain and a view of it")
		}
	}
	cfg = cfg.withDefaults()
	return &Client{
		cfg: cfg, payer: payer, named: newHTTPClient(cfg, true), public: newHTTPClient(cfg, false),
		namedPuts: newUploadClient(cfg, true), publicPuts: newUploadClient(cfg, false),
	}, nil
}

// Close lets idle connections go.
func (c *Client) Close() {
	c.named.CloseIdleConnections()
	c.public.CloseIdleConnections()
	c.namedPuts.CloseIdleConnections()
	c.publicPuts.CloseIdleConnections()
}

// Writer receives the bytes of a transfer in order, each one after it has verified.
type Writer interface {
	Write(p []byte) (int, error)
}

// Request says what to fetch.
type Request struct {
	Name content.Name
	// Offset and Length of the range in bytes. A Length of content.ToEnd goes on to the end.
	Offset, Length uint64
	// Size that the object must have in bytes, as a folder says; nil if any will do. A worker that claims another one is given
	// up with content.ErrSize before anything is written.
	Size *uint64
	// Workers to try, best first.
	Workers []Worker
	// Out receives the verified bytes.
	Out Writer
	// Manifests keeps the manifests of Folder and Find. May be nil.
	Manifests Manifests
	// Progress is told what happens, one call at a time. It must not block. May be nil.
	Progress func(Event)
}

// EventKind says what an Event reports.
type EventKind string

// The kinds of events.
const (
	// EventStart: a worker begins to answer.
	EventStart EventKind = "start"
	// EventProgress: bytes have been verified and written.
	EventProgress EventKind = "progress"
	// EventAcknowledged: the worker holds an acknowledgement.
	EventAcknowledged EventKind = "acknowledged"
	// EventWaiting: the transfer waits, Reason says for what.
	EventWaiting EventKind = "waiting"
	// EventWorkerFailed: the worker is given up, Reason says why.
	EventWorkerFailed EventKind = "worker_failed"
)

// Event is a step of a transfer.
type Event struct {
	Kind   EventKind
	Worker Worker
	// Done is how many bytes of the range are written, Total how many there will be, 0 while unknown. Until the last
	// group has verified, Total rests on the worker's word.
	Done, Total uint64
	// Acknowledged is what workers hold acknowledgements of, of this transfer or its whole batch, in bytes of payload.
	Acknowledged uint64
	Reason       string
	Wait         time.Duration
}

// transfer is one Get or Put.
type transfer struct {
	*Client
	in    *Batch
	req   Request
	start time.Time
	// upload is what is sent, nil if something is fetched.
	upload *sending
	// links were used. unsent is what an upload could not have acknowledged on the last of them, in bytes, and unsaid why.
	links  []*link
	unsent uint64
	unsaid error

	pos, end uint64 // what is next and where the range ends, in bytes of the object
	size     uint64 // proven length of the object, content.UnknownSize before
	claimed  uint64

	mu     sync.Mutex // guards what events tell
	report Report

	sayMu sync.Mutex
}

// Get fetches a range of an object. The report is filled in whatever the error. If a byte does not verify and no other
// worker has it, the error is a *CorruptError and everything before that byte's group is written and acknowledged.
func (c *Client) Get(ctx context.Context, req Request) (Report, error) {
	start, b := time.Now(), c.Batch()
	report, err := b.Get(ctx, req)
	return report, b.only(ctx, &report, start, err)
}

// only closes a batch of one transfer, which began at a time and ended with an error, and completes its report.
func (b *Batch) only(ctx context.Context, report *Report, start time.Time, err error) error {
	payment, closeErr := b.Close(ctx)
	report.Payment = payment
	report.Duration = time.Since(start)
	report.Seconds = report.Duration.Seconds()
	if err == nil {
		err = closeErr
	}
	return err
}

func (b *Batch) transfer(req Request) *transfer {
	t := &transfer{
		Client: b.client, in: b, req: req, start: time.Now(),
		pos: req.Offset, end: content.ToEnd, size: content.UnknownSize,
	}
	if req.Length < content.ToEnd-req.Offset {
		t.end = req.Offset + req.Length
	}
	t.report = Report{Name: req.Name, Offset: req.Offset, Paid: b.client.payer != nil}
	return t
}

func (t *transfer) run(ctx context.Context) error {
	if len(t.req.Workers) == 0 {
		return ErrNoWorker
	}
	if t.pos > content.MaxSize {
		return fmt.Errorf("%w: it begins at %d, an object has at most %d bytes", ErrRange, t.pos, uint64(content.MaxSize))
	}
	if t.pos == t.end {
		return fmt.Errorf("%w: it is empty", ErrRange)
	}
	return t.try(ctx)
}

// try asks one worker after the other.
func (t *transfer) try(ctx context.Context) error {
	if len(t.req.Workers) == 0 {
		return ErrNoWorker
	}
	var failed []error
	for i, w := range t.req.Workers {
		err := t.from(ctx, w)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || errors.Is(err, errFatal) {
			return err
		}
		failed = append(failed, err)
		if i < len(t.req.Workers)-1 {
			t.say(Event{Kind: EventWorkerFailed, Worker: w, Reason: err.Error()})
		}
	}
	if len(failed) == 1 {
		return failed[0]
	}
	return &WorkersError{Errors: failed}
}

// from fetches what is left from one worker, until it is whole or the worker is given up.
func (t *transfer) from(ctx context.Context, w Worker) (err error) {
	l, err := t.in.take(w)
	if err != nil {
		return &WorkerError{Worker: w, Err: err}
	}
	l.usedBy(t)
	t.links = append(t.links, l)
	src := &source{transfer: t, link: l, pace: newPace(t.cfg)}
	defer func() {
		if err == nil && t.upload != nil && l.acker != nil {
			// While the link is this transfer's alone.
			t.unsent, t.unsaid = l.acker.finish(ctx)
		}
		if closeErr := t.in.giveBack(ctx, l, err); closeErr != nil && err == nil {
			err = closeErr
		}
	}()
	var (
		tries   int
		waiting time.Time // since when, without progress
		pause   = t.cfg.Backoff
	)
	for {
		before := t.pos
		err := src.attempt(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return &WorkerError{Worker: src.worker, Err: context.Cause(ctx)}
		}
		if slow := src.pace.check(false); slow != nil {
			return &WorkerError{Worker: src.worker, Err: slow}
		}
		if t.pos != before {
			tries, waiting, pause = 0, time.Time{}, t.cfg.Backoff
		}
		var after *waitError
		switch {
		case errors.As(err, &after):
			wait := after.wait
			if wait <= 0 {
				wait = pause
				pause = min(2*pause, t.cfg.MaxBackoff)
			}
			if waiting.IsZero() {
				waiting = time.Now()
			}
			if time.Since(waiting)+wait > t.cfg.MaxWait {
				return &WorkerError{Worker: src.worker, Err: fmt.Errorf("gave up waiting: %w", after.cause)}
			}
			t.say(Event{Kind: EventWaiting, Worker: src.worker, Reason: after.cause.Error(), Wait: wait})
			if err := errors.Join(src.wait(ctx, wait), src.pace.check(true)); err != nil {
				return &WorkerError{Worker: src.worker, Err: err}
			}
		case errors.Is(err, errAgain):
			// A new session or lane, at once, but not for ever.
			if tries++; tries > max(t.cfg.Retries, 0)+ack.MaxLanes {
				return &WorkerError{Worker: src.worker, Err: err}
			}
		case retryable(err):
			if tries++; tries > t.cfg.Retries {
				return &WorkerError{Worker: src.worker, Err: err}
			}
			wait := time.Duration(float64(pause) * (0.75 + rand.Float64()/2))
			pause = min(2*pause, t.cfg.MaxBackoff)
			t.say(Event{Kind: EventWaiting, Worker: src.worker, Reason: err.Error(), Wait: wait})
			if err := src.wait(ctx, wait); err != nil {
				return &WorkerError{Worker: src.worker, Err: err}
			}
		default:
			return src.blame(err)
		}
	}
}

// say reports an event, filled in with where the transfer stands.
func (t *transfer) say(e Event) {
	if t.req.Progress == nil {
		return
	}
	t.sayMu.Lock()
	defer t.sayMu.Unlock()
	acknowledged := t.in.acknowledged()
	t.mu.Lock()
	e.Done, e.Acknowledged = t.report.Bytes, acknowledged
	e.Total = t.total()
	t.mu.Unlock()
	t.req.Progress(e)
}

// total is how many bytes the range has, as far as it is known.
func (t *transfer) total() uint64 {
	size := t.size
	if size == content.UnknownSize {
		size = t.claimed
	}
	if size <= t.req.Offset {
		return 0
	}
	return min(size, t.end) - t.req.Offset
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// CheckWorkerURL returns ErrWorkerURL for what cannot be the address of a worker's gateway.
func CheckWorkerURL(s string) error {
	_, err := parseWorkerURL(s)
	return err
}

// parseWorkerURL checks the address of a worker.
func parseWorkerURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %q is no URL", ErrWorkerURL, s)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%w: %q is not of http or https, such as https://worker.example", ErrWorkerURL, s)
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%w: %q, want scheme, host and at most a path", ErrWorkerURL, s)
	}
	return u, nil
}

// HTTPEndpoint returns the first endpoint of a registered worker that is an http or https URL.
func HTTPEndpoint(w *nodetypes.Worker) (string, bool) {
	for _, e := range w.Endpoints {
		if _, err := parseWorkerURL(e); err == nil {
			return e, true
		}
	}
	return "", false
}

// seconds makes a duration of a worker's number of seconds, within bounds.
func seconds(n float64, most time.Duration) time.Duration {
	if math.IsNaN(n) || n <= 0 {
		return 0
	}
	if n >= most.Seconds() {
		return most
	}
	return time.Duration(n * float64(time.Second))
}
