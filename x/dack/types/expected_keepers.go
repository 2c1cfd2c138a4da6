package types

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	nodetypes "github.com/edgechain/edge/x/node/types"
)

// BankKeeper is what x/dack needs of x/bank.
type BankKeeper interface {
	BlockedAddr(addr sdk.AccAddress) bool
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
	SendCoinsFromAccountToModule(ctx context.Context, sender sdk.AccAddress, recipientModule string, amt sdk.Coins) error
	SendCoinsFromModuleToAccount(ctx context.Context, senderModule string, recipient sdk.AccAddress, amt sdk.Coins) error
	SendCoinsFromModuleToModule(ctx context.Context, senderModule, recipientModule string, amt sdk.Coins) error
}

// EpochKeeper is what x/dack needs of x/epoch.
type EpochKeeper interface {
	// CurrentNumber returns the number of the open epoch.
	CurrentNumber(ctx context.Context) (uint64, error)
	// SetAside records an item of a closing stage that failed.
	SetAside(ctx context.Context, epoch uint64, stage string, key []byte, cause error) error
}

// NodeKeeper is what x/dack needs of x/node.
type NodeKeeper interface {
	// Worker returns a worker by its id, or an error of x/node if there is none.
	Worker(ctx context.Context, id uint64) (nodetypes.Worker, error)
}
