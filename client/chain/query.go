package chain

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	gogogrpc "github.com/cosmos/gogoproto/grpc"

	sdkmath "cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/edgechain/edge/ack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

const (
	// pageSize of paginated queries.
	pageSize = 200
	// maxPages bounds what one call reads.
	maxPages = 50
)

// Status is where the node stands.
type Status struct {
	ChainID    string
	Height     int64
	Time       time.Time
	CatchingUp bool
}

// Status asks the node where it stands. It returns ErrChainID if the node is of another chain than the configured one.
func (c *Client) Status(ctx context.Context) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	s, err := c.rpc.Status(ctx)
	if err != nil {
		return Status{}, c.queryError("status", err)
	}
	st := Status{
		ChainID: s.NodeInfo.Network, Height: s.SyncInfo.LatestBlockHeight, Time: s.SyncInfo.LatestBlockTime,
		CatchingUp: s.SyncInfo.CatchingUp,
	}
	if c.cfg.ChainID != "" && c.cfg.ChainID != st.ChainID {
		return Status{}, fmt.Errorf("%w: node %s is of chain %q, want %q", ErrChainID, c.cfg.RPC, oneLine(st.ChainID), c.cfg.ChainID)
	}
	if st.ChainID == "" || len(st.ChainID) > 64 {
		return Status{}, fmt.Errorf("%w: node %s names no usable chain id", ErrChainID, c.cfg.RPC)
	}
	return st, nil
}

// Epoch is the current epoch.
type Epoch struct {
	Number     uint64
	OldestLive uint64
	StartTime  time.Time
	Duration   time.Duration
	TimeLeft   time.Duration
}

// Epoch returns the current epoch.
func (c *Client) Epoch(ctx context.Context) (Epoch, error) {
	r, err := call(ctx, c, "current epoch", func(ctx context.Context, conn gogogrpc.ClientConn) (*epochtypes.QueryCurrentResponse, error) {
		return epochtypes.NewQueryClient(conn).Current(ctx, &epochtypes.QueryCurrentRequest{})
	})
	if err != nil {
		return Epoch{}, err
	}
	if r.Epoch.Number == 0 {
		return Epoch{}, fmt.Errorf("%w: the chain has not opened its first epoch", ErrNotFound)
	}
	return Epoch{
		Number: r.Epoch.Number, OldestLive: r.OldestLive, StartTime: r.Epoch.StartTime, Duration: r.Epoch.Duration, TimeLeft: r.TimeLeft,
	}, nil
}

// EpochRecord returns the record of an epoch, which says how far its closing is.
func (c *Client) EpochRecord(ctx context.Context, number uint64) (epochtypes.Epoch, error) {
	r, err := call(ctx, c, fmt.Sprintf("epoch %d", number), func(ctx context.Context, conn gogogrpc.ClientConn) (*epochtypes.QueryEpochResponse, error) {
		return epochtypes.NewQueryClient(conn).Epoch(ctx, &epochtypes.QueryEpochRequest{Number: number})
	})
	if err != nil {
		return epochtypes.Epoch{}, err
	}
	return r.Epoch, nil
}

// EpochSummary says where what was debited in an epoch went.
func (c *Client) EpochSummary(ctx context.Context, epoch uint64) (rewardstypes.EpochSummary, error) {
	r, err := call(ctx, c, fmt.Sprintf("summary of epoch %d", epoch), func(ctx context.Context, conn gogogrpc.ClientConn) (*rewardstypes.QueryEpochSummaryResponse, error) {
		return rewardstypes.NewQueryClient(conn).EpochSummary(ctx, &rewardstypes.QueryEpochSummaryRequest{Epoch: epoch})
	})
	if err != nil {
		return rewardstypes.EpochSummary{}, err
	}
	return r.Summary, nil
}

// Lanes returns what has been settled on the lanes of a key with a worker in an epoch.
func (c *Client) Lanes(ctx context.Context, epoch, workerID, keyID uint64) ([]dacktypes.Lane, error) {
	what := fmt.Sprintf("lanes of key %d with worker %d in epoch %d", keyID, workerID, epoch)
	r, err := call(ctx, c, what, func(ctx context.Context, conn gogogrpc.ClientConn) (*dacktypes.QueryLanesResponse, error) {
		return dacktypes.NewQueryClient(conn).Lanes(ctx, &dacktypes.QueryLanesRequest{Epoch: epoch, WorkerId: workerID, KeyId: keyID})
	})
	if err != nil {
		return nil, err
	}
	return r.Lanes, nil
}

// Worker returns a registered worker.
func (c *Client) Worker(ctx context.Context, id uint64) (nodetypes.Worker, error) {
	r, err := call(ctx, c, fmt.Sprintf("worker %d", id), func(ctx context.Context, conn gogogrpc.ClientConn) (*nodetypes.QueryWorkerResponse, error) {
		return nodetypes.NewQueryClient(conn).Worker(ctx, &nodetypes.QueryWorkerRequest{Id: id})
	})
	if err != nil {
		return nodetypes.Worker{}, err
	}
	return r.Worker, nil
}

// Workers returns all registered workers by id, at most 10,000.
func (c *Client) Workers(ctx context.Context) ([]nodetypes.Worker, error) {
	return pages(ctx, func(ctx context.Context, page *query.PageRequest) ([]nodetypes.Worker, *query.PageResponse, error) {
		r, err := call(ctx, c, "workers", func(ctx context.Context, conn gogogrpc.ClientConn) (*nodetypes.QueryWorkersResponse, error) {
			return nodetypes.NewQueryClient(conn).Workers(ctx, &nodetypes.QueryWorkersRequest{Pagination: page})
		})
		if err != nil {
			return nil, nil, err
		}
		return r.Workers, r.Pagination, nil
	})
}

// Development reports whether the chain is a local network: its genesis lifted the lower bounds of parameters.
func (c *Client) Development(ctx context.Context) (bool, error) {
	r, err := call(ctx, c, "epoch parameters", func(ctx context.Context, conn gogogrpc.ClientConn) (*epochtypes.QueryParamsResponse, error) {
		return epochtypes.NewQueryClient(conn).Params(ctx, &epochtypes.QueryParamsRequest{})
	})
	if err != nil {
		return false, err
	}
	return r.Development, nil
}

// Params returns the parameters of x/dack.
func (c *Client) Params(ctx context.Context) (dacktypes.Params, error) {
	r, err := call(ctx, c, "dack parameters", func(ctx context.Context, conn gogogrpc.ClientConn) (*dacktypes.QueryParamsResponse, error) {
		return dacktypes.NewQueryClient(conn).Params(ctx, &dacktypes.QueryParamsRequest{})
	})
	if err != nil {
		return dacktypes.Params{}, err
	}
	return r.Params, nil
}

// Prices returns the prices of an epoch, in units of the settlement coin.
func (c *Client) Prices(ctx context.Context, epoch uint64) (ack.Prices, error) {
	r, err := call(ctx, c, fmt.Sprintf("prices of epoch %d", epoch), func(ctx context.Context, conn gogogrpc.ClientConn) (*dacktypes.QueryPricesResponse, error) {
		return dacktypes.NewQueryClient(conn).Prices(ctx, &dacktypes.QueryPricesRequest{Epoch: epoch})
	})
	if err != nil {
		return ack.Prices{}, err
	}
	return ack.Prices{PerGiB: bigInt(r.Prices.PerGib), PerGFuel: bigInt(r.Prices.PerGfuel)}, nil
}

// Account is a prepaid client account. Amounts are in units of the settlement coin.
type Account struct {
	ID          uint64      `json:"id"`
	Owner       string      `json:"owner"`
	Spendable   sdkmath.Int `json:"spendable"`
	Payable     sdkmath.Int `json:"payable"`
	Withdrawals []Withdraw  `json:"withdrawals,omitempty"`
	Keys        uint32      `json:"keys"`
}

// Withdraw is a withdrawal that is not yet paid.
type Withdraw struct {
	// Epoch of the request. It is paid two epochs later.
	Epoch  uint64      `json:"epoch"`
	Amount sdkmath.Int `json:"amount"`
}

// Account returns an account by its id.
func (c *Client) Account(ctx context.Context, id uint64) (Account, error) {
	r, err := call(ctx, c, fmt.Sprintf("account %d", id), func(ctx context.Context, conn gogogrpc.ClientConn) (*dacktypes.QueryAccountResponse, error) {
		return dacktypes.NewQueryClient(conn).Account(ctx, &dacktypes.QueryAccountRequest{Id: id})
	})
	if err != nil {
		return Account{}, err
	}
	return account(r.Account, r.Spendable, r.Payable), nil
}

// AccountByOwner returns the account of an owner's address.
func (c *Client) AccountByOwner(ctx context.Context, owner string) (Account, error) {
	r, err := call(ctx, c, "account of "+owner, func(ctx context.Context, conn gogogrpc.ClientConn) (*dacktypes.QueryAccountByOwnerResponse, error) {
		return dacktypes.NewQueryClient(conn).AccountByOwner(ctx, &dacktypes.QueryAccountByOwnerRequest{Owner: owner})
	})
	if err != nil {
		return Account{}, err
	}
	return account(r.Account, r.Spendable, r.Payable), nil
}

func account(a dacktypes.Account, spendable, payable sdkmath.Int) Account {
	out := Account{ID: a.Id, Owner: a.Owner, Spendable: orZero(spendable), Payable: orZero(payable), Keys: a.Keys}
	for _, w := range a.Withdrawals {
		out.Withdrawals = append(out.Withdrawals, Withdraw{Epoch: w.Epoch, Amount: orZero(w.Amount)})
	}
	return out
}

// Key is a registered client key.
type Key struct {
	ID        uint64 `json:"id"`
	AccountID uint64 `json:"account_id"`
	PublicKey []byte `json:"public_key"`
	// SpendLimit per epoch from LimitFrom on, in units of the settlement coin.
	SpendLimit sdkmath.Int `json:"spend_limit"`
	LimitFrom  uint64      `json:"limit_from,omitempty"`
	LastEpoch  uint64      `json:"last_epoch"`

	record dacktypes.ClientKey
}

// LimitIn is the spend limit that counts in an epoch.
func (k *Key) LimitIn(epoch uint64) sdkmath.Int { return k.record.LimitIn(epoch) }

// Left is what the key can still spend in acknowledgements of an epoch that lives. What its account can pay is another bound.
func (k *Key) Left(epoch uint64) sdkmath.Int { return k.record.Left(epoch) }

// Key returns a client key by its id, and what it has left to spend in the current epoch.
func (c *Client) Key(ctx context.Context, id uint64) (Key, sdkmath.Int, error) {
	r, err := call(ctx, c, fmt.Sprintf("client key %d", id), func(ctx context.Context, conn gogogrpc.ClientConn) (*dacktypes.QueryClientKeyResponse, error) {
		return dacktypes.NewQueryClient(conn).ClientKey(ctx, &dacktypes.QueryClientKeyRequest{Id: id})
	})
	if err != nil {
		return Key{}, sdkmath.Int{}, err
	}
	return key(r.Key), orZero(r.Left), nil
}

// Keys returns the keys of an account.
func (c *Client) Keys(ctx context.Context, accountID uint64) ([]Key, error) {
	return pages(ctx, func(ctx context.Context, page *query.PageRequest) ([]Key, *query.PageResponse, error) {
		r, err := call(ctx, c, fmt.Sprintf("keys of account %d", accountID), func(ctx context.Context, conn gogogrpc.ClientConn) (*dacktypes.QueryClientKeysResponse, error) {
			return dacktypes.NewQueryClient(conn).ClientKeys(ctx, &dacktypes.QueryClientKeysRequest{AccountId: accountID, Pagination: page})
		})
		if err != nil {
			return nil, nil, err
		}
		keys := make([]Key, 0, len(r.Keys))
		for _, k := range r.Keys {
			keys = append(keys, key(k))
		}
		return keys, r.Pagination, nil
	})
}

func key(k dacktypes.ClientKey) Key {
	k.SpendLimit = orZero(k.SpendLimit)
	return Key{
		ID: k.Id, AccountID: k.AccountId, PublicKey: k.PublicKey, SpendLimit: k.SpendLimit, LimitFrom: k.LimitFrom, LastEpoch: k.LastEpoch,
		record: k,
	}
}

// Balance returns what an address holds of a coin.
func (c *Client) Balance(ctx context.Context, addr, denom string) (sdk.Coin, error) {
	r, err := call(ctx, c, "balance of "+addr, func(ctx context.Context, conn gogogrpc.ClientConn) (*banktypes.QueryBalanceResponse, error) {
		return banktypes.NewQueryClient(conn).Balance(ctx, &banktypes.QueryBalanceRequest{Address: addr, Denom: denom})
	})
	if err != nil {
		return sdk.Coin{}, err
	}
	if r.Balance == nil || r.Balance.Amount.IsNil() {
		return sdk.Coin{Denom: denom, Amount: sdkmath.ZeroInt()}, nil
	}
	return *r.Balance, nil
}

var errTooManyPages = errors.New("the chain has more records than this client reads")

func pages[T any](ctx context.Context, next func(context.Context, *query.PageRequest) ([]T, *query.PageResponse, error)) ([]T, error) {
	var all []T
	page := &query.PageRequest{Limit: pageSize}
	for range maxPages {
		items, p, err := next(ctx, page)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if p == nil || len(p.NextKey) == 0 {
			return all, nil
		}
		page = &query.PageRequest{Key: p.NextKey, Limit: pageSize}
	}
	return nil, fmt.Errorf("%w: over %d", errTooManyPages, len(all))
}

func orZero(i sdkmath.Int) sdkmath.Int {
	if i.IsNil() {
		return sdkmath.ZeroInt()
	}
	return i
}

func bigInt(i sdkmath.Int) *big.Int {
	if i.IsNil() {
		return new(big.Int)
	}
	return i.BigInt()
}
