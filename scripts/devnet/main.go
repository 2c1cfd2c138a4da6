// Command devnet starts a local network, fetches the files of a folder through it, shows that what the client paid is what
// others received, to the last unit, and stays up.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/edgechain/edge/testutil/devnet"
)

type options struct {
	once       bool
	dir        string
	content    string
	big        int64
	epoch      time.Duration
	block      time.Duration
	offset     int
	deadline   time.Duration
	validators int
	stakes     string
	seats      uint
	steps      uint
	beacon     uint
}

func main() {
	var o options
	flag.BoolVar(&o.once, "once", false, "end after the table; the exit code is 0 only if all sums are exact")
	flag.StringVar(&o.dir, "dir", "", "folder of the network (default a new one in build/devnet)")
	flag.StringVar(&o.content, "content", filepath.Join(devnet.Root(), "docs"), "folder whose files are served")
	flag.Int64Var(&o.big, "big-file", 64<<20, "size in bytes of one more file that is made from a seed; 0 for none")
	flag.DurationVar(&o.epoch, "epoch", time.Minute, "length of an epoch")
	flag.DurationVar(&o.block, "block", 900*time.Millisecond, "wait after each block")
	flag.IntVar(&o.offset, "port-offset", 0, "added to every port")
	flag.DurationVar(&o.deadline, "deadline", 10*time.Minute, "bound on everything up to the table")
	flag.IntVar(&o.validators, "validators", 1, "number of validators; their stakes differ unless --stakes says otherwise")
	flag.StringVar(&o.stakes, "stakes", "", "stake in EDGE of all validators, or of each one, with commas")
	flag.UintVar(&o.seats, "seats", 0, "seats of the committee (default that of a development network)")
	flag.UintVar(&o.steps, "step-blocks", 0, "blocks between two steps of a hand-over (the same)")
	flag.UintVar(&o.beacon, "beacon-blocks", 0, "least number of blocks in which proposers reveal (the same)")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "devnet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if o.dir == "" {
		parent := filepath.Join(devnet.Root(), "build", "devnet")
		if err := os.MkdirAll(parent, 0o755); err != nil {
			return err
		}
		if o.dir, err = os.MkdirTemp(parent, time.Now().Format("20060102-150405-")); err != nil {
			return err
		}
	}
	bounded, cancel := context.WithTimeoutCause(ctx, o.deadline, fmt.Errorf("not done within %s (--deadline)", o.deadline))
	defer cancel()
	bins, err := devnet.Build(bounded, filepath.Join(o.dir, "bin"))
	if err != nil {
		return err
	}
	fmt.Println("network in", o.dir)
	cfg, err := config(o)
	if err != nil {
		return err
	}
	cfg.Binaries = bins
	n, err := devnet.Start(bounded, cfg)
	if err != nil {
		return err
	}
	if o.validators > 1 {
		watching, end := context.WithCancel(ctx)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			watch(watching, n)
		}()
		defer func() { end(); <-watched }()
	}
	defer func() {
		fmt.Println("stopping: the worker drains, then the chain")
		err = errors.Join(err, n.Stop(context.WithoutCancel(ctx)))
	}()

	objects, err := content(bounded, n, o)
	if err != nil {
		return err
	}
	outcome, err := n.Prove(bounded, objects, filepath.Join(o.dir, "fetched"))
	print(outcome)
	if err != nil {
		return fmt.Errorf("the sums are not exact, or did not come about:\n%w", err)
	}
	fmt.Printf("exact: %d equations over bank balances and supply hold\n\n", outcome.Checks+outcome.Tokens.Checks)
	if o.once {
		return nil
	}
	howTo(n, objects[0])
	return wait(ctx, n)
}

// config is the network that the flags ask for.
func config(o options) (devnet.Config, error) {
	for name, v := range map[string]uint{"--seats": o.seats, "--step-blocks": o.steps, "--beacon-blocks": o.beacon} {
		if v > math.MaxUint32 {
			return devnet.Config{}, fmt.Errorf("%s %d is too large", name, v)
		}
	}
	if o.validators < 1 {
		return devnet.Config{}, fmt.Errorf("--validators %d, want at least 1", o.validators)
	}
	cfg := devnet.Config{
		Dir: o.dir, EpochDuration: o.epoch, BlockTime: o.block, PortOffset: o.offset, Log: os.Stdout,
		Validators: o.validators, Seats: uint32(o.seats), StepBlocks: uint32(o.steps), BeaconBlocks: uint32(o.beacon),
		Reports: o.validators > 1,
	}
	switch {
	case o.stakes != "":
		cfg.Stakes = strings.Split(o.stakes, ",")
	case o.validators > 1:
		// Different stakes show what the seats follow.
		for i := range o.validators {
			cfg.Stakes = append(cfg.Stakes, strconv.Itoa(100_000*(o.validators-i)))
		}
	}
	return cfg, nil
}

// content adds the files to the worker's store.
func content(ctx context.Context, n *devnet.Network, o options) ([]devnet.Object, error) {
	files, err := devnet.Files(o.content)
	if err != nil {
		return nil, err
	}
	if o.big > 0 {
		big := filepath.Join(o.dir, fmt.Sprintf("seeded-%d.bin", o.big))
		if err := devnet.WriteSeeded(big, o.big, 1); err != nil {
			return nil, err
		}
		files = append(files, big)
	}
	return n.Add(ctx, files...)
}

// print shows the table of the issue: fetched, acknowledged, paid, received, and the sums.
func print(out devnet.Outcome) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	line := func(name, value, note string) { fmt.Fprintf(w, "%s\t%s\t%s\n", name, value, note) }
	fmt.Println()
	mb := float64(out.Fetched.Bytes) / 1e6
	line("fetched", fmt.Sprintf("%d files, %d bytes", out.Fetched.Files, out.Fetched.Bytes),
		fmt.Sprintf("%.1f MB/s; every group verified, every file compared with its original", mb/max(out.Fetched.Took.Seconds(), 1e-9)))
	line("acknowledged", fmt.Sprintf("%d requests, %d bytes", out.Signed.Requests(), out.Signed.Bytes()),
		fmt.Sprintf("%d signatures stand for them; the worker holds %s", len(out.Signed), unit(out.Ledger.Acknowledged)))
	line("settled", unit(out.Ledger.Settled), fmt.Sprintf("pending %s, submitted %s, refused %s", unit(out.Ledger.Pending), unit(out.Ledger.Submitted), unit(out.Ledger.Refused)))
	if len(out.Epochs) > 0 {
		line("client paid", unit(out.Paid), fmt.Sprintf("left the client accounts between heights %d and %d", out.FromHeight, out.ToHeight))
		line("operator received", unit(out.Operator), fmt.Sprintf("its share is %g", out.Share.MustFloat64()))
		line("community pool received", unit(out.Community), "protocol share, owner share of the protocol's service, dust")
		for _, e := range out.Epochs {
			line(fmt.Sprintf("  epoch %d", e.Number), fmt.Sprintf("%s = %s + %s", e.Paid, e.Operator, e.Community), "paid = operator + community pool")
		}
		line("sum", fmt.Sprintf("%s - %s - %s = %s", out.Paid, out.Operator, out.Community, out.Paid.Sub(out.Operator).Sub(out.Community)), "paid - received")
		line("supply", fmt.Sprintf("%s -> %s", out.SupplyBefore, out.SupplyAfter), "nothing was minted or burnt")
	}
	if t := out.Tokens; t.Checks > 0 {
		line("tokens", fmt.Sprintf("%s -> %s %s", t.SupplyBefore, t.SupplyAfter, devnet.StakeDenom), fmt.Sprintf("minted %s, burned %s", t.Minted, t.Burned))
	}
	if err := w.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "devnet: show the table:", err)
	}
	fmt.Println()
}

func unit(v fmt.Stringer) string { return v.String() + " " + devnet.SettlementDenom }

// howTo says how to talk to the network.
func howTo(n *devnet.Network, o devnet.Object) {
	p := n.Ports
	fmt.Printf(`The network is up, chain id %s, logs in %s.

  RPC     http://127.0.0.1:%d        REST  http://127.0.0.1:%d
  gRPC    127.0.0.1:%d               worker  %s

The reference of the REST API is at http://127.0.0.1:%d/openapi. Commands to try:

  curl -s %s/b3/%s | head
  %s
  %s
  %s

Ctrl-C stops everything.
`, n.ChainID(), n.Dir(), p.RPC, p.REST, p.GRPC, n.WorkerURL(), p.REST, n.WorkerURL(), o.Name, n.GetLine(o.Name), n.QueryLine(), n.CommitteeLine())
}

// wait stays until the signal comes or a program dies.
func wait(ctx context.Context, n *devnet.Network) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := n.Failed(); err != nil {
				return err
			}
		}
	}
}
