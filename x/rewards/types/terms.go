package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// Bounds of the emission terms and of the token price.
const (
	// MaxMaxBoost keeps a node without a lock at a tenth of a node's part at least.
	MaxMaxBoost = 10
	// MaxMaxLockEpochs is ten years of daily epochs.
	MaxMaxLockEpochs = 3_650
	// TokenPriceHistory is for how many epochs a closed epoch can be paid with a token price: later the prices that it would
	// look back on may be pruned, and nothing is emitted for it.
	TokenPriceHistory = 1_000
)

var (
	// MaxGuard keeps self-dealing at a loss: all recipients of a payment together get at most half of what none of them can
	// get back of it, even if the price that counts is twice what a token can be sold for.
	MaxGuard = math.LegacyNewDecWithPrec(5, 1)
	// MaxInflation bounds what a year can add to the supply.
	MaxInflation = math.LegacyNewDecWithPrec(5, 1)
	// MinTokenPrice is the smallest price but none: one unit of the settlement coin for 10^18 uedge.
	MinTokenPrice = math.LegacySmallestDec()
	// MaxTokenPrice is far above every price; it keeps the products of the emission small.
	MaxTokenPrice = math.LegacyNewDec(1_000_000_000_000)
)

// DefaultEmissionTerms are a guard of 1/2, 10 % a year, and a boost of up to 4 for a lock of 1,460 epochs.
func DefaultEmissionTerms() EmissionTerms {
	return EmissionTerms{
		Guard:         math.LegacyNewDecWithPrec(5, 1),
		Inflation:     math.LegacyNewDecWithPrec(10, 2),
		MaxBoost:      math.LegacyNewDec(4),
		MaxLockEpochs: 1_460,
	}
}

// Validate checks the bounds. It returns ErrInvalidParams.
func (t EmissionTerms) Validate() error {
	for _, b := range []struct {
		name        string
		value       math.LegacyDec
		least, most math.LegacyDec
	}{
		{"guard", t.Guard, math.LegacyZeroDec(), MaxGuard},
		{"inflation", t.Inflation, math.LegacyZeroDec(), MaxInflation},
		{"max_boost", t.MaxBoost, math.LegacyOneDec(), math.LegacyNewDec(MaxMaxBoost)},
	} {
		if b.value.IsNil() || b.value.LT(b.least) || b.value.GT(b.most) {
			return errorsmod.Wrapf(ErrInvalidParams, "%s %s, want %s to %s", b.name, b.value, b.least, b.most)
		}
	}
	if t.MaxLockEpochs < 1 || t.MaxLockEpochs > MaxMaxLockEpochs {
		return errorsmod.Wrapf(ErrInvalidParams, "max_lock_epochs %d, want 1 to %d", t.MaxLockEpochs, MaxMaxLockEpochs)
	}
	return nil
}

// Equal says whether two sets of terms are the same.
func (t EmissionTerms) Equal(o EmissionTerms) bool {
	return t.Guard.Equal(o.Guard) && t.Inflation.Equal(o.Inflation) && t.MaxBoost.Equal(o.MaxBoost) && t.MaxLockEpochs == o.MaxLockEpochs
}

// ValidateTokenPrice checks a price of one uedge in units of the settlement coin: zero for none, else 10^-18 to 10^12. It
// returns ErrInvalidPrice.
func ValidateTokenPrice(price math.LegacyDec) error {
	if price.IsNil() || price.IsNegative() || price.GT(MaxTokenPrice) {
		return errorsmod.Wrapf(ErrInvalidPrice, "%s, want 0 for none or %s to %s", price, MinTokenPrice, MaxTokenPrice)
	}
	return nil
}
