package keeper_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/edgechain/edge/x/node/types"
)

// Whatever operators do in whatever order: the invariants hold after every step, and the state survives an export.
func TestRandomHistory(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := newFixture(t)
		params := types.DefaultParams()
		params.MaxWorkersPerNode, params.RetirementsPerBlock = 3, 2
		_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: f.authority, Params: params})
		require.NoError(r, err)
		operators := []sdk.ValAddress{f.operator(), f.operator()}
		epoch := uint64(1)
		registered := 0
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			operator := operators[rapid.IntRange(0, 1).Draw(r, "operator")]
			switch rapid.IntRange(0, 6).Draw(r, "action") {
			case 0:
				if _, err := f.msgs.RegisterWorker(f.ctx, f.registration(operator)); err == nil {
					registered++
				} else {
					require.ErrorIs(r, err, types.ErrTooManyWorkers)
				}
			case 1:
				id := uint64(rapid.IntRange(0, registered+1).Draw(r, "id"))
				_, _ = f.msgs.RemoveWorker(f.ctx, &types.MsgRemoveWorker{Operator: f.operatorText(operator), WorkerId: id})
			case 2:
				f.bank.refuse[string(operator)] = rapid.Bool().Draw(r, "refuse")
			case 3:
				epoch++
				f.open(epoch)
			case 4:
				_, _ = f.msgs.OptIn(f.ctx, &types.MsgOptIn{Operator: f.operatorText(operator)})
			case 5:
				_, _ = f.msgs.OptOut(f.ctx, &types.MsgOptOut{Operator: f.operatorText(operator)})
			case 6:
				f.ctx = f.ctx.WithBlockHeight(f.ctx.BlockHeight() + 2)
				_, _ = f.msgs.Report(f.ctx, f.report(operator))
			}
			f.check()
			f.endBlock()
		}
		requireRoundTrip(t, f)

		// In the end everybody gets everything back.
		clear(f.bank.refuse)
		gs, err := f.k.ExportGenesis(f.ctx)
		require.NoError(r, err)
		for _, w := range gs.Workers { // parked ones too
			_, _ = f.msgs.RemoveWorker(f.ctx, &types.MsgRemoveWorker{Operator: w.Operator, WorkerId: w.Id})
		}
		f.open(epoch + 4)
		for range 4 {
			f.endBlock()
		}
		for _, o := range operators {
			require.EqualValues(r, wealth, f.balance(o))
		}
	})
}

// requireRoundTrip loads the exported state into a new chain, which must export the same and return the same deposits.
func requireRoundTrip(t *testing.T, f *fixture) {
	t.Helper()
	gs, err := f.k.ExportGenesis(f.ctx)
	require.NoError(t, err)
	require.NoError(t, gs.Validate())
	g := newEmptyFixture(t)
	account := authtypes.NewModuleAddress(types.ModuleName)
	if held := gs.Deposits(); !held.IsZero() {
		g.fund(account, held.AmountOf(types.StakingDenom).Int64())
	}
	require.NoError(t, g.k.InitGenesis(g.ctx, *gs))
	require.Equal(t, f.state(), g.state())
	g.open(gs.Epoch + 4)
	for range len(gs.Workers)/2 + 1 {
		g.endBlock()
	}
	after, err := g.k.ExportGenesis(g.ctx)
	require.NoError(t, err)
	for _, w := range after.Workers {
		if !w.IsParked() {
			require.Equal(t, types.WORKER_STATUS_ACTIVE, w.Status, "a retiring worker is queued after an import too")
		}
	}
}

func TestInitGenesisRefuses(t *testing.T) {
	f := newFixture(t)
	operator := f.operator()
	f.register(operator)
	gone := f.register(operator)
	f.open(3)
	f.remove(operator, gone)
	f.optIn(operator)
	f.optIn(f.operator())
	good, err := f.k.ExportGenesis(f.ctx)
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		change func(gs *types.GenesisState)
		err    error
	}{
		"next id 0":            {func(gs *types.GenesisState) { gs.NextWorkerId = 0 }, types.ErrGenesis},
		"next id is taken":     {func(gs *types.GenesisState) { gs.NextWorkerId = 2 }, types.ErrGenesis},
		"id 0":                 {func(gs *types.GenesisState) { gs.Workers[0].Id = 0 }, types.ErrGenesis},
		"an id twice":          {func(gs *types.GenesisState) { gs.Workers[1].Id = gs.Workers[0].Id }, types.ErrGenesis},
		"a peer key twice":     {func(gs *types.GenesisState) { gs.Workers[1].PeerKey = gs.Workers[0].PeerKey }, types.ErrGenesis},
		"no status":            {func(gs *types.GenesisState) { gs.Workers[0].Status = 0 }, types.ErrGenesis},
		"unknown status":       {func(gs *types.GenesisState) { gs.Workers[0].Status = 3 }, types.ErrGenesis},
		"active but retired":   {func(gs *types.GenesisState) { gs.Workers[0].RetiredEpoch = 1 }, types.ErrGenesis},
		"active with failures": {func(gs *types.GenesisState) { gs.Workers[0].RefundFailures = 1 }, types.ErrGenesis},
		"too many failures": {func(gs *types.GenesisState) {
			gs.Workers[1].RefundFailures = types.MaxRefundFailures + 1
		}, types.ErrGenesis},
		"retired in the future":  {func(gs *types.GenesisState) { gs.Workers[1].RetiredEpoch = 4 }, types.ErrGenesis},
		"retired before it was":  {func(gs *types.GenesisState) { gs.Workers[1].RetiredEpoch = 0 }, types.ErrGenesis},
		"registered in future":   {func(gs *types.GenesisState) { gs.Workers[0].RegisteredEpoch = 4 }, types.ErrGenesis},
		"short peer key":         {func(gs *types.GenesisState) { gs.Workers[0].PeerKey = []byte{1} }, types.ErrPeerKey},
		"no endpoint":            {func(gs *types.GenesisState) { gs.Workers[0].Endpoints = nil }, types.ErrEndpoint},
		"bad region":             {func(gs *types.GenesisState) { gs.Workers[0].Region = "?" }, types.ErrRegion},
		"bad account":            {func(gs *types.GenesisState) { gs.Workers[0].Account = "edge1" }, types.ErrAddress},
		"bad operator":           {func(gs *types.GenesisState) { gs.Workers[0].Operator = "edge1" }, types.ErrAddress},
		"bad params":             {func(gs *types.GenesisState) { gs.Params.MaxWorkersPerNode = 0 }, types.ErrParams},
		"no height of the epoch": {func(gs *types.GenesisState) { gs.EpochHeight = 0 }, types.ErrGenesis},
		"negative height":        {func(gs *types.GenesisState) { gs.EpochHeight = -1 }, types.ErrGenesis},
		"height without epoch":   {func(gs *types.GenesisState) { gs.Epoch, gs.Workers, gs.Nodes = 0, nil, nil }, types.ErrGenesis},
		"epoch out of range":     {func(gs *types.GenesisState) { gs.Epoch = 1 << 63 }, types.ErrGenesis},
		"node twice":             {func(gs *types.GenesisState) { gs.Nodes[1] = gs.Nodes[0] }, types.ErrGenesis},
		"node twice, other case": {func(gs *types.GenesisState) {
			gs.Nodes[1].Operator = strings.ToUpper(gs.Nodes[0].Operator)
		}, types.ErrGenesis},
		"node without operator":      {func(gs *types.GenesisState) { gs.Nodes[0].Operator = "" }, types.ErrAddress},
		"node is an account":         {func(gs *types.GenesisState) { gs.Nodes[0].Operator = f.account() }, types.ErrAddress},
		"node from two epochs on":    {func(gs *types.GenesisState) { gs.Nodes[0].FromEpoch = 5 }, types.ErrGenesis},
		"node's first epoch is late": {func(gs *types.GenesisState) { gs.Nodes[0].FirstEpoch = 5 }, types.ErrGenesis},
		"node since before it began": {func(gs *types.GenesisState) { gs.Nodes[0].SinceEpoch = 3 }, types.ErrGenesis},
		"node since a later epoch":   {func(gs *types.GenesisState) { gs.Nodes[0].SinceEpoch = 5 }, types.ErrGenesis},
		"report to come":             {func(gs *types.GenesisState) { gs.Nodes[0].LastReportEpoch = 4 }, types.ErrGenesis},
		"score of 101":               {func(gs *types.GenesisState) { gs.Nodes[0].Score = 101 }, types.ErrGenesis},
		"down for longer than it is": {func(gs *types.GenesisState) { gs.Nodes[0].DownEpochs = 4 }, types.ErrGenesis},
		"too long a wait":            {func(gs *types.GenesisState) { gs.Params.EligibilityEpochs = 101 }, types.ErrParams},
		"negative deposit":           {func(gs *types.GenesisState) { gs.Workers[0].Deposit.Amount = gs.Workers[0].Deposit.Amount.Neg() }, types.ErrGenesis},
		"account holds too much":     {func(gs *types.GenesisState) { gs.Workers = gs.Workers[:1] }, types.ErrInvariant},
		"account holds too little": {func(gs *types.GenesisState) {
			gs.Workers[0].Deposit.Amount = gs.Workers[0].Deposit.Amount.AddRaw(1)
		}, types.ErrInvariant},
	} {
		t.Run(name, func(t *testing.T) {
			var gs types.GenesisState
			f.cdc.MustUnmarshalJSON(f.cdc.MustMarshalJSON(good), &gs)
			tt.change(&gs)
			g := newEmptyFixture(t)
			g.fund(authtypes.NewModuleAddress(types.ModuleName), 2*types.DefaultWorkerDeposit)
			require.ErrorIs(t, g.k.InitGenesis(g.ctx, gs), tt.err)
		})
	}
}

// Governance can replace the staking coin after genesis; the export of such a chain must start again.
func TestInitGenesisAfterTheStakingCoinChanged(t *testing.T) {
	f := newFixture(t)
	f.register(f.operator())
	gs, err := f.k.ExportGenesis(f.ctx)
	require.NoError(t, err)
	g := newEmptyFixture(t)
	g.staking[otherDenom] = true
	g.fund(authtypes.NewModuleAddress(types.ModuleName), types.DefaultWorkerDeposit)
	require.NoError(t, g.k.InitGenesis(g.ctx, *gs))
	require.Equal(t, f.state(), g.state())
	_, err = g.msgs.UpdateParams(g.ctx, &types.MsgUpdateParams{Authority: g.authority, Params: gs.Params})
	require.ErrorIs(t, err, types.ErrParams, "a change still has to name the staking coin")
}

// The genesis of a new network says who takes part, before any epoch.
func TestInitGenesisOfNewChainWithNodes(t *testing.T) {
	f := newEmptyFixture(t)
	operator := f.operator()
	gs := types.DefaultGenesis()
	gs.Nodes = []types.Node{{Operator: f.operatorText(operator), OptedIn: true, Score: types.StartScore}}
	require.NoError(t, f.k.InitGenesis(f.ctx, *gs))
	require.NoError(t, f.k.OpenEpoch(f.ctx, 1, nil))
	require.Equal(t, types.StandingOK, f.standing(operator, 2))
	_, err := f.msgs.OptIn(f.ctx, &types.MsgOptIn{Operator: f.operatorText(operator)})
	require.ErrorIs(t, err, types.ErrOptedIn)
	requireRoundTrip(t, f)
}

// An address has one text in the state, whatever case the document has it in: operators are compared as texts.
func TestInitGenesisWritesCanonicalAddresses(t *testing.T) {
	f := newFixture(t)
	operator := f.operator()
	id := f.register(operator)
	gs, err := f.k.ExportGenesis(f.ctx)
	require.NoError(t, err)
	gs.Workers[0].Operator = strings.ToUpper(gs.Workers[0].Operator)
	gs.Workers[0].Account = strings.ToUpper(gs.Workers[0].Account)
	g := newEmptyFixture(t)
	g.fund(authtypes.NewModuleAddress(types.ModuleName), types.DefaultWorkerDeposit)
	require.NoError(t, g.k.InitGenesis(g.ctx, *gs))
	require.Equal(t, f.state(), g.state())
	g.remove(operator, id)
}
