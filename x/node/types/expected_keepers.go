package types

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
)

// StakingKeeper is what x/node needs of x/staking.
type StakingKeeper interface {
	// GetValidator returns stakingtypes.ErrNoValidatorFound if there is none.
	GetValidator(ctx context.Context, addr sdk.ValAddress) (stakingtypes.Validator, error)
	// BondDenom returns the staking coin.
	BondDenom(ctx context.Context) (string, error)
}

// HeaderHashes is what x/node needs of x/epoch, which depends on it: the application hands it in.
type HeaderHashes interface {
	// HeaderHash returns the hash of the header of a recent block, 32 bytes, or an error if it is not kept.
	HeaderHash(ctx context.Context, height int64) ([]byte, error)
}

// BankKeeper is what x/node needs of x/bank.
type BankKeeper interface {
	SendCoinsFromAccountToModule(ctx context.Context, sender sdk.AccAddress, module string, amt sdk.Coins) error
	SendCoinsFromModuleToAccount(ctx context.Context, module string, recipient sdk.AccAddress, amt sdk.Coins) error
	GetAllBalances(ctx context.Context, addr sdk.AccAddress) sdk.Coins
}
