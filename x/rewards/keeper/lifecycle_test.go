package keeper_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	"github.com/edgechain/edge/x/rewards/types"
)

var (
	dackAccount  = authtypes.NewModuleAddress(dacktypes.ModuleName)
	distrAccount = authtypes.NewModuleAddress(distrtypes.ModuleName)
)

func (f *fixture) export() *types.GenesisState {
	f.t.Helper()
	g, err := f.k.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	require.NoError(f.t, g.Validate())
	return g
}

func allToNodes() types.Params {
	p := types.DefaultParams()
	p.Shares = types.Shares{Node: math.LegacyOneDec(), Owner: math.LegacyZeroDec(), Protocol: math.LegacyZeroDec()}
	return p
}

func TestMsgUpdateParams(t *testing.T) {
	for _, tc := range []struct {
		name      string
		authority string
		params    types.Params
		want      error
	}{
		{"governance", authority, allToNodes(), nil},
		{"somebody else", somebody, allToNodes(), sdkerrors.ErrUnauthorized},
		{"nobody", "", allToNodes(), sdkerrors.ErrInvalidAddress},
		{"no shares", authority, types.Params{HistoryEpochs: 1, PrunePerBlock: 1}, types.ErrInvalidShares},
		{"no emission terms", authority, types.Params{Shares: types.DefaultShares(), HistoryEpochs: 1, PrunePerBlock: 1}, types.ErrInvalidParams},
		{"no history", authority, types.Params{Shares: types.DefaultShares(), Emission: types.DefaultEmissionTerms(), PrunePerBlock: 1}, types.ErrInvalidParams},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t).start(10, types.DefaultParams())
			before := f.export()
			_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: tc.authority, Params: tc.params})
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want)
				require.Equal(t, before, f.export())
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.params, f.export().Params)
		})
	}
}

// A change of the shares counts from the next epoch on; the last one of an epoch wins.
func TestSharesAreThoseOfTheEpochOfTheDebit(t *testing.T) {
	f := newFixture(t).start(1, types.DefaultParams())
	update := func(p types.Params) {
		t.Helper()
		_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: p})
		require.NoError(t, err)
	}
	f.earn(1, record{2, 0, 100})
	f.earn(2, record{4, 0, 100})
	f.earn(3, record{6, 0, 100})
	update(types.DefaultParams())
	require.Len(t, f.export().ShareChanges, 1, "a change that changes nothing is not written")
	update(allToNodes())
	changed := types.DefaultParams()
	changed.Shares.Node, changed.Shares.Protocol = math.LegacyNewDecWithPrec(50, 2), math.LegacyNewDecWithPrec(35, 2)
	update(changed)
	f.block(time.Minute)
	update(allToNodes()) // while epoch 1 is being closed
	for range 3 {
		f.close()
	}
	require.EqualValues(t, 80, f.balance(operator(2)))
	require.EqualValues(t, 50, f.balance(operator(4)))
	require.EqualValues(t, 100, f.balance(operator(6)))
	require.Equal(t, []types.ShareChange{
		{Epoch: 1, Shares: types.DefaultShares()}, {Epoch: 2, Shares: changed.Shares}, {Epoch: 3, Shares: allToNodes().Shares},
	}, f.export().ShareChanges)

	update(changed)
	update(allToNodes())
	g := f.export()
	require.Equal(t, g.Params.Shares, g.ShareChanges[len(g.ShareChanges)-1].Shares)
	_, err := f.k.Shares(f.ctx, 0)
	require.ErrorIs(t, err, types.ErrSharesNotFound)
}

func TestMsgRetryPayoutRefuses(t *testing.T) {
	f := newFixture(t).start(10, types.DefaultParams())
	f.dack.missing[4] = true
	f.earn(1, record{2, 0, 100}, record{4, 0, 100})
	f.close()
	before := f.export()
	node := types.PAYOUT_KIND_NODE
	for name, tc := range map[string]struct {
		msg  types.MsgRetryPayout
		want error
	}{
		"no sender":                  {types.MsgRetryPayout{Epoch: 1, Kind: node, Id: 4}, sdkerrors.ErrInvalidAddress},
		"no epoch":                   {types.MsgRetryPayout{Sender: somebody, Kind: node, Id: 4}, types.ErrPayoutNotFound},
		"no kind":                    {types.MsgRetryPayout{Sender: somebody, Epoch: 1, Id: 4}, types.ErrPayoutNotFound},
		"unknown kind":               {types.MsgRetryPayout{Sender: somebody, Epoch: 1, Kind: 7, Id: 4}, types.ErrPayoutNotFound},
		"negative kind":              {types.MsgRetryPayout{Sender: somebody, Epoch: 1, Kind: -1, Id: 4}, types.ErrPayoutNotFound},
		"community's tokens with id": {types.MsgRetryPayout{Sender: somebody, Epoch: 1, Kind: types.PAYOUT_KIND_COMMUNITY_EMISSION, Id: 4}, types.ErrPayoutNotFound},
		"community with id":          {types.MsgRetryPayout{Sender: somebody, Epoch: 1, Kind: types.PAYOUT_KIND_COMMUNITY, Id: 4}, types.ErrPayoutNotFound},
		"another epoch":              {types.MsgRetryPayout{Sender: somebody, Epoch: 2, Kind: node, Id: 4}, types.ErrPayoutNotFound},
		"another kind":               {types.MsgRetryPayout{Sender: somebody, Epoch: 1, Kind: types.PAYOUT_KIND_OWNER, Id: 4}, types.ErrPayoutNotFound},
		"another worker":             {types.MsgRetryPayout{Sender: somebody, Epoch: 1, Kind: node, Id: 5}, types.ErrPayoutNotFound},
		"paid already":               {types.MsgRetryPayout{Sender: somebody, Epoch: 1, Kind: node, Id: 2}, types.ErrNotSetAside},
		"community was paid":         {types.MsgRetryPayout{Sender: somebody, Epoch: 1, Kind: types.PAYOUT_KIND_COMMUNITY}, types.ErrNotSetAside},
		"the cause is there":         {types.MsgRetryPayout{Sender: somebody, Epoch: 1, Kind: node, Id: 4}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, _ := f.ctx.CacheContext()
			_, err := f.msgs.RetryPayout(ctx, &tc.msg)
			require.Error(t, err)
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want)
			}
			require.Equal(t, before, f.export())
		})
	}
}

func TestRetryItemRefusesForeignKeys(t *testing.T) {
	f := newFixture(t).start(10, types.DefaultParams())
	for _, key := range [][]byte{nil, {1, 2, 3}, types.ItemKey(types.PAYOUT_KIND_NODE, 1)} {
		require.ErrorIs(t, f.k.RetryItem(f.ctx, 1, key), types.ErrPayoutNotFound)
	}
}

// Payouts are pruned when they are older than history_epochs, a bounded number in a block; what is set aside stays until it
// is paid, and nothing that stays is visited twice.
func TestPruning(t *testing.T) {
	params := types.DefaultParams()
	params.HistoryEpochs, params.PrunePerBlock = 2, 1
	f := newFixture(t).start(100, params)
	f.dack.missing[4] = true
	for e := uint64(1); e <= 3; e++ {
		f.earn(e, record{2, 0, 100}, record{4, 0, 100}, record{6, 0, 100})
		f.close()
	}
	f.block(time.Second) // epoch 4 is open, 1 is too old from here on
	require.Len(t, f.payouts(2), 4)
	left := func(epoch uint64) (ids []uint64) {
		for _, p := range f.payouts(epoch) {
			if p.Kind == types.PAYOUT_KIND_NODE {
				ids = append(ids, p.Id)
			}
		}
		return ids
	}
	// One visit a block since epoch 4 opened: worker 2, then 4 (which stays), then 6 and the community.
	for range 4 {
		before := len(f.payouts(1))
		f.block(0)
		require.LessOrEqual(t, before-len(f.payouts(1)), 1)
	}
	require.Equal(t, []uint64{4}, left(1))
	require.Len(t, f.payouts(1), 1)
	require.Len(t, f.payouts(2), 4)
	require.Len(t, f.export().Summaries, 3, "summaries stay")
	require.Len(t, f.setAside(), 3)

	// An old payout is gone once it is paid.
	f.dack.missing = nil
	for e := uint64(1); e <= 3; e++ {
		_, err := f.msgs.RetryPayout(f.ctx, &types.MsgRetryPayout{Sender: somebody, Epoch: e, Kind: types.PAYOUT_KIND_NODE, Id: 4})
		require.NoError(t, err)
	}
	require.Empty(t, f.payouts(1))
	require.Len(t, f.payouts(2), 4)
	require.EqualValues(t, 240, f.balance(operator(4)))
	f.check()

	// An import forgets how far pruning was and comes to the same end.
	imported := f.reimport()
	for range 3 {
		f.close()
		imported.close()
	}
	for range 20 {
		f.block(0)
		imported.block(0)
	}
	require.Empty(t, f.payouts(2))
	require.Equal(t, f.export(), imported.export())
}

// reimport starts another chain from the state of this one.
func (f *fixture) reimport() *fixture {
	f.t.Helper()
	to := newFixture(f.t)
	to.ctx = to.ctx.WithBlockHeight(f.ctx.BlockHeight()).WithBlockTime(f.ctx.BlockTime())
	to.dack.records, to.dack.owners, to.dack.err = f.dack.records, f.dack.owners, f.dack.err
	to.dack.missing, to.bank.fail, to.distr.err, to.supply = f.dack.missing, f.bank.fail, f.distr.err, f.supply
	to.distr.node, *to.nodes = f.distr.node, *f.nodes
	to.bank.InitGenesis(to.ctx, f.bank.ExportGenesis(f.ctx))
	pool, err := f.distr.FeePool.Get(f.ctx)
	require.NoError(f.t, err)
	require.NoError(f.t, to.distr.FeePool.Set(to.ctx, pool))
	require.NoError(f.t, f.dack.collected.Walk(f.ctx, nil, func(e uint64) (bool, error) { return false, to.dack.collected.Set(to.ctx, e) }))
	eg, err := f.epochs.ExportGenesis(f.ctx)
	require.NoError(f.t, err)
	_, err = to.epochs.InitGenesis(to.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), *eg)
	require.NoError(f.t, err)
	for i := uint64(0); i < 10; i += 2 { // what x/distribution has of nodes
		v := sdk.ValAddress(operator(i))
		outstanding, err := f.distr.GetValidatorOutstandingRewards(f.ctx, v)
		require.NoError(f.t, err)
		require.NoError(f.t, to.distr.SetValidatorOutstandingRewards(to.ctx, v, outstanding))
		commission, err := f.distr.GetValidatorAccumulatedCommission(f.ctx, v)
		require.NoError(f.t, err)
		require.NoError(f.t, to.distr.SetValidatorAccumulatedCommission(to.ctx, v, commission))
		current, err := f.distr.GetValidatorCurrentRewards(f.ctx, v)
		require.NoError(f.t, err)
		require.NoError(f.t, to.distr.SetValidatorCurrentRewards(to.ctx, v, current))
	}
	bz := f.module.ExportGenesis(f.ctx, encoding.Codec)
	require.NoError(f.t, f.module.ValidateGenesis(encoding.Codec, nil, bz))
	to.module.InitGenesis(to.ctx, encoding.Codec, bz)
	to.check()
	require.Equal(f.t, f.export(), to.export())
	return to
}

// A chain that is exported and imported in the middle of a payment goes on as the one that was not, in every phase, with things
// set aside in each of them, and so does a new import at every later block.
func TestGenesisRoundTripInEveryPhase(t *testing.T) {
	f := newFixture(t)
	params := types.DefaultParams()
	params.Emission.Inflation = dec("0.0003") // so that the cap scales
	f.plan(plan{
		owners:  map[uint64]string{1: owner(1).String(), 2: owner(2).String()},
		unknown: map[uint64]bool{4: true},
		fate:    map[uint64]int{4: fateGone},
		broke:   map[string]bool{owner(2).String(): true, sdk.ValAddress(operator(6)).String(): true},
		pool:    true,
	})
	f.startFrom(1, types.GenesisState{
		Params: params, TokenPrices: []types.TokenPrice{{Epoch: 1, Price: dec("0.5")}}, BoostedEpoch: 1,
		Boosts: []types.Boost{{Epoch: 1, Operator: sdk.ValAddress(operator(2)).String(), Boost: dec("2.5")}},
	})
	f.earn(1, record{2, 0, 10_100}, record{4, 1, 7_700}, record{6, 2, 1_300}, record{8, 1, 5_000})
	f.block(time.Minute)
	phases := map[types.PayPhase]bool{}
	closing := func(f *fixture) bool { c, err := f.epochs.Closing(f.ctx); return err == nil && c.Epoch != 0 }
	var imported []*fixture
	for done := false; !done; done = !closing(f) {
		for _, c := range f.export().Cursors {
			phases[c.Phase] = true
		}
		imported = append(imported, f.reimport())
		f.block(0)
		for _, again := range imported {
			again.block(0)
			require.Equal(t, f.export(), again.export())
			require.Equal(t, f.balances(), again.balances())
		}
	}
	require.Greater(t, len(imported), 20)
	// A block never ends in front of the community pool: what finds the last worker or service goes on to it.
	require.Equal(t, map[types.PayPhase]bool{
		types.PAY_PHASE_NODES: true, types.PAY_PHASE_OWNERS: true, types.PAY_PHASE_EARN_NODES: true, types.PAY_PHASE_EARN_OWNERS: true,
		types.PAY_PHASE_MINT_NODES: true, types.PAY_PHASE_MINT_OWNERS: true,
	}, phases)
	s := f.summary(1)
	require.True(t, s.Done)
	require.True(t, s.Emission.Earned.GT(s.Emission.Cap) && s.Emission.Forfeited.IsPositive() && s.Emission.SetAside.IsPositive() && s.SetAside.IsPositive(), s.String())
	require.True(t, s.Emission.Nodes.IsPositive() && s.Emission.Owners.IsPositive(), s.String())
}

func TestInitGenesisRefuses(t *testing.T) {
	f := newFixture(t).start(100, types.DefaultParams())
	f.dack.missing[4] = true
	f.earn(1, record{4, 0, 100})
	f.close()
	g := f.export()
	poor := newFixture(t).startClock(100)
	require.ErrorIs(t, poor.k.InitGenesis(poor.ctx, *g), types.ErrInvalidGenesis, "the account holds less than is set aside")
	rich := newFixture(t).start(100, types.DefaultParams())
	rich.earn(1, record{2, 0, 7})
	require.NoError(t, rich.bank.SendCoinsFromModuleToModule(rich.ctx, dacktypes.ModuleName, types.ModuleName, coins(math.NewInt(7))))
	require.ErrorIs(t, rich.k.InitGenesis(rich.ctx, *types.DefaultGenesis()), types.ErrInvalidGenesis, "the account holds what nobody is owed")
	require.Panics(t, func() { poor.module.InitGenesis(poor.ctx, encoding.Codec, []byte(`{}`)) })

	fresh := newFixture(t).startClock(100)
	fresh.module.InitGenesis(fresh.ctx, encoding.Codec, fresh.module.DefaultGenesis(encoding.Codec))
	require.Equal(t, []types.ShareChange{{Epoch: 1, Shares: types.DefaultShares()}}, fresh.export().ShareChanges)
}

// CheckInvariants finds a unit too many and a unit too few.
func TestCheckInvariantsFindsAnOffByOne(t *testing.T) {
	f := newFixture(t).start(100, types.DefaultParams())
	f.dack.missing[4] = true
	f.earn(1, record{4, 0, 100})
	f.close()
	require.NoError(t, f.bank.MintCoins(f.ctx, faucet, coins(math.OneInt())))
	more, _ := f.ctx.CacheContext()
	require.NoError(t, f.bank.SendCoinsFromModuleToModule(more, faucet, types.ModuleName, coins(math.OneInt())))
	require.ErrorIs(t, f.k.CheckInvariants(more), types.ErrBooks)
	less, _ := f.ctx.CacheContext()
	require.NoError(t, f.bank.SendCoinsFromModuleToModule(less, types.ModuleName, faucet, coins(math.OneInt())))
	require.ErrorIs(t, f.k.CheckInvariants(less), types.ErrBooks)
	require.NoError(t, f.k.CheckInvariants(f.ctx))
}

func TestQueries(t *testing.T) {
	f := newFixture(t).start(100, types.DefaultParams())
	params, err := f.query.Params(f.ctx, &types.QueryParamsRequest{})
	require.NoError(t, err)
	require.Equal(t, types.DefaultParams(), params.Params)
	_, err = f.query.EpochSummary(f.ctx, &types.QueryEpochSummaryRequest{Epoch: 1})
	require.Equal(t, codes.NotFound, status.Code(err))

	f.dack.missing = map[uint64]bool{2: true, 4: true}
	for e := uint64(1); e <= 3; e++ {
		f.earn(e, record{2, 0, 100}, record{4, 0, 100}, record{6, 0, 100})
		f.close()
	}
	one, err := f.query.EpochSummary(f.ctx, &types.QueryEpochSummaryRequest{Epoch: 2})
	require.NoError(t, err)
	require.Equal(t, f.summary(2), one.Summary)

	page := &query.PageRequest{Limit: 2, CountTotal: true}
	summaries, err := f.query.EpochSummaries(f.ctx, &types.QueryEpochSummariesRequest{Pagination: page})
	require.NoError(t, err)
	require.Len(t, summaries.Summaries, 2)
	require.EqualValues(t, 3, summaries.Pagination.Total)
	newest, err := f.query.EpochSummaries(f.ctx, &types.QueryEpochSummariesRequest{Pagination: &query.PageRequest{Limit: 1, Reverse: true}})
	require.NoError(t, err)
	require.EqualValues(t, 3, newest.Summaries[0].Epoch)

	var payouts []types.Payout
	for key := []byte(nil); ; {
		resp, err := f.query.Payouts(f.ctx, &types.QueryPayoutsRequest{Epoch: 2, Pagination: &query.PageRequest{Key: key, Limit: 3}})
		require.NoError(t, err)
		payouts = append(payouts, resp.Payouts...)
		if key = resp.Pagination.NextKey; key == nil {
			break
		}
	}
	require.Equal(t, f.payouts(2), payouts)
	require.Len(t, payouts, 4)

	var setAside []types.Payout
	for key := []byte(nil); ; {
		resp, err := f.query.SetAside(f.ctx, &types.QuerySetAsideRequest{Pagination: &query.PageRequest{Key: key, Limit: 4}})
		require.NoError(t, err)
		setAside = append(setAside, resp.Payouts...)
		if key = resp.Pagination.NextKey; key == nil {
			break
		}
	}
	require.Len(t, setAside, 6)
	for _, p := range setAside {
		require.True(t, p.SetAside)
	}

	bad := &query.PageRequest{Key: []byte{1}, Offset: 1}
	for name, err := range map[string]error{
		"params":        second(f.query.Params(f.ctx, nil)),
		"summary":       second(f.query.EpochSummary(f.ctx, nil)),
		"summaries":     second(f.query.EpochSummaries(f.ctx, nil)),
		"payouts":       second(f.query.Payouts(f.ctx, nil)),
		"set aside":     second(f.query.SetAside(f.ctx, nil)),
		"bad summaries": second(f.query.EpochSummaries(f.ctx, &types.QueryEpochSummariesRequest{Pagination: bad})),
		"bad payouts":   second(f.query.Payouts(f.ctx, &types.QueryPayoutsRequest{Pagination: bad})),
		"bad set aside": second(f.query.SetAside(f.ctx, &types.QuerySetAsideRequest{Pagination: bad})),
	} {
		require.Equal(t, codes.InvalidArgument, status.Code(err), name)
	}
}

func second[T any](_ T, err error) error { return err }

// EndBlock of a chain without a genesis, or with a broken clock, does not halt it.
func TestEndBlockNeverFails(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, f.module.EndBlock(f.ctx))
}

func TestSetAsideIsListedWithEpoch(t *testing.T) {
	f := newFixture(t).start(100, types.DefaultParams())
	f.distr.err = errors.New("the pool is closed")
	f.earn(1, record{2, 0, 100})
	f.close()
	g, err := f.epochs.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.Len(t, g.SetAside, 1)
	require.Equal(t, epochtypes.StagePay, g.SetAside[0].Stage)
	require.Equal(t, types.ItemKey(types.PAYOUT_KIND_COMMUNITY, 0), g.SetAside[0].Key)
	require.Equal(t, "the pool is closed", g.SetAside[0].Cause)
	require.EqualValues(t, 20, f.balance(account))
	require.Zero(t, f.pool())
}
