package keeper_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/edgechain/edge/x/rewards/types"
)

func coin(amount int64) sdk.Coin { return sdk.NewInt64Coin(types.EmissionDenom, amount) }

// Every rule of MsgLockStake, at its bounds. What is refused changes nothing.
func TestLockStake(t *testing.T) {
	const most = 1_460 // of the default parameters
	a, poor, gone, empty := node(1), node(2), node(3), node(4)
	for _, tt := range []struct {
		name     string
		operator string
		amount   sdk.Coin
		epochs   uint64
		held     *types.StakeLock // the lock of a before
		want     error
		shares   string
		end      uint64
	}{
		{"least", a.String(), coin(1), 1, nil, nil, "1", 9},
		{"all, for the longest time", a.String(), coin(500), most, nil, nil, "500", 8 + most},
		{"in capitals", strings.ToUpper(a.String()), coin(1), 1, nil, nil, "1", 9},
		{"more than there is", a.String(), coin(501), 1, nil, sdkerrors.ErrInvalidRequest, "", 0},
		{"nothing", a.String(), coin(0), 1, nil, types.ErrInvalidLock, "", 0},
		{"negative", a.String(), sdk.Coin{Denom: types.EmissionDenom, Amount: math.NewInt(-1)}, 1, nil, types.ErrInvalidLock, "", 0},
		{"no amount", a.String(), sdk.Coin{}, 1, nil, types.ErrInvalidLock, "", 0},
		{"another coin", a.String(), sdk.NewInt64Coin(denom, 1), 1, nil, types.ErrInvalidLock, "", 0},
		{"no time", a.String(), coin(1), 0, nil, types.ErrInvalidLock, "", 0},
		{"too long", a.String(), coin(1), most + 1, nil, types.ErrInvalidLock, "", 0},
		{"for ever", a.String(), coin(1), 1<<64 - 1, nil, types.ErrInvalidLock, "", 0},
		{"no address", "nobody", coin(1), 1, nil, sdkerrors.ErrInvalidAddress, "", 0},
		{"an account", sdk.AccAddress(a).String(), coin(1), 1, nil, sdkerrors.ErrInvalidAddress, "", 0},
		{"no validator", gone.String(), coin(1), 1, nil, stakingtypes.ErrNoValidatorFound, "", 0},
		{"no stake of his own", poor.String(), coin(1), 1, nil, stakingtypes.ErrNoDelegation, "", 0},
		{"a validator without tokens", empty.String(), coin(1), 1, nil, stakingtypes.ErrInsufficientShares, "", 0},

		{"the same again", a.String(), coin(100), 10, &types.StakeLock{Shares: math.LegacyNewDec(100), EndEpoch: 18}, nil, "100", 18},
		{"more", a.String(), coin(101), 10, &types.StakeLock{Shares: math.LegacyNewDec(100), EndEpoch: 18}, nil, "101", 18},
		{"longer", a.String(), coin(100), 11, &types.StakeLock{Shares: math.LegacyNewDec(100), EndEpoch: 18}, nil, "100", 19},
		{"less", a.String(), coin(99), 11, &types.StakeLock{Shares: math.LegacyNewDec(100), EndEpoch: 18}, types.ErrInvalidLock, "", 0},
		{"shorter", a.String(), coin(101), 9, &types.StakeLock{Shares: math.LegacyNewDec(100), EndEpoch: 18}, types.ErrInvalidLock, "", 0},
		{"less than one that ends with this epoch", a.String(), coin(99), 1, &types.StakeLock{Shares: math.LegacyNewDec(100), EndEpoch: 8}, types.ErrInvalidLock, "", 0},
		{"less than one that has ended", a.String(), coin(99), 1, &types.StakeLock{Shares: math.LegacyNewDec(100), EndEpoch: 7}, nil, "99", 9},
		{"as long as one that is longer than is allowed now", a.String(), coin(101), most + 5, &types.StakeLock{Shares: math.LegacyNewDec(100), EndEpoch: 8 + most + 5}, nil, "101", 8 + most + 5},
		{"longer than that", a.String(), coin(101), most + 6, &types.StakeLock{Shares: math.LegacyNewDec(100), EndEpoch: 8 + most + 5}, types.ErrInvalidLock, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := emptyLockFixture(t)
			f.stakes.set(a, 1_000, 1_000, 500, stakingtypes.Bonded)
			f.stakes.set(poor, 1_000, 1_000, 0, stakingtypes.Bonded)
			f.stakes.own(poor, math.LegacyNewDec(-1))
			f.stakes.set(empty, 0, 1_000, 500, stakingtypes.Unbonding)
			g := types.DefaultGenesis()
			if tt.held != nil {
				tt.held.Operator = a.String()
				g.Locks = []types.StakeLock{*tt.held}
			}
			require.NoError(t, f.k.InitGenesis(f.ctx, *g))
			before := f.state()
			f.fresh()
			res, err := f.msgs.LockStake(f.ctx, &types.MsgLockStake{Operator: tt.operator, Amount: tt.amount, Epochs: tt.epochs})
			require.NoError(t, f.k.CheckInvariants(f.ctx))
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
				require.Equal(t, before, f.state())
				require.Empty(t, f.ctx.EventManager().Events())
				return
			}
			require.NoError(t, err)
			require.Equal(t, types.StakeLock{Operator: a.String(), Shares: math.LegacyMustNewDecFromStr(tt.shares), EndEpoch: tt.end}, res.Lock)
			require.Equal(t, []types.StakeLock{res.Lock}, f.state().Locks)
			require.Equal(t, 1, f.events("edge.rewards.v1.EventStakeLocked"))
			require.Len(t, f.ctx.EventManager().Events(), 1)
		})
	}
}

// After a slash a share is worth less than a unit, and what is locked no whole amount. The amount that the lock is worth, rounded
// down, still names its shares, so that a lock of all the stake can be prolonged.
func TestLockOfSlashedShares(t *testing.T) {
	f := newLockFixture(t)
	a := node(1)
	f.stakes.set(a, 1_000, 1_000, 700, stakingtypes.Bonded)
	f.mustLock(a, 700, 10)
	f.stakes.set(a, 901, 1_000, 700, stakingtypes.Bonded) // 700 shares are worth 630.7
	require.Equal(t, "700.000000000000000000", f.mustLock(a, 630, 20).Shares.String())
	_, err := f.lock(a, 629, 20)
	require.ErrorIs(t, err, types.ErrInvalidLock)
	_, err = f.lock(a, 631, 20)
	require.ErrorIs(t, err, sdkerrors.ErrInvalidRequest)
	f.stakes.own(a, math.LegacyNewDec(800))
	require.Equal(t, "778.024417314095449500", f.mustLock(a, 701, 20).Shares.String())
}

// The hooks refuse in a user's transaction and lower anywhere else.
func TestLockIsEnforced(t *testing.T) {
	a, b := node(1), node(2)
	boom := errors.New("boom")
	modified := func(f *lockFixture, strict bool, delegator, operator []byte) error {
		if strict {
			return f.hooks.AfterDelegationModified(stakingtypes.WithStrictWithdraw(f.ctx), delegator, operator)
		}
		return f.hooks.AfterDelegationModified(f.ctx, delegator, operator)
	}
	removed := func(f *lockFixture, strict bool, delegator, operator []byte) error {
		if strict {
			return f.hooks.BeforeDelegationRemoved(stakingtypes.WithStrictWithdraw(f.ctx), delegator, operator)
		}
		return f.hooks.BeforeDelegationRemoved(f.ctx, delegator, operator)
	}
	for _, tt := range []struct {
		name   string
		hook   func(*lockFixture, bool, []byte, []byte) error
		strict bool
		by, of sdk.ValAddress
		change func(*lockFixture)
		want   error
		shares string // of the lock afterwards, none if empty
		events int
	}{
		{"more", modified, true, a, a, func(f *lockFixture) { f.stakes.own(a, math.LegacyNewDec(600)) }, nil, "300", 0},
		{"just enough", modified, true, a, a, func(f *lockFixture) { f.stakes.own(a, math.LegacyNewDec(300)) }, nil, "300", 0},
		{"a bit less", modified, true, a, a, func(f *lockFixture) {
			f.stakes.own(a, math.LegacyMustNewDecFromStr("299.999999999999999999"))
		}, types.ErrStakeLocked, "300", 0},
		{"nothing", removed, true, a, a, func(*lockFixture) {}, types.ErrStakeLocked, "300", 0},
		{"in the last epoch of the lock", removed, true, a, a, func(f *lockFixture) { f.epochs.current = 17 }, types.ErrStakeLocked, "300", 0},
		{"after it", removed, true, a, a, func(f *lockFixture) { f.epochs.current = 18 }, nil, "", 0},
		{"less after it", modified, true, a, a, func(f *lockFixture) { f.epochs.current = 18; f.stakes.own(a, math.LegacyOneDec()) }, nil, "", 0},
		{"somebody else's", removed, true, b, a, func(*lockFixture) {}, nil, "300", 0},
		{"of another validator", removed, true, a, b, func(*lockFixture) {}, nil, "300", 0},
		{"of an operator without a lock", removed, true, b, b, func(*lockFixture) {}, nil, "300", 0},
		{"a failing store", modified, true, a, a, func(f *lockFixture) { f.stakes.fail = boom }, boom, "300", 0},
		{"a failing clock", removed, true, a, a, func(f *lockFixture) { f.epochs.fail = boom }, boom, "300", 0},

		{"slashed, enough is left", modified, false, a, a, func(f *lockFixture) { f.stakes.own(a, math.LegacyNewDec(300)) }, nil, "300", 0},
		{"slashed", modified, false, a, a, func(f *lockFixture) { f.stakes.own(a, math.LegacyMustNewDecFromStr("299.5")) }, nil, "299.5", 1},
		{"slashed to nothing", removed, false, a, a, func(*lockFixture) {}, nil, "", 1},
		{"slashed after the lock", modified, false, a, a, func(f *lockFixture) { f.epochs.current = 18; f.stakes.own(a, math.LegacyOneDec()) }, nil, "", 0},
		{"somebody else slashed", removed, false, b, a, func(*lockFixture) {}, nil, "300", 0},
		{"slashed with a failing store", modified, false, a, a, func(f *lockFixture) { f.stakes.fail = boom }, nil, "300", 0},
		{"slashed with a failing clock", removed, false, a, a, func(f *lockFixture) { f.epochs.fail = boom }, nil, "300", 0},
		{"slashed with a panic", modified, false, a, a, func(f *lockFixture) { f.stakes.panics = sdkerrors.ErrInvalidRequest }, nil, "300", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newLockFixture(t)
			f.stakes.set(a, 1_000, 1_000, 500, stakingtypes.Bonded)
			f.stakes.set(b, 1_000, 1_000, 500, stakingtypes.Bonded)
			f.mustLock(a, 300, 10)
			tt.change(f)
			f.fresh()
			err := tt.hook(f, tt.strict, tt.by, tt.of)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, tt.events, f.events("edge.rewards.v1.EventStakeLockLowered"))
			locks := f.state().Locks
			if tt.shares == "" {
				require.Empty(t, locks)
				return
			}
			require.Len(t, locks, 1)
			require.Equal(t, math.LegacyMustNewDecFromStr(tt.shares).String(), locks[0].Shares.String())
			require.EqualValues(t, 18, locks[0].EndEpoch)
		})
	}
}

// A removed validator's lock is forgotten, and only that.
func TestLockOfARemovedValidator(t *testing.T) {
	f := newLockFixture(t)
	for i := range byte(3) {
		f.stakes.set(node(i), 1_000, 1_000, 500, stakingtypes.Bonded)
		f.mustLock(node(i), 300, 10)
	}
	require.NoError(t, f.hooks.AfterValidatorRemoved(f.ctx, nil, node(1)))
	require.NoError(t, f.hooks.AfterValidatorRemoved(f.ctx, nil, node(9)))
	locks := f.state().Locks
	require.Len(t, locks, 2)
	require.Equal(t, []string{node(0).String(), node(2).String()}, []string{locks[0].Operator, locks[1].Operator})
	require.NoError(t, f.k.CheckInvariants(f.ctx))
}

// Locks that have ended are removed, a bounded number in a block.
func TestLocksArePruned(t *testing.T) {
	f := newLockFixture(t)
	params, err := f.k.Params(f.ctx)
	require.NoError(t, err)
	params.PrunePerBlock = 2
	_, err = f.msgs.UpdateParams(f.ctx, &types.MsgUpdateParams{Authority: authority, Params: params})
	require.NoError(t, err)
	for i := range byte(6) {
		f.stakes.set(node(i), 1_000, 1_000, 500, stakingtypes.Bonded)
		f.mustLock(node(i), 300, uint64(10-i))
	}
	f.mustLock(node(5), 300, 20)
	for _, tt := range []struct {
		epoch uint64
		left  int
	}{{13, 6}, {14, 5}, {18, 3}, {18, 1}, {18, 1}, {27, 1}, {28, 0}} {
		f.epochs.current = tt.epoch
		require.NoError(t, f.k.EndBlock(f.ctx))
		require.Len(t, f.state().Locks, tt.left, "epoch %d", tt.epoch)
		require.NoError(t, f.k.CheckInvariants(f.ctx))
	}
}

// The boosts of an epoch are computed once, in its first block, for bonded validators with a lock.
func TestBoosts(t *testing.T) {
	f := newLockFixture(t)
	terms := types.DefaultEmissionTerms()
	for i, status := range []stakingtypes.BondStatus{stakingtypes.Bonded, stakingtypes.Unbonding, stakingtypes.Unbonded, stakingtypes.Bonded, stakingtypes.Bonded} {
		f.stakes.set(node(byte(i)), 10_000, 10_000, 5_000, status)
	}
	f.stakes.set(node(5), 0, 10_000, 5_000, stakingtypes.Bonded)
	for i := range byte(4) {
		f.mustLock(node(i), 500, 730)
	}
	f.fresh()
	require.NoError(t, f.k.BeginBlock(f.ctx))
	require.Equal(t, 1, f.events("edge.rewards.v1.EventBoostsComputed"))
	boosts := f.state().Boosts
	require.Len(t, boosts, 2)
	want := types.BoostOf(math.NewInt(500), math.NewInt(10_000), 731, terms)
	require.Equal(t, types.Boost{Epoch: 7, Operator: node(0).String(), Boost: want}, boosts[0])
	require.Equal(t, node(3).String(), boosts[1].Operator)

	// Nothing that happens in the epoch changes them.
	f.mustLock(node(0), 5_000, 1_460)
	f.mustLock(node(4), 5_000, 1_460)
	f.stakes.set(node(0), 1_000_000, 1_000_000, 5_000, stakingtypes.Unbonding)
	f.fresh()
	require.NoError(t, f.k.BeginBlock(f.ctx))
	require.Empty(t, f.ctx.EventManager().Events())
	require.Equal(t, boosts, f.state().Boosts)

	f.epochs.current = 8
	require.NoError(t, f.k.BeginBlock(f.ctx))
	boosts = f.state().Boosts
	require.Len(t, boosts, 4)
	require.Equal(t, node(3).String(), boosts[2].Operator)
	require.Equal(t, types.BoostOf(math.NewInt(500), math.NewInt(10_000), 730, terms).String(), boosts[2].Boost.String())
	require.Equal(t, types.Boost{Epoch: 8, Operator: node(4).String(), Boost: math.LegacyNewDec(4)}, boosts[3])
	require.EqualValues(t, 8, f.state().BoostedEpoch)
}

// Boosts that cannot be computed are not, and the chain goes on: it is not tried again until the next epoch opens.
func TestFailingBoosts(t *testing.T) {
	for name, spoil := range map[string]func(*lockFixture){
		"error":   func(f *lockFixture) { f.stakes.fail = errors.New("boom") },
		"panic":   func(f *lockFixture) { f.stakes.panics = math.ErrIntOverflow },
		"address": func(f *lockFixture) { f.stakes.validators[1].OperatorAddress = "nobody" },
	} {
		t.Run(name, func(t *testing.T) {
			f := newLockFixture(t)
			for i := range byte(2) {
				f.stakes.set(node(i), 10_000, 10_000, 5_000, stakingtypes.Bonded)
				f.mustLock(node(i), 500, 730)
			}
			good := f.stakes.validators[1].OperatorAddress
			spoil(f)
			f.fresh()
			require.NoError(t, f.k.BeginBlock(f.ctx))
			require.Empty(t, f.ctx.EventManager().Events())
			f.stakes.fail, f.stakes.panics, f.stakes.validators[1].OperatorAddress = nil, nil, good
			require.NoError(t, f.k.BeginBlock(f.ctx))
			require.Empty(t, f.state().Boosts)
			f.epochs.current++
			require.NoError(t, f.k.BeginBlock(f.ctx))
			require.Len(t, f.state().Boosts, 2)
		})
	}
	f := newLockFixture(t)
	f.epochs.fail = errors.New("boom")
	require.NoError(t, f.k.BeginBlock(f.ctx))
}

// Boosts are removed with the history, but not those of an epoch that is not paid, however old.
func TestBoostsArePruned(t *testing.T) {
	f := emptyLockFixture(t)
	g := types.DefaultGenesis()
	g.Params.HistoryEpochs, g.Params.PrunePerBlock = 2, 3
	g.BoostedEpoch = 7
	for epoch := uint64(1); epoch <= 7; epoch++ {
		for i := range byte(4) {
			g.Boosts = append(g.Boosts, types.Boost{Epoch: epoch, Operator: node(i).String(), Boost: math.LegacyNewDec(2)})
		}
		if epoch != 2 && epoch < 7 {
			s := types.NewEpochSummary(epoch, math.ZeroInt(), g.Params.Shares,
				types.NewEmissionSummary(g.Params.Emission, math.LegacyZeroDec(), math.ZeroInt()))
			s.Done = true
			g.Summaries = append(g.Summaries, s)
		}
	}
	require.NoError(t, f.k.InitGenesis(f.ctx, *g))
	left := func() (epochs []uint64) {
		for _, b := range f.state().Boosts {
			epochs = append(epochs, b.Epoch)
		}
		return epochs
	}
	for _, want := range [][]uint64{
		{1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4},
		{2, 2, 2, 2, 3, 3, 3, 4, 4, 4, 4}, // one of epoch 1, a look at 2, one of 3
		{2, 2, 2, 2, 3, 4, 4, 4, 4},
		{2, 2, 2, 2, 4, 4, 4},
		{2, 2, 2, 2, 4},
		{2, 2, 2, 2},
		{2, 2, 2, 2},
	} {
		require.NoError(t, f.k.EndBlock(f.ctx))
		want = append(want, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7)
		require.Equal(t, want, left())
	}
}

// The history of the supply begins with the genesis, and notes what others burn, of the token alone.
func TestRecordBurn(t *testing.T) {
	f := emptyLockFixture(t)
	require.NoError(t, f.k.RecordBurn(f.ctx, sdk.NewCoins(coin(5))), "before the genesis")
	require.NoError(t, f.k.InitGenesis(f.ctx, *types.DefaultGenesis()))
	f.bank.supply = math.NewInt(1_000_000 - 7)
	require.ErrorIs(t, f.k.CheckInvariants(f.ctx), types.ErrBooks)
	require.NoError(t, f.k.RecordBurn(f.ctx, sdk.NewCoins(coin(7), sdk.NewInt64Coin(denom, 9))))
	require.NoError(t, f.k.CheckInvariants(f.ctx))
	require.NoError(t, f.k.RecordBurn(f.ctx, sdk.NewCoins(sdk.NewInt64Coin(denom, 9))))
	require.NoError(t, f.k.RecordBurn(f.ctx, nil))
	require.NoError(t, f.k.CheckInvariants(f.ctx))
	require.Equal(t, types.Supply{Initial: math.NewInt(1_000_000), Minted: math.ZeroInt(), Burned: math.NewInt(7)}, *f.state().Supply)

	g := f.state()
	next := emptyLockFixture(t)
	next.bank.supply = math.NewInt(1_000_000 - 8)
	require.ErrorIs(t, next.k.InitGenesis(next.ctx, *g), types.ErrInvalidGenesis)
	next.bank.supply = math.NewInt(1_000_000 - 7)
	require.NoError(t, next.k.InitGenesis(next.ctx, *g))
	require.Equal(t, g, next.state())
}

// A genesis whose locks are no state of the module is refused.
func TestInitLocksRefuses(t *testing.T) {
	lock := types.StakeLock{Operator: node(1).String(), Shares: math.LegacyNewDec(300), EndEpoch: 18}
	boost := types.Boost{Epoch: 7, Operator: node(1).String(), Boost: math.LegacyNewDec(2)}
	for _, tt := range []struct {
		name   string
		change func(*types.GenesisState)
		want   error
	}{
		{"none of it", func(*types.GenesisState) {}, nil},
		{"more than there is", func(g *types.GenesisState) { g.Locks[0].Shares = math.LegacyMustNewDecFromStr("500.1") }, types.ErrInvalidGenesis},
		{"no stake", func(g *types.GenesisState) { g.Locks[0].Operator = node(2).String() }, types.ErrInvalidGenesis},
		{"no operator", func(g *types.GenesisState) { g.Locks[0].Operator = "nobody" }, types.ErrInvalidLock},
		{"no shares", func(g *types.GenesisState) { g.Locks[0].Shares = math.LegacyZeroDec() }, types.ErrInvalidLock},
		{"nil shares", func(g *types.GenesisState) { g.Locks[0].Shares = math.LegacyDec{} }, types.ErrInvalidLock},
		{"no end", func(g *types.GenesisState) { g.Locks[0].EndEpoch = 0 }, types.ErrInvalidLock},
		{"twice", func(g *types.GenesisState) { g.Locks = append(g.Locks, g.Locks[0]) }, types.ErrInvalidGenesis},
		{"out of order", func(g *types.GenesisState) {
			g.Locks = append(g.Locks, types.StakeLock{Operator: node(0).String(), Shares: math.LegacyOneDec(), EndEpoch: 9})
		}, types.ErrInvalidGenesis},
		{"ended, and the stake is gone", func(g *types.GenesisState) {
			g.Locks[0] = types.StakeLock{Operator: node(2).String(), Shares: math.LegacyOneDec(), EndEpoch: 7}
		}, nil},
		{"boost of a later epoch", func(g *types.GenesisState) { g.Boosts[0].Epoch = 8 }, types.ErrInvalidGenesis},
		{"boost of no epoch", func(g *types.GenesisState) { g.Boosts[0].Epoch = 0 }, types.ErrInvalidLock},
		{"boost of nobody", func(g *types.GenesisState) { g.Boosts[0].Operator = "nobody" }, types.ErrInvalidLock},
		{"boost of 1", func(g *types.GenesisState) { g.Boosts[0].Boost = math.LegacyOneDec() }, types.ErrInvalidLock},
		{"boost beyond all bounds", func(g *types.GenesisState) { g.Boosts[0].Boost = math.LegacyMustNewDecFromStr("10.000000000000000001") }, types.ErrInvalidLock},
		{"boost twice", func(g *types.GenesisState) { g.Boosts = append(g.Boosts, g.Boosts[0]) }, types.ErrInvalidGenesis},
		{"boosts out of order", func(g *types.GenesisState) {
			g.Boosts = append(g.Boosts, types.Boost{Epoch: 6, Operator: node(2).String(), Boost: math.LegacyNewDec(2)})
		}, types.ErrInvalidGenesis},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := emptyLockFixture(t)
			f.stakes.set(node(1), 1_000, 1_000, 500, stakingtypes.Bonded)
			g := types.DefaultGenesis()
			g.Locks, g.Boosts, g.BoostedEpoch = []types.StakeLock{lock}, []types.Boost{boost}, 7
			tt.change(g)
			err := f.k.InitGenesis(f.ctx, *g)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			require.NoError(t, f.k.CheckInvariants(f.ctx))
			require.Equal(t, g.Locks, f.state().Locks)
			require.Equal(t, g.Boosts, f.state().Boosts)
		})
	}
}

func TestLockQueries(t *testing.T) {
	f := newLockFixture(t)
	for i := range byte(5) {
		f.stakes.set(node(i), 10_000, 10_000, 5_000, stakingtypes.Bonded)
	}
	for i := range byte(4) {
		f.mustLock(node(i), 500, 730+uint64(i))
	}
	require.NoError(t, f.k.BeginBlock(f.ctx))
	terms := types.DefaultEmissionTerms()
	res, err := f.query.Lock(f.ctx, &types.QueryLockRequest{Operator: node(1).String()})
	require.NoError(t, err)
	require.EqualValues(t, 7+1+731, res.Lock.EndEpoch)
	require.Equal(t, types.BoostOf(math.NewInt(500), math.NewInt(10_000), 732, terms).String(), res.Boost.String())
	require.Equal(t, types.BoostOf(math.NewInt(500), math.NewInt(10_000), 731, terms).String(), res.NextBoost.String())
	f.stakes.set(node(1), 10_000, 10_000, 5_000, stakingtypes.Unbonding)
	res, err = f.query.Lock(f.ctx, &types.QueryLockRequest{Operator: node(1).String()})
	require.NoError(t, err)
	require.Equal(t, math.LegacyOneDec().String(), res.NextBoost.String())

	for _, tt := range []struct {
		operator string
		want     codes.Code
	}{{node(4).String(), codes.NotFound}, {"nobody", codes.InvalidArgument}, {"", codes.InvalidArgument}} {
		_, err := f.query.Lock(f.ctx, &types.QueryLockRequest{Operator: tt.operator})
		require.Equal(t, tt.want, status.Code(err), tt.operator)
	}

	var operators []string
	page := &query.PageRequest{Limit: 3}
	for {
		res, err := f.query.Locks(f.ctx, &types.QueryLocksRequest{Pagination: page})
		require.NoError(t, err)
		for _, l := range res.Locks {
			operators = append(operators, l.Operator)
		}
		if res.Pagination.NextKey == nil {
			break
		}
		page.Key = res.Pagination.NextKey
	}
	require.Len(t, operators, 4)
	boosts, err := f.query.Boosts(f.ctx, &types.QueryBoostsRequest{Epoch: 7})
	require.NoError(t, err)
	require.Len(t, boosts.Boosts, 4)
	boosts, err = f.query.Boosts(f.ctx, &types.QueryBoostsRequest{Epoch: 8})
	require.NoError(t, err)
	require.Empty(t, boosts.Boosts)

	// What has ended is not shown, pruned or not.
	f.epochs.current = 7 + 1 + 731
	_, err = f.query.Lock(f.ctx, &types.QueryLockRequest{Operator: node(1).String()})
	require.Equal(t, codes.NotFound, status.Code(err))
	all, err := f.query.Locks(f.ctx, &types.QueryLocksRequest{})
	require.NoError(t, err)
	require.Len(t, all.Locks, 2)
	for _, err := range []error{
		errOf(f.query.Lock(f.ctx, nil)), errOf(f.query.Locks(f.ctx, nil)), errOf(f.query.Boosts(f.ctx, nil)),
		errOf(f.query.Audit(f.ctx, nil)), errOf(f.query.Pending(f.ctx, nil)),
	} {
		require.Equal(t, codes.InvalidArgument, status.Code(err))
	}
}

func errOf[T any](_ T, err error) error { return err }

// In any history of locks, stake that comes and goes, slashes and time, a lock shrinks by a slash alone, is always covered by stake,
// and what a user may take out is exactly what is not locked.
func TestAnyHistoryOfALock(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := emptyLockFixture(r)
		require.NoError(r, f.k.InitGenesis(f.ctx, *types.DefaultGenesis()))
		a := node(1)
		own, total, tokens := int64(1_000), int64(2_000), int64(2_000)
		set := func() { f.stakes.set(a, tokens, total, own, stakingtypes.Bonded) }
		set()
		var model types.StakeLock
		model.Shares = math.LegacyZeroDec()
		bound := func() bool { return model.Live(f.epochs.current) && model.Shares.IsPositive() }
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			switch rapid.IntRange(0, 4).Draw(r, "step") {
			case 0: // lock
				amount, epochs := rapid.Int64Range(1, 1_500).Draw(r, "amount"), rapid.Uint64Range(1, 5).Draw(r, "epochs")
				lock, err := f.lock(a, amount, epochs)
				if err == nil {
					require.Equal(r, f.epochs.current+1+epochs, lock.EndEpoch)
					if bound() {
						require.True(r, lock.Shares.GTE(model.Shares) && lock.EndEpoch >= model.EndEpoch)
					}
					require.True(r, lock.Shares.LTE(math.LegacyNewDec(own)))
					model = lock
				}
			case 1: // delegate
				n := rapid.Int64Range(1, 500).Draw(r, "delegated")
				own, total, tokens = own+n, total+n, tokens+n
				set()
				require.NoError(r, f.hooks.AfterDelegationModified(stakingtypes.WithStrictWithdraw(f.ctx), sdk.AccAddress(a), a))
			case 2: // take out
				n := rapid.Int64Range(1, own+1).Draw(r, "taken")
				if n > own {
					continue
				}
				own -= n
				set()
				ctx, write := f.ctx.CacheContext()
				err := f.hooks.AfterDelegationModified(stakingtypes.WithStrictWithdraw(ctx), sdk.AccAddress(a), a)
				if refused := bound() && math.LegacyNewDec(own).LT(model.Shares); refused {
					require.ErrorIs(r, err, types.ErrStakeLocked)
					own += n
					set()
				} else {
					require.NoError(r, err)
					write()
					total, tokens = total-n, max(tokens-n, 1)
					set()
				}
			case 3: // slash of a redelegation
				n := rapid.Int64Range(0, own).Draw(r, "slashed")
				own -= n
				set()
				require.NoError(r, f.hooks.AfterDelegationModified(f.ctx, sdk.AccAddress(a), a))
				total, tokens = total-n, max(tokens-n, 1)
				set()
				if bound() {
					model.Shares = math.LegacyMinDec(model.Shares, math.LegacyNewDec(own))
				}
			case 4:
				f.epochs.current++
				require.NoError(r, f.k.BeginBlock(f.ctx))
				require.NoError(r, f.k.EndBlock(f.ctx))
			}
			lock, err := f.k.Lock(f.ctx, a)
			if bound() {
				require.NoError(r, err)
				require.Equal(r, fmt.Sprint(model), fmt.Sprint(lock))
			} else {
				require.ErrorIs(r, err, types.ErrLockNotFound)
			}
			require.NoError(r, f.k.CheckInvariants(f.ctx))
		}
	})
}
