package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

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

// RetryPayout tries a payout again that was set aside, and returns what it paid, in units of the settlement coin or, for
// emission, in uedge. It returns ErrPayoutNotFound, ErrNotSetAside, ErrStillPaying or the cause of the failure, which the
// transaction undoes.
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
	summary, err := k.Summary(ctx, epoch)
	if err != nil {
		return math.Int{}, err
	}
	if payout.Recipient, err = k.retryRecipient(ctx, summary, payout); err != nil {
		return math.Int{}, errorsmod.Wrapf(err, "epoch %d kind %s id %d", epoch, kind, id)
	}
	if err := k.send(ctx, payout); err != nil {
		return math.Int{}, errorsmod.Wrapf(err, "epoch %d kind %s id %d", epoch, kind, id)
	}
	held := summary.Held(types.PAY_PHASE_MINT_COMMUNITY) // whatever the phase: what is queued does not change here
	summary.Retried(payout)
	payout.SetAside, payout.Cause = false, ""
	summary.Assign(payout)
	if err := k.addHeld(ctx, summary.Held(types.PAY_PHASE_MINT_COMMUNITY).Sub(held)); err != nil {
		return math.Int{}, err
	}
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
		Epoch: epoch, Kind: kind, Id: id, Amount: payout.Amount.String(), Denom: payout.Denom,
	})
}

// retryRecipient returns whom a retried payout goes to, empty for the community pool. That is the recipient that it was set
// aside for, with two exceptions: the operator of a worker is looked up again in the totals of the epoch if there was none; and
// the tokens of a node that does not stand any more go to the community pool, because they are minted already. While the epoch
// is being paid the latter returns ErrStillPaying, because what is booked for the community pool is then still to be minted.
// Tokens of an unbonded node return ErrNodeUnbonded, see mintNode: they wait until it is bonded again or gone, because anyone can
// retry and must not be able to take them from its delegators.
func (k *Keeper) retryRecipient(ctx sdk.Context, summary types.EpochSummary, payout types.Payout) (string, error) {
	switch {
	case payout.Kind == types.PAYOUT_KIND_NODE && payout.Recipient == "":
		records, err := k.dackKeeper.WorkerTotals(ctx, payout.Epoch, payout.Id, 1)
		if err != nil {
			return "", err
		}
		if len(records) == 0 || records[0].WorkerId != payout.Id {
			return "", errorsmod.Wrapf(types.ErrBooks, "epoch %d has no total of worker %d", payout.Epoch, payout.Id)
		}
		return k.operatorAccount(records[0])
	case payout.Kind == types.PAYOUT_KIND_NODE_EMISSION:
		validator, stands, err := k.standingValidator(ctx, payout.Recipient)
		if err != nil {
			return "", err
		}
		if stands && validator.IsUnbonded() {
			return "", errorsmod.Wrapf(types.ErrNodeUnbonded, "operator %s", payout.Recipient)
		}
		if stands {
			return payout.Recipient, nil
		}
		if !summary.Done {
			return "", errorsmod.Wrap(types.ErrStillPaying, "the node is gone")
		}
		return "", nil
	default:
		return payout.Recipient, nil
	}
}

// putAside lists a payout that failed, here and with x/epoch.
func (k *Keeper) putAside(ctx sdk.Context, payout types.Payout, cause error) error {
	if err := k.setAside.Set(ctx, keyOf(payout.Epoch, payout.Kind, payout.Id)); err != nil {
		return err
	}
	if err := k.epochKeeper.SetAside(ctx, payout.Epoch, epochtypes.StagePay, types.ItemKey(payout.Kind, payout.Id), cause); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventPayoutSetAside{
		Epoch: payout.Epoch, Kind: payout.Kind, Id: payout.Id, Recipient: payout.Recipient,
		Amount: payout.Amount.String(), Denom: payout.Denom, Cause: payout.Cause,
	})
}

// send moves the coins of a payout: to its recipient, or to the community pool if it has none. The tokens of a node go to its
// delegators.
func (k *Keeper) send(ctx sdk.Context, payout types.Payout) error {
	coins := coinsOf(payout)
	if payout.Recipient == "" {
		return k.distributionKeeper.FundCommunityPool(ctx, coins, k.account)
	}
	if payout.Kind == types.PAYOUT_KIND_NODE_EMISSION {
		operator, err := k.validatorCodec.StringToBytes(payout.Recipient)
		if err != nil {
			return err
		}
		validator, err := k.stakingKeeper.GetValidator(ctx, operator)
		if err != nil {
			return err
		}
		return k.allocate(ctx, validator, coins)
	}
	recipient, err := k.addressCodec.StringToBytes(payout.Recipient)
	if err != nil {
		return err
	}
	return k.bankKeeper.SendCoinsFromModuleToAccount(ctx, types.ModuleName, recipient, coins)
}

func coinsOf(payout types.Payout) sdk.Coins {
	return sdk.NewCoins(sdk.NewCoin(payout.Denom, payout.Amount))
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
