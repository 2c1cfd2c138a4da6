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

// NewWorkerRevenue returns what a worker earned with one service of an owner, empty for the protocol.
func NewWorkerRevenue(revenue Revenue, operator, owner string) WorkerRevenue {
	r := WorkerRevenue{Revenue: revenue, Operator: operator, Owner: owner, ProtocolAmount: math.ZeroInt()}
	if owner == "" {
		r.ProtocolAmount = revenue.Amount
	}
	return r
}

// Add returns the sum of two revenues of one worker, with one service or in total. The operator of a worker never changes,
// and a service has one owner in an epoch: it returns ErrInvariant if they are not the same, because somebody would be paid
// what is another's.
func (r WorkerRevenue) Add(o WorkerRevenue) (WorkerRevenue, error) {
	if r.Operator != o.Operator || r.Owner != o.Owner {
		return WorkerRevenue{}, errorsmod.Wrapf(ErrInvariant, "revenue of operator %q and owner %q, not %q and %q", r.Operator, r.Owner, o.Operator, o.Owner)
	}
	return WorkerRevenue{
		Revenue: r.Revenue.Add(o.Revenue), Operator: r.Operator, Owner: r.Owner, ProtocolAmount: r.ProtocolAmount.Add(o.ProtocolAmount),
	}, nil
}

// Add returns the sum of two revenues of one service. It returns ErrInvariant if they have two owners.
func (r ServiceRevenue) Add(o ServiceRevenue) (ServiceRevenue, error) {
	if r.Owner != o.Owner {
		return ServiceRevenue{}, errorsmod.Wrapf(ErrInvariant, "revenue of owner %q, not %q", r.Owner, o.Owner)
	}
	return ServiceRevenue{Revenue: r.Revenue.Add(o.Revenue), Owner: r.Owner}, nil
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
