// Command economics searches for profit from the emission of x/rewards, under its rules and with each hole of the package
// x/rewards/economics open, and prints the tables of docs/adr/013. Its numbers depend on nothing but its flags.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/x/rewards/economics"
)

func main() {
	if err := mainErr(); err != nil {
		fmt.Fprintln(os.Stderr, "economics:", err)
		os.Exit(1)
	}
}

func mainErr() error {
	plays := flag.Int("plays", 20_000, "plays with each hole open, half of them with the default parameters")
	rules := flag.Int("rules", 200_000, "plays under the rules as they are, half of them with the default parameters")
	seeds := flag.Int("seeds", 8, "searches under the rules, which share the plays")
	seed := flag.Uint64("seed", 1, "seed of the first search")
	only := flag.String("hole", "", "search with this hole alone, by its name in the report")
	flag.Parse()
	if *plays < 2 || *seeds < 1 || *rules < 2**seeds {
		return fmt.Errorf("there is nothing to do with %d and %d plays and %d seeds", *plays, *rules, *seeds)
	}
	var searches []*search
	for i := range uint64(*seeds) {
		for _, fixed := range []bool{true, false} {
			searches = append(searches, &search{hole: economics.NoHole, seed: *seed + i, fixed: fixed, plays: *rules / *seeds / 2, done: make(chan struct{})})
		}
	}
	for _, hole := range economics.Holes() {
		for _, fixed := range []bool{true, false} {
			searches = append(searches, &search{hole: hole, seed: *seed, fixed: fixed, plays: *plays / 2, done: make(chan struct{})})
		}
	}
	if *only != "" {
		searches = slices.DeleteFunc(searches, func(s *search) bool { return s.hole.String() != *only })
		if len(searches) == 0 {
			return fmt.Errorf("there is no hole %q", *only)
		}
	}
	go run(searches)
	return report(os.Stdout, searches)
}

// search is one search and, once it is done, what it found.
type search struct {
	hole  economics.Hole
	seed  uint64
	fixed bool
	plays int
	done  chan struct{}
	found economics.Found
}

// run runs the searches on all cores.
func run(searches []*search) {
	next := make(chan *search)
	for range runtime.GOMAXPROCS(0) {
		go func() {
			for s := range next {
				found := economics.Search(s.hole, economics.Options{Seed: s.seed, Plays: s.plays, Fixed: s.fixed})
				if found.Result.Profit.IsPositive() {
					found = economics.Simplify(found, s.hole)
				}
				s.found = found
				close(s.done)
			}
		}()
	}
	for _, s := range searches {
		next <- s
	}
	close(next)
}

// report prints a row for each search, in their order. It fails if there is profit under the rules, or a hole with none.
func report(w io.Writer, searches []*search) error {
	var wrong []string
	if _, err := fmt.Fprintln(w, "| hole | parameters | seed | plays | profit, in % of what was spent for good | what differs from the default play |\n| --- | --- | --- | --- | --- | --- |"); err != nil {
		return err
	}
	pays := map[economics.Hole]bool{}
	for _, s := range searches {
		<-s.done
		parameters, play := "any", ""
		if s.fixed {
			parameters = "default"
		}
		profit := s.found.Result.Profit.IsPositive()
		if profit {
			pays[s.hole] = true
			play = strings.Join(economics.Differences(s.found.Play), ", ")
		}
		if profit && s.hole == economics.NoHole {
			wrong = append(wrong, fmt.Sprintf("there is profit under the rules, seed %d", s.seed))
		}
		if _, err := fmt.Fprintf(w, "| %s | %s | %d | %d | %s | %s |\n", s.hole, parameters, s.seed, s.plays, percent(s.found.Score), play); err != nil {
			return err
		}
	}
	for _, hole := range economics.Holes() {
		searched := slices.ContainsFunc(searches, func(s *search) bool { return s.hole == hole })
		if searched && !pays[hole] {
			wrong = append(wrong, fmt.Sprintf("no profit with the hole %q", hole))
		}
	}
	if wrong != nil {
		return fmt.Errorf("%s", strings.Join(wrong, "; "))
	}
	return nil
}

// percent writes millionths with four decimals of a percent.
func percent(score math.LegacyDec) string {
	digits := math.LegacyNewDecFromBigIntWithPrec(score.TruncateInt().BigInt(), 4).String()
	return digits[:len(digits)-(math.LegacyPrecision-4)]
}
