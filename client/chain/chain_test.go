package chain

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	"github.com/cometbft/cometbft/p2p"
	rpcclient "github.com/cometbft/cometbft/rpc/client"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	sdkmath "cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/grpc/node"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/edgechain/edge/ack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const testChain = "edge-test-1"

// fakeNode answers a node's RPC out of memory. Only what a client calls is there.
type fakeNode struct {
	client.CometRPC
	t *testing.T

	mu       sync.Mutex
	chainID  string
	catching bool
	height   int64
	down     bool
	// answers by method, as values or as errors.
	answers map[string]any
	sent    [][]byte
	// checkCode refuses in the mempool, deliverCode in the block. never leaves transactions out of blocks.
	checkCode, deliverCode uint32
	never                  bool
	response               proto.Message
}

func (n *fakeNode) Status(context.Context) (*coretypes.ResultStatus, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return nil, errors.New("connection refused")
	}
	n.height++
	return &coretypes.ResultStatus{
		NodeInfo: p2p.DefaultNodeInfo{Network: n.chainID},
		SyncInfo: coretypes.SyncInfo{LatestBlockHeight: n.height, CatchingUp: n.catching},
	}, nil
}

func (n *fakeNode) ABCIQueryWithOptions(_ context.Context, path string, data cmtbytes.HexBytes, _ rpcclient.ABCIQueryOptions) (*coretypes.ResultABCIQuery, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return nil, errors.New("connection refused")
	}
	answer, ok := n.answers[path]
	if f, isFunc := answer.(func([]byte) any); isFunc {
		answer = f(data)
	}
	if err, isErr := answer.(error); isErr || !ok {
		if !ok {
			err = sdkerrors.ErrUnknownRequest.Wrap("unknown query path " + path)
		}
		_, code, log := abciInfo(err)
		return &coretypes.ResultABCIQuery{Response: abci.ResponseQuery{Code: code, Codespace: sdkerrors.RootCodespace, Log: log}}, nil
	}
	b, err := proto.Marshal(answer.(proto.Message))
	require.NoError(n.t, err)
	return &coretypes.ResultABCIQuery{Response: abci.ResponseQuery{Value: b, Height: n.height}}, nil
}

func abciInfo(err error) (string, uint32, string) {
	for _, known := range []interface {
		error
		ABCICode() uint32
	}{sdkerrors.ErrKeyNotFound, sdkerrors.ErrInvalidRequest, sdkerrors.ErrUnauthorized} {
		if errors.Is(err, known) {
			return sdkerrors.RootCodespace, known.ABCICode(), err.Error()
		}
	}
	return sdkerrors.RootCodespace, sdkerrors.ErrUnknownRequest.ABCICode(), err.Error()
}

func (n *fakeNode) BroadcastTxSync(_ context.Context, tx cmttypes.Tx) (*coretypes.ResultBroadcastTx, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent = append(n.sent, tx)
	return &coretypes.ResultBroadcastTx{Code: n.checkCode, Codespace: "sdk", Log: "no\nstack", Hash: tx.Hash()}, nil
}

func (n *fakeNode) Tx(_ context.Context, hash []byte, _ bool) (*coretypes.ResultTx, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.never || len(n.sent) == 0 || n.height < 3 {
		return nil, errors.New("tx not found")
	}
	var data []byte
	if n.response != nil {
		anyRes, err := codectypes.NewAnyWithValue(n.response)
		require.NoError(n.t, err)
		data, err = proto.Marshal(&sdk.TxMsgData{MsgResponses: []*codectypes.Any{anyRes}})
		require.NoError(n.t, err)
	}
	return &coretypes.ResultTx{Hash: hash, Height: n.height, TxResult: abci.ExecTxResult{
		Code: n.deliverCode, Codespace: "dack", Log: "too small [/root/x.go:1]", Data: data, GasUsed: 70_000,
	}}, nil
}

func coin(denom string, n int64) *sdk.Coin {
	c := sdk.NewInt64Coin(denom, n)
	return &c
}

// newFake returns a node of a chain on which the signer has an account and enough of all coins.
func newFake(t *testing.T) (*fakeNode, *Client, Signer) {
	t.Helper()
	balances := map[string]int64{FeeDenom: 1_000_000, "uusd": 500}
	n := &fakeNode{t: t, chainID: testChain, answers: map[string]any{
		"/cosmos.base.node.v1beta1.Service/Config": &node.ConfigResponse{MinimumGasPrice: "0.0025uedge"},
		"/cosmos.auth.v1beta1.Query/AccountInfo":   &authtypes.QueryAccountInfoResponse{Info: &authtypes.BaseAccount{AccountNumber: 11, Sequence: 4}},
		"/cosmos.tx.v1beta1.Service/Simulate":      &txtypes.SimulateResponse{GasInfo: &sdk.GasInfo{GasUsed: 100_000}},
		"/cosmos.bank.v1beta1.Query/Balance": func(b []byte) any {
			var req banktypes.QueryBalanceRequest
			require.NoError(t, proto.Unmarshal(b, &req))
			return &banktypes.QueryBalanceResponse{Balance: coin(req.Denom, balances[req.Denom])}
		},
	}}
	c, err := newClient(Config{RPC: "http://node", PollInterval: time.Millisecond, InclusionBlocks: 20}, n)
	require.NoError(t, err)
	kr := keyring.NewInMemory(c.Codec())
	_, _, err = kr.NewMnemonic("alice", keyring.English, "m/44'/118'/0'/0/0", "", hd.Secp256k1)
	require.NoError(t, err)
	return n, c, Signer{Keyring: kr, From: "alice"}
}

func TestDepositIsSignedForThisChain(t *testing.T) {
	n, c, s := newFake(t)
	n.response = &dacktypes.MsgDepositResponse{AccountId: 9}
	id, tx, err := c.Deposit(t.Context(), s, "", sdk.NewInt64Coin("uusd", 300))
	require.NoError(t, err)
	require.EqualValues(t, 9, id)
	require.EqualValues(t, 70_000, tx.GasUsed)
	require.Equal(t, "350uedge", tx.Fee.String(), "100,000 gas * 1.4 * 0.0025")

	var raw txtypes.TxRaw
	require.NoError(t, proto.Unmarshal(n.sent[0], &raw))
	var auth txtypes.AuthInfo
	require.NoError(t, proto.Unmarshal(raw.AuthInfoBytes, &auth))
	require.EqualValues(t, 140_000, auth.Fee.GasLimit)
	require.EqualValues(t, 4, auth.SignerInfos[0].Sequence)
	var body txtypes.TxBody
	require.NoError(t, proto.Unmarshal(raw.BodyBytes, &body))
	require.Positive(t, body.TimeoutHeight)
	var msg dacktypes.MsgDeposit
	require.NoError(t, proto.Unmarshal(body.Messages[0].Value, &msg))
	require.True(t, strings.HasPrefix(msg.Sender, "edge1"), msg.Sender)
	require.Equal(t, msg.Sender, msg.Owner)
	signBytes, err := proto.Marshal(&txtypes.SignDoc{BodyBytes: raw.BodyBytes, AuthInfoBytes: raw.AuthInfoBytes, ChainId: testChain, AccountNumber: 11})
	require.NoError(t, err)
	var public cryptotypes.PubKey
	require.NoError(t, c.registry.UnpackAny(auth.SignerInfos[0].PublicKey, &public))
	require.True(t, public.VerifySignature(signBytes, raw.Signatures[0]))

	addr, name, err := c.Address(Signer{Keyring: s.Keyring, From: msg.Sender})
	require.NoError(t, err)
	require.Equal(t, msg.Sender, addr)
	require.Equal(t, "alice", name)
	_, _, err = c.Address(Signer{Keyring: s.Keyring, From: "bob"})
	require.ErrorIs(t, err, ErrKey)
	require.NotContains(t, err.Error(), ".go:")
}

func TestFundsAreCheckedBeforeAnythingIsSent(t *testing.T) {
	n, c, s := newFake(t)
	addr, _, err := c.Address(s)
	require.NoError(t, err)
	_, _, err = c.Deposit(t.Context(), s, "", sdk.NewInt64Coin("uusd", 501))
	var funds *FundsError
	require.ErrorAs(t, err, &funds)
	require.Equal(t, fmt.Sprintf("address %s needs 501uusd for the deposit and has 500uusd", addr), err.Error())

	price := n.answers["/cosmos.base.node.v1beta1.Service/Config"]
	n.answers["/cosmos.base.node.v1beta1.Service/Config"] = &node.ConfigResponse{MinimumGasPrice: "100uedge"}
	c.cfg.MaxFee = 20_000_000
	_, _, err = c.Deposit(t.Context(), s, "", sdk.NewInt64Coin("uusd", 5))
	require.ErrorAs(t, err, &funds)
	require.Equal(t, "14000000uedge", funds.Need.String())
	require.Contains(t, err.Error(), addr+" needs 14000000uedge for fees and has 1000000uedge")
	require.Contains(t, err.Error(), "--fee-granter")
	n.answers["/cosmos.base.node.v1beta1.Service/Config"] = price

	n.answers["/cosmos.auth.v1beta1.Query/AccountInfo"] = sdkerrors.ErrKeyNotFound.Wrap("account not found")
	_, _, err = c.Deposit(t.Context(), s, "", sdk.NewInt64Coin("uusd", 5))
	require.ErrorAs(t, err, &funds)
	require.Contains(t, err.Error(), "needs 500uedge for fees and has 0uedge")
	require.Empty(t, n.sent)
}

func TestFeeGranterPays(t *testing.T) {
	n, c, s := newFake(t)
	granter, err := c.Addresses().BytesToString(make([]byte, 20))
	require.NoError(t, err)
	s.FeeGranter = granter
	n.response = &dacktypes.MsgRequestWithdrawalResponse{PaidFrom: 8}
	from, _, err := c.RequestWithdrawal(t.Context(), s, sdk.NewInt64Coin("uusd", 5))
	require.NoError(t, err)
	require.EqualValues(t, 8, from)
	var raw txtypes.TxRaw
	require.NoError(t, proto.Unmarshal(n.sent[0], &raw))
	var auth txtypes.AuthInfo
	require.NoError(t, proto.Unmarshal(raw.AuthInfoBytes, &auth))
	require.Equal(t, granter, auth.Fee.Granter)
	s.FeeGranter = "cosmos1abc"
	_, _, err = c.RequestWithdrawal(t.Context(), s, sdk.NewInt64Coin("uusd", 5))
	require.ErrorContains(t, err, "fee granter")
}

func TestAddClientKey(t *testing.T) {
	n, c, s := newFake(t)
	n.response = &dacktypes.MsgAddClientKeyResponse{KeyId: 31}
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	id, _, err := c.AddClientKey(t.Context(), s, public, ed25519.Sign(private, KeyProof(testChain, 9)), sdkmath.NewInt(77), 400)
	require.NoError(t, err)
	require.EqualValues(t, 31, id)
	var raw txtypes.TxRaw
	require.NoError(t, proto.Unmarshal(n.sent[0], &raw))
	var body txtypes.TxBody
	require.NoError(t, proto.Unmarshal(raw.BodyBytes, &body))
	var msg dacktypes.MsgAddClientKey
	require.NoError(t, proto.Unmarshal(body.Messages[0].Value, &msg))
	require.Equal(t, "77", msg.SpendLimit.String())
	require.True(t, ack.VerifyMessage(msg.PublicKey, ack.AppendKeyProofSignBytes(nil, ack.HashChainID(testChain), 9), msg.Proof))
}

func TestKeysOfAnAccountCanBeLimitedAndRevoked(t *testing.T) {
	n, c, s := newFake(t)
	message := func(i int, msg proto.Message) {
		t.Helper()
		var raw txtypes.TxRaw
		require.NoError(t, proto.Unmarshal(n.sent[i], &raw))
		var body txtypes.TxBody
		require.NoError(t, proto.Unmarshal(raw.BodyBytes, &body))
		require.Equal(t, "/"+proto.MessageName(msg), body.Messages[0].TypeUrl)
		require.NoError(t, proto.Unmarshal(body.Messages[0].Value, msg))
	}
	owner, _, err := c.Address(s)
	require.NoError(t, err)
	n.response = &dacktypes.MsgUpdateClientKeyResponse{}
	_, err = c.UpdateClientKey(t.Context(), s, 7, sdkmath.NewInt(77), 400)
	require.NoError(t, err)
	var changed dacktypes.MsgUpdateClientKey
	message(0, &changed)
	require.Equal(t, dacktypes.MsgUpdateClientKey{Owner: owner, KeyId: 7, SpendLimit: sdkmath.NewInt(77), LastEpoch: 400}, changed)

	n.response = &dacktypes.MsgRevokeClientKeyResponse{LastEpoch: 12}
	last, _, err := c.RevokeClientKey(t.Context(), s, 7)
	require.NoError(t, err)
	require.EqualValues(t, 12, last)
	var revoked dacktypes.MsgRevokeClientKey
	message(1, &revoked)
	require.Equal(t, dacktypes.MsgRevokeClientKey{Owner: owner, KeyId: 7}, revoked)
}

func TestRefusals(t *testing.T) {
	withdraw := func(c *Client, s Signer) error {
		_, _, err := c.RequestWithdrawal(context.Background(), s, sdk.NewInt64Coin("uusd", 5))
		return err
	}
	t.Run("in the mempool", func(t *testing.T) {
		n, c, s := newFake(t)
		n.checkCode = 13
		var refused *TxError
		err := withdraw(c, s)
		require.ErrorAs(t, err, &refused)
		require.EqualValues(t, 13, refused.Code)
		require.NotContains(t, err.Error(), "\n")
	})
	t.Run("in the mempool already", func(t *testing.T) {
		n, c, s := newFake(t)
		n.checkCode, n.response = sdkerrors.ErrTxInMempoolCache.ABCICode(), &dacktypes.MsgRequestWithdrawalResponse{}
		require.NoError(t, withdraw(c, s))
	})
	t.Run("in the block", func(t *testing.T) {
		n, c, s := newFake(t)
		n.deliverCode = 5
		var refused *TxError
		err := withdraw(c, s)
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "dack", refused.Codespace)
		require.Equal(t, "chain refused the transaction: too small (dack 5)", err.Error())
	})
	t.Run("in the simulation", func(t *testing.T) {
		n, c, s := newFake(t)
		n.answers["/cosmos.tx.v1beta1.Service/Simulate"] = sdkerrors.ErrInvalidRequest.Wrap("below the minimum [/go/x.go:4]\nstack")
		err := withdraw(c, s)
		require.ErrorIs(t, err, ErrSimulation)
		require.ErrorContains(t, err, "below the minimum")
		require.NotContains(t, err.Error(), "stack")
		require.Empty(t, n.sent)
	})
	t.Run("never in a block", func(t *testing.T) {
		n, c, s := newFake(t)
		n.never = true
		require.ErrorIs(t, withdraw(c, s), ErrExpired)
	})
	t.Run("another response", func(t *testing.T) {
		n, c, s := newFake(t)
		n.response = &dacktypes.MsgDepositResponse{AccountId: 1}
		require.ErrorContains(t, withdraw(c, s), "response is a")
	})
	t.Run("catching up", func(t *testing.T) {
		n, c, s := newFake(t)
		n.catching = true
		require.ErrorIs(t, withdraw(c, s), ErrBehind)
	})
	t.Run("node is down", func(t *testing.T) {
		n, c, s := newFake(t)
		n.down = true
		err := withdraw(c, s)
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorContains(t, err, "http://node")
	})
	t.Run("another chain", func(t *testing.T) {
		n, c, s := newFake(t)
		c.cfg.ChainID = "edge-2"
		require.ErrorIs(t, withdraw(c, s), ErrChainID)
		n.chainID = ""
		c.cfg.ChainID = ""
		require.ErrorIs(t, withdraw(c, s), ErrChainID)
	})
	t.Run("another fee coin", func(t *testing.T) {
		n, c, s := newFake(t)
		n.answers["/cosmos.base.node.v1beta1.Service/Config"] = &node.ConfigResponse{MinimumGasPrice: "1uatom"}
		require.ErrorContains(t, withdraw(c, s), "takes no fees in uedge")
	})
	t.Run("gives no gas price", func(t *testing.T) {
		n, c, s := newFake(t)
		delete(n.answers, "/cosmos.base.node.v1beta1.Service/Config")
		n.response = &dacktypes.MsgRequestWithdrawalResponse{}
		require.NoError(t, withdraw(c, s), "the configured price is taken")
	})
}

func TestQueries(t *testing.T) {
	n, c, _ := newFake(t)
	ctx := t.Context()
	n.answers["/edge.epoch.v1.Query/Current"] = &epochtypes.QueryCurrentResponse{Epoch: epochtypes.Epoch{Number: 12}, OldestLive: 11, TimeLeft: time.Minute}
	e, err := c.Epoch(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 12, e.Number)
	require.Equal(t, time.Minute, e.TimeLeft)
	n.answers["/edge.epoch.v1.Query/Current"] = &epochtypes.QueryCurrentResponse{}
	_, err = c.Epoch(ctx)
	require.ErrorIs(t, err, ErrNotFound)

	for _, want := range []bool{true, false} {
		n.answers["/edge.epoch.v1.Query/Params"] = &epochtypes.QueryParamsResponse{Development: want}
		local, err := c.Development(ctx)
		require.NoError(t, err)
		require.Equal(t, want, local)
	}

	n.answers["/edge.node.v1.Query/Worker"] = sdkerrors.ErrKeyNotFound.Wrap("worker")
	_, err = c.Worker(ctx, 5)
	require.ErrorIs(t, err, ErrNotFound)
	require.ErrorContains(t, err, "worker 5")
	n.answers["/edge.node.v1.Query/Worker"] = &nodetypes.QueryWorkerResponse{Worker: nodetypes.Worker{Id: 5, Deposit: *coin("uedge", 1)}}
	w, err := c.Worker(ctx, 5)
	require.NoError(t, err)
	require.EqualValues(t, 5, w.Id)

	n.answers["/edge.node.v1.Query/Workers"] = func(b []byte) any {
		var req nodetypes.QueryWorkersRequest
		require.NoError(t, proto.Unmarshal(b, &req))
		if len(req.Pagination.Key) == 0 {
			return &nodetypes.QueryWorkersResponse{
				Workers: []nodetypes.Worker{{Id: 1, Deposit: *coin("uedge", 1)}}, Pagination: &query.PageResponse{NextKey: []byte{1}},
			}
		}
		return &nodetypes.QueryWorkersResponse{Workers: []nodetypes.Worker{{Id: 2, Deposit: *coin("uedge", 1)}}}
	}
	ws, err := c.Workers(ctx)
	require.NoError(t, err)
	require.Len(t, ws, 2)
	n.answers["/edge.node.v1.Query/Workers"] = &nodetypes.QueryWorkersResponse{Pagination: &query.PageResponse{NextKey: []byte{1}}}
	_, err = c.Workers(ctx)
	require.ErrorIs(t, err, errTooManyPages, "a node cannot keep a client reading for ever")

	n.answers["/edge.dack.v1.Query/Prices"] = &dacktypes.QueryPricesResponse{Prices: dacktypes.Prices{PerGib: sdkmath.NewInt(10_000), PerGfuel: sdkmath.NewInt(3)}}
	p, err := c.Prices(ctx, 12)
	require.NoError(t, err)
	require.EqualValues(t, 10_000, p.PerGiB.Int64())

	n.answers["/edge.dack.v1.Query/AccountByOwner"] = &dacktypes.QueryAccountByOwnerResponse{
		Account:   dacktypes.Account{Id: 4, Balance: sdkmath.NewInt(5), Withdrawals: []dacktypes.Withdrawal{{Epoch: 2, Amount: sdkmath.NewInt(6)}}},
		Spendable: sdkmath.NewInt(5), Payable: sdkmath.NewInt(11),
	}
	acc, err := c.AccountByOwner(ctx, "edge1x")
	require.NoError(t, err)
	require.Equal(t, "11", acc.Payable.String())
	require.Len(t, acc.Withdrawals, 1)

	n.answers["/edge.dack.v1.Query/ClientKey"] = &dacktypes.QueryClientKeyResponse{
		Key: dacktypes.ClientKey{Id: 3, SpendLimit: sdkmath.NewInt(9), LastEpoch: 4}, Left: sdkmath.NewInt(2), Account: dacktypes.Account{Balance: sdkmath.ZeroInt()},
	}
	k, left, err := c.Key(ctx, 3)
	require.NoError(t, err)
	require.EqualValues(t, 4, k.LastEpoch)
	require.Equal(t, "2", left.String())
	require.Equal(t, "9", k.LimitIn(4).String())
	require.Equal(t, "9", k.Left(4).String())
	require.Equal(t, "0", k.Left(5).String(), "it has ended")

	n.answers["/edge.dack.v1.Query/Lanes"] = &dacktypes.QueryLanesResponse{Lanes: []dacktypes.Lane{{Lane: 3, Paid: sdkmath.NewInt(8)}}}
	lanes, err := c.Lanes(ctx, 12, 1, 3)
	require.NoError(t, err)
	require.Equal(t, "8", lanes[0].Paid.String())
	n.answers["/edge.epoch.v1.Query/Epoch"] = &epochtypes.QueryEpochResponse{Epoch: epochtypes.Epoch{Number: 12, Phase: epochtypes.PHASE_DONE}}
	record, err := c.EpochRecord(ctx, 12)
	require.NoError(t, err)
	require.Equal(t, epochtypes.PHASE_DONE, record.Phase)
	n.answers["/edge.rewards.v1.Query/EpochSummary"] = sdkerrors.ErrKeyNotFound.Wrap("summary")
	_, err = c.EpochSummary(ctx, 12)
	require.ErrorIs(t, err, ErrNotFound)
}

func TestNewRefusesAddresses(t *testing.T) {
	for _, rpc := range []string{"", "localhost:26657", "ftp://host", "http://", "://"} {
		_, err := New(Config{RPC: rpc})
		require.Error(t, err, rpc)
	}
	for _, rpc := range []string{"http://localhost:26657", "https://rpc.example", "tcp://localhost:26657"} {
		_, err := New(Config{RPC: rpc})
		require.NoError(t, err, rpc)
	}
}

// A node cannot make a client hold an answer without end, whether it says its length or not.
func TestAnswersOfTheNodeAreBounded(t *testing.T) {
	var written atomic.Int64
	for _, says := range []bool{true, false} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if says {
				w.Header().Set("Content-Length", strconv.Itoa(maxRPCBody+1))
			}
			fmt.Fprint(w, `{"jsonrpc":"2.0","id":0,"result":{"x":"`)
			written.Store(0)
			for written.Load() < 64<<20 {
				n, err := w.Write(bytes.Repeat([]byte("a"), 64<<10))
				if err != nil {
					return
				}
				written.Add(int64(n))
			}
		}))
		c, err := New(Config{RPC: srv.URL})
		require.NoError(t, err)
		_, err = c.Status(t.Context())
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorContains(t, err, "is over")
		srv.Close()
		require.Less(t, written.Load(), int64(32<<20))
	}
	// One of exactly the bound is whole.
	b, err := io.ReadAll(&boundedBody{ReadCloser: io.NopCloser(bytes.NewReader(make([]byte, maxRPCBody))), left: maxRPCBody})
	require.NoError(t, err)
	require.Len(t, b, maxRPCBody)
}

type epochs struct {
	mu    sync.Mutex
	n     uint64
	err   error
	asked int
	takes time.Duration
}

func (e *epochs) set(n uint64, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n, e.err = n, err
}

func (e *epochs) Epoch(context.Context) (Epoch, error) {
	time.Sleep(e.takes)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	return Epoch{Number: e.n}, e.err
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &epochs{n: 3}
		w, err := StartWatch(t.Context(), src, time.Second, 10*time.Second)
		require.NoError(t, err)
		defer w.Stop()
		src.set(4, nil)
		time.Sleep(1500 * time.Millisecond)
		n, err := w.Epoch()
		require.NoError(t, err)
		require.EqualValues(t, 4, n)
		<-w.Changed()

		src.set(2, nil)
		require.ErrorIs(t, w.Refresh(t.Context()), ErrBehind)
		n, err = w.Epoch()
		require.NoError(t, err)
		require.EqualValues(t, 4, n, "an older epoch is not taken")

		src.set(4, errors.New("no answer"))
		time.Sleep(12 * time.Second)
		_, err = w.Epoch()
		require.ErrorIs(t, err, ErrStale)
		require.ErrorContains(t, err, "no answer")
		src.set(5, nil)
		time.Sleep(2 * time.Second)
		n, err = w.Epoch()
		require.NoError(t, err)
		require.EqualValues(t, 5, n)
	})
	_, err := StartWatch(t.Context(), &epochs{err: errors.New("down")}, time.Second, time.Second)
	require.Error(t, err)
}

// Those who ask at a time share an answer, unless it was asked for before they could have needed it, or there was none.
func TestWatchAsksOnceForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &epochs{n: 3}
		w, err := StartWatch(t.Context(), src, time.Hour, time.Hour)
		require.NoError(t, err)
		defer w.Stop()
		time.Sleep(recent)
		src.takes = 10 * time.Millisecond
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { assert.NoError(t, w.Refresh(t.Context())) })
		}
		all.Wait()
		require.Equal(t, 2, src.asked)
		time.Sleep(recent)
		require.NoError(t, w.Refresh(t.Context()))
		require.Equal(t, 3, src.asked)

		src.set(3, errors.New("no answer"))
		time.Sleep(recent)
		require.Error(t, w.Refresh(t.Context()))
		src.set(4, nil)
		require.NoError(t, w.Refresh(t.Context()))
		n, err := w.Epoch()
		require.NoError(t, err)
		require.EqualValues(t, 4, n)

		src.takes = time.Hour
		time.Sleep(recent)
		all.Go(func() { assert.NoError(t, w.Refresh(t.Context())) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, w.Refresh(ctx), context.DeadlineExceeded, "nobody waits longer than they want for another's question")
		all.Wait()
	})
}

// TestNoKeepers holds the promise that the client packages can be imported without any keeper.
func TestNoKeepers(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/edgechain/edge/client/...").Output()
	require.NoError(t, err)
	for pkg := range strings.Lines(string(out)) {
		pkg = strings.TrimSpace(pkg)
		require.NotContains(t, pkg, "/keeper")
		require.NotContains(t, pkg, "edgechain/edge/app")
		require.NotContains(t, pkg, "edgechain/edge/worker")
	}
}
