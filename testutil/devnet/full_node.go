package devnet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cosmos/cosmos-sdk/telemetry"
)

// NewFullNode writes the home of a node that is no validator, with settings like those of node 0 and the validators that run as
// its peers, and returns it without starting it. It makes keys of its own when it starts. Its index says which ports it has and
// must be no validator's; whoever asks for it stops it.
func (n *Network) NewFullNode(ctx context.Context, index int) (*Node, error) {
	if index < len(n.Nodes) {
		return nil, fmt.Errorf("node%d is a validator", index)
	}
	v, err := newNode(n, index)
	if err != nil {
		return nil, err
	}
	if err := check(ctx, v.Ports.named()[:validatorPorts]); err != nil {
		return nil, err
	}
	for _, dir := range []string{"config", "data"} {
		if err := os.MkdirAll(filepath.Join(v.Home, dir), 0o700); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"config.toml", "app.toml", "client.toml", "genesis.json", telemetry.OtelFileName} {
		b, err := os.ReadFile(filepath.Join(n.Nodes[0].Home, "config", name))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(v.Home, "config", name), b, 0o600); err != nil {
			return nil, err
		}
	}
	var peers []string
	for _, other := range n.Nodes {
		if !other.Running() {
			continue
		}
		status, err := other.Chain.RPC.Status(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", other.Moniker, err)
		}
		peers = append(peers, string(status.NodeInfo.DefaultNodeID)+"@"+loopback(other.Ports.P2P))
	}
	for _, s := range []struct{ file, section, key, value string }{
		{"config.toml", "", "moniker", v.Moniker},
		{"config.toml", "rpc", "laddr", "tcp://" + loopback(v.Ports.RPC)},
		{"config.toml", "rpc", "pprof_laddr", loopback(v.Ports.PProf)},
		{"config.toml", "p2p", "laddr", "tcp://" + loopback(v.Ports.P2P)},
		{"config.toml", "p2p", "persistent_peers", strings.Join(peers, ",")},
		{"app.toml", "api", "address", "tcp://" + loopback(v.Ports.REST)},
		{"app.toml", "grpc", "address", loopback(v.Ports.GRPC)},
		{"client.toml", "", "node", "tcp://" + loopback(v.Ports.RPC)},
	} {
		if err := v.Set(s.file, s.section, s.key, quoted(s.value)); err != nil {
			return nil, err
		}
	}
	return v, nil
}
