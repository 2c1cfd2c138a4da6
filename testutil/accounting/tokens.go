package accounting

import (
	"errors"
	"fmt"

	"cosmossdk.io/math"
)

// Terms are those by which payments earn tokens.
type Terms struct {
	// Guard is the most that a payment earns in all, as a part of what nobody who pays himself gets back of it.
	Guard math.LegacyDec
	// Lost is that part of a payment: the protocol share, and the owner share if the protocol owns the service.
	Lost math.LegacyDec
	// Price of a token in units of the settlement coin; zero if none counts.
	Price math.LegacyDec
}

// TokenEpoch is what happened to the tokens between two snapshots.
type TokenEpoch struct {
	Number uint64
	// Paid left the client accounts, in units of the settlement coin, as Reconcile found.
	Paid math.Int
	// Minted is what the chain says it minted, Burned what others say was burned: slashes, deposits of proposals, fees of key
	// rotations.
	Minted, Burned math.Int
	// SetAside is what the chain says was minted up to the end of the epoch and could not be paid.
	SetAside math.Int
}

// ReconcileTokens adds the tokens up, the coin that is staked and pays fees. The first snapshot is from before the first fetch, each
// further one from the height at which the closing of the epoch of the same index ended. It returns what was minted in all and how
// many equations were tried; the error joins one for each equation that does not hold.
//
// The equations: in each snapshot the balances add up to the supply; in each epoch the supply grew by what was minted less what was
// burned; what was minted is at most guard * lost * paid / price, and nothing without a price; and x/rewards holds what it could not
// pay and nothing else.
func ReconcileTokens(parties Parties, terms Terms, snapshots []Snapshot, epochs []TokenEpoch) (minted math.Int, checks int, err error) {
	minted = math.ZeroInt()
	if len(snapshots) != len(epochs)+1 || len(epochs) == 0 {
		return minted, 0, fmt.Errorf("%d snapshots for %d epochs, want one more than epochs", len(snapshots), len(epochs))
	}
	var errs []error
	check := func(holds bool, format string, args ...any) {
		if checks++; !holds {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for _, s := range snapshots {
		sum := math.ZeroInt()
		for _, b := range s.Balances {
			sum = sum.Add(b)
		}
		check(sum.Equal(s.Supply), "height %d: the balances of the tokens add up to %s, the supply is %s", s.Height, sum, s.Supply)
	}
	for i, e := range epochs {
		grown := snapshots[i+1].Supply.Sub(snapshots[i].Supply)
		check(grown.Equal(e.Minted.Sub(e.Burned)), "epoch %d: the supply of tokens grew by %s, minted were %s and burned %s", e.Number, grown, e.Minted, e.Burned)
		most := math.ZeroInt()
		if terms.Price.IsPositive() {
			most = terms.Guard.Mul(terms.Lost).MulInt(e.Paid).Quo(terms.Price).TruncateInt()
		}
		check(e.Minted.LTE(most) && !e.Minted.IsNegative(), "epoch %d: %s tokens minted, at most %s can be earned by %s", e.Number, e.Minted, most, e.Paid)
		held := snapshots[i+1].balance(parties.Rewards)
		check(held.Equal(e.SetAside), "epoch %d: x/rewards holds %s tokens, set aside are %s", e.Number, held, e.SetAside)
		minted = minted.Add(e.Minted)
	}
	return minted, checks, errors.Join(errs...)
}
