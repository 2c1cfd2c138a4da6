package keeper

import (
	"context"
	"errors"
	"time"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/rewards/types"
)

// Year returns the emission year, or nil before the first epoch has closed.
func (k *Keeper) Year(ctx context.Context) (*types.EmissionYear, error) {
	y, err := k.year.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	return &y, err
}

// advanceYear returns the emission year that an epoch which ended at a time is paid in: the first one begins with the first
// epoch that closes, the others 365 days after each other. The supply of a year is that of the first close in it.
func (k *Keeper) advanceYear(ctx sdk.Context, end time.Time) (types.EmissionYear, error) {
	last, err := k.Year(ctx)
	if err != nil {
		return types.EmissionYear{}, err
	}
	supply := k.bankKeeper.GetSupply(ctx, types.EmissionDenom).Amount
	year := types.EmissionYear{Number: 1, Start: end.UTC(), Supply: supply}
	if last != nil {
		var begun bool
		if year, begun = last.Begun(end, supply); !begun {
			return year, nil
		}
	}
	if err := k.year.Set(ctx, year); err != nil {
		return types.EmissionYear{}, err
	}
	return year, ctx.EventManager().EmitTypedEvent(&types.EventEmissionYearStarted{Number: year.Number, Supply: year.Supply.String()})
}
