package ipfs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	dagpb "github.com/ipld/go-codec-dagpb"
	"github.com/ipld/go-ipld-prime"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multihash"
	"github.com/multiformats/go-varint"
	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/worker/origin/ipfs"
	"github.com/edgechain/edge/worker/origin/outbound"
)

// dag holds blocks, and puts files and folders together as other implementations do.
type dag struct {
	blocks map[cid.Cid][]byte
	system ipld.LinkSystem
}

func newDAG() *dag {
	d := &dag{blocks: map[cid.Cid][]byte{}, system: cidlink.DefaultLinkSystem()}
	d.system.StorageReadOpener = func(_ ipld.LinkContext, l ipld.Link) (io.Reader, error) {
		return bytes.NewReader(d.blocks[l.(cidlink.Link).Cid]), nil
	}
	return d
}

// file adds a file in blocks of 1000 bytes, ten under a node.
func (d *dag) file(b []byte) cid.Cid {
	type part struct {
		id   cid.Cid
		size uint64
	}
	var level []part
	for chunk := range slices.Chunk(b, 1000) {
		level = append(level, part{d.put(cid.Raw, bytes.Clone(chunk)), uint64(len(chunk))})
	}
	if len(level) == 0 {
		return d.put(cid.DagProtobuf, node(append(slices.Clone(fileData), 0x18, 0)))
	}
	for len(level) > 1 {
		var above []part
		for children := range slices.Chunk(level, 10) {
			var links [][]byte
			var size uint64
			var sizes []byte
			for _, c := range children {
				links = append(links, pbLink("", c.id))
				size += c.size
				sizes = append(append(sizes, 0x20), varint.ToUvarint(c.size)...)
			}
			data := append(append(slices.Clone(fileData), 0x18), varint.ToUvarint(size)...)
			above = append(above, part{d.put(cid.DagProtobuf, node(append(data, sizes...), links...)), size})
		}
		level = above
	}
	return level[0].id
}

type entry struct {
	name string
	id   cid.Cid
}

func (d *dag) folder(list ...entry) cid.Cid {
	var links [][]byte
	for _, e := range list {
		links = append(links, pbLink(e.name, e.id))
	}
	return d.put(cid.DagProtobuf, node(folderData, links...))
}

// sharded adds a folder in shards of 16, which takes four bits of the hash of a name for each level.
func (d *dag) sharded(level int, list ...entry) cid.Cid {
	digit := func(name string) int {
		h, err := multihash.Sum([]byte(name), multihash.MURMUR3X64_64, -1)
		if err != nil {
			panic(err)
		}
		decoded, _ := multihash.Decode(h)
		b := decoded.Digest[level/2]
		if level%2 == 0 {
			return int(b >> 4)
		}
		return int(b & 15)
	}
	children := make([][]entry, 16)
	for _, e := range list {
		children[digit(e.name)] = append(children[digit(e.name)], e)
	}
	var links [][]byte
	var field uint16
	for i, child := range children {
		prefix := fmt.Sprintf("%X", i)
		if len(child) > 0 {
			field |= 1 << i
		}
		switch {
		case len(child) == 1:
			links = append(links, pbLink(prefix+child[0].name, child[0].id))
		case len(child) > 1:
			links = append(links, pbLink(prefix, d.sharded(level+1, child...)))
		}
	}
	data := []byte{0x08, 5, 0x12, 2, byte(field >> 8), byte(field), 0x28, 0x22, 0x30, 16}
	return d.put(cid.DagProtobuf, node(data, links...))
}

func (d *dag) symlink(to string) cid.Cid {
	return d.put(cid.DagProtobuf, node(append([]byte{0x08, 4, 0x12, byte(len(to))}, to...)))
}

// put adds a block that is as it is.
func (d *dag) put(codec uint64, block []byte) cid.Cid {
	sum := sha256.Sum256(block)
	h, _ := multihash.Encode(sum[:], multihash.SHA2_256)
	id := cid.NewCidV1(codec, h)
	d.blocks[id] = block
	return id
}

// node returns a dag-pb block with links and UnixFS data.
func node(unixfs []byte, links ...[]byte) []byte {
	var b []byte
	for _, l := range links {
		b = append(append(append(b, 0x12), varint.ToUvarint(uint64(len(l)))...), l...)
	}
	return append(append(append(b, 0x0a), varint.ToUvarint(uint64(len(unixfs)))...), unixfs...)
}

func pbLink(name string, id cid.Cid) []byte {
	b := append([]byte{0x0a}, varint.ToUvarint(uint64(id.ByteLen()))...)
	b = append(b, id.Bytes()...)
	b = append(append(append(b, 0x12), varint.ToUvarint(uint64(len(name)))...), name...)
	return append(b, 0x18, 0)
}

// order is what a gateway puts into a CAR: depth first, with repetitions.
func (d *dag) order(id cid.Cid) (list []cid.Cid) {
	if _, ok := d.blocks[id]; !ok {
		return nil
	}
	list = append(list, id)
	if id.Prefix().Codec == cid.DagProtobuf {
		n, err := d.system.Load(ipld.LinkContext{}, cidlink.Link{Cid: id}, dagpb.Type.PBNode)
		if err != nil {
			panic(err)
		}
		for links := n.(dagpb.PBNode).FieldLinks().Iterator(); !links.Done(); {
			_, l := links.Next()
			list = append(list, d.order(l.FieldHash().Link().(cidlink.Link).Cid)...)
		}
	}
	return list
}

func section(id cid.Cid, block []byte) []byte {
	b := varint.ToUvarint(uint64(id.ByteLen() + len(block)))
	return append(append(b, id.Bytes()...), block...)
}

// car returns a CAR of version 1.
func car(root cid.Cid, sections ...[]byte) []byte {
	// {"roots": [root], "version": 1} in DAG-CBOR.
	header := append([]byte{0xa2, 0x65}, "roots"...)
	header = append(header, 0x81, 0xd8, 0x2a, 0x58, byte(root.ByteLen()+1), 0)
	header = append(append(header, root.Bytes()...), 0x67)
	header = append(append(header, "version"...), 1)
	b := append(varint.ToUvarint(uint64(len(header))), header...)
	for _, s := range sections {
		b = append(b, s...)
	}
	return b
}

func (d *dag) car(root cid.Cid) []byte {
	var sections [][]byte
	for _, id := range d.order(root) {
		sections = append(sections, section(id, d.blocks[id]))
	}
	return car(root, sections...)
}

// gateway serves CARs and blocks, and counts what it was asked for.
type gateway struct {
	car func(id cid.Cid, path string) []byte // nil answers 404
	raw func(id cid.Cid) []byte

	mu         sync.Mutex
	cars, raws int
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/ipfs/"), "/")
	id, err := cid.Decode(text)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var b []byte
	g.mu.Lock()
	switch r.URL.Query().Get("format") {
	case "car":
		g.cars++
		if g.car != nil {
			b = g.car(id, path)
		}
		w.Header().Set("Content-Type", "application/vnd.ipld.car; version=1")
	case "raw":
		g.raws++
		if g.raw != nil {
			b = g.raw(id)
		}
	}
	g.mu.Unlock()
	if b == nil {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write(b)
}

func (d *dag) gateway() *gateway {
	return &gateway{car: func(id cid.Cid, _ string) []byte { return d.car(id) }, raw: func(id cid.Cid) []byte { return d.blocks[id] }}
}

var limits = ipfs.Limits{FileBytes: 1 << 20, TotalBytes: 8 << 20, Blocks: 10_000, Entries: 1000}

func newClient(t *testing.T, l ipfs.Limits, gateways ...*gateway) *ipfs.Client {
	t.Helper()
	var urls []string
	for _, g := range gateways {
		s := httptest.NewServer(g)
		t.Cleanup(s.Close)
		urls = append(urls, s.URL)
	}
	client, err := outbound.New(outbound.Config{
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, FirstByteTimeout: 10 * time.Second, IdleTimeout: 10 * time.Second,
		TotalTimeout: 20 * time.Second, MaxConnsPerHost: 4,
	}, urls...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	c, err := ipfs.New(client, urls, l, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return c
}

// fetch returns all files of a reference.
func fetch(ctx context.Context, c *ipfs.Client, text string) (map[string]string, int, error) {
	ref, err := ipfs.ParseReference(text)
	if err != nil {
		return nil, 0, err
	}
	got := map[string]string{}
	found, err := c.Each(ctx, ref, func(path string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err == nil {
			got[path] = string(b)
		}
		return err
	})
	return got, found.Links, err
}

func random(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size), byte(size >> 8)}).Read(b)
	return b
}

func TestFile(t *testing.T) {
	for _, size := range []int{0, 1, 1000, 1001, 400_000} {
		d := newDAG()
		b := random(size)
		l := d.file(b)
		g := d.gateway()
		got, _, err := fetch(t.Context(), newClient(t, limits, g), "ipfs://"+l.String())
		require.NoError(t, err, size)
		require.Equal(t, map[string]string{l.String(): string(b)}, got)
		require.Equal(t, 1, g.cars)
		require.Zero(t, g.raws, "the CAR has everything")
	}
}

// TestRepeatedBlocks have gateways that send them once, whatever they are asked for.
func TestRepeatedBlocks(t *testing.T) {
	d := newDAG()
	b := make([]byte, 300_000)
	copy(b[150_000:], random(2000))
	l := d.file(b)
	g := d.gateway()
	g.car = func(id cid.Cid, _ string) []byte {
		seen := map[cid.Cid]bool{}
		var sections [][]byte
		for _, id := range d.order(id) {
			if !seen[id] {
				sections = append(sections, section(id, d.blocks[id]))
			}
			seen[id] = true
		}
		return car(id, sections...)
	}
	got, _, err := fetch(t.Context(), newClient(t, limits, g), "ipfs://"+l.String())
	require.NoError(t, err)
	require.Equal(t, string(b), got[l.String()])
	require.Zero(t, g.raws)
}

func TestFolders(t *testing.T) {
	d := newDAG()
	want := map[string]string{}
	var many []entry
	for i := range 200 {
		b := random(500 + i*10)
		l := d.file(b)
		name := fmt.Sprintf("file %d", i)
		many = append(many, entry{name, l})
		want["many/"+name] = string(b)
	}
	index := random(5000)
	page := d.file(index)
	want["index.html"], want["sub/deep/index.html"] = string(index), string(index)
	link := d.symlink("/etc/passwd")
	root := d.folder(
		entry{"index.html", page}, entry{"many", d.sharded(0, many...)}, entry{"link", link},
		entry{"sub", d.folder(entry{"deep", d.folder(entry{"index.html", page})})}, entry{"empty", d.folder()},
	)
	g := d.gateway()
	c := newClient(t, limits, g)
	got, links, err := fetch(t.Context(), c, "ipfs://"+root.String())
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, 1, links)
	require.Zero(t, g.raws)

	// Paths, by a gateway that has single blocks only.
	g.car = nil
	for path, name := range map[string]string{"/index.html": "index.html", "/many/file%207": "many/file 7", "//sub/deep/index.html/": "sub/deep/index.html"} {
		got, _, err := fetch(t.Context(), c, "ipfs://"+root.String()+path)
		require.NoError(t, err, path)
		require.Equal(t, map[string]string{name[strings.LastIndex(name, "/")+1:]: want[name]}, got)
	}
	for _, path := range []string{"/none", "/many/none", "/index.html/none", "/sub/none"} {
		_, _, err := fetch(t.Context(), c, "ipfs://"+root.String()+path)
		require.ErrorIs(t, err, ipfs.ErrNotFound, path)
	}
	_, _, err = fetch(t.Context(), c, "ipfs://"+root.String()+"/link")
	require.ErrorIs(t, err, ipfs.ErrFormat)
}

// TestBadCARs: what a CAR has wrong or lacks comes from single blocks, and else the file fails.
func TestBadCARs(t *testing.T) {
	d := newDAG()
	b := random(50_000)
	l := d.file(b)
	id := l
	order := d.order(id)
	all := func(change func(i int, s []byte) []byte) func(cid.Cid, string) []byte {
		return func(id cid.Cid, _ string) []byte {
			var sections [][]byte
			for i, part := range order {
				sections = append(sections, change(i, section(part, bytes.Clone(d.blocks[part]))))
			}
			return car(id, sections...)
		}
	}
	junk := random(700)
	junkID := d.put(cid.Raw, junk)
	for what, c := range map[string]struct {
		car   func(cid.Cid, string) []byte
		alone bool // the CAR is enough
	}{
		"wrong block": {all(func(i int, s []byte) []byte {
			if i == 20 {
				s[len(s)-1] ^= 1
			}
			return s
		}), false},
		"extra blocks": {all(func(i int, s []byte) []byte { return append(section(junkID, junk), s...) }), true},
		"missing block": {all(func(i int, s []byte) []byte {
			if i == 20 {
				return nil
			}
			return s
		}), false},
		"missing root": {all(func(i int, s []byte) []byte {
			if i == 0 {
				return nil
			}
			return s
		}), false},
		"cut": {func(id cid.Cid, _ string) []byte { b := d.car(id); return b[:len(b)/2] }, false},
		"another order": {func(id cid.Cid, _ string) []byte {
			var sections [][]byte
			for _, v := range slices.Backward(order) {
				sections = append(sections, section(v, d.blocks[v]))
			}
			return car(id, sections...)
		}, true},
		"no CAR":       {func(cid.Cid, string) []byte { return []byte("<html>") }, false},
		"huge section": {func(id cid.Cid, _ string) []byte { return append(car(id), 0xff, 0xff, 0xff, 0xff, 0x0f) }, false},
		"huge header":  {func(cid.Cid, string) []byte { return []byte{0xff, 0xff, 0xff, 0xff, 0x0f} }, false},
		"unknown hash": {func(id cid.Cid, _ string) []byte {
			h, _ := multihash.Encode([]byte("12345678"), multihash.MURMUR3X64_64)
			return car(id, section(cid.NewCidV1(cid.Raw, h), junk))
		}, false},
		"nothing": {nil, false},
	} {
		t.Run(what, func(t *testing.T) {
			g := &gateway{car: c.car}
			got, _, err := fetch(t.Context(), newClient(t, limits, g), "ipfs://"+id.String())
			if c.alone {
				require.NoError(t, err)
				require.Equal(t, string(b), got[id.String()])
			} else {
				require.ErrorIs(t, err, ipfs.ErrMissing)
				require.Empty(t, got)
			}
			// Another gateway has the blocks, this one wrong ones.
			g.raw = func(cid.Cid) []byte { return junk }
			got, _, err = fetch(t.Context(), newClient(t, limits, g, &gateway{raw: d.gateway().raw}), "ipfs://"+id.String())
			require.NoError(t, err)
			require.Equal(t, string(b), got[id.String()])
		})
	}
	g := &gateway{raw: func(cid.Cid) []byte { return junk }}
	_, _, err := fetch(t.Context(), newClient(t, limits, g), "ipfs://"+id.String())
	require.ErrorIs(t, err, ipfs.ErrBlock)
	g = &gateway{raw: func(cid.Cid) []byte { return make([]byte, 3<<20) }}
	_, _, err = fetch(t.Context(), newClient(t, limits, g), "ipfs://"+id.String())
	require.ErrorIs(t, err, ipfs.ErrMissing)
}

// File data of type 2 (file) and 1 (directory), and a HAMT shard of a fanout.
var (
	fileData   = []byte{0x08, 2}
	folderData = []byte{0x08, 1}
)

func shardData(fanout uint64) []byte {
	return append([]byte{0x08, 5, 0x12, 1, 0xff, 0x28, 0x22, 0x30}, varint.ToUvarint(fanout)...)
}

// TestBombs are small and would be endless.
func TestBombs(t *testing.T) {
	d := newDAG()
	leaf := d.put(cid.Raw, random(1000))
	empty := d.put(cid.Raw, []byte{})
	times := func(n int, name string, id cid.Cid) (links [][]byte) {
		for i := range n {
			label := name
			if name != "" {
				label = fmt.Sprint(name, i)
			}
			links = append(links, pbLink(label, id))
		}
		return links
	}
	wide, nothing, folders := leaf, empty, d.put(cid.DagProtobuf, node(folderData))
	for range 6 {
		wide = d.put(cid.DagProtobuf, node(fileData, times(100, "", wide)...))
		nothing = d.put(cid.DagProtobuf, node(fileData, times(100, "", nothing)...))
		folders = d.put(cid.DagProtobuf, node(folderData, times(100, "f", folders)...))
	}
	deep, deepFolder := leaf, d.put(cid.DagProtobuf, node(folderData))
	deepShard := d.put(cid.DagProtobuf, node(shardData(8), pbLink("0x", leaf)))
	for range 500 {
		deep = d.put(cid.DagProtobuf, node(fileData, pbLink("", deep)))
		deepFolder = d.put(cid.DagProtobuf, node(folderData, pbLink("f", deepFolder)))
		deepShard = d.put(cid.DagProtobuf, node(shardData(8), pbLink("0", deepShard)))
	}
	g := &gateway{raw: func(id cid.Cid) []byte { return d.blocks[id] }}
	c := newClient(t, limits, g)
	for what, id := range map[string]cid.Cid{
		"wide file": wide, "file of nothing": nothing, "folders": folders, "deep file": deep, "deep folder": deepFolder, "deep shards": deepShard,
		"large file": d.put(cid.DagProtobuf, node(append(append([]byte{}, fileData...), 0x18, 0xff, 0xff, 0xff, 0xff, 0x0f))),
	} {
		got, _, err := fetch(t.Context(), c, "ipfs://"+id.String())
		require.ErrorIs(t, err, ipfs.ErrLimit, what)
		require.Empty(t, got, what)
	}
	// What gateways may deliver altogether.
	small := limits
	small.TotalBytes = 20_000
	l := d.file(random(50_000))
	for _, g := range []*gateway{d.gateway(), {raw: g.raw}} {
		_, _, err := fetch(t.Context(), newClient(t, small, g), "ipfs://"+l.String())
		require.ErrorIs(t, err, ipfs.ErrLimit)
	}
}

// TestBadNodes are blocks that match their CIDs and are no UnixFS.
func TestBadNodes(t *testing.T) {
	d := newDAG()
	leaf := d.put(cid.Raw, []byte("leaf"))
	dir := d.put(cid.DagProtobuf, node(folderData))
	g := &gateway{raw: func(id cid.Cid) []byte { return d.blocks[id] }}
	c := newClient(t, limits, g)
	bad := map[string][]byte{
		"no protobuf":        []byte("x"),
		"no data":            {},
		"no unixfs":          node([]byte("x")),
		"metadata":           node([]byte{0x08, 3}),
		"type":               node([]byte{0x08, 99}),
		"part is a folder":   node(fileData, pbLink("", dir)),
		"wrong size":         node(append(append([]byte{}, fileData...), 0x18, 99), pbLink("", leaf)),
		"twice":              node(folderData, pbLink("a", leaf), pbLink("a", leaf)),
		"fanout 0":           node(shardData(0)),
		"fanout 7":           node(shardData(7)),
		"huge fanout":        node(shardData(1 << 40)),
		"no fanout":          node([]byte{0x08, 5}),
		"short shard name":   node(shardData(256), pbLink("A", leaf)),
		"part of shard":      node(shardData(8), pbLink("0", leaf)),
		"other fanout":       node(shardData(8), pbLink("0", d.put(cid.DagProtobuf, node(shardData(256))))),
		"traversal in shard": node(shardData(8), pbLink("0..", leaf)),
	}
	for _, name := range []string{"", ".", "..", "../x", "a/b", "/etc/passwd", "a\x00b", "a\\b", "\xff", strings.Repeat("x", 256)} {
		bad["name "+name] = node(folderData, pbLink(name, leaf))
	}
	for what, block := range bad {
		got, _, err := fetch(t.Context(), c, "ipfs://"+d.put(cid.DagProtobuf, block).String())
		require.ErrorIs(t, err, ipfs.ErrFormat, what)
		if what != "twice" {
			require.Empty(t, got, what)
		}
	}
}

func TestHashes(t *testing.T) {
	d := newDAG()
	b := []byte("content")
	sum := blake3.Sum256(b)
	h, err := multihash.Encode(sum[:], multihash.BLAKE3)
	require.NoError(t, err)
	id := cid.NewCidV1(cid.Raw, h)
	d.blocks[id] = b
	got, _, err := fetch(t.Context(), newClient(t, limits, d.gateway()), "ipfs://"+id.String())
	require.NoError(t, err)
	require.Equal(t, "content", got[id.String()])

	h, err = multihash.Encode(b, multihash.IDENTITY)
	require.NoError(t, err)
	inline := cid.NewCidV1(cid.Raw, h)
	got, _, err = fetch(t.Context(), newClient(t, limits, &gateway{}), "ipfs://"+inline.String())
	require.NoError(t, err)
	require.Equal(t, "content", got[inline.String()])
}

func TestCanceled(t *testing.T) {
	d := newDAG()
	l := d.file(random(5000))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := fetch(ctx, newClient(t, limits, d.gateway()), "ipfs://"+l.String())
	require.ErrorIs(t, err, context.Canceled)
}

func TestReferences(t *testing.T) {
	h, err := multihash.Encode(make([]byte, 129), multihash.IDENTITY)
	require.NoError(t, err)
	long := cid.NewCidV1(cid.Raw, h).String()
	const id = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
	for _, text := range []string{
		"", "ipfs://", "http://" + id, "ipfs://x", "ipfs://" + id + "?format=raw", "ipfs://" + id + "#x", "ipfs://" + id + "/..", "ipfs://" + id + "/a%2fb",
		"ipfs://" + id + "/%zz", "ipfs://" + id + strings.Repeat("/a", 65), "ipfs://" + id + "/" + strings.Repeat("x", 5000), "ipfs://" + long,
		"ipfs://bafyreigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
	} {
		_, err := ipfs.ParseReference(text)
		require.Error(t, err, text)
	}
	ref, err := ipfs.ParseReference("ipfs://" + id + "//a%20b/c")
	require.NoError(t, err)
	require.Equal(t, []string{"a b", "c"}, ref.Path)
	require.Equal(t, "ipfs://"+id+"/a%20b/c", ref.String())
}

func FuzzReference(f *testing.F) {
	f.Add("ipfs://bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy/a%20b")
	f.Add("ipfs://QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG/readme")
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := ipfs.ParseReference(text)
		if err != nil {
			return
		}
		again, err := ipfs.ParseReference(ref.String())
		require.NoError(t, err)
		require.Equal(t, ref, again)
	})
}

// FuzzGateway: whatever a gateway sends, only files come out of it whose blocks match, within the bounds.
func FuzzGateway(f *testing.F) {
	d := newDAG()
	leaf := d.put(cid.Raw, []byte("leaf"))
	root := d.put(cid.DagProtobuf, node(folderData, pbLink("a", leaf)))
	f.Add(d.car(root), []byte("x"))
	f.Add(car(root), node(shardData(8), pbLink("0", leaf)))
	f.Add([]byte{}, node(fileData, pbLink("", leaf)))
	f.Fuzz(func(t *testing.T, stream, block []byte) {
		root := d.put(cid.DagProtobuf, block)
		g := &gateway{car: func(cid.Cid, string) []byte { return stream }, raw: func(cid.Cid) []byte { return block }}
		c := newClient(t, ipfs.Limits{FileBytes: 1 << 16, TotalBytes: 1 << 18, Blocks: 100, Entries: 10}, g)
		for _, path := range []string{"", "/a"} {
			got, _, err := fetch(t.Context(), c, "ipfs://"+root.String()+path)
			if err == nil {
				for name, file := range got {
					require.LessOrEqual(t, len(file), 1<<16, name)
				}
			}
		}
	})
}
