// Package accounting proves from bank balances and supply alone that what clients paid is what others received. It reads
// no record of the modules whose arithmetic it checks, so a fault there cannot hide itself.
package accounting

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"cosmossdk.io/math"
)

// Snapshot is every balance of one coin at one height.
type Snapshot struct {
	Height int64
	// Supply of the coin as the bank states it.
	Supply math.Int
	// Balances of all holders by address.
	Balances map[string]math.Int
}

// balance of an address; a holder of nothing is not listed.
func (s Snapshot) balance(address string) math.Int {
	if b, ok := s.Balances[address]; ok {
		return b
	}
	return math.ZeroInt()
}

// Parties are the addresses between which money moves.
type Parties struct {
	// Accounts is the module account that holds client balances and open revenue.
	Accounts string
	// Rewards is the module account through which revenue passes.
	Rewards string
	// Operator of the node that served.
	Operator string
	// Community is the module account that holds the community pool.
	Community string
}

// Statement is what client and worker say, independently of the chain. Amounts are in units of the coin.
type Statement struct {
	// Delivered is the payload that the client received and verified, in bytes.
	Delivered uint64
	// Price of what the client acknowledged, added up lane by lane from its own signatures.
	Price math.Int
	// AcknowledgedBytes is the payload that the client signed for.
	AcknowledgedBytes uint64
	// Acknowledged, Pending, Submitted, Settled and Refused are the worker's ledger.
	Acknowledged, Pending, Submitted, Settled, Refused math.Int
	// Flows are what was brought to the client accounts and taken back from them in each epoch besides payments, by the index of
	// the epoch; none if there are fewer of them.
	Flows [][]Flow
}

// Flow is money between a holder and the module account that holds client balances: a deposit of a client or for a service, or, if
// it is negative, a withdrawal or the return of a deposit.
type Flow struct {
	Address string
	Amount  math.Int
}

// flows adds up what the holders brought in an epoch, by address and in all.
func (st Statement) flows(epoch int) (by map[string]math.Int, sum math.Int) {
	by, sum = make(map[string]math.Int), math.ZeroInt()
	if epoch >= len(st.Flows) {
		return by, sum
	}
	for _, f := range st.Flows[epoch] {
		if old, ok := by[f.Address]; ok {
			by[f.Address] = old.Add(f.Amount)
		} else {
			by[f.Address] = f.Amount
		}
		sum = sum.Add(f.Amount)
	}
	return by, sum
}

// Epoch is what moved when one epoch was closed.
type Epoch struct {
	Number uint64
	// Paid left the client accounts.
	Paid math.Int
	// Operator and Community received it.
	Operator, Community math.Int
}

// Report is the outcome of Reconcile.
type Report struct {
	Epochs []Epoch
	// Paid, Operator and Community are the sums over all epochs.
	Paid, Operator, Community math.Int
	// SupplyBefore and SupplyAfter are the supply of the coin at the first and the last height.
	SupplyBefore, SupplyAfter math.Int
	// Checks counts the equations that were tried.
	Checks int
}

// Reconcile adds up. The first snapshot is from before the first fetch, each further one from the height at which the
// closing of the epoch of the same index ended. share is the part of a payment that is the operator's; what is left is the
// community's, because the protocol owns the service. The report is complete even if the error is not nil; the error
// joins one error for each equation that does not hold.
//
// The equations: in each snapshot the balances add up to the supply, and the supply never changes; in each epoch what
// left the client accounts, what was brought and taken back aside, is what operator and community received, the operator's part is floor(paid * share), nothing
// stays with x/rewards, nobody else's balance moves; over all epochs it is the price of what the client acknowledged and
// what the worker has settled; nothing is pending, submitted or refused; and every byte delivered is acknowledged.
func Reconcile(parties Parties, share math.LegacyDec, snapshots []Snapshot, epochs []uint64, st Statement) (Report, error) {
	r := Report{Paid: math.ZeroInt(), Operator: math.ZeroInt(), Community: math.ZeroInt()}
	if len(snapshots) != len(epochs)+1 || len(epochs) == 0 {
		return r, fmt.Errorf("%d snapshots for %d epochs, want one more than epochs", len(snapshots), len(epochs))
	}
	var errs []error
	equal := func(got, want math.Int, format string, args ...any) {
		r.Checks++
		if !got.Equal(want) {
			errs = append(errs, fmt.Errorf("%s: %s is not %s (off by %s)", fmt.Sprintf(format, args...), got, want, got.Sub(want)))
		}
	}

	first, last := snapshots[0], snapshots[len(snapshots)-1]
	r.SupplyBefore, r.SupplyAfter = first.Supply, last.Supply
	for _, s := range snapshots {
		sum := math.ZeroInt()
		for _, b := range s.Balances {
			sum = sum.Add(b)
		}
		equal(sum, s.Supply, "height %d: the sum of all balances and the supply", s.Height)
		equal(s.Supply, first.Supply, "height %d: the supply and the supply before", s.Height)
	}

	for i, number := range epochs {
		before, after := snapshots[i], snapshots[i+1]
		delta := func(address string) math.Int { return after.balance(address).Sub(before.balance(address)) }
		brought, sum := st.flows(i)
		own := func(address string) math.Int {
			if b, ok := brought[address]; ok {
				return b
			}
			return math.ZeroInt()
		}
		e := Epoch{
			Number: number, Paid: delta(parties.Accounts).Neg().Add(sum),
			Operator: delta(parties.Operator).Add(own(parties.Operator)), Community: delta(parties.Community),
		}
		r.Epochs = append(r.Epochs, e)
		r.Paid, r.Operator, r.Community = r.Paid.Add(e.Paid), r.Operator.Add(e.Operator), r.Community.Add(e.Community)
		equal(e.Operator.Add(e.Community), e.Paid, "epoch %d: received and paid", number)
		equal(e.Operator, share.MulInt(e.Paid).TruncateInt(), "epoch %d: the operator's part and its share", number)
		equal(after.balance(parties.Rewards), math.ZeroInt(), "epoch %d: what is left with x/rewards and nothing", number)
		for _, address := range holders(before, after) {
			switch address {
			case parties.Accounts, parties.Operator, parties.Community, parties.Rewards:
			default:
				equal(after.balance(address).Add(own(address)), before.balance(address),
					"epoch %d: the balance of %s with what it brought and its balance before", number, address)
			}
		}
	}

	equal(r.Paid, st.Price, "what was paid and the price of what the client acknowledged")
	equal(st.Acknowledged, st.Price, "what the worker holds and the price of what the client acknowledged")
	equal(st.Settled, st.Acknowledged, "what the worker has settled and what it holds")
	equal(st.Pending, math.ZeroInt(), "what is pending and nothing")
	equal(st.Submitted, math.ZeroInt(), "what is submitted and nothing")
	equal(st.Refused, math.ZeroInt(), "what was refused and nothing")
	equal(math.NewIntFromUint64(st.AcknowledgedBytes), math.NewIntFromUint64(st.Delivered), "bytes acknowledged and bytes delivered")
	return r, errors.Join(errs...)
}

// holders returns the addresses of both snapshots in order, each once.
func holders(a, b Snapshot) []string {
	addresses := slices.Concat(slices.Collect(maps.Keys(a.Balances)), slices.Collect(maps.Keys(b.Balances)))
	slices.Sort(addresses)
	return slices.Compact(addresses)
}
