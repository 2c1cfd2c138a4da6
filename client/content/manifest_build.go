package content

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zeebo/blake3"
	"golang.org/x/text/unicode/norm"
)

// FolderSink takes the parts of a folder.
type FolderSink struct {
	// File takes the file at a path and returns its name and size in bytes.
	File func(ctx context.Context, path string) (Name, uint64, error)
	// Manifest takes the manifest of the folder at a path. Every folder comes after all that it holds, so a manifest never
	// names what was not taken.
	Manifest func(ctx context.Context, path string, name Name, manifest []byte) error
}

// ManifestOf hands the regular files under a folder and the manifests to a sink, and returns the entry of the folder itself:
// its hash is the root's name. The order and the manifests depend on names and bytes only. Links and special files inside
// the folder are skipped; names are brought into normal form C, and media types follow from their extensions. It stops at the
// first error, which is ErrManifest for what a manifest cannot hold.
func ManifestOf(ctx context.Context, dir string, sink FolderSink) (Entry, error) {
	// A link to a folder is followed if it is named itself.
	return manifestOf(ctx, dir+string(filepath.Separator), 1, sink)
}

func manifestOf(ctx context.Context, dir string, depth int, sink FolderSink) (Entry, error) {
	if depth > MaxFolderDepth {
		return Entry{}, fmt.Errorf("%s: %w: deeper than %d folders", dir, ErrManifest, MaxFolderDepth)
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return Entry{}, err
	}
	var entries []Entry
	for _, d := range list {
		if ctx.Err() != nil {
			return Entry{}, context.Cause(ctx)
		}
		path := filepath.Join(dir, d.Name())
		e := Entry{Name: norm.NFC.String(d.Name())}
		if !d.IsDir() && !d.Type().IsRegular() {
			continue
		}
		if err := ValidEntryName(e.Name); err != nil {
			return Entry{}, fmt.Errorf("%s: %w", path, err)
		}
		if d.IsDir() {
			e, err = manifestOf(ctx, path, depth+1, sink)
			e.Name = norm.NFC.String(d.Name())
		} else {
			e.MediaType = MediaTypeOf(e.Name)
			e.Hash, e.Size, err = sink.File(ctx, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			// What a folder holds must not change while it is named.
			return Entry{}, fmt.Errorf("%s changed meanwhile: %w", dir, err)
		}
		if err != nil {
			return Entry{}, err
		}
		entries = append(entries, e)
	}
	b, err := EncodeManifest(entries)
	if err != nil {
		return Entry{}, fmt.Errorf("%s: %w", dir, err)
	}
	name := Name(blake3.Sum256(b))
	return Entry{Kind: KindFolder, Size: uint64(len(b)), Hash: name}, sink.Manifest(ctx, filepath.Clean(dir), name, b)
}

// ManifestOfFiles hands the manifests of the folders that files lie in to a function, each after those below it, and returns the
// entry of the folder that holds them all. The files are by path, with slashes; of their entries size and hash count. Names and
// media types are as with ManifestOf, and so is what is returned for what a manifest cannot hold.
func ManifestOfFiles(files map[string]Entry, manifest func(name Name, manifest []byte) error) (Entry, error) {
	return manifestOfFiles(files, 1, manifest)
}

func manifestOfFiles(files map[string]Entry, depth int, manifest func(Name, []byte) error) (Entry, error) {
	if depth > MaxFolderDepth {
		return Entry{}, fmt.Errorf("%w: deeper than %d folders", ErrManifest, MaxFolderDepth)
	}
	var entries []Entry
	below := make(map[string]map[string]Entry)
	for path, e := range files {
		first, rest, deep := strings.Cut(path, "/")
		if deep {
			if below[first] == nil {
				below[first] = make(map[string]Entry)
			}
			below[first][rest] = e
			continue
		}
		name := norm.NFC.String(first)
		entries = append(entries, Entry{Name: name, Kind: KindFile, MediaType: MediaTypeOf(name), Size: e.Size, Hash: e.Hash})
	}
	for _, first := range slices.Sorted(maps.Keys(below)) {
		e, err := manifestOfFiles(below[first], depth+1, manifest)
		if err != nil {
			return Entry{}, err
		}
		e.Name = norm.NFC.String(first)
		entries = append(entries, e)
	}
	b, err := EncodeManifest(entries)
	if err != nil {
		return Entry{}, err
	}
	name := Name(blake3.Sum256(b))
	return Entry{Kind: KindFolder, Size: uint64(len(b)), Hash: name}, manifest(name, b)
}
