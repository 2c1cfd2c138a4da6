// Package types holds the state, messages, parameters and pure rules of x/dack.
package types

import (
	"encoding/binary"
	"strconv"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
)

const (
	// ModuleName is the name of the module, its store key and its account.
	ModuleName = "dack"
	// StoreKey is the key of the module's store.
	StoreKey = ModuleName
	// ObjectStoreKey is the key of the store of what a block has changed and not yet folded into the state.
	ObjectStoreKey = "object:" + ModuleName
	// StageSum is the name of the module's stage in the closing machine of x/epoch.
	StageSum = "sum"
	// ContentServiceID is the id of the built-in content service.
	ContentServiceID uint64 = 0
)

// Prefixes of the store. Integers in keys are big-endian.
var (
	// ParamsPrefix: 0x00 -> Params
	ParamsPrefix = collections.NewPrefix(0)
	// PricesPrefix: 0x01 | epoch(8) -> Prices that count from that epoch on
	PricesPrefix = collections.NewPrefix(1)
	// ServicesPrefix: 0x02 | service(8) -> Service
	ServicesPrefix = collections.NewPrefix(2)
	// NextAccountIDPrefix: 0x03 -> id of the next account
	NextAccountIDPrefix = collections.NewPrefix(3)
	// NextKeyIDPrefix: 0x04 -> id of the next client key
	NextKeyIDPrefix = collections.NewPrefix(4)
	// AccountsPrefix: 0x05 | account(8) -> Account without what its purse holds: balance and withdrawals
	AccountsPrefix = collections.NewPrefix(5)
	// OwnersPrefix: 0x06 | owner address -> account id
	OwnersPrefix = collections.NewPrefix(6)
	// KeysPrefix: 0x07 | key(8) -> ClientKey without what the purse of its account holds: what it has spent
	KeysPrefix = collections.NewPrefix(7)
	// PublicKeysPrefix: 0x08 | public key(32) -> key id
	PublicKeysPrefix = collections.NewPrefix(8)
	// AccountKeysPrefix: 0x09 | account(8) | key(8) -> nothing
	AccountKeysPrefix = collections.NewPrefix(9)
	// LanesPrefix: 0x0a | epoch(8) | worker(8) | key(8) -> LaneSet
	LanesPrefix = collections.NewPrefix(10)
	// WithdrawalsPrefix: 0x0b | due epoch(8) | account(8) -> nothing
	WithdrawalsPrefix = collections.NewPrefix(11)
	// RevenuePrefix: 0x0c | epoch(8) | worker(8) | service(8) -> WorkerRevenue that is not summed yet
	RevenuePrefix = collections.NewPrefix(12)
	// WorkerTotalsPrefix: 0x0d | epoch(8) | worker(8) -> WorkerRevenue
	WorkerTotalsPrefix = collections.NewPrefix(13)
	// ServiceTotalsPrefix: 0x0e | epoch(8) | service(8) -> ServiceRevenue
	ServiceTotalsPrefix = collections.NewPrefix(14)
	// EpochTotalsPrefix: 0x0f | epoch(8) -> EpochRevenue
	EpochTotalsPrefix = collections.NewPrefix(15)
	// SumCursorsPrefix: 0x10 | epoch(8) -> SumCursor
	SumCursorsPrefix = collections.NewPrefix(16)
	// TotalsPrefix: 0x12 -> Totals
	TotalsPrefix = collections.NewPrefix(18)
	// NextServiceIDPrefix: 0x13 -> id of the next service
	NextServiceIDPrefix = collections.NewPrefix(19)
	// ServiceOwnersPrefix: 0x14 | length(1) | owner address | service(8) -> nothing; the owner in the newest state
	ServiceOwnersPrefix = collections.NewPrefix(20)
	// RemovedServicesPrefix: 0x15 | due epoch(8) | service(8) -> nothing
	RemovedServicesPrefix = collections.NewPrefix(21)
	// OldestKeptPrefix: 0x16 -> first epoch whose released totals have not been pruned
	OldestKeptPrefix = collections.NewPrefix(22)
)

// PurseStores is how many stores the pages of purses are spread over. Each has a state tree of its own, so that the pages that a
// block has changed, most of what it writes, are hashed and saved on several cores. Changing it is a migration.
const PurseStores = 4

// PursePagesPrefix is that of every store of purses: 0x00 | page(8) -> PursePage, where page is account id / PursesPerPage.
var PursePagesPrefix = collections.NewPrefix(0)

// PurseStoreKey is the key of one of the stores of purses.
func PurseStoreKey(store int) string { return "purses" + strconv.Itoa(store) }

// PurseStoreKeys returns the keys of the stores of purses in their order.
func PurseStoreKeys() []string {
	keys := make([]string, PurseStores)
	for i := range keys {
		keys[i] = PurseStoreKey(i)
	}
	return keys
}

// PurseStoreOf is the store of a page, a pure function of its number: neighbours, and so the accounts that came about the same time, stand in
// different ones.
//
// Example: the pages 0, 4 and 8 stand in purses0.
func PurseStoreOf(page uint64) int { return int(page % PurseStores) }

// sumItemKeySize is the length of the key of an item of the sum stage in bytes.
const sumItemKeySize = 16

// SumItemKey is the key under which the sum stage sets a revenue record aside: worker id || service id, big-endian.
func SumItemKey(workerID, serviceID uint64) []byte {
	key := binary.BigEndian.AppendUint64(make([]byte, 0, sumItemKeySize), workerID)
	return binary.BigEndian.AppendUint64(key, serviceID)
}

// ParseSumItemKey returns the worker and service of a key made by SumItemKey, or ErrItemNotFound.
func ParseSumItemKey(key []byte) (workerID, serviceID uint64, err error) {
	if len(key) != sumItemKeySize {
		return 0, 0, errorsmod.Wrapf(ErrItemNotFound, "key of %d bytes, want %d", len(key), sumItemKeySize)
	}
	return binary.BigEndian.Uint64(key), binary.BigEndian.Uint64(key[8:]), nil
}
