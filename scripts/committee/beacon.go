package main

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
)

// longestRun bounds the attacker's turns that are looked at, at the end of a window and again in the later rounds of its last
// block.
const longestRun = 10

// run is the attacker's last turns: who has them in the last blocks of a window, the last block last, and who goes on in the
// later rounds of that block. After them an honest node has its turn.
type run struct {
	blocks, rounds []int
}

// values counts the seeds that the attacker can reach and knows beforehand in the last n blocks of a run.
//
// Round r of a block is the turn of whoever has the turn r blocks later, so whoever is silent hands it on to the next in the
// run. In a later round the reveal of any identity that had a turn can be given, or none, and nobody is marked. Only in the
// last turn of all the lack of a reveal has its price.
type values struct {
	// free of charge, and for the seats of an identity.
	free, missed float64
}

func (r run) values(n int) values {
	v := values{free: 1}
	turns := slices.Concat(r.blocks[len(r.blocks)-n:], r.rounds)
	for i := range n {
		own := slices.Clone(turns[i:])
		slices.Sort(own)
		reveals := float64(len(slices.Compact(own)))
		if len(turns)-i == 1 {
			return values{free: v.free * reveals, missed: v.free}
		}
		v.free *= reveals + 1
	}
	return v
}

// chances is how the attacker's share of the power in an election with a random seed is distributed, with all of its seats
// and without those of one identity, which are vacant then.
type chances struct {
	// shares that occur, in ascending order; all and less one are the chances that the share is at most that.
	shares       []float64
	all, lessOne []float64
	// mean of the share with all seats.
	mean float64
	// third and thirdLessOne are the chances of at least a third of the power.
	third, thirdLessOne float64
}

// chances draws many elections. Identities have equal stakes, so the first one stands for any.
func (s scenario) chances(random *rand.Rand, stakes []int64, trials int) chances {
	var c chances
	own, rest := make([]float64, trials), make([]float64, trials)
	sum := 0
	for i := range trials {
		held, first := 0, 0
		for _, holder := range s.holders(random, stakes) {
			if holder < s.identities {
				held++
			}
			if holder == 0 {
				first++
			}
		}
		seats := int(s.seats)
		own[i], rest[i] = float64(held)/float64(seats), float64(held-first)/float64(seats-first)
		sum += held
		if 3*held >= seats {
			c.third += 1 / float64(trials)
		}
		if 3*(held-first) >= seats-first {
			c.thirdLessOne += 1 / float64(trials)
		}
	}
	c.mean = float64(sum) / float64(trials*int(s.seats))
	slices.Sort(own)
	slices.Sort(rest)
	c.shares = slices.Concat(own, rest)
	slices.Sort(c.shares)
	c.shares = slices.Compact(c.shares)
	c.all, c.lessOne = atMost(own, c.shares), atMost(rest, c.shares)
	return c
}

// atMost returns which part of a sorted sample is at most each of the shares.
func atMost(sample, shares []float64) []float64 {
	out := make([]float64, len(shares))
	n := 0
	for i, share := range shares {
		for n < len(sample) && sample[n] <= share {
			n++
		}
		out[i] = float64(n) / float64(len(sample))
	}
	return out
}

// gain is what the attacker has from one window.
type gain struct {
	// share of the power, on average.
	share float64
	// acts is the chance that it does anything but reveal, missed that it takes a miss.
	acts, missed float64
	// third is the chance of a third of the power for an attacker that wants nothing else.
	third float64
}

// play returns what an attacker gains that does the best in each of the last n blocks of a run: it takes the best of the seeds
// that it knows, or stays silent until an honest node makes the block, with a reveal that nobody knows beforehand, and plays on
// with what remains of the run.
func (c chances) play(r run, n int) gain {
	if n == 0 {
		return gain{share: c.mean, third: c.third}
	}
	again := c.play(r, n-1)
	v := r.values(n)
	g := gain{acts: 1, third: 1 - math.Pow(1-c.third, v.free)*math.Pow(1-c.thirdLessOne, v.missed)*(1-again.third)}
	before, freeBefore, missedBefore, allBefore := 0.0, 0.0, 0.0, 0.0
	for i, share := range c.shares {
		free, missed := math.Pow(c.all[i], v.free), math.Pow(c.lessOne[i], v.missed)
		g.share += max(share, again.share) * (free*missed - before)
		if share >= again.share {
			// The seed of all reveals is one of those that are free; among equals it is taken.
			g.acts -= (c.all[i] - allBefore) * math.Pow(c.all[i], v.free-1) * missed
			g.missed += (missed - missedBefore) * freeBefore
		}
		before, freeBefore, missedBefore, allBefore = free*missed, free, missed, c.all[i]
	}
	return g
}

// printBeacon prints how often a window ends with a run of the attacker's turns, and what an attacker gains that always does
// the best for itself.
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
		{150, 1, false},
		{150, 10, true},
		{150, 100, false},
		{150, 100, true},
		{100, 1, false},
		{100, 100, true},
		{200, 1, false},
		{200, 100, true},
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
		dist := c.chances(random, r.stakes, trials)
		var atLeast [longestRun + 1]int
		var sum gain
		for range windows {
			last, err := r.epoch()
			if err != nil {
				return err
			}
			for k := range len(last.blocks) {
				atLeast[k+1]++
			}
			g := dist.play(last, len(last.blocks))
			sum.share += g.share
			sum.acts += g.acts
			sum.missed += g.missed
			sum.third += g.third
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
		gains[i] = name + fmt.Sprintf("\t%.1f %%\t%.1f %%\t%+.2f\t%.2f %%\t%.2f %%\t%.1f %%\t%.1f %%", of(sum.acts), of(sum.missed),
			(sum.share/float64(windows)-dist.mean)*float64(c.seats), 100*dist.mean, of(sum.share), 100*dist.third, of(sum.third))
		return nil
	})
	if err != nil {
		return err
	}
	const name = "seats\tidentities\taddresses\tstake"
	if err := write(w, fmt.Sprintf("runs: chance that the attacker has the turn in the last n blocks of a window, %d windows", windows),
		slices.Insert(runs, 0, name+"\t>= 1\t>= 2\t>= 3\t>= 4\t>= 6\t>= 8\t>= 10")); err != nil {
		return err
	}
	return write(w, fmt.Sprintf("gain: who does the best for itself in its last turns, %d windows", windows),
		slices.Insert(gains, 0, name+"\tacts\twith a miss\tseats gained\tpower, honest\tpower\ta third, honest\ta third"))
}
