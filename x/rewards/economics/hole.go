package economics

import "fmt"

// Hole is a way in which the rules could be wrong. At most one is open at a time.
type Hole int

// The holes. NoHole is the rules as they are.
const (
	NoHole Hole = iota
	// GuardPerRecipient gives guard * u / price to each recipient of a payment, and not to all of them together.
	GuardPerRecipient
	// GuardAboveHalf has a guard of 1 while the market may be twice the counted price.
	GuardAboveHalf
	// WholePaymentEarns lets the whole payment earn tokens, not its unrecoverable part.
	WholePaymentEarns
	// OwnerShareEarns counts the owner share as unrecoverable for every service, not only for those of the protocol.
	OwnerShareEarns
	// OwnerAtPayout asks at the payout who owns a service: the owner share of one that was removed since counts as unrecoverable.
	OwnerAtPayout
	// LateEarnsTwice counts a late acknowledgement in the epoch in which it was signed and in that in which it is debited.
	LateEarnsTwice
	// PriceForever has prices that stay in force until they are replaced.
	PriceForever
	// PriceInForce counts the price in force, not the highest of the last 30 epochs.
	PriceInForce
	// PriceAtPayout counts the price of the epoch in which the payout is made; who lets it fail can choose when.
	PriceAtPayout
	// BoostAtPayout computes boosts from the state when a node is paid, not from that at the epoch's opening.
	BoostAtPayout
	// LockNotEnforced lets locked stake be taken out.
	LockNotEnforced
	// LockWithoutNodeTokens counts any lock as a full one, however little of the node's tokens it is.
	LockWithoutNodeTokens
	// BoostUndivided multiplies the node's part with the boost and does not divide it by the largest.
	BoostUndivided
	// CapPerRecipient caps each part at what may be minted in an epoch, and not all of them together.
	CapPerRecipient
	// ShareOfCap always mints the whole of what may be minted in an epoch, shared in proportion to what was earned.
	ShareOfCap
	// RoundUp rounds every part towards its recipient.
	RoundUp

	holes
)

var holeNames = [holes]string{
	"none", "guard per recipient", "guard above 1/2", "whole payment earns", "owner share always earns", "owner read at payout",
	"late counted twice", "price valid for ever", "no high-water mark", "price read at payout", "boost read at payout",
	"lock not enforced", "lock without node's tokens", "boost undivided", "cap per recipient", "share of the cap", "rounded up",
}

// String returns the name of a hole in reports.
func (h Hole) String() string {
	if h < 0 || h >= holes {
		return fmt.Sprintf("hole %d", int(h))
	}
	return holeNames[h]
}

// Holes returns every hole, without NoHole.
func Holes() []Hole {
	all := make([]Hole, 0, holes-1)
	for h := NoHole + 1; h < holes; h++ {
		all = append(all, h)
	}
	return all
}
