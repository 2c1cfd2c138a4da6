// Package onchain asks the chain what it knows about receipts: whether their keys are the registered ones, what was settled
// and paid for them, and where the money went.
package onchain

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"

	sdkmath "cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/chain"
	"github.com/edgechain/edge/client/receipt"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// The names of checks that ask the chain.
const (
	// CheckRegistered: the chain has this public key under the key's id.
	CheckRegistered = "registered-key"
	// CheckPayer: the key is of this account.
	CheckPayer = "registered-account"
	// CheckWorker: the chain has the worker.
	CheckWorker = "worker"
	// CheckEpoch: the epoch has begun.
	CheckEpoch = "epoch"
)

// Chain is what Look asks. *chain.Client is one. Records that do not exist are chain.ErrNotFound.
type Chain interface {
	Status(ctx context.Context) (chain.Status, error)
	Epoch(ctx context.Context) (chain.Epoch, error)
	EpochRecord(ctx context.Context, number uint64) (epochtypes.Epoch, error)
	Key(ctx context.Context, id uint64) (chain.Key, sdkmath.Int, error)
	Worker(ctx context.Context, id uint64) (nodetypes.Worker, error)
	Lanes(ctx context.Context, epoch, workerID, keyID uint64) ([]dacktypes.Lane, error)
	Prices(ctx context.Context, epoch uint64) (ack.Prices, error)
	Params(ctx context.Context) (dacktypes.Params, error)
	EpochSummary(ctx context.Context, epoch uint64) (rewardstypes.EpochSummary, error)
}

// Settled says how the state of a lane on the chain stands to an acknowledgement.
type Settled string

// The relations.
const (
	// SettledNot: nothing of the lane is settled.
	SettledNot Settled = "not-settled"
	// SettledBelow: an older acknowledgement of the lane is settled.
	SettledBelow Settled = "below"
	// SettledAt: this acknowledgement is settled.
	SettledAt Settled = "at"
	// SettledAbove: a newer acknowledgement of the lane is settled, which replaces this one.
	SettledAbove Settled = "above"
	// SettledOther: the settled state is of another chain of receipts.
	SettledOther Settled = "other"
	// SettledGone: the epoch is dead, and the chain keeps its lanes no more.
	SettledGone Settled = "gone"
)

// Found is what the chain knows about a receipt. Amounts are in units of the settlement coin.
type Found struct {
	// Height is the last block of the node when it was asked.
	Height int64          `json:"height"`
	Checks receipt.Checks `json:"checks"`
	// Operator of the worker; empty if the chain does not have the worker.
	Operator string `json:"operator,omitempty"`
	// CurrentEpoch of the chain. Phase of the acknowledgement's epoch; empty if the chain keeps no record of it any more.
	CurrentEpoch uint64 `json:"current_epoch"`
	Phase        string `json:"phase,omitempty"`
	// Live is true while acknowledgements of the epoch can be settled.
	Live    bool    `json:"live"`
	Settled Settled `json:"settled"`
	// Lane is the settled state; nil if there is none.
	Lane  *LaneState `json:"lane,omitempty"`
	Denom string     `json:"denom"`
	// Paid on the lane so far, Price of the acknowledgement at the prices of its epoch, and Owed, what of it is not paid.
	// Price and Owed are empty if the chain keeps the prices no more, all are for SettledGone.
	Paid  string `json:"paid,omitempty"`
	Price string `json:"price,omitempty"`
	Owed  string `json:"owed,omitempty"`
	// Summaries of the epochs in which it can have been debited, as far as they are paid out: its own and the next.
	Summaries []Summary `json:"summaries,omitempty"`
}

// LaneState is what the chain has settled of a lane.
type LaneState struct {
	Requests uint64         `json:"requests"`
	Bytes    uint64         `json:"bytes"`
	Fuel     uint64         `json:"fuel"`
	Head     receipt.Digest `json:"head"`
}

// Summary says where what was debited in an epoch went, from all clients.
type Summary struct {
	Epoch     uint64 `json:"epoch"`
	Debited   string `json:"debited"`
	Nodes     string `json:"nodes"`
	Owners    string `json:"owners"`
	Community string `json:"community"`
	SetAside  string `json:"set_aside"`
}

// Look asks the chain about receipt i of a file. A fact that contradicts the receipt is a check that failed; an error is a chain that
// does not answer, or a node of another chain.
func Look(ctx context.Context, c Chain, f *receipt.File, i int) (*Found, error) {
	r := &f.Receipts[i]
	a := &r.Acknowledgement
	st, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	if st.ChainID != f.ChainID {
		return nil, fmt.Errorf("%w: it is of chain %s, the receipts are of chain %s", chain.ErrChainID, receipt.Printable(st.ChainID), f.ChainID)
	}
	found := &Found{Height: st.Height}
	if err := found.key(ctx, c, r); err != nil {
		return nil, err
	}
	worker, err := c.Worker(ctx, a.WorkerID)
	switch {
	case errors.Is(err, chain.ErrNotFound):
		found.Checks.Add(CheckWorker, receipt.NotIncluded, "the chain has no worker %d; it may have been removed", a.WorkerID)
	case err != nil:
		return nil, err
	default:
		found.Operator = receipt.Printable(worker.Operator)
		found.Checks.Add(CheckWorker, receipt.OK, "worker %d is operated by %s", a.WorkerID, found.Operator)
	}
	if err := found.epoch(ctx, c, a); err != nil {
		return nil, err
	}
	if err := found.lane(ctx, c, a); err != nil {
		return nil, err
	}
	return found, found.summaries(ctx, c, a)
}

// key holds the key against the registered one.
func (found *Found) key(ctx context.Context, c Chain, r *receipt.Receipt) error {
	id := r.Acknowledgement.KeyID
	key, _, err := c.Key(ctx, id)
	switch {
	case errors.Is(err, chain.ErrNotFound):
		found.Checks.Add(CheckRegistered, receipt.Failed, "the chain has no key %d; it never had one, or has removed it after its last acknowledgements died", id)
		return nil
	case err != nil:
		return err
	case string(key.PublicKey) != string(r.PublicKey[:]):
		found.Checks.Add(CheckRegistered, receipt.Failed, "key %d is %x on the chain, %s in the receipt", id, key.PublicKey, r.PublicKey)
		return nil
	}
	found.Checks.Add(CheckRegistered, receipt.OK, "key %d is registered, its last epoch is %d", id, key.LastEpoch)
	if key.LastEpoch < r.Acknowledgement.Epoch {
		found.Checks.Add(CheckRegistered, receipt.Failed, "key %d has ended with epoch %d", id, key.LastEpoch)
	}
	if key.AccountID != r.AccountID {
		found.Checks.Add(CheckPayer, receipt.Failed, "key %d is of account %d, the receipt says %d", id, key.AccountID, r.AccountID)
		return nil
	}
	found.Checks.Add(CheckPayer, receipt.OK, "key %d is of account %d", id, key.AccountID)
	return nil
}

func (found *Found) epoch(ctx context.Context, c Chain, a *receipt.Acknowledgement) error {
	current, err := c.Epoch(ctx)
	if err != nil {
		return err
	}
	found.CurrentEpoch = current.Number
	if a.Epoch > current.Number {
		found.Checks.Add(CheckEpoch, receipt.Failed, "the chain is in epoch %d, the acknowledgement is of epoch %d", current.Number, a.Epoch)
		return nil
	}
	found.Live = a.Epoch >= current.OldestLive
	record, err := c.EpochRecord(ctx, a.Epoch)
	if err != nil && !errors.Is(err, chain.ErrNotFound) {
		return err
	}
	detail := "it is over"
	if err == nil {
		found.Phase = strings.ToLower(strings.TrimPrefix(record.Phase.String(), "PHASE_"))
		detail = "it is " + found.Phase
	}
	if found.Live {
		detail += ", and its acknowledgements can be settled"
	}
	found.Checks.Add(CheckEpoch, receipt.OK, "epoch %d of %d: %s", a.Epoch, current.Number, detail)
	return nil
}

func (found *Found) lane(ctx context.Context, c Chain, a *receipt.Acknowledgement) error {
	params, err := c.Params(ctx)
	if err != nil {
		return err
	}
	found.Denom = params.SettlementDenom
	lanes, err := c.Lanes(ctx, a.Epoch, a.WorkerID, a.KeyID)
	if err != nil && !errors.Is(err, chain.ErrNotFound) {
		return err
	}
	found.Settled = SettledNot
	if !found.Live && a.Epoch <= found.CurrentEpoch {
		found.Settled = SettledGone
	}
	paid := new(big.Int)
	for i := range lanes {
		l := &lanes[i]
		if l.ServiceId != a.ServiceID || l.Lane != uint32(a.Lane) {
			continue
		}
		state := &LaneState{Requests: l.Requests, Bytes: l.Bytes, Fuel: l.Fuel}
		copy(state.Head[:], l.Head)
		found.Lane, found.Settled = state, state.against(a)
		if !l.Paid.IsNil() {
			paid = l.Paid.BigInt()
		}
	}
	if found.Settled == SettledGone {
		return nil
	}
	found.Paid = paid.String()
	if a.Epoch > found.CurrentEpoch {
		return nil
	}
	prices, err := c.Prices(ctx, a.Epoch)
	if errors.Is(err, chain.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	price := prices.Price(a.Bytes, a.Fuel)
	found.Price = price.String()
	found.Owed = "0"
	if owed := price.Sub(price, paid); owed.Sign() > 0 {
		found.Owed = owed.String()
	}
	return nil
}

// against compares a settled state with an acknowledgement.
func (l *LaneState) against(a *receipt.Acknowledgement) Settled {
	below := l.Requests <= a.Requests && l.Bytes <= a.Bytes && l.Fuel <= a.Fuel
	above := l.Requests >= a.Requests && l.Bytes >= a.Bytes && l.Fuel >= a.Fuel
	switch {
	case l.Requests == a.Requests && l.Head != a.Head:
		return SettledOther
	case below && above:
		return SettledAt
	case below:
		return SettledBelow
	case above:
		return SettledAbove
	}
	return SettledOther
}

// summaries looks where the money of the epochs went in which the acknowledgement can have been debited.
func (found *Found) summaries(ctx context.Context, c Chain, a *receipt.Acknowledgement) error {
	for epoch := a.Epoch; epoch <= a.Epoch+1 && epoch < found.CurrentEpoch; epoch++ {
		s, err := c.EpochSummary(ctx, epoch)
		if errors.Is(err, chain.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if !s.Done {
			continue
		}
		found.Summaries = append(found.Summaries, Summary{
			Epoch: epoch, Debited: text(s.Debited), Nodes: text(s.Nodes), Owners: text(s.Owners), Community: text(s.Community), SetAside: text(s.SetAside),
		})
	}
	return nil
}

func text(i sdkmath.Int) string {
	if i.IsNil() {
		return "0"
	}
	return i.String()
}
