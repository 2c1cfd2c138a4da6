package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/store"
)

// site is a folder in a store.
type site struct {
	root, docs   content.Name
	index, large []byte
}

func addSite(t *testing.T, b *bench) site {
	t.Helper()
	file := func(name, data string) content.Entry {
		return content.Entry{Name: name, MediaType: content.MediaTypeOf(name), Size: uint64(len(data)), Hash: b.add(t, []byte(data))}
	}
	folder := func(name string, entries ...content.Entry) content.Entry {
		m, err := content.EncodeManifest(entries)
		require.NoError(t, err)
		return content.Entry{Name: name, Kind: content.KindFolder, Size: uint64(len(m)), Hash: b.add(t, m)}
	}
	s := site{index: []byte("<p>home"), large: object(3*group + 5)}
	bare := folder("a:b c", file("x.css", "css"))
	fake := file("fake", "no manifest")
	fake.Kind, fake.MediaType, fake.Size = content.KindFolder, "", 18
	docs := folder("docs", file("index.html", "<p>docs"), bare, file("big.bin", string(s.large)))
	s.docs = docs.Hash
	s.root = folder("", file("index.html", string(s.index)), file("404.html", "<p>lost"), docs, fake).Hash
	return s
}

func TestFolder(t *testing.T) {
	b := newBench(t)
	s := addSite(t, b)
	url := b.start(t) + "/b3/" + s.root.String()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	do := func(method, path string, header ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url+path, nil)
		require.NoError(t, err)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		a, err := client.Do(r)
		require.NoError(t, err)
		require.Equal(t, "nosniff", a.Header.Get("X-Content-Type-Options"))
		return a
	}
	const html, plain = "text/html; charset=utf-8", "application/octet-stream"
	large := string(s.large)
	for _, c := range []struct {
		path      string
		status    int
		mediaType string
		body      string
	}{
		{"/", 200, html, "<p>home"},
		{"/index.html", 200, html, "<p>home"},
		{"/docs/", 200, html, "<p>docs"},
		{"/docs/big.bin", 200, plain, large},
		{"/docs/a:b%20c/x.css", 200, "text/css; charset=utf-8", "css"},
		{"/docs/a:b%20c/", 404, html, "<p>lost"},
		{"/none", 404, html, "<p>lost"},
		{"/none/x", 404, html, "<p>lost"},
		{"/index.html/", 404, html, "<p>lost"},
		{"/docs//", 404, html, "<p>lost"},
		{"/docs%2Fbig.bin", 200, plain, large},
	} {
		for range 2 {
			a := do(http.MethodGet, c.path)
			require.Equal(t, c.body, string(bodyOf(t, a)), c.path)
			require.Equal(t, c.status, a.StatusCode, c.path)
			require.Equal(t, c.mediaType, a.Header.Get("Content-Type"), c.path)
			policy := a.Header.Get("Content-Security-Policy")
			require.Contains(t, policy, "sandbox allow-scripts", c.path)
			require.NotContains(t, policy, "allow-same-origin", c.path)
			require.Equal(t, `"`+content.Name(blake3.Sum256([]byte(c.body))).String()+`"`, a.Header.Get("ETag"), c.path)
			head := do(http.MethodHead, c.path)
			require.Empty(t, bodyOf(t, head))
			require.Equal(t, c.status, head.StatusCode, c.path)
			require.EqualValues(t, len(c.body), head.ContentLength, c.path)
		}
	}
	for path, to := range map[string]string{"/docs": "./docs/", "/docs/a:b%20c?x=1": "./a:b%20c/?x=1"} {
		a := do(http.MethodGet, path)
		require.Equal(t, http.StatusPermanentRedirect, a.StatusCode)
		require.Equal(t, to, a.Header.Get("Location"))
		require.Empty(t, bodyOf(t, a))
	}
	tag := do(http.MethodHead, "/docs/big.bin").Header.Get("ETag")
	a := do(http.MethodGet, "/docs/big.bin", "If-None-Match", tag)
	require.Equal(t, http.StatusNotModified, a.StatusCode)
	require.Empty(t, bodyOf(t, a))
	a = do(http.MethodGet, "/docs/big.bin", "Range", "bytes=20000-20003")
	require.Equal(t, http.StatusPartialContent, a.StatusCode)
	require.Equal(t, s.large[20000:20004], bodyOf(t, a))
	requireProblem(t, do(http.MethodGet, "/docs/big.bin", "Range", "bytes=999999-"), 416, "range-not-satisfiable")
	a = do(http.MethodGet, "/none", "Range", "bytes=1-2", "If-None-Match", "*")
	require.Equal(t, http.StatusNotFound, a.StatusCode)
	require.Equal(t, "<p>lost", string(bodyOf(t, a)), "a page for a missing path is whole")

	a = do(http.MethodGet, "/docs/big.bin?format=bao")
	require.Equal(t, "application/vnd.edge.bao", a.Header.Get("Content-Type"))
	var out bytes.Buffer
	_, err := content.DecodeSlice(&out, bytes.NewReader(bodyOf(t, a)), blake3.Sum256(s.large), 0, content.ToEnd, 1<<30)
	require.NoError(t, err)
	require.Equal(t, s.large, out.Bytes())
	requireProblem(t, do(http.MethodGet, "/none?format=bao"), 404, "not-found")
	requireProblem(t, do(http.MethodGet, "/fake/x"), 404, "not-found")
	requireProblem(t, do(http.MethodGet, "/index.html", "Service-Worker", "script"), 400, "bad-request")

	a = do(http.MethodGet, "/docs/a:b%20c/", "Accept", "application/json")
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Equal(t, "Accept", a.Header.Get("Vary"))
	var list struct {
		Entries []struct{ Name, Kind string }
		Total   int
	}
	require.NoError(t, json.Unmarshal(bodyOf(t, a), &list))
	require.Equal(t, 1, list.Total)
	require.Equal(t, "x.css", list.Entries[0].Name)
	require.Equal(t, "file", list.Entries[0].Kind)

	// The root itself is content without a type; other content is no folder.
	a = do(http.MethodGet, "")
	require.Equal(t, plain, a.Header.Get("Content-Type"))
	require.Equal(t, "default-src 'none'; sandbox", a.Header.Get("Content-Security-Policy"))
	require.True(t, content.IsManifest(bodyOf(t, a)))
	url = "http://" + b.Addr() + "/b3/" + content.Name(blake3.Sum256(s.large)).String()
	requireProblem(t, do(http.MethodGet, "/x"), 404, "not-found")
	requireProblem(t, do(http.MethodGet, "/"), 404, "not-found")
	// What was removed from the store is served no longer, though its manifest was decoded.
	require.NoError(t, b.store.Delete(s.docs))
	url = "http://" + b.Addr() + "/b3/" + s.root.String()
	requireProblem(t, do(http.MethodGet, "/docs/"), 404, "not-found")
}

// TestFolderOfOrigin: manifests and files are asked of the origins.
func TestFolderOfOrigin(t *testing.T) {
	from := newBench(t)
	s := addSite(t, from)
	var b *bench
	b = newBench(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Origin = fill(func(ctx context.Context, name content.Name) error {
			o, err := from.store.Open(name)
			if err != nil {
				return store.ErrNotFound
			}
			defer o.Close()
			_, err = b.store.AddNamed(ctx, name, o.Data())
			return err
		})
	})
	a := b.get(t, "/b3/"+s.root.String()+"/docs/big.bin")
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Equal(t, s.large, bodyOf(t, a))
}

// TestManifestsCount: manifests that are not in memory are read at somebody's expense.
func TestManifestsCount(t *testing.T) {
	var free uint64
	b := newBench(t, func(cfg *gateway.Config, _ *gateway.Deps) { cfg.FreeQuotaBytes = 1 << 10 })
	s := addSite(t, b)
	for _, name := range []content.Name{s.root, s.docs} {
		info, err := b.store.Stat(name)
		require.NoError(t, err)
		free += info.Size
	}
	root := "/b3/" + s.root.String()
	for _, c := range []struct {
		free   uint64
		status int
	}{{free, http.StatusOK}, {free - 1, http.StatusPaymentRequired}} {
		again := newBench(t, func(cfg *gateway.Config, d *gateway.Deps) { cfg.FreeQuotaBytes, d.Store = c.free, b.store })
		for range 3 {
			require.Equal(t, c.status, again.do(t, http.MethodHead, root+"/docs/", nil).StatusCode)
		}
		require.Equal(t, http.StatusPaymentRequired, again.get(t, root+"/docs/").StatusCode)
		require.Equal(t, http.StatusOK, again.get(t, root+"/docs/", auth).StatusCode, "within a session it is not the quota")
	}
	again := newBench(t, func(_ *gateway.Config, d *gateway.Deps) { d.Store = b.store })
	again.sessions.limit = 0
	requireProblem(t, again.get(t, root+"/docs/", auth), http.StatusPaymentRequired, "account-empty")
}
