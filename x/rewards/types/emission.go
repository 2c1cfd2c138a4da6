package types

import (
	"math/big"
	"time"

	"cosmossdk.io/math"
)

// EmissionYearDuration is the length of an emission year: 365 days, leap years or not.
const EmissionYearDuration = 365 * 24 * time.Hour

// maxEarned bounds what one part of a payment can earn, in uedge. It is far above every supply; it keeps the sum of any number
// of parts that can exist within 256 bits, whatever the price.
var maxEarned = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))

// Unrecoverable returns u, the part of a payment that nobody who deals with himself can get back, in units of the settlement
// coin: the protocol share of the amount, and the owner share of protocolAmount, which is what of the amount was paid for
// services that the protocol owns. It is rounded down, so it is never more than what the payers really lost.
//
//	amount 1,003, of which 400 for the protocol's services, shares 0.80, 0.15, 0.05:
//	u = floor(0.05 * 1,003 + 0.15 * 400) = floor(110.15) = 110
func Unrecoverable(amount, protocolAmount math.Int, s Shares) math.Int {
	u := new(big.Int).Mul(amount.BigInt(), s.Protocol.BigInt())
	u.Add(u, new(big.Int).Mul(protocolAmount.BigInt(), s.Owner.BigInt()))
	return math.NewIntFromBigInt(u.Quo(u, decimals))
}

// NodeEarned returns what the node of a worker earns in tokens for payments of which u is unrecoverable, in uedge before the cap:
// floor(node share * guard * u / price * boost / max_boost). It is 0 without a price. A boost below 1 counts as 1, one above
// max_boost as max_boost.
//
//	u 110,000, guard 0.5, price 0.25, node share 0.80, boost 2.5 of 4:
//	0.80 * 0.5 * 110,000 / 0.25 * 2.5 / 4 = 110,000
func NodeEarned(u math.Int, terms EmissionTerms, price, nodeShare, boost math.LegacyDec) math.Int {
	if !terms.MaxBoost.IsPositive() {
		return math.ZeroInt()
	}
	boost = math.LegacyMinDec(math.LegacyMaxDec(boost, math.LegacyOneDec()), terms.MaxBoost)
	return earned(u, terms.Guard, price, nodeShare, boost.BigInt(), terms.MaxBoost.BigInt())
}

// OwnerEarned returns what the owner of a service earns in tokens for payments of which u is unrecoverable, in uedge before the
// cap: floor(owner share * guard * u / price). It is 0 without a price. For the protocol's own services the community pool is the
// owner.
//
//	u 110,000, guard 0.5, price 0.25, owner share 0.15: 0.15 * 0.5 * 110,000 / 0.25 = 33,000
func OwnerEarned(u math.Int, terms EmissionTerms, price, ownerShare math.LegacyDec) math.Int {
	return earned(u, terms.Guard, price, ownerShare, decimals, decimals)
}

// CommunityEarned returns what the community pool earns in tokens by the protocol share of the payments for a service of which u
// is unrecoverable, in uedge before the cap: floor(protocol share * guard * u / price). It is 0 without a price.
//
//	u 110,000, guard 0.5, price 0.25, protocol share 0.05: 0.05 * 0.5 * 110,000 / 0.25 = 11,000
func CommunityEarned(u math.Int, terms EmissionTerms, price, protocolShare math.LegacyDec) math.Int {
	return earned(u, terms.Guard, price, protocolShare, decimals, decimals)
}

// earned returns floor(share * guard * u / price * num / den), at most maxEarned.
func earned(u math.Int, guard, price, share math.LegacyDec, num, den *big.Int) math.Int {
	if !price.IsPositive() || !u.IsPositive() {
		return math.ZeroInt()
	}
	n := new(big.Int).Mul(share.BigInt(), guard.BigInt())
	n.Mul(n, u.BigInt())
	n.Mul(n, num)
	// share * guard has 36 decimals and price 18; the other 18 are taken off here.
	d := new(big.Int).Mul(price.BigInt(), decimals)
	d.Mul(d, den)
	n.Quo(n, d)
	if n.Cmp(maxEarned) > 0 {
		n.Set(maxEarned)
	}
	return math.NewIntFromBigInt(n)
}

// ScaleToCap returns what is minted for a part of what was earned in an epoch, in uedge: floor(part * cap / earned) if more than
// the cap was earned by all parts together, else the part itself.
//
//	part 33,000, earned 154,000, cap 100,000: floor(33,000 * 100,000 / 154,000) = 21,428
//	part 33,000, earned 90,000, cap 100,000: 33,000
func ScaleToCap(part, earned, cap math.Int) math.Int {
	if !part.IsPositive() {
		return math.ZeroInt()
	}
	if earned.LTE(cap) {
		return part
	}
	n := new(big.Int).Mul(part.BigInt(), cap.BigInt())
	return math.NewIntFromBigInt(n.Quo(n, earned.BigInt()))
}

// EpochCap returns the most that is minted for an epoch, in uedge: floor(inflation * supply * epochDuration / 365 days), with the
// supply at the start of the emission year. An epoch counts as a year at most.
//
//	inflation 0.10, supply 1,000,000,000, a day: floor(100,000,000 / 365) = 273,972
func EpochCap(inflation math.LegacyDec, supply math.Int, epochDuration time.Duration) math.Int {
	if epochDuration <= 0 || !supply.IsPositive() {
		return math.ZeroInt()
	}
	n := new(big.Int).Mul(inflation.BigInt(), supply.BigInt())
	n.Mul(n, big.NewInt(int64(min(epochDuration, EmissionYearDuration))))
	return math.NewIntFromBigInt(n.Quo(n, new(big.Int).Mul(decimals, big.NewInt(int64(EmissionYearDuration)))))
}
