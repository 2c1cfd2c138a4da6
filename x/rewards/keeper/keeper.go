// Package keeper implements x/rewards: who gets the money of a closed epoch.
package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	corestore "cosmossdk.io/core/store"
	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	epochtypes "github.com/edgechain/edge/x/epoch/types"
	"github.com/edgechain/edge/x/rewards/types"
)

// payoutKey is (epoch, kind, id).
type payoutKey = collections.Triple[uint64, uint16, uint64]

// boostKey is (epoch, operator).
type boostKey = collections.Pair[uint64, []byte]

// lockEndKey is (end epoch, operator).
type lockEndKey = collections.Pair[uint64, []byte]

// Keeper owns the money of closed epochs until it is paid.
type Keeper struct {
	cdc            codec.BinaryCodec
	addressCodec   address.Codec
	validatorCodec address.Codec

	authority string
	account   sdk.AccAddress

	schema      collections.Schema
	params      collections.Item[types.Params]
	shares      collections.Map[uint64, types.Shares]
	summaries   collections.Map[uint64, types.EpochSummary]
	payouts     collections.Map[payoutKey, types.Payout]
	setAside    collections.KeySet[payoutKey]
	cursors     collections.Map[uint64, types.PayCursor]
	pruneCursor collections.Item[types.PruneCursor]

	terms        collections.Map[uint64, types.EmissionTerms]
	tokenPrices  collections.Map[uint64, types.TokenPrice]
	year         collections.Item[types.EmissionYear]
	locks        collections.Map[[]byte, types.StakeLock]
	lockEnds     collections.KeySet[lockEndKey]
	boosts       collections.Map[boostKey, types.Boost]
	boostedEpoch collections.Item[uint64]
	supply       collections.Item[types.Supply]
	held         collections.Item[types.Held]

	bankKeeper         types.BankKeeper
	distributionKeeper types.DistributionKeeper
	stakingKeeper      types.StakingKeeper
	slashingKeeper     types.SlashingKeeper
	dackKeeper         types.DackKeeper
	epochKeeper        types.EpochKeeper
}

// The keeper is the "pay" stage of the closing machine.
var _ epochtypes.Closer = (*Keeper)(nil)

// NewKeeper builds the keeper. It panics on wiring faults only.
func NewKeeper(
	cdc codec.BinaryCodec, svc corestore.KVStoreService, authority string, ac, vc address.Codec,
	bk types.BankKeeper, dk types.DistributionKeeper, sk types.StakingKeeper, slk types.SlashingKeeper,
	dackKeeper types.DackKeeper, ek types.EpochKeeper,
) *Keeper {
	sb := collections.NewSchemaBuilder(svc)
	payoutCodec := collections.TripleKeyCodec(collections.Uint64Key, collections.Uint16Key, collections.Uint64Key)
	k := &Keeper{
		cdc:            cdc,
		addressCodec:   ac,
		validatorCodec: vc,

		authority: authority,
		account:   authtypes.NewModuleAddress(types.ModuleName),

		params:      collections.NewItem(sb, types.ParamsKey, "params", codec.CollValue[types.Params](cdc)),
		shares:      collections.NewMap(sb, types.SharesPrefix, "shares", collections.Uint64Key, codec.CollValue[types.Shares](cdc)),
		summaries:   collections.NewMap(sb, types.SummariesPrefix, "summaries", collections.Uint64Key, codec.CollValue[types.EpochSummary](cdc)),
		payouts:     collections.NewMap(sb, types.PayoutsPrefix, "payouts", payoutCodec, codec.CollValue[types.Payout](cdc)),
		setAside:    collections.NewKeySet(sb, types.SetAsidePrefix, "set_aside", payoutCodec),
		cursors:     collections.NewMap(sb, types.CursorsPrefix, "cursors", collections.Uint64Key, codec.CollValue[types.PayCursor](cdc)),
		pruneCursor: collections.NewItem(sb, types.PruneCursorKey, "prune_cursor", codec.CollValue[types.PruneCursor](cdc)),

		terms:        collections.NewMap(sb, types.TermsPrefix, "terms", collections.Uint64Key, codec.CollValue[types.EmissionTerms](cdc)),
		tokenPrices:  collections.NewMap(sb, types.TokenPricesPrefix, "token_prices", collections.Uint64Key, codec.CollValue[types.TokenPrice](cdc)),
		year:         collections.NewItem(sb, types.YearKey, "year", codec.CollValue[types.EmissionYear](cdc)),
		locks:        collections.NewMap(sb, types.LocksPrefix, "locks", collections.BytesKey, codec.CollValue[types.StakeLock](cdc)),
		lockEnds:     collections.NewKeySet(sb, types.LockEndsPrefix, "lock_ends", collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey)),
		boosts:       collections.NewMap(sb, types.BoostsPrefix, "boosts", collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey), codec.CollValue[types.Boost](cdc)),
		boostedEpoch: collections.NewItem(sb, types.BoostedEpochKey, "boosted_epoch", collections.Uint64Value),
		supply:       collections.NewItem(sb, types.SupplyKey, "supply", codec.CollValue[types.Supply](cdc)),
		held:         collections.NewItem(sb, types.HeldKey, "held", codec.CollValue[types.Held](cdc)),

		bankKeeper:         bk,
		distributionKeeper: dk,
		stakingKeeper:      sk,
		slashingKeeper:     slk,
		dackKeeper:         dackKeeper,
		epochKeeper:        ek,
	}
	schema, err := sb.Build()
	if err != nil {
		panic(fmt.Sprintf("x/rewards: %s", err))
	}
	k.schema = schema
	return k
}

// Authority is the address that may change the parameters.
func (k *Keeper) Authority() string { return k.authority }

// Schema describes the store, for simulations and state tools.
func (k *Keeper) Schema() collections.Schema { return k.schema }

// Params returns the parameters.
func (k *Keeper) Params(ctx context.Context) (types.Params, error) { return k.params.Get(ctx) }

// Summary returns the books of an epoch, or ErrSummaryNotFound before its payment has begun.
func (k *Keeper) Summary(ctx context.Context, epoch uint64) (types.EpochSummary, error) {
	s, err := k.summaries.Get(ctx, epoch)
	if errors.Is(err, collections.ErrNotFound) {
		return types.EpochSummary{}, errorsmod.Wrapf(types.ErrSummaryNotFound, "epoch %d", epoch)
	}
	return s, err
}

func (k *Keeper) logger(ctx sdk.Context) log.Logger {
	return ctx.Logger().With("module", "x/"+types.ModuleName)
}

func keyOf(epoch uint64, kind types.PayoutKind, id uint64) payoutKey {
	return collections.Join3(epoch, uint16(kind), id)
}
