package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/dack/types"
)

// openLanes writes lane sets of an epoch as settlements of as many keys would have.
func (f *fixture) openLanes(epoch uint64, n int) {
	f.t.Helper()
	codec := collections.TripleKeyCodec(collections.Uint64Key, collections.Uint64Key, collections.Uint64Key)
	set := types.LaneSet{Lanes: []types.Lane{{Bytes: 1, Head: make([]byte, ack.HeadSize), Paid: math.NewInt(1)}}}
	bz, err := set.Marshal()
	require.NoError(f.t, err)
	store := f.ctx.KVStore(f.storeKeys[types.StoreKey])
	for i := range n {
		key, err := collections.EncodeKeyWithPrefix(types.LanesPrefix.Bytes(), codec, collections.Join3(epoch, uint64(i%7+1), uint64(i+1)))
		require.NoError(f.t, err)
		store.Set(key, bz)
	}
}

func (f *fixture) countLanes() (n int) {
	f.t.Helper()
	store := f.ctx.KVStore(f.storeKeys[types.StoreKey])
	prefix := types.LanesPrefix.Bytes()
	iter := store.Iterator(prefix, []byte{prefix[0] + 1})
	for ; iter.Valid(); iter.Next() {
		n++
	}
	require.NoError(f.t, iter.Close())
	return n
}

// TestPruneLanes: 10,000 lanes die at once and go in bounded blocks; live ones stay.
func TestPruneLanes(t *testing.T) {
	f := newFixture(t)
	f.setParams(func(p *types.Params) { p.PrunePerBlock = 3_000 })
	const e, dead = firstEpoch, 10_000
	f.openLanes(e, dead)
	f.openLanes(e+1, 5)
	f.openLanes(e+2, 7)
	f.epoch.current = e + 1
	f.endBlock()
	require.Equal(t, dead+12, f.countLanes(), "acknowledgements of the last epoch live")
	f.epoch.current = e + 2
	for _, want := range []int{7_000, 4_000, 1_000, 0, 0} {
		f.endBlock()
		require.Equal(t, want+12, f.countLanes())
	}
}

// TestPruneLimit: a block removes a quarter more than it opens, at least prune_per_block, and never more than the ceiling.
func TestPruneLimit(t *testing.T) {
	p := types.DefaultParams()
	for opened, want := range map[uint64]int{
		0:                                   int(types.DefaultPrunePerBlock),
		uint64(types.DefaultPrunePerBlock):  int(types.DefaultPrunePerBlock) / 4 * 5,
		4_444:                               5_555,
		uint64(types.MaxPrunePerBlock) / 2:  int(types.MaxPrunePerBlock) / 8 * 5,
		uint64(types.MaxPrunePerBlock):      int(types.MaxPrunePerBlock),
		^uint64(0):                          int(types.MaxPrunePerBlock),
		uint64(types.MinPrunePerBlock) / 10: int(types.DefaultPrunePerBlock),
	} {
		require.Equal(t, want, p.PruneLimit(opened), "opened %d", opened)
	}
	// What a full block of the smallest gas price opens is still removed faster than it comes.
	full := 40_000_000 / types.MinSettleGasPerAck
	require.Greater(t, uint64(p.PruneLimit(full)), full)
}

// TestPruneFollowsWhatIsOpened: dead lanes go a quarter faster than new ones come, whatever prune_per_block says. A lane that grows
// is not a new one.
func TestPruneFollowsWhatIsOpened(t *testing.T) {
	f := newFixture(t)
	f.setParams(func(p *types.Params) { p.PrunePerBlock = types.MinPrunePerBlock })
	k := f.client("client", 1, bigDeposit)
	f.openLanes(firstEpoch, 3_000)
	f.epoch.current += 2
	f.earn(k, 450)
	f.endBlock()
	require.Equal(t, 3_000-562+450, f.countLanes())
	f.earnMore(k, 450) // on the lanes that are open now
	f.endBlock()
	require.Equal(t, 3_000-562-int(types.MinPrunePerBlock)+450, f.countLanes())
}

// TestPruneHistory: totals of released epochs go after history_epochs, bounded. Those whose money is still here stay, and so
// do those whose money x/rewards has but has not handed out: it can ask for them however late.
func TestPruneHistory(t *testing.T) {
	f := newFixture(t)
	f.setParams(func(p *types.Params) {
		p.HistoryEpochs = types.MinHistoryEpochs
		p.PrunePerBlock = types.MinPrunePerBlock
	})
	k := f.client("client", 1, bigDeposit)
	const e = firstEpoch
	const workers = 130
	for i := range uint64(5) { // e+1 is never collected, e+2 never released
		f.earn(k, workers)
		f.epoch.current++
		_, done, err := f.keeper.Close(f.ctx, e+i, 1_000)
		require.NoError(t, err)
		require.True(t, done)
		if i != 1 {
			_, err = f.keeper.CollectRevenue(f.ctx, e+i, rewards)
			require.NoError(t, err)
		}
		switch i {
		case 1:
			require.ErrorIs(t, f.keeper.ReleaseTotals(f.ctx, e+i), types.ErrNotCollected)
		case 2:
		default:
			require.NoError(t, f.keeper.ReleaseTotals(f.ctx, e+i))
		}
		f.check()
	}
	exists := func(epoch uint64) bool {
		_, err := f.query.EpochTotal(f.ctx, &types.QueryEpochTotalRequest{Epoch: epoch})
		return err == nil
	}
	f.epoch.current = e + uint64(types.MinHistoryEpochs)
	f.endBlock()
	totals, err := f.keeper.WorkerTotals(f.ctx, e, 0, 1_000)
	require.NoError(t, err)
	require.Len(t, totals, workers)

	f.epoch.current += 4 // e to e+3 are past the history
	_, err = f.keeper.WorkerTotals(f.ctx, e, 0, 1_000)
	require.ErrorIs(t, err, types.ErrPruned)
	_, err = f.keeper.ServiceTotals(f.ctx, e+3, 0, 1_000)
	require.ErrorIs(t, err, types.ErrPruned)
	f.endBlock() // 4 * 130 lanes of dead epochs come first, in blocks of 100
	for range 15 {
		f.endBlock()
	}
	require.False(t, exists(e))
	require.True(t, exists(e+1), "its money has not been collected")
	require.True(t, exists(e+2), "its money has not been handed out")
	require.False(t, exists(e+3))
	require.True(t, exists(e+4))
	clear(f.node.workers) // retired and deleted in the meantime
	_, err = f.keeper.WorkerTotals(f.ctx, e, 0, 1_000)
	require.ErrorIs(t, err, types.ErrPruned)
	_, err = f.keeper.CollectRevenue(f.ctx, e+1, rewards)
	require.NoError(t, err)
	for _, epoch := range []uint64{e + 1, e + 2} {
		totals, err := f.keeper.WorkerTotals(f.ctx, epoch, 0, 1_000)
		require.NoError(t, err)
		require.Len(t, totals, workers)
		require.Equal(t, operatorOf(7), totals[6].Operator)
		services, err := f.keeper.ServiceTotals(f.ctx, epoch, 0, 1_000)
		require.NoError(t, err)
		require.Len(t, services, 1)
	}
	gs, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, gs.Validate())
	require.Len(t, gs.WorkerTotals, 3*workers)
	require.Zero(t, f.countLanes())
}

// TestRaisedHistory: what has been pruned, or begun to be, does not seem to come back when governance raises history_epochs.
func TestRaisedHistory(t *testing.T) {
	f := newFixture(t)
	f.setParams(func(p *types.Params) {
		p.HistoryEpochs, p.PrunePerBlock = types.MinHistoryEpochs, types.MinPrunePerBlock
	})
	k := f.client("client", 1, bigDeposit)
	const e, workers = firstEpoch, 130
	for i := range uint64(3) {
		f.earn(k, workers)
		f.epoch.current++
		_, done, err := f.keeper.Close(f.ctx, e+i, 1_000)
		require.NoError(t, err)
		require.True(t, done)
		_, err = f.keeper.CollectRevenue(f.ctx, e+i, rewards)
		require.NoError(t, err)
		require.NoError(t, f.keeper.ReleaseTotals(f.ctx, e+i))
		f.endBlock()
	}
	f.epoch.current = e + 2 + uint64(types.MinHistoryEpochs) // e and e+1 are past the history
	for f.countLanes() > 0 {
		f.endBlock()
	}
	summed := func(epoch uint64) int { return len(must(f.keeper.WorkerSums(f.ctx, epoch, 0, 1_000))(t)) }
	for summed(e+1) == workers {
		f.endBlock()
	}
	require.Zero(t, summed(e))
	require.NotZero(t, summed(e+1), "it is half pruned")

	check := func() {
		t.Helper()
		for _, epoch := range []uint64{e, e + 1} {
			_, err := f.keeper.EpochTotal(f.ctx, epoch)
			require.ErrorIs(t, err, types.ErrPruned, "epoch %d", epoch)
			_, err = f.query.WorkerTotals(f.ctx, &types.QueryWorkerTotalsRequest{Epoch: epoch})
			require.Equal(t, codes.NotFound, status.Code(err), "epoch %d", epoch)
			_, err = f.query.EpochTotal(f.ctx, &types.QueryEpochTotalRequest{Epoch: epoch})
			require.Equal(t, codes.NotFound, status.Code(err), "epoch %d", epoch)
		}
		totals, err := f.keeper.WorkerTotals(f.ctx, e+2, 0, 1_000)
		require.NoError(t, err)
		require.Len(t, totals, workers)
		_, err = f.keeper.EpochTotal(f.ctx, f.epoch.current)
		require.ErrorIs(t, err, types.ErrNotSummed)
	}
	check()
	f.setParams(func(p *types.Params) { p.HistoryEpochs = 90 })
	check()
	gs := must(f.keeper.ExportGenesis(f.ctx))(t)
	require.EqualValues(t, e+2, gs.OldestKept)
	f.endBlock()
	f.endBlock()
	check()
	require.Zero(t, summed(e+1), "what has begun to go goes")

	gs = must(f.keeper.ExportGenesis(f.ctx))(t)
	state := f.state()
	require.NoError(t, f.keeper.InitGenesis(f.reopen(), gs))
	require.Equal(t, state, f.state())
	check()
	gs.OldestKept = f.epoch.current + 1
	require.ErrorIs(t, f.keeper.InitGenesis(f.reopen(), gs), types.ErrInvalidGenesis)
}

// TestPrunePrices: the schedule keeps what a kept epoch looks up, and no more.
func TestPrunePrices(t *testing.T) {
	f := newFixture(t)
	f.setParams(func(p *types.Params) { p.HistoryEpochs = types.MinHistoryEpochs })
	for i := range int64(20) {
		f.setParams(func(p *types.Params) { p.Prices.PerGib = math.NewInt(i) })
		f.epoch.current++
		f.endBlock()
	}
	gs, err := f.keeper.ExportGenesis(f.ctx)
	require.NoError(t, err)
	current := f.epoch.current
	require.Len(t, gs.PriceChanges, int(types.MinHistoryEpochs)+1)
	require.Equal(t, current-uint64(types.MinHistoryEpochs), gs.PriceChanges[0].Epoch)
	for epoch := current - uint64(types.MinHistoryEpochs); epoch <= current; epoch++ {
		p, err := f.keeper.Prices(f.ctx, epoch)
		require.NoError(t, err)
		require.EqualValues(t, 19-(current-epoch), p.PerGib.Int64())
	}
	// A change long ago counts for ever.
	f.epoch.current += 100
	f.endBlock()
	p, err := f.keeper.Prices(f.ctx, f.epoch.current)
	require.NoError(t, err)
	require.EqualValues(t, 19, p.PerGib.Int64())
}
