package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

func locking(v *validator, amount int64, epochs uint64) sdk.Msg {
	return &rewardstypes.MsgLockStake{Operator: v.address().String(), Amount: stakingCoin(amount), Epochs: epochs}
}

// lock locks stake of a validator in a block of its own.
func (c *chain) lock(v *validator, amount int64, epochs uint64) rewardstypes.StakeLock {
	c.t.Helper()
	var res rewardstypes.MsgLockStakeResponse
	c.send(v.operator, 500_000, &res, locking(v, amount, epochs))
	return res.Lock
}

// requireLock requires that a validator has a lock of so many shares that binds.
func (c *chain) requireLock(v *validator, shares math.LegacyDec) rewardstypes.StakeLock {
	c.t.Helper()
	lock, err := c.app.RewardsKeeper.Lock(c.ctx(), v.address())
	require.NoError(c.t, err)
	require.Equal(c.t, shares.String(), lock.Shares.String())
	return lock
}

// requireNoLock requires that a validator has no lock that binds.
func (c *chain) requireNoLock(v *validator) {
	c.t.Helper()
	_, err := c.app.RewardsKeeper.Lock(c.ctx(), v.address())
	require.ErrorIs(c.t, err, rewardstypes.ErrLockNotFound)
}

// own returns the shares that the operator of a validator has of it.
func (c *chain) own(v *validator) math.LegacyDec {
	c.t.Helper()
	d, err := c.app.StakingKeeper.GetDelegation(c.ctx(), addressOf(v.operator), v.address())
	require.NoError(c.t, err)
	return d.Shares
}

// requireLocked requires that a transaction is refused because stake is locked, and that nothing of x/staking's changes for the
// validator.
func (c *chain) requireLocked(v *validator, tx []byte) {
	c.t.Helper()
	before, shares := c.staked(v), c.own(v)
	res := c.block(tx)
	require.Equal(c.t, rewardstypes.ModuleName, res[0].Codespace, res[0].Log)
	require.Equal(c.t, rewardstypes.ErrStakeLocked.ABCICode(), res[0].Code, res[0].Log)
	require.Equal(c.t, before.Tokens.String(), c.staked(v).Tokens.String())
	require.Equal(c.t, shares.String(), c.own(v).String())
}

// grant lets a key send messages of a kind in the name of another one.
func (c *chain) grant(from *secp256k1.PrivKey, to sdk.AccAddress, authorization authz.Authorization) {
	c.t.Helper()
	expires := c.now.Add(day)
	grant, err := authz.NewMsgGrant(addressOf(from), to, authorization, &expires)
	require.NoError(c.t, err)
	c.send(from, 300_000, nil, grant)
}

// Stake that is locked cannot be taken out on any way that a user has.
func TestLockedStakeStays(t *testing.T) {
	const locked, free = 400_000_000, 400_000_000
	helper := newKey("helper")
	c := newCommittee(t, setup{
		stakes: sevenStakes(), params: wideCommittee, accounts: []*secp256k1.PrivKey{helper},
		change: func(c *chain, state app.GenesisState) {
			edit(t, c, state, govtypes.ModuleName, func(gs *govv1.GenesisState) {
				period, expedited := 3*time.Second, 2*time.Second
				gs.Params.VotingPeriod, gs.Params.ExpeditedVotingPeriod = &period, &expedited
			})
		},
	})
	v, other := c.validators[1], c.validators[2]
	require.EqualValues(t, locked+free, v.stake)
	gov := authtypes.NewModuleAddress(govtypes.ModuleName)
	c.lock(v, locked, 1_000)
	c.requireLock(v, math.LegacyNewDec(locked))

	undelegate := func(amount int64) sdk.Msg { return undelegation(v.operator, v, amount) }
	redelegate := func(amount int64) sdk.Msg { return redelegation(v.operator, v, other, amount) }
	for _, message := range []func(int64) sdk.Msg{undelegate, redelegate} {
		for _, amount := range []int64{free + 1, v.stake - 1, v.stake} {
			c.requireLocked(v, c.tx(v.operator, 800_000, 0, message(amount)))
		}
	}

	// Through authz, with both kinds of authorizations, and with one exec within another.
	exec := func(msgs ...sdk.Msg) *authz.MsgExec {
		e := authz.NewMsgExec(addressOf(helper), msgs)
		return &e
	}
	c.grant(v.operator, addressOf(helper), authz.NewGenericAuthorization(sdk.MsgTypeURL(undelegate(1))))
	c.grant(v.operator, addressOf(helper), authz.NewGenericAuthorization(sdk.MsgTypeURL(redelegate(1))))
	for _, message := range []func(int64) sdk.Msg{undelegate, redelegate} {
		c.requireLocked(v, c.tx(helper, 1_000_000, 0, exec(message(free+1))))
		c.requireLocked(v, c.tx(helper, 1_000_000, 0, exec(exec(message(v.stake)))))
	}
	for kind, message := range map[stakingtypes.AuthorizationType]func(int64) sdk.Msg{
		stakingtypes.AuthorizationType_AUTHORIZATION_TYPE_UNDELEGATE: undelegate,
		stakingtypes.AuthorizationType_AUTHORIZATION_TYPE_REDELEGATE: redelegate,
	} {
		authorization, err := stakingtypes.NewStakeAuthorization([]sdk.ValAddress{v.address(), other.address()}, nil, kind, nil)
		require.NoError(t, err)
		c.grant(v.operator, addressOf(helper), authorization)
		c.requireLocked(v, c.tx(helper, 1_000_000, 0, exec(message(free+1))))
	}

	// Through a proposal: governance, too, acts for the operator by a grant only, and at the end of a block.
	c.grant(v.operator, gov, authz.NewGenericAuthorization(sdk.MsgTypeURL(undelegate(1))))
	byGov := authz.NewMsgExec(gov, []sdk.Msg{undelegate(free + 1)})
	proposal := c.governAll(&byGov)
	require.Equal(t, govv1.StatusFailed, proposal.Status)
	require.Contains(t, proposal.FailedReason, rewardstypes.ErrStakeLocked.Error())
	require.Equal(t, math.LegacyNewDec(v.stake).String(), c.own(v).String())
	allowed := authz.NewMsgExec(gov, []sdk.Msg{undelegate(1)})
	proposal = c.governAll(&allowed)
	require.Equal(t, govv1.StatusPassed, proposal.Status, proposal.FailedReason)

	// What is free goes, in parts, and not a unit more.
	c.must(c.tx(v.operator, 800_000, 0, undelegate(99_999_999), redelegate(100_000_000)))
	c.must(c.tx(v.operator, 800_000, 0, undelegate(200_000_000)))
	require.Equal(t, math.LegacyNewDec(locked).String(), c.own(v).String())
	c.requireLocked(v, c.tx(v.operator, 800_000, 0, undelegate(1)))
	c.requireLocked(v, c.tx(v.operator, 800_000, 0, redelegate(1)))
	c.requireLocked(v, c.tx(v.operator, 800_000, 0, undelegate(locked)))
	c.requireLock(v, math.LegacyNewDec(locked))
	c.toEpoch(c.epoch().Number + 2)
	c.requireLocked(v, c.tx(v.operator, 800_000, 0, undelegate(1)))
}

// governAll puts messages to the vote of all validators and returns what became of the proposal.
func (c *chain) governAll(msgs ...sdk.Msg) *govv1.Proposal {
	c.t.Helper()
	params, err := c.app.GovKeeper.Params.Get(c.ctx())
	require.NoError(c.t, err)
	submit, err := govv1.NewMsgSubmitProposal(msgs, params.MinDeposit, addressOf(c.validator).String(), "", "title", "summary", false)
	require.NoError(c.t, err)
	var submitted govv1.MsgSubmitProposalResponse
	c.send(c.validator, 2_000_000, &submitted, submit)
	var votes [][]byte
	for _, v := range c.validators {
		votes = append(votes, c.tx(v.operator, 300_000, 0, govv1.NewMsgVote(addressOf(v.operator), submitted.ProposalId, govv1.OptionYes, "")))
	}
	c.must(votes...)
	c.now = c.now.Add(*params.VotingPeriod)
	c.blocks(2)
	proposal, err := c.app.GovKeeper.Proposals.Get(c.ctx(), submitted.ProposalId)
	require.NoError(c.t, err)
	return &proposal
}

// A lock binds in the block in which it is made, and in the same transaction.
func TestLockBindsAtOnce(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee})
	v, w := c.validators[1], c.validators[2]
	res := c.block(
		c.tx(v.operator, 500_000, 0, locking(v, v.stake, 1)),
		c.tx(v.operator, 500_000, 1, undelegation(v.operator, v, 1)),
		c.tx(w.operator, 800_000, 0, locking(w, w.stake, 1), undelegation(w.operator, w, 1)),
	)
	require.Zero(t, res[0].Code, res[0].Log)
	for _, r := range res[1:] {
		require.Equal(t, rewardstypes.ModuleName, r.Codespace, r.Log)
		require.Equal(t, rewardstypes.ErrStakeLocked.ABCICode(), r.Code, r.Log)
	}
	c.requireLock(v, math.LegacyNewDec(v.stake))
	c.requireNoLock(w)

	// Nobody else can lock an operator's stake.
	stranger := c.tx(v.operator, 500_000, 0, locking(w, 1, 1))
	refused := c.block(stranger)
	require.Equal(t, sdkerrors.RootCodespace, refused[0].Codespace, refused[0].Log)
	require.NotZero(t, refused[0].Code)
	c.requireNoLock(w)
}

// A lock is in the way of nobody else, nor of anything that does not take the operator's stake out.
func TestLockStopsNothingElse(t *testing.T) {
	saved := newSaver("saver", 5_000_000)
	c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee, accounts: []*secp256k1.PrivKey{saved.key}})
	v, other := c.validators[1], c.validators[2]
	c.must(c.tx(v.operator, 500_000, 0, undelegation(v.operator, v, 1_000)))
	unbonding, err := c.app.StakingKeeper.GetUnbondingDelegation(c.ctx(), addressOf(v.operator), v.address())
	require.NoError(t, err)
	c.lock(v, v.stake-1_000, 1_000)

	rate := math.LegacyZeroDec()
	for name, msgs := range map[string][]sdk.Msg{
		"delegate more":       {delegation(v.operator, v, 7)},
		"cancel an unbonding": {stakingtypes.NewMsgCancelUnbondingDelegation(addressOf(v.operator).String(), v.address().String(), unbonding.Entries[0].CreationHeight, stakingCoin(999))},
		"change the validator": {stakingtypes.NewMsgEditValidator(
			v.address().String(), stakingtypes.Description{Moniker: "renamed"}, &rate, nil)},
		"withdraw rewards":  {distrtypes.NewMsgWithdrawDelegatorReward(addressOf(v.operator).String(), v.address().String())},
		"stake elsewhere":   {delegation(v.operator, other, 100)},
		"unstake elsewhere": {delegation(v.operator, other, 100), undelegation(v.operator, other, 50)},
		"stake redelegated": {delegation(v.operator, other, 100), redelegation(v.operator, other, c.validators[3], 50)},
	} {
		res := c.block(c.tx(v.operator, 1_000_000, 0, msgs...))
		require.Zero(t, res[0].Code, "%s: %s", name, res[0].Log)
	}
	for name, msg := range map[string]sdk.Msg{
		"delegate": delegation(saved.key, v, saved.amount),
	} {
		res := c.block(c.tx(saved.key, 1_000_000, 0, msg))
		require.Zero(t, res[0].Code, "%s: %s", name, res[0].Log)
	}
	c.must(c.tx(saved.key, 1_000_000, 0, redelegation(saved.key, v, other, 1_000_000)))
	c.must(c.tx(saved.key, 1_000_000, 0, undelegation(saved.key, v, saved.amount-1_000_000)))
	v.consensus = append(v.consensus, ed25519.GenPrivKeyFromSecret([]byte("next key")))
	c.must(c.rotate(v))
	c.toEpoch(c.epoch().Number + 2)
	c.requireLock(v, math.LegacyNewDec(v.stake-1_000))
	c.requireLocked(v, c.tx(v.operator, 500_000, 0, undelegation(v.operator, v, 7+999+1)))
	c.must(c.tx(v.operator, 500_000, 0, undelegation(v.operator, v, 7+999)))
}

// The stake is free again in the epoch after the last one of the lock, not a block earlier, and the lock is forgotten.
func TestLockEnds(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee})
	v := c.validators[1]
	lock := c.lock(v, v.stake, 1)
	require.EqualValues(t, 1, c.epoch().Number)
	require.EqualValues(t, 3, lock.EndEpoch)
	c.toEpoch(2)
	for c.epoch().Number == 2 {
		v.mute = true // its reports would come between
		tx := c.tx(v.operator, 500_000, 0, undelegation(v.operator, v, 1))
		res := c.block(tx)
		require.Equal(t, rewardstypes.ErrStakeLocked.ABCICode(), res[0].Code, res[0].Log)
	}
	require.EqualValues(t, 3, c.epoch().Number)
	c.requireNoLock(v)
	c.must(c.tx(v.operator, 500_000, 0, undelegation(v.operator, v, v.stake/2)))
	g, err := c.app.RewardsKeeper.ExportGenesis(c.ctx())
	require.NoError(t, err)
	require.Empty(t, g.Locks)
}

// rewardEvents returns the events of x/rewards of a type in the last block.
func (c *chain) rewardEvents(kind string) (found []map[string]string) {
	for _, e := range c.last.Events {
		if e.Type != kind {
			continue
		}
		attributes := make(map[string]string)
		for _, a := range e.Attributes {
			attributes[a.Key] = strings.Trim(a.Value, `"`)
		}
		found = append(found, attributes)
	}
	return found
}

// What was redelegated to one's own validator and locked there is slashed with the validator that it came from. x/staking takes the
// shares out at the beginning of a block, where nothing may fail: the lock shrinks with the stake, or goes with the last of it, and
// the chain goes on.
func TestSlashOfALockedRedelegation(t *testing.T) {
	const moved, rest = 200_000_000, 1_000
	for _, tt := range []struct {
		name string
		// left of the operator's stake before the redelegation; the whole of it if 0.
		left     int64
		fraction string
		locked   func(own int64) int64
	}{
		{"all is locked", 0, "0.05", func(own int64) int64 { return own }},
		{"the redelegation is all that there is", rest, "0.05", func(own int64) int64 { return own }},
		{"the lock is covered by what is left", 0, "0.05", func(own int64) int64 { return own - moved }},
		{"the redelegation is lost", 0, "1", func(own int64) int64 { return own }},
		{"the lock is lost", rest, "1", func(own int64) int64 { return own - rest + 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fraction := math.LegacyMustNewDecFromStr(tt.fraction)
			c := newCommittee(t, setup{
				stakes: sevenStakes(), params: wideCommittee,
				change: func(c *chain, state app.GenesisState) {
					edit(t, c, state, slashingtypes.ModuleName, func(gs *slashingtypes.GenesisState) {
						gs.Params.SlashFractionDoubleSign = fraction
					})
				},
			})
			v, source := c.validators[6], c.validators[0]
			if tt.left != 0 {
				c.must(c.tx(v.operator, 500_000, 0, undelegation(v.operator, v, v.stake-tt.left)))
			}
			c.must(c.tx(v.operator, 500_000, 0, delegation(v.operator, source, moved)))
			c.toEpoch(2)
			height := c.handedOver()
			c.must(c.tx(v.operator, 900_000, 0, redelegation(v.operator, source, v, moved)))
			own := c.own(v)
			locked := tt.locked(own.TruncateInt64())
			before := c.lock(v, locked, 1_000)

			burnt := c.burnt(func() {
				c.misbehave(source, height)
				c.block()
			})
			require.True(t, burnt.IsPositive())
			require.True(t, c.staked(source).IsJailed())
			left := own.Sub(fraction.MulInt64(moved))
			require.Equal(t, left.String(), c.own(v).String())
			events := c.rewardEvents("edge.rewards.v1.EventStakeLockLowered")
			want := math.LegacyMinDec(before.Shares, left)
			if want.Equal(before.Shares) {
				require.Empty(t, events)
			} else {
				require.Equal(t, []map[string]string{{"operator": v.address().String(), "shares": want.String()}}, anywhere(events))
			}
			after := c.requireLock(v, want)
			require.Equal(t, before.EndEpoch, after.EndEpoch)

			free := left.Sub(want).TruncateInt64()
			c.requireLocked(v, c.tx(v.operator, 500_000, 0, undelegation(v.operator, v, free+1)))
			c.toEpoch(c.epoch().Number + 2)
			c.requireLock(v, want)
		})
	}
}

// anywhere leaves out where in a block events come from.
func anywhere(events []map[string]string) []map[string]string {
	for _, e := range events {
		delete(e, "mode")
	}
	return events
}

// If a slash takes all that an operator has, the lock is gone; and if his validator is unbonded and has no other stake, so is the
// validator, in the middle of the slash.
func TestSlashTakesTheLastOfALock(t *testing.T) {
	const moved, unbonding = 200_000_000, 20 * time.Second
	for _, bonded := range []bool{true, false} {
		t.Run(map[bool]string{true: "bonded", false: "unbonded"}[bonded], func(t *testing.T) {
			saved := newSaver("saver", 1_000)
			c := newCommittee(t, setup{
				stakes: sevenStakes(), params: wideCommittee, accounts: []*secp256k1.PrivKey{saved.key},
				change: func(c *chain, state app.GenesisState) {
					edit(t, c, state, slashingtypes.ModuleName, func(gs *slashingtypes.GenesisState) {
						gs.Params.SlashFractionDoubleSign = math.LegacyOneDec()
					})
					edit(t, c, state, stakingtypes.ModuleName, func(gs *stakingtypes.GenesisState) { gs.Params.UnbondingTime = unbonding })
				},
			})
			v, source := c.validators[6], c.validators[0]
			c.must(c.tx(saved.key, 500_000, 0, delegation(saved.key, v, saved.amount)),
				c.tx(v.operator, 900_000, 0, delegation(v.operator, source, moved), undelegation(v.operator, v, v.stake)))
			c.blocks(int(unbonding / blockTime))
			c.block()
			require.True(t, c.staked(v).IsUnbonded())
			c.toEpoch(c.epoch().Number + 1)
			height := c.handedOver()
			c.must(c.tx(v.operator, 900_000, 0, redelegation(v.operator, source, v, moved)))
			if bonded {
				c.must(c.tx(v.operator, 900_000, 0, slashingtypes.NewMsgUnjail(v.address().String())))
				require.True(t, c.staked(v).IsBonded())
			} else {
				c.must(c.tx(saved.key, 500_000, 0, undelegation(saved.key, v, saved.amount)))
			}
			c.lock(v, moved, 1_000)

			c.misbehave(source, height)
			c.block()
			_, err := c.app.StakingKeeper.GetDelegation(c.ctx(), addressOf(v.operator), v.address())
			require.ErrorIs(t, err, stakingtypes.ErrNoDelegation)
			c.requireNoLock(v)
			events := c.rewardEvents("edge.rewards.v1.EventStakeLockLowered")
			require.Len(t, events, 1)
			require.Equal(t, math.LegacyZeroDec().String(), events[0]["shares"])
			_, err = c.app.StakingKeeper.GetValidator(c.ctx(), v.address())
			if bonded {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, stakingtypes.ErrNoValidatorFound)
			}
			require.True(t, c.staked(source).IsJailed())
			c.toEpoch(c.epoch().Number + 2)
		})
	}
}

// A slash of the validator itself takes tokens and leaves the shares: the lock stays as it is, down to a validator without a
// token, and can grow again only with stake that is there.
func TestLockOfASlashedValidator(t *testing.T) {
	c := newCommittee(t, setup{
		stakes: sevenStakes(), params: wideCommittee,
		change: func(c *chain, state app.GenesisState) {
			edit(t, c, state, slashingtypes.ModuleName, func(gs *slashingtypes.GenesisState) {
				gs.Params.SlashFractionDoubleSign = math.LegacyOneDec()
			})
		},
	})
	v := c.validators[6]
	c.lock(v, v.stake, 1_000)
	c.toEpoch(2)
	c.block()
	require.True(t, c.boost(2, v).GT(math.LegacyOneDec()))
	c.misbehave(v, c.handedOver())
	c.block()
	require.True(t, c.staked(v).Tokens.IsZero())
	require.True(t, c.staked(v).IsJailed())
	c.requireLock(v, math.LegacyNewDec(v.stake))
	require.True(t, c.boost(2, v).GT(math.LegacyOneDec()), "the boost is that of the opening")
	res := c.block(c.tx(v.operator, 500_000, 0, locking(v, 1, 1_000)))
	require.NotZero(t, res[0].Code)
	c.toEpoch(4)
	require.Equal(t, math.LegacyOneDec().String(), c.boost(3, v).String())
	require.Equal(t, math.LegacyOneDec().String(), c.boost(4, v).String())
	c.requireLock(v, math.LegacyNewDec(v.stake))
}

// When x/staking removes a validator its lock goes with it.
func TestLockGoesWithItsValidator(t *testing.T) {
	const unbonding = 60 * time.Second
	c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee, change: func(c *chain, state app.GenesisState) {
		edit(t, c, state, stakingtypes.ModuleName, func(gs *stakingtypes.GenesisState) { gs.Params.UnbondingTime = unbonding })
	}})
	gone, stays := c.validators[5], c.validators[4]
	c.lock(stays, stays.stake, 1_000)
	c.lock(gone, gone.stake, 1)
	for c.epoch().Number < 3 {
		c.block()
	}
	c.must(c.leave(gone))
	c.blocks(int(unbonding/blockTime) + 1)
	_, err := c.app.StakingKeeper.GetValidator(c.ctx(), gone.address())
	require.ErrorIs(t, err, stakingtypes.ErrNoValidatorFound)
	c.requireNoLock(gone)
	c.requireLock(stays, math.LegacyNewDec(stays.stake))
	res := c.block(c.tx(gone.operator, 500_000, 0, locking(gone, 1, 1)))
	require.Equal(t, stakingtypes.ErrNoValidatorFound.ABCICode(), res[0].Code, res[0].Log)
	require.Equal(t, stakingtypes.ModuleName, res[0].Codespace)
}

// boost returns the boost of a validator in an epoch, 1 if none is stored.
func (c *chain) boost(epoch uint64, v *validator) math.LegacyDec {
	c.t.Helper()
	g, err := c.app.RewardsKeeper.ExportGenesis(c.ctx())
	require.NoError(c.t, err)
	for _, b := range g.Boosts {
		if b.Epoch == epoch && b.Operator == v.address().String() {
			return b.Boost
		}
	}
	return math.LegacyOneDec()
}

// The boost of an epoch is that of the state at its opening. Whatever is done within the epoch counts from the next one on.
func TestBoostIsThatOfTheOpening(t *testing.T) {
	whale := newSaver("whale", 1_000_000_000)
	c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee, accounts: []*secp256k1.PrivKey{whale.key}})
	v := c.validators[4] // 600,000,000: a tenth is 60,000,000
	one := math.LegacyOneDec()
	require.Equal(t, one.String(), c.boost(1, v).String())
	c.lock(v, 30_000_000, 1_460)
	require.Equal(t, one.String(), c.boost(1, v).String(), "a lock counts from the next epoch on")
	c.toEpoch(2)
	require.Equal(t, one.String(), c.boost(2, v).String(), "the epoch opens at the end of a block")
	c.block()
	events := c.rewardEvents("edge.rewards.v1.EventBoostsComputed")
	require.Len(t, events, 1)
	require.Equal(t, "1", events[0]["nodes"])
	half := math.LegacyMustNewDecFromStr("2.5") // 1 + 3 * 1 * 1/2
	require.Equal(t, half.String(), c.boost(2, v).String())

	// Within the epoch, from its first block on.
	c.must(c.tx(whale.key, 500_000, 0, delegation(whale.key, v, whale.amount)))
	c.lock(v, 160_000_000, 1_460)
	c.must(c.tx(v.operator, 500_000, 0, undelegation(v.operator, v, 440_000_000)))
	c.block()
	require.Empty(t, c.rewardEvents("edge.rewards.v1.EventBoostsComputed"))
	require.Equal(t, half.String(), c.boost(2, v).String())
	require.Len(t, c.rewardsState().Boosts, 1)

	// 160,000,000 of 1,160,000,000 are more than a tenth.
	c.toEpoch(3)
	c.block()
	require.Equal(t, half.String(), c.boost(2, v).String())
	require.Equal(t, "4.000000000000000000", c.boost(3, v).String())

	// One epoch of the lock is over.
	c.toEpoch(4)
	c.block()
	want := one.Add(math.LegacyNewDec(3).MulInt64(1_459).QuoInt64(1_460))
	require.InDelta(t, want.MustFloat64(), c.boost(4, v).MustFloat64(), 1e-12)
}

func (c *chain) rewardsState() *rewardstypes.GenesisState {
	c.t.Helper()
	g, err := c.app.RewardsKeeper.ExportGenesis(c.ctx())
	require.NoError(c.t, err)
	return g
}

// A lock in the last block of an epoch counts for the next one; one in the first block does not count for it, although the boosts
// are computed in that block.
func TestLockAtTheTurnOfAnEpoch(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee})
	last, first := c.validators[1], c.validators[2]
	e := c.toPhase(epochtypes.PHASE_FROZEN)
	for c.height() < e.ClosingHeight {
		c.block()
	}
	c.lock(last, last.stake, 1_460) // in the block that opens epoch 2
	require.EqualValues(t, 2, c.epoch().Number)
	c.lock(first, first.stake, 1_460)
	c.block()
	require.Equal(t, "4.000000000000000000", c.boost(2, last).String())
	require.Equal(t, "1.000000000000000000", c.boost(2, first).String())
	c.toEpoch(3)
	c.block()
	require.Equal(t, "4.000000000000000000", c.boost(3, first).String())
}

// A node that was not bonded when the epoch opened has no boost in it, whatever becomes of it.
func TestBoostIsForBondedNodes(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee})
	v := c.validators[6]
	c.lock(v, v.stake-100, 1_460)
	// With too little stake of its own a validator is jailed; nobody can force that on it.
	c.must(c.tx(v.operator, 500_000, 0, &stakingtypes.MsgEditValidator{
		ValidatorAddress: v.address().String(), Description: stakingtypes.Description{Moniker: v.name},
		MinSelfDelegation: new(math.NewInt(v.stake - 50)),
	}))
	c.must(c.tx(v.operator, 500_000, 0, undelegation(v.operator, v, 100)))
	require.True(t, c.staked(v).IsJailed())
	c.toEpoch(2)
	c.block()
	require.Equal(t, "1.000000000000000000", c.boost(2, v).String())
	c.must(c.tx(v.operator, 500_000, 0, delegation(v.operator, v, 100)))
	c.must(c.tx(v.operator, 500_000, 0, slashingtypes.NewMsgUnjail(v.address().String())))
	c.block()
	require.True(t, c.staked(v).IsBonded())
	require.Equal(t, "1.000000000000000000", c.boost(2, v).String())
	c.toEpoch(3)
	c.block()
	require.True(t, c.boost(3, v).GT(math.LegacyNewDec(3)))
}

// A chain that is exported with locks and boosts, also between the opening of an epoch and the boosts of it, goes on alike.
func TestExportWithLocks(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee})
	v := c.validators[4]
	for _, v := range c.validators {
		v.mute = true
	}
	c.lock(v, 30_000_000, 1_460)
	c.toEpoch(2)
	for range 2 {
		from := c.export()
		d := c.resume(from)
		c.blocks(3)
		d.blocks(3)
		require.Equal(t, "2.500000000000000000", d.boost(2, v).String())
		requireSameState(t, from, c, d)
		d.requireLocked(v, d.tx(v.operator, 500_000, 0, undelegation(v.operator, v, v.stake-30_000_000+1)))
	}
}
