package chain

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

// cache remembers answers by id for a while, also that there is none, so that neither traffic nor made-up ids reach the
// node more often than needed. It holds at most Config.CacheSize answers, and queries beyond Config.MaxQueries at a time
// get ErrBusy.
type cache[T any] struct {
	answers *lru.Cache[uint64, answer[T]]
	flight  singleflight.Group
	fetch   func(context.Context, uint64) (T, error)
	unknown error
	queries chan struct{}
	ttl     time.Duration
	timeout time.Duration
}

type answer[T any] struct {
	value T
	// err is nil or the cache's unknown error.
	err error
	at  time.Time
}

func newCache[T any](cfg Config, queries chan struct{}, fetch func(context.Context, uint64) (T, error), unknown error) (*cache[T], error) {
	answers, err := lru.New[uint64, answer[T]](cfg.CacheSize)
	if err != nil {
		return nil, err
	}
	return &cache[T]{
		answers: answers, fetch: fetch, unknown: unknown, queries: queries, ttl: cfg.CacheTTL, timeout: cfg.QueryTimeout,
	}, nil
}

// get returns the value of an id. Callers that ask for one id at a time share one query; a caller whose context ends does
// not take the query from the others.
func (c *cache[T]) get(ctx context.Context, id uint64) (T, error) {
	var none T
	if a, ok := c.answers.Get(id); ok && time.Since(a.at) < c.ttl {
		return a.value, a.err
	}
	result := c.flight.DoChan(strconv.FormatUint(id, 10), func() (out any, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("chain query panicked: %v", r)
			}
		}()
		select {
		case c.queries <- struct{}{}:
			defer func() { <-c.queries }()
		default:
			return none, ErrBusy
		}
		queryCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
		defer cancel()
		// The answer is as old as the question.
		at := time.Now()
		value, err := c.fetch(queryCtx, id)
		if err == nil || errors.Is(err, c.unknown) {
			c.answers.Add(id, answer[T]{value: value, err: err, at: at})
		}
		return value, err
	})
	select {
	case r := <-result:
		value, _ := r.Val.(T)
		return value, r.Err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

func (c *cache[T]) forget(id uint64) {
	c.answers.Remove(id)
	c.flight.Forget(strconv.FormatUint(id, 10))
}
