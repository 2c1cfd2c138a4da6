package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/edgechain/edge/client/content"
)

const (
	// upkeepEvery is the time between two rounds of upkeep.
	upkeepEvery = 15 * time.Second
	// maxStale is how many objects with a last use to be written down are remembered; the rest is written at Close.
	maxStale = 1 << 16
)

// Start begins the work in the background: it verifies the stored objects, one after the other and round after round, at up
// to Config.ScrubBytesPerSecond, moves damaged ones to quarantine, and looks after the index, holds that are over and a disk
// that failed. Stop ends it.
func (s *Store) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.stopUpkeep != nil {
		return errors.New("content store: started already")
	}
	ctx, s.stopUpkeep = context.WithCancel(context.WithoutCancel(ctx))
	s.upkeepDone = make(chan struct{})
	var tasks sync.WaitGroup
	tasks.Go(func() { s.upkeep(ctx) })
	if s.cfg.ScrubBytesPerSecond > 0 {
		tasks.Go(func() { s.scrub(ctx) })
	}
	go func() {
		defer close(s.upkeepDone)
		tasks.Wait()
	}()
	return nil
}

// Stop ends what Start began and waits for it until the context ends.
func (s *Store) Stop(ctx context.Context) error {
	s.mu.Lock()
	stop, done := s.stopUpkeep, s.upkeepDone
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

func (s *Store) upkeep(ctx context.Context) {
	for {
		s.look(ctx)
		if rest(ctx, upkeepEvery) != nil {
			return
		}
	}
}

// look is a round of upkeep. Whatever fails is tried again in the next one.
func (s *Store) look(ctx context.Context) {
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		if err := s.probe(); err == nil {
			s.recovered()
		}
	}
	s.compact()
	if s.cfg.Epoch != nil {
		if epoch, ok := s.epoch(ctx); ok {
			if err := s.Expire(epoch); err != nil {
				s.log.Warn("uploads that are over are not released", "err", err)
			}
		}
	}
	if err := s.saveUses(saveUse); err != nil {
		s.log.Warn("when content was last used is not written down", "err", err)
	}
}

// epoch asks for the epoch that holds are compared with.
func (s *Store) epoch(ctx context.Context) (uint64, bool) {
	ctx, cancel := context.WithTimeout(ctx, upkeepEvery)
	defer cancel()
	return s.cfg.Epoch(ctx)
}

// compact writes the index anew if it lacks something or is much longer than it needs to be.
func (s *Store) compact() {
	length, broken := s.index.state()
	s.mu.Lock()
	need := uint64(len(s.records)) * (frameSize + putSize)
	s.mu.Unlock()
	if broken != nil || length > 2*need+indexSlack {
		s.rewriteIndex()
	}
}

// rewriteIndex writes the index anew. If that fails the store goes on without: nothing can be pinned or kept then.
func (s *Store) rewriteIndex() {
	err := s.index.rewrite(func(put func(content.Name, *record)) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for name, r := range s.records {
			r.saved, r.again = r.used, s.usedAgain(name, r)
			put(name, r)
		}
		clear(s.stale)
	})
	if s.failed(err) != nil {
		s.log.Warn("the index of the content cannot be written", "err", err)
	}
}

// saveUses writes down when objects were last used: those that are noted as stale, or with 0 all whose time on disk is
// behind.
func (s *Store) saveUses(behind time.Duration) error {
	s.mu.Lock()
	var names []content.Name
	if behind == 0 {
		for name, r := range s.records {
			if r.used != r.saved {
				names = append(names, name)
			}
		}
	} else {
		for name := range s.stale {
			names = append(names, name)
		}
		clear(s.stale)
	}
	s.mu.Unlock()
	for _, name := range names {
		if err := s.saveUse(name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) saveUse(name content.Name) error {
	commit := s.commitOf(name)
	commit.Lock()
	defer commit.Unlock()
	s.mu.Lock()
	r := s.records[name]
	if r == nil {
		s.mu.Unlock()
		return nil
	}
	r.saved, r.again = r.used, s.usedAgain(name, r)
	entry := appendPut(nil, name, r)
	s.mu.Unlock()
	return s.index.append(entry, false)
}
