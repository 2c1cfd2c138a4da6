package types

import (
	"math/big"

	"cosmossdk.io/math"
)

// fullLockPart is the part of a node's tokens that has to be locked for the full boost: one in fullLockPart.
const fullLockPart = 10

// BoostOf returns the boost of a node in an epoch, from 1 to max_boost:
//
//	1 + (max_boost - 1) * remaining / max_lock_epochs * min(1, lockedTokens / (0.1 * nodeTokens))
//
// Both amounts are in uedge as of the epoch's opening, remaining is for how many epochs, this one included, the stake is locked;
// more than max_lock_epochs count as max_lock_epochs. It is truncated to 18 decimals, and 1 if anything is zero.
//
//	50,000 of a node's 1,000,000 tokens are locked for 730 more epochs of at most 1,460, max_boost 4:
//	1 + 3 * 730/1,460 * 50,000/100,000 = 1.75
func BoostOf(lockedTokens, nodeTokens math.Int, remaining uint64, terms EmissionTerms) math.LegacyDec {
	one := math.LegacyOneDec()
	if !lockedTokens.IsPositive() || !nodeTokens.IsPositive() || remaining == 0 || terms.MaxLockEpochs == 0 || terms.MaxBoost.LTE(one) {
		return one
	}
	locked := new(big.Int).Mul(lockedTokens.BigInt(), big.NewInt(fullLockPart))
	if tokens := nodeTokens.BigInt(); locked.Cmp(tokens) > 0 {
		locked = tokens
	}
	extra := terms.MaxBoost.Sub(one).BigInt()
	extra.Mul(extra, new(big.Int).SetUint64(min(remaining, terms.MaxLockEpochs)))
	extra.Mul(extra, locked)
	extra.Quo(extra, new(big.Int).Mul(new(big.Int).SetUint64(terms.MaxLockEpochs), nodeTokens.BigInt()))
	return one.Add(math.LegacyNewDecFromBigIntWithPrec(extra, math.LegacyPrecision))
}
