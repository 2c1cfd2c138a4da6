package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
)

// longestRun bounds the blocks at the end of a window over which the attacker chooses, because 2^n elections are drawn for n.
const longestRun = 10

// outcome is what an attacker has in a committee.
type outcome struct {
	// own seats, and all seats that are not vacant.
	own, all int
}

func (o outcome) share() float64 { return float64(o.own) / float64(o.all) }

// better is what the attacker wants: the larger share of the power.
func (o outcome) better(than outcome) bool { return o.own*than.all > than.own*o.all }

// third says that the chain stands still without the attacker.
func (o outcome) third() bool { return 3*o.own >= o.all }

// choose returns the outcome if every reveal is given, and the best that the attacker can choose by giving or withholding the
// reveals of a run at the end: it knows all of its reveals beforehand, so it draws the elections of all choices. Who withholds
// one has no seats in the election; they are vacant.
func (s scenario) choose(random *rand.Rand, stakes []int64, run []int) (honest, best outcome) {
	for withheld := range 1 << len(run) {
		o := outcome{all: int(s.seats)}
		for _, holder := range s.holders(random, stakes) {
			if holder >= s.identities {
				continue
			}
			o.own++
			for i, identity := range run {
				if identity == holder && withheld>>i&1 == 1 {
					o.own--
					o.all--
					break
				}
			}
		}
		if withheld == 0 {
			honest, best = o, o
		}
		if o.better(best) {
			best = o
		}
	}
	return honest, best
}

// printBeacon prints how often a window ends with a run of the attacker's proposals, and what an attacker gains who always
// chooses the best of the elections that it can reach.
func printBeacon(w io.Writer, trials int) error {
	type cell struct {
		scenario
		ground bool
	}
	var cells []cell
	for _, c := range []struct {
		seats      uint32
		identities int
		ground     bool
	}{
		{150, 1, false}, {150, 10, false}, {150, 10, true}, {150, 100, false}, {150, 100, true}, {100, 100, true}, {200, 100, true},
	} {
		for _, share := range []int{100, 200, 250, 300, 330} {
			cells = append(cells, cell{scenario{share, c.identities, c.seats}, c.ground})
		}
	}
	windows := max(1, trials/10)
	runs, gains := make([]string, len(cells)), make([]string, len(cells))
	err := inParallel(len(cells), func(i int) error {
		c := cells[i]
		random := c.generator(0)
		r, err := newRotation(c.scenario, c.ground, random)
		if err != nil {
			return err
		}
		var atLeast [longestRun + 1]int
		var share, shareHonest float64
		var withheld, third, thirdHonest int
		for range windows {
			run, err := r.epoch()
			if err != nil {
				return err
			}
			for k := range len(run) {
				atLeast[k+1]++
			}
			honest, best := c.choose(random, r.stakes, run)
			share += best.share()
			shareHonest += honest.share()
			if best.better(honest) {
				withheld++
			}
			if honest.third() {
				thirdHonest++
			}
			if best.third() {
				third++
			}
		}
		of := func(count float64) float64 { return 100 * count / float64(windows) }
		addresses := "by chance"
		if c.ground {
			addresses = "chosen"
		}
		name := fmt.Sprintf("%d\t%d\t%s\t%.0f %%", c.seats, c.identities, addresses, float64(c.scenario.share)/10)
		runs[i] = name
		for _, k := range []int{1, 2, 3, 4, 6, 8, 10} {
			runs[i] += fmt.Sprintf("\t%.1f %%", of(float64(atLeast[k])))
		}
		gains[i] = name + fmt.Sprintf("\t%.1f %%\t%+.2f\t%.2f %%\t%.2f %%\t%.1f %%\t%.1f %%", of(float64(withheld)),
			(share-shareHonest)/float64(windows)*float64(c.seats), of(shareHonest), of(share), of(float64(thirdHonest)), of(float64(third)))
		return nil
	})
	if err != nil {
		return err
	}
	const name = "seats\tidentities\taddresses\tstake"
	if err := write(w, fmt.Sprintf("runs: chance that the attacker proposes the last n blocks of a window, %d windows", windows),
		slices.Insert(runs, 0, name+"\t>= 1\t>= 2\t>= 3\t>= 4\t>= 6\t>= 8\t>= 10")); err != nil {
		return err
	}
	return write(w, fmt.Sprintf("gain: who withholds reveals whenever it wins power by it, %d windows", windows),
		slices.Insert(gains, 0, name+"\twithholds\tseats gained\tpower, honest\tpower\ta third, honest\ta third"))
}
