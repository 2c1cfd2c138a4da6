package rollup

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// adopt takes up a transaction that the pool holds as in flight: one from before a crash or a stop.
func (r *Rollup) adopt(view chain.View) {
	held := r.deps.Pool.InFlight()
	if len(held) == 0 {
		return
	}
	tx := held[0]
	// It may have been sent and may be in any block in which it was valid.
	r.setFlight(&flight{tx: tx, scanned: min(max(tx.TimeoutHeight-r.cfg.TimeoutBlocks, 1)-1, view.Height)})
	r.log.Info("settlement is followed again", "epoch", tx.Epoch, "acks", len(tx.Acks), "hash", hashText(tx.Hash))
}

// follow looks for the transaction in flight and reports whether it has come to an end.
//
// The node's index answers first. Until the timeout height has passed that is enough, because the next look finds what
// this one missed. At the end, and if the node has no index, the blocks themselves are looked through, so that "not found"
// is certain. Only if the node does not have those blocks any more the batch is given back uncertain; should it have been
// paid, the chain says so when the same acknowledgements are settled again, and pays nothing twice.
func (r *Rollup) follow(ctx context.Context, view chain.View) bool {
	f := r.flight
	if now := time.Now(); view.Height > f.looked || !now.Before(f.lookAgain) {
		f.looked, f.lookAgain = view.Height, now.Add(r.cfg.FirstBackoff)
	} else {
		// Hints wake the loop more often than there is anything new.
		return false
	}
	included, err := r.find(ctx, view)
	switch {
	case err == nil && included.Height > view.Height:
		// Committed, but the view is older: the verdict waits for it.
		return false
	case err == nil:
		if err := r.confirmed(ctx, included); err != nil {
			return r.unconfirmed(view, err)
		}
		return r.conclude(ctx, included)
	case !errors.Is(err, chain.ErrTxNotFound):
		r.log.Warn("settlement was not looked up", "hash", hashText(f.tx.Hash), "err", err)
		if view.Height > f.tx.TimeoutHeight+10*r.cfg.TimeoutBlocks {
			r.abandon(resultUnknown, fmt.Errorf("the node does not have the blocks up to height %d any more: %w", f.tx.TimeoutHeight, err))
			return r.flight == nil
		}
		return false
	case view.Height >= f.tx.TimeoutHeight:
		r.abandon(resultTimedOut, fmt.Errorf("not in a block up to height %d", f.tx.TimeoutHeight))
		return r.flight == nil
	}
	if len(f.tx.Bytes) > 0 && !time.Now().Before(f.again) && view.Height+1 < f.tx.TimeoutHeight {
		r.broadcast(ctx)
	}
	return r.flight == nil
}

// find returns the transaction in flight, chain.ErrTxNotFound if it is in no block up to the view's height, or another
// error if that cannot be told.
func (r *Rollup) find(ctx context.Context, view chain.View) (chain.Included, error) {
	f := r.flight
	callCtx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	included, indexErr := r.deps.Node.FindTx(callCtx, f.tx.Hash)
	if indexErr == nil {
		return included, nil
	}
	if errors.Is(indexErr, chain.ErrTxNotFound) && view.Height < f.tx.TimeoutHeight {
		return chain.Included{}, indexErr
	}
	for height := f.scanned + 1; height <= min(view.Height, f.tx.TimeoutHeight); height++ {
		scanCtx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
		included, err := r.deps.Node.ScanTx(scanCtx, f.tx.Hash, height)
		cancel()
		if !errors.Is(err, chain.ErrTxNotFound) {
			return included, err
		}
		f.scanned = height
	}
	return chain.Included{}, chain.ErrTxNotFound
}

// confirmed returns an error if what is told of the transaction in flight takes money out of the pool on the word of one node.
func (r *Rollup) confirmed(ctx context.Context, included chain.Included) error {
	if included.Refusal != nil {
		return nil // it is pending again
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	return r.deps.Node.ConfirmTx(ctx, r.flight.tx.Hash, included)
}

// unconfirmed keeps the transaction in flight until a second node says the same of it, or nodes that contradict each other have
// had the time for that. Then the batch is pending again: the chain pays nothing twice, and says so when it is settled again.
func (r *Rollup) unconfirmed(view chain.View, cause error) bool {
	if view.Height < r.flight.tx.TimeoutHeight {
		if !r.flight.doubted {
			r.flight.doubted = true
			r.log.Warn("settlement is said to be in a block by one node alone", "hash", hashText(r.flight.tx.Hash), "err", cause)
		}
		return false
	}
	r.abandon(resultUnconfirmed, cause)
	if r.flight == nil {
		r.doubts++
		r.doubtUntil = time.Now().Add(backoff(r.doubts, r.cfg.Interval, max(r.cfg.Interval, r.cfg.LastPartialBackoff), r.deps.Jitter()))
	}
	return r.flight == nil
}

// conclude applies what the chain said of the transaction in flight.
func (r *Rollup) conclude(ctx context.Context, included chain.Included) bool {
	f := r.flight
	r.metrics.gasUsed.Add(float64(max(included.GasUsed, 0)))
	if included.Refusal != nil {
		r.abandon(resultFailed, included.Refusal)
		return r.flight == nil
	}
	var response dacktypes.MsgSettleResponse
	err := r.deps.Encoding.DecodeResponse(included.Data, &response)
	var results []ackpool.Result
	if err == nil {
		results, err = verdicts(&f.tx, &response)
	}
	if err != nil {
		// Settling the same again has the chain say it again, and pays nothing twice.
		r.abandon(resultUndecodable, err)
		return r.flight == nil
	}
	if err := r.deps.Pool.Resolve(f.tx.Hash, included.Height, results); err != nil {
		r.log.Error("settlement was not recorded as settled", "hash", hashText(f.tx.Hash), "err", err)
		r.setFailure(fmt.Errorf("record verdicts: %w", err))
		r.fail()
		return false
	}
	paid := new(big.Int)
	for i := range response.Results {
		result := &response.Results[i]
		if !result.Paid.IsNil() {
			paid.Add(paid, result.Paid.BigInt())
		}
		r.metrics.verdicts.WithLabelValues(verdictLabel(results[i])).Inc()
	}
	r.metrics.paid.Add(float(paid))
	r.metrics.transactions.WithLabelValues(resultSettled).Inc()
	r.log.Info("settlement is in a block", "epoch", f.tx.Epoch, "acks", len(f.tx.Acks), "paid", paid.String(),
		"height", included.Height, "gas_used", included.GasUsed, "hash", hashText(f.tx.Hash))
	r.mu.Lock()
	r.status.Settled++
	r.status.LastHash, r.status.LastHeight = hashText(f.tx.Hash), included.Height
	r.mu.Unlock()
	r.setFlight(nil)
	r.setFailure(nil)
	r.failures, r.doubts, r.doubtUntil = 0, 0, time.Time{}
	r.notBefore = time.Time{}
	if r.sequence.known {
		r.sequence.next++
	}
	r.remember(ctx, f.tx, results)
	return true
}

// remember keeps the lanes that were paid in part waiting for their accounts.
func (r *Rollup) remember(ctx context.Context, tx ackpool.Tx, results []ackpool.Result) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	payable := map[uint64]*big.Int{}
	keys := r.keyLimits(ctx)
	accounts := r.accountsOf(tx)
	for _, account := range accounts {
		// What is remembered of it is from before the settlement.
		r.deps.Chain.Forget(account)
	}
	for i := range tx.Acks {
		lane := tx.Acks[i].Signed.LaneID()
		if results[i].Outcome != ackpool.OutcomePartial {
			delete(r.partials, lane)
			continue
		}
		account, ok := accounts[lane]
		if !ok {
			continue
		}
		able, asked := payable[account]
		if !asked {
			if a, err := r.deps.Chain.Account(ctx, account); err == nil {
				able = a.Payable
			}
			payable[account] = able
		}
		left := keys(lane.KeyID, lane.Epoch)
		r.partials.note(lane, able, left != nil && left.Sign() <= 0, r.cfg, time.Now(), r.deps.Jitter())
	}
}

// accountsOf returns the accounts behind the lanes of a transaction that the pool still holds.
func (r *Rollup) accountsOf(tx ackpool.Tx) map[ack.LaneID]uint64 {
	accounts := make(map[ack.LaneID]uint64, len(tx.Acks))
	for i := range tx.Acks {
		lane := tx.Acks[i].Signed.LaneID()
		if entry, ok := r.deps.Pool.Newest(lane); ok {
			accounts[lane] = entry.AccountID
		}
	}
	return accounts
}

func verdictLabel(result ackpool.Result) string {
	switch result.Outcome {
	case ackpool.OutcomePaid:
		return "paid"
	case ackpool.OutcomePartial:
		return "partial"
	case ackpool.OutcomeNothingDue:
		return "nothing-due"
	default:
		return result.Reason
	}
}
