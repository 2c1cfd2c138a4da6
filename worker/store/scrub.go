package store

import (
	"context"
	"errors"
	"time"

	"github.com/edgechain/edge/client/content"
)

const (
	// scrubPage is how many objects are listed at a time.
	scrubPage = 256
	// scrubRest is the time between two rounds, so that a small store is not read all the time.
	scrubRest = time.Hour
)

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
	o, err := s.openFile(name)
	if errors.Is(err, ErrCorrupt) {
		s.mu.Lock()
		s.scrubDamaged++
		s.mu.Unlock()
		return nil // set aside
	}
	if errors.Is(err, ErrNotFound) {
		return nil // deleted since
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
