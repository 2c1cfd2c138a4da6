package app

import (
	"maps"
	"slices"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	authzkeeper "github.com/cosmos/cosmos-sdk/x/authz/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
	rewardstypes "github.com/edgechain/edge/x/rewards/types"
)

// newStoreKeys returns the keys of the stores that make up the state.
func newStoreKeys() map[string]*storetypes.KVStoreKey {
	return storetypes.NewKVStoreKeys(append(dacktypes.PurseStoreKeys(),
		authtypes.StoreKey, banktypes.StoreKey, stakingtypes.StoreKey, distrtypes.StoreKey, slashingtypes.StoreKey,
		govtypes.StoreKey, consensustypes.StoreKey, upgradetypes.StoreKey, evidencetypes.StoreKey, feegrant.StoreKey,
		authzkeeper.StoreKey,
		nodetypes.StoreKey, epochtypes.StoreKey, dacktypes.StoreKey, rewardstypes.StoreKey,
	)...)
}

// newObjectStoreKeys returns the keys of the stores that live for one block.
func newObjectStoreKeys() map[string]*storetypes.ObjectStoreKey {
	return storetypes.NewObjectStoreKeys(banktypes.ObjectStoreKey, dacktypes.ObjectStoreKey)
}

// allStoreKeys returns the keys in the order of their names.
func allStoreKeys(keys map[string]*storetypes.KVStoreKey, objects map[string]*storetypes.ObjectStoreKey) []storetypes.StoreKey {
	all := make([]storetypes.StoreKey, 0, len(keys)+len(objects))
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		all = append(all, keys[name])
	}
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		all = append(all, objects[name])
	}
	return all
}
