package devnet

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/types/query"

	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// Sitting says what part a validator has in the committee of an epoch.
type Sitting struct {
	// Name is the moniker, or the operator address of a validator that is none of the network's own.
	Name, Operator string
	// Tokens at the freeze, in uedge.
	Tokens math.Int
	// Elected seats, and those that it holds now.
	Elected, Held uint32
	// Power in the set in force.
	Power int64
	// WhyNot says in words why it was no candidate, or left; empty otherwise.
	WhyNot string
}

// Sittings is the committee of an epoch.
type Sittings struct {
	Election epochtypes.Election
	// Height at which the powers are in force, and Steps of the hand-over until then.
	Height int64
	Steps  uint32
	Rows   []Sitting
}

// Committee returns who sits in the committee of the open epoch, and who does not and why.
func (n *Network) Committee(ctx context.Context) (Sittings, error) {
	var s Sittings
	via := n.running()
	if via == nil {
		return s, fmt.Errorf("no validator runs")
	}
	var err error
	if s.Height, err = via.Chain.Height(ctx); err != nil {
		return s, err
	}
	q := epochtypes.NewQueryClient(via.Chain.At(s.Height))
	current, err := q.Current(ctx, &epochtypes.QueryCurrentRequest{})
	if err != nil {
		return s, fmt.Errorf("open epoch: %w", err)
	}
	s.Steps = current.HandOver.Steps
	epoch := current.Epoch.Number
	election, err := q.Election(ctx, &epochtypes.QueryElectionRequest{Epoch: epoch})
	if err != nil {
		return s, fmt.Errorf("election of epoch %d: %w", epoch, err)
	}
	s.Election = election.Election
	committee, err := q.Committee(ctx, &epochtypes.QueryCommitteeRequest{Epoch: epoch})
	if err != nil {
		return s, fmt.Errorf("committee of epoch %d: %w", epoch, err)
	}
	set, err := q.ValidatorSet(ctx, &epochtypes.QueryValidatorSetRequest{Height: s.Height})
	if err != nil {
		return s, fmt.Errorf("validator set at height %d: %w", s.Height, err)
	}

	row := func(operator string) *Sitting {
		for i := range s.Rows {
			if s.Rows[i].Operator == operator {
				return &s.Rows[i]
			}
		}
		s.Rows = append(s.Rows, Sitting{Name: n.name(operator), Operator: operator, Tokens: math.ZeroInt()})
		return &s.Rows[len(s.Rows)-1]
	}
	for _, v := range n.Nodes {
		row(v.Valoper)
	}
	page := &query.PageRequest{Limit: 200}
	for {
		frozen, err := q.Frozen(ctx, &epochtypes.QueryFrozenRequest{Epoch: epoch, Pagination: page})
		if err != nil {
			return s, fmt.Errorf("record of the freeze for epoch %d: %w", epoch, err)
		}
		for _, f := range frozen.Validators {
			r := row(f.Operator)
			r.Tokens = f.Tokens
			if f.Ineligibility != epochtypes.INELIGIBILITY_NONE {
				r.WhyNot = words(f.Ineligibility.String(), "INELIGIBILITY_")
			}
		}
		if len(frozen.Pagination.GetNextKey()) == 0 {
			break
		}
		page = &query.PageRequest{Limit: 200, Key: frozen.Pagination.NextKey}
	}
	for _, m := range committee.Members {
		r := row(m.Operator)
		r.Elected, r.Held, r.Tokens = m.Elected, m.Held, m.Tokens
		if m.Elected > 0 {
			r.WhyNot = "" // the fallback asks for nothing but the stake
		}
	}
	for _, l := range committee.Leavings {
		row(l.Operator).WhyNot = fmt.Sprintf("left at height %d: %s", l.Height, words(l.Reason.String(), "LEAVE_REASON_"))
	}
	for _, m := range set.Set.Members {
		row(m.Operator).Power = m.Power
	}
	slices.SortStableFunc(s.Rows, func(a, b Sitting) int { return b.Tokens.BigInt().Cmp(a.Tokens.BigInt()) })
	return s, nil
}

// name is the moniker of an operator.
func (n *Network) name(operator string) string {
	for _, v := range n.Nodes {
		if v.Valoper == operator {
			return v.Moniker
		}
	}
	return operator
}

// words turns the name of a value into words: "INELIGIBILITY_NO_BEACON_KEY" into "no beacon key".
func words(name, prefix string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "_", " ")
}

// Fallback says in words which draw the election used, empty if it was the usual one.
func (s Sittings) Fallback() string {
	if s.Election.Fallback == epochtypes.FALLBACK_NONE {
		return ""
	}
	return words(s.Election.Fallback.String(), "FALLBACK_")
}
