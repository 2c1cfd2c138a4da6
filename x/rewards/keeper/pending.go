package keeper

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"cosmossdk.io/collections"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	"github.com/edgechain/edge/x/rewards/types"
)

// payee is whose pending payments are looked for: the operator of a node, or an owner of services.
type payee struct {
	address  []byte
	operator bool
}

// pendingPart is where a pending payment can stand.
type pendingPart byte

const (
	// pendingSetAside are the payouts that are set aside, of all epochs.
	pendingSetAside pendingPart = iota
	// pendingRecords are an epoch's records that are not summed.
	pendingRecords
	// pendingSums are an epoch's sums, by worker for operators and by service for owners.
	pendingSums
)

// pendingSource is a list in which pending payments stand.
type pendingSource struct {
	part  pendingPart
	epoch uint64
	state types.PendingState
	// from is the first id that is not paid yet.
	from uint64
	// reason is why the closing of the epoch does not go on, if it does not.
	reason string
}

// maxStagesSetAside bounds the epochs that are looked at for stages that are set aside as a whole. Those are faults of the books, which
// somebody has to look into; whatever is behind so many shows when they are retried.
const maxStagesSetAside = 100

// pendingPosition is where a page begins: an entry of a source. The sources ascend by epoch and part.
type pendingPosition struct {
	epoch uint64
	part  pendingPart
	// ids of the entry: epoch, kind and id of a payout; worker and service of a record; worker or service of a sum.
	ids [3]uint64
}

// pendingSources returns where payments to a payee can stand, in order: what is set aside; of every epoch that is being paid what the
// payment has not visited; all of the epochs whose payment has not begun because a stage of their closing is set aside as a whole; and
// all of the epoch that was closed last, if its payment has not begun, and of the open one.
func (k *Keeper) pendingSources(ctx context.Context, who payee) ([]pendingSource, error) {
	phase := types.PAY_PHASE_OWNERS
	if who.operator {
		phase = types.PAY_PHASE_NODES
	}
	stages, err := k.epochKeeper.SetAsideStages(ctx, 0, maxStagesSetAside)
	if err != nil {
		return nil, err
	}
	var epochs []pendingSource // in order, without the first list
	err = k.cursors.Walk(ctx, nil, func(epoch uint64, c types.PayCursor) (bool, error) {
		if c.Phase <= phase {
			s := pendingSource{part: pendingSums, epoch: epoch, state: types.PENDING_STATE_CLOSING}
			if c.Phase == phase {
				s.from = c.NextId
			}
			epochs = append(epochs, s)
		}
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	current, err := k.epochKeeper.CurrentNumber(ctx)
	if err != nil {
		return nil, err
	}
	begin := current - min(1, current)
	for _, item := range stages {
		if item.Epoch >= begin {
			break
		}
		if epochs, err = k.appendUnpaid(ctx, epochs, item.Epoch, types.PENDING_STATE_CLOSING); err != nil {
			return nil, err
		}
	}
	for epoch := begin; epoch <= current; epoch++ {
		state := types.PENDING_STATE_CLOSING
		if epoch == current {
			state = types.PENDING_STATE_OPEN
		}
		if epochs, err = k.appendUnpaid(ctx, epochs, epoch, state); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(epochs, func(a, b pendingSource) int {
		return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.part, b.part))
	})
	for _, item := range stages {
		for i := range epochs {
			if epochs[i].epoch == item.Epoch {
				epochs[i].state = types.PENDING_STATE_SET_ASIDE
				epochs[i].reason = "stage " + item.Stage + ": " + item.Cause
			}
		}
	}
	return append([]pendingSource{{part: pendingSetAside, state: types.PENDING_STATE_SET_ASIDE}}, epochs...), nil
}

// appendUnpaid appends what was debited in an epoch, unless its payment has begun.
func (k *Keeper) appendUnpaid(ctx context.Context, sources []pendingSource, epoch uint64, state types.PendingState) ([]pendingSource, error) {
	begun, err := k.summaries.Has(ctx, epoch)
	if err != nil || begun || epoch == 0 {
		return sources, err
	}
	return append(sources,
		pendingSource{part: pendingRecords, epoch: epoch, state: state}, pendingSource{part: pendingSums, epoch: epoch, state: state}), nil
}

// Pending returns payments that a payee waits for, from a position on. It visits at most limit entries, whoever's they are, and
// returns the position of the first one that it has not visited; nil if there is none.
//
// What is not shared yet is an estimate: the settlement coin alone, by the shares of the epoch, each entry rounded by itself. Several
// payments can have the same epoch, kind and id; they add up.
func (k *Keeper) pending(ctx context.Context, who payee, begin pendingPosition, limit uint32) ([]types.PendingPayment, *pendingPosition, error) {
	denom, err := k.dackKeeper.SettlementDenom(ctx)
	if err != nil {
		return nil, nil, err
	}
	sources, err := k.pendingSources(ctx, who)
	if err != nil {
		return nil, nil, err
	}
	var payments []types.PendingPayment
	for _, s := range sources {
		if s.epoch < begin.epoch || s.epoch == begin.epoch && s.part < begin.part {
			continue
		}
		at := pendingPosition{epoch: s.epoch, part: s.part}
		if s.epoch == begin.epoch && s.part == begin.part {
			at.ids = begin.ids
		}
		// One more than the limit tells where the next page begins.
		found, ids, err := k.pendingOf(ctx, who, s, at.ids, limit+1, denom)
		if err != nil {
			return nil, nil, err
		}
		if uint64(len(ids)) > uint64(limit) {
			at.ids = ids[limit]
			return append(payments, compact(found[:limit])...), &at, nil
		}
		payments = append(payments, compact(found)...)
		limit -= uint32(len(ids))
	}
	return payments, nil, nil
}

// compact leaves out the entries that are nothing for the payee.
func compact(found []types.PendingPayment) []types.PendingPayment {
	return slices.DeleteFunc(found, func(p types.PendingPayment) bool { return p.Amount.IsNil() || p.Amount.IsZero() })
}

// pendingOf returns at most limit entries of a source from some ids on, as payments to the payee, with an empty one for each entry that
// is nobody's of his, and the ids of each.
func (k *Keeper) pendingOf(
	ctx context.Context, who payee, s pendingSource, from [3]uint64, limit uint32, denom string,
) ([]types.PendingPayment, [][3]uint64, error) {
	if s.part == pendingSetAside {
		return k.pendingPayouts(ctx, who, from, limit)
	}
	shares, err := k.Shares(ctx, s.epoch)
	if err != nil {
		return nil, nil, err
	}
	kind, share := types.PAYOUT_KIND_OWNER, shares.Owner
	if who.operator {
		kind, share = types.PAYOUT_KIND_NODE, shares.Node
	}
	records, err := k.pendingRecords(ctx, who, s, from, limit)
	if err != nil {
		return nil, nil, err
	}
	found, ids := make([]types.PendingPayment, len(records)), make([][3]uint64, len(records))
	for i, r := range records {
		id := r.ServiceId
		if who.operator {
			id = r.WorkerId
		}
		ids[i] = [3]uint64{id}
		if s.part == pendingRecords {
			ids[i] = [3]uint64{r.WorkerId, r.ServiceId}
		}
		mine, err := k.isPayee(who, r)
		if err != nil {
			return nil, nil, err
		}
		if mine {
			found[i] = types.PendingPayment{
				Epoch: s.epoch, Kind: kind, Id: id, State: s.state, Amount: types.ShareOf(r.Revenue.Amount, share), Denom: denom,
				Reason: s.reason,
			}
		}
	}
	return found, ids, nil
}

// pendingRecords returns at most limit records or sums of a source.
func (k *Keeper) pendingRecords(ctx context.Context, who payee, s pendingSource, from [3]uint64, limit uint32) ([]dacktypes.RevenueRecord, error) {
	switch {
	case s.part == pendingRecords:
		return k.dackKeeper.OpenRevenue(ctx, s.epoch, from[0], from[1], limit)
	case who.operator:
		return k.dackKeeper.WorkerSums(ctx, s.epoch, max(from[0], s.from), limit)
	default:
		return k.dackKeeper.ServiceSums(ctx, s.epoch, max(from[0], s.from), limit)
	}
}

// isPayee says whether a share of a record goes to the payee.
func (k *Keeper) isPayee(who payee, r dacktypes.RevenueRecord) (bool, error) {
	if who.operator {
		address, err := k.validatorCodec.StringToBytes(r.Operator)
		return err == nil && bytes.Equal(address, who.address), err
	}
	if r.Owner == "" {
		return false, nil
	}
	address, err := k.addressCodec.StringToBytes(r.Owner)
	return err == nil && bytes.Equal(address, who.address), err
}

// pendingPayouts returns at most limit payouts that are set aside.
func (k *Keeper) pendingPayouts(ctx context.Context, who payee, from [3]uint64, limit uint32) ([]types.PendingPayment, [][3]uint64, error) {
	var keys []payoutKey
	start := collections.Join3(from[0], uint16(from[1]), from[2])
	err := k.setAside.Walk(ctx, new(collections.Range[payoutKey]).StartInclusive(start), func(key payoutKey) (bool, error) {
		keys = append(keys, key)
		return uint64(len(keys)) >= uint64(limit), nil
	})
	if err != nil {
		return nil, nil, err
	}
	found, ids := make([]types.PendingPayment, len(keys)), make([][3]uint64, len(keys))
	for i, key := range keys {
		ids[i] = [3]uint64{key.K1(), uint64(key.K2()), key.K3()}
		p, err := k.payouts.Get(ctx, key)
		if err != nil {
			return nil, nil, err
		}
		if k.isRecipient(who, p) {
			found[i] = types.PendingPayment{
				Epoch: p.Epoch, Kind: p.Kind, Id: p.Id, State: types.PENDING_STATE_SET_ASIDE, Amount: p.Amount, Denom: p.Denom,
				Reason: p.Cause,
			}
		}
	}
	return found, ids, nil
}

// isRecipient says whether a payout goes to the payee: to the account of an operator or to his validator, or to an owner.
func (k *Keeper) isRecipient(who payee, p types.Payout) bool {
	if who.operator != (p.Kind == types.PAYOUT_KIND_NODE || p.Kind == types.PAYOUT_KIND_NODE_EMISSION) {
		return false
	}
	codec := k.addressCodec
	if p.Kind == types.PAYOUT_KIND_NODE_EMISSION {
		codec = k.validatorCodec
	}
	address, err := codec.StringToBytes(p.Recipient)
	return err == nil && bytes.Equal(address, who.address)
}

// payeeOf returns the payee that an address names: the operator of a validator, or an account.
func (k *Keeper) payeeOf(address string) (payee, error) {
	operator, errOperator := k.validatorCodec.StringToBytes(address)
	if errOperator == nil {
		return payee{operator, true}, nil
	}
	account, err := k.addressCodec.StringToBytes(address)
	if err != nil {
		return payee{}, errors.Join(err, errOperator)
	}
	return payee{account, false}, nil
}
