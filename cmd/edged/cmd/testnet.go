package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/app"
)

const (
	// maxTestnetValidators is what x/staking bonds by default; more would not be validators.
	maxTestnetValidators = 100
	// testnetPortStep is the distance between the ports of two nodes on one machine.
	testnetPortStep = 10
	// testnetStake is the stake of a validator unless it is chosen, in uedge.
	testnetStake = 100_000_000_000
	// testnetOperatorFunds is what an operator has beside its stake, in uedge.
	testnetOperatorFunds = 900_000_000_000
	// testnetFaucetFunds is what the faucet has of each coin.
	testnetFaucetFunds = 1_000_000_000_000_000
	// testnetMaxStake bounds a stake, in uedge, so that all of them stay far below what 63 bits hold.
	testnetMaxStake = 10_000_000_000_000_000
)

// testnetOptions are what the flags of the command say.
type testnetOptions struct {
	genesis    genesisOptions
	validators int
	dir        string
	chainID    string
	stakes     []string
	blockTime  time.Duration
	portOffset int
	hosts      []string
	backend    string
}

// nodePorts are the TCP ports of a node.
type nodePorts struct {
	rpc, p2p, grpc, rest, pprof int
}

func newNodePorts(offset int) nodePorts {
	return nodePorts{rpc: 26657 + offset, p2p: 26656 + offset, grpc: 9090 + offset, rest: 1317 + offset, pprof: 6060 + offset}
}

func (p nodePorts) all() []int { return []int{p.rpc, p.p2p, p.grpc, p.rest, p.pprof} }

// testnetCommand writes the homes of a network of validators.
func testnetCommand(blank *app.App) *cobra.Command {
	var o testnetOptions
	cmd := &cobra.Command{
		Use:   "testnet",
		Short: "Write a network of validators that can be started as it is",
		Long: "Write a home for each validator, node0, node1 and so on: keys, settings and one genesis in which all of them are bonded, " +
			"have registered their beacon keys and take part in elections. Without --hosts all of them run on this machine, on ports that are " +
			fmt.Sprintf("%d apart. The keyring of each home has the key \"operator\", that of node0 also \"faucet\", which has both coins.", testnetPortStep),
		Example: "edged testnet --validators 4 --output-dir ./testnet --chain-id edge-test-1 --development --epoch-duration 1m --seats 16\n" +
			"edged testnet --validators 3 --output-dir ./testnet --chain-id edge-test-1 --hosts 192.0.2.1,192.0.2.2,node3.example --stakes 100000,200000,400000",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			n, err := newTestnet(blank, o)
			if err != nil {
				return errUsage{err}
			}
			n.input = bufio.NewReader(cmd.InOrStdin())
			if err := n.write(cmd.Context()); err != nil {
				return err
			}
			cmd.Print(n.nextSteps())
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.validators, "validators", 4, fmt.Sprintf("number of validators, 1 to %d", maxTestnetValidators))
	f.StringVarP(&o.dir, "output-dir", "o", "testnet", "folder for the homes; it must not have any yet")
	f.StringVar(&o.chainID, flags.FlagChainID, "", "id of the chain (required)")
	f.StringSliceVar(&o.stakes, "stakes", nil, "stake of all validators, or of each one: EDGE, or an amount such as 5000000uedge (default 100000)")
	f.DurationVar(&o.blockTime, "block-time", timeoutCommit, "wait after each block")
	f.IntVar(&o.portOffset, "port-offset", 0, "added to every port")
	f.StringSliceVar(&o.hosts, "hosts", nil, "one host or IP for each validator, which run on machines of their own")
	f.StringVar(&o.backend, flags.FlagKeyringBackend, keyring.BackendTest, "keyring of the homes (test|file)")
	o.genesis.addFlags(f)
	return cmd
}

// testnet is a network to be written.
type testnet struct {
	testnetOptions

	blank  *app.App
	input  *bufio.Reader
	amount []math.Int
	nodes  []*testnetNode
}

// newTestnet checks the options. Everything that can be wrong with them is said here, before anything is written.
func newTestnet(blank *app.App, o testnetOptions) (*testnet, error) {
	switch {
	case o.validators < 1 || o.validators > maxTestnetValidators:
		return nil, fmt.Errorf("--validators %d, want 1 to %d", o.validators, maxTestnetValidators)
	case o.chainID == "" || len(o.chainID) > 50 || strings.ContainsFunc(o.chainID, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, fmt.Errorf("--%s %q, want 1 to 50 printable characters", flags.FlagChainID, o.chainID)
	case o.dir == "":
		return nil, errors.New("--output-dir is empty")
	case o.blockTime < time.Millisecond || o.blockTime > time.Hour:
		return nil, fmt.Errorf("--block-time %s, want 1ms to 1h", o.blockTime)
	case o.backend != keyring.BackendTest && o.backend != keyring.BackendFile:
		return nil, fmt.Errorf("--%s %q, want test or file: the homes must not share a keyring", flags.FlagKeyringBackend, o.backend)
	case len(o.hosts) != 0 && len(o.hosts) != o.validators:
		return nil, fmt.Errorf("--hosts names %d machines for %d validators", len(o.hosts), o.validators)
	case len(o.stakes) > 1 && len(o.stakes) != o.validators:
		return nil, fmt.Errorf("--stakes has %d amounts for %d validators: want one, or one for each", len(o.stakes), o.validators)
	}
	n := &testnet{testnetOptions: o, blank: blank}
	for i := range o.validators {
		amount := math.NewInt(testnetStake)
		if len(o.stakes) > 0 {
			var err error
			if amount, err = parseStake(o.stakes[i%len(o.stakes)]); err != nil {
				return nil, err
			}
		}
		n.amount = append(n.amount, amount)
	}
	seen := make(map[string]bool, len(o.hosts))
	for _, h := range o.hosts {
		if h == "" || strings.ContainsAny(h, " /@[]") || seen[h] || (strings.Contains(h, ":") && net.ParseIP(h) == nil) {
			return nil, fmt.Errorf("--hosts %q: want a name or an IP address without a port, each once", h)
		}
		seen[h] = true
	}
	for i := range o.validators {
		node := &testnetNode{index: i, home: filepath.Join(o.dir, fmt.Sprintf("node%d", i)), ports: newNodePorts(o.portOffset)}
		if len(o.hosts) == 0 {
			node.ports = newNodePorts(o.portOffset + i*testnetPortStep)
		}
		for _, port := range node.ports.all() {
			if port < 1 || port > 65535 {
				return nil, fmt.Errorf("--port-offset %d gives node%d the port %d, which does not exist", o.portOffset, i, port)
			}
		}
		if _, err := os.Lstat(node.home); err == nil {
			return nil, fmt.Errorf("%s exists already: choose another folder or remove it", node.home)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		n.nodes = append(n.nodes, node)
	}
	return n, nil
}

// parseStake reads an amount: digits alone are EDGE, everything else names uedge.
func parseStake(text string) (math.Int, error) {
	coin := sdk.Coin{Denom: app.BondDenom}
	if whole, ok := math.NewIntFromString(text); ok {
		coin.Amount = whole.Mul(math.NewInt(1_000_000))
	} else if c, err := sdk.ParseCoinNormalized(text); err == nil {
		coin = c
	} else {
		return math.Int{}, fmt.Errorf("--stakes %q: want a number of EDGE or an amount such as 5000000uedge", text)
	}
	if coin.Denom != app.BondDenom || !coin.Amount.IsPositive() || coin.Amount.GT(math.NewInt(testnetMaxStake)) {
		return math.Int{}, fmt.Errorf("--stakes %q: want more than nothing and at most %d %s", text, int64(testnetMaxStake), app.BondDenom)
	}
	return coin.Amount, nil
}

// local reports whether all nodes run on this machine.
func (n *testnet) local() bool { return len(n.hosts) == 0 }

// peerHost is the address under which the others reach a node.
func (n *testnet) peerHost(i int) string {
	if n.local() {
		return "127.0.0.1"
	}
	return n.hosts[i]
}

// nextSteps says what to do with what was written.
func (n *testnet) nextSteps() string {
	var b strings.Builder
	fmt.Fprintf(&b, "chain %s: %d validators in %s\n\n", n.chainID, len(n.nodes), n.dir)
	if n.local() {
		fmt.Fprintln(&b, "start each in a terminal of its own:")
	} else {
		fmt.Fprintln(&b, "copy each home to its machine, and start it there:")
	}
	for i, node := range n.nodes {
		if n.local() {
			fmt.Fprintf(&b, "  edged start --home %s\n", node.home)
		} else {
			fmt.Fprintf(&b, "  %s: edged start --home %s    # its peers need port %d\n", n.hosts[i], filepath.Base(node.home), node.ports.p2p)
		}
	}
	first := n.nodes[0]
	fmt.Fprintf(&b, "\nRPC of node0 http://%s, REST http://%s, gRPC %s\n",
		loopback(first.ports.rpc), loopback(first.ports.rest), loopback(first.ports.grpc))
	fmt.Fprintf(&b, "keys (keyring %s): operator in each home, faucet in node0\n\n", n.backend)
	fmt.Fprintf(&b, "who sits in the committee:\n  edged query epoch committee --home %s\n", first.home)
	fmt.Fprintln(&b, "a node that sends no report in two epochs counts as opted out: run a worker beside each, or send `edged tx node report`")
	return b.String()
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
