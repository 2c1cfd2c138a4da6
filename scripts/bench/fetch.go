package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/edgechain/edge/testutil/devnet"
)

const (
	fetchSize   = 64 << 20
	fetchRounds = 7
	// benchPortOffset keeps away from a devnet that runs beside.
	benchPortOffset = 300
)

// benchFetch compares edge get, which verifies and pays, with curl, which takes the worker's word within a free quota. Both
// write to the same disk, in turn.
func benchFetch(ctx context.Context) (_ []result, err error) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		return nil, errors.New("the baseline needs curl")
	}
	dir, err := os.MkdirTemp("", "edge-bench-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	bins, err := devnet.Build(ctx, filepath.Join(dir, "bin"))
	if err != nil {
		return nil, err
	}
	n, err := devnet.Start(ctx, devnet.Config{
		Dir: filepath.Join(dir, "net"), Binaries: bins, EpochDuration: time.Hour, PortOffset: benchPortOffset, Deposit: 1_000_000_000,
		WorkerEnv: map[string]string{"EDGE_WORKER_GATEWAY_FREE_QUOTA_BYTES": strconv.Itoa(4 * fetchRounds * fetchSize)},
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, n.Stop(context.WithoutCancel(ctx))) }()
	file := filepath.Join(dir, "object")
	if err := devnet.WriteSeeded(file, fetchSize, 1); err != nil {
		return nil, err
	}
	objects, err := n.Add(ctx, file)
	if err != nil {
		return nil, err
	}

	var plain, verified []float64
	before, err := n.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	for i := range fetchRounds + 1 {
		out := filepath.Join(dir, "plain")
		began := time.Now()
		if b, err := exec.CommandContext(ctx, curl, "-sS", "--fail", "-o", out, n.WorkerURL()+"/b3/"+objects[0].Name).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("curl: %w: %s", err, b)
		}
		took := time.Since(began)
		if err := devnet.SameContent(file, out); err != nil {
			return nil, err
		}
		paidOut := filepath.Join(dir, "paid")
		began = time.Now()
		if _, err := n.Client.Get(ctx, objects[0].Name, paidOut); err != nil {
			return nil, err
		}
		paidTook := time.Since(began)
		if err := devnet.SameContent(file, paidOut); err != nil {
			return nil, err
		}
		if i > 0 { // the first round fills the page cache
			plain, verified = append(plain, mbPerSecond(took)), append(verified, mbPerSecond(paidTook))
		}
		if err := errors.Join(os.Remove(out), os.Remove(paidOut)); err != nil {
			return nil, err
		}
	}
	signed := devnet.Signed{}
	if err := signed.Collect(n.Client.Home); err != nil {
		return nil, err
	}
	after, err := n.WaitDrained(ctx)
	if err != nil {
		return nil, err
	}
	if want := uint64(fetchSize * (fetchRounds + 1)); signed.Bytes() != want || !after.Settled.GT(before.Settled) {
		return nil, fmt.Errorf("%d bytes acknowledged, want %d; settled %s after %s", signed.Bytes(), want, after.Settled, before.Settled)
	}
	return []result{more("fetch/64MiB", median(verified), "MB/s", median(plain))}, nil
}

func mbPerSecond(took time.Duration) float64 { return fetchSize / 1e6 / took.Seconds() }
