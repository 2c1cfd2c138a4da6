package main

import (
	"context"
	"errors"
	"fmt"
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
	fetchSize = 1 << 30
	// tmpfs is where both sides write.
	tmpfs = "/dev/shm"
	// freshFetches of the object at most are made with a fresh account, until one has fullSpeed of that of an account with
	// credit.
	freshFetches = 40
	fullSpeed    = 0.9
)

// benchFetch compares edge get, which verifies, pays and writes, with curl from nginx through tee into b3sum, which only
// verifies and writes, and with plain curl. Whoever fetches has the core of the load, whoever serves that of the servers.
func benchFetch(ctx context.Context, s *stage) (_ []result, err error) {
	for _, tool := range []string{"curl", "tee", "b3sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("the baseline needs %s; on Debian: apt-get install curl b3sum", tool)
		}
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(tmpfs, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
		return nil, errors.Join(fmt.Errorf("%s is no tmpfs", tmpfs), err)
	}
	dir, err := os.MkdirTemp(tmpfs, "edge-bench-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	o, err := s.add(ctx, "1GiB", fetchSize)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "object")
	shell := func(script string) (string, error) {
		out, err := exec.CommandContext(ctx, s.tools.taskset, "-c", strconv.Itoa(s.loadCPU), "bash", "-o", "pipefail", "-c", script).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%s: %w: %s", script, err, out)
		}
		return string(out), err
	}
	ways := []func() error{
		func() error {
			_, err := s.net.Client.Get(ctx, o.name, file)
			return err
		},
		func() error {
			out, err := shell(fmt.Sprintf("curl -sS --fail %s | tee %s | b3sum", o.nginx, file))
			if err == nil && !strings.HasPrefix(out, o.name) {
				err = fmt.Errorf("b3sum says %s", out)
			}
			return err
		},
		func() error {
			_, err := shell(fmt.Sprintf("curl -sS --fail -o %s %s", file, o.nginx))
			return err
		},
	}
	speeds := make([][]float64, len(ways))
	for range s.rounds {
		for i, way := range ways {
			began := time.Now()
			if err := way(); err != nil {
				return nil, err
			}
			speeds[i] = append(speeds[i], fetchSize/1e6/time.Since(began).Seconds())
			if err := errors.Join(devnet.SameContent(o.path, file), os.Remove(file)); err != nil {
				return nil, err
			}
		}
	}
	ours := median(speeds[0])
	results := []result{
		more("fetch/1GiB", ours, "MB/s", median(speeds[1])),
		more("fetch/1GiB/curl", ours, "MB/s", median(speeds[2])),
	}
	signed := devnet.Signed{}
	if err := signed.Collect(s.net.Client.Home); err != nil {
		return nil, err
	}
	if signed.Bytes() < uint64(s.rounds)*fetchSize {
		return nil, fmt.Errorf("%d bytes acknowledged, want %d", signed.Bytes(), uint64(s.rounds)*fetchSize)
	}
	return results, nil
}

// benchFresh shows how the credit of an account that has settled nothing yet opens up, with the worker's default bounds: the
// speed of each GiB after the other, against that of an account with credit, until it comes near, and the time and the
// settled amount until then.
func benchFresh(ctx context.Context, s *stage) (_ []result, err error) {
	bins, err := devnet.Build(ctx, filepath.Join(s.dir, "bin"))
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(tmpfs, "edge-bench-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "object")
	get := func(c *devnet.Client, name string) (float64, error) {
		began := time.Now()
		_, err := c.Get(ctx, name, file)
		return fetchSize / 1e6 / time.Since(began).Seconds(), errors.Join(err, os.Remove(file))
	}
	o, err := s.add(ctx, "fresh", fetchSize)
	if err != nil {
		return nil, err
	}
	full, err := get(s.net.Client, o.name)
	if err != nil {
		return nil, err
	}
	n, err := devnet.Start(ctx, devnet.Config{
		Dir: filepath.Join(s.dir, "fresh"), Binaries: bins, EpochDuration: time.Hour, PortOffset: portOffset + 1000, Deposit: 1_000_000_000,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Stop(context.WithoutCancel(ctx))) }()
	if _, err := n.Add(ctx, o.path); err != nil {
		return nil, err
	}
	var results []result
	began := time.Now()
	for i := range freshFetches {
		speed, err := get(n.Client, o.name)
		if err != nil {
			return nil, err
		}
		ledger, err := n.Ledger(ctx)
		if err != nil {
			return nil, err
		}
		label := fmt.Sprintf("fetch/fresh/GiB=%d", i+1)
		took, settled := time.Since(began).Seconds(), float64(ledger.Settled.Int64())
		results = append(results, more(label, speed, "MB/s", full),
			more(label+"/after", took, "s", took), more(label+"/settled", settled, "uusd", float64(ledger.Acknowledged.Int64())))
		if speed >= fullSpeed*full {
			break
		}
	}
	return results, nil
}
