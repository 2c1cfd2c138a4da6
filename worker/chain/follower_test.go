package chain

import (
	"context"
	"errors"
	"log/slog"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/edgechain/edge/ack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// source doubles a node.
type source struct {
	mu     sync.Mutex
	status Status
	epoch  EpochState
	worker nodetypes.Worker
	err    error
	hang   bool
	panics bool
	// blocks plays the subscription; nil is a node without one.
	blocks func(ctx context.Context, seen func()) error
	// calls counts questions by name; slow makes questions for keys wait.
	calls map[string]int
	slow  time.Duration
	// dearer is added to what gas is taken, and taken off what a block has.
	dearer uint64
	// grants are what was granted to the hot account.
	grants Grants
}

func newSource() *source {
	return &source{
		status: Status{ChainID: "edge-test", Height: 5, Time: time.Now()}, calls: map[string]int{},
		epoch: EpochState{Number: 1, End: time.Now().Add(time.Hour), Duration: time.Hour, OldestLive: 1}, worker: nodetypes.Worker{Id: 4},
	}
}

func (s *source) ask(ctx context.Context, name string) error {
	s.mu.Lock()
	s.calls[name]++
	err, hang, panics := s.err, s.hang, s.panics
	s.mu.Unlock()
	if panics {
		panic("planned")
	}
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (s *source) with(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// block commits a block every second until the test ends.
func (s *source) block(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.with(func() {
				s.status.Height++
				s.status.Time = time.Now()
			})
		}
	}
}

func (s *source) Status(ctx context.Context) (Status, error) {
	err := s.ask(ctx, "status")
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status, err
}

func (s *source) Epoch(ctx context.Context) (EpochState, error) {
	err := s.ask(ctx, "epoch")
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch, err
}

func (s *source) Worker(ctx context.Context, id uint64) (nodetypes.Worker, error) {
	err := s.ask(ctx, "worker")
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.worker.Id != id {
		return nodetypes.Worker{}, ErrNotRegistered
	}
	return s.worker, err
}

func (s *source) WorkerByPeerKey(ctx context.Context, _ []byte) (nodetypes.Worker, error) {
	err := s.ask(ctx, "worker by key")
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.worker.Id == 0 {
		return nodetypes.Worker{}, ErrNotRegistered
	}
	return s.worker, err
}

func (s *source) DackParams(ctx context.Context) (dacktypes.Params, error) {
	err := s.ask(ctx, "params")
	s.mu.Lock()
	defer s.mu.Unlock()
	params := dacktypes.DefaultParams()
	params.SettleGasPerAck += s.dearer
	return params, err
}

func (s *source) TxLimits(ctx context.Context) (TxLimits, error) {
	err := s.ask(ctx, "limits")
	s.mu.Lock()
	defer s.mu.Unlock()
	return TxLimits{BlockGas: 40_000_000 - s.dearer, GasPerByte: 10 + s.dearer, GasPerSignature: 1_000 + s.dearer}, err
}

func (s *source) Prices(ctx context.Context, epoch uint64) (ack.Prices, error) {
	return ack.Prices{PerGiB: new(big.Int).SetUint64(epoch * 100), PerGFuel: big.NewInt(1)}, s.ask(ctx, "prices")
}

func (s *source) Balance(ctx context.Context, address, denom string) (*big.Int, error) {
	if address != "edge1hot" || denom != "uedge" {
		return nil, errors.New("wrong balance")
	}
	return big.NewInt(77), s.ask(ctx, "balance")
}

func (s *source) Key(ctx context.Context, id uint64) (Key, error) {
	if err := s.ask(ctx, "key"); err != nil {
		return Key{}, err
	}
	time.Sleep(s.slow)
	if err := ctx.Err(); err != nil {
		return Key{}, err
	}
	if id >= 1_000 {
		return Key{}, ErrUnknownKey
	}
	return Key{ID: id, AccountID: id * 10}, nil
}

func (s *source) Account(ctx context.Context, id uint64) (Account, error) {
	return Account{ID: id}, s.ask(ctx, "account")
}

func (s *source) Lanes(ctx context.Context, _, _, _ uint64) ([]dacktypes.Lane, error) {
	return nil, s.ask(ctx, "lanes")
}

func (s *source) Grants(ctx context.Context, granter, feeGranter, _ string) (Grants, error) {
	if err := s.ask(ctx, "grants"); err != nil {
		return Grants{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grants, nil
}

func (s *source) PaidTo(ctx context.Context, _, _ uint64) (*big.Int, error) {
	return new(big.Int), s.ask(ctx, "paid")
}

func (s *source) Blocks(ctx context.Context, seen func()) error {
	s.mu.Lock()
	s.calls["blocks"]++
	blocks := s.blocks
	s.mu.Unlock()
	if blocks == nil {
		return errors.New("no websocket")
	}
	return blocks(ctx, seen)
}

func (s *source) count(name string) (n int) {
	s.with(func() { n = s.calls[name] })
	return n
}

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.ChainID, cfg.PeerKey, cfg.FeeAccount = "edge-test", make([]byte, 32), "edge1hot"
	return cfg
}

func newFollower(t *testing.T, cfg Config, s *source) *Follower {
	t.Helper()
	f, err := New(cfg, s, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(t, err)
	return f
}

// follow runs a test against a follower of a double.
func follow(t *testing.T, change func(*Config, *source), test func(*testing.T, *Follower, *source)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg, s := testConfig(), newSource()
		if change != nil {
			change(&cfg, s)
		}
		f, err := New(cfg, s, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		require.NoError(t, err)
		_, seen := f.View()
		require.False(t, seen)
		require.ErrorIs(t, f.Stale(), ErrStale)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.block(ctx)
		require.NoError(t, f.Start(ctx))
		require.Error(t, f.Start(ctx), "started twice")
		defer func() { require.NoError(t, f.Stop(t.Context())) }()
		synctest.Wait()
		test(t, f, s)
	})
}

func TestView(t *testing.T) {
	follow(t, func(_ *Config, s *source) { s.epoch.End, s.epoch.Duration = time.Now(), time.Second }, func(t *testing.T, f *Follower, s *source) {
		v, ok := f.View()
		require.True(t, ok)
		require.NoError(t, f.Stale())
		require.EqualValues(t, 5, v.Height)
		require.EqualValues(t, 4, v.Worker.Id)
		require.EqualValues(t, 77, v.FeeBalance.Int64())
		require.EqualValues(t, 100, v.Prices[1].PerGiB.Int64())
		require.EqualValues(t, dacktypes.DefaultMaxAcks, v.MaxAcks)
		require.EqualValues(t, dacktypes.DefaultSettleGasPerAck, v.GasPerAck)
		require.Equal(t, TxLimits{BlockGas: 40_000_000, GasPerByte: 10, GasPerSignature: 1_000}, v.Limits)
		changed := f.Changed()
		s.with(func() { s.epoch.Number, s.epoch.OldestLive, s.dearer = 3, 2, 7 })
		time.Sleep(1700 * time.Millisecond)
		select {
		case <-changed:
		default:
			t.Fatal("the change was not told")
		}
		v, _ = f.View()
		require.EqualValues(t, 3, v.Epoch)
		require.Len(t, v.Prices, 2)
		require.EqualValues(t, dacktypes.DefaultSettleGasPerAck+7, v.GasPerAck, "parameters are read with every block")
		require.Equal(t, TxLimits{BlockGas: 39_999_993, GasPerByte: 17, GasPerSignature: 1_007}, v.Limits)
		asked := s.count("prices")
		time.Sleep(priceTTL - 5*time.Second)
		require.Equal(t, asked, s.count("prices"), "prices of an epoch never change")
		require.Less(t, s.count("epoch"), 70, "the chain is asked once a block")
	})
}

func TestRegistration(t *testing.T) {
	follow(t, func(_ *Config, s *source) { s.worker = nodetypes.Worker{} }, func(t *testing.T, f *Follower, s *source) {
		v, ok := f.View()
		require.True(t, ok)
		require.False(t, v.Registered())
		require.NoError(t, f.Stale(), "the chain is in sight all the same")
		s.with(func() { s.worker = nodetypes.Worker{Id: 9, Status: nodetypes.WORKER_STATUS_ACTIVE} })
		time.Sleep(2 * time.Second)
		v, _ = f.View()
		require.True(t, v.Active())
	})
	follow(t, func(c *Config, _ *source) { c.WorkerID = 4 }, func(t *testing.T, f *Follower, s *source) {
		v, _ := f.View()
		require.EqualValues(t, 4, v.Worker.Id)
		require.Zero(t, s.count("worker by key"))
	})
}

// Lesson 15: whatever goes quiet, the height tells.
func TestStale(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*source)
		within time.Duration
		want   string
	}{
		"the node is down":   {func(s *source) { s.err = errors.New("connection refused") }, 31 * time.Second, "connection refused"},
		"the node hangs":     {func(s *source) { s.hang = true }, 40 * time.Second, "deadline"},
		"it catches up":      {func(s *source) { s.status.CatchingUp = true }, 2 * time.Second, "catching up"},
		"it was replaced":    {func(s *source) { s.status.ChainID = "edge-other" }, 2 * time.Second, "another chain"},
		"it was set back":    {func(s *source) { s.status.Height = -1_000 }, 31 * time.Second, "below"},
		"a panic in a query": {func(s *source) { s.panics = true }, 31 * time.Second, "panicked"},
	} {
		t.Run(name, func(t *testing.T) {
			follow(t, nil, func(t *testing.T, f *Follower, s *source) {
				time.Sleep(10 * time.Second)
				require.NoError(t, f.Stale())
				var before Status
				s.with(func() { before = s.status })
				s.with(func() { tc.change(s) })
				time.Sleep(tc.within)
				require.ErrorIs(t, f.Stale(), ErrStale)
				require.ErrorContains(t, f.Stale(), tc.want)
				_, ok := f.View()
				require.True(t, ok, "the last view stays")
				s.with(func() {
					height := max(s.status.Height, before.Height+100)
					s.err, s.hang, s.panics, s.status = nil, false, false, before
					s.status.Height = height
				})
				time.Sleep(6 * time.Second)
				require.NoError(t, f.Stale())
			})
		})
	}
	t.Run("no new block", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSource()
			f, err := New(testConfig(), s, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			require.NoError(t, err)
			require.NoError(t, f.Start(t.Context()))
			time.Sleep(29 * time.Second)
			require.NoError(t, f.Stale())
			time.Sleep(3 * time.Second)
			require.ErrorContains(t, f.Stale(), "no new block for 32s, the last height is 5")
			require.Greater(t, f.Lag(), 30*time.Second)
			require.NoError(t, f.Stop(t.Context()))
		})
	})
	t.Run("the first block seen is old", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSource()
			s.status.Time = time.Now().Add(-time.Hour)
			f, err := New(testConfig(), s, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			require.NoError(t, err)
			require.NoError(t, f.Start(t.Context()))
			time.Sleep(time.Second)
			require.ErrorContains(t, f.Stale(), "no new block for 1h")
			require.NoError(t, f.Stop(t.Context()))
		})
	})
	t.Run("a failure that passes", func(t *testing.T) {
		follow(t, nil, func(t *testing.T, f *Follower, s *source) {
			for range 20 {
				s.with(func() { s.err = errors.New("busy") })
				time.Sleep(3 * time.Second)
				require.NoError(t, f.Stale())
				s.with(func() { s.err = nil })
				time.Sleep(2 * time.Second)
			}
		})
	})
}

func TestCaches(t *testing.T) {
	follow(t, nil, func(t *testing.T, f *Follower, s *source) {
		for range 10 {
			k, err := f.Key(t.Context(), 7)
			require.NoError(t, err)
			require.EqualValues(t, 70, k.AccountID)
			_, err = f.Key(t.Context(), 1_000)
			require.ErrorIs(t, err, ErrUnknownKey)
		}
		require.Equal(t, 2, s.count("key"), "unknown ids are remembered, too")
		time.Sleep(3 * time.Second)
		_, err := f.Key(t.Context(), 7)
		require.NoError(t, err)
		require.Equal(t, 3, s.count("key"), "what is old is asked again")
		_, err = f.Account(t.Context(), 1)
		require.NoError(t, err)
		f.Forget(1)
		_, err = f.Account(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, 2, s.count("account"))
		s.with(func() { s.err = errors.New("down") })
		for range 3 {
			_, err = f.Account(t.Context(), 2)
			require.ErrorContains(t, err, "down")
		}
		require.Equal(t, 5, s.count("account"), "failures are not remembered")
	})
}

func TestCacheBounds(t *testing.T) {
	t.Run("answers", func(t *testing.T) {
		follow(t, func(c *Config, _ *source) { c.CacheSize = 8 }, func(t *testing.T, f *Follower, _ *source) {
			for id := range uint64(100) {
				_, _ = f.Key(t.Context(), id)
			}
			require.Equal(t, 8, f.keys.answers.Len())
		})
	})
	// flood asks for ten keys at a time, each of which takes the node a second.
	flood := func(t *testing.T, f *Follower) (busy, fine int) {
		t.Helper()
		var mu sync.Mutex
		var group sync.WaitGroup
		for id := range uint64(10) {
			group.Go(func() {
				_, err := f.Key(t.Context(), id)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case errors.Is(err, ErrBusy):
					busy++
				case err == nil:
					fine++
				}
			})
		}
		group.Wait()
		return busy, fine
	}
	for name, tc := range map[string]struct {
		queries, queued int
		timeout         time.Duration
		fine            int
	}{
		"queries at a time":        {queries: 3, queued: 0, timeout: time.Minute, fine: 3},
		"a full queue":             {queries: 3, queued: 4, timeout: time.Minute, fine: 7},
		"who waits gets a turn":    {queries: 3, queued: 7, timeout: time.Minute, fine: 10},
		"who waits long does not":  {queries: 3, queued: 7, timeout: 1500 * time.Millisecond, fine: 6},
		"nobody waits for nothing": {queries: 3, queued: 7, timeout: 0, fine: 3},
	} {
		t.Run(name, func(t *testing.T) {
			follow(t, func(c *Config, s *source) {
				c.MaxQueries, c.MaxQueued, c.QueueTimeout, s.slow = tc.queries, tc.queued, tc.timeout, time.Second
			}, func(t *testing.T, f *Follower, _ *source) {
				busy, fine := flood(t, f)
				require.Equal(t, tc.fine, fine)
				require.Equal(t, 10-tc.fine, busy)
				require.EqualValues(t, busy, count(t, f.metrics.refused))
				require.Empty(t, f.keys.slots.running)
				require.Empty(t, f.keys.slots.waiting)
				require.Empty(t, f.keys.flights)
			})
		})
	}
	t.Run("who leaves the queue makes room in it", func(t *testing.T) {
		follow(t, func(c *Config, s *source) {
			c.MaxQueries, c.MaxQueued, c.QueueTimeout, s.slow = 1, 1, time.Minute, time.Second
		}, func(t *testing.T, f *Follower, s *source) {
			var group sync.WaitGroup
			ask := func(ctx context.Context, id uint64, want error) {
				group.Go(func() {
					_, err := f.Key(ctx, id)
					require.ErrorIs(t, err, want)
				})
				synctest.Wait()
			}
			impatient, leave := context.WithCancel(t.Context())
			ask(t.Context(), 1, nil)
			ask(impatient, 2, context.Canceled)
			ask(t.Context(), 3, ErrBusy)
			leave()
			synctest.Wait()
			ask(t.Context(), 4, nil)
			ask(t.Context(), 4, nil)
			group.Wait()
			require.Equal(t, 2, s.count("key"), "what nobody waits for is not asked")
			_, err := f.Key(impatient, 9)
			require.ErrorIs(t, err, context.Canceled)
		})
	})
	t.Run("an answer from before it was forgotten is not remembered", func(t *testing.T) {
		follow(t, func(_ *Config, s *source) { s.slow = time.Second }, func(t *testing.T, f *Follower, s *source) {
			var group sync.WaitGroup
			group.Go(func() {
				_, err := f.Key(t.Context(), 7)
				require.NoError(t, err)
			})
			synctest.Wait()
			f.keys.forget(7)
			group.Wait()
			require.Zero(t, f.keys.answers.Len())
			_, err := f.Key(t.Context(), 7)
			require.NoError(t, err)
			require.Equal(t, 2, s.count("key"))
		})
	})
	t.Run("a panic", func(t *testing.T) {
		follow(t, nil, func(t *testing.T, f *Follower, s *source) {
			s.with(func() { s.panics = true })
			_, err := f.Key(t.Context(), 7)
			require.ErrorContains(t, err, "panicked")
			s.with(func() { s.panics = false })
			_, err = f.Key(t.Context(), 7)
			require.NoError(t, err)
			require.Empty(t, f.keys.slots.running)
		})
	})
	t.Run("one question for all", func(t *testing.T) {
		follow(t, func(_ *Config, s *source) { s.slow = time.Second }, func(t *testing.T, f *Follower, s *source) {
			var group sync.WaitGroup
			impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			group.Go(func() {
				_, err := f.Key(impatient, 7)
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
			time.Sleep(time.Millisecond)
			for range 20 {
				group.Go(func() {
					_, err := f.Key(t.Context(), 7)
					require.NoError(t, err, "who leaves early takes nothing from the others")
				})
			}
			group.Wait()
			require.Equal(t, 1, s.count("key"))
		})
	})
}

func TestViewRules(t *testing.T) {
	v := View{Epoch: 5, OldestLive: 4, EpochEnd: time.Unix(100, 0)}
	require.False(t, v.MaySettle(5), "not registered")
	v.Worker = nodetypes.Worker{Id: 1, Status: nodetypes.WORKER_STATUS_ACTIVE}
	for epoch, want := range map[uint64]bool{3: false, 4: true, 5: true, 6: false} {
		require.Equal(t, want, v.MaySettle(epoch), epoch)
	}
	v.Worker.Status, v.Worker.RetiredEpoch = nodetypes.WORKER_STATUS_RETIRING, 4
	require.True(t, v.MaySettle(4))
	require.False(t, v.MaySettle(5))
	_, known := v.Dies(5)
	require.False(t, known)
	at, known := v.Dies(4)
	require.True(t, known)
	require.Equal(t, v.EpochEnd, at)
}

func TestConfigBounds(t *testing.T) {
	require.NoError(t, testConfig().Validate())
	for name, change := range map[string]func(*Config){
		"poll_interval": func(c *Config) { c.PollInterval = 0 },
		"max_lag":       func(c *Config) { c.MaxLag = 0 },
		"query_timeout": func(c *Config) { c.QueryTimeout = 0 },
		"cache_size":    func(c *Config) { c.CacheSize = 0 },
		"cache_ttl":     func(c *Config) { c.CacheTTL = -1 },
		"max_queries":   func(c *Config) { c.MaxQueries = 0 },
		"max_queued":    func(c *Config) { c.MaxQueued = -1 },
		"queue_timeout": func(c *Config) { c.QueueTimeout = -1 },
		"peer key":      func(c *Config) { c.PeerKey = nil },
	} {
		c := testConfig()
		change(&c)
		require.ErrorContains(t, c.Validate(), name)
	}
}
