package app_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdked25519 "github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/app"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// twelveStakes are equal but for a little, so that with fewer seats some of their owners have none.
func twelveStakes() []int64 {
	stakes := make([]int64, 12)
	for i := range stakes {
		stakes[i] = 100_000_000 + int64(i)
	}
	return stakes
}

// rotation makes a new consensus key for a validator and returns the message that announces it.
func (c *chain) rotation(v *validator) sdk.Msg {
	c.t.Helper()
	key := sdked25519.GenPrivKeyFromSecret(fmt.Appendf(nil, "consensus key %d of %s", len(v.consensus), v.name))
	v.consensus = append(v.consensus, key)
	msg, err := stakingtypes.NewMsgRotateConsPubKey(v.address().String(), key.PubKey())
	require.NoError(c.t, err)
	return msg
}

func (c *chain) rotate(v *validator) []byte {
	c.t.Helper()
	return c.tx(v.operator, 500_000, 0, c.rotation(v))
}

func (c *chain) rotations(validators []*validator) (txs [][]byte) {
	c.t.Helper()
	for _, v := range validators {
		txs = append(txs, c.rotate(v))
	}
	return txs
}

// newest is the key that a validator announced last.
func (v *validator) newest() []byte { return v.consensus[len(v.consensus)-1].PubKey().Bytes() }

// requireNewestKeys requires that everybody in the set that was sent last is there with the key that it announced last.
func (c *chain) requireNewestKeys() {
	c.t.Helper()
	for _, member := range c.comet.sets[c.height()+1].Validators {
		require.True(c.t, bytes.Equal(c.validatorAt(member.Address).newest(), member.PubKey.Bytes()),
			"height %d: %s", c.height()-1, c.validatorAt(member.Address).name)
	}
}

// followed makes a block of transactions that succeed, and requires that the set follows the model and the keys.
func (m *model) followed(txs ...[]byte) {
	m.c.t.Helper()
	m.c.must(txs...)
	require.Equal(m.c.t, m.powers(), m.c.powers(m.c.height()+1), "set sent in block %d", m.c.height()-1)
	m.c.requireNewestKeys()
}

func (m *model) follow(blocks int) {
	m.c.t.Helper()
	for range blocks {
		m.followed()
	}
}

// A key rotates at every point of an epoch, of those who have seats, who get them meanwhile and who have none, and CometBFT
// learns of it when x/staking expects it.
func TestRotationAtEveryPoint(t *testing.T) {
	c := newCommittee(t, setup{stakes: twelveStakes(), params: func(p *epochtypes.Params) { p.Seats, p.StepBlocks = 8, 3 }})
	m := newModel(c)
	sitting := func(v *validator) bool { return c.powers(c.height() + 1)[v.name] != 0 }
	// one returns somebody who has not rotated yet, with seats or without.
	one := func(seated bool) *validator {
		for _, v := range c.validators {
			if len(v.consensus) == 1 && sitting(v) == seated {
				return v
			}
		}
		t.Fatalf("everybody has rotated, seats: %t", seated)
		return nil
	}
	m.followed(c.rotate(one(true)))
	m.followed(c.rotate(one(false)))
	c.toFreeze()
	m.followed(c.rotate(one(true)))
	require.Equal(t, c.app.LastBlockHeight(), c.epoch().FreezeHeight)
	closing := c.epoch().ClosingHeight
	for c.height() < closing-1 {
		m.followed()
	}
	m.followed(c.rotate(one(false)))
	m.followed(c.rotate(one(true)))
	require.EqualValues(t, 2, c.epoch().Number)

	// Who gets a seat with a step announces its key in the block before it, or in the block of the step.
	elected := 0
	for step := 1; step < 4; step++ {
		h, err := c.app.EpochKeeper.HandOver(c.ctx())
		require.NoError(t, err)
		require.EqualValues(t, step, h.Steps)
		var incoming []*validator
		for i, operator := range m.holders(2) {
			for _, v := range c.validators {
				if i%4 == step && string(v.address()) == operator && !sitting(v) && len(v.consensus) == 1 {
					incoming = append(incoming, v)
				}
			}
		}
		for c.height() < h.NextHeight-1 {
			m.followed()
		}
		var before, same []*validator
		for i, v := range incoming {
			if (i+elected)%2 == 0 {
				before = append(before, v)
			} else {
				same = append(same, v)
			}
		}
		if len(same) == 0 {
			same = append(same, one(true))
		}
		elected += len(incoming)
		m.followed(c.rotations(before)...)
		m.followed(c.rotations(same)...)
		for _, v := range incoming {
			require.True(t, sitting(v))
		}
	}
	require.GreaterOrEqual(t, elected, 2, "nobody new")
	m.follow(10)
}

// A key that was announced by one who leaves at the same time, or while its rotation is pending, is not left behind in the set.
func TestRotationOfLeavers(t *testing.T) {
	c := newCommittee(t, setup{stakes: twelveStakes(), params: func(p *epochtypes.Params) {
		p.Seats, p.Duration = 24, 2*time.Minute // everybody has two seats, and there is no election
	}})
	m := newModel(c)
	dropped := func(v *validator, key int) {
		t.Helper()
		require.True(t, c.dropped(v.consensus[key].PubKey().Bytes()))
		require.Len(t, c.last.ValidatorUpdates, 1)
	}
	v := c.validators[0]
	m.followed(c.tx(v.operator, 1_000_000, 0, c.rotation(v), leaving(v)))
	dropped(v, 0)
	m.follow(4)

	for blocks, v := range c.validators[1:4] {
		m.followed(c.rotate(v))
		m.follow(blocks)
		// The spares take the seats of the third one over.
		m.followed(c.leave(v))
		require.True(t, c.dropped(v.newest()))
		m.follow(4)
	}

	for blocks, v := range c.validators[4:7] {
		m.followed(c.rotate(v))
		m.follow(blocks)
		c.misbehave(v, c.app.LastBlockHeight())
		m.followed()
		require.True(t, c.dropped(v.newest()))
		m.follow(4)
	}

	v = c.validators[7]
	m.followed(c.leave(v))
	res := c.block(c.rotate(v))
	require.NotZero(t, res[0].Code, "it is jailed")
	m.follow(10)
}

// When everybody leaves, those who stay in the set for lack of others can still change their keys: CometBFT has to know them
// by the keys that x/staking gives them.
func TestRotationInAKeptSet(t *testing.T) {
	t.Run("in the block in which all leave", func(t *testing.T) {
		c := newCommittee(t, setup{stakes: []int64{100_000_000, 90_000_000}})
		a, b := c.validators[0], c.validators[1]
		before := c.powers(c.height() + 1)
		c.must(c.tx(a.operator, 1_000_000, 0, c.rotation(a), leaving(a)), c.leave(b))
		require.Equal(t, before, c.powers(c.height()+1))
		require.Equal(t, 1, c.events(&epochtypes.EventValidatorSetKept{}))
		c.requireNewestKeys()
		c.blocks(10)
		require.Equal(t, before, c.powers(c.height()+1))
	})
	t.Run("in the block before", func(t *testing.T) {
		c := newCommittee(t, setup{stakes: []int64{100_000_000, 90_000_000}})
		a, b := c.validators[0], c.validators[1]
		c.must(c.rotate(a))
		before := c.powers(c.height() + 1)
		c.must(c.leave(a), c.leave(b))
		require.Equal(t, before, c.powers(c.height()+1))
		c.requireNewestKeys()
		c.blocks(10)
	})
	t.Run("pushed out", func(t *testing.T) {
		c := newCommittee(t, setup{
			stakes: []int64{100_000_000, 90_000_000},
			change: func(c *chain, state app.GenesisState) {
				edit(t, c, state, stakingtypes.ModuleName, func(gs *stakingtypes.GenesisState) { gs.Params.MaxValidators = 2 })
			},
		})
		a, b := c.validators[0], c.validators[1]
		before := c.powers(c.height() + 1)
		var txs [][]byte
		for _, of := range []*validator{a, b} {
			late := newValidator("late "+of.name, 500_000_000)
			c.send(of.operator, 500_000, nil, transfer(addressOf(of.operator), addressOf(late.operator), 2*late.stake))
			c.validators = append(c.validators, late)
			txs = append(txs, c.tx(late.operator, 1_000_000, 0, late.creation(t)))
		}
		c.must(txs...)
		require.False(t, c.staked(a).IsBonded())
		require.False(t, c.staked(a).IsJailed())
		require.Equal(t, before, c.powers(c.height()+1))
		c.must(c.rotate(a))
		c.requireNewestKeys()
		c.blocks(2)
		c.must(c.rotate(b))
		c.requireNewestKeys()
		c.blocks(2)
		require.Equal(t, before, c.powers(c.height()+1))
		// The next election is between the two who are bonded now.
		c.toEpoch(2)
		c.handedOver()
		require.Zero(t, c.powers(c.height())[a.name]+c.powers(c.height())[b.name])
		c.toEpoch(3)
	})
}

// Rotation works through authz.
func TestRotationByGrantee(t *testing.T) {
	grantee := newKey("grantee")
	c := newCommittee(t, setup{stakes: sevenStakes(), accounts: []*secp256k1.PrivKey{grantee}, params: wideCommittee})
	m := newModel(c)
	v := c.validators[0]
	expires := c.now.Add(time.Hour)
	grant, err := authz.NewMsgGrant(addressOf(v.operator), addressOf(grantee),
		authz.NewGenericAuthorization(sdk.MsgTypeURL(&stakingtypes.MsgRotateConsPubKey{})), &expires)
	require.NoError(t, err)
	m.followed(c.tx(v.operator, 500_000, 0, grant))
	exec := authz.NewMsgExec(addressOf(grantee), []sdk.Msg{c.rotation(v)})
	m.followed(c.tx(grantee, 500_000, 0, &exec))
	require.True(t, c.dropped(v.consensus[0].PubKey().Bytes()))
	m.follow(10)
}

// Rotation works through a proposal, whose messages run in EndBlock, for a validator whose operator is the chain itself.
func TestRotationByProposal(t *testing.T) {
	const stake = 600_000_000
	c := newCommittee(t, setup{
		stakes: []int64{2_000_000_000, 100_000_000}, outsiders: 2,
		params: func(p *epochtypes.Params) { p.Seats, p.Duration = 8, 12*time.Second },
		change: func(c *chain, state app.GenesisState) {
			edit(t, c, state, govtypes.ModuleName, func(gs *govv1.GenesisState) {
				period, expedited := 3*time.Second, 2*time.Second
				gs.Params.VotingPeriod, gs.Params.ExpeditedVotingPeriod = &period, &expedited
			})
		},
	})
	authority := authtypes.NewModuleAddress(govtypes.ModuleName)
	governed := newValidator("governed", stake)
	governed.mute = true // it takes no part
	c.validators = append(c.validators, governed)
	c.send(c.validator, 500_000, nil, transfer(addressOf(c.validator), authority, 2*stake))
	create := governed.creation(t).(*stakingtypes.MsgCreateValidator)
	create.ValidatorAddress = sdk.ValAddress(authority).String()
	proposal := c.govern(create)
	require.Equal(t, govv1.StatusPassed, proposal.Status, proposal.FailedReason)
	// All outsiders: the draw runs over the largest.
	c.toEpoch(2)
	c.handedOver()
	require.NotZero(t, c.powers(c.height())[governed.name])

	rotation := c.rotation(governed).(*stakingtypes.MsgRotateConsPubKey)
	rotation.ValidatorAddress = sdk.ValAddress(authority).String()
	proposal = c.govern(rotation)
	require.Equal(t, govv1.StatusPassed, proposal.Status, proposal.FailedReason)
	c.blocks(10)
	require.NotZero(t, c.powers(c.height())[governed.name])
	c.requireNewestKeys()
	validator, err := c.app.StakingKeeper.GetValidator(c.ctx(), sdk.ValAddress(authority))
	require.NoError(t, err)
	key, err := validator.ConsPubKey()
	require.NoError(t, err)
	require.Equal(t, governed.newest(), key.Bytes())
}

// Whoever signed twice is punished after its key has rotated, too, whichever key it signed with.
func TestDoubleSignatureAndRotation(t *testing.T) {
	c := newCommittee(t, setup{stakes: twelveStakes(), params: func(p *epochtypes.Params) { p.Seats, p.Duration = 24, time.Minute }})
	m := newModel(c)
	rotated := c.app.LastBlockHeight() + 1
	m.followed(c.rotations(c.validators[:4])...)
	old := c.validators[0].consensus[0].PubKey().Address()
	require.True(t, c.comet.sets[rotated+1].HasAddress(old))
	require.False(t, c.comet.sets[rotated+2].HasAddress(old))
	for i, height := range []int64{rotated, rotated + 1, rotated + 1, rotated + 2} {
		v := c.validators[i]
		if i >= 2 {
			m.follow(4) // x/staking has swapped the keys
		}
		c.punish(v, height, math.NewInt(v.stake), 0)
		require.Equal(t, m.powers(), c.powers(c.height()+1))
		c.requireNewestKeys()
	}
	m.follow(10)
}

// A chain that is exported while a rotation is pending goes on from the document, and its keys end up the same.
func TestExportWhileKeysRotate(t *testing.T) {
	c := newCommittee(t, setup{stakes: twelveStakes(), params: func(p *epochtypes.Params) { p.Seats, p.Duration = 8, time.Minute }})
	var member, outsider *validator
	for _, v := range c.validators {
		if c.powers(c.height())[v.name] != 0 {
			member = v
		} else {
			outsider = v
		}
	}
	require.NotNil(t, member)
	require.NotNil(t, outsider)
	c.blocks(3)
	for _, v := range c.validators {
		v.mute = true // the first block of a new chain can have no transactions of the test
	}
	var moments []moment
	c.must(c.rotate(member), c.rotate(outsider))
	for range 4 {
		moments = append(moments, c.export())
		c.block()
	}
	leaver := c.validators[0]
	for i, from := range moments {
		t.Run(fmt.Sprintf("%d blocks after", i), func(t *testing.T) {
			d := c.resume(from)
			d.t = t
			d.blocks(5)
			d.requireNewestKeys()
			require.Equal(t, c.powers(c.height()), d.powers(d.height()))
			for _, v := range []*validator{member, outsider} {
				key, err := d.staked(v).ConsPubKey()
				require.NoError(t, err)
				require.Equal(t, v.newest(), key.Bytes())
			}
			d.must(d.leave(d.validators[0]))
			require.NotContains(t, d.powers(d.height()+1), leaver.name)
			d.blocks(10)
			d.requireNewestKeys()
		})
	}
}
