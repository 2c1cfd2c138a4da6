package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/testutil/devnet"
)

// testSmallFiles uploads and fetches a folder of hundreds of small files. It must not take a session for each: a worker bounds
// those that an account opens. What was fetched of a folder that is not complete is not paid again.
func testSmallFiles(t *testing.T) {
	const files = 300
	n := shared.long.get(t)
	ctx := bounded(t, 3*time.Minute)
	giver, taker := newClient(ctx, t, n, 50_000_000), newClient(ctx, t, n, 50_000_000)
	folder := filepath.Join(t.TempDir(), "small")
	for i := range files {
		p := filepath.Join(folder, fmt.Sprintf("%d/%03d.txt", i%5, i))
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(strings.Repeat(fmt.Sprintf("file %d\n", i), 1+i)), 0o600))
	}

	sessions := sessionsOpened(ctx, t, n)
	began := time.Now()
	out, err := giver.Edge(ctx, "put", folder, "--worker", n.WorkerURL(), "--output", "json", "--parallel", "4")
	require.NoError(t, err, "%s", out)
	t.Logf("put: %.0f files a second", files/time.Since(began).Seconds())
	lines := putLines(t, out)
	require.Len(t, lines, files+6, "the files, five folders and the root")
	require.LessOrEqual(t, sessionsOpened(ctx, t, n)-sessions, 4, "one for each upload at a time, not one for each file")
	for _, l := range lines {
		require.False(t, l.Existed, "%s", l.File)
		require.Zero(t, l.Unacknowledged, "%s", l.File)
	}
	root := lines[len(lines)-1].Name

	// One file is not there at first.
	lost := filepath.Join(folder, "3/003.txt")
	_, err = n.Worker(ctx, "content", "rm", nameOf(t, lost))
	require.NoError(t, err)
	before, err := taker.Balance(ctx)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "got")
	sessions = sessionsOpened(ctx, t, n)
	began = time.Now()
	out, err = taker.Edge(ctx, "get", root, "-o", dir, "--output", "json", "--parallel", "4")
	took := time.Since(began)
	require.ErrorContains(t, err, "not complete", "%s", out)
	t.Logf("get: %.0f files a second", files/took.Seconds())
	first := folderSums(t, out, "error")
	require.Equal(t, files-1, first.Fetched)
	require.Zero(t, first.Unacknowledged)
	require.LessOrEqual(t, sessionsOpened(ctx, t, n)-sessions, 4, "one for each file at a time, not one for each file")

	_, err = n.Add(ctx, lost)
	require.NoError(t, err)
	out, err = taker.Edge(ctx, "get", root, "-o", dir, "--output", "json")
	require.NoError(t, err, "%s", out)
	requireSameTree(t, folder, dir)
	info, err := os.Stat(lost)
	require.NoError(t, err)
	second := folderSums(t, out, "done")
	require.Equal(t, 1, second.Fetched)
	require.EqualValues(t, info.Size(), second.Acknowledged, "the manifests are not paid again")
	require.Equal(t, first.Acknowledged+second.Acknowledged, requirePaidAsSigned(ctx, t, n, taker, before), "what edge get says is what was paid")
}

var openedSessions = regexp.MustCompile(`(?m)^edge_gateway_requests_total\{route="sessions",status="201"\} ([0-9.e+]+)$`)

// sessionsOpened is how many sessions the worker has opened since it started.
func sessionsOpened(ctx context.Context, t *testing.T, n *devnet.Network) int {
	t.Helper()
	m := openedSessions.FindStringSubmatch(workerMetrics(ctx, t, n))
	if m == nil {
		return 0
	}
	v, err := strconv.ParseFloat(m[1], 64)
	require.NoError(t, err)
	return int(v)
}
