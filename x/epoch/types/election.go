package types

import (
	"slices"

	"cosmossdk.io/math"
)

// KeptElections is for how many epochs the record of an election is kept: long enough to look up who was elected and why, and
// a bound on the state.
const KeptElections = 100

const (
	// SeedSize is the length of a seed in bytes.
	SeedSize = 32
	// HeaderHashSize is the length of the hash of a header in bytes.
	HeaderHashSize = 32
)

// Participates says whether the validator takes part in the committee's election, healthy or not.
func (v FrozenValidator) Participates() bool {
	return v.Ineligibility == INELIGIBILITY_NONE || v.Ineligibility == INELIGIBILITY_UNHEALTHY
}

// Record fills in what the rows of the record decide: the counts, the stakes, and over whom the draw runs.
func (e Election) Record(rows []FrozenValidator, p Params) Election {
	t := tally(rows)
	e.Seats, e.Validators = p.Seats, uint32(len(rows))
	e.BondedTokens, e.ParticipatingTokens, e.HealthyTokens = t.bonded, t.participating, t.healthy
	e.DrawFallback = t.fallback(p)
	return e.withCandidates(rows)
}

// RecordGenesis is Record for the election of the genesis, which runs over every bonded validator.
func (e Election) RecordGenesis(rows []FrozenValidator, p Params) Election {
	e = e.Record(rows, p)
	e.DrawFallback = FALLBACK_GENESIS
	return e.withCandidates(rows)
}

func (e Election) withCandidates(rows []FrozenValidator) Election {
	e.Fallback, e.Candidates = e.DrawFallback, uint32(len(e.DrawCandidates(rows)))
	return e
}

// Drawn says whether the draw has taken place.
func (e Election) Drawn() bool { return len(e.Seed) != 0 }

// DrawCandidates returns those rows of the record over whom the draw runs. The rows are in the order of their operators' bytes.
//
//   - without a fallback: the candidates;
//   - at genesis: whoever is not jailed;
//   - else: the `seats` largest of those who are not jailed, among equals those whose operator comes first.
func (e Election) DrawCandidates(rows []FrozenValidator) []FrozenValidator {
	if e.DrawFallback == FALLBACK_NONE {
		return slices.DeleteFunc(slices.Clone(rows), func(v FrozenValidator) bool { return v.Ineligibility != INELIGIBILITY_NONE })
	}
	unjailed := slices.DeleteFunc(slices.Clone(rows), func(v FrozenValidator) bool { return v.Ineligibility == INELIGIBILITY_JAILED })
	if e.DrawFallback == FALLBACK_GENESIS {
		return unjailed
	}
	slices.SortStableFunc(unjailed, func(a, b FrozenValidator) int { return b.Tokens.BigInt().Cmp(a.Tokens.BigInt()) })
	return unjailed[:min(len(unjailed), int(e.Seats))]
}

// stakes are sums over the rows of a record, in uedge.
type stakes struct {
	bonded, participating, healthy math.Int
	// candidates counts the healthy participants.
	candidates uint32
}

func tally(rows []FrozenValidator) stakes {
	t := stakes{bonded: math.ZeroInt(), participating: math.ZeroInt(), healthy: math.ZeroInt()}
	for _, v := range rows {
		t.bonded = t.bonded.Add(v.Tokens)
		if v.Participates() {
			t.participating = t.participating.Add(v.Tokens)
		}
		if v.Ineligibility == INELIGIBILITY_NONE {
			t.healthy = t.healthy.Add(v.Tokens)
			t.candidates++
		}
	}
	return t
}

// fallback returns why the draw cannot run over the candidates, FALLBACK_NONE if it can.
//
//	bonded 300, participating 199:                                   FALLBACK_PARTICIPATION (597 < 600)
//	participating 200, healthy 179, min_committee_stake 0.9:         FALLBACK_HEALTH (179 < 180)
//	participating 200, healthy 180, 6 candidates, min_committee 7:   FALLBACK_COMMITTEE
func (t stakes) fallback(p Params) Fallback {
	switch {
	case t.participating.MulRaw(3).LT(t.bonded.MulRaw(2)):
		return FALLBACK_PARTICIPATION
	case t.healthy.ToLegacyDec().LT(p.MinCommitteeStake.MulInt(t.participating)):
		return FALLBACK_HEALTH
	case t.candidates < p.MinCommittee:
		return FALLBACK_COMMITTEE
	}
	return FALLBACK_NONE
}
