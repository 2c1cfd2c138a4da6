package put_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/put"
)

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	for path, text := range map[string]string{"index.html": "<p>", "sub/b.txt": "b", "sub/empty": ""} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600))
	}
	require.NoError(t, os.Symlink("index.html", filepath.Join(dir, "link")))
	var leftOut []string
	files, err := put.Find(dir, func(p string) { leftOut = append(leftOut, filepath.Clean(p)) })
	require.NoError(t, err)
	require.Len(t, files, 3)
	require.Equal(t, []string{filepath.Join(dir, "link")}, leftOut)
	require.NoError(t, put.Name(t.Context(), files))
	require.Equal(t, content.Name(blake3.Sum256([]byte("<p>"))), files[0].Name)
	manifests, err := put.Manifests(t.Context(), dir, files)
	require.NoError(t, err)
	require.Len(t, manifests, 2, "the folder within and the root")
	all := map[content.Name]bool{}
	for _, f := range append(files, manifests...) {
		r, err := f.Open()
		require.NoError(t, err)
		b, err := io.ReadAll(io.NewSectionReader(r, 0, int64(f.Size)+1))
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, f.Name, content.Name(blake3.Sum256(b)))
		if f.Folder() {
			entries, err := content.DecodeManifest(b)
			require.NoError(t, err)
			for _, e := range entries {
				require.True(t, all[e.Hash], "%s comes before the folder that names it", e.Name)
			}
		}
		all[f.Name] = true
	}

	_, err = put.Manifests(t.Context(), dir, files[1:])
	require.ErrorIs(t, err, put.ErrChanged)
	require.NoError(t, os.WriteFile(files[0].Path, []byte("other"), 0o600))
	_, err = files[0].Open()
	require.ErrorIs(t, err, put.ErrChanged)
	require.ErrorIs(t, files[0].Check(), put.ErrChanged)
}

func TestFindRefusesWhatIsNoFile(t *testing.T) {
	_, err := put.Find(os.DevNull, nil)
	require.ErrorIs(t, err, put.ErrNotRegular)
	_, err = put.Find(filepath.Join(t.TempDir(), "none"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestWaves(t *testing.T) {
	t.Chdir(t.TempDir())
	for path, text := range map[string]string{"a": "1", "b": "1", "x/c": "2", "x/y/d": "3", "z/y/d": "3"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	files, err := put.Find(".", nil)
	require.NoError(t, err)
	require.NoError(t, put.Name(t.Context(), files))
	manifests, err := put.Manifests(t.Context(), ".", files)
	require.NoError(t, err)
	var paths [][]string
	for _, wave := range put.Waves(files, manifests) {
		var list []string
		for _, f := range wave {
			list = append(list, filepath.ToSlash(filepath.Clean(f.Path)))
		}
		paths = append(paths, list)
	}
	require.Equal(t, [][]string{{"a", "x/c", "x/y/d"}, {"b", "z/y/d"}, {"x/y"}, {"z/y"}, {"x", "z"}, {"."}}, paths)

	require.Len(t, put.Waves(files[:1], nil), 1)
}
