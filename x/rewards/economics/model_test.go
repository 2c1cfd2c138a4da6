package economics

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/rewards/types"
)

// anyPlay draws all numbers of a play.
func anyPlay(rand *source) Play {
	var p Play
	for _, g := range genes(&p) {
		g.any(rand)
	}
	return p
}

// Every play is one that the network allows: parameters inside their bounds, a market within the assumption, prices within bounds.
func TestPlaysKeepTheBounds(t *testing.T) {
	rand := &source{state: 1}
	for range 300 {
		p := anyPlay(rand)
		for i := range 2 {
			require.NoError(t, p.sharesOf(i).Validate())
			terms := p.termsOf(i, NoHole)
			require.False(t, terms.Guard.IsNegative() || terms.Guard.GT(millionths(500_000)), terms.Guard)
			require.False(t, terms.Inflation.IsNegative() || terms.Inflation.GT(millionths(500_000)), terms.Inflation)
			require.False(t, terms.MaxBoost.LT(math.LegacyOneDec()) || terms.MaxBoost.GT(math.LegacyNewDec(10)), terms.MaxBoost)
			require.True(t, terms.MaxLockEpochs >= 1 && terms.MaxLockEpochs <= 3650)
		}
		m := p.market(NoHole)
		for e := range int64(Epochs) {
			_, counted, _ := types.CountedPrice(m.set, uint64(e))
			require.Equal(t, counted.String(), m.counted[e].String(), "epoch %d", e)
			require.False(t, m.price[e].LT(minPrice) || m.price[e].GT(maxPrice), m.price[e])
			guard := p.termsOf(p.set(e), NoHole).Guard
			if counted.IsPositive() && guard.IsPositive() && counted.QuoTruncate(guard).GT(minPrice) {
				require.False(t, m.price[e+1].Mul(guard).GT(counted), "epoch %d: market %s, counted %s", e, m.price[e+1], counted)
			}
		}
		for i := 1; i < len(m.set); i++ {
			require.Greater(t, m.set[i].Epoch, m.set[i-1].Epoch)
		}
	}
}

// Under the rules a recorded boost is a fair one, whatever is locked and moved: the enforcement of locks is what makes it so.
func TestRecordedBoostsAreFair(t *testing.T) {
	rand := &source{state: 2}
	boosted, unfair := 0, 0
	for range 300 {
		p := anyPlay(rand)
		total := int64(0)
		for _, s := range p.Stake {
			total += s
		}
		for e, epoch := range p.holdings(NoHole) {
			own := int64(0)
			for _, h := range epoch {
				require.Equal(t, h.fair.String(), h.recorded.String(), "epoch %d", e)
				require.True(t, h.own >= 0 && h.own <= h.tokens)
				own += h.own
				if h.recorded.GT(math.LegacyOneDec()) {
					boosted++
				}
			}
			require.LessOrEqual(t, own, 2*total) // nodes are paid at two times of an epoch
		}
		for _, epoch := range p.holdings(LockNotEnforced) {
			for _, h := range epoch {
				require.True(t, h.recorded.GTE(h.fair))
				if h.recorded.GT(h.fair) {
					unfair++
				}
			}
		}
	}
	require.Greater(t, boosted, 1_000)
	require.Greater(t, unfair, 100)
}

// Under the rules no play whatever ends with profit, drawn or climbed to, and who buys nothing has no profit with it.
func TestNoDrawnPlayPays(t *testing.T) {
	rand := &source{state: 3}
	bought := 0
	for range 150 {
		p := anyPlay(rand)
		r := Run(&p, NoHole)
		require.False(t, r.Profit.IsPositive(), "%+v", r)
		if r.Paid.IsPositive() {
			bought++
		}
		for i := range p.Purchases {
			p.Purchases[i].Times = 0
		}
		require.False(t, Run(&p, NoHole).Profit.IsPositive())
	}
	require.Greater(t, bought, 100)
}

// The money of a day on a default network, by hand. The operator buys for 1,000,000,000 from himself and has honest customers for
// 100,000,000 at each of his three nodes.
func TestRunByHand(t *testing.T) {
	p := Default()
	p.Purchases[0].Times = 1
	r := Run(&p, NoHole)
	require.Equal(t, int64(1_000_000_000), r.Paid.Int64())
	// 0.95 of it come back; the twin is rounded up by 1 for three workers and one service in each of 64 epochs.
	require.Equal(t, math.LegacyNewDec(50_000_000+64*4).String(), r.Spent().String())
	// u = 50,000,000 earns 0.5 * u / 0.25 = 100,000,000 tokens: the node's part is 0.8 / 4 of them, of which the operator has 0.1 and 1/11
	// of the rest, the owner's 0.15. Sold at 0.25.
	tokens := math.LegacyNewDec(20_000_000).Mul(millionths(100_000).Add(millionths(900_000).QuoInt64(11))).Add(math.LegacyNewDec(15_000_000))
	gained := r.Tokens.Sub(r.TwinTokens)
	want := tokens.Mul(millionths(250_000))
	require.True(t, want.Sub(gained).IsPositive() && want.Sub(gained).LT(math.LegacyNewDec(64*8)), "want %s, got %s", want, gained)
	require.Equal(t, gained.Sub(r.Spent()).String(), r.Profit.String())
}

// The same seed gives the same search, another one another.
func TestSearchIsDeterministic(t *testing.T) {
	o := Options{Seed: 5, Plays: 60}
	a, b := Search(NoHole, o), Search(NoHole, o)
	require.Equal(t, a.Play, b.Play)
	o.Seed++
	require.NotEqual(t, a.Play, Search(NoHole, o).Play)
	o.Fixed = true
	fixed, plain := Search(NoHole, o).Play, Default()
	all, defaults := genes(&fixed), genes(&plain)
	require.Equal(t, "volatility", all[worldGenes].name)
	for i := range worldGenes {
		require.Equal(t, *defaults[i].value, *all[i].value, all[i].name)
	}
}

// The cap of an epoch follows the supply at the start of its emission year.
func TestSupplyMovesWithTheYear(t *testing.T) {
	p := Default()
	p.Year, p.Growth = 10, 1_100_000
	// floor(0.1 * 10^15 / 365), and 1.1 times the supply.
	require.Equal(t, "273972602739", p.capOf(9).String())
	require.Equal(t, "301369863013", p.capOf(10).String())
	// A cap that binds scales all parts down from then on.
	p.SupplyZeros, p.Growth = 6, 500_000
	with := Run(&p, NoHole)
	p.Growth = million
	require.True(t, with.Tokens.LT(Run(&p, NoHole).Tokens))
}

// A simplified play still pays at least half, and differs less from the default one.
func TestSimplify(t *testing.T) {
	found := Search(ShareOfCap, Options{Seed: 1, Plays: 200, Enough: 1_000})
	plain := Simplify(found, ShareOfCap)
	require.True(t, plain.Score.MulInt64(2).GTE(found.Score))
	require.LessOrEqual(t, len(Differences(plain.Play)), len(Differences(found.Play)))
	require.Empty(t, Differences(Default()))
}

func TestHoleNames(t *testing.T) {
	seen := map[string]bool{}
	for _, h := range append(Holes(), NoHole) {
		require.NotEmpty(t, h.String())
		require.False(t, seen[h.String()], h)
		seen[h.String()] = true
	}
	require.Equal(t, "hole 99", Hole(99).String())
}
