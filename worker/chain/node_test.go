package chain

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/libs/bytes"
	"github.com/cometbft/cometbft/mempool"
	"github.com/cometbft/cometbft/p2p"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	rpcclient "github.com/cometbft/cometbft/rpc/client"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	rpcserver "github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	sdkmath "cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// rpc doubles the RPC endpoint of a node.
type rpc struct {
	client.CometRPC

	check    *coretypes.ResultBroadcastTx
	err      error
	search   []*coretypes.ResultTx
	block    cmttypes.Txs
	results  []*abci.ExecTxResult
	response func(path string, data []byte) abci.ResponseQuery
	// header is that of every height, committed the hash that commits are for, if it is another.
	header    cmttypes.Header
	committed []byte
}

func (r *rpc) Commit(_ context.Context, height *int64) (*coretypes.ResultCommit, error) {
	if r.err != nil {
		return nil, r.err
	}
	hash := r.committed
	if hash == nil {
		hash = r.header.Hash()
	}
	return coretypes.NewResultCommit(&r.header, &cmttypes.Commit{Height: *height, BlockID: cmttypes.BlockID{Hash: hash}}, true), nil
}

func (r *rpc) Status(context.Context) (*coretypes.ResultStatus, error) {
	return &coretypes.ResultStatus{
		NodeInfo: p2p.DefaultNodeInfo{Network: "edge-test"}, SyncInfo: coretypes.SyncInfo{LatestBlockHeight: 8, CatchingUp: true},
	}, r.err
}

func (r *rpc) ABCIInfo(context.Context) (*coretypes.ResultABCIInfo, error) {
	return &coretypes.ResultABCIInfo{Response: abci.ResponseInfo{LastBlockHeight: 7}}, r.err
}

func (r *rpc) BroadcastTxSync(context.Context, cmttypes.Tx) (*coretypes.ResultBroadcastTx, error) {
	return r.check, r.err
}

func (r *rpc) TxSearch(_ context.Context, q string, _ bool, _, _ *int, _ string) (*coretypes.ResultTxSearch, error) {
	if !strings.HasPrefix(q, "tx.hash='") {
		return nil, errors.New("unexpected query")
	}
	return &coretypes.ResultTxSearch{Txs: r.search, TotalCount: len(r.search)}, r.err
}

func (r *rpc) Block(context.Context, *int64) (*coretypes.ResultBlock, error) {
	return &coretypes.ResultBlock{Block: &cmttypes.Block{Data: cmttypes.Data{Txs: r.block}}}, r.err
}

func (r *rpc) BlockResults(context.Context, *int64) (*coretypes.ResultBlockResults, error) {
	return &coretypes.ResultBlockResults{TxsResults: r.results}, r.err
}

func (r *rpc) ABCIQuery(_ context.Context, path string, data bytes.HexBytes) (*coretypes.ResultABCIQuery, error) {
	return &coretypes.ResultABCIQuery{Response: r.response(path, data)}, r.err
}

func (r *rpc) ABCIQueryWithOptions(_ context.Context, path string, data bytes.HexBytes, _ rpcclient.ABCIQueryOptions) (*coretypes.ResultABCIQuery, error) {
	return &coretypes.ResultABCIQuery{Response: r.response(path, data)}, r.err
}

func testNode(t *testing.T) (*Node, *rpc) {
	t.Helper()
	enc, err := NewEncoding()
	require.NoError(t, err)
	r := &rpc{}
	return newNode(r, enc), r
}

func TestStatusIsThatOfTheApplication(t *testing.T) {
	n, r := testNode(t)
	s, err := n.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, Status{ChainID: "edge-test", Height: 7, CatchingUp: true}, s)
	r.err = errors.New("down")
	_, err = n.Status(t.Context())
	require.ErrorIs(t, err, r.err)
}

// Lesson 5: what the mempool says is known by codespace and code.
func TestBroadcast(t *testing.T) {
	n, r := testNode(t)
	for _, tc := range []struct {
		name  string
		check *coretypes.ResultBroadcastTx
		err   error
		want  error
	}{
		{"taken", &coretypes.ResultBroadcastTx{}, nil, nil},
		{"sequence", &coretypes.ResultBroadcastTx{Codespace: "sdk", Code: 32, Log: "no words of it"}, nil, sdkerrors.ErrWrongSequence},
		{"another codespace", &coretypes.ResultBroadcastTx{Codespace: "dack", Code: 24}, nil, dacktypes.ErrWrongAccount},
		{"in the cache", nil, rpctypes.RPCError{Code: -32603, Message: "Internal error", Data: mempool.ErrTxInCache.Error()}, sdkerrors.ErrTxInMempoolCache},
		{"full", nil, rpctypes.RPCError{Code: -32603, Data: mempool.ErrMempoolIsFull{NumTxs: 5, MaxTxs: 5}.Error()}, sdkerrors.ErrMempoolIsFull},
		{"large", nil, rpctypes.RPCError{Code: -32603, Data: mempool.ErrTxTooLarge{Max: 1, Actual: 2}.Error()}, sdkerrors.ErrTxTooLarge},
	} {
		r.check, r.err = tc.check, tc.err
		err := n.Broadcast(t.Context(), []byte("tx"))
		if tc.want == nil {
			require.NoError(t, err, tc.name)
			continue
		}
		require.ErrorIs(t, err, tc.want, tc.name)
		require.NotErrorIs(t, err, sdkerrors.ErrOutOfGas, tc.name)
		var refused *Refusal
		require.ErrorAs(t, err, &refused, tc.name)
	}
	r.check, r.err = nil, errors.New("i/o timeout")
	err := n.Broadcast(t.Context(), []byte("tx"))
	var refused *Refusal
	require.False(t, errors.As(err, &refused), "nobody knows is not a refusal")
	r.check, r.err = &coretypes.ResultBroadcastTx{Codespace: "sdk", Code: 2, Log: strings.Repeat("ä", 5_000)}, nil
	require.Less(t, len(n.Broadcast(t.Context(), nil).Error()), 400)
}

func TestFindTx(t *testing.T) {
	n, r := testNode(t)
	tx := cmttypes.Tx("settlement")
	_, err := n.FindTx(t.Context(), tx.Hash())
	require.ErrorIs(t, err, ErrTxNotFound)
	r.search = []*coretypes.ResultTx{{Height: 9, Tx: tx, TxResult: abci.ExecTxResult{Data: []byte("data"), GasUsed: 5, GasWanted: 6}}}
	found, err := n.FindTx(t.Context(), tx.Hash())
	require.NoError(t, err)
	require.Equal(t, Included{Height: 9, Data: []byte("data"), GasUsed: 5, GasWanted: 6}, found)
	_, err = n.FindTx(t.Context(), cmttypes.Tx("other").Hash())
	require.ErrorIs(t, err, ErrTxNotFound, "an answer about something else is none")
	r.err = errors.New("transaction indexing is disabled")
	_, err = n.FindTx(t.Context(), tx.Hash())
	require.NotErrorIs(t, err, ErrTxNotFound)
}

func TestScanTx(t *testing.T) {
	n, r := testNode(t)
	tx := cmttypes.Tx("settlement")
	r.block = cmttypes.Txs{cmttypes.Tx("a"), tx}
	r.results = []*abci.ExecTxResult{{}, {Codespace: "sdk", Code: 11, Log: "gas"}}
	found, err := n.ScanTx(t.Context(), tx.Hash(), 4)
	require.NoError(t, err)
	require.EqualValues(t, 4, found.Height)
	require.ErrorIs(t, found.Refusal, sdkerrors.ErrOutOfGas)
	_, err = n.ScanTx(t.Context(), cmttypes.Tx("b").Hash(), 4)
	require.ErrorIs(t, err, ErrTxNotFound)
	r.results = r.results[:1]
	_, err = n.ScanTx(t.Context(), tx.Hash(), 4)
	require.ErrorContains(t, err, "1 results")
}

func TestSimulate(t *testing.T) {
	n, r := testNode(t)
	r.response = func(path string, _ []byte) abci.ResponseQuery {
		require.Equal(t, "/app/simulate", path)
		b, err := codec.ProtoMarshalJSON(&sdk.SimulationResponse{GasInfo: sdk.GasInfo{GasUsed: 12_345}, Result: &sdk.Result{}}, n.enc.Registry)
		require.NoError(t, err)
		return abci.ResponseQuery{Value: b}
	}
	used, err := n.Simulate(t.Context(), []byte("tx"))
	require.NoError(t, err)
	require.EqualValues(t, 12_345, used)
	r.response = func(string, []byte) abci.ResponseQuery { return abci.ResponseQuery{Codespace: "sdk", Code: 32} }
	_, err = n.Simulate(t.Context(), nil)
	require.ErrorIs(t, err, sdkerrors.ErrWrongSequence)
	for _, bad := range []string{"", "{}", `{"gas_info":{"gas_used":"-1"}}`, `{"gas_info":{"gas_used":"x"}}`} {
		r.response = func(string, []byte) abci.ResponseQuery { return abci.ResponseQuery{Value: []byte(bad)} }
		_, err = n.Simulate(t.Context(), nil)
		require.Error(t, err, bad)
	}
}

func TestTxLimits(t *testing.T) {
	n, r := testNode(t)
	answer := func(maxGas int64) {
		r.response = func(path string, _ []byte) abci.ResponseQuery {
			var msg proto.Message = &authtypes.QueryParamsResponse{Params: authtypes.Params{TxSizeCostPerByte: 10, SigVerifyCostSecp256k1: 1_000}}
			if strings.Contains(path, "consensus") {
				msg = &consensustypes.QueryParamsResponse{Params: &cmtproto.ConsensusParams{Block: &cmtproto.BlockParams{MaxGas: maxGas}}}
			}
			b, err := proto.Marshal(msg)
			require.NoError(t, err)
			return abci.ResponseQuery{Value: b}
		}
	}
	for maxGas, want := range map[int64]uint64{40_000_000: 40_000_000, 0: 0, -1: 0} {
		answer(maxGas)
		limits, err := n.TxLimits(t.Context())
		require.NoError(t, err)
		require.Equal(t, TxLimits{BlockGas: want, GasPerByte: 10, GasPerSignature: 1_000}, limits)
	}
	r.response = func(string, []byte) abci.ResponseQuery { return abci.ResponseQuery{Codespace: "sdk", Code: 6} }
	_, err := n.TxLimits(t.Context())
	require.ErrorContains(t, err, "x/auth")
}

func TestQueries(t *testing.T) {
	n, r := testNode(t)
	r.response = func(string, []byte) abci.ResponseQuery {
		return abci.ResponseQuery{Codespace: "sdk", Code: sdkerrors.ErrKeyNotFound.ABCICode(), Log: "key not found"}
	}
	_, err := n.Key(t.Context(), 1)
	require.ErrorIs(t, err, ErrUnknownKey)
	_, err = n.Account(t.Context(), 1)
	require.ErrorIs(t, err, ErrUnknownAccount)
	_, err = n.Worker(t.Context(), 1)
	require.ErrorIs(t, err, ErrNotRegistered)
	_, err = n.WorkerByPeerKey(t.Context(), make([]byte, 32))
	require.ErrorIs(t, err, ErrNotRegistered)
	_, _, err = n.Sender(t.Context(), "edge1x")
	require.ErrorIs(t, err, ErrUnknownAccount)
	lanes, err := n.Lanes(t.Context(), 1, 2, 3)
	require.NoError(t, err)
	require.Empty(t, lanes)
	// Two pages of lanes.
	r.response = func(_ string, data []byte) abci.ResponseQuery {
		var req dacktypes.QueryWorkerLanesRequest
		require.NoError(t, n.enc.Codec.Unmarshal(data, &req))
		res := &dacktypes.QueryWorkerLanesResponse{Keys: []dacktypes.KeyLanes{{KeyId: 1, Lanes: []dacktypes.Lane{
			{Paid: sdkmath.NewInt(10)}, {Paid: sdkmath.NewInt(5)},
		}}}}
		if len(req.Pagination.Key) == 0 {
			res.Pagination = &query.PageResponse{NextKey: []byte("next")}
		}
		b, err := n.enc.Codec.Marshal(res)
		require.NoError(t, err)
		return abci.ResponseQuery{Value: b}
	}
	paid, err := n.PaidTo(t.Context(), 1, 2)
	require.NoError(t, err)
	require.EqualValues(t, 30, paid.Int64())
}

func TestDecodeResponse(t *testing.T) {
	enc, err := NewEncoding()
	require.NoError(t, err)
	want := &dacktypes.MsgSettleResponse{Results: []dacktypes.AckResult{{
		Status: dacktypes.ACK_STATUS_PAID, Paid: sdkmath.NewInt(3), TotalPaid: sdkmath.NewInt(9),
	}}}
	encode := func(responses ...sdk.Msg) []byte {
		var data sdk.TxMsgData
		for _, r := range responses {
			packed, err := codectypes.NewAnyWithValue(r)
			require.NoError(t, err)
			data.MsgResponses = append(data.MsgResponses, packed)
		}
		b, err := enc.Codec.Marshal(&data)
		require.NoError(t, err)
		return b
	}
	var got dacktypes.MsgSettleResponse
	require.NoError(t, enc.DecodeResponse(encode(want), &got))
	require.Equal(t, *want, got)
	for name, bad := range map[string][]byte{
		"none":         encode(),
		"two":          encode(want, want),
		"another type": encode(&dacktypes.MsgDepositResponse{}),
		"garbage":      []byte("\xff\xff"),
	} {
		require.Error(t, enc.DecodeResponse(bad, &got), name)
	}
}

func TestNewNode(t *testing.T) {
	enc, err := NewEncoding()
	require.NoError(t, err)
	for _, bad := range []string{"", "nonsense", "127.0.0.1:26657"} {
		_, err := NewNode(bad, enc)
		require.Error(t, err, bad)
	}
	// A node that never stops talking cannot fill the memory.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 1<<20)
		for range 80 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	n, err := NewNode(server.URL, enc)
	require.NoError(t, err)
	_, err = n.Status(t.Context())
	require.Error(t, err)
}

func TestEncodingHasItsOwnPrefix(t *testing.T) {
	require.NotEqual(t, Bech32Prefix, sdk.GetConfig().GetBech32AccountAddrPrefix(), "the test says nothing otherwise")
	enc, err := NewEncoding()
	require.NoError(t, err)
	address, err := enc.Addresses.BytesToString(make([]byte, 20))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(address, "edge1"), address)
	signers, _, err := enc.Codec.GetMsgV1Signers(&dacktypes.MsgSettle{Account: address})
	require.NoError(t, err)
	require.Equal(t, make([]byte, 20), signers[0])
}

// A connection to a node is given up before the node closes it: the call that met its end would be held against the node.
func TestIdleConnectionsEndFirst(t *testing.T) {
	c, err := newHTTPClient("http://127.0.0.1:26657")
	require.NoError(t, err)
	bounded, ok := c.Transport.(boundedTransport)
	require.True(t, ok)
	transport, ok := bounded.next.(*http.Transport)
	require.True(t, ok)
	require.Positive(t, transport.IdleConnTimeout)
	require.LessOrEqual(t, 2*transport.IdleConnTimeout, rpcserver.DefaultConfig().ReadTimeout, "which bounds what is idle, too")
}
