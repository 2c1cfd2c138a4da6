// Package session keeps what a worker knows of its clients: challenges, sessions, the heads of their lanes, and the credit
// of their accounts. docs/protocol.md, sections 2, 4 and 5, says what a client sees of it.
//
// # Credit
//
// The claim on an account is the price of the bytes sent to it that no acknowledgement covers, rounded up, plus what is
// acknowledged and not settled, over all keys, lanes and sessions. It never exceeds
//
//	min(MaxUnsettled, Base + settled so far / 8, spendable / 64)
//
// by a byte that this package has granted: Request.Reserve comes before the bytes are sent. Bytes count for the account,
// in the epoch in which they were sent. An acknowledgement on any of its lanes takes as many off as it adds to its lane,
// the oldest epoch first and never below zero: it is the client's money, whatever it acknowledges. It takes off only what
// was sent in its own epoch or before: bytes of a new epoch cannot be had at the old price, nor against a limit of the key
// that is spent. What is left goes when its epoch has died.
//
// A crash must not forgive any of it. Before bytes are granted, a watermark at or above the account's bytes of the epoch
// is on disk, and after a restart the watermark is what counts. Watermarks move in steps, ahead of the stream, so a crash
// costs the client at most two steps of credit for bytes that it never got: 1/64 of its limit, but up to two groups
// (32 KiB) under a limit of less than 2 MiB, and never more than 128 MiB.
//
// # Heads
//
// A lane's receipts are kept in the order of their sequence numbers until an acknowledgement covers them. The client says
// which requests it finished: at a broken connection the two may see the last request differently, so the head may leave
// out requests that the worker counts as finished, and count ones that were aborted here, within what findHead tries. A
// head that no choice explains closes the lane for the rest of the epoch; the acknowledgement is kept, because its money
// does not depend on the head. Of a lane from before a restart the receipts are unknown, and the first head is taken as it
// is.
package session
