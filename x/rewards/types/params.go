package types

import (
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
)

// Bounds of the parameters.
const (
	// MinHistoryEpochs keeps the payouts of the last closed epoch readable.
	MinHistoryEpochs = 1
	// MaxHistoryEpochs bounds the state: it is 27 years of daily epochs.
	MaxHistoryEpochs = 10_000
	// MinPrunePerBlock is the least that makes progress.
	MinPrunePerBlock = 1
	// MaxPrunePerBlock bounds the pruning of a block: below 0.4 s at the 5,800 writes a second of x/dack's BenchmarkPrune on
	// two busy cores.
	MaxPrunePerBlock = 2_000
)

// DefaultParams returns the parameters of a new network. It prunes twice as many payouts a block as the default
// close_budget of x/epoch makes.
func DefaultParams() Params {
	return Params{Shares: DefaultShares(), HistoryEpochs: 100, PrunePerBlock: 1_000, Emission: DefaultEmissionTerms()}
}

// DefaultShares are 0.80 for the node, 0.15 for the owner of the service and 0.05 for the protocol.
func DefaultShares() Shares {
	return Shares{
		Node:     math.LegacyNewDecWithPrec(80, 2),
		Owner:    math.LegacyNewDecWithPrec(15, 2),
		Protocol: math.LegacyNewDecWithPrec(5, 2),
	}
}

// Validate checks the bounds. It returns ErrInvalidParams or ErrInvalidShares.
func (p Params) Validate() error {
	if err := p.Shares.Validate(); err != nil {
		return err
	}
	if err := p.Emission.Validate(); err != nil {
		return err
	}
	if p.HistoryEpochs < MinHistoryEpochs || p.HistoryEpochs > MaxHistoryEpochs {
		return errorsmod.Wrapf(ErrInvalidParams, "history_epochs %d, want %d to %d", p.HistoryEpochs, MinHistoryEpochs, MaxHistoryEpochs)
	}
	if p.PrunePerBlock < MinPrunePerBlock || p.PrunePerBlock > MaxPrunePerBlock {
		return errorsmod.Wrapf(ErrInvalidParams, "prune_per_block %d, want %d to %d", p.PrunePerBlock, MinPrunePerBlock, MaxPrunePerBlock)
	}
	return nil
}
