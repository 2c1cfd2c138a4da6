package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/origin/folder"
	"github.com/edgechain/edge/worker/origin/outbound"
	"github.com/edgechain/edge/worker/store"
)

// Store is what is filled. *store.Store implements it.
type Store interface {
	Has(name content.Name) bool
	// AddNamed keeps nothing unless r delivers the bytes of the name and io.EOF, else it returns store.ErrMismatch.
	AddNamed(ctx context.Context, name content.Name, r io.Reader) (store.Added, error)
}

// Deps are the parts that origins stand on.
type Deps struct {
	Store   Store
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// key of a fetch. Those on behalf of other workers are apart, because they ask fewer origins.
type key struct {
	name       content.Name
	fromWorker bool
}

// fetch under way, or waiting for its turn.
type fetch struct {
	cancel  context.CancelFunc
	waiters int
	linger  *time.Timer // ends it, nil while somebody waits
	done    chan struct{}
	err     error // set before done is closed
}

// Origins fill a store. They are safe for concurrent use.
type Origins struct {
	cfg     Config
	store   Store
	log     *slog.Logger
	metrics *metrics
	client  *outbound.Client
	index   *folder.Index // nil without folders

	folders, workers, http []*source

	missing *missing
	slots   chan struct{}

	mu      sync.Mutex
	ctx     context.Context // nil until Start
	cancel  context.CancelFunc
	fetches map[key]*fetch
	running int // fetches that have a goroutine, those included that nobody waits for any more
	waiting int // requests
	tasks   sync.WaitGroup
}

// New connects the origins of a configuration. Nothing is asked before Start.
func New(cfg Config, deps Deps) (*Origins, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("origin: %w", err)
	}
	named := append([]string(nil), cfg.Workers...)
	for _, template := range cfg.HTTP {
		named = append(named, expand(template, content.EmptyName))
	}
	client, err := outbound.New(cfg.Outbound(), named...)
	if err != nil {
		return nil, fmt.Errorf("origin: %w", err)
	}
	o := &Origins{
		cfg: cfg, store: deps.Store, log: deps.Log, client: client, missing: newMissing(cfg.MissingTTL, cfg.MaxMissing),
		slots: make(chan struct{}, cfg.MaxFetches), fetches: map[key]*fetch{},
	}
	if len(cfg.Folders) > 0 {
		if o.index, err = folder.New(cfg.index(), deps.Log); err != nil {
			return nil, fmt.Errorf("origin: %w", err)
		}
		o.folders = append(o.folders, folderSource(o.index, cfg.MaxObjectBytes))
	}
	for _, base := range cfg.Workers {
		o.workers = append(o.workers, workerSource(client, base, cfg.MaxObjectBytes))
	}
	for _, template := range cfg.HTTP {
		o.http = append(o.http, httpSource(client, template, cfg.MaxObjectBytes))
	}
	for _, s := range o.sources(key{}) {
		s.breaker.first, s.breaker.last = cfg.FirstBackoff, cfg.LastBackoff
	}
	o.metrics = newMetrics(deps.Metrics, o)
	return o, nil
}

// Start allows Fill, and begins to look through the folders. The end of the context is a Stop that waits for nothing.
func (o *Origins) Start(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx != nil {
		return errors.New("origin: started twice")
	}
	o.ctx, o.cancel = context.WithCancel(ctx)
	if o.index != nil {
		return o.index.Start(o.ctx)
	}
	return nil
}

// Stop ends all fetches. Those that wait for them get ErrStopped.
func (o *Origins) Stop(ctx context.Context) error {
	o.mu.Lock()
	if o.ctx == nil {
		o.mu.Unlock()
		return nil
	}
	o.cancel()
	o.mu.Unlock()
	defer o.client.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		o.tasks.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("origin: stop: %w", ctx.Err())
	}
	if o.index != nil {
		return o.index.Stop(ctx)
	}
	return nil
}

// Fill returns nil once the store has the content. Requests for the same name share one fetch; it ends when none of them
// has waited for Config.Linger. Its errors are listed in errors.go.
func (o *Origins) Fill(ctx context.Context, name content.Name) error {
	k := key{name, isFromWorker(ctx)}
	if len(o.sources(k)) == 0 {
		return fmt.Errorf("%w: %s", store.ErrNotFound, name)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := o.missing.get(k, time.Now()); err != nil {
		o.metrics.remembered.Inc()
		return err
	}
	f, err := o.join(k)
	if err != nil {
		o.metrics.refused.Inc()
		return err
	}
	defer o.leave(k, f)
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join adds a waiter to the fetch of a key, and begins it if there is none.
func (o *Origins) join(k key) (*fetch, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx == nil || o.ctx.Err() != nil {
		return nil, ErrStopped
	}
	f := o.fetches[k]
	if f == nil {
		if o.running >= o.cfg.MaxFetches+o.cfg.MaxQueued {
			return nil, fmt.Errorf("%w: %d run or wait", ErrBusy, o.running)
		}
		ctx, cancel := context.WithCancel(o.ctx)
		f = &fetch{cancel: cancel, done: make(chan struct{})}
		o.fetches[k] = f
		o.running++
		o.tasks.Add(1)
		go o.run(ctx, k, f)
	}
	if f.linger != nil {
		f.linger.Stop()
		f.linger = nil
	}
	f.waiters++
	o.waiting++
	return f, nil
}

// leave takes a waiter off. The last one ends the fetch, after Config.Linger, and a request that comes later begins another.
func (o *Origins) leave(k key, f *fetch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting--
	if f.waiters--; f.waiters > 0 {
		return
	}
	if o.cfg.Linger <= 0 {
		o.end(k, f)
		return
	}
	f.linger = time.AfterFunc(o.cfg.Linger, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if f.waiters == 0 {
			o.end(k, f)
		}
	})
}

// end ends a fetch that nobody waits for. The caller holds mu.
func (o *Origins) end(k key, f *fetch) {
	f.cancel()
	if o.fetches[k] == f {
		delete(o.fetches, k)
	}
}

// run is the goroutine of a fetch.
func (o *Origins) run(ctx context.Context, k key, f *fetch) {
	defer o.tasks.Done()
	err := o.guarded(ctx, k)
	if ctx.Err() != nil && err != nil {
		err = ErrStopped // nobody waits, unless the origins were stopped
	}
	f.cancel()
	o.mu.Lock()
	defer o.mu.Unlock()
	f.err = err
	close(f.done)
	if f.linger != nil {
		f.linger.Stop()
	}
	o.running--
	if o.fetches[k] == f {
		delete(o.fetches, k)
	}
}

// guarded waits for its turn and fetches. A panic must not end the worker.
func (o *Origins) guarded(ctx context.Context, k key) (err error) {
	defer func() {
		if r := recover(); r != nil {
			o.metrics.panics.Inc()
			o.log.Error("recovered from a panic", "name", k.name.String(), "panic", r, "stack", string(debug.Stack()))
			err = errors.New("origin: panic")
		}
	}()
	turn := time.NewTimer(o.cfg.QueueTimeout)
	defer turn.Stop()
	select {
	case o.slots <- struct{}{}:
		defer func() { <-o.slots }()
	case <-turn.C:
		return fmt.Errorf("%w: none ended in %s", ErrBusy, o.cfg.QueueTimeout)
	case <-ctx.Done():
		return ctx.Err()
	}
	if o.store.Has(k.name) {
		return nil
	}
	return o.fill(ctx, k)
}

// sources are the origins of a key, in the order in which they are asked.
func (o *Origins) sources(k key) []*source {
	list := append([]*source(nil), o.folders...)
	if !k.fromWorker {
		list = append(list, spread(o.workers, k.name)...)
	}
	return append(list, o.http...)
}

// fill asks one origin after the other.
func (o *Origins) fill(ctx context.Context, k key) error {
	verdict := fmt.Errorf("%w: %s, no origin has it either", store.ErrNotFound, k.name)
	remember := true
	for _, s := range o.sources(k) {
		if !s.breaker.closed(time.Now()) {
			o.metrics.fetches.WithLabelValues(s.kind, outcomeSuspended).Inc()
			remember = false
			verdict = fmt.Errorf("%w: %s", ErrUnavailable, k.name)
			continue
		}
		outcome := o.from(ctx, s, k.name)
		if ctx.Err() != nil && outcome != outcomeFilled {
			return ctx.Err()
		}
		switch outcome {
		case outcomeFilled:
			return nil
		case outcomeStore:
			return fmt.Errorf("%w: %s", ErrNoRoom, k.name) // the log says why
		case outcomeMissing:
		case outcomeTooLarge:
			// It is the same everywhere, or a lie. The others may have it within the bound.
			verdict = fmt.Errorf("%w: %s, over %d bytes", ErrTooLarge, k.name, o.cfg.MaxObjectBytes)
		case outcomeMismatch:
			verdict = fmt.Errorf("%w: %s", ErrMismatch, k.name)
		case outcomeTimeout:
			remember = false
			verdict = fmt.Errorf("%w: %s", ErrTimeout, k.name)
		default:
			remember = false
			verdict = fmt.Errorf("%w: %s", ErrUnavailable, k.name)
		}
	}
	if remember {
		o.missing.add(k, verdict, time.Now())
	}
	return verdict
}

// from asks one origin, stores what it delivers, and returns what became of it.
func (o *Origins) from(ctx context.Context, s *source, name content.Name) string {
	begun := time.Now()
	o.metrics.inFlight.WithLabelValues(s.kind).Inc()
	defer o.metrics.inFlight.WithLabelValues(s.kind).Dec()
	in := &incoming{max: o.cfg.MaxObjectBytes}
	err := func() (err error) {
		body, err := s.open(ctx, name)
		if err != nil {
			in.err = err
			return err
		}
		in.r = body
		defer body.Close()
		_, err = o.store.AddNamed(ctx, name, in)
		return err
	}()
	outcome := outcomeOf(ctx, err, in.err)
	o.metrics.fetches.WithLabelValues(s.kind, outcome).Inc()
	o.metrics.bytes.WithLabelValues(s.kind).Add(float64(in.n))
	log := o.log.With("kind", s.kind, "origin", s.label, "name", name.String(), "bytes", in.n, "seconds", time.Since(begun).Seconds())
	switch outcome {
	case outcomeFilled:
		o.metrics.seconds.WithLabelValues(s.kind).Observe(time.Since(begun).Seconds())
		s.breaker.answered()
		log.Debug("filled the store from an origin")
	case outcomeMissing:
		s.breaker.answered()
	case outcomeMismatch:
		// Whoever asks for a name can bring this about where a server answers 200 to everything: no reason to leave it alone.
		if s.wrong != nil {
			s.wrong(name)
		}
		log.Warn("an origin delivered other content", "err", err)
	case outcomeTooLarge:
		log.Warn("an origin has more than may be fetched", "err", err)
	case outcomeStore:
		log.Error("could not store what an origin delivered", "err", err)
	case outcomeTimeout, outcomeFailed:
		var asked *refusal
		var wait time.Duration
		if errors.As(in.err, &asked) {
			wait = asked.wait
		}
		log.Warn("an origin failed", "err", err, "left_alone_for", s.breaker.failed(time.Now(), wait))
	}
	return outcome
}

// outcomeOf tells what became of a fetch by the error of the add, and that of what was read.
func outcomeOf(ctx context.Context, err, read error) string {
	switch {
	case err == nil:
		return outcomeFilled
	case ctx.Err() != nil:
		return outcomeCanceled
	case errors.Is(read, errNotFound):
		return outcomeMissing
	case errors.Is(err, store.ErrTooLarge), errors.Is(read, content.ErrSize):
		return outcomeTooLarge
	case errors.Is(err, store.ErrMismatch), errors.Is(read, content.ErrCorrupt):
		return outcomeMismatch
	case errors.Is(read, outbound.ErrTimeout):
		return outcomeTimeout
	case read != nil:
		return outcomeFailed
	}
	return outcomeStore
}

// incoming counts and bounds what an origin delivers, and remembers how it ended.
type incoming struct {
	r   io.Reader
	max uint64
	n   uint64
	err error // nil at io.EOF
}

// Read implements io.Reader.
func (in *incoming) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	in.n += uint64(n)
	if in.n > in.max {
		err = fmt.Errorf("%w: over %d bytes", store.ErrTooLarge, in.max)
	}
	if err != nil && err != io.EOF { //nolint:errorlint // a wrapped io.EOF is a failure of the origin
		in.err = err
	}
	return n, err
}
