package app

import (
	"os"
	"runtime/debug"
)

const (
	// heapPercent is how much garbage the collector lets come before it collects, in hundredths of what lives.
	heapPercent = 400
	// heapBytes is how large the heap of a node gets before the collector works more often, whatever lives. The caches of the state
	// (statedb.NodeBytes, and that of the database) are beside it.
	heapBytes = 3 << 30
)

// LimitHeap sets how a node's memory is collected. A block of settlements leaves 100 MiB of garbage. With Go's default the heap of a
// node that begins to work grows for an hour, and each first touch of memory costs time in the middle of a block; collected as rarely
// as the limit allows it reaches its size within seconds and keeps it. What GOGC and GOMEMLIMIT say comes first.
func LimitHeap() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapBytes)
	}
}
