package types

import (
	"math/big"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// decimals is 10^18, the denominator of a LegacyDec.
var decimals = new(big.Int).Exp(big.NewInt(10), big.NewInt(math.LegacyPrecision), nil)

// Validate checks that no share is negative and that they add up to one. It returns ErrInvalidShares.
func (s Shares) Validate() error {
	sum := new(big.Int)
	for _, part := range []struct {
		name  string
		share math.LegacyDec
	}{{"node", s.Node}, {"owner", s.Owner}, {"protocol", s.Protocol}} {
		if part.share.IsNil() || part.share.IsNegative() || part.share.GT(math.LegacyOneDec()) {
			return errorsmod.Wrapf(ErrInvalidShares, "%s share %s, want 0 to 1", part.name, part.share)
		}
		sum.Add(sum, part.share.BigInt())
	}
	if sum.Cmp(decimals) != 0 {
		return errorsmod.Wrapf(ErrInvalidShares, "they add up to %s", math.LegacyNewDecFromBigIntWithPrec(sum, math.LegacyPrecision))
	}
	return nil
}

// Equal says whether two sets of shares are the same.
func (s Shares) Equal(t Shares) bool {
	return s.Node.Equal(t.Node) && s.Owner.Equal(t.Owner) && s.Protocol.Equal(t.Protocol)
}

// ShareOf returns floor(amount * share) for a share between 0 and 1, in the unit of the amount. What is rounded off stays
// with the pool.
//
//	amount 1,003, share 0.80: 802 (802.4)
//	amount 1, share 0.15: 0 (0.15)
func ShareOf(amount math.Int, share math.LegacyDec) math.Int {
	product := new(big.Int).Mul(amount.BigInt(), share.BigInt())
	return math.NewIntFromBigInt(product.Quo(product, decimals))
}
