package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/edgechain/edge/x/epoch/types"
)

// SetAsideStages returns the stages that are set aside as a whole, in epochs from one on, by epoch and in the order of the stages, at
// most one for each epoch: the first, without which the others cannot be retried. It looks at no more than limit epochs that have
// something set aside, and reads no item of a stage: there can be very many.
func (k *Keeper) SetAsideStages(ctx context.Context, from uint64, limit uint32) ([]types.SetAsideItem, error) {
	var stages []types.SetAsideItem
	for ; limit > 0; limit-- {
		epoch, found, err := k.nextSetAside(ctx, from)
		if err != nil || !found {
			return stages, err
		}
		for _, stage := range k.stages {
			item, err := k.setAside.Get(ctx, collections.Join3(epoch, stage.Name, []byte(nil)))
			if errors.Is(err, collections.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			stages = append(stages, item)
			break
		}
		if from = epoch + 1; from == 0 {
			return stages, nil
		}
	}
	return stages, nil
}

// nextSetAside returns the first epoch from one on that has something set aside.
func (k *Keeper) nextSetAside(ctx context.Context, from uint64) (epoch uint64, found bool, err error) {
	rng := new(collections.Range[setAsideKey]).StartInclusive(collections.TriplePrefix[uint64, string, []byte](from))
	iter, err := k.setAside.Iterate(ctx, rng)
	if err != nil {
		return 0, false, err
	}
	defer iter.Close()
	if !iter.Valid() {
		return 0, false, nil
	}
	key, err := iter.Key()
	return key.K1(), err == nil, err
}
