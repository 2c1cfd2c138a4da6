package report

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/worker/chain"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// lateShare is the part of an epoch, at its end, in which a missing report is late.
const lateShare = 4

// step does what can be done now and returns when to look again at the latest, if no block comes before that:
//  1. when an epoch has opened, ask whether a report is due in it at all,
//  2. when this worker's time in the epoch has come, ask again, because somebody else may have reported, and send,
//  3. ask with every block until the report is on the chain, or is not valid any more and has to be sent anew.
func (r *Reporter) step(ctx context.Context) time.Duration {
	view, ok := r.deps.Chain.View()
	if !ok || r.deps.Chain.Stale() != nil {
		return idle // old heights and hashes are refused
	}
	if view.Epoch != r.epoch.number {
		r.begin(view.Epoch)
	}
	e := &r.epoch
	r.observeTime(view)
	if e.settled || !view.Active() {
		return idle
	}
	if own := r.deps.Signer.Address(); view.Worker.Account != own {
		r.update(func(s *Status) {
			s.Problem = fmt.Errorf("%w: %s, not %s", ErrWrongAccount, view.Worker.Account, own).Error()
		})
		return idle
	}
	if wait := time.Until(e.notBefore); wait > 0 {
		return wait
	}
	if wait := r.untilTurn(view); e.asked && wait > 0 {
		return min(wait, idle)
	}
	if e.flight != nil && e.flight.looked == view.Height {
		return idle
	}
	state, err := r.ask(ctx, view)
	switch {
	case err != nil:
		return r.fail(fmt.Errorf("ask for the participation of the node: %w", err))
	case state.Epoch != view.Epoch:
		// An epoch opens between view and answer: the next view has it.
		return r.cfg.FirstBackoff
	}
	r.observeState(view, state)
	switch {
	case e.settled:
		return idle
	case r.untilTurn(view) > 0:
		return min(r.untilTurn(view), idle)
	case e.flight != nil:
		e.flight.looked = view.Height
		if !view.Time.After(e.flight.until) {
			return idle
		}
		return r.expire(ctx)
	}
	return r.send(ctx, view, state)
}

// begin turns to another epoch, and counts one that has ended without a report.
func (r *Reporter) begin(number uint64) {
	if old := r.epoch; old.due && !old.settled {
		r.metrics.epochs.WithLabelValues(outcomeMissed).Inc()
		r.log.Warn("epoch ended without a report of the node", "epoch", old.number, "tries", old.failures)
	}
	r.epoch = epoch{number: number}
	r.metrics.due.Set(0)
	r.update(func(s *Status) {
		s.Epoch, s.State, s.Problem = number, StateUnknown, ""
	})
}

// untilTurn is how long it is in block time until this worker's time in the epoch comes.
func (r *Reporter) untilTurn(view chain.View) time.Duration {
	start := view.EpochEnd.Add(-view.EpochDuration)
	return start.Add(offset(view.Worker.Operator, view.Worker.Id, view.EpochDuration)).Sub(view.Time)
}

func (r *Reporter) ask(ctx context.Context, view chain.View) (chain.Participation, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	state, err := r.deps.Node.Participation(ctx, view.Worker.Operator)
	if errors.Is(err, chain.ErrNotTakingPart) {
		return chain.Participation{Epoch: view.Epoch, Standing: nodetypes.StandingNotOptedIn.String()}, nil
	}
	return state, err
}

// observeState keeps an answer of the chain. If no report is due, the epoch is settled.
func (r *Reporter) observeState(view chain.View, state chain.Participation) {
	e := &r.epoch
	e.asked, e.due = true, state.ReportDue
	set(r.metrics.due, e.due)
	r.metrics.left.Set(float64(state.EpochsLeft))
	next := StateDue
	switch {
	case !state.ReportDue && state.Reported:
		next = StateReported
		e.settled = true
		r.metrics.epochs.WithLabelValues(outcomeReported).Inc()
		r.log.Info("node has reported", "epoch", e.number, "by_this_worker", e.flight != nil)
	case !state.ReportDue:
		next = StateExempt
		e.settled = true
		r.metrics.epochs.WithLabelValues(outcomeExempt).Inc()
		r.log.Debug("node takes no part", "epoch", e.number, "standing", state.Standing)
	case e.flight != nil:
		next = StateSent
	case r.untilTurn(view) > 0:
		next = StateWaiting
	}
	r.update(func(s *Status) {
		s.State, s.EpochsLeft, s.Standing = next, state.EpochsLeft, state.Standing
		if e.settled {
			s.Problem = ""
		}
	})
	r.observeTime(view)
}

// observeTime raises the hint that a report is missing late in the epoch.
func (r *Reporter) observeTime(view chain.View) {
	e := &r.epoch
	late := e.due && !e.settled && view.EpochDuration > 0 && view.EpochEnd.Sub(view.Time) < view.EpochDuration/lateShare
	set(r.metrics.late, late)
	r.update(func(s *Status) { s.Late = late })
}

// send signs a report over the last block but one and broadcasts it.
func (r *Reporter) send(ctx context.Context, view chain.View, state chain.Participation) time.Duration {
	// The newest block would do for the block to come, but not for the simulation, which stands at the newest.
	height := view.Height - 1
	if height < state.EpochHeight {
		return idle // the next block changes that
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	tx, until, err := r.prepare(ctx, view, height)
	if err != nil {
		return r.fail(err)
	}
	err = r.deps.Node.Broadcast(ctx, tx)
	var refused *chain.Refusal
	switch {
	case err == nil, errors.Is(err, sdkerrors.ErrTxInMempoolCache):
		r.metrics.broadcasts.WithLabelValues(resultAccepted).Inc()
	case errors.As(err, &refused):
		r.metrics.broadcasts.WithLabelValues(resultRefused).Inc()
		return r.fail(fmt.Errorf("broadcast: %w", err))
	default:
		// It may be on its way.
		r.metrics.broadcasts.WithLabelValues(resultUnknown).Inc()
		r.log.Warn("report was sent without an answer", "epoch", view.Epoch, "err", err)
	}
	hash := cmttypes.Tx(tx).Hash()
	r.epoch.flight = &flight{hash: hash, until: until, looked: view.Height}
	text := strings.ToUpper(hex.EncodeToString(hash))
	r.update(func(s *Status) { s.State, s.LastHash, s.LastEpoch = StateSent, text, view.Epoch })
	r.log.Info("report sent", "epoch", view.Epoch, "operator", view.Worker.Operator, "height", height, "hash", text)
	return idle
}

// prepare returns a signed report and the block time up to which it is valid. A report that the chain would refuse fails in
// the simulation, before it costs a fee.
func (r *Reporter) prepare(ctx context.Context, view chain.View, height int64) ([]byte, time.Time, error) {
	own := r.deps.Signer.Address()
	if err := r.affordable(view, simulatedGas); err != nil {
		return nil, time.Time{}, err
	}
	hash, err := r.deps.Node.HeaderHash(ctx, height)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("hash of the header at height %d: %w", height, err)
	}
	number, _, err := r.deps.Node.Sender(ctx, r.deps.Signer.Key())
	if errors.Is(err, chain.ErrUnknownAccount) {
		return nil, time.Time{}, fmt.Errorf("%w: %s has never held a coin or a grant", ErrNoFees, r.deps.Signer.Key())
	} else if err != nil {
		return nil, time.Time{}, fmt.Errorf("account of %s: %w", r.deps.Signer.Key(), err)
	}
	msg := &nodetypes.MsgReport{
		Sender: own, Operator: view.Worker.Operator, Epoch: view.Epoch, Height: height, HeaderHash: hash,
	}
	// The time makes the transaction unique, among all of the account.
	until := view.Time.Add(r.cfg.validity(view.EpochDuration) + time.Duration(r.deps.Jitter()*float64(time.Second))).UTC()
	tx, err := r.deps.Signer.SignUnordered(ctx, msg, view.ChainID, number, simulatedGas, until)
	if err != nil {
		return nil, time.Time{}, err
	}
	used, err := r.deps.Node.Simulate(ctx, tx)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("simulation: %w", err)
	}
	limit := used + used*gasMarginPercent/100
	if err := r.affordable(view, limit); err != nil {
		return nil, time.Time{}, err
	}
	tx, err = r.deps.Signer.SignUnordered(ctx, msg, view.ChainID, number, limit, until)
	return tx, until, err
}

// affordable returns ErrNoFees unless the hot account can pay for a report and keeps what settlements need.
func (r *Reporter) affordable(view chain.View, gas uint64) error {
	fee := r.deps.Signer.Fee(gas)
	least := fee.Amount.MulRaw(1 + reserveReports)
	if view.FeeBalance == nil || view.FeeBalance.Cmp(least.BigInt()) >= 0 {
		return nil
	}
	return fmt.Errorf("%w: %s has %s%s, a report costs %s, and settlements keep %d times that",
		ErrNoFees, r.deps.Signer.Address(), view.FeeBalance, fee.Denom, fee, reserveReports)
}

// expire gives up on the report that was sent, which can get into no block any more, and says why if the node knows.
func (r *Reporter) expire(ctx context.Context) time.Duration {
	f := r.epoch.flight
	r.epoch.flight = nil
	r.update(func(s *Status) { s.State = StateDue })
	ctx, cancel := context.WithTimeout(ctx, r.cfg.CallTimeout)
	defer cancel()
	found, err := r.deps.Node.FindTx(ctx, f.hash)
	switch {
	case err == nil && found.Refusal != nil:
		return r.fail(fmt.Errorf("%w: failed at height %d: %w", ErrNotIncluded, found.Height, found.Refusal))
	case err != nil && !errors.Is(err, chain.ErrTxNotFound):
		// A node without an index cannot tell.
		return r.fail(fmt.Errorf("%w: %w", ErrNotIncluded, err))
	}
	return r.fail(fmt.Errorf("%w: no block had it until %s", ErrNotIncluded, f.until.Format(time.RFC3339)))
}
