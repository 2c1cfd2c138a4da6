package chain

import (
	"context"
	"math/big"
	"time"

	"github.com/edgechain/edge/ack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// Source is what a Follower reads from. Node is the one over a CometBFT RPC endpoint. Every call must return when its
// context ends.
type Source interface {
	Status(ctx context.Context) (Status, error)
	Epoch(ctx context.Context) (EpochState, error)
	// Worker and WorkerByPeerKey return ErrNotRegistered if there is no such worker.
	Worker(ctx context.Context, id uint64) (nodetypes.Worker, error)
	WorkerByPeerKey(ctx context.Context, peerKey []byte) (nodetypes.Worker, error)
	DackParams(ctx context.Context) (dacktypes.Params, error)
	TxLimits(ctx context.Context) (TxLimits, error)
	Prices(ctx context.Context, epoch uint64) (ack.Prices, error)
	Balance(ctx context.Context, address, denom string) (*big.Int, error)
	// Grants returns what granter lets grantee do for it, and what feeGranter lets it spend; an empty one is not asked for.
	Grants(ctx context.Context, granter, feeGranter, grantee string) (Grants, error)
	// Key returns ErrUnknownKey if there is no such key.
	Key(ctx context.Context, id uint64) (Key, error)
	// Account returns ErrUnknownAccount if there is no such account.
	Account(ctx context.Context, id uint64) (Account, error)
	Lanes(ctx context.Context, epoch, workerID, keyID uint64) ([]dacktypes.Lane, error)
	// PaidTo is the sum of what has been paid on all lanes of a worker in a live epoch of acknowledgements.
	PaidTo(ctx context.Context, epoch, workerID uint64) (*big.Int, error)
	// Blocks subscribes to new blocks and calls seen at each. It returns when the subscription breaks or the context ends;
	// one that goes silent need not be noticed.
	Blocks(ctx context.Context, seen func()) error
}

// Status is the position of a node.
type Status struct {
	ChainID string
	// Height is the last height that the application has committed; block storage may be one ahead of it.
	Height int64
	// Time of the newest block.
	Time time.Time
	// CatchingUp is true while the node replays blocks that others have committed.
	CatchingUp bool
}

// EpochState is the clock of the chain.
type EpochState struct {
	Number     uint64
	End        time.Time
	Duration   time.Duration
	OldestLive uint64
}
