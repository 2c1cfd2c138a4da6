// Package types holds the state, messages, rules and interfaces of x/node.
package types

import "cosmossdk.io/collections"

const (
	// ModuleName is the name of the module and of its account, which holds the deposits of workers.
	ModuleName = "node"
	// StoreKey is the key of the module's store.
	StoreKey = ModuleName
)

// Layout of the store.
var (
	// ParamsKey: 0x00 -> Params
	ParamsKey = collections.NewPrefix(0)
	// NextWorkerIDKey: 0x01 -> id of the next worker (8)
	NextWorkerIDKey = collections.NewPrefix(1)
	// EpochKey: 0x02 -> current epoch (8)
	EpochKey = collections.NewPrefix(2)
	// WorkersKey: 0x03 | id(8) -> Worker
	WorkersKey = collections.NewPrefix(3)
	// WorkersByOperatorKey: 0x04 | operator | id(8) -> nothing
	WorkersByOperatorKey = collections.NewPrefix(4)
	// WorkersByPeerKeyKey: 0x05 | peer key -> id(8)
	WorkersByPeerKeyKey = collections.NewPrefix(5)
	// RetirementsKey: 0x06 | due epoch(8) | id(8) -> nothing
	RetirementsKey = collections.NewPrefix(6)
	// NodesKey: 0x07 | operator -> Node
	NodesKey = collections.NewPrefix(7)
	// EpochHeightKey: 0x08 -> first height of the current epoch (8)
	EpochHeightKey = collections.NewPrefix(8)
)
