package session_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/session"
)

// faultyPool panics while it is told to.
type faultyPool struct {
	session.Pool
	faulty atomic.Bool
}

func (p *faultyPool) fail() {
	if p.faulty.Load() {
		panic("the pool is at fault")
	}
}

func (p *faultyPool) Put(ctx context.Context, items []ackpool.Item) error {
	p.fail()
	return p.Pool.Put(ctx, items)
}

func (p *faultyPool) Sync(ctx context.Context) error {
	p.fail()
	return p.Pool.Sync(ctx)
}

func (p *faultyPool) SetExposure(ctx context.Context, account, epoch, bytes uint64) error {
	if bytes > p.Exposure(account, epoch) {
		p.fail()
	}
	return p.Pool.SetExposure(ctx, account, epoch, bytes)
}

func (p *faultyPool) Exposure(account, epoch uint64) uint64 {
	for _, e := range p.Exposures() {
		if e.AccountID == account && e.Epoch == epoch {
			return e.Bytes
		}
	}
	return 0
}

// TestPanicsBesideRequests: neither the queue nor a watermark takes the process down or holds anybody up for good.
func TestPanicsBesideRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		defer w.stop()
		require.NoError(t, w.m.Stop(t.Context()))
		pool := &faultyPool{Pool: w.pool}
		var err error
		w.m, err = session.New(w.cfg, session.Deps{Chain: w.chain, Pool: pool, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		s, c, m := w.open(11, 0), newClient(11, 0, 5), meta(1, 16<<10)
		next := func() {
			t.Helper()
			w.fetch(s, m)
			c.finish(m)
		}
		next()
		require.Equal(t, []session.AckStatus{session.AckStored}, take(t, s, c.signed()))
		stored := c.signed()
		next()
		pool.faulty.Store(true)
		require.Equal(t, []session.AckStatus{session.AckTaken}, take(t, s, c.signed()))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, stored, w.held(c.LaneID()))
		// Past the watermark: those that wait for the same one are told as well.
		for range 2 {
			r, err := s.Begin(t.Context(), meta(2, 8*mib))
			require.NoError(t, err)
			require.Error(t, r.Reserve(t.Context(), 8*mib))
			r.Abort()
		}
		pool.faulty.Store(false)
		require.Equal(t, []session.AckStatus{session.AckStored}, take(t, s, c.signed()), "looked at before its request from then on")
		next()
		require.Equal(t, []session.AckStatus{session.AckTaken}, take(t, s, c.signed()))
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, c.signed(), w.held(c.LaneID()))
	})
}
