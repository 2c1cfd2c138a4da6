package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/edgechain/edge/client/fetch"
	"github.com/edgechain/edge/client/put"
)

// maxUploads bounds the files that are uploaded at a time: a worker takes so many of an account, and has others come again later.
const maxUploads = 4

func newPutCommand(a *app) *cobra.Command {
	var o getOptions
	cmd := &cobra.Command{
		Use:   "put FILE|FOLDER",
		Short: "Upload content to a worker, paid as it is sent",
		Long: `Uploads a file, or a folder, to a worker that takes uploads, and prints names and addresses to share. Of a folder the
regular files are uploaded, several at a time and told as they are done, then the manifests of its folders, each behind all that
it names; the last name is that of the folder itself. Links and special files are left out, which is told. Files of the same bytes are sent once. The first failure ends the upload.
The names are taken first; the worker verifies the bytes against them and keeps nothing else. The worker is one of the chain's
registry, or those that --worker names, tried in order.

An upload costs what a download of as many bytes does, and is paid with a client key (edge account add-key). What a worker has
already is skipped and costs nothing, so an upload that broke off goes on when the same command is given again; it is then not kept
any longer than it was.

--output json prints a JSON object per line: start, progress, acknowledged, waiting and worker_failed, and stored for each
file. Each names the file that it is about. An upload that fails ends with a line of its own, error, with what was acknowledged of
files that are not whole.`,
		Example: `  edge put file.iso
  edge put photos/ --worker http://localhost:8080
  edge put site/ --parallel 2
  edge put file.iso --output json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.put(cmd, args[0], &o) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.workers, flagWorker, nil, "URL of a worker's gateway; can be given several times (default the chain's registry)")
	f.Uint64Var(&o.key, flagKey, 0, "id of the client key that pays (default the newest usable one)")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress bar")
	f.IntVar(&o.retries, "retries", 6, "tries with a worker that makes no progress, before it is given up")
	o.parallelFlag(f, "uploaded", maxUploads)
	f.DurationVar(&o.maxWait, "max-wait", 5*time.Minute, "longest wait for credit or a busy worker without progress")
	return cmd
}

func (a *app) put(cmd *cobra.Command, path string, o *getOptions) error {
	if err := o.checkParallel(); err != nil {
		return err
	}
	var left leftOut
	files, err := put.Find(path, left.add)
	if err != nil {
		return &usageError{err}
	}
	left.tell(cmd.ErrOrStderr())
	ctx := cmd.Context()
	if err := put.Name(ctx, files); err != nil {
		return err
	}
	var manifests []put.File
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() {
		if manifests, err = put.Manifests(ctx, path, files); err != nil {
			return err
		}
	}
	plan, err := a.plan(ctx, o)
	if err != nil {
		return err
	}
	defer plan.stop()
	if plan.payer == nil {
		return errors.New("an upload is paid and there is no client key; open an account: edge account open --deposit AMOUNT --from NAME, then edge account add-key --from NAME")
	}
	client, err := fetch.New(fetch.Config{Retries: noneIfZero(o.retries), MaxWait: o.maxWait}, plan.payer)
	if err != nil {
		return err
	}
	defer client.Close()
	u := &putting{app: a, cmd: cmd, o: o, plan: plan, batch: client.Batch()}
	err = u.run(ctx, put.Waves(files, manifests))
	payment, closeErr := u.batch.Close(ctx)
	return u.end(ctx, payment, errors.Join(err, closeErr))
}

// putting is one edge put.
type putting struct {
	*app
	cmd  *cobra.Command
	o    *getOptions
	plan *plan
	// batch makes all uploads.
	batch *fetch.Batch
	show  *putShow
	// lost is what was paid for uploads that did not become whole.
	lost lost
}

// run uploads one wave after the other, several files of a wave at a time. The first failure ends it.
func (u *putting) run(ctx context.Context, waves [][]*put.File) error {
	u.show = newPutShow(newDisplay(u.cmd, u.output, u.o, u.plan), waves)
	defer u.show.end()
	for _, wave := range waves {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(u.o.parallel)
		for _, file := range wave {
			g.Go(func() error {
				// One that waited for its turn when the first failure came, or the end of the command, does not begin.
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err := u.file(ctx, file); err != nil {
					return fmt.Errorf("%s: %w", file.Path, err)
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// end tells what the uploads that did not become whole have cost, with what the batch was still to tell of them, and returns the
// error of the command.
func (u *putting) end(ctx context.Context, rest fetch.Payment, err error) error {
	u.lost.add(rest)
	if rest.AckError != "" {
		u.show.unacknowledged(rest.AckError)
	}
	if err == nil {
		return nil
	}
	all := u.lost.report()
	writeErr := u.show.endSearch(all, err)
	if all.AcknowledgedBytes > 0 {
		err = fmt.Errorf("%w; of uploads that are not whole%s", err, strings.TrimPrefix(paidFor(all, u.plan), ","))
	}
	return errors.Join(err, writeErr)
}

// file uploads one file and tells its name.
func (u *putting) file(ctx context.Context, file *put.File) (err error) {
	f, err := file.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	report, err := u.batch.Put(ctx, fetch.PutRequest{
		Name: file.Name, Size: file.Size, From: f, Workers: u.plan.workers, Progress: u.show.upload(file),
	})
	if report.AckError != "" {
		u.show.unacknowledged(report.AckError)
	}
	if err != nil {
		u.lost.add(report.Payment)
		return errors.Join(adviseUpload(err), file.Check())
	}
	return u.show.stored(file, &report)
}

// adviseUpload says in the program's own words what a worker's refusal means.
func adviseUpload(err error) error {
	var p *fetch.Problem
	if !errors.As(err, &p) {
		return err
	}
	switch p.Type {
	case "uploads-off":
		return fmt.Errorf("%w; the worker takes no uploads: name another one with --worker URL", err)
	case "method-not-allowed":
		return fmt.Errorf("%w; the worker is of a release without uploads: name another one with --worker URL", err)
	case "too-large":
		return fmt.Errorf("%w; it is over a bound of the worker, for one object or for one account: name another one with --worker URL", err)
	case "no-room":
		return fmt.Errorf("%w; the worker has no room for it: name another one with --worker URL", err)
	}
	return err
}
