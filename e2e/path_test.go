package e2e_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/testutil/devnet"
)

// runDevnet runs it to its end and returns what it printed and its exit code.
func runDevnet(ctx context.Context, t *testing.T, env []string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(ctx, shared.devnet, args...)
	cmd.Env = append(append(os.Environ(), devnet.BinEnv+"="+filepath.Dir(shared.bins.Edged)), env...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(t, err, "%s", out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestWholePath is what a newcomer does: make devnet ARGS=--once.
func TestWholePath(t *testing.T) {
	t.Parallel()
	ctx := bounded(t, 5*time.Minute)
	out, code := runDevnet(ctx, t, nil, "--once", "--epoch", "15s", "--dir", filepath.Join(shared.dir, "path"), "--port-offset", fmt.Sprint(offsetPath))
	t.Log(out)
	require.Zero(t, code)
	for _, want := range []string{"fetched", "acknowledged", "settled", "client paid", "operator received", "community pool received", "supply", "tokens", "exact: "} {
		require.Contains(t, out, want)
	}
}

// TestOffByOneExits1 plants one unit into the balances as they are read: the sums must notice.
func TestOffByOneExits1(t *testing.T) {
	t.Parallel()
	content := t.TempDir()
	require.NoError(t, devnet.WriteSeeded(filepath.Join(content, "a"), 3<<20, 7))
	ctx := bounded(t, 5*time.Minute)
	out, code := runDevnet(ctx, t, []string{devnet.PlantEnv + "=operator+1"}, "--once", "--epoch", "15s", "--content", content, "--big-file", "0",
		"--dir", filepath.Join(shared.dir, "plant"), "--port-offset", fmt.Sprint(offsetPlant))
	t.Log(out)
	require.Equal(t, 1, code)
	require.Contains(t, out, "the sums are not exact")
	require.Contains(t, out, "off by 1)")
}

// TestPortInUse expects a clear error before anything starts.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	ports := devnet.NewPorts(offsetTaken)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", ports.GRPC))
	require.NoError(t, err)
	defer l.Close()
	dir := filepath.Join(t.TempDir(), "network")
	out, code := runDevnet(bounded(t, 2*time.Minute), t, nil, "--once", "--dir", dir, "--port-offset", fmt.Sprint(offsetTaken))
	require.Equal(t, 1, code)
	require.Contains(t, out, fmt.Sprintf("gRPC port %d is in use", ports.GRPC))
	require.NoDirExists(t, filepath.Join(dir, "edged"))
}
