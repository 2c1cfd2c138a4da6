package ackpool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/vfs"
	"github.com/cockroachdb/pebble/vfs/errorfs"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/worker/ackpool"
)

// mustOpen is open for tests that have no *testing.T of their own.
func mustOpen(t require.TestingT, fs vfs.FS, opts ackpool.Options) *ackpool.Pool {
	opts.FS, opts.Logger = fs, quiet()
	p, err := ackpool.Open("pool", opts)
	require.NoError(t, err)
	return p
}

// modelLane is the simplest thing that could be right about a lane.
type modelLane struct {
	account          uint64
	bytes            int64
	settled, refused int64
	flight           string
	flightBytes      int64
	dead             bool
}

func (l *modelLane) pending() int64 { return l.bytes - l.settled - l.refused - l.submitted() }

func (l *modelLane) submitted() int64 {
	if l.flight == "" {
		return 0
	}
	return max(0, l.flightBytes-l.settled-l.refused)
}

// model is the pool in plain integers.
type model struct {
	lanes      map[ack.LaneID]*modelLane
	txs        map[string][]ack.LaneID
	oldestLive uint64
	nextTx     int
}

func (m *model) check(t *rapid.T, p *ackpool.Pool) {
	var acked, pending, submitted, settled, refusedSum int64
	for id, l := range m.lanes {
		acked += l.bytes
		settled += l.settled
		pending += l.pending()
		submitted += l.submitted()
		refusedSum += l.refused
		e, ok := p.Newest(id)
		if l.dead {
			require.False(t, ok, "lane %+v should be deleted", id)
			continue
		}
		require.True(t, ok, "lane %+v is lost", id)
		require.Equal(t, [5]int64{l.bytes, l.pending(), l.submitted(), l.settled, l.refused}, sums(e), "lane %+v", id)
		require.Equal(t, uint64(l.bytes), e.Signed.Bytes)
	}
	ledger := check(t, p)
	require.Equal(t, acked, ledger.Total.Acknowledged.Value.Int64())
	require.Equal(t, pending, ledger.Total.Pending.Value.Int64())
	require.Equal(t, submitted, ledger.Total.Submitted.Value.Int64())
	require.Equal(t, settled, ledger.Total.Settled.Value.Int64())
	require.Equal(t, refusedSum, ledger.Total.RefusedTotal().Value.Int64())
	require.Equal(t, uint64(len(m.lanes)), ledger.Total.Acknowledged.Lanes)
	for epoch := uint64(1); epoch <= 6; epoch++ {
		h, err := p.History(epoch)
		require.NoError(t, err)
		require.NoError(t, h.Check())
	}
	for account := uint64(1); account <= 3; account++ {
		a, err := p.Account(account)
		require.NoError(t, err)
		require.NoError(t, a.Check())
		var want, unsettled int64
		for _, l := range m.lanes {
			if l.account == account {
				want += l.settled
				if !l.dead {
					unsettled += l.bytes - l.settled
				}
			}
		}
		c, err := p.Claim(account)
		require.NoError(t, err)
		require.Equal(t, want, c.Settled.Int64())
		require.Equal(t, unsettled, c.Unsettled.Int64())
	}
	require.Len(t, p.InFlight(), len(m.txs))
}

// TestModel drives a pool and a model through the same operations, with crashes that lose what is not synced.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewStrictMem()
		p := mustOpen(t, fs, ackpool.Options{})
		defer func() { _ = p.Close() }()
		m := &model{lanes: map[ack.LaneID]*modelLane{}, txs: map[string][]ack.LaneID{}, oldestLive: 1}
		ctx := context.Background()

		drawTx := func(t *rapid.T) string {
			if len(m.txs) == 0 {
				t.Skip("nothing in flight")
			}
			hashes := make([]string, 0, len(m.txs))
			for h := range m.txs {
				hashes = append(hashes, h)
			}
			slices.Sort(hashes)
			return rapid.SampledFrom(hashes).Draw(t, "tx")
		}
		reopen := func(t *rapid.T) {
			p = mustOpen(t, fs, ackpool.Options{})
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				var items []ackpool.Item
				for range rapid.IntRange(1, 4).Draw(t, "n") {
					epoch := m.oldestLive + rapid.Uint64Range(0, 1).Draw(t, "epoch")
					key := rapid.SampledFrom([]uint64{10, 11, 20, 30}).Draw(t, "key")
					items = append(items, item(epoch, key, rapid.Uint8Range(0, 2).Draw(t, "lane"), rapid.Uint64Range(0, 50).Draw(t, "bytes")))
				}
				require.NoError(t, p.Put(ctx, items))
				for _, it := range items {
					l := m.lanes[it.Signed.LaneID()]
					if l == nil {
						l = &modelLane{account: it.AccountID}
						m.lanes[it.Signed.LaneID()] = l
					}
					l.bytes = max(l.bytes, int64(it.Signed.Bytes))
				}
			},
			"submit": func(t *rapid.T) {
				epoch := m.oldestLive + rapid.Uint64Range(0, 1).Draw(t, "epoch")
				entries := p.Pending(epoch, rapid.IntRange(1, 3).Draw(t, "limit"))
				if len(entries) == 0 {
					t.Skip("nothing pending")
				}
				m.nextTx++
				hash := fmt.Sprintf("tx-%d", m.nextTx)
				tx := ackpool.Tx{Hash: []byte(hash), Epoch: epoch}
				// A newer acknowledgement may arrive between the choice and the submission.
				if rapid.Bool().Draw(t, "newer") {
					newer := entries[0].Signed
					newer.Bytes++
					require.NoError(t, p.Put(ctx, []ackpool.Item{{Signed: newer, AccountID: entries[0].AccountID, Value: new(big.Int).SetUint64(newer.Bytes)}}))
					m.lanes[newer.LaneID()].bytes++
				}
				for _, e := range entries {
					tx.Acks = append(tx.Acks, e.Submit())
					l := m.lanes[e.Signed.LaneID()]
					require.Empty(t, l.flight)
					l.flight, l.flightBytes = hash, e.Value.Int64()
					m.txs[hash] = append(m.txs[hash], e.Signed.LaneID())
				}
				require.NoError(t, p.Submit(tx))
			},
			"resolve": func(t *rapid.T) {
				hash := drawTx(t)
				var results []ackpool.Result
				for _, id := range m.txs[hash] {
					l := m.lanes[id]
					switch rapid.IntRange(0, 2).Draw(t, "verdict") {
					case 0:
						l.settled, l.refused = max(l.settled, l.flightBytes), 0
						results = append(results, paid(l.settled))
					case 1:
						if l.flightBytes > l.settled {
							l.settled += rapid.Int64Range(0, l.flightBytes-l.settled).Draw(t, "paid")
						}
						l.refused = 0
						results = append(results, partial(l.settled))
					case 2:
						l.refused += max(0, l.flightBytes-l.settled-l.refused)
						results = append(results, refused("bad-signature"))
					}
					l.flight, l.flightBytes = "", 0
				}
				require.NoError(t, p.Resolve([]byte(hash), 5, results))
				require.NoError(t, p.Resolve([]byte(hash), 5, results))
				delete(m.txs, hash)
			},
			"abandon": func(t *rapid.T) {
				hash := drawTx(t)
				require.NoError(t, p.Abandon([]byte(hash), "timeout"))
				for _, id := range m.txs[hash] {
					m.lanes[id].flight, m.lanes[id].flightBytes = "", 0
				}
				delete(m.txs, hash)
			},
			"refuse": func(t *rapid.T) {
				entries := p.Pending(m.oldestLive, 1)
				if len(entries) == 0 {
					t.Skip("nothing pending")
				}
				l := m.lanes[entries[0].Signed.LaneID()]
				amount := rapid.Int64Range(0, 60).Draw(t, "amount")
				require.NoError(t, p.Refuse(entries[0].Signed.LaneID(), "unknown-key", big.NewInt(amount)))
				l.refused += min(amount, l.pending())
			},
			"expire": func(t *rapid.T) {
				if m.oldestLive < 5 && rapid.IntRange(0, 3).Draw(t, "advance") == 0 {
					m.oldestLive++
				}
				require.NoError(t, p.Expire(m.oldestLive))
				for id, l := range m.lanes {
					if id.Epoch < m.oldestLive && l.flight == "" && !l.dead {
						l.refused += l.pending()
						l.dead = true
					}
				}
			},
			"close": func(t *rapid.T) {
				require.NoError(t, p.Close())
				reopen(t)
			},
			"crash": func(t *rapid.T) {
				fs.SetIgnoreSyncs(true)
				require.NoError(t, p.Close())
				fs.ResetToSyncedState()
				fs.SetIgnoreSyncs(false)
				reopen(t)
			},
			"": func(t *rapid.T) { m.check(t, p) },
		})
	})
}

func copyDir(t require.TestingT, from, to string) {
	require.NoError(t, os.MkdirAll(to, 0o700))
	entries, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted by the store meanwhile
		}
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, e.Name()), b, 0o600))
	}
}

// TestTornTail cuts the log at every byte behind the last write that was acknowledged: the write under way at the crash is
// there or not, and everything before it is.
func TestTornTail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pool")
	p, err := ackpool.Open(dir, ackpool.Options{Logger: quiet()})
	require.NoError(t, err)
	put(t, p, item(5, 10, 0, 100))
	submit(t, p, "a", 5)
	put(t, p, item(5, 10, 0, 150), item(5, 20, 0, 7))
	before := p.Ledger()
	log := newestLog(t, dir)
	info, err := os.Stat(filepath.Join(dir, log))
	require.NoError(t, err)
	durable := info.Size()
	require.NoError(t, p.Resolve([]byte("a"), 3, []ackpool.Result{paid(100)}))
	after := p.Ledger()
	snapshot := filepath.Join(t.TempDir(), "snapshot")
	copyDir(t, dir, snapshot)
	require.NoError(t, p.Close())
	whole, err := os.ReadFile(filepath.Join(snapshot, log))
	require.NoError(t, err)
	end := int64(len(whole))
	require.Greater(t, end, durable)

	seen := map[string]int{}
	for cut := durable; cut <= end; cut++ {
		torn := filepath.Join(t.TempDir(), "torn")
		copyDir(t, snapshot, torn)
		require.NoError(t, os.Truncate(filepath.Join(torn, log), cut))
		p, err := ackpool.Open(torn, ackpool.Options{Logger: quiet()})
		require.NoError(t, err, "cut at %d of %d", cut, end)
		l := check(t, p)
		switch {
		case l.Total.Settled.Value.Cmp(after.Total.Settled.Value) == 0:
			require.Equal(t, after, l)
			seen["after"]++
		default:
			require.Equal(t, before, l)
			require.Len(t, p.InFlight(), 1)
			seen["before"]++
		}
		// A pool that was torn takes writes, and keeps them.
		require.NoError(t, p.Put(context.Background(), []ackpool.Item{item(5, 30, 0, 1)}))
		require.NoError(t, p.Close())
		require.NoError(t, os.RemoveAll(torn))
	}
	require.NotZero(t, seen["before"])
	require.NotZero(t, seen["after"])
}

// newestLog is the log that is written to.
func newestLog(t *testing.T, dir string) string {
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	slices.Sort(names)
	return filepath.Base(names[len(names)-1])
}

// TestDurableUnderConcurrency crashes the file system while many write: whatever Put has said yes to is there afterwards,
// also when the same acknowledgement was under way from somebody else.
func TestDurableUnderConcurrency(t *testing.T) {
	for round := range 5 {
		fs := vfs.NewStrictMem()
		p := open(t, fs, ackpool.Options{})
		var mu sync.Mutex
		acknowledged := map[ack.LaneID]uint64{}
		var crashed atomic.Bool
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for n := uint64(1); !crashed.Load(); n++ {
					// Two writers share every lane and write the same numbers.
					it := item(5, uint64(10+w/2), uint8(n%4), n)
					if err := p.Put(context.Background(), []ackpool.Item{it}); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if !crashed.Load() {
						acknowledged[it.Signed.LaneID()] = max(acknowledged[it.Signed.LaneID()], n)
					}
					mu.Unlock()
				}
			})
		}
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(acknowledged) == 16
		}, 10_000_000_000, 1_000_000)
		mu.Lock()
		fs.SetIgnoreSyncs(true)
		crashed.Store(true)
		mu.Unlock()
		wg.Wait()
		require.NoError(t, p.Close())
		fs.ResetToSyncedState()
		fs.SetIgnoreSyncs(false)
		p = open(t, fs, ackpool.Options{})
		for id, bytes := range acknowledged {
			e, ok := p.Newest(id)
			require.True(t, ok, "round %d", round)
			require.GreaterOrEqual(t, e.Signed.Bytes, bytes, "round %d lane %+v", round, id)
		}
		check(t, p)
	}
}

// TestCopyAtAnyMoment copies the folder while writers write, as a power cut would leave it.
func TestCopyAtAnyMoment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pool")
	p, err := ackpool.Open(dir, ackpool.Options{Logger: quiet()})
	require.NoError(t, err)
	var done, stored atomic.Uint64
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := uint64(1); done.Load() == 0; n++ {
			if err := p.Put(context.Background(), []ackpool.Item{item(5, 10, 0, n), item(5, 20, 1, n)}); err != nil {
				t.Error(err)
				return
			}
			stored.Store(n)
		}
	})
	for range 10 {
		require.Eventually(t, func() bool { return stored.Load() > 0 }, 10_000_000_000, 1_000_000)
		least := stored.Load()
		to := filepath.Join(t.TempDir(), "copy")
		copyDir(t, dir, to)
		c, err := ackpool.Open(to, ackpool.Options{Logger: quiet()})
		require.NoError(t, err)
		a, ok := c.Newest(laneOf(item(5, 10, 0, 0)))
		require.True(t, ok)
		b, _ := c.Newest(laneOf(item(5, 20, 1, 0)))
		require.GreaterOrEqual(t, a.Signed.Bytes, least)
		require.Equal(t, a.Signed.Bytes, b.Signed.Bytes, "what was put together is there together")
		check(t, c)
		require.NoError(t, c.Close())
	}
	done.Store(1)
	wg.Wait()
	require.NoError(t, p.Close())
}

// TestFailingDisk: after a failed write nothing is taken any more, and nothing was said to be durable that is not.
func TestFailingDisk(t *testing.T) {
	mem := vfs.NewStrictMem()
	var fail atomic.Bool
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op, path string) error {
		if fail.Load() && strings.HasSuffix(path, ".log") && op == errorfs.OpFileWrite {
			return io.ErrShortWrite
		}
		return nil
	}))
	registry := prometheus.NewRegistry()
	p, err := ackpool.Open("pool", ackpool.Options{FS: fs, Logger: quiet(), Metrics: registry})
	require.NoError(t, err)
	broken := func(want float64) {
		families, err := registry.Gather()
		require.NoError(t, err)
		i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "edge_pool_broken" })
		require.GreaterOrEqual(t, i, 0)
		require.Equal(t, want, families[i].GetMetric()[0].GetGauge().GetValue())
	}
	put(t, p, item(5, 10, 0, 1))
	broken(0)
	fail.Store(true)
	changed := p.Changed()
	require.ErrorIs(t, p.Put(context.Background(), []ackpool.Item{item(5, 10, 0, 2)}), ackpool.ErrBroken)
	<-changed
	require.ErrorIs(t, p.Put(context.Background(), []ackpool.Item{item(5, 10, 0, 1)}), ackpool.ErrBroken)
	require.ErrorIs(t, p.Submit(ackpool.Tx{
		Hash: []byte("x"), Epoch: 5, Acks: []ackpool.Submitted{{Signed: item(5, 10, 0, 1).Signed, Value: big.NewInt(1)}},
	}), ackpool.ErrBroken)
	require.ErrorIs(t, p.Expire(9), ackpool.ErrBroken)
	require.ErrorIs(t, p.SetExposure(context.Background(), 1, 5, 1), ackpool.ErrBroken)
	require.ErrorIs(t, p.Err(), ackpool.ErrBroken)
	broken(1)
	_, err = p.Claim(1)
	require.ErrorIs(t, err, ackpool.ErrBroken)
	mem.SetIgnoreSyncs(true)
	_ = p.Close()
	mem.ResetToSyncedState()
	mem.SetIgnoreSyncs(false)
	p = open(t, mem, ackpool.Options{})
	require.Equal(t, uint64(1), newest(t, p, item(5, 10, 0, 0)).Signed.Bytes)
}

// BenchmarkPut measures durable puts by writers that come together, each with one acknowledgement.
func BenchmarkPut(b *testing.B) {
	for _, writers := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			p, err := ackpool.Open(filepath.Join(b.TempDir(), "pool"), ackpool.Options{Logger: quiet()})
			require.NoError(b, err)
			var next atomic.Uint64
			var wg sync.WaitGroup
			b.ResetTimer()
			for w := range writers {
				wg.Go(func() {
					for {
						n := next.Add(1)
						if n > uint64(b.N) {
							return
						}
						if err := p.Put(context.Background(), []ackpool.Item{item(5, uint64(10+w), 0, n)}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acks/s")
			require.NoError(b, p.Ledger().Total.Check())
			require.NotZero(b, p.Len())
			require.NoError(b, p.Close())
		})
	}
}

// A disk that takes no more writes is an error of Open and no panic, wherever in it; afterwards the pool opens with all that it had.
func TestOpenOnAFullDisk(t *testing.T) {
	full := errors.New("no space left on device")
	for after := int64(0); ; after++ {
		mem := vfs.NewMem()
		p := mustOpen(t, mem, ackpool.Options{})
		require.NoError(t, p.Put(context.Background(), []ackpool.Item{item(5, 11, 0, 7)}))
		require.NoError(t, p.Close())
		var writes atomic.Int64
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op, _ string) error {
			if (op == errorfs.OpFileWrite || op == errorfs.OpCreate) && writes.Add(1) > after {
				return full
			}
			return nil
		}))
		p, err := ackpool.Open("pool", ackpool.Options{FS: fs, Logger: quiet()})
		if err == nil {
			require.Greater(t, after, int64(3), "opening writes")
			return
		}
		require.Nil(t, p)
		require.ErrorContains(t, err, full.Error())
		p = mustOpen(t, mem, ackpool.Options{})
		require.EqualValues(t, 7, p.Ledger().Total.Acknowledged.Value.Int64())
		require.NoError(t, p.Close())
	}
}
