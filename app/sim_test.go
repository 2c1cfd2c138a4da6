//go:build sims

package app_test

import (
	"encoding/json"
	"fmt"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	simcli "github.com/cosmos/cosmos-sdk/x/simulation/client/cli"

	"github.com/edgechain/edge/app"
)

func init() {
	app.Configure()
	simcli.GetSimulatorFlags()
}

func simState(a *app.App) simsx.SimStateFactory {
	return simsx.SimStateFactory{
		Codec:         a.AppCodec(),
		AppStateFn:    simtestutil.AppStateFn(a.AppCodec(), a.SimulationManager(), a.DefaultGenesis()),
		BlockedAddr:   app.BlockedAddresses(),
		AccountSource: a.AccountKeeper,
		BalanceSource: a.BankKeeper,
	}
}

// TestFullAppSimulation runs random messages of all modules over several seeds. At the end the invariants must hold and the
// state must load into a new chain.
func TestFullAppSimulation(t *testing.T) {
	cfg := simcli.NewConfigFromFlags()
	cfg.ChainID = simsx.SimAppChainID
	// The chain does not start without a bound.
	cfg.BlockMaxGas = app.DefaultConsensusParams().Block.MaxGas
	for _, seed := range []int64{1, 2, 32, 123} {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			simsx.RunWithSeed(t, cfg, app.New, simState, seed, nil, checkAfterRun)
		})
	}
}

func checkAfterRun(tb testing.TB, ti simsx.TestInstance[*app.App], _ []simtypes.Account) {
	tb.Helper()
	ctx := ti.App.NewContext(true).WithBlockHeight(ti.App.LastBlockHeight())
	require.NoError(tb, ti.App.CheckInvariants(ctx))
	exported, err := ti.App.ExportAppStateAndValidators(false, nil, nil)
	require.NoError(tb, err)
	// The simulator delivers after EndBlock, where fees are credited to their collector, so that those of a simulation are
	// lost: balances add up to less than the supply. On a chain they do not, see TestExportStartsANewChain.
	var state app.GenesisState
	require.NoError(tb, json.Unmarshal(exported.AppState, &state))
	var bank banktypes.GenesisState
	ti.App.AppCodec().MustUnmarshalJSON(state[banktypes.ModuleName], &bank)
	bank.Supply = nil
	state[banktypes.ModuleName] = ti.App.AppCodec().MustMarshalJSON(&bank)
	document, err := json.Marshal(state)
	require.NoError(tb, err)

	next := app.New(log.NewNopLogger(), dbm.NewMemDB(), true, simtestutil.AppOptionsMap{}, baseapp.SetChainID(ti.Cfg.ChainID))
	params := app.DefaultConsensusParams().ToProto()
	_, err = next.InitChain(&abci.RequestInitChain{
		ChainId: ti.Cfg.ChainID, Time: ctx.BlockTime(), InitialHeight: exported.Height, ConsensusParams: &params,
		AppStateBytes: document, // without validators: their stakes too have moved after EndBlock
	})
	require.NoError(tb, err)
}
