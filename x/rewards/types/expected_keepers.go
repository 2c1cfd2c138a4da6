package types

import (
	"context"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// BankKeeper is what x/rewards needs of x/bank.
type BankKeeper interface {
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
	SendCoinsFromModuleToAccount(ctx context.Context, senderModule string, recipient sdk.AccAddress, amt sdk.Coins) error
}

// DistributionKeeper is what x/rewards needs of x/distribution.
type DistributionKeeper interface {
	FundCommunityPool(ctx context.Context, amount sdk.Coins, sender sdk.AccAddress) error
}

// DackKeeper is what x/rewards needs of x/dack.
type DackKeeper interface {
	// WorkerTotals returns the summed revenue of an epoch by worker with its operator, ascending from a worker id on. It does
	// so until ReleaseTotals, however late.
	WorkerTotals(ctx context.Context, epoch, fromWorker uint64, limit uint32) ([]dacktypes.RevenueRecord, error)
	// ServiceTotals returns the summed revenue of an epoch by service, ascending from a service id on.
	ServiceTotals(ctx context.Context, epoch, fromService uint64, limit uint32) ([]dacktypes.RevenueRecord, error)
	// CollectRevenue sends the summed revenue of an epoch to a module account, once.
	CollectRevenue(ctx context.Context, epoch uint64, recipientModule string) (math.Int, error)
	// ReleaseTotals says that the totals of an epoch are not needed any more.
	ReleaseTotals(ctx context.Context, epoch uint64) error
	Service(ctx context.Context, id uint64) (dacktypes.Service, error)
	SettlementDenom(ctx context.Context) (string, error)
}

// EpochKeeper is what x/rewards needs of x/epoch.
type EpochKeeper interface {
	CurrentNumber(ctx context.Context) (uint64, error)
	// SetAside lists a payout that failed.
	SetAside(ctx context.Context, epoch uint64, stage string, key []byte, cause error) error
	// Resolve takes it off the list.
	Resolve(ctx context.Context, epoch uint64, stage string, key []byte) error
}
