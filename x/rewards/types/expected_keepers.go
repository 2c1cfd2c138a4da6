package types

import (
	"context"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// BankKeeper is what x/rewards needs of x/bank.
type BankKeeper interface {
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
	GetSupply(ctx context.Context, denom string) sdk.Coin
	MintCoins(ctx context.Context, moduleName string, amt sdk.Coins) error
	SendCoinsFromModuleToModule(ctx context.Context, senderModule, recipientModule string, amt sdk.Coins) error
	SendCoinsFromModuleToAccount(ctx context.Context, senderModule string, recipient sdk.AccAddress, amt sdk.Coins) error
}

// DistributionKeeper is what x/rewards needs of x/distribution.
type DistributionKeeper interface {
	FundCommunityPool(ctx context.Context, amount sdk.Coins, sender sdk.AccAddress) error
	// AllocateTokensToValidator shares coins that the module of x/distribution already holds between a validator's
	// commission and its delegators.
	AllocateTokensToValidator(ctx context.Context, val stakingtypes.ValidatorI, tokens sdk.DecCoins) error
}

// StakingKeeper is what x/rewards needs of x/staking.
type StakingKeeper interface {
	GetValidator(ctx context.Context, addr sdk.ValAddress) (stakingtypes.Validator, error)
	GetBondedValidatorsByPower(ctx context.Context) ([]stakingtypes.Validator, error)
	GetDelegation(ctx context.Context, delegator sdk.AccAddress, validator sdk.ValAddress) (stakingtypes.Delegation, error)
	// ValidateUnbondAmount returns the shares of a delegation that an amount of tokens is.
	ValidateUnbondAmount(ctx context.Context, delegator sdk.AccAddress, validator sdk.ValAddress, amount math.Int) (math.LegacyDec, error)
}

// SlashingKeeper is what x/rewards needs of x/slashing.
type SlashingKeeper interface {
	IsTombstoned(ctx context.Context, consAddr sdk.ConsAddress) bool
}

// DackKeeper is what x/rewards needs of x/dack.
type DackKeeper interface {
	// WorkerTotals returns the summed revenue of an epoch by worker with its operator, ascending from a worker id on. It does
	// so until ReleaseTotals, however late.
	WorkerTotals(ctx context.Context, epoch, fromWorker uint64, limit uint32) ([]dacktypes.RevenueRecord, error)
	// ServiceTotals returns the summed revenue of an epoch by service, ascending from a service id on.
	ServiceTotals(ctx context.Context, epoch, fromService uint64, limit uint32) ([]dacktypes.RevenueRecord, error)
	// OpenRevenue returns the records of an epoch that are not summed, ascending from a worker and a service on.
	OpenRevenue(ctx context.Context, epoch, fromWorker, fromService uint64, limit uint32) ([]dacktypes.RevenueRecord, error)
	// WorkerSums returns what has been summed so far by worker, ascending from a worker id on.
	WorkerSums(ctx context.Context, epoch, fromWorker uint64, limit uint32) ([]dacktypes.RevenueRecord, error)
	// ServiceSums returns what has been summed so far by service, ascending from a service id on.
	ServiceSums(ctx context.Context, epoch, fromService uint64, limit uint32) ([]dacktypes.RevenueRecord, error)
	// CollectRevenue sends the summed revenue of an epoch to a module account, once.
	CollectRevenue(ctx context.Context, epoch uint64, recipientModule string) (math.Int, error)
	// EpochTotal returns what was debited in an epoch that is summed.
	EpochTotal(ctx context.Context, epoch uint64) (dacktypes.EpochRevenue, error)
	// Totals returns the sums of the books of x/dack.
	Totals(ctx context.Context) (dacktypes.Totals, error)
	// ReleaseTotals says that the totals of an epoch are not needed any more.
	ReleaseTotals(ctx context.Context, epoch uint64) error
	SettlementDenom(ctx context.Context) (string, error)
}

// EpochKeeper is what x/rewards needs of x/epoch.
type EpochKeeper interface {
	CurrentNumber(ctx context.Context) (uint64, error)
	// Epoch returns an epoch with its times and its planned duration.
	Epoch(ctx context.Context, number uint64) (epochtypes.Epoch, error)
	// SetAside lists a payout that failed.
	SetAside(ctx context.Context, epoch uint64, stage string, key []byte, cause error) error
	// SetAsideStages returns stages that are set aside as a whole, of at most limit epochs from one on.
	SetAsideStages(ctx context.Context, from uint64, limit uint32) ([]epochtypes.SetAsideItem, error)
	// Resolve takes it off the list.
	Resolve(ctx context.Context, epoch uint64, stage string, key []byte) error
}
