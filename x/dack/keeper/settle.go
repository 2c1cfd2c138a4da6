package keeper

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// SettleRules returns what every settlement of a transaction is checked against: the parameters and the current epoch.
func (k *Keeper) SettleRules(ctx context.Context) (types.Params, uint64, error) {
	params, err := k.params.Get(ctx)
	if err != nil {
		return types.Params{}, 0, err
	}
	current, err := k.epoch.CurrentNumber(ctx)
	return params, current, err
}

// CheckSettle is what can be said about a settlement before any signature is verified: its size, its order, that its epoch
// lives, and that the worker's account sent it. The ante decorator and the handler share it. It returns the worker.
func (k *Keeper) CheckSettle(ctx context.Context, params types.Params, current uint64, msg *types.MsgSettle) (nodetypes.Worker, error) {
	if err := msg.Check(params.MaxAcks); err != nil {
		return nodetypes.Worker{}, err
	}
	if oldest := epochtypes.OldestLive(current); msg.Epoch < oldest {
		return nodetypes.Worker{}, errorsmod.Wrapf(types.ErrDeadEpoch, "epoch %d, the oldest live one is %d", msg.Epoch, oldest)
	}
	if msg.Epoch > current {
		return nodetypes.Worker{}, errorsmod.Wrapf(types.ErrFutureEpoch, "epoch %d, the current one is %d", msg.Epoch, current)
	}
	sender, err := k.addresses.StringToBytes(msg.Account)
	if err != nil {
		return nodetypes.Worker{}, errorsmod.Wrapf(types.ErrWrongAccount, "%s", err)
	}
	worker, err := k.node.Worker(ctx, msg.WorkerId)
	if err != nil {
		return nodetypes.Worker{}, err
	}
	account, err := k.addresses.StringToBytes(worker.Account)
	if err != nil {
		return nodetypes.Worker{}, errorsmod.Wrapf(err, "worker %d", worker.Id)
	}
	if !bytes.Equal(sender, account) {
		return nodetypes.Worker{}, errorsmod.Wrapf(types.ErrWrongAccount, "worker %d", worker.Id)
	}
	if !worker.MaySettle(msg.Epoch) {
		return nodetypes.Worker{}, errorsmod.Wrapf(types.ErrWorkerNotAllowed, "worker %d, %s since epoch %d", worker.Id, worker.Status, worker.RetiredEpoch)
	}
	return worker, nil
}

// settle pays what is due on the acknowledgements of a settlement. Its gas is exactly Params.SettleGas: it is consumed
// once the message has passed CheckSettle, and the work runs on a meter of its own.
func (k *Keeper) settle(ctx sdk.Context, msg *types.MsgSettle) (*types.MsgSettleResponse, error) {
	outer := ctx.GasMeter()
	ctx = ctx.WithGasMeter(storetypes.NewInfiniteGasMeter())
	params, current, err := k.SettleRules(ctx)
	if err != nil {
		return nil, err
	}
	worker, err := k.CheckSettle(ctx, params, current, msg)
	if err != nil {
		return nil, err
	}
	outer.ConsumeGas(params.SettleGas(len(msg.Acks)), "settlement")

	prices, err := k.Prices(ctx, msg.Epoch)
	if err != nil {
		return nil, err
	}
	s := &settlement{
		keeper: k, epoch: msg.Epoch, workerID: msg.WorkerId, operator: worker.Operator,
		current: current, oldestLive: epochtypes.OldestLive(current), prices: prices.Ack(),
		items: make([]settleItem, len(msg.Acks)), accountIndex: make(map[uint64]int),
	}
	if err := s.decide(ctx, msg.Acks); err != nil {
		return nil, err
	}
	if err := s.pay(ctx); err != nil {
		return nil, err
	}
	if err := s.write(ctx); err != nil {
		return nil, err
	}
	response, event := s.outcome()
	if err := ctx.EventManager().EmitTypedEvent(event); err != nil {
		return nil, err
	}
	return response, nil
}

// settlement is one MsgSettle at work. It lives for one call.
type settlement struct {
	keeper          *Keeper
	epoch, workerID uint64
	operator        string // of the worker
	current         uint64 // epoch in which the money counts
	oldestLive      uint64
	prices          ack.Prices
	items           []settleItem
	keys            []settleKey // in the order of the message, so ascending by id
	accounts        []settleAccount
	accountIndex    map[uint64]int // account id -> index in accounts; never ranged over
	services        []types.RevenueRecord
	total           types.Revenue
}

// settleItem is one acknowledgement with its outcome; a status other than unspecified is final.
type settleItem struct {
	signed    ack.Signed
	key       int // index in keys
	status    types.AckStatus
	paid      math.Int
	totalPaid math.Int
}

// settleKey is a client key that acknowledgements of the settlement name.
type settleKey struct {
	key     types.ClientKey
	lanes   types.LaneSet
	loaded  bool // lanes are those of the state
	changed bool
}

type settleAccount struct {
	account types.Account
	changed bool
}

// decide gives a status to each acknowledgement that is refused: first what costs nothing to see, then what needs the
// state, and in the end the signatures of all that are left, as one batch.
func (s *settlement) decide(ctx context.Context, acks []types.Acknowledgement) error {
	batch := ack.NewBatch(ack.HashChainID(sdk.UnwrapSDKContext(ctx).ChainID()), len(acks))
	var (
		verified  []int // items in the batch
		keyID     uint64
		keyStatus types.AckStatus
		services  serviceCache
		nothing   = math.ZeroInt()
	)
	for i := range acks {
		item := &s.items[i]
		item.paid, item.totalPaid = nothing, nothing
		signed, err := acks[i].Signed(s.epoch, s.workerID)
		if err != nil {
			item.status = types.ACK_STATUS_OUT_OF_RANGE
			continue
		}
		item.signed = signed
		if signed.KeyID != keyID { // ascending, so that each key is read once
			keyID = signed.KeyID
			if keyStatus, err = s.loadKey(ctx, keyID); err != nil {
				return err
			}
		}
		if keyStatus != types.ACK_STATUS_UNSPECIFIED {
			item.status = keyStatus
			continue
		}
		known, err := services.has(ctx, s.keeper, signed.ServiceID)
		if err != nil {
			return err
		}
		if !known {
			item.status = types.ACK_STATUS_UNKNOWN_SERVICE
			continue
		}
		item.key = len(s.keys) - 1
		batch.Add(s.keys[item.key].key.PublicKey, &item.signed)
		verified = append(verified, i)
	}
	for i, ok := range batch.Verify() {
		if !ok {
			s.items[verified[i]].status = types.ACK_STATUS_BAD_SIGNATURE
		}
	}
	return nil
}

// loadKey appends a client key to those of the settlement, or returns why it cannot be used.
func (s *settlement) loadKey(ctx context.Context, id uint64) (types.AckStatus, error) {
	key, err := s.keeper.keys.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.ACK_STATUS_UNKNOWN_KEY, nil
	}
	if err != nil {
		return 0, err
	}
	if key.LastEpoch < s.epoch {
		return types.ACK_STATUS_KEY_EXPIRED, nil
	}
	s.keys = append(s.keys, settleKey{key: key})
	return types.ACK_STATUS_UNSPECIFIED, nil
}

// serviceCache remembers the services that a settlement has asked for: most name one only.
type serviceCache struct {
	ids   []uint64
	known []bool
}

func (c *serviceCache) has(ctx context.Context, k *Keeper, id uint64) (bool, error) {
	i, ok := slices.BinarySearch(c.ids, id)
	if ok {
		return c.known[i], nil
	}
	known, err := k.services.Has(ctx, id)
	if err != nil {
		return false, err
	}
	c.ids = slices.Insert(c.ids, i, id)
	c.known = slices.Insert(c.known, i, known)
	return known, nil
}

// pay settles the acknowledgements that were not refused, in the order of the message:
//
//	due = price(totals) - what was paid on the lane
//	pay = min(due, payable of the account, what is left of the key's limit in the epoch of the acknowledgement)
//
// A lane on which nothing is paid is not written.
func (s *settlement) pay(ctx context.Context) error {
	s.total = types.NewRevenue()
	for i := range s.items {
		item := &s.items[i]
		if item.status != types.ACK_STATUS_UNSPECIFIED {
			continue
		}
		key := &s.keys[item.key]
		if err := s.loadLanes(ctx, key); err != nil {
			return err
		}
		a := &item.signed.Ack
		item.totalPaid = key.lanes.Paid(a.ServiceID, uint32(a.Lane))
		due := math.NewIntFromBigInt(s.prices.Price(a.Bytes, a.Fuel)).Sub(item.totalPaid)
		if !due.IsPositive() {
			item.status = types.ACK_STATUS_NOTHING_DUE
			continue
		}
		if _, ok := key.lanes.Find(a.ServiceID, uint32(a.Lane)); !ok && key.lanes.Full() {
			item.status = types.ACK_STATUS_TOO_MANY_LANES
			continue
		}
		account, err := s.loadAccount(ctx, key.key.AccountId)
		if err != nil {
			return err
		}
		pay := math.MinInt(due, math.MinInt(account.account.Payable(), key.key.Left(s.epoch)))
		item.status = types.ACK_STATUS_PARTIAL
		if pay.Equal(due) {
			item.status = types.ACK_STATUS_PAID
		}
		if !pay.IsPositive() {
			continue
		}
		if err := account.account.Draw(pay); err != nil {
			return err
		}
		account.changed = true
		key.key.Spend(s.epoch, s.oldestLive, pay)
		revenue := types.Revenue{Amount: pay}
		revenue.Requests, revenue.Bytes, revenue.Fuel = key.lanes.Pay(a, pay)
		key.changed = true
		item.paid = pay
		item.totalPaid = item.totalPaid.Add(pay)
		s.addRevenue(a.ServiceID, revenue)
	}
	return nil
}

func (s *settlement) loadLanes(ctx context.Context, key *settleKey) error {
	if key.loaded {
		return nil
	}
	lanes, err := s.keeper.lanes.Get(ctx, collections.Join3(s.epoch, s.workerID, key.key.Id))
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return err
	}
	key.lanes, key.loaded = lanes, true
	return nil
}

func (s *settlement) loadAccount(ctx context.Context, id uint64) (*settleAccount, error) {
	i, ok := s.accountIndex[id]
	if !ok {
		account, err := s.keeper.Account(ctx, id)
		if err != nil {
			return nil, err
		}
		i = len(s.accounts)
		s.accounts = append(s.accounts, settleAccount{account: account})
		s.accountIndex[id] = i
	}
	return &s.accounts[i], nil
}

func (s *settlement) addRevenue(serviceID uint64, revenue types.Revenue) {
	i, ok := slices.BinarySearchFunc(s.services, serviceID, func(r types.RevenueRecord, id uint64) int {
		return cmp.Compare(r.ServiceId, id)
	})
	if !ok {
		s.services = slices.Insert(s.services, i, types.RevenueRecord{ServiceId: serviceID, Revenue: types.NewRevenue()})
	}
	s.services[i].Revenue = s.services[i].Revenue.Add(revenue)
	s.total = s.total.Add(revenue)
}

// write stores what has changed: clients, their lanes, and the revenue of the worker in the current epoch.
func (s *settlement) write(ctx context.Context) error {
	k := s.keeper
	for i := range s.keys {
		key := &s.keys[i]
		if !key.changed {
			continue
		}
		if err := k.lanes.Set(ctx, collections.Join3(s.epoch, s.workerID, key.key.Id), key.lanes); err != nil {
			return err
		}
		if err := k.keys.Set(ctx, key.key.Id, key.key); err != nil {
			return err
		}
	}
	for i := range s.accounts {
		if account := &s.accounts[i]; account.changed {
			if err := k.accounts.Set(ctx, account.account.Id, account.account); err != nil {
				return err
			}
		}
	}
	for _, r := range s.services {
		revenue := types.WorkerRevenue{Revenue: r.Revenue, Operator: s.operator}
		if err := k.addRevenue(ctx, s.current, s.workerID, r.ServiceId, revenue); err != nil {
			return err
		}
	}
	return nil
}

// outcome returns the results in the order of the message, and the event that carries the totals.
func (s *settlement) outcome() (*types.MsgSettleResponse, *types.EventSettled) {
	event := &types.EventSettled{
		WorkerId: s.workerID, Epoch: s.epoch, Acks: uint32(len(s.items)),
		Amount: s.total.Amount.String(), Requests: s.total.Requests, Bytes: s.total.Bytes, Fuel: s.total.Fuel,
	}
	results := make([]types.AckResult, len(s.items))
	for i := range s.items {
		item := &s.items[i]
		results[i] = types.AckResult{Status: item.status, Paid: item.paid, TotalPaid: item.totalPaid}
		switch item.status {
		case types.ACK_STATUS_PAID:
			event.PaidAcks++
		case types.ACK_STATUS_PARTIAL:
			event.PartialAcks++
		case types.ACK_STATUS_NOTHING_DUE:
			event.NothingDueAcks++
		default:
			event.RefusedAcks++
		}
	}
	return &types.MsgSettleResponse{Results: results}, event
}
