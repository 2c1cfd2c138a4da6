package keeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/x/epoch/types"
)

// missAll has every block of the beacon miss its reveal, up to the turn, and hands all seats over.
func (f *fixture) missAll(spare ...*validator) {
	f.t.Helper()
	f.until(types.PHASE_FROZEN)
	before := f.number()
	for f.number() == before {
		p := f.silent(0)
		for _, v := range spare {
			if f.proposer(0) == v {
				p = f.honest(0)
			}
		}
		f.decide(time.Second, p)
	}
	for range 12 {
		f.block(time.Second)
	}
}

// When nobody would hold a seat, those who only missed a reveal are pardoned; who left otherwise is not.
func TestPardon(t *testing.T) {
	f := newCommittee(t, 8, 100, 100, 100, 100)
	v := f.staking.validators
	f.missAll()
	require.Len(t, f.left(2), 4, "all have missed their reveal")
	require.Equal(t, map[int]int64{0: 2, 1: 2, 2: 2, 3: 2}, f.powers(), "and hold their seats after all")

	f.staking.jail(v[0])
	events := f.block(time.Second)
	require.Zero(t, count(events, "EventValidatorSetKept"))
	require.Equal(t, map[int]int64{1: 2, 2: 2, 3: 2}, f.powers())
	f.staking.jail(v[1])
	f.staking.jail(v[2])
	f.block(time.Second)
	require.Equal(t, map[int]int64{3: 4}, f.powers(), "its own seats, and its spare ones in the place of others")
	f.staking.jail(v[3])
	events = f.block(time.Second)
	require.Equal(t, 1, count(events, "EventValidatorSetKept"))
	require.Equal(t, map[int]int64{3: 4}, f.powers(), "nobody is left even so")
	for _, reason := range f.left(2) {
		require.Equal(t, types.LEAVE_REASON_UNBONDED, reason, "which outlasts the pardon")
	}
	v[0].jailed, v[0].wanted = false, true
	f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), v[0], consensusKey("back"))
	require.Equal(t, 1, count(f.block(time.Second), "EventValidatorSetKept"), "who was jailed stays out until the next election")
	require.Equal(t, map[int]int64{3: 4}, f.powers())
}

// As long as one holds a seat there is no pardon.
func TestNoPardonWhileOneSits(t *testing.T) {
	f := newCommittee(t, 8, 100, 100, 100, 100)
	v := f.staking.validators
	f.missAll(v[2])
	require.Len(t, f.left(2), 3)
	require.Equal(t, map[int]int64{2: 4}, f.powers(), "its own seats and its spare ones")
	f.checkPowers(f.export())

	// It leaves too: then the others sit again, all but one who is gone otherwise.
	f.staking.jail(v[0])
	f.staking.jail(v[2])
	events := f.block(time.Second)
	require.Zero(t, count(events, "EventValidatorSetKept"))
	require.EqualValues(t, 8, total(f.powers()))
	require.Len(t, f.powers(), 2)
	require.NotContains(t, f.powers(), 0)
	require.NotContains(t, f.powers(), 2)
	require.Equal(t, types.LEAVE_REASON_UNBONDED, f.left(2)[v[2].operator.String()])
}

// A set that is kept has no members whom x/staking has forgotten, unless it has forgotten all: then it cannot be helped. Their keys
// rotate as before.
func TestKeptSetWithoutForgottenMembers(t *testing.T) {
	f := newCommittee(t, 9, 100, 100, 100)
	v := f.staking.validators
	for _, one := range v {
		f.staking.jail(one)
	}
	require.Equal(t, 1, count(f.block(time.Second), "EventValidatorSetKept"))
	require.Equal(t, map[int]int64{0: 3, 1: 3, 2: 3}, f.powers())

	v[0].gone = true
	next := consensusKey("next")
	f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), v[1], next)
	events := f.block(time.Second)
	require.Equal(t, 1, count(events, "EventValidatorSetKept"))
	require.Equal(t, 1, count(events, "EventValidatorSetSent"))
	require.Equal(t, map[int]int64{1: 3, 2: 3}, f.powers())
	require.Contains(t, keysOf(f.newestSet()), string(next.Bytes()))
	f.checkRotation()
	for range 3 {
		f.block(time.Second)
		f.checkRotation()
	}

	v[1].gone, v[2].gone = true, true
	before := f.newestSet()
	f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), v[0], consensusKey("nobody's"))
	events = f.block(time.Second)
	require.Equal(t, 1, count(events, "EventValidatorSetKept"))
	require.Equal(t, before, f.newestSet())
}
