package types

import (
	stdmath "math"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// NewRevenue returns the revenue of nothing.
func NewRevenue() Revenue { return Revenue{Amount: math.ZeroInt()} }

// Add returns the sum of two revenues. The counters stop at 2^64-1 instead of turning over: they inform, the amount is
// exact.
func (r Revenue) Add(o Revenue) Revenue {
	return Revenue{
		Amount:   r.Amount.Add(o.Amount),
		Requests: saturatingAdd(r.Requests, o.Requests),
		Bytes:    saturatingAdd(r.Bytes, o.Bytes),
		Fuel:     saturatingAdd(r.Fuel, o.Fuel),
	}
}

// Add returns the sum of two revenues of one worker. The operator of a worker never changes.
func (r WorkerRevenue) Add(o WorkerRevenue) WorkerRevenue {
	return WorkerRevenue{Revenue: r.Revenue.Add(o.Revenue), Operator: r.Operator}
}

func saturatingAdd(a, b uint64) uint64 {
	if a > stdmath.MaxUint64-b {
		return stdmath.MaxUint64
	}
	return a + b
}

// validate checks a revenue of a genesis state.
func (r Revenue) validate() error {
	if r.Amount.IsNil() || r.Amount.IsNegative() {
		return errorsmod.Wrapf(ErrInvalidGenesis, "revenue %s", r.Amount)
	}
	return nil
}
