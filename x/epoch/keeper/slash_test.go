package keeper

import (
	stdmath "math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/epoch/types"
)

// fractionOf is floor(fraction * tokens).
func fractionOf(fraction string, tokens int64) int64 {
	return math.LegacyMustNewDecFromStr(fraction).MulInt64(tokens).TruncateInt64()
}

// Whoever was there at the freeze loses the same part of it, whatever it did with its stake later.
func TestWhoLeftAfterTheFreezeIsSlashedWithThoseWhoStayed(t *testing.T) {
	for name, tc := range map[string]struct {
		fraction string
		fault    func(f *stakes, v sdk.ValAddress)
	}{
		"double sign": {"0.07", func(f *stakes, v sdk.ValAddress) {
			f.until(f.ctx.BlockHeight() + 5)
			f.doubleSign(f.consAddr(v), f.ctx.BlockHeight()-1, 3)
		}},
		"downtime": {"0.013", func(f *stakes, v sdk.ValAddress) { f.silence(v, 3) }},
	} {
		t.Run(name, func(t *testing.T) {
			f := newStakes(t)
			v, w := f.validator(1_000_003), f.validator(5_000_011)
			stays, undelegates, redelegates, early, earlier := f.person(), f.person(), f.person(), f.person(), f.person()
			for i, who := range []sdk.AccAddress{stays, undelegates, redelegates, early, earlier} {
				f.delegate(who, v, 700_001+int64(i)*1_000)
			}
			f.block()
			f.undelegate(earlier, v, 300_000)
			f.block()
			// In the block of the freeze: its transactions come before it.
			f.undelegate(early, v, 200_001)
			f.redelegate(earlier, v, w, 100_001)
			frozen := f.tokens(v)
			f.send(f.member(v, 3), f.member(w, 97))
			f.block()
			f.undelegate(undelegates, v, 600_001)
			f.redelegate(redelegates, v, w, 500_001)
			leftEarly, leftEarlier, movedEarlier := f.unbonding(early, v), f.unbonding(earlier, v), f.delegated(earlier, w)
			others := f.delegated(sdk.AccAddress(w), w)

			got := f.burnt(func() { tc.fault(f, v) })

			// The frozen stake lies with the validator, in one unbonding and in one redelegation.
			require.InDelta(t, fractionOf(tc.fraction, frozen), got, 2)
			require.Equal(t, 600_001-fractionOf(tc.fraction, 600_001), f.unbonding(undelegates, v))
			require.InDelta(t, 500_001-fractionOf(tc.fraction, 500_001), f.delegated(redelegates, w), 1)
			require.InDelta(t, 700_001-fractionOf(tc.fraction, 700_001), f.delegated(stays, v), 1)
			require.InDelta(t, 1_000_003-fractionOf(tc.fraction, 1_000_003), f.delegated(sdk.AccAddress(v), v), 1)

			require.Equal(t, leftEarly, f.unbonding(early, v), "who left in the block of the freeze is not in it")
			require.Equal(t, leftEarlier, f.unbonding(earlier, v))
			require.InDelta(t, movedEarlier, f.delegated(earlier, w), 1)
			require.InDelta(t, others, f.delegated(sdk.AccAddress(w), w), 1)
		})
	}
}

// The amount is that of the frozen stake, to within a unit for each entry, however the stake moved.
func TestBurntIsAFractionOfTheFrozenStake(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newStakes(t)
		v, w := f.validator(rapid.Int64Range(1, 1<<40-1).Draw(rt, "own")%900_000_000_000+1), f.validator(1<<30)
		var people []sdk.AccAddress
		stake := map[int]int64{}
		for i := range rapid.IntRange(1, 5).Draw(rt, "people") {
			people = append(people, f.person())
			stake[i] = rapid.Int64Range(1, 1<<39).Draw(rt, "stake")
			f.delegate(people[i], v, stake[i])
		}
		f.block()
		frozen := f.tokens(v)
		f.send(f.member(v, rapid.Int64Range(1, 150).Draw(rt, "seats")))
		f.block()
		entries := int64(0)
		for i, who := range people {
			out := rapid.Int64Range(0, stake[i]).Draw(rt, "out")
			if out == 0 {
				continue
			}
			entries++
			if rapid.Bool().Draw(rt, "redelegate") {
				f.redelegate(who, v, w, out)
			} else {
				f.undelegate(who, v, out)
			}
			if rapid.Bool().Draw(rt, "next block") {
				f.block()
			}
		}
		f.until(f.ctx.BlockHeight() + 3)
		fraction := math.LegacyNewDecWithPrec(rapid.Int64Range(1, 1_000_000).Draw(rt, "fraction"), 6)
		got := f.slash(f.consAddr(v), f.ctx.BlockHeight()-2, fraction.String())
		want := fraction.MulInt64(frozen).TruncateInt64()
		require.LessOrEqual(rt, max(got-want, want-got), entries, "want %d, got %d", want, got)
	})
}

// Power is a number of seats: it does not count, nor does what came after the freeze.
func TestSeatsAndLaterStakeDoNotCount(t *testing.T) {
	f := newStakes(t)
	v := f.validator(1_000_000)
	f.block()
	f.send(f.member(v, 150))
	f.block()
	late := f.person()
	f.delegate(late, v, 1_000_000)
	f.until(8)
	require.EqualValues(t, 70_000, f.burnt(func() { f.doubleSign(f.consAddr(v), 7, 150) }), "the amount is that of the freeze")
	require.EqualValues(t, 965_000, f.delegated(late, v), "what is slashed stays one for all who are with the validator")
}

// The set is the one in force at the height of the fault.
func TestSlashFindsTheSetOfTheFault(t *testing.T) {
	f := newStakes(t)
	v, w := f.validator(1_000_000), f.validator(1_000_000)
	f.until(40)
	set := func(height, tokens int64) {
		f.sendAt(height, types.Member{Operator: v.String(), Power: 1, Tokens: math.NewInt(tokens), FreezeHeight: height - 1})
	}
	set(5, 100_000) // the set of the genesis of a chain with initial height 5
	set(12, 200_000)
	set(20, 300_000)
	// v was in no set from 30 on.
	f.sendAt(30, types.Member{Operator: w.String(), Power: 1, Tokens: math.NewInt(1), FreezeHeight: 29})
	for fault, want := range map[int64]int64{
		-1: 10_000, 0: 10_000, 1: 10_000, 4: 10_000, // before the first block: the oldest set
		5: 10_000, 11: 10_000,
		12: 20_000, 13: 20_000, 19: 20_000,
		20: 30_000, 29: 30_000,
		30: 100_000, 39: 100_000, // not a member: the present tokens
	} {
		require.Equal(t, want, f.slash(f.consAddr(v), fault-sdk.ValidatorUpdateDelay, "0.1"), "fault at %d", fault)
	}
}

// A former member answers with the stake of its time.
func TestSlashOfAFormerMember(t *testing.T) {
	f := newStakes(t)
	v, w := f.validator(2_000_000), f.validator(1_000_000)
	who := f.person()
	f.delegate(who, v, 500_000)
	f.block()
	f.send(f.member(v, 4)) // frozen at 2, in force from 4 on
	f.until(6)
	f.undelegate(who, v, 500_000)
	f.until(10)
	f.send(f.member(w, 4)) // frozen at 10, in force from 12 on
	f.until(30)
	require.EqualValues(t, fractionOf("0.07", 2_500_000), f.burnt(func() { f.doubleSign(f.consAddr(v), 11, 4) }))
	require.Equal(t, 500_000-fractionOf("0.07", 500_000), f.unbonding(who, v))
	require.Zero(t, f.burnt(func() { f.doubleSign(f.consAddr(v), 10, 4) }), "tombstoned")
}

// A member of a mixture answers from its oldest freeze on; who left before the younger one is caught as well.
func TestSlashReachesBackToTheOldestFreeze(t *testing.T) {
	f := newStakes(t)
	v := f.validator(1_000_000)
	who := f.person()
	f.delegate(who, v, 500_000)
	f.block()
	first := f.member(v, 4)
	f.until(5)
	f.undelegate(who, v, 500_000)
	f.until(9)
	first.Power = 3 // of them one seat of the old election
	f.send(first)
	f.until(20)
	require.EqualValues(t, 105_000, f.burnt(func() { f.doubleSign(f.consAddr(v), 15, 3) }))
	require.EqualValues(t, 465_000, f.unbonding(who, v))
}

// Nothing that is slashed may fail: it happens in BeginBlock.
func TestSlashNeverHalts(t *testing.T) {
	f := newStakes(t)
	v := f.validator(1_000_000)
	small := []sdk.ValAddress{f.validator(10), f.validator(11), f.validator(12), f.validator(13), f.validator(14)}
	f.until(5)
	t.Run("no set at all", func(t *testing.T) {
		require.EqualValues(t, 100_000, f.slash(f.consAddr(v), 2, "0.1"))
		require.EqualValues(t, 100_000, f.slash(f.consAddr(v), -2, "0.1"))
	})
	t.Run("unknown", func(t *testing.T) {
		require.Zero(t, f.slash(sdk.ConsAddress("nobody______________"), 2, "0.1"))
	})
	t.Run("unbonded", func(t *testing.T) {
		// The smallest of six does not fit into five.
		unbonded, err := f.staking.GetValidator(f.ctx, small[0])
		require.NoError(t, err)
		require.True(t, unbonded.IsUnbonded())
		require.Zero(t, f.slash(f.consAddr(small[0]), 2, "0.1"))
	})
	t.Run("a freeze that is not over", func(t *testing.T) {
		f.sendAt(1, types.Member{Operator: v.String(), Power: 1, Tokens: math.NewInt(1_000), FreezeHeight: f.ctx.BlockHeight() + 10})
		require.EqualValues(t, 100, f.slash(f.consAddr(v), 2, "0.1"))
	})
	t.Run("more than there is", func(t *testing.T) {
		f.sendAt(1, types.Member{Operator: v.String(), Power: 1, Tokens: math.NewIntFromUint64(stdmath.MaxUint64), FreezeHeight: 0})
		require.EqualValues(t, 1_000_000, f.slash(f.consAddr(v), 2, "1"))
	})
	t.Run("nothing frozen", func(t *testing.T) {
		f.sendAt(1, types.Member{Operator: v.String(), Power: 1, Tokens: math.ZeroInt(), FreezeHeight: 0})
		require.Zero(t, f.slash(f.consAddr(v), 2, "1"))
	})
}

// Members are known by their operator, so that a fault of a key that was rotated away finds them.
func TestSlashOfARotatedKey(t *testing.T) {
	f := newStakes(t)
	v := f.validator(1_000_000)
	f.block()
	f.send(f.member(v, 4))
	f.until(6)
	old := f.consAddr(v)
	key, err := codectypes.NewAnyWithValue(consensusKey("new").PubKey())
	require.NoError(t, err)
	_, err = f.msgs.RotateConsPubKey(f.ctx, &stakingtypes.MsgRotateConsPubKey{ValidatorAddress: v.String(), NewPubkey: key})
	require.NoError(t, err)
	f.until(10)
	require.NotEqual(t, old, f.consAddr(v))
	f.delegate(f.person(), v, 1_000_000)
	f.block()
	require.EqualValues(t, 70_000, f.burnt(func() { f.doubleSign(old, 5, 4) }))
	validator, err := f.staking.GetValidator(f.ctx, v)
	require.NoError(t, err)
	require.True(t, validator.IsJailed())
}

// Stake that has been paid out is out of reach, and one on its way out with a validator that unbonds is not.
func TestSlashOfAnUnbondingValidator(t *testing.T) {
	f := newStakes(t)
	v := f.validator(1_000_000)
	f.validator(1_000_000)
	who, paid := f.person(), f.person()
	f.delegate(who, v, 400_000)
	f.delegate(paid, v, 100_000)
	f.block()
	f.send(f.member(v, 4))
	f.block()
	f.undelegate(paid, v, 100_000)
	f.ctx = f.ctx.WithBlockTime(f.ctx.BlockTime().Add(unbondingTime))
	f.block()
	f.block()
	require.NoError(t, f.staking.Jail(f.ctx, f.consAddr(v)))
	f.block()
	f.undelegate(who, v, 400_000)
	f.until(f.ctx.BlockHeight() + 3)
	wealth := f.bank.GetBalance(f.ctx, paid, stakeDenom)
	// The part of what is out of reach falls on those who stayed, as x/staking always had it: the amount is that of the freeze.
	require.EqualValues(t, 150_000, f.burnt(func() {
		_, err := f.k.Slasher(f.staking).SlashWithInfractionReason(f.ctx, f.consAddr(v), 5, 4, math.LegacyMustNewDecFromStr("0.1"),
			stakingtypes.Infraction_INFRACTION_DOUBLE_SIGN)
		require.NoError(t, err)
	}))
	require.EqualValues(t, 360_000, f.unbonding(who, v))
	require.Equal(t, wealth, f.bank.GetBalance(f.ctx, paid, stakeDenom))
}

func TestStakingPower(t *testing.T) {
	require.EqualValues(t, 7, stakingPower(math.NewInt(7), math.OneInt()))
	require.EqualValues(t, 7, stakingPower(math.NewInt(7_999_999), math.NewInt(1_000_000)))
	require.EqualValues(t, int64(stdmath.MaxInt64), stakingPower(math.NewIntFromUint64(stdmath.MaxUint64), math.OneInt()))
}
