package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/edgechain/edge/worker/ackpool"
	"github.com/edgechain/edge/worker/chain"
	"github.com/edgechain/edge/worker/config"
	"github.com/edgechain/edge/worker/console"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/origin"
	"github.com/edgechain/edge/worker/report"
	"github.com/edgechain/edge/worker/rollup"
	"github.com/edgechain/edge/worker/session"
	"github.com/edgechain/edge/worker/store"
)

// worker is the running worker: its parts, in the order in which they start.
type worker struct {
	log      *slog.Logger
	peerKey  ed25519.PublicKey
	settings settings
	started  time.Time
	token    string

	store    *store.Store
	pool     *ackpool.Pool
	nodes    *chain.Nodes
	follower *chain.Follower
	manager  *session.Manager
	rollup   *rollup.Rollup
	// reporter is nil unless the configuration wants reports.
	reporter *report.Reporter
	gateway  *gateway.Server
	// origins is nil unless the configuration has any.
	origins *origin.Origins
	console *console.Console
}

// storeWait is how long a worker that starts waits for a command that has the content store open: edge-worker add, while the worker was
// being restarted.
const storeWait = 5 * time.Second

// openStore opens the content store. It returns store.ErrLocked if another process keeps it.
func openStore(ctx context.Context, cfg store.Config, log *slog.Logger) (*store.Store, error) {
	for until := time.Now().Add(storeWait); ; {
		s, err := store.Open(cfg, log)
		if !errors.Is(err, store.ErrLocked) || time.Now().After(until) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(storeWait / 50):
		}
	}
}

// newWorker opens and connects the parts. What it opened is closed again if it fails.
func newWorker(ctx context.Context, h home, c *config.Config, in io.Reader, log *slog.Logger) (_ *worker, err error) {
	s, err := newSettings(c)
	if err != nil {
		return nil, err
	}
	w := &worker{log: log, started: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	peerKey, err := h.readPeerKey()
	if err != nil {
		return nil, err
	}
	w.peerKey = publicOf(peerKey)
	if w.token, err = h.readToken(); err != nil {
		return nil, err
	}
	enc, err := chain.NewEncoding()
	if err != nil {
		return nil, err
	}
	keys, err := h.keyring(c.Keys, enc, in)
	if err != nil {
		return nil, err
	}
	signer, err := newSigner(c, &s, keys, enc)
	if err != nil {
		return nil, err
	}
	s.chain.PeerKey, s.chain.FeeAccount = w.peerKey, signer.FeePayer()
	if signer.Key() != signer.Address() {
		s.chain.Granter, s.chain.Grantee = signer.Address(), signer.Key()
	}
	if signer.Key() != signer.FeePayer() {
		s.chain.FeeGranter, s.chain.Grantee, s.rollup.FeeGranted = signer.FeePayer(), signer.Key(), true
	}
	h.resolve(&s.gateway)
	w.settings = s
	registry := prometheus.NewRegistry()
	node, err := newNodes(c, &s, enc, log.With("part", "chain"), registry)
	if err != nil {
		return nil, err
	}
	w.nodes = node
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	part := func(name string) *slog.Logger { return log.With("part", name) }
	content := storeConfig(c, h.store())
	content.Epoch = func(ctx context.Context) (uint64, bool) { return w.follower.ConfirmedEpoch(ctx) }
	if w.store, err = openStore(ctx, content, part("store")); err != nil {
		return nil, err
	}
	registry.MustRegister(w.store)
	pool := poolOptions(c, part("pool"))
	pool.Metrics = registry
	if w.pool, err = ackpool.Open(h.pool(), pool); err != nil {
		return nil, err
	}
	registerLedger(registry, w.pool)
	if w.follower, err = chain.New(s.chain, node, part("chain"), registry); err != nil {
		return nil, err
	}
	if w.manager, err = session.New(s.session, session.Deps{Chain: w.follower, Pool: w.pool, Logger: part("session"), Metrics: registry}); err != nil {
		return nil, err
	}
	if w.rollup, err = rollup.New(s.rollup, rollup.Deps{
		Chain: w.follower, Node: node, Pool: w.pool, Signer: signer, Encoding: enc, Hints: w.manager.SettleHint(),
		Jitter: rand.Float64, Log: part("rollup"), Metrics: registry,
	}); err != nil {
		return nil, err
	}
	if c.Report.Enabled {
		if w.reporter, err = report.New(s.report, report.Deps{
			Chain: w.follower, Node: node, Signer: signer, Jitter: rand.Float64, Log: part("report"), Metrics: registry,
		}); err != nil {
			return nil, err
		}
	}
	if w.console, err = console.New(console.Config{File: h.history(), SaveInterval: c.Console.SaveInterval.Std()}, console.Deps{
		Metrics: registry, Register: registry, Chain: w.follower, Conn: node, Log: part("console"),
	}); err != nil {
		return nil, err
	}
	origins, err := originConfig(c, h.origins())
	if err != nil {
		return nil, err
	}
	var filler gateway.Origin
	if origins.Enabled() {
		if w.origins, err = origin.New(origins, origin.Deps{Store: w.store, Log: part("origin"), Metrics: registry}); err != nil {
			return nil, err
		}
		filler = w.origins
	}
	var uploads *gateway.Uploads
	if c.Store.UploadBytes > 0 {
		uploads = &gateway.Uploads{Store: w.store, KeepEpochs: c.Store.UploadKeepEpochs}
	}
	w.gateway, err = gateway.New(s.gateway, gateway.Deps{
		Store: w.store, Origin: filler, Uploads: uploads, Sessions: gateway.ManagedSessions(w.manager), Info: w.info, Checks: w.checks(), Admin: w.adminHandler(), Metrics: registry, Log: part("gateway"),
	})
	return w, err
}

// info is what GET /v1/worker answers.
func (w *worker) info() (gateway.Info, error) {
	view, ok := w.follower.View()
	if !ok {
		return gateway.Info{}, fmt.Errorf("%w: nothing seen yet", chain.ErrStale)
	}
	return gateway.Info{
		ChainID: view.ChainID, WorkerID: view.Worker.Id, PeerKey: w.peerKey, Epoch: view.Epoch, Height: view.Height,
		SettlementDenom: view.Denom, Prices: view.Prices[view.Epoch], MaxUnsettled: w.settings.session.MaxUnsettled,
		BaseCredit: w.settings.session.Base, StallTimeout: w.settings.session.StallTimeout,
	}, nil
}

// checks are the conditions of readiness, each under the part that is at fault. A settlement that fails now and then is no
// reason to take the worker out of service; an account that cannot pay for any is.
func (w *worker) checks() []gateway.Check {
	return []gateway.Check{
		{Name: "chain", Func: func(context.Context) error { return w.follower.Stale() }},
		{Name: "registration", Func: func(context.Context) error {
			view, ok := w.follower.View()
			switch {
			case !ok:
				return nil // the chain's check says so
			case !view.Registered():
				return fmt.Errorf("%w: the operator registers it with the command that 'edge-worker identity' prints", chain.ErrNotRegistered)
			case !view.Active():
				return fmt.Errorf("worker %d was removed in epoch %d", view.Worker.Id, view.Worker.RetiredEpoch)
			}
			return nil
		}},
		{Name: "signer", Func: func(context.Context) error {
			problem := w.rollup.Problem()
			for _, fatal := range []error{rollup.ErrNoFees, rollup.ErrFeeTooLow, rollup.ErrFeeCap, rollup.ErrNoGrant, rollup.ErrWrongAccount} {
				if errors.Is(problem, fatal) {
					return problem
				}
			}
			return nil
		}},
		{Name: "settlement", Func: func(context.Context) error { return w.rollup.Endangered() }},
		{Name: "store", Func: w.store.Check},
		{Name: "pool", Func: func(context.Context) error { return w.pool.Err() }},
	}
}

// start starts the parts: those that settle before the one that serves.
func (w *worker) start(ctx context.Context) error {
	if err := w.nodes.Start(ctx); err != nil {
		return err
	}
	if err := w.follower.Start(ctx); err != nil {
		return err
	}
	if err := w.rollup.Start(ctx); err != nil {
		return err
	}
	if w.reporter != nil {
		if err := w.reporter.Start(ctx); err != nil {
			return err
		}
	}
	if err := w.store.Start(ctx); err != nil {
		return err
	}
	if err := w.console.Start(ctx); err != nil {
		return err
	}
	if w.origins != nil {
		if err := w.origins.Start(ctx); err != nil {
			return err
		}
	}
	return w.gateway.Start(ctx)
}

// stop lets answers under way come to their end, settles what is acknowledged, and closes everything, within a time.
func (w *worker) stop(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	// Streams get a third of the time, so that there is some left to settle what they bring in.
	serving, done := context.WithTimeout(ctx, timeout/3)
	err := w.gateway.Stop(serving)
	done()
	if w.origins != nil {
		err = errors.Join(err, w.origins.Stop(ctx))
	}
	if w.reporter != nil {
		err = errors.Join(err, w.reporter.Stop(ctx))
	}
	err = errors.Join(err, w.store.Stop(ctx), w.manager.Stop(ctx), w.rollup.Stop(ctx), w.console.Stop(ctx), w.follower.Stop(ctx), w.nodes.Stop(ctx))
	return errors.Join(err, w.close())
}

// close closes the files.
func (w *worker) close() error {
	var errs []error
	if w.pool != nil {
		errs = append(errs, w.pool.Close())
	}
	if w.store != nil {
		errs = append(errs, w.store.Close())
	}
	return errors.Join(errs...)
}

// registerLedger makes the ledger's sums metrics. A closed set of states keeps their number small; reasons are in the ledger.
func registerLedger(reg prometheus.Registerer, pool *ackpool.Pool) {
	desc := prometheus.NewDesc("edge_pool_acknowledged_units", "Acknowledged since the pool was made, by state, in units of the settlement coin.", []string{"state"}, nil)
	lanes := prometheus.NewDesc("edge_pool_lanes", "Lanes that the pool holds.", nil, nil)
	reg.MustRegister(collector(func(ch chan<- prometheus.Metric) {
		total := pool.Ledger().Total
		for state, amount := range map[string]ackpool.Amount{
			"pending": total.Pending, "submitted": total.Submitted, "settled": total.Settled, "refused": total.RefusedTotal(),
		} {
			value, _ := amount.Value.Float64()
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, state)
		}
		ch <- prometheus.MustNewConstMetric(lanes, prometheus.GaugeValue, float64(pool.Len()))
	}))
}

// collector is a prometheus.Collector that describes its metrics by collecting them.
type collector func(chan<- prometheus.Metric)

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) { c(ch) }
