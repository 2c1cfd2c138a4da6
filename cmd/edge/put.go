package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgechain/edge/client/fetch"
	"github.com/edgechain/edge/client/put"
)

func newPutCommand(a *app) *cobra.Command {
	var o getOptions
	cmd := &cobra.Command{
		Use:   "put FILE|FOLDER",
		Short: "Upload content to a worker, paid as it is sent",
		Long: `Uploads a file, or a folder, to a worker that takes uploads, and prints names and addresses to share. Of a folder the
regular files are uploaded, then the manifests of its folders; the last name is that of the folder itself. The names are taken
first; the worker verifies the bytes against them and keeps nothing else. The worker is one of the chain's registry, or those
that --worker names, tried in order.

An upload costs what a download of as many bytes does, and is paid with a client key (edge account add-key). What a worker has
already is skipped and costs nothing, so an upload that broke off goes on when the same command is given again; it is then not kept
any longer than it was.

--output json prints a JSON object per line: start, progress, acknowledged, waiting and worker_failed, and stored for each
file.`,
		Example: `  edge put file.iso
  edge put photos/ --worker http://localhost:8080
  edge put file.iso --output json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.put(cmd, args[0], &o) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.workers, flagWorker, nil, "URL of a worker's gateway; can be given several times (default the chain's registry)")
	f.Uint64Var(&o.key, flagKey, 0, "id of the client key that pays (default the newest usable one)")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no progress bar")
	f.IntVar(&o.retries, "retries", 6, "tries with a worker that makes no progress, before it is given up")
	f.DurationVar(&o.maxWait, "max-wait", 5*time.Minute, "longest wait for credit or a busy worker without progress")
	return cmd
}

// stored is the line about a file.
type stored struct {
	Event string `json:"event"`
	File  string `json:"file"`
	// Folder says that the object is the manifest of a folder.
	Folder bool   `json:"folder,omitempty"`
	CID    string `json:"cid"`
	URL    string `json:"url"`
	Denom  string `json:"denom,omitempty"`
	fetch.PutReport
}

func (a *app) put(cmd *cobra.Command, path string, o *getOptions) error {
	files, err := put.Find(path)
	if err != nil {
		return &usageError{err}
	}
	ctx := cmd.Context()
	if err := put.Name(ctx, files); err != nil {
		return err
	}
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() {
		// Behind all files: who has the name of a folder has all that it names.
		manifests, err := put.Manifests(ctx, path, files)
		if err != nil {
			return err
		}
		files = append(files, manifests...)
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
	batch := client.Batch()
	for i := range files {
		if err = a.putFile(ctx, cmd, batch, plan, o, &files[i]); err != nil {
			err = fmt.Errorf("%s: %w", files[i].Path, err)
			break
		}
	}
	_, closeErr := batch.Close(ctx)
	return errors.Join(err, closeErr)
}

// putFile uploads one file and prints its name.
func (a *app) putFile(ctx context.Context, cmd *cobra.Command, batch *fetch.Batch, p *plan, o *getOptions, file *put.File) (err error) {
	f, err := file.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	show := newDisplay(cmd, a.output, o, p)
	report, err := batch.Put(ctx, fetch.PutRequest{
		Name: file.Name, Size: file.Size, From: f, Workers: p.workers, Progress: show.event,
	})
	report.Payment = batch.Acknowledge(ctx)
	if show.bar != nil {
		_ = show.bar.Finish()
	}
	if report.AckError != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "edge: last acknowledgement not delivered:", report.AckError)
	}
	if err != nil {
		return errors.Join(adviseUpload(err), file.Check())
	}
	url, err := fetch.ContentURL(report.WorkerURL, file.Name)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if a.output == outputJSON {
		return json.NewEncoder(out).Encode(stored{
			Event: "stored", File: file.Path, Folder: file.Folder(), CID: file.Name.CID(), URL: url, Denom: p.denom, PutReport: report,
		})
	}
	state := fmt.Sprintf("kept until epoch %d, %d bytes acknowledged for %s%s", report.KeptUntilEpoch, report.AcknowledgedBytes, report.Price, p.denom)
	if report.Existed {
		state = "was there"
	}
	_, err = fmt.Fprintf(out, "%s  %s\n  %s (%s)\n", file.Name, file.Path, url, state)
	return err
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
	case "too-large", "no-room":
		return fmt.Errorf("%w; the worker has no room for it: name another one with --worker URL", err)
	}
	return err
}
