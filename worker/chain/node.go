package chain

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	jsonrpcclient "github.com/cometbft/cometbft/rpc/jsonrpc/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/types/query"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"

	"github.com/edgechain/edge/ack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// maxAnswer bounds an answer of the node, in bytes: a block of 4 MiB in base64 with the results of its transactions.
const maxAnswer = 64 << 20

// pageLimit and maxPages bound what PaidTo reads.
const (
	pageLimit = 500
	maxPages  = 1_000
)

// Node is a CometBFT RPC endpoint of the chain. It is safe for concurrent use.
type Node struct {
	enc Encoding
	rpc client.CometRPC
	// address of the RPC endpoint, for its websocket.
	address string
	abciRPC
}

// abciRPC sends gRPC queries through the RPC endpoint, so that a node needs no second port open for the worker.
type abciRPC struct{ ctx client.Context }

// Invoke implements the client side of gRPC.
func (a abciRPC) Invoke(ctx context.Context, method string, req, reply any, opts ...grpc.CallOption) error {
	return a.ctx.WithCmdContext(ctx).Invoke(ctx, method, req, reply, opts...)
}

// NewStream implements the client side of gRPC. The chain's queries have no streams.
func (a abciRPC) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "streams are not supported")
}

// NewNode returns the node behind an address such as http://127.0.0.1:26657 or tcp://127.0.0.1:26657. It does not connect.
func NewNode(address string, enc Encoding) (*Node, error) {
	if u, err := url.Parse(address); err != nil || u.Host == "" {
		return nil, fmt.Errorf("rpc address %q is not a URL such as http://127.0.0.1:26657", address)
	}
	httpClient, err := newHTTPClient(address)
	if err != nil {
		return nil, fmt.Errorf("rpc address %q: %w", address, err)
	}
	rpc, err := rpchttp.NewWithClient(address, "/websocket", httpClient)
	if err != nil {
		return nil, fmt.Errorf("rpc address %q: %w", address, err)
	}
	n := newNode(rpc, enc)
	n.address = strings.TrimRight(address, "/")
	return n, nil
}

// idleTimeout is for how long a connection to a node waits for its next call. Nodes close theirs after 10 s, and a call that goes out
// just then fails with EOF, for which a node that works would be blamed.
const idleTimeout = 5 * time.Second

// newHTTPClient returns the client of a node.
func newHTTPClient(address string) (*http.Client, error) {
	c, err := jsonrpcclient.DefaultHTTPClient(address)
	if err != nil {
		return nil, err
	}
	transport, ok := c.Transport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("transport is a %T", c.Transport)
	}
	transport.IdleConnTimeout = idleTimeout
	c.Transport = boundedTransport{transport}
	return c, nil
}

func newNode(rpc client.CometRPC, enc Encoding) *Node {
	ctx := client.Context{}.WithClient(rpc).WithCodec(enc.Codec).WithInterfaceRegistry(enc.Registry)
	return &Node{enc: enc, rpc: rpc, abciRPC: abciRPC{ctx}}
}

// boundedTransport cuts answers off at maxAnswer.
type boundedTransport struct{ next http.RoundTripper }

func (t boundedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, maxAnswer), res.Body}
	return res, nil
}

// Status returns the position of the node. The height is that of the application, because block storage runs ahead of it.
func (n *Node) Status(ctx context.Context) (Status, error) {
	s, err := n.rpc.Status(ctx)
	if err != nil {
		return Status{}, err
	}
	info, err := n.rpc.ABCIInfo(ctx)
	if err != nil {
		return Status{}, err
	}
	return Status{
		ChainID:    s.NodeInfo.Network,
		Height:     info.Response.LastBlockHeight,
		Time:       s.SyncInfo.LatestBlockTime,
		CatchingUp: s.SyncInfo.CatchingUp,
	}, nil
}

// Epoch returns the clock of the chain.
func (n *Node) Epoch(ctx context.Context) (EpochState, error) {
	res, err := epochtypes.NewQueryClient(n).Current(ctx, &epochtypes.QueryCurrentRequest{})
	if err != nil {
		return EpochState{}, err
	}
	e := res.Epoch
	return EpochState{Number: e.Number, End: e.StartTime.Add(e.Duration), Duration: e.Duration, OldestLive: res.OldestLive}, nil
}

// Worker returns a worker by its id, or ErrNotRegistered.
func (n *Node) Worker(ctx context.Context, id uint64) (nodetypes.Worker, error) {
	res, err := nodetypes.NewQueryClient(n).Worker(ctx, &nodetypes.QueryWorkerRequest{Id: id})
	if err != nil {
		return nodetypes.Worker{}, replaceNotFound(err, ErrNotRegistered)
	}
	return res.Worker, nil
}

// WorkerByPeerKey returns a worker by its peer key, or ErrNotRegistered.
func (n *Node) WorkerByPeerKey(ctx context.Context, peerKey []byte) (nodetypes.Worker, error) {
	res, err := nodetypes.NewQueryClient(n).WorkerByPeerKey(ctx, &nodetypes.QueryWorkerByPeerKeyRequest{PeerKey: peerKey})
	if err != nil {
		return nodetypes.Worker{}, replaceNotFound(err, ErrNotRegistered)
	}
	return res.Worker, nil
}

// DackParams returns the parameters of x/dack.
func (n *Node) DackParams(ctx context.Context) (dacktypes.Params, error) {
	res, err := dacktypes.NewQueryClient(n).Params(ctx, &dacktypes.QueryParamsRequest{})
	if err != nil {
		return dacktypes.Params{}, err
	}
	return res.Params, nil
}

// TxLimits returns what the parameters of x/auth and of consensus say about transactions.
func (n *Node) TxLimits(ctx context.Context) (TxLimits, error) {
	auth, err := authtypes.NewQueryClient(n).Params(ctx, &authtypes.QueryParamsRequest{})
	if err != nil {
		return TxLimits{}, fmt.Errorf("x/auth: %w", err)
	}
	consensus, err := consensustypes.NewQueryClient(n).Params(ctx, &consensustypes.QueryParamsRequest{})
	if err != nil {
		return TxLimits{}, fmt.Errorf("x/consensus: %w", err)
	}
	limits := TxLimits{GasPerByte: auth.Params.TxSizeCostPerByte, GasPerSignature: auth.Params.SigVerifyCostSecp256k1}
	if block := consensus.Params.GetBlock(); block != nil && block.MaxGas > 0 {
		limits.BlockGas = uint64(block.MaxGas)
	}
	return limits, nil
}

// Prices returns the prices of an epoch.
func (n *Node) Prices(ctx context.Context, epoch uint64) (ack.Prices, error) {
	res, err := dacktypes.NewQueryClient(n).Prices(ctx, &dacktypes.QueryPricesRequest{Epoch: epoch})
	if err != nil {
		return ack.Prices{}, err
	}
	return ack.Prices{PerGiB: res.Prices.PerGib.BigInt(), PerGFuel: res.Prices.PerGfuel.BigInt()}, nil
}

// Balance returns what an address holds of a coin.
func (n *Node) Balance(ctx context.Context, address, denom string) (*big.Int, error) {
	res, err := banktypes.NewQueryClient(n).Balance(ctx, &banktypes.QueryBalanceRequest{Address: address, Denom: denom})
	if err != nil {
		return nil, err
	}
	if res.Balance == nil || res.Balance.Amount.IsNil() {
		return new(big.Int), nil
	}
	return res.Balance.Amount.BigInt(), nil
}

// Key returns a client key, or ErrUnknownKey.
func (n *Node) Key(ctx context.Context, id uint64) (Key, error) {
	res, err := dacktypes.NewQueryClient(n).ClientKey(ctx, &dacktypes.QueryClientKeyRequest{Id: id})
	if err != nil {
		return Key{}, replaceNotFound(err, ErrUnknownKey)
	}
	return keyOf(res.Key, res.Left.BigInt()), nil
}

// Account returns a client account, or ErrUnknownAccount.
func (n *Node) Account(ctx context.Context, id uint64) (Account, error) {
	at := time.Now()
	res, err := dacktypes.NewQueryClient(n).Account(ctx, &dacktypes.QueryAccountRequest{Id: id})
	if err != nil {
		return Account{}, replaceNotFound(err, ErrUnknownAccount)
	}
	return Account{
		ID: res.Account.Id, Owner: res.Account.Owner, Spendable: res.Spendable.BigInt(), Payable: res.Payable.BigInt(), At: at,
	}, nil
}

// Lanes returns what has been paid on the lanes of a key with a worker in an epoch; none if nothing has.
func (n *Node) Lanes(ctx context.Context, epoch, workerID, keyID uint64) ([]dacktypes.Lane, error) {
	res, err := dacktypes.NewQueryClient(n).Lanes(ctx, &dacktypes.QueryLanesRequest{Epoch: epoch, WorkerId: workerID, KeyId: keyID})
	if status.Code(err) == codes.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return res.Lanes, nil
}

// PaidTo returns the sum of what has been paid on all lanes of a worker in an epoch. It reads at most 500,000 keys.
func (n *Node) PaidTo(ctx context.Context, epoch, workerID uint64) (*big.Int, error) {
	sum := new(big.Int)
	var next []byte
	for range maxPages {
		res, err := dacktypes.NewQueryClient(n).WorkerLanes(ctx, &dacktypes.QueryWorkerLanesRequest{
			Epoch: epoch, WorkerId: workerID, Pagination: &query.PageRequest{Key: next, Limit: pageLimit},
		})
		if err != nil {
			return nil, err
		}
		for _, key := range res.Keys {
			for _, lane := range key.Lanes {
				sum.Add(sum, lane.Paid.BigInt())
			}
		}
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			return sum, nil
		}
		next = res.Pagination.NextKey
	}
	return nil, fmt.Errorf("worker %d has more than %d keys in epoch %d", workerID, pageLimit*maxPages, epoch)
}

// Sender returns account number and next sequence of an address, or ErrUnknownAccount.
func (n *Node) Sender(ctx context.Context, address string) (number, sequence uint64, err error) {
	res, err := authtypes.NewQueryClient(n).AccountInfo(ctx, &authtypes.QueryAccountInfoRequest{Address: address})
	if err != nil {
		return 0, 0, replaceNotFound(err, ErrUnknownAccount)
	}
	return res.Info.AccountNumber, res.Info.Sequence, nil
}

func replaceNotFound(err, instead error) error {
	if status.Code(err) == codes.NotFound {
		return instead
	}
	return err
}
