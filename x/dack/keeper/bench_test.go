package keeper_test

import (
	"fmt"
	"testing"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/dack/keeper"
	"github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// block runs f in a block of its own, as the state machine does, and commits it to disk.
func (f *fixture) block(run func(ctx sdk.Context)) {
	f.t.Helper()
	cached := f.cms.CacheMultiStore()
	ctx := sdk.NewContext(cached, cmtproto.Header{ChainID: chainID, Height: f.cms.LastCommitID().Version + 1}, false, log.NewNopLogger())
	run(ctx)
	cached.Write()
	f.cms.Commit()
}

// benchFixture has n client keys of accounts with 16 keys each, on pebbledb.
func benchFixture(b *testing.B, n int) (*fixture, []clientKey) {
	b.Helper()
	db, err := dbm.NewDB("bench", dbm.PebbleDBBackend, b.TempDir())
	require.NoError(b, err)
	b.Cleanup(func() { _ = db.Close() })
	f := newFixtureOn(b, db)
	keys := make([]clientKey, n)
	var account uint64
	for i := range keys {
		name := fmt.Sprint("client", i/types.MaxKeysPerAccount)
		if i%types.MaxKeysPerAccount == 0 {
			f.fund(name, 1<<50)
			res, err := f.msg.Deposit(f.ctx, &types.MsgDeposit{Sender: f.address(name), Owner: f.address(name), Amount: coin(1 << 50)})
			require.NoError(b, err)
			account = res.AccountId
		}
		private := privateKey(uint64(i + 1))
		res, err := f.msg.AddClientKey(f.ctx, addKeyMsg(f.address(name), account, private, 1<<50, lastOfKey))
		require.NoError(b, err)
		keys[i] = clientKey{id: res.KeyId, account: account, private: private}
	}
	f.cms.Commit()
	return f, keys
}

// BenchmarkSettle settles 1,000 acknowledgements in a block, one of each of 1,000 keys, in messages of different sizes, and
// commits the block to pebbledb. "new" opens a lane with each, "grow" goes on with lanes that are open. Fees, signatures and
// the rest of a transaction are not in it.
func BenchmarkSettle(b *testing.B) {
	const perBlock = 1_000
	for _, perMsg := range []int{1, 100, 1_000} {
		for _, kind := range []string{"grow", "new"} {
			b.Run(fmt.Sprintf("per_msg=%d/%s", perMsg, kind), func(b *testing.B) {
				f, keys := benchFixture(b, perBlock)
				var lane uint8
				var bytes, encoded uint64
				paid := 0
				for b.Loop() {
					b.StopTimer()
					bytes += 1 << 20
					if kind == "new" {
						if lane++; lane == ack.MaxLanes {
							lane = 0
							f.epoch.current++ // every epoch has 16 new lanes
						}
					}
					var msgs []*types.MsgSettle
					for i := 0; i < perBlock; i += perMsg {
						var acks []types.Acknowledgement
						for _, k := range keys[i : i+perMsg] {
							acks = append(acks, k.ack(f.epoch.current, lane, bytes))
						}
						msgs = append(msgs, f.settleMsg(f.epoch.current, acks...))
						encoded += uint64(msgs[len(msgs)-1].Size())
					}
					b.StartTimer()
					f.block(func(ctx sdk.Context) {
						for _, m := range msgs {
							tx, write := ctx.CacheContext()
							res, err := f.msg.Settle(tx, m)
							if err != nil {
								b.Fatal(err)
							}
							write()
							for i, r := range res.Results {
								if r.Status != types.ACK_STATUS_PAID {
									b.Fatalf("acknowledgement %d: %s", i, r.Status)
								}
								paid++
							}
						}
					})
				}
				require.Equal(b, b.N*perBlock, paid)
				b.ReportMetric(float64(paid)/b.Elapsed().Seconds(), "acks/s")
				b.ReportMetric(float64(encoded)/float64(paid), "B/ack")
			})
		}
	}
}

// BenchmarkPrune removes 10,000 dead lane sets in one block and commits it to pebbledb, next to 200,000 that live.
func BenchmarkPrune(b *testing.B) {
	const dead, live = 10_000, 200_000
	f, _ := benchFixture(b, 1)
	e := f.epoch.current
	f.block(func(ctx sdk.Context) {
		f.ctx = ctx
		f.openLanes(1_000_000, live)
	})
	for b.Loop() {
		b.StopTimer()
		f.block(func(ctx sdk.Context) {
			f.ctx = ctx
			f.openLanes(e, dead)
		})
		e++
		f.epoch.current = e + 1
		b.StartTimer()
		f.block(func(ctx sdk.Context) {
			f.ctx = ctx
			require.NoError(b, f.keeper.EndBlock(ctx))
		})
		b.StopTimer()
		f.ctx = sdk.NewContext(f.cms.CacheMultiStore(), cmtproto.Header{ChainID: chainID}, false, log.NewNopLogger())
		require.Equal(b, live, f.countLanes())
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N*dead)/b.Elapsed().Seconds(), "lanes/s")
}

// BenchmarkSum sums in one block what close_budget at its default and at its ceiling allows, every record of another worker and
// service than the one before, next to 100,000 that stay, and commits the block to pebbledb.
func BenchmarkSum(b *testing.B) {
	const stay, services = 100_000, 4_000
	for _, budget := range []uint32{epochtypes.DefaultParams().CloseBudget, epochtypes.MaxCloseBudget} {
		b.Run(fmt.Sprint("budget=", budget), func(b *testing.B) {
			f, _ := benchFixture(b, 1)
			records := int(budget) * keeper.RecordsPerUnit
			fill := func(epoch uint64, n int) {
				f.block(func(ctx sdk.Context) {
					for i := range n {
						id := uint64(i)
						r := types.NewWorkerRevenue(types.Revenue{Amount: math.NewInt(1 << 40), Bytes: 1 << 40, Requests: 1 << 20},
							operatorOf(id+1), f.address("owner"))
						require.NoError(b, f.keeper.PutRevenue(ctx, epoch, id/2+1, id%services+1, r))
					}
				})
			}
			fill(1_000_000, stay)
			e := f.epoch.current
			for b.Loop() {
				b.StopTimer()
				e++
				fill(e, records)
				b.StartTimer()
				f.block(func(ctx sdk.Context) {
					_, done, err := f.keeper.Close(ctx, e, budget)
					require.NoError(b, err)
					require.True(b, done)
				})
			}
			b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
