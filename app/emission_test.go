package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// emitting changes a genesis so that a token has a price and validators take a tenth as commission.
func emitting(price string) func(*chain, app.GenesisState) {
	return func(c *chain, state app.GenesisState) {
		cdc := c.app.AppCodec()
		var rewards rewardstypes.GenesisState
		cdc.MustUnmarshalJSON(state[rewardstypes.ModuleName], &rewards)
		rewards.TokenPrices = []rewardstypes.TokenPrice{{Epoch: 1, Price: math.LegacyMustNewDecFromStr(price)}}
		state[rewardstypes.ModuleName] = cdc.MustMarshalJSON(&rewards)

		var staking stakingtypes.GenesisState
		cdc.MustUnmarshalJSON(state[stakingtypes.ModuleName], &staking)
		tenth := math.LegacyNewDecWithPrec(1, 1)
		for i := range staking.Validators {
			staking.Validators[i].Commission = stakingtypes.NewCommission(tenth, math.LegacyOneDec(), tenth)
		}
		state[stakingtypes.ModuleName] = cdc.MustMarshalJSON(&staking)
	}
}

// nodeIncome is what x/distribution has for a validator, its commission and one of its delegators, in uedge.
type nodeIncome struct{ all, commission, delegator math.LegacyDec }

func (c *chain) nodeIncome(operator sdk.ValAddress, delegator sdk.AccAddress) (n nodeIncome) {
	c.t.Helper()
	all, err := c.app.DistrKeeper.GetValidatorOutstandingRewards(c.ctx(), operator)
	require.NoError(c.t, err)
	commission, err := c.app.DistrKeeper.GetValidatorAccumulatedCommission(c.ctx(), operator)
	require.NoError(c.t, err)
	rewards, err := distrkeeper.NewQuerier(c.app.DistrKeeper).DelegationRewards(c.ctx(), &distrtypes.QueryDelegationRewardsRequest{
		DelegatorAddress: delegator.String(), ValidatorAddress: operator.String(),
	})
	require.NoError(c.t, err)
	return nodeIncome{
		all: all.Rewards.AmountOf(app.BondDenom), commission: commission.Commission.AmountOf(app.BondDenom),
		delegator: rewards.Rewards.AmountOf(app.BondDenom),
	}
}

// The whole path of the tokens on the real application: what an epoch mints is what the specification says, the node's part
// reaches its delegators by their stake, less the commission, and nothing else changes the supply.
func TestEmissionReachesDelegators(t *testing.T) {
	alice, dora := newKey("alice"), newKey("dora")
	c := newChainFrom(t, nil, emitting("0.1"), alice, dora)
	c.supply = nil // it grows
	operator := sdk.ValAddress(addressOf(c.validator))
	c.send(dora, 400_000, nil, stakingtypes.NewMsgDelegate(addressOf(dora).String(), operator.String(), sdk.NewInt64Coin(app.BondDenom, bonded)))
	m := newMoney(c, alice)
	c.closeEpoch()

	paid := m.settle(4<<30 + 99_999_999)
	c.block()
	c.block() // the fees of the settlement are distributed
	supply, pool := c.totalSupply().AmountOf(app.BondDenom), c.poolOf(app.BondDenom)
	before := c.nodeIncome(operator, addressOf(dora))
	epoch := c.closeEpoch()
	after := c.nodeIncome(operator, addressOf(dora))

	s, err := c.app.RewardsKeeper.Summary(c.ctx(), epoch)
	require.NoError(t, err)
	e := s.Emission
	require.Equal(t, paid, s.Debited.Int64())

	// The content service is the protocol's, so that nobody can get 0.20 of a payment back: tokens for half of that are earned,
	// split 0.80 / 4 for a node without a lock, and 0.15 + 0.05 for the community pool. 0.1 a token, in integers:
	u := paid * 20 / 100
	nodes, community := u*5*8/10/4, u*5*15/100+u*5*5/100
	require.Positive(t, nodes)
	require.Equal(t, nodes, e.Nodes.Int64())
	require.Equal(t, community, e.Community.Int64())
	require.Equal(t, nodes+community, e.Earned.Int64())
	require.True(t, e.Owners.IsZero() && e.SetAside.IsZero() && e.Forfeited.IsZero(), e.String())
	require.True(t, e.Earned.LTE(e.Cap))
	require.Equal(t, supply.Add(e.Minted(true)).String(), c.totalSupply().AmountOf(app.BondDenom).String())
	require.Equal(t, math.LegacyNewDec(community).String(), c.poolOf(app.BondDenom).Sub(pool).String())
	require.Zero(t, c.balance(authtypes.NewModuleAddress(rewardstypes.ModuleName), app.BondDenom))

	// A tenth is the commission, the rest is shared by two equal delegations.
	require.Equal(t, e.Nodes.ToLegacyDec().String(), after.all.Sub(before.all).String())
	require.Equal(t, e.Nodes.ToLegacyDec().QuoInt64(10).String(), after.commission.Sub(before.commission).String())
	share := e.Nodes.ToLegacyDec().MulInt64(9).QuoInt64(20)
	require.True(t, after.delegator.Sub(before.delegator).Sub(share).Abs().LT(math.LegacyOneDec()), "%s of %s", after.delegator.Sub(before.delegator), share)

	// The delegator can have it.
	balance := c.balance(addressOf(dora), app.BondDenom)
	c.send(dora, 400_000, nil, distrtypes.NewMsgWithdrawDelegatorReward(addressOf(dora).String(), operator.String()))
	fee := int64(400_000/400) + 1
	require.GreaterOrEqual(t, c.balance(addressOf(dora), app.BondDenom)+fee-balance, share.TruncateInt64())
	require.NoError(t, c.app.CheckInvariants(c.ctx()))

	// The year began with the first epoch that closed, and an import goes on with it.
	year, err := c.app.RewardsKeeper.Year(c.ctx())
	require.NoError(t, err)
	require.EqualValues(t, 1, year.Number)
}

// Without a price, or when the last one is no longer valid, an epoch pays as ever and mints nothing.
func TestNothingIsMintedWithoutAPrice(t *testing.T) {
	alice := newKey("alice")
	c := newChain(t, alice)
	m := newMoney(c, alice)
	c.closeEpoch()
	require.Positive(t, m.settle(1<<30))
	s, err := c.app.RewardsKeeper.Summary(c.ctx(), c.closeEpoch())
	require.NoError(t, err)
	require.True(t, s.Nodes.IsPositive() && s.Emission.Earned.IsZero() && s.Emission.Minted(true).IsZero() && s.Emission.Cap.IsPositive(), s.String())
}

// poolOf is what the community pool holds of a coin, by x/distribution's own records.
func (c *chain) poolOf(denom string) math.LegacyDec {
	c.t.Helper()
	pool, err := c.app.DistrKeeper.FeePool.Get(c.ctx())
	require.NoError(c.t, err)
	return pool.CommunityPool.AmountOf(denom)
}
