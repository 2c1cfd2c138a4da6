package keeper_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/x/epoch/types"
)

// imported starts a chain from an export of this one, which ends with it, at the height after its last block or so many later.
func (f *fixture) imported(later int64) *fixture {
	f.t.Helper()
	g := f.export()
	to := newFixture(f.t)
	hooks := to.staking.hooks
	*to.staking, *to.node = *f.staking, *f.node
	to.staking.hooks = hooks
	to.ctx = to.ctx.WithBlockHeight(f.ctx.BlockHeight() + 1 + later).WithBlockTime(f.ctx.BlockTime())
	to.genesis(*g)
	to.ctx = to.ctx.WithBlockHeight(to.ctx.BlockHeight() - 1)
	return to
}

// later is the honest block of another one than whoever has the turn in the first round, who has a reveal to give.
func (f *fixture) later() proposal {
	f.t.Helper()
	for round := int32(1); round < 20; round++ {
		if p := f.honest(round); len(p.txs) != 0 && f.proposer(round) != f.proposer(0) {
			return p
		}
	}
	f.t.Fatal("nobody has a reveal")
	return proposal{}
}

// The reveal that is pending in an export has no commit in the new chain: it counts if it is right, and nobody has missed any.
// From then on the turns are those that the new chain begins anew.
func TestImportWithAPendingReveal(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(f *fixture, p *proposal)
		later int64
		want  int
	}{
		"its own":                      {func(*fixture, *proposal) {}, 0, 1},
		"none":                         {func(_ *fixture, p *proposal) { p.txs = nil }, 0, 0},
		"another's":                    {func(f *fixture, p *proposal) { p.txs = f.later().txs }, 0, 0},
		"in the name of one who may":   {func(f *fixture, p *proposal) { *p = f.later(); p.round = 0 }, 0, 1},
		"in the name of nobody":        {func(_ *fixture, p *proposal) { p.named = consensusKey("nobody").Address() }, 0, 0},
		"of a later round":             {func(f *fixture, p *proposal) { *p = f.later() }, 0, 1},
		"and blocks that are left out": {func(*fixture, *proposal) {}, 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := beaconOf(t)
			f.block(time.Second)
			p := f.honest(0)
			if len(p.txs) == 0 {
				f.block(time.Second)
				p = f.honest(0)
			}
			tc.spoil(f, &p)
			f.decide(time.Second, p)
			before := f.export()
			require.Equal(t, f.ctx.BlockHeight(), before.Beacon.Pending.Height)

			to := f.imported(tc.later)
			require.Equal(t, before.Beacon, to.export().Beacon)
			require.Equal(t, before.Leavings, to.export().Leavings)
			initial := to.ctx.BlockHeight() + 1
			events := to.decide(time.Second, to.silent(0))
			require.Equal(t, tc.want, count(events, "EventRevealed"))
			require.Zero(t, count(events, "EventRevealMissed"))
			require.Equal(t, before.Leavings, to.export().Leavings)
			require.EqualValues(t, int(before.Beacon.Reveals)+tc.want, to.export().Beacon.Reveals)
			require.Equal(t, initial, to.export().Beacon.Pending.Height)

			// The first block of the new chain has a commit, and a turn.
			missed := to.staking.holder(to.comet.last.GetProposer().Address)
			events = to.block(time.Second)
			owes := slices.Contains(to.staking.validators[:4], missed)
			require.Equal(t, owes, count(events, "EventRevealMissed") == 1)
			if owes {
				require.Equal(t, types.LEAVE_REASON_MISSED_REVEAL, to.left(2)[missed.operator.String()])
			}
			to.checkRotation()
			for to.number() == 1 {
				to.block(time.Second)
			}
			to.checkRotation()
		})
	}
}
