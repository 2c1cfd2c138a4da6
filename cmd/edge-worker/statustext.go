package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/console"
	"github.com/edgechain/edge/worker/report"
)

// writeJSONLine writes a document in one line.
func writeJSONLine(out io.Writer, doc any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(doc)
}

// statusText writes sections of rows.
type statusText struct {
	tabs  *tabwriter.Writer
	first bool
}

// section begins with a title, and what stays as it is written behind it.
func (t *statusText) section(name string, after ...string) {
	if t.first {
		fmt.Fprintln(t.tabs)
	}
	t.first = true
	// A line without a tab ends the columns of the section before.
	fmt.Fprintln(t.tabs, strings.Join(append([]string{strings.ToUpper(name)}, after...), " "))
}

func (t *statusText) row(name, format string, values ...any) {
	fmt.Fprintf(t.tabs, "  "+name+"\t"+format+"\n", values...)
}

// writeStatus writes the document for people.
func writeStatus(out io.Writer, doc *console.Status, now time.Time) error {
	t := &statusText{tabs: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	writeHealth(t, doc)
	s := &doc.Served
	t.section("served")
	t.row("now", "%.1f requests/s, %s/s, %d requests under way", s.RequestsPerSecond, bytesText(uint64(s.BytesPerSecond)), s.InFlight)
	t.row("since start", "%d requests: %d answered, %d refused, %d failed", s.Requests, s.OK, s.Refused, s.Failed)
	t.row("content", "%s sent; payload: %s paid, %s free", bytesText(s.Bytes), bytesText(s.PaidBytes), bytesText(s.FreeBytes))
	t.row("clients", "%d sessions, %d connections", doc.Sessions, s.Connections)
	t.section("lanes and credit")
	t.row("lanes", "%d of at most %d", doc.Lanes.Held, doc.Lanes.Capacity)
	t.row("accounts", "%d in memory, %d streams wait for credit", doc.Lanes.Accounts, doc.Lanes.Waiting)
	t.row("credit", "%s for a stranger, %s at most, in %s", doc.Lanes.BaseCredit, doc.Lanes.MaxUnsettled, denomText(doc.Money.Denom))
	writeMoney(t, doc)
	writeEarned(t, &doc.Earned)
	t.section("store")
	t.row("content", "%d objects, %s of %s", doc.Store.Objects, bytesText(doc.Store.Used), bytesText(doc.Store.MaxBytes))
	t.row("kept", "%s pinned, %s for clients; %s can be evicted", bytesText(doc.Store.Pinned), bytesText(doc.Store.Held), bytesText(doc.Store.Evictable))
	if doc.Store.Room != nil {
		t.row("room", "%s for more", bytesText(*doc.Store.Room))
	}
	if doc.Store.Fault != "" {
		t.row("disk", "takes no writes: %s", doc.Store.Fault)
	}
	if doc.Store.Quarantined > 0 {
		t.row("damaged", "%d files are kept aside", doc.Store.Quarantined)
	}
	t.section("chain")
	t.row("chain", "%s, height %d (%.1f s ago)", doc.Chain.ChainID, doc.Chain.Height, doc.Chain.LagSeconds)
	t.row("epoch", "%d until %s%s", doc.Chain.Epoch, doc.Chain.EpochEnd, leftText(doc.Chain.EpochEnd, now))
	for _, e := range doc.Chain.Endpoints {
		state := "in order"
		if e.Used {
			state = "in use"
		}
		if !e.OK {
			state += ", " + e.Problem
			if !e.Used {
				state = e.Problem
			}
		}
		t.row("endpoint", "%s %s", e.Address, state)
	}
	writeReport(t, doc.Report)
	t.section("worker")
	t.row("version", "%s, up %s", doc.Version, doc.Uptime)
	if doc.Worker.ID != 0 {
		t.row("worker", "%d of %s, %s", doc.Worker.ID, doc.Worker.Operator, doc.Worker.Status)
	}
	t.row("peer key", "%s", doc.PeerKey)
	t.row("listens on", "%s", doc.Listen)
	t.row("memory", "%s%s, %d goroutines, %d of %d files open", bytesText(doc.Process.MemoryBytes), limitText(doc.Process.MemoryLimit),
		doc.Process.Goroutines, doc.Process.OpenFiles, doc.Process.MaxFiles)
	return t.tabs.Flush()
}

func writeHealth(t *statusText, doc *console.Status) {
	t.section("health")
	if doc.Ready {
		t.row("ready", "yes")
	} else {
		t.row("ready", "NO")
	}
	var fine []string
	for _, p := range doc.Health {
		if p.State == console.StateOK {
			fine = append(fine, p.Name)
			continue
		}
		t.row(p.Name, "%s: %s", p.State, p.Reason)
		if p.Advice != "" {
			t.row("", "%s", p.Advice)
		}
	}
	if len(fine) > 0 {
		t.row("in order", "%s", strings.Join(fine, ", "))
	}
}

func writeMoney(t *statusText, doc *console.Status) {
	m := &doc.Money
	t.section("money in", denomText(m.Denom))
	amount := func(a ackpool.Amount) string {
		if a.Value == nil {
			return "0"
		}
		return a.Value.String()
	}
	t.row("acknowledged", "%s", amount(m.Acknowledged))
	t.row("pending", "%s", amount(m.Pending))
	t.row("submitted", "%s", amount(m.Submitted))
	t.row("settled", "%s", amount(m.Settled))
	t.row("refused", "%s", amount(m.RefusedTotal()))
	for _, reason := range slices.Sorted(maps.Keys(m.Refused)) {
		t.row("", "%s as %s in %d lanes", amount(m.Refused[reason]), reason, m.Refused[reason].Lanes)
	}
	if m.Acknowledged.Value != nil {
		if err := m.Check(); err != nil {
			t.row("WRONG", "%s", err)
		}
	}
	s := &doc.Settling
	t.row("settlements", "%d in blocks, %d failed since the start", s.Settled, s.Failed)
	if s.LastHash != "" {
		t.row("last one", "%s at height %d", s.LastHash, s.LastHeight)
	}
	if s.InFlight != "" {
		t.row("in flight", "%s", s.InFlight)
	}
	if s.LastFailure != "" {
		t.row("last failure", "%s", s.LastFailure)
	}
	if s.Problem != "" {
		t.row("problem", "%s", s.Problem)
	}
	t.row("hot account", "%s with %s", s.Account, s.FeeBalance)
}

func writeEarned(t *statusText, e *console.Earned) {
	t.section("earned per epoch in", denomText(e.Denom))
	if len(e.Epochs) > 0 {
		t.row("epoch", "state\tpaid by clients\tfor the node\t%s\trequests\tcontent", e.TokenDenom)
	}
	for i := range e.Epochs {
		v := &e.Epochs[i]
		about := ""
		if v.State == console.EarnedOpen || v.State == console.EarnedClosing {
			about = "about "
		}
		t.row(fmt.Sprint(v.Epoch), "%s\t%s\t%s%s\t%s\t%d\t%s", v.State, v.Revenue, about, v.Node, v.Tokens, v.Requests, bytesText(v.Bytes))
		if v.Cause != "" {
			t.row("", "set aside: %s", v.Cause)
		}
	}
	switch {
	case e.Problem != "":
		t.row("problem", "%s", e.Problem)
	case len(e.Epochs) == 0:
		t.row("", "the chain was not asked yet")
	}
}

// writeReport says how the node's report of this epoch is. One that is missing makes nobody unready: the worker serves all the
// same. But the node falls out of the next elections.
func writeReport(t *statusText, s *report.Status) {
	if s == nil {
		t.row("report", "left to others (report.enabled is false)")
		return
	}
	t.row("report", "epoch %d: %s", s.Epoch, s.State)
	if s.Late {
		t.row("", "late: the epoch is about to end; after %d further epochs without a report the node counts as opted out", s.EpochsLeft)
		t.row("", "the operator can send it: edged tx node report")
	}
	if s.Problem != "" {
		t.row("", "%s", s.Problem)
	}
}

func denomText(denom string) string {
	if denom == "" {
		return "units of the settlement coin"
	}
	return denom
}

func limitText(limit uint64) string {
	if limit == 0 {
		return ""
	}
	return " of " + bytesText(limit)
}

// leftText says how far away a time of RFC 3339 is, nothing if it is past or no time.
func leftText(text string, now time.Time) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || !at.After(now) {
		return ""
	}
	return fmt.Sprintf(" (%s left)", at.Sub(now).Round(time.Second))
}

// bytesText writes a number of bytes with three digits and a binary unit.
func bytesText(n uint64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n), 0
	for f /= 1024; f >= 1023.5 && unit < len(units)-1; unit++ {
		f /= 1024
	}
	switch {
	case f < 9.995:
		return fmt.Sprintf("%.2f %ciB", f, units[unit])
	case f < 99.95:
		return fmt.Sprintf("%.1f %ciB", f, units[unit])
	}
	return fmt.Sprintf("%.0f %ciB", f, units[unit])
}
