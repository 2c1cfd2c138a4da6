package content_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/client/content"
)

func file(name, mediaType string, data string) content.Entry {
	return content.Entry{Name: name, MediaType: mediaType, Size: uint64(len(data)), Hash: blake3.Sum256([]byte(data))}
}

// TestManifestVector is the example of docs/protocol.md, section 14.
func TestManifestVector(t *testing.T) {
	inner, err := content.EncodeManifest([]content.Entry{file("a.txt", "text/plain; charset=utf-8", "a")})
	require.NoError(t, err)
	b, err := content.EncodeManifest([]content.Entry{
		file("index.html", "text/html; charset=utf-8", "<p>hello\n"),
		{Name: "docs", Kind: content.KindFolder, Size: uint64(len(inner)), Hash: blake3.Sum256(inner)},
	})
	require.NoError(t, err)
	doc, err := os.ReadFile("../../docs/protocol.md")
	require.NoError(t, err)
	for _, m := range [][]byte{inner, b} {
		require.Contains(t, strings.ReplaceAll(strings.ReplaceAll(string(doc), "\n", ""), " ", ""), hex.EncodeToString(m))
		require.Contains(t, string(doc), content.Name(blake3.Sum256(m)).String())
	}
}

func TestManifestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) content.Entry {
			e := content.Entry{Name: rapid.StringMatching(`[a-zé.]{1,20}x`).Draw(t, "name"), Size: rapid.Uint64().Draw(t, "size")}
			copy(e.Hash[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
			if rapid.Bool().Draw(t, "folder") {
				e.Kind, e.Size = content.KindFolder, 18+e.Size%1000
			} else {
				e.MediaType = rapid.SampledFrom([]string{"text/html; charset=utf-8", "a/b", "image/svg+xml"}).Draw(t, "type")
			}
			return e
		}), 0, 30, func(e content.Entry) string { return e.Name }).Draw(t, "entries")
		b, err := content.EncodeManifest(entries)
		require.NoError(t, err)
		got, err := content.DecodeManifest(b)
		require.NoError(t, err)
		require.ElementsMatch(t, entries, got)
		for i := range entries {
			require.Equal(t, entries[i], *content.FindEntry(got, entries[i].Name))
		}
		require.Nil(t, content.FindEntry(got, "nobody"))
		again, err := content.EncodeManifest(got)
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

func TestManifestLimits(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "a\x00", "a\n", "\u0085", "\xff", "e\u0301", strings.Repeat("a", 256)} {
		_, err := content.EncodeManifest([]content.Entry{file(name, "a/b", "")})
		require.ErrorIs(t, err, content.ErrManifest, "%q", name)
	}
	for _, mediaType := range []string{"", "a", "/b", "a/", "A/b", "a/b;c=d", "a/b; charset=utf-8; charset=utf-8", "a/b\r\nx: y", "a/" + strings.Repeat("b", 99)} {
		_, err := content.EncodeManifest([]content.Entry{file("a", mediaType, "")})
		require.ErrorIs(t, err, content.ErrManifest, "%q", mediaType)
	}
	for what, e := range map[string]content.Entry{
		"folder with a type":    {Name: "a", Kind: content.KindFolder, MediaType: "a/b", Size: 18},
		"folder of no manifest": {Name: "a", Kind: content.KindFolder, Size: 17},
		"folder of a large one": {Name: "a", Kind: content.KindFolder, Size: content.MaxManifestSize + 1},
		"unknown kind":          {Name: "a", Kind: 2, MediaType: "a/b"},
	} {
		_, err := content.EncodeManifest([]content.Entry{e})
		require.ErrorIs(t, err, content.ErrManifest, what)
	}
	_, err := content.EncodeManifest([]content.Entry{file("a", "a/b", ""), file("a", "a/b", "x")})
	require.ErrorIs(t, err, content.ErrManifest)

	full := make([]content.Entry, content.MaxManifestEntries)
	for i := range full {
		full[i] = file(fmt.Sprintf("%0255d", i), "a/"+strings.Repeat("b", 98), "")
		full[i].Size = math.MaxUint64
	}
	b, err := content.EncodeManifest(full)
	require.NoError(t, err)
	require.Less(t, len(b), content.MaxManifestSize)
	got, err := content.DecodeManifest(b)
	require.NoError(t, err)
	require.Equal(t, full, got)
	_, err = content.EncodeManifest(append(full, file("x", "a/b", "")))
	require.ErrorIs(t, err, content.ErrManifest)
}

func TestManifestIsCanonical(t *testing.T) {
	b, err := content.EncodeManifest([]content.Entry{file("a", "a/b", "1"), file("b", "a/b", "2")})
	require.NoError(t, err)
	for i := range b {
		_, err := content.DecodeManifest(b[:i])
		require.ErrorIs(t, err, content.ErrManifest, "cut at %d", i)
	}
	_, err = content.DecodeManifest(append(bytes.Clone(b), 0))
	require.ErrorIs(t, err, content.ErrManifest)
	head, half := 18, (len(b)-18)/2
	swapped := append(append(bytes.Clone(b[:head]), b[head+half:]...), b[head:head+half]...)
	_, err = content.DecodeManifest(swapped)
	require.ErrorIs(t, err, content.ErrManifest)
	twice := append(bytes.Clone(b[:head+half]), b[head:head+half]...)
	_, err = content.DecodeManifest(twice)
	require.ErrorIs(t, err, content.ErrManifest)
	_, err = content.DecodeManifest(append([]byte(content.ManifestMagic), 0xff, 0xff, 0xff, 0xff))
	require.ErrorIs(t, err, content.ErrManifest)
	_, err = content.DecodeManifest(make([]byte, content.MaxManifestSize+1))
	require.ErrorIs(t, err, content.ErrManifest)
}

func FuzzDecodeManifest(f *testing.F) {
	for _, entries := range [][]content.Entry{nil, {file("a", "a/b", "1"), {Name: "b", Kind: content.KindFolder, Size: 18}}} {
		b, err := content.EncodeManifest(entries)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := content.DecodeManifest(b)
		if err != nil {
			require.ErrorIs(t, err, content.ErrManifest)
			return
		}
		again, err := content.EncodeManifest(entries)
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

func TestManifestOf(t *testing.T) {
	dir := t.TempDir()
	write := func(path, data string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte(data), 0o600))
	}
	write("index.HTML", "<p>")
	write("b/e\u0301.css", "c")
	write("b/raw", "r")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o755))
	require.NoError(t, os.Symlink("index.HTML", filepath.Join(dir, "link")))
	manifests := map[content.Name][]content.Entry{}
	var order []string
	sink := content.FolderSink{
		File: func(_ context.Context, path string) (content.Name, uint64, error) {
			rel, err := filepath.Rel(dir, path)
			order = append(order, rel)
			b, rerr := os.ReadFile(path)
			require.NoError(t, rerr)
			return blake3.Sum256(b), uint64(len(b)), err
		},
		Manifest: func(_ context.Context, path string, name content.Name, b []byte) (err error) {
			rel, err := filepath.Rel(dir, path)
			order = append(order, rel+"/")
			manifests[name], _ = content.DecodeManifest(b)
			require.Equal(t, content.Name(blake3.Sum256(b)), name)
			return err
		},
	}
	root, err := content.ManifestOf(t.Context(), dir, sink)
	require.NoError(t, err)
	require.Equal(t, []string{"b/e\u0301.css", "b/raw", "b/", "empty/", "index.HTML", "./"}, order)
	top := manifests[root.Hash]
	require.Len(t, top, 3)
	require.Equal(t, file("index.HTML", "text/html; charset=utf-8", "<p>"), top[2])
	require.Equal(t, []content.Entry{file("raw", "application/octet-stream", "r"), file("\u00e9.css", "text/css; charset=utf-8", "c")}, manifests[top[0].Hash])
	require.Empty(t, manifests[top[1].Hash])

	again, err := content.ManifestOf(t.Context(), dir, sink)
	require.NoError(t, err)
	require.Equal(t, root, again)
	write("\u00e9", "1")
	write("e\u0301", "2")
	_, err = content.ManifestOf(t.Context(), dir, sink)
	require.ErrorIs(t, err, content.ErrManifest, "two names that are one in normal form C")
	require.NoError(t, os.Remove(filepath.Join(dir, "\u00e9")))
	write(strings.Repeat("d/", content.MaxFolderDepth)+"f", "deep")
	_, err = content.ManifestOf(t.Context(), dir, sink)
	require.ErrorIs(t, err, content.ErrManifest)
}

func TestManifestOfFiles(t *testing.T) {
	dir := t.TempDir()
	files := map[string]content.Entry{}
	for _, path := range []string{"index.html", "b/e\u0301.css", "b/deep/raw", "a"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte(path), 0o600))
		files[path] = file("", "", path)
	}
	var want, got []content.Name
	root, err := content.ManifestOf(t.Context(), dir, content.FolderSink{
		File: func(_ context.Context, path string) (content.Name, uint64, error) {
			b, err := os.ReadFile(path)
			return blake3.Sum256(b), uint64(len(b)), err
		},
		Manifest: func(_ context.Context, _ string, name content.Name, _ []byte) error {
			want = append(want, name)
			return nil
		},
	})
	require.NoError(t, err)
	take := func(name content.Name, manifest []byte) error {
		require.Equal(t, content.Name(blake3.Sum256(manifest)), name)
		got = append(got, name)
		return nil
	}
	same, err := content.ManifestOfFiles(files, take)
	require.NoError(t, err)
	require.Equal(t, root, same, "the same folder from a list of its files")
	require.Equal(t, want, got, "each behind those below it")

	for _, path := range []string{"..", "a/../b", "a//b", "/a", `a\b`, strings.Repeat("d/", content.MaxFolderDepth) + "f"} {
		_, err := content.ManifestOfFiles(map[string]content.Entry{path: {}}, take)
		require.ErrorIs(t, err, content.ErrManifest, path)
	}
	_, err = content.ManifestOfFiles(map[string]content.Entry{"a": {}, "a/b": {}}, take)
	require.ErrorIs(t, err, content.ErrManifest, "a file and a folder of one name")
}
