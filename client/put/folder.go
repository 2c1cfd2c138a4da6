package put

import (
	"context"
	"fmt"
	"path/filepath"

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
