package keeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/beacon"
	"github.com/edgechain/edge/x/epoch/keeper"
	"github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// Reveals that are valid are mixed in, one block later; whoever has the turn and does not reveal leaves the election that is
// being prepared.
func TestReveals(t *testing.T) {
	f := newCommittee(t, 40, 100, 100, 100, 100, 100)
	f.block(time.Second)
	f.until(types.PHASE_FROZEN)
	freeze := f.ctx.BlockHeight()
	mix := beacon.Start(f.epoch(1).Seed, headerHash(freeze-1))
	require.Equal(t, mix, f.export().Beacon.Mix)
	wantLeft := map[string]types.LeaveReason{}

	// A valid reveal waits for the commit of its block.
	first := f.honest(0)
	reveal, _ := beacon.DecodeTx(first.txs[0])
	first.txs = append(first.txs, []byte{1, 2, 3})
	require.Empty(t, f.decide(time.Second, first))
	require.Equal(t, mix, f.export().Beacon.Mix)
	require.Equal(t, &types.PendingReveal{Height: freeze + 1, Proposer: first.named, Reveal: reveal}, f.export().Beacon.Pending)

	// The reveal of another height, and its own in another place than the first.
	second := f.honest(0)
	second.txs = [][]byte{first.txs[0], second.txs[0]}
	wantLeft[f.proposer(0).operator.String()] = types.LEAVE_REASON_MISSED_REVEAL
	operator := f.staking.holder(first.named).operator.String()
	events := f.decide(time.Second, second)
	mix = beacon.Mix(mix, reveal)
	require.Equal(t, mix, f.export().Beacon.Mix)
	require.EqualValues(t, 1, f.export().Beacon.Reveals)
	requireEvent(t, events, &types.EventRevealed{Epoch: 2, Operator: operator, Height: freeze + 1})
	require.Empty(t, f.left(2))

	// Another's reveal.
	third := proposal{named: f.comet.turnOf(0), txs: txs(f.revealBy(f.comet.turnOf(1)))}
	missed := f.staking.holder(second.named).operator.String()
	events = f.decide(time.Second, third)
	requireEvent(t, events, &types.EventRevealMissed{Epoch: 2, Operator: missed, Height: freeze + 2})
	require.Equal(t, 1, count(events, "EventMemberLeft"))
	require.Equal(t, wantLeft, f.left(2))
	require.Equal(t, mix, f.export().Beacon.Mix)
	wantLeft[f.staking.holder(third.named).operator.String()] = types.LEAVE_REASON_MISSED_REVEAL

	// The last two of the five blocks that carry reveals, and the one that settles the last.
	for range 2 {
		p := f.honest(0)
		reveal, _ := beacon.DecodeTx(p.txs[0])
		mix = beacon.Mix(mix, reveal)
		f.decide(time.Second, p)
	}
	require.Equal(t, wantLeft, f.left(2))
	p := f.honest(0)
	require.Empty(t, p.txs)
	events = f.decide(time.Second, p)
	require.Equal(t, freeze+6, f.ctx.BlockHeight())
	require.Equal(t, types.PHASE_DONE, f.phase(1), "there are no stages")
	require.Equal(t, 1, count(events, "EventRevealed"))
	require.Zero(t, count(events, "EventNoReveal"))
	require.Equal(t, mix, f.epoch(2).Seed)
	e := f.election(2)
	require.Equal(t, mix, e.Seed)
	require.EqualValues(t, 3, e.Reveals)
	require.Nil(t, f.export().Beacon)
	require.Nil(t, f.revealBy(first.named), "there is nothing to reveal any more")

	// The seats of those who missed are vacant from the first step on, and the record and the draw have them still.
	require.Len(t, e.Elected, 5)
	for range 12 {
		f.block(time.Second)
	}
	f.checkPowers(f.export())
	powers := f.powers()
	require.EqualValues(t, 40, total(powers), "three fifths are less than three quarters: spares take over")
	require.Len(t, powers, 3)
	for i := range powers {
		require.NotContains(t, wantLeft, f.staking.validators[i].operator.String())
	}
}

// requireEvent checks that exactly one event of this type was emitted, and that it is this one.
func requireEvent(t *testing.T, events sdk.Events, want sdk.Msg) {
	t.Helper()
	wanted, err := sdk.TypedEventToEvent(want)
	require.NoError(t, err)
	var got []sdk.Event
	for _, e := range events {
		if e.Type == wanted.Type {
			got = append(got, e)
		}
	}
	require.Equal(t, []sdk.Event{wanted}, got)
}

// Who misses twice leaves once; who reveals later has left all the same.
func TestMissedRevealCountsOnce(t *testing.T) {
	f := newCommittee(t, 20, 300, 100)
	v := f.staking.validators[0]
	f.until(types.PHASE_FROZEN)
	missed, revealed := 0, 0
	for f.phase(1) == types.PHASE_FROZEN {
		p := f.honest(0)
		if f.proposer(0) == v && f.ctx.BlockHeight() < f.epoch(1).FreezeHeight+2 {
			p.txs = nil
		}
		events := f.decide(time.Second, p)
		missed, revealed = missed+count(events, "EventRevealMissed"), revealed+count(events, "EventRevealed")
	}
	require.Equal(t, 1, missed)
	require.GreaterOrEqual(t, revealed, 2)
	require.Equal(t, map[string]types.LeaveReason{v.operator.String(): types.LEAVE_REASON_MISSED_REVEAL}, f.left(2))

	// Nobody's turn comes twice in a row with equal stakes: here one alone sits, and misses every block.
	f = newCommittee(t, 4, 100)
	f.until(types.PHASE_FROZEN)
	missed = 0
	for f.phase(1) == types.PHASE_FROZEN {
		missed += count(f.decide(time.Second, f.silent(0)), "EventRevealMissed")
	}
	require.Equal(t, 1, missed)
	require.Len(t, f.left(2), 1)
}

// beaconOf has a chain that was just frozen, with five members, of whom 4 has no key in the record, and a long beacon.
func beaconOf(t *testing.T) *fixture {
	t.Helper()
	f := newKeyless(t, 40, 100, 100, 100, 100, 100)
	for _, v := range f.staking.validators[:4] {
		f.register(v, "first")
	}
	params := devParams(10)
	params.Seats, params.StepBlocks, params.BeaconBlocks = 40, 3, 20
	_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(t, err)
	f.until(types.PHASE_FROZEN)
	return f
}

// untilTurn runs honest blocks until the turn in the first round is a validator's.
func (f *fixture) untilTurn(v *validator) {
	f.t.Helper()
	for range 20 {
		if f.proposer(0) == v {
			return
		}
		f.block(time.Second)
	}
	f.t.Fatal("its turn does not come")
}

// A header can name whomever its proposer likes. In the first round that helps nobody and harms nobody else: the one whose turn
// it was has missed its reveal.
func TestFraming(t *testing.T) {
	for name, frame := range map[string]struct {
		// named is the index of the validator whom the header names, reveals of the one whose reveal the block has, -1 for none.
		named, reveals int
		// later waits until the validator that left is not in the set any more.
		later bool
	}{
		"another member":                        {1, -1, false},
		"another member, with its reveal":       {1, 1, false},
		"one's second identity, which reveals":  {2, 2, false},
		"another member, with one's own reveal": {1, 0, false},
		"oneself, with another's reveal":        {0, 1, false},
		"oneself, without a reveal":             {0, -1, false},
		"a member without a key":                {4, -1, false},
		"a member without a key, and a reveal":  {4, 0, false},
		"one who left and is still in the set":  {3, 3, false},
		"one who left":                          {3, -1, true},
		"one who left, with one's own reveal":   {3, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := beaconOf(t)
			v := f.staking.validators
			// 3 leaves one block before the turn of 0, or long before.
			for range 20 {
				if frame.later || f.staking.holder(f.comet.after.GetProposer().Address) == v[0] {
					break
				}
				f.block(time.Second)
			}
			f.staking.jail(v[3])
			f.block(time.Second)
			for range 3 {
				if frame.later {
					f.block(time.Second)
				}
			}
			f.untilTurn(v[0])
			require.Equal(t, frame.later, !f.comet.next.HasAddress(v[3].address()))
			f.checkRotation()
			before := f.left(2)
			require.Equal(t, map[string]types.LeaveReason{v[3].operator.String(): types.LEAVE_REASON_UNBONDED}, before)
			p := proposal{named: v[frame.named].address()}
			if frame.reveals >= 0 {
				p.txs = txs(f.reveal(v[frame.reveals]))
				require.NotEmpty(t, p.txs)
			}
			height, proposer := f.ctx.BlockHeight()+1, v[0].operator.String()
			f.decide(time.Second, p)
			// What the block before gave is settled; this one is pending.
			reveals, mix := f.export().Beacon.Reveals, f.export().Beacon.Mix
			events := f.block(time.Second)
			requireEvent(t, events, &types.EventRevealMissed{Epoch: 2, Operator: proposer, Height: height})
			require.Zero(t, count(events, "EventRevealed"))
			before[proposer] = types.LEAVE_REASON_MISSED_REVEAL
			require.Equal(t, before, f.left(2))
			require.Equal(t, reveals, f.export().Beacon.Reveals)
			require.Equal(t, mix, f.export().Beacon.Mix)
		})
	}
}

// A member without a key in the record has nothing to miss, and cannot choose a reveal for the beacon either.
func TestKeylessProposer(t *testing.T) {
	for _, named := range []int{4, 1} {
		f := beaconOf(t)
		v := f.staking.validators
		f.register(v[4], "late")
		f.untilTurn(v[4])
		require.Nil(t, f.reveal(v[4]), "a key counts from the next freeze on")
		before := f.left(2)
		require.Empty(t, f.settle(proposal{named: v[named].address(), txs: txs(f.reveal(v[1]))}))
		require.Equal(t, before, f.left(2))
	}
}

// In a later round nobody can tell who made the block: the reveal of whoever had a turn by then counts, and nobody misses any.
func TestLaterRounds(t *testing.T) {
	// turn is the round of the one who is named; reveals says whether the block has its reveal.
	for name, tc := range map[string]struct {
		round, turn int32
		reveals     bool
		counts      bool
	}{
		"round 1: the first":                {1, 0, true, true},
		"round 1: the second":               {1, 1, true, true},
		"round 1: one outside":              {1, 2, true, false},
		"round 1: another one outside":      {1, 4, true, false},
		"round 1: the first is silent":      {1, 0, false, false},
		"round 1: the second is silent":     {1, 1, false, false},
		"round 2: the first":                {2, 0, true, true},
		"round 2: the second":               {2, 1, true, true},
		"round 2: the third":                {2, 2, true, true},
		"round 2: one outside":              {2, 3, true, false},
		"round 2: the third is silent":      {2, 2, false, false},
		"round 7: all had a turn":           {7, 4, true, true},
		"more rounds than can be gone over": {keeper.MaxRounds + 1, 3, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newCommittee(t, 40, 100, 100, 100, 100, 100)
			f.until(types.PHASE_FROZEN)
			named := f.comet.turnOf(tc.turn)
			for round := range tc.turn {
				require.NotEqual(t, f.comet.turnOf(round), named, "five members with equal powers take turns")
			}
			p := proposal{round: tc.round, named: named}
			if tc.reveals {
				p.txs = txs(f.revealBy(named))
			}
			height, operator := f.ctx.BlockHeight()+1, f.staking.holder(named).operator.String()
			events := f.settle(p)
			if tc.counts {
				requireEvent(t, events, &types.EventRevealed{Epoch: 2, Operator: operator, Height: height})
			} else {
				require.Empty(t, events)
			}
			require.Empty(t, f.left(2))
		})
	}
}

// A reveal is for one height: that of another block is worth nothing, in whichever round.
func TestReplayedReveal(t *testing.T) {
	for _, round := range []int32{0, 1} {
		f := newCommittee(t, 4, 100)
		f.until(types.PHASE_FROZEN)
		old := f.honest(0)
		f.decide(time.Second, old)
		early := f.branch()
		early.ctx = early.ctx.WithBlockHeight(early.ctx.BlockHeight() + 1)
		for _, tx := range [][]byte{old.txs[0], txs(early.revealBy(old.named))[0]} {
			g := f.branch()
			events := g.settle(proposal{round: round, named: old.named, txs: [][]byte{tx}})
			require.Zero(t, count(events, "EventRevealed"))
			require.Equal(t, round == 0, count(events, "EventRevealMissed") == 1)
			require.EqualValues(t, 1, g.export().Beacon.Reveals, "the one of its own height")
		}
	}
}

// A validator that takes no part may reveal all the same, if it has a key.
func TestWhoMayReveal(t *testing.T) {
	f := newCommittee(t, 40, 100, 100, 100, 100, 100)
	// 5 joins without a key, and is elected by a fallback, for nobody else takes part.
	f.staking.add(100)
	f.standing(nodetypes.StandingNotOptedIn)
	f.turn()
	v := f.staking.validators
	f.until(types.PHASE_FROZEN)
	require.Contains(t, f.powers(), 5)
	require.Nil(t, f.reveal(v[5]))
	revealed := 0
	for f.phase(2) == types.PHASE_FROZEN {
		revealed += count(f.block(time.Second), "EventRevealed")
	}
	require.Equal(t, 5, revealed, "all but one of six blocks")
	require.Empty(t, f.left(3))
}

// The proposer is looked up in the set that is in force, under the key that it has there.
func TestRevealAfterARotation(t *testing.T) {
	f := newCommittee(t, 4, 100)
	v := f.staking.validators[0]
	old, next := v.address(), consensusKey("next")
	f.until(types.PHASE_FROZEN)
	f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), v, next)
	for i, address := range [][]byte{old, old, next.Address(), next.Address()} { // the first block announces
		require.Equal(t, address, f.comet.turnOf(0))
		require.NotNil(t, f.revealBy(address))
		events := f.block(time.Second)
		require.Equal(t, min(i, 1), count(events, "EventRevealed"))
		f.checkRotation()
	}
	require.Equal(t, 1, count(f.block(time.Second), "EventRevealed"))
	require.EqualValues(t, 4, f.election(2).Reveals)

	// Under the other key it has no turn: a block that names it so is without its reveal.
	f = newCommittee(t, 4, 100)
	v = f.staking.validators[0]
	old = v.address()
	f.until(types.PHASE_FROZEN)
	f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), v, consensusKey("next"))
	f.block(time.Second)
	f.block(time.Second)
	require.Nil(t, f.revealBy(old))
	require.Equal(t, 1, count(f.settle(proposal{named: old, txs: txs(f.revealBy(f.comet.turnOf(0)))}), "EventRevealMissed"))
}

// With no reveal at all the seed is the start value, and an event says so.
func TestNoReveal(t *testing.T) {
	f := newCommittee(t, 4, 100, 100)
	f.until(types.PHASE_FROZEN)
	require.EqualValues(t, 1, f.ctx.BlockHeight())
	start := f.export().Beacon.Start
	require.Equal(t, beacon.Start(f.epoch(1).Seed, nil), start, "there is no block before the first one")
	var events sdk.Events
	for f.number() == 1 {
		events = f.decide(time.Second, f.silent(1))
	}
	require.Equal(t, 1, count(events, "EventNoReveal"))
	require.Equal(t, start, f.epoch(2).Seed)
	require.Empty(t, f.left(2))
}

// Blocks are replayed by PreBlock alone: it verifies for itself, and two nodes agree.
func TestPreBlockVerifiesForItself(t *testing.T) {
	f := newCommittee(t, 40, 100, 100, 100, 100, 100)
	f.until(types.PHASE_FROZEN)
	good := f.honest(0).txs[0]
	for name, tx := range map[string][]byte{
		"empty": {}, "no prefix": good[16:], "cut": good[:len(good)-1], "longer": append(good[:len(good):len(good)], 1), "prefix": good[:16],
		"another point": append(append([]byte{}, good[:17]...), make([]byte, 95)...),
		"huge":          append(append([]byte{}, good[:16]...), make([]byte, 1<<20)...),
	} {
		t.Run(name, func(t *testing.T) {
			for _, round := range []int32{0, 1} {
				g := f.branch()
				g.t = t
				p := g.silent(0)
				p.round, p.txs = round, [][]byte{tx}
				g.decide(time.Second, p)
				require.LessOrEqual(t, len(g.export().Beacon.Pending.Reveal), beacon.SignatureSize, "the state is bounded")
				events := g.block(time.Second)
				require.Zero(t, count(events, "EventRevealed"))
				require.Equal(t, round == 0, count(events, "EventRevealMissed") == 1)
			}
		})
	}
}

// Without the turns nobody can be held to have missed a reveal; valid ones count all the same, and nothing halts.
func TestRevealsWhileTheRotationIsUnknown(t *testing.T) {
	f := newCommittee(t, 40, 100, 100, 100, 100, 100)
	f.until(types.PHASE_FROZEN)
	require.NoError(t, f.k.ForgetRotation(f.ctx))
	g := f.branch()
	pre := func(p proposal) sdk.Events {
		g.ctx = g.ctx.WithBlockHeight(g.ctx.BlockHeight() + 1).WithEventManager(sdk.NewEventManager())
		require.NoError(t, g.k.PreBlock(g.ctx, g.request(p)))
		return g.ctx.EventManager().Events()
	}
	honest := f.honest(0)
	g.comet.last = g.comet.next
	pre(honest)
	require.Equal(t, 1, count(pre(proposal{named: honest.named}), "EventRevealed"))
	require.Empty(t, pre(proposal{named: honest.named}))
	require.Empty(t, g.left(2))
}
