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

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/fetch"
)

// partNote says what a FILE.part is a part of. It lies beside it as FILE.part.json.
type partNote struct {
	Name content.Name `json:"name"`
	// Range is as on the command line, empty for the whole object.
	Range string `json:"range,omitempty"`
}

// target is where the bytes go.
type target struct {
	name           content.Name
	offset, length uint64
	whole          bool

	out  io.Writer // standard output, or nil
	path string
	part *os.File
	lock *flock.Flock
	// kept is how many bytes of an earlier run FILE.part began with.
	kept uint64
}

func openTarget(cmd *cobra.Command, o *getOptions, name content.Name, offset, length uint64) (*target, error) {
	t := &target{name: name, offset: offset, length: length, whole: offset == 0 && length == content.ToEnd}
	switch o.file {
	case "-":
		t.out = cmd.OutOrStdout()
		return t, nil
	case "":
		o.file = name.String()
	}
	t.path = o.file
	if info, err := os.Stat(t.path); err == nil && info.IsDir() {
		return nil, usagef("%s is a folder", t.path)
	}
	if err := t.openPart(o); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *target) partPath() string { return t.path + ".part" }
func (t *target) notePath() string { return t.path + ".part.json" }

// openPart takes up FILE.part. A part of the same object and range is kept up to its last whole group; what has been
// verified then is on this machine's disk, and a whole object is verified again before it takes its name.
func (t *target) openPart(o *getOptions) (err error) {
	t.lock = flock.New(t.partPath(), flock.SetPermissions(0o644), flock.SetFlag(os.O_CREATE|os.O_RDWR))
	ok, err := t.lock.TryLock()
	if err != nil {
		return fmt.Errorf("open %s: %w", t.partPath(), err)
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
	note := partNote{Name: t.name, Range: o.span}
	info, err := t.part.Stat()
	if err != nil {
		return fmt.Errorf("open part: %w", err)
	}
	if size := uint64(info.Size()); size > 0 && !o.restart && t.sameNote(note) {
		t.kept = wholeGroups(t.offset, size)
		if t.length != content.ToEnd {
			t.kept = min(t.kept, t.length)
		}
	}
	if err := t.part.Truncate(int64(t.kept)); err != nil {
		return fmt.Errorf("open part: %w", err)
	}
	if _, err := t.part.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("open part: %w", err)
	}
	b, err := json.Marshal(note)
	if err != nil {
		return fmt.Errorf("encode note: %w", err)
	}
	return writeFile(t.notePath(), append(b, '\n'), 0o644)
}

// wholeGroups is how much of a part that begins at an offset ends with a whole group.
func wholeGroups(offset, size uint64) uint64 {
	end := (offset + size) / content.GroupSize * content.GroupSize
	if end <= offset {
		return 0
	}
	return end - offset
}

func (t *target) sameNote(want partNote) bool {
	b, err := readBounded(t.notePath(), maxKeyFile)
	if err != nil {
		return false
	}
	var note partNote
	return json.Unmarshal(b, &note) == nil && note == want
}

// fetch runs the transfer into the target. A whole object that began with the part of an earlier run is verified once
// more; if that part was damaged in between, the object is fetched anew.
func (t *target) fetch(ctx context.Context, c *fetch.Client, req fetch.Request) (fetch.Report, error) {
	if t.out != nil {
		w := bufio.NewWriterSize(t.out, 64<<10)
		req.Out = w
		report, err := c.Get(ctx, req)
		return report, errors.Join(err, w.Flush())
	}
	defer t.close()
	report, err := t.run(ctx, c, req)
	if err != nil || !t.whole || t.kept == 0 {
		return t.finish(report, err)
	}
	same, err := t.verify()
	if err != nil || same {
		return t.finish(report, err)
	}
	if err := t.rewind(); err != nil {
		return report, err
	}
	report, err = t.run(ctx, c, req)
	return t.finish(report, err)
}

// run fetches what the part lacks.
func (t *target) run(ctx context.Context, c *fetch.Client, req fetch.Request) (fetch.Report, error) {
	if t.kept > 0 {
		done, report, err := t.complete(req)
		if done || err != nil {
			return report, err
		}
		req.Offset += t.kept
		if req.Length != content.ToEnd {
			req.Length -= t.kept
		}
	}
	req.Out = t.part
	return c.Get(ctx, req)
}

// complete reports whether the part of an earlier run is all there is.
func (t *target) complete(req fetch.Request) (bool, fetch.Report, error) {
	report := fetch.Report{Name: t.name, Offset: req.Offset + t.kept, Verified: true}
	if t.length != content.ToEnd {
		return t.kept == t.length, report, nil
	}
	if !t.whole {
		return false, report, nil
	}
	same, err := t.verify()
	report.Size = t.kept
	return same, report, err
}

// verify hashes the part.
func (t *target) verify() (bool, error) {
	if _, err := t.part.Seek(0, io.SeekStart); err != nil {
		return false, fmt.Errorf("verify part: %w", err)
	}
	h := blake3.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{t.part}, make([]byte, 1<<20)); err != nil {
		return false, fmt.Errorf("verify part: %w", err)
	}
	return content.Name(h.Sum(nil)) == t.name, nil
}

func (t *target) rewind() error {
	t.kept = 0
	if err := t.part.Truncate(0); err != nil {
		return fmt.Errorf("begin anew: %w", err)
	}
	if _, err := t.part.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("begin anew: %w", err)
	}
	return nil
}

// finish makes what arrived durable, and gives it its name if it is whole.
func (t *target) finish(report fetch.Report, err error) (fetch.Report, error) {
	if syncErr := t.part.Sync(); syncErr != nil {
		return report, errors.Join(err, fmt.Errorf("write %s: %w", t.partPath(), syncErr))
	}
	if err != nil {
		info, statErr := t.part.Stat()
		if statErr == nil && info.Size() == 0 {
			// Nothing to go on from.
			return report, errors.Join(err, removeIfThere(t.partPath()), removeIfThere(t.notePath()))
		}
		return report, err
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
	var err error
	if t.part != nil {
		err = t.part.Close()
		t.part = nil
	}
	if t.lock != nil {
		err = errors.Join(err, t.lock.Unlock())
		t.lock = nil
	}
	return err
}
