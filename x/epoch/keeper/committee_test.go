package keeper_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/x/epoch/beacon"
	"github.com/edgechain/edge/x/epoch/committee"
	"github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// newCommittee has a chain with validators of these stakes, all candidates, and the given seats; steps are three blocks apart
// and at least four blocks carry reveals.
func newCommittee(t *testing.T, seats uint32, tokens ...int64) *fixture {
	t.Helper()
	f := newKeyless(t, seats, tokens...)
	for _, v := range f.staking.validators {
		f.register(v, "first")
	}
	return f
}

// newKeyless is newCommittee before anybody has registered a beacon key.
func newKeyless(t *testing.T, seats uint32, tokens ...int64) *fixture {
	t.Helper()
	f := newFixture(t)
	f.staking.validators = nil
	for _, n := range tokens {
		f.staking.add(n)
	}
	params := devParams(10)
	params.Seats, params.StepBlocks, params.BeaconBlocks = seats, 3, 4
	return f.genesis(types.GenesisState{Params: params, Development: true})
}

// until runs blocks of a minute until the open epoch is in a phase.
func (f *fixture) until(phase types.Phase) {
	f.t.Helper()
	for range 1000 {
		if f.epoch(f.number()).Phase == phase {
			return
		}
		f.block(time.Minute)
	}
	f.t.Fatalf("the phase %s does not come", phase)
}

// close runs blocks of a second that name these proposers one after the other, with their reveals, until the next epoch opens.
func (f *fixture) close(proposers ...*validator) sdk.Events {
	f.t.Helper()
	before := f.number()
	for i := range 1000 {
		p := proposers[i%len(proposers)]
		events := f.run(time.Second, p.address(), txs(f.reveal(p)))
		if f.number() != before {
			return events
		}
	}
	f.t.Fatal("the epoch does not end")
	return nil
}

// powers returns the newest set by the index of the validator.
func (f *fixture) powers() map[int]int64 {
	f.t.Helper()
	out := map[int]int64{}
	for _, m := range f.newestSet().Members {
		for i, v := range f.staking.validators {
			if v.operator.String() == m.Operator {
				out[i] = m.Power
			}
		}
	}
	return out
}

func (f *fixture) left(epoch uint64) map[string]types.LeaveReason {
	f.t.Helper()
	out := map[string]types.LeaveReason{}
	for _, l := range f.export().Leavings {
		if l.Epoch == epoch {
			out[l.Operator] = l.Reason
		}
	}
	return out
}

func TestFreezeRecordsEveryBondedValidator(t *testing.T) {
	f := newFixture(t)
	for range 9 {
		f.staking.add(1_000)
	}
	params := devParams(10)
	params.BeaconBlocks = 4
	f.genesis(types.GenesisState{Params: params, Development: true})
	v := f.staking.validators
	for i := range 7 {
		f.register(v[i], "key")
	}
	// 0 has everything. The others lack one thing each, and those behind lack more than the one that counts.
	v[1].jailed = true
	f.node.standing[v[1].operator.String()] = nodetypes.StandingLapsed
	f.node.standing[v[2].operator.String()] = nodetypes.StandingNotOptedIn
	f.node.standing[v[3].operator.String()] = nodetypes.StandingLapsed
	f.node.standing[v[4].operator.String()] = nodetypes.StandingWaiting
	f.node.standing[v[5].operator.String()] = nodetypes.StandingUnhealthy
	f.node.standing[v[7].operator.String()] = nodetypes.StandingUnhealthy // and no key
	f.node.standing[v[8].operator.String()] = nodetypes.StandingWaiting   // and no key
	v[9].bonded, v[9].wanted = false, false
	v[6].tokens = 2_500

	events := f.block(time.Minute)
	require.Equal(t, 1, count(events, "EventFrozen"))
	want := []types.Ineligibility{
		types.INELIGIBILITY_NONE, types.INELIGIBILITY_JAILED, types.INELIGIBILITY_NOT_OPTED_IN, types.INELIGIBILITY_LAPSED,
		types.INELIGIBILITY_WAITING, types.INELIGIBILITY_UNHEALTHY, types.INELIGIBILITY_NONE, types.INELIGIBILITY_NO_BEACON_KEY,
		types.INELIGIBILITY_WAITING,
	}
	resp, err := f.query.Frozen(f.ctx, &types.QueryFrozenRequest{Epoch: 2})
	require.NoError(t, err)
	require.Len(t, resp.Validators, len(want))
	for i, r := range resp.Validators {
		require.Equal(t, v[i].operator.String(), r.Operator)
		require.Equal(t, want[i], r.Ineligibility, "%d", i)
		require.EqualValues(t, v[i].tokens, r.Tokens.Int64())
		require.Equal(t, i < 7, len(r.BeaconKey) == beacon.PubKeySize)
	}
	e := f.election(2)
	require.EqualValues(t, 10_500, e.BondedTokens.Int64())
	require.EqualValues(t, 4_500, e.ParticipatingTokens.Int64())
	require.EqualValues(t, 3_500, e.HealthyTokens.Int64())
	require.Equal(t, types.FALLBACK_PARTICIPATION, e.DrawFallback)
	require.EqualValues(t, 4, e.Candidates, "the four largest who are not jailed")
	require.EqualValues(t, 1, e.FreezeHeight)
	require.EqualValues(t, 6, e.ClosingHeight, "four seats cannot have more than four members, so beacon_blocks counts")
	require.False(t, e.Drawn())
}

// At least as many blocks carry reveals as the set has members, and one more settles the last of them.
func TestClosingHeight(t *testing.T) {
	f := newCommittee(t, 60, 10, 10, 10, 10, 10, 10, 10)
	f.until(types.PHASE_FROZEN)
	freeze, closing := f.epoch(1).FreezeHeight, f.epoch(1).ClosingHeight
	require.EqualValues(t, freeze+7+1, closing)
	for height := freeze - 1; height <= closing+1; height++ {
		_, ok, err := f.k.RevealDuty(f.ctx, height, f.staking.validators[0].address())
		require.NoError(t, err)
		require.Equal(t, freeze < height && height < closing, ok, "%d blocks after the freeze", height-freeze)
	}
}

// Whatever happens after the freeze alters neither the record nor the draw.
func TestNothingAfterTheFreezeChangesTheDraw(t *testing.T) {
	draw := func(spoil func(f *fixture)) (*fixture, types.Election, []types.FrozenRow) {
		f := newCommittee(t, 20, 700, 500, 400, 300, 200)
		v := f.staking.validators
		late := f.staking.add(5_000) // bonded by the freeze, without a key
		f.until(types.PHASE_FROZEN)
		before := f.export()
		// The proposers that reveal are the same whatever happens.
		f.close(v[0], v[1])
		if spoil != nil {
			f = newCommittee(t, 20, 700, 500, 400, 300, 200)
			require.Equal(t, late.operator, f.staking.add(5_000).operator)
			f.until(types.PHASE_FROZEN)
			require.Equal(t, before.Elections, f.export().Elections)
			require.Equal(t, before.Frozen, f.export().Frozen)
			spoil(f)
			require.Equal(t, before.Frozen, f.export().Frozen)
			f.close(f.staking.validators[0], f.staking.validators[1])
		}
		var rows []types.FrozenRow
		for _, r := range f.export().Frozen {
			if r.Epoch == 2 {
				rows = append(rows, r)
			}
		}
		return f, f.election(2), rows
	}
	_, want, rows := draw(nil)
	require.EqualValues(t, 5, want.Reveals)
	require.NotEmpty(t, want.Elected)
	for name, spoil := range map[string]func(f *fixture){
		"a key is registered":       func(f *fixture) { f.register(f.staking.validators[5], "late") },
		"a key is replaced":         func(f *fixture) { f.register(f.staking.validators[0], "late") },
		"stake is bonded":           func(f *fixture) { f.staking.validators[4].tokens *= 100 },
		"stake is undelegated":      func(f *fixture) { f.staking.validators[0].tokens = 1 },
		"a validator is new":        func(f *fixture) { f.staking.add(9_000) },
		"a validator is jailed":     func(f *fixture) { f.staking.jail(f.staking.validators[2]) },
		"a validator is pushed out": func(f *fixture) { f.staking.validators[3].wanted = false },
		"a node opts out": func(f *fixture) {
			f.node.standing[f.staking.validators[1].operator.String()] = nodetypes.StandingNotOptedIn
		},
		"everybody is unhealthy":     func(f *fixture) { f.standing(nodetypes.StandingUnhealthy) },
		"x/node cannot be read":      func(f *fixture) { f.node.unreadable = errBoom },
		"a consensus key is rotated": func(f *fixture) { f.staking.rotate(f.ctx, f.staking.validators[3], consensusKey("other")) },
		"parameters change": func(f *fixture) {
			params := devParams(10)
			params.Seats, params.MinCommittee, params.BeaconBlocks = 7, 9, 9
			_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: params})
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, got, gotRows := draw(spoil)
			require.Equal(t, want, got)
			require.Equal(t, rows, gotRows)
		})
	}
}

func (f *fixture) standing(s nodetypes.Standing) {
	for _, v := range f.staking.validators {
		f.node.standing[v.operator.String()] = s
	}
}

func (f *fixture) phase(number uint64) types.Phase { return f.epoch(number).Phase }

// Seats pass in four steps, step_blocks apart: seat i of the new election in step i mod 4 + 1, the others stay with the old one.
func TestStepsOfTheHandOver(t *testing.T) {
	f := newCommittee(t, 23, 700, 500, 400, 300, 200)
	v := f.staking.validators
	first := f.election(1)
	f.staking.add(600)
	f.register(f.staking.validators[5], "first")
	v[0].tokens = 100
	params := devParams(10)
	params.Seats, params.StepBlocks, params.BeaconBlocks = 30, 3, 4
	_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(t, err)
	f.until(types.PHASE_FROZEN)
	f.close(v[0], v[1], v[2])
	turn := f.ctx.BlockHeight()
	// A change of step_blocks counts from the next hand-over on.
	params.StepBlocks = 9
	_, err = f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(t, err)

	second := f.election(2)
	require.Equal(t, types.FALLBACK_NONE, second.Fallback)
	require.Equal(t, 30, committee.Count(second.Elected))
	for height := turn; height < turn+12; height++ {
		steps := int(min(height-turn, 9)/3) + 1
		want := map[string]int64{}
		oldest, largest := map[string]int64{}, map[string]int64{}
		sit := func(runs []types.SeatRun, mine func(i int) bool) {
			i := 0
			for _, r := range runs {
				for range r.Seats {
					if mine(i % 4) {
						want[r.Operator]++
						if at, ok := oldest[r.Operator]; !ok || r.FreezeHeight < at {
							oldest[r.Operator] = r.FreezeHeight
						}
						largest[r.Operator] = max(largest[r.Operator], r.Tokens.Int64())
					}
					i++
				}
			}
		}
		sit(second.Elected, func(i int) bool { return i < steps })
		sit(first.Elected, func(i int) bool { return i >= steps })
		got, set := map[string]int64{}, f.newestSet()
		for _, m := range set.Members {
			got[m.Operator] = m.Power
			require.Equal(t, oldest[m.Operator], m.FreezeHeight, m.Operator)
			require.Equal(t, largest[m.Operator], m.Tokens.Int64(), m.Operator)
		}
		require.Equal(t, want, got, "height %d", height)
		require.Equal(t, turn+int64(steps-1)*3+2, set.Height)
		require.Equal(t, turn+int64(steps-1)*3, set.SentHeight)
		f.block(time.Second)
	}
	h, err := f.k.HandOver(f.ctx)
	require.NoError(t, err)
	require.Equal(t, types.HandOver{Epoch: 2, Steps: 4, StepBlocks: 3}, h)
	// Where 0 sits since the second freeze alone, its new stake stands behind it.
	for _, m := range f.newestSet().Members {
		if m.Operator == v[0].operator.String() {
			require.EqualValues(t, 100, m.Tokens.Int64())
		}
	}
}

// A member that is jailed leaves in the same block, and stays out until the next election though it is unjailed.
func TestJailedMemberLeavesAtOnce(t *testing.T) {
	f := newCommittee(t, 40, 100, 100, 100, 100, 100, 100, 100, 100)
	v := f.staking.validators
	f.block(time.Second)
	f.staking.jail(v[3])
	events := f.block(time.Second)
	require.Equal(t, 1, count(events, "EventMemberLeft"))
	require.Equal(t, 1, count(events, "EventValidatorSetSent"))
	require.Equal(t, map[int]int64{0: 5, 1: 5, 2: 5, 4: 5, 5: 5, 6: 5, 7: 5}, f.powers(), "its seats are vacant")
	require.Equal(t, f.ctx.BlockHeight()+2, f.newestSet().Height)

	v[3].jailed, v[3].wanted = false, true
	require.Empty(t, f.block(time.Second))
	require.NotContains(t, f.powers(), 3)
	f.until(types.PHASE_FROZEN)
	f.close(v[0])
	for range 12 {
		f.block(time.Second)
	}
	require.Equal(t, map[int]int64{0: 5, 1: 5, 2: 5, 3: 5, 4: 5, 5: 5, 6: 5, 7: 5}, f.powers(), "it was elected anew")
	require.Empty(t, f.left(2))
	require.Len(t, f.left(1), 1)
}

// Whoever leaves between the freeze and the turn, or during the hand-over, leaves every election that hands out seats.
func TestLeavingDuringBeaconAndHandOver(t *testing.T) {
	f := newCommittee(t, 40, 100, 100, 100, 100, 100, 100, 100, 100)
	v := f.staking.validators
	f.until(types.PHASE_FROZEN)
	f.staking.jail(v[3])
	require.Equal(t, 2, count(f.block(time.Second), "EventMemberLeft"))
	f.close(v[0])
	require.Len(t, f.election(2).Elected, 8, "the draw knows nothing of it")
	require.NotContains(t, f.powers(), 3)
	f.staking.jail(v[4])
	require.Equal(t, 2, count(f.block(time.Second), "EventMemberLeft"))
	require.NotContains(t, f.powers(), 4)
	require.Len(t, f.left(1), 2)
	require.Len(t, f.left(2), 2)
	for range 12 {
		f.block(time.Second)
	}
	f.staking.jail(v[5])
	require.Equal(t, 1, count(f.block(time.Second), "EventMemberLeft"))
	require.Len(t, f.left(1), 2, "epoch 1 hands out no seats any more")
	require.Len(t, f.left(2), 3)
	f.export()
}

// Below three quarters, spares take the vacant seats over.
func TestSparesTakeOver(t *testing.T) {
	f := newCommittee(t, 40, 100, 100, 100, 100, 100, 100, 100, 100)
	v := f.staking.validators
	f.staking.jail(v[0])
	f.staking.jail(v[1])
	f.block(time.Second)
	require.EqualValues(t, 30, total(f.powers()), "three quarters are enough")
	f.staking.jail(v[2])
	f.block(time.Second)
	require.EqualValues(t, 40, total(f.powers()), "25 of 40 are not")
	require.Len(t, f.powers(), 5)
}

func total(powers map[int]int64) (sum int64) {
	for _, p := range powers {
		sum += p
	}
	return sum
}

// When nobody is left, CometBFT keeps the set that it has, and nothing is sent until somebody can sit.
func TestSetIsNeverEmpty(t *testing.T) {
	f := newCommittee(t, 8, 100, 100)
	v := f.staking.validators
	before := f.newestSet()
	f.staking.jail(v[0])
	f.staking.jail(v[1])
	events := f.block(time.Second)
	require.Equal(t, 1, count(events, "EventValidatorSetKept"))
	require.Equal(t, before, f.newestSet())

	// With nobody bonded, the seats of the epoch before are kept: the record is empty.
	f.until(types.PHASE_FROZEN)
	f.turn()
	e := f.election(2)
	require.Equal(t, types.FALLBACK_KEPT, e.Fallback)
	require.Equal(t, types.FALLBACK_COMMITTEE, e.DrawFallback)
	require.Zero(t, e.Validators)
	require.Equal(t, f.election(1).Elected, e.Elected)
	require.Equal(t, f.election(1).Spares, e.Spares)
	require.Equal(t, f.left(1), f.left(2))
	require.Equal(t, before, f.newestSet())
	f.export()
	for range 12 {
		f.block(time.Second)
	}

	// One comes back and is elected.
	v[1].jailed, v[1].wanted, v[1].tokens = false, true, 70
	f.until(types.PHASE_FROZEN)
	f.turn()
	require.Equal(t, map[int]int64{1: 2}, f.powers())
	require.NotEqual(t, types.FALLBACK_KEPT, f.election(3).Fallback)
	for range 12 {
		f.block(time.Second)
	}
	require.Equal(t, map[int]int64{1: 8}, f.powers())
}

// A kept election is handed out like any other: who leaves, leaves it.
func TestLeavingAKeptElection(t *testing.T) {
	f := newCommittee(t, 8, 100, 100, 100, 100)
	v := f.staking.validators
	f.staking.jail(v[0])
	f.block(time.Second)
	// At the freeze all others are jailed too, in the eyes of x/staking, which has not unbonded them yet.
	for _, one := range v[1:] {
		one.jailed = true
	}
	f.until(types.PHASE_FROZEN)
	for _, one := range v[1:] {
		one.jailed = false
	}
	f.turn()
	require.Equal(t, types.FALLBACK_KEPT, f.election(2).Fallback)
	for range 12 {
		f.block(time.Second)
	}
	require.EqualValues(t, map[int]int64{1: 2, 2: 2, 3: 2}, f.powers(), "0 has left the seats that were kept")
	f.staking.jail(v[1])
	f.block(time.Second)
	require.NotContains(t, f.powers(), 1)
	require.Len(t, f.left(2), 2)
	f.export()
}

// Rotations are told in the block in which x/staking announces them, for members alone.
func TestRotations(t *testing.T) {
	f := newCommittee(t, 8, 1_000, 1_000)
	v := f.staking.validators
	outsider := f.staking.add(1)
	sets := func() int { return len(f.export().ValidatorSets) }
	require.Equal(t, 1, sets())

	f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), outsider, consensusKey("outsider"))
	f.block(time.Second)
	f.block(time.Second)
	f.block(time.Second)
	require.Equal(t, 1, sets(), "CometBFT does not know an outsider")

	next := consensusKey("next")
	old := v[0].key
	f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), v[0], next)
	f.block(time.Second)
	require.Equal(t, 2, sets())
	require.Equal(t, old, v[0].key, "x/staking has not changed it yet")
	require.Contains(t, keysOf(f.newestSet()), string(next.Bytes()))
	require.NotContains(t, keysOf(f.newestSet()), string(old.Bytes()))
	f.block(time.Second)
	f.block(time.Second)
	require.Equal(t, next, v[0].key)
	f.block(time.Second)
	require.Equal(t, 2, sets(), "once")

	// One who is elected while its rotation is under way sits with the new key from the beginning.
	outsider.tokens = 1_000
	f.register(outsider, "key")
	f.until(types.PHASE_FROZEN)
	last := consensusKey("last")
	for f.ctx.BlockHeight() < f.epoch(1).ClosingHeight-1 {
		f.block(time.Second)
	}
	f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), outsider, last)
	f.block(time.Second)
	require.EqualValues(t, 2, f.number())
	require.Contains(t, keysOf(f.newestSet()), string(last.Bytes()))
	f.block(time.Second)
	f.block(time.Second)
	require.Equal(t, last, outsider.key)
	for range 12 {
		f.block(time.Second)
	}

	// A member that is jailed while its rotation is under way leaves under the key that CometBFT has.
	f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), v[1], consensusKey("again"))
	f.block(time.Second)
	f.staking.jail(v[1])
	f.block(time.Second)
	require.NotContains(t, f.powers(), 1)
	f.block(time.Second)
}

func keysOf(set types.ValidatorSet) map[string]bool {
	out := map[string]bool{}
	for _, m := range set.Members {
		out[string(m.PubKey.GetEd25519())] = true
	}
	return out
}

// A set whose computation fails is tried again in every block; what fails leaves nothing behind and halts nothing.
func TestFailingSetIsTriedAgain(t *testing.T) {
	f := newCommittee(t, 8, 100, 100, 100, 100, 100)
	v := f.staking.validators
	f.staking.jail(v[0])
	f.staking.err = errBoom
	before := f.newestSet()
	for range 3 {
		f.block(time.Second)
		require.Equal(t, before, f.newestSet())
	}
	f.staking.err = nil
	f.block(time.Second)
	require.NotContains(t, f.powers(), 0)

	// The same with a rotation that cannot be told in its block.
	next := consensusKey("next")
	f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), v[1], next)
	f.staking.err = errBoom
	for range 3 {
		f.block(time.Second)
	}
	require.Equal(t, next, v[1].key)
	f.staking.err = nil
	f.block(time.Second)
	require.Contains(t, keysOf(f.newestSet()), string(next.Bytes()))
}

// A freeze that fails holds the clock and nothing else.
func TestFailingFreeze(t *testing.T) {
	f := newCommittee(t, 8, 100, 100)
	f.node.unreadable = errBoom
	before := f.export()
	f.block(time.Minute)
	f.block(time.Minute)
	after := f.export()
	require.Equal(t, before.Epochs, after.Epochs)
	require.Equal(t, before.Elections, after.Elections)
	f.staking.jail(f.staking.validators[0])
	f.block(time.Minute)
	require.NotContains(t, f.powers(), 0, "members leave all the same")
	f.node.unreadable = nil
	f.block(time.Second)
	require.Equal(t, types.PHASE_FROZEN, f.phase(1))

	// A fault of the machine stops it.
	disk := errors.New("input/output error")
	g := newCommittee(t, 8, 100, 100)
	g.ctx = g.ctx.WithBlockHeight(g.ctx.BlockHeight() + 1).WithBlockTime(g.ctx.BlockTime().Add(time.Hour))
	g.node.standing = nil
	g.node.fault = disk
	require.PanicsWithValue(t, disk, func() { _, _ = g.k.EndBlock(g.ctx) })
}

// An ordinary block asks x/staking for no validator and writes no set.
func TestOrdinaryBlockReadsNoValidators(t *testing.T) {
	f := newCommittee(t, 8, 100, 100)
	f.block(time.Second)
	g := f.export()
	reads := f.staking.reads
	for range 5 {
		f.block(time.Second)
	}
	require.Equal(t, reads, f.staking.reads)
	require.Equal(t, g.ValidatorSets, f.export().ValidatorSets)
}

func TestHeaderHashes(t *testing.T) {
	f := newFixture(t).start(10) // keeps five
	for range 8 {
		f.block(time.Second)
	}
	for height, want := range map[int64]bool{0: false, 3: false, 4: true, 8: true, 9: false} {
		hash, err := f.k.HeaderHash(f.ctx, height)
		if want {
			require.NoError(t, err)
			require.Equal(t, headerHash(height), hash)
		} else {
			require.ErrorIs(t, err, types.ErrNoHeaderHash, "height %d", height)
		}
	}
	require.Len(t, f.export().HeaderHashes, 5)

	// A lowered parameter counts at once, and the ring drains two at a time.
	params := devParams(10)
	params.ReadyBlocks = 2
	params.Duration = time.Hour
	_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(t, err)
	_, err = f.k.HeaderHash(f.ctx, 6)
	require.ErrorIs(t, err, types.ErrNoHeaderHash)
	for _, want := range []int{4, 3, 2, 2} {
		f.block(time.Second)
		require.Len(t, f.export().HeaderHashes, want)
	}
}

// Sets are kept for the unbonding time and two epochs after a younger one was sent.
func TestPrunedSets(t *testing.T) {
	f := newCommittee(t, 16, 100, 90, 80, 70, 60, 50) // unbonding takes three minutes, an epoch one
	most := 0
	for range 400 {
		f.block(10 * time.Second)
		g := f.export()
		most = max(most, len(g.ValidatorSets))
		newest := g.ValidatorSets[len(g.ValidatorSets)-1]
		for i, s := range g.ValidatorSets[:len(g.ValidatorSets)-1] {
			if age := newest.SentTime.Sub(g.ValidatorSets[i+1].SentTime); age > 5*time.Minute {
				t.Fatalf("the set of height %d was replaced %s before the newest one was sent", s.Height, age)
			}
		}
		// What is still needed is there: some set was in force five minutes ago, or was sent then and came in force two blocks later.
		if height := f.ctx.BlockHeight() - 30 + 2; height > 0 {
			require.LessOrEqual(t, g.ValidatorSets[0].Height, height)
		}
	}
	require.Greater(t, f.number(), uint64(20))
	require.Greater(t, most, 4)
	require.Less(t, most, 30)
}

// Elections are kept for a hundred epochs, with their rows and leavings.
func TestPrunedElections(t *testing.T) {
	f := newCommittee(t, 4, 100, 100, 100)
	f.standing(nodetypes.StandingNotOptedIn)
	for f.number() < types.KeptElections+3 {
		v := f.staking.validators[2]
		if f.ctx.BlockHeight()%2 == 0 {
			f.staking.jail(v)
		} else {
			v.jailed, v.wanted = false, true
		}
		f.block(time.Minute)
	}
	g := f.export()
	require.Equal(t, f.number()-types.KeptElections+1, g.Elections[0].Epoch)
	for _, r := range g.Frozen {
		require.GreaterOrEqual(t, r.Epoch, g.Elections[0].Epoch)
	}
	for _, l := range g.Leavings {
		require.GreaterOrEqual(t, l.Epoch, g.Elections[0].Epoch)
	}
	_, err := f.k.Election(f.ctx, 1)
	require.ErrorIs(t, err, types.ErrElectionNotFound)
	require.Len(t, g.Epochs, int(f.number()), "epochs are kept for good")
}

func TestMsgRegisterBeaconKey(t *testing.T) {
	f := newFixture(t).start(1)
	v := f.staking.validators[0]
	key := f.newBeaconKey(v, "key")
	good := types.MsgRegisterBeaconKey{Operator: v.operator.String(), PubKey: key.PubKey(), Proof: key.Prove(chainID, v.operator)}
	other := f.newBeaconKey(v, "other")
	stranger := sdk.ValAddress("stranger____________")
	infinity := make([]byte, beacon.PubKeySize)
	infinity[0] = 0xc0
	for name, tc := range map[string]struct {
		change func(*types.MsgRegisterBeaconKey)
		want   error
	}{
		"no operator": {func(m *types.MsgRegisterBeaconKey) { m.Operator = "" }, sdkerrors.ErrInvalidAddress},
		"an account":  {func(m *types.MsgRegisterBeaconKey) { m.Operator = somebody }, sdkerrors.ErrInvalidAddress},
		"no validator": {func(m *types.MsgRegisterBeaconKey) {
			m.Operator = stranger.String()
			m.Proof = key.Prove(chainID, stranger)
		}, types.ErrNotValidator},
		"no key":            {func(m *types.MsgRegisterBeaconKey) { m.PubKey = nil }, types.ErrInvalidBeaconKey},
		"a short key":       {func(m *types.MsgRegisterBeaconKey) { m.PubKey = m.PubKey[:47] }, types.ErrInvalidBeaconKey},
		"no point":          {func(m *types.MsgRegisterBeaconKey) { m.PubKey = make([]byte, beacon.PubKeySize) }, types.ErrInvalidBeaconKey},
		"infinity":          {func(m *types.MsgRegisterBeaconKey) { m.PubKey = infinity }, types.ErrInvalidBeaconKey},
		"no proof":          {func(m *types.MsgRegisterBeaconKey) { m.Proof = nil }, types.ErrInvalidProof},
		"a false proof":     {func(m *types.MsgRegisterBeaconKey) { m.Proof = other.Prove(chainID, v.operator) }, types.ErrInvalidProof},
		"another chain's":   {func(m *types.MsgRegisterBeaconKey) { m.Proof = key.Prove("edge-1", v.operator) }, types.ErrInvalidProof},
		"another's proof":   {func(m *types.MsgRegisterBeaconKey) { m.Proof = key.Prove(chainID, stranger) }, types.ErrInvalidProof},
		"the proof's key":   {func(m *types.MsgRegisterBeaconKey) { m.PubKey = other.PubKey() }, types.ErrInvalidProof},
		"a reveal as proof": {func(m *types.MsgRegisterBeaconKey) { m.Proof = key.Reveal(chainID, headerHash(1), 1) }, types.ErrInvalidProof},
	} {
		t.Run(name, func(t *testing.T) {
			before, msg := f.export(), good
			tc.change(&msg)
			_, err := f.msgs.RegisterBeaconKey(f.ctx, &msg)
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, before, f.export())
		})
	}

	f.ctx = f.ctx.WithBlockHeight(7).WithEventManager(sdk.NewEventManager())
	gas := f.ctx.GasMeter().GasConsumed()
	upper := good
	upper.Operator = strings.ToUpper(good.Operator)
	_, err := f.msgs.RegisterBeaconKey(f.ctx, &upper)
	require.NoError(t, err)
	require.Greater(t, f.ctx.GasMeter().GasConsumed()-gas, uint64(80_000))
	require.Equal(t, 1, count(f.ctx.EventManager().Events(), "EventBeaconKeyRegistered"))
	require.Equal(t, []types.BeaconKey{{Operator: good.Operator, PubKey: good.PubKey, Height: 7}}, f.export().BeaconKeys)

	// It is replaced, and goes with its validator.
	f.register(v, "other")
	require.Equal(t, other.PubKey(), f.export().BeaconKeys[0].PubKey)
	require.NoError(t, f.k.Hooks().AfterValidatorRemoved(f.ctx, nil, v.operator))
	require.Empty(t, f.export().BeaconKeys)
}

// Whatever happens, CometBFT and x/epoch agree on the set (fixture.apply checks it after each block), it is never empty, its
// powers are those of the rule, x/epoch knows whose turn it is, reveals are settled by it, and the state can be exported.
func TestAnyHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tokens := rapid.SliceOfN(rapid.Int64Range(1, 1_000), 1, 7).Draw(rt, "tokens")
		seats := rapid.Uint32Range(1, 30).Draw(rt, "seats")
		f := newCommittee(t, seats, tokens...)
		check := func(sdk.Events) {} // what came of the reveal of the last block
		for i := range rapid.IntRange(1, 60).Draw(rt, "blocks") {
			v := f.staking.validators[rapid.IntRange(0, len(f.staking.validators)-1).Draw(rt, "who")]
			switch rapid.IntRange(0, 12).Draw(rt, "what") {
			case 0:
				f.staking.jail(v)
			case 1:
				v.jailed, v.wanted = false, true
			case 2:
				v.wanted = false
			case 3:
				v.tokens = rapid.Int64Range(1, 1_000).Draw(rt, "tokens")
			case 4:
				f.node.standing[v.operator.String()] = nodetypes.Standing(rapid.IntRange(0, 4).Draw(rt, "standing"))
			case 5:
				if len(f.staking.validators) < 10 {
					f.staking.add(rapid.Int64Range(1, 1_000).Draw(rt, "tokens"))
				}
			case 6:
				if _, pending := f.staking.pending[string(v.operator)]; !pending {
					f.staking.rotate(f.ctx.WithBlockHeight(f.ctx.BlockHeight()+1), v, consensusKey(fmt.Sprintf("rotated %d", i)))
				}
			}
			p := f.honest(rapid.SampledFrom([]int32{0, 0, 0, 1, 2, 7}).Draw(rt, "round"))
			switch rapid.IntRange(0, 5).Draw(rt, "says") {
			case 0:
				p.txs = nil
			case 1:
				p.named = f.staking.holder(f.comet.turnOf(rapid.Int32Range(0, 9).Draw(rt, "named"))).address()
			case 2:
				p.named = f.comet.turnOf(rapid.Int32Range(0, 9).Draw(rt, "named"))
				p.txs = txs(f.revealBy(p.named))
			}
			revealed, missed := f.verdict(p)
			next := f.number() + 1
			events := f.decide(20*time.Second, p)
			check(events)
			check = func(events sdk.Events) {
				require.Equal(t, revealed, count(events, "EventRevealed") == 1)
				if missed == "" {
					require.Zero(t, count(events, "EventRevealMissed"))
				} else {
					require.Contains(t, f.left(next), missed)
				}
			}
		}
		g := f.export()
		f.checkPowers(g)
		f.checkRotation()
	})
}

// checkPowers compares the newest set with the rule, worked out from an export alone.
func (f *fixture) checkPowers(g *types.GenesisState) {
	f.t.Helper()
	left := map[uint64]map[string]bool{}
	for _, l := range g.Leavings {
		if left[l.Epoch] == nil {
			left[l.Epoch] = map[string]bool{}
		}
		left[l.Epoch][l.Operator] = true
	}
	want := map[string]int64{}
	for _, e := range g.Elections {
		turns := func(i int) bool { return false }
		switch {
		case e.Epoch == g.HandOver.Epoch:
			turns = func(i int) bool { return i%4 < int(g.HandOver.Steps) }
		case e.Epoch+1 == g.HandOver.Epoch:
			turns = func(i int) bool { return i%4 >= int(g.HandOver.Steps) }
		}
		for i, s := range committee.Holders(e.Elected, e.Spares, func(o string) bool { return left[e.Epoch][o] }) {
			if turns(i) && !s.Vacant() {
				want[s.Operator]++
			}
		}
	}
	if len(want) == 0 {
		return // kept or pardoned
	}
	got, newest := map[string]int64{}, g.ValidatorSets[len(g.ValidatorSets)-1]
	for _, m := range newest.Members {
		got[m.Operator] = m.Power
		v, err := f.staking.GetValidator(f.ctx, sdk.ValAddress(f.operator(m.Operator)))
		require.NoError(f.t, err)
		require.True(f.t, v.IsBonded() && !v.Jailed, "%s sits and is not bonded", m.Operator)
		require.True(f.t, m.Tokens.GT(math.ZeroInt()))
	}
	require.Equal(f.t, want, got)
}

func (f *fixture) operator(text string) []byte {
	f.t.Helper()
	operator, err := sdk.ValAddressFromBech32(text)
	require.NoError(f.t, err)
	return operator
}
