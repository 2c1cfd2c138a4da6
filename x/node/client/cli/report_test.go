package cli

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"

	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/edgechain/edge/x/node/types"
)

var (
	operatorKey = sdk.AccAddress("operator............")
	settlerKey  = sdk.AccAddress("settler.............")
	operator    = sdk.ValAddress(operatorKey).String()
)

// chain doubles what the command asks of a node.
type chain struct {
	answer   *types.QueryNodeResponse
	latest   int64
	catching bool
	header   cmttypes.Header
	// committed is the hash that the commit is for, if it is not that of the header.
	committed []byte
	asked     []int64
}

func newChain() *chain {
	return &chain{
		answer: &types.QueryNodeResponse{
			Node:     types.Node{Operator: operator, OptedIn: true, FromEpoch: 1, FirstEpoch: 1, LastReportEpoch: 6},
			Standing: "ok", ReportDue: true, EpochsLeft: 2, Epoch: 7, EpochHeight: 90,
		},
		latest: 101,
		header: cmttypes.Header{ChainID: "edge-test", ValidatorsHash: make([]byte, 32)},
	}
}

func (c *chain) Node(_ context.Context, in *types.QueryNodeRequest, _ ...grpc.CallOption) (*types.QueryNodeResponse, error) {
	if c.answer == nil || in.Operator != operator {
		return nil, status.Error(codes.NotFound, "never opted in")
	}
	return c.answer, nil
}

func (c *chain) Status(context.Context) (*coretypes.ResultStatus, error) {
	return &coretypes.ResultStatus{SyncInfo: coretypes.SyncInfo{LatestBlockHeight: c.latest, CatchingUp: c.catching}}, nil
}

func (c *chain) Commit(_ context.Context, height *int64) (*coretypes.ResultCommit, error) {
	c.asked = append(c.asked, *height)
	c.header.Height = *height
	hash := c.committed
	if hash == nil {
		hash = c.header.Hash()
	}
	return coretypes.NewResultCommit(&c.header, &cmttypes.Commit{Height: *height, BlockID: cmttypes.BlockID{Hash: hash}}, true), nil
}

// drafted runs the command up to its message.
func drafted(t *testing.T, c *chain, from sdk.AccAddress, args ...string) (sdk.Msg, error) {
	t.Helper()
	cmd := reportCommand()
	require.NoError(t, cmd.ParseFlags(args))
	d, err := newDraft(cmd.Flags(), from)
	if err != nil {
		return nil, err
	}
	if d.queries() {
		if err := d.fill(t.Context(), c, c); err != nil {
			return nil, err
		}
	}
	return d.message(), nil
}

func TestReportAsksForTheRest(t *testing.T) {
	c := newChain()
	msg, err := drafted(t, c, operatorKey)
	require.NoError(t, err)
	require.Equal(t, []int64{100}, c.asked)
	want := &types.MsgReport{Sender: operatorKey.String(), Operator: operator, Epoch: 7, Height: 100, HeaderHash: c.header.Hash()}
	require.Equal(t, want, msg)

	msg, err = drafted(t, c, operatorKey, "--height", "95")
	require.NoError(t, err)
	require.EqualValues(t, 95, msg.(*types.MsgReport).Height)
	require.NotEqual(t, want.HeaderHash, msg.(*types.MsgReport).HeaderHash)

	msg, err = drafted(t, c, settlerKey, "--operator", operator)
	require.NoError(t, err)
	require.Equal(t, settlerKey.String(), msg.(*types.MsgReport).Sender)
	require.Equal(t, operator, msg.(*types.MsgReport).Operator)
}

func TestReportOfAGrantee(t *testing.T) {
	c := newChain()
	msg, err := drafted(t, c, settlerKey, "--operator", operator, "--authz", "--if-due")
	require.NoError(t, err)
	exec := msg.(*authz.MsgExec)
	require.Equal(t, settlerKey.String(), exec.Grantee)
	inner, err := exec.GetMessages()
	require.NoError(t, err)
	require.Len(t, inner, 1)
	require.Equal(t, operatorKey.String(), inner[0].(*types.MsgReport).Sender)

	_, err = drafted(t, c, settlerKey, "--authz")
	require.ErrorContains(t, err, "--authz needs --operator")
}

func TestReportWithEverythingGivenAsksNothing(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	msg, err := drafted(t, nil, operatorKey, "--epoch", "3", "--height", "9", "--header-hash", hash)
	require.NoError(t, err)
	report := msg.(*types.MsgReport)
	require.EqualValues(t, 3, report.Epoch)
	require.EqualValues(t, 9, report.Height)
	require.Equal(t, hash, hex.EncodeToString(report.HeaderHash))
}

func TestReportRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*chain)
		args   []string
		want   string
	}{
		"never opted in":    {change: func(c *chain) { c.answer = nil }, want: "never opted in: edged tx node opt-in"},
		"reported already":  {change: func(c *chain) { c.answer.Node.LastReportEpoch = 7 }, want: "has reported in epoch 7 already"},
		"lapsed":            {change: func(c *chain) { c.answer.Node.LastReportEpoch = 4 }, want: "does not take part"},
		"catching up":       {change: func(c *chain) { c.catching = true }, want: "catching up"},
		"epoch just opened": {change: func(c *chain) { c.latest = 90 }, want: "try again"},
		"another header":    {change: func(c *chain) { c.committed = make([]byte, 32) }, want: "its commit is for"},
		"bad operator":      {args: []string{"--operator", "edge1"}, want: "--operator"},
		"short hash":        {args: []string{"--height", "9", "--header-hash", "ab"}, want: "--header-hash of 1 bytes"},
		"hash of no height": {args: []string{"--header-hash", strings.Repeat("ab", 32)}, want: "needs the --height"},
		"negative height":   {args: []string{"--height", "-1"}, want: "want above 0"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChain()
			if tt.change != nil {
				tt.change(c)
			}
			_, err := drafted(t, c, operatorKey, tt.args...)
			require.ErrorContains(t, err, tt.want)
			require.NotErrorIs(t, err, errNotDue)
		})
	}
}

func TestReportIfDue(t *testing.T) {
	for name, change := range map[string]func(*chain){
		"never opted in": func(c *chain) { c.answer = nil },
		"not due":        func(c *chain) { c.answer.ReportDue = false },
	} {
		t.Run(name, func(t *testing.T) {
			c := newChain()
			change(c)
			_, err := drafted(t, c, operatorKey, "--if-due")
			require.ErrorIs(t, err, errNotDue)
		})
	}
}
