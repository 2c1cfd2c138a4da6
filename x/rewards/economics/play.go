package economics

import (
	"time"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/rewards/types"
)

const (
	ownNodes    = 3 // the operator's
	nodes       = 5 // the rest are honest
	maxWorkers  = 4 // a node
	content     = 0 // the protocol's service
	ownService  = 1
	soldService = 2 // the operator's, too; he may remove it
	services    = 4 // the last is an honest owner's
	purchases   = 6
	actions     = 6

	million = 1_000_000
)

// Epochs is how long a play takes.
const Epochs = 64

// margin is for how many epochs after the last a payout can be delayed.
const margin = 45

// Play is one game: what nature and governance do, and what the operator does. Parts are in millionths, amounts in the smallest
// units, and every number stands for itself, so that a search can turn each.
type Play struct {
	// Two sets of shares and terms; the second counts from Change on.
	NodeShare, OwnerShare [2]int64
	Guard, Boost, Lock    [2]int64
	Inflation             [2]int64
	Change                int64

	// Supply is SupplyDigits * 10^SupplyZeros uedge, an epoch takes Minutes. From the epoch Year on another emission year counts, which
	// began with Growth millionths of that supply.
	SupplyDigits, SupplyZeros, Minutes int64
	Year, Growth                       int64

	// Market starts at PriceDigits * 10^(PriceZeros-18) a uedge, moves by at most Volatility around Drift in an epoch, and is divided by
	// CrashDepth for CrashLength epochs from Crash on.
	PriceDigits, PriceZeros        int64
	Volatility, Drift, WalkSeed    int64
	Crash, CrashLength, CrashDepth int64

	// Governance sets the market price of Lag epochs ago every Period epochs, except for Silence epochs from SilentFrom on.
	Lag, Period, SilentFrom, Silence int64

	// What honest clients spend in an epoch, at each honest node and at each of the operator's.
	HonestTraffic, OwnTraffic int64

	// Delegations of others and commission, the operator's stake, and his workers on each node.
	Others, Commission, Stake [nodes]int64
	Workers                   int64

	Purchases [purchases]Purchase
	Actions   [actions]Action
	// Remove is the first epoch in which the operator's second service is no longer his.
	Remove int64
	// Delay is for how many epochs he lets a payout fail.
	Delay int64
}

// Purchase buys Amount at a node for a service, Times times from From on, every Every epochs. Spread is whether all workers of
// the node get an equal part; a Late one is signed in its epoch and debited in the next.
type Purchase struct {
	From, Every, Times    int64
	Node, Service, Amount int64
	Spread, Late          int64
}

// Kinds of actions.
const (
	noAction = iota
	// lockStake locks Part of the operator's stake in Node for Length epochs.
	lockStake
	// moveStake moves Part of the operator's stake in Node to the node To.
	moveStake
)

// Times of an action within its epoch: after the opening, in the midst of the payouts of the epoch before, and after them.
const (
	afterOpening = iota
	betweenPayouts
	beforeClosing
)

// Action does something with the operator's stake, once or again Every epochs.
type Action struct {
	Kind, Epoch, When      int64
	Every                  int64
	Node, To, Part, Length int64
}

// Default is a play on a network with default parameters and a quiet market. The operator buys from himself every day.
func Default() Play {
	p := Play{
		Change: Epochs, SupplyDigits: 1_000, SupplyZeros: 12, Minutes: 24 * 60, Year: Epochs, Growth: million,
		PriceDigits: 250_000, PriceZeros: 12, Crash: Epochs, CrashDepth: 1, Lag: 1, Period: 7, SilentFrom: Epochs,
		HonestTraffic: 1_000_000_000, OwnTraffic: 100_000_000, Workers: 1, Remove: Epochs,
	}
	for i := range 2 {
		p.NodeShare[i], p.OwnerShare[i] = 800_000, 150_000
		p.Guard[i], p.Boost[i], p.Lock[i], p.Inflation[i] = 500_000, 4*million, 1460, 100_000
	}
	for n := range nodes {
		p.Others[n], p.Commission[n], p.Stake[n] = 1_000_000_000_000, 100_000, 100_000_000_000
	}
	for i := range purchases {
		p.Purchases[i] = Purchase{Every: 1, Service: ownService, Amount: 1_000_000_000}
	}
	p.Purchases[0].Times = Epochs
	for i := range actions {
		p.Actions[i].Length = 1
	}
	return p
}

func millionths(n int64) math.LegacyDec { return math.LegacyNewDecWithPrec(n, 6) }

// set is which of the two sets counts in an epoch.
func (p *Play) set(epoch int64) int {
	if epoch >= p.Change {
		return 1
	}
	return 0
}

func (p *Play) sharesOf(i int) types.Shares {
	owner := min(p.OwnerShare[i], million-p.NodeShare[i])
	return types.Shares{
		Node:     millionths(p.NodeShare[i]),
		Owner:    millionths(owner),
		Protocol: millionths(million - p.NodeShare[i] - owner),
	}
}

func (p *Play) termsOf(i int, hole Hole) types.EmissionTerms {
	t := types.EmissionTerms{
		Guard:         millionths(p.Guard[i]),
		Inflation:     millionths(p.Inflation[i]),
		MaxBoost:      millionths(p.Boost[i]),
		MaxLockEpochs: uint64(p.Lock[i]),
	}
	if hole == GuardAboveHalf {
		t.Guard = math.LegacyOneDec()
	}
	return t
}

// supply is that at the start of the emission year of an epoch.
func (p *Play) supply(epoch int64) math.Int {
	supply := tenTo(p.SupplyZeros).MulRaw(p.SupplyDigits)
	if epoch >= p.Year {
		return supply.MulRaw(p.Growth).QuoRaw(million)
	}
	return supply
}

func tenTo(zeros int64) math.Int {
	n := math.OneInt()
	for range zeros {
		n = n.MulRaw(10)
	}
	return n
}

// capOf is what may be minted for an epoch.
func (p *Play) capOf(epoch int64) math.Int {
	return types.EpochCap(millionths(p.Inflation[p.set(epoch)]), p.supply(epoch), time.Duration(p.Minutes)*time.Minute)
}
