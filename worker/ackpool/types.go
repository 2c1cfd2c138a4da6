package ackpool

import (
	"bytes"
	"cmp"
	"math/big"

	"github.com/edgechain/edge/ack"
)

// Item is an acknowledgement to be stored.
type Item struct {
	// Signed is verified by the caller; the pool stores what it is given.
	Signed ack.Signed
	// AccountID is the account of the client key.
	AccountID uint64
	// Value is the price of the totals at the prices of the acknowledgement's epoch, in units of the settlement coin.
	Value *big.Int
}

// Refusal is the part of a lane's value that is not going to be paid, and why.
type Refusal struct {
	Reason string
	Amount *big.Int
}

// Rejection is the evidence of a refused acknowledgement.
type Rejection struct {
	Signed ack.Signed
	// Reason and Code as in the verdict.
	Reason string
	Code   uint32
	// Height of the block that holds the verdict; 0 if the worker refused it by itself.
	Height int64
}

// Entry is what the pool holds of one lane. The caller may keep it; it does not change.
type Entry struct {
	// Signed is the newest acknowledgement.
	Signed    ack.Signed
	AccountID uint64
	// Value = Pending + Submitted + Settled + Refused, in units of the settlement coin.
	Value, Pending, Submitted, Settled, Refused *big.Int
	// Refusals are the parts of Refused by reason, the latest last.
	Refusals []Refusal
	// SettledHeight is the height of the latest verdict on this lane, 0 before the first.
	SettledHeight int64
	// TxHash of the transaction that carries the lane, nil if none does.
	TxHash []byte
	// Rejection is the latest refused acknowledgement, nil if none was.
	Rejection *Rejection
}

// Submitted is an acknowledgement as a transaction carries it, with its value.
type Submitted struct {
	Signed ack.Signed
	Value  *big.Int
}

// Submit returns the entry as a transaction carries it.
func (e *Entry) Submit() Submitted {
	return Submitted{Signed: e.Signed, Value: new(big.Int).Set(e.Value)}
}

// Tx is a settlement transaction.
type Tx struct {
	// Hash names the transaction on the chain, at most 64 bytes.
	Hash []byte
	// Epoch of all acknowledgements in it.
	Epoch uint64
	// TimeoutHeight is the last height that can include it.
	TimeoutHeight int64
	// Bytes is the encoded transaction for broadcasting it again; optional, at most 1 MiB.
	Bytes []byte
	// Acks in the order of the message: ascending by (key, service, lane).
	Acks []Submitted
}

// Outcome is the kind of a verdict.
type Outcome uint8

// The outcomes. They follow edge.dack.v1.AckStatus.
const (
	// OutcomePaid: all that was due has been paid.
	OutcomePaid Outcome = iota + 1
	// OutcomePartial: a part of what was due, or nothing, could be paid; the rest can be settled later.
	OutcomePartial
	// OutcomeNothingDue: it was paid before.
	OutcomeNothingDue
	// OutcomeRefused: the chain will not pay this acknowledgement.
	OutcomeRefused
)

// Result is the verdict on one acknowledgement of a transaction.
type Result struct {
	Outcome Outcome
	// Reason and Code of a refusal; Reason is at most 64 bytes and from a closed set.
	Reason string
	Code   uint32
	// TotalPaid on the lane after this settlement; may be nil for a refusal.
	TotalPaid *big.Int
}

// Reasons that the pool itself refuses with.
const (
	// ReasonExpired: the epoch died before the rest was paid.
	ReasonExpired = "expired"
	// ReasonNotDue: the chain said that all was paid, and it was less than the value here.
	ReasonNotDue = "not-due"
	// ReasonOther: the lane has met too many different reasons.
	ReasonOther = "other"
)

// Exposure is an upper bound of the bytes delivered to an account in an epoch that no acknowledgement covers yet.
type Exposure struct {
	AccountID uint64
	Epoch     uint64
	Bytes     uint64
}

// Claim is what the lanes held say of an account, in units of the settlement coin.
type Claim struct {
	// Unsettled is acknowledged and not settled, refused or not: it counts until its epoch has died. What the chain has said is not due
	// is left out.
	Unsettled *big.Int
	// Settled with this worker so far, over all epochs.
	Settled *big.Int
	Forfeit Forfeit
}

// compareLanes orders lanes of one epoch as a settlement wants them: by (key, service, lane).
func compareLanes(a, b ack.LaneID) int {
	return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.KeyID, b.KeyID),
		cmp.Compare(a.ServiceID, b.ServiceID), cmp.Compare(a.Lane, b.Lane))
}

// lane is the stored state of a lane. It is replaced, never changed, so that entries can share what it points to.
type lane struct {
	signed    ack.Signed
	account   uint64
	value     *big.Int
	settled   *big.Int
	height    int64
	refusals  []Refusal
	rejection *Rejection
	// short is set if by the chain's last verdict account or key could not pay all that was due.
	short bool

	// flight is the transaction that carries the lane and flightValue the value that it carries. They are not part of the
	// lane's record: the record of the transaction says so.
	flight      []byte
	flightValue *big.Int
}

func (l *lane) refused() *big.Int {
	sum := new(big.Int)
	for _, r := range l.refusals {
		sum.Add(sum, r.Amount)
	}
	return sum
}

// open is what is neither settled nor refused.
func (l *lane) open() *big.Int {
	open := new(big.Int).Sub(l.value, l.settled)
	return open.Sub(open, l.refused())
}

// split returns what is pending and what is submitted of the open part.
func (l *lane) split() (pending, submitted *big.Int) {
	pending = l.open()
	submitted = new(big.Int)
	if l.flight == nil {
		return pending, submitted
	}
	submitted.Sub(l.flightValue, l.settled)
	submitted.Sub(submitted, l.refused())
	if submitted.Sign() < 0 {
		submitted.SetInt64(0)
	}
	if submitted.Cmp(pending) > 0 {
		submitted.Set(pending) // it is worth less than when the transaction was made
	}
	return pending.Sub(pending, submitted), submitted
}

// Unsettled is what is owed by the lane: all that is not settled, but for what the chain has said is not due.
func (e *Entry) Unsettled() *big.Int {
	owed := new(big.Int).Sub(e.Value, e.Settled)
	for _, r := range e.Refusals {
		if r.Reason == ReasonNotDue {
			owed.Sub(owed, r.Amount)
		}
	}
	return owed
}

func (l *lane) entry() Entry {
	pending, submitted := l.split()
	e := Entry{
		Signed: l.signed, AccountID: l.account,
		Value: new(big.Int).Set(l.value), Settled: new(big.Int).Set(l.settled),
		Pending: pending, Submitted: submitted, Refused: l.refused(),
		SettledHeight: l.height, TxHash: bytes.Clone(l.flight),
	}
	for _, r := range l.refusals {
		e.Refusals = append(e.Refusals, Refusal{Reason: r.Reason, Amount: new(big.Int).Set(r.Amount)})
	}
	if l.rejection != nil {
		r := *l.rejection
		e.Rejection = &r
	}
	return e
}

// refuse returns the refusals with an amount added to a reason, which becomes the last.
func refuse(list []Refusal, reason string, amount *big.Int) []Refusal {
	if amount.Sign() <= 0 {
		return list
	}
	sum := new(big.Int).Set(amount)
	out := make([]Refusal, 0, len(list)+1)
	for _, r := range list {
		if r.Reason == reason {
			sum.Add(sum, r.Amount)
			continue
		}
		out = append(out, r)
	}
	if len(out) >= maxReasons-1 && reason != ReasonOther {
		return refuse(list, ReasonOther, amount)
	}
	return append(out, Refusal{Reason: reason, Amount: sum})
}

// withResult returns the lane after a verdict on what a transaction carried of it. flight is left as it is.
//
// Any verdict but a refusal is one on the whole cumulative price, so that it also covers what was refused before: total
// paid is the truth, earlier refusals are void. What the chain does not owe although all was paid is refused as not due;
// that happens only if the two disagree about the price.
func (l *lane) withResult(s Submitted, r Result, height int64) *lane {
	n := *l
	n.height = max(height, n.height)
	if r.TotalPaid != nil && r.TotalPaid.Cmp(n.settled) > 0 {
		n.settled = new(big.Int).Set(r.TotalPaid)
	}
	if n.settled.Cmp(n.value) > 0 {
		// The chain was paid for an acknowledgement that this pool has lost or not kept: the client signed it all the same.
		n.value = n.settled
	}
	if r.Outcome == OutcomeRefused {
		n.rejection = &Rejection{Signed: s.Signed, Reason: r.Reason, Code: r.Code, Height: height}
		n.refusals = capRefusals(n.refusals, new(big.Int).Sub(n.value, n.settled))
		rest := new(big.Int).Sub(minInt(s.Value, n.value), n.settled)
		n.refusals = refuse(n.refusals, r.Reason, rest.Sub(rest, n.refused()))
		return &n
	}
	n.refusals, n.short = nil, r.Outcome == OutcomePartial
	if r.Outcome != OutcomePartial {
		n.refusals = refuse(nil, ReasonNotDue, new(big.Int).Sub(minInt(s.Value, n.value), n.settled))
	}
	return &n
}

// capRefusals lowers refusals, the latest first, to a sum of at most limit: what was paid after all is not refused.
func capRefusals(list []Refusal, limit *big.Int) []Refusal {
	left := new(big.Int).Set(limit)
	out := make([]Refusal, 0, len(list))
	for _, r := range list {
		amount := new(big.Int).Set(minInt(r.Amount, left))
		if amount.Sign() > 0 {
			out = append(out, Refusal{Reason: r.Reason, Amount: amount})
			left.Sub(left, amount)
		}
	}
	return out
}

func minInt(a, b *big.Int) *big.Int {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}
