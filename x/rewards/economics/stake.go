package economics

import (
	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/rewards/types"
)

// staked is the operator's stake in a node, what of it is locked, and up to which epoch.
type staked struct{ own, locked, end int64 }

// holding is what the operator's stake in a node was worth for one epoch's payout.
type holding struct {
	// recorded is the boost that the rules give, fair the one that a lock kept all through the epoch is worth.
	recorded, fair math.LegacyDec
	// own of all tokens of the node, when the payout is made.
	own, tokens int64
}

// holdings plays the operator's actions. A node's payout for an epoch is made in the next one: the first half of the nodes is
// paid after what is done right after the opening, the second half after what is done between payouts.
func (p *Play) holdings(hole Hole) (all [Epochs][nodes]holding) {
	terms := [2]types.EmissionTerms{p.termsOf(0, hole), p.termsOf(1, hole)}
	var state [nodes]staked
	for n := range state {
		state[n].own = p.Stake[n]
	}
	var atOpening, least, atPrevious, leastPrevious [nodes]staked
	for e := range int64(Epochs + 1) {
		atPrevious, leastPrevious = atOpening, least
		atOpening, least = state, state
		for when := int64(afterOpening); when <= beforeClosing; when++ {
			for _, a := range p.Actions {
				if a.in(e) && a.When == when {
					p.act(a, e, &state, hole)
				}
			}
			for n := range state {
				least[n].own = min(least[n].own, state[n].own)
			}
			if e == 0 || when == beforeClosing {
				continue
			}
			for n := range state {
				if (n%2 == 0) != (when == afterOpening) {
					continue
				}
				h := &all[e-1][n]
				h.own, h.tokens = state[n].own, state[n].own+p.Others[n]
				h.recorded = p.boost(terms[p.set(e-1)], e-1, n, atPrevious[n], hole)
				if hole == BoostAtPayout {
					h.recorded = p.boost(terms[p.set(e-1)], e-1, n, state[n], hole)
				}
				kept := atPrevious[n]
				kept.locked = min(kept.locked, leastPrevious[n].own)
				h.fair = fairBoost(terms[p.set(e-1)], e-1, kept, atPrevious[n].own+p.Others[n])
			}
		}
	}
	return all
}

// locks is whether the operator locks stake in a play.
func (p *Play) locks() bool {
	for _, a := range p.Actions {
		if a.Kind == lockStake && a.Node < ownNodes && a.Part > 0 {
			return true
		}
	}
	return false
}

func (a Action) in(epoch int64) bool {
	return epoch == a.Epoch || a.Every > 0 && epoch > a.Epoch && (epoch-a.Epoch)%a.Every == 0
}

// act locks or moves stake. What the rules refuse is done as far as they allow.
func (p *Play) act(a Action, epoch int64, state *[nodes]staked, hole Hole) {
	from := &state[a.Node]
	part := math.NewInt(from.own).MulRaw(a.Part).QuoRaw(million).Int64()
	live := epoch < from.end
	switch a.Kind {
	case lockStake:
		if a.Node >= ownNodes || part == 0 {
			return
		}
		if !live {
			from.locked = 0
		}
		from.locked = max(from.locked, part)
		from.end = max(from.end, epoch+1+min(a.Length, p.Lock[p.set(epoch)]))
	case moveStake:
		if live && hole != LockNotEnforced {
			part = min(part, from.own-from.locked)
		}
		from.own -= part
		state[a.To].own += part
	}
}

// boost is what the rules give a node in an epoch.
func (p *Play) boost(terms types.EmissionTerms, epoch int64, node int, s staked, hole Hole) math.LegacyDec {
	tokens := s.own + p.Others[node]
	if hole == LockWithoutNodeTokens {
		tokens = s.locked
	}
	return fairBoost(terms, epoch, staked{own: s.own, locked: min(s.locked, s.own), end: s.end}, tokens)
}

var noBoost = math.LegacyOneDec()

// fairBoost is what a lock is worth in an epoch to a node with these tokens.
func fairBoost(terms types.EmissionTerms, epoch int64, s staked, tokens int64) math.LegacyDec {
	if s.locked == 0 || epoch >= s.end {
		return noBoost
	}
	return types.BoostOf(math.NewInt(s.locked), math.NewInt(tokens), uint64(s.end-epoch), terms)
}
