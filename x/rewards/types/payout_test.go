package types_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	epochtypes "github.com/edgechain/edge/x/epoch/types"
	"github.com/edgechain/edge/x/rewards/types"
)

// The worked example of EpochSummary.Finish.
func TestSummaryBooks(t *testing.T) {
	s := types.NewEpochSummary(4, math.NewInt(1003), types.DefaultShares())
	require.Equal(t, "1003", s.Held().String())
	s.Assign(types.Payout{Kind: types.PAYOUT_KIND_NODE, Recipient: "operator", Amount: math.NewInt(802)})
	s.Assign(types.Payout{Kind: types.PAYOUT_KIND_OWNER, Amount: math.NewInt(150)}) // the protocol's own service
	require.Equal(t, "51", s.Unassigned().String())
	require.Equal(t, "201", s.Held().String())
	require.NoError(t, s.Validate())

	community := s.Finish()
	require.Equal(t, "201", community.String())
	require.Equal(t, "1", s.Dust.String())
	s.Assign(types.Payout{Kind: types.PAYOUT_KIND_COMMUNITY, Amount: community})
	require.NoError(t, s.Validate())
	require.True(t, s.Held().IsZero())
	require.Equal(t, "802 0 201 0", s.Nodes.String()+" "+s.Owners.String()+" "+s.Community.String()+" "+s.SetAside.String())
}

func genesis() types.GenesisState {
	done := types.NewEpochSummary(1, math.NewInt(100), types.DefaultShares())
	done.Nodes, done.Community, done.SetAside, done.Done = math.NewInt(70), math.NewInt(20), math.NewInt(10), true
	paying := types.NewEpochSummary(2, math.NewInt(50), types.DefaultShares())
	return types.GenesisState{
		Params:       types.DefaultParams(),
		ShareChanges: []types.ShareChange{{Epoch: 1, Shares: types.DefaultShares()}},
		Summaries:    []types.EpochSummary{done, paying},
		Payouts: []types.Payout{
			{Epoch: 1, Kind: types.PAYOUT_KIND_NODE, Id: 1, Recipient: "a", Amount: math.NewInt(70)},
			{Epoch: 1, Kind: types.PAYOUT_KIND_NODE, Id: 2, Recipient: "b", Amount: math.NewInt(10), SetAside: true, Cause: "boom"},
			{Epoch: 1, Kind: types.PAYOUT_KIND_COMMUNITY, Amount: math.NewInt(20)},
		},
		Cursors: []types.PayCursor{{Epoch: 2, Phase: types.PAY_PHASE_NODES}},
	}
}

func TestGenesisValidate(t *testing.T) {
	require.NoError(t, types.DefaultGenesis().Validate())
	require.NoError(t, genesis().Validate())
	for name, tc := range map[string]struct {
		spoil func(*types.GenesisState)
		want  error
	}{
		"params":                    {func(g *types.GenesisState) { g.Params.HistoryEpochs = 0 }, types.ErrInvalidParams},
		"shares of the schedule":    {func(g *types.GenesisState) { g.ShareChanges[0].Shares = types.Shares{} }, types.ErrInvalidShares},
		"schedule begins late":      {func(g *types.GenesisState) { g.ShareChanges[0].Epoch = 2 }, types.ErrInvalidGenesis},
		"schedule out of order":     {func(g *types.GenesisState) { g.ShareChanges = append(g.ShareChanges, g.ShareChanges[0]) }, types.ErrInvalidGenesis},
		"schedule ends otherwise":   {func(g *types.GenesisState) { g.Params.Shares = shares("1", "0", "0") }, types.ErrInvalidGenesis},
		"cursor twice":              {func(g *types.GenesisState) { g.Cursors = append(g.Cursors, g.Cursors[0]) }, types.ErrInvalidGenesis},
		"cursor without a kind":     {func(g *types.GenesisState) { g.Cursors[0].Phase = 0 }, types.ErrInvalidGenesis},
		"cursor without a summary":  {func(g *types.GenesisState) { g.Summaries, g.Payouts = nil, nil }, types.ErrInvalidGenesis},
		"cursor of a paid epoch":    {func(g *types.GenesisState) { g.Cursors[0].Epoch = 1 }, types.ErrInvalidGenesis},
		"no cursor":                 {func(g *types.GenesisState) { g.Cursors = nil }, types.ErrInvalidGenesis},
		"epoch 0":                   {func(g *types.GenesisState) { g.Summaries[0].Epoch = 0 }, types.ErrBooks},
		"summaries out of order":    {func(g *types.GenesisState) { g.Summaries[1].Epoch = 1 }, types.ErrInvalidGenesis},
		"negative amount":           {func(g *types.GenesisState) { g.Summaries[0].Nodes = math.NewInt(-1) }, types.ErrBooks},
		"missing amount":            {func(g *types.GenesisState) { g.Summaries[0].Owners = math.Int{} }, types.ErrBooks},
		"more than was debited":     {func(g *types.GenesisState) { g.Summaries[1].Nodes = math.NewInt(51) }, types.ErrBooks},
		"done with something left":  {func(g *types.GenesisState) { g.Summaries[0].Nodes = math.NewInt(69) }, types.ErrBooks},
		"dust before the end":       {func(g *types.GenesisState) { g.Summaries[1].Dust = math.NewInt(1) }, types.ErrBooks},
		"payout of no epoch":        {func(g *types.GenesisState) { g.Payouts[0].Epoch = 3 }, types.ErrInvalidGenesis},
		"payout twice":              {func(g *types.GenesisState) { g.Payouts[1] = g.Payouts[0] }, types.ErrInvalidGenesis},
		"payout of no kind":         {func(g *types.GenesisState) { g.Payouts[0].Kind = 0 }, types.ErrInvalidGenesis},
		"community with an id":      {func(g *types.GenesisState) { g.Payouts[2].Id = 1 }, types.ErrInvalidGenesis},
		"payout of nothing":         {func(g *types.GenesisState) { g.Payouts[0].Amount = math.ZeroInt() }, types.ErrInvalidGenesis},
		"cause of a paid one":       {func(g *types.GenesisState) { g.Payouts[0].Cause = "boom" }, types.ErrInvalidGenesis},
		"a long cause":              {func(g *types.GenesisState) { g.Payouts[1].Cause = string(make([]byte, epochtypes.MaxCause+1)) }, types.ErrInvalidGenesis},
		"set aside does not add up": {func(g *types.GenesisState) { g.Payouts[1].Amount = math.NewInt(9) }, types.ErrBooks},
	} {
		t.Run(name, func(t *testing.T) {
			g := genesis()
			tc.spoil(&g)
			require.ErrorIs(t, g.Validate(), tc.want)
		})
	}
}
