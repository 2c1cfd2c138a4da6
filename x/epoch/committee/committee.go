// Package committee says who holds the seats of an election, how the seats of two elections mix while they are handed over,
// and what CometBFT has to be told. All of it is a pure function of the records: nothing of it is stored.
package committee

import (
	"cmp"
	"fmt"
	"slices"

	abci "github.com/cometbft/cometbft/abci/types"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/epoch/types"
)

// Steps is the number of steps in which seats are handed over: seat i in step i mod Steps + 1.
const Steps = 4

// Seat is a seat and who holds it.
type Seat struct {
	// Operator is empty if nobody holds the seat.
	Operator string
	// Tokens of the holder at the freeze, in uedge, and the height of that freeze: the stake behind the seat.
	Tokens       math.Int
	FreezeHeight int64
}

// Vacant says that nobody holds the seat.
func (s Seat) Vacant() bool { return s.Operator == "" }

// Expand lays runs out as an array, seat by seat.
func Expand(runs []types.SeatRun) []Seat {
	seats := make([]Seat, 0, Count(runs))
	for _, r := range runs {
		for range r.Seats {
			seats = append(seats, Seat{Operator: r.Operator, Tokens: r.Tokens, FreezeHeight: r.FreezeHeight})
		}
	}
	return seats
}

// Count returns the number of seats of the runs.
func Count(runs []types.SeatRun) int {
	n := 0
	for _, r := range runs {
		n += int(r.Seats)
	}
	return n
}

// Holders returns who holds each seat of an election. The seats of those who left are vacant. If the others hold less than
// three quarters of all seats, the vacant ones pass, in the order of their indices, to the spare seats of those who have not
// left, in order; each spare seat is used once, and what no spare seat is left for stays vacant.
//
//	elected A A B C, spares B D, nobody left: A A B C
//	C left:          A A B -    (3 of 4 seats are held: no spare is called)
//	B and C left:    A A D -    (the spare seat of B is passed over)
//	all left:        - - - -
func Holders(elected, spares []types.SeatRun, left func(operator string) bool) []Seat {
	seats := Expand(elected)
	held := len(seats)
	for i, s := range seats {
		if left(s.Operator) {
			seats[i] = Seat{}
			held--
		}
	}
	if held*4 >= len(seats)*3 {
		return seats
	}
	reserve := slices.DeleteFunc(Expand(spares), func(s Seat) bool { return left(s.Operator) })
	for i := range seats {
		if len(reserve) == 0 {
			break
		}
		if seats[i].Vacant() {
			seats[i], reserve = reserve[0], reserve[1:]
		}
	}
	return seats
}

// Mixture returns the seats in force when so many steps of a hand-over were sent: those of the incoming election whose turn
// has come, and those of the outgoing one whose turn has not. The arrays may differ in length.
//
//	incoming N0 N1 N2 N3 N4, outgoing O0 O1 O2 O3: step 1: N0 N4 O1 O2 O3; step 2: N0 N1 N4 O2 O3; step 4: N0 N1 N2 N3 N4
func Mixture(incoming, outgoing []Seat, steps uint32) []Seat {
	seats := make([]Seat, 0, max(len(incoming), len(outgoing))+Steps)
	for i, s := range incoming {
		if uint32(i%Steps) < steps {
			seats = append(seats, s)
		}
	}
	for i, s := range outgoing {
		if uint32(i%Steps) >= steps {
			seats = append(seats, s)
		}
	}
	return seats
}

// Members returns those who hold seats, in the order of their operator's address, without their keys. A member's power is
// the number of its seats. It answers for them with the largest stake that any freeze found behind them, so that a seat of an
// old election cannot shelter what stands behind many of the new one, and from the oldest of these freezes on, so that
// whoever left after it is slashed with those who stayed.
func Members(seats []Seat) []types.Member {
	var members []types.Member
	index := make(map[string]int)
	for _, s := range seats {
		if s.Vacant() {
			continue
		}
		i, ok := index[s.Operator]
		if !ok {
			index[s.Operator] = len(members)
			members = append(members, types.Member{Operator: s.Operator, Power: 1, Tokens: s.Tokens, FreezeHeight: s.FreezeHeight})
			continue
		}
		m := &members[i]
		m.Power++
		m.Tokens = math.MaxInt(m.Tokens, s.Tokens)
		m.FreezeHeight = min(m.FreezeHeight, s.FreezeHeight)
	}
	slices.SortFunc(members, func(a, b types.Member) int { return cmp.Compare(a.Operator, b.Operator) })
	return members
}

// Difference returns the updates that turn the set that CometBFT was given last into the next one: the keys that are gone at
// power 0, then those that are new or whose power changed, each in the order of the members. It compares keys, which is what
// CometBFT knows validators by; a rotation is the pair of the old key at 0 and the new key at its power. Two members with one
// key are an error: CometBFT would halt over them.
func Difference(last, next []types.Member) ([]abci.ValidatorUpdate, error) {
	before, err := powers(last)
	if err != nil {
		return nil, fmt.Errorf("last set: %w", err)
	}
	after, err := powers(next)
	if err != nil {
		return nil, fmt.Errorf("next set: %w", err)
	}
	var updates []abci.ValidatorUpdate
	for i, m := range last {
		if _, stays := after.power[before.keys[i]]; !stays {
			updates = append(updates, abci.ValidatorUpdate{PubKey: m.PubKey})
		}
	}
	for i, m := range next {
		if before.power[after.keys[i]] != m.Power {
			updates = append(updates, abci.ValidatorUpdate{PubKey: m.PubKey, Power: m.Power})
		}
	}
	return updates, nil
}

// byKey is a set as CometBFT knows it.
type byKey struct {
	// keys of the members, in their order.
	keys []string
	// power by key.
	power map[string]int64
}

// powers indexes the members by their key.
func powers(members []types.Member) (byKey, error) {
	index := byKey{keys: make([]string, len(members)), power: make(map[string]int64, len(members))}
	for i, m := range members {
		bz, err := m.PubKey.Marshal()
		if err != nil {
			return byKey{}, fmt.Errorf("key of %s: %w", m.Operator, err)
		}
		key := string(bz)
		if _, twice := index.power[key]; twice {
			return byKey{}, fmt.Errorf("the key of %s stands twice", m.Operator)
		}
		index.keys[i], index.power[key] = key, m.Power
	}
	return index, nil
}
