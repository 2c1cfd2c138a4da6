package app_test

import (
	"fmt"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec/address"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
)

// leastStake is the least stake of a delegation and of an entry, in uedge.
const leastStake = 10_000_000

// newStakers starts a chain with seven validators, which is not one for development, and rich accounts.
func newStakers(t *testing.T, accounts ...*secp256k1.PrivKey) *chain {
	t.Helper()
	return newCommittee(t, setup{
		stakes: sevenStakes(), accounts: accounts,
		change: func(c *chain, state app.GenesisState) {
			production(t, c, state)
			quickVotes(t, c, state)
		},
	})
}

// requireRefused requires that a transaction was refused with an error of the application.
func requireRefused(t *testing.T, want error, res *abci.ExecTxResult) {
	t.Helper()
	space, code, _ := errorsmod.ABCIInfo(want, false)
	require.Equal(t, space, res.Codespace, res.Log)
	require.Equal(t, code, res.Code, res.Log)
}

// worth returns what a delegation is worth, in uedge, with its fraction.
func (c *chain) worth(delegator sdk.AccAddress, v *validator) math.LegacyDec {
	c.t.Helper()
	d, err := c.app.StakingKeeper.GetDelegation(c.ctx(), delegator, v.address())
	if err != nil {
		require.ErrorIs(c.t, err, stakingtypes.ErrNoDelegation)
		return math.LegacyZeroDec()
	}
	return c.staked(v).TokensFromShares(d.Shares)
}

// Neither a delegation nor an entry of stake on its way out is smaller than the least, on whatever way the message comes; all of
// a delegation can always leave.
func TestStakeMovesInLargeParts(t *testing.T) {
	alice, helper := newKey("alice"), newKey("helper")
	c := newStakers(t, alice, helper)
	v, other := c.validators[1], c.validators[2]
	from := addressOf(alice)
	try := func(want error, msgs ...sdk.Msg) {
		t.Helper()
		before := c.worth(from, v)
		res := c.block(c.tx(alice, 2_000_000, 0, msgs...))[0]
		if want == nil {
			require.Zero(t, res.Code, res.Log)
			return
		}
		requireRefused(t, want, res)
		require.Equal(t, before.String(), c.worth(from, v).String())
	}
	try(app.ErrSmallStake, delegation(alice, v, leastStake-1))
	try(nil, delegation(alice, v, leastStake))
	try(nil, delegation(alice, v, 1)) // a top-up can be small
	try(app.ErrSmallStake, undelegation(alice, v, 1))
	try(app.ErrSmallStake, redelegation(alice, v, other, 1))
	try(app.ErrSmallStake, undelegation(alice, v, leastStake)) // would leave 1
	try(app.ErrSmallStake, redelegation(alice, v, other, leastStake))
	try(nil, redelegation(alice, v, other, leastStake+1))
	require.True(t, c.worth(from, v).IsZero())

	try(nil, delegation(alice, v, 3*leastStake))
	try(app.ErrSmallStake, redelegation(alice, v, other, leastStake-1), undelegation(alice, v, 2*leastStake+1))
	try(app.ErrSmallStake, undelegation(alice, v, leastStake-1))
	try(app.ErrSmallStake, undelegation(alice, v, 2*leastStake+1))

	// Nobody gets round it by a grant, one within another, or a proposal.
	exec := func(grantee sdk.AccAddress, msgs ...sdk.Msg) sdk.Msg {
		e := authz.NewMsgExec(grantee, msgs)
		return &e
	}
	gov := authtypes.NewModuleAddress(govtypes.ModuleName)
	for _, msg := range []sdk.Msg{undelegation(alice, v, 1), redelegation(alice, v, other, 1)} {
		c.grant(alice, addressOf(helper), authz.NewGenericAuthorization(sdk.MsgTypeURL(msg)))
		c.grant(alice, gov, authz.NewGenericAuthorization(sdk.MsgTypeURL(msg)))
		requireRefused(t, app.ErrSmallStake, c.block(c.tx(helper, 2_000_000, 0, exec(addressOf(helper), msg)))[0])
		requireRefused(t, app.ErrSmallStake,
			c.block(c.tx(helper, 2_000_000, 0, exec(addressOf(helper), exec(addressOf(helper), msg))))[0])
		proposal := c.governAll(exec(gov, msg))
		require.Equal(t, govv1.StatusFailed, proposal.Status)
		require.Contains(t, proposal.FailedReason, app.ErrSmallStake.Error())
	}

	// An unbonding that is cancelled in part leaves a large part, or nothing.
	try(nil, undelegation(alice, v, 2*leastStake))
	height := c.app.LastBlockHeight()
	cancel := func(amount int64) sdk.Msg {
		return stakingtypes.NewMsgCancelUnbondingDelegation(from.String(), v.address().String(), height, stakingCoin(amount))
	}
	try(app.ErrSmallStake, cancel(leastStake+1))
	try(nil, cancel(1))
	try(app.ErrSmallStake, cancel(leastStake))
	try(nil, cancel(2*leastStake-1))
	require.Equal(t, math.LegacyNewDec(3*leastStake).String(), c.worth(from, v).String())

	// Small validators are none.
	small := newValidator("small", leastStake-1)
	small.operator = helper
	requireRefused(t, app.ErrSmallStake, c.block(c.tx(helper, 2_000_000, 0, small.creation(t)))[0])
	small.stake++
	c.must(c.tx(helper, 2_000_000, 0, small.creation(t)))
}

// What a slash has made too small, or no round number, can leave all the same.
func TestSlashedStakeCanLeave(t *testing.T) {
	alice, bob, carol := newKey("alice"), newKey("bob"), newKey("carol")
	c := newStakers(t, alice, bob, carol)
	v := c.validators[1]
	for _, k := range []*secp256k1.PrivKey{alice, bob, carol} {
		c.must(c.tx(k, 500_000, 0, delegation(k, v, leastStake)))
	}
	ctx := c.ctx()
	cons, err := c.staked(v).GetConsAddr()
	require.NoError(t, err)
	fraction := math.LegacyNewDecWithPrec(1, 1).QuoInt64(3)
	_, err = c.app.StakingKeeper.Slash(ctx, cons, ctx.BlockHeight(), c.staked(v).Tokens.Int64(), fraction)
	require.NoError(t, err)
	left := c.worth(addressOf(alice), v)
	require.False(t, left.IsInteger(), left)
	require.True(t, left.LT(math.LegacyNewDec(leastStake)))

	requireRefused(t, app.ErrSmallStake, c.block(c.tx(alice, 900_000, 0, undelegation(alice, v, leastStake/2)))[0])
	c.must(c.tx(alice, 900_000, 0, undelegation(alice, v, left.TruncateInt64())))
	require.True(t, c.worth(addressOf(alice), v).LT(math.LegacyOneDec()))
	c.must(c.tx(bob, 900_000, 0, redelegation(bob, v, c.validators[2], left.TruncateInt64())))

	// The least can be delegated at any rate of shares, and be topped up to.
	requireRefused(t, app.ErrSmallStake, c.block(c.tx(carol, 900_000, 0, delegation(carol, v, 1)))[0])
	c.must(c.tx(carol, 900_000, 0, delegation(carol, v, leastStake)))
	requireRefused(t, app.ErrSmallStake, c.block(c.tx(alice, 900_000, 0, delegation(alice, v, leastStake-2)))[0])
	c.must(c.tx(alice, 900_000, 0, delegation(alice, v, leastStake)))
}

// On a chain for development stakes can be as small as one likes.
func TestDevelopmentStakesAreFree(t *testing.T) {
	alice := newKey("alice")
	c := newCommittee(t, setup{stakes: sevenStakes(), accounts: []*secp256k1.PrivKey{alice}})
	v := c.validators[1]
	c.must(c.tx(alice, 900_000, 0, delegation(alice, v, 5), undelegation(alice, v, 1), redelegation(alice, v, c.validators[2], 1)))
}

// redelegate writes redelegations of others from a validator, up to a number.
func (c *chain) redelegate(src, dst *validator, from, to int) {
	c.t.Helper()
	ctx := c.ctx()
	for i := from; i < to; i++ {
		delegator := addressOf(newKey(fmt.Sprintf("delegator %d", i)))
		red := stakingtypes.NewRedelegation(delegator, src.address(), dst.address(), c.app.LastBlockHeight(), c.now.Add(21*24*time.Hour),
			math.OneInt(), math.LegacyOneDec(), uint64(1_000_000+i),
			address.NewBech32Codec("edgevaloper"), address.NewBech32Codec("edge"))
		require.NoError(c.t, c.app.StakingKeeper.SetRedelegation(ctx, red))
	}
}

// So many redelegations can be under way from a validator: an eighth of them of anybody and with several entries, and the others only
// if they move a part of its stake that grows to a thousandth. Others are not in the way of it, nor is any of it in the way of
// undelegating.
func TestRedelegationsUnderWayAreBounded(t *testing.T) {
	const most, open = 2_000, 250
	alice := newKey("alice")
	c := newCommittee(t, setup{stakes: sevenStakes(), accounts: []*secp256k1.PrivKey{alice}})
	v, first, second, third, fourth := c.validators[1], c.validators[2], c.validators[3], c.validators[4], c.validators[5]
	c.must(c.tx(alice, 500_000, 0, delegation(alice, v, v.stake)))
	move := func(dst *validator, amount int64) *abci.ExecTxResult {
		t.Helper()
		return c.block(c.tx(alice, 1_500_000, 0, redelegation(alice, v, dst, amount)))[0]
	}
	must := func(res *abci.ExecTxResult) {
		t.Helper()
		require.Zero(t, res.Code, res.Log)
	}
	must(move(first, 1))
	c.redelegate(v, c.validators[0], 1, open-1)
	must(move(first, 1))
	c.redelegate(v, c.validators[0], open-1, open)
	requireRefused(t, app.ErrNoRoom, move(first, v.stake/2))
	must(move(second, 1))

	// Three quarters of the way from 250 to 1,000, three quarters of a thousandth.
	c.redelegate(v, c.validators[0], open, 811)
	part := c.staked(v).Tokens.MulRaw(812 - open).QuoRaw((1_000 - open) * 1_000).Int64()
	requireRefused(t, app.ErrNoRoom, move(third, part-1))
	must(move(third, part))
	c.redelegate(v, c.validators[0], 811, most-3)
	large := c.staked(v).Tokens.QuoRaw(1_000).Int64()
	requireRefused(t, app.ErrNoRoom, move(fourth, large-1))
	must(move(fourth, large))
	requireRefused(t, app.ErrNoRoom, move(c.validators[6], v.stake/2))
	c.must(c.tx(alice, 500_000, 0, undelegation(alice, v, 1)))
	c.must(c.tx(alice, 900_000, 0, delegation(alice, c.validators[0], 5), redelegation(alice, c.validators[0], c.validators[6], 5)))
}

// delegate writes delegations of others to a validator, until there are so many.
func (c *chain) delegate(v *validator, from, to int) {
	c.t.Helper()
	ctx := c.ctx()
	for i := from; i < to; i++ {
		d := stakingtypes.NewDelegation(addressOf(newKey(fmt.Sprintf("delegator %d", i))).String(), v.address().String(), math.LegacyOneDec())
		require.NoError(c.t, c.app.StakingKeeper.SetDelegation(ctx, d))
	}
}

// Who puts little in and takes all of it out at once is visited by a slash for weeks. The stake of such delegators is not among what the
// validator has, but bounds their number all the same.
func TestLeaversAreBounded(t *testing.T) {
	const few, many = 5_400, 5_500
	alice, bob := newKey("alice"), newKey("bob")
	c := newStakers(t, alice, bob)
	v := c.validators[1]
	leave := func(from, to int) {
		t.Helper()
		coins := sdk.NewCoins(stakingCoin(int64(to-from) * leastStake))
		require.NoError(t, c.app.BankKeeper.SendCoinsFromAccountToModule(c.ctx(), addressOf(alice), stakingtypes.NotBondedPoolName, coins))
		for i := from; i < to; i++ {
			_, err := c.app.StakingKeeper.SetUnbondingDelegationEntry(c.ctx(), addressOf(newKey(fmt.Sprintf("leaver %d", i))), v.address(),
				c.ctx().BlockHeight(), c.now.Add(21*day), math.NewInt(leastStake))
			require.NoError(t, err)
		}
	}
	in, out := delegation(bob, v, leastStake), undelegation(bob, v, leastStake)
	leave(0, few)
	c.must(c.tx(alice, 5_000_000, 0, delegation(alice, v, leastStake), undelegation(alice, v, leastStake)))
	leave(few, many)
	require.Less(t, c.staked(v).Tokens.Int64(), int64(many*leastStake/10), "of which 10 EDGE are far more than the part of one more")
	requireRefused(t, app.ErrCrowded, c.block(c.tx(bob, 5_000_000, 0, in, out))[0])
	c.must(c.tx(bob, 5_000_000, 0, delegation(bob, v, 2*leastStake)))
}

// Of a validator that has 4,000 delegators another one needs a part of its stake that grows with their number. Those that it has can
// come, go and return.
func TestDelegatorsAreBounded(t *testing.T) {
	const open = 4_000
	alice, bob, carol, dave := newKey("alice"), newKey("bob"), newKey("carol"), newKey("dave")
	c := newStakers(t, alice, bob, carol, dave)
	v, other := c.validators[1], c.validators[2]
	try := func(want error, from *secp256k1.PrivKey, msgs ...sdk.Msg) {
		t.Helper()
		res := c.block(c.tx(from, 5_000_000, 0, msgs...))[0]
		if want == nil {
			require.Zero(t, res.Code, res.Log)
			return
		}
		requireRefused(t, want, res)
	}
	try(nil, alice, delegation(alice, v, wealth/2))
	try(nil, dave, delegation(dave, other, wealth/2))
	c.delegate(v, 2, open) // besides the operator and alice
	try(nil, bob, delegation(bob, v, leastStake))
	c.delegate(v, open, open+999)

	least := c.staked(v).Tokens.QuoRaw(open * 2).Int64()
	require.Greater(t, least, int64(leastStake))
	try(app.ErrCrowded, carol, delegation(carol, v, least-1))
	try(app.ErrCrowded, dave, redelegation(dave, other, v, least-1))
	try(nil, carol, delegation(carol, other, leastStake))
	try(nil, carol, delegation(carol, v, least))

	try(nil, alice, delegation(alice, v, 1))
	try(nil, bob, undelegation(bob, v, leastStake))
	try(nil, bob, delegation(bob, v, leastStake))
	try(nil, bob, undelegation(bob, v, leastStake))
	try(nil, dave, redelegation(dave, other, v, wealth/4))
}
