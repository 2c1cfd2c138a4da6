package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
)

// errBehind reports an endpoint that has not come to what another one has answered already.
var errBehind = errors.New("the endpoint is behind what was seen before")

// errUnheard is the problem of an endpoint that has not been asked yet.
var errUnheard = errors.New("nothing heard yet")

// errAhead reports an endpoint that claims more blocks than there can be by what the others have said.
var errAhead = errors.New("the endpoint claims a height that the others do not know")

// maxBlockRate is how many blocks a second a chain has at most: by as much others can be ahead of an endpoint that was last
// heard of some seconds ago.
const maxBlockRate = 10

// missedProbes is after how many probes without an answer what is known of an endpoint counts for nothing.
const missedProbes = 3

// NodesConfig of a Nodes.
type NodesConfig struct {
	// ChainID that every endpoint must have. Empty takes that of the first answer.
	ChainID string
	// ProbeInterval is how often each of several endpoints is asked where it is, ProbeTimeout bounds the answer.
	ProbeInterval, ProbeTimeout time.Duration
	// MaxBehind is by how many blocks an endpoint may be behind the best one.
	MaxBehind int64
	// Failback is for how long an endpoint must have been good without a break before it is used again instead of one that
	// comes after it.
	Failback time.Duration
}

// DefaultNodesConfig returns the values that suit blocks of about a second.
func DefaultNodesConfig() NodesConfig {
	return NodesConfig{ProbeInterval: 2 * time.Second, ProbeTimeout: 3 * time.Second, MaxBehind: 10, Failback: time.Minute}
}

// Validate returns an error that names the field at fault.
func (c NodesConfig) Validate() error {
	switch {
	case c.ProbeInterval < 100*time.Millisecond || c.ProbeInterval > time.Minute:
		return fmt.Errorf("probe_interval %s, want 100ms to 1m", c.ProbeInterval)
	case c.ProbeTimeout < 100*time.Millisecond || c.ProbeTimeout > time.Minute:
		return fmt.Errorf("probe_timeout %s, want 100ms to 1m", c.ProbeTimeout)
	case c.MaxBehind < 1 || c.MaxBehind > 10_000:
		return fmt.Errorf("max_behind %d, want 1 to 10000", c.MaxBehind)
	case c.Failback < 0 || c.Failback > 24*time.Hour:
		return fmt.Errorf("failback %s, want 0 to 24h", c.Failback)
	}
	return nil
}

// Nodes is several endpoints of one chain, in the order in which they are preferred. One of them is used for everything; it
// is left as soon as it fails or falls behind the others, and taken up again after it has been good for Failback.
//
// What is asked of another endpoint must never contradict what the first one has said. So an endpoint that takes over has to
// be at the greatest height that was ever told, or it is not asked; and a transaction that one endpoint may have is never
// reported as refused because another one refuses it. It is safe for concurrent use.
type Nodes struct {
	cfg     NodesConfig
	log     *slog.Logger
	metrics *endpointMetrics

	mu        sync.Mutex
	endpoints []*endpoint
	// current is the one that is used.
	current int
	// chainID that all have to have; empty while it is not known.
	chainID string
	// told is the greatest height that was answered.
	told int64
	// switched is closed when another one is used.
	switched chan struct{}

	cancel context.CancelFunc
	done   chan struct{}
}

// NewNodes returns the endpoints of a chain; there must be one at least. Metrics are registered with reg, unless it is nil.
func NewNodes(cfg NodesConfig, endpoints []NamedEndpoint, log *slog.Logger, reg prometheus.Registerer) (*Nodes, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("chain config: %w", err)
	}
	if len(endpoints) == 0 || len(endpoints) > maxEndpoints {
		return nil, fmt.Errorf("%d endpoints of the chain, want 1 to %d", len(endpoints), maxEndpoints)
	}
	n := &Nodes{cfg: cfg, log: log, chainID: cfg.ChainID, switched: make(chan struct{})}
	for _, e := range endpoints {
		n.endpoints = append(n.endpoints, &endpoint{NamedEndpoint: e, problem: errUnheard})
	}
	n.metrics = newEndpointMetrics(reg, n)
	return n, nil
}

// Start begins to watch the endpoints, until Stop. A single one is not watched: there is nothing to choose.
func (n *Nodes) Start(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cancel != nil {
		return errors.New("endpoints are watched already")
	}
	ctx, n.cancel = context.WithCancel(context.WithoutCancel(ctx))
	n.done = make(chan struct{})
	go func() {
		defer close(n.done)
		if len(n.endpoints) > 1 {
			n.watch(ctx)
		}
	}()
	return nil
}

// Stop ends the watching and waits for it, at most until ctx ends.
func (n *Nodes) Stop(ctx context.Context) error {
	n.mu.Lock()
	cancel, done := n.cancel, n.done
	n.mu.Unlock()
	if cancel == nil {
		return nil
	}
	cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop watching endpoints: %w", ctx.Err())
	}
}

// EndpointStatus is how an endpoint does, for people.
type EndpointStatus struct {
	Name   string `json:"name"`
	Height int64  `json:"height"`
	Used   bool   `json:"used"`
	// Problem says why it cannot be relied on, empty if it can.
	Problem string `json:"problem,omitempty"`
}

// Endpoints returns how the endpoints do, in the order in which they are preferred.
func (n *Nodes) Endpoints() []EndpointStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	best := n.best(now)
	list := make([]EndpointStatus, len(n.endpoints))
	for i, e := range n.endpoints {
		list[i] = EndpointStatus{Name: e.Name, Height: e.status.Height, Used: i == n.current}
		if err := n.fault(e, best, now); err != nil {
			list[i].Problem = err.Error()
		}
	}
	return list
}

func (n *Nodes) watch(ctx context.Context) {
	ticker := time.NewTicker(n.cfg.ProbeInterval)
	defer ticker.Stop()
	for {
		n.Probe(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Probe asks every endpoint once where it is, for a Nodes that is not watched.
func (n *Nodes) Probe(ctx context.Context) {
	var probes sync.WaitGroup
	for _, e := range n.endpoints {
		probes.Go(func() { n.probe(ctx, e) })
	}
	probes.Wait()
}

// probe asks an endpoint where it is.
func (n *Nodes) probe(ctx context.Context, e *endpoint) {
	probing, cancel := context.WithTimeout(ctx, n.cfg.ProbeTimeout)
	defer cancel()
	status, err := n.ask(probing, e)
	if ctx.Err() == nil {
		n.note(e, status, err)
	}
}

// ask returns the status of an endpoint. A panic is an error like any other.
func (n *Nodes) ask(ctx context.Context, e *endpoint) (status Status, err error) {
	defer func() {
		if r := recover(); r != nil {
			n.log.Error("status of an endpoint panicked", "endpoint", e.Name, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("status panicked: %v", r)
		}
	}()
	return e.Endpoint.Status(ctx)
}

// note keeps what an endpoint has answered, and chooses again.
func (n *Nodes) note(e *endpoint, status Status, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	if err == nil {
		n.hear(e, status, now)
	} else {
		n.blame(e, err)
	}
	n.choose(now)
}

// hear keeps what an endpoint has said. The caller holds mu.
func (n *Nodes) hear(e *endpoint, status Status, now time.Time) {
	e.status, e.at, e.problem = status, now, n.faultOf(status)
	if n.chainID != "" && status.ChainID != n.chainID {
		return
	}
	// What it cannot have come to since it last spoke says nothing of where the chain is.
	if status.Height > e.top && (e.top == 0 || status.Height <= e.reach(now, n.cfg.MaxBehind)) {
		e.top, e.topAt, e.topTime = status.Height, now, status.Time
	}
}

// reach is the greatest height that the chain can have by what an endpoint has said.
func (e *endpoint) reach(now time.Time, behind int64) int64 {
	since := now.Sub(e.topAt)
	if !e.topTime.IsZero() {
		// It may be far behind: the age of its block counts.
		since = max(since, now.Sub(e.topTime))
	}
	return e.top + behind + int64(maxBlockRate*since.Seconds())
}

// vote counts the endpoints that were ever heard, also those that do not answer now, and those of them by whom the chain can
// have come to a height. The caller holds mu.
func (n *Nodes) vote(height int64, now time.Time) (heard, agree int) {
	for _, e := range n.endpoints {
		if e.top == 0 {
			continue
		}
		heard++
		if height <= e.reach(now, n.cfg.MaxBehind) {
			agree++
		}
	}
	return heard, agree
}

// ahead returns errAhead if an endpoint claims a height that most others deny, or one of two that is not in use. Somebody who
// could claim any height would take over from all others, which would be behind. The caller holds mu.
func (n *Nodes) ahead(e *endpoint, now time.Time) error {
	heard, agree := n.vote(e.status.Height, now)
	if heard < 2 || 2*agree > heard || 2*agree == heard && e == n.endpoints[n.current] {
		return nil
	}
	return fmt.Errorf("%w: %d", errAhead, e.status.Height)
}

// refuted reports whether most endpoints deny that the chain has come to a height that was believed before.
func (n *Nodes) refuted(height int64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	heard, agree := n.vote(height, time.Now())
	return heard > 1 && 2*agree < heard
}

// blame keeps why an endpoint failed. The caller holds mu.
func (n *Nodes) blame(e *endpoint, err error) {
	if e.problem == nil {
		n.log.Warn("endpoint of the chain failed", "endpoint", e.Name, "err", err)
	}
	e.problem = err
	n.metrics.failures.WithLabelValues(e.Name).Inc()
}

// faultOf returns why a status is not one to rely on, whatever the others say. The caller holds mu.
func (n *Nodes) faultOf(s Status) error {
	switch {
	case n.chainID != "" && s.ChainID != n.chainID:
		return fmt.Errorf("%w: %q, want %q", ErrWrongChain, s.ChainID, n.chainID)
	case s.CatchingUp:
		return fmt.Errorf("%w, at height %d", errCatchingUp, s.Height)
	case s.Height < 1:
		return errors.New("the chain has no block yet")
	}
	return nil
}

// fault returns why an endpoint cannot be relied on at present. The caller holds mu.
func (n *Nodes) fault(e *endpoint, best int64, now time.Time) error {
	switch {
	case e.problem != nil:
		return e.problem
	case len(n.endpoints) > 1 && now.Sub(e.at) > missedProbes*n.cfg.ProbeInterval+n.cfg.ProbeTimeout:
		return errors.New("it was not heard of for too long")
	case n.ahead(e, now) != nil:
		return n.ahead(e, now)
	case e.status.Height < best-n.cfg.MaxBehind:
		return fmt.Errorf("%w: at height %d, another one is at %d", errBehind, e.status.Height, best)
	}
	return nil
}

// best is the greatest height of an endpoint that can be believed. The caller holds mu.
func (n *Nodes) best(now time.Time) (height int64) {
	for _, e := range n.endpoints {
		if e.problem == nil && n.ahead(e, now) == nil {
			height = max(height, e.status.Height)
		}
	}
	return height
}

// choose decides which endpoint is used. The caller holds mu.
//  1. One that is preferred to the current one is taken if it has been good for Failback.
//  2. The current one stays while it is good.
//  3. Else the first good one that has come to all that was told takes over, or the highest of them; if there is none, the
//     current one stays, and its calls say what is wrong.
func (n *Nodes) choose(now time.Time) {
	best := n.best(now)
	if heard, agree := n.vote(n.told, now); heard > 1 && 2*agree < heard {
		n.log.Error("a height that was told is not one of the chain", "told", n.told, "height", best)
		n.told = best
	}
	good := make([]bool, len(n.endpoints))
	for i, e := range n.endpoints {
		if good[i] = n.fault(e, best, now) == nil; !good[i] {
			e.fitSince = time.Time{}
		} else if e.fitSince.IsZero() {
			e.fitSince = now
		}
	}
	if n.endpoints[n.current].problem == errUnheard { //nolint:errorlint // set here, never wrapped
		return // its answer is on its way
	}
	if good[n.current] {
		for i := range n.current {
			if e := n.endpoints[i]; good[i] && now.Sub(e.fitSince) >= n.cfg.Failback && e.status.Height >= n.told {
				n.use(i)
				return
			}
		}
		return
	}
	next := -1
	for i, e := range n.endpoints {
		switch {
		case !good[i]:
			continue
		case e.status.Height >= n.told:
			n.use(i)
			return
		case next < 0 || e.status.Height > n.endpoints[next].status.Height:
			next = i
		}
	}
	if next >= 0 {
		n.use(next)
	}
}

// use makes an endpoint the current one. The caller holds mu.
func (n *Nodes) use(i int) {
	if i == n.current {
		return
	}
	from, to := n.endpoints[n.current], n.endpoints[i]
	n.log.Warn("another endpoint of the chain is used", "from", from.Name, "to", to.Name, "height", to.status.Height, "err", from.problem)
	n.current = i
	n.metrics.failovers.Inc()
	close(n.switched)
	n.switched = make(chan struct{})
}

// pinned is the endpoint that is used, for questions whose answers have to fit together.
type pinned struct {
	Endpoint

	nodes *Nodes
	e     *endpoint
	index int
}

// Status implements Source, and keeps the answer.
func (p *pinned) Status(ctx context.Context) (Status, error) {
	status, err := p.Endpoint.Status(ctx)
	if err == nil {
		p.nodes.mu.Lock()
		defer p.nodes.mu.Unlock()
		p.nodes.hear(p.e, status, time.Now())
		err = p.nodes.ahead(p.e, time.Now())
	}
	return status, err
}

// pin returns the endpoint that is used.
func (n *Nodes) pin() *pinned {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.endpoints[n.current]
	return &pinned{Endpoint: e.Endpoint, nodes: n, e: e, index: n.current}
}

// conclude takes the outcome of the questions. It returns true if another endpoint is used now, so that asking again makes
// sense.
func (p *pinned) conclude(height int64, err error) bool {
	n := p.nodes
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err == nil:
		n.told = max(n.told, height)
		if n.chainID == "" {
			n.chainID = p.e.status.ChainID
		}
	case p.e.problem == nil && !answered(err) && !errors.Is(err, errBehind) && !errors.Is(err, errAhead) && !errors.Is(err, errAwaited) && !errors.Is(err, context.Canceled):
		n.blame(p.e, err)
	}
	n.choose(time.Now())
	return n.current != p.index
}

// try calls an endpoint, and if that is not reached the next good one, until one answers, as far as the time allows. more
// says which answers are worth asking another one.
func try[T any](ctx context.Context, n *Nodes, more func(error) bool, call func(context.Context, Endpoint) (T, error)) (T, error) {
	var none T
	var first error
	order := n.order()
	for i, e := range order {
		attempt, cancel := share(ctx, len(order)-i)
		if i > 0 || n.lags(e) {
			// Whoever stands in must know at least as much as was told.
			if err := n.verify(attempt, e); err != nil {
				cancel()
				if first == nil {
					first = err
				}
				continue
			}
		}
		value, err := call(attempt, e.Endpoint)
		cancel()
		if err == nil {
			return value, nil
		}
		if first == nil {
			first = err
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return none, err
		}
		if !answered(err) {
			n.failed(e, err)
		} else if !more(err) {
			return none, err
		}
	}
	return none, first
}

// unreached asks another endpoint only if one was not reached.
func unreached(error) bool { return false }

// share gives an attempt its part of the time that is left, so that one that hangs leaves some for the others.
func share(ctx context.Context, attempts int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || attempts < 2 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(attempts))
}

// order returns the endpoints in the order in which they are asked: the current one, then those that were good when they
// were last heard of.
func (n *Nodes) order() []*endpoint {
	n.mu.Lock()
	defer n.mu.Unlock()
	order := []*endpoint{n.endpoints[n.current]}
	now := time.Now()
	best := n.best(now)
	for i, e := range n.endpoints {
		if i != n.current && n.fault(e, best, now) == nil {
			order = append(order, e)
		}
	}
	return order
}

// verify asks an endpoint where it is, and returns an error unless it has come to all that was told.
func (n *Nodes) verify(ctx context.Context, e *endpoint) error {
	status, err := n.ask(ctx, e)
	if err != nil {
		n.failed(e, err)
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hear(e, status, time.Now())
	ahead := n.ahead(e, time.Now())
	switch {
	case e.problem != nil:
		return e.problem
	case ahead != nil:
		return ahead
	case status.Height < n.told:
		return fmt.Errorf("%w: at height %d, told was %d", errBehind, status.Height, n.told)
	}
	return nil
}

// lags reports whether an endpoint was last seen below what was told.
func (n *Nodes) lags(e *endpoint) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.endpoints) > 1 && e.status.Height < n.told
}

// failed notes that an endpoint was not reached.
func (n *Nodes) failed(e *endpoint, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.blame(e, err)
	n.choose(time.Now())
}

// Broadcast hands a transaction to a node's mempool. It returns nil if one took it, a *Refusal if no endpoint that was asked
// can have it, and any other error if nobody knows. A full mempool has the next endpoint asked. A transaction that the first
// one has already is offered to the others too: it may be cut off from them.
func (n *Nodes) Broadcast(ctx context.Context, tx []byte) error {
	var refused, unknown error
	order := n.order()
	for i, e := range order {
		attempt, cancel := share(ctx, len(order)-i)
		if i > 0 {
			if err := n.verify(attempt, e); err != nil {
				cancel()
				continue
			}
		}
		err := e.Endpoint.Broadcast(attempt, tx)
		cancel()
		switch {
		case err == nil:
			return nil
		case errors.Is(err, sdkerrors.ErrTxInMempoolCache):
			n.spread(ctx, tx, order[i+1:])
			return err
		case errors.Is(ctx.Err(), context.Canceled):
			return err
		case !answered(err) || rejected(err):
			if !rejected(err) {
				n.failed(e, err)
			}
			if unknown == nil {
				unknown = err
			}
		case refused == nil:
			refused = err
		}
		if refused != nil && !errors.Is(refused, sdkerrors.ErrMempoolIsFull) {
			break
		}
	}
	if unknown != nil {
		// One that did not answer may have it, whatever the others say: a refusal can mean that it is in a block by now.
		if refused != nil {
			return fmt.Errorf("%w; another endpoint: %s", unknown, refused.Error())
		}
		return unknown
	}
	return refused
}

// BroadcastAll is Broadcast for a transaction that was sent before and is in no block: whoever took it may have passed it on to
// nobody, so that every good endpoint is offered it, whatever the first one says.
func (n *Nodes) BroadcastAll(ctx context.Context, tx []byte) error {
	order := n.order()
	if len(order) == 1 {
		return n.Broadcast(ctx, tx)
	}
	first, cancel := share(ctx, 2)
	err := n.Broadcast(first, tx)
	cancel()
	n.spread(ctx, tx, order[1:])
	return err
}

// spread offers a transaction to further endpoints. What they say of it changes nothing.
func (n *Nodes) spread(ctx context.Context, tx []byte, further []*endpoint) {
	for i, e := range further {
		attempt, cancel := share(ctx, len(further)-i)
		err := e.Endpoint.Broadcast(attempt, tx)
		cancel()
		if !answered(err) {
			n.failed(e, err)
		}
	}
}

// Blocks subscribes to new blocks of the endpoint that is used. It returns when another one is.
func (n *Nodes) Blocks(ctx context.Context, seen func()) error {
	n.mu.Lock()
	e, switched := n.endpoints[n.current], n.switched
	n.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	wait.Go(func() {
		select {
		case <-switched:
			cancel()
		case <-ctx.Done():
		}
	})
	return e.Endpoint.Blocks(ctx, seen)
}
