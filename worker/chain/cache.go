package chain

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// slots bound the queries on behalf of clients: so many run, so many wait for a short time, the rest is refused. The queue
// keeps a flood of made-up ids from turning every honest client away at once.
type slots struct {
	running chan struct{}
	waiting chan struct{}
	wait    time.Duration
	refused prometheus.Counter
}

func newSlots(cfg Config, refused prometheus.Counter) *slots {
	return &slots{
		running: make(chan struct{}, cfg.MaxQueries), waiting: make(chan struct{}, cfg.MaxQueued), wait: cfg.QueueTimeout, refused: refused,
	}
}

// acquire takes a slot that release gives back. It returns ErrBusy if the queue is full or takes too long, and the
// context's error when that ends.
func (s *slots) acquire(ctx context.Context) error {
	select {
	case s.running <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		s.refused.Inc()
		return ErrBusy
	}
	timer := time.NewTimer(s.wait)
	defer timer.Stop()
	select {
	case s.running <- struct{}{}:
		return nil
	case <-timer.C:
		s.refused.Inc()
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slots) release() { <-s.running }

// cache remembers answers by id for a while, also that there is none, so that neither traffic nor made-up ids reach the
// node more often than needed. It holds at most Config.CacheSize answers.
type cache[T any] struct {
	answers *lru.Cache[uint64, answer[T]]
	fetch   func(context.Context, uint64) (T, error)
	unknown error
	slots   *slots
	ttl     time.Duration
	timeout time.Duration

	mu      sync.Mutex
	flights map[uint64]*flight[T]
}

type answer[T any] struct {
	value T
	// err is nil or the cache's unknown error.
	err error
	at  time.Time
}

// flight is one query that all who ask for its id meanwhile wait for.
type flight[T any] struct {
	// done is closed when value and err are there.
	done  chan struct{}
	value T
	err   error
	// waiters are those who still want the answer. The last one to leave cancels the query.
	waiters int
	cancel  context.CancelFunc
}

func newCache[T any](cfg Config, s *slots, fetch func(context.Context, uint64) (T, error), unknown error) (*cache[T], error) {
	answers, err := lru.New[uint64, answer[T]](cfg.CacheSize)
	if err != nil {
		return nil, err
	}
	return &cache[T]{
		answers: answers, fetch: fetch, unknown: unknown, slots: s, ttl: cfg.CacheTTL, timeout: cfg.QueryTimeout,
		flights: map[uint64]*flight[T]{},
	}, nil
}

// get returns the value of an id. Callers that ask for one id at a time share one query; a caller whose context ends does
// not take the query from the others.
func (c *cache[T]) get(ctx context.Context, id uint64) (T, error) {
	var none T
	if a, ok := c.answers.Get(id); ok && time.Since(a.at) < c.ttl {
		return a.value, a.err
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	f := c.join(ctx, id)
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		c.leave(id, f)
		return none, ctx.Err()
	}
}

// join returns the query of an id that is under way, or starts one. Each holds a waiter, so that there are never more than
// callers.
func (c *cache[T]) join(ctx context.Context, id uint64) *flight[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.flights[id]; ok {
		f.waiters++
		return f
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) //nolint:gosec // leave calls it for the last waiter
	f := &flight[T]{done: make(chan struct{}), waiters: 1, cancel: cancel}
	c.flights[id] = f
	go c.run(ctx, id, f)
	return f
}

// leave gives a query up. One that nobody waits for any more gives its place back.
func (c *cache[T]) leave(id uint64, f *flight[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.waiters--
	if f.waiters > 0 {
		return
	}
	f.cancel()
	if c.flights[id] == f {
		delete(c.flights, id)
	}
}

// run asks and remembers the answer, unless the id was forgotten meanwhile.
func (c *cache[T]) run(ctx context.Context, id uint64, f *flight[T]) {
	defer f.cancel()
	// The answer is as old as the question.
	at := time.Now()
	f.value, f.err = c.query(ctx, id, &at)
	c.mu.Lock()
	if c.flights[id] == f {
		delete(c.flights, id)
		if f.err == nil || errors.Is(f.err, c.unknown) {
			c.answers.Add(id, answer[T]{value: f.value, err: f.err, at: at})
		}
	}
	c.mu.Unlock()
	close(f.done)
}

func (c *cache[T]) query(ctx context.Context, id uint64, at *time.Time) (value T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("chain query panicked: %v", r)
		}
	}()
	if err := c.slots.acquire(ctx); err != nil {
		return value, err
	}
	defer c.slots.release()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	*at = time.Now()
	return c.fetch(ctx, id)
}

// forget drops the answer of an id, and keeps that of a query under way from being remembered.
func (c *cache[T]) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.flights, id)
	c.answers.Remove(id)
}
