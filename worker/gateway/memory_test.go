package gateway_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/gateway"
)

const (
	// memoryBound is the default of worker.memory_limit.
	memoryBound = 1 << 30
	memoryEnv   = "EDGE_TEST_MEMORY"
	idleClients = 10_000
	slowClients = 1_000
)

// memoryDoc is what the serving process tells the one that measures it.
type memoryDoc struct{ Addr, Name string }

// TestMemoryServer is no test: it is the process that TestMemory measures.
func TestMemoryServer(t *testing.T) {
	mode := os.Getenv(memoryEnv)
	if mode == "" {
		t.Skip("only TestMemory starts it")
	}
	debug.SetMemoryLimit(memoryBound / 10 * 9)
	change := func(c *gateway.Config) {
		c.MaxConnections, c.MaxConnectionsPerSubnet = 10_240, 0
		c.MaxRequestsPerAccount, c.WriteTimeout = 0, 10*time.Minute
	}
	var b *bench
	if mode == "plain" {
		b = newBench(t, func(c *gateway.Config, _ *gateway.Deps) { change(c) })
	} else {
		b = newSecure(t, change).bench
	}
	b.start(t)
	name := b.add(t, object(64<<20))
	doc, err := json.Marshal(memoryDoc{b.Addr(), name.String()})
	require.NoError(t, err)
	_, err = fmt.Printf("\n%s\n", doc)
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the other one has seen enough
}

// memoryServer starts the process and returns how to reach it and what it takes of memory.
func memoryServer(t *testing.T, mode string) (memoryDoc, func() int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMemoryServer$", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), memoryEnv+"="+mode)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	var doc memoryDoc
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "{") {
			require.NoError(t, json.Unmarshal(lines.Bytes(), &doc))
			break
		}
	}
	require.NotEmpty(t, doc.Addr)
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	return doc, func() int64 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		require.NoError(t, err)
		for line := range strings.SplitSeq(string(b), "\n") {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
				require.NoError(t, err)
				return kib << 10
			}
		}
		t.Fatal("no VmHWM")
		return 0
	}
}

// TestMemory measures the worker's process at its highest, with many idle connections and with many that read slowly. The
// bounds of addresses are the default ones, and the clients come from as many as that takes.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("opens thousands of connections")
	}
	if raceDetector {
		t.Skip("the detector keeps several times the memory that it watches, and the bound is the worker's own")
	}
	var files syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
	if files.Max < idleClients+500 {
		t.Skipf("the hard limit of open files is %d, want %d", files.Max, idleClients+500)
	}
	for _, c := range []struct {
		what, mode, path string
		clients          int
		// long ones are for make test-memory.
		long bool
	}{
		{"idle", "plain", "/healthz", idleClients, false},
		{"idle, TLS and HTTP/2", "tls", "", idleClients, true},
		{"slow", "plain", "/b3/%s", slowClients, true},
		{"slow, verified stream", "plain", "/b3/%s?format=bao", slowClients, false},
		{"slow, TLS", "tls", "/b3/%s", slowClients, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			if c.long && os.Getenv(memoryEnv+"_LONG") == "" {
				t.Skip("make test-memory runs it")
			}
			doc, memory := memoryServer(t, c.mode)
			before := memory()
			conns := make([]net.Conn, 0, c.clients)
			defer func() {
				for _, conn := range conns {
					_ = conn.Close()
				}
			}()
			for i := range c.clients {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(i/200), byte(i%200+1))}}
				conn, err := d.DialContext(t.Context(), "tcp", doc.Addr)
				require.NoError(t, err)
				require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
				require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Minute)))
				if c.mode == "tls" {
					config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
					if c.path != "" {
						config.NextProtos = []string{"http/1.1"}
					}
					conn = tls.Client(conn, config)
				}
				conns = append(conns, conn)
				if c.path == "" {
					// The preface of HTTP/2 with empty settings, and the first byte of the worker's.
					_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
					require.NoError(t, err)
					_, err = io.ReadFull(conn, make([]byte, 1))
					require.NoError(t, err)
					continue
				}
				path := c.path
				if strings.Contains(path, "%") {
					path = fmt.Sprintf(path, doc.Name)
				}
				_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", path, auth)
				require.NoError(t, err)
				r, err := http.ReadResponse(bufio.NewReaderSize(conn, 1024), nil)
				require.NoError(t, err)
				require.Equal(t, 200, r.StatusCode)
				_, err = io.ReadFull(r.Body, make([]byte, 2))
				require.NoError(t, err)
			}
			after := memory()
			t.Logf("%d %s: %d MiB at most, %d MiB before, %d KiB each", c.clients, c.what, after>>20, before>>20, (after-before)/int64(c.clients)>>10)
			require.Less(t, after, int64(memoryBound))
		})
	}
}
