package report

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/worker/chain"
)

var (
	// ErrNoFees reports that the hot account holds too little to report and to go on settling.
	ErrNoFees = errors.New("the hot account holds too little to pay for a report")
	// ErrWrongAccount reports that the chain knows another hot account for this worker than the one in the keyring.
	ErrWrongAccount = errors.New("the chain has another account for this worker")
	// ErrNotIncluded reports a report that no block took in while it was valid, or that failed in one.
	ErrNotIncluded = errors.New("the report is not on the chain")
)

// Chain is what a Reporter needs to see of the chain.
type Chain interface {
	View() (chain.View, bool)
	Changed() <-chan struct{}
	// Stale returns nil while the view can be relied on.
	Stale() error
}

// Node is what a Reporter asks of the chain, and the way of a report to it.
type Node interface {
	// Participation returns chain.ErrNotTakingPart for a node that never opted in.
	Participation(ctx context.Context, operator string) (chain.Participation, error)
	HeaderHash(ctx context.Context, height int64) ([]byte, error)
	Sender(ctx context.Context, address string) (number, sequence uint64, err error)
	Simulate(ctx context.Context, tx []byte) (uint64, error)
	Broadcast(ctx context.Context, tx []byte) error
	FindTx(ctx context.Context, hash []byte) (chain.Included, error)
}

// Signer signs for the hot account.
type Signer interface {
	// Address of the account in whose name reports are.
	Address() string
	// Key is the address of the key that signs.
	Key() string
	// SignUnordered returns an encoded transaction that takes no part in the account's sequence.
	SignUnordered(ctx context.Context, msg sdk.Msg, chainID string, accountNumber, gasLimit uint64, validUntil time.Time) ([]byte, error)
	// Fee is what a transaction with a gas limit pays.
	Fee(gasLimit uint64) sdk.Coin
}

// Deps are what a Reporter works with.
type Deps struct {
	Chain  Chain
	Node   Node
	Signer Signer
	// Jitter returns a number in [0, 1).
	Jitter  func() float64
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// States of a report, as Status has them.
const (
	// StateUnknown: the chain has not been asked in this epoch.
	StateUnknown = "unknown"
	// StateWaiting: it is due, and this worker's time in the epoch has not come.
	StateWaiting = "waiting"
	// StateDue: it is due and not sent.
	StateDue = "due"
	// StateSent: it is on its way.
	StateSent = "sent"
	// StateReported: it is on the chain, whoever sent it.
	StateReported = "reported"
	// StateExempt: the node takes no part in this epoch.
	StateExempt = "takes no part"
)

// Status is what a Reporter does, for people.
type Status struct {
	// Epoch that the rest is about.
	Epoch uint64 `json:"epoch"`
	State string `json:"state"`
	// Late is true while the report is missing in the last quarter of the epoch.
	Late bool `json:"late,omitempty"`
	// EpochsLeft is the number of further epochs without a report after which the node counts as opted out.
	EpochsLeft uint64 `json:"epochs_left"`
	// Standing of the node for the next committee.
	Standing string `json:"standing,omitempty"`
	// LastHash is the hash of the report that this worker sent last, in LastEpoch.
	LastHash  string `json:"last_hash,omitempty"`
	LastEpoch uint64 `json:"last_epoch,omitempty"`
	// Problem of the last try, empty if it went well.
	Problem string `json:"problem,omitempty"`
}

// Reporter reports for the node of this worker.
type Reporter struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	metrics *metrics

	// mu guards what Status and Stop share with the loop.
	mu     sync.Mutex
	status Status
	cancel context.CancelFunc
	done   chan struct{}

	// The rest belongs to the loop.
	epoch epoch
}

// epoch is what is known of the report of one epoch.
type epoch struct {
	number uint64
	// asked is true once the chain has said whether a report is due.
	asked bool
	// due is its last answer.
	due bool
	// settled is true when there is nothing left to do.
	settled bool
	flight  *flight
	// failures in a row, and until when they hold the next try back.
	failures  int
	notBefore time.Time
}

// flight is a report that was sent.
type flight struct {
	hash []byte
	// until is the block time up to which it is valid.
	until time.Time
	// looked is the height at which the chain was last asked for it.
	looked int64
}

// New returns a Reporter that has not started.
func New(cfg Config, deps Deps) (*Reporter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("report config: %w", err)
	}
	return &Reporter{
		cfg: cfg, deps: deps, log: deps.Log, metrics: newMetrics(deps.Metrics), done: make(chan struct{}),
		status: Status{State: StateUnknown},
	}, nil
}

// Start begins to report.
func (r *Reporter) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cancel != nil {
		return errors.New("reporter has started before")
	}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go r.run(ctx)
	return nil
}

// Stop ends the loop and waits for it, at most until ctx ends. A report that was sent needs nobody to follow it.
func (r *Reporter) Stop(ctx context.Context) error {
	r.mu.Lock()
	cancel := r.cancel
	r.mu.Unlock()
	if cancel == nil {
		return nil
	}
	cancel()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop reporter: %w", ctx.Err())
	}
}

// Status returns what the reporter does.
func (r *Reporter) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

func (r *Reporter) run(ctx context.Context) {
	defer close(r.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		// The channel is taken before the step, so that no change between them is missed.
		changed := r.deps.Chain.Changed()
		timer.Reset(r.safeStep(ctx))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-changed:
		}
	}
}

// safeStep makes a panic a failure: the worker goes on, and so do the reports.
func (r *Reporter) safeStep(ctx context.Context) (wait time.Duration) {
	defer func() {
		if p := recover(); p != nil {
			r.metrics.panics.Inc()
			r.log.Error("reporter panicked", "panic", p, "stack", string(debug.Stack()))
			r.epoch.flight = nil
			wait = r.fail(fmt.Errorf("panic: %v", p))
		}
	}()
	return r.step(ctx)
}

// fail notes a failure and returns for how long the next try is held back.
func (r *Reporter) fail(err error) time.Duration {
	e := &r.epoch
	e.failures++
	wait := backoff(e.failures, r.cfg.FirstBackoff, r.cfg.LastBackoff, r.deps.Jitter())
	e.notBefore = time.Now().Add(wait)
	r.metrics.failures.Inc()
	r.update(func(s *Status) { s.Problem = err.Error() })
	r.log.Warn("report failed", "epoch", e.number, "tries", e.failures, "retry_in", wait.Round(time.Millisecond), "err", err)
	return wait
}

func (r *Reporter) update(change func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status)
}
