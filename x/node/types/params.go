package types

import (
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

const (
	// StakingDenom is the staking coin, in which deposits are held.
	StakingDenom = "uedge"

	// DefaultMaxWorkersPerNode is enough for a node with a presence in every region.
	DefaultMaxWorkersPerNode = 16
	// DefaultWorkerDeposit in uedge makes a registration cost something to hold, not to spend.
	DefaultWorkerDeposit = 10_000_000
	// DefaultRetirementsPerBlock returns the deposits of a full node in one block.
	DefaultRetirementsPerBlock = 100
	// DefaultEligibilityEpochs lets a node show itself for two epochs before it can decide.
	DefaultEligibilityEpochs = 2

	// MaxWorkersPerNodeLimit bounds MaxWorkersPerNode, because a registration counts the node's workers one by one.
	MaxWorkersPerNodeLimit = 1_000
	// RetirementsPerBlockLimit bounds RetirementsPerBlock, because each one is a bank send in EndBlock.
	RetirementsPerBlockLimit = 10_000
	// EligibilityEpochsLimit bounds EligibilityEpochs: more than a quarter of a year would close the committee to newcomers.
	EligibilityEpochsLimit = 100
)

// DefaultParams returns the parameters of a new chain.
func DefaultParams() Params {
	return Params{
		MaxWorkersPerNode:   DefaultMaxWorkersPerNode,
		WorkerDeposit:       sdk.NewInt64Coin(StakingDenom, DefaultWorkerDeposit),
		RetirementsPerBlock: DefaultRetirementsPerBlock,
		EligibilityEpochs:   DefaultEligibilityEpochs,
	}
}

// Validate returns ErrParams with the parameter at fault.
func (p Params) Validate() error {
	if p.MaxWorkersPerNode < 1 || p.MaxWorkersPerNode > MaxWorkersPerNodeLimit {
		return errorsmod.Wrapf(ErrParams, "max_workers_per_node %d, want 1 to %d", p.MaxWorkersPerNode, MaxWorkersPerNodeLimit)
	}
	if err := p.WorkerDeposit.Validate(); err != nil {
		return errorsmod.Wrapf(ErrParams, "worker_deposit: %v", err)
	}
	if p.RetirementsPerBlock < 1 || p.RetirementsPerBlock > RetirementsPerBlockLimit {
		return errorsmod.Wrapf(ErrParams, "retirements_per_block %d, want 1 to %d", p.RetirementsPerBlock, RetirementsPerBlockLimit)
	}
	if p.EligibilityEpochs > EligibilityEpochsLimit {
		return errorsmod.Wrapf(ErrParams, "eligibility_epochs %d, want at most %d", p.EligibilityEpochs, EligibilityEpochsLimit)
	}
	return nil
}
