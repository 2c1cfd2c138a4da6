package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/rewards/types"
)

// Supply returns the history of the supply of the token: initial + minted - burned is what exists.
func (k *Keeper) Supply(ctx context.Context) (types.Supply, error) { return k.supply.Get(ctx) }

// initSupply begins the history of the supply: with that of a document, or of a new chain with what its accounts hold. All other
// modules come before. It returns ErrInvalidGenesis if the history does not end with what there is.
func (k *Keeper) initSupply(ctx context.Context, history *types.Supply) error {
	exists := k.bankKeeper.GetSupply(ctx, types.EmissionDenom).Amount
	if history == nil {
		return k.supply.Set(ctx, types.NewSupply(exists))
	}
	if err := history.Validate(); err != nil {
		return errorsmod.Wrap(types.ErrInvalidGenesis, err.Error())
	}
	if !history.Total().Equal(exists) {
		return errorsmod.Wrapf(types.ErrInvalidGenesis, "the supply is %s%s, its history says %s", exists, types.EmissionDenom, history.Total())
	}
	return k.supply.Set(ctx, *history)
}

// addMinted notes tokens that this module has minted.
func (k *Keeper) addMinted(ctx context.Context, amount math.Int) error {
	s, err := k.supply.Get(ctx)
	if err != nil {
		return err
	}
	s.Minted = s.Minted.Add(amount)
	return k.supply.Set(ctx, s)
}

// RecordBurn notes coins that another module has burned; only tokens count. The application calls it after each burn, which can
// be within a slash at the beginning of a block: it fails only if the store does.
func (k *Keeper) RecordBurn(ctx context.Context, coins sdk.Coins) error {
	amount := coins.AmountOf(types.EmissionDenom)
	if !amount.IsPositive() {
		return nil
	}
	s, err := k.supply.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return nil // while the genesis is loaded: the history begins at its end, with what is left
	}
	if err != nil {
		return err
	}
	s.Burned = s.Burned.Add(amount)
	return k.supply.Set(ctx, s)
}
