// Package types holds the state, messages and pure rules of x/rewards.
package types

import (
	"encoding/binary"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	nodetypes "github.com/edgechain/edge/x/node/types"
)

const (
	// ModuleName names the module and its account.
	ModuleName = "rewards"
	// StoreKey names the module's store.
	StoreKey = ModuleName
	// EmissionDenom is the coin that is minted: the one that is staked and pays fees.
	EmissionDenom = nodetypes.StakingDenom
)

// State layout. Integers in keys are big-endian.
var (
	// ParamsKey: 0x00 -> Params
	ParamsKey = collections.NewPrefix(0)
	// SharesPrefix: 0x01 | first epoch(8) -> Shares
	SharesPrefix = collections.NewPrefix(1)
	// SummariesPrefix: 0x02 | epoch(8) -> EpochSummary
	SummariesPrefix = collections.NewPrefix(2)
	// PayoutsPrefix: 0x03 | epoch(8) | kind(2) | id(8) -> Payout
	PayoutsPrefix = collections.NewPrefix(3)
	// SetAsidePrefix: 0x04 | epoch(8) | kind(2) | id(8), an index of the payouts that are set aside
	SetAsidePrefix = collections.NewPrefix(4)
	// CursorsPrefix: 0x05 | epoch(8) -> PayCursor, of the epochs that are being paid
	CursorsPrefix = collections.NewPrefix(5)
	// PruneCursorKey: 0x06 -> PruneCursor, the first payout that pruning has not visited
	PruneCursorKey = collections.NewPrefix(6)
	// TermsPrefix: 0x07 | first epoch(8) -> EmissionTerms
	TermsPrefix = collections.NewPrefix(7)
	// TokenPricesPrefix: 0x08 | first epoch(8) -> TokenPrice
	TokenPricesPrefix = collections.NewPrefix(8)
	// YearKey: 0x09 -> EmissionYear, the one that is being minted
	YearKey = collections.NewPrefix(9)
	// LocksPrefix: 0x0A | operator -> StakeLock
	LocksPrefix = collections.NewPrefix(10)
	// BoostsPrefix: 0x0B | epoch(8) | operator -> Boost, of the nodes whose boost is above 1
	BoostsPrefix = collections.NewPrefix(11)
	// BoostedEpochKey: 0x0C -> the epoch whose boosts were computed last
	BoostedEpochKey = collections.NewPrefix(12)
	// SupplyKey: 0x0D -> Supply, the history of the supply of the token
	SupplyKey = collections.NewPrefix(13)
	// HeldKey: 0x0E -> Held, what the books say is in the module's account
	HeldKey = collections.NewPrefix(14)
	// LockEndsPrefix: 0x0F | end epoch(8) | operator, an index of the locks by the epoch in which they end
	LockEndsPrefix = collections.NewPrefix(15)
)

// itemKeySize is kind(1) | id(8).
const itemKeySize = 9

// ItemKey is the key under which x/epoch lists a payout that is set aside: kind(1) | id(8), big-endian.
func ItemKey(kind PayoutKind, id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(kind)}, id)
}

// ParseItemKey is the reverse of ItemKey. It returns ErrPayoutNotFound for anything that ItemKey does not produce.
func ParseItemKey(key []byte) (PayoutKind, uint64, error) {
	if len(key) != itemKeySize {
		return 0, 0, errorsmod.Wrapf(ErrPayoutNotFound, "item key of %d bytes, want %d", len(key), itemKeySize)
	}
	kind := PayoutKind(key[0])
	if !kind.Valid() {
		return 0, 0, errorsmod.Wrapf(ErrPayoutNotFound, "payout kind %d", key[0])
	}
	return kind, binary.BigEndian.Uint64(key[1:]), nil
}
