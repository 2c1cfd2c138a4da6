package ackpool

import (
	"encoding/json"
	"fmt"
	"math/big"
)

// Amount is a sum of money, in units of the settlement coin, and how many lanes are in that state.
type Amount struct {
	Value *big.Int
	Lanes uint64
}

type amountJSON struct {
	Amount string `json:"amount"`
	Lanes  uint64 `json:"lanes"`
}

// MarshalJSON writes the amount as a decimal string, because it can exceed what a JSON number holds.
func (a Amount) MarshalJSON() ([]byte, error) {
	return json.Marshal(amountJSON{Amount: a.value().String(), Lanes: a.Lanes})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Amount) UnmarshalJSON(b []byte) error {
	var j amountJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	v, ok := new(big.Int).SetString(j.Amount, 10)
	if !ok {
		return fmt.Errorf("%w: amount %q", ErrInvalid, j.Amount)
	}
	a.Value, a.Lanes = v, j.Lanes
	return nil
}

func (a Amount) value() *big.Int {
	if a.Value == nil {
		return new(big.Int)
	}
	return a.Value
}

func (a Amount) isZero() bool { return a.Lanes == 0 && a.value().Sign() == 0 }

func (a Amount) plus(b Amount) Amount {
	return Amount{Value: new(big.Int).Add(a.value(), b.value()), Lanes: a.Lanes + b.Lanes}
}

func (a Amount) minus(b Amount) Amount {
	return Amount{Value: new(big.Int).Sub(a.value(), b.value()), Lanes: a.Lanes - b.Lanes}
}

// Totals are the sums of the ledger. Acknowledged = Pending + Submitted + Settled + all of Refused, always.
type Totals struct {
	Acknowledged Amount            `json:"acknowledged"`
	Pending      Amount            `json:"pending"`
	Submitted    Amount            `json:"submitted"`
	Settled      Amount            `json:"settled"`
	Refused      map[string]Amount `json:"refused"`
}

// RefusedTotal is what was refused for any reason.
func (t Totals) RefusedTotal() Amount {
	sum := Amount{Value: new(big.Int)}
	for _, a := range t.Refused {
		sum = sum.plus(a)
	}
	return sum
}

// unsettled is what is owed of it: all that is not settled, but for what the chain has said is not due.
func (t Totals) unsettled() *big.Int {
	owed := new(big.Int).Sub(t.Acknowledged.value(), t.Settled.value())
	return owed.Sub(owed, t.Refused[ReasonNotDue].value())
}

// Check returns an error with the sums if they do not add up.
func (t Totals) Check() error {
	sum := t.Pending.plus(t.Submitted).plus(t.Settled).plus(t.RefusedTotal())
	if t.Acknowledged.value().Cmp(sum.Value) != 0 || t.Acknowledged.Lanes != sum.Lanes {
		return fmt.Errorf("ledger does not add up: acknowledged %s in %d lanes, parts %s in %d",
			t.Acknowledged.value(), t.Acknowledged.Lanes, sum.Value, sum.Lanes)
	}
	for _, a := range []Amount{t.Acknowledged, t.Pending, t.Submitted, t.Settled} {
		if a.value().Sign() < 0 {
			return fmt.Errorf("ledger has a negative sum: %s", a.Value)
		}
	}
	for reason, a := range t.Refused {
		if a.value().Sign() < 0 {
			return fmt.Errorf("ledger has a negative sum: %s refused as %s", a.Value, reason)
		}
	}
	return nil
}

// newTotals returns sums of nothing.
func newTotals() Totals {
	zero := func() Amount { return Amount{Value: new(big.Int)} }
	return Totals{Acknowledged: zero(), Pending: zero(), Submitted: zero(), Settled: zero(), Refused: map[string]Amount{}}
}

// add adds o in place; o is not shared.
func (t *Totals) add(o Totals) {
	for _, p := range t.pairs(&o) {
		p[0].Value.Add(p[0].Value, p[1].value())
		p[0].Lanes += p[1].Lanes
	}
	for reason, a := range o.Refused {
		t.Refused[reason] = t.Refused[reason].plus(a)
	}
}

// sub takes o off in place. A reason with nothing left disappears.
func (t *Totals) sub(o Totals) {
	for _, p := range t.pairs(&o) {
		p[0].Value.Sub(p[0].Value, p[1].value())
		p[0].Lanes -= p[1].Lanes
	}
	for reason, a := range o.Refused {
		left := t.Refused[reason].minus(a)
		if left.isZero() {
			delete(t.Refused, reason)
			continue
		}
		t.Refused[reason] = left
	}
}

func (t *Totals) pairs(o *Totals) [4][2]*Amount {
	return [4][2]*Amount{
		{&t.Acknowledged, &o.Acknowledged},
		{&t.Pending, &o.Pending},
		{&t.Submitted, &o.Submitted},
		{&t.Settled, &o.Settled},
	}
}

// totals is the lane's part of the ledger.
func (l *lane) totals() Totals {
	pending, submitted := l.split()
	t := Totals{
		Acknowledged: Amount{Value: new(big.Int).Set(l.value), Lanes: 1},
		Pending:      Amount{Value: pending}, Submitted: Amount{Value: submitted},
		Settled: Amount{Value: new(big.Int).Set(l.settled)}, Refused: map[string]Amount{},
	}
	for _, r := range l.refusals {
		t.Refused[r.Reason] = Amount{Value: new(big.Int).Set(r.Amount)}
	}
	switch {
	case l.flight != nil:
		t.Submitted.Lanes = 1
	case pending.Sign() > 0:
		t.Pending.Lanes = 1
	case len(l.refusals) > 0:
		reason := l.refusals[len(l.refusals)-1].Reason
		a := t.Refused[reason]
		a.Lanes = 1
		t.Refused[reason] = a
	default:
		t.Settled.Lanes = 1
	}
	return t
}

// EpochTotals are the sums of one epoch.
type EpochTotals struct {
	Epoch uint64 `json:"epoch"`
	Totals
}

// AccountTotals are the sums of one account.
type AccountTotals struct {
	AccountID uint64 `json:"account_id"`
	Totals
}

// Ledger is the whole account of the pool at one moment.
type Ledger struct {
	// Total over all epochs since the pool was made.
	Total Totals `json:"total"`
	// Epochs and Accounts of which the pool still holds lanes, ascending, with what is archived of them. Pool.History and
	// Pool.Account tell those of any other.
	Epochs   []EpochTotals   `json:"epochs"`
	Accounts []AccountTotals `json:"accounts"`
}

// group is a sum over the lanes held and one over the lanes that are deleted.
type group struct {
	held    Totals
	archive Totals
	// forfeit of an account.
	forfeit Forfeit
	// lanes counts the lanes held; a group without any leaves memory.
	lanes int
}

func newGroup() *group { return &group{held: newTotals(), archive: newTotals()} }

// claim is what the lanes held say of an account.
func (g *group) claim() Claim {
	return Claim{
		Unsettled: g.held.unsettled(),
		Settled:   new(big.Int).Add(g.held.Settled.value(), g.archive.Settled.value()),
		Forfeit:   g.forfeit,
	}
}

// sum of both, not shared with the group.
func (g *group) sum() Totals {
	sum := newTotals()
	sum.add(g.held)
	sum.add(g.archive)
	return sum
}
