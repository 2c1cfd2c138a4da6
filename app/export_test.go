package app_test

import (
	"encoding/json"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// moment is a chain that was exported after a block.
type moment struct {
	name       string
	state      app.GenesisState
	validators []cmttypes.GenesisValidator
	now        time.Time
	height     int64
}

// A chain that is exported while an epoch is summed, while it is paid out, or while withdrawals wait in line, goes on from
// the document to the same end as the chain that was not exported.
func TestExportInTheMiddle(t *testing.T) {
	owners := marketKeys(3)
	c := newChainFrom(t, nil, func(c *chain, state app.GenesisState) {
		edit(t, c, state, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) { gs.Params.CloseBudget = 1 })
		edit(t, c, state, dacktypes.ModuleName, func(gs *dacktypes.GenesisState) { gs.Params.WithdrawalsPerBlock = 1 })
	}, owners...)
	m := newMarket(c, owners, 7) // more records than the sum stage handles in a block
	c.closeEpoch()
	var txs [][]byte
	for i := range m.workers {
		txs = append(txs, c.tx(m.workers[i].hot, 500_000, 0, m.settlement(i, uint64(i+1)<<30+77, 0, 1, 2)))
	}
	c.must(txs...)
	for _, owner := range owners {
		c.send(owner, 500_000, nil, &dacktypes.MsgRequestWithdrawal{
			Owner: addressOf(owner).String(), Amount: sdk.NewInt64Coin(settlement, 1_234_567),
		})
	}
	last, err := c.app.EpochKeeper.CurrentNumber(c.ctx())
	require.NoError(t, err)

	moments := make(map[string]moment)
	for range 5 * int(epochTime/blockTime) {
		c.block()
		for _, found := range middle(t, c) {
			moments[found.name] = found // the last one of a kind is the deepest in the middle
		}
	}
	current, err := c.app.EpochKeeper.CurrentNumber(c.ctx())
	require.NoError(t, err)
	require.GreaterOrEqual(t, current, last+3, "all is paid")
	require.Len(t, moments, 3)

	for name, from := range moments {
		t.Run(name, func(t *testing.T) {
			d := c.resume(from)
			for d.app.LastBlockHeight() < c.app.LastBlockHeight() {
				d.block()
			}
			keys := append(owners, c.validator)
			for _, key := range keys {
				for _, denom := range []string{app.BondDenom, settlement} {
					require.Equal(t, c.balance(addressOf(key), denom), d.balance(addressOf(key), denom))
				}
			}
			requireSameState(t, from, c, d)
		})
	}
	for _, owner := range owners {
		require.EqualValues(t, wealth-deposit+1_234_567, c.balance(addressOf(owner), settlement))
	}
}

// requireSameState compares a chain with one that started from a document that it exported.
func requireSameState(t *testing.T, from moment, c, d *chain) {
	t.Helper()
	a, b := c.export(), d.export()
	// A set that was sent in one of the last two blocks before the export is the one with which the new chain starts.
	edit(t, c, a.state, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) {
		for i, set := range gs.ValidatorSets {
			if set.SentHeight < from.height {
				gs.ValidatorSets[i].Height = min(set.Height, from.height)
			}
		}
	})
	for _, name := range []string{"node", "epoch", "dack", "rewards", "bank"} {
		require.JSONEq(t, string(a.state[name]), string(b.state[name]), name)
	}
}

func (c *chain) export() moment {
	c.t.Helper()
	exported, err := c.app.ExportAppStateAndValidators(false, nil, nil)
	require.NoError(c.t, err)
	var state app.GenesisState
	require.NoError(c.t, json.Unmarshal(exported.AppState, &state))
	return moment{state: state, validators: exported.Validators, now: c.now, height: exported.Height}
}

// middle exports the chain and says in the middle of what it is.
func middle(t *testing.T, c *chain) (found []moment) {
	t.Helper()
	m := c.export()
	cdc := c.app.AppCodec()
	var epoch epochtypes.GenesisState
	var dack dacktypes.GenesisState
	var rewards rewardstypes.GenesisState
	cdc.MustUnmarshalJSON(m.state[epochtypes.ModuleName], &epoch)
	cdc.MustUnmarshalJSON(m.state[dacktypes.ModuleName], &dack)
	cdc.MustUnmarshalJSON(m.state[rewardstypes.ModuleName], &rewards)
	add := func(name string, in bool) {
		if in {
			named := m
			named.name = name
			found = append(found, named)
		}
	}
	current := epoch.Epochs[len(epoch.Epochs)-1].Number
	summed, open := false, false
	for _, r := range dack.WorkerTotals {
		summed = summed || r.Epoch == epoch.Closing.Epoch
	}
	for _, r := range dack.Revenue {
		open = open || r.Epoch == epoch.Closing.Epoch
	}
	add("sum", summed && open)
	paid := 0
	for _, p := range rewards.Payouts {
		if p.Epoch == epoch.Closing.Epoch {
			paid++
		}
	}
	add("pay", len(rewards.Cursors) != 0 && paid > 1)
	waiting := 0
	for _, a := range dack.Accounts {
		for _, w := range a.Withdrawals {
			if w.Epoch+dacktypes.WithdrawalDelay <= current {
				waiting++
			}
		}
	}
	add("withdrawals", waiting > 0 && waiting < len(dack.Accounts))
	return found
}
