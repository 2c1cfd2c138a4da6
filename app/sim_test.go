//go:build sims

package app_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
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
	simsx.Run(t, app.New, simState, func(tb testing.TB, ti simsx.TestInstance[*app.App], _ []simtypes.Account) {
		tb.Helper()
		ctx := ti.App.NewContext(true).WithBlockHeight(ti.App.LastBlockHeight())
		require.NoError(tb, ti.App.CheckInvariants(ctx))
		_, err := ti.App.ExportAppStateAndValidators(false, nil, nil)
		require.NoError(tb, err)
	})
}
