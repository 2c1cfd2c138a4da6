package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	"github.com/edgechain/edge/x/rewards/types"
)

// RetryItem tries a payout again that was set aside. x/epoch calls it for MsgRetryItem and takes the item off its list.
func (k *Keeper) RetryItem(ctx context.Context, epoch uint64, key []byte) error {
	kind, id, err := types.ParseItemKey(key)
	if err != nil {
		return err
	}
	_, err = k.retry(sdk.UnwrapSDKContext(ctx), epoch, kind, id)
	return err
}

// RetryPayout tries a payout again that was set aside, and returns what it paid, in units of the settlement coin. It returns
// ErrPayoutNotFound, ErrNotSetAside or the cause of the failure, which the transaction undoes.
func (k *Keeper) RetryPayout(ctx context.Context, epoch uint64, kind types.PayoutKind, id uint64) (math.Int, error) {
	paid, err := k.retry(sdk.UnwrapSDKContext(ctx), epoch, kind, id)
	if err != nil {
		return math.Int{}, err
	}
	return paid, k.epochKeeper.Resolve(ctx, epoch, epochtypes.StagePay, types.ItemKey(kind, id))
}

func (k *Keeper) retry(ctx sdk.Context, epoch uint64, kind types.PayoutKind, id uint64) (math.Int, error) {
	payout, err := k.payouts.Get(ctx, keyOf(epoch, kind, id))
	if errors.Is(err, collections.ErrNotFound) {
		return math.Int{}, errorsmod.Wrapf(types.ErrPayoutNotFound, "epoch %d kind %s id %d", epoch, kind, id)
	}
	if err != nil {
		return math.Int{}, err
	}
	if !payout.SetAside {
		return math.Int{}, errorsmod.Wrapf(types.ErrNotSetAside, "epoch %d kind %s id %d", epoch, kind, id)
	}
	denom, err := k.dackKeeper.SettlementDenom(ctx)
	if err != nil {
		return math.Int{}, err
	}
	// The recipient is unknown if looking it up is what failed.
	if payout.Recipient == "" {
		if payout.Recipient, err = k.lookUp(ctx, epoch, kind, id); err != nil {
			return math.Int{}, errorsmod.Wrapf(err, "epoch %d kind %s id %d", epoch, kind, id)
		}
	}
	if err := k.send(ctx, denom, payout); err != nil {
		return math.Int{}, errorsmod.Wrapf(err, "epoch %d kind %s id %d", epoch, kind, id)
	}
	summary, err := k.Summary(ctx, epoch)
	if err != nil {
		return math.Int{}, err
	}
	summary.SetAside = summary.SetAside.Sub(payout.Amount)
	payout.SetAside, payout.Cause = false, ""
	summary.Assign(payout)
	if err := k.summaries.Set(ctx, epoch, summary); err != nil {
		return math.Int{}, err
	}
	if err := k.setAside.Remove(ctx, keyOf(epoch, kind, id)); err != nil {
		return math.Int{}, err
	}
	if err := k.storePayout(ctx, payout); err != nil {
		return math.Int{}, err
	}
	return payout.Amount, ctx.EventManager().EmitTypedEvent(&types.EventPayoutRetried{
		Epoch: epoch, Kind: kind, Id: id, Amount: payout.Amount.String(),
	})
}

// lookUp returns the recipient of a payout. For a worker it asks the totals of the epoch, and returns their error.
func (k *Keeper) lookUp(ctx sdk.Context, epoch uint64, kind types.PayoutKind, id uint64) (string, error) {
	if kind != types.PAYOUT_KIND_NODE {
		return k.recipient(ctx, kind, dacktypes.RevenueRecord{Epoch: epoch, ServiceId: id})
	}
	records, err := k.dackKeeper.WorkerTotals(ctx, epoch, id, 1)
	if err != nil {
		return "", err
	}
	if len(records) == 0 || records[0].WorkerId != id {
		return "", errorsmod.Wrapf(types.ErrBooks, "epoch %d has no total of worker %d", epoch, id)
	}
	return k.recipient(ctx, kind, records[0])
}

// storePayout writes a payout, or removes it if it is paid and so old that pruning has passed it by.
func (k *Keeper) storePayout(ctx sdk.Context, payout types.Payout) error {
	key := keyOf(payout.Epoch, payout.Kind, payout.Id)
	if !payout.SetAside {
		pruned, err := k.prunedTo(ctx)
		if err != nil {
			return err
		}
		if before(payout.Epoch, payout.Kind, payout.Id, pruned) {
			return k.payouts.Remove(ctx, key)
		}
	}
	return k.payouts.Set(ctx, key, payout)
}

// prunedTo returns the first position that pruning has not visited.
func (k *Keeper) prunedTo(ctx context.Context) (types.PruneCursor, error) {
	c, err := k.pruneCursor.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return types.PruneCursor{}, nil
	}
	return c, err
}

// before says whether a payout stands before a position in the order of the store.
func before(epoch uint64, kind types.PayoutKind, id uint64, c types.PruneCursor) bool {
	switch {
	case epoch != c.Epoch:
		return epoch < c.Epoch
	case kind != c.Kind:
		return kind < c.Kind
	default:
		return id < c.NextId
	}
}
