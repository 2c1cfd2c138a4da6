package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	govv1beta1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1beta1"

	"github.com/edgechain/edge/app"
)

// Who has no stake cannot vote, by whatever message, and so adds nothing to the tally.
func TestVotesNeedStake(t *testing.T) {
	alice, helper := newKey("alice"), newKey("helper")
	c := newCommittee(t, setup{
		stakes: sevenStakes(), accounts: []*secp256k1.PrivKey{alice, helper},
		change: func(c *chain, state app.GenesisState) {
			production(t, c, state)
			edit(t, c, state, govtypes.ModuleName, func(gs *govv1.GenesisState) {
				period, expedited := time.Hour, time.Minute
				gs.Params.VotingPeriod, gs.Params.ExpeditedVotingPeriod = &period, &expedited
			})
		},
	})
	params, err := c.app.GovKeeper.Params.Get(c.ctx())
	require.NoError(t, err)
	submit, err := govv1.NewMsgSubmitProposal(
		nil, params.MinDeposit, addressOf(c.validator).String(), "ipfs://CID", "title", "summary", false)
	require.NoError(t, err)
	var submitted govv1.MsgSubmitProposalResponse
	c.send(c.validator, 1_000_000, &submitted, submit)
	id, voter := submitted.ProposalId, addressOf(alice)

	votes := []sdk.Msg{
		govv1.NewMsgVote(voter, id, govv1.OptionYes, ""),
		govv1.NewMsgVoteWeighted(voter, id, govv1.NewNonSplitVoteOption(govv1.OptionNo), ""),
		govv1beta1.NewMsgVote(voter, id, govv1beta1.OptionYes),
		govv1beta1.NewMsgVoteWeighted(voter, id, govv1beta1.NewNonSplitVoteOption(govv1beta1.OptionYes)),
	}
	c.grant(alice, addressOf(helper), authz.NewGenericAuthorization(sdk.MsgTypeURL(votes[0])))
	try := func(want error) {
		t.Helper()
		exec := authz.NewMsgExec(addressOf(helper), votes[:1])
		txs := [][]byte{c.tx(helper, 900_000, 0, &exec)}
		for i, msg := range votes {
			txs = append(txs, c.tx(alice, 500_000, uint64(i), msg))
		}
		for _, res := range c.block(txs...) {
			if want == nil {
				require.Zero(t, res.Code, res.Log)
			} else {
				requireRefused(t, want, res)
			}
		}
		found, err := c.app.GovKeeper.Votes.Has(c.ctx(), collections.Join(id, voter))
		require.NoError(t, err)
		require.Equal(t, want == nil, found)
	}
	try(app.ErrNoStake)
	c.must(c.tx(alice, 1_000_000, 0, delegation(alice, c.validators[1], leastStake), undelegation(alice, c.validators[1], leastStake)))
	try(app.ErrNoStake)
	c.must(c.tx(alice, 500_000, 0, delegation(alice, c.validators[1], leastStake)))
	try(nil)

	// Whoever runs a validator votes with what others gave it, whatever he has himself.
	v := c.validators[2]
	c.must(c.tx(v.operator, 500_000, 0, govv1.NewMsgVote(addressOf(v.operator), id, govv1.OptionYes, "")))
	c.now = c.now.Add(time.Hour)
	c.blocks(1)
	proposal, err := c.app.GovKeeper.Proposals.Get(c.ctx(), id)
	require.NoError(t, err)
	require.Equal(t, math.NewInt(v.stake+leastStake).String(), proposal.FinalTallyResult.YesCount, "and the last vote of the other")
}
