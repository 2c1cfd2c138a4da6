package e2e_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/testutil/devnet"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// requireDebit waits until the worker has settled all, and expects the client's account to have paid exactly an amount
// since it had a balance.
func requireDebit(ctx context.Context, t *testing.T, n *devnet.Network, c *devnet.Client, before, want math.Int) {
	t.Helper()
	_, err := n.WaitDrained(ctx)
	require.NoError(t, err)
	after, err := c.Balance(ctx)
	require.NoError(t, err)
	require.Equal(t, want.String(), before.Sub(after).String(), "debit")
}

// lanesOf returns what the chain has paid on the lanes of a key in an epoch.
func lanesOf(ctx context.Context, t *testing.T, n *devnet.Network, epoch, key uint64) []dacktypes.Lane {
	t.Helper()
	res, err := dacktypes.NewQueryClient(n.Chain.At(0)).Lanes(ctx, &dacktypes.QueryLanesRequest{Epoch: epoch, WorkerId: n.WorkerID, KeyId: key})
	require.NoError(t, err)
	return res.Lanes
}
