package console

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	gogogrpc "github.com/cosmos/gogoproto/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/types/query"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// Bounds of what is asked of the chain.
const (
	// earnedEpochs are shown: two weeks of daily epochs.
	earnedEpochs = 14
	// revenuePage and revenuePages bound the services of a worker that an epoch is summed over: 100,000.
	revenuePage  = 1_000
	revenuePages = 100
	// maxCause bounds the text of the chain that says why a payout failed.
	maxCause = 200
)

// Earned says what the worker has earned, by epoch.
type Earned struct {
	// Denom of Revenue and Node, TokenDenom of Tokens.
	Denom      string `json:"denom"`
	TokenDenom string `json:"token_denom"`
	// At is when the chain was last asked with success; zero if it never was.
	At time.Time `json:"at"`
	// Problem of the last try, empty if it went well.
	Problem string `json:"problem,omitempty"`
	// Epochs, the newest first; at most 14.
	Epochs []EarnedEpoch `json:"epochs"`
}

// EarnedState is how far the payment of an epoch is.
type EarnedState string

// The states of an epoch.
const (
	// EarnedOpen epochs still earn: Node is an estimate by the shares of today.
	EarnedOpen EarnedState = "open"
	// EarnedClosing epochs are over and are being paid: Node is an estimate.
	EarnedClosing EarnedState = "closing"
	// EarnedPaid epochs have been paid: Node and Tokens are what was paid.
	EarnedPaid EarnedState = "paid"
	// EarnedSetAside epochs have a payout that could not be made. Anyone can retry it.
	EarnedSetAside EarnedState = "set_aside"
)

// EarnedEpoch is what the worker has earned in an epoch. Amounts are whole numbers of units.
type EarnedEpoch struct {
	Epoch uint64      `json:"epoch"`
	State EarnedState `json:"state"`
	// Revenue was debited from clients for what the worker served; Node is the operator's share of it.
	Revenue string `json:"revenue"`
	Node    string `json:"node"`
	// Tokens that were minted for the node and its delegators; 0 until the epoch is paid.
	Tokens   string `json:"tokens"`
	Requests uint64 `json:"requests"`
	Bytes    uint64 `json:"bytes"`
	// Cause of a payout that was set aside.
	Cause string `json:"cause,omitempty"`
}

// final reports that nothing of it can change.
func (e *EarnedEpoch) final() bool { return e.State == EarnedPaid }

// earnings asks the chain what the worker has earned. What is final is asked once.
type earnings struct {
	conn gogogrpc.ClientConn

	mu sync.Mutex
	// worker that the epochs are of.
	worker uint64
	doc    Earned
	known  map[uint64]EarnedEpoch
}

func newEarnings(conn gogogrpc.ClientConn) *earnings {
	return &earnings{conn: conn, known: map[uint64]EarnedEpoch{}, doc: Earned{Epochs: []EarnedEpoch{}, TokenDenom: nodetypes.StakingDenom}}
}

// current returns what is known.
func (e *earnings) current() Earned {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.doc
}

// refresh asks for the epochs up to the current one. Only one may run at a time.
func (e *earnings) refresh(ctx context.Context, worker, epoch uint64, denom string, now time.Time) error {
	e.mu.Lock()
	if e.worker != worker {
		e.worker, e.known = worker, map[uint64]EarnedEpoch{}
	}
	known := e.known
	e.mu.Unlock()
	oldest := uint64(1)
	if epoch > earnedEpochs {
		oldest = epoch - earnedEpochs + 1
	}
	fresh := map[uint64]EarnedEpoch{}
	err := e.ask(ctx, worker, oldest, epoch, known, fresh)
	list := []EarnedEpoch{}
	for n := epoch; n >= oldest; n-- {
		v, ok := fresh[n]
		if !ok {
			// Better what was true a moment ago than nothing.
			if v, ok = known[n]; !ok {
				continue
			}
			fresh[n] = v
		}
		list = append(list, v)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known = fresh
	e.doc.Denom, e.doc.Epochs, e.doc.Problem = denom, list, ""
	if err != nil {
		e.doc.Problem = err.Error()
		return err
	}
	e.doc.At = now
	return nil
}

// ask fills fresh from the newest epoch on, and stops at the first error.
func (e *earnings) ask(ctx context.Context, worker, oldest, newest uint64, known, fresh map[uint64]EarnedEpoch) error {
	params, err := rewardstypes.NewQueryClient(e.conn).Params(ctx, &rewardstypes.QueryParamsRequest{})
	if err != nil {
		return fmt.Errorf("shares: %w", err)
	}
	// The chain forgets payouts: an epoch without one would look unpaid.
	if history := uint64(params.Params.HistoryEpochs); newest > history {
		oldest = max(oldest, newest-history)
	}
	for n := newest; n >= oldest; n-- {
		if v, ok := known[n]; ok && v.final() {
			fresh[n] = v
			continue
		}
		v, err := e.epoch(ctx, worker, n, n == newest, params.Params.Shares.Node)
		if err != nil {
			return fmt.Errorf("epoch %d: %w", n, err)
		}
		fresh[n] = v
	}
	return nil
}

// epoch asks for one of them.
func (e *earnings) epoch(ctx context.Context, worker, epoch uint64, open bool, share math.LegacyDec) (EarnedEpoch, error) {
	out := EarnedEpoch{Epoch: epoch, State: EarnedOpen, Tokens: "0"}
	sum, err := e.revenue(ctx, worker, epoch, open)
	if err != nil {
		return out, err
	}
	out.Revenue, out.Requests, out.Bytes = sum.amount.String(), sum.requests, sum.bytes
	if !share.IsNil() && !share.IsNegative() && share.LTE(math.LegacyOneDec()) {
		out.Node = share.MulInt(math.NewIntFromBigInt(sum.amount)).TruncateInt().String()
	} else {
		out.Node = "0"
	}
	if open {
		return out, nil
	}
	out.State = EarnedClosing
	summary, err := rewardstypes.NewQueryClient(e.conn).EpochSummary(ctx, &rewardstypes.QueryEpochSummaryRequest{Epoch: epoch})
	if status.Code(err) == codes.NotFound || err == nil && !summary.Summary.Done {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.State, out.Node = EarnedPaid, "0"
	for _, p := range []struct {
		kind rewardstypes.PayoutKind
		into *string
	}{{rewardstypes.PAYOUT_KIND_NODE, &out.Node}, {rewardstypes.PAYOUT_KIND_NODE_EMISSION, &out.Tokens}} {
		payout, err := e.payout(ctx, epoch, p.kind, worker)
		if err != nil {
			return out, err
		}
		if payout == nil {
			continue
		}
		*p.into = payout.Amount.String()
		if payout.SetAside {
			out.State, out.Cause = EarnedSetAside, payout.Cause[:min(len(payout.Cause), maxCause)]
		}
	}
	return out, nil
}

// sums of what was debited.
type sums struct {
	amount          *big.Int
	requests, bytes uint64
}

func (s *sums) add(r dacktypes.Revenue) {
	s.amount.Add(s.amount, r.Amount.BigInt())
	s.requests += r.Requests
	s.bytes += r.Bytes
}

// revenue of the worker in an epoch. When an epoch closes, its records are summed one by one: what is not in the sum of the worker
// is in the records.
func (e *earnings) revenue(ctx context.Context, worker, epoch uint64, open bool) (sums, error) {
	sum := sums{amount: new(big.Int)}
	client := dacktypes.NewQueryClient(e.conn)
	if !open {
		// The sums have the worker's id as their key: a page can begin with it.
		res, err := client.WorkerTotals(ctx, &dacktypes.QueryWorkerTotalsRequest{
			Epoch: epoch, Pagination: &query.PageRequest{Key: binary.BigEndian.AppendUint64(nil, worker), Limit: 1},
		})
		switch {
		case status.Code(err) == codes.NotFound:
		case err != nil:
			return sum, err
		case len(res.Totals) > 0 && res.Totals[0].WorkerId == worker:
			sum.add(res.Totals[0].Revenue)
		}
	}
	var next []byte
	for range revenuePages {
		res, err := client.Revenue(ctx, &dacktypes.QueryRevenueRequest{
			Epoch: epoch, WorkerId: worker, Pagination: &query.PageRequest{Key: next, Limit: revenuePage},
		})
		if err != nil {
			return sum, err
		}
		for _, r := range res.Records {
			if r.WorkerId == worker && r.Epoch == epoch {
				sum.add(r.Revenue)
			}
		}
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			return sum, nil
		}
		next = res.Pagination.NextKey
	}
	return sum, errors.New("too many services")
}

// payout returns the one of a kind to a worker, nil if there is none.
func (e *earnings) payout(ctx context.Context, epoch uint64, kind rewardstypes.PayoutKind, worker uint64) (*rewardstypes.Payout, error) {
	// Payouts have kind and id as their key.
	key := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(nil, uint16(kind)), worker)
	res, err := rewardstypes.NewQueryClient(e.conn).Payouts(ctx, &rewardstypes.QueryPayoutsRequest{
		Epoch: epoch, Pagination: &query.PageRequest{Key: key, Limit: 1},
	})
	if err != nil {
		return nil, err
	}
	if len(res.Payouts) == 0 || res.Payouts[0].Kind != kind || res.Payouts[0].Id != worker {
		return nil, nil //nolint:nilnil // there is no payout, which is no error
	}
	return &res.Payouts[0], nil
}
