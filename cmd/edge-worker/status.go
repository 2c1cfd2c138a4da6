package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgechain/edge/worker/console"
)

// leastWatch bounds how often a watching terminal asks.
const leastWatch = time.Second

func (a *app) statusCommand() *cobra.Command {
	var watch time.Duration
	cmd := &cobra.Command{
		Use: "status", Short: "Show how the running worker is", Args: args(cobra.NoArgs),
		Long: `status asks the running worker how it is: health by part, what it serves, lanes and credit, money, what was earned by
epoch, content on disk and the chain. It exits with 1 if the worker does not run or is not ready. The same, with a picture over time, is
on the page of the admin listener (gateway.admin_listen). --output json prints the document that docs/operating-a-worker.md explains.`,
		Example: "  edge-worker status\n  edge-worker status --watch=5s\n  edge-worker status --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("watch") && watch < leastWatch {
				return usagef("--watch %s, want at least %s", watch, leastWatch)
			}
			c, err := a.load()
			if err != nil {
				return err
			}
			admin := a.adminClient(&c)
			show := func() error { return a.showStatus(cmd.Context(), admin, cmd.OutOrStdout(), watch > 0) }
			if watch == 0 {
				return show()
			}
			return a.watchStatus(cmd.Context(), watch, cmd.OutOrStdout(), show)
		},
	}
	cmd.Flags().DurationVar(&watch, "watch", 0, "ask again every so often, until it is interrupted")
	cmd.Flags().Lookup("watch").NoOptDefVal = "2s"
	return cmd
}

// errNotReady makes the command exit with 1.
var errNotReady = errors.New("the worker is not ready")

// showStatus asks once. Repeated documents are one to a line, so that programs can read them.
func (a *app) showStatus(ctx context.Context, admin *adminClient, out io.Writer, repeated bool) error {
	var doc console.Status
	err := admin.get(ctx, pathStatus, &doc)
	switch {
	case errors.Is(err, errNotRunning):
		return fmt.Errorf("%w: nobody listens at %s (gateway.admin_listen); start it with 'edge-worker start'", errNotRunning, strings.TrimPrefix(admin.base, "http://"))
	case err != nil:
		return err
	case doc.Schema != console.Schema:
		return fmt.Errorf("the worker answers in form %d, this program reads %d: use the program that the worker runs", doc.Schema, console.Schema)
	}
	switch {
	case a.output == "json" && repeated:
		err = writeJSONLine(out, &doc)
	case a.output == "json":
		err = writeJSON(out, &doc)
	default:
		err = writeStatus(out, &doc, time.Now())
	}
	if err == nil && !doc.Ready {
		err = errNotReady
	}
	return err
}

// watchStatus shows until the context ends; then it returns how the last one went. A worker that is away may come back.
func (a *app) watchStatus(ctx context.Context, every time.Duration, out io.Writer, show func() error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if a.output == "text" && isTerminal(out) {
			// Home, and clear what is below.
			if _, err := io.WriteString(out, "\x1b[H\x1b[2J"); err != nil {
				return err
			}
		}
		err := show()
		if err != nil && ctx.Err() == nil && a.output == "text" && !errors.Is(err, errNotReady) {
			if _, werr := fmt.Fprintln(out, err); werr != nil {
				return werr
			}
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
