package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/edgechain/edge/client/content"
)

const (
	// scrubPage is how many objects are listed at a time.
	scrubPage = 256
	// scrubRest is the time between two rounds, so that a small store is not read all the time.
	scrubRest = time.Hour
)

// Start verifies the stored objects in the background, one after the other and round after round, at up to
// Config.ScrubBytesPerSecond. Damaged ones are moved to quarantine. It does nothing if that is 0. Stop ends it.
func (s *Store) Start(ctx context.Context) error {
	if s.cfg.ScrubBytesPerSecond == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.stopScrub != nil {
		return errors.New("content store: started already")
	}
	ctx, s.stopScrub = context.WithCancel(context.WithoutCancel(ctx))
	s.scrubbed = make(chan struct{})
	go func() {
		defer close(s.scrubbed)
		s.scrub(ctx)
	}()
	return nil
}

// Stop ends what Start began and waits for it until the context ends.
func (s *Store) Stop(ctx context.Context) error {
	s.mu.Lock()
	stop, done := s.stopScrub, s.scrubbed
	s.mu.Unlock()
	if stop == nil {
		return nil
	}
	stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("content store: stop: %w", ctx.Err())
	}
}

// scrub goes round until the context ends.
func (s *Store) scrub(ctx context.Context) {
	pace := func(ctx context.Context, n int) error {
		s.mu.Lock()
		s.scrubBytes += uint64(n)
		s.mu.Unlock()
		return rest(ctx, time.Duration(float64(n)/float64(s.cfg.ScrubBytesPerSecond)*float64(time.Second)))
	}
	for {
		var after content.Name
		for {
			page, err := s.List(after, scrubPage)
			if err != nil {
				s.log.Error("cannot list content to verify it", "err", err)
				break
			}
			if len(page) == 0 {
				break
			}
			for _, info := range page {
				if err := s.scrubOne(ctx, info.Name, pace); err != nil && ctx.Err() == nil {
					s.log.Error("verify content", "name", info.Name.String(), "err", err)
				}
				if ctx.Err() != nil {
					return
				}
			}
			after = page[len(page)-1].Name
		}
		s.mu.Lock()
		s.scrubRounds++
		s.mu.Unlock()
		if rest(ctx, scrubRest) != nil {
			return
		}
	}
}

// rest waits, or returns why the context has ended.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) scrubOne(ctx context.Context, name content.Name, pace func(context.Context, int) error) error {
	o, err := s.Open(name)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrCorrupt) {
		return nil // deleted or set aside since
	}
	if err != nil {
		return err
	}
	err = o.Damaged(o.verify(ctx, pace))
	if errors.Is(err, ErrCorrupt) {
		s.mu.Lock()
		s.scrubDamaged++
		s.mu.Unlock()
	}
	return errors.Join(err, o.Close())
}
