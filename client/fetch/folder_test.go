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
	b := c.Batch()
	var manifests uint64
	find := func(path string) (content.Entry, error) {
		names, _, err := fetch.SplitPath(path)
		require.NoError(t, err)
		return b.Find(t.Context(), fetch.Request{Name: root.Hash, Workers: []fetch.Worker{d.worker()}}, names, func(fetch.Report) { manifests++ })
	}
	got, err := find("docs/cafe\u0301.txt")
	require.NoError(t, err, "the path is brought into normal form C")
	require.Equal(t, file, got)
	require.EqualValues(t, 2, manifests)
	paid, err := b.Close(t.Context())
	require.NoError(t, err)
	total, _ := d.total()
	require.Equal(t, total, paid.AcknowledgedBytes)
	require.Equal(t, root.Size+docs.Size, total, "manifests are paid like content")
	require.False(t, d.anyClosed())

	b = c.Batch()
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
	_, err = b.Close(t.Context())
	require.NoError(t, err)
}

// mapped keeps manifests in memory.
type mapped map[content.Name][]byte

func (m mapped) Load(name content.Name) []byte { return m[name] }

func (m mapped) Store(name content.Name, b []byte) error {
	m[name] = b
	return nil
}

func TestFolderThatIsKept(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	root := d.addFolder(t, named(d.addBytes([]byte("a")), "a"))
	other, err := content.EncodeManifest(nil)
	require.NoError(t, err)
	c, err := fetch.New(e.cfg, e.payer)
	require.NoError(t, err)
	defer c.Close()
	b := c.Batch()
	kept := mapped{}
	for i, gets := range []int{1, 1, 2} {
		if i == 2 {
			kept[root.Hash] = other
		}
		entries, report, err := b.Folder(t.Context(), fetch.Request{Name: root.Hash, Size: &root.Size, Workers: []fetch.Worker{d.worker()}, Manifests: kept})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.True(t, report.Verified)
		require.Equal(t, gets, d.gets, "fetched once, and again if what is kept is another manifest")
	}
	paid, err := b.Close(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2*root.Size, paid.AcknowledgedBytes)
}

func TestFolderEndsEarly(t *testing.T) {
	e := newEnv(t)
	d := newDouble(t, e.chain, 1, e.public)
	_, name := d.add(200 * group)
	c, err := fetch.New(e.cfg, e.payer)
	require.NoError(t, err)
	defer c.Close()
	b := c.Batch()
	_, report, err := b.Folder(t.Context(), fetch.Request{Name: name, Workers: []fetch.Worker{d.worker()}})
	require.ErrorIs(t, err, content.ErrManifest)
	require.NotErrorIs(t, err, fetch.ErrWrite)
	require.Less(t, report.Payload, uint64(100*group), "no more is paid of what is no folder")
	paid, err := b.Close(t.Context())
	require.NoError(t, err)
	require.Equal(t, report.Payload, paid.AcknowledgedBytes)

	b = c.Batch()
	large := d.addBytes(append([]byte(content.ManifestMagic), make([]byte, content.MaxManifestSize)...))
	_, _, err = b.Folder(t.Context(), fetch.Request{Name: large.Hash, Workers: []fetch.Worker{d.worker()}})
	require.ErrorIs(t, err, content.ErrManifest)
	broken := d.addBytes(append([]byte(content.ManifestMagic), 1))
	_, _, err = b.Folder(t.Context(), fetch.Request{Name: broken.Hash, Workers: []fetch.Worker{d.worker()}})
	require.ErrorIs(t, err, content.ErrManifest)
	_, err = b.Close(t.Context())
	require.NoError(t, err)
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
