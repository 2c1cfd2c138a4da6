package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
)

// existing reports whether the file that an object is to go to has its bytes already, and how many those are. Of an object that can turn
// out to be a folder, the file is its manifest, and not what is wanted.
func (o *getOptions) existing(ctx context.Context, e *content.Entry, below bool) (size uint64, ok bool, err error) {
	if o.file == "-" || o.span != "" || o.restart {
		return 0, false, nil
	}
	info, err := os.Lstat(o.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("look for the file: %w", err)
	}
	size = uint64(info.Size())
	if !info.Mode().IsRegular() || below && size != e.Size {
		return 0, false, nil
	}
	f, err := os.Open(o.file)
	if err != nil {
		return 0, false, nil //nolint:nilerr // what cannot be read is replaced
	}
	h := blake3.New()
	if err := errors.Join(copyAll(ctx, h, f), f.Close()); err != nil {
		return 0, false, fmt.Errorf("read the file that is there: %w", err)
	}
	if content.Name(h.Sum(nil)) != e.Hash {
		return 0, false, nil
	}
	if !below && !o.manifest && size <= content.MaxManifestSize {
		b, err := os.ReadFile(o.file)
		if err != nil {
			return 0, false, fmt.Errorf("read the file that is there: %w", err)
		}
		if _, err := content.DecodeManifest(b); err == nil {
			return 0, false, nil
		}
	}
	return size, true, nil
}
