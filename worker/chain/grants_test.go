package chain

import (
	"errors"
	"math/big"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/cosmos/cosmos-sdk/x/authz"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// grantsRPC answers like the SDK's modules behind a node's RPC: the question for one grant that is not there fails with the
// code of a fault.
type grantsRPC struct {
	t              *testing.T
	authorizations []*authz.Grant
	// allowances by granter, in the order of a list. pages is how many of them are on a page.
	granters   []string
	allowances map[string]*feegrant.Grant
	pages      int
	down       bool
	lists      int
}

func (g *grantsRPC) respond(path string, data []byte) abci.ResponseQuery {
	fault := func(log string) abci.ResponseQuery {
		return abci.ResponseQuery{Code: sdkerrors.ErrUnknownRequest.ABCICode(), Codespace: "sdk", Log: log}
	}
	if g.down {
		return fault("the state of this height is gone")
	}
	marshal := func(m interface{ Marshal() ([]byte, error) }) abci.ResponseQuery {
		b, err := m.Marshal()
		require.NoError(g.t, err)
		return abci.ResponseQuery{Value: b}
	}
	switch path {
	case "/cosmos.authz.v1beta1.Query/Grants":
		var req authz.QueryGrantsRequest
		require.NoError(g.t, req.Unmarshal(data))
		require.Equal(g.t, [3]string{"cold", "hot", ""}, [3]string{req.Granter, req.Grantee, req.MsgTypeUrl})
		at := len(req.Pagination.Key)
		end := min(at+g.pages, len(g.authorizations))
		res := &authz.QueryGrantsResponse{Grants: g.authorizations[at:end], Pagination: &query.PageResponse{}}
		if end < len(g.authorizations) {
			res.Pagination.NextKey = make([]byte, end)
		}
		return marshal(res)
	case "/cosmos.feegrant.v1beta1.Query/Allowance":
		var req feegrant.QueryAllowanceRequest
		require.NoError(g.t, req.Unmarshal(data))
		if grant := g.allowances[req.Granter]; grant != nil {
			return marshal(&feegrant.QueryAllowanceResponse{Allowance: grant})
		}
		return fault("collections: not found")
	case "/cosmos.feegrant.v1beta1.Query/Allowances":
		g.lists++
		var req feegrant.QueryAllowancesRequest
		require.NoError(g.t, req.Unmarshal(data))
		at := len(req.Pagination.Key)
		end := min(at+g.pages, len(g.granters))
		res := &feegrant.QueryAllowancesResponse{Pagination: &query.PageResponse{}}
		for _, granter := range g.granters[at:end] {
			res.Allowances = append(res.Allowances, &feegrant.Grant{Granter: granter, Grantee: "hot"})
		}
		if end < len(g.granters) {
			res.Pagination.NextKey = make([]byte, end)
		}
		return marshal(res)
	}
	g.t.Errorf("unexpected query %s", path)
	return fault("")
}

func grantOf(t *testing.T, a proto.Message, until *time.Time) *authz.Grant {
	t.Helper()
	packed, err := codectypes.NewAnyWithValue(a)
	require.NoError(t, err)
	return &authz.Grant{Authorization: packed, Expiration: until}
}

func allowanceOf(t *testing.T, a proto.Message) *feegrant.Grant {
	t.Helper()
	packed, err := codectypes.NewAnyWithValue(a)
	require.NoError(t, err)
	return &feegrant.Grant{Granter: "payer", Grantee: "hot", Allowance: packed}
}

func TestGrants(t *testing.T) {
	n, r := testNode(t)
	g := &grantsRPC{t: t, pages: 2}
	r.response = g.respond
	until := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)

	grants, err := n.Grants(t.Context(), "cold", "payer", "hot")
	require.NoError(t, err, "a missing grant is no fault")
	require.Equal(t, Grants{Messages: map[string]time.Time{}}, grants)
	require.False(t, grants.May(&dacktypes.MsgSettle{}, until))
	require.Zero(t, grants.Fees.Left("uedge", until, &authz.MsgExec{}).Sign())

	// Others of any kind, also such that the worker cannot read, do not matter.
	foreign := grantOf(t, &banktypes.SendAuthorization{}, nil)
	foreign.Authorization.Value = []byte{0xff}
	g.authorizations = []*authz.Grant{
		foreign, grantOf(t, authz.NewGenericAuthorization("/cosmos.bank.v1beta1.MsgSend"), nil), foreign,
		grantOf(t, authz.NewGenericAuthorization(sdk.MsgTypeURL(&dacktypes.MsgSettle{})), &until),
		grantOf(t, authz.NewGenericAuthorization(sdk.MsgTypeURL(&nodetypes.MsgReport{})), nil),
	}
	g.allowances = map[string]*feegrant.Grant{"payer": allowanceOf(t, &feegrant.BasicAllowance{})}
	lists := g.lists
	grants, err = n.Grants(t.Context(), "cold", "payer", "hot")
	require.NoError(t, err)
	require.Len(t, grants.Messages, 2)
	require.True(t, grants.May(&dacktypes.MsgSettle{}, until), "to the second")
	require.False(t, grants.May(&dacktypes.MsgSettle{}, until.Add(time.Second)))
	require.True(t, grants.May(&nodetypes.MsgReport{}, until.AddDate(99, 0, 0)), "without an end")
	require.Nil(t, grants.Fees.Left("uedge", until, &authz.MsgExec{}))
	require.Equal(t, lists, g.lists, "what is there is asked for once")

	grants, err = n.Grants(t.Context(), "", "", "hot")
	require.NoError(t, err)
	require.Nil(t, grants.Fees)

	// Fees are granted by others, and not by the one that is named.
	g.allowances, g.granters = nil, []string{"a", "b", "c"}
	grants, err = n.Grants(t.Context(), "", "payer", "hot")
	require.NoError(t, err)
	require.Nil(t, grants.Fees)
	g.granters = make([]string, grantPage*maxGrantPages+1)
	_, err = n.Grants(t.Context(), "", "payer", "hot")
	require.ErrorContains(t, err, "payer", "it cannot be told")

	// A node in trouble does not say that nothing is granted.
	g.down = true
	_, err = n.Grants(t.Context(), "cold", "", "hot")
	require.ErrorContains(t, err, "gone")
	_, err = n.Grants(t.Context(), "", "payer", "hot")
	require.ErrorContains(t, err, "gone")
	r.err = errors.New("connection refused")
	_, err = n.Grants(t.Context(), "cold", "payer", "hot")
	require.ErrorIs(t, err, r.err)
}

func TestFeeGrantLeft(t *testing.T) {
	n, r := testNode(t)
	g := &grantsRPC{t: t, pages: 2}
	r.response = g.respond
	now := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	soon, past := now.Add(time.Hour), now.Add(-time.Second)
	coins := func(n int64) sdk.Coins { return sdk.NewCoins(sdk.NewInt64Coin("uedge", n)) }
	list := func(inner feegrant.FeeAllowanceI, messages ...string) proto.Message {
		a, err := feegrant.NewAllowedMsgAllowance(inner, messages)
		require.NoError(t, err)
		return a
	}
	exec, settle := sdk.MsgTypeURL(&authz.MsgExec{}), sdk.MsgTypeURL(&dacktypes.MsgSettle{})
	for name, tc := range map[string]struct {
		allowance proto.Message
		msg       sdk.Msg
		want      *big.Int
	}{
		"no limit":                  {&feegrant.BasicAllowance{}, &authz.MsgExec{}, nil},
		"a limit":                   {&feegrant.BasicAllowance{SpendLimit: coins(7)}, &authz.MsgExec{}, big.NewInt(7)},
		"of another coin":           {&feegrant.BasicAllowance{SpendLimit: sdk.NewCoins(sdk.NewInt64Coin("uusd", 7))}, &authz.MsgExec{}, new(big.Int)},
		"ended":                     {&feegrant.BasicAllowance{Expiration: &past}, &authz.MsgExec{}, new(big.Int)},
		"ends soon":                 {&feegrant.BasicAllowance{Expiration: &soon}, &authz.MsgExec{}, nil},
		"for its message":           {list(&feegrant.BasicAllowance{SpendLimit: coins(7)}, exec), &authz.MsgExec{}, big.NewInt(7)},
		"for another message":       {list(&feegrant.BasicAllowance{SpendLimit: coins(7)}, settle), &authz.MsgExec{}, new(big.Int)},
		"for messages without exec": {list(&feegrant.BasicAllowance{SpendLimit: coins(7)}, settle), &dacktypes.MsgSettle{}, big.NewInt(7)},
		"what is left of a day": {&feegrant.PeriodicAllowance{
			PeriodCanSpend: coins(3), PeriodSpendLimit: coins(9), PeriodReset: soon,
		}, &authz.MsgExec{}, big.NewInt(3)},
		"the next day": {&feegrant.PeriodicAllowance{
			PeriodCanSpend: coins(3), PeriodSpendLimit: coins(9), PeriodReset: past,
		}, &authz.MsgExec{}, big.NewInt(9)},
		"less in all than in a day": {&feegrant.PeriodicAllowance{
			Basic: feegrant.BasicAllowance{SpendLimit: coins(2)}, PeriodCanSpend: coins(3), PeriodSpendLimit: coins(9), PeriodReset: past,
		}, &authz.MsgExec{}, big.NewInt(2)},
		"listed, of a day": {list(&feegrant.PeriodicAllowance{
			PeriodCanSpend: coins(0), PeriodSpendLimit: coins(9), PeriodReset: soon,
		}, exec), &authz.MsgExec{}, new(big.Int)},
	} {
		g.allowances = map[string]*feegrant.Grant{"payer": allowanceOf(t, tc.allowance)}
		grants, err := n.Grants(t.Context(), "", "payer", "hot")
		require.NoError(t, err, name)
		left := grants.Fees.Left("uedge", now, tc.msg)
		if tc.want == nil {
			require.Nil(t, left, name)
			continue
		}
		require.NotNil(t, left, name)
		require.Equal(t, tc.want.String(), left.String(), name)
	}
	g.allowances = map[string]*feegrant.Grant{"payer": allowanceOf(t, &banktypes.SendAuthorization{})}
	_, err := n.Grants(t.Context(), "", "payer", "hot")
	require.Error(t, err, "an allowance of a kind that is not known")
}
