package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgechain/edge/testutil/devnet"
)

const (
	// portOffset keeps away from a devnet and from scripts/bench that run beside.
	portOffset = 400
	nginxPort  = 8482 + portOffset

	// freeQuota is more than any run takes, so that plain content needs no session.
	freeQuota = 1 << 60
)

// stage is what the benchmarks stand on: a chain with a worker, and nginx, with one core for whichever server is measured
// and another one for the chain and whoever asks.
type stage struct {
	options
	dir string
	// serverCPU and loadCPU are the numbers of the two cores.
	serverCPU, loadCPU int
	tools              tools
	net                *devnet.Network
	nginx              *nginx
	// files holds what nginx serves and what was added to the worker.
	files string
}

// tools are the programs of others that the benchmarks run.
type tools struct{ taskset, nginx, wrk string }

// findTools returns where the tools are, or says how to get those that are missing.
func findTools() (tools, error) {
	var t tools
	var missing []string
	for _, tool := range []struct {
		path           *string
		name, packaged string
	}{
		{&t.taskset, "taskset", "util-linux"}, {&t.nginx, "nginx", "nginx-light"}, {&t.wrk, "wrk", "wrk"},
	} {
		// Debian has servers where an ordinary account does not look.
		for _, name := range []string{tool.name, "/usr/sbin/" + tool.name, "/usr/local/sbin/" + tool.name} {
			if path, err := exec.LookPath(name); err == nil {
				*tool.path = path
				break
			}
		}
		if *tool.path == "" {
			missing = append(missing, tool.packaged)
		}
	}
	if len(missing) > 0 {
		return t, fmt.Errorf("the benchmark needs other programs; on Debian: apt-get install %s", strings.Join(missing, " "))
	}
	return t, nil
}

// twoCores returns the first two cores that this process may use.
func twoCores() (server, load int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, 0, fmt.Errorf("which cores there are: %w", err)
	}
	var cores []int
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			cores = append(cores, i)
		}
	}
	if len(cores) < 2 {
		return 0, 0, errors.New("the benchmark needs two cores: one for the server and one for the load")
	}
	return cores[0], cores[1], nil
}

func newStage(ctx context.Context, o options) (_ *stage, err error) {
	s := &stage{options: o}
	if s.tools, err = findTools(); err != nil {
		return nil, err
	}
	if s.serverCPU, s.loadCPU, err = twoCores(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "edge-bench-http-*"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(context.WithoutCancel(ctx)))
		}
	}()
	s.files = filepath.Join(s.dir, "files")
	if err := os.Mkdir(s.files, 0o755); err != nil {
		return nil, err
	}
	bins, err := devnet.Build(ctx, filepath.Join(s.dir, "bin"))
	if err != nil {
		return nil, err
	}
	if bins, err = s.pin(bins); err != nil {
		return nil, err
	}
	quota := strconv.FormatUint(freeQuota, 10)
	if s.net, err = devnet.Start(ctx, devnet.Config{
		Dir: filepath.Join(s.dir, "net"), Binaries: bins, EpochDuration: time.Hour, PortOffset: portOffset, Deposit: 1_000_000_000_000,
		WorkerEnv: map[string]string{
			"EDGE_WORKER_GATEWAY_FREE_QUOTA_BYTES": quota, "EDGE_WORKER_GATEWAY_FREE_QUOTA_TOTAL_BYTES": quota,
			// No account is to be short of credit.
			"EDGE_WORKER_CREDIT_BASE": "1000000000", "EDGE_WORKER_CREDIT_MAX_UNSETTLED": "1000000000000",
			// What the worker does in the background, once and whatever it serves, is not what is measured.
			"EDGE_WORKER_STORE_SCRUB_BYTES_PER_SECOND": "0",
		},
	}); err != nil {
		return nil, err
	}
	s.nginx, err = startNginx(ctx, s)
	return s, err
}

// pin returns programs that run on one core: the worker on that of the servers, the others on that of the load.
func (s *stage) pin(bins devnet.Binaries) (devnet.Binaries, error) {
	dir := filepath.Join(s.dir, "pinned")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return bins, err
	}
	for _, p := range []struct {
		path  *string
		cpu   int
		extra string
	}{
		{&bins.Edged, s.loadCPU, ""},
		{&bins.Edge, s.loadCPU, ""},
		{&bins.Worker, s.serverCPU, fmt.Sprintf("if [ \"$1\" = start ]; then echo $$ > '%s'; export GOMAXPROCS=1; fi\n", s.workerPID())},
	} {
		path := filepath.Join(dir, filepath.Base(*p.path))
		script := fmt.Sprintf("#!/bin/sh\n%sexec '%s' -c %d '%s' \"$@\"\n", p.extra, s.tools.taskset, p.cpu, *p.path)
		if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
			return bins, err
		}
		*p.path = path
	}
	return bins, nil
}

// workerPID is the file with the process id of the running worker.
func (s *stage) workerPID() string { return filepath.Join(s.dir, "worker.pid") }

// close stops what the stage started and removes its files.
func (s *stage) close(ctx context.Context) error {
	var errs []error
	if s.nginx != nil {
		errs = append(errs, s.nginx.stop())
	}
	if s.net != nil {
		errs = append(errs, s.net.Stop(ctx))
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// object is a file that both servers have.
type object struct {
	label string
	size  int64
	path  string
	// worker and nginx are its addresses.
	worker, nginx string
	// name is the content's.
	name string
}

// add makes an object of a size, gives it to both servers, and checks that both return it, which also brings it into the
// page cache and has the worker verify it.
func (s *stage) add(ctx context.Context, label string, size int64) (object, error) {
	o := object{label: label, size: size, path: filepath.Join(s.files, label)}
	if err := devnet.WriteSeeded(o.path, size, uint64(size)); err != nil {
		return o, err
	}
	added, err := s.net.Add(ctx, o.path)
	if err != nil {
		return o, err
	}
	o.name = added[0].Name
	o.worker, o.nginx = s.net.WorkerURL()+"/b3/"+o.name, s.nginx.url+"/"+label
	return o, errors.Join(sameBody(ctx, o.worker, o.path), sameBody(ctx, o.nginx, o.path))
}

// sameBody checks that an address answers with the bytes of a file.
func sameBody(ctx context.Context, url, path string) (err error) {
	want, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, want.Close()) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		return fmt.Errorf("%s: %s: %s", url, res.Status, text)
	}
	a, b := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(want, a)
		m, errBody := io.ReadFull(res.Body, b)
		if !bytes.Equal(a[:n], b[:m]) {
			return fmt.Errorf("%s: the answer differs from %s", url, path)
		}
		if err != nil || errBody != nil {
			if err != errBody || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) { //nolint:errorlint // both are bare
				return fmt.Errorf("%s: %w", url, errors.Join(err, errBody))
			}
			return nil
		}
	}
}

// processTime returns the time that a process has spent on a core.
func processTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// Behind the name, which may hold anything, utime and stime are the 12th and 13th field, in hundredths of a second.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var sum time.Duration
	for _, text := range fields[11:13] {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * 10 * time.Millisecond
	}
	return sum, nil
}

// readPID reads a process id that a program wrote.
func readPID(path string) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}
