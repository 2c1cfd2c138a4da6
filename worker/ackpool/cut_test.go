package ackpool_test

import (
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/ackpool"
)

// TestLogCutAtEveryByte cuts the log of a life of a pool at every byte: what is left is the state after some write, never a
// part of one, and never an older one than the last that was whole. Without EDGE_CRASH=all, which make crash sets, a sample
// of the bytes is taken and those next to the end of each write.
func TestLogCutAtEveryByte(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pool")
	p, err := ackpool.Open(dir, ackpool.Options{Logger: quiet()})
	require.NoError(t, err)
	log := newestLog(t, dir)
	type state struct {
		end    int64
		ledger ackpool.Ledger
		flight int
	}
	var states []state
	note := func() {
		info, err := os.Stat(filepath.Join(dir, log))
		require.NoError(t, err)
		states = append(states, state{end: info.Size(), ledger: p.Ledger(), flight: len(p.InFlight())})
	}
	note()
	for _, write := range []func(){
		func() { put(t, p, item(5, 10, 0, 100), item(5, 20, 1, 40)) },
		func() { submit(t, p, "a", 5) },
		func() { put(t, p, item(5, 10, 0, 150)) },
		func() { require.NoError(t, p.Abandon([]byte("a"), "timed-out")) },
		func() { submit(t, p, "b", 5) },
		func() { put(t, p, item(6, 10, 0, 9)) },
		func() { require.NoError(t, p.Resolve([]byte("b"), 3, []ackpool.Result{paid(150), partial(10)})) },
		func() {
			require.NoError(t, p.Refuse(laneOf(item(5, 20, 1, 0)), "unknown-key", big.NewInt(5)))
		},
		func() { submit(t, p, "c", 5) },
		func() { require.NoError(t, p.Resolve([]byte("c"), 4, []ackpool.Result{refused("bad-signature")})) },
		func() { require.NoError(t, p.Expire(6)) },
	} {
		write()
		note()
	}
	snapshot := filepath.Join(t.TempDir(), "snapshot")
	copyDir(t, dir, snapshot)
	require.NoError(t, p.Close())
	require.Equal(t, log, newestLog(t, snapshot), "all of it is in one log")

	stride := int64(53)
	if os.Getenv("EDGE_CRASH") == "all" {
		stride = 1
	}
	cuts := map[int64]bool{}
	last := states[len(states)-1].end
	for cut := states[0].end; cut <= last; cut += stride {
		cuts[cut] = true
	}
	for _, s := range states {
		for cut := max(s.end-2, states[0].end); cut <= min(s.end+2, last); cut++ {
			cuts[cut] = true
		}
	}
	seen := map[int]bool{}
	torn := filepath.Join(t.TempDir(), "torn")
	for cut := range cuts {
		copyDir(t, snapshot, torn)
		require.NoError(t, os.Truncate(filepath.Join(torn, log), cut))
		p, err := ackpool.Open(torn, ackpool.Options{Logger: quiet()})
		require.NoError(t, err, "cut at %d of %d", cut, last)
		whole := 0
		for i, s := range states {
			if s.end <= cut {
				whole = i
			}
		}
		require.Equal(t, states[whole].ledger, check(t, p), "cut at %d, the last whole write is %d", cut, whole)
		require.Len(t, p.InFlight(), states[whole].flight, "cut at %d", cut)
		seen[whole] = true
		require.NoError(t, p.Close())
		require.NoError(t, os.RemoveAll(torn))
	}
	require.Len(t, seen, len(states), "every state is met")
}
