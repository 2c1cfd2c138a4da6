package keeper

import (
	"context"
	"errors"
	stdmath "math"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/rewards/types"
)

// priceReach is how far before an epoch a price can have been set that is in force in one of the epochs looked back on.
const priceReach = types.TokenPriceLookback + types.TokenPriceValidity - 2

// TokenPrice returns the price that is in force in an epoch, the one by which its payments earn tokens, both in units of the
// settlement coin per uedge, and the last epoch in which the first is in force. All are zero if none is in force, or if the
// epoch ended more than types.TokenPriceHistory epochs ago: what it would have to look back on may be pruned.
func (k *Keeper) TokenPrice(ctx context.Context, epoch uint64) (set, counted math.LegacyDec, last uint64, err error) {
	current, err := k.epochKeeper.CurrentNumber(ctx)
	if err != nil {
		return math.LegacyDec{}, math.LegacyDec{}, 0, err
	}
	if current > epoch && current-epoch > types.TokenPriceHistory {
		return math.LegacyZeroDec(), math.LegacyZeroDec(), 0, nil
	}
	var prices []types.TokenPrice
	// A later price does not count in the epoch but can end the one that does.
	rng := new(collections.Range[uint64]).StartInclusive(earlier(epoch, priceReach)).EndExclusive(later(epoch, types.TokenPriceValidity))
	err = k.tokenPrices.Walk(ctx, rng, func(_ uint64, p types.TokenPrice) (bool, error) {
		prices = append(prices, p)
		return false, nil
	})
	if err != nil {
		return math.LegacyDec{}, math.LegacyDec{}, 0, err
	}
	set, counted, last = types.CountedPrice(prices, epoch)
	return set, counted, last, nil
}

// setTokenPrice makes a price count from an epoch on, in place of one that was to count from the same epoch, and removes the
// oldest price if nothing can look back on it any more. At most one price is set for an epoch, so that removing one with each
// that is set keeps their number bounded.
func (k *Keeper) setTokenPrice(ctx context.Context, epoch uint64, price math.LegacyDec) error {
	if err := k.tokenPrices.Set(ctx, epoch, types.TokenPrice{Epoch: epoch, Price: price}); err != nil {
		return err
	}
	oldest, err := k.oldestTokenPrice(ctx)
	if err != nil || oldest >= earlier(epoch, types.TokenPriceHistory+priceReach+1) {
		return err
	}
	return k.tokenPrices.Remove(ctx, oldest)
}

// oldestTokenPrice returns the epoch of the oldest price. There must be one.
func (k *Keeper) oldestTokenPrice(ctx context.Context) (epoch uint64, err error) {
	it, err := k.tokenPrices.Iterate(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	return it.Key()
}

// earlier returns the epoch that is n epochs before another, 0 if there is none.
func earlier(epoch, n uint64) uint64 { return epoch - min(epoch, n) }

// later returns the epoch that is n epochs after another, at most the last one that there can be.
func later(epoch, n uint64) uint64 { return epoch + min(stdmath.MaxUint64-epoch, n) }
