// Package e2e_test runs the three programs against each other on loopback: a real chain, a worker and clients.
package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/testutil/devnet"
)

// Port offsets of the networks, apart from each other and from a devnet that somebody runs beside.
const (
	offsetShort = 2000 + 10*iota
	offsetLong
	offsetPath
	offsetPlant
	offsetTaken
	offsetMoney
	offsetGrants
)

// suite is what the tests share.
type suite struct {
	dir  string
	bins devnet.Binaries
	// devnet is the program behind make devnet.
	devnet string
	// short has epochs of seconds, so that tests see epochs close; long has one epoch for all tests, so that nothing that
	// lanes hold dies while a test counts it.
	short, long lazyNetwork
}

var shared suite

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("e2e: skipped in short mode")
		os.Exit(0)
	}
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func runAll(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	if shared.dir, err = os.MkdirTemp("", "edge-e2e-*"); err != nil {
		return 1, err
	}
	if shared.bins, err = devnet.Build(ctx, filepath.Join(shared.dir, "bin")); err != nil {
		return 1, err
	}
	shared.devnet = filepath.Join(shared.dir, "bin", "devnet")
	build := exec.CommandContext(ctx, "go", "build", "-o", shared.devnet, "./scripts/devnet")
	build.Dir = devnet.Root()
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("go build ./scripts/devnet: %w\n%s", err, out)
	}
	shared.short.config = devnet.Config{EpochDuration: 15 * time.Second, PortOffset: offsetShort}
	shared.long.config = devnet.Config{
		EpochDuration: time.Hour, PortOffset: offsetLong,
		WorkerEnv: map[string]string{
			"EDGE_WORKER_GATEWAY_FREE_QUOTA_BYTES": fmt.Sprint(freeQuota),
			"EDGE_WORKER_GATEWAY_MAX_CONNECTIONS":  fmt.Sprint(maxConnections),
			"EDGE_WORKER_STORE_UPLOAD_BYTES":       fmt.Sprint(64 << 20),
			"EDGE_WORKER_CREDIT_BASE":              fmt.Sprint(creditBase),
			"EDGE_WORKER_CREDIT_STALL_TIMEOUT":     "2s",
		},
	}
	code = m.Run()
	for _, n := range []*lazyNetwork{&shared.short, &shared.long} {
		if n.network != nil {
			err = errors.Join(err, n.network.Stop(ctx))
		}
	}
	if code == 0 && err == nil {
		return 0, os.RemoveAll(shared.dir)
	}
	fmt.Fprintln(os.Stderr, "e2e: logs are kept in", shared.dir)
	return max(code, 1), err
}

// Settings of the long network.
const (
	// freeQuota is what an address gets without a session, in bytes.
	freeQuota = 256 << 10
	// maxConnections that the worker serves at a time.
	maxConnections = 160
	// creditBase is what a stranger may owe, in units of the settlement coin: 10.7 MB at the default price.
	creditBase = 100
)

// lazyNetwork starts with the first test that needs it.
type lazyNetwork struct {
	config  devnet.Config
	once    sync.Once
	network *devnet.Network
	err     error
}

func (l *lazyNetwork) get(t *testing.T) *devnet.Network {
	t.Helper()
	l.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		cfg := l.config
		cfg.Binaries = shared.bins
		cfg.Dir = filepath.Join(shared.dir, fmt.Sprintf("network-%d", cfg.PortOffset))
		l.network, l.err = devnet.Start(ctx, cfg)
	})
	require.NoError(t, l.err)
	return l.network
}

// bounded is a context for a test.
func bounded(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// object makes a file of a size, adds it to the worker, and returns it with its bytes.
func object(ctx context.Context, t *testing.T, n *devnet.Network, size int64, seed uint64) (devnet.Object, []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), fmt.Sprintf("object-%d", seed))
	require.NoError(t, devnet.WriteSeeded(file, size, seed))
	objects, err := n.Add(ctx, file)
	require.NoError(t, err)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return objects[0], b
}

var clients struct {
	sync.Mutex
	count int
}

// newClient opens an account of its own for a test.
func newClient(ctx context.Context, t *testing.T, n *devnet.Network, deposit int64) *devnet.Client {
	t.Helper()
	// One at a time: all are given money by one account, whose transactions count up.
	clients.Lock()
	defer clients.Unlock()
	clients.count++
	name := fmt.Sprintf("client-%d", clients.count)
	c, err := n.NewClient(ctx, name, deposit)
	require.NoError(t, err)
	return c
}
