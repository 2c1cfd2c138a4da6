package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/edgechain/edge/client/address"
	"github.com/edgechain/edge/client/chain"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/fetch"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	flagWorker = "worker"
	flagKey    = "key"

	// watchEvery is how often the epoch is looked at during a transfer, and watchMaxAge how old a view may be to sign by.
	watchEvery  = time.Second
	watchMaxAge = 30 * time.Second
)

type getOptions struct {
	file    string
	workers []string
	span    string
	key     uint64
	free    bool
	quiet   bool
	retries int
	maxWait time.Duration
	restart bool
	receipt string
	// manifest takes a folder for the object that its manifest is.
	manifest bool
	// parallel files of a folder are worked on at a time, at most maxParallel.
	parallel, maxParallel int
}

// parallelFlag adds the flag for how many files of a folder are worked on at a time.
func (o *getOptions) parallelFlag(f *pflag.FlagSet, done string, most int) {
	o.maxParallel = most
	f.IntVar(&o.parallel, "parallel", 4, fmt.Sprintf("files of a folder that are %s at a time, at most %d", done, most))
}

func (o *getOptions) checkParallel() error {
	if o.parallel < 1 || o.parallel > o.maxParallel {
		return usagef("--parallel %d, want 1 to %d", o.parallel, o.maxParallel)
	}
	return nil
}

func newGetCommand(a *app) *cobra.Command {
	var o getOptions
	cmd := &cobra.Command{
		Use:   "get NAME[/PATH]",
		Short: "Fetch a file or a folder, verified and paid as it arrives",
		Long: `Fetches the object with a name: the BLAKE3 hash of its bytes as 64 hex digits or as a CID. The worker is one of the
chain's registry, or those that --worker names, tried in order. Every byte is verified before it is written.

A file that is there already with the right bytes is verified, and nothing is fetched or paid; one with others is replaced (--restart
fetches in any case). The object arrives in FILE.part and takes its name when it is whole. A download that broke off goes on where it stopped
when the same command is given again. If a worker sends a byte that does not verify, the command ends with exit code 1,
names the worker and the group, and FILE.part holds the groups before it.

If the name is a folder's, all that is below it is fetched into a folder, which -o names, several files at a time. NAME/PATH is
a file or folder below it: the manifests on the way are fetched and verified, and paid like all content. Files that are there
and have the right bytes are not fetched again, others are replaced, and what the folder does not name is left alone, so the
same command finishes a folder that broke off. What is under way lies in .edge-part in the folder until it is whole, and the
manifests, which are then not paid again. A name that this machine cannot hold, or that it cannot keep apart from another one,
is not written: the summary lists it, and NAME/PATH with -o fetches it. Files of the same bytes are fetched once.

With a client key (edge account add-key) what arrives is acknowledged and paid, with the newest usable key unless --key
names one. Without a key, or with --free, the worker's free quota is used.

--receipt FILE writes what was acknowledged as receipts, with the requests of the lane in this epoch: edge receipt verify checks
them, wherever the file goes.

--output json prints a JSON object per line: start, progress, acknowledged, waiting, worker_failed, and at the end done or
error. They go to standard output, or to standard error if that is where the content goes. Of a folder it prints progress,
waiting, worker_failed and file, which is about one file, and done or error with the sums.

The exit code is 0 if everything is there and verified, 2 if the command line is at fault, and else 1.`,
		Example: `  edge get af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262 -o file.iso
  edge get bafkr4if... --range 0-65535 -o head.bin
  edge get bafkr4if... --worker http://localhost:8080 -o - | tar x
  edge get bafkr4if.../docs/index.html
  edge get bafkr4if... -o site --parallel 8
  edge get bafkr4if... -o file.iso --receipt receipt.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.get(cmd, args[0], &o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "o", "", "file or folder to write, - for standard output (default the last name of PATH or NAME's hex digits, here)")
	f.StringSliceVar(&o.workers, flagWorker, nil, "URL of a worker's gateway; can be given several times (default the chain's registry)")
	f.StringVar(&o.span, "range", "", "range of bytes, such as 0-65535, or 65536- for the rest")
	f.Uint64Var(&o.key, flagKey, 0, "id of the client key that pays (default the newest usable one)")
	f.BoolVar(&o.free, "free", false, "use the worker's free quota and pay nothing")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress bar and no summary")
	f.BoolVar(&o.restart, "restart", false, "begin anew even if FILE or FILE.part is there")
	f.IntVar(&o.retries, "retries", 6, "tries with a worker that makes no progress, before it is given up")
	f.BoolVar(&o.manifest, "manifest", false, "fetch the manifest of a folder as the object that it is")
	o.parallelFlag(f, "fetched", maxFetches)
	f.StringVar(&o.receipt, "receipt", "", "file to write receipts to")
	f.DurationVar(&o.maxWait, "max-wait", 5*time.Minute, "longest wait for credit or a busy worker without progress")
	return cmd
}

// parseRange reads a-b or a-. Both ends are included.
func parseRange(s string) (offset, length uint64, err error) {
	if s == "" {
		return 0, content.ToEnd, nil
	}
	first, last, ok := strings.Cut(s, "-")
	if offset, err = strconv.ParseUint(first, 10, 63); err != nil || !ok {
		return 0, 0, usagef("range %q, want FIRST-LAST or FIRST-", s)
	}
	if last == "" {
		return offset, content.ToEnd, nil
	}
	end, err := strconv.ParseUint(last, 10, 63)
	if err != nil || end < offset {
		return 0, 0, usagef("range %q, want FIRST-LAST with LAST not before FIRST", s)
	}
	return offset, end - offset + 1, nil
}

// wanted is what a command line asks for.
type wanted struct {
	root content.Name
	// names below the root, and whether it must be a folder.
	names  []string
	folder bool
	// offset and length in bytes.
	offset, length uint64
}

// parseWanted reads the argument and the flags.
func parseWanted(arg string, o *getOptions) (w wanted, err error) {
	text, path, below := strings.Cut(arg, "/")
	if w.root, err = content.ParseName(text); err != nil {
		return w, &usageError{err}
	}
	if below {
		if w.names, w.folder, err = fetch.SplitPath(path); err != nil {
			return w, &usageError{err}
		}
	}
	if w.offset, w.length, err = parseRange(o.span); err != nil {
		return w, err
	}
	if err := o.checkParallel(); err != nil {
		return w, err
	}
	switch {
	case o.free && o.key != 0:
		return w, usagef("--free and --key exclude each other")
	case o.free && o.receipt != "":
		return w, usagef("--free and --receipt exclude each other")
	case w.folder && o.manifest:
		return w, usagef("--manifest is of a name without a path")
	case w.folder && (o.span != "" || o.file == "-"):
		return w, usagef("a folder has no range and does not go to standard output")
	}
	if o.file == "" {
		o.file = w.root.String()
		if n := len(w.names); n > 0 {
			o.file = w.names[n-1]
			if why := unusable(o.file, onWindows); why != "" {
				return w, usagef("%q %s: name a file with -o", o.file, why)
			}
		}
	}
	return w, nil
}

func (a *app) get(cmd *cobra.Command, arg string, o *getOptions) error {
	w, err := parseWanted(arg, o)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	plan, err := a.plan(ctx, o)
	if err != nil {
		return err
	}
	defer plan.stop()
	if err := checkReceiptFile(o, plan); err != nil {
		return err
	}
	client, err := fetch.New(fetch.Config{Retries: noneIfZero(o.retries), MaxWait: o.maxWait}, plan.payer)
	if err != nil {
		return err
	}
	defer client.Close()
	g := &getting{app: a, cmd: cmd, o: o, plan: plan, batch: client.Batch(), kept: newManifests(o.file)}
	err = a.advise(ctx, g.run(ctx, &w))
	payment, closeErr := g.batch.Close(ctx)
	err = errors.Join(err, closeErr)
	g.sum.pay(payment)
	if o.receipt != "" {
		// What was acknowledged is paid for, also if the fetch broke off.
		err = errors.Join(err, a.saveReceipts(cmd, o.receipt, plan.payer, g.sum.acknowledged()))
	}
	return errors.Join(err, g.end(err))
}

// getting is one edge get.
type getting struct {
	*app
	cmd  *cobra.Command
	o    *getOptions
	plan *plan
	// batch makes all transfers.
	batch *fetch.Batch
	// kept are the manifests that need not be fetched again.
	kept *manifests
	// sum of all transfers.
	sum sum
	// end tells what came of it. It returns an error if that could not be written.
	show *display
	end  func(err error) error
}

// run finds out what the name is, and fetches it.
func (g *getting) run(ctx context.Context, w *wanted) error {
	g.show = newDisplay(g.cmd, g.output, g.o, g.plan)
	g.end = func(err error) error { return g.show.endSearch(g.sum.acknowledged(), err) }
	e := content.Entry{Kind: content.KindFolder, Hash: w.root}
	req := fetch.Request{Name: w.root, Workers: g.plan.workers, Manifests: g.kept, Progress: g.show.look}
	switch {
	case len(w.names) > 0:
		found, err := g.batch.Find(ctx, req, w.names, g.sum.add)
		if err != nil {
			return err
		}
		if w.folder && found.Kind == content.KindFile {
			return fmt.Errorf("%w: %q is a file", fetch.ErrNoEntry, strings.Join(w.names, "/"))
		}
		e = found
		if e.Kind == content.KindFolder && !g.o.manifest {
			req.Size = &e.Size
		}
	case !w.folder && (!g.mayBeFolder() || !g.kept.has(w.root)):
		entries, err := g.file(ctx, &e, false, w)
		if entries == nil || err != nil {
			return err
		}
		return g.folder(ctx, entries)
	}
	if e.Kind == content.KindFile || g.o.manifest {
		_, err := g.file(ctx, &e, true, w)
		return err
	}
	if g.o.span != "" || g.o.file == "-" {
		return usagef("a folder has no range and does not go to standard output")
	}
	req.Name = e.Hash
	entries, report, err := g.batch.Folder(ctx, req)
	g.sum.add(report)
	if err != nil {
		return err
	}
	return g.folder(ctx, entries)
}

// mayBeFolder reports whether the command line asks for nothing that only a file has.
func (g *getting) mayBeFolder() bool { return g.o.span == "" && g.o.file != "-" && !g.o.manifest }

// file fetches an object. It returns the entries of a folder if that is what the object turned out to be.
func (g *getting) file(ctx context.Context, e *content.Entry, below bool, w *wanted) ([]content.Entry, error) {
	size, ok, err := g.o.existing(ctx, e, below)
	if err != nil {
		return nil, err
	}
	if ok {
		report := fetch.Report{Name: e.Hash, Size: size, Verified: true, Paid: g.plan.payer != nil}
		t := &target{name: e.Hash, path: g.o.file, existed: true}
		g.end = func(err error) error { return g.show.end(t, g.sum.with(report), err) }
		return nil, nil
	}
	t, err := openTarget(g.cmd, g.o, e, below, w.offset, w.length)
	if err != nil {
		return nil, err
	}
	report, err := t.fetch(ctx, g.batch, fetch.Request{
		Name: e.Hash, Offset: w.offset, Length: w.length, Workers: g.plan.workers, Progress: g.show.event,
	})
	g.sum.add(report)
	g.end = func(err error) error { return g.show.end(t, g.sum.with(report), err) }
	if t.entries != nil && err == nil {
		err = g.kept.Store(e.Hash, t.manifest)
	}
	return t.entries, err
}

// adviseTimeout bounds what is asked of the chain for an advice.
const adviseTimeout = 3 * time.Second

// advise adds to the error of a free fetch beyond the quota how to pay and what it costs. A worker says that too, but its
// text is no command to run, and the price is the chain's.
func (a *app) advise(ctx context.Context, err error) error {
	var p *fetch.Problem
	if !errors.As(err, &p) || p.Type != "session-required" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, adviseTimeout)
	defer cancel()
	deposit, price := "AMOUNT", ""
	if c, chainErr := a.chain(); chainErr == nil {
		params, chainErr := c.Params(ctx)
		if chainErr == nil {
			deposit = params.MinDeposit.String() + params.SettlementDenom
		}
		epoch, epochErr := c.Epoch(ctx)
		prices, pricesErr := c.Prices(ctx, epoch.Number)
		if errors.Join(chainErr, epochErr, pricesErr) == nil {
			price = fmt.Sprintf(" at %s%s per GiB", prices.PerGiB, params.SettlementDenom)
		}
	}
	return fmt.Errorf("%w; the free quota is used up; to pay%s, open an account: edge account open --deposit %s --from NAME, then edge account add-key --from NAME",
		err, price, deposit)
}

// noneIfZero makes 0 retries mean none where the library takes 0 for its default.
func noneIfZero(n int) int {
	if n <= 0 {
		return -1
	}
	return n
}

// plan is who to fetch from and who pays.
type plan struct {
	workers []fetch.Worker
	payer   *fetch.Payer
	denom   string
	watch   *chain.Watch
}

func (p *plan) stop() {
	if p.watch != nil {
		p.watch.Stop()
	}
}

// plan asks the chain for what it is needed for: the registry if no worker is named, and all that concerns payment. A free
// fetch from a named worker needs no chain.
func (a *app) plan(ctx context.Context, o *getOptions) (*plan, error) {
	p := new(plan)
	for _, u := range o.workers {
		if err := fetch.CheckWorkerURL(u); err != nil {
			return nil, &usageError{err}
		}
		// The user named it, so it may be anywhere.
		p.workers = append(p.workers, fetch.Worker{URL: u, AnyAddress: true})
	}
	pay := !o.free && (o.key != 0 || anyClientKeys(a.home, a.chainID))
	if !pay && len(p.workers) > 0 {
		return p, nil
	}
	c, err := a.chain()
	if err != nil {
		return nil, err
	}
	st, err := a.status(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(p.workers) == 0 {
		if p.workers, err = registered(ctx, c, a.node); err != nil {
			return nil, err
		}
	}
	if !pay {
		return p, nil
	}
	watch, err := chain.StartWatch(ctx, c, watchEvery, watchMaxAge)
	if err != nil {
		return nil, err
	}
	p.watch = watch
	if p.payer, err = a.payer(ctx, c, st.ChainID, o.key, watch); err != nil {
		p.stop()
		return nil, err
	}
	if p.payer != nil {
		params, err := c.Params(ctx)
		if err != nil {
			p.stop()
			return nil, err
		}
		p.denom = params.SettlementDenom
	}
	return p, nil
}

// registered returns the chain's active workers that can be reached over HTTP.
func registered(ctx context.Context, c *chain.Client, node string) ([]fetch.Worker, error) {
	all, err := c.Workers(ctx)
	if err != nil {
		return nil, err
	}
	// On a local network the workers are at local addresses. A node from outside that calls its chain one would have this machine
	// ask its own network.
	local := false
	if near(ctx, node) {
		if local, err = c.Development(ctx); err != nil {
			return nil, err
		}
	}
	var out []fetch.Worker
	for i := range all {
		if all[i].Status != nodetypes.WORKER_STATUS_ACTIVE {
			continue
		}
		if u, ok := fetch.HTTPEndpoint(&all[i]); ok {
			out = append(out, fetch.Worker{ID: all[i].Id, URL: u, AnyAddress: local})
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: the chain has %d workers, none active with an HTTP endpoint; name one with --worker URL", fetch.ErrNoWorker, len(all))
	}
	return out, nil
}

// near reports whether the address of a node leads to this machine or its own network, by all that its name resolves to.
func near(ctx context.Context, node string) bool {
	u, err := url.Parse(node)
	if err != nil || u.Hostname() == "" {
		return false
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	return err == nil && len(addrs) > 0 && !slices.ContainsFunc(addrs, func(a netip.Addr) bool { return address.Public(a.Unmap()) })
}

// payer chooses the client key: the one that is named, or the newest that the chain knows and that has not expired. It
// returns nil if there is none and none was named.
func (a *app) payer(ctx context.Context, c *chain.Client, chainID string, id uint64, view *chain.Watch) (*fetch.Payer, error) {
	stored, err := clientKeys(a.home, chainID)
	if err != nil {
		return nil, err
	}
	epoch, err := view.Epoch()
	if err != nil {
		return nil, err
	}
	var skipped []string
	for _, k := range stored {
		if id != 0 && k.KeyID != id {
			continue
		}
		private, err := k.private()
		if err != nil {
			return nil, err
		}
		onChain, _, err := c.Key(ctx, k.KeyID)
		switch {
		case err != nil && !notThere(err):
			return nil, err
		case err != nil || fmt.Sprintf("%x", onChain.PublicKey) != k.PublicKey:
			skipped = append(skipped, fmt.Sprintf("key %d is not registered", k.KeyID))
			continue
		case onChain.LastEpoch < epoch:
			skipped = append(skipped, fmt.Sprintf("key %d expired after epoch %d", k.KeyID, onChain.LastEpoch))
			continue
		}
		return &fetch.Payer{ChainID: chainID, KeyID: k.KeyID, Key: private, LaneDir: a.laneHome, Chain: c, View: view}, nil
	}
	switch {
	case id != 0 && len(skipped) == 0:
		return nil, fmt.Errorf("there is no client key %d for chain %s on this machine; edge account keys lists them", id, chainID)
	case len(skipped) > 0:
		return nil, fmt.Errorf("no usable client key for chain %s: %s; register one with edge account add-key, or fetch with --free", chainID, strings.Join(skipped, ", "))
	}
	return nil, nil
}

// describe tells what a fetch came to, for the summary.
func describe(r *fetch.Report, p *plan) string {
	rate := 0.0
	if r.Seconds > 0 {
		rate = float64(r.Bytes) / r.Seconds / 1e6
	}
	text := fmt.Sprintf("%d bytes verified in %.2f s (%.1f MB/s) from %s", r.Bytes, r.Seconds, rate, fetch.Worker{ID: r.WorkerID, URL: r.WorkerURL})
	return text + paidFor(r, p)
}
