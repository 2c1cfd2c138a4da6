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
		items: make([]settleItem, len(msg.Acks)), purseIndex: make(map[uint64]int), books: types.NewTotals(),
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
	purses          []settlePurse
	purseIndex      map[uint64]int  // account id -> index in purses; never ranged over
	services        []settleService // ascending by id
	total           types.Revenue
	books           types.Totals // what the settlement changes of the module's books
	opened          uint64       // lane sets that were not there before
}

// settleItem is one acknowledgement with its outcome; a status other than unspecified is final.
type settleItem struct {
	signed    ack.Signed
	key       int // index in keys
	status    types.AckStatus
	paid      math.Int
	totalPaid math.Int
}

// settleKey is a client key that acknowledgements of the settlement name, with its lanes.
type settleKey struct {
	key     types.ClientKey // without what it has spent: the purse knows
	lanes   types.LaneSet
	loaded  bool // lanes are those of the state
	fresh   bool // the state has none
	changed bool
}

// settlePurse is the purse of an account whose keys acknowledgements of the settlement name.
type settlePurse struct {
	purse   types.Purse
	changed bool
	// waiting are the withdrawals that were pending when the settlement began.
	waiting []types.Withdrawal
}

// settleService is a service that acknowledgements of the settlement name, with what they debit for it.
type settleService struct {
	id      uint64
	status  types.AckStatus // why its acknowledgements are refused, unspecified if they are not
	owner   string          // in the epoch in which the money counts; empty if the protocol owns it
	revenue types.Revenue
}

// decide gives a status to each acknowledgement that is refused: first what costs nothing to see, then what needs the
// state, and in the end the signatures of all that are left, as one batch. While they are verified it reads what paying them needs.
func (s *settlement) decide(ctx context.Context, acks []types.Acknowledgement) error {
	batch := ack.NewBatch(ack.HashChainID(sdk.UnwrapSDKContext(ctx).ChainID()), len(acks))
	var (
		verified  []int // items in the batch
		keyID     uint64
		keyStatus types.AckStatus
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
		service, err := s.service(ctx, signed.ServiceID)
		if err != nil {
			return err
		}
		if status := s.services[service].status; status != types.ACK_STATUS_UNSPECIFIED {
			item.status = status
			continue
		}
		item.key = len(s.keys) - 1
		batch.Add(s.keys[item.key].key.PublicKey, &item.signed)
		verified = append(verified, i)
	}
	signatures := batch.Start()
	defer signatures.Wait() // also if a read panics, as Block-STM has it do
	loaded := s.load(ctx, verified)
	for i, ok := range signatures.Wait() {
		if !ok {
			s.items[verified[i]].status = types.ACK_STATUS_BAD_SIGNATURE
		}
	}
	return loaded
}

// load reads the lanes and purses of acknowledgements.
func (s *settlement) load(ctx context.Context, items []int) error {
	for _, i := range items {
		key := &s.keys[s.items[i].key]
		if err := s.loadLanes(ctx, key); err != nil {
			return err
		}
		if _, err := s.loadPurse(ctx, key.key.AccountId); err != nil {
			return err
		}
	}
	return nil
}

// loadKey appends a client key to those of the settlement, or returns why it cannot be used.
func (s *settlement) loadKey(ctx context.Context, id uint64) (types.AckStatus, error) {
	key, err := s.keeper.keyLeaf(ctx, id)
	if errors.Is(err, types.ErrKeyNotFound) {
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

// service returns the index of a service in those of the settlement. Most settlements name one only. A removed service is
// settled for the epochs in which it was there, and its owner is the one of the epoch in which the money counts.
func (s *settlement) service(ctx context.Context, id uint64) (int, error) {
	i, ok := slices.BinarySearchFunc(s.services, id, func(r settleService, id uint64) int { return cmp.Compare(r.id, id) })
	if ok {
		return i, nil
	}
	service := settleService{id: id, revenue: types.NewRevenue()}
	switch stored, err := s.keeper.Service(ctx, id); {
	case errors.Is(err, types.ErrServiceNotFound):
		service.status = types.ACK_STATUS_UNKNOWN_SERVICE
	case err != nil:
		return 0, err
	case !stored.Accepts(s.epoch):
		service.status = types.ACK_STATUS_SERVICE_REMOVED
	default:
		now := stored.At(s.current)
		service.owner = now.Owner
	}
	s.services = slices.Insert(s.services, i, service)
	return i, nil
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
		purse, err := s.loadPurse(ctx, key.key.AccountId)
		if err != nil {
			return err
		}
		left := key.key.LimitIn(s.epoch).Sub(purse.purse.SpentIn(key.key.Id, s.epoch))
		pay := math.MinInt(due, math.MinInt(purse.purse.Payable(), left))
		item.status = types.ACK_STATUS_PARTIAL
		if pay.Equal(due) {
			item.status = types.ACK_STATUS_PAID
		}
		if !pay.IsPositive() {
			continue
		}
		if err := s.draw(purse, key.key.Id, pay); err != nil {
			return err
		}
		revenue := types.Revenue{Amount: pay}
		revenue.Requests, revenue.Bytes, revenue.Fuel = key.lanes.Pay(a, pay)
		key.changed = true
		item.paid = pay
		item.totalPaid = item.totalPaid.Add(pay)
		if err := s.addRevenue(ctx, a.ServiceID, revenue); err != nil {
			return err
		}
	}
	return nil
}

// draw takes an amount out of a purse on behalf of a key and books it: money leaves the balance, then the pending
// withdrawals, and becomes open revenue.
func (s *settlement) draw(purse *settlePurse, key uint64, amount math.Int) error {
	fromBalance := math.MinInt(amount, purse.purse.Balance)
	if err := purse.purse.Draw(amount); err != nil {
		return err
	}
	purse.purse.Spend(key, s.epoch, s.oldestLive, amount)
	purse.changed = true
	s.books.Balances = s.books.Balances.Sub(fromBalance)
	s.books.Pending = s.books.Pending.Sub(amount.Sub(fromBalance))
	return nil
}

func (s *settlement) loadLanes(ctx context.Context, key *settleKey) error {
	if key.loaded {
		return nil
	}
	lanes, err := s.keeper.lanes.Get(ctx, collections.Join3(s.epoch, s.workerID, key.key.Id))
	key.fresh = errors.Is(err, collections.ErrNotFound)
	if err != nil && !key.fresh {
		return err
	}
	key.lanes, key.loaded = lanes, true
	return nil
}

func (s *settlement) loadPurse(ctx context.Context, account uint64) (*settlePurse, error) {
	i, ok := s.purseIndex[account]
	if !ok {
		purse, err := s.keeper.purse(ctx, account)
		if err != nil {
			return nil, err
		}
		i = len(s.purses)
		s.purses = append(s.purses, settlePurse{purse: purse, waiting: purse.Withdrawals})
		s.purseIndex[account] = i
	}
	return &s.purses[i], nil
}

func (s *settlement) addRevenue(ctx context.Context, serviceID uint64, revenue types.Revenue) error {
	i, err := s.service(ctx, serviceID)
	if err != nil {
		return err
	}
	s.services[i].revenue = s.services[i].revenue.Add(revenue)
	s.total = s.total.Add(revenue)
	return nil
}

// write stores what has changed: lanes, purses, the revenue of the worker in the current epoch, and the books.
func (s *settlement) write(ctx context.Context) error {
	k := s.keeper
	for i := range s.keys {
		key := &s.keys[i]
		if !key.changed {
			continue
		}
		if key.fresh {
			s.opened++
		}
		if err := k.lanes.Set(ctx, collections.Join3(s.epoch, s.workerID, key.key.Id), key.lanes); err != nil {
			return err
		}
	}
	for i := range s.purses {
		if purse := &s.purses[i]; purse.changed {
			if err := k.setPurse(ctx, purse.purse); err != nil {
				return err
			}
			if err := s.leaveQueue(ctx, purse); err != nil {
				return err
			}
		}
	}
	for i := range s.services {
		if service := &s.services[i]; service.revenue.Amount.IsPositive() {
			if err := k.addRevenue(ctx, s.current, s.workerID, service.id, service.earned(s.operator)); err != nil {
				return err
			}
		}
	}
	s.books.OpenRevenue = s.total.Amount
	return k.addDelta(ctx, delta{totals: s.books, opened: s.opened})
}

// leaveQueue takes withdrawals of which the settlement has left nothing out of the queue of payouts: an entry with nothing to
// pay would hold up those behind it, and an exported state would not have it.
func (s *settlement) leaveQueue(ctx context.Context, p *settlePurse) error {
	for _, w := range p.waiting[min(len(p.purse.Withdrawals), len(p.waiting)):] { // the newest are used up first
		if err := s.keeper.withdrawals.Remove(ctx, collections.Join(w.Epoch+types.WithdrawalDelay, p.purse.AccountId)); err != nil {
			return err
		}
	}
	return nil
}

// earned is the revenue of a service as the record of its worker takes it in.
func (s *settleService) earned(operator string) types.WorkerRevenue {
	return types.NewWorkerRevenue(s.revenue, operator, s.owner)
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
