package keeper

import (
	"context"
	"errors"

	abci "github.com/cometbft/cometbft/abci/types"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/types"
)

// prunedHashes bounds how many old hashes a block removes. It is more than the one that a block adds, so that the ring shrinks
// to a lowered parameter.
const prunedHashes = 2

// HeaderHash returns the hash of the header of one of the last ready_blocks blocks, this one included, or ErrNoHeaderHash.
func (k *Keeper) HeaderHash(ctx context.Context, height int64) ([]byte, error) {
	params, err := k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	// What a lowered parameter has not drained yet does not count.
	if height <= sdk.UnwrapSDKContext(ctx).BlockHeight()-int64(params.ReadyBlocks) {
		return nil, errorsmod.Wrapf(types.ErrNoHeaderHash, "height %d: only the last %d are kept", height, params.ReadyBlocks)
	}
	hash, err := k.headerHashes.Get(ctx, height)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, errorsmod.Wrapf(types.ErrNoHeaderHash, "height %d", height)
	}
	return hash, err
}

// keepHeaderHash stores the hash of the block's header and removes those that are too old.
func (k *Keeper) keepHeaderHash(ctx sdk.Context, req *abci.RequestFinalizeBlock) error {
	params, err := k.params.Get(ctx)
	if err != nil {
		return err
	}
	if len(req.Hash) == types.HeaderHashSize {
		if err := k.headerHashes.Set(ctx, req.Height, req.Hash); err != nil {
			return err
		}
	}
	it, err := k.headerHashes.Iterate(ctx, new(collections.Range[int64]).EndInclusive(req.Height-int64(params.ReadyBlocks)))
	if err != nil {
		return err
	}
	var old []int64
	for ; it.Valid() && len(old) < prunedHashes; it.Next() {
		height, err := it.Key()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		old = append(old, height)
	}
	if err := it.Close(); err != nil {
		return err
	}
	for _, height := range old {
		if err := k.headerHashes.Remove(ctx, height); err != nil {
			return err
		}
	}
	return nil
}
