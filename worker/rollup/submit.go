package rollup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/x/authz"
	"github.com/cosmos/cosmos-sdk/x/feegrant"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// unlearnRounds is for how many intervals a lesson of a failure holds.
const unlearnRounds = 10

// Results of broadcasts and transactions, as metrics label them.
const (
	resultAccepted    = "accepted"
	resultUnknown     = "unknown"
	resultRefused     = "refused"
	resultSettled     = "settled"
	resultFailed      = "failed"
	resultTimedOut    = "timed-out"
	resultUndecodable = "undecodable"
	resultUnconfirmed = "unconfirmed"
)

// submit signs a batch, records it in the pool as in flight, and only then sends it. Whatever happens from the record on,
// the transaction is followed by its hash until its timeout height has passed.
func (r *Rollup) submit(ctx context.Context, view chain.View, b batch) {
	b = r.affordable(view, b).ordered()
	tx, err := r.prepare(ctx, view, b)
	if err != nil {
		r.log.Warn("settlement was not prepared", "epoch", b.epoch, "acks", len(b.acks), "err", err)
		r.retry(b.epoch)
		r.setFailure(err)
		r.fail()
		return
	}
	if err := r.deps.Pool.Submit(tx); err != nil {
		r.log.Error("settlement was not recorded", "epoch", b.epoch, "err", err)
		r.retry(b.epoch)
		r.setFailure(fmt.Errorf("record settlement: %w", err))
		r.fail()
		return
	}
	r.setFlight(&flight{tx: tx, certain: true, scanned: view.Height, gas: gasParamsOf(view)})
	r.log.Info("settlement submitted", "epoch", b.epoch, "acks", len(b.acks), "value", b.value.String(), "hash", hashText(tx.Hash))
	r.broadcast(ctx)
}

// prepare builds and signs the transaction of a batch.
func (r *Rollup) prepare(ctx context.Context, view chain.View, b batch) (ackpool.Tx, error) {
	callCtx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	if !r.sequence.known {
		number, next, err := r.deps.Node.Sender(callCtx, r.deps.Signer.Key())
		if errors.Is(err, chain.ErrUnknownAccount) {
			return ackpool.Tx{}, fmt.Errorf("%w: %s has never held a coin or a grant", ErrNoFees, r.deps.Signer.Key())
		}
		if err != nil {
			return ackpool.Tx{}, fmt.Errorf("sequence of %s: %w", r.deps.Signer.Key(), err)
		}
		r.sequence = sequence{known: true, number: number, next: next}
	}
	msg := b.message(view, r.deps.Signer.Address())
	if err := msg.Check(uint32(r.limit(view))); err != nil {
		return ackpool.Tx{}, fmt.Errorf("settlement is not well-formed: %w", err)
	}
	envelope := Envelope{
		ChainID:       view.ChainID,
		AccountNumber: r.sequence.number,
		Sequence:      r.sequence.next,
		GasLimit:      gasLimit(view, len(b.acks), msg.Size(), r.overhead),
		TimeoutHeight: view.Height + r.cfg.TimeoutBlocks,
	}
	encoded, err := r.deps.Signer.Sign(callCtx, msg, envelope)
	if err != nil {
		return ackpool.Tx{}, err
	}
	if fee := r.deps.Signer.Fee(envelope.GasLimit); view.FeeBalance != nil && view.FeeBalance.Cmp(fee.Amount.BigInt()) < 0 {
		return ackpool.Tx{}, fmt.Errorf("%w: %s has %s%s, a settlement costs %s", ErrNoFees, r.deps.Signer.Address(), view.FeeBalance, fee.Denom, fee)
	}
	return ackpool.Tx{
		Hash:          cmttypes.Tx(encoded).Hash(),
		Epoch:         b.epoch,
		TimeoutHeight: envelope.TimeoutHeight,
		Bytes:         encoded,
		Acks:          b.acks,
	}, nil
}

// affordable returns the batch, halved until its fee is within the cap and can be paid: little that is settled is better than
// nothing. What is left out, which is worth least, follows at once. One that cannot be paid for at all is refused by able.
func (r *Rollup) affordable(view chain.View, b batch) batch {
	whole := len(b.acks)
	for len(b.acks) > 1 {
		fee := r.fee(view, b)
		if (view.FeeBalance == nil || view.FeeBalance.Cmp(fee) >= 0) && !r.cfg.aboveMaxFee(fee) {
			break
		}
		b = b.first(len(b.acks) / 2)
	}
	if len(b.acks) < whole {
		r.log.Warn("settlement is cut to what the fees allow", "acks", len(b.acks), "wanted", whole, "fee_balance", text(view.FeeBalance))
		r.retry(b.epoch)
	}
	return b
}

// broadcast sends the transaction in flight. If the mempool refuses it and nobody else can have it, the batch is pending
// again at once; without an answer it stays in flight, because it may be on its way.
func (r *Rollup) broadcast(ctx context.Context) {
	f := r.flight
	f.again = time.Now().Add(r.cfg.Rebroadcast + time.Duration(r.deps.Jitter()*float64(r.cfg.Rebroadcast)/2))
	callCtx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	send := r.deps.Node.Broadcast
	if f.sent {
		// Whoever has it may pass it on to nobody.
		send = r.deps.Node.BroadcastAll
	}
	f.sent = true
	err := send(callCtx, f.tx.Bytes)
	cancel()
	var refused *chain.Refusal
	switch {
	case err == nil, errors.Is(err, sdkerrors.ErrTxInMempoolCache):
		r.metrics.broadcasts.WithLabelValues(resultAccepted).Inc()
		f.inMempool = true
	case errors.As(err, &refused):
		r.metrics.broadcasts.WithLabelValues(resultRefused).Inc()
		if f.certain && !f.inMempool {
			r.abandon(resultRefused, err)
			return
		}
		// It was sent before: what is refused now can be in a block already.
		r.log.Debug("settlement was refused when sent again", "hash", hashText(f.tx.Hash), "err", err)
	default:
		r.metrics.broadcasts.WithLabelValues(resultUnknown).Inc()
		f.certain = false
		r.log.Warn("settlement was sent without an answer", "hash", hashText(f.tx.Hash), "err", err)
	}
}

// abandon gives the batch of the transaction in flight back, because the transaction is in no block and can get into none,
// or failed in one.
func (r *Rollup) abandon(result string, cause error) {
	f := r.flight
	if err := r.deps.Pool.Abandon(f.tx.Hash, result); err != nil {
		// It stays in flight, in memory and in the pool, and is abandoned at the next try.
		r.log.Error("settlement was not given back", "hash", hashText(f.tx.Hash), "err", err)
		r.setFailure(fmt.Errorf("give settlement back: %w", err))
		return
	}
	r.metrics.transactions.WithLabelValues(result).Inc()
	r.log.Warn("settlement failed", "epoch", f.tx.Epoch, "acks", len(f.tx.Acks), "hash", hashText(f.tx.Hash), "result", result, "err", cause)
	r.mu.Lock()
	r.status.Failed++
	r.status.LastFailure = fmt.Sprintf("%s: %v", result, cause)
	r.mu.Unlock()
	acks := len(f.tx.Acks)
	if view, ok := r.deps.Chain.View(); ok && errors.Is(cause, sdkerrors.ErrOutOfGas) && f.gas != gasParamsOf(view) {
		// The parameters changed while it was on its way. The next one is sized by the new ones.
		cause = fmt.Errorf("%w: %w", errGasChanged, cause)
	}
	r.setFlight(nil)
	r.retry(f.tx.Epoch)
	r.sequence.known = false
	r.learn(cause, acks)
}

// learn draws the conclusions from a failure, by its code and never by its text.
func (r *Rollup) learn(cause error, acks int) {
	failure := cause
	switch {
	case errors.Is(cause, sdkerrors.ErrWrongSequence):
		// The sequence is read anew. Once at once; more than once means that somebody else uses the account.
		if r.failures == 0 {
			r.failures = 1
			r.setFailure(failure)
			return
		}
	case errors.Is(cause, sdkerrors.ErrInsufficientFee):
		failure = fmt.Errorf("%w: %w", ErrFeeTooLow, cause)
	case errors.Is(cause, sdkerrors.ErrInsufficientFunds):
		failure = fmt.Errorf("%w: %w", ErrNoFees, cause)
	case errors.Is(cause, dacktypes.ErrWrongAccount):
		failure = fmt.Errorf("%w: %w", ErrWrongAccount, cause)
	case errors.Is(cause, authz.ErrNoAuthorizationFound), errors.Is(cause, authz.ErrAuthorizationExpired),
		errors.Is(cause, feegrant.ErrFeeLimitExpired), errors.Is(cause, feegrant.ErrMessageNotAllowed), errors.Is(cause, feegrant.ErrNoAllowance):
		failure = fmt.Errorf("%w: %w", ErrNoGrant, cause)
	case errors.Is(cause, feegrant.ErrFeeLimitExceeded):
		failure = fmt.Errorf("%w: %w", ErrNoFees, cause)
	case errors.Is(cause, errGasChanged):
		r.setFailure(failure)
		return
	case errors.Is(cause, sdkerrors.ErrOutOfGas):
		// The formula is exact but for the overhead, so this takes a chain whose ante handlers use twice what they did.
		r.overhead = min(r.overhead+r.overhead/2, maxOverhead)
		r.learned = time.Now()
	case errors.Is(cause, sdkerrors.ErrTxTooLarge),
		errors.Is(cause, dacktypes.ErrTooManyAcks),
		errors.Is(cause, dacktypes.ErrTooManyServices),
		errors.Is(cause, dacktypes.ErrSettlementTooLarge):
		r.maxAcks = max(acks/2, 1)
		r.learned = time.Now()
	}
	r.setFailure(failure)
	r.fail()
}

// unlearn takes back half of what failures have taught once they are a while ago: the chain may take larger settlements, or
// less gas, than it did. Should it not, the next one fails and teaches it again.
func (r *Rollup) unlearn(view chain.View) {
	if r.maxAcks == 0 && r.overhead == r.leastOverhead || time.Since(r.learned) < unlearnRounds*r.cfg.Interval {
		return
	}
	r.learned = time.Now()
	if r.maxAcks *= 2; r.maxAcks >= view.MaxAcks {
		r.maxAcks = 0
	}
	if r.overhead -= (r.overhead - r.leastOverhead) / 2; r.overhead < r.leastOverhead+baseOverhead/100 {
		r.overhead = r.leastOverhead
	}
}

func (r *Rollup) setFlight(f *flight) {
	if r.flight != nil && r.flight.tx.Epoch < r.expired {
		// The pool has kept the epoch for this transaction.
		r.expired = r.flight.tx.Epoch
	}
	r.flight = f
	hash, acks := "", 0
	if f != nil {
		hash, acks = hashText(f.tx.Hash), len(f.tx.Acks)
	}
	r.metrics.inFlight.Set(float64(acks))
	r.mu.Lock()
	r.status.InFlight = hash
	r.mu.Unlock()
}

func hashText(hash []byte) string { return strings.ToUpper(hex.EncodeToString(hash)) }
