package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	gogogrpc "github.com/cosmos/gogoproto/grpc"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/edgechain/edge/worker/chain"
)

const (
	// sampleInterval is the step of the finest tier.
	sampleInterval = 10 * time.Second
	// earnedInterval is how often the chain is asked what the open epoch has earned: two queries.
	earnedInterval = 10 * time.Second
	// earnedTimeout bounds one such round; the first one asks for fourteen epochs.
	earnedTimeout = 30 * time.Second
)

// Config of the console.
type Config struct {
	// File that keeps the history over a restart. Its folder exists.
	File string
	// SaveInterval is how often it is written, besides at the stop.
	SaveInterval time.Duration
}

// Validate returns why a configuration cannot be.
func (c Config) Validate() error {
	if c.SaveInterval < 10*time.Second {
		return fmt.Errorf("save_interval %s, want at least 10s", c.SaveInterval)
	}
	return nil
}

// Viewer is what the console asks of the follower. *chain.Follower implements it.
type Viewer interface {
	View() (chain.View, bool)
}

// Deps are what the console looks at.
type Deps struct {
	// Metrics of the whole worker.
	Metrics prometheus.Gatherer
	Chain   Viewer
	// Conn answers the queries of the chain.
	Conn gogogrpc.ClientConn
	// Register takes the console's own metric.
	Register prometheus.Registerer
	Log      *slog.Logger
}

// Console watches the worker. Its page and documents are Handler.
type Console struct {
	cfg      Config
	deps     Deps
	history  *History
	earnings *earnings
	failures *prometheus.CounterVec

	// before is the reading behind the last sample; only the sampling goroutine uses it.
	before *reading

	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// New returns a console that has not started, with the history of the file. A file that is damaged is set aside.
func New(cfg Config, deps Deps) (*Console, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Console{cfg: cfg, deps: deps, history: NewHistory(), earnings: newEarnings(deps.Conn), cancel: func() {}}
	c.failures = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "edge_console_failures_total", Help: "Tasks of the console that failed, by task: sample, save or earned.",
	}, []string{"task"})
	if err := deps.Register.Register(c.failures); err != nil {
		return nil, err
	}
	if err := c.history.Load(cfg.File); err != nil {
		deps.Log.Warn("history of the console begins anew", "err", err)
	}
	return c, nil
}

// Start begins to sample and to ask the chain. It returns at once.
func (c *Console) Start(ctx context.Context) error {
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.tasks.Go(func() { c.sampling(ctx) })
	c.tasks.Go(func() { c.earning(ctx) })
	return nil
}

// Stop ends that and writes the history.
func (c *Console) Stop(ctx context.Context) error {
	c.cancel()
	ended := make(chan struct{})
	go func() {
		c.tasks.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return c.save()
	case <-ctx.Done():
		return fmt.Errorf("console: %w", ctx.Err())
	}
}

// sampling takes a sample in every step, and writes the history now and then.
func (c *Console) sampling(ctx context.Context) {
	ticker := time.NewTicker(sampleInterval)
	defer ticker.Stop()
	saved := time.Now()
	for {
		now := time.Now()
		c.task("sample", func() error { return c.sample(now) })
		if now.Sub(saved) >= c.cfg.SaveInterval {
			saved = now
			c.task("save", c.save)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (c *Console) sample(now time.Time) error {
	r, err := read(c.deps.Metrics, now)
	c.history.Add(now, r.sample(c.before))
	c.before = &r
	return err
}

func (c *Console) save() error {
	if err := c.history.Save(c.cfg.File); err != nil {
		return fmt.Errorf("save the history of the console: %w", err)
	}
	return nil
}

// earning asks the chain what was earned.
func (c *Console) earning(ctx context.Context) {
	ticker := time.NewTicker(earnedInterval)
	defer ticker.Stop()
	for {
		// The first view can take a moment after the start.
		if view, ok := c.deps.Chain.View(); ok && view.Registered() {
			c.task("earned", func() error {
				ctx, cancel := context.WithTimeout(ctx, earnedTimeout)
				defer cancel()
				err := c.earnings.refresh(ctx, view.Worker.Id, view.Epoch, view.Denom, time.Now())
				if errors.Is(err, context.Canceled) {
					return nil
				}
				return err
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// task runs a piece of work whose failure must not end the worker: it is only looked at.
func (c *Console) task(name string, do func() error) {
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return do()
	}()
	if err != nil {
		c.failures.WithLabelValues(name).Inc()
		c.deps.Log.Debug("task of the console failed", "task", name, "err", err)
	}
}

// Fill puts what the console knows into a status: served, lanes but for the credit, earned, process, and the sums of the rollup.
func (c *Console) Fill(s *Status) {
	now := time.Now()
	r, err := read(c.deps.Metrics, now)
	if err != nil {
		c.failures.WithLabelValues("sample").Inc()
	}
	s.Served = r.served()
	last := c.history.Last(now)
	s.Served.RequestsPerSecond, s.Served.BytesPerSecond = orZero(last[atRequests]), orZero(last[atBytes])
	s.Lanes.Held, s.Lanes.Capacity = r.count("edge_pool_lanes"), r.count("edge_pool_capacity_lanes")
	s.Lanes.Accounts, s.Lanes.Waiting = r.count("edge_session_accounts"), r.count("edge_session_waiting_streams")
	s.Money.Unsettled, s.Money.Endangered = units(r.sums["edge_rollup_unsettled_units"]), units(r.sums["edge_rollup_endangered_units"])
	s.Earned = c.earnings.current()
	s.Process = Process{
		MemoryBytes: r.count("process_resident_memory_bytes"), Goroutines: runtime.NumGoroutine(),
		OpenFiles: r.count("process_open_fds"), MaxFiles: r.count("process_max_fds"),
	}
	if limit := debug.SetMemoryLimit(-1); limit < 1<<60 {
		s.Process.MemoryLimit = uint64(limit)
	}
}

func orZero(v float64) float64 {
	if v != v { // NaN is not in JSON
		return 0
	}
	return v
}

// units writes an amount of a metric, which is exact below 2^53.
func units(v float64) string { return fmt.Sprintf("%.0f", orZero(v)) }
