package types

import (
	stdmath "math"

	"cosmossdk.io/math"
)

const (
	// TokenPriceValidity is for how many epochs a price is in force, its first one included. A price that nobody renews must
	// not be counted on for ever: the market moves away from it.
	TokenPriceValidity = 14
	// TokenPriceLookback is how many epochs, the paid one included, are searched for the highest price. A dip of the market,
	// or a price that was set too low, cannot be used to earn more tokens until it has lasted that long.
	TokenPriceLookback = 30
)

// InForce returns the last epoch in which a price is in force if none replaces it.
func (p TokenPrice) InForce() (last uint64) {
	if p.Epoch > stdmath.MaxUint64-(TokenPriceValidity-1) {
		return stdmath.MaxUint64
	}
	return p.Epoch + TokenPriceValidity - 1
}

// CountedPrice returns the price of one uedge in an epoch, in units of the settlement coin: set is the one in force, lastEpoch
// the last epoch in which it is in force, and counted the one that payments of the epoch earn tokens by, the highest that was in
// force in any of the epochs epoch-29 to epoch. All are zero if no price, or the price zero, is in force in the epoch.
//
// The prices are in ascending order of their epochs. A price is in force in its epoch and the 13 that follow, up to the epoch
// before the next price. Those of later epochs do not count yet.
//
//	prices 0.50 from epoch 10, 0.20 from epoch 20
//	epoch  9: 0, 0
//	epoch 19: set 0.50, counted 0.50, last epoch 19
//	epoch 25: set 0.20, counted 0.50 (in force in 19), last epoch 33
//	epoch 34: 0, 0 (0.20 was in force up to 33)
//	if 0.20 is set again from 34 and from 48 on, 0.50 counts up to epoch 48 and 0.20 from 49 on
func CountedPrice(prices []TokenPrice, epoch uint64) (set, counted math.LegacyDec, lastEpoch uint64) {
	set, counted = math.LegacyZeroDec(), math.LegacyZeroDec()
	var oldest uint64
	if epoch >= TokenPriceLookback {
		oldest = epoch - (TokenPriceLookback - 1)
	}
	for i, p := range prices {
		if p.Epoch > epoch {
			break
		}
		last := p.InForce()
		if i+1 < len(prices) && prices[i+1].Epoch <= last {
			if prices[i+1].Epoch <= p.Epoch {
				continue // replaced before it was in force
			}
			last = prices[i+1].Epoch - 1
		}
		if last < oldest {
			continue
		}
		counted = math.LegacyMaxDec(counted, p.Price)
		if last >= epoch {
			set, lastEpoch = p.Price, last
		}
	}
	if !set.IsPositive() {
		return math.LegacyZeroDec(), math.LegacyZeroDec(), 0
	}
	return set, counted, lastEpoch
}
