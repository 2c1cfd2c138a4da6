package app_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
)

// Where much is bonded, a vote needs one of 200,000 parts of it, so that not even a large part of all stake makes many votes.
func TestVotesNeedAPartOfTheStake(t *testing.T) {
	alice := newKey("alice")
	stakes := sevenStakes()
	stakes[0] = 5_000_000 * 1_000_000
	small := newValidator("small", leastStake)
	c := newVotersOf(t, stakes, alice, small.operator)
	bonded, err := c.app.StakingKeeper.TotalValidatorPower(c.ctx())
	require.NoError(t, err)
	least := bonded.QuoRaw(200_000).Int64()
	require.Greater(t, least, int64(2*leastStake))
	vote := govv1.NewMsgVote(addressOf(alice), 1, govv1.OptionYes, "")
	c.must(c.tx(alice, 1_500_000, 0, submission(t, alice, edges(1_000, 0), false),
		delegation(alice, c.validators[1], leastStake), delegation(alice, c.validators[2], least-leastStake-1)))
	requireRefused(t, app.ErrNoStake, c.block(c.tx(alice, 500_000, 0, vote))[0])
	// What is delegated now adds to what is bonded: a few hundred units of the part.
	c.must(c.tx(alice, 900_000, 0, delegation(alice, c.validators[1], 1_000), vote))

	// A validator that is made for the vote has as much, or is voted for by nobody.
	c.must(c.tx(small.operator, 900_000, 0, small.creation(t)))
	c.blocks(1)
	require.True(t, c.staked(small).IsBonded())
	vote = govv1.NewMsgVote(addressOf(small.operator), 1, govv1.OptionYes, "")
	requireRefused(t, app.ErrNoStake, c.block(c.tx(small.operator, 500_000, 0, vote))[0])
	c.must(c.tx(alice, 900_000, 0, delegation(alice, small, least)))
	c.must(c.tx(small.operator, 500_000, 0, vote))
}

// A tally looks at sixteen delegations of a voter. His other stake is voted by its validators, as if he had not voted, and counts once.
func TestTallyLooksAtFewDelegations(t *testing.T) {
	const most = 16
	stakes := make([]int64, most+2)
	for i := range stakes {
		stakes[i] = 100_000_000
	}
	alice := newKey("alice")
	c := newVotersOf(t, stakes, alice)
	msgs := []sdk.Msg{submission(t, alice, edges(1_000, 0), false)}
	for _, v := range c.validators {
		msgs = append(msgs, delegation(alice, v, leastStake))
	}
	c.must(c.tx(alice, 9_000_000, 0, append(msgs, govv1.NewMsgVote(addressOf(alice), 1, govv1.OptionYes, ""))...))
	var txs [][]byte
	for _, v := range c.validators {
		txs = append(txs, c.tx(v.operator, 500_000, 0, govv1.NewMsgVote(addressOf(v.operator), 1, govv1.OptionNo, "")))
	}
	c.must(txs...)
	c.now = c.now.Add(time.Hour)
	c.block()
	proposal, err := c.app.GovKeeper.Proposals.Get(c.ctx(), 1)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(most*leastStake), proposal.FinalTallyResult.YesCount)
	require.Equal(t, fmt.Sprint(len(stakes)*100_000_000+2*leastStake), proposal.FinalTallyResult.NoCount)
}

// What a tally takes for each voter, who has delegated to one validator or to several (docs/adr/014).
func BenchmarkTally(b *testing.B) {
	for _, delegations := range []int{1, 7} {
		b.Run(fmt.Sprintf("delegations=%d", delegations), func(b *testing.B) {
			const voters = 10_000
			t := new(testing.T) // the fixture fails by panic in a benchmark
			alice := newKey("alice")
			c := newVoters(t, alice)
			c.must(c.tx(alice, 500_000, 0, submission(t, alice, edges(1_000, 0), false)))
			ctx := c.ctx()
			for i := range voters {
				h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
				voter := sdk.AccAddress(h[:20])
				for _, v := range c.validators[:delegations] {
					d := stakingtypes.NewDelegation(voter.String(), v.address().String(), math.LegacyOneDec())
					require.NoError(b, c.app.StakingKeeper.SetDelegation(ctx, d))
				}
				vote := govv1.NewVote(1, voter, govv1.NewNonSplitVoteOption(govv1.OptionYes), "")
				require.NoError(b, c.app.GovKeeper.Votes.Set(ctx, collections.Join(uint64(1), voter), vote))
			}
			c.block()
			proposal, err := c.app.GovKeeper.Proposals.Get(c.ctx(), 1)
			require.NoError(b, err)
			for b.Loop() {
				branch, _ := c.ctx().CacheContext()
				_, _, result, err := c.app.GovKeeper.Tally(branch, proposal)
				require.NoError(b, err)
				require.Equal(b, fmt.Sprint(voters*delegations), result.YesCount)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*voters), "us/vote")
		})
	}
}
