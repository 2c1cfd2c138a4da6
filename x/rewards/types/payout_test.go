package types_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	epochtypes "github.com/edgechain/edge/x/epoch/types"
	"github.com/edgechain/edge/x/rewards/types"
)

func summary(epoch uint64, debited int64) types.EpochSummary {
	emission := types.NewEmissionSummary(types.DefaultEmissionTerms(), dec("0.5"), math.NewInt(1_000))
	return types.NewEpochSummary(epoch, math.NewInt(debited), types.DefaultShares(), emission)
}

// The worked example of EpochSummary.Settle.
func TestSummaryBooks(t *testing.T) {
	s := summary(4, 1003)
	require.Equal(t, "1003", s.Queued(types.PAY_PHASE_NODES).String())
	s.Assign(types.Payout{Kind: types.PAYOUT_KIND_NODE, Recipient: "operator", Amount: math.NewInt(802)})
	s.Assign(types.Payout{Kind: types.PAYOUT_KIND_OWNER, Amount: math.NewInt(150)}) // the protocol's own service
	require.Equal(t, "51", s.Unassigned().String())
	require.Equal(t, "201", s.Queued(types.PAY_PHASE_OWNERS).String())
	require.NoError(t, s.Validate(types.PAY_PHASE_OWNERS))

	community := s.Settle()
	require.Equal(t, "201", community.String())
	require.Equal(t, "1", s.Dust.String())
	s.Assign(types.Payout{Kind: types.PAYOUT_KIND_COMMUNITY, Amount: community})
	require.True(t, s.Queued(types.PAY_PHASE_EARN_NODES).IsZero())
	require.NoError(t, s.Validate(types.PAY_PHASE_EARN_NODES))
	require.ErrorIs(t, s.Validate(types.PAY_PHASE_COMMUNITY), types.ErrBooks, "dust before the community pool is paid")
	s.Done = true
	require.NoError(t, s.Validate(types.PAY_PHASE_UNSPECIFIED))
	require.Equal(t, "802 0 201 0", s.Nodes.String()+" "+s.Owners.String()+" "+s.Community.String()+" "+s.SetAside.String())
	require.True(t, s.Held(types.PAY_PHASE_UNSPECIFIED).Equal(types.NewHeld()))
}

// Tokens have books of their own.
func TestSummaryBooksOfEmission(t *testing.T) {
	s := summary(4, 0)
	e := &s.Emission
	e.Earned = math.NewInt(800)
	require.True(t, e.Earns() && e.Mints())
	for _, p := range []types.Payout{
		{Kind: types.PAYOUT_KIND_NODE_EMISSION, Recipient: "operator", Amount: math.NewInt(400)},
		{Kind: types.PAYOUT_KIND_NODE_EMISSION, Recipient: "operator", Amount: math.NewInt(40), SetAside: true},
		{Kind: types.PAYOUT_KIND_OWNER_EMISSION, Recipient: "owner", Amount: math.NewInt(30)},
		{Kind: types.PAYOUT_KIND_COMMUNITY_EMISSION, Amount: math.NewInt(20)},
	} {
		s.Assign(p)
	}
	require.Equal(t, "400 30 20 40", e.Nodes.String()+" "+e.Owners.String()+" "+e.Community.String()+" "+e.SetAside.String())
	require.True(t, s.Nodes.IsZero() && s.Owners.IsZero() && s.Community.IsZero() && s.SetAside.IsZero())
	require.Equal(t, "470", e.Minted(false).String(), "what is reserved is not minted")
	require.Equal(t, "490", e.Minted(true).String())
	require.Equal(t, "40", s.Held(types.PAY_PHASE_MINT_OWNERS).EmissionSetAside.String())
	require.NoError(t, s.Validate(types.PAY_PHASE_MINT_OWNERS))
	s.Retried(types.Payout{Kind: types.PAYOUT_KIND_NODE_EMISSION, Amount: math.NewInt(40)})
	require.True(t, e.SetAside.IsZero())

	for name, spoil := range map[string]func(*types.EpochSummary){
		"more than was earned": func(s *types.EpochSummary) { s.Emission.Earned = math.NewInt(449) },
		"more than the cap":    func(s *types.EpochSummary) { s.Emission.Cap = math.NewInt(449) },
		"forfeited too much":   func(s *types.EpochSummary) { s.Emission.Forfeited = math.NewInt(351) },
		"without a price":      func(s *types.EpochSummary) { s.Emission.TokenPrice = dec("0") },
		"without a guard":      func(s *types.EpochSummary) { s.Emission.Terms.Guard = dec("0") },
		"a negative price":     func(s *types.EpochSummary) { s.Emission.TokenPrice = dec("-1") },
		"a negative amount":    func(s *types.EpochSummary) { s.Emission.Owners = math.NewInt(-1) },
		"a missing amount":     func(s *types.EpochSummary) { s.Emission.Forfeited = math.Int{} },
	} {
		spoiled := s
		spoil(&spoiled)
		require.ErrorIs(t, spoiled.Validate(types.PAY_PHASE_MINT_OWNERS), types.ErrBooks, name)
	}
	spoiled := s
	spoiled.Emission.Terms.MaxLockEpochs = 0
	require.ErrorIs(t, spoiled.Validate(types.PAY_PHASE_MINT_OWNERS), types.ErrInvalidParams)
	// Nothing can be minted before its phase.
	for _, phase := range []types.PayPhase{types.PAY_PHASE_MINT_NODES, types.PAY_PHASE_EARN_OWNERS, types.PAY_PHASE_COMMUNITY} {
		require.ErrorIs(t, s.Validate(phase), types.ErrBooks, phase)
	}
}

var valoper = sdk.ValAddress("operator____________").String()

func genesis() types.GenesisState {
	done := summary(1, 100)
	done.Nodes, done.Community, done.SetAside, done.Done = math.NewInt(70), math.NewInt(20), math.NewInt(10), true
	done.Emission.Earned, done.Emission.Nodes, done.Emission.SetAside = math.NewInt(9), math.NewInt(5), math.NewInt(3)
	paying := summary(2, 50)
	return types.GenesisState{
		Params:          types.DefaultParams(),
		ShareChanges:    []types.ShareChange{{Epoch: 1, Shares: types.DefaultShares()}},
		EmissionChanges: []types.EmissionTermsChange{{Epoch: 1, Terms: types.DefaultEmissionTerms()}},
		TokenPrices:     []types.TokenPrice{{Epoch: 1, Price: dec("0.5")}, {Epoch: 3, Price: dec("0")}},
		Year:            &types.EmissionYear{Number: 1, Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Supply: math.NewInt(1000)},
		Supply:          &types.Supply{Initial: math.NewInt(1000), Minted: math.NewInt(8), Burned: math.NewInt(2)},
		Summaries:       []types.EpochSummary{done, paying},
		Payouts: []types.Payout{
			{Epoch: 1, Kind: types.PAYOUT_KIND_NODE, Id: 1, Recipient: "a", Amount: math.NewInt(70), Denom: "uusd"},
			{Epoch: 1, Kind: types.PAYOUT_KIND_NODE, Id: 2, Recipient: "b", Amount: math.NewInt(10), SetAside: true, Cause: "boom", Denom: "uusd"},
			{Epoch: 1, Kind: types.PAYOUT_KIND_COMMUNITY, Amount: math.NewInt(20), Denom: "uusd"},
			{Epoch: 1, Kind: types.PAYOUT_KIND_NODE_EMISSION, Id: 1, Recipient: "a", Amount: math.NewInt(5), Denom: "uedge"},
			{Epoch: 1, Kind: types.PAYOUT_KIND_NODE_EMISSION, Id: 2, Recipient: "b", Amount: math.NewInt(3), SetAside: true, Cause: "boom", Denom: "uedge"},
		},
		Cursors: []types.PayCursor{{Epoch: 2, Phase: types.PAY_PHASE_NODES}},
	}
}

func TestGenesisValidate(t *testing.T) {
	require.NoError(t, types.DefaultGenesis().Validate())
	require.NoError(t, genesis().Validate())
	require.Equal(t, types.Held{Queued: math.NewInt(50), SetAside: math.NewInt(10), EmissionSetAside: math.NewInt(3)}, genesis().Held())
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
		"terms of the schedule":     {func(g *types.GenesisState) { g.EmissionChanges[0].Terms = types.EmissionTerms{} }, types.ErrInvalidParams},
		"terms begin late":          {func(g *types.GenesisState) { g.EmissionChanges[0].Epoch = 2 }, types.ErrInvalidGenesis},
		"terms out of order":        {func(g *types.GenesisState) { g.EmissionChanges = append(g.EmissionChanges, g.EmissionChanges[0]) }, types.ErrInvalidGenesis},
		"terms end otherwise":       {func(g *types.GenesisState) { g.Params.Emission.Guard = dec("0.4") }, types.ErrInvalidGenesis},
		"price of epoch 0":          {func(g *types.GenesisState) { g.TokenPrices[0].Epoch = 0 }, types.ErrInvalidGenesis},
		"prices out of order":       {func(g *types.GenesisState) { g.TokenPrices[1].Epoch = 1 }, types.ErrInvalidGenesis},
		"negative price":            {func(g *types.GenesisState) { g.TokenPrices[0].Price = dec("-1") }, types.ErrInvalidPrice},
		"missing price":             {func(g *types.GenesisState) { g.TokenPrices[0].Price = math.LegacyDec{} }, types.ErrInvalidPrice},
		"year 0":                    {func(g *types.GenesisState) { g.Year.Number = 0 }, types.ErrInvalidGenesis},
		"year without a start":      {func(g *types.GenesisState) { g.Year.Start = time.Time{} }, types.ErrInvalidGenesis},
		"year without a supply":     {func(g *types.GenesisState) { g.Year.Supply = math.Int{} }, types.ErrInvalidGenesis},
		"negative supply":           {func(g *types.GenesisState) { g.Supply.Burned = math.NewInt(2000) }, types.ErrBooks},
		"minted more":               {func(g *types.GenesisState) { g.Supply.Minted = math.NewInt(9) }, types.ErrBooks},
		"minted before the history": {func(g *types.GenesisState) { g.Supply = nil }, types.ErrBooks},
		"a boost of a later epoch":  {func(g *types.GenesisState) { g.Boosts = []types.Boost{{Epoch: 1, Operator: valoper, Boost: dec("2")}} }, types.ErrInvalidGenesis},
		"a lock of nobody":          {func(g *types.GenesisState) { g.Locks = []types.StakeLock{{Shares: dec("1"), EndEpoch: 1}} }, types.ErrInvalidLock},
		"settlement in tokens":      {func(g *types.GenesisState) { g.Payouts[0].Denom = "uedge" }, types.ErrInvalidGenesis},
		"tokens in settlement":      {func(g *types.GenesisState) { g.Payouts[3].Denom = "uusd" }, types.ErrInvalidGenesis},
		"two settlement coins":      {func(g *types.GenesisState) { g.Payouts[1].Denom = "ueur" }, types.ErrInvalidGenesis},
		"no denom":                  {func(g *types.GenesisState) { g.Payouts[0].Denom = "" }, types.ErrInvalidGenesis},
		"tokens do not add up":      {func(g *types.GenesisState) { g.Payouts[4].Amount = math.NewInt(2) }, types.ErrBooks},
		"minted too early":          {func(g *types.GenesisState) { g.Summaries[1].Emission.Earned = math.NewInt(1) }, types.ErrBooks},
		"cursor without a phase":    {func(g *types.GenesisState) { g.Cursors[0].Phase = 0 }, types.ErrInvalidGenesis},
		"cursor of no phase":        {func(g *types.GenesisState) { g.Cursors[0].Phase = 9 }, types.ErrInvalidGenesis},
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
