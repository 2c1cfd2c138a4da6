package keeper_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	"github.com/edgechain/edge/x/rewards/types"
)

func TestSplitOfAnEpoch(t *testing.T) {
	f := newFixture(t).start(100, types.DefaultParams())
	f.dack.owners[1] = owner(1).String()
	f.earn(1, record{2, 0, 1000}, record{2, 1, 3}, record{4, 0, 7})
	f.close()

	// Workers: floor(1003*0.8) + floor(7*0.8); services: 0 is the protocol's (151), 1 earns floor(3*0.15).
	require.EqualValues(t, 802, f.balance(operator(2)))
	require.EqualValues(t, 5, f.balance(operator(4)))
	require.EqualValues(t, 0, f.balance(owner(1)))
	require.EqualValues(t, 203, f.pool())
	require.Zero(t, f.balance(account))
	want := types.NewEpochSummary(1, math.NewInt(1010), types.DefaultShares())
	want.Nodes, want.Community, want.Dust, want.Payouts, want.Done = math.NewInt(807), math.NewInt(203), math.NewInt(2), 3, true
	require.Equal(t, want.String(), new(f.summary(1)).String())
	require.Equal(t, []types.Payout{
		{Epoch: 1, Kind: types.PAYOUT_KIND_NODE, Id: 2, Recipient: operator(2).String(), Amount: math.NewInt(802)},
		{Epoch: 1, Kind: types.PAYOUT_KIND_NODE, Id: 4, Recipient: operator(4).String(), Amount: math.NewInt(5)},
		{Epoch: 1, Kind: types.PAYOUT_KIND_COMMUNITY, Amount: math.NewInt(203)},
	}, f.payouts(1))
}

func TestEpochWithoutRevenueHasASummary(t *testing.T) {
	for _, budget := range []uint32{1, 100} {
		f := newFixture(t).start(budget, types.DefaultParams())
		f.close()
		s := f.summary(1)
		require.True(t, s.Done)
		require.True(t, s.Debited.IsZero() && s.Community.IsZero() && s.Dust.IsZero())
		require.Zero(t, s.Payouts)
		require.Empty(t, f.payouts(1))
		e, err := f.epochs.Epoch(f.ctx, 1)
		require.NoError(t, err)
		require.Zero(t, e.SetAside)
	}
}

// plan is a random epoch: its revenue, its shares and who cannot be paid.
type plan struct {
	records   []record
	params    types.Params
	owners    map[uint64]string
	unknown   map[uint64]bool // workers that x/node does not know
	noService map[uint64]bool // services that x/dack does not know
	broke     map[string]bool // recipients that x/bank refuses
	panics    bool            // refusing by a panic
	pool      bool            // the community pool fails
}

func drawPlan(t *rapid.T) plan {
	one := math.LegacyOneDec().BigInt().Int64()
	a := rapid.Int64Range(0, one).Draw(t, "node")
	b := rapid.Int64Range(0, one-a).Draw(t, "owner")
	prec := func(n int64) math.LegacyDec { return math.LegacyNewDecWithPrec(n, math.LegacyPrecision) }
	p := plan{
		params: types.DefaultParams(), owners: map[uint64]string{}, unknown: map[uint64]bool{}, noService: map[uint64]bool{},
		broke:  map[string]bool{},
		panics: rapid.Bool().Draw(t, "panics"), pool: rapid.Bool().Draw(t, "pool fails"),
	}
	p.params.Shares = types.Shares{Node: prec(a), Owner: prec(b), Protocol: prec(one - a - b)}
	workers := rapid.Uint64Range(1, 8).Draw(t, "workers")
	services := rapid.Uint64Range(0, 4).Draw(t, "services")
	for w := uint64(1); w <= workers; w++ {
		for s := uint64(0); s <= services; s++ {
			if rapid.Bool().Draw(t, "served") {
				p.records = append(p.records, record{w, s, rapid.Int64Range(0, 1<<40).Draw(t, "amount")})
			}
		}
		if rapid.IntRange(0, 4).Draw(t, "unknown") == 0 {
			p.unknown[w] = true
		}
		if rapid.IntRange(0, 3).Draw(t, "broke") == 0 {
			p.broke[operator(w).String()] = true
		}
	}
	for s := uint64(0); s <= services; s++ {
		p.owners[s] = ""
		if s > 0 && rapid.Bool().Draw(t, "owned") {
			p.owners[s] = owner(s).String()
		}
		if s > 0 && rapid.IntRange(0, 4).Draw(t, "no service") == 0 {
			p.noService[s] = true
		}
		if rapid.IntRange(0, 3).Draw(t, "broke") == 0 {
			p.broke[owner(s).String()] = true
		}
	}
	return p
}

// run closes one epoch by the plan.
func (p plan) run(t *testing.T, budget uint32) *fixture {
	t.Helper()
	f := newFixture(t).start(budget, p.params)
	f.dack.owners = map[uint64]string{}
	for s, o := range p.owners {
		if !p.noService[s] {
			f.dack.owners[s] = o
		}
	}
	f.dack.missing = p.unknown
	f.bank.fail = func(to sdk.AccAddress) error {
		switch {
		case !p.broke[to.String()]:
			return nil
		case p.panics:
			panic(storetypes.ErrorOutOfGas{Descriptor: "boom"})
		default:
			return errBoom
		}
	}
	if p.pool {
		f.distr.err = errBoom
	}
	f.earn(1, p.records...)
	blocks := f.close()
	steps := uint64(2 + len(p.ids(func(r record) uint64 { return r.worker })) + len(p.ids(func(r record) uint64 { return r.service })))
	require.GreaterOrEqual(t, uint64(blocks)*uint64(budget), steps, "a block did more than its budget")
	require.LessOrEqual(t, uint64(blocks), steps/uint64(budget)+2)
	return f
}

func (p plan) ids(id func(record) uint64) map[uint64]bool {
	ids := map[uint64]bool{}
	for _, r := range p.records {
		ids[id(r)] = true
	}
	return ids
}

// balances of everybody that the plan can pay.
func (f *fixture) balances() map[string]int64 {
	out := map[string]int64{"pool": f.pool(), "rewards": f.balance(account), "dack": f.bank.GetBalance(f.ctx, dackAccount, denom).Amount.Int64()}
	for i := range uint64(10) {
		out[operator(i).String()] = f.balance(operator(i))
		out[owner(i).String()] = f.balance(owner(i))
	}
	return out
}

// For any revenue, shares, budget and failing recipients: what was paid, set aside and given to the community is exactly what
// was debited; the budget changes nothing; dust is bounded; and after everything is retried everybody has what they would
// have had without a failure, once.
func TestPaymentProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPlan(rt)
		budget := rapid.Uint32Range(1, 12).Draw(rt, "budget")
		f := p.run(t, budget)
		at := p.run(t, epochtypes.MaxCloseBudget)

		// The same result whatever the budget.
		require.Equal(rt, new(at.summary(1)).String(), new(f.summary(1)).String())
		require.Equal(rt, at.payouts(1), f.payouts(1))
		require.Equal(rt, at.balances(), f.balances())

		// Everything that was debited is somewhere.
		s := f.summary(1)
		require.True(rt, s.Done)
		var debited int64
		for _, r := range p.records {
			debited += r.amount
		}
		require.Equal(rt, debited, s.Debited.Int64())
		require.Equal(rt, s.Debited, s.Nodes.Add(s.Owners).Add(s.Community).Add(s.SetAside))
		require.Equal(rt, s.SetAside.Int64(), f.balance(account))
		require.Equal(rt, s.Community.Int64(), f.pool())
		paid := int64(0)
		for who, amount := range f.balances() {
			if who != "pool" && who != "rewards" {
				paid += amount
			}
		}
		require.Equal(rt, s.Nodes.Add(s.Owners).Int64(), paid)

		// Dust is accounted for and less than a unit for each rounding.
		roundings := len(p.ids(func(r record) uint64 { return r.worker })) + len(p.ids(func(r record) uint64 { return r.service })) + 1
		require.False(rt, s.Dust.IsNegative())
		require.Less(rt, s.Dust.Int64(), int64(roundings))

		// x/epoch lists the same payouts.
		e, err := f.epochs.Epoch(f.ctx, 1)
		require.NoError(rt, err)
		setAside := f.setAside()
		require.EqualValues(rt, len(setAside), e.SetAside)

		// A retry fails as long as the cause is there, and changes nothing.
		before := f.balances()
		for _, payout := range setAside {
			require.NotEmpty(rt, payout.Cause)
			f.retryFails(payout)
		}
		require.Equal(rt, before, f.balances())

		// Once the cause is gone it pays exactly once, whichever message is used.
		f.dack.missing, f.bank.fail, f.distr.err, f.dack.owners = nil, nil, nil, p.owners
		for i, payout := range setAside {
			if (i+int(budget))%2 == 0 {
				resp, err := f.msgs.RetryPayout(f.ctx, &types.MsgRetryPayout{Sender: somebody, Epoch: 1, Kind: payout.Kind, Id: payout.Id})
				require.NoError(rt, err)
				require.Equal(rt, payout.Amount, resp.Paid)
			} else {
				_, err := f.epoch.RetryItem(f.ctx, &epochtypes.MsgRetryItem{Sender: somebody, Epoch: 1, Stage: epochtypes.StagePay, Key: types.ItemKey(payout.Kind, payout.Id)})
				require.NoError(rt, err)
			}
			f.check()
			f.retryFails(payout)
		}
		require.Empty(rt, f.setAside())
		require.Zero(rt, f.balance(account))
		clean := plan{records: p.records, params: p.params, owners: p.owners}.run(t, epochtypes.MaxCloseBudget)
		require.Equal(rt, clean.balances(), f.balances())
		cs, fs := clean.summary(1), f.summary(1)
		require.Equal(rt, cs.Nodes.String()+" "+cs.Owners.String()+" "+cs.Community.String()+" "+cs.Dust.String(),
			fs.Nodes.String()+" "+fs.Owners.String()+" "+fs.Community.String()+" "+fs.Dust.String())
	})
}

// retryFails asserts that a retry fails by either message and, as a transaction is undone, leaves nothing behind.
func (f *fixture) retryFails(p types.Payout) {
	f.t.Helper()
	try := func(send func(ctx sdk.Context) error) {
		f.t.Helper()
		ctx, _ := f.ctx.CacheContext()
		func() {
			defer func() {
				if r := recover(); r != nil {
					require.IsType(f.t, storetypes.ErrorOutOfGas{}, r)
				}
			}()
			require.Error(f.t, send(ctx))
		}()
	}
	try(func(ctx sdk.Context) error {
		_, err := f.msgs.RetryPayout(ctx, &types.MsgRetryPayout{Sender: somebody, Epoch: p.Epoch, Kind: p.Kind, Id: p.Id})
		return err
	})
	try(func(ctx sdk.Context) error {
		_, err := f.epoch.RetryItem(ctx, &epochtypes.MsgRetryItem{Sender: somebody, Epoch: p.Epoch, Stage: epochtypes.StagePay, Key: types.ItemKey(p.Kind, p.Id)})
		return err
	})
}

// The payment of an epoch that was set aside as a whole keeps its place while later epochs are paid, and pays nobody twice.
func TestWholeStageSetAsideAndRetried(t *testing.T) {
	f := newFixture(t).start(2, types.DefaultParams())
	f.earn(1, record{2, 0, 100}, record{4, 0, 100}, record{6, 0, 100})
	f.earn(2, record{2, 0, 1000})
	f.block(time.Minute)
	f.block(time.Second)
	require.EqualValues(t, 80, f.balance(operator(2)))
	f.dack.err = errBoom
	f.block(time.Second)
	require.False(t, f.summary(1).Done)
	f.dack.err = nil

	f.close()
	require.Equal(t, map[uint64]bool{2: true}, f.dack.released, "a half-paid epoch needs its totals")
	require.True(t, f.summary(2).Done)
	require.EqualValues(t, 880, f.balance(operator(2)))
	require.False(t, f.summary(1).Done)
	require.EqualValues(t, 220, f.balance(account))

	for done, tries := false, 0; !done; tries++ {
		require.Less(t, tries, 10)
		resp, err := f.epoch.RetryItem(f.ctx, &epochtypes.MsgRetryItem{Sender: somebody, Epoch: 1, Stage: epochtypes.StagePay})
		require.NoError(t, err)
		f.check()
		done = resp.Done
	}
	require.EqualValues(t, 880, f.balance(operator(2)))
	require.EqualValues(t, 80, f.balance(operator(4)))
	require.EqualValues(t, 80, f.balance(operator(6)))
	require.True(t, f.summary(1).Done)
	require.True(t, f.dack.released[1])
	require.Zero(t, f.balance(account))
	used, done, err := f.k.Close(f.ctx, 1, 10)
	require.NoError(t, err)
	require.True(t, done)
	require.Zero(t, used, "closing a paid epoch again changes nothing")
	f.check()
}

// Books of x/dack that do not add up must not pay one epoch's recipients from another's money.
func TestBooksThatDoNotAddUp(t *testing.T) {
	for name, spoil := range map[string]func([]dacktypes.RevenueRecord) []dacktypes.RevenueRecord{
		"more than was debited": func(r []dacktypes.RevenueRecord) []dacktypes.RevenueRecord {
			for i := range r {
				r[i].Revenue.Amount = math.NewInt(1_000_000)
			}
			return r
		},
		"negative": func(r []dacktypes.RevenueRecord) []dacktypes.RevenueRecord {
			for i := range r {
				r[i].Revenue.Amount = math.NewInt(-1000)
			}
			return r
		},
		"the same worker again": func(r []dacktypes.RevenueRecord) []dacktypes.RevenueRecord { return append(r, r...) },
	} {
		t.Run(name, func(t *testing.T) {
			// With a budget of 1 the steps before the bad one are kept, so that each must hold on its own.
			for budget, summaries := range map[uint32]int{1: 2, 100: 1} {
				f := newFixture(t).start(budget, types.DefaultParams())
				f.dack.missing[9] = true
				f.earn(1, record{9, 0, 5_000_000}) // set aside: there is money in the account that is not epoch 2's
				f.close()
				f.earn(2, record{2, 0, 100})
				f.dack.spoil = spoil
				f.close()
				require.Zero(t, f.balance(operator(2)))
				e, err := f.epochs.Epoch(f.ctx, 2)
				require.NoError(t, err)
				require.Equal(t, epochtypes.PHASE_DONE, e.Phase)
				require.EqualValues(t, 1, e.SetAside)
				require.Len(t, f.export().Summaries, summaries, "the call that failed left nothing behind")

				f.dack.spoil = nil
				for done, tries := false, 0; !done; tries++ {
					require.Less(t, tries, 10)
					resp, err := f.epoch.RetryItem(f.ctx, &epochtypes.MsgRetryItem{Sender: somebody, Epoch: 2, Stage: epochtypes.StagePay})
					require.NoError(t, err)
					f.check()
					done = resp.Done
				}
				require.EqualValues(t, 80, f.balance(operator(2)))
			}
		})
	}
}

// Someone who retries a whole payment with too little gas must not get payouts set aside.
func TestTooLittleGasSetsNothingAside(t *testing.T) {
	f := newFixture(t).start(100, types.DefaultParams())
	f.earn(1, record{2, 0, 100}, record{4, 0, 100}, record{6, 0, 100})
	f.dack.err = errBoom
	f.close()
	f.dack.err = nil
	retry := &epochtypes.MsgRetryItem{Sender: somebody, Epoch: 1, Stage: epochtypes.StagePay}

	probe, _ := f.ctx.CacheContext()
	probe = probe.WithGasMeter(storetypes.NewInfiniteGasMeter())
	_, err := f.epoch.RetryItem(probe, retry)
	require.NoError(t, err)
	needed := probe.GasMeter().GasConsumed()
	for limit := uint64(0); limit < needed; limit += needed / 200 {
		ctx, _ := f.ctx.CacheContext()
		require.Panics(t, func() { _, _ = f.epoch.RetryItem(ctx.WithGasMeter(storetypes.NewGasMeter(limit)), retry) }, "gas %d of %d", limit, needed)
	}
	_, err = f.epoch.RetryItem(f.ctx, retry)
	require.NoError(t, err)
	require.Empty(t, f.setAside())
	require.EqualValues(t, 80, f.balance(operator(6)))
}

func TestBlockedRecipientIsSetAside(t *testing.T) {
	f := newFixture(t).start(100, types.DefaultParams())
	f.dack.owners[1] = distrAccount.String()
	f.dack.owners[2] = "no address"
	f.earn(1, record{2, 1, 100}, record{2, 2, 100})
	f.close()
	payouts := f.setAside()
	require.Len(t, payouts, 2)
	require.Contains(t, payouts[0].Cause, "not allowed to receive funds")
	require.Equal(t, distrAccount.String(), payouts[0].Recipient)
	require.Contains(t, payouts[1].Cause, "bech32")
	require.EqualValues(t, 160, f.balance(operator(2)))
	require.EqualValues(t, 10, f.pool())
}

// A panic of the store is a fault of this machine alone: it stops the node rather than set a payout aside.
func TestFaultOfTheMachineIsNoState(t *testing.T) {
	f := newFixture(t).start(100, types.DefaultParams())
	f.bank.fail = func(sdk.AccAddress) error { panic(errBoom) }
	f.earn(1, record{2, 0, 100})
	f.block(time.Minute)
	require.PanicsWithValue(t, errBoom, func() { f.block(time.Second) })
}

func TestCauseIsCut(t *testing.T) {
	f := newFixture(t).start(100, types.DefaultParams())
	f.bank.fail = func(sdk.AccAddress) error { return errors.New(strings.Repeat("x", 100_000)) }
	f.earn(1, record{2, 0, 100})
	f.close()
	require.Len(t, f.setAside()[0].Cause, epochtypes.MaxCause)
}
