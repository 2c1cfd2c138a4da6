package main

import (
	"fmt"
	"math"
	"math/bits"
	"os"
	"runtime/debug"

	"github.com/edgechain/edge/worker/config"
)

// What one of each takes of memory, in bytes, with the garbage that is not collected yet. TestMemory of worker/gateway
// measures connections and requests.
const (
	connectionMemory = 20 << 10
	requestMemory    = 48 << 10
	laneMemory       = 1 << 10
	sessionMemory    = 1 << 10
	accountMemory    = 1 << 10
	chainMemory      = 512
	challengeMemory  = 128
	addressMemory    = 512
	baseMemory       = 64 << 20
)

// memoryOf estimates what the parts take at their bounds, in bytes.
func memoryOf(c *config.Config) uint64 {
	g := &c.Gateway
	sum := uint64(baseMemory)
	add := func(n int, each uint64) {
		over, product := bits.Mul64(uint64(max(n, 0)), each)
		total, carry := bits.Add64(sum, product, 0)
		if sum = total; over != 0 || carry != 0 {
			sum = math.MaxUint64
		}
	}
	add(1, c.Store.HotBytes)
	add(g.MaxConnections, connectionMemory)
	// Some requests hold a step of their answer; those that the kernel reads from files hold none.
	add(g.MaxRequests, requestMemory+uint64(max(g.StepBytes, 0))/2)
	add(c.Pool.MaxLanes, laneMemory)
	add(c.Pool.MaxExposures, chainMemory)
	add(g.MaxSessions, sessionMemory)
	add(g.MaxChallenges, challengeMemory)
	add(c.Credit.MaxAccounts, accountMemory)
	add(2*c.Chain.CacheSize, chainMemory)
	add(2*g.FreeQuotaAddresses, addressMemory/2)
	return sum
}

// checkMemory says whether what the configuration allows fits into the memory that it allows.
func checkMemory(c *config.Config) error {
	if need := memoryOf(c); need > c.Worker.MemoryLimit {
		return fmt.Errorf("memory_limit is %d MiB, but the bounds allow %d MiB: raise it, or lower store.hot_bytes, gateway.max_connections, gateway.max_requests, gateway.step_bytes, pool.max_lanes or credit.max_accounts",
			c.Worker.MemoryLimit>>20, need>>20)
	}
	return nil
}

// limitMemory makes the runtime collect garbage as often as the limit needs. A tenth is left for what it does not count:
// files of the kernel, stacks of threads, the database. GOMEMLIMIT goes before it.
func limitMemory(c *config.Config) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(min(c.Worker.MemoryLimit/10*9, math.MaxInt64)))
	}
}
