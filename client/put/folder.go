package put

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgechain/edge/client/content"
)

// Manifests returns the manifests of a folder whose files have their names, each behind all that it holds: the last one is
// the folder's own. It returns content.ErrManifest for what a manifest cannot hold, and ErrChanged for a file that came
// meanwhile.
func Manifests(ctx context.Context, dir string, files []File) ([]File, error) {
	named := make(map[string]*File, len(files))
	for i := range files {
		named[filepath.Clean(files[i].Path)] = &files[i]
	}
	var manifests []File
	_, err := content.ManifestOf(ctx, dir, content.FolderSink{
		File: func(_ context.Context, path string) (content.Name, uint64, error) {
			f := named[filepath.Clean(path)]
			if f == nil {
				return content.Name{}, 0, fmt.Errorf("%s: %w", path, ErrChanged)
			}
			return f.Name, f.Size, nil
		},
		Manifest: func(_ context.Context, path string, name content.Name, manifest []byte) error {
			manifests = append(manifests, File{Path: filepath.Clean(path), Name: name, Size: uint64(len(manifest)), manifest: manifest})
			return nil
		},
	})
	return manifests, err
}

// Waves returns in which order to upload files and the manifests of their folders, as Manifests returned them: those of a wave at
// a time, in any order, and each wave behind the one before. A manifest comes behind all that it names, and what has the bytes of
// an earlier one behind that, so that it is found there and not sent again.
func Waves(files, manifests []File) (waves [][]*File) {
	seen := make(map[content.Name]bool, len(files)+len(manifests))
	add := func(level []File) {
		var first, again []*File
		for i := range level {
			f := &level[i]
			if seen[f.Name] {
				again = append(again, f)
				continue
			}
			seen[f.Name] = true
			first = append(first, f)
		}
		for _, wave := range [][]*File{first, again} {
			if len(wave) > 0 {
				waves = append(waves, wave)
			}
		}
	}
	add(files)
	if len(manifests) == 0 {
		return waves
	}
	below, root := slices.Clone(manifests[:len(manifests)-1]), manifests[len(manifests)-1:]
	depth := func(f *File) int { return strings.Count(f.Path, string(filepath.Separator)) }
	slices.SortStableFunc(below, func(a, b File) int { return depth(&b) - depth(&a) })
	for len(below) > 0 {
		n := 1
		for n < len(below) && depth(&below[n]) == depth(&below[0]) {
			n++
		}
		add(below[:n])
		below = below[n:]
	}
	// The root's path may have as many separators as those of the folders in it: "." has none.
	add(root)
	return waves
}
