package fetch_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/blake3/bao"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/client/fetch"
)

// addBytes adds an object of given bytes.
func (d *double) addBytes(b []byte) content.Entry {
	outboard, root := bao.EncodeBuf(b, content.Group, true)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.objects[content.Name(root)] = object{b, outboard}
	return content.Entry{Size: uint64(len(b)), Hash: content.Name(root), MediaType: "a/b"}
}

func (d *double) addFolder(t *testing.T, entries ...content.Entry) content.Entry {
	t.Helper()
	b, err := content.EncodeManifest(entries)
	require.NoError(t, err)
	e := d.addBytes(b)
	e.Kind, e.MediaType = content.KindFolder, ""
	return e
}

func named(e content.Entry, name string) content.Entry {
	e.Name = name
	return e
}

func TestFindInFolder(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	file := named(d.addBytes([]byte("a")), "caf\u00e9.txt")
	docs := named(d.addFolder(t, file), "docs")
	liar := named(d.addFolder(t, file, named(file, "z")), "liar")
	liar.Size++
	root := d.addFolder(t, docs, named(file, "file"), liar, named(content.Entry{Kind: content.KindFolder, Size: file.Size + 17, Hash: file.Hash}, "nofolder"))
	c, err := fetch.New(e.cfg, e.payer)
	require.NoError(t, err)
	defer c.Close()
	var paid, manifests uint64
	find := func(path string) (content.Entry, error) {
		names, _, err := fetch.SplitPath(path)
		require.NoError(t, err)
		return c.Find(t.Context(), fetch.Request{Name: root.Hash, Workers: []fetch.Worker{d.worker()}}, names, func(r fetch.Report) {
			paid += r.AcknowledgedBytes
			manifests++
		})
	}
	got, err := find("docs/cafe\u0301.txt")
	require.NoError(t, err, "the path is brought into normal form C")
	require.Equal(t, file, got)
	require.EqualValues(t, 2, manifests)
	total, _ := d.total()
	require.Equal(t, total, paid)
	require.Equal(t, root.Size+docs.Size, paid, "manifests are paid like content")
	require.False(t, d.anyClosed())

	got, err = find("docs/")
	require.NoError(t, err)
	require.Equal(t, docs, got)
	_, err = find("docs/none")
	require.ErrorIs(t, err, fetch.ErrNoEntry)
	require.ErrorContains(t, err, "docs/none")
	_, err = find("file/below")
	require.ErrorIs(t, err, fetch.ErrNoEntry)
	_, err = find("liar/z")
	require.ErrorIs(t, err, content.ErrSize, "a folder that gives another size than the object has")
	_, err = find("nofolder/z")
	require.Error(t, err)
}

func TestFolderEndsEarly(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	_, name := d.add(200 * group)
	c, err := fetch.New(e.cfg, e.payer)
	require.NoError(t, err)
	defer c.Close()
	_, report, err := c.Folder(t.Context(), fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.ErrorIs(t, err, content.ErrManifest)
	require.NotErrorIs(t, err, fetch.ErrWrite)
	require.Less(t, report.Payload, uint64(100*group), "no more is paid of what is no folder")
	require.Equal(t, report.Payload, report.AcknowledgedBytes)

	large := d.addBytes(append([]byte(content.ManifestMagic), make([]byte, content.MaxManifestSize)...))
	_, _, err = c.Folder(t.Context(), fetch.Request{Name: large.Hash, Workers: []fetch.Worker{d.worker()}})
	require.ErrorIs(t, err, content.ErrManifest)
	broken := d.addBytes(append([]byte(content.ManifestMagic), 1))
	_, _, err = c.Folder(t.Context(), fetch.Request{Name: broken.Hash, Workers: []fetch.Worker{d.worker()}})
	require.ErrorIs(t, err, content.ErrManifest)
}

func TestGetRefusesAnotherSize(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	data, name := d.add(3 * group)
	for size, ok := range map[uint64]bool{uint64(len(data)): true, uint64(len(data)) - 1: false, 0: false, 1 << 40: false} {
		got, report, err := e.get(t, true, fetch.Request{Name: name, Size: &size, Workers: []fetch.Worker{d.worker()}})
		if ok {
			require.NoError(t, err)
			require.Equal(t, data, got)
			continue
		}
		require.ErrorIs(t, err, content.ErrSize)
		require.Empty(t, got)
		require.Zero(t, report.AcknowledgedBytes)
	}
}

func TestSplitPath(t *testing.T) {
	for path, want := range map[string][]string{"": nil, "a": {"a"}, "a/": {"a"}, "a/b.c": {"a", "b.c"}} {
		names, folder, err := fetch.SplitPath(path)
		require.NoError(t, err)
		require.Equal(t, want, names, path)
		require.Equal(t, path == "" || strings.HasSuffix(path, "/"), folder, path)
	}
	for _, path := range []string{"/", "/a", "a//b", "..", "a/../b", ".", `a\b`, "a\x00", "a\n", "\xff", strings.Repeat("a", 256), strings.Repeat("a/", 65)} {
		_, _, err := fetch.SplitPath(path)
		require.ErrorIs(t, err, content.ErrManifest, "%q", path)
	}
}
