package types_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	"github.com/edgechain/edge/x/rewards/types"
)

// exact are figures that add up; every amount of theirs is above 1.
func exact() types.Figures {
	i := math.NewInt
	return types.Figures{
		SettlementDenom: "uusd",
		Clients:         dacktypes.Totals{Balances: i(1_000), Pending: i(200), OpenRevenue: i(30), ServiceDeposits: i(4)},
		ClientsHeld:     i(1_234),
		Books:           types.Held{Queued: i(50), SetAside: i(6), EmissionSetAside: i(7)},
		SettlementHeld:  i(56),
		TokensHeld:      i(7),
		History:         types.Supply{Initial: i(10_000), Minted: i(500), Burned: i(60)},
		Supply:          i(10_440),
	}
}

// exactEpoch are the figures of an epoch in which a unit more or less in any of them is seen: everything is used up.
func exactEpoch() types.EpochFigures {
	i := math.NewInt
	debited := i(1_003)
	s := types.NewEpochSummary(12, debited, types.DefaultShares(), types.NewEmissionSummary(types.DefaultEmissionTerms(), math.LegacyOneDec(), i(100)))
	s.Nodes, s.Owners, s.Community, s.SetAside, s.Done = i(700), i(100), i(201), i(2), true
	s.Emission.Earned, s.Emission.Nodes, s.Emission.Owners, s.Emission.Community = i(100), i(80), i(10), i(4)
	s.Emission.SetAside, s.Emission.Forfeited = i(3), i(3)
	return types.EpochFigures{SettlementDenom: "uusd", Books: s, Debited: &debited}
}

// amounts returns every amount within a value, by its name.
func amounts(v reflect.Value, name string, found map[string]*math.Int) {
	switch {
	case v.Type() == reflect.TypeFor[math.Int]():
		found[name] = v.Addr().Interface().(*math.Int)
	case v.Kind() == reflect.Pointer && v.Type().Elem() == reflect.TypeFor[math.Int]():
		found[name] = v.Interface().(*math.Int)
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[math.LegacyDec]():
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				amounts(v.Field(i), name+"."+field.Name, found)
			}
		}
	}
}

// A unit too many or too few is found, wherever it is.
func TestAuditFindsAUnit(t *testing.T) {
	require.NoError(t, types.CheckEquations(exact().Equations()))
	names := make(map[string]*math.Int)
	f := exact()
	amounts(reflect.ValueOf(&f).Elem(), "", names)
	require.Len(t, names, 4+1+3+2+3+1)
	for name := range names {
		for _, d := range []int64{1, -1} {
			f, found := exact(), make(map[string]*math.Int)
			amounts(reflect.ValueOf(&f).Elem(), "", found)
			*found[name] = found[name].AddRaw(d)
			require.ErrorIs(t, types.CheckEquations(f.Equations()), types.ErrBooks, "%s off by %d", name, d)
			broken := 0
			for _, e := range f.Equations() {
				if !e.Holds {
					broken++
				}
			}
			require.Equal(t, 1, broken, name)
		}
	}
}

// Of an epoch, a unit is found that was debited, paid or set aside, and one that was minted beyond what was earned or the cap. What was
// not minted is no fault.
func TestAuditOfAnEpochFindsAUnit(t *testing.T) {
	require.NoError(t, types.CheckEquations(exactEpoch().Equations()))
	names := make(map[string]*math.Int)
	f := exactEpoch()
	amounts(reflect.ValueOf(&f).Elem(), "", names)
	require.Len(t, names, 6+7+1)
	for name := range names {
		for _, d := range []int64{1, -1} {
			f, found := exactEpoch(), make(map[string]*math.Int)
			amounts(reflect.ValueOf(&f).Elem(), "", found)
			*found[name] = found[name].AddRaw(d)
			err := types.CheckEquations(f.Equations())
			var fine bool
			switch name {
			case ".Books.Dust": // a part of what the community pool got
				fine = true
			case ".Books.Emission.Cap", ".Books.Emission.Earned":
				fine = d > 0
			case ".Books.Emission.Nodes", ".Books.Emission.Owners", ".Books.Emission.Community", ".Books.Emission.SetAside", ".Books.Emission.Forfeited":
				fine = d < 0
			}
			if fine {
				require.NoError(t, err, "%s off by %d", name, d)
			} else {
				require.ErrorIs(t, err, types.ErrBooks, "%s off by %d", name, d)
			}
		}
	}
}

// While an epoch is being paid less than was debited may be shared, and never more; from the community pool's share on, all of it is.
func TestAuditWhilePaying(t *testing.T) {
	for phase := types.PAY_PHASE_NODES; phase <= types.PAY_PHASE_MINT_COMMUNITY; phase++ {
		f := exactEpoch()
		f.Books.Done, f.Phase = false, phase
		f.Books.Emission.Community = math.ZeroInt()
		require.NoError(t, types.CheckEquations(f.Equations()))
		f.Books.Nodes = f.Books.Nodes.SubRaw(1)
		if phase <= types.PAY_PHASE_COMMUNITY {
			require.NoError(t, types.CheckEquations(f.Equations()), phase)
		} else {
			require.ErrorIs(t, types.CheckEquations(f.Equations()), types.ErrBooks, phase)
		}
		f.Books.Nodes = f.Books.Nodes.AddRaw(2)
		require.ErrorIs(t, types.CheckEquations(f.Equations()), types.ErrBooks, phase)
	}
	f := exactEpoch()
	require.Len(t, f.Equations(), 4)
	f.Debited = nil // x/dack has pruned it
	require.Len(t, f.Equations(), 3)
}

func TestEquationText(t *testing.T) {
	f := exact()
	f.Supply = f.Supply.AddRaw(1)
	require.ErrorContains(t, types.CheckEquations(f.Equations()), "supply: supply 10441uedge = initial + minted - burned 10440uedge")
}

func TestLockArithmetic(t *testing.T) {
	l := types.StakeLock{EndEpoch: 10}
	for _, tt := range []struct {
		epoch, remaining uint64
	}{{0, 10}, {7, 3}, {9, 1}, {10, 0}, {11, 0}, {1<<64 - 1, 0}} {
		require.Equal(t, tt.remaining, l.Remaining(tt.epoch))
		require.Equal(t, tt.remaining > 0, l.Live(tt.epoch))
	}
	require.EqualValues(t, 11, types.LockEnd(7, 3))
	require.EqualValues(t, 3, types.StakeLock{EndEpoch: types.LockEnd(7, 3)}.Remaining(8))
	require.EqualValues(t, uint64(1<<64-1), types.LockEnd(7, 1<<64-1))
	require.EqualValues(t, uint64(1<<64-1), types.LockEnd(1<<64-1, 1))
}
