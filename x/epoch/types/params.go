package types

import (
	"time"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
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
	// the 5,800 writes a second of x/dack's BenchmarkPrune on two busy cores the ceiling is below 2 s. The sum stage of x/dack
	// handles five records, of three writes each, for an item; its BenchmarkSum takes 1 s for the ceiling.
	MaxCloseBudget = 2_000
	// MaxRetryBudget bounds the items of one MsgRetryItem on a whole stage, so that the message fits into the gas of a
	// block whatever close_budget is. What a stage does for an item must leave room for that: the 500 records of the sum stage
	// take 8,700,000 gas.
	MaxRetryBudget = 100

	// MinBeaconBlocks makes the run of blocks at the very end that one proposer has to itself a small part of all.
	MinBeaconBlocks = 32
	// MaxBeaconBlocks bounds the time for which the record of a freeze grows old.
	MaxBeaconBlocks = 10_000
	// MinSeats lets nodes under 1 % of the stake in by chance and larger ones in proportion.
	MinSeats = 100
	// MaxSeats bounds the members of the committee, whose signatures every block carries.
	MaxSeats = 1_000
	// MinStepBlocks is the least slashing window of a production network: whoever is dead when a step brings it in is jailed
	// before the next one. The application holds step_blocks to the slashing window itself.
	MinStepBlocks = 1_000
	// MaxStepBlocks keeps three steps within a day of blocks.
	MaxStepBlocks = 25_000
	// MinMinCommittee is the least committee that stands the loss of one member.
	MinMinCommittee = 4
	// MinReadyBlocks leaves time to send a report, and a stalled proposer cannot fill it.
	MinReadyBlocks = 10
	// MinDevelopmentReadyBlocks keeps the hash of the block before a freeze.
	MinDevelopmentReadyBlocks = 2
	// MaxReadyBlocks bounds the hashes that are kept.
	MaxReadyBlocks = 10_000
)

// DefaultParams returns the parameters of a production network.
func DefaultParams() Params {
	return Params{
		Duration:          24 * time.Hour,
		CloseBudget:       500,
		BeaconBlocks:      100,
		Seats:             150,
		StepBlocks:        10_000,
		MinCommittee:      7,
		MinCommitteeStake: math.LegacyNewDecWithPrec(9, 1),
		ReadyBlocks:       100,
	}
}

// DevelopmentParams returns the parameters of a local network with short epochs.
func DevelopmentParams() Params {
	p := DefaultParams()
	p.BeaconBlocks, p.Seats, p.StepBlocks, p.MinCommittee = 2, 16, 4, 1
	return p
}

// Validate checks the bounds; development lowers those of duration, beacon_blocks, seats, step_blocks, min_committee and
// ready_blocks. It returns ErrInvalidParams.
func (p Params) Validate(development bool) error {
	lowest := MinDuration
	if development {
		lowest = MinDevelopmentDuration
	}
	if p.Duration < lowest || p.Duration > MaxDuration {
		return errorsmod.Wrapf(ErrInvalidParams, "duration %s, want %s to %s", p.Duration, lowest, MaxDuration)
	}
	for _, b := range []struct {
		name                           string
		value, least, development, max uint32
	}{
		{"close_budget", p.CloseBudget, MinCloseBudget, MinCloseBudget, MaxCloseBudget},
		{"beacon_blocks", p.BeaconBlocks, MinBeaconBlocks, 1, MaxBeaconBlocks},
		{"seats", p.Seats, MinSeats, 1, MaxSeats},
		{"step_blocks", p.StepBlocks, MinStepBlocks, 1, MaxStepBlocks},
		{"min_committee", p.MinCommittee, MinMinCommittee, 1, MaxSeats},
		{"ready_blocks", p.ReadyBlocks, MinReadyBlocks, MinDevelopmentReadyBlocks, MaxReadyBlocks},
	} {
		least := b.least
		if development {
			least = b.development
		}
		if b.value < least || b.value > b.max {
			return errorsmod.Wrapf(ErrInvalidParams, "%s %d, want %d to %d", b.name, b.value, least, b.max)
		}
	}
	return validateMinCommitteeStake(p.MinCommitteeStake)
}

// validateMinCommitteeStake keeps measurements from removing more than a third of the stake.
func validateMinCommitteeStake(d math.LegacyDec) error {
	if d.IsNil() || d.MulInt64(3).LT(math.LegacyNewDec(2)) || d.GT(math.LegacyOneDec()) {
		return errorsmod.Wrapf(ErrInvalidParams, "min_committee_stake %s, want 2/3 to 1", d)
	}
	return nil
}

// RetryBudget is the number of items that one MsgRetryItem on a whole stage may process.
func (p Params) RetryBudget() uint32 { return min(p.CloseBudget, MaxRetryBudget) }
