package types

import (
	"time"

	errorsmod "cosmossdk.io/errors"
)

// Bounds of the parameters.
const (
	// MinDuration leaves room for the closing of an epoch, which is spread over many blocks, and for workers to settle.
	MinDuration = time.Hour
	// MinDevelopmentDuration is the lower bound in a genesis with development set.
	MinDevelopmentDuration = time.Second
	// MaxDuration bounds how long revenue is held back and how long a mistaken parameter lasts.
	MaxDuration = 30 * 24 * time.Hour
	// MinCloseBudget is the least that makes progress.
	MinCloseBudget = 1
	// MaxCloseBudget bounds the closing work of a block. An item is about one bank transfer and its record, five writes: at
	// the 5,800 writes a second of x/dack's BenchmarkPrune on two busy cores the ceiling is below 2 s.
	MaxCloseBudget = 2_000
	// MaxRetryBudget bounds the items of one MsgRetryItem on a whole stage, so that the message fits into the gas of a
	// block whatever close_budget is.
	MaxRetryBudget = 100
)

// DefaultParams returns the parameters of a production network.
func DefaultParams() Params {
	return Params{Duration: 24 * time.Hour, CloseBudget: 500}
}

// Validate checks the bounds; development lowers that of the duration. It returns ErrInvalidParams.
func (p Params) Validate(development bool) error {
	lowest := MinDuration
	if development {
		lowest = MinDevelopmentDuration
	}
	if p.Duration < lowest || p.Duration > MaxDuration {
		return errorsmod.Wrapf(ErrInvalidParams, "duration %s, want %s to %s", p.Duration, lowest, MaxDuration)
	}
	if p.CloseBudget < MinCloseBudget || p.CloseBudget > MaxCloseBudget {
		return errorsmod.Wrapf(ErrInvalidParams, "close_budget %d, want %d to %d", p.CloseBudget, MinCloseBudget, MaxCloseBudget)
	}
	return nil
}

// RetryBudget is the number of items that one MsgRetryItem on a whole stage may process.
func (p Params) RetryBudget() uint32 { return min(p.CloseBudget, MaxRetryBudget) }
