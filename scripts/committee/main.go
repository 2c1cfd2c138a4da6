// Command committee computes the tables of docs/adr/010 and 011: what an attacker can gain by its last turns to propose, and how
// often a share of the stake wins a third of the seats. It uses the chain's own draw, and its numbers depend on nothing but
// its flags. All tables take some minutes of one core, that of the
// beacon a minute and a half.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"text/tabwriter"
)

func main() {
	if err := mainErr(); err != nil {
		fmt.Fprintln(os.Stderr, "committee:", err)
		os.Exit(1)
	}
}

func mainErr() error {
	table := flag.String("table", "all", "beacon, stake or methods: one table alone")
	trials := flag.Int("trials", 10_000, "elections behind each number; a tenth of them for the beacon")
	flag.Parse()
	if *trials < 1 {
		return errors.New("there must be at least one trial")
	}
	return tables(os.Stdout, *table, *trials)
}

// tables prints one table or all of them.
func tables(w io.Writer, name string, trials int) error {
	found := false
	for _, t := range []struct {
		name  string
		print func(w io.Writer, trials int) error
	}{
		{"beacon", printBeacon}, {"stake", printStake}, {"methods", printMethods},
	} {
		if name != t.name && name != "all" {
			continue
		}
		found = true
		if err := t.print(w, trials); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	if !found {
		return fmt.Errorf("there is no table %q", name)
	}
	return nil
}

// write prints a title, a head and rows.
func write(w io.Writer, title string, rows []string) error {
	if _, err := fmt.Fprintf(w, "%s\n\n", title); err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, r := range rows {
		if _, err := fmt.Fprintln(tw, r+"\t"); err != nil {
			return err
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

// inParallel runs n pieces of work on all cores. Each has seeds of its own, so the order makes no difference.
func inParallel(n int, work func(i int) error) error {
	errs := make([]error, n)
	next := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				errs[i] = work(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return errors.Join(errs...)
}
