package app

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
)

// recordedBurns is x/bank for the modules that burn coins: x/staking, for slashes and for the fee of a key rotation, and x/gov, for
// deposits. x/rewards hears of every burn, so that the supply can be explained at any height. No other module has the permission
// to burn, see moduleAccounts.
type recordedBurns struct {
	bankkeeper.BaseKeeper

	record func(ctx context.Context, coins sdk.Coins) error
}

// BurnCoins burns coins of a module's account and has them recorded.
func (b recordedBurns) BurnCoins(ctx context.Context, module string, coins sdk.Coins) error {
	if err := b.BaseKeeper.BurnCoins(ctx, module, coins); err != nil {
		return err
	}
	return b.record(ctx, coins)
}
