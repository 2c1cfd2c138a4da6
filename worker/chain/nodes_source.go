package chain

import (
	"context"
	"math/big"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/edgechain/edge/ack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// ask is try for questions that every good endpoint answers alike.
func ask[T any](ctx context.Context, n *Nodes, call func(context.Context, Endpoint) (T, error)) (T, error) {
	return try(ctx, n, unreached, call)
}

// Status returns the position of the endpoint that is used.
func (n *Nodes) Status(ctx context.Context) (Status, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (Status, error) { return e.Status(ctx) })
}

// Epoch returns the clock of the chain.
func (n *Nodes) Epoch(ctx context.Context) (EpochState, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (EpochState, error) { return e.Epoch(ctx) })
}

// Worker returns a worker by its id, or ErrNotRegistered.
func (n *Nodes) Worker(ctx context.Context, id uint64) (nodetypes.Worker, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (nodetypes.Worker, error) { return e.Worker(ctx, id) })
}

// WorkerByPeerKey returns a worker by its peer key, or ErrNotRegistered.
func (n *Nodes) WorkerByPeerKey(ctx context.Context, peerKey []byte) (nodetypes.Worker, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (nodetypes.Worker, error) {
		return e.WorkerByPeerKey(ctx, peerKey)
	})
}

// DackParams returns the parameters of x/dack.
func (n *Nodes) DackParams(ctx context.Context) (dacktypes.Params, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (dacktypes.Params, error) { return e.DackParams(ctx) })
}

// TxLimits returns what the chain's parameters say about transactions.
func (n *Nodes) TxLimits(ctx context.Context) (TxLimits, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (TxLimits, error) { return e.TxLimits(ctx) })
}

// Prices returns the prices of an epoch.
func (n *Nodes) Prices(ctx context.Context, epoch uint64) (ack.Prices, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (ack.Prices, error) { return e.Prices(ctx, epoch) })
}

// Balance returns what an address holds of a coin.
func (n *Nodes) Balance(ctx context.Context, address, denom string) (*big.Int, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (*big.Int, error) { return e.Balance(ctx, address, denom) })
}

// Grants returns what an account has granted, see Node.Grants.
func (n *Nodes) Grants(ctx context.Context, granter, feeGranter, grantee string) (Grants, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (Grants, error) {
		return e.Grants(ctx, granter, feeGranter, grantee)
	})
}

// Key returns a client key, or ErrUnknownKey.
func (n *Nodes) Key(ctx context.Context, id uint64) (Key, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (Key, error) { return e.Key(ctx, id) })
}

// Account returns a client account, or ErrUnknownAccount.
func (n *Nodes) Account(ctx context.Context, id uint64) (Account, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (Account, error) { return e.Account(ctx, id) })
}

// Lanes returns what has been paid on the lanes of a key with a worker in an epoch.
func (n *Nodes) Lanes(ctx context.Context, epoch, workerID, keyID uint64) ([]dacktypes.Lane, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) ([]dacktypes.Lane, error) {
		return e.Lanes(ctx, epoch, workerID, keyID)
	})
}

// PaidTo returns the sum of what has been paid on all lanes of a worker in an epoch.
func (n *Nodes) PaidTo(ctx context.Context, epoch, workerID uint64) (*big.Int, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (*big.Int, error) { return e.PaidTo(ctx, epoch, workerID) })
}

// Simulate returns the gas that a transaction would use.
func (n *Nodes) Simulate(ctx context.Context, tx []byte) (uint64, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (uint64, error) { return e.Simulate(ctx, tx) })
}

// Participation returns how the node of an operator stands, or ErrNotTakingPart.
func (n *Nodes) Participation(ctx context.Context, operator string) (Participation, error) {
	return ask(ctx, n, func(ctx context.Context, e Endpoint) (Participation, error) { return e.Participation(ctx, operator) })
}

// HeaderHash returns the hash of the header of a committed block.
func (n *Nodes) HeaderHash(ctx context.Context, height int64) ([]byte, error) {
	return try(ctx, n, rejected, func(ctx context.Context, e Endpoint) ([]byte, error) { return e.HeaderHash(ctx, height) })
}

// Sender returns account number and next sequence of an address, or ErrUnknownAccount.
func (n *Nodes) Sender(ctx context.Context, address string) (number, sequence uint64, err error) {
	type sender struct{ number, sequence uint64 }
	s, err := ask(ctx, n, func(ctx context.Context, e Endpoint) (s sender, err error) {
		s.number, s.sequence, err = e.Sender(ctx, address)
		return s, err
	})
	return s.number, s.sequence, err
}

// FindTx returns a transaction from an endpoint's index, or ErrTxNotFound. One that has no index has the next one asked.
// Not found by an index is no proof, because the endpoint may not have come to the block; that of ScanTx is one.
func (n *Nodes) FindTx(ctx context.Context, hash []byte) (Included, error) {
	return try(ctx, n, rejected, func(ctx context.Context, e Endpoint) (Included, error) { return e.FindTx(ctx, hash) })
}

// ScanTx looks for a transaction in the block of a height. ErrTxNotFound comes from an endpoint that has this block; one
// that has not come to it, or has pruned it, has the next one asked.
func (n *Nodes) ScanTx(ctx context.Context, hash []byte, height int64) (Included, error) {
	return try(ctx, n, rejected, func(ctx context.Context, e Endpoint) (Included, error) { return e.ScanTx(ctx, hash, height) })
}

// Invoke implements the client side of gRPC over the endpoint that is used.
func (n *Nodes) Invoke(ctx context.Context, method string, req, reply any, opts ...grpc.CallOption) error {
	_, err := ask(ctx, n, func(ctx context.Context, e Endpoint) (none struct{}, err error) {
		conn, ok := e.(grpc.ClientConnInterface)
		if !ok {
			return none, status.Error(codes.Unimplemented, "the endpoint answers no gRPC")
		}
		return none, conn.Invoke(ctx, method, req, reply, opts...)
	})
	return err
}

// NewStream implements the client side of gRPC. The chain's queries have no streams.
func (n *Nodes) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "streams are not supported")
}
