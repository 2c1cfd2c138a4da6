package types_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/epoch/types"
)

// rows returns rows of a record, named a, b, c, ...
func rows(list ...any) (out []types.FrozenValidator) {
	for i := 0; i < len(list); i += 2 {
		out = append(out, types.FrozenValidator{
			Operator: operator(byte('a' + i/2)), Tokens: math.NewInt(int64(list[i].(int))), Ineligibility: list[i+1].(types.Ineligibility),
		})
	}
	return out
}

const (
	ok        = types.INELIGIBILITY_NONE
	jailed    = types.INELIGIBILITY_JAILED
	out       = types.INELIGIBILITY_NOT_OPTED_IN
	noKey     = types.INELIGIBILITY_NO_BEACON_KEY
	unhealthy = types.INELIGIBILITY_UNHEALTHY
)

func TestFallback(t *testing.T) {
	params := types.DevelopmentParams()
	params.Seats, params.MinCommittee, params.MinCommitteeStake = 2, 3, math.LegacyNewDecWithPrec(9, 1)
	for name, tc := range map[string]struct {
		rows       []types.FrozenValidator
		want       types.Fallback
		candidates string
	}{
		"candidates":                      {rows(10, ok, 10, ok, 10, ok), types.FALLBACK_NONE, "abc"},
		"two thirds take part":            {rows(50, ok, 50, ok, 100, ok, 100, out), types.FALLBACK_NONE, "abc"},
		"less than two thirds":            {rows(50, ok, 50, ok, 99, ok, 100, out), types.FALLBACK_PARTICIPATION, "cd"},
		"jailed stake is bonded stake":    {rows(50, ok, 50, ok, 50, ok, 76, jailed), types.FALLBACK_PARTICIPATION, "ab"},
		"without a key nobody takes part": {rows(10, noKey, 20, noKey, 30, noKey), types.FALLBACK_PARTICIPATION, "bc"},
		"nine tenths are healthy":         {rows(30, ok, 30, ok, 30, ok, 10, unhealthy), types.FALLBACK_NONE, "abc"},
		"less than nine tenths":           {rows(30, ok, 30, ok, 29, ok, 10, unhealthy), types.FALLBACK_HEALTH, "ab"},
		"nobody is healthy":               {rows(1, unhealthy, 2, unhealthy, 3, unhealthy), types.FALLBACK_HEALTH, "bc"},
		"the unhealthy do not sit":        {rows(1, unhealthy, 20, ok, 20, ok, 20, ok), types.FALLBACK_NONE, "bcd"},
		"few candidates":                  {rows(10, ok, 20, ok, 3, out), types.FALLBACK_COMMITTEE, "ab"},
		"equals in their order":           {rows(10, out, 10, out, 10, out), types.FALLBACK_PARTICIPATION, "ab"},
		"fewer than seats":                {rows(10, ok), types.FALLBACK_COMMITTEE, "a"},
		"all jailed":                      {rows(10, jailed, 20, jailed), types.FALLBACK_PARTICIPATION, ""},
		"nobody":                          {nil, types.FALLBACK_COMMITTEE, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := types.Election{}.Record(tc.rows, params)
			require.Equal(t, tc.want, e.DrawFallback)
			require.Equal(t, tc.want, e.Fallback)
			require.EqualValues(t, len(tc.rows), e.Validators)
			require.EqualValues(t, len(tc.candidates), e.Candidates)
			names := map[string]bool{}
			for _, v := range e.DrawCandidates(tc.rows) {
				names[v.Operator] = true
			}
			require.Len(t, names, len(tc.candidates))
			for _, letter := range []byte(tc.candidates) {
				require.True(t, names[operator(letter)], "%c", letter)
			}

			genesis := types.Election{}.RecordGenesis(tc.rows, params)
			require.Equal(t, types.FALLBACK_GENESIS, genesis.Fallback)
			unjailed := 0
			for _, v := range tc.rows {
				if v.Ineligibility != jailed {
					unjailed++
				}
			}
			require.EqualValues(t, unjailed, genesis.Candidates, "whoever is not jailed")
		})
	}
}

// Whoever draws over less than the healthy participants left out at most what the parameters allow, and rows are not altered.
func TestDrawCandidatesProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		params := types.DevelopmentParams()
		params.Seats = rapid.Uint32Range(1, 10).Draw(t, "seats")
		params.MinCommittee = rapid.Uint32Range(1, 5).Draw(t, "min_committee")
		var list []any
		for range rapid.IntRange(0, 12).Draw(t, "n") {
			list = append(list, rapid.IntRange(1, 100).Draw(t, "tokens"), types.Ineligibility(rapid.Int32Range(1, 7).Draw(t, "why")))
		}
		given := rows(list...)
		e := types.Election{}.Record(given, params)
		require.Equal(t, rows(list...), given)
		drawn := e.DrawCandidates(given)
		require.EqualValues(t, len(drawn), e.Candidates)
		sum := math.ZeroInt()
		for _, v := range drawn {
			require.NotEqual(t, jailed, v.Ineligibility)
			sum = sum.Add(v.Tokens)
		}
		if e.Fallback == types.FALLBACK_NONE {
			require.Equal(t, e.HealthyTokens, sum)
			require.GreaterOrEqual(t, e.Candidates, params.MinCommittee)
			require.True(t, e.ParticipatingTokens.MulRaw(3).GTE(e.BondedTokens.MulRaw(2)))
			require.True(t, e.HealthyTokens.MulRaw(10).GTE(e.ParticipatingTokens.MulRaw(9)))
		} else {
			require.LessOrEqual(t, e.Candidates, params.Seats)
		}
	})
}
