package onchain_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	sdkmath "cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/chain"
	"github.com/edgechain/edge/client/receipt"
	"github.com/edgechain/edge/client/receipt/onchain"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

const chainID = "edge-test-1"

// fakeChain answers out of memory. What is not there is not found.
type fakeChain struct {
	status    chain.Status
	epoch     chain.Epoch
	records   map[uint64]epochtypes.Epoch
	key       *chain.Key
	worker    *nodetypes.Worker
	lanes     []dacktypes.Lane
	noPrices  bool
	summaries map[uint64]rewardstypes.EpochSummary
	err       error
}

func (c *fakeChain) Status(context.Context) (chain.Status, error) { return c.status, c.err }
func (c *fakeChain) Epoch(context.Context) (chain.Epoch, error)   { return c.epoch, nil }

func (c *fakeChain) EpochRecord(_ context.Context, n uint64) (epochtypes.Epoch, error) {
	if r, ok := c.records[n]; ok {
		return r, nil
	}
	return epochtypes.Epoch{}, chain.ErrNotFound
}

func (c *fakeChain) Key(context.Context, uint64) (chain.Key, sdkmath.Int, error) {
	if c.key == nil {
		return chain.Key{}, sdkmath.Int{}, chain.ErrNotFound
	}
	return *c.key, sdkmath.ZeroInt(), nil
}

func (c *fakeChain) Worker(context.Context, uint64) (nodetypes.Worker, error) {
	if c.worker == nil {
		return nodetypes.Worker{}, chain.ErrNotFound
	}
	return *c.worker, nil
}

func (c *fakeChain) Lanes(_ context.Context, epoch, worker, key uint64) ([]dacktypes.Lane, error) {
	if epoch != 12 || worker != 3 || key != 7 || c.lanes == nil {
		return nil, chain.ErrNotFound
	}
	return c.lanes, nil
}

func (c *fakeChain) Prices(context.Context, uint64) (ack.Prices, error) {
	if c.noPrices {
		return ack.Prices{}, chain.ErrNotFound
	}
	return ack.Prices{PerGiB: big.NewInt(1 << 30), PerGFuel: new(big.Int)}, nil
}

func (c *fakeChain) Params(context.Context) (dacktypes.Params, error) {
	return dacktypes.DefaultParams(), nil
}

func (c *fakeChain) EpochSummary(_ context.Context, epoch uint64) (rewardstypes.EpochSummary, error) {
	if s, ok := c.summaries[epoch]; ok {
		return s, nil
	}
	return rewardstypes.EpochSummary{}, chain.ErrNotFound
}

// newCase returns a file with a receipt of 100 bytes and a chain that has settled exactly it.
func newCase() (*receipt.File, *fakeChain) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	public := key.Public().(ed25519.PublicKey)
	signed := ack.Sign(key, ack.HashChainID(chainID), &ack.Ack{Epoch: 12, KeyID: 7, WorkerID: 3, Lane: 2, Requests: 2, Bytes: 100, Head: [32]byte{9}})
	f := receipt.New(chainID, []receipt.Receipt{{
		AccountID: 4, PublicKey: receipt.Digest(public), Acknowledgement: receipt.NewAcknowledgement(&signed),
	}})
	head := [32]byte{9}
	return f, &fakeChain{
		status:  chain.Status{ChainID: chainID, Height: 99},
		epoch:   chain.Epoch{Number: 12, OldestLive: 11},
		records: map[uint64]epochtypes.Epoch{12: {Number: 12, Phase: epochtypes.PHASE_OPEN}},
		key:     &chain.Key{ID: 7, AccountID: 4, PublicKey: public, LastEpoch: 20},
		worker:  &nodetypes.Worker{Id: 3, Operator: "edgevaloper1x"},
		lanes: []dacktypes.Lane{
			{Lane: 1, Requests: 1, Bytes: 5, Head: head[:], Paid: sdkmath.NewInt(5)},
			{Lane: 2, Requests: 2, Bytes: 100, Head: head[:], Paid: sdkmath.NewInt(100)},
			{ServiceId: 1, Lane: 2, Requests: 8, Bytes: 8, Head: head[:], Paid: sdkmath.NewInt(8)},
		},
	}
}

func TestLook(t *testing.T) {
	f, c := newCase()
	found, err := onchain.Look(t.Context(), c, f, 0)
	require.NoError(t, err)
	require.NoError(t, found.Checks.Err())
	require.Len(t, found.Checks, 4)
	require.Equal(t, &onchain.Found{
		Height: 99, Checks: found.Checks, Operator: "edgevaloper1x", CurrentEpoch: 12, Phase: "open", Live: true,
		Settled: onchain.SettledAt, Lane: &onchain.LaneState{Requests: 2, Bytes: 100, Head: receipt.Digest{9}},
		Denom: "uusd", Paid: "100", Price: "100", Owed: "0",
	}, found)
}

func TestLookRelatesLane(t *testing.T) {
	for _, tc := range []struct {
		name string
		lane dacktypes.Lane
		want onchain.Settled
		owed string
	}{
		{"older", dacktypes.Lane{Requests: 1, Bytes: 40, Head: []byte{1}, Paid: sdkmath.NewInt(40)}, onchain.SettledBelow, "60"},
		{"older without a request", dacktypes.Lane{Requests: 2, Bytes: 99, Head: append([]byte{9}, make([]byte, 31)...), Paid: sdkmath.NewInt(99)}, onchain.SettledBelow, "1"},
		{"newer", dacktypes.Lane{Requests: 3, Bytes: 140, Head: []byte{1}, Paid: sdkmath.NewInt(140)}, onchain.SettledAbove, "0"},
		{"the same, paid in part", dacktypes.Lane{Requests: 2, Bytes: 100, Head: append([]byte{9}, make([]byte, 31)...), Paid: sdkmath.NewInt(30)}, onchain.SettledAt, "70"},
		{"another head", dacktypes.Lane{Requests: 2, Bytes: 100, Head: []byte{1}, Paid: sdkmath.NewInt(100)}, onchain.SettledOther, "0"},
		{"neither", dacktypes.Lane{Requests: 1, Bytes: 140, Head: []byte{1}, Paid: sdkmath.NewInt(140)}, onchain.SettledOther, "0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, c := newCase()
			tc.lane.Lane = 2
			c.lanes = []dacktypes.Lane{tc.lane}
			found, err := onchain.Look(t.Context(), c, f, 0)
			require.NoError(t, err)
			require.NoError(t, found.Checks.Err())
			require.Equal(t, tc.want, found.Settled)
			require.Equal(t, tc.owed, found.Owed)
		})
	}
	f, c := newCase()
	c.lanes, c.noPrices = nil, true
	found, err := onchain.Look(t.Context(), c, f, 0)
	require.NoError(t, err)
	require.Equal(t, onchain.SettledNot, found.Settled)
	require.Equal(t, []string{"0", "", ""}, []string{found.Paid, found.Price, found.Owed})
}

func TestLookFindsContradictions(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(c *fakeChain)
		check  string
	}{
		{"no such key", func(c *fakeChain) { c.key = nil }, onchain.CheckRegistered},
		{"another public key", func(c *fakeChain) { c.key.PublicKey = make([]byte, 32) }, onchain.CheckRegistered},
		{"key had ended", func(c *fakeChain) { c.key.LastEpoch = 11 }, onchain.CheckRegistered},
		{"another account", func(c *fakeChain) { c.key.AccountID = 5 }, onchain.CheckPayer},
		{"epoch has not begun", func(c *fakeChain) { c.epoch.Number, c.epoch.OldestLive = 11, 10 }, onchain.CheckEpoch},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, c := newCase()
			tc.change(c)
			found, err := onchain.Look(t.Context(), c, f, 0)
			require.NoError(t, err)
			require.ErrorContains(t, found.Checks.Err(), tc.check)
		})
	}
	f, c := newCase()
	c.worker = nil
	found, err := onchain.Look(t.Context(), c, f, 0)
	require.NoError(t, err)
	require.NoError(t, found.Checks.Err(), "a worker that was removed contradicts nothing")

	c.status.ChainID = "edge-test-2"
	_, err = onchain.Look(t.Context(), c, f, 0)
	require.ErrorIs(t, err, chain.ErrChainID)
	c.err = errors.New("no answer")
	_, err = onchain.Look(t.Context(), c, f, 0)
	require.ErrorIs(t, err, c.err)
}

func TestLookAtAClosedEpoch(t *testing.T) {
	f, c := newCase()
	c.epoch = chain.Epoch{Number: 14, OldestLive: 13}
	c.lanes = nil
	c.records = nil
	sum := func(n int64) rewardstypes.EpochSummary {
		return rewardstypes.EpochSummary{
			Debited: sdkmath.NewInt(n), Nodes: sdkmath.NewInt(n - 5), Owners: sdkmath.NewInt(3), Community: sdkmath.NewInt(2), SetAside: sdkmath.ZeroInt(), Done: true,
		}
	}
	unpaid := sum(50)
	unpaid.Done = false
	c.summaries = map[uint64]rewardstypes.EpochSummary{11: sum(1), 12: sum(100), 13: unpaid, 14: sum(7)}
	found, err := onchain.Look(t.Context(), c, f, 0)
	require.NoError(t, err)
	require.NoError(t, found.Checks.Err())
	require.Equal(t, onchain.SettledGone, found.Settled)
	require.False(t, found.Live)
	require.Empty(t, found.Paid)
	require.Equal(t, []onchain.Summary{{Epoch: 12, Debited: "100", Nodes: "95", Owners: "3", Community: "2", SetAside: "0"}}, found.Summaries)
}
