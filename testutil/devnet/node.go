package devnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
)

// Node is a validator of the network: a process of edged with a home of its own.
type Node struct {
	// Index in the network, Moniker and Home.
	Index   int
	Moniker string
	Home    string
	// Ports of this validator; those of the worker mean nothing but for the first one.
	Ports Ports
	// Chain is the chain as this validator sees it.
	Chain *Chain
	// Operator is the account address of its operator, whose key is "operator" in its keyring; Valoper is the operator address.
	Operator, Valoper string

	n *Network

	mu      sync.Mutex
	process *process
	bin     string
	env     []string
	silent  bool
}

func newNode(n *Network, i int) (*Node, error) {
	v := &Node{
		Index: i, Moniker: fmt.Sprintf("node%d", i), Home: n.cfg.nodeHome(i), Ports: NewPorts(n.cfg.PortOffset + i*PortStep), n: n,
		bin: n.cfg.Binaries.Edged,
	}
	var err error
	v.Chain, err = newChain(v.RPC())
	return v, err
}

// RPC is the address of the validator's RPC.
func (v *Node) RPC() string { return "http://" + loopback(v.Ports.RPC) }

// LogPath is the file with what the validator's process prints.
func (v *Node) LogPath() string {
	return filepath.Join(v.n.cfg.Dir, fmt.Sprintf("edged-%d.log", v.Index))
}

func (v *Node) genesisFile() string { return filepath.Join(v.Home, "config", "genesis.json") }

// Set changes a setting in a file of the validator's folder "config", such as ("config.toml", "p2p", "pex", "false"). It counts
// from the next start on.
func (v *Node) Set(file, section, key, value string) error {
	return setTOML(filepath.Join(v.Home, "config", file), section, key, value)
}

// Replace has the next start run another program, with more variables NAME=value in its environment. Commands still run the
// network's own.
func (v *Node) Replace(bin string, env ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bin, v.env = bin, env
}

// Start starts the validator and waits until it answers and has caught up.
func (v *Node) Start(ctx context.Context) error {
	if err := v.launch(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return v.n.poll(ctx, v.Moniker+" to catch up", func(ctx context.Context) error {
		s, err := v.Chain.RPC.Status(ctx)
		if err == nil && s.SyncInfo.CatchingUp {
			err = fmt.Errorf("height %d", s.SyncInfo.LatestBlockHeight)
		}
		return err
	})
}

// launch starts the process.
func (v *Node) launch() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.process != nil {
		return fmt.Errorf("%s runs already", v.Moniker)
	}
	p, err := start(v.Moniker, v.LogPath(), v.env, v.bin, "start", "--home", v.Home)
	v.process = p
	return err
}

// waitListening waits until the validator takes connections of peers.
func (v *Node) waitListening(ctx context.Context) error {
	return v.n.poll(ctx, v.Moniker+" to listen to its peers", func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", loopback(v.Ports.P2P))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// Stop asks the validator to end and waits until it has.
func (v *Node) Stop(ctx context.Context) error {
	p, err := v.take()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return p.stop(ctx)
}

// Kill ends the validator without warning, as a power cut would.
func (v *Node) Kill() error {
	p, err := v.take()
	if err != nil {
		return err
	}
	return p.kill()
}

func (v *Node) take() (*process, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.process == nil {
		return nil, fmt.Errorf("%s does not run", v.Moniker)
	}
	p := v.process
	v.process = nil
	return p, nil
}

// Running tells whether the validator was started and neither stopped nor killed.
func (v *Node) Running() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.process != nil
}

// failed returns an error if the process should run and has ended.
func (v *Node) failed() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.process == nil {
		return nil
	}
	return v.process.ended()
}

// running returns a validator that runs, the first one if it does, or nil.
func (n *Network) running() *Node {
	for _, v := range n.Nodes {
		if v.Running() {
			return v
		}
	}
	return nil
}

// WaitHeight waits until the validator has committed a height.
func (v *Node) WaitHeight(ctx context.Context, height int64) error {
	return v.n.poll(ctx, fmt.Sprintf("height %d at %s", height, v.Moniker), func(ctx context.Context) error {
		if !v.Running() {
			return final{errors.New("it does not run")}
		}
		h, err := v.Chain.Height(ctx)
		if err == nil && h < height {
			err = fmt.Errorf("height %d", h)
		}
		return err
	})
}

// Edged runs a command of edged with the validator's home and returns what it printed.
func (v *Node) Edged(ctx context.Context, args ...string) (string, error) {
	return run(ctx, nil, v.n.cfg.Binaries.Edged, append(args, "--home", v.Home)...)
}

// SetReports turns the reports of this validator off and on again, in a network whose Config has Reports set.
func (v *Node) SetReports(on bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.silent = !on
}

// reports tells whether the validator runs and sends reports.
func (v *Node) reports() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.process != nil && !v.silent
}
