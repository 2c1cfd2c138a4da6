package devnet

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"time"
)

// Denoms and amounts of a local network.
const (
	// StakeDenom pays fees and is staked.
	StakeDenom = "uedge"
	// SettlementDenom is what clients pay in. It pays no fees, so that what moves of it is revenue alone.
	SettlementDenom = "uusd"

	// clientFees is what a client is given to pay fees with.
	clientFees = 100_000_000
	workerFees = 10_000_000_000
)

// Config of a network. The zero value of every field but Dir and Binaries is a sensible default.
type Config struct {
	// Dir holds everything that the network writes. It must not hold a network yet.
	Dir      string
	Binaries Binaries
	ChainID  string
	// EpochDuration is the length of an epoch in block time; 60 s by default.
	EpochDuration time.Duration
	// BlockTime is how long the chain waits after a block; 900 ms by default, which makes blocks of about 1 s.
	BlockTime time.Duration
	// PortOffset is added to every port. Node i has its ports PortStep * i above those of node 0.
	PortOffset int
	// Validators is the number of validators; 1 by default.
	Validators int
	// Stakes of the validators as edged testnet takes them: one for all or one each.
	Stakes []string
	// Seats, StepBlocks and BeaconBlocks are parameters of the elections; 0 leaves those of a development network.
	Seats, StepBlocks, BeaconBlocks uint32
	// Reports has the library send the report of each running validator in each epoch, as an operator's timer would. Without
	// reports validators count as opted out after two epochs.
	Reports bool
	// ChainOnly leaves out the worker and the client.
	ChainOnly bool
	// Deposit is what the client's account is opened with, in units of the settlement coin; 100,000,000 by default.
	Deposit int64
	// WorkerEnv overrides settings of the worker, such as EDGE_WORKER_CREDIT_BASE=1000.
	WorkerEnv map[string]string
	// Genesis edits the genesis document before the chain starts: a path of fields, joined by dots, and its value.
	Genesis map[string]any
	// EditGenesis edits the document after that, for what a path cannot say.
	EditGenesis func(doc map[string]any) error
	// Prepare is called when the homes of the validators are written and none of them has started: the time to change settings
	// or programs.
	Prepare func(n *Network) error
	// Log receives a line for each step; nothing is written if it is nil.
	Log io.Writer
}

func (c Config) withDefaults() Config {
	if c.ChainID == "" {
		c.ChainID = "edge-devnet-1"
	}
	if c.EpochDuration == 0 {
		c.EpochDuration = time.Minute
	}
	if c.BlockTime == 0 {
		c.BlockTime = 900 * time.Millisecond
	}
	if c.Validators == 0 {
		c.Validators = 1
	}
	if c.Deposit == 0 {
		c.Deposit = 100_000_000
	}
	if c.Log == nil {
		c.Log = io.Discard
	}
	return c
}

// chainDir has the homes of the validators.
func (c Config) chainDir() string { return filepath.Join(c.Dir, "edged") }

func (c Config) nodeHome(i int) string { return filepath.Join(c.chainDir(), fmt.Sprintf("node%d", i)) }

func (c Config) workerHome() string { return filepath.Join(c.Dir, "edge-worker") }

func (c Config) logf(format string, args ...any) {
	fmt.Fprintf(c.Log, format+"\n", args...)
}

// environment returns the settings as NAME=value, in order.
func environment(settings map[string]string) []string {
	env := make([]string, 0, len(settings))
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		env = append(env, name+"="+settings[name])
	}
	return env
}
