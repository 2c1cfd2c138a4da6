package keeper

import (
	"bytes"
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/node/types"
)

// Node returns what is kept of a node, or types.ErrNodeNotFound if it never opted in.
func (k *Keeper) Node(ctx context.Context, operator sdk.ValAddress) (types.Node, error) {
	n, err := k.Nodes.Get(ctx, operator)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Node{}, errorsmod.Wrapf(types.ErrNodeNotFound, "operator %X", []byte(operator))
	}
	return n, err
}

// Standing tells whether a node can be elected for the committee of an epoch as far as x/node knows, and the first reason why
// not: not opted in, lapsed, waiting, unhealthy. It knows nothing of stake, jail and beacon keys.
func (k *Keeper) Standing(ctx context.Context, operator sdk.ValAddress, epoch uint64) (types.Standing, error) {
	n, err := k.Nodes.Get(ctx, operator)
	if errors.Is(err, collections.ErrNotFound) {
		return types.StandingNotOptedIn, nil
	} else if err != nil {
		return types.StandingNotOptedIn, err
	}
	params, err := k.Params.Get(ctx)
	if err != nil {
		return types.StandingNotOptedIn, err
	}
	return n.StandingFor(epoch, params.EligibilityEpochs), nil
}

// mayReport reports whether an account may report for a node: the operator's own, or that of one of its active workers.
func (k *Keeper) mayReport(ctx context.Context, operator, sender []byte) (bool, error) {
	if bytes.Equal(operator, sender) {
		return true, nil
	}
	it, err := k.Workers.Indexes.Operator.MatchExact(ctx, operator)
	if err != nil {
		return false, err
	}
	defer it.Close()
	// At most as many as max_workers_per_node ever allowed, and each one read is paid for.
	for ; it.Valid(); it.Next() {
		id, err := it.PrimaryKey()
		if err != nil {
			return false, err
		}
		w, err := k.Worker(ctx, id)
		if err != nil {
			return false, err
		}
		if w.Status != types.WORKER_STATUS_ACTIVE {
			continue
		}
		account, err := k.addressCodec.StringToBytes(w.Account)
		if err != nil {
			return false, errorsmod.Wrapf(types.ErrAddress, "account of worker %d: %v", id, err)
		}
		if bytes.Equal(account, sender) {
			return true, nil
		}
	}
	return false, nil
}

// HeaderHash returns the hash of the header at a height, or types.ErrReportHash if it is not kept.
func (k *Keeper) HeaderHash(ctx context.Context, height int64) ([]byte, error) {
	if k.headerHashes == nil {
		return nil, errorsmod.Wrap(types.ErrReportHash, "this application keeps no hashes")
	}
	hash, err := k.headerHashes.HeaderHash(ctx, height)
	if err != nil {
		return nil, errorsmod.Wrapf(types.ErrReportHash, "height %d: %v", height, err)
	}
	return hash, nil
}

// checkReportedBlock returns types.ErrReportHeight or types.ErrReportHash unless the hash is that of the header of a block that
// the current epoch has behind it and that is recent enough for its hash to be kept.
func (k *Keeper) checkReportedBlock(ctx context.Context, height int64, hash []byte) error {
	first, err := k.epochHeight(ctx)
	if err != nil {
		return err
	}
	if now := sdk.UnwrapSDKContext(ctx).BlockHeight(); height < first || height >= now {
		return errorsmod.Wrapf(types.ErrReportHeight, "height %d, want %d to %d", height, first, now-1)
	}
	want, err := k.HeaderHash(ctx, height)
	if err != nil {
		return err
	}
	// A missing hash never equals an empty one.
	if len(hash) != types.HeaderHashSize || !bytes.Equal(hash, want) {
		return errorsmod.Wrapf(types.ErrReportHash, "height %d", height)
	}
	return nil
}
