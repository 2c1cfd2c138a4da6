package app_test

import (
	"encoding/json"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

const day = 24 * time.Hour

// linked are the parameters that have to fit each other.
type linked struct {
	staking  *stakingtypes.Params
	slashing *slashingtypes.Params
	evidence *cmtproto.EvidenceParams
	block    *cmtproto.BlockParams
	epoch    *epochtypes.Params
}

// unsafeParams are changes of the default parameters, and what is said of those that must not stand.
var unsafeParams = []struct {
	name   string
	change func(linked)
	err    string
}{
	{"the defaults", func(linked) {}, ""},
	// Twice 151 blocks of beacon and 30,000 of three steps, at six seconds each.
	{"unbonding of a seat's life and the evidence age", func(p linked) { p.staking.UnbondingTime = 436*time.Hour + 30*time.Minute + 12*time.Second }, ""},
	{
		"a second less", func(p linked) { p.staking.UnbondingTime = 436*time.Hour + 30*time.Minute + 11*time.Second },
		"staking unbonding_time is 436h30m11s, want at least 436h30m12s",
	},
	{"unbonding of three epochs and the evidence age", func(p linked) { p.staking.UnbondingTime = 17 * day }, "the 100h30m12s that a seat can live"},
	{"longer steps", func(p linked) { p.epoch.StepBlocks = 16_749 }, ""},
	{"steps that are too long", func(p linked) { p.epoch.StepBlocks = 16_750 }, "staking unbonding_time"},
	{"a longer beacon", func(p linked) { p.epoch.StepBlocks, p.epoch.BeaconBlocks = 13_466, 10_000 }, ""},
	{"a beacon that is too long", func(p linked) { p.epoch.StepBlocks, p.epoch.BeaconBlocks = 13_467, 10_000 }, "staking unbonding_time"},
	{"as many seats as can be", func(p linked) { p.epoch.StepBlocks, p.epoch.Seats = 16_466, 1_000 }, ""},
	{"too many seats", func(p linked) { p.epoch.StepBlocks, p.epoch.Seats = 16_467, 1_000 }, "staking unbonding_time"},
	{"longer epochs", func(p linked) { p.epoch.Duration = 56 * time.Hour }, ""},
	{"epochs that are too long", func(p linked) { p.epoch.Duration = 56*time.Hour + time.Second }, "staking unbonding_time"},
	{"evidence that can be too old", func(p linked) { p.evidence.MaxAgeDuration = 18*day + time.Second }, "staking unbonding_time"},
	{"evidence of an epoch", func(p linked) { p.evidence.MaxAgeDuration, p.evidence.MaxAgeNumBlocks = day, 86_400 }, ""},
	{
		"evidence that dies within the epoch", func(p linked) { p.evidence.MaxAgeDuration, p.evidence.MaxAgeNumBlocks = day-time.Second, 1 },
		"evidence.max_age_duration is 23h59m59s, want at least an epoch",
	},
	{"evidence that lives on in a slow chain", func(p linked) { p.evidence.MaxAgeNumBlocks = 14*86_400 + 1 }, "evidence.max_age_num_blocks is 1209601"},
	{"a window of a step", func(p linked) { p.slashing.SignedBlocksWindow, p.epoch.StepBlocks = 1_000, 1_000 }, ""},
	{"a window that is too short", func(p linked) { p.slashing.SignedBlocksWindow = 999 }, "slashing signed_blocks_window is 999, want at least 1000"},
	{
		"a window longer than a step", func(p linked) { p.slashing.SignedBlocksWindow = 10_001 },
		"epoch step_blocks is 10000, want at least slashing signed_blocks_window, 10001",
	},
	{"steps shorter than the window", func(p linked) { p.epoch.StepBlocks = 9_999 }, "epoch step_blocks is 9999"},
	{"presence that nobody can miss", func(p linked) { p.slashing.MinSignedPerWindow = math.LegacyNewDecWithPrec(4, 2) }, "slashing min_signed_per_window"},
	{"presence that is easily kept", func(p linked) { p.slashing.MinSignedPerWindow = math.LegacyNewDecWithPrec(5, 2) }, ""},
	{"presence without a fault", func(p linked) { p.slashing.MinSignedPerWindow = math.LegacyNewDecWithPrec(951, 3) }, "want 0.050000000000000000 to 0.950000000000000000"},
	{"presence with few faults", func(p linked) { p.slashing.MinSignedPerWindow = math.LegacyNewDecWithPrec(95, 2) }, ""},
	{
		"ruin for being down", func(p linked) { p.slashing.SlashFractionDowntime = math.LegacyNewDecWithPrec(101, 3) },
		"slashing slash_fraction_downtime is 0.101000000000000000, want at most 0.100000000000000000",
	},
	{"much for being down", func(p linked) { p.slashing.SlashFractionDowntime = math.LegacyNewDecWithPrec(1, 1) }, ""},
	// 40,000,000 gas open 312 * 8 records at the least price, and a unit of the budget sums five.
	{"closings that keep up", func(p linked) { p.epoch.CloseBudget = 500 }, ""},
	{"closings that can be outrun", func(p linked) { p.epoch.CloseBudget = 499 }, "epoch close_budget is 499, want at least 500"},
	{"twice the gas", func(p linked) { p.block.MaxGas, p.epoch.CloseBudget = 80_000_000, 1_000 }, ""},
	{"twice the gas alone", func(p linked) { p.block.MaxGas = 80_000_000 }, "epoch close_budget is 500, want at least 1000"},
	{"historical headers", func(p linked) { p.staking.HistoricalEntries = 1 }, "staking historical_entries is 1, want 0"},
	{"fewer entries", func(p linked) { p.staking.MaxEntries = 1 }, ""},
	{"more entries", func(p linked) { p.staking.MaxEntries = 8 }, "staking max_entries is 8, want at most 7"},
	{"300 validators", func(p linked) { p.staking.MaxValidators = 300 }, ""},
	{"more validators", func(p linked) { p.staking.MaxValidators = 301 }, "staking max_validators is 301, want 7, epoch min_committee, to 300"},
	{"as many validators as the least committee", func(p linked) { p.staking.MaxValidators = 7 }, ""},
	{"fewer validators than the least committee", func(p linked) { p.staking.MaxValidators = 6 }, "staking max_validators is 6"},
}

// production takes the development flag out of a genesis state.
func production(t *testing.T, c *chain, state app.GenesisState) {
	t.Helper()
	edit(t, c, state, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) {
		gs.Development, gs.Params = false, epochtypes.DefaultParams()
	})
}

// A genesis whose parameters let the committee escape its punishment does not start a chain, unless it says that it is one for
// development.
func TestGenesisNeedsSafeParams(t *testing.T) {
	c := newChain(t)
	for _, tt := range unsafeParams {
		t.Run(tt.name, func(t *testing.T) {
			state := c.genesis(nil)
			production(t, c, state)
			params := app.DefaultConsensusParams().ToProto()
			edit(t, c, state, stakingtypes.ModuleName, func(staking *stakingtypes.GenesisState) {
				edit(t, c, state, slashingtypes.ModuleName, func(slashing *slashingtypes.GenesisState) {
					edit(t, c, state, epochtypes.ModuleName, func(epoch *epochtypes.GenesisState) {
						tt.change(linked{&staking.Params, &slashing.Params, params.Evidence, params.Block, &epoch.Params})
					})
				})
			})
			err := start(state, &params, c, nil)
			if tt.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, app.ErrUnsafeParams)
			require.ErrorContains(t, err, tt.err)
		})
	}
	state := c.genesis(nil)
	production(t, c, state)
	params := app.DefaultConsensusParams().ToProto()
	params.Evidence = nil
	require.ErrorIs(t, start(state, &params, c, nil), app.ErrUnsafeParams)
	edit(t, c, state, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) { gs.Development = true })
	require.NoError(t, start(state, &params, c, nil))
}

// newProductionChain starts a chain without the development flag, whose votes take an hour.
func newProductionChain(t *testing.T, development bool) *chain {
	t.Helper()
	return newChainFrom(t, nil, func(c *chain, state app.GenesisState) {
		if !development {
			production(t, c, state)
		}
		quickVotes(t, c, state)
	})
}

// quickVotes has votes take the least time there is.
func quickVotes(t *testing.T, c *chain, state app.GenesisState) {
	t.Helper()
	edit(t, c, state, govtypes.ModuleName, func(gs *govv1.GenesisState) {
		period, expedited := time.Hour, 10*time.Minute
		gs.Params.VotingPeriod, gs.Params.ExpeditedVotingPeriod = &period, &expedited
	})
}

// updates returns the messages that change the parameters as a case wants, those that change nothing left out, from an authority.
func (c *chain) updates(authority string, change func(linked)) (msgs []sdk.Msg) {
	c.t.Helper()
	ctx := c.ctx()
	staking, err := c.app.StakingKeeper.GetParams(ctx)
	require.NoError(c.t, err)
	slashing, err := c.app.SlashingKeeper.GetParams(ctx)
	require.NoError(c.t, err)
	epoch, err := c.app.EpochKeeper.Params(ctx)
	require.NoError(c.t, err)
	consensus, err := c.app.ConsensusKeeper.ParamsStore.Get(ctx)
	require.NoError(c.t, err)
	stakingWas, slashingWas, epochWas, evidenceWas, blockWas := staking, slashing, epoch, *consensus.Evidence, *consensus.Block
	change(linked{&staking, &slashing, consensus.Evidence, consensus.Block, &epoch})
	if slashing.String() != slashingWas.String() {
		msgs = append(msgs, &slashingtypes.MsgUpdateParams{Authority: authority, Params: slashing})
	}
	if epoch.String() != epochWas.String() {
		msgs = append(msgs, &epochtypes.MsgUpdateParams{Authority: authority, Params: epoch})
	}
	if staking.String() != stakingWas.String() {
		msgs = append(msgs, &stakingtypes.MsgUpdateParams{Authority: authority, Params: staking})
	}
	if *consensus.Evidence != evidenceWas || *consensus.Block != blockWas {
		msgs = append(msgs, &consensustypes.MsgUpdateParams{
			Authority: authority, Block: consensus.Block, Evidence: consensus.Evidence, Validator: consensus.Validator,
		})
	}
	return msgs
}

// What a genesis must not have, governance cannot bring about either, neither in a proposal nor by x/authz within one. Nothing
// of a refused proposal stays.
func TestGovernanceKeepsParamsSafe(t *testing.T) {
	authority := authtypes.NewModuleAddress(govtypes.ModuleName)
	refusing := newProductionChain(t, false)
	for _, tt := range unsafeParams {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err == "" {
				c := newProductionChain(t, false)
				if msgs := c.updates(authority.String(), tt.change); len(msgs) != 0 {
					proposal := c.govern(msgs...)
					require.Equal(t, govv1.StatusPassed, proposal.Status, proposal.FailedReason)
					require.Empty(t, c.updates(authority.String(), tt.change), "they are in force")
				}
				return
			}
			c := refusing
			c.t = t
			before := c.params()
			msgs := c.updates(authority.String(), tt.change)
			require.Len(t, msgs, 1)
			exec := authz.NewMsgExec(authority, msgs)
			for _, msg := range []sdk.Msg{msgs[0], &exec} {
				proposal := c.govern(msg)
				require.Equal(t, govv1.StatusFailed, proposal.Status)
				require.Contains(t, proposal.FailedReason, tt.err)
				require.Equal(t, before, c.params())
			}
		})
	}

	// Who has no authority is told so, whatever the parameters.
	c := refusing
	c.t = t
	for _, msg := range c.updates(addressOf(c.validator).String(), func(p linked) {
		p.staking.MaxValidators, p.slashing.SignedBlocksWindow, p.evidence.MaxAgeNumBlocks, p.epoch.StepBlocks = 301, 999, 0, 999
	}) {
		res := c.block(c.tx(c.validator, 300_000, 0, msg))
		require.NotZero(t, res[0].Code)
		require.NotEqual(t, app.ErrUnsafeParams.Codespace(), res[0].Codespace, sdk.MsgTypeURL(msg))
		require.NotEqual(t, sdkerrors.ErrPanic.ABCICode(), res[0].Code)
	}
}

// Governance cannot make another coin the staking coin: x/staking would have none of it to burn in the next slash, at the beginning
// of a block.
func TestStakingCoinStays(t *testing.T) {
	c := newProductionChain(t, false)
	before := c.params()
	proposal := c.govern(c.updates(authtypes.NewModuleAddress(govtypes.ModuleName).String(), func(p linked) {
		p.staking.BondDenom, p.staking.KeyRotationFee.Denom = settlement, settlement
	})...)
	require.Equal(t, govv1.StatusFailed, proposal.Status)
	require.Contains(t, proposal.FailedReason, "staking bond_denom is uusd, want uedge")
	require.Equal(t, before, c.params())
}

// On a chain for development nothing is held to the bounds.
func TestDevelopmentParamsAreFree(t *testing.T) {
	authority := authtypes.NewModuleAddress(govtypes.ModuleName).String()
	c := newProductionChain(t, true)
	change := func(p linked) {
		p.staking.UnbondingTime, p.staking.HistoricalEntries, p.staking.MaxValidators = time.Minute, 5, 400
		p.slashing.SignedBlocksWindow, p.evidence.MaxAgeNumBlocks, p.epoch.StepBlocks = 7, 9_999_999, 3
	}
	msgs := c.updates(authority, change)
	require.Len(t, msgs, 4)
	proposal := c.govern(msgs...)
	require.Equal(t, govv1.StatusPassed, proposal.Status, proposal.FailedReason)
	require.Empty(t, c.updates(authority, change))
}

// What an epoch, its election and its hand-over have fixed counts until they are over: the unbonding time cannot follow at once when
// one of them is made shorter.
func TestWhatIsFixedHoldsTheUnbondingTime(t *testing.T) {
	authority := authtypes.NewModuleAddress(govtypes.ModuleName).String()
	for name, tt := range map[string]struct {
		// fixed at genesis, and what governance makes of it.
		fixed, lower func(*epochtypes.Params)
		frozen       bool
		// unbonding would do for the lower one.
		unbonding time.Duration
		err       string
	}{
		"duration": {
			fixed: func(p *epochtypes.Params) { p.Duration = 40 * time.Hour }, lower: func(p *epochtypes.Params) { p.Duration = time.Hour },
			unbonding: 444 * time.Hour, err: "want at least 456h0m0s: the evidence age of 336h0m0s and the longer of 3 epochs of 40h0m0s",
		},
		"steps": {
			fixed: func(p *epochtypes.Params) { p.StepBlocks = 14_000 }, lower: func(p *epochtypes.Params) { p.StepBlocks = 10_000 },
			unbonding: 456 * time.Hour, err: "and the 140h30m12s that a seat can live",
		},
		"beacon": {
			fixed: func(p *epochtypes.Params) { p.BeaconBlocks = 10_000 }, lower: func(p *epochtypes.Params) { p.BeaconBlocks = 100 },
			frozen: true, unbonding: 450 * time.Hour, err: "and the 133h20m12s that a seat can live",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChainFrom(t, nil, func(c *chain, state app.GenesisState) {
				quickVotes(t, c, state)
				production(t, c, state)
				edit(t, c, state, epochtypes.ModuleName, func(gs *epochtypes.GenesisState) { tt.fixed(&gs.Params) })
			})
			if tt.frozen {
				c.now = c.now.Add(day)
				c.block()
				require.Equal(t, epochtypes.PHASE_FROZEN, c.epoch().Phase)
			}
			lower := c.updates(authority, func(p linked) { tt.lower(p.epoch) })
			require.Equal(t, govv1.StatusPassed, c.govern(lower...).Status)
			proposal := c.govern(c.updates(authority, func(p linked) { p.staking.UnbondingTime = tt.unbonding })...)
			require.Equal(t, govv1.StatusFailed, proposal.Status)
			require.Contains(t, proposal.FailedReason, tt.err)
		})
	}
}

// params returns the linked parameters as text.
func (c *chain) params() string {
	c.t.Helper()
	var all []string
	c.updates("", func(p linked) {
		raw, err := json.Marshal([]any{p.staking, p.slashing, p.evidence, p.epoch})
		require.NoError(c.t, err)
		all = append(all, string(raw))
	})
	return all[0]
}
