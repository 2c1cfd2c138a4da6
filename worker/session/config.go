package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
)

// Config of a Manager. Every bound refuses service before anything is dropped.
type Config struct {
	// Base is the credit of an account that has settled nothing yet, and MaxUnsettled that of any, in units of the
	// settlement coin; both positive.
	Base, MaxUnsettled *big.Int
	// StallTimeout is how long a stream waits for credit.
	StallTimeout time.Duration
	// RetryAfter is what a client at its limit is told.
	RetryAfter time.Duration
	// ChallengeTTL is how long a challenge can open a session.
	ChallengeTTL time.Duration
	// IdleTimeout ends a session that is not used for as long.
	IdleTimeout time.Duration
	// AccountTTL is how old the account's balance may be when a stream asks for credit.
	AccountTTL time.Duration
	// MaxSessions bounds the open sessions.
	MaxSessions int
	// MaxSessionsPerAccount bounds those of one account; a further one takes the place of the one in which no request has begun
	// for longest.
	MaxSessionsPerAccount int
	// MaxChallenges bounds the used challenges that are remembered until they expire.
	MaxChallenges int
	// MaxAccounts bounds the accounts in memory: those with a session or with unacknowledged bytes.
	MaxAccounts int
	// MaxLanes bounds the lanes of an account whose receipts are kept; the longest unused goes first.
	MaxLanes int
	// MaxHeldLanes bounds the lanes of an account in the pool. Half of them are kept for lanes on which something was
	// served; 16 keys with 16 lanes each in two epochs are 512.
	MaxHeldLanes int
	// MaxLookups bounds the queries for keys of which nobody has proven possession that are under way at a time. It should
	// be well below what the chain follower takes.
	MaxLookups int
	// MaxReceipts bounds the requests on one lane that no acknowledgement covers.
	MaxReceipts int
	// MaxAccountReceipts and MaxTotalReceipts bound them on all lanes of an account, and of all accounts.
	MaxAccountReceipts, MaxTotalReceipts int
	// MaxAcks bounds the acknowledgements in one call.
	MaxAcks int
	// Services that the worker provides.
	Services []uint64
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Base: big.NewInt(1_000), MaxUnsettled: big.NewInt(1_000_000),
		StallTimeout: 30 * time.Second, RetryAfter: 5 * time.Second,
		ChallengeTTL: time.Minute, IdleTimeout: 10 * time.Minute, AccountTTL: 2 * time.Second,
		MaxSessions: 10_000, MaxSessionsPerAccount: 32, MaxChallenges: 100_000, MaxAccounts: 50_000, MaxLanes: 256, MaxHeldLanes: 512, MaxLookups: 8,
		MaxReceipts: 4_096, MaxAccountReceipts: 16_384, MaxTotalReceipts: 1_000_000, MaxAcks: 64,
		Services: []uint64{0},
	}
}

// Validate returns what is wrong with the config, all at once.
func (c *Config) Validate() error {
	var errs []error
	positive := func(name string, ok bool) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s must be positive", name))
		}
	}
	positive("base credit", c.Base != nil && c.Base.Sign() > 0)
	positive("max unsettled", c.MaxUnsettled != nil && c.MaxUnsettled.Sign() > 0)
	positive("stall timeout", c.StallTimeout > 0)
	positive("retry after", c.RetryAfter > 0)
	positive("challenge ttl", c.ChallengeTTL > 0)
	positive("idle timeout", c.IdleTimeout > 0)
	positive("account ttl", c.AccountTTL > 0)
	positive("max sessions", c.MaxSessions > 0)
	positive("max sessions per account", c.MaxSessionsPerAccount > 0)
	positive("max challenges", c.MaxChallenges > 0)
	positive("max accounts", c.MaxAccounts > 0)
	positive("max lanes", c.MaxLanes > 0)
	positive("max held lanes", c.MaxHeldLanes > 1)
	positive("max lookups", c.MaxLookups > 0)
	positive("max receipts", c.MaxReceipts > 0)
	positive("max receipts per account", c.MaxAccountReceipts > 0)
	positive("max receipts of all accounts", c.MaxTotalReceipts > 0)
	positive("max acknowledgements", c.MaxAcks > 0)
	positive("number of services", len(c.Services) > 0)
	return errors.Join(errs...)
}

func (c *Config) provides(service uint64) bool { return slices.Contains(c.Services, service) }

// Chain is what sessions need of the chain. *chain.Follower is one.
type Chain interface {
	// View returns the newest view, false before the first.
	View() (chain.View, bool)
	// Stale returns why the view cannot be relied on, else nil.
	Stale() error
	// Changed returns a channel that is closed when the view next changes.
	Changed() <-chan struct{}
	// Key and Account may be a few seconds old. They return chain.ErrUnknownKey, chain.ErrUnknownAccount, chain.ErrBusy.
	Key(ctx context.Context, id uint64) (chain.Key, error)
	Account(ctx context.Context, id uint64) (chain.Account, error)
}

// Pool keeps acknowledgements and watermarks durably. *ackpool.Pool is one.
type Pool interface {
	Put(ctx context.Context, items []ackpool.Item) error
	Sync(ctx context.Context) error
	Newest(lane ack.LaneID) (ackpool.Entry, bool)
	Held(lane ack.LaneID) (ack.Signed, bool)
	Lanes(epoch, keyID uint64) int
	LaneEntries(epoch, keyID uint64) []ackpool.Entry
	AccountLanes(accountID uint64) int
	Capacity() int
	Room() int
	// Version changes whenever a claim does.
	Version() uint64
	Claim(accountID uint64) (ackpool.Claim, error)
	Changed() <-chan struct{}
	SetExposure(ctx context.Context, account, epoch, bytes uint64) error
	Exposures() []ackpool.Exposure
	ForgiveBy(forgiven func(claim ackpool.Claim, epoch uint64) bool)
}

// Deps are what a Manager works with.
type Deps struct {
	Chain Chain
	Pool  Pool
	// Rand makes tokens and challenges. Default crypto/rand.
	Rand io.Reader
	// Logger defaults to slog.Default.
	Logger *slog.Logger
	// Metrics takes the metrics; nil keeps them to the manager.
	Metrics prometheus.Registerer
}

func (d Deps) withDefaults() Deps {
	if d.Rand == nil {
		d.Rand = rand.Reader
	}
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	return d
}
