package main

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
)

// TestAddRemote fetches what is added, and adds nothing that is not what was expected.
func TestAddRemote(t *testing.T) {
	body := []byte("content")
	name := content.Name(blake3.Sum256(body)).String()
	sum := sha256.Sum256(body)
	good := "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
	hash, err := multihash.Encode(sum[:], multihash.SHA2_256)
	require.NoError(t, err)
	id := cid.NewCidV1(cid.Raw, hash).String()
	blocks := map[string][]byte{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b, ok := blocks[r.URL.Path]; ok {
			_, _ = w.Write(b)
			return
		}
		switch r.URL.Path {
		case "/file", "/ipfs/" + id:
			_, _ = w.Write(body)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	file := server.URL + "/file"
	c := newCLI(t)
	c.init()
	allowed := []string{"--origin.allow_networks", "127.0.0.0/8", "--origin.ipfs_gateways", server.URL}
	add := func(args ...string) []string { return append(append([]string{"add"}, args...), allowed...) }

	c.fails(2, "what it must be is not given", add(file)...)
	c.fails(2, "no integrity attribute", add(file, "--integrity", "md5-x")...)
	c.fails(2, "--blake3", add(file, "--blake3", "x")...)
	c.fails(2, "no IPFS reference", add("ipfs://x")...)
	c.fails(1, "not the expected ones", add(file, "--blake3", content.EmptyName.String())...)
	c.fails(1, "status 404", add(server.URL+"/none", "--integrity", good)...)
	c.fails(1, "too large", add(file, "--integrity", good, "--origin.max_object_bytes", "3")...)
	c.fails(1, "not at a public address", "add", file, "--integrity", good)
	c.fails(2, "allow_networks", "add", file, "--origin.allow_networks", "x")
	require.NotContains(t, c.ok("content", "ls"), name)
	// A folder gets a name of its own, like one of this machine.
	raw, err := cid.Decode(id)
	require.NoError(t, err)
	link := func(id cid.Cid, name string) []byte {
		b := append([]byte{0x0a, byte(id.ByteLen())}, id.Bytes()...)
		return append(append(b, 0x12, byte(len(name))), name...)
	}
	node := func(links ...[]byte) (b []byte) {
		for _, l := range links {
			b = append(append(b, 0x12, byte(len(l))), l...)
		}
		return append(b, 0x0a, 2, 8, 1) // UnixFS: a folder
	}
	block := func(b []byte) cid.Cid {
		sum := sha256.Sum256(b)
		hash, err := multihash.Encode(sum[:], multihash.SHA2_256)
		require.NoError(t, err)
		id := cid.NewCidV1(cid.DagProtobuf, hash)
		blocks["/ipfs/"+id.String()] = b
		return id
	}
	docs := block(node(link(raw, "a.txt")))
	root := block(node(link(docs, "docs"), link(raw, "index.html")))
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "docs"), 0o755))
	for _, path := range []string{"docs/a.txt", "index.html"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), body, 0o600))
	}
	lines := func(out string) []string { return strings.Split(strings.TrimSpace(out), "\n") }
	local := lines(c.ok("add", dir))
	fetched := lines(c.ok(add("ipfs://" + root.String())...))
	require.Len(t, fetched, 3)
	require.Contains(t, fetched[2], "ipfs://"+root.String())
	require.Equal(t, strings.Fields(local[2])[0], strings.Fields(fetched[2])[0], "the same folder has the same name")
	require.Len(t, lines(c.ok(add("ipfs://"+root.String(), "--files-only")...)), 2)

	for _, args := range [][]string{{file + "#" + good}, {file, "--integrity", good}, {file, "--blake3", name}, {"ipfs://" + id}, {"ipfs://" + id, "--blake3", name}} {
		require.Contains(t, c.ok(add(args...)...), name)
	}
}
