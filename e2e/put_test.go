package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/testutil/devnet"
)

// putLine is the last line of edge put about a file.
type putLine struct {
	Event, File, Name, URL, Price string
	Folder, Existed               bool
	KeptUntilEpoch                uint64 `json:"kept_until_epoch"`
	AcknowledgedBytes             uint64 `json:"acknowledged_bytes"`
	Unacknowledged                uint64 `json:"unacknowledged_bytes"`
}

func putLines(t *testing.T, out string) (lines []putLine) {
	t.Helper()
	for text := range strings.Lines(out) {
		var l putLine
		require.NoError(t, json.Unmarshal([]byte(text), &l), "%s", text)
		if l.Event == "stored" {
			lines = append(lines, l)
		}
	}
	return lines
}

// testPut uploads more than a stranger's credit, and another client gets it.
func testPut(t *testing.T) {
	n := shared.long.get(t)
	ctx := bounded(t, 2*time.Minute)
	giver, taker := newClient(ctx, t, n, 50_000_000), newClient(ctx, t, n, 50_000_000)
	dir := t.TempDir()
	const size = 20 << 20
	file := filepath.Join(dir, "a.bin")
	require.NoError(t, devnet.WriteSeeded(file, size, 901))
	out, err := giver.Edge(ctx, "put", file, "--worker", n.WorkerURL(), "--output", "json")
	require.NoError(t, err, "%s", out)
	lines := putLines(t, out)
	require.Len(t, lines, 1, "%s", out)
	require.False(t, lines[0].Existed)
	require.NotZero(t, lines[0].KeptUntilEpoch)
	require.EqualValues(t, size, lines[0].AcknowledgedBytes)
	require.Zero(t, lines[0].Unacknowledged)
	require.NotEqual(t, "0", lines[0].Price)

	got := filepath.Join(t.TempDir(), "got")
	_, err = taker.Get(ctx, lines[0].Name, got)
	require.NoError(t, err)
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	have, err := os.ReadFile(got)
	require.NoError(t, err)
	require.Equal(t, want, have)

	// A folder skips what is there, and its own name comes last.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b.txt"), []byte("put by a client"), 0o600))
	out, err = giver.Edge(ctx, "put", dir, "--worker", n.WorkerURL(), "--output", "json")
	require.NoError(t, err, "%s", out)
	lines = putLines(t, out)
	require.Len(t, lines, 3, "%s", out)
	slices.SortFunc(lines[:2], func(a, b putLine) int { return strings.Compare(a.File, b.File) })
	require.True(t, lines[0].Existed)
	require.Zero(t, lines[0].AcknowledgedBytes)
	require.False(t, lines[1].Existed)
	require.EqualValues(t, 15, lines[1].AcknowledgedBytes)
	require.True(t, lines[2].Folder)
	a := newWire(t, n, "127.0.0.78").get(ctx, t, "/b3/"+lines[1].Name, nil)
	require.Equal(t, http.StatusOK, a.status)
	require.Equal(t, "put by a client", string(a.body))

	listed, err := n.Worker(ctx, "content", "ls")
	require.NoError(t, err)
	require.Contains(t, listed, "kept")
}

// testPutGoesOn uploads a folder of which one file is too large for the worker. The upload ends there and names it; the next one sends
// what is missing, and nothing is paid twice.
func testPutGoesOn(t *testing.T) {
	n := shared.long.get(t)
	ctx := bounded(t, 2*time.Minute)
	giver := newClient(ctx, t, n, 50_000_000)
	before, err := giver.Balance(ctx)
	require.NoError(t, err)
	const files, size = 24, 50_000
	dir := t.TempDir()
	for i := range files {
		require.NoError(t, devnet.WriteSeeded(filepath.Join(dir, fmt.Sprintf("%02d", i)), size, uint64(930+i)))
	}
	large := filepath.Join(dir, "11-large")
	require.NoError(t, os.WriteFile(large, nil, 0o600))
	require.NoError(t, os.Truncate(large, 65<<20))

	out, err := giver.Edge(ctx, "put", dir, "--worker", n.WorkerURL(), "--output", "json", "--parallel", "3")
	require.ErrorContains(t, err, large+": ")
	require.ErrorContains(t, err, "no room")
	var paid uint64
	stored := make(map[string]bool)
	for _, l := range putLines(t, out) {
		stored[l.File] = true
		paid += l.AcknowledgedBytes
	}
	require.NotEmpty(t, stored)
	require.Less(t, len(stored), files, "the failure ends the upload")
	texts := strings.Split(strings.TrimSpace(out), "\n")
	var last putLine
	require.NoError(t, json.Unmarshal([]byte(texts[len(texts)-1]), &last))
	require.Equal(t, "error", last.Event)
	paid += last.AcknowledgedBytes

	require.NoError(t, os.Remove(large))
	sent := received(ctx, t, n)
	out, err = giver.Edge(ctx, "put", dir, "--worker", n.WorkerURL(), "--output", "json")
	require.NoError(t, err, "%s", out)
	lines := putLines(t, out)
	require.Len(t, lines, files+1)
	var missing float64
	for _, l := range lines {
		paid += l.AcknowledgedBytes
		if stored[l.File] {
			require.True(t, l.Existed, "%s", l.File)
			require.Zero(t, l.AcknowledgedBytes, "%s", l.File)
		}
		if !l.Existed && !l.Folder {
			missing += size
		}
	}
	root := lines[len(lines)-1]
	require.True(t, root.Folder)
	require.False(t, root.Existed)
	require.Equal(t, missing+float64(root.AcknowledgedBytes), received(ctx, t, n)-sent, "only what was missing is sent")
	// A file may have become whole at the worker after the client gave up waiting for its word: then it was not paid at all.
	require.LessOrEqual(t, paid, uint64(files*size)+root.AcknowledgedBytes)
	require.Equal(t, paid, requirePaidAsSigned(ctx, t, n, giver, before), "what edge put says is what was paid")
}

// TestPutIsOff uploads to a worker whose operator has set no space aside.
func TestPutIsOff(t *testing.T) {
	t.Parallel()
	n := shared.short.get(t)
	ctx := bounded(t, time.Minute)
	c := newClient(ctx, t, n, 50_000_000)
	file := filepath.Join(t.TempDir(), "a")
	require.NoError(t, devnet.WriteSeeded(file, 1000, 902))
	out, err := c.Edge(ctx, "put", file, "--worker", n.WorkerURL())
	require.Error(t, err, "%s", out)
	require.Contains(t, err.Error()+out, "takes no uploads")
}
