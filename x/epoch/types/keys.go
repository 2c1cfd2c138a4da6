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
	// BeaconKeysPrefix: 0x06 | operator -> BeaconKey
	BeaconKeysPrefix = collections.NewPrefix(6)
	// ElectionsPrefix: 0x07 | epoch(8) -> Election
	ElectionsPrefix = collections.NewPrefix(7)
	// FrozenPrefix: 0x08 | epoch(8) | operator -> FrozenValidator
	FrozenPrefix = collections.NewPrefix(8)
	// LeavingsPrefix: 0x09 | epoch(8) | operator -> Leaving
	LeavingsPrefix = collections.NewPrefix(9)
	// BeaconStateKey: 0x0A -> Beacon, present while the open epoch is frozen
	BeaconStateKey = collections.NewPrefix(10)
	// HandOverKey: 0x0B -> HandOver
	HandOverKey = collections.NewPrefix(11)
	// ValidatorSetsPrefix: 0x0C | first height in force(8) -> ValidatorSet
	ValidatorSetsPrefix = collections.NewPrefix(12)
	// HeaderHashesPrefix: 0x0D | height(8) -> hash(32)
	HeaderHashesPrefix = collections.NewPrefix(13)
	// ChangedKey: 0x0E -> true, present if someone left since the last EndBlock
	ChangedKey = collections.NewPrefix(14)
	// RotationKey: 0x0F -> Rotation
	RotationKey = collections.NewPrefix(15)
)
