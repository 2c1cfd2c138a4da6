package economics

import (
	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/rewards/types"
)

// market is the price of a uedge in every epoch and what governance made of it.
type market struct {
	price   []math.LegacyDec
	set     []types.TokenPrice
	counted []math.LegacyDec
}

// maxPrice and minPrice are the bounds of what governance may set.
var (
	maxPrice = math.LegacyNewDec(1_000_000_000_000)
	minPrice = math.LegacySmallestDec()
)

// market plays the market and the governance that follows it. The price of each epoch is cut to the counted price / guard of the epoch
// before, which is the assumption of this package. The cut depends on the rules as they are: an open hole finds the same market.
func (p *Play) market(hole Hole) market {
	const length int64 = Epochs + margin + 1
	m := market{price: make([]math.LegacyDec, length), counted: make([]math.LegacyDec, length)}
	walk := math.LegacyNewDecFromBigIntWithPrec(tenTo(p.PriceZeros).MulRaw(p.PriceDigits).BigInt(), math.LegacyPrecision)
	limit := maxPrice
	rand := source{state: uint64(p.WalkSeed)}
	// With a guard of more than 1/2 the market is still no more than twice the counted price.
	guards := [2]math.LegacyDec{millionths(p.Guard[0]), millionths(p.Guard[1])}
	if hole == GuardAboveHalf {
		guards[0], guards[1] = millionths(million/2), millionths(million/2)
	}
	for e := range length {
		price := walk
		if e >= p.Crash && e < p.Crash+p.CrashLength {
			price = price.QuoInt64(p.CrashDepth)
		}
		m.price[e] = within(price, limit)
		if price.GT(limit) && e < p.Crash {
			walk = limit // the walk goes on from where it was cut
		}
		if e == 0 {
			m.set = append(m.set, types.TokenPrice{Price: m.price[0]})
		}
		recent := m.set[max(0, len(m.set)-types.TokenPriceLookback-types.TokenPriceValidity):]
		_, m.counted[e], _ = types.CountedPrice(recent, uint64(e))
		limit = maxPrice
		guard := guards[p.set(e)]
		if m.counted[e].IsPositive() && guard.IsPositive() {
			limit = math.LegacyMinDec(limit, m.counted[e].QuoTruncate(guard))
		}
		if e%min(p.Period, types.TokenPriceValidity-p.Lag) == 0 && (e < p.SilentFrom || e >= p.SilentFrom+p.Silence) {
			m.set = append(m.set, types.TokenPrice{Epoch: uint64(e) + 1, Price: m.price[max(0, e-p.Lag)]})
		}
		walk = within(walk.MulInt64(million+p.Drift+rand.between(-p.Volatility, p.Volatility)).QuoInt64(million), maxPrice)
	}
	return m
}

func within(price, limit math.LegacyDec) math.LegacyDec {
	return math.LegacyMaxDec(minPrice, math.LegacyMinDec(price, limit))
}

// pricing returns the price by which the payments of an epoch earn, and the market price at which the tokens are sold.
func (m market) pricing(epoch, delay int64, hole Hole) (counted, sale math.LegacyDec) {
	switch hole {
	case PriceForever:
		return m.highestEver(uint64(epoch)), m.price[epoch+1]
	case PriceInForce:
		set, _, _ := types.CountedPrice(m.set, uint64(epoch))
		return set, m.price[epoch+1]
	case PriceAtPayout:
		return m.counted[epoch+1+delay], m.price[epoch+1+delay]
	default:
		return m.counted[epoch], m.price[epoch+1]
	}
}

// highestEver is the counted price if prices did not expire: the highest of the last 30 epochs, each in force until the next.
func (m market) highestEver(epoch uint64) math.LegacyDec {
	highest := math.LegacyZeroDec()
	for i, p := range m.set {
		if p.Epoch > epoch {
			break
		}
		if i+1 == len(m.set) || m.set[i+1].Epoch+types.TokenPriceLookback > epoch+1 {
			highest = math.LegacyMaxDec(highest, p.Price)
		}
	}
	return highest
}
