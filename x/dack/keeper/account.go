package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	"github.com/edgechain/edge/x/dack/types"
)

// Account returns a client account, or ErrAccountNotFound.
func (k *Keeper) Account(ctx context.Context, id uint64) (types.Account, error) {
	account, err := k.accounts.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Account{}, errorsmod.Wrapf(types.ErrAccountNotFound, "account %d", id)
	}
	return account, err
}

// AccountByOwner returns the client account of an owner address, or ErrAccountNotFound.
func (k *Keeper) AccountByOwner(ctx context.Context, owner []byte) (types.Account, error) {
	id, err := k.owners.Get(ctx, owner)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Account{}, errorsmod.Wrap(types.ErrAccountNotFound, "the owner has none")
	}
	if err != nil {
		return types.Account{}, err
	}
	return k.Account(ctx, id)
}

// ClientKey returns a client key, or ErrKeyNotFound.
func (k *Keeper) ClientKey(ctx context.Context, id uint64) (types.ClientKey, error) {
	key, err := k.keys.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.ClientKey{}, errorsmod.Wrapf(types.ErrKeyNotFound, "key %d", id)
	}
	return key, err
}

// removeDeadKeys removes the keys of an account whose last acknowledgements have died, and returns how many they were.
// An account has at most MaxKeysPerAccount keys.
func (k *Keeper) removeDeadKeys(ctx context.Context, account, oldestLive uint64) (uint32, error) {
	iter, err := k.accountKeys.Iterate(ctx, collections.NewPrefixedPairRange[uint64, uint64](account))
	if err != nil {
		return 0, err
	}
	ids, err := iter.Keys()
	if err != nil {
		return 0, err
	}
	removed := uint32(0)
	for _, id := range ids {
		key, err := k.ClientKey(ctx, id.K2())
		if err != nil {
			return 0, err
		}
		if key.LastEpoch >= oldestLive {
			continue
		}
		if err := errors.Join(
			k.keys.Remove(ctx, key.Id),
			k.publicKeys.Remove(ctx, key.PublicKey),
			k.accountKeys.Remove(ctx, id),
		); err != nil {
			return 0, err
		}
		removed++
	}
	return removed, nil
}
