package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgechain/edge/worker/report"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show how the running worker is", Args: args(cobra.NoArgs),
		Long:    "status asks the running worker how it is. It exits with 1 if the worker does not run or is not ready.",
		Example: "  edge-worker status\n  edge-worker status --output json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			var doc statusDoc
			if err := a.adminClient(&c).get(cmd.Context(), pathStatus, &doc); err != nil {
				return err
			}
			if a.output == "json" {
				err = writeJSON(cmd.OutOrStdout(), doc)
			} else {
				err = writeStatus(cmd.OutOrStdout(), &doc)
			}
			if err == nil && !doc.Ready {
				err = errors.New("the worker is not ready")
			}
			return err
		},
	}
}

func writeStatus(out io.Writer, doc *statusDoc) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, values ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", values...) }
	if doc.Ready {
		row("ready", "yes")
	}
	for _, part := range slices.Sorted(maps.Keys(doc.Reasons)) {
		row("not ready", "%s: %s", part, doc.Reasons[part])
	}
	row("version", "%s, up %s", doc.Version, doc.Uptime)
	row("listens on", "%s", doc.Listen)
	row("chain", "%s, height %d (%.1f s ago), epoch %d until %s", doc.Chain.ChainID, doc.Chain.Height, doc.Chain.LagSeconds, doc.Chain.Epoch, doc.Chain.EpochEnd)
	if doc.Worker.ID != 0 {
		row("worker", "%d of %s, %s", doc.Worker.ID, doc.Worker.Operator, doc.Worker.Status)
	}
	row("peer key", "%s", doc.PeerKey)
	row("hot account", "%s with %s", doc.Settling.Account, doc.Settling.FeeBalance)
	row("settlements", "%d, failures %d", doc.Settling.Settled, doc.Settling.Failed)
	if doc.Settling.LastHash != "" {
		row("last one", "%s at height %d", doc.Settling.LastHash, doc.Settling.LastHeight)
	}
	if doc.Settling.InFlight != "" {
		row("in flight", "%s", doc.Settling.InFlight)
	}
	if doc.Settling.LastFailure != "" {
		row("last failure", "%s", doc.Settling.LastFailure)
	}
	if doc.Settling.Problem != "" {
		row("problem", "%s", doc.Settling.Problem)
	}
	writeReport(row, doc.Report)
	row("sessions", "%d", doc.Sessions)
	row("content", "%d objects, %d of %d bytes", doc.Store.Objects, doc.Store.Used, doc.Store.MaxBytes)
	return t.Flush()
}

// writeReport says how the node's report of this epoch is. One that is missing makes nobody unready: the worker serves all the
// same. But the node falls out of the next elections.
func writeReport(row func(name, format string, values ...any), s *report.Status) {
	if s == nil {
		row("report", "left to others (report.enabled is false)")
		return
	}
	row("report", "epoch %d: %s", s.Epoch, s.State)
	if s.Late {
		row("", "late: the epoch is about to end; after %d further epochs without a report the node counts as opted out", s.EpochsLeft)
		row("", "the operator can send it: edged tx node report")
	}
	if s.Problem != "" {
		row("", "%s", s.Problem)
	}
}
