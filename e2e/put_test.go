package e2e_test

import (
	"encoding/json"
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
