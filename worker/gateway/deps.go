package gateway

import (
	"context"
	"log/slog"
	"math/big"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/session"
	"github.com/edgechain/edge/worker/store"
)

// Deps are the parts that the gateway stands on.
type Deps struct {
	Store    Store
	Sessions Sessions
	// Origin fills the store with what it lacks. It may be nil.
	Origin Origin
	// Uploads takes content from clients. Nil takes none.
	Uploads *Uploads
	// Info tells what the worker is and what it asks for. It fails while the worker has never seen the chain.
	Info func() (Info, error)
	// Checks say whether the worker is ready, each under the name of the part that it looks at.
	Checks []Check
	// Admin answers /v1/admin/ on the loopback listener. It may be nil.
	Admin http.Handler
	// Metrics takes the gateway's metrics and answers /metrics with everything that is registered with it.
	Metrics *prometheus.Registry
	Log     *slog.Logger
}

// Store is where content comes from. *store.Store implements it.
type Store interface {
	// Open returns store.ErrNotFound or store.ErrCorrupt.
	Open(name content.Name) (*store.Object, error)
}

// Origin is where content comes from that the store lacks. *origin.Origins implements it.
type Origin interface {
	// Fill returns nil once the store has the content, else store.ErrNotFound or another error of package origin.
	Fill(ctx context.Context, name content.Name) error
}

// Check is a named condition of readiness. Func returns why it is not met, or nil.
type Check struct {
	Name string
	Func func(context.Context) error
}

// Info is what GET /v1/worker answers besides the free quota.
type Info struct {
	ChainID         string
	WorkerID        uint64
	PeerKey         []byte
	Epoch           uint64
	Height          int64
	SettlementDenom string
	// Prices are those of the current epoch.
	Prices       ack.Prices
	MaxUnsettled *big.Int
	BaseCredit   *big.Int
	StallTimeout time.Duration
}

// Sessions proves who a client is and what it may still be given. Its errors are those of worker/session, which the table
// in problem.go names. ManagedSessions makes one of a session manager.
type Sessions interface {
	Challenge(ctx context.Context) (Challenge, error)
	Open(ctx context.Context, req session.OpenRequest) (session.Info, error)
	Lookup(token string) (Session, error)
	// Acknowledge stores acknowledgements durably, each that is good, and says for every one in order what became of it. An
	// error says that none of them can be relied on to be stored.
	Acknowledge(ctx context.Context, acks []ack.Signed) (Acknowledged, error)
}

// Challenge is what a client signs to open a session.
type Challenge struct {
	Bytes     [ack.ChallengeSize]byte
	ExpiresAt time.Time
}

// Acknowledged is what became of acknowledgements.
type Acknowledged struct {
	Outcomes []session.AckOutcome
	// Credit is that of the account of the first one whose account is known, or nil.
	Credit *session.Credit
}

// Session is an open session. It is safe for concurrent use.
type Session interface {
	// Begin accepts a request and gives it the session's next sequence number.
	Begin(ctx context.Context, meta session.Meta) (Request, error)
	Credit() (session.Credit, error)
}

// Request is a request under way. Exactly one of Finish and Abort ends it. *session.Request is one.
type Request interface {
	Sequence() uint64
	Epoch() uint64
	// Reserve takes credit for n bytes of payload before they are sent. At the limit it waits, until an acknowledgement or
	// settlement makes room, the context ends, or the client has stalled for too long.
	Reserve(ctx context.Context, n uint64) error
	// Release gives back bytes that were reserved and not handed to the connection.
	Release(n uint64)
	// Finish says that all bytes were handed to the connection.
	Finish()
	// Abort says that the answer ended early.
	Abort()
}
