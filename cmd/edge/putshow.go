package main

import (
	"fmt"
	"io"
	"math/big"
	"path/filepath"
	"strings"
	"sync"

	"github.com/edgechain/edge/client/fetch"
	"github.com/edgechain/edge/client/put"
)

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

// putShow shows how uploads that run at a time go: lines name their files, and the bar is that of all of them. It is safe for
// concurrent use.
type putShow struct {
	mu sync.Mutex
	*display
	// total is what all files have, and done what of it was sent or was there, in bytes.
	total, done uint64
}

func newPutShow(d *display, waves [][]*put.File) *putShow {
	s := &putShow{display: d}
	for _, wave := range waves {
		for _, f := range wave {
			s.total = addBytes(s.total, f.Size)
		}
	}
	return s
}

// upload returns what is told the events of one file.
func (s *putShow) upload(f *put.File) func(fetch.Event) {
	var before uint64
	return func(e fetch.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.lines != nil {
			// A reader that went away shows in the line about the file, which is checked.
			_ = s.lines.Encode(newLine(f.Path, e))
			return
		}
		s.done += e.Done - before
		before = e.Done
		e.Done, e.Total = s.done, s.total
		s.event(e)
	}
}

// unacknowledged tells that a worker could not be given an acknowledgement.
func (s *putShow) unacknowledged(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.errs, "edge: last acknowledgement not delivered:", why)
}

// stored tells that a worker has a file.
func (s *putShow) stored(f *put.File, r *fetch.PutReport) error {
	url, err := fetch.ContentURL(r.WorkerURL, f.Name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines != nil {
		return s.lines.Encode(stored{
			Event: "stored", File: f.Path, Folder: f.Folder(), CID: f.Name.CID(), URL: url, Denom: s.plan.denom, PutReport: *r,
		})
	}
	if s.bar != nil {
		_ = s.bar.Clear()
	}
	state := fmt.Sprintf("kept until epoch %d, %d bytes acknowledged for %s%s", r.KeptUntilEpoch, r.AcknowledgedBytes, r.Price, s.plan.denom)
	if r.Existed {
		state = "was there"
		s.done += f.Size
	}
	_, err = fmt.Fprintf(s.text, "%s  %s\n  %s (%s)\n", f.Name, f.Path, url, state)
	return err
}

// end takes the bar away.
func (s *putShow) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Finish()
	}
}

// maxLeftOut bounds the files that are listed as left out.
const maxLeftOut = 5

// leftOut collects what of a folder is not uploaded.
type leftOut struct {
	paths []string
	n     int
}

func (l *leftOut) add(path string) {
	if l.n++; len(l.paths) < maxLeftOut {
		l.paths = append(l.paths, shown(filepath.Clean(path)))
	}
}

// tell says what is left out, in a line.
func (l *leftOut) tell(to io.Writer) {
	if l.n == 0 {
		return
	}
	more := ""
	if n := l.n - len(l.paths); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	fmt.Fprintf(to, "edge: left out, neither files nor folders: %s%s\n", strings.Join(l.paths, ", "), more)
}

// lost adds up what was paid for uploads that did not become whole. It is safe for concurrent use.
type lost struct {
	mu    sync.Mutex
	bytes uint64
	left  uint64
	price big.Int
	// unpriced is true if a price is not known.
	unpriced bool
}

func (l *lost) add(p fetch.Payment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes += p.AcknowledgedBytes
	l.left += p.Unacknowledged
	price, ok := new(big.Int).SetString(p.Price, 10)
	if !ok {
		l.unpriced = l.unpriced || p.AcknowledgedBytes > 0
		return
	}
	l.price.Add(&l.price, price)
}

// report returns the sums as those of a transfer.
func (l *lost) report() *fetch.Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &fetch.Report{Paid: true, Payment: fetch.Payment{AcknowledgedBytes: l.bytes, Unacknowledged: l.left}}
	if !l.unpriced {
		r.Price = l.price.String()
	}
	return r
}
