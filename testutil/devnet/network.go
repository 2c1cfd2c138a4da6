package devnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Network is a running local network.
type Network struct {
	Ports Ports
	Chain *Chain
	// Operator is the account address of the validator's operator, Valoper its operator address, Settler the worker's hot
	// account.
	Operator, Valoper, Settler string
	// WorkerID as registered.
	WorkerID uint64
	// Client is the first client.
	Client *Client

	cfg Config

	mu     sync.Mutex
	chain  *process
	worker *process
}

// startTimeout bounds the wait for each program to be ready.
const startTimeout = 90 * time.Second

// stopTimeout bounds the wait for each program to end; a worker drains what it holds first.
const stopTimeout = 45 * time.Second

// Start sets up a network and waits until it serves. If it fails, or ctx ends, everything that it started is stopped.
func Start(ctx context.Context, cfg Config) (*Network, error) {
	cfg = cfg.withDefaults()
	n := &Network{Ports: NewPorts(cfg.PortOffset), cfg: cfg}
	if err := n.Ports.Check(ctx); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := os.Stat(cfg.chainHome()); err == nil {
		return nil, fmt.Errorf("%s holds a network already: choose another folder or remove it", cfg.Dir)
	}
	var err error
	if n.Chain, err = newChain(n.RPC()); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"make the genesis", n.initChain},
		{"start the chain", n.startChain},
		{"set up the worker", n.setUpWorker},
		{"start the worker", n.StartWorker},
		{"open the client's account", func(ctx context.Context) (err error) {
			n.Client, err = n.NewClient(ctx, "client", cfg.Deposit)
			return err
		}},
	} {
		began := time.Now()
		if err := step.do(ctx); err != nil {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
			defer cancel()
			return nil, errors.Join(fmt.Errorf("%s: %w", step.what, err), n.Stop(stop))
		}
		cfg.logf("%-26s %5.1f s", step.what, time.Since(began).Seconds())
	}
	return n, nil
}

// Stop ends the worker, which drains first, and then the chain.
func (n *Network) Stop(ctx context.Context) error {
	n.mu.Lock()
	worker, chain := n.worker, n.chain
	n.worker, n.chain = nil, nil
	n.mu.Unlock()
	var errs []error
	for _, p := range []*process{worker, chain} {
		if p == nil {
			continue
		}
		errs = append(errs, func() error {
			ctx, cancel := context.WithTimeout(ctx, stopTimeout)
			defer cancel()
			return p.stop(ctx)
		}())
	}
	return errors.Join(errs...)
}

// Failed returns an error if a program that should run has ended.
func (n *Network) Failed() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range []*process{n.chain, n.worker} {
		if p == nil {
			continue
		}
		if err := p.ended(); err != nil {
			return err
		}
	}
	return nil
}

// poll is poll that ends as soon as a program has died.
func (n *Network) poll(ctx context.Context, what string, f func(ctx context.Context) error) error {
	return poll(ctx, what, func(ctx context.Context) error {
		if err := n.Failed(); err != nil {
			return final{err}
		}
		return f(ctx)
	})
}

func (n *Network) startChain(ctx context.Context) error {
	p, err := start("edged", filepath.Join(n.cfg.Dir, "edged.log"), nil, n.cfg.Binaries.Edged, "start", "--home", n.cfg.chainHome())
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.chain = p
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := n.WaitHeight(ctx, 2); err != nil {
		return err
	}
	out, err := n.edged(ctx, "keys", "show", operatorKey, "--bech", "val", "--address", "--keyring-backend", "test")
	n.Valoper = strings.TrimSpace(out)
	return err
}

// edged runs a command of edged with the validator's home.
func (n *Network) edged(ctx context.Context, args ...string) (string, error) {
	return run(ctx, nil, n.cfg.Binaries.Edged, append(args, "--home", n.cfg.chainHome())...)
}

// Edged runs a command of edged with the validator's home and returns what it printed.
func (n *Network) Edged(ctx context.Context, args ...string) (string, error) {
	return n.edged(ctx, args...)
}

// RPC is the address of the chain's RPC.
func (n *Network) RPC() string { return "http://" + loopback(n.Ports.RPC) }

// WorkerURL is the address of the worker's gateway.
func (n *Network) WorkerURL() string { return "http://" + loopback(n.Ports.Worker) }

// AdminURL is the address of the worker's admin listener.
func (n *Network) AdminURL() string { return "http://" + loopback(n.Ports.WorkerAdmin) }

// Dir is the folder of the network.
func (n *Network) Dir() string { return n.cfg.Dir }

// ChainID of the network.
func (n *Network) ChainID() string { return n.cfg.ChainID }
