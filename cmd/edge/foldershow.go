package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/edgechain/edge/client/fetch"
)

// showEvery is how often the progress of a folder is told at most.
const showEvery = 100 * time.Millisecond

// folderShow shows how the fetch of a folder goes.
type folderShow struct {
	*display
	start time.Time

	mu sync.Mutex
	// total is what the folder has to be, in bytes, and done what of it is there.
	total, done uint64
	told        time.Time
	// fetched and existed count files, at all of their places.
	fetched, existed int
}

func newFolderShow(d *display) *folderShow { return &folderShow{display: d, start: time.Now()} }

// expect adds a file.
func (s *folderShow) expect(size uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total = addBytes(s.total, size)
}

// look shows what is worth knowing while manifests are fetched.
func (s *folderShow) look(e fetch.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.display.look(e)
}

// transfer returns what is told the events of one file, of which kept bytes were there before.
func (s *folderShow) transfer() func(kept uint64, e fetch.Event) {
	var before uint64
	return func(kept uint64, e fetch.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.done += kept + e.Done - before
		before = kept + e.Done
		s.show(e)
	}
}

// show tells an event, with the sums of the folder. The caller holds mu.
func (s *folderShow) show(e fetch.Event) {
	switch e.Kind {
	case fetch.EventWaiting, fetch.EventWorkerFailed:
	default:
		if now := time.Now(); now.Sub(s.told) >= showEvery {
			s.told = now
			s.event(fetch.Event{Kind: fetch.EventProgress, Worker: e.Worker, Done: s.done, Total: s.total})
		}
		return
	}
	e.Done, e.Total = s.done, s.total
	s.event(e)
}

// file tells what became of a file that was there at some of its places.
func (s *folderShow) file(f *folderFile, there int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.existed += there
	if err == nil {
		s.fetched += len(f.paths) - there
	}
	if there > 0 {
		s.done = addBytes(s.done, f.size)
	}
	if s.lines == nil {
		return
	}
	out := struct {
		Event   string   `json:"event"`
		Files   []string `json:"files"`
		Name    string   `json:"name"`
		Bytes   uint64   `json:"bytes"`
		Existed bool     `json:"existed,omitempty"`
		Error   string   `json:"error,omitempty"`
	}{Event: "file", Files: f.paths, Name: f.hash.String(), Bytes: f.size, Existed: there == len(f.paths)}
	if err != nil {
		out.Error = err.Error()
	}
	_ = s.lines.Encode(out)
}

// folderEnd is the last line about a folder.
type folderEnd struct {
	Event   string `json:"event"`
	Folder  string `json:"folder"`
	Folders int    `json:"folders"`
	// Fetched, Existed and Missing count files; Missing counts folders as well.
	Fetched           int               `json:"files_fetched"`
	Existed           int               `json:"files_existed"`
	Missing           map[string]string `json:"missing,omitempty"`
	Bytes             uint64            `json:"bytes"`
	Seconds           float64           `json:"seconds"`
	Paid              bool              `json:"paid"`
	AcknowledgedBytes uint64            `json:"acknowledged_bytes"`
	Unacknowledged    uint64            `json:"unacknowledged_bytes,omitempty"`
	AckError          string            `json:"acknowledge_error,omitempty"`
	Price             string            `json:"price,omitempty"`
	Denom             string            `json:"denom,omitempty"`
	Error             string            `json:"error,omitempty"`
}

// end tells what came of it. The error itself is told by main.
func (s *folderShow) end(f *folderGet, err error) error {
	if s.bar != nil {
		_ = s.bar.Finish()
	}
	all := f.sum.acknowledged()
	seconds := time.Since(s.start).Seconds()
	if s.lines != nil {
		out := folderEnd{
			Event: "done", Folder: f.dir, Folders: len(f.folders), Fetched: s.fetched, Existed: s.existed, Bytes: all.Bytes, Seconds: seconds, Paid: all.Paid,
			AcknowledgedBytes: all.AcknowledgedBytes, Unacknowledged: all.Unacknowledged, AckError: all.AckError, Price: all.Price, Denom: s.plan.denom,
		}
		if err != nil {
			out.Event, out.Error = "error", err.Error()
		}
		for p, fault := range f.faults {
			if out.Missing == nil {
				out.Missing = make(map[string]string)
			}
			out.Missing[p] = fault.Error()
		}
		return s.last(out)
	}
	f.listFaults(s.errs)
	if all.AckError != "" {
		fmt.Fprintln(s.errs, "edge: last acknowledgement not delivered:", all.AckError)
	}
	if s.quiet || err != nil && !errors.Is(err, errIncomplete) {
		return nil
	}
	_, err = fmt.Fprintf(s.text, "%s: %d files in %d folders, %d of them were there; %d bytes verified in %.2f s%s\n",
		f.dir, s.fetched+s.existed, len(f.folders)+1, s.existed, all.Bytes, seconds, paidFor(all, s.plan))
	return err
}

// paidFor tells what transfers have cost, for the summary.
func paidFor(r *fetch.Report, p *plan) string {
	if !r.Paid {
		return ", unpaid"
	}
	price := r.Price
	if _, ok := new(big.Int).SetString(price, 10); !ok {
		price = "an unknown amount of "
	}
	text := fmt.Sprintf(", %d bytes acknowledged for %s%s", r.AcknowledgedBytes, price, p.denom)
	if r.Unacknowledged > 0 {
		text += fmt.Sprintf("; %d bytes could not be acknowledged and will be with the next fetch", r.Unacknowledged)
	}
	return text
}

// listFaults tells what is missing, and why.
func (f *folderGet) listFaults(to io.Writer) {
	left := len(f.faults)
	for _, p := range slices.Sorted(maps.Keys(f.faults)) {
		if errors.Is(f.faults[p], context.Canceled) {
			left--
			continue
		}
		if n := len(f.faults) - left; n >= maxListedFaults {
			fmt.Fprintf(to, "and %d more\n", left)
			return
		}
		fmt.Fprintf(to, "missing: %s: %v\n", shown(p), f.faults[p])
		left--
	}
}
