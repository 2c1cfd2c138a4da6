package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
)

// DefaultPrices returns the prices of a new chain.
func DefaultPrices() Prices {
	return Prices{PerGib: math.NewInt(DefaultPricePerGiB), PerGfuel: math.NewInt(DefaultPricePerGFuel)}
}

// Validate returns ErrInvalidParams unless each price is from 0 to MaxPrice.
func (p Prices) Validate() error {
	for _, b := range []struct {
		name  string
		price math.Int
	}{{"per_gib", p.PerGib}, {"per_gfuel", p.PerGfuel}} {
		if b.price.IsNil() || b.price.IsNegative() || b.price.GT(MaxPrice) {
			return errorsmod.Wrapf(ErrInvalidParams, "prices.%s %s, want 0 to %s", b.name, b.price, MaxPrice)
		}
	}
	return nil
}

// Equal reports whether both prices are the same. Neither side is nil in valid state.
func (p Prices) Equal(o Prices) bool {
	return p.PerGib.Equal(o.PerGib) && p.PerGfuel.Equal(o.PerGfuel)
}

// Ack returns the prices as the ack package takes them.
func (p Prices) Ack() ack.Prices {
	return ack.Prices{PerGiB: p.PerGib.BigInt(), PerGFuel: p.PerGfuel.BigInt()}
}
