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

// payment is the payment of one epoch at work.
type payment struct {
	denom   string
	summary types.EpochSummary
	cursor  types.PayCursor
}

// Close is the pay stage of the closing machine. It first collects the revenue of the epoch from x/dack, then pays the node
// share of each worker's revenue, the owner share of each service's, and at last the rest to the community pool. Each of
// these steps uses one unit of the budget; the position between calls is the epoch's cursor. A payout that fails is set
// aside and its money stays in the module's account.
//
// It returns an error only if the books of this module or of x/dack are at fault; then nothing of the call is kept.
func (k *Keeper) Close(goCtx context.Context, epoch uint64, budget uint32) (used uint32, done bool, err error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	p, begun, err := k.loadPayment(ctx, epoch)
	if err != nil {
		return 0, false, err
	}
	if p.summary.Done {
		return 0, true, nil
	}
	if !begun && budget > 0 {
		if err := k.begin(ctx, epoch, p); err != nil {
			return 0, false, err
		}
		used++
	}
	for used < budget && !p.summary.Done {
		var n uint32
		switch types.PayoutKind(p.cursor.Phase) {
		case types.PAYOUT_KIND_NODE:
			n, err = k.payRecords(ctx, p, budget-used, k.dackKeeper.WorkerTotals)
		case types.PAYOUT_KIND_OWNER:
			n, err = k.payRecords(ctx, p, budget-used, k.dackKeeper.ServiceTotals)
		default:
			n, err = 1, k.finish(ctx, p)
		}
		if err != nil {
			return 0, false, err
		}
		used += n
	}
	return used, p.summary.Done, k.savePayment(ctx, p)
}

// loadPayment returns the payment of an epoch where the last call left it, and whether there was one.
func (k *Keeper) loadPayment(ctx sdk.Context, epoch uint64) (*payment, bool, error) {
	denom, err := k.dackKeeper.SettlementDenom(ctx)
	if err != nil {
		return nil, false, err
	}
	p := &payment{denom: denom}
	p.summary, err = k.summaries.Get(ctx, epoch)
	if errors.Is(err, collections.ErrNotFound) {
		return p, false, nil
	}
	if err != nil || p.summary.Done {
		return p, true, err
	}
	p.cursor, err = k.cursors.Get(ctx, epoch)
	return p, true, err
}

func (k *Keeper) savePayment(ctx sdk.Context, p *payment) error {
	if err := k.summaries.Set(ctx, p.summary.Epoch, p.summary); err != nil {
		return err
	}
	if p.summary.Done {
		return k.cursors.Remove(ctx, p.summary.Epoch)
	}
	return k.cursors.Set(ctx, p.summary.Epoch, p.cursor)
}

// begin collects the revenue of the epoch and opens its books with the shares of the epoch.
func (k *Keeper) begin(ctx sdk.Context, epoch uint64, p *payment) error {
	shares, err := k.Shares(ctx, epoch)
	if err != nil {
		return err
	}
	debited, err := k.dackKeeper.CollectRevenue(ctx, epoch, types.ModuleName)
	if err != nil {
		return err
	}
	p.summary = types.NewEpochSummary(epoch, debited, shares)
	p.cursor = types.PayCursor{Epoch: epoch, Phase: types.PAY_PHASE_NODES}
	return nil
}

// totals lists summed revenue by worker or by service.
type totals func(ctx context.Context, epoch, from uint64, limit uint32) ([]dacktypes.RevenueRecord, error)

// payRecords pays the shares of at most limit records of the kind at work, and goes on to the next kind behind the last one.
func (k *Keeper) payRecords(ctx sdk.Context, p *payment, limit uint32, list totals) (used uint32, err error) {
	epoch, kind := p.summary.Epoch, types.PayoutKind(p.cursor.Phase)
	records, err := list(ctx, epoch, p.cursor.NextId, limit)
	if err != nil {
		return 0, err
	}
	for _, r := range records {
		id, share := r.WorkerId, p.summary.Shares.Node
		if kind == types.PAYOUT_KIND_OWNER {
			id, share = r.ServiceId, p.summary.Shares.Owner
		}
		if id < p.cursor.NextId || id+1 == 0 {
			return 0, errorsmod.Wrapf(types.ErrBooks, "epoch %d %s: record %d behind %d", epoch, kind, id, p.cursor.NextId)
		}
		p.cursor.NextId = id + 1
		used++
		if err := k.payRecord(ctx, p, kind, r, types.ShareOf(r.Revenue.Amount, share)); err != nil {
			return 0, err
		}
	}
	if used < limit {
		p.cursor.Phase, p.cursor.NextId = types.PayPhase(kind+1), 0
	}
	return used, nil
}

// payRecord pays an amount to the operator of a worker or the owner of a service. The owner share of the protocol's own
// services is no payout: it stays reserved for the community pool.
func (k *Keeper) payRecord(ctx sdk.Context, p *payment, kind types.PayoutKind, r dacktypes.RevenueRecord, amount math.Int) error {
	id := r.WorkerId
	if kind == types.PAYOUT_KIND_OWNER {
		id = r.ServiceId
	}
	if amount.IsNegative() || amount.GT(p.summary.Unassigned()) {
		return errorsmod.Wrapf(types.ErrBooks, "epoch %d %s %d: %s of %s that are left", p.summary.Epoch, kind, id, amount, p.summary.Unassigned())
	}
	payout := types.Payout{Epoch: p.summary.Epoch, Kind: kind, Id: id, Amount: amount}
	failure := protect(ctx, func(ctx sdk.Context) (err error) {
		payout.Recipient, err = k.recipient(ctx, kind, r)
		return err
	})
	if failure == nil && payout.Recipient == "" {
		p.summary.Assign(payout)
		return nil
	}
	return k.pay(ctx, p, payout, failure)
}

// finish gives the rest to the community pool, closes the books, and lets x/dack have its totals back.
func (k *Keeper) finish(ctx sdk.Context, p *payment) error {
	rest := p.summary.Unassigned()
	if rest.IsNegative() {
		return errorsmod.Wrapf(types.ErrBooks, "epoch %d: %s left of %s", p.summary.Epoch, rest, p.summary.Debited)
	}
	payout := types.Payout{Epoch: p.summary.Epoch, Kind: types.PAYOUT_KIND_COMMUNITY, Amount: p.summary.Finish()}
	if err := k.pay(ctx, p, payout, nil); err != nil {
		return err
	}
	if err := p.summary.Validate(); err != nil {
		return err
	}
	s := p.summary
	if err := k.dackKeeper.ReleaseTotals(ctx, s.Epoch); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventEpochPaid{
		Epoch: s.Epoch, Debited: s.Debited.String(), Nodes: s.Nodes.String(), Owners: s.Owners.String(),
		Community: s.Community.String(), SetAside: s.SetAside.String(),
	})
}

// pay makes a payout, or sets it aside if it fails or has failed already. A payout of nothing leaves no trace.
func (k *Keeper) pay(ctx sdk.Context, p *payment, payout types.Payout, failure error) error {
	if payout.Amount.IsZero() {
		return nil
	}
	if failure == nil {
		failure = protect(ctx, func(ctx sdk.Context) error { return k.send(ctx, p.denom, payout) })
	}
	if failure != nil {
		payout.SetAside, payout.Cause = true, epochtypes.Cause(failure)
		if err := k.putAside(ctx, payout, failure); err != nil {
			return err
		}
	}
	p.summary.Assign(payout)
	p.summary.Payouts++
	return k.storePayout(ctx, payout)
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
		Amount: payout.Amount.String(), Cause: payout.Cause,
	})
}

// send moves the money of a payout: to its recipient, or to the community pool if it has none.
func (k *Keeper) send(ctx sdk.Context, denom string, payout types.Payout) error {
	coins := sdk.NewCoins(sdk.NewCoin(denom, payout.Amount))
	if payout.Recipient == "" {
		return k.distributionKeeper.FundCommunityPool(ctx, coins, k.account)
	}
	recipient, err := k.addressCodec.StringToBytes(payout.Recipient)
	if err != nil {
		return err
	}
	return k.bankKeeper.SendCoinsFromModuleToAccount(ctx, types.ModuleName, recipient, coins)
}

// recipient returns the address that the payout for a total goes to, empty for the community pool: the account of the
// operator of a worker, or the owner of a service. The total itself names the operator: the worker may be long gone.
func (k *Keeper) recipient(ctx sdk.Context, kind types.PayoutKind, r dacktypes.RevenueRecord) (string, error) {
	switch kind {
	case types.PAYOUT_KIND_NODE:
		operator, err := k.validatorCodec.StringToBytes(r.Operator)
		if err != nil {
			return "", errorsmod.Wrapf(err, "operator of worker %d", r.WorkerId)
		}
		return k.addressCodec.BytesToString(operator)
	case types.PAYOUT_KIND_OWNER:
		s, err := k.dackKeeper.Service(ctx, r.ServiceId)
		return s.Owner, err
	default:
		return "", nil
	}
}

// protect runs f on a branch of the state and keeps what it wrote and emitted only if it returns nil. A panic that the
// input decides counts as an error, see epochtypes.PanicError, so that one recipient cannot stop the others; but if the transaction around it has run out of gas, that is the
// sender's doing and the panic goes on: otherwise anyone could have payouts set aside by paying too little gas.
func protect(ctx sdk.Context, f func(sdk.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if ctx.GasMeter().IsPastLimit() {
				panic(r)
			}
			err = epochtypes.PanicError(r)
		}
	}()
	branch, write := ctx.CacheContext()
	if err := f(branch); err != nil {
		return err
	}
	write()
	return nil
}
