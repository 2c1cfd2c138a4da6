package economics

import (
	"strings"

	"cosmossdk.io/math"
)

// Options of a search.
type Options struct {
	Seed uint64
	// Plays is how many plays are played.
	Plays int
	// Climb is how many plays without a better one end a climb; the next begins elsewhere. 0 stands for 60.
	Climb int
	// Fixed keeps parameters, prices and supply at their defaults: the operator has to do with the network as it starts.
	Fixed bool
	// Enough ends the search at the first profit of at least this score. 0 searches on.
	Enough int64
}

// Found is the best play of a search.
type Found struct {
	Play   Play
	Result Result
	// Score is the profit in millionths of the coins that were spent for good.
	Score math.LegacyDec
	// Plays that were played.
	Plays int
}

// worldGenes is how many of the genes, the first ones, are parameters, supply and the price at the start.
const worldGenes = 20

// Search looks for the play with the highest profit: random restarts and a climb from each, that changes some numbers of the
// best play so far and keeps what is no worse. It depends on nothing but its arguments.
func Search(hole Hole, o Options) Found {
	rand := &source{state: o.Seed}
	patience := o.Climb
	if patience == 0 {
		patience = 60
	}
	var best Found
	for best.Plays < o.Plays {
		at := evaluate(start(rand, o.Fixed), hole)
		best.Plays++
		idle, climbed := 0, 0
		for best.Plays < o.Plays && idle < patience && !at.enough(o.Enough) {
			// Without purchases there is nothing to climb before there is profit: the score is rounding.
			if climbed++; climbed > patience/4 && !at.buys() && !at.Result.Profit.IsPositive() {
				break
			}
			next := at.Play
			all := genes(&next)
			if o.Fixed {
				all = all[worldGenes:]
			}
			for range 1 + rand.between(0, 3) {
				all[rand.between(0, int64(len(all)-1))].draw(rand)
			}
			best.Plays++
			idle++
			// Who buys nothing loses nothing: a climb does not end there, unless it began there.
			if candidate := evaluate(next, hole); candidate.buys() == at.buys() && candidate.Score.GTE(at.Score) {
				if candidate.Score.GT(at.Score) {
					idle = 0
				}
				at = candidate
			}
		}
		if at.beats(best) {
			at.Plays = best.Plays
			best = at
		}
		if best.enough(o.Enough) {
			break
		}
	}
	return best
}

// start draws a play: the default one with all numbers drawn anew, or those of the actions and no purchases, or any.
func start(rand *source, fixed bool) Play {
	p := Default()
	all := genes(&p)
	if fixed {
		all = all[worldGenes:]
	}
	switch rand.between(0, 3) {
	case 0:
		for _, g := range all {
			g.any(rand)
		}
		return p
	case 1: // no purchases: what can be had from the rewards of honest traffic alone
		for i := range p.Purchases {
			p.Purchases[i].Times = 0
		}
		for _, g := range all {
			if strings.HasPrefix(g.name, "action") {
				g.any(rand)
			}
		}
		return p
	}
	for range rand.between(0, 40) {
		all[rand.between(0, int64(len(all)-1))].any(rand)
	}
	return p
}

func (f Found) enough(millionth int64) bool {
	return millionth > 0 && f.Result.Profit.IsPositive() && f.Score.GTE(math.LegacyNewDec(millionth))
}

// nothingDone is the score of a play that spends nothing although it buys: below every play that does something.
var nothingDone = math.LegacyNewDec(-1_000_000_000)

// evaluate plays a play and scores it: the profit in millionths of the coins that were spent for good. A million below zero is to
// lose them all; zero is to get their worth in tokens. If a profit needs locks, or nothing is bought, what the twin earns counts as
// spent, too.
func evaluate(p Play, hole Hole) Found {
	r := Run(&p, hole)
	spent, won := r.Spent(), r.Profit.IsPositive()
	switch {
	case !r.Paid.IsPositive(), won && p.locks():
		spent = math.LegacyMaxDec(spent, math.LegacyZeroDec()).Add(r.TwinTokens).Add(math.LegacyOneDec())
	case won && !spent.IsPositive():
		spent = math.LegacyNewDecFromInt(r.Paid)
	case !spent.IsPositive():
		return Found{Play: p, Result: r, Score: nothingDone}
	}
	return Found{Play: p, Result: r, Score: r.Profit.MulInt64(million).Quo(spent)}
}

// buys is whether the operator bought anything.
func (f Found) buys() bool { return f.Result.Paid.IsPositive() }

// beats is whether a play is the better one to report: with profit by its score, else one that buys before one that does not.
func (f Found) beats(best Found) bool {
	if best.Score.IsNil() {
		return true
	}
	if won := f.Result.Profit.IsPositive(); won == best.Result.Profit.IsPositive() && (won || f.buys() == best.buys()) {
		return f.Score.GT(best.Score)
	} else if won != best.Result.Profit.IsPositive() {
		return won
	}
	return f.buys()
}

// Simplify returns a play that is as near to the default one as possible and keeps at least half of the score.
func Simplify(f Found, hole Hole) Found {
	half := f.Score.QuoInt64(2)
	for range 2 {
		next := f.Play
		plain := Default()
		defaults := genes(&plain)
		for i, g := range genes(&next) {
			old := *g.value
			if old == *defaults[i].value {
				continue
			}
			*g.value = *defaults[i].value
			if candidate := evaluate(next, hole); candidate.Result.Profit.IsPositive() && candidate.Score.GTE(half) {
				candidate.Plays = f.Plays
				f = candidate
				continue
			}
			*g.value = old
		}
	}
	return f
}

// Differences names what a play does differently from the default one.
func Differences(p Play) []string {
	plain := Default()
	defaults := genes(&plain)
	var all []string
	for i, g := range genes(&p) {
		if *g.value != *defaults[i].value {
			all = append(all, g.name+" "+math.NewInt(*g.value).String())
		}
	}
	return all
}
