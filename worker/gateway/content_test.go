package gateway_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/session"
	"github.com/edgechain/edge/worker/store"
)

// TestHTTPSemantics is the table of what GET and HEAD answer.
func TestHTTPSemantics(t *testing.T) {
	b := newBench(t)
	data := object(5*group + 777)
	size := len(data)
	name := b.add(t, data)
	tag, baoTag := `"`+name.String()+`"`, `"`+name.String()+`.bao"`
	path := "/b3/" + name.String()

	type want struct {
		status      int
		from, to    int // of the body's content
		rangeHeader string
		payload     int
	}
	whole := want{200, 0, size, "", size}
	part := func(from, to, payload int) want {
		return want{206, from, to, fmt.Sprintf("bytes %d-%d/%d", from, to-1, size), payload}
	}
	none := want{status: 304}
	bad := want{status: 416, rangeHeader: fmt.Sprintf("bytes */%d", size)}
	for _, c := range []struct {
		what    string
		headers []string
		want    want
	}{
		{"whole", nil, whole},
		{"first byte", []string{"Range: bytes=0-0"}, part(0, 1, group)},
		{"one byte in the middle", []string{fmt.Sprintf("Range: bytes=%d-%d", 2*group+5, 2*group+5)}, part(2*group+5, 2*group+6, group)},
		{"over a border", []string{fmt.Sprintf("Range: bytes=%d-%d", group-1, group)}, part(group-1, group+1, 2*group)},
		{"last byte", []string{fmt.Sprintf("Range: bytes=%d-", size-1)}, part(size-1, size, 777)},
		{"clipped", []string{fmt.Sprintf("Range: bytes=10-%d", 10*size)}, part(10, size, size)},
		{"clipped from 2^64", []string{"Range: bytes=0-18446744073709551615"}, part(0, size, size)},
		{"clipped from beyond 2^64", []string{"Range: bytes=1-99999999999999999999999999"}, part(1, size, size)},
		{"suffix", []string{"Range: bytes=-778"}, part(size-778, size, group+777)},
		{"suffix longer than the object", []string{"Range: bytes=-99999999999999999999999"}, part(0, size, size)},
		{"unit in capitals", []string{"Range: Bytes=1-2"}, part(1, 3, group)},
		{"spaces around", []string{"Range: bytes= 1-2 "}, part(1, 3, group)},
		{"other unit is ignored", []string{"Range: lines=1-2"}, whole},
		{"several ranges are ignored", []string{"Range: bytes=0-0,5-6"}, whole},
		{"behind the end", []string{fmt.Sprintf("Range: bytes=%d-", size)}, bad},
		{"far behind the end", []string{"Range: bytes=99999999999999999999999-"}, bad},
		{"empty suffix", []string{"Range: bytes=-0"}, bad},
		{"backwards", []string{"Range: bytes=5-4"}, bad},
		{"no numbers", []string{"Range: bytes=-"}, bad},
		{"letters", []string{"Range: bytes=a-b"}, bad},
		{"sign", []string{"Range: bytes=+1-2"}, bad},
		{"no unit", []string{"Range: 1-2"}, bad},
		{"if-none-match", []string{"If-None-Match: " + tag}, none},
		{"if-none-match, weak", []string{"If-None-Match: W/" + tag}, none},
		{"if-none-match, list", []string{`If-None-Match: "x", , ` + tag}, none},
		{"if-none-match, lines", []string{`If-None-Match: "x"`, "If-None-Match: " + tag}, none},
		{"if-none-match, any", []string{"If-None-Match: *"}, none},
		{"if-none-match goes before range", []string{"If-None-Match: " + tag, "Range: bytes=99999999-"}, none},
		{"if-none-match, other", []string{`If-None-Match: "x"`}, whole},
		{"if-none-match, other form", []string{"If-None-Match: " + baoTag}, whole},
		{"if-none-match, no tag", []string{"If-None-Match: " + name.String()}, whole},
		{"if-none-match, unterminated", []string{`If-None-Match: "` + name.String()}, whole},
		{"if-range", []string{"If-Range: " + tag, "Range: bytes=1-2"}, part(1, 3, group)},
		{"if-range, other", []string{`If-Range: "x"`, "Range: bytes=1-2"}, whole},
		{"if-range, weak", []string{"If-Range: W/" + tag, "Range: bytes=1-2"}, whole},
		{"if-range, date", []string{"If-Range: Wed, 21 Oct 2015 07:28:00 GMT", "Range: bytes=1-2"}, whole},
		{"if-range, other, bad range", []string{`If-Range: "x"`, "Range: bytes=99999999-"}, whole},
		{"if-match", []string{"If-Match: " + tag}, whole},
		{"if-match, any", []string{"If-Match: *"}, whole},
		{"if-match, other", []string{`If-Match: "x"`}, want{status: 412}},
		{"if-match, weak", []string{"If-Match: W/" + tag}, want{status: 412}},
		{"no date conditions", []string{"If-Modified-Since: Wed, 21 Oct 2099 07:28:00 GMT"}, whole},
		{"no compression", []string{"Accept-Encoding: gzip, br"}, whole},
		{"accepts anything", []string{"Accept: */*"}, whole},
		{"plain by accept with q 0", []string{"Accept: application/vnd.edge.bao;q=0, */*"}, whole},
	} {
		t.Run(c.what, func(t *testing.T) {
			// A session, so that the free quota stays out of it.
			r := b.get(t, path, append(c.headers, auth)...)
			switch c.want.status {
			case 416:
				requireProblem(t, r, 416, "range-not-satisfiable")
				require.Equal(t, c.want.rangeHeader, r.Header.Get("Content-Range"))
				return
			case 412:
				requireProblem(t, r, 412, "precondition-failed")
				return
			}
			body := bodyOf(t, r)
			require.Equal(t, c.want.status, r.StatusCode)
			require.Equal(t, tag, r.Header.Get("ETag"))
			require.Equal(t, "private, max-age=31536000, immutable", r.Header.Get("Cache-Control"))
			require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
			require.Equal(t, "Accept", r.Header.Get("Vary"))
			require.Empty(t, r.Header.Get("Content-Encoding"))
			require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"))
			require.True(t, bytes.Equal(data[c.want.from:c.want.to], body), "body")
			if c.want.status == 304 {
				require.Empty(t, r.Header.Get("Edge-Sequence"), "nothing is billed")
				return
			}
			require.Equal(t, c.want.rangeHeader, r.Header.Get("Content-Range"))
			require.Equal(t, "bytes", r.Header.Get("Accept-Ranges"))
			require.Equal(t, "application/octet-stream", r.Header.Get("Content-Type"))
			require.Equal(t, strconv.Itoa(c.want.to-c.want.from), r.Header.Get("Content-Length"))
			require.Equal(t, strconv.Itoa(c.want.payload), r.Header.Get("Edge-Payload-Bytes"))
			require.Equal(t, "12", r.Header.Get("Edge-Epoch"))
			last := b.sessions.last()
			require.Equal(t, strconv.FormatUint(last.sequence, 10), r.Header.Get("Edge-Sequence"))
			require.Equal(t, [3]uint64{uint64(c.want.payload), 1, 0}, last.state())
			meta := session.Meta{
				RequestDigest:  ack.ContentRequestDigest(name.Digest(), uint64(c.want.from), uint64(c.want.to-c.want.from)),
				ResponseDigest: name.Digest(), Bytes: uint64(c.want.payload),
			}
			if c.want.to-c.want.from == size {
				meta.Receipt = ack.Receipt(meta.RequestDigest, meta.ResponseDigest, meta.Bytes, 0)
			}
			require.Equal(t, meta, last.meta)
		})
	}
}

func TestWithoutSession(t *testing.T) {
	b := newBench(t)
	data := object(3 * group)
	name := b.add(t, data)
	for _, text := range []string{name.String(), strings.ToUpper(name.String()), name.CID()} {
		r := b.get(t, "/b3/"+text)
		require.Equal(t, 200, r.StatusCode)
		require.True(t, bytes.Equal(data, bodyOf(t, r)))
		require.Equal(t, "public, max-age=31536000, immutable", r.Header.Get("Cache-Control"))
		require.Empty(t, r.Header.Get("Edge-Sequence"))
		require.Equal(t, `"`+name.String()+`"`, r.Header.Get("ETag"))
	}
	require.Nil(t, b.sessions.last())
}

func TestHead(t *testing.T) {
	// No quota and no session: HEAD needs neither.
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.FreeQuotaBytes = 0 })
	data := object(2*group + 1)
	name := b.add(t, data)
	for _, c := range []struct {
		query, mediaType string
		length           uint64
	}{
		{"", "application/octet-stream", uint64(len(data))},
		{"?format=bao", "application/vnd.edge.bao", content.SliceSize(uint64(len(data)), 0, content.ToEnd)},
	} {
		r := b.do(t, http.MethodHead, "/b3/"+name.String()+c.query, nil, "Range: bytes=0-0")
		require.Equal(t, 200, r.StatusCode, "range is for GET only")
		require.Empty(t, bodyOf(t, r))
		require.Equal(t, c.mediaType, r.Header.Get("Content-Type"))
		require.Equal(t, strconv.FormatUint(c.length, 10), r.Header.Get("Content-Length"))
		require.Equal(t, strconv.Itoa(len(data)), r.Header.Get("Edge-Payload-Bytes"))
		require.NotEmpty(t, r.Header.Get("ETag"))
	}
	r := b.do(t, http.MethodHead, "/b3/"+content.EmptyName.String(), nil)
	require.Equal(t, 404, r.StatusCode)
	require.Empty(t, bodyOf(t, r))
	require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
	r = b.do(t, http.MethodHead, "/b3/"+name.String(), nil, `If-None-Match: "`+name.String()+`"`)
	require.Equal(t, 304, r.StatusCode)
	require.Nil(t, b.sessions.last())
}

func TestBao(t *testing.T) {
	b := newBench(t)
	for _, size := range []int{0, 1, group - 1, group, group + 1, 5*group + 777, 1<<20 + 5} {
		data := object(size)
		name := b.add(t, data)
		for _, c := range []struct {
			query   string
			headers []string
		}{
			{"?format=bao", nil},
			{"", []string{"Accept: application/vnd.edge.bao"}},
			{"", []string{"Accept: text/html;q=0.9, application/vnd.edge.bao;q=0.5"}},
			{"", []string{"Accept: text/html", "Accept: Application/Vnd.Edge.Bao, application/vnd.edge.bao"}},
		} {
			r := b.get(t, "/b3/"+name.String()+c.query, append(c.headers, auth)...)
			require.Equal(t, 200, r.StatusCode)
			require.Equal(t, "application/vnd.edge.bao", r.Header.Get("Content-Type"))
			require.Equal(t, `"`+name.String()+`.bao"`, r.Header.Get("ETag"))
			require.Equal(t, "Accept, Range", r.Header.Get("Vary"))
			require.Empty(t, r.Header.Get("Edge-Range"))
			require.Equal(t, strconv.Itoa(size), r.Header.Get("Edge-Payload-Bytes"))
			require.Equal(t, [3]uint64{uint64(size), 1, 0}, b.sessions.last().state())
			body := bodyOf(t, r)
			require.Equal(t, strconv.Itoa(len(body)), r.Header.Get("Content-Length"))
			var out bytes.Buffer
			got, err := content.DecodeSlice(&out, bytes.NewReader(body), name, 0, content.ToEnd, content.MaxSize)
			require.NoError(t, err)
			require.EqualValues(t, size, got)
			require.True(t, bytes.Equal(data, out.Bytes()))
		}
		for _, c := range []struct{ header, from, to int }{{0, 0, 1}, {0, size / 2, size/2 + group}, {0, size - 1, size}} {
			if c.from < 0 || c.to > size {
				continue
			}
			r := b.get(t, "/b3/"+name.String()+"?format=bao", auth, fmt.Sprintf("Range: bytes=%d-%d", c.from, c.to-1))
			require.Equal(t, 200, r.StatusCode)
			require.Equal(t, fmt.Sprintf("bytes %d-%d/%d", c.from, c.to-1, size), r.Header.Get("Edge-Range"))
			require.Empty(t, r.Header.Get("Content-Range"))
			var out bytes.Buffer
			_, err := content.DecodeSlice(&out, r.Body, name, uint64(c.from), uint64(c.to-c.from), content.MaxSize)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data[c.from:c.to], out.Bytes()))
			require.Empty(t, bodyOf(t, r), "bytes behind the slice")
			require.Equal(t, ack.ContentBytes(uint64(size), uint64(c.from), uint64(c.to-c.from)), b.sessions.last().state()[0])
		}
		requireProblem(t, b.get(t, "/b3/"+name.String()+"?format=bao", auth, fmt.Sprintf("Range: bytes=%d-", size)), 416, "range-not-satisfiable")
	}
}

func TestEmptyObject(t *testing.T) {
	b := newBench(t, func(c *gateway.Config, _ *gateway.Deps) { c.FreeQuotaBytes = 0 })
	name := b.add(t, nil)
	r := b.get(t, "/b3/"+name.String())
	require.Equal(t, 200, r.StatusCode, "what costs nothing needs no quota")
	require.Empty(t, bodyOf(t, r))
	require.Equal(t, "0", r.Header.Get("Edge-Payload-Bytes"))
	r = b.get(t, "/b3/"+name.String(), auth)
	require.Equal(t, "1", r.Header.Get("Edge-Sequence"), "it is a request like any other")
	require.Equal(t, [3]uint64{0, 1, 0}, b.sessions.last().state())
	for _, rng := range []string{"bytes=0-", "bytes=-1", "bytes=0-0"} {
		r = b.get(t, "/b3/"+name.String(), "Range: "+rng)
		requireProblem(t, r, 416, "range-not-satisfiable")
		require.Equal(t, "bytes */0", r.Header.Get("Content-Range"))
	}
}

func TestContentProblems(t *testing.T) {
	b := newBench(t)
	name := b.add(t, object(100))
	path := "/b3/" + name.String()
	unknown := content.Name(blake3.Sum256([]byte("unknown")))
	requireProblem(t, b.get(t, "/b3/"+unknown.String()), 404, "not-found")
	requireProblem(t, b.get(t, "/b3/"+unknown.String(), auth), 404, "not-found")
	for _, bad := range []string{"/b3/", "/b3/x", "/b3/..%2f..%2fetc%2fpasswd", "/b3/" + strings.Repeat("a", 1000)} {
		requireProblem(t, b.get(t, bad), 400, "bad-request")
	}
	for _, below := range []string{path + "/", path + "/x"} {
		require.Contains(t, requireProblem(t, b.get(t, below), 404, "not-found")["detail"], "is not a folder")
	}
	requireProblem(t, b.get(t, path+"?format=zip"), 400, "bad-request")
	requireProblem(t, b.get(t, path, "Accept: application/vnd.edge.bao;="), 400, "bad-request")
	requireProblem(t, b.do(t, http.MethodGet, path, strings.NewReader("body")), 400, "bad-request")

	for _, header := range []string{"Authorization: Edge-Session other", "Authorization: Edge-Session", "Authorization: Bearer token", "Authorization: token"} {
		r := b.get(t, path, header)
		requireProblem(t, r, 401, "session-unknown")
		require.Equal(t, "Edge-Session", r.Header.Get("WWW-Authenticate"))
	}
	require.Equal(t, 200, b.get(t, path, "Authorization: edge-session  token").StatusCode)
}

// TestDamagedContentIsNotServed cuts the file below the store: 500 without a word about paths, and 404 from then on.
func TestDamagedContentIsNotServed(t *testing.T) {
	var dir string
	b := newBench(t, func(_ *gateway.Config, d *gateway.Deps) {
		cfg := store.DefaultConfig(t.TempDir())
		dir = cfg.Dir
		st, err := store.Open(cfg, d.Log)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, st.Close()) })
		d.Store = st
	})
	data := object(2 * group)
	added, err := b.store.Add(t.Context(), bytes.NewReader(data))
	require.NoError(t, err)
	hex := added.Name.String()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "objects", hex[:2]), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "objects", hex[:2], hex), data, 0o600))
	doc := requireProblem(t, b.get(t, "/b3/"+hex), 500, "internal")
	require.NotContains(t, fmt.Sprint(doc), dir)
	requireProblem(t, b.get(t, "/b3/"+hex), 404, "not-found")
}

// TestFlippedByteIsNotServed flips a byte of a file that was served before. No byte of its group leaves the worker: the
// answer stops before it, the connection is reset, and the object is in quarantine.
func TestFlippedByteIsNotServed(t *testing.T) {
	for _, query := range []string{"", "?format=bao"} {
		var dir string
		var st *store.Store
		b := newBench(t, func(c *gateway.Config, d *gateway.Deps) {
			c.StepBytes = group
			cfg := store.DefaultConfig(t.TempDir())
			cfg.HotRecheck = time.Nanosecond
			dir = cfg.Dir
			var err error
			st, err = store.Open(cfg, d.Log)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, st.Close()) })
			d.Store = st
		})
		data := object(5*group + 9)
		added, err := st.Add(t.Context(), bytes.NewReader(data))
		require.NoError(t, err)
		hex := added.Name.String()
		url := b.start(t)
		r, err := fetch(t, url+"/b3/"+hex)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, bodyOf(t, r)))

		path := filepath.Join(dir, "objects", hex[:2], hex)
		damaged, err := os.ReadFile(path)
		require.NoError(t, err)
		damaged[3*group+100] ^= 1
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		r, err = fetch(t, url+"/b3/"+hex+query, auth)
		require.NoError(t, err)
		got, err := io.ReadAll(r.Body)
		require.Error(t, err, "the connection is reset")
		require.NoError(t, r.Body.Close())
		if query == "" {
			require.True(t, bytes.Equal(data[:3*group], got))
		} else {
			require.False(t, bytes.Contains(got, damaged[3*group:4*group]))
			var out bytes.Buffer
			_, err = content.DecodeSlice(&out, bytes.NewReader(got), added.Name, 0, content.ToEnd, content.MaxSize)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.True(t, bytes.Equal(data[:3*group], out.Bytes()))
		}
		require.Equal(t, [3]uint64{3 * group, 0, 1}, b.sessions.last().state())
		requireProblem(t, b.get(t, "/b3/"+hex, auth), 404, "not-found")
		entries, err := os.ReadDir(filepath.Join(dir, "quarantine"))
		require.NoError(t, err)
		require.Len(t, entries, 1)
	}
}

func TestAckHeader(t *testing.T) {
	b := newBench(t)
	name := b.add(t, object(group))
	path := "/b3/" + name.String()
	first, second := signed(1), signed(2)
	encoded := func(acks ...ack.Signed) string {
		var buf []byte
		for i := range acks {
			buf = acks[i].AppendEncoded(buf)
		}
		return "Edge-Ack: " + base64.StdEncoding.EncodeToString(buf)
	}
	r := b.get(t, path, auth, encoded(first, second))
	require.Equal(t, 200, r.StatusCode)
	require.Equal(t, []ack.Signed{first, second}, b.sessions.stored)

	// Acknowledgements are money: they are stored whatever becomes of the request.
	third := signed(3)
	requireProblem(t, b.get(t, "/b3/x", encoded(third)), 400, "bad-request")
	requireProblem(t, b.get(t, path, "Authorization: Edge-Session gone", encoded(third)), 401, "session-unknown")
	require.Equal(t, []ack.Signed{first, second, third, third}, b.sessions.stored)

	b.sessions.refuse[9] = fmt.Errorf("signature does not verify")
	doc := requireProblem(t, b.get(t, path, auth, encoded(signed(9), signed(4))), 422, "bad-acknowledgement")
	require.Equal(t, []any{map[string]any{"index": 0.0, "reason": "signature does not verify"}}, doc["results"])
	require.EqualValues(t, 4, b.sessions.stored[len(b.sessions.stored)-1].Bytes, "the rest is stored nevertheless")

	doc = requireProblem(t, b.get(t, path, auth, encoded(ack.Signed{}, signed(5))), 422, "bad-acknowledgement")
	require.Equal(t, []any{map[string]any{"index": 0.0, "reason": session.ReasonOutOfRange}}, doc["results"])
	require.EqualValues(t, 5, b.sessions.stored[len(b.sessions.stored)-1].Bytes)

	for what, header := range map[string]string{
		"not base64": "Edge-Ack: !",
		"cut":        "Edge-Ack: " + base64.StdEncoding.EncodeToString(first.AppendEncoded(nil)[:160]),
		"three":      encoded(first, first, first),
		"huge":       "Edge-Ack: " + strings.Repeat("A", 100_000),
	} {
		require.NotNil(t, requireProblem(t, b.get(t, path, auth, header), 400, "bad-request"), what)
	}
}

// TestSendfileStopsAtTheObject serves from a real listener, so that the kernel's path is taken, and checks that what lies
// behind the data in the file stays there.
func TestSendfileStopsAtTheObject(t *testing.T) {
	b := newBench(t)
	url := b.start(t)
	data := object(1<<20 + 300<<10 + 17)
	name := b.add(t, data)
	for _, c := range []struct{ from, to int }{{0, len(data)}, {17, 1 << 20}, {1 << 20, len(data)}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/b3/"+name.String(), nil)
		require.NoError(t, err)
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", c.from, c.to-1))
		r, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		got, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.NoError(t, r.Body.Close())
		require.True(t, bytes.Equal(data[c.from:c.to], got))
		require.Empty(t, r.TransferEncoding)
	}
	require.Equal(t, float64(ack.ContentBytes(uint64(len(data)), 0, content.ToEnd)+ack.ContentBytes(uint64(len(data)), 17, 1<<20-17)+ack.ContentBytes(uint64(len(data)), 1<<20, content.ToEnd)), b.metric(t, "edge_gateway_payload_bytes_total"))
}
