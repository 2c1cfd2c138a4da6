// Command bench measures what the project promises to be fast at. Each benchmark prints a table, writes
// build/bench/NAME.json, and fails if what it measured did not succeed.
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
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
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
	run  func(ctx context.Context) ([]result, error)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := mainErr(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func mainErr(ctx context.Context) (err error) {
	lanes := []int{1_000, 100_000, 1_000_000}
	states := ""
	benchmarks := []benchmark{
		{"ack", "acknowledgements signed, coded and verified; baseline crypto/ed25519 one by one", benchAck},
		{"settle", "FinalizeBlock and Commit on pebbledb; baseline one transaction for each request", benchSettle},
		{
			"scale", "full blocks of settlements, by live lanes and funded accounts; baseline the goal, then the smallest state",
			func(ctx context.Context) ([]result, error) { return benchScale(ctx, lanes, states) },
		},
		{"vs_plain_layout", "the state's part of the same load; baseline a leaf for each lane, account and key", benchLayout},
		{
			"blockstm", "the same blocks in parallel; baseline one transaction after the other",
			func(ctx context.Context) ([]result, error) { return benchParallel(ctx, states) },
		},
		{
			"epoch_close", "the longest block at the end of an epoch; baseline twice the median block",
			func(ctx context.Context) ([]result, error) { return benchClose(ctx, states) },
		},
		{"bytes_per_ack", "the whole transaction for each acknowledgement, and for each request; baseline the goal", benchBytesPerAck},
		{"bytes_per_request", "bytes on chain for each settled request; baseline one transaction for each request", benchBytes},
		{"committee", "election of a committee and check of a reveal; baseline a block of a second, an ed25519 signature", benchCommittee},
		{"endblock", "the end of a block with many bonded validators; baseline the same chain without x/epoch, an ordinary block", benchEndBlock},
		{"fetch", "edge get, verified and paid; baseline curl of the same worker without payment", benchFetch},
	}
	names := make([]string, len(benchmarks))
	for i, b := range benchmarks {
		names[i] = b.name
	}
	only := flag.String("only", strings.Join(names, ","), "benchmarks to run, separated by commas")
	out := flag.String("out", filepath.Join("build", "bench"), "folder for the results")
	flag.Func("lanes", "numbers of live lanes for scale, separated by commas (default 1000,100000,1000000)", func(list string) error {
		lanes = nil
		for text := range strings.SplitSeq(list, ",") {
			n, err := strconv.Atoi(text)
			if err != nil || n < scalePerMsg {
				return fmt.Errorf("%q is not a number of at least %d", text, scalePerMsg)
			}
			lanes = append(lanes, n)
		}
		return nil
	})
	flag.StringVar(&states, "states", "", "folder that keeps the states of scale, blockstm and epoch_close for the next run")
	profile := flag.String("profile", "", "file for a CPU profile of the whole run, setup included")
	flag.Parse()
	if *profile != "" {
		f, createErr := os.Create(*profile)
		if createErr != nil {
			return createErr
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return errors.Join(err, f.Close())
		}
		defer func() {
			pprof.StopCPUProfile()
			err = errors.Join(err, f.Close())
		}()
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
	for _, b := range benchmarks {
		if !slices.Contains(wanted, b.name) {
			continue
		}
		fmt.Printf("%s: %s\n", b.name, b.what)
		results, err := b.run(ctx)
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
