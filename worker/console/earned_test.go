package console

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/math"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// chainDouble answers the queries as the chain does: pages begin with the key that was asked for.
type chainDouble struct {
	asked map[string]int
	fail  error
	// open epoch, and the last one that is paid.
	open, paid uint64
	history    uint32
	setAside   uint64
}

func (c *chainDouble) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("no streams")
}

func (c *chainDouble) Invoke(_ context.Context, _ string, req, reply any, _ ...grpc.CallOption) error {
	c.asked[fmt.Sprintf("%T", req)]++
	if c.fail != nil {
		return c.fail
	}
	const worker = 7
	revenue := func(epoch, n uint64) dacktypes.Revenue {
		return dacktypes.Revenue{Amount: math.NewIntFromUint64(epoch * n), Requests: epoch, Bytes: n}
	}
	switch r := req.(type) {
	case *rewardstypes.QueryParamsRequest:
		p := rewardstypes.DefaultParams()
		p.HistoryEpochs = c.history
		p.Shares.Node = math.LegacyNewDecWithPrec(7, 1)
		*reply.(*rewardstypes.QueryParamsResponse) = rewardstypes.QueryParamsResponse{Params: p}
	case *dacktypes.QueryRevenueRequest:
		if r.Epoch < c.open {
			return nil // summed
		}
		*reply.(*dacktypes.QueryRevenueResponse) = dacktypes.QueryRevenueResponse{Records: []dacktypes.RevenueRecord{
			{Epoch: r.Epoch, WorkerId: worker, ServiceId: 0, Revenue: revenue(r.Epoch, 10)},
			{Epoch: r.Epoch, WorkerId: worker, ServiceId: 1, Revenue: revenue(r.Epoch, 1)},
		}}
	case *dacktypes.QueryWorkerTotalsRequest:
		if id := binary.BigEndian.Uint64(r.Pagination.Key); id != worker {
			return status.Error(codes.InvalidArgument, "another worker")
		}
		*reply.(*dacktypes.QueryWorkerTotalsResponse) = dacktypes.QueryWorkerTotalsResponse{
			Totals: []dacktypes.RevenueRecord{{Epoch: r.Epoch, WorkerId: worker, Revenue: revenue(r.Epoch, 100)}},
		}
	case *rewardstypes.QueryEpochSummaryRequest:
		if r.Epoch > c.paid {
			return status.Error(codes.NotFound, "not yet")
		}
		*reply.(*rewardstypes.QueryEpochSummaryResponse) = rewardstypes.QueryEpochSummaryResponse{Summary: rewardstypes.EpochSummary{Epoch: r.Epoch, Done: true}}
	case *rewardstypes.QueryPayoutsRequest:
		kind := rewardstypes.PayoutKind(binary.BigEndian.Uint16(r.Pagination.Key))
		p := rewardstypes.Payout{Epoch: r.Epoch, Kind: kind, Id: binary.BigEndian.Uint64(r.Pagination.Key[2:]), Amount: math.NewInt(int64(kind) * 1000)}
		if r.Epoch == c.setAside && kind == rewardstypes.PAYOUT_KIND_NODE {
			p.SetAside, p.Cause = true, "blocked"
		}
		if kind == rewardstypes.PAYOUT_KIND_NODE_EMISSION && r.Epoch%2 == 0 {
			p.Id++ // the next one's: there is none of this worker
		}
		*reply.(*rewardstypes.QueryPayoutsResponse) = rewardstypes.QueryPayoutsResponse{Payouts: []rewardstypes.Payout{p}}
	default:
		return fmt.Errorf("unexpected %T", req)
	}
	return nil
}

func TestEarned(t *testing.T) {
	c := &chainDouble{asked: map[string]int{}, open: 20, paid: 18, history: 100, setAside: 10}
	e := newEarnings(c)
	require.NoError(t, e.refresh(t.Context(), 7, 20, "uusd", noon))
	doc := e.current()
	require.Equal(t, "uusd", doc.Denom)
	require.Equal(t, "uedge", doc.TokenDenom)
	require.Empty(t, doc.Problem)
	require.Len(t, doc.Epochs, earnedEpochs)
	require.Equal(t, EarnedEpoch{Epoch: 20, State: EarnedOpen, Revenue: "220", Node: "154", Tokens: "0", Requests: 40, Bytes: 11}, doc.Epochs[0])
	require.Equal(t, EarnedEpoch{Epoch: 19, State: EarnedClosing, Revenue: "1900", Node: "1330", Tokens: "0", Requests: 19, Bytes: 100}, doc.Epochs[1])
	require.Equal(t, EarnedEpoch{Epoch: 18, State: EarnedPaid, Revenue: "1800", Node: "1000", Tokens: "0", Requests: 18, Bytes: 100}, doc.Epochs[2])
	require.Equal(t, "4000", doc.Epochs[3].Tokens)
	require.Equal(t, EarnedSetAside, doc.Epochs[10].State)
	require.Equal(t, "blocked", doc.Epochs[10].Cause)

	// What is paid is not asked for again; what was set aside is.
	before := c.asked["*types.QueryEpochSummaryRequest"]
	require.NoError(t, e.refresh(t.Context(), 7, 20, "uusd", noon))
	require.Equal(t, before+2, c.asked["*types.QueryEpochSummaryRequest"])

	// A chain that does not answer leaves what was known, and says so.
	c.fail = errors.New("connection refused")
	require.Error(t, e.refresh(t.Context(), 7, 20, "uusd", noon))
	doc = e.current()
	require.Len(t, doc.Epochs, earnedEpochs)
	require.Contains(t, doc.Problem, "connection refused")
	require.Equal(t, noon, doc.At)

	// Another worker has earned none of it.
	c.fail = nil
	require.Error(t, e.refresh(t.Context(), 8, 20, "uusd", noon), "the double knows one worker")
	require.NotContains(t, fmt.Sprint(e.current().Epochs), "1900")
}

// Epochs whose payouts the chain has forgotten would look unpaid: they are left out.
func TestEarnedShortHistory(t *testing.T) {
	c := &chainDouble{asked: map[string]int{}, open: 20, paid: 19, history: 3}
	e := newEarnings(c)
	require.NoError(t, e.refresh(t.Context(), 7, 20, "uusd", noon))
	require.Len(t, e.current().Epochs, 4)
	c.open, c.paid = 2, 1
	require.NoError(t, newEarnings(c).refresh(t.Context(), 7, 1, "uusd", noon))
}
