package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	vestingtypes "github.com/cosmos/cosmos-sdk/x/auth/vesting/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"

	"github.com/edgechain/edge/app"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// newGovernedChain starts a chain whose votes take three seconds.
func newGovernedChain(t *testing.T, accounts ...*secp256k1.PrivKey) *chain {
	t.Helper()
	return newChainFrom(t, nil, func(c *chain, state app.GenesisState) {
		edit(t, c, state, govtypes.ModuleName, func(gs *govv1.GenesisState) {
			period, expedited := 3*time.Second, 2*time.Second
			gs.Params.VotingPeriod, gs.Params.ExpeditedVotingPeriod = &period, &expedited
		})
	}, accounts...)
}

// govern puts messages to the vote, which the only validator decides, and returns what became of the proposal.
func (c *chain) govern(msgs ...sdk.Msg) *govv1.Proposal {
	c.t.Helper()
	params, err := c.app.GovKeeper.Params.Get(c.ctx())
	require.NoError(c.t, err)
	proposer := addressOf(c.validator)
	submit, err := govv1.NewMsgSubmitProposal(msgs, params.MinDeposit, proposer.String(), "", "title", "summary", false)
	require.NoError(c.t, err)
	var submitted govv1.MsgSubmitProposalResponse
	c.send(c.validator, 2_000_000, &submitted, submit)
	c.send(c.validator, 300_000, nil, govv1.NewMsgVote(proposer, submitted.ProposalId, govv1.OptionYes, ""))
	c.now = c.now.Add(*params.VotingPeriod)
	c.block()
	proposal, err := c.app.GovKeeper.Proposals.Get(c.ctx(), submitted.ProposalId)
	require.NoError(c.t, err)
	return &proposal
}

// The parameters of our modules change by a vote, and by nothing else.
func TestParamsChangeByProposal(t *testing.T) {
	alice := newKey("alice")
	c := newGovernedChain(t, alice)
	ctx := c.ctx()
	node, err := c.app.NodeKeeper.Params.Get(ctx)
	require.NoError(t, err)
	epoch, err := c.app.EpochKeeper.Params(ctx)
	require.NoError(t, err)
	dack, err := c.app.DackKeeper.Params(ctx)
	require.NoError(t, err)
	rewards, err := c.app.RewardsKeeper.Params(ctx)
	require.NoError(t, err)
	node.MaxWorkersPerNode++
	epoch.CloseBudget++
	dack.MaxAcks++
	rewards.Shares.Node, rewards.Shares.Protocol = rewards.Shares.Protocol, rewards.Shares.Node
	messages := func(authority string) []sdk.Msg {
		return []sdk.Msg{
			&nodetypes.MsgUpdateParams{Authority: authority, Params: node},
			&epochtypes.MsgUpdateParams{Authority: authority, Params: epoch},
			&dacktypes.MsgUpdateParams{Authority: authority, Params: dack},
			&rewardstypes.MsgUpdateParams{Authority: authority, Params: rewards},
		}
	}
	for _, msg := range messages(addressOf(alice).String()) {
		res := c.block(c.tx(alice, 300_000, 0, msg))
		require.NotZero(t, res[0].Code, sdk.MsgTypeURL(msg))
	}

	proposal := c.govern(messages(authtypes.NewModuleAddress(govtypes.ModuleName).String())...)
	require.Equal(t, govv1.StatusPassed, proposal.Status, proposal.FailedReason)
	ctx = c.ctx()
	gotNode, err := c.app.NodeKeeper.Params.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, node, gotNode)
	gotEpoch, err := c.app.EpochKeeper.Params(ctx)
	require.NoError(t, err)
	require.Equal(t, epoch, gotEpoch)
	gotDack, err := c.app.DackKeeper.Params(ctx)
	require.NoError(t, err)
	require.Equal(t, dack, gotDack)
	gotRewards, err := c.app.RewardsKeeper.Params(ctx)
	require.NoError(t, err)
	require.Equal(t, rewards, gotRewards)
}

// There is no way to add a coin to an account whose balance a module has booked.
func TestModuleAccountsHaveNoOtherWayIn(t *testing.T) {
	alice := newKey("alice")
	c := newGovernedChain(t, alice)
	from := addressOf(alice)
	coins := sdk.NewCoins(sdk.NewInt64Coin(settlement, 5))
	c.send(alice, 300_000, nil, distrtypes.NewMsgFundCommunityPool(coins, from.String()))
	for _, name := range []string{nodetypes.ModuleName, dacktypes.ModuleName, rewardstypes.ModuleName} {
		to := authtypes.NewModuleAddress(name)
		for _, msg := range []sdk.Msg{
			banktypes.NewMsgSend(from, to, coins),
			banktypes.NewMsgMultiSend(banktypes.NewInput(from, coins), []banktypes.Output{banktypes.NewOutput(to, coins)}),
			distrtypes.NewMsgSetWithdrawAddress(from, to),
			vestingtypes.NewMsgCreateVestingAccount(from, to, coins, c.now.Add(time.Hour).Unix(), false),
			vestingtypes.NewMsgCreatePermanentLockedAccount(from, to, coins),
		} {
			before := c.app.BankKeeper.GetAllBalances(c.ctx(), to)
			res := c.block(c.tx(alice, 300_000, 0, msg))
			require.Equal(t, sdkerrors.ErrUnauthorized.ABCICode(), res[0].Code, "%s to %s: %s", sdk.MsgTypeURL(msg), name, res[0].Log)
			require.Equal(t, before.String(), c.app.BankKeeper.GetAllBalances(c.ctx(), to).String())
		}
		proposal := c.govern(&distrtypes.MsgCommunityPoolSpend{
			Authority: authtypes.NewModuleAddress(govtypes.ModuleName).String(), Recipient: to.String(), Amount: coins,
		})
		require.Equal(t, govv1.StatusFailed, proposal.Status)
		require.Contains(t, proposal.FailedReason, "not allowed to receive")
	}
}
