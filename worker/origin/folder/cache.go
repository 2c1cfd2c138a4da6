package folder

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/edgechain/edge/client/content"
)

// maxLine bounds an entry of the file in bytes: two paths of 4 KiB, escaped.
const maxLine = 64 << 10

// line is an entry of the file, one JSON object a line.
type line struct {
	Folder   string       `json:"folder"`
	Path     string       `json:"path"`
	Size     int64        `json:"size"`
	Modified int64        `json:"modified"`
	Name     content.Name `json:"name"`
}

// load reads the file. Files of folders that are configured no more are left out.
func (x *Index) load() (err error) {
	if x.cfg.CacheFile == "" {
		return nil
	}
	f, err := os.Open(x.cfg.CacheFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return x.read(f)
}

func (x *Index) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() && len(x.files) < x.cfg.MaxFiles {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return err
		}
		if !slices.Contains(x.cfg.Folders, l.Folder) {
			continue
		}
		if l.Path == "." || !fs.ValidPath(l.Path) || l.Size < 0 {
			return fmt.Errorf("entry of %q", l.Path)
		}
		at := place{l.Folder, l.Path}
		x.files[at], x.names[l.Name] = indexed{l.Size, l.Modified, l.Name}, at
	}
	return lines.Err()
}

// save writes the file aside and renames it. It is a cache: a crash costs a look at all files, so nothing is synced.
func (x *Index) save() (err error) {
	if x.cfg.CacheFile == "" {
		return nil
	}
	x.mu.RLock()
	lines := make([]line, 0, len(x.files))
	for at, f := range x.files {
		lines = append(lines, line{at.folder, at.path, f.size, f.modified, f.name})
	}
	x.mu.RUnlock()
	f, err := os.OpenFile(x.cfg.CacheFile+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("save the index of folders: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("save the index of folders: %w", errors.Join(err, os.Remove(f.Name())))
		}
	}()
	w := bufio.NewWriter(f)
	encoder := json.NewEncoder(w)
	for _, l := range lines {
		if err := encoder.Encode(l); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), x.cfg.CacheFile)
}
