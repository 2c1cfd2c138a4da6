package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"

	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// sum of the powers of a set.
func sum(powers map[string]int64) (total int64) {
	for _, power := range powers {
		total += power
	}
	return total
}

// Seats stay vacant until less than three quarters are held; then the spares take them over in the order in which they were
// drawn. The last one who is left holds the chain, and nobody ever empties the set.
func TestSparesTakeOver(t *testing.T) {
	const seats = 24
	c := newCommittee(t, setup{stakes: twelveStakes(), params: func(p *epochtypes.Params) { p.Seats, p.Duration = seats, time.Minute }})
	m := newModel(c)
	require.EqualValues(t, seats, sum(c.powers(c.height())))
	// Everybody has two seats and two spare seats.
	for i, v := range c.validators[:3] {
		m.followed(c.leave(v))
		require.EqualValues(t, seats-2*(i+1), sum(c.powers(c.height()+1)))
	}
	for _, v := range c.validators[3:11] {
		m.followed(c.leave(v))
		require.Greater(t, sum(c.powers(c.height()+1)), int64(0))
		if sum(c.powers(c.height()+1)) < seats {
			// No spare seat is left unused while a seat is vacant.
			left := int64(2)
			for _, other := range c.validators {
				if other != v && c.powers(c.height() + 1)[other.name] != 0 {
					left += 2
				}
			}
			require.LessOrEqual(t, sum(c.powers(c.height()+1)), 2*left)
		}
	}
	last := c.validators[11]
	require.Len(t, c.powers(c.height()+1), 1)
	set := c.powers(c.height() + 1)
	require.NotZero(t, set[last.name])
	m.follow(3)

	// Nobody who comes back has a seat before the next election.
	back := c.validators[0]
	m.followed(c.tx(back.operator, 1_000_000, 0, delegation(back.operator, back, back.stake), slashingtypes.NewMsgUnjail(back.address().String())))
	require.True(t, c.staked(back).IsBonded())
	require.Equal(t, set, c.powers(c.height()+1))

	// With the last one gone the set is as it was.
	c.must(c.leave(last))
	require.Equal(t, 1, c.events(&epochtypes.EventValidatorSetKept{}))
	require.Empty(t, c.last.ValidatorUpdates)
	c.blocks(5)
	require.Equal(t, set, c.powers(c.height()+1))
	c.toEpoch(2)
	c.handedOver()
	require.Equal(t, []string{back.name}, names(c.powers(c.height())))
	c.toEpoch(3)
}

func names(powers map[string]int64) (out []string) {
	for name := range powers {
		out = append(out, name)
	}
	return out
}

// All leave in one block, or all but one.
func TestAllLeaveAtOnce(t *testing.T) {
	for name, stay := range map[string]int{"all": 0, "all but one": 1} {
		t.Run(name, func(t *testing.T) {
			c := newCommittee(t, setup{stakes: sevenStakes(), params: wideCommittee})
			before := c.powers(c.height() + 1)
			var txs [][]byte
			for _, v := range c.validators[stay:] {
				txs = append(txs, c.leave(v))
			}
			c.must(txs...)
			if stay == 0 {
				require.Equal(t, before, c.powers(c.height()+1))
				require.Empty(t, c.last.ValidatorUpdates)
			} else {
				require.Equal(t, []string{c.validators[0].name}, names(c.powers(c.height()+1)))
				require.Len(t, c.last.ValidatorUpdates, 7)
			}
			e := c.epoch().Number
			c.toEpoch(e + 1)
			c.toEpoch(e + 2)
			require.NotEmpty(t, c.powers(c.height()))
		})
	}
}

// Somebody leaves in the block of each step of a hand-over and in the block after it, with seats of the old committee or of the
// new one, or of both.
func TestLeavingDuringTheHandOver(t *testing.T) {
	c := newCommittee(t, setup{stakes: twelveStakes(), params: func(p *epochtypes.Params) { p.Seats, p.StepBlocks = 8, 3 }})
	m := newModel(c)
	leaver := 0
	leaves := func() {
		t.Helper()
		m.followed(c.leave(c.validators[leaver]))
		require.NotContains(t, c.powers(c.height()+1), c.validators[leaver].name)
		leaver++
	}
	closing := c.toPhase(epochtypes.PHASE_FROZEN).ClosingHeight
	for c.height() < closing {
		m.followed()
	}
	leaves() // step 1
	for step := uint32(1); ; step++ {
		h, err := c.app.EpochKeeper.HandOver(c.ctx())
		require.NoError(t, err)
		require.Equal(t, step, h.Steps)
		leaves()
		if step == 4 {
			break
		}
		for c.height() < h.NextHeight {
			m.followed()
		}
		leaves()
	}
	m.follow(3)
	for c.epoch().Number < 4 {
		m.followed()
	}
	for _, v := range c.validators[:leaver] {
		require.NotContains(t, c.powers(c.height()+1), v.name)
	}
}

// Whoever leaves between the freeze and the closing height gets no seat of the election, back or not, and neither record nor
// draw know of it.
func TestLeavingBeforeTheDraw(t *testing.T) {
	c := newCommittee(t, setup{stakes: sevenStakes(), params: func(p *epochtypes.Params) { p.Seats, p.BeaconBlocks = 16, 8 }})
	m := newModel(c)
	closing := c.toPhase(epochtypes.PHASE_FROZEN).ClosingHeight
	record := c.frozen(2)
	gone, back, last := c.validators[0], c.validators[1], c.validators[2]
	m.followed(c.leave(gone))
	m.followed(c.leave(back))
	m.followed(c.tx(back.operator, 1_000_000, 0, delegation(back.operator, back, back.stake), slashingtypes.NewMsgUnjail(back.address().String())))
	require.True(t, c.staked(back).IsBonded())
	for c.height() < closing {
		m.followed()
	}
	m.followed(c.leave(last)) // in the block of the draw
	require.Equal(t, record, c.frozen(2))
	e := c.election(2)
	require.Equal(t, epochtypes.FALLBACK_NONE, e.Fallback)
	require.Len(t, c.committee(2).Leavings, 3)
	for _, v := range []*validator{gone, back, last} {
		require.Contains(t, c.drawnFor(e.Elected), string(v.address()), "the draw does not know")
	}
	for c.epoch().Number < 3 {
		for _, v := range []*validator{gone, back, last} {
			require.NotContains(t, c.powers(c.height()+1), v.name)
		}
		m.followed()
	}
	for c.epoch().Phase != epochtypes.PHASE_FROZEN {
		m.followed()
	}
	require.Contains(t, c.powers(c.height()+1), back.name)
	require.NotContains(t, c.powers(c.height()+1), gone.name)
	require.NotContains(t, c.powers(c.height()+1), last.name)
}
