// Command benchhttp measures how fast the worker serves, against nginx: the same files, the same load generator, each server
// on one core, in one run. Each benchmark prints a table, writes build/bench/NAME.json, and fails if an answer was wrong.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// result is one measured value and what it is compared with. Ratio says how many times better the value is.
type result struct {
	Name     string  `json:"name"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	Baseline float64 `json:"baseline"`
	Ratio    float64 `json:"ratio"`
}

// less is a result whose smaller values are better, more one whose larger values are.
func less(name string, value float64, unit string, baseline float64) result {
	return result{Name: name, Value: value, Unit: unit, Baseline: baseline, Ratio: baseline / value}
}

func more(name string, value float64, unit string, baseline float64) result {
	return result{Name: name, Value: value, Unit: unit, Baseline: baseline, Ratio: value / baseline}
}

// benchmark is a named group of results; its name is that of its file.
type benchmark struct {
	name string
	what string
	run  func(ctx context.Context, s *stage) ([]result, error)
}

// benchmarks in the order in which they run.
var benchmarks = []benchmark{
	{"http", "plain content over 32 connections; baseline nginx", benchHTTP},
	{"paid", "content within sessions, an acknowledgement a request on 32 lanes; baseline plain content of the worker", benchPaid},
	{"bao", "the verified stream, served and verified; baseline 1 GB/s a core", benchBao},
	{"fetch", "edge get of 1 GiB; baselines curl from nginx through b3sum, and curl alone", benchFetch},
	{"fresh", "edge get with an account that has settled nothing", benchFresh},
}

// options are the flags that benchmarks look at.
type options struct {
	rounds   int
	duration time.Duration
	sizes    []string
	profiles string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := mainErr(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchhttp:", err)
		os.Exit(1)
	}
}

func mainErr(ctx context.Context) (err error) {
	names := make([]string, len(benchmarks))
	for i, b := range benchmarks {
		names[i] = b.name
	}
	var o options
	only := flag.String("only", strings.Join(names, ","), "benchmarks to run, separated by commas")
	out := flag.String("out", filepath.Join("build", "bench"), "folder for the results")
	flag.IntVar(&o.rounds, "rounds", 5, "how often each server is measured, in turn; medians count")
	flag.DurationVar(&o.duration, "duration", 3*time.Second, "length of a round")
	sizes := flag.String("sizes", "", "sizes to measure, separated by commas, such as 1KiB,64MiB; all by default")
	flag.StringVar(&o.profiles, "profiles", "", "folder for CPU profiles of the worker, one for each size, from a round that does not count")
	flag.Parse()
	if *sizes != "" {
		o.sizes = strings.Split(*sizes, ",")
	}
	if o.rounds < 1 || o.duration < time.Second {
		return errors.New("want at least one round of at least a second")
	}
	wanted := strings.Split(*only, ",")
	for _, w := range wanted {
		if !slices.Contains(names, w) {
			return fmt.Errorf("there is no benchmark %q; there are %s", w, strings.Join(names, ", "))
		}
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	s, err := newStage(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(context.WithoutCancel(ctx))) }()
	for _, b := range benchmarks {
		if !slices.Contains(wanted, b.name) {
			continue
		}
		fmt.Printf("%s: %s\n", b.name, b.what)
		results, err := b.run(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		if err := report(filepath.Join(*out, b.name+".json"), results); err != nil {
			return err
		}
		fmt.Println()
	}
	return nil
}

// report prints the table and writes the file.
func report(path string, results []result) error {
	if len(results) == 0 {
		return errors.New("nothing was measured")
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "name\tvalue\tunit\tbaseline\ttimes better\t")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%.4g\t%s\t%.4g\t%.2f\t\n", r.Name, r.Value, r.Unit, r.Baseline, r.Ratio)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	b, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o600)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
