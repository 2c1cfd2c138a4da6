package ackpool

import "errors"

// Errors of the pool. Callers match them with errors.Is.
var (
	// ErrFull reports that a bound of the pool is reached: lanes, accounts or transactions in flight. Nothing was stored.
	ErrFull = errors.New("acknowledgement pool is full")
	// ErrExpired reports an acknowledgement of an epoch that has died. Nothing was stored.
	ErrExpired = errors.New("epoch has died")
	// ErrInvalid reports input that no correct caller gives.
	ErrInvalid = errors.New("invalid input")
	// ErrForeignAccount reports an acknowledgement of a lane that is held for another account.
	ErrForeignAccount = errors.New("lane belongs to another account")
	// ErrUnknownLane reports a lane that the pool does not hold.
	ErrUnknownLane = errors.New("lane is not in the pool")
	// ErrUnknownTx reports a transaction that was never submitted or whose epoch has died.
	ErrUnknownTx = errors.New("transaction is not in the pool")
	// ErrInFlight reports a lane that another transaction carries.
	ErrInFlight = errors.New("lane is in flight")
	// ErrResolved reports a transaction whose results have been applied already.
	ErrResolved = errors.New("transaction is resolved")
	// ErrBroken reports that a write failed. The pool refuses all work until it is opened anew.
	ErrBroken = errors.New("acknowledgement pool is broken")
	// ErrClosed reports use after Close.
	ErrClosed = errors.New("acknowledgement pool is closed")
)
