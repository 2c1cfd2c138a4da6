package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"
	"lukechampine.com/blake3/bao"

	"github.com/edgechain/edge/client/content"
)

func (w *freeWorker) addBytes(b []byte) content.Entry {
	outboard, root := bao.EncodeBuf(b, content.Group, true)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.objects[content.Name(root)] = [2][]byte{b, outboard}
	return content.Entry{Size: uint64(len(b)), Hash: content.Name(root), MediaType: "a/b"}
}

// tree adds a folder: files by path, and folders that are empty by a path that ends in a slash.
func (w *freeWorker) tree(t *testing.T, files map[string]string) content.Entry {
	t.Helper()
	below := map[string]map[string]string{}
	var entries []content.Entry
	for p, text := range files {
		first, rest, deep := strings.Cut(p, "/")
		if !deep {
			e := w.addBytes([]byte(text))
			e.Name = first
			entries = append(entries, e)
			continue
		}
		if below[first] == nil {
			below[first] = map[string]string{}
		}
		if rest != "" {
			below[first][rest] = text
		}
	}
	for name, files := range below {
		e := w.tree(t, files)
		e.Name = name
		entries = append(entries, e)
	}
	return w.folder(t, entries...)
}

func (w *freeWorker) folder(t *testing.T, entries ...content.Entry) content.Entry {
	t.Helper()
	b, err := content.EncodeManifest(entries)
	require.NoError(t, err)
	e := w.addBytes(b)
	e.Kind, e.MediaType = content.KindFolder, ""
	return e
}

// onDisk returns what lies under a folder, in the form of tree.
func onDisk(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		rel, err := filepath.Rel(dir, p)
		require.NoError(t, err)
		switch {
		case rel == ".":
		case d.IsDir():
			list, err := os.ReadDir(p)
			require.NoError(t, err)
			if len(list) == 0 {
				files[filepath.ToSlash(rel)+"/"] = ""
			}
		default:
			b, err := os.ReadFile(p)
			require.NoError(t, err)
			files[filepath.ToSlash(rel)] = string(b)
		}
		return nil
	}))
	return files
}

func site() map[string]string {
	return map[string]string{
		"index.html": "<p>hello\n", "docs/a.txt": "a", "docs/deep/b.bin": strings.Repeat("b", 5*groupSize+3), "same": "a",
		"docs/empty": "", "none/": "", "a.part": "not of edge get", "a": "its neighbour",
	}
}

func TestGetFolder(t *testing.T) {
	w := newFreeWorker(t)
	root := w.tree(t, site())
	dir := filepath.Join(t.TempDir(), "x", "site")
	code, out, errOut := edge(t, t.TempDir(), "get", root.Hash.CID(), "--worker", w.URL, "-o", dir)
	require.Zero(t, code, errOut)
	require.Contains(t, out, "7 files in 4 folders, 0 of them were there")
	require.Equal(t, site(), onDisk(t, dir), "nothing of what was under way is left")
	require.Len(t, w.ranges, 4+6, "4 manifests, and files of the same bytes are fetched once")

	// Again: what is there is not fetched, what is not right is replaced, and what is of others stays.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "docs/a.txt"), []byte("A"), 0o600))
	require.NoError(t, os.Remove(filepath.Join(dir, "index.html")))
	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(dir, "index.html")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine"), []byte("mine"), 0o600))
	w.ranges = nil
	code, out, errOut = edge(t, t.TempDir(), "get", root.Hash.String()+"/", "--worker", w.URL, "-o", dir)
	require.Zero(t, code, errOut)
	require.Contains(t, out, "7 files in 4 folders, 5 of them were there")
	want := site()
	want["mine"] = "mine"
	require.Equal(t, want, onDisk(t, dir))
	require.Len(t, w.ranges, 4+1, "the bytes of docs/a.txt are there in another file")
	info, err := os.Lstat(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	require.True(t, info.Mode().IsRegular(), "a link is replaced, not followed")

	// The manifest itself, and to standard output.
	file := filepath.Join(t.TempDir(), "m")
	code, _, errOut = edge(t, t.TempDir(), "get", root.Hash.String(), "--manifest", "--worker", w.URL, "-o", file)
	require.Zero(t, code, errOut)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, root.Hash, content.Name(blake3.Sum256(b)))
	code, out, _ = edge(t, t.TempDir(), "get", root.Hash.String(), "--worker", w.URL, "-o", "-", "-q")
	require.Zero(t, code)
	require.Equal(t, string(b), out)
}

func TestGetPath(t *testing.T) {
	w := newFreeWorker(t)
	root := w.tree(t, site())
	t.Chdir(t.TempDir())
	get := func(path string, args ...string) (int, string, string) {
		t.Helper()
		return edge(t, t.TempDir(), append([]string{"get", root.Hash.String() + path, "--worker", w.URL}, args...)...)
	}
	code, out, errOut := get("/docs/deep/b.bin")
	require.Zero(t, code, errOut)
	require.Contains(t, out, "b.bin: ")
	b, err := os.ReadFile("b.bin")
	require.NoError(t, err)
	require.Equal(t, site()["docs/deep/b.bin"], string(b))
	code, out, _ = get("/docs/deep/b.bin", "-o", "-", "-q", "--range", "3-5")
	require.Zero(t, code)
	require.Equal(t, "bbb", out)
	code, out, _ = get("/docs/empty", "-o", "-", "-q")
	require.Zero(t, code)
	require.Empty(t, out)

	code, _, errOut = get("/docs")
	require.Zero(t, code, errOut)
	require.Equal(t, map[string]string{"a.txt": "a", "deep/b.bin": site()["docs/deep/b.bin"], "empty": ""}, onDisk(t, "docs"))

	for path, want := range map[string]struct {
		code int
		text string
	}{
		"/docs/none":        {exitFailure, "no such path"},
		"/docs/none/a":      {exitFailure, "no such path"},
		"/docs/a.txt/":      {exitFailure, "is a file"},
		"/docs/a.txt/below": {exitFailure, "is a file"},
		"/../etc/passwd":    {exitUsage, "names no entry"},
		"//etc/passwd":      {exitUsage, "0 bytes"},
	} {
		code, _, errOut := get(path, "-o", "out")
		require.Equal(t, want.code, code, path)
		require.Contains(t, errOut, want.text, path)
		require.NoFileExists(t, "out")
	}
	for _, args := range [][]string{{"/", "-o", "-"}, {"/", "--range", "0-1"}, {"/docs", "-o", "-"}, {"/docs", "--range", "0-1"}, {"/", "--manifest"}, {"/", "--parallel", "0"}, {"/", "--parallel", "9"}, {"/docs", "-o", "b.bin"}} {
		code, _, _ := get(args[0], args[1:]...)
		require.Equal(t, exitUsage, code, "%v", args)
	}
	// A file does not go where a folder is.
	file := w.addBytes([]byte("a file"))
	code, _, errOut = edge(t, t.TempDir(), "get", file.Hash.String(), "--worker", w.URL, "-o", "docs")
	require.Equal(t, exitUsage, code, errOut)
	require.Contains(t, errOut, "docs is a folder")
}

func TestGetFileThatLooksLikeAFolder(t *testing.T) {
	w := newFreeWorker(t)
	for _, size := range []int{0, 1, 3 * groupSize, content.MaxManifestSize + groupSize} {
		b := append([]byte(content.ManifestMagic), make([]byte, size)...)
		e := w.addBytes(b)
		file := filepath.Join(t.TempDir(), "f")
		code, _, errOut := edge(t, t.TempDir(), "get", e.Hash.String(), "--worker", w.URL, "-o", file)
		require.Zero(t, code, errOut)
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, b, got)
	}
}

func TestGetFolderGoesOn(t *testing.T) {
	w := newFreeWorker(t)
	files := map[string]string{"large": strings.Repeat("l", 20*groupSize), "small": "s"}
	root := w.tree(t, files)
	dir := filepath.Join(t.TempDir(), "d")
	large := w.objects[content.Name(blake3.Sum256([]byte(files["large"])))]
	// The large file breaks off behind 4 groups.
	w.cutOf = func(b []byte) int {
		if len(b) > len(large[0]) {
			return int(content.SliceSize(uint64(len(large[0])), 0, 4*groupSize)) + 300
		}
		return -1
	}
	code, _, errOut := edge(t, t.TempDir(), "get", root.Hash.String(), "--worker", w.URL, "-o", dir, "--retries", "0", "--parallel", "1")
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "large: ")
	require.NoFileExists(t, filepath.Join(dir, "large"))
	w.cutOf, w.ranges = nil, nil
	code, out, errOut := edge(t, t.TempDir(), "get", root.Hash.String(), "--worker", w.URL, "-o", dir, "--output", "json")
	require.Zero(t, code, errOut)
	require.Contains(t, w.ranges, fmt.Sprintf("bytes=%d-", 4*groupSize), "it goes on behind them")
	require.Equal(t, files, onDisk(t, dir))
	var last folderEnd
	lines := slices.Collect(strings.Lines(out))
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &last))
	require.Equal(t, "done", last.Event)
	require.Equal(t, 2, last.Fetched+last.Existed)
	require.Empty(t, last.Missing)
	require.Contains(t, out, `"event":"file"`)
}

// The manifests of a folder that broke off are not fetched again, and what is kept of them is verified.
func TestGetFolderGoesOnWithItsManifests(t *testing.T) {
	w := newFreeWorker(t)
	deep := w.tree(t, map[string]string{"a": "a"})
	deep.Name = "deep"
	gone := w.addBytes([]byte("late"))
	gone.Name = "late"
	root := w.folder(t, deep, gone)
	late := w.objects[gone.Hash]
	delete(w.objects, gone.Hash)
	dir := filepath.Join(t.TempDir(), "d[1]")
	get := func() (int, string) {
		t.Helper()
		w.ranges = nil
		code, _, errOut := edge(t, t.TempDir(), "get", root.Hash.String(), "--worker", w.URL, "-o", dir)
		return code, errOut
	}
	code, errOut := get()
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "missing: late")
	require.Len(t, w.ranges, 2+1, "two manifests and a file")

	code, _ = get()
	require.Equal(t, exitFailure, code)
	require.Empty(t, w.ranges, "what the worker has is there")

	for _, damaged := range []string{"", "edge-folder-1\nbut another one"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, partsFolder, deep.Hash.String()+manifestSuffix), []byte(damaged), 0o600))
		code, _ = get()
		require.Equal(t, exitFailure, code)
		require.Len(t, w.ranges, 1, "a manifest that is damaged is fetched")
	}

	w.objects[gone.Hash] = late
	code, errOut = get()
	require.Zero(t, code, errOut)
	require.Len(t, w.ranges, 1)
	require.Equal(t, map[string]string{"deep/a": "a", "late": "late"}, onDisk(t, dir), "nothing of what was under way is left")
}

// A small file that broke off goes on behind what has verified, as a large one does.
func TestGetFolderGoesOnWithinASmallFile(t *testing.T) {
	w := newFreeWorker(t)
	files := map[string]string{"f": strings.Repeat("f", 7*groupSize), "g": "g"}
	root := w.tree(t, files)
	dir := filepath.Join(t.TempDir(), "d")
	size := 7 * groupSize
	w.cutOf = func(b []byte) int {
		if len(b) > size {
			return int(content.SliceSize(uint64(size), 0, 3*groupSize)) + 300
		}
		return -1
	}
	code, _, errOut := edge(t, t.TempDir(), "get", root.Hash.String(), "--worker", w.URL, "-o", dir, "--retries", "0", "--parallel", "1")
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "f: ")
	w.cutOf, w.ranges = nil, nil
	code, _, errOut = edge(t, t.TempDir(), "get", root.Hash.String(), "--worker", w.URL, "-o", dir)
	require.Zero(t, code, errOut)
	require.Contains(t, w.ranges, fmt.Sprintf("bytes=%d-", 3*groupSize))
	require.Equal(t, files, onDisk(t, dir))
}

func TestGetFolderTellsWhatIsMissing(t *testing.T) {
	w := newFreeWorker(t)
	good := w.addBytes([]byte("good"))
	gone := content.Entry{Size: 3, MediaType: "a/b", Hash: content.Name{1}}
	liar := w.addBytes([]byte("liar"))
	liar.Size = 1 << 40
	named := func(e content.Entry, name string) content.Entry {
		e.Name = name
		return e
	}
	lostFolder := content.Entry{Kind: content.KindFolder, Size: 100, Hash: content.Name{2}}
	notOne := content.Entry{Kind: content.KindFolder, Size: 18, Hash: w.addBytes(make([]byte, 18)).Hash}
	root := w.folder(t, named(good, "good"), named(gone, "gone"), named(liar, "liar"), named(lostFolder, "lost"), named(notOne, "notone"),
		named(good, "taken"), named(good, ".edge-part"), named(w.folder(t, named(good, "below")), "file"), named(good, "\u202egpj.exe"))
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "taken"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("mine"), 0o600))
	code, _, errOut := edge(t, t.TempDir(), "get", root.Hash.String(), "--worker", w.URL, "-o", dir)
	require.Equal(t, exitFailure, code)
	for _, p := range []string{"gone: ", "liar: ", "lost: ", "notone: ", "taken: ", ".edge-part: ", "file: ", "file/below: "} {
		require.Contains(t, errOut, "missing: "+p)
	}
	require.Contains(t, errOut, "8 of its files and folders are missing")
	there := onDisk(t, dir)
	manifest := filepath.ToSlash(filepath.Join(partsFolder, root.Hash.String()+manifestSuffix))
	require.Contains(t, there, manifest, "what the same command needs once more is kept")
	maps.DeleteFunc(there, func(p, _ string) bool { return strings.HasSuffix(p, manifestSuffix) })
	require.Equal(t, map[string]string{"good": "good", "taken/": "", "file": "mine", "notone/": "", "lost/": "", "\u202egpj.exe": "good"}, there)
}

func TestGetFolderStaysInside(t *testing.T) {
	w := newFreeWorker(t)
	root := w.tree(t, map[string]string{"sub/a": "a", "sub/b/c": "c"})
	dir, outside := t.TempDir(), t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "sub")))
	code, _, errOut := edge(t, t.TempDir(), "get", root.Hash.String(), "--worker", w.URL, "-o", dir)
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "missing: sub")
	require.Empty(t, onDisk(t, outside))

	dir = t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, partsFolder)))
	code, _, errOut = edge(t, t.TempDir(), "get", root.Hash.String(), "--worker", w.URL, "-o", dir)
	require.Equal(t, exitFailure, code, errOut)
	require.Empty(t, onDisk(t, outside))
}

func TestGetFolderThatGrowsWithoutEnd(t *testing.T) {
	defer func(n int) { maxFolderEntries = n }(maxFolderEntries)
	maxFolderEntries = 1000
	w := newFreeWorker(t)
	e := w.folder(t)
	for range 12 {
		var twice []content.Entry
		for i := range 4 {
			e.Name = fmt.Sprint(i)
			twice = append(twice, e)
		}
		e = w.folder(t, twice...)
	}
	dir := filepath.Join(t.TempDir(), "d")
	code, _, errOut := edge(t, t.TempDir(), "get", e.Hash.String(), "--worker", w.URL, "-o", dir)
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "too many files and folders")
	require.Less(t, len(w.ranges), 12)
	require.Empty(t, onDisk(t, dir))

	deep := w.folder(t)
	for range content.MaxFolderDepth + 1 {
		deep.Name = "d"
		deep = w.folder(t, deep)
	}
	code, _, errOut = edge(t, t.TempDir(), "get", deep.Hash.String(), "--worker", w.URL, "-o", dir)
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "deeper than 64 folders")
}

func TestGetFolderIsOneAtATime(t *testing.T) {
	w := newFreeWorker(t)
	root := w.tree(t, site())
	dir := t.TempDir()
	g := &getting{o: &getOptions{file: dir}, kept: newManifests(dir)}
	f := &folderGet{getting: g, dir: dir}
	require.NoError(t, f.open())
	code, _, errOut := edge(t, t.TempDir(), "get", root.Hash.String(), "--worker", w.URL, "-o", dir)
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "another edge get")
	require.NoError(t, f.close(false))
	require.Empty(t, onDisk(t, dir))
}

func TestNamesThatFallTogether(t *testing.T) {
	list := []content.Entry{{Name: "A"}, {Name: "a"}, {Name: "b"}, {Name: "stra\u00dfe"}, {Name: "STRASSE"}, {Name: "\ufb01x"}, {Name: "fix"}, {Name: "\u212a"}, {Name: "k"}}
	names := func(f *folderGet) (out []string) {
		for _, e := range f.usable("sub", list) {
			out = append(out, e.Name)
		}
		return out
	}
	f := &folderGet{folds: true, faults: make(map[string]error)}
	require.Equal(t, []string{"b"}, names(f), "none of those that would overwrite each other is written")
	require.Len(t, f.faults, 8)
	require.Contains(t, f.faults, "sub/A")
	f = &folderGet{faults: make(map[string]error)}
	require.Len(t, names(f), len(list))
	require.Empty(t, f.faults)
}

func TestUnusableNames(t *testing.T) {
	for _, name := range []string{"CON", "con", "Nul.txt", "aux.tar.gz", "COM1", "lpt\u00b9.x", "CONIN$", "a:b", "a?", "dot.", "space ", "NUL .txt"} {
		require.NotEmpty(t, unusable(name, true), name)
		require.Empty(t, unusable(name, false), name)
	}
	for _, name := range []string{"CONSOLE", "com", "com10", "aux-1", ".a", " a", "a b", "nulls.txt", "\u00e9"} {
		require.Empty(t, unusable(name, true), name)
	}
	require.Equal(t, `"\u202egpj.exe"`, shown("\u202egpj.exe"))
	require.Equal(t, "d\u00e9/a b", shown("d\u00e9/a b"))
}
