package app_test

import (
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"

	"github.com/edgechain/edge/app"
)

// haltingParams are changes of the default parameters, and what is said of those after which no vote could mend the chain.
var haltingParams = []struct {
	name      string
	consensus func(*cmtproto.ConsensusParams)
	gov       func(*govv1.Params)
	auth      func(*authtypes.Params)
	err       string
}{
	{name: "keys of another type", consensus: func(p *cmtproto.ConsensusParams) {
		p.Validator.PubKeyTypes = []string{"secp256k1"}
	}, err: "validator.pub_key_types"},
	{name: "keys of several types", consensus: func(p *cmtproto.ConsensusParams) {
		p.Validator.PubKeyTypes = []string{"ed25519", "secp256k1"}
	}, err: "validator.pub_key_types"},
	{name: "gas of a transaction", consensus: func(p *cmtproto.ConsensusParams) { p.Block.MaxGas = 20_000_000 }},
	{name: "less gas", consensus: func(p *cmtproto.ConsensusParams) { p.Block.MaxGas = 19_999_999 }, err: "block.max_gas is 19999999"},
	{name: "the most gas", consensus: func(p *cmtproto.ConsensusParams) { p.Block.MaxGas = 80_000_000 }, err: "epoch close_budget is 500, want at least 1000"},
	{name: "more gas", consensus: func(p *cmtproto.ConsensusParams) {
		p.Block.MaxGas = 80_000_001
	}, err: "block.max_gas is 80000001, want 20000000, which one transaction may want, to 80000000"},
	{name: "small blocks", consensus: func(p *cmtproto.ConsensusParams) { p.Block.MaxBytes = 2_621_440 }},
	{name: "blocks that are too small", consensus: func(p *cmtproto.ConsensusParams) { p.Block.MaxBytes-- }, err: "block.max_bytes is 2621439"},
	{name: "little evidence", consensus: func(p *cmtproto.ConsensusParams) { p.Evidence.MaxBytes = 131_072 }},
	{name: "no evidence", consensus: func(p *cmtproto.ConsensusParams) { p.Evidence.MaxBytes = 0 }, err: "evidence.max_bytes is 0"},
	{name: "evidence that fills the block", consensus: func(p *cmtproto.ConsensusParams) {
		p.Evidence.MaxBytes = 1_048_577
	}, err: "evidence.max_bytes is 1048577"},
	{name: "extended votes", consensus: func(p *cmtproto.ConsensusParams) {
		p.Abci = &cmtproto.ABCIParams{VoteExtensionsEnableHeight: 1_000_000}
	}, err: "abci.vote_extensions_enable_height"},
	{name: "another authority", consensus: func(p *cmtproto.ConsensusParams) {
		p.Authority = &cmtproto.AuthorityParams{Authority: addressOf(newKey("somebody")).String()}
	}, err: "consensus authority"},

	{name: "a large deposit", gov: func(p *govv1.Params) {
		p.MinDeposit, p.ExpeditedMinDeposit = edges(5_000_000, 0), edges(10_000_000, 0)
	}},
	{name: "a small deposit", gov: func(p *govv1.Params) { p.MinDeposit = edges(1_000, -1) }, err: "min_deposit is 9999999uedge"},
	{name: "a deposit that nobody has", gov: func(p *govv1.Params) {
		p.ExpeditedMinDeposit = edges(10_000_000, 1)
	}, err: "expedited_min_deposit is 100000000001uedge"},
	{name: "a deposit in another coin", gov: func(p *govv1.Params) {
		p.MinDeposit = sdk.NewCoins(sdk.NewInt64Coin(settlement, 10_000_000))
		p.ExpeditedMinDeposit = sdk.NewCoins(sdk.NewInt64Coin(settlement, 20_000_000))
	}, err: "min_deposit is 10000000uusd"},
	{name: "a deposit in two coins", gov: func(p *govv1.Params) {
		p.ExpeditedMinDeposit = edges(5_000, 0).Add(sdk.NewInt64Coin(settlement, 1))
	}, err: "expedited_min_deposit"},
	{name: "long votes", gov: func(p *govv1.Params) { *p.VotingPeriod = 30 * day }},
	{name: "votes without end", gov: func(p *govv1.Params) { *p.VotingPeriod = 30*day + time.Second }, err: "voting_period"},
	{name: "short votes", gov: func(p *govv1.Params) { *p.VotingPeriod, *p.ExpeditedVotingPeriod = time.Hour, 10*time.Minute }},
	{name: "votes that nobody can come to", gov: func(p *govv1.Params) { *p.VotingPeriod = time.Hour - 1 }, err: "gov voting_period is 59m59.999999999s"},
	{name: "expedited votes that nobody can come to", gov: func(p *govv1.Params) {
		*p.ExpeditedVotingPeriod = 10*time.Minute - 1
	}, err: "expedited_voting_period"},
	{name: "a least part of a deposit", gov: func(p *govv1.Params) { p.MinDepositRatio = "1" }},
	{name: "a least part that is no number", gov: func(p *govv1.Params) { p.MinDepositRatio = "all" }, err: "min_deposit_ratio"},
	{name: "a least part of more than all", gov: func(p *govv1.Params) { p.MinDepositRatio = "1.1" }, err: "min_deposit_ratio"},
	{name: "a quorum of a tenth", gov: func(p *govv1.Params) { p.Quorum = "0.1" }},
	{name: "a quorum of few", gov: func(p *govv1.Params) { p.Quorum = "0.099" }, err: `gov quorum is "0.099"`},
	{name: "a quorum of all", gov: func(p *govv1.Params) { p.Quorum = "1" }, err: "quorum"},
	{name: "a threshold of nearly all", gov: func(p *govv1.Params) { p.Threshold, p.ExpeditedThreshold = "0.9", "0.95" }, err: "threshold"},
	{name: "a threshold of few", gov: func(p *govv1.Params) { p.Threshold = "0.1" }, err: "threshold"},
	{name: "a veto of few", gov: func(p *govv1.Params) { p.VetoThreshold = "0.01" }, err: "veto_threshold"},

	{name: "dear transactions", auth: func(p *authtypes.Params) {
		p.TxSizeCostPerByte, p.SigVerifyCostED25519, p.SigVerifyCostSecp256k1, p.SigVerifyCostMlDsa65 = 50, 100_000, 100_000, 100_000
	}},
	{name: "bytes that no transaction can pay", auth: func(p *authtypes.Params) { p.TxSizeCostPerByte = 51 }, err: "auth tx_size_cost_per_byte is 51, want at most 50"},
	{name: "signatures that none can pay", auth: func(p *authtypes.Params) {
		p.SigVerifyCostSecp256k1 = 100_001
	}, err: "auth sig_verify_cost_secp256k1 is 100001"},
	{name: "other signatures that none can pay", auth: func(p *authtypes.Params) {
		p.SigVerifyCostED25519 = 1 << 63
	}, err: "auth sig_verify_cost_ed25519"},
	{name: "long signatures that none can pay", auth: func(p *authtypes.Params) { p.SigVerifyCostMlDsa65 = 1 << 63 }, err: "auth sig_verify_cost_ml_dsa_65"},
}

// smallestBlocks lets a case take one byte of the least size.
func smallestBlocks(p *cmtproto.ConsensusParams) { p.Block.MaxBytes = 2_621_440 }

// update returns the message of governance that makes the change of a case.
func (c *chain) update(consensus func(*cmtproto.ConsensusParams), gov func(*govv1.Params), auth func(*authtypes.Params)) sdk.Msg {
	c.t.Helper()
	authority := authtypes.NewModuleAddress(govtypes.ModuleName).String()
	if auth != nil {
		p := c.app.AccountKeeper.GetParams(c.ctx())
		auth(&p)
		return &authtypes.MsgUpdateParams{Authority: authority, Params: p}
	}
	if consensus != nil {
		p, err := c.app.ConsensusKeeper.ParamsStore.Get(c.ctx())
		require.NoError(c.t, err)
		smallestBlocks(&p)
		consensus(&p)
		return &consensustypes.MsgUpdateParams{
			Authority: authority, Block: p.Block, Evidence: p.Evidence, Validator: p.Validator, Abci: p.Abci, Auth: p.Authority,
		}
	}
	p, err := c.app.GovKeeper.Params.Get(c.ctx())
	require.NoError(c.t, err)
	gov(&p)
	return &govv1.MsgUpdateParams{Authority: authority, Params: p}
}

// What would stop the chain, or governance, for good stands neither in a genesis nor after a message of governance.
func TestParamsDoNotHaltTheChain(t *testing.T) {
	c := newProductionChain(t, false)
	for _, tt := range haltingParams {
		t.Run(tt.name, func(t *testing.T) {
			state := c.genesis(nil)
			production(t, c, state)
			params := app.DefaultConsensusParams().ToProto()
			smallestBlocks(&params)
			if tt.consensus != nil {
				tt.consensus(&params)
			}
			if tt.gov != nil {
				edit(t, c, state, govtypes.ModuleName, func(gs *govv1.GenesisState) { tt.gov(gs.Params) })
			}
			if tt.auth != nil {
				edit(t, c, state, authtypes.ModuleName, func(gs *authtypes.GenesisState) { tt.auth(&gs.Params) })
			}
			genesis := start(state, &params, c, nil)

			ctx, _ := c.ctx().CacheContext()
			msg := c.update(tt.consensus, tt.gov, tt.auth)
			_, update := c.app.MsgServiceRouter().Handler(msg)(ctx, msg)
			for _, err := range []error{genesis, update} {
				if tt.err == "" {
					require.NoError(t, err)
					continue
				}
				require.ErrorIs(t, err, app.ErrUnsafeParams)
				require.ErrorContains(t, err, tt.err)
			}
		})
	}
	for _, none := range []int64{-1, 0} {
		ctx, _ := c.ctx().CacheContext()
		msg := c.update(func(p *cmtproto.ConsensusParams) { p.Block.MaxGas = none }, nil, nil)
		_, err := c.app.MsgServiceRouter().Handler(msg)(ctx, msg)
		require.ErrorContains(t, err, "want 20000000, which one transaction may want, to 80000000")
	}
}

// A proposal with such parameters fails, and nothing of it stays; on a chain for development it passes.
func TestProposalsDoNotHaltTheChain(t *testing.T) {
	for _, development := range []bool{false, true} {
		c := newProductionChain(t, development)
		proposal := c.govern(
			c.update(nil, func(p *govv1.Params) { p.MinDeposit = edges(1_000, 1) }, nil),
			c.update(func(p *cmtproto.ConsensusParams) { p.Evidence.MaxBytes = 0 }, nil, nil))
		after, err := c.app.GovKeeper.Params.Get(c.ctx())
		require.NoError(t, err)
		if development {
			require.Equal(t, govv1.StatusPassed, proposal.Status, proposal.FailedReason)
			require.Equal(t, edges(1_000, 1).String(), sdk.NewCoins(after.MinDeposit...).String())
			continue
		}
		require.Equal(t, govv1.StatusFailed, proposal.Status)
		require.Contains(t, proposal.FailedReason, app.ErrUnsafeParams.Error())
		require.Contains(t, proposal.FailedReason, "evidence.max_bytes is 0")
		require.Equal(t, edges(1_000, 0).String(), sdk.NewCoins(after.MinDeposit...).String())
	}
}
