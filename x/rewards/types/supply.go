package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// NewSupply begins the history of a supply, in uedge.
func NewSupply(initial math.Int) Supply {
	return Supply{Initial: initial, Minted: math.ZeroInt(), Burned: math.ZeroInt()}
}

// Total is what exists: initial + minted - burned.
func (s Supply) Total() math.Int { return s.Initial.Add(s.Minted).Sub(s.Burned) }

// Validate returns ErrBooks if a part is negative, or more was burned than there was.
func (s Supply) Validate() error {
	for _, part := range []struct {
		name   string
		amount math.Int
	}{{"initial", s.Initial}, {"minted", s.Minted}, {"burned", s.Burned}} {
		if part.amount.IsNil() || part.amount.IsNegative() {
			return errorsmod.Wrapf(ErrBooks, "%s supply: %s", part.name, part.amount)
		}
	}
	if s.Total().IsNegative() {
		return errorsmod.Wrapf(ErrBooks, "%s burned of %s + %s", s.Burned, s.Initial, s.Minted)
	}
	return nil
}
