package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/testutil/devnet"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// TestExportGoesOn exports a chain in the middle of a hand-over and starts a new one from the document. Its validators must be
// those of the old one, and the hand-over and the elections after it must go on as if nothing had happened.
func TestExportGoesOn(t *testing.T) {
	t.Parallel()
	const step = 12
	ctx := bounded(t, 8*time.Minute)
	n := startNetwork(ctx, t, devnet.Config{
		ChainID: "edge-exported-1", PortOffset: offsetExported, Validators: 3, Stakes: []string{"100000", "200000", "400000"},
		Seats: 7, StepBlocks: step, EpochDuration: time.Second, BlockTime: 200 * time.Millisecond, Reports: true,
		Genesis: map[string]any{"app_state.slashing.params.signed_blocks_window": "500"},
		Prepare: hurry,
	})
	f := newFollower(n)
	require.NoError(t, n.WaitEpoch(ctx, 3))
	f.follow(ctx, t)
	require.NoError(t, all(n, func(v *devnet.Node) error { return v.Stop(ctx) }))

	document := filepath.Join(t.TempDir(), "exported.json")
	out, err := n.Nodes[0].Edged(ctx, "export", "--output-document", document)
	require.NoError(t, err, out)
	raw, err := os.ReadFile(document)
	require.NoError(t, err)
	var exported struct {
		InitialHeight int64 `json:"initial_height"`
		Consensus     struct {
			Validators []struct {
				Address string
				Power   string
			}
		}
	}
	require.NoError(t, json.Unmarshal(raw, &exported))
	last := exported.InitialHeight - 1
	epoch, steps := f.handOver(last)
	require.Equal(t, uint64(3), epoch)
	require.Contains(t, []int{1, 2, 3}, steps, "the chain was stopped too late: no hand-over is under way at height %d", last)
	powers := make(map[string]int64)
	for _, v := range exported.Consensus.Validators {
		power, err := strconv.ParseInt(v.Power, 10, 64)
		require.NoError(t, err)
		powers[f.operatorOf[v.Address]] = power
	}
	require.Equal(t, f.names(t, f.wanted(last)), f.names(t, powers), "validators of the document")

	require.NoError(t, all(n, func(v *devnet.Node) error {
		if _, err := v.Edged(ctx, "comet", "unsafe-reset-all"); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(v.Home, "config", "genesis.json"), raw, 0o600)
	}))
	require.NoError(t, all(n, func(v *devnet.Node) error { return v.Start(ctx) }))
	f.base, f.next = last, last+1
	waitFor(ctx, t, n.Nodes[0], last+1)
	require.Equal(t, f.names(t, powers), f.names(t, f.validators(ctx, t, n.Nodes[0], last+1)), "validators of the new chain")
	require.NoError(t, n.WaitEpoch(ctx, 5))
	newest := f.follow(ctx, t)
	for _, v := range n.Nodes {
		waitFor(ctx, t, v, newest)
	}
	f.sameHashes(ctx, t, last+1, newest, n.Nodes...)
	for _, e := range []uint64{4, 5} {
		require.Equal(t, epochtypes.FALLBACK_NONE, f.fallback(ctx, t, e))
		require.Positive(t, f.elections[e].reveals)
	}
}

// fallback of an election.
func (f *follower) fallback(ctx context.Context, t *testing.T, epoch uint64) epochtypes.Fallback {
	t.Helper()
	res, err := f.query().Election(ctx, &epochtypes.QueryElectionRequest{Epoch: epoch})
	require.NoError(t, err)
	return res.Election.Fallback
}

// all does something with all validators at a time.
func all(n *devnet.Network, do func(v *devnet.Node) error) error {
	errs := make([]error, len(n.Nodes))
	var doing sync.WaitGroup
	for i, v := range n.Nodes {
		doing.Go(func() { errs[i] = do(v) })
	}
	doing.Wait()
	return errors.Join(errs...)
}
