package ackpool_test

import (
	"context"
	"math/big"
	"testing"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/ackpool"
)

// TestForfeitIsRemembered: watermarks that die, and what account or key could not pay, are kept in mind through restarts; what
// only nobody settled is not.
func TestForfeitIsRemembered(t *testing.T) {
	fs := vfs.NewMem()
	p := open(t, fs, ackpool.Options{})
	ctx := context.Background()
	forfeit := func(account uint64) ackpool.Forfeit {
		c, err := p.Claim(account)
		require.NoError(t, err)
		return c.Forfeit
	}
	require.NoError(t, p.SetExposure(ctx, 1, 5, 700))
	require.NoError(t, p.SetExposure(ctx, 1, 6, 40))
	require.NoError(t, p.SetExposure(ctx, 3, 5, 9))
	put(t, p, item(5, 20, 0, 100))
	submit(t, p, "a", 5)
	require.NoError(t, p.Resolve([]byte("a"), 3, []ackpool.Result{partial(30)}))
	put(t, p, item(5, 20, 0, 110), item(5, 30, 0, 50))
	require.NoError(t, p.Expire(5))
	require.Zero(t, forfeit(1))
	before := p.Version()
	require.NoError(t, p.Expire(6))
	require.NotEqual(t, before, p.Version(), "what was computed from claims is old")
	for range 2 {
		require.Equal(t, ackpool.Forfeit{Bytes: 700, Since: 5}, forfeit(1))
		require.Equal(t, ackpool.Forfeit{Value: big.NewInt(80), Since: 5}, forfeit(2), "could not be paid")
		require.Equal(t, ackpool.Forfeit{Bytes: 9, Since: 5}, forfeit(3), "what nobody settled is not the account's fault")
		check(t, p)
		require.NoError(t, p.Close())
		p = open(t, fs, ackpool.Options{})
	}
	require.NoError(t, p.SetExposure(ctx, 2, 6, 8))
	require.NoError(t, p.Expire(7))
	require.Equal(t, ackpool.Forfeit{Bytes: 740, Since: 5}, forfeit(1))
	require.Equal(t, ackpool.Forfeit{Bytes: 8, Value: big.NewInt(80), Since: 5}, forfeit(2))
	a, err := p.Account(2)
	require.NoError(t, err)
	require.Equal(t, int64(30), a.Settled.Value.Int64(), "the sums are beside it")
	require.Empty(t, p.Ledger().Accounts)
}

// TestForfeitOfPaidAfterAll: a rest that was paid in the end is forgotten.
func TestForfeitOfPaidAfterAll(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	put(t, p, item(5, 20, 0, 100))
	submit(t, p, "a", 5)
	require.NoError(t, p.Resolve([]byte("a"), 3, []ackpool.Result{partial(30)}))
	submit(t, p, "b", 5)
	require.NoError(t, p.Resolve([]byte("b"), 4, []ackpool.Result{paid(100)}))
	put(t, p, item(5, 20, 0, 105))
	require.NoError(t, p.Expire(6))
	c, err := p.Claim(2)
	require.NoError(t, err)
	require.Zero(t, c.Forfeit)
}

// TestForfeitsInChunks: many watermarks die at once.
func TestForfeitsInChunks(t *testing.T) {
	p := open(t, vfs.NewMem(), ackpool.Options{})
	for account := uint64(1); account <= 1200; account++ {
		require.NoError(t, p.SetExposure(t.Context(), account, 5, account))
	}
	require.NoError(t, p.Expire(6))
	require.Empty(t, p.Exposures())
	for _, account := range []uint64{1, 600, 1200} {
		c, err := p.Claim(account)
		require.NoError(t, err)
		require.Equal(t, ackpool.Forfeit{Bytes: account, Since: 5}, c.Forfeit)
	}
}
