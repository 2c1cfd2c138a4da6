package chain

import (
	"errors"
	"math/big"
	"time"

	"github.com/edgechain/edge/ack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// Errors of this package. Callers match them with errors.Is.
var (
	// ErrStale reports that the follower has lost sight of the chain. Its text says why.
	ErrStale = errors.New("chain is stale")
	// ErrUnknownKey reports a client key id that the chain does not know.
	ErrUnknownKey = errors.New("unknown client key")
	// ErrUnknownAccount reports an account that the chain does not know: a client account by id, or an address that has
	// never held a coin.
	ErrUnknownAccount = errors.New("unknown account")
	// ErrNotRegistered reports that no worker is registered under the configured id or peer key.
	ErrNotRegistered = errors.New("worker is not registered")
	// ErrWrongChain reports a node that follows another chain than the configured one.
	ErrWrongChain = errors.New("node follows another chain")
	// ErrBusy reports that too many queries are under way.
	ErrBusy = errors.New("too many chain queries under way")
	// ErrTxNotFound reports that no transaction with a hash stands in the blocks that were looked at.
	ErrTxNotFound = errors.New("transaction not found")
)

// View is what the worker knows of the chain at one height. A View is immutable: nobody may write to what it points to.
type View struct {
	ChainID string
	// Height is the last height that the application has committed.
	Height int64
	// Time is the time of the block at that height.
	Time time.Time
	// Epoch is the current epoch.
	Epoch uint64
	// EpochEnd is when the epoch's duration is over, in block time. The epoch closes with the first block at or after it.
	EpochEnd time.Time
	// EpochDuration is how long the epoch was meant to last; 0 if that is not known.
	EpochDuration time.Duration
	// OldestLive is the oldest epoch whose acknowledgements can still be settled.
	OldestLive uint64
	// Worker is this worker's record; its id is 0 while it is not registered.
	Worker nodetypes.Worker
	// Denom is the settlement coin.
	Denom string
	// Prices holds the prices of every live epoch.
	Prices map[uint64]ack.Prices
	// Agreed are the epochs of whose prices two endpoints of the chain say the same.
	Agreed map[uint64]bool
	// MaxAcks is how many acknowledgements one settlement can carry.
	MaxAcks int
	// GasBase and GasPerAck make up the gas of a settlement message: GasBase + n * GasPerAck.
	GasBase, GasPerAck uint64
	// Limits of transactions.
	Limits TxLimits
	// FeeBalance is what there is of the fee coin for settlements: what the hot account holds, or what the account that pays
	// its fees holds, as far as that grants it.
	FeeBalance *big.Int
	// Grants of the account for which the hot account acts; nil if it acts for itself and pays by itself.
	Grants *Grants
}

// TxLimits are what the chain allows transactions and what it takes for them, by its parameters.
type TxLimits struct {
	// BlockGas is what the transactions of a block may want together; 0 if that is not bounded.
	BlockGas uint64
	// GasPerByte is what x/auth takes for each byte of a transaction, GasPerSignature for a secp256k1 signature.
	GasPerByte, GasPerSignature uint64
}

// Registered reports whether the worker has a record on the chain.
func (v View) Registered() bool { return v.Worker.Id != 0 }

// Active reports whether the worker may serve new requests.
func (v View) Active() bool {
	return v.Registered() && v.Worker.Status == nodetypes.WORKER_STATUS_ACTIVE
}

// MaySettle reports whether acknowledgements of an epoch can be settled: the epoch is live, and the worker was not
// removed before it.
func (v View) MaySettle(epoch uint64) bool {
	if !v.Registered() || epoch < v.OldestLive || epoch > v.Epoch {
		return false
	}
	return v.Worker.Status == nodetypes.WORKER_STATUS_ACTIVE || epoch <= v.Worker.RetiredEpoch
}

// Dies is the block time from which acknowledgements of a live epoch cannot be settled any more: the end of the epoch
// behind it. ok is false while that is not known, which is the case for the current epoch.
func (v View) Dies(epoch uint64) (at time.Time, ok bool) {
	if epoch >= v.Epoch {
		return time.Time{}, false
	}
	return v.EpochEnd, true
}

// Key is a client key as the chain has it.
type Key struct {
	ID        uint64
	AccountID uint64
	// PublicKey is an ed25519 public key, 32 bytes.
	PublicKey []byte
	// SpendLimit is the most that the key can spend in acknowledgements of one epoch, in units of the settlement coin.
	SpendLimit *big.Int
	// Left is what of the limit of the current epoch is left; see LeftIn for others.
	Left *big.Int
	// LastEpoch is the last epoch that the key can acknowledge.
	LastEpoch uint64

	// record of the chain, with the schedule of limits and what was spent; nil if it is not at hand.
	record *dacktypes.ClientKey
}

// LeftIn is what the key can still spend in acknowledgements of an epoch that lives: its limit in that epoch, which can be
// another than that of the next, without what it has spent.
func (k *Key) LeftIn(epoch uint64) *big.Int {
	switch {
	case k.record != nil:
		return k.record.Left(epoch).BigInt()
	case k.LastEpoch < epoch || k.Left == nil:
		return new(big.Int)
	}
	return new(big.Int).Set(k.Left)
}

// Account is a client account as the chain has it.
type Account struct {
	ID    uint64
	Owner string
	// Spendable is what a worker can rely on, in units of the settlement coin.
	Spendable *big.Int
	// Payable is what a settlement can draw on: Spendable and the withdrawals that are not yet paid.
	Payable *big.Int
	// At is when the chain was asked; zero if that is not known.
	At time.Time
}

func keyOf(k dacktypes.ClientKey, left *big.Int) Key {
	return Key{
		ID:         k.Id,
		AccountID:  k.AccountId,
		PublicKey:  k.PublicKey,
		SpendLimit: k.SpendLimit.BigInt(),
		Left:       left,
		LastEpoch:  k.LastEpoch,
		record:     &k,
	}
}
