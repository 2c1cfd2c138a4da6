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
	// held is what the books said was in the module's account when the payment was loaded.
	held types.Held
}

// books are what the payment says is in the module's account now.
func (p *payment) books() types.Held { return p.summary.Held(p.cursor.Phase) }

// Close is the pay stage of the closing machine. It first collects the revenue of the epoch from x/dack and opens its books,
// then works through the phases in the order of types.PayPhase:
//
//  1. The node share of each worker's revenue, the owner share of each service's, and the rest to the community pool are paid
//     in the settlement coin.
//  2. What nodes, owners and the community pool have earned in tokens is added up, to know by how much the cap of the epoch
//     scales all parts down. This and what follows is left out if there is nothing to earn.
//  3. The tokens of each worker's node, of each service's owner and of the community pool are minted, and the books closed.
//
// Each worker and each service of a phase, and each other step, uses one unit of the budget; the position between calls is the
// epoch's cursor. A payout that fails is set aside and its money or tokens stay in the module's account.
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
	if budget == 0 {
		return 0, false, nil
	}
	if !begun {
		if err := k.begin(ctx, epoch, p); err != nil {
			return 0, false, err
		}
		used++
	}
	for used < budget && !p.summary.Done {
		n, err := k.step(ctx, p, budget-used)
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
	p := &payment{denom: denom, held: types.NewHeld()}
	p.summary, err = k.summaries.Get(ctx, epoch)
	if errors.Is(err, collections.ErrNotFound) {
		return p, false, nil
	}
	if err != nil || p.summary.Done {
		return p, true, err
	}
	p.cursor, err = k.cursors.Get(ctx, epoch)
	p.held = p.books()
	return p, true, err
}

// savePayment writes where the payment is, and what has changed in what the module holds.
func (k *Keeper) savePayment(ctx sdk.Context, p *payment) error {
	if err := k.addHeld(ctx, p.books().Sub(p.held)); err != nil {
		return err
	}
	if err := k.summaries.Set(ctx, p.summary.Epoch, p.summary); err != nil {
		return err
	}
	if p.summary.Done {
		return k.cursors.Remove(ctx, p.summary.Epoch)
	}
	return k.cursors.Set(ctx, p.summary.Epoch, p.cursor)
}

// begin collects the revenue of the epoch and opens its books: with the shares, emission terms and token price of the epoch, and
// with the cap that follows from its planned duration and the emission year in which it ended.
func (k *Keeper) begin(ctx sdk.Context, epoch uint64, p *payment) error {
	record, err := k.epochKeeper.Epoch(ctx, epoch)
	if err != nil {
		return err
	}
	shares, err := k.Shares(ctx, epoch)
	if err != nil {
		return err
	}
	terms, err := k.Terms(ctx, epoch)
	if err != nil {
		return err
	}
	_, price, _, err := k.TokenPrice(ctx, epoch)
	if err != nil {
		return err
	}
	end := ctx.BlockTime()
	if record.EndTime != nil {
		end = *record.EndTime // not when it is paid: that depends on the budget of a block
	}
	year, err := k.advanceYear(ctx, end)
	if err != nil {
		return err
	}
	debited, err := k.dackKeeper.CollectRevenue(ctx, epoch, types.ModuleName)
	if err != nil {
		return err
	}
	emission := types.NewEmissionSummary(terms, price, types.EpochCap(terms.Inflation, year.Supply, record.Duration))
	p.summary = types.NewEpochSummary(epoch, debited, shares, emission)
	p.cursor = types.PayCursor{Epoch: epoch, Phase: types.PAY_PHASE_NODES}
	return nil
}

// step works on at most limit items of the phase at work and returns how many it used. Behind the last one it enters the next
// phase.
func (k *Keeper) step(ctx sdk.Context, p *payment, limit uint32) (uint32, error) {
	switch p.cursor.Phase {
	case types.PAY_PHASE_NODES:
		return k.eachWorker(ctx, p, limit, k.payNode)
	case types.PAY_PHASE_OWNERS:
		return k.eachService(ctx, p, limit, k.payOwner)
	case types.PAY_PHASE_COMMUNITY:
		return 1, k.payCommunity(ctx, p)
	case types.PAY_PHASE_EARN_NODES:
		return k.eachWorker(ctx, p, limit, k.earnNode)
	case types.PAY_PHASE_EARN_OWNERS:
		return k.eachService(ctx, p, limit, k.earnOwner)
	case types.PAY_PHASE_MINT_NODES:
		return k.eachWorker(ctx, p, limit, k.mintNode)
	case types.PAY_PHASE_MINT_OWNERS:
		return k.eachService(ctx, p, limit, k.mintOwner)
	case types.PAY_PHASE_MINT_COMMUNITY:
		return 1, k.finish(ctx, p)
	default:
		return 0, errorsmod.Wrapf(types.ErrBooks, "epoch %d: phase %s", p.summary.Epoch, p.cursor.Phase)
	}
}

// enterNext puts the cursor at the beginning of the next phase that has something to do.
func (p *payment) enterNext() {
	next := p.cursor.Phase + 1
	switch {
	case next == types.PAY_PHASE_EARN_NODES && !p.summary.Emission.Earns(),
		next == types.PAY_PHASE_MINT_NODES && !p.summary.Emission.Mints():
		next = types.PAY_PHASE_MINT_COMMUNITY
	}
	p.cursor.Phase, p.cursor.NextId = next, 0
}

// totals lists summed revenue by worker or by service.
type totals func(ctx context.Context, epoch, from uint64, limit uint32) ([]dacktypes.RevenueRecord, error)

// item is what a phase does with the total of a worker or of a service.
type item func(ctx sdk.Context, p *payment, r dacktypes.RevenueRecord) error

func (k *Keeper) eachWorker(ctx sdk.Context, p *payment, limit uint32, do item) (uint32, error) {
	return k.each(ctx, p, limit, k.dackKeeper.WorkerTotals, func(r dacktypes.RevenueRecord) uint64 { return r.WorkerId }, do)
}

func (k *Keeper) eachService(ctx sdk.Context, p *payment, limit uint32, do item) (uint32, error) {
	return k.each(ctx, p, limit, k.dackKeeper.ServiceTotals, func(r dacktypes.RevenueRecord) uint64 { return r.ServiceId }, do)
}

// each works on at most limit totals from the cursor on.
func (k *Keeper) each(ctx sdk.Context, p *payment, limit uint32, list totals, idOf func(dacktypes.RevenueRecord) uint64, do item) (used uint32, err error) {
	records, err := list(ctx, p.summary.Epoch, p.cursor.NextId, limit)
	if err != nil {
		return 0, err
	}
	for _, r := range records {
		id := idOf(r)
		if id < p.cursor.NextId || id+1 == 0 {
			return 0, errorsmod.Wrapf(types.ErrBooks, "epoch %d %s: record %d behind %d", p.summary.Epoch, p.cursor.Phase, id, p.cursor.NextId)
		}
		if r.Revenue.Amount.IsNil() || r.Revenue.Amount.IsNegative() {
			return 0, errorsmod.Wrapf(types.ErrBooks, "epoch %d %s %d: revenue %s", p.summary.Epoch, p.cursor.Phase, id, r.Revenue.Amount)
		}
		p.cursor.NextId = id + 1
		used++
		if err := do(ctx, p, r); err != nil {
			return 0, err
		}
	}
	if used < limit {
		p.enterNext()
	}
	return used, nil
}

// payNode pays the node share of a worker's revenue to the account of its operator.
func (k *Keeper) payNode(ctx sdk.Context, p *payment, r dacktypes.RevenueRecord) error {
	payout := types.Payout{
		Epoch: p.summary.Epoch, Kind: types.PAYOUT_KIND_NODE, Id: r.WorkerId, Denom: p.denom,
		Amount: types.ShareOf(r.Revenue.Amount, p.summary.Shares.Node),
	}
	if err := p.check(payout); err != nil {
		return err
	}
	failure := protect(ctx, func(sdk.Context) (err error) {
		payout.Recipient, err = k.operatorAccount(r)
		return err
	})
	return k.pay(ctx, p, payout, failure)
}

// payOwner pays the owner share of a service's revenue to whom it belonged to in the epoch. The owner share of the protocol's
// own services is no payout: it stays reserved for the community pool.
func (k *Keeper) payOwner(ctx sdk.Context, p *payment, r dacktypes.RevenueRecord) error {
	payout := types.Payout{
		Epoch: p.summary.Epoch, Kind: types.PAYOUT_KIND_OWNER, Id: r.ServiceId, Denom: p.denom, Recipient: r.Owner,
		Amount: types.ShareOf(r.Revenue.Amount, p.summary.Shares.Owner),
	}
	if err := p.check(payout); err != nil {
		return err
	}
	if payout.Recipient == "" {
		p.summary.Assign(payout)
		return nil
	}
	return k.pay(ctx, p, payout, nil)
}

// check returns ErrBooks if less is left of the epoch's money than a payout takes.
func (p *payment) check(payout types.Payout) error {
	if left := p.summary.Unassigned(); payout.Amount.GT(left) {
		return errorsmod.Wrapf(types.ErrBooks, "epoch %d %s %d: %s of %s that are left", payout.Epoch, payout.Kind, payout.Id, payout.Amount, left)
	}
	return nil
}

// payCommunity gives the rest of the settlement coin to the community pool.
func (k *Keeper) payCommunity(ctx sdk.Context, p *payment) error {
	rest := p.summary.Unassigned()
	if rest.IsNegative() {
		return errorsmod.Wrapf(types.ErrBooks, "epoch %d: %s left of %s", p.summary.Epoch, rest, p.summary.Debited)
	}
	payout := types.Payout{Epoch: p.summary.Epoch, Kind: types.PAYOUT_KIND_COMMUNITY, Denom: p.denom, Amount: p.summary.Settle()}
	p.enterNext()
	return k.pay(ctx, p, payout, nil)
}

// finish mints what is reserved for the community pool, closes the books, and lets x/dack have its totals back.
func (k *Keeper) finish(ctx sdk.Context, p *payment) error {
	if err := k.mintCommunity(ctx, p); err != nil {
		return err
	}
	p.summary.Done = true
	if err := p.summary.Validate(p.cursor.Phase); err != nil {
		return err
	}
	s := p.summary
	if err := k.dackKeeper.ReleaseTotals(ctx, s.Epoch); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventEpochPaid{
		Epoch: s.Epoch, Debited: s.Debited.String(), Nodes: s.Nodes.String(), Owners: s.Owners.String(),
		Community: s.Community.String(), SetAside: s.SetAside.String(),
		Emitted: s.Emission.Minted(true).String(), Forfeited: s.Emission.Forfeited.String(),
	})
}

// pay makes a payout, or sets it aside if it fails or has failed already. A payout of nothing leaves no trace.
func (k *Keeper) pay(ctx sdk.Context, p *payment, payout types.Payout, failure error) error {
	if payout.Amount.IsZero() {
		return nil
	}
	if failure == nil {
		failure = protect(ctx, func(ctx sdk.Context) error { return k.send(ctx, payout) })
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

// operatorAccount returns the account of the operator of a worker, which runs the validator. The total itself names the
// operator: the worker may be long gone.
func (k *Keeper) operatorAccount(r dacktypes.RevenueRecord) (string, error) {
	operator, err := k.validatorCodec.StringToBytes(r.Operator)
	if err != nil {
		return "", errorsmod.Wrapf(err, "operator of worker %d", r.WorkerId)
	}
	return k.addressCodec.BytesToString(operator)
}

// protocolAmount is the part of a worker's revenue that was debited for services of the protocol.
func protocolAmount(p *payment, r dacktypes.RevenueRecord) (math.Int, error) {
	amount := r.ProtocolAmount
	if amount.IsNil() {
		return math.ZeroInt(), nil
	}
	if amount.IsNegative() || amount.GT(r.Revenue.Amount) {
		return math.Int{}, errorsmod.Wrapf(types.ErrBooks, "epoch %d worker %d: %s of %s for services of the protocol",
			p.summary.Epoch, r.WorkerId, amount, r.Revenue.Amount)
	}
	return amount, nil
}

// protect runs f on a branch of the state and keeps what it wrote and emitted only if it returns nil. A panic that the
// input decides counts as an error, see epochtypes.PanicError, so that one recipient cannot stop the others; but if the
// transaction around it has run out of gas, that is the sender's doing and the panic goes on: otherwise anyone could have
// payouts set aside by paying too little gas.
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
