package app_test

import (
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"

	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

func TestBlocksAndFees(t *testing.T) {
	alice, bob := newKey("alice"), newKey("bob")
	c := newChain(t, alice, bob)
	for range 15 {
		c.block()
	}
	txs := make([][]byte, 5)
	for i := range txs {
		txs[i] = c.tx(alice, 200_000, uint64(i), transfer(addressOf(alice), addressOf(bob), 7))
	}
	for _, r := range c.block(txs...) {
		require.Zero(t, r.Code, r.Log)
	}
	require.EqualValues(t, wealth+35, c.balance(addressOf(bob), app.BondDenom))
	fee := int64(200_000/400 + 1)
	require.EqualValues(t, wealth-35-5*fee, c.balance(addressOf(alice), app.BondDenom))
	// The collector is credited once, at the end of the block.
	require.EqualValues(t, 5*fee, c.balance(authtypes.NewModuleAddress(authtypes.FeeCollectorName), app.BondDenom))
	c.block()
	require.Zero(t, c.balance(authtypes.NewModuleAddress(authtypes.FeeCollectorName), app.BondDenom), "distributed")
}

// Nobody can change a balance that a module has booked.
func TestModuleAccountsRefuseCoins(t *testing.T) {
	alice := newKey("alice")
	c := newChain(t, alice)
	for _, name := range []string{nodetypes.ModuleName, dacktypes.ModuleName, rewardstypes.ModuleName, authtypes.FeeCollectorName} {
		res := c.block(c.tx(alice, 200_000, 0, transfer(addressOf(alice), authtypes.NewModuleAddress(name), 1)))
		require.NotZero(t, res[0].Code, name)
	}
}

func TestDefaultGenesis(t *testing.T) {
	a := newApp(dbm.NewMemDB(), nil)
	state := a.DefaultGenesis()
	require.NoError(t, a.Basics().ValidateGenesis(a.AppCodec(), a.TxConfig(), state))
	require.NotContains(t, state, "mint")
	for name, want := range map[string]string{
		"staking": `"bond_denom":"uedge"`,
		"gov":     `"denom":"uedge"`,
		"bank":    `"base":"uedge"`,
		"node":    `"denom":"uedge"`,
	} {
		require.Contains(t, string(state[name]), want, name)
		require.NotContains(t, string(state[name]), `"stake"`, name)
	}
	var bank banktypes.GenesisState
	a.AppCodec().MustUnmarshalJSON(state[banktypes.ModuleName], &bank)
	require.Len(t, bank.DenomMetadata, 1)
	require.NoError(t, bank.DenomMetadata[0].Validate())
	var gov govv1.GenesisState
	a.AppCodec().MustUnmarshalJSON(state["gov"], &gov)
	require.Equal(t, app.BondDenom, gov.Params.MinDeposit[0].Denom)
	require.Equal(t, app.BondDenom, gov.Params.ExpeditedMinDeposit[0].Denom)
}

func TestExportStartsANewChain(t *testing.T) {
	alice, bob := newKey("alice"), newKey("bob")
	c := newChain(t, alice, bob)
	m := newMoney(c, alice)
	m.settle(5 << 30)
	for range 3 {
		c.block(c.tx(alice, 200_000, 0, transfer(addressOf(alice), addressOf(bob), 7)))
	}

	exported := c.export()
	require.Equal(t, c.app.LastBlockHeight()+1, exported.height)
	require.Len(t, exported.validators, 1)
	d := c.resume(exported)

	// Both chains go on alike, through the closing of the epoch.
	for range 2 * int(epochTime/blockTime) {
		c.block()
		d.block()
	}
	for _, key := range []sdk.AccAddress{addressOf(alice), addressOf(bob), addressOf(c.validator)} {
		for _, denom := range []string{app.BondDenom, settlement} {
			require.Equal(t, c.balance(key, denom), d.balance(key, denom))
		}
	}
	requireSameState(t, exported, c, d)

	_, err := c.app.ExportAppStateAndValidators(true, nil, nil)
	require.Error(t, err)
}

func validatorUpdates(t testing.TB, list []cmttypes.GenesisValidator) (updates []abci.ValidatorUpdate) {
	t.Helper()
	for _, v := range list {
		updates = append(updates, cmttypes.TM2PB.ValidatorUpdate(&cmttypes.Validator{PubKey: v.PubKey, VotingPower: v.Power}))
	}
	return updates
}

// The same blocks give the same state, whoever executes them.
func TestExecutorsAgree(t *testing.T) {
	alice, bob := newKey("alice"), newKey("bob")
	var hashes [][]byte
	for _, executor := range []string{"sequential", "block-stm"} {
		c := newChainWith(t, map[string]any{"block-executor": executor, "block-stm-workers": 2}, alice, bob)
		m := newMoney(c, alice)
		for i := range 3 {
			m.settle(uint64(i+1) << 30)
			c.block(
				c.tx(alice, 200_000, 0, transfer(addressOf(alice), addressOf(bob), 1)),
				c.tx(bob, 200_000, 0, transfer(addressOf(bob), addressOf(alice), 1)),
			)
		}
		for range 2 * int(epochTime/blockTime) {
			c.block()
		}
		hashes = append(hashes, c.last.AppHash)
	}
	require.Equal(t, hashes[0], hashes[1])
}

func TestRestartKeepsTheState(t *testing.T) {
	c := newChain(t)
	for range 5 {
		c.block()
	}
	again := newApp(c.db, nil)
	require.Equal(t, c.app.LastBlockHeight(), again.LastBlockHeight())
	require.Equal(t, c.app.LastCommitID(), again.LastCommitID())
}

// A chain that was halted for days closes one epoch.
func TestHaltedChainClosesOneEpoch(t *testing.T) {
	c := newChain(t)
	before, err := c.app.EpochKeeper.CurrentNumber(c.ctx())
	require.NoError(t, err)
	c.now = c.now.Add(72 * time.Hour)
	for range 3 {
		c.block()
	}
	after, err := c.app.EpochKeeper.CurrentNumber(c.ctx())
	require.NoError(t, err)
	require.Equal(t, before+1, after)
}
