package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/edgechain/edge/client/fetch"
)

// display shows how a fetch goes: JSON lines if they were asked for, else a bar on a terminal and nothing elsewhere.
type display struct {
	plan  *plan
	quiet bool

	lines *json.Encoder
	text  io.Writer // for the summary
	errs  io.Writer
	term  bool
	bar   *progressbar.ProgressBar
	noted string
}

func newDisplay(cmd *cobra.Command, output string, o *getOptions, p *plan) *display {
	d := &display{plan: p, quiet: o.quiet, text: cmd.OutOrStdout(), errs: cmd.ErrOrStderr()}
	if o.file == "-" {
		d.text = cmd.ErrOrStderr()
	}
	if output == outputJSON {
		d.lines = json.NewEncoder(d.text)
		return d
	}
	f, ok := cmd.ErrOrStderr().(*os.File)
	d.term = ok && term.IsTerminal(int(f.Fd())) && !o.quiet
	return d
}

// line is an event as JSON.
type line struct {
	Event        string  `json:"event"`
	File         string  `json:"file,omitempty"`
	WorkerID     uint64  `json:"worker_id,omitempty"`
	WorkerURL    string  `json:"worker_url,omitempty"`
	Bytes        uint64  `json:"bytes"`
	Total        uint64  `json:"total,omitempty"`
	Acknowledged uint64  `json:"acknowledged_bytes"`
	Reason       string  `json:"reason,omitempty"`
	WaitSeconds  float64 `json:"wait_seconds,omitempty"`
}

// newLine returns the line of an event, about one file of several if it names one.
func newLine(file string, e fetch.Event) line {
	return line{
		Event: string(e.Kind), File: file, WorkerID: e.Worker.ID, WorkerURL: e.Worker.URL, Bytes: e.Done, Total: e.Total,
		Acknowledged: e.Acknowledged, Reason: e.Reason, WaitSeconds: e.Wait.Seconds(),
	}
}

func (d *display) event(e fetch.Event) {
	if d.lines != nil {
		// A reader that went away shows in the last line, which is checked.
		_ = d.lines.Encode(newLine("", e))
		return
	}
	if d.quiet {
		return
	}
	if e.Kind == fetch.EventWaiting || e.Kind == fetch.EventWorkerFailed {
		d.note(e)
		return
	}
	if !d.term || e.Total == 0 {
		return
	}
	if d.bar == nil {
		d.bar = progressbar.NewOptions64(int64(e.Total),
			progressbar.OptionSetWriter(d.errs), progressbar.OptionShowBytes(true), progressbar.OptionUseIECUnits(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
	}
	// What the bar cannot show is no reason to stop.
	_ = d.bar.Set64(int64(min(e.Done, e.Total)))
}

// look shows what is worth knowing while manifests are fetched: not how much of them is there.
func (d *display) look(e fetch.Event) {
	if e.Kind == fetch.EventWaiting || e.Kind == fetch.EventWorkerFailed {
		d.event(e)
	}
}

// endSearch tells that what the name stands for was not found, or no file was opened for it, and what the search has cost.
func (d *display) endSearch(all *fetch.Report, err error) error {
	if d.lines == nil || err == nil {
		return nil
	}
	out := struct {
		Event             string `json:"event"`
		AcknowledgedBytes uint64 `json:"acknowledged_bytes"`
		Price             string `json:"price,omitempty"`
		Denom             string `json:"denom,omitempty"`
		Error             string `json:"error"`
	}{"error", all.AcknowledgedBytes, all.Price, d.plan.denom, err.Error()}
	return d.last(out)
}

// last writes the last line, which whoever reads the lines waits for.
func (d *display) last(line any) error {
	if err := d.lines.Encode(line); err != nil {
		return fmt.Errorf("write the last line: %w", err)
	}
	return nil
}

// note says once why the transfer waits or changes the worker.
func (d *display) note(e fetch.Event) {
	text := fmt.Sprintf("%s: %s", e.Worker, e.Reason)
	if text == d.noted {
		return
	}
	d.noted = text
	if d.bar != nil {
		_ = d.bar.Clear()
	}
	switch {
	case e.Kind == fetch.EventWorkerFailed:
		fmt.Fprintln(d.errs, "edge: trying another worker:", e.Reason)
	case d.term:
		fmt.Fprintf(d.errs, "edge: waiting: %s\n", text)
	}
}

// end tells what came of it. The error itself is told by main.
func (d *display) end(t *target, r fetch.Report, err error) error {
	if d.bar != nil {
		_ = d.bar.Finish()
	}
	if d.lines != nil {
		return d.endJSON(t, r, err)
	}
	var fault error
	if err == nil && !d.quiet {
		where := "standard output"
		if t.out == nil {
			where = t.path
		}
		what := describe(&r, d.plan)
		if t.existed {
			what = fmt.Sprintf("%d bytes were there and have verified: nothing of it was fetched", r.Size)
			if r.AcknowledgedBytes > 0 {
				what += paidFor(&r, d.plan) // of the manifests on the way
			}
		}
		_, fault = fmt.Fprintf(d.text, "%s: %s\n", where, what)
	}
	if r.AckError != "" {
		fmt.Fprintln(d.errs, "edge: last acknowledgement not delivered:", r.AckError)
	}
	return fault
}

func (d *display) endJSON(t *target, r fetch.Report, err error) error {
	out := struct {
		Event string `json:"event"`
		fetch.Report
		File    string `json:"file,omitempty"`
		Existed bool   `json:"existed,omitempty"`
		Kept    uint64 `json:"resumed_bytes,omitempty"`
		Denom   string `json:"denom,omitempty"`
		Error   string `json:"error,omitempty"`
		// Group is the index of the group that did not verify.
		Group *uint64 `json:"group,omitempty"`
	}{Event: "done", Report: r, File: t.path, Existed: t.existed, Kept: t.kept, Denom: d.plan.denom}
	if err != nil {
		out.Event, out.Error = "error", err.Error()
		var corrupt *fetch.CorruptError
		if errors.As(err, &corrupt) {
			out.Group, out.WorkerID, out.WorkerURL = &corrupt.Group, corrupt.WorkerID, corrupt.URL
		}
	}
	return d.last(out)
}
