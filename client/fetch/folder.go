package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/zeebo/blake3"
	"golang.org/x/text/unicode/norm"

	"github.com/edgechain/edge/client/content"
)

// ErrNoEntry reports a path that leads nowhere in a folder.
var ErrNoEntry = errors.New("the folder has no such path")

// manifestBuffer takes a manifest. It ends a transfer whose first bytes are not those of one, or that has too many, so that no
// more is paid of what is no folder.
type manifestBuffer struct {
	bytes.Buffer
	fault error
}

// Write implements Writer.
func (b *manifestBuffer) Write(p []byte) (int, error) {
	switch {
	case b.Len() == 0 && !content.IsManifest(p):
		b.fault = fmt.Errorf("%w: it does not begin like one", content.ErrManifest)
	case b.Len()+len(p) > content.MaxManifestSize:
		b.fault = fmt.Errorf("%w: over %d bytes", content.ErrManifest, content.MaxManifestSize)
	default:
		return b.Buffer.Write(p)
	}
	return 0, b.fault
}

// Manifests keeps manifests from one run to the next.
type Manifests interface {
	// Load returns what is kept of a manifest, nil if nothing is. It is verified before it is used.
	Load(name content.Name) []byte
	// Store keeps one that has verified.
	Store(name content.Name, manifest []byte) error
}

// kept returns the manifest that a request names if it is kept, nil if not.
func (req *Request) kept() []byte {
	if req.Manifests == nil {
		return nil
	}
	b := req.Manifests.Load(req.Name)
	if b == nil || req.Size != nil && *req.Size != uint64(len(b)) || content.Name(blake3.Sum256(b)) != req.Name {
		return nil
	}
	return b
}

// Folder fetches the manifest of the folder that a request names, and returns its entries in the byte order of their names.
// Out and the range of the request do not matter. One that is kept is not fetched. It returns content.ErrManifest if the name is that of something else.
func (b *Batch) Folder(ctx context.Context, req Request) ([]content.Entry, Report, error) {
	if m := req.kept(); m != nil {
		entries, err := content.DecodeManifest(m)
		return entries, Report{Name: req.Name, Size: uint64(len(m)), Verified: true, Paid: b.client.payer != nil}, err
	}
	manifest := new(manifestBuffer)
	req.Offset, req.Length, req.Out = 0, content.ToEnd, manifest
	report, err := b.Get(ctx, req)
	if manifest.fault != nil {
		return nil, report, manifest.fault
	}
	if err != nil {
		return nil, report, err
	}
	entries, err := content.DecodeManifest(manifest.Bytes())
	if err == nil && req.Manifests != nil {
		if err = req.Manifests.Store(req.Name, manifest.Bytes()); err != nil {
			err = fmt.Errorf("%w: %w", ErrWrite, err)
		}
	}
	return entries, report, err
}

// SplitPath takes a path below a folder apart and brings its names into normal form C, in which manifests have them. A slash
// at the end is dropped: it says that the path is a folder's. It returns content.ErrManifest for a path that no folder can
// have.
func SplitPath(path string) (names []string, folder bool, err error) {
	if path == "" {
		return nil, true, nil
	}
	path, folder = strings.CutSuffix(path, "/")
	for name := range strings.SplitSeq(path, "/") {
		name = norm.NFC.String(name)
		if err := content.ValidEntryName(name); err != nil {
			return nil, false, err
		}
		names = append(names, name)
	}
	if len(names) > content.MaxFolderDepth {
		return nil, false, fmt.Errorf("%w: %d folders deep, want at most %d", content.ErrManifest, len(names), content.MaxFolderDepth)
	}
	return names, folder, nil
}

// Find follows names from the folder that a request names to an entry below it. Each manifest on the way is fetched, verified
// by the hash that the one above has for it, and handed to seen with what its transfer came to. It returns ErrNoEntry if the
// names lead nowhere, and content.ErrManifest if something on the way is no folder.
func (b *Batch) Find(ctx context.Context, req Request, names []string, seen func(Report)) (content.Entry, error) {
	at := content.Entry{Kind: content.KindFolder, Hash: req.Name}
	for i, name := range names {
		where := strings.Join(names[:i], "/")
		if at.Kind != content.KindFolder {
			return content.Entry{}, fmt.Errorf("%w: %q is a file", ErrNoEntry, where)
		}
		req.Name = at.Hash
		if i > 0 {
			req.Size = &at.Size
		}
		entries, report, err := b.Folder(ctx, req)
		seen(report)
		if err != nil {
			if i > 0 {
				err = fmt.Errorf("folder %q: %w", where, err)
			}
			return content.Entry{}, err
		}
		e := content.FindEntry(entries, name)
		if e == nil {
			return content.Entry{}, fmt.Errorf("%w: nothing is called %q in it", ErrNoEntry, strings.Join(names[:i+1], "/"))
		}
		at = *e
	}
	return at, nil
}
