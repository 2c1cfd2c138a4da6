package types

import (
	"strings"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// Relations of the two sides of an equation.
const (
	// RelationEqual says that both sides are the same.
	RelationEqual = "="
	// RelationAtMost says that the left side is not more than the right one.
	RelationAtMost = "<="
)

// Figures are what the invariants of the money speak of: what the modules say, and what x/bank says. Each of them is kept up to
// date by who owns it, so that reading them costs the same however many accounts and epochs there are.
type Figures struct {
	// SettlementDenom is the denom of the settlement coin.
	SettlementDenom string
	// Clients are the books of x/dack, in the settlement coin.
	Clients dacktypes.Totals
	// ClientsHeld is what the account of x/dack holds of the settlement coin.
	ClientsHeld math.Int
	// Books are those of x/rewards.
	Books Held
	// SettlementHeld and TokensHeld are what the account of x/rewards holds of the settlement coin and of uedge.
	SettlementHeld, TokensHeld math.Int
	// History is that of the supply of uedge.
	History Supply
	// Supply of uedge as x/bank states it.
	Supply math.Int
}

// Equations returns the invariants of the money that exists now. This is the one place that says what they are.
func (f Figures) Equations() []Equation {
	return []Equation{
		equal("clients", f.SettlementDenom,
			"account of x/dack", f.ClientsHeld,
			"client balances + pending withdrawals + open revenue + service deposits", f.Clients.Sum()),
		equal("revenue", f.SettlementDenom,
			"account of x/rewards", f.SettlementHeld,
			"queued + set aside", f.Books.Settlement()),
		equal("emission", EmissionDenom,
			"account of x/rewards", f.TokensHeld,
			"emission set aside", f.Books.EmissionSetAside),
		equal("supply", EmissionDenom,
			"supply", f.Supply,
			"initial + minted - burned", f.History.Total()),
	}
}

// EpochFigures are what the invariants of the money of one epoch speak of.
type EpochFigures struct {
	// SettlementDenom is the denom of the settlement coin.
	SettlementDenom string
	// Books of the epoch.
	Books EpochSummary
	// Phase of the payment, if it is not done.
	Phase PayPhase
	// Debited is what x/dack says was debited in the epoch; nil once it keeps that no more.
	Debited *math.Int
}

// Equations returns the invariants of an epoch's money. While its shares are being paid they are at most what was debited; once the
// community pool has the rest, they are exactly that.
func (f EpochFigures) Equations() []Equation {
	var equations []Equation
	s, e := f.Books, f.Books.Emission
	if f.Debited != nil {
		equations = append(equations, equal("debited", f.SettlementDenom,
			"debited, says x/rewards", s.Debited,
			"revenue of the epoch, says x/dack", *f.Debited))
	}
	relation := RelationAtMost
	if s.Done || f.Phase > PAY_PHASE_COMMUNITY {
		relation = RelationEqual
	}
	minted := e.Minted(s.Done).Add(e.Forfeited)
	return append(equations,
		newEquation("paid", f.SettlementDenom, relation,
			"nodes + owners + community + set aside", s.Nodes.Add(s.Owners).Add(s.Community).Add(s.SetAside),
			"debited", s.Debited),
		newEquation("earned", EmissionDenom, RelationAtMost,
			"minted + forfeited", minted,
			"earned", e.Earned),
		newEquation("cap", EmissionDenom, RelationAtMost,
			"minted + forfeited", minted,
			"cap of the epoch", e.Cap),
	)
}

// CheckEquations returns ErrBooks with every equation that does not hold.
func CheckEquations(equations []Equation) error {
	var broken []string
	for _, e := range equations {
		if !e.Holds {
			broken = append(broken, e.Text())
		}
	}
	if len(broken) != 0 {
		return errorsmod.Wrap(ErrBooks, strings.Join(broken, "; "))
	}
	return nil
}

// Text is the equation in a line: "supply: supply 99uedge = initial + minted - burned 100uedge".
func (e Equation) Text() string {
	return e.Name + ": " + e.Left + " " + e.LeftAmount.String() + e.Denom + " " + e.Relation + " " + e.Right + " " + e.RightAmount.String() + e.Denom
}

func equal(name, denom, left string, leftAmount math.Int, right string, rightAmount math.Int) Equation {
	return newEquation(name, denom, RelationEqual, left, leftAmount, right, rightAmount)
}

func newEquation(name, denom, relation, left string, leftAmount math.Int, right string, rightAmount math.Int) Equation {
	holds := leftAmount.Equal(rightAmount)
	if relation == RelationAtMost {
		holds = leftAmount.LTE(rightAmount)
	}
	return Equation{
		Name: name, Denom: denom, Relation: relation, Holds: holds,
		Left: left, LeftAmount: leftAmount, Right: right, RightAmount: rightAmount,
	}
}
