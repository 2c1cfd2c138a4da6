package gateway

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns[int](2)
		first, err := turns.take(t.Context(), 1)
		require.NoError(t, err)
		second, err := turns.take(t.Context(), 1)
		require.NoError(t, err)
		other, err := turns.take(t.Context(), 2)
		require.NoError(t, err, "who is somebody else does not wait")
		late := errors.New("late")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, late)
		defer cancel()
		_, err = turns.take(ctx, 1)
		require.ErrorIs(t, err, late)
		got := make(chan func(), 1)
		go func() {
			done, _ := turns.take(t.Context(), 1)
			got <- done
		}()
		synctest.Wait()
		require.Empty(t, got)
		first()
		third := <-got
		for _, done := range []func(){second, third, other} {
			done()
		}
		require.Empty(t, turns.of, "nothing is remembered of who waits no more")
	})
}

func TestQuotaSpends(t *testing.T) {
	cfg := DefaultConfig()
	cfg.FreeQuotaBytes, cfg.FreeQuotaTotalBytes = 100, 250
	q, err := newQuota(cfg)
	require.NoError(t, err)
	now := time.Unix(1, 0)
	at := func(n byte) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 32) }
	q.spend(at(1), 40, now)
	_, ok := q.take(at(1), 60, now)
	require.True(t, ok)
	q.spend(at(1), 1<<63, now)
	q.spend(at(1), 1<<63, now)
	wait, ok := q.take(at(1), 1, now)
	require.False(t, ok)
	require.Equal(t, cfg.FreeQuotaWindow, wait)
	_, ok = q.take(at(2), 1, now)
	require.False(t, ok, "more than all have together was spent")
	_, ok = q.take(at(2), 100, now.Add(cfg.FreeQuotaWindow))
	require.True(t, ok)
}
