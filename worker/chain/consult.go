package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"runtime/debug"
	"sync"
	"time"

	"github.com/edgechain/edge/ack"
)

// consultShare is the part of the time that is left which asking all endpoints may take.
const consultShare = 4

// said is what an endpoint says when all are asked.
type said[T any] struct {
	// name of the endpoint, and the height that it was at before.
	name   string
	height int64
	value  T
	// err is what it answered instead, such as ErrTxNotFound.
	err error
}

// alone reports whether there is no second endpoint to ask.
func (n *Nodes) alone() bool { return len(n.endpoints) < 2 }

// consult asks every endpoint that can be relied on at once, and returns those that answered. The one that is used is among them.
func consult[T any](ctx context.Context, n *Nodes, call func(context.Context, Endpoint) (T, error)) []said[T] {
	timeout := n.cfg.ProbeTimeout
	if deadline, ok := ctx.Deadline(); ok {
		// One that hangs must leave time for what the others are asked next, or those would be blamed for it.
		timeout = min(timeout, time.Until(deadline)/consultShare)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	n.mu.Lock()
	now := time.Now()
	best := n.best(now)
	asked := make([]*endpoint, 0, len(n.endpoints))
	for _, e := range n.endpoints {
		if n.fault(e, best, now) == nil || e.problem == errUnheard { //nolint:errorlint // set here, never wrapped
			asked = append(asked, e)
		}
	}
	n.mu.Unlock()
	answers := make([]*said[T], len(asked))
	var wait sync.WaitGroup
	for i, e := range asked {
		wait.Go(func() { answers[i] = consultOne(ctx, n, e, call) })
	}
	wait.Wait()
	all := make([]said[T], 0, len(answers))
	for _, a := range answers {
		if a != nil {
			all = append(all, *a)
		}
	}
	return all
}

// consultOne returns nil if the endpoint does not answer or cannot be believed. A panic is no answer.
func consultOne[T any](ctx context.Context, n *Nodes, e *endpoint, call func(context.Context, Endpoint) (T, error)) (answer *said[T]) {
	defer func() {
		if r := recover(); r != nil {
			n.log.Error("question to an endpoint panicked", "endpoint", e.Name, "panic", r, "stack", string(debug.Stack()))
			answer = nil
		}
	}()
	status, err := n.ask(ctx, e)
	if err != nil {
		return nil
	}
	n.mu.Lock()
	n.hear(e, status, time.Now())
	err = e.problem
	if err == nil {
		err = n.ahead(e, time.Now())
	}
	n.mu.Unlock()
	if err != nil {
		return nil
	}
	value, err := call(ctx, e.Endpoint)
	if err != nil && !answered(err) {
		return nil
	}
	return &said[T]{name: e.Name, height: status.Height, value: value, err: err}
}

// confirmOldest asks all endpoints whether epochs before oldest are dead. It returns nil if two of them say so, else
// errUnconfirmed; asked is false if no two answer.
func (n *Nodes) confirmOldest(ctx context.Context, oldest uint64) (asked bool, err error) {
	if n.alone() {
		return false, nil
	}
	answers := consult(ctx, n, func(ctx context.Context, e Endpoint) (EpochState, error) { return e.Epoch(ctx) })
	agree := 0
	for _, a := range answers {
		switch {
		case a.err != nil:
		case a.value.OldestLive >= oldest && a.value.OldestLive <= a.value.Number:
			agree++
		default:
			err = fmt.Errorf("%w: %s says that the oldest live epoch is %d, not %d", errUnconfirmed, a.name, a.value.OldestLive, oldest)
		}
	}
	switch {
	case agree >= 2:
		return true, nil
	case err != nil:
		return len(answers) >= 2, err
	default:
		return false, nil
	}
}

// epochVote counts the endpoints that know of an epoch, those that know of none at a greater height, and those that may come
// to it.
type epochVote struct{ agree, deny, behind int }

// voteEpoch asks all endpoints for an epoch that one of them has told of at a height.
func (n *Nodes) voteEpoch(ctx context.Context, number uint64, height int64) (v epochVote) {
	for _, a := range consult(ctx, n, func(ctx context.Context, e Endpoint) (EpochState, error) { return e.Epoch(ctx) }) {
		switch {
		case a.err != nil:
		case a.value.Number >= number:
			v.agree++
		case a.height > height:
			v.deny++
		default:
			v.behind++
		}
	}
	return v
}

// confirmGas reports whether two endpoints say that settlements are taken as much gas.
func (n *Nodes) confirmGas(ctx context.Context, gas settleGas) bool {
	if n.alone() {
		return false
	}
	agree := 0
	for _, a := range consult(ctx, n, func(ctx context.Context, e Endpoint) (settleGas, error) {
		params, err := e.DackParams(ctx)
		if err != nil {
			return settleGas{}, err
		}
		limits, err := e.TxLimits(ctx)
		return settleGas{base: params.SettleGasBase, perAck: params.SettleGasPerAck, perByte: limits.GasPerByte, perSignature: limits.GasPerSignature}, err
	}) {
		if a.err == nil && a.value == gas {
			agree++
		}
	}
	return agree >= 2
}

// confirmPrices returns the prices of an epoch that most endpoints tell of, given what one of them has, and whether two have agreed on
// them. Of two that contradict each other the higher ones count: they lend less to clients, and the chain pays what is due
// whatever is believed here. It returns an error if most others tell of other prices.
func (n *Nodes) confirmPrices(ctx context.Context, epoch uint64, told ack.Prices) (prices ack.Prices, agreed bool, err error) {
	if n.alone() {
		return told, false, nil
	}
	answers := consult(ctx, n, func(ctx context.Context, e Endpoint) (ack.Prices, error) { return e.Prices(ctx, epoch) })
	votes := func(p ack.Prices) (count int) {
		for _, a := range answers {
			if a.err == nil && samePrices(a.value, p) {
				count++
			}
		}
		return count
	}
	own, most := votes(told), 0
	other := told
	for _, a := range answers {
		if a.err == nil && !samePrices(a.value, told) && votes(a.value) > most {
			other, most = a.value, votes(a.value)
		}
	}
	switch {
	case most == 0 || own > most:
		return told, own >= 2, nil
	case most > max(own, 1):
		return told, false, fmt.Errorf("%w: others tell of other prices of epoch %d", errImplausible, epoch)
	}
	n.log.Warn("endpoints of the chain tell of different prices, the higher ones count", "epoch", epoch)
	return ack.Prices{PerGiB: greater(told.PerGiB, other.PerGiB), PerGFuel: greater(told.PerGFuel, other.PerGFuel)}, false, nil
}

func samePrices(a, b ack.Prices) bool {
	return greater(a.PerGiB, nil).Cmp(greater(b.PerGiB, nil)) == 0 && greater(a.PerGFuel, nil).Cmp(greater(b.PerGFuel, nil)) == 0
}

// greater returns the greater of two numbers, of which either may be missing.
func greater(a, b *big.Int) *big.Int {
	switch {
	case a == nil && b == nil:
		return new(big.Int)
	case b == nil || a != nil && a.Cmp(b) >= 0:
		return a
	}
	return b
}

// ErrUnconfirmedTx reports a transaction of whose end only one of several endpoints has told.
var ErrUnconfirmedTx = errors.New("no second endpoint says the same of the transaction")

// ConfirmTx returns nil if a second endpoint says the same of a transaction in a block as one has, or if no second one can tell,
// else ErrUnconfirmedTx: what an endpoint says was paid is not asked for again.
func (n *Nodes) ConfirmTx(ctx context.Context, hash []byte, told Included) error {
	if n.alone() {
		return nil
	}
	agree, deny, behind := 0, 0, 0
	for _, a := range consult(ctx, n, func(ctx context.Context, e Endpoint) (Included, error) {
		found, err := e.FindTx(ctx, hash)
		if err != nil && answered(err) {
			// It has no index, or that is behind the blocks.
			found, err = e.ScanTx(ctx, hash, told.Height)
		}
		return found, err
	}) {
		switch {
		case a.err == nil && sameEnd(a.value, told):
			agree++
		case a.height < told.Height:
			behind++
		case a.err == nil || errors.Is(a.err, ErrTxNotFound):
			deny++
		}
	}
	switch {
	case agree >= 2 && agree > deny:
		return nil
	case deny+behind > 0:
		return fmt.Errorf("%w: %d say so, %d deny it, %d have not come to block %d", ErrUnconfirmedTx, agree, deny, behind, told.Height)
	}
	return nil
}

// sameEnd reports whether two endpoints say the same of a transaction.
func sameEnd(a, b Included) bool {
	var x, y *Refusal
	if errors.As(a.Refusal, &x) != errors.As(b.Refusal, &y) {
		return false
	}
	return a.Height == b.Height && bytes.Equal(a.Data, b.Data) && (x == nil || x.Codespace == y.Codespace && x.Code == y.Code)
}
