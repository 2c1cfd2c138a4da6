package app

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
)

// depositsAccount is the module account that holds the deposits on proposals, and nothing else. x/gov would keep them on its own
// account, from which a proposal can spend and to which anybody can send: a refund that finds too little there is an error in
// EndBlock, which halts the chain, and a genesis with a coin too many there does not start.
const depositsAccount = "gov_deposits"

// deposits is x/bank for x/gov, with the account of deposits in the place of x/gov's own.
type deposits struct{ recordedBurns }

func depositsModule(module string) string {
	if module == govtypes.ModuleName {
		return depositsAccount
	}
	return module
}

func depositsAddress(address sdk.AccAddress) sdk.AccAddress {
	if address.Equals(authtypes.NewModuleAddress(govtypes.ModuleName)) {
		return authtypes.NewModuleAddress(depositsAccount)
	}
	return address
}

// GetAllBalances returns what an account has; x/gov compares that of its own with the deposits of a genesis.
func (d deposits) GetAllBalances(ctx context.Context, address sdk.AccAddress) sdk.Coins {
	return d.recordedBurns.GetAllBalances(ctx, depositsAddress(address))
}

// SendCoinsFromModuleToAccount pays a deposit back.
func (d deposits) SendCoinsFromModuleToAccount(ctx context.Context, module string, to sdk.AccAddress, amount sdk.Coins) error {
	return d.recordedBurns.SendCoinsFromModuleToAccount(ctx, depositsModule(module), to, amount)
}

// SendCoinsFromAccountToModule takes a deposit.
func (d deposits) SendCoinsFromAccountToModule(ctx context.Context, from sdk.AccAddress, module string, amount sdk.Coins) error {
	return d.recordedBurns.SendCoinsFromAccountToModule(ctx, from, depositsModule(module), amount)
}

// BurnCoins burns deposits and has them recorded.
func (d deposits) BurnCoins(ctx context.Context, module string, amount sdk.Coins) error {
	return d.recordedBurns.BurnCoins(ctx, depositsModule(module), amount)
}

// depositCharges is x/distribution for x/gov, which pays a part of the deposits of a cancelled proposal into the community pool if it is
// told to.
type depositCharges struct{ govtypes.DistributionKeeper }

// FundCommunityPool implements govtypes.DistributionKeeper.
func (d depositCharges) FundCommunityPool(ctx context.Context, amount sdk.Coins, sender sdk.AccAddress) error {
	return d.DistributionKeeper.FundCommunityPool(ctx, amount, depositsAddress(sender))
}
