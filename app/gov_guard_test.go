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
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	govv1beta1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1beta1"

	"github.com/edgechain/edge/app"
)

// newVoters starts a chain that is not one for development, whose votes take an hour, and ten minutes if they are expedited.
func newVoters(t *testing.T, accounts ...*secp256k1.PrivKey) *chain {
	t.Helper()
	return newVotersOf(t, sevenStakes(), accounts...)
}

func newVotersOf(t *testing.T, stakes []int64, accounts ...*secp256k1.PrivKey) *chain {
	t.Helper()
	return newCommittee(t, setup{
		stakes: stakes, accounts: accounts,
		change: func(c *chain, state app.GenesisState) {
			production(t, c, state)
			quickVotes(t, c, state)
		},
	})
}

// edges returns hundredths of an EDGE, and some of its smallest unit.
func edges(hundredths, units int64) sdk.Coins {
	return sdk.NewCoins(stakingCoin(hundredths*10_000 + units))
}

func submission(t *testing.T, from *secp256k1.PrivKey, deposit sdk.Coins, expedited bool) sdk.Msg {
	t.Helper()
	msg, err := govv1.NewMsgSubmitProposal(nil, deposit, addressOf(from).String(), "ipfs://CID", "title", "summary", expedited)
	require.NoError(t, err)
	return msg
}

// A proposal takes deposits in tenths of what it needs, and from nobody whom it does not need: all of them are paid back in one block.
func TestDepositsAreFew(t *testing.T) {
	alice, bob, carol := newKey("alice"), newKey("bob"), newKey("carol")
	c := newVoters(t, alice, bob, carol)
	params, err := c.app.GovKeeper.Params.Get(c.ctx())
	require.NoError(t, err)
	require.Equal(t, edges(1_000, 0).String(), sdk.NewCoins(params.MinDeposit...).String())
	try := func(want error, from *secp256k1.PrivKey, msgs ...sdk.Msg) {
		t.Helper()
		res := c.block(c.tx(from, 2_000_000, 0, msgs...))[0]
		if want == nil {
			require.Zero(t, res.Code, res.Log)
			return
		}
		requireRefused(t, want, res)
	}
	try(app.ErrNoDeposit, alice, submission(t, alice, edges(100, -1), false))
	const id = 1
	try(nil, alice, submission(t, alice, edges(100, 0), false))
	deposit := func(from *secp256k1.PrivKey, hundredths, units int64) sdk.Msg {
		return govv1.NewMsgDeposit(addressOf(from), id, edges(hundredths, units))
	}
	try(app.ErrNoDeposit, bob, deposit(bob, 100, -1))
	try(nil, bob, deposit(bob, 100, 0))
	try(nil, bob, deposit(bob, 10, 0)) // not less than the least altogether

	// Whoever begins the vote is the last one, from the same block on; those who are needed can add.
	res := c.block(c.tx(carol, 1_000_000, 0, deposit(carol, 790, 0)), c.tx(c.validator, 1_000_000, 0, deposit(c.validator, 1_000, 0)))
	require.Zero(t, res[0].Code, res[0].Log)
	requireRefused(t, app.ErrNoDeposit, res[1])
	proposal, err := c.app.GovKeeper.Proposals.Get(c.ctx(), id)
	require.NoError(t, err)
	require.Equal(t, govv1.StatusVotingPeriod, proposal.Status)
	try(nil, bob, deposit(bob, 10, 0))
	late := deposit(c.validator, 1_000, 0)
	try(app.ErrNoDeposit, c.validator, late)
	try(app.ErrNoDeposit, c.validator, govv1beta1.NewMsgDeposit(addressOf(c.validator), id, edges(1_000, 0)))
	c.grant(c.validator, addressOf(bob), authz.NewGenericAuthorization(sdk.MsgTypeURL(late)))
	exec := authz.NewMsgExec(addressOf(bob), []sdk.Msg{late})
	try(app.ErrNoDeposit, bob, &exec)
	deposits, err := c.app.GovKeeper.GetDeposits(c.ctx(), id)
	require.NoError(t, err)
	require.Len(t, deposits, 3)
}

// The votes that end are tallied in the block, each with all the stake there is: they end a minute apart.
func TestVotesEndApart(t *testing.T) {
	alice := newKey("alice")
	c := newVoters(t, alice)
	submit := func(expedited bool) []byte {
		t.Helper()
		return c.tx(alice, 1_000_000, 0, submission(t, alice, edges(5_000, 0), expedited))
	}
	start := c.now
	c.must(submit(false))
	began := c.now
	require.True(t, began.After(start))
	requireRefused(t, app.ErrVotesTooClose, c.block(submit(false))[0])
	c.must(submit(true)) // ends at another time
	requireRefused(t, app.ErrVotesTooClose, c.block(submit(true))[0])
	c.now = began.Add(time.Minute - 2*blockTime)
	requireRefused(t, app.ErrVotesTooClose, c.block(submit(false))[0])
	c.must(submit(false))
	require.Equal(t, time.Minute, c.now.Sub(began))

	// An expedited one would end together with the first.
	c.now = began.Add(50*time.Minute - blockTime)
	requireRefused(t, app.ErrVotesTooClose, c.block(submit(true))[0])
	// What was not taken is no proposal.
	open := 0
	require.NoError(t, c.app.GovKeeper.Proposals.Walk(c.ctx(), nil, func(uint64, govv1.Proposal) (bool, error) {
		open++
		return false, nil
	}))
	require.Equal(t, 3, open)
}

// A slash that takes some of the least stake takes no vote.
func TestSlashedStakeVotes(t *testing.T) {
	alice, bob := newKey("alice"), newKey("bob")
	c := newVoters(t, alice, bob)
	v := c.validators[1]
	c.must(c.tx(alice, 500_000, 0, delegation(alice, v, leastStake)), c.tx(bob, 1_000_000, 0, submission(t, bob, edges(1_000, 0), false)))
	slash := func(percent int64) {
		t.Helper()
		ctx := c.ctx()
		cons, err := c.staked(v).GetConsAddr()
		require.NoError(t, err)
		_, err = c.app.StakingKeeper.Slash(ctx, cons, ctx.BlockHeight(), c.staked(v).Tokens.Int64(), math.LegacyNewDecWithPrec(percent, 2))
		require.NoError(t, err)
	}
	slash(50)
	c.must(c.tx(alice, 500_000, 0, govv1.NewMsgVote(addressOf(alice), 1, govv1.OptionYes, "")))
	slash(1)
	requireRefused(t, app.ErrNoStake, c.block(c.tx(alice, 500_000, 0, govv1.NewMsgVote(addressOf(alice), 1, govv1.OptionNo, "")))[0])
}

// Who has no stake cannot vote, by whatever message, and so adds nothing to the tally.
func TestVotesNeedStake(t *testing.T) {
	alice, helper := newKey("alice"), newKey("helper")
	c := newVoters(t, alice, helper)
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
