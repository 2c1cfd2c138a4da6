// Package types holds the state, messages and pure rules of x/epoch.
package types

import "cosmossdk.io/collections"

const (
	// ModuleName names the module.
	ModuleName = "epoch"
	// StoreKey names the module's store.
	StoreKey = ModuleName
)

// State layout. Integers in keys are big-endian.
var (
	// ParamsKey: 0x00 -> Params
	ParamsKey = collections.NewPrefix(0)
	// DevelopmentKey: 0x01 -> bool, written by genesis alone
	DevelopmentKey = collections.NewPrefix(1)
	// CurrentKey: 0x02 -> number of the open epoch
	CurrentKey = collections.NewPrefix(2)
	// EpochsPrefix: 0x03 | number(8) -> Epoch
	EpochsPrefix = collections.NewPrefix(3)
	// ClosingKey: 0x04 -> ClosingState
	ClosingKey = collections.NewPrefix(4)
	// SetAsidePrefix: 0x05 | epoch(8) | stage 0x00 | item key -> SetAsideItem
	SetAsidePrefix = collections.NewPrefix(5)
)
