package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// NewTotals returns totals of nothing, or a change of them that changes nothing.
func NewTotals() Totals {
	return Totals{Balances: math.ZeroInt(), Pending: math.ZeroInt(), OpenRevenue: math.ZeroInt(), ServiceDeposits: math.ZeroInt()}
}

// Add returns the totals after a change, whose parts can be negative.
func (t Totals) Add(o Totals) Totals {
	return Totals{
		Balances:        t.Balances.Add(o.Balances),
		Pending:         t.Pending.Add(o.Pending),
		OpenRevenue:     t.OpenRevenue.Add(o.OpenRevenue),
		ServiceDeposits: t.ServiceDeposits.Add(o.ServiceDeposits),
	}
}

// IsZero reports whether all parts are zero.
func (t Totals) IsZero() bool {
	return t.Balances.IsZero() && t.Pending.IsZero() && t.OpenRevenue.IsZero() && t.ServiceDeposits.IsZero()
}

// Equal reports whether all parts are equal.
func (t Totals) Equal(o Totals) bool {
	return t.Balances.Equal(o.Balances) && t.Pending.Equal(o.Pending) &&
		t.OpenRevenue.Equal(o.OpenRevenue) && t.ServiceDeposits.Equal(o.ServiceDeposits)
}

// Sum is what the module's account holds in units of the settlement coin.
func (t Totals) Sum() math.Int {
	return t.Balances.Add(t.Pending).Add(t.OpenRevenue).Add(t.ServiceDeposits)
}

// Validate returns ErrInvariant if a part is negative: money that nobody has would have been promised.
func (t Totals) Validate() error {
	for _, part := range []struct {
		name   string
		amount math.Int
	}{
		{"balances", t.Balances},
		{"pending", t.Pending},
		{"open revenue", t.OpenRevenue},
		{"service deposits", t.ServiceDeposits},
	} {
		if part.amount.IsNil() || part.amount.IsNegative() {
			return errorsmod.Wrapf(ErrInvariant, "total of %s is %s", part.name, part.amount)
		}
	}
	return nil
}
