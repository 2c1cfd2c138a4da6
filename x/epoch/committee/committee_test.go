package committee_test

import (
	"slices"
	"strings"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/epoch/committee"
	"github.com/edgechain/edge/x/epoch/types"
)

// runs reads "A2 B1" as two seats of A and one of B, with tokens of 100 and frozen at 7.
func runs(text string) (out []types.SeatRun) {
	for f := range strings.FieldsSeq(text) {
		out = append(out, types.SeatRun{Operator: f[:1], Seats: uint32(f[1] - '0'), Tokens: math.NewInt(100), FreezeHeight: 7})
	}
	return out
}

// text writes seats as "AA-B", a vacant one as "-".
func text(seats []committee.Seat) string {
	var b strings.Builder
	for _, s := range seats {
		if s.Vacant() {
			b.WriteByte('-')
		} else {
			b.WriteString(s.Operator)
		}
	}
	return b.String()
}

// seats is the inverse of text.
func seats(text string, freezeHeight int64) (out []committee.Seat) {
	for _, r := range text {
		if r == '-' {
			out = append(out, committee.Seat{})
			continue
		}
		out = append(out, committee.Seat{Operator: string(r), Tokens: math.NewInt(freezeHeight * 100), FreezeHeight: freezeHeight})
	}
	return out
}

func leaving(who string) func(string) bool {
	return func(operator string) bool { return strings.Contains(who, operator) }
}

func TestHolders(t *testing.T) {
	for name, tc := range map[string]struct{ elected, spares, left, want string }{
		"nobody left":                      {"A2 B1 C1", "B1 D1", "", "AABC"},
		"three quarters are held":          {"A2 B1 C1", "B1 D1", "C", "AAB-"},
		"less: spares in order":            {"A2 B1 C1", "D1 E1", "BC", "AADE"},
		"a spare who left is passed over":  {"A2 B1 C1", "B1 D1", "BC", "AAD-"},
		"too few spares":                   {"A1 B3", "C1", "AB", "C---"},
		"a member is a spare for itself":   {"A2 B2", "A1 C1", "B", "AAAC"},
		"all left":                         {"A2 B2", "A1 B1", "AB", "----"},
		"a spare left, who was not needed": {"A4", "B4", "B", "AAAA"},
		"seven: five are less than 3/4":    {"A5 B2", "C7", "B", "AAAAACC"},
		"seven: six are more":              {"A6 B1", "C7", "B", "AAAAAA-"},
		"no seats":                         {"", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, text(committee.Holders(runs(tc.elected), runs(tc.spares), leaving(tc.left))))
		})
	}
}

func TestMixture(t *testing.T) {
	for _, tc := range []struct {
		in, out string
		steps   uint32
		want    string
	}{
		{"NMLKJ", "ABCD", 1, "NJBCD"},
		{"NMLKJ", "ABCD", 2, "NMJCD"},
		{"NMLKJ", "ABCD", 3, "NMLJD"},
		{"NMLKJ", "ABCD", 4, "NMLKJ"},
		{"NMLKJ", "ABCD", 0, "ABCD"},
		{"N", "ABCDE", 1, "NBCD"},
		{"-M-K", "AB-D", 2, "-M-D"},
	} {
		require.Equal(t, tc.want, text(committee.Mixture(seats(tc.in, 2), seats(tc.out, 1), tc.steps)), "%s over %s, step %d", tc.in, tc.out, tc.steps)
	}
}

// A member answers with the largest stake behind any of its seats, from the oldest freeze of them on.
func TestMembers(t *testing.T) {
	mixed := committee.Mixture(seats("AABB", 20), seats("CBA-", 10), 1)
	require.Equal(t, "ABA-", text(mixed))
	require.Equal(t, []types.Member{
		{Operator: "A", Power: 2, Tokens: math.NewInt(2000), FreezeHeight: 10},
		{Operator: "B", Power: 1, Tokens: math.NewInt(1000), FreezeHeight: 10},
	}, committee.Members(mixed))
	mixed = committee.Mixture(seats("AABB", 20), seats("CBA-", 10), 3)
	require.Equal(t, []types.Member{
		{Operator: "A", Power: 2, Tokens: math.NewInt(2000), FreezeHeight: 20},
		{Operator: "B", Power: 1, Tokens: math.NewInt(2000), FreezeHeight: 20},
	}, committee.Members(mixed))

	// The old seats had more behind them than the new ones.
	old := seats("AB", 10)
	old[0].Tokens = math.NewInt(9000)
	require.Equal(t, []types.Member{
		{Operator: "A", Power: 3, Tokens: math.NewInt(9000), FreezeHeight: 10},
		{Operator: "B", Power: 1, Tokens: math.NewInt(1000), FreezeHeight: 10},
	}, committee.Members(append(seats("A-A", 20), old...)))
	require.Empty(t, committee.Members(seats("---", 1)))
}

// Whatever the order of the seats, the members are the same.
func TestMembersProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []committee.Seat
		for range rapid.IntRange(0, 30).Draw(t, "seats") {
			all = append(all, committee.Seat{
				Operator: rapid.SampledFrom([]string{"", "A", "B", "C"}).Draw(t, "operator"),
				Tokens:   math.NewInt(rapid.Int64Range(1, 5).Draw(t, "tokens")), FreezeHeight: rapid.Int64Range(1, 5).Draw(t, "freeze"),
			})
		}
		members := committee.Members(all)
		require.Equal(t, members, committee.Members(rapid.Permutation(all).Draw(t, "order")))
		power := int64(0)
		for _, m := range members {
			power += m.Power
			largest, oldest := false, false
			for _, s := range all {
				if s.Operator == m.Operator {
					require.True(t, m.Tokens.GTE(s.Tokens))
					require.LessOrEqual(t, m.FreezeHeight, s.FreezeHeight)
					largest, oldest = largest || m.Tokens.Equal(s.Tokens), oldest || m.FreezeHeight == s.FreezeHeight
				}
			}
			require.True(t, largest && oldest)
		}
		for _, s := range all {
			if !s.Vacant() {
				power--
			}
		}
		require.Zero(t, power)
	})
}

// key is the consensus key of a name.
func key(name byte) cmtcrypto.PublicKey {
	return cmtcrypto.PublicKey{Sum: &cmtcrypto.PublicKey_Ed25519{Ed25519: slices.Repeat([]byte{name}, 32)}}
}

func member(operator string, k byte, power int64) types.Member {
	return types.Member{Operator: operator, PubKey: key(k), Power: power}
}

func TestDifference(t *testing.T) {
	last := []types.Member{member("A", 'a', 1), member("B", 'b', 2), member("C", 'c', 3), member("D", 'd', 4)}
	next := []types.Member{member("A", 'a', 1), member("B", 'b', 5), member("C", 'x', 3), member("E", 'e', 1)}
	updates, err := committee.Difference(last, next)
	require.NoError(t, err)
	require.Equal(t, []abci.ValidatorUpdate{
		{PubKey: key('c')}, {PubKey: key('d')}, {PubKey: key('b'), Power: 5}, {PubKey: key('x'), Power: 3}, {PubKey: key('e'), Power: 1},
	}, updates)

	updates, err = committee.Difference(last, last)
	require.NoError(t, err)
	require.Empty(t, updates)

	// A key that passes from one operator to another is one validator to CometBFT.
	updates, err = committee.Difference([]types.Member{member("A", 'a', 1)}, []types.Member{member("B", 'a', 2)})
	require.NoError(t, err)
	require.Equal(t, []abci.ValidatorUpdate{{PubKey: key('a'), Power: 2}}, updates)

	_, err = committee.Difference(nil, []types.Member{member("A", 'a', 1), member("B", 'a', 2)})
	require.Error(t, err)
	_, err = committee.Difference([]types.Member{member("A", 'a', 1), member("B", 'a', 2)}, nil)
	require.Error(t, err)
}

func drawRuns(t *rapid.T, name string) []types.SeatRun {
	var out []types.SeatRun
	for _, operator := range rapid.SliceOfNDistinct(rapid.SampledFrom(strings.Split("ABCDEFGHIJ", "")), 0, 10, rapid.ID[string]).Draw(t, name) {
		out = append(out, types.SeatRun{
			Operator: operator, Seats: rapid.Uint32Range(1, 9).Draw(t, name+" seats"), Tokens: math.NewInt(1), FreezeHeight: 1,
		})
	}
	return out
}

func TestHoldersProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		elected, spares := drawRuns(t, "elected"), drawRuns(t, "spares")
		left := leaving(strings.Join(rapid.SliceOf(rapid.SampledFrom(strings.Split("ABCDEFGHIJ", ""))).Draw(t, "left"), ""))
		drawn, got := committee.Expand(elected), committee.Holders(elected, spares, left)
		require.Len(t, got, len(drawn))
		require.Equal(t, len(drawn), committee.Count(elected))
		held, reserve, taken, vacant := 0, 0, 0, 0
		for _, s := range committee.Expand(spares) {
			if !left(s.Operator) {
				reserve++
			}
		}
		for i, s := range got {
			switch {
			case !left(drawn[i].Operator):
				held++
				require.Equal(t, drawn[i], s, "who has not left keeps its seats")
			case s.Vacant():
				vacant++
			default:
				taken++
				require.False(t, left(s.Operator))
				require.Zero(t, vacant, "seats are filled in their order")
			}
		}
		if held*4 >= len(drawn)*3 {
			require.Zero(t, taken)
		} else {
			require.Equal(t, min(reserve, len(drawn)-held), taken)
		}
	})
}

// Each step hands over about a quarter, and after the fourth only the incoming election is left.
func TestMixtureProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, m := rapid.IntRange(1, 300).Draw(t, "in"), rapid.IntRange(1, 300).Draw(t, "out")
		in, out := seats(strings.Repeat("N", n), 2), seats(strings.Repeat("O", m), 1)
		before := 0
		for steps := uint32(1); steps <= committee.Steps; steps++ {
			mixed := text(committee.Mixture(in, out, steps))
			fresh := strings.Count(mixed, "N")
			require.InDelta(t, float64(n)/4, fresh-before, 1)
			require.InDelta(t, float64(m)*float64(committee.Steps-steps)/4, strings.Count(mixed, "O"), 1)
			require.LessOrEqual(t, len(mixed), max(n, m)+committee.Steps)
			before = fresh
		}
		require.Equal(t, n, before)
	})
}

// What CometBFT does with the difference makes the next set of the last one, and it finds nothing to halt over.
func TestDifferenceProperties(t *testing.T) {
	set := func(t *rapid.T, name string) (out []types.Member) {
		keys := rapid.SliceOfNDistinct(rapid.ByteRange(1, 40), 0, 20, rapid.ID[byte]).Draw(t, name)
		for i, k := range keys {
			out = append(out, member(string(rune('A'+i)), k, rapid.Int64Range(1, 5).Draw(t, name+" power")))
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		last, next := set(t, "last"), set(t, "next")
		updates, err := committee.Difference(last, next)
		require.NoError(t, err)
		comet := map[string]int64{}
		for _, m := range last {
			comet[m.PubKey.String()] = m.Power
		}
		seen := map[string]bool{}
		for _, u := range updates {
			k := u.PubKey.String()
			require.False(t, seen[k])
			seen[k] = true
			require.NotEqual(t, comet[k], u.Power, "an update that changes nothing")
			if u.Power == 0 {
				require.Contains(t, comet, k)
				delete(comet, k)
			} else {
				comet[k] = u.Power
			}
		}
		want := map[string]int64{}
		for _, m := range next {
			want[m.PubKey.String()] = m.Power
		}
		require.Equal(t, want, comet)
	})
}
