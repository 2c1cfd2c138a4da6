package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"

	"github.com/edgechain/edge/app"
)

// depositsAddress is where deposits are.
func depositsAddress() sdk.AccAddress { return authtypes.NewModuleAddress("gov_deposits") }

// deposited returns what is there, in the staking coin.
func (c *chain) deposited() int64 { return c.balance(depositsAddress(), app.BondDenom) }

// A proposal that spends all that x/gov has does not take the deposits of others, whose refund would halt the chain.
func TestProposalsCannotSpendDeposits(t *testing.T) {
	alice, bob := newKey("alice"), newKey("bob")
	c := newGovernedChain(t, alice, bob)
	gov, from := authtypes.NewModuleAddress(govtypes.ModuleName), addressOf(alice)
	const deposit = 9_000_000
	c.must(c.tx(alice, 500_000, 0, submission(t, alice, sdk.NewCoins(stakingCoin(deposit)), false)))
	require.EqualValues(t, deposit, c.deposited())
	require.Zero(t, c.balance(gov, app.BondDenom))

	spend := func(amount int64) *govv1.Proposal {
		t.Helper()
		return c.govern(banktypes.NewMsgSend(gov, addressOf(bob), sdk.NewCoins(stakingCoin(amount))))
	}
	require.Equal(t, govv1.StatusFailed, spend(1).Status)
	// What somebody gives it, it can spend; and no more.
	c.must(c.tx(alice, 300_000, 0, transfer(from, gov, 5)))
	require.Equal(t, govv1.StatusFailed, spend(6).Status)
	before := c.balance(addressOf(bob), app.BondDenom)
	require.Equal(t, govv1.StatusPassed, spend(5).Status)
	require.EqualValues(t, 5, c.balance(addressOf(bob), app.BondDenom)-before)
	require.EqualValues(t, deposit, c.deposited())

	res := c.block(c.tx(alice, 300_000, 0, transfer(from, depositsAddress(), 5)))
	require.Equal(t, sdkerrors.ErrUnauthorized.ABCICode(), res[0].Code)

	// The time for deposits ends, and alice gets hers back.
	before = c.balance(from, app.BondDenom)
	c.now = c.now.Add(3 * day)
	c.block()
	require.EqualValues(t, deposit, c.balance(from, app.BondDenom)-before)
	require.Zero(t, c.deposited())
}

// Who sends a coin to x/gov does not keep an exported chain from starting again, with all deposits.
func TestExportWithCoinsOfGovernance(t *testing.T) {
	alice := newKey("alice")
	c := newGovernedChain(t, alice)
	gov := authtypes.NewModuleAddress(govtypes.ModuleName)
	c.must(c.tx(alice, 700_000, 0,
		transfer(addressOf(alice), gov, 1), submission(t, alice, sdk.NewCoins(stakingCoin(9_000_000)), false)))
	d := c.resume(c.export())
	d.block()
	require.EqualValues(t, 1, d.balance(gov, app.BondDenom))
	require.EqualValues(t, 9_000_000, d.deposited())
}

// What a cancelled proposal costs goes where the parameters say, and the rest back.
func TestCancelledDeposits(t *testing.T) {
	pool := authtypes.NewModuleAddress(distrtypes.ModuleName).String()
	for _, to := range []string{"", pool} {
		alice := newKey("alice")
		c := newChainFrom(t, nil, func(c *chain, state app.GenesisState) {
			edit(t, c, state, govtypes.ModuleName, func(gs *govv1.GenesisState) {
				gs.Params.ProposalCancelRatio, gs.Params.ProposalCancelDest = "0.25", to
				period, expedited := time.Hour, 10*time.Minute
				gs.Params.VotingPeriod, gs.Params.ExpeditedVotingPeriod = &period, &expedited
			})
		}, alice)
		c.supply = nil // some of it burns
		const charge = 9_000_000 / 4
		var paid int64
		funded := c.poolOf(app.BondDenom)
		burnt := c.burnt(func() {
			c.must(c.tx(alice, 500_000, 0, submission(t, alice, sdk.NewCoins(stakingCoin(4*charge)), false)))
			before := c.balance(addressOf(alice), app.BondDenom)
			c.must(c.tx(alice, 500_000, 0, govv1.NewMsgCancelProposal(1, addressOf(alice).String())))
			paid = c.balance(addressOf(alice), app.BondDenom) - before
		})
		require.Zero(t, c.deposited())
		require.Positive(t, paid)
		require.LessOrEqual(t, paid, int64(3*charge), "the rest, less the fee")
		if to == "" {
			require.EqualValues(t, charge, burnt.Int64())
			continue
		}
		require.Zero(t, burnt.Int64())
		require.True(t, c.poolOf(app.BondDenom).Sub(funded).GTE(math.LegacyNewDec(charge)))
	}
}
