package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/fetch"
)

const (
	// checkpointEvery bounds what a crash costs: after so much time what arrived is made durable and noted, beside the
	// transfer, which goes on.
	checkpointEvery = time.Second
)

// partNote says what a FILE.part is a part of, and how much of it has verified. It lies beside it as FILE.part.json.
type partNote struct {
	Name content.Name `json:"name"`
	// Range is as on the command line, empty for the whole object.
	Range string `json:"range,omitempty"`
	// Kept is how many bytes of the part have verified and are on disk, and Hash the BLAKE3 of those.
	Kept uint64       `json:"kept"`
	Hash content.Name `json:"hash"`
	// Complete is true if these are all: the range has its length, or the end of the object was proven.
	Complete bool `json:"complete,omitempty"`
}

// target is where the bytes go.
type target struct {
	name           content.Name
	offset, length uint64
	whole          bool
	// size that a folder says the object has, nil if none does.
	size *uint64
	// sniffs is true while nothing says that the object is no folder. Nothing is on disk until then. manifest is what arrived,
	// and entries is what it holds once it is whole.
	sniffs   bool
	manifest []byte
	entries  []content.Entry
	options  *getOptions

	out  io.Writer // standard output, or nil
	path string
	part *os.File
	lock *flock.Flock
	// existed is true if the file was there already, and nothing is fetched.
	existed bool
	// kept is how many bytes of an earlier run FILE.part began with, all of them verified.
	kept uint64

	note partNote
	// hash is of the first hashed bytes of the part. Bytes that verified need no hash but for the note, so it is made of what
	// the file holds when a note is due, and a transfer that is over before that does without.
	hash    *blake3.Hasher
	hashed  uint64
	written uint64
	noted   time.Time
	// noting receives what became of the checkpoint that is under way; nil if none is. It owns note, hash and hashed meanwhile.
	noting chan error
}

// openTarget opens what the object with a name goes to. If it is not below a folder and no range of it is wanted, it may turn
// out to be a folder.
func openTarget(cmd *cobra.Command, o *getOptions, e *content.Entry, below bool, offset, length uint64) (*target, error) {
	t := &target{name: e.Hash, offset: offset, length: length, whole: offset == 0 && length == content.ToEnd, options: o}
	if below {
		t.size = &e.Size
	}
	if o.file == "-" {
		t.out = cmd.OutOrStdout()
		return t, nil
	}
	t.path = o.file
	// A part is one of a file.
	if _, err := os.Lstat(t.partPath()); t.whole && !below && !o.manifest && errors.Is(err, fs.ErrNotExist) {
		t.sniffs = true
		return t, nil
	}
	return t, t.openFile()
}

// openFile takes up the file that the object goes to.
func (t *target) openFile() error {
	if info, err := os.Stat(t.path); err == nil && info.IsDir() {
		return usagef("%s is a folder, and %s is none: name a file with -o", t.path, t.name)
	}
	return t.openPart(t.options)
}

// spill ends the looking for a manifest: it is a file.
func (t *target) spill() error {
	t.sniffs = false
	if err := t.openFile(); err != nil {
		return err
	}
	if _, err := t.Write(t.manifest); err != nil {
		return err
	}
	t.manifest = nil
	return nil
}

// isFolder reports whether the object turned out to be a folder, and makes it a file if not.
func (t *target) isFolder() (bool, error) {
	if !t.sniffs {
		return false, nil
	}
	if entries, err := content.DecodeManifest(t.manifest); err == nil {
		t.entries = entries
		return true, nil
	}
	return false, t.spill()
}

func (t *target) partPath() string { return t.path + ".part" }
func (t *target) notePath() string { return t.path + ".part.json" }

// openPart takes up FILE.part. Of a part of the same object and range that is kept which had verified when it was noted
// and still has the hash that was noted then; anything else is fetched anew.
func (t *target) openPart(o *getOptions) (err error) {
	t.lock = flock.New(t.partPath(), flock.SetPermissions(0o644), flock.SetFlag(os.O_CREATE|os.O_RDWR))
	ok, err := t.lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock part: %w", err)
	}
	if !ok {
		return fmt.Errorf("%s is being written by another edge get", t.partPath())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	if t.part, err = os.OpenFile(t.partPath(), os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return fmt.Errorf("open part: %w", err)
	}
	t.note = partNote{Name: t.name, Range: o.span}
	var earlier partNote
	if !o.restart {
		earlier = t.earlierNote()
	}
	keep, err := t.usable(earlier)
	if err != nil {
		return err
	}
	t.note.Complete = keep > 0 && keep == earlier.Kept && earlier.Complete
	return t.cut(keep)
}

// earlierNote returns the note of an earlier run for the same object and range, empty if there is none.
func (t *target) earlierNote() partNote {
	b, err := readBounded(t.notePath(), maxKeyFile)
	if err != nil {
		return partNote{}
	}
	var note partNote
	if json.Unmarshal(b, &note) != nil || note.Name != t.note.Name || note.Range != t.note.Range {
		return partNote{}
	}
	return note
}

// usable returns how many bytes of the part are known to be right: those that were noted if they still have their hash, or
// all of them if they have the hash of the object.
func (t *target) usable(note partNote) (uint64, error) {
	if note.Name != t.name {
		return 0, nil
	}
	info, err := t.part.Stat()
	if err != nil {
		return 0, fmt.Errorf("open part: %w", err)
	}
	size := uint64(info.Size())
	if note.Kept > 0 && note.Kept <= min(size, t.length) {
		h, err := t.hashPart(note.Kept)
		if err != nil {
			return 0, err
		}
		if content.Name(h.Sum(nil)) == note.Hash {
			return note.Kept, nil
		}
	}
	if t.whole && size > 0 && size != note.Kept {
		// It may have become whole after the last note.
		h, err := t.hashPart(size)
		if err != nil {
			return 0, err
		}
		if content.Name(h.Sum(nil)) == t.name {
			return size, nil
		}
	}
	return 0, nil
}

// hashPart hashes the first n bytes of the part.
func (t *target) hashPart(n uint64) (*blake3.Hasher, error) {
	h := blake3.New()
	return h, t.hashOn(h, 0, n)
}

// hashOn adds the bytes [from, to) of the part to a hash.
func (t *target) hashOn(h *blake3.Hasher, from, to uint64) error {
	r := struct{ io.Reader }{io.NewSectionReader(t.part, int64(from), int64(to-from))}
	read, err := io.CopyBuffer(h, r, make([]byte, 1<<20))
	if err == nil && uint64(read) != to-from {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("verify part: %w", err)
	}
	return nil
}

// cut makes the part begin with its first n bytes, all of them verified, and notes that.
func (t *target) cut(n uint64) error {
	if err := t.wait(); err != nil {
		return err
	}
	h, err := t.hashPart(n)
	if err != nil {
		return err
	}
	if err := t.part.Truncate(int64(n)); err != nil {
		return fmt.Errorf("cut part: %w", err)
	}
	if _, err := t.part.Seek(int64(n), io.SeekStart); err != nil {
		return fmt.Errorf("cut part: %w", err)
	}
	t.kept, t.written, t.hash, t.hashed = n, n, h, n
	return t.checkpoint()
}

// Write takes verified bytes. It implements fetch.Writer.
func (t *target) Write(p []byte) (int, error) {
	if t.sniffs {
		if (len(t.manifest) > 0 || content.IsManifest(p)) && len(t.manifest)+len(p) <= content.MaxManifestSize {
			t.manifest = append(t.manifest, p...)
			return len(p), nil
		}
		if err := t.spill(); err != nil {
			return 0, err
		}
	}
	n, err := t.part.Write(p)
	t.written += uint64(n)
	if err != nil {
		return n, err
	}
	if time.Since(t.noted) < checkpointEvery {
		return n, nil
	}
	if t.noting != nil {
		select {
		case err := <-t.noting:
			t.noting = nil
			if err != nil {
				return n, err
			}
		default:
			return n, nil // the disk is slower than that
		}
	}
	t.noted = time.Now()
	noting, upTo := make(chan error, 1), t.written
	t.noting = noting
	go func() { noting <- t.notePart(upTo) }()
	return n, nil
}

// wait returns what became of the checkpoint that is under way.
func (t *target) wait() error {
	if t.noting == nil {
		return nil
	}
	err := <-t.noting
	t.noting = nil
	return err
}

// checkpoint makes what is written durable, and only then notes that it has verified.
func (t *target) checkpoint() error {
	if err := t.wait(); err != nil {
		return err
	}
	t.noted = time.Now()
	return t.notePart(t.written)
}

// notePart is checkpoint for the first n bytes of the part.
func (t *target) notePart(n uint64) error {
	if err := t.part.Sync(); err != nil {
		return fmt.Errorf("write %s: %w", t.partPath(), err)
	}
	sum, err := t.sum(n)
	if err != nil {
		return err
	}
	t.note.Kept, t.note.Hash = n, sum
	b, err := json.Marshal(t.note)
	if err != nil {
		return fmt.Errorf("encode note: %w", err)
	}
	return writeFile(t.notePath(), append(b, '\n'), 0o644)
}

// sum is the hash of the first n bytes of the part, at least as many as it was asked for before.
func (t *target) sum(n uint64) (content.Name, error) {
	if err := t.hashOn(t.hash, t.hashed, n); err != nil {
		return content.Name{}, err
	}
	t.hashed = n
	return content.Name(t.hash.Sum(nil)), nil
}

// fetch runs the transfer into the target.
func (t *target) fetch(ctx context.Context, b *fetch.Batch, req fetch.Request) (fetch.Report, error) {
	req.Size = t.size
	if t.out != nil {
		w := bufio.NewWriterSize(t.out, 64<<10)
		req.Out = w
		report, err := b.Get(ctx, req)
		return report, errors.Join(err, w.Flush())
	}
	defer t.close()
	report, err := t.run(ctx, b, req)
	if err == nil {
		var folder bool
		if folder, err = t.isFolder(); folder {
			return report, nil
		}
	}
	if t.part == nil {
		// Nothing is on disk.
		return report, err
	}
	if t.kept > 0 && errors.Is(err, fetch.ErrRange) {
		// Either the part ended with the object, and the run before did not live to note it, or the worker lies. The last
		// group is fetched again: it proves where the object ends, and costs next to nothing if the worker does lie.
		if err := t.cut(t.groupsBefore(t.kept)); err != nil {
			return report, err
		}
		report, err = t.run(ctx, b, req)
	}
	return t.finish(report, err)
}

// groupsBefore is how much of the first n bytes of the part, at least 1, is left without their last group.
func (t *target) groupsBefore(n uint64) uint64 {
	start := (t.offset + n - 1) / content.GroupSize * content.GroupSize
	return start - min(start, t.offset)
}

// run fetches what the part lacks.
func (t *target) run(ctx context.Context, b *fetch.Batch, req fetch.Request) (fetch.Report, error) {
	if t.kept > 0 && t.complete() {
		report := fetch.Report{Name: t.name, Offset: req.Offset + t.kept, Verified: true}
		if t.whole {
			report.Size = t.kept
		}
		return report, nil
	}
	req.Offset += t.kept
	if req.Length != content.ToEnd {
		req.Length -= t.kept
	}
	req.Out = t
	report, err := b.Get(ctx, req)
	if err == nil && t.whole && t.kept > 0 {
		// Every part of it verified when it came; if what an earlier run left is not the object's, the machine is at fault,
		// not the worker.
		if err := t.wait(); err != nil {
			return report, err
		}
		sum, err := t.sum(t.written)
		if err == nil && sum != t.name {
			err = errors.Join(errDamaged, t.cut(0))
		}
		report.Verified = err == nil
		return report, err
	}
	return report, err
}

// errDamaged reports verified bytes that are not what they were.
var errDamaged = errors.New("what was written is not the object, although each group verified; this machine's memory or disk may be faulty")

// complete reports whether what is kept is all there is.
func (t *target) complete() bool {
	return t.note.Complete || t.kept == t.length || t.whole && t.note.Hash == t.name
}

// finish makes what arrived durable, and gives it its name if it is whole.
func (t *target) finish(report fetch.Report, err error) (fetch.Report, error) {
	if err == nil {
		// The name says all that a note would.
		if err = t.wait(); err == nil {
			if err = t.part.Sync(); err != nil {
				err = fmt.Errorf("write %s: %w", t.partPath(), err)
			}
		}
		if err != nil {
			return report, err
		}
	} else {
		if err := errors.Join(err, t.checkpoint()); t.written > 0 {
			return report, err
		}
		// Nothing to go on from.
		return report, errors.Join(err, removeIfThere(t.partPath()), removeIfThere(t.notePath()))
	}
	if err := os.Rename(t.partPath(), t.path); err != nil {
		return report, fmt.Errorf("name the file: %w", err)
	}
	if err := removeIfThere(t.notePath()); err != nil {
		return report, err
	}
	if err := syncFolder(filepath.Dir(t.path)); err != nil {
		return report, fmt.Errorf("name the file: %w", err)
	}
	return report, nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (t *target) close() error {
	err := t.wait()
	if t.part != nil {
		err = errors.Join(err, t.part.Close())
		t.part = nil
	}
	if t.lock != nil {
		err = errors.Join(err, t.lock.Unlock())
		t.lock = nil
	}
	return err
}
