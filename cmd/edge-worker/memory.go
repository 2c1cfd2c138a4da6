package main

import (
	"fmt"
	"math"
	"math/bits"
	"os"
	"runtime/debug"

	"github.com/edgechain/edge/worker/config"
	"github.com/edgechain/edge/worker/gateway"
	"github.com/edgechain/edge/worker/store"
)

// What one of each takes of memory that is in use, in bytes. TestMemory of worker/gateway measures connections and requests;
// what it sees also has the garbage that the runtime leaves while there is room.
const (
	connectionMemory = 16 << 10
	tlsMemory        = 8 << 10
	http3Memory      = 64 << 10
	requestMemory    = 16 << 10
	laneMemory       = 1 << 10
	exposureMemory   = 256
	sessionMemory    = 1 << 10
	accountMemory    = 1 << 10
	chainMemory      = 384
	challengeMemory  = 128
	receiptMemory    = 64
	addressMemory    = 200
	// A fetch has a part of its object, the reader's buffers and a connection; a name that no origin has and a file of a folder
	// stand in a map.
	fetchMemory   = 1<<20 + 256<<10
	missingMemory = 256
	fileMemory    = 512
	baseMemory    = 48 << 20
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
	add(c.Store.MaxObjects, store.ObjectMemory)
	add(1, gateway.FolderMemory)
	if c.Store.UploadBytes > 0 {
		add(1, gateway.UploadMemory)
	}
	o := &c.Origin
	if len(o.Workers)+len(o.HTTP)+len(o.Folders) > 0 {
		add(o.MaxFetches, fetchMemory)
		add(o.MaxMissing, missingMemory)
	}
	if len(o.Folders) > 0 {
		add(o.MaxFiles, fileMemory)
	}
	add(g.MaxConnections, connectionMemory)
	if g.TLSCertFile != "" || len(g.ACMEDomains) > 0 {
		add(g.MaxConnections, tlsMemory)
		if g.HTTP3 {
			add(g.MaxHTTP3Connections, http3Memory)
		}
	}
	// A step of the answer is in memory, unless the kernel reads it from the file.
	add(g.MaxRequests, requestMemory+uint64(max(g.StepBytes, 0)))
	add(c.Pool.MaxLanes, laneMemory)
	add(c.Pool.MaxExposures, exposureMemory)
	add(g.MaxSessions, sessionMemory)
	add(g.MaxChallenges, challengeMemory)
	add(c.Credit.MaxAccounts, accountMemory)
	add(c.Credit.MaxReceiptsTotal, receiptMemory)
	add(c.Chain.CacheSize, 2*chainMemory)
	// Each is remembered for its free quota, for what is done aside of it, and for its rate of connections.
	add(g.FreeQuotaAddresses, 3*addressMemory)
	return sum
}

// checkMemory says whether what the configuration allows fits into the memory that it allows.
func checkMemory(c *config.Config) error {
	if need := memoryOf(c); need > c.Worker.MemoryLimit {
		return fmt.Errorf("memory_limit is %d MiB, but the bounds allow %d MiB: raise it, or lower store.hot_bytes, store.max_objects, gateway.max_connections, gateway.max_requests, gateway.step_bytes, pool.max_lanes, credit.max_accounts or credit.max_receipts_total",
			c.Worker.MemoryLimit>>20, need>>20)
	}
	return nil
}

// garbagePercent is how much garbage may come before it is collected, in hundredths of what lives: most of that is small beside the
// limit, and by Go's default of 100 a busy worker would collect several times a second.
const garbagePercent = 300

// limitMemory makes the runtime collect garbage as often as the limit needs. A tenth is left for what it does not count:
// files of the kernel, stacks of threads, the database. GOMEMLIMIT and GOGC go before it.
func limitMemory(c *config.Config) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(min(c.Worker.MemoryLimit/10*9, math.MaxInt64)))
	}
}
