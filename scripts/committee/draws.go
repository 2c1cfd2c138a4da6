package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/edgechain/edge/x/epoch/draw"
)

// printStake prints how often a share of the stake wins at least a third of the seats.
func printStake(w io.Writer, trials int) error {
	shares := []int{250, 280, 300, 310, 320, 330, 333, 334}
	splits := []int{1, 10, 100}
	committees := []uint32{100, 150, 200}
	rows := make([]string, len(shares))
	err := inParallel(len(shares), func(i int) error {
		rows[i] = fmt.Sprintf("%.1f %%", float64(shares[i])/10)
		for _, seats := range committees {
			for _, identities := range splits {
				s := scenario{shares[i], identities, seats}
				won, err := s.sample(trials, systematic)
				if err != nil {
					return err
				}
				rows[i] += fmt.Sprintf("\t%.2f %%", 100*won.third)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	head := []string{"stake"}
	for _, seats := range committees {
		for _, identities := range splits {
			head = append(head, fmt.Sprintf("%d in %d", seats, identities))
		}
	}
	return write(w, fmt.Sprintf("stake: chance of at least a third of the seats; columns are seats in identities; %d elections", trials),
		slices.Insert(rows, 0, strings.Join(head, "\t")))
}

// method elects by some way and returns the seats by candidate.
type method func(s scenario, trial int, candidates []draw.Candidate) ([]int, error)

// systematic is the chain's draw.
func systematic(s scenario, trial int, candidates []draw.Candidate) ([]int, error) {
	return s.elect(seedOf(s, trial), candidates)
}

// sortition gives each seat by itself, in proportion to stake.
func sortition(s scenario, trial int, candidates []draw.Candidate) ([]int, error) {
	random := s.generator(trial)
	seats := make([]int, len(candidates))
	ends := make([]int64, len(candidates))
	total := int64(0)
	for i, c := range candidates {
		total += c.Stake.Int64()
		ends[i] = total
	}
	for range s.seats {
		point := random.Int64N(total)
		i, found := slices.BinarySearch(ends, point)
		if found {
			i++ // a candidate ends before the point where the next one begins
		}
		seats[i]++
	}
	return seats, nil
}

// withoutReplacement elects one after the other, in proportion to stake, nobody twice, and gives everyone one seat.
func withoutReplacement(s scenario, trial int, candidates []draw.Candidate) ([]int, error) {
	random := s.generator(trial)
	// The smallest of exponential times with the stakes as rates come in the order of such an election.
	type arrival struct {
		time  float64
		index int
	}
	arrivals := make([]arrival, len(candidates))
	for i, c := range candidates {
		arrivals[i] = arrival{random.ExpFloat64() / float64(c.Stake.Int64()), i}
	}
	slices.SortFunc(arrivals, func(a, b arrival) int {
		if a.time < b.time {
			return -1
		}
		return 1
	})
	seats := make([]int, len(candidates))
	for _, a := range arrivals[:min(int(s.seats), len(arrivals))] {
		seats[a.index] = 1
	}
	return seats, nil
}

// sampled is what an attacker won over many elections.
type sampled struct {
	// mean and deviation of the seats; third is how often they were at least a third of all.
	mean, deviation, third float64
}

func (s scenario) sample(trials int, elect method) (sampled, error) {
	candidates := s.candidates()
	sum, squares, third := 0.0, 0.0, 0
	for trial := range trials {
		seats, err := elect(s, trial, candidates)
		if err != nil {
			return sampled{}, err
		}
		own := s.attackers(seats)
		sum += float64(own)
		squares += float64(own) * float64(own)
		if own >= s.third() {
			third++
		}
	}
	n := float64(trials)
	mean := sum / n
	return sampled{mean, math.Sqrt(max(0, squares/n-mean*mean)), float64(third) / n}, nil
}

// printMethods compares ways to draw a committee.
func printMethods(w io.Writer, trials int) error {
	methods := []struct {
		name  string
		elect method
	}{
		{"systematic", systematic}, {"sortition", sortition}, {"without replacement", withoutReplacement},
	}
	type cell struct {
		name  string
		elect method
		scenario
	}
	var cells []cell
	for _, m := range methods {
		for _, identities := range []int{1, 10, 100} {
			cells = append(cells, cell{m.name, m.elect, scenario{300, identities, 100}})
		}
	}
	rows := make([]string, len(cells))
	err := inParallel(len(cells), func(i int) error {
		c := cells[i]
		won, err := c.sample(trials, c.elect)
		if err != nil {
			return err
		}
		rows[i] = fmt.Sprintf("%s\t%d\t%.2f\t%.2f\t%.2f %%", c.name, c.identities, won.mean, won.deviation, 100*won.third)
		return nil
	})
	if err != nil {
		return err
	}
	return write(w, fmt.Sprintf("methods: seats of 100 won by 30 %% of the stake, %d elections", trials),
		slices.Insert(rows, 0, "method\tidentities\tmean\tdeviation\ta third"))
}
