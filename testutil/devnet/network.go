package devnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Network is a running local network.
type Network struct {
	// Ports of the first validator and of the worker beside it, and Chain the chain as that validator sees it.
	Ports Ports
	Chain *Chain
	// Nodes are the validators.
	Nodes []*Node
	// Operator is the account address of the first validator's operator, Valoper its operator address, Settler the worker's hot
	// account.
	Operator, Valoper, Settler string
	// WorkerID as registered.
	WorkerID uint64
	// Client is the first client.
	Client *Client

	cfg Config

	mu     sync.Mutex
	worker *process

	// endReports ends the sending of reports and waits for it; nil if none are sent.
	endReports func() error
}

// startTimeout bounds the wait for each program to be ready.
const startTimeout = 90 * time.Second

// stopTimeout bounds the wait for each program to end; a worker drains what it holds first.
const stopTimeout = 45 * time.Second

// Start sets up a network and waits until it serves. If it fails, or ctx ends, everything that it started is stopped.
func Start(ctx context.Context, cfg Config) (*Network, error) {
	cfg = cfg.withDefaults()
	n := &Network{Ports: NewPorts(cfg.PortOffset), cfg: cfg}
	if err := errors.Join(n.Ports.Check(ctx), checkValidators(ctx, cfg.PortOffset, cfg.Validators)); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := os.Stat(cfg.chainDir()); err == nil {
		return nil, fmt.Errorf("%s holds a network already: choose another folder or remove it", cfg.Dir)
	}
	for i := range cfg.Validators {
		node, err := newNode(n, i)
		if err != nil {
			return nil, err
		}
		n.Nodes = append(n.Nodes, node)
	}
	n.Chain = n.Nodes[0].Chain
	type step struct {
		what string
		do   func(context.Context) error
	}
	steps := []step{{"make the genesis", n.initChain}, {"start the chain", n.startChain}}
	if cfg.Reports {
		steps = append(steps, step{"send reports", n.startReports})
	}
	if !cfg.ChainOnly {
		steps = append(steps,
			step{"set up the worker", n.setUpWorker},
			step{"start the worker", n.StartWorker},
			step{"open the client's account", func(ctx context.Context) (err error) {
				n.Client, err = n.NewClient(ctx, "client", cfg.Deposit)
				return err
			}},
		)
	}
	for _, step := range steps {
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

// Stop ends the reports, the worker, which drains first, and then the validators, all at a time.
func (n *Network) Stop(ctx context.Context) error {
	var errs []error
	if n.endReports != nil {
		errs = append(errs, n.endReports())
	}
	if p, err := n.takeWorker(); err == nil {
		ctx, cancel := context.WithTimeout(ctx, stopTimeout)
		errs = append(errs, p.stop(ctx))
		cancel()
	}
	stopped := make(chan error, len(n.Nodes))
	for _, node := range n.Nodes {
		go func() {
			if !node.Running() {
				stopped <- nil
				return
			}
			stopped <- node.Stop(ctx)
		}()
	}
	for range n.Nodes {
		errs = append(errs, <-stopped)
	}
	return errors.Join(errs...)
}

// Failed returns an error if a program that should run has ended.
func (n *Network) Failed() error {
	for _, node := range n.Nodes {
		if err := node.failed(); err != nil {
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.worker == nil {
		return nil
	}
	return n.worker.ended()
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

// startChain starts all validators and waits until each has seen two blocks. One starts when the one before listens to its
// peers: a peer that is not there yet is dialled again only seconds later.
func (n *Network) startChain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, node := range n.Nodes {
		if err := node.launch(); err != nil {
			return err
		}
		if err := node.waitListening(ctx); err != nil {
			return err
		}
	}
	for _, node := range n.Nodes {
		if err := node.WaitHeight(ctx, 2); err != nil {
			return err
		}
	}
	return nil
}

// edged runs a command of edged with the first validator's home.
func (n *Network) edged(ctx context.Context, args ...string) (string, error) {
	return n.Nodes[0].Edged(ctx, args...)
}

// Edged runs a command of edged with the first validator's home and returns what it printed.
func (n *Network) Edged(ctx context.Context, args ...string) (string, error) {
	return n.edged(ctx, args...)
}

// RPC is the address of the first validator's RPC.
func (n *Network) RPC() string { return n.Nodes[0].RPC() }

// WorkerURL is the address of the worker's gateway.
func (n *Network) WorkerURL() string { return "http://" + loopback(n.Ports.Worker) }

// AdminURL is the address of the worker's admin listener.
func (n *Network) AdminURL() string { return "http://" + loopback(n.Ports.WorkerAdmin) }

// Dir is the folder of the network.
func (n *Network) Dir() string { return n.cfg.Dir }

// ChainID of the network.
func (n *Network) ChainID() string { return n.cfg.ChainID }
