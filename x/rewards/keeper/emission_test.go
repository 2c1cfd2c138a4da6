package keeper_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	epochtypes "github.com/edgechain/edge/x/epoch/types"
	"github.com/edgechain/edge/x/rewards/types"
)

func valoper(worker uint64) string { return sdk.ValAddress(operator(worker)).String() }

// startPriced runs the genesis of a chain whose token has a price from the first epoch on.
func (f *fixture) startPriced(budget uint32, price string) *fixture {
	f.t.Helper()
	return f.startFrom(budget, types.GenesisState{
		Params: types.DefaultParams(), TokenPrices: []types.TokenPrice{{Epoch: 1, Price: dec(price)}},
	})
}

// The worked example of the specification.
func TestEmissionOfAnEpoch(t *testing.T) {
	f := newFixture(t)
	f.dack.owners[1] = owner(1).String()
	f.startFrom(100, types.GenesisState{
		Params: types.DefaultParams(), TokenPrices: []types.TokenPrice{{Epoch: 1, Price: dec("0.25")}}, BoostedEpoch: 1,
		Boosts: []types.Boost{{Epoch: 1, Operator: valoper(4), Boost: dec("2.5")}},
	})
	f.earn(1, record{2, 0, 10_000}, record{4, 1, 20_000})
	f.close()

	// u is 0.20 * 10,000 for what the protocol's service was paid, 0.05 * 20,000 for the other; a unit of it earns 0.5 / 0.25
	// tokens in all. Worker 2 has no boost: 0.80 / 4 of 4,000; worker 4 has 2.5: 0.80 * 2.5 / 4 of 2,000.
	e := f.summary(1).Emission
	require.Equal(t, sdk.NewDecCoins(sdk.NewInt64DecCoin(token, 800)).String(), f.node(2).String())
	require.Equal(t, sdk.NewDecCoins(sdk.NewInt64DecCoin(token, 1_000)).String(), f.node(4).String())
	require.EqualValues(t, 300, f.bank.GetBalance(f.ctx, owner(1), token).Amount.Int64()) // 0.15 of 2,000
	require.EqualValues(t, 800+100, f.poolOf(token))                                      // 0.20 of 4,000, 0.05 of 2,000
	require.Equal(t, "3000 1800 300 900 0 0", e.Earned.String()+" "+e.Nodes.String()+" "+e.Owners.String()+" "+
		e.Community.String()+" "+e.SetAside.String()+" "+e.Forfeited.String())
	require.Len(t, f.payouts(1), 8, "two nodes, an owner and the community pool, in both coins")
	require.Equal(t, "190258", e.Cap.String())
	require.Equal(t, types.Payout{
		Epoch: 1, Kind: types.PAYOUT_KIND_NODE_EMISSION, Id: 4, Recipient: valoper(4), Amount: math.NewInt(1_000), Denom: token,
	}, f.payoutOf(1, types.PAYOUT_KIND_NODE_EMISSION, 4))
}

func (f *fixture) payoutOf(epoch uint64, kind types.PayoutKind, id uint64) types.Payout {
	f.t.Helper()
	for _, p := range f.payouts(epoch) {
		if p.Kind == kind && p.Id == id {
			return p
		}
	}
	f.t.Fatalf("epoch %d has no payout of kind %s and id %d", epoch, kind, id)
	return types.Payout{}
}

// More than the cap is scaled down for all alike.
func TestCapScalesAllParts(t *testing.T) {
	f := newFixture(t)
	f.dack.owners[1] = owner(1).String()
	f.startPriced(100, "0.000001")
	f.earn(1, record{2, 1, 20_000}, record{4, 0, 10_000})
	f.close()
	e := f.summary(1).Emission
	require.True(t, e.Earned.GT(e.Cap))
	require.True(t, e.Minted(true).LTE(e.Cap) && e.Cap.Sub(e.Minted(true)).LT(math.NewInt(5)), "%s of %s", e.Minted(true), e.Cap)
	require.Equal(t, types.ScaleToCap(math.NewInt(150_000_000*1/2), e.Earned, e.Cap).String(), f.bank.GetBalance(f.ctx, owner(1), token).Amount.String())
}

// Nothing is minted for a node that is gone, tombstoned, without tokens or unbonded, and nobody else gets more for it; a jailed one
// and one that is on its way out have delegators who earned and cannot leave at once.
func TestForfeitedTokensAreNotMinted(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil    func(*fixture)
		forfeits bool
	}{
		"bonded":        {func(*fixture) {}, false},
		"jailed":        {func(f *fixture) { f.nodes.jailed[valoper(2)] = true }, false},
		"gone":          {func(f *fixture) { f.nodes.gone[valoper(2)] = true }, true},
		"tombstoned":    {func(f *fixture) { f.nodes.tombstoned[valoper(2)] = true }, true},
		"without token": {func(f *fixture) { f.nodes.poor[valoper(2)] = true }, true},
		"unbonding":     {func(f *fixture) { f.nodes.status[valoper(2)] = stakingtypes.Unbonding }, false},
		"unbonded":      {func(f *fixture) { f.nodes.status[valoper(2)] = stakingtypes.Unbonded }, true},
		"no address":    {func(f *fixture) { f.dack.missing[2] = true }, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t).startPriced(100, "0.25")
			tc.spoil(f)
			f.earn(1, record{2, 0, 10_000}, record{4, 0, 10_000})
			f.close()
			e := f.summary(1).Emission
			require.Equal(t, sdk.NewDecCoins(sdk.NewInt64DecCoin(token, 800)).String(), f.node(4).String())
			require.Equal(t, "3200", e.Earned.String())
			if tc.forfeits {
				require.Equal(t, "800 800", e.Nodes.String()+" "+e.Forfeited.String())
				require.Empty(t, f.node(2))
			} else {
				require.Equal(t, "1600 0", e.Nodes.String()+" "+e.Forfeited.String())
			}
			require.True(t, e.SetAside.IsZero())
		})
	}
}

// Tokens that are set aside go to the node when the cause is gone; if the node is gone by then, to the community pool, but not
// before the epoch is paid: what is booked for the community pool until then is still to be minted.
func TestRetryOfTokens(t *testing.T) {
	retry := &types.MsgRetryPayout{Sender: somebody, Epoch: 1, Kind: types.PAYOUT_KIND_NODE_EMISSION, Id: 2}
	begin := func(t *testing.T, budget uint32) *fixture {
		t.Helper()
		f := newFixture(t)
		f.dack.owners[1] = owner(1).String()
		f.startPriced(budget, "0.25")
		f.distr.node = func(string) error { return errBoom }
		f.earn(1, record{2, 0, 10_000}, record{4, 1, 10_000})
		return f
	}
	t.Run("the cause is gone", func(t *testing.T) {
		f := begin(t, 100)
		f.close()
		require.EqualValues(t, 1000, f.summary(1).Emission.SetAside.Int64())
		require.EqualValues(t, 1000, f.bank.GetBalance(f.ctx, account, token).Amount.Int64())
		f.retryFails(f.setAside()[0])
		f.distr.node = nil
		f.nodes.err = errBoom
		f.retryFails(f.setAside()[0])
		f.nodes.err = nil
		resp, err := f.msgs.RetryPayout(f.ctx, retry)
		require.NoError(t, err)
		require.Equal(t, "800", resp.Paid.String())
		require.Equal(t, sdk.NewDecCoins(sdk.NewInt64DecCoin(token, 800)).String(), f.node(2).String())
		require.Equal(t, "800 200", f.summary(1).Emission.Nodes.String()+" "+f.summary(1).Emission.SetAside.String())
		f.check()
	})
	t.Run("the node is unbonded", func(t *testing.T) {
		f := begin(t, 100)
		f.close()
		f.distr.node = nil
		f.nodes.status[valoper(2)] = stakingtypes.Unbonded
		before := f.export()
		_, err := f.msgs.RetryPayout(f.ctx, retry)
		require.ErrorIs(t, err, types.ErrNodeUnbonded)
		require.Equal(t, before, f.export())
		f.nodes.status[valoper(2)] = stakingtypes.Unbonding
		_, err = f.msgs.RetryPayout(f.ctx, retry)
		require.NoError(t, err)
		require.Equal(t, "800", f.summary(1).Emission.Nodes.String())
		f.check()
	})
	t.Run("the node is gone", func(t *testing.T) {
		f := begin(t, 100)
		f.close()
		before := f.poolOf(token)
		f.nodes.gone[valoper(2)] = true
		_, err := f.msgs.RetryPayout(f.ctx, retry)
		require.NoError(t, err)
		require.EqualValues(t, before+800, f.poolOf(token))
		e := f.summary(1).Emission
		require.Equal(t, "0 200", e.Nodes.String()+" "+e.SetAside.String())
		require.Equal(t, f.poolOf(token), e.Community.Int64())
		require.Empty(t, f.payoutOf(1, types.PAYOUT_KIND_NODE_EMISSION, 2).Recipient)
		f.check()
		f.reimport()
	})
	t.Run("the node is gone while the epoch is being paid", func(t *testing.T) {
		f := begin(t, 1)
		f.block(time.Minute)
		for len(f.setAside()) == 0 {
			f.block(0)
		}
		f.nodes.gone[valoper(2)] = true
		before := f.export()
		_, err := f.msgs.RetryPayout(f.ctx, retry)
		require.ErrorIs(t, err, types.ErrStillPaying)
		require.ErrorIs(t, f.k.RetryItem(f.ctx, 1, types.ItemKey(types.PAYOUT_KIND_NODE_EMISSION, 2)), types.ErrStillPaying)
		require.Equal(t, before, f.export())
		// One that is there can be paid.
		f.distr.node, f.nodes.gone[valoper(2)] = nil, false
		_, err = f.msgs.RetryPayout(f.ctx, retry)
		require.NoError(t, err)
		for range 20 {
			f.block(0)
		}
		require.True(t, f.summary(1).Done)
		require.Empty(t, f.setAside())
	})
}

// Tokens that cannot be minted set the stage aside as a whole: nothing is kept for anybody, and the retry mints it.
func TestMintThatFails(t *testing.T) {
	f := newFixture(t).startPriced(3, "0.25")
	f.earn(1, record{2, 0, 10_000}, record{4, 0, 10_000})
	f.bank.mint = func() error { return errBoom }
	f.close()
	require.EqualValues(t, 8_000, f.balance(operator(2)), "the settlement coin was paid")
	require.False(t, f.summary(1).Done)
	require.True(t, f.summary(1).Emission.Nodes.IsZero())
	require.EqualValues(t, tokens, f.bank.GetSupply(f.ctx, token).Amount.Int64())
	f.bank.mint = nil
	for done := false; !done; {
		resp, err := f.epoch.RetryItem(f.ctx, &epochtypes.MsgRetryItem{Sender: somebody, Epoch: 1, Stage: epochtypes.StagePay})
		require.NoError(t, err)
		f.check()
		done = resp.Done
	}
	require.Equal(t, "1600", f.summary(1).Emission.Nodes.String())
}

// Terms count from the next epoch on, as shares do.
func TestTermsAreThoseOfTheEpochOfTheDebit(t *testing.T) {
	f := newFixture(t).startPriced(100, "0.25")
	for e := uint64(1); e <= 3; e++ {
		f.earn(e, record{2, 0, 10_000})
	}
	changed := types.DefaultParams()
	changed.Emission.Guard, changed.Emission.MaxBoost = dec("0.25"), dec("2")
	_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: changed})
	require.NoError(t, err)
	f.close()
	off := changed
	off.Emission.Inflation = dec("0")
	_, err = f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: off})
	require.NoError(t, err)
	f.close()
	f.close()
	require.Equal(t, "800", f.summary(1).Emission.Nodes.String())   // 0.80 / 4 of 0.5 * 2,000 / 0.25
	require.Equal(t, "800", f.summary(2).Emission.Nodes.String())   // 0.80 / 2 of 0.25 * 2,000 / 0.25
	require.Equal(t, "1200", f.summary(3).Emission.Earned.String()) // and nothing may be minted
	require.True(t, f.summary(3).Emission.Minted(true).IsZero() && f.summary(3).Emission.Cap.IsZero())
	require.Equal(t, []types.EmissionTermsChange{
		{Epoch: 1, Terms: types.DefaultEmissionTerms()}, {Epoch: 2, Terms: changed.Emission}, {Epoch: 3, Terms: off.Emission},
	}, f.export().EmissionChanges)
	_, err = f.k.Terms(f.ctx, 0)
	require.ErrorIs(t, err, types.ErrTermsNotFound)
}

// A year begins with the first epoch that closes and ends 365 days later, whenever epochs close; its cap is by the supply at the
// first close in it.
func TestEmissionYears(t *testing.T) {
	f := newFixture(t).startPriced(100, "0.25")
	year := func() types.EmissionYear {
		t.Helper()
		y, err := f.k.Year(f.ctx)
		require.NoError(t, err)
		require.NotNil(t, y)
		return *y
	}
	y, err := f.k.Year(f.ctx)
	require.NoError(t, err)
	require.Nil(t, y)
	f.earn(1, record{2, 0, 10_000})
	f.close()
	first := year()
	e, err := f.epochs.Epoch(f.ctx, 1)
	require.NoError(t, err)
	require.Equal(t, types.EmissionYear{Number: 1, Start: *e.EndTime, Supply: math.NewInt(tokens)}, first)

	f.block(types.EmissionYearDuration - 2*time.Minute) // epoch 2 ends in the first year
	f.close()
	require.Equal(t, first, year())
	require.Equal(t, f.summary(1).Emission.Cap, f.summary(2).Emission.Cap, "the same cap however long the epoch took")
	f.block(3 * types.EmissionYearDuration)
	f.close()
	third := year()
	require.EqualValues(t, 4, third.Number)
	require.Equal(t, first.Start.Add(3*types.EmissionYearDuration), third.Start)
	require.EqualValues(t, tokens+1600, third.Supply.Int64())
	require.Equal(t, types.EpochCap(dec("0.1"), third.Supply, time.Minute), f.summary(3).Emission.Cap)
	f.reimport()
}

// failing mint of the bank.
func (b *failingBank) MintCoins(ctx context.Context, module string, amt sdk.Coins) error {
	if b.mint != nil && module == types.ModuleName {
		return b.mint()
	}
	return b.BaseKeeper.MintCoins(ctx, module, amt)
}
