package devnet

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"

	"cosmossdk.io/math"

	"github.com/edgechain/edge/ack"
	dacktypes "github.com/edgechain/edge/x/dack/types"
)

// edge runs a command of edge with the client's home.
func (n *Network) edge(ctx context.Context, args ...string) (string, error) {
	return run(ctx, nil, n.cfg.Binaries.Edge, append(args, "--home", n.cfg.clientHome())...)
}

// Edge runs a command of edge with the client's home and returns what it printed.
func (n *Network) Edge(ctx context.Context, args ...string) (string, error) {
	return n.edge(ctx, args...)
}

// online are the flags of edge that name the chain.
func (n *Network) online() []string {
	return []string{"--node", n.RPC(), "--chain-id", n.cfg.ChainID, "--keyring-backend", "test"}
}

// Get fetches an object into a file with edge get and returns what it printed. More flags can follow.
func (n *Network) Get(ctx context.Context, name, file string, flags ...string) (string, error) {
	args := append([]string{"get", name, "-o", file}, n.online()...)
	return n.edge(ctx, append(args, flags...)...)
}

// Signed collects the newest acknowledgement of each lane that a client has signed.
type Signed map[ack.LaneID]ack.Signed

// Collect reads the client's lane states. They hold the current epoch and the one before, so a run that lasts longer
// collects as it goes.
func (s Signed) Collect(clientHome string) error {
	return filepath.WalkDir(filepath.Join(clientHome, "lanes"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var state struct{ Last, Previous string }
		if err := json.Unmarshal(b, &state); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, text := range []string{state.Previous, state.Last} {
			if text == "" {
				continue
			}
			raw, err := hex.DecodeString(text)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			var a ack.Signed
			if err := a.Decode(raw); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if old, ok := s[a.LaneID()]; !ok || a.Supersedes(&old.Ack) {
				s[a.LaneID()] = a
			}
		}
		return nil
	})
}

// Bytes that the acknowledgements add up to.
func (s Signed) Bytes() uint64 {
	var sum uint64
	for _, a := range s {
		sum += a.Bytes
	}
	return sum
}

// Requests that the acknowledgements add up to.
func (s Signed) Requests() uint64 {
	var sum uint64
	for _, a := range s {
		sum += a.Requests
	}
	return sum
}

// Price adds up what the acknowledgements cost, each lane at the prices of its epoch.
func (s Signed) Price(ctx context.Context, c *Chain) (math.Int, error) {
	prices := map[uint64]ack.Prices{}
	sum := new(big.Int)
	for _, a := range s {
		p, ok := prices[a.Epoch]
		if !ok {
			res, err := dacktypes.NewQueryClient(c.At(0)).Prices(ctx, &dacktypes.QueryPricesRequest{Epoch: a.Epoch})
			if err != nil {
				return math.Int{}, fmt.Errorf("prices of epoch %d: %w", a.Epoch, err)
			}
			p = ack.Prices{PerGiB: res.Prices.PerGib.BigInt(), PerGFuel: res.Prices.PerGfuel.BigInt()}
			prices[a.Epoch] = p
		}
		sum.Add(sum, p.Price(a.Bytes, a.Fuel))
	}
	return math.NewIntFromBigInt(sum), nil
}

// ClientHome is the home of the client.
func (n *Network) ClientHome() string { return n.cfg.clientHome() }

// openAccount does what a new client does: a deposit and a key.
func (n *Network) openAccount(ctx context.Context) error {
	deposit := fmt.Sprintf("%d%s", n.cfg.Deposit, SettlementDenom)
	args := append([]string{"account", "open", deposit, "--from", clientKey, "--yes"}, n.online()...)
	if _, err := n.edge(ctx, args...); err != nil {
		return err
	}
	return nil
}

// GetLine is a command that fetches an object, for people to paste.
func (n *Network) GetLine(name string) string {
	return fmt.Sprintf("%s get %s -o /tmp/edge-object --home %s --node %s --chain-id %s --keyring-backend test",
		n.cfg.Binaries.Edge, name, n.cfg.clientHome(), n.RPC(), n.cfg.ChainID)
}

// QueryLine is a command that asks the chain for the summaries of epochs, for people to paste.
func (n *Network) QueryLine() string {
	return fmt.Sprintf("%s query rewards epoch-summaries --home %s", n.cfg.Binaries.Edged, n.cfg.chainHome())
}
