package keeper_test

import (
	"errors"
	"fmt"
	"math/big"
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
	// Without a price nothing is minted; the cap is a tenth of the supply for a minute of the year.
	emission := types.NewEmissionSummary(types.DefaultEmissionTerms(), math.LegacyZeroDec(), math.NewInt(tokens/10*60/(365*86_400)))
	want := types.NewEpochSummary(1, math.NewInt(1010), types.DefaultShares(), emission)
	want.Nodes, want.Community, want.Dust, want.Payouts, want.Done = math.NewInt(807), math.NewInt(203), math.NewInt(2), 3, true
	require.Equal(t, want.String(), new(f.summary(1)).String())
	require.Equal(t, []types.Payout{
		{Epoch: 1, Kind: types.PAYOUT_KIND_NODE, Id: 2, Recipient: operator(2).String(), Amount: math.NewInt(802), Denom: denom},
		{Epoch: 1, Kind: types.PAYOUT_KIND_NODE, Id: 4, Recipient: operator(4).String(), Amount: math.NewInt(5), Denom: denom},
		{Epoch: 1, Kind: types.PAYOUT_KIND_COMMUNITY, Amount: math.NewInt(203), Denom: denom},
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

// plan is a random epoch: its revenue, its shares and prices, and who cannot be paid.
type plan struct {
	records []record
	genesis types.GenesisState
	owners  map[uint64]string
	unknown map[uint64]bool // workers whose totals name no operator
	fate    map[uint64]int  // of the validators of workers
	broke   map[string]bool // recipients that x/bank or x/distribution refuses
	panics  bool            // refusing by a panic
	pool    bool            // the community pool fails
}

// What can have happened to a validator until its node is paid.
const (
	fateBonded = iota
	fateJailed
	fateGone
	fatePoor
	fateTombstoned
	fates
)

func drawPlan(t *rapid.T) plan {
	p := plan{
		genesis: types.GenesisState{Params: types.DefaultParams(), BoostedEpoch: 1}, owners: map[uint64]string{}, unknown: map[uint64]bool{},
		fate: map[uint64]int{}, broke: map[string]bool{},
		panics: rapid.Bool().Draw(t, "panics"), pool: rapid.Bool().Draw(t, "pool fails"),
	}
	p.genesis.Params.Shares = drawShares(t)
	p.genesis.Params.Emission = drawTerms(t)
	if rapid.IntRange(0, 4).Draw(t, "priced") > 0 {
		price := math.LegacyNewDecWithPrec(rapid.Int64Range(1, 1<<62).Draw(t, "price"), int64(rapid.IntRange(0, 18).Draw(t, "decimals")))
		p.genesis.TokenPrices = []types.TokenPrice{{Epoch: 1, Price: math.LegacyMinDec(price, types.MaxTokenPrice)}}
	}
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
		if rapid.IntRange(0, 3).Draw(t, "broke node") == 0 {
			p.broke[sdk.ValAddress(operator(w)).String()] = true
		}
		p.fate[w/2] = rapid.IntRange(0, fates-1).Draw(t, "fate")
	}
	for n := uint64(0); n <= workers/2; n++ {
		most := p.genesis.Params.Emission.MaxBoost.Sub(math.LegacyOneDec()).BigInt().Int64()
		if extra := rapid.Int64Range(0, most).Draw(t, "boost"); extra > 0 {
			p.genesis.Boosts = append(p.genesis.Boosts, types.Boost{
				Epoch: 1, Operator: sdk.ValAddress(operator(2 * n)).String(), Boost: math.LegacyOneDec().Add(atomic(extra)),
			})
		}
	}
	for s := uint64(0); s <= services; s++ {
		if s > 0 && rapid.Bool().Draw(t, "owned") {
			p.owners[s] = owner(s).String()
		}
		if rapid.IntRange(0, 3).Draw(t, "broke") == 0 {
			p.broke[owner(s).String()] = true
		}
	}
	return p
}

// atomic returns n * 10^-18.
func atomic(n int64) math.LegacyDec { return math.LegacyNewDecWithPrec(n, math.LegacyPrecision) }

// drawShares draws shares that add up to one to the last of 18 decimals.
func drawShares(t *rapid.T) types.Shares {
	one := math.LegacyOneDec().BigInt().Int64()
	a := rapid.Int64Range(0, one).Draw(t, "node")
	b := rapid.Int64Range(0, one-a).Draw(t, "owner")
	return types.Shares{Node: atomic(a), Owner: atomic(b), Protocol: atomic(one - a - b)}
}

func drawTerms(t *rapid.T) types.EmissionTerms {
	one := math.LegacyOneDec().BigInt().Int64()
	return types.EmissionTerms{
		Guard:         atomic(rapid.Int64Range(0, one/2).Draw(t, "guard")),
		Inflation:     atomic(rapid.Int64Range(0, one/2).Draw(t, "inflation")),
		MaxBoost:      math.LegacyOneDec().Add(atomic(rapid.Int64Range(0, 9*(one-1)).Draw(t, "max boost"))),
		MaxLockEpochs: rapid.Uint64Range(1, types.MaxMaxLockEpochs).Draw(t, "max lock"),
	}
}

// run closes one epoch by the plan.
func (p plan) run(t *testing.T, budget uint32) *fixture {
	t.Helper()
	f := newFixture(t)
	f.plan(p)
	f.startFrom(budget, p.genesis)
	f.earn(1, p.records...)
	blocks := f.close()
	workers, services := len(p.ids(func(r record) uint64 { return r.worker })), len(p.ids(func(r record) uint64 { return r.service }))
	steps := workers + services
	if e := f.summary(1).Emission; e.Earns() {
		steps += workers + services
		if e.Mints() {
			steps += workers + services
		}
	}
	steps += 3 // collect, pay the community pool, and mint for it
	require.GreaterOrEqual(t, blocks*int(budget), steps, "a block did more than its budget")
	require.LessOrEqual(t, blocks, steps/int(budget)+2)
	return f
}

// plan arranges what the plan says of everybody but x/rewards.
func (f *fixture) plan(p plan) {
	f.dack.owners, f.dack.missing = p.owners, p.unknown
	fail := func(to string) error {
		switch {
		case !p.broke[to]:
			return nil
		case p.panics:
			panic(storetypes.ErrorOutOfGas{Descriptor: "boom"})
		default:
			return errBoom
		}
	}
	f.bank.fail = func(to sdk.AccAddress) error { return fail(to.String()) }
	f.distr.node = fail
	if p.pool {
		f.distr.err = errBoom
	}
	for node, fate := range p.fate {
		name := sdk.ValAddress(operator(2 * node)).String()
		f.nodes.jailed[name], f.nodes.gone[name] = fate == fateJailed, fate == fateGone
		f.nodes.poor[name], f.nodes.tombstoned[name] = fate == fatePoor, fate == fateTombstoned
	}
}

// forfeits says whether the tokens of the node of a worker are forfeited.
func (p plan) forfeits(worker uint64) bool { return p.unknown[worker] || p.fate[worker/2] >= fateGone }

func (p plan) ids(id func(record) uint64) map[uint64]bool {
	ids := map[uint64]bool{}
	for _, r := range p.records {
		ids[id(r)] = true
	}
	return ids
}

// balances of everybody that the plan can pay, in both coins; those of nodes by x/distribution's records.
func (f *fixture) balances() map[string]string {
	f.t.Helper()
	out := map[string]string{"pool": fmt.Sprint(f.pool()), "pool's tokens": fmt.Sprint(f.poolOf(token))}
	for name, a := range map[string]sdk.AccAddress{"rewards": account, "dack": dackAccount} {
		out[name] = f.bank.GetAllBalances(f.ctx, a).String()
	}
	for i := range uint64(10) {
		out[operator(i).String()] = f.bank.GetAllBalances(f.ctx, operator(i)).String()
		out[owner(i).String()] = f.bank.GetAllBalances(f.ctx, owner(i)).String()
		out[sdk.ValAddress(operator(i)).String()] = f.node(i).String()
	}
	return out
}

// node returns what the node of a worker and its delegators have been given, by x/distribution's records. Commission and the
// delegators' part add up to it.
func (f *fixture) node(worker uint64) sdk.DecCoins {
	f.t.Helper()
	v := sdk.ValAddress(operator(worker))
	given, err := f.distr.GetValidatorOutstandingRewards(f.ctx, v)
	require.NoError(f.t, err)
	commission, err := f.distr.GetValidatorAccumulatedCommission(f.ctx, v)
	require.NoError(f.t, err)
	shared, err := f.distr.GetValidatorCurrentRewards(f.ctx, v)
	require.NoError(f.t, err)
	require.Equal(f.t, given.Rewards.String(), commission.Commission.Add(shared.Rewards...).String())
	return given.Rewards
}

// emission is what a plan has to emit by the formulas of the specification alone, before anything is set aside.
type emission struct {
	earned, nodes, owners, community, forfeited math.Int
	// most is floor(guard * u / price) for all payments together: more must not be minted, whatever boosts and hats there are.
	most math.Int
}

func (p plan) emission(cap math.Int) emission {
	zero := math.ZeroInt()
	e := emission{earned: zero, nodes: zero, owners: zero, community: zero, forfeited: zero, most: zero}
	if len(p.genesis.TokenPrices) == 0 {
		return e
	}
	s, terms, price := p.genesis.Params.Shares, p.genesis.Params.Emission, p.genesis.TokenPrices[0].Price
	boosts := map[string]math.LegacyDec{}
	for _, b := range p.genesis.Boosts {
		boosts[b.Operator] = b.Boost
	}
	sum := func(of func(record) bool) math.Int {
		out := math.ZeroInt()
		for _, r := range p.records {
			if of(r) {
				out = out.AddRaw(r.amount)
			}
		}
		return out
	}
	nodes, owners, community := map[uint64]math.Int{}, map[uint64]math.Int{}, map[uint64]math.Int{}
	for w := range p.ids(func(r record) uint64 { return r.worker }) {
		amount := sum(func(r record) bool { return r.worker == w })
		own := sum(func(r record) bool { return r.worker == w && p.owners[r.service] == "" })
		boost, ok := boosts[sdk.ValAddress(operator(w)).String()]
		if !ok || p.unknown[w] {
			boost = math.LegacyOneDec()
		}
		nodes[w] = types.NodeEarned(types.Unrecoverable(amount, own, s), terms, price, s.Node, boost)
		e.earned = e.earned.Add(nodes[w])
	}
	for id := range p.ids(func(r record) uint64 { return r.service }) {
		amount, own := sum(func(r record) bool { return r.service == id }), zero
		if p.owners[id] == "" {
			own = amount
		}
		u := types.Unrecoverable(amount, own, s)
		owners[id], community[id] = types.OwnerEarned(u, terms, price, s.Owner), types.CommunityEarned(u, terms, price, s.Protocol)
		e.earned = e.earned.Add(owners[id]).Add(community[id])
	}
	for w, part := range nodes {
		if part = types.ScaleToCap(part, e.earned, cap); p.forfeits(w) {
			e.forfeited = e.forfeited.Add(part)
		} else {
			e.nodes = e.nodes.Add(part)
		}
	}
	for id := range owners {
		o, c := types.ScaleToCap(owners[id], e.earned, cap), types.ScaleToCap(community[id], e.earned, cap)
		if p.owners[id] == "" {
			o, c = zero, c.Add(o)
		}
		e.owners, e.community = e.owners.Add(o), e.community.Add(c)
	}
	all := sum(func(record) bool { return true })
	own := sum(func(r record) bool { return p.owners[r.service] == "" })
	lost := s.Protocol.BigInt()
	lost.Mul(lost, all.BigInt())
	lost.Add(lost, new(big.Int).Mul(s.Owner.BigInt(), own.BigInt()))
	lost.Mul(lost, terms.Guard.BigInt())
	e.most = math.NewIntFromBigInt(lost.Quo(lost, new(big.Int).Mul(price.BigInt(), math.LegacyOneDec().BigInt())))
	return e
}

// For any revenue, shares, terms, price, boosts, budget and failing recipients: what was paid, set aside and given to the community is exactly what
// was debited; what was minted is what the formulas say, at most the cap and at most guard * u / price; the budget changes
// nothing; dust is bounded; and after everything is retried everybody has what they would have had without a failure, once.
func TestPaymentProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPlan(rt)
		f := p.run(t, 1)
		for _, budget := range []uint32{2, 7, rapid.Uint32Range(1, 12).Draw(rt, "budget"), epochtypes.MaxCloseBudget} {
			at := p.run(t, budget)
			require.Equal(rt, f.export(), at.export(), "the same state with a budget of %d", budget)
			require.Equal(rt, f.balances(), at.balances())
		}

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
		for i := range uint64(10) {
			paid += f.balance(owner(i))
			if i%2 == 0 {
				paid += f.balance(operator(i))
			}
		}
		require.Equal(rt, s.Nodes.Add(s.Owners).Int64(), paid)

		// Dust is accounted for and less than a unit for each rounding.
		roundings := len(p.ids(func(r record) uint64 { return r.worker })) + len(p.ids(func(r record) uint64 { return r.service })) + 1
		require.False(rt, s.Dust.IsNegative())
		require.Less(rt, s.Dust.Int64(), int64(roundings))

		f.checkEmission(rt, p)

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
		f.dack.missing, f.bank.fail, f.distr.err, f.distr.node = nil, nil, nil, nil
		for i, payout := range setAside {
			if i%2 == 0 {
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
		require.Empty(rt, f.bank.GetAllBalances(f.ctx, account))

		// As if nobody had ever failed; but who is unknown has forfeited his tokens.
		clean := plan{records: p.records, genesis: p.genesis, owners: p.owners, fate: p.fate, unknown: p.unknown}.run(t, epochtypes.MaxCloseBudget)
		clean.dack.missing = nil
		for _, payout := range clean.setAside() {
			_, err := clean.msgs.RetryPayout(clean.ctx, &types.MsgRetryPayout{Sender: somebody, Epoch: 1, Kind: payout.Kind, Id: payout.Id})
			require.NoError(rt, err)
		}
		require.Equal(rt, clean.balances(), f.balances())
		require.Equal(rt, clean.export(), f.export())
	})
}

// checkEmission asserts that what was minted for epoch 1 is what the formulas say, and where it is.
func (f *fixture) checkEmission(t *rapid.T, p plan) {
	s := f.summary(1)
	e, want := s.Emission, p.emission(s.Emission.Cap)
	require.Equal(t, want.earned, e.Earned)
	require.Equal(t, want.forfeited, e.Forfeited)
	setAside := map[types.PayoutKind]math.Int{}
	for _, payout := range f.setAside() {
		if old, ok := setAside[payout.Kind]; ok {
			payout.Amount = payout.Amount.Add(old)
		}
		setAside[payout.Kind] = payout.Amount
	}
	total := e.Nodes.Add(e.Owners).Add(e.Community)
	for kind, part := range map[types.PayoutKind]struct{ want, got math.Int }{
		types.PAYOUT_KIND_NODE_EMISSION:      {want.nodes, e.Nodes},
		types.PAYOUT_KIND_OWNER_EMISSION:     {want.owners, e.Owners},
		types.PAYOUT_KIND_COMMUNITY_EMISSION: {want.community, e.Community},
	} {
		if aside, ok := setAside[kind]; ok {
			part.got, total = part.got.Add(aside), total.Add(aside)
		}
		require.Equal(t, part.want.String(), part.got.String(), kind)
	}
	require.Equal(t, total.String(), e.Minted(true).String())
	require.Equal(t, e.Minted(true).AddRaw(tokens).String(), f.bank.GetSupply(f.ctx, token).Amount.String())
	require.True(t, e.Minted(true).Add(e.Forfeited).LTE(e.Cap), "%s minted, cap %s", e.Minted(true), e.Cap)
	require.True(t, e.Earned.LTE(want.most), "%s earned, guard * u / price is %s", e.Earned, want.most)
	require.Equal(t, e.SetAside.String(), f.bank.GetBalance(f.ctx, account, token).Amount.String())
	require.Equal(t, e.Community.Int64(), f.poolOf(token))
	nodes := sdk.DecCoins{}
	for i := uint64(0); i < 10; i += 2 {
		nodes = nodes.Add(f.node(i)...)
	}
	require.Equal(t, e.Nodes.String(), nodes.AmountOf(token).TruncateInt().String())
	require.Equal(t, e.Nodes.Add(e.Community).String(), f.bank.GetBalance(f.ctx, distrAccount, token).Amount.String())
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
