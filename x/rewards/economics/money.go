package economics

import (
	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/rewards/types"
)

// Result is how a play ended for the operator, in units of the settlement coin. Tokens are valued at the market price of the
// epoch in which they were paid.
type Result struct {
	// Paid by his clients.
	Paid math.Int
	// Coins and Tokens that he got, and those of his twin.
	Coins, Tokens, TwinCoins, TwinTokens math.LegacyDec
	// Profit = Coins + Tokens - Paid - TwinCoins - TwinTokens.
	Profit math.LegacyDec
}

// Spent is what the operator paid and did not get back in coins.
func (r Result) Spent() math.LegacyDec {
	return math.LegacyNewDecFromInt(r.Paid).Sub(r.Coins).Add(r.TwinCoins)
}

// Run plays a play under the rules, or with one hole in them.
func Run(p *Play, hole Hole) Result {
	g := &game{Play: p, hole: hole, market: p.market(hole), holdings: p.holdings(hole)}
	for i := range 2 {
		g.shares[i], g.terms[i] = p.sharesOf(i), p.termsOf(i, hole)
	}
	var r Result
	r.Paid, r.Coins, r.Tokens = g.settle(false)
	_, r.TwinCoins, r.TwinTokens = g.settle(true)
	r.Profit = r.Coins.Add(r.Tokens).Sub(math.LegacyNewDecFromInt(r.Paid)).Sub(r.TwinCoins).Sub(r.TwinTokens)
	return r
}

// game is a play with what follows from it.
type game struct {
	*Play
	hole     Hole
	market   market
	holdings [Epochs][nodes]holding
	// shares and terms before the change and after it.
	shares [2]types.Shares
	terms  [2]types.EmissionTerms
	// twin is whether the twin plays, who buys nothing and is rounded up.
	twin bool
}

// revenue of an epoch, by worker and service. A worker's node is its number / maxWorkers.
type revenue [nodes * maxWorkers][services]int64

// settle plays all epochs and returns what the operator paid, and what he got in coins and in tokens at the market price.
func (g *game) settle(twin bool) (paid math.Int, coins, tokens math.LegacyDec) {
	g.twin = twin
	paid, coins, tokens = math.ZeroInt(), math.LegacyZeroDec(), math.LegacyZeroDec()
	for e := range int64(Epochs) {
		debited, signedLate, bought := g.revenue(e)
		paid = paid.AddRaw(bought)
		coins = coins.Add(math.LegacyNewDecFromInt(g.coins(e, &debited)))
		earning := debited
		if g.hole == LateEarnsTwice {
			for w := range earning {
				for s := range earning[w] {
					earning[w][s] += signedLate[w][s]
				}
			}
		}
		minted, sale := g.emission(e, &earning)
		tokens = tokens.Add(minted.MulTruncate(sale))
	}
	return paid, coins, tokens
}

// revenue returns what was debited in an epoch, what was signed in it and is debited in the next, and what of the debited the
// operator paid.
func (g *game) revenue(epoch int64) (debited, late revenue, bought int64) {
	for n := range nodes {
		if n >= ownNodes {
			debited[n*maxWorkers][content] += g.HonestTraffic / 2
			debited[n*maxWorkers][services-1] += g.HonestTraffic - g.HonestTraffic/2
			continue
		}
		workers := g.Workers
		if g.twin && g.hole == CapPerRecipient {
			workers = 1
		}
		for w := range workers {
			part := g.OwnTraffic / workers
			debited[n*maxWorkers+int(w)][content] += part / 2
			debited[n*maxWorkers+int(w)][ownService] += part - part/2
		}
	}
	if g.twin {
		return debited, late, 0
	}
	for _, b := range g.Purchases {
		workers := int64(1)
		if b.Spread == 1 && b.Node < ownNodes {
			workers = g.Workers
		}
		for w := range workers {
			at := int(b.Node*maxWorkers + w)
			if b.in(epoch - b.Late) {
				debited[at][b.Service] += b.Amount / workers
				bought += b.Amount / workers
			}
			if b.Late == 1 && b.in(epoch) && epoch+1 < Epochs {
				late[at][b.Service] += b.Amount / workers
			}
		}
	}
	return debited, late, bought
}

func (b Purchase) in(epoch int64) bool {
	return epoch >= b.From && (epoch-b.From)%b.Every == 0 && (epoch-b.From)/b.Every < b.Times
}

// owns is whether the operator is the owner of a service.
func owns(service int) bool { return service == ownService || service == soldService }

// coins returns what the operator gets of an epoch's revenue.
func (g *game) coins(epoch int64, r *revenue) math.Int {
	s := g.shares[g.set(epoch)]
	got := math.ZeroInt()
	var byService [services]int64
	for w := range r {
		sum := int64(0)
		for service, amount := range r[w] {
			sum += amount
			byService[service] += amount
		}
		if w/maxWorkers < ownNodes && sum > 0 {
			got = got.Add(g.rounded(types.ShareOf(math.NewInt(sum), s.Node)))
		}
	}
	for service, amount := range byService {
		if owns(service) && amount > 0 {
			got = got.Add(g.rounded(types.ShareOf(math.NewInt(amount), s.Owner)))
		}
	}
	return got
}

// rounded adds the unit that rounding took from the twin, or from everybody if the rules round up.
func (g *game) rounded(part math.Int) math.Int {
	if g.twin || g.hole == RoundUp {
		return part.AddRaw(1)
	}
	return part
}

// emission returns the tokens that the operator gets for an epoch's revenue, and the price at which he sells them.
func (g *game) emission(epoch int64, r *revenue) (tokens, sale math.LegacyDec) {
	price, sale := g.market.pricing(epoch, g.Delay, g.hole)
	terms, s, limit := g.terms[g.set(epoch)], g.shares[g.set(epoch)], g.capOf(epoch)
	if !price.IsPositive() || !terms.Guard.IsPositive() {
		return math.LegacyZeroDec(), sale
	}
	nodeShare, ownerShare, protocolShare := s.Node, s.Owner, s.Protocol
	if g.hole == GuardPerRecipient {
		nodeShare, ownerShare, protocolShare = math.LegacyOneDec(), math.LegacyOneDec(), math.LegacyOneDec()
	}
	// First everything that was earned, as a cap needs it; the operator's parts are kept.
	earned := math.ZeroInt()
	var mine []part
	var byService [services]int64
	for w := range r {
		sum, protocol := int64(0), int64(0)
		for service, amount := range r[w] {
			sum += amount
			byService[service] += amount
			if g.protocolOwns(service, epoch) {
				protocol += amount
			}
		}
		if sum == 0 {
			continue
		}
		h := &g.holdings[epoch][w/maxWorkers]
		boost := h.recorded
		if g.twin {
			boost = h.fair
		}
		u := g.unrecoverable(sum, protocol, s)
		var tokens math.Int
		if g.hole == BoostUndivided {
			tokens = boost.MulInt(types.NodeEarned(u, terms, price, nodeShare, terms.MaxBoost)).TruncateInt()
		} else {
			tokens = types.NodeEarned(u, terms, price, nodeShare, boost)
		}
		earned = earned.Add(tokens)
		mine = append(mine, part{tokens, w / maxWorkers})
	}
	for service, amount := range byService {
		if amount == 0 {
			continue
		}
		protocol := int64(0)
		if g.protocolOwns(service, epoch) {
			protocol = amount
		}
		u := g.unrecoverable(amount, protocol, s)
		tokens := types.OwnerEarned(u, terms, price, ownerShare)
		earned = earned.Add(tokens).Add(types.CommunityEarned(u, terms, price, protocolShare))
		if owns(service) {
			mine = append(mine, part{tokens, -1})
		}
	}
	tokens = math.LegacyZeroDec()
	for _, m := range mine {
		tokens = tokens.Add(g.taken(epoch, m.node, g.rounded(g.scaled(g.rounded(m.tokens), earned, limit))))
	}
	return tokens, sale
}

// part is what a node has earned, or with node -1 a service of the operator's.
type part struct {
	tokens math.Int
	node   int
}

func (g *game) unrecoverable(amount, protocol int64, s types.Shares) math.Int {
	if g.hole == WholePaymentEarns {
		return math.NewInt(amount)
	}
	return g.rounded(types.Unrecoverable(math.NewInt(amount), math.NewInt(protocol), s))
}

// protocolOwns is whether the owner share of what a service was paid in an epoch counts as unrecoverable.
func (g *game) protocolOwns(service int, epoch int64) bool {
	switch {
	case service == content, g.hole == OwnerShareEarns:
		return true
	case g.hole == OwnerAtPayout:
		return service == soldService && epoch+1 >= g.Remove
	default:
		return false
	}
}

func (g *game) scaled(part, earned, limit math.Int) math.Int {
	switch {
	case g.hole == CapPerRecipient:
		return math.MinInt(part, limit)
	case g.hole == ShareOfCap && earned.IsPositive():
		return part.Mul(limit).Quo(earned)
	default:
		return types.ScaleToCap(part, earned, limit)
	}
}

// taken returns what of a part the operator gets: all that a service earned; of what a node earned the commission, if the node is
// his, and the rest in proportion to his stake in it.
func (g *game) taken(epoch int64, node int, tokens math.Int) math.LegacyDec {
	all := math.LegacyNewDecFromInt(tokens)
	if node < 0 {
		return all
	}
	h := &g.holdings[epoch][node]
	if h.tokens == 0 {
		return math.LegacyZeroDec() // nothing is minted for a node without tokens
	}
	commission := all.MulInt64(g.Commission[node]).QuoInt64(million)
	delegated := all.Sub(commission).MulInt64(h.own).QuoInt64(h.tokens)
	if node >= ownNodes {
		return delegated
	}
	return commission.Add(delegated)
}
