package devnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// Ports are the TCP ports of a network, all on loopback.
type Ports struct {
	RPC, P2P, GRPC, REST, PProf int
	Worker, WorkerAdmin         int
}

// NewPorts returns the usual ports, each moved by offset.
func NewPorts(offset int) Ports {
	return Ports{
		RPC: 26657 + offset, P2P: 26656 + offset, GRPC: 9090 + offset, REST: 1317 + offset, PProf: 6060 + offset,
		Worker: 8480 + offset, WorkerAdmin: 8481 + offset,
	}
}

// PortStep is the distance between the ports of two validators, as edged testnet lays them.
const PortStep = 10

type namedPort struct {
	Name string
	Port int
}

// validatorPorts is the number of ports in named that every validator has; those of the worker follow.
const validatorPorts = 5

// named lists the ports with what they are for.
func (p Ports) named() []namedPort {
	return []namedPort{
		{"RPC", p.RPC},
		{"P2P", p.P2P},
		{"gRPC", p.GRPC},
		{"REST", p.REST},
		{"pprof", p.PProf},
		{"worker", p.Worker},
		{"worker admin", p.WorkerAdmin},
	}
}

// Check returns an error that names every port that another program holds. A network that found out one by one would
// leave programs behind that talk to a stranger's chain.
func (p Ports) Check(ctx context.Context) error {
	return check(ctx, p.named())
}

// checkValidators is Check for the further validators of a network, 1 to n-1.
func checkValidators(ctx context.Context, offset, n int) error {
	var errs []error
	for i := 1; i < n; i++ {
		ports := NewPorts(offset + i*PortStep).named()
		for j := range ports {
			ports[j].Name = fmt.Sprintf("node%d's %s", i, ports[j].Name)
		}
		errs = append(errs, check(ctx, ports[:validatorPorts]))
	}
	return errors.Join(errs...)
}

func check(ctx context.Context, ports []namedPort) error {
	var errs []error
	for _, e := range ports {
		if e.Port < 1 || e.Port > 65535 {
			errs = append(errs, fmt.Errorf("%s port %d does not exist: choose another offset", e.Name, e.Port))
			continue
		}
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", loopback(e.Port))
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			errs = append(errs, fmt.Errorf("%s port %d is in use by another program: stop it, or choose other ports with --port-offset", e.Name, e.Port))
		case err != nil:
			errs = append(errs, fmt.Errorf("%s port %d: %w", e.Name, e.Port, err))
		default:
			if err := l.Close(); err != nil {
				errs = append(errs, fmt.Errorf("%s port %d: %w", e.Name, e.Port, err))
			}
		}
	}
	return errors.Join(errs...)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
