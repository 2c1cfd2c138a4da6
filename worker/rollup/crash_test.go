package rollup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
)

// wholeCrash runs every combination; without it a sample is taken. make crash sets it.
var wholeCrash = os.Getenv("EDGE_CRASH") == "all"

// killer stands between a rollup and everything that lasts: the pool's writes and the calls of the node. It ends the loop at
// one of the points before and after each of them, as kill -9 does: nothing behind the point is run.
type killer struct {
	Node
	Pool

	at     int
	points atomic.Int64
	died   atomic.Pointer[string]
}

func (k *killer) point(name string) {
	if int(k.points.Add(1)) == k.at {
		k.died.Store(&name)
		runtime.Goexit()
	}
}

func around[T any](k *killer, name string, f func() T) T {
	k.point("before " + name)
	v := f()
	k.point("after " + name)
	return v
}

func (k *killer) Broadcast(ctx context.Context, tx []byte) error {
	return around(k, "broadcast", func() error { return k.Node.Broadcast(ctx, tx) })
}

func (k *killer) Sender(ctx context.Context, address string) (number, sequence uint64, err error) {
	_ = around(k, "sender", func() error { number, sequence, err = k.Node.Sender(ctx, address); return err })
	return number, sequence, err
}

func (k *killer) FindTx(ctx context.Context, hash []byte) (in chain.Included, err error) {
	_ = around(k, "find", func() error { in, err = k.Node.FindTx(ctx, hash); return err })
	return in, err
}

func (k *killer) ScanTx(ctx context.Context, hash []byte, height int64) (in chain.Included, err error) {
	_ = around(k, "scan", func() error { in, err = k.Node.ScanTx(ctx, hash, height); return err })
	return in, err
}

func (k *killer) Submit(tx ackpool.Tx) error {
	return around(k, "submit", func() error { return k.Pool.Submit(tx) })
}

func (k *killer) Resolve(hash []byte, height int64, results []ackpool.Result) error {
	return around(k, "resolve", func() error { return k.Pool.Resolve(hash, height, results) })
}

func (k *killer) Abandon(hash []byte, reason string) error {
	return around(k, "abandon", func() error { return k.Pool.Abandon(hash, reason) })
}

func (k *killer) Expire(oldest uint64) error {
	return around(k, "expire", func() error { return k.Pool.Expire(oldest) })
}

// startAt starts a rollup that is killed at a point; 0 is never.
func (w *world) startAt(at int) *killer {
	k := &killer{Node: w.chain, Pool: w.pool, at: at}
	r, err := New(w.cfg, Deps{
		Chain: w.chain, Node: k, Pool: k, Signer: w.signer, Encoding: w.chain.enc, Hints: w.hints,
		Jitter: func() float64 { return 0.5 }, Log: w.log, Metrics: prometheus.NewRegistry(),
	})
	require.NoError(w.t, err)
	w.rollup = r
	require.NoError(w.t, r.Start(w.t.Context()))
	return k
}

// Faults of the node that a run meets besides the kills.
var crashFaults = map[string]func(c *testChain){
	"none":     func(*testChain) {},
	"no index": func(c *testChain) { c.noIndex = true },
	"no answer, taken": func(c *testChain) {
		c.broadcast = func(tx []byte) (bool, error) {
			c.broadcast = nil
			return true, errors.New("i/o timeout")
		}
	},
	"lost": func(c *testChain) {
		n := 0
		c.broadcast = func([]byte) (bool, error) {
			if n++; n == 4 {
				c.broadcast = nil
			}
			return false, nil
		}
	},
}

const (
	crashPaid    = 150 + 20 + 7 + 50
	crashRefused = 40
)

// emptyPools drops what the store keeps in pools: channels of one bubble must not be used in another. Two collections do.
func emptyPools() {
	runtime.GC()
	runtime.GC()
}

// crashRun settles lanes that are paid, paid twice over, paid in part and then topped up, and refused, while the worker is
// killed at the given points, one after the other. It returns how many points the last start passed.
func crashRun(t *testing.T, fault string, kills ...int) (points int) {
	emptyPools()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.TimeoutBlocks = 6
		w.key(1, 1, 1_000)
		w.key(2, 1, 1_000)
		w.key(3, 3, 30)
		w.key(4, 4, 1_000)
		bad := w.signed(4, 0, 1, crashRefused)
		bad.Signature[0] ^= 1
		w.put(1, w.signed(1, 0, 1, 100), w.signed(1, 3, 1, 20), w.signed(2, 0, 1, 7))
		w.put(3, w.signed(3, 0, 1, 50))
		w.put(4, bad)
		w.chain.with(func() { crashFaults[fault](w.chain) })
		next := func() int {
			if len(kills) == 0 {
				return 0
			}
			at := kills[0]
			kills = kills[1:]
			return at
		}
		k := w.startAt(next())
		var where []string
		one := w.signed(1, 0, 1, 100)
		first := one.LaneID()
		newer, toppedUp := false, false
		for range 9_000 {
			if name := k.died.Load(); name != nil {
				where = append(where, *name)
				w.kill()
				k = w.startAt(next())
			}
			switch settled := w.settled(); {
			case settled == crashPaid:
			case !newer && settled > 0:
				newer = true
				w.put(1, w.signed(1, 0, 1, 150))
			case newer && !toppedUp && settled >= crashPaid-20:
				toppedUp = true
				w.chain.with(func() { w.chain.payable[3] = big.NewInt(1_000) })
			}
			if w.settled() == crashPaid && len(w.pool.InFlight()) == 0 {
				break
			}
			time.Sleep(blockTime / 3)
		}
		total := w.pool.Ledger().Total
		require.NoError(t, total.Check(), "%v", where)
		require.EqualValues(t, crashPaid, total.Settled.Value.Int64(), "killed %v: %+v", where, total)
		require.EqualValues(t, crashRefused, total.RefusedTotal().Value.Int64(), "killed %v", where)
		require.Zero(t, total.Pending.Value.Sign(), "killed %v", where)
		require.Zero(t, total.Submitted.Value.Sign(), "killed %v", where)
		require.EqualValues(t, crashPaid, w.debited(), "killed %v: everything is paid once", where)
		w.chain.with(func() {
			require.Len(t, w.chain.paid, 4)
			require.EqualValues(t, 150, w.chain.paid[first].Int64())
		})
		points = int(k.points.Load())
		w.end()
	})
	return points
}

// TestKilledAtEveryStep kills the worker before and after every durable write and every call of the node, for each fault of
// the node, and starts it again from what the disk has: everything is paid exactly once in effect.
func TestKilledAtEveryStep(t *testing.T) {
	for fault := range crashFaults {
		t.Run(fault, func(t *testing.T) {
			points := crashRun(t, fault)
			require.Greater(t, points, 12)
			stride := 1
			if !wholeCrash {
				stride = points/12 + 1
			}
			if fault == "none" {
				stride = 1
			}
			for at := 1; at <= points; at += stride {
				crashRun(t, fault, at)
			}
			// Killed again soon after the start, where a transaction from before is taken up.
			for second := 1; second <= 8; second++ {
				for at := 3; at <= points; at += 3 * stride * stride {
					if wholeCrash || (at+second)%5 == 0 {
						crashRun(t, fault, at, second)
					}
				}
			}
		})
	}
}

// copyCut returns a file system with the files of a folder, the newest log cut to a length; a negative length keeps it. It
// also returns how long the log is.
func copyCut(t *testing.T, from vfs.FS, cut int64) (*vfs.MemFS, int64) {
	t.Helper()
	names, err := from.List("pool")
	require.NoError(t, err)
	slices.Sort(names)
	newest := ""
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			newest = name
		}
	}
	require.NotEmpty(t, newest)
	to := vfs.NewStrictMem()
	require.NoError(t, to.MkdirAll("pool", 0o700))
	length := int64(0)
	for _, name := range names {
		if name == "LOCK" {
			continue
		}
		f, err := from.Open(from.PathJoin("pool", name))
		require.NoError(t, err)
		b, err := io.ReadAll(f)
		require.NoError(t, errors.Join(err, f.Close()))
		if name == newest {
			length = int64(len(b))
			if cut >= 0 {
				b = b[:cut]
			}
		}
		out, err := to.Create(to.PathJoin("pool", name))
		require.NoError(t, err)
		_, err = out.Write(b)
		require.NoError(t, errors.Join(err, out.Sync(), out.Close()))
	}
	for _, dir := range []string{"pool", ""} {
		d, err := to.OpenDir(dir)
		require.NoError(t, err)
		require.NoError(t, errors.Join(d.Sync(), d.Close()))
	}
	return to, length
}

// TestLogCutAtEveryByte takes the log of a worker that has settled, been paid in part, and settled more, cuts it at every
// byte, as no disk that keeps its promises does, and starts the worker from that against the chain that has paid. Clients
// hand in their newest acknowledgements again. Nothing is paid twice, and the ledger comes to what the chain has paid.
func TestLogCutAtEveryByte(t *testing.T) {
	emptyPools()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.key(1, 1, 1_000)
		w.key(2, 2, 30)
		newest := func() {
			w.put(1, w.signed(1, 0, 1, 150), w.signed(1, 3, 1, 20))
			w.put(2, w.signed(2, 0, 1, 50))
		}
		w.put(1, w.signed(1, 0, 1, 100), w.signed(1, 3, 1, 20))
		w.put(2, w.signed(2, 0, 1, 50))
		w.start()
		w.eventually("settled in part", func() bool { return w.settled() == 150 })
		newest()
		w.hints <- 1
		w.chain.with(func() { w.chain.payable[2] = big.NewInt(100) })
		w.eventually("settled", func() bool { return w.settled() == 220 })
		w.rollup.cancel()
		<-w.rollup.done
		require.NoError(t, w.pool.Sync(t.Context()))
		source := w.fs
		_, length := copyCut(t, source, -1)
		require.NoError(t, w.pool.Close())
		require.Greater(t, length, int64(1_000))
		stride := int64(1)
		if !wholeCrash {
			stride = 61
		}
		for cut := int64(0); cut <= length; cut += stride {
			w.fs, _ = copyCut(t, source, cut)
			w.open()
			require.NoError(t, w.pool.Ledger().Total.Check(), "cut at %d", cut)
			newest()
			w.start()
			w.eventually(fmt.Sprintf("settled after a cut at %d of %d", cut, length), func() bool {
				total := w.pool.Ledger().Total
				return total.Settled.Value.Int64() == 220 && total.Pending.Value.Sign() == 0 && len(w.pool.InFlight()) == 0
			})
			require.EqualValues(t, 220, w.debited(), "cut at %d", cut)
			w.rollup.cancel()
			<-w.rollup.done
			require.NoError(t, w.pool.Ledger().Total.Check())
			require.Zero(t, w.pool.Ledger().Total.RefusedTotal().Value.Sign())
			require.NoError(t, w.pool.Close())
		}
		w.open()
		w.end()
	})
}
