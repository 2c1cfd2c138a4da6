package session

import (
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Errors of this package. Callers match them with errors.Is.
var (
	// ErrInvalid reports a request that does not fit the format.
	ErrInvalid = errors.New("invalid request")
	// ErrBadProof reports a challenge or signature that does not verify, or a key that is unknown or expired.
	ErrBadProof = errors.New("session proof does not verify")
	// ErrSessionUnknown reports a token that is unknown, or a session that has ended.
	ErrSessionUnknown = errors.New("session is unknown or has ended")
	// ErrLaneClosed reports a lane whose head differs between client and worker, in this epoch.
	ErrLaneClosed = errors.New("lane is closed")
	// ErrCreditExhausted reports a claim at its limit. The error is a *CreditError.
	ErrCreditExhausted = errors.New("credit is exhausted")
	// ErrStalled reports that a stream waited for credit for longer than the stall timeout. The error is a *CreditError.
	ErrStalled = errors.New("stream stalled at the credit limit")
	// ErrAccountEmpty reports an account or a key with nothing left to spend.
	ErrAccountEmpty = errors.New("account has nothing spendable")
	// ErrOverloaded reports that a bound of the worker is reached.
	ErrOverloaded = errors.New("worker is overloaded")
	// ErrChainStale reports that the worker has lost sight of the chain.
	ErrChainStale = errors.New("worker has lost sight of the chain")
	// ErrNotServing reports that the worker is not registered or is being retired.
	ErrNotServing = errors.New("worker takes no new requests")
	// ErrStopped reports that the manager has been stopped.
	ErrStopped = errors.New("session manager is stopped")
)

// Credit is where an account stands, in units of the settlement coin.
type Credit struct {
	Limit *big.Int
	// Claim is the price of everything sent to the account that is not settled.
	Claim *big.Int
	// UnacknowledgedBytes is the part of it that no acknowledgement covers, in bytes.
	UnacknowledgedBytes uint64
	// Forfeited is by how much the limit is lower for what the account has had and can never pay any more; nil for nothing.
	Forfeited *big.Int
}

// CreditError is ErrCreditExhausted or ErrStalled with the account's credit.
type CreditError struct {
	// Cause is ErrCreditExhausted or ErrStalled.
	Cause  error
	Credit Credit
	// RetryAfter is when to try again if nothing is acknowledged before.
	RetryAfter time.Duration
}

func (e *CreditError) Error() string {
	text := fmt.Sprintf("%s: claim %s of %s, %d bytes unacknowledged",
		e.Cause, e.Credit.Claim, e.Credit.Limit, e.Credit.UnacknowledgedBytes)
	if e.Credit.Forfeited != nil {
		text += fmt.Sprintf(", %s less credit for what was delivered earlier and never paid", e.Credit.Forfeited)
	}
	return text
}

func (e *CreditError) Unwrap() error { return e.Cause }
