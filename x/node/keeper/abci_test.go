package keeper_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/edgechain/edge/x/node/types"
)

func (f *fixture) exists(id uint64) bool {
	f.t.Helper()
	_, err := f.k.Worker(f.ctx, id)
	if !errors.Is(err, types.ErrWorkerNotFound) {
		require.NoError(f.t, err)
	}
	return err == nil
}

func TestRetirementWaitsForTheClosing(t *testing.T) {
	f := newFixture(t)
	operator := f.operator()
	id := f.register(operator)
	f.open(7)
	f.remove(operator, id)
	for epoch := uint64(7); epoch < 10; epoch++ {
		f.open(epoch)
		f.endBlock()
		require.True(t, f.exists(id), "epoch %d", epoch)
		require.EqualValues(t, wealth-types.DefaultWorkerDeposit, f.balance(operator))
	}
	f.open(10)
	f.events("")
	f.endBlock()
	require.Equal(t, 1, f.events("edge.node.v1.EventWorkerRetired"))
	require.False(t, f.exists(id))
	require.EqualValues(t, wealth, f.balance(operator))

	next := f.register(operator)
	require.Greater(t, next, id, "ids are not used again")
}

func TestRetirementsPerBlockAreBounded(t *testing.T) {
	f := newFixture(t)
	params := types.DefaultParams()
	params.RetirementsPerBlock = 3
	_, err := f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: f.authority, Params: params})
	require.NoError(t, err)
	operator := f.operator()
	var ids []uint64
	for range 8 {
		ids = append(ids, f.register(operator))
	}
	for _, id := range ids {
		f.remove(operator, id)
	}
	f.open(4)
	for _, want := range []int{5, 2, 0, 0} {
		f.endBlock()
		left := 0
		for _, id := range ids {
			if f.exists(id) {
				left++
			}
		}
		require.Equal(t, want, left)
	}
}

// runtimeError returns what the Go runtime panics with.
func runtimeError() (v any) {
	defer func() { v = recover() }()
	var none []int
	return none[len(none)-1]
}

// An entry that cannot be processed stands in nobody's way, loses nothing, and is tried again once an epoch.
func TestRetirementThatFails(t *testing.T) {
	for name, fault := range map[string]func(f *fixture, who string){
		"error":    func(f *fixture, who string) { f.bank.refuse[who] = true },
		"panic":    func(f *fixture, who string) { f.bank.panics[who] = runtimeError() },
		"overflow": func(f *fixture, who string) { f.bank.panics[who] = fmt.Errorf("sum: %w", math.ErrIntOverflow) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			bad, good := f.operator(), f.operator()
			badID, goodID := f.register(bad), f.register(good)
			f.remove(bad, badID)
			f.remove(good, goodID)
			fault(f, string(bad))

			f.open(4)
			f.events("")
			f.endBlock()
			require.Equal(t, 1, f.events("edge.node.v1.EventRetirementPostponed"))
			require.True(t, f.exists(badID))
			require.False(t, f.exists(goodID))
			require.EqualValues(t, wealth-types.DefaultWorkerDeposit, f.balance(bad))
			require.EqualValues(t, wealth, f.balance(good))

			f.endBlock()
			require.Zero(t, f.events("edge.node.v1.EventRetirementPostponed"), "once an epoch")

			f.heal()
			f.open(5)
			f.endBlock()
			require.False(t, f.exists(badID))
			require.EqualValues(t, wealth, f.balance(bad))
		})
	}
}

func (f *fixture) heal() {
	clear(f.bank.refuse)
	clear(f.bank.panics)
}

// A panic that is not the same on every machine, such as the store's on a disk that fails, must stop the machine instead
// of becoming state.
func TestRetirementPassesOnForeignPanics(t *testing.T) {
	for _, v := range []any{"disk", errors.New("input/output error"), 7} {
		f := newFixture(t)
		bad := f.operator()
		id := f.register(bad)
		f.remove(bad, id)
		f.bank.panics[string(bad)] = v
		f.open(4)
		before := f.state()
		require.PanicsWithValue(t, v, func() { _ = f.k.EndBlock(f.ctx) })
		require.Equal(t, before, f.state())
	}
}

// A deposit that can never be returned is tried a bounded number of times, stays in sight, and moves again only when the
// operator says so.
func TestRetirementIsParked(t *testing.T) {
	f := newFixture(t)
	bad := f.operator()
	id := f.register(bad)
	f.remove(bad, id)
	f.bank.refuse[string(bad)] = true
	epoch := uint64(4)
	fail := func() {
		for i := range types.MaxRefundFailures {
			f.open(epoch)
			f.events("")
			f.endBlock()
			require.Equal(t, 1, f.events("edge.node.v1.EventRetirementPostponed"))
			w, err := f.queries.Worker(f.ctx, &types.QueryWorkerRequest{Id: id})
			require.NoError(t, err)
			require.EqualValues(t, i+1, w.Worker.RefundFailures)
			_, err = f.msgs.RemoveWorker(f.ctx, &types.MsgRemoveWorker{Operator: f.operatorText(bad), WorkerId: id})
			if i+1 < types.MaxRefundFailures {
				require.ErrorIs(t, err, types.ErrWorkerRetiring, "it is tried by itself")
			} else {
				require.NoError(t, err)
			}
			epoch++
		}
		// The last removal has queued it anew: let it fail into the park again, and leave it there.
	}
	fail()
	fail()
	for range types.MaxRefundFailures {
		f.open(epoch)
		f.endBlock()
		epoch++
	}
	for range 3 {
		f.open(epoch)
		f.events("")
		f.endBlock()
		require.Zero(t, f.events("edge.node.v1.EventRetirementPostponed"), "parked")
		epoch++
	}
	require.EqualValues(t, wealth-types.DefaultWorkerDeposit, f.balance(bad))
	requireParkedAfterImport(t, f, id)

	other := f.operator()
	_, err := f.msgs.RemoveWorker(f.ctx, &types.MsgRemoveWorker{Operator: f.operatorText(other), WorkerId: id})
	require.ErrorIs(t, err, types.ErrNotOperator)
	f.heal()
	f.endBlock()
	require.True(t, f.exists(id), "nothing happens by itself")
	res, err := f.msgs.RemoveWorker(f.ctx, &types.MsgRemoveWorker{Operator: f.operatorText(bad), WorkerId: id})
	require.NoError(t, err)
	require.EqualValues(t, 1, res.LastEpoch)
	f.endBlock()
	require.False(t, f.exists(id))
	require.EqualValues(t, wealth, f.balance(bad))
}

func requireParkedAfterImport(t *testing.T, f *fixture, id uint64) {
	t.Helper()
	gs, err := f.k.ExportGenesis(f.ctx)
	require.NoError(t, err)
	g := newEmptyFixture(t)
	g.fund(authtypes.NewModuleAddress(types.ModuleName), gs.Deposits().AmountOf(types.StakingDenom).Int64())
	require.NoError(t, g.k.InitGenesis(g.ctx, *gs))
	g.open(gs.Epoch + 1)
	g.endBlock()
	require.True(t, g.exists(id))
	require.Equal(t, f.state(), strings.Replace(g.state(), fmt.Sprintf(`"epoch":"%d",`, gs.Epoch+1), fmt.Sprintf(`"epoch":"%d",`, gs.Epoch), 1))
}

// The text of an error is cut between characters.
func TestPostponedCauseIsValidText(t *testing.T) {
	f := newFixture(t)
	bad := f.operator()
	id := f.register(bad)
	f.remove(bad, id)
	f.bank.panics[string(bad)] = fmt.Errorf("x%s%w", strings.Repeat("\u00e9", 200), math.ErrIntOverflow)
	f.open(4)
	f.events("")
	require.NoError(t, f.k.EndBlock(f.ctx))
	var cause string
	for _, e := range f.ctx.EventManager().Events() {
		if a, ok := e.GetAttribute("cause"); ok {
			cause = a.Value
		}
	}
	require.NotEmpty(t, cause)
	require.True(t, utf8.ValidString(cause))
	require.NotContains(t, cause, "\ufffd")
	require.NotContains(t, cause, `\u`)
	require.LessOrEqual(t, len(cause), 256+len(`""`))
}

// State that cannot be read is logged, and the chain goes on.
func TestEndBlockNeverFails(t *testing.T) {
	f := newEmptyFixture(t) // no parameters
	require.NoError(t, f.k.EndBlock(f.ctx))
}

func TestOpenEpoch(t *testing.T) {
	f := newFixture(t)
	f.open(1) // again
	f.open(3) // one was missed
	require.ErrorIs(t, f.k.OpenEpoch(f.ctx, 2, nil), types.ErrEpoch)
	epoch, err := f.k.Epoch(f.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 3, epoch)
}

// An epoch begins with the block behind the one that opens it; that of the genesis with the first block of the chain.
func TestEpochHeight(t *testing.T) {
	for _, tt := range []struct {
		genesis, opening, first, second int64
	}{
		{0, 7, 1, 8}, // InitChain leaves the height at 0 if the first block is 1
		{100, 100, 100, 101},
	} {
		f := newEmptyFixture(t)
		f.ctx = f.ctx.WithBlockHeight(tt.genesis)
		require.NoError(t, f.k.InitGenesis(f.ctx, *types.DefaultGenesis()))
		require.NoError(t, f.k.OpenEpoch(f.ctx, 1, nil))
		height, err := f.k.EpochHeight.Get(f.ctx)
		require.NoError(t, err)
		require.Equal(t, tt.first, height)

		f.ctx = f.ctx.WithBlockHeight(tt.opening)
		require.NoError(t, f.k.OpenEpoch(f.ctx, 1, nil), "the same one again changes nothing")
		again, err := f.k.EpochHeight.Get(f.ctx)
		require.NoError(t, err)
		require.Equal(t, tt.first, again)

		require.NoError(t, f.k.OpenEpoch(f.ctx, 2, nil))
		height, err = f.k.EpochHeight.Get(f.ctx)
		require.NoError(t, err)
		require.Equal(t, tt.second, height)
	}
}

func TestHeaderHashesAreSetOnce(t *testing.T) {
	f := newFixture(t)
	require.Panics(t, func() { f.k.SetHeaderHashes(f.hashes) })
}
