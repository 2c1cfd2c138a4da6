package cmd

import (
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"

	serverconfig "github.com/cosmos/cosmos-sdk/server/config"

	"github.com/edgechain/edge/app"
	"github.com/edgechain/edge/app/statedb"
)

const (
	// minGasPrice is what a validator asks for a unit of gas unless its operator decides otherwise.
	minGasPrice = "0.0025" + app.BondDenom
	// queryGasLimit bounds a query; without it one request can walk the whole state.
	queryGasLimit = 50_000_000
	// stateDatabase holds the state. CometBFT keeps its blocks in goleveldb: it knows pebbledb only under a build tag.
	stateDatabase = "pebbledb"

	// timeoutCommit leaves about a tenth of a second of each second to make and execute a block.
	timeoutCommit = 900 * time.Millisecond
	// timeoutPropose is how long a round waits for its proposal.
	timeoutPropose = 2 * time.Second

	// mempoolTxs and mempoolBytes bound what waits for a block: about a minute of full blocks.
	mempoolTxs   = 10_000
	mempoolBytes = 128 << 20
	// maxTxBytes bounds a transaction: the largest settlement is 256 KiB.
	maxTxBytes = 512 << 10
)

// defaultCometConfig returns what the first run writes into config.toml.
func defaultCometConfig() *cmtcfg.Config {
	cfg := cmtcfg.DefaultConfig()
	cfg.Consensus.TimeoutCommit = timeoutCommit
	cfg.Consensus.TimeoutPropose = timeoutPropose
	cfg.Mempool.Size = mempoolTxs
	cfg.Mempool.MaxTxsBytes = mempoolBytes
	cfg.Mempool.MaxTxBytes = maxTxBytes
	cfg.Mempool.CacheSize = 2 * mempoolTxs
	cfg.RPC.CORSAllowedOrigins = nil
	cfg.RPC.PprofListenAddress = "localhost:6060"
	return cfg
}

// appConfig is what app.toml holds: the SDK's settings and ours.
type appConfig struct {
	serverconfig.Config `mapstructure:",squash"`

	State stateConfig `mapstructure:"state"`
}

type stateConfig struct {
	RecordCacheBytes int `mapstructure:"record-cache-bytes"`
}

const stateTemplate = `
###############################################################################
###                                 State                                   ###
###############################################################################

[state]

# Memory for the records of x/dack that were used last, in bytes. Settlements in a state of a million clients are half as fast
# without them. 0 keeps none. Results do not depend on it.
record-cache-bytes = {{ .State.RecordCacheBytes }}
`

// defaultAppConfig returns what the first run writes into app.toml.
func defaultAppConfig() (template string, cfg *appConfig) {
	c := &appConfig{Config: *serverconfig.DefaultConfig(), State: stateConfig{RecordCacheBytes: statedb.RecordBytes}}
	c.IAVLCacheSize = statedb.TreeNodes
	// Records have a cache that simulations cannot spoil, and the tree's own index of records is written for nothing then.
	c.InterBlockCache = false
	c.IAVLDisableFastNode = true
	c.MinGasPrices = minGasPrice
	c.QueryGasLimit = queryGasLimit
	c.AppDBBackend = stateDatabase
	c.API.Enable = true
	c.API.EnableUnsafeCORS = false
	c.GRPC.Enable = true
	c.GRPCWeb.Enable = false
	return serverconfig.DefaultConfigTemplate + stateTemplate, c
}
