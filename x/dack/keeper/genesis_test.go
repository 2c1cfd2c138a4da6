package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/dack/keeper"
	"github.com/edgechain/edge/x/dack/types"
)

// TestGenesisRoundTrip: a state in the middle of a sum, with withdrawals under way, comes back as it was and goes on.
func TestGenesisRoundTrip(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, 10_000)
	const e = firstEpoch
	const workers = 3 * keeper.RecordsPerUnit
	f.earn(k, workers)
	f.setParams(func(p *types.Params) { p.Prices.PerGib = math.NewInt(3 << 30) })
	_, err := f.msg.RequestWithdrawal(f.ctx, &types.MsgRequestWithdrawal{Owner: f.address("client"), Amount: coin(77)})
	require.NoError(t, err)
	f.epoch.current++
	f.earn(k, 2)
	used, done, err := f.keeper.Close(f.ctx, e, 2)
	require.NoError(t, err)
	require.EqualValues(t, 2, used)
	require.False(t, done)

	within := must(f.keeper.ExportGenesis(f.ctx))(t)
	f.endBlock()
	before, state := must(f.keeper.ExportGenesis(f.ctx))(t), f.state()
	require.Equal(t, within, before, "in the middle of a block as at its end")
	require.NoError(t, before.Validate())
	require.NotEmpty(t, before.SumCursors)
	require.NotEmpty(t, before.LaneSets)
	require.NotEmpty(t, before.Revenue)
	require.NotEmpty(t, before.WorkerTotals)
	bz := f.cdc.MustMarshalJSON(before)
	var decoded types.GenesisState
	f.cdc.MustUnmarshalJSON(bz, &decoded)
	require.NoError(t, f.keeper.InitGenesis(f.reopen(), &decoded))
	after := must(f.keeper.ExportGenesis(f.ctx))(t)
	require.Equal(t, string(bz), string(f.cdc.MustMarshalJSON(after)))
	require.Equal(t, state, f.state(), "every record is the same")
	f.check()

	_, done, err = f.keeper.Close(f.ctx, e, 10)
	require.NoError(t, err)
	require.True(t, done)
	amount, err := f.keeper.CollectRevenue(f.ctx, e, rewards)
	require.NoError(t, err)
	require.EqualValues(t, 5*workers*(workers+1), amount.Int64(), "each record is summed once")
	f.epoch.current++
	f.endBlock()
	require.EqualValues(t, 77, f.wallet("client"))
	requireResult(t, f.settle(e+1, k.ack(e+1, 0, 50))[0], types.ACK_STATUS_PAID, 150, 150)
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

func TestInitGenesisRefuses(t *testing.T) {
	f := newFixture(t)
	k := f.client("client", 1, 10_000)
	f.earn(k, 2*keeper.RecordsPerUnit+1)
	_, err := f.msg.RequestWithdrawal(f.ctx, &types.MsgRequestWithdrawal{Owner: f.address("client"), Amount: coin(77)})
	require.NoError(t, err)
	f.epoch.current++
	_, _, err = f.keeper.Close(f.ctx, firstEpoch, 2)
	require.NoError(t, err)
	valid := must(f.keeper.ExportGenesis(f.ctx))(t)
	for _, c := range []struct {
		name   string
		change func(gs *types.GenesisState)
		want   error
	}{
		{"bad params", func(gs *types.GenesisState) { gs.Params.MaxAcks = 0 }, types.ErrInvalidParams},
		{"params.prices beside the schedule", func(gs *types.GenesisState) { gs.Params.Prices.PerGib = math.NewInt(7) }, types.ErrInvalidGenesis},
		{"no prices for the oldest live epoch", func(gs *types.GenesisState) { gs.PriceChanges[0].Epoch = firstEpoch + 1 }, types.ErrInvalidGenesis},
		{"bad prices", func(gs *types.GenesisState) { gs.PriceChanges[0].Prices.PerGib = math.NewInt(-1) }, types.ErrInvalidParams},
		{"prices of epoch 0", func(gs *types.GenesisState) { gs.PriceChanges[0].Epoch = 0 }, types.ErrInvalidGenesis},
		{"no content service", func(gs *types.GenesisState) { gs.Services = nil }, types.ErrInvalidGenesis},
		{"a service twice", func(gs *types.GenesisState) { gs.Services = append(gs.Services, gs.Services[0]) }, types.ErrInvalidGenesis},
		{"a service of no kind", func(gs *types.GenesisState) { gs.Services = append(gs.Services, types.Service{Id: 1}) }, types.ErrInvalidGenesis},
		{"no next id", func(gs *types.GenesisState) { gs.NextKeyId = 0 }, types.ErrInvalidGenesis},
		{"account from the future", func(gs *types.GenesisState) { gs.NextAccountId = 1 }, types.ErrInvalidGenesis},
		{"key from the future", func(gs *types.GenesisState) { gs.NextKeyId = 1 }, types.ErrInvalidGenesis},
		{"an account twice", func(gs *types.GenesisState) { gs.Accounts = append(gs.Accounts, gs.Accounts[0]) }, types.ErrInvalidGenesis},
		{"an owner twice", func(gs *types.GenesisState) {
			gs.Accounts = append(gs.Accounts, types.Account{Id: 2, Owner: gs.Accounts[0].Owner, Balance: math.ZeroInt()})
			gs.NextAccountId = 3
		}, types.ErrInvalidGenesis},
		{"no owner", func(gs *types.GenesisState) { gs.Accounts[0].Owner = "" }, types.ErrInvalidGenesis},
		{"owner is no address", func(gs *types.GenesisState) { gs.Accounts[0].Owner = "edge1x" }, types.ErrInvalidGenesis},
		{"negative balance", func(gs *types.GenesisState) { gs.Accounts[0].Balance = math.NewInt(-1) }, types.ErrInvalidGenesis},
		{"less than the account holds", func(gs *types.GenesisState) { gs.Accounts[0].Balance = gs.Accounts[0].Balance.SubRaw(1) }, types.ErrInvalidGenesis},
		{"more than the account holds", func(gs *types.GenesisState) { gs.Accounts[0].Balance = math.NewInt(1_000_000) }, types.ErrInvalidGenesis},
		{"withdrawal of nothing", func(gs *types.GenesisState) { gs.Accounts[0].Withdrawals[0].Amount = math.ZeroInt() }, types.ErrInvalidGenesis},
		{"withdrawal twice", func(gs *types.GenesisState) {
			gs.Accounts[0].Withdrawals = append(gs.Accounts[0].Withdrawals, gs.Accounts[0].Withdrawals[0])
		}, types.ErrInvalidGenesis},
		{"fewer keys than counted", func(gs *types.GenesisState) { gs.Accounts[0].Keys++ }, types.ErrInvalidGenesis},
		{"more keys than counted", func(gs *types.GenesisState) { gs.Accounts[0].Keys = 0 }, types.ErrInvalidGenesis},
		{"a key twice", func(gs *types.GenesisState) { gs.Keys = append(gs.Keys, gs.Keys[0]) }, types.ErrInvalidGenesis},
		{"a key of nobody", func(gs *types.GenesisState) { gs.Keys[0].AccountId = 9 }, types.ErrInvalidGenesis},
		{"a bad public key", func(gs *types.GenesisState) { gs.Keys[0].PublicKey = make([]byte, 32) }, types.ErrInvalidGenesis},
		{"a key without limit", func(gs *types.GenesisState) { gs.Keys[0].SpendLimit = math.Int{} }, types.ErrInvalidGenesis},
		{"a key beyond its limit", func(gs *types.GenesisState) { gs.Keys[0].Spent[0].Amount = gs.Keys[0].SpendLimit.AddRaw(1) }, types.ErrInvalidGenesis},
		{"a limit of no epoch before the next", func(gs *types.GenesisState) {
			gs.Keys[0].LimitFrom = f.epoch.current + 2
			gs.Keys[0].EarlierLimits = []types.KeyLimit{{Amount: gs.Keys[0].SpendLimit}}
		}, types.ErrInvalidGenesis},
		{"too many earlier limits", func(gs *types.GenesisState) {
			gs.Keys[0].LimitFrom = 4
			for e := range uint64(3) {
				gs.Keys[0].EarlierLimits = append(gs.Keys[0].EarlierLimits, types.KeyLimit{Epoch: e + 1, Amount: gs.Keys[0].SpendLimit})
			}
		}, types.ErrInvalidGenesis},
		{"earlier limits descend", func(gs *types.GenesisState) {
			gs.Keys[0].LimitFrom = 3
			gs.Keys[0].EarlierLimits = []types.KeyLimit{{Epoch: 3, Amount: gs.Keys[0].SpendLimit}}
		}, types.ErrInvalidGenesis},
		{"an earlier limit of nothing", func(gs *types.GenesisState) {
			gs.Keys[0].LimitFrom = 3
			gs.Keys[0].EarlierLimits = []types.KeyLimit{{Epoch: 2, Amount: math.ZeroInt()}}
		}, types.ErrInvalidGenesis},
		{"spent beyond the limit of then", func(gs *types.GenesisState) {
			gs.Keys[0].LimitFrom = f.epoch.current
			gs.Keys[0].EarlierLimits = []types.KeyLimit{{Amount: math.OneInt()}}
		}, types.ErrInvalidGenesis},
		{"no next service", func(gs *types.GenesisState) { gs.NextServiceId = 0 }, types.ErrInvalidGenesis},
		{"lanes twice", func(gs *types.GenesisState) { gs.LaneSets = append(gs.LaneSets, gs.LaneSets[0]) }, types.ErrInvalidGenesis},
		{"lanes of no key", func(gs *types.GenesisState) { gs.LaneSets[0].KeyId = 0 }, types.ErrInvalidGenesis},
		{"no lanes", func(gs *types.GenesisState) { gs.LaneSets[0].Lanes.Lanes = nil }, types.ErrInvalidGenesis},
		{"a lane twice", func(gs *types.GenesisState) {
			gs.LaneSets[0].Lanes.Lanes = append(gs.LaneSets[0].Lanes.Lanes, gs.LaneSets[0].Lanes.Lanes[0])
		}, types.ErrInvalidGenesis},
		{"lane 16", func(gs *types.GenesisState) { gs.LaneSets[0].Lanes.Lanes[0].Lane = 16 }, types.ErrInvalidGenesis},
		{"a lane that was not paid", func(gs *types.GenesisState) { gs.LaneSets[0].Lanes.Lanes[0].Paid = math.ZeroInt() }, types.ErrInvalidGenesis},
		{"revenue twice", func(gs *types.GenesisState) { gs.Revenue = append(gs.Revenue, gs.Revenue[0]) }, types.ErrInvalidGenesis},
		{"negative revenue", func(gs *types.GenesisState) { gs.Revenue[0].Revenue.Amount = math.NewInt(-1) }, types.ErrInvalidGenesis},
		{"totals of workers do not add up", func(gs *types.GenesisState) { gs.WorkerTotals[0].Revenue.Amount = math.NewInt(1) }, types.ErrInvalidGenesis},
		{"totals of services do not add up", func(gs *types.GenesisState) { gs.ServiceTotals = nil }, types.ErrInvalidGenesis},
		{"totals of no epoch", func(gs *types.GenesisState) { gs.EpochTotals = nil }, types.ErrInvalidGenesis},
		{"collected before it is summed", func(gs *types.GenesisState) { gs.EpochTotals[0].Collected = true }, types.ErrInvalidGenesis},
		{"released before it is collected", func(gs *types.GenesisState) { gs.EpochTotals[0].Summed, gs.EpochTotals[0].Released = true, true }, types.ErrInvalidGenesis},
		{"revenue without operator", func(gs *types.GenesisState) { gs.Revenue[0].Operator = "" }, types.ErrInvalidGenesis},
		{"total without operator", func(gs *types.GenesisState) { gs.WorkerTotals[0].Operator = "" }, types.ErrInvalidGenesis},
		{"a cursor of no sum", func(gs *types.GenesisState) { gs.SumCursors[0].Epoch = 77 }, types.ErrInvalidGenesis},
	} {
		t.Run(c.name, func(t *testing.T) {
			var gs types.GenesisState
			f.cdc.MustUnmarshalJSON(f.cdc.MustMarshalJSON(valid), &gs)
			c.change(&gs)
			fresh := *f
			fresh.ctx, _ = f.ctx.CacheContext()
			require.ErrorIs(t, f.keeper.InitGenesis(fresh.reopen(), &gs), c.want)
		})
	}
	require.NoError(t, types.DefaultGenesis().Validate())
}

// TestGenesisEditedPrices: the prices that an operator writes into params of the default genesis are those that count.
func TestGenesisEditedPrices(t *testing.T) {
	f := newFixture(t)
	gs := types.DefaultGenesis()
	require.Empty(t, gs.PriceChanges)
	gs.Params.Prices = types.Prices{PerGib: math.NewInt(77), PerGfuel: math.NewInt(88)}
	var edited types.GenesisState
	f.cdc.MustUnmarshalJSON(f.cdc.MustMarshalJSON(gs), &edited)
	require.NoError(t, edited.Validate())
	require.NoError(t, f.keeper.InitGenesis(f.reopen(), &edited))
	for _, epoch := range []uint64{1, firstEpoch} {
		prices, err := f.keeper.Prices(f.ctx, epoch)
		require.NoError(t, err)
		require.True(t, prices.Equal(gs.Params.Prices), "epoch %d: %s", epoch, prices.String())
	}
}
