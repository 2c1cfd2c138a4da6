package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"
)

// schedule is what counts from which epoch on: one entry for each change, kept for good, because the payment of an epoch may be
// retried at any time.
type schedule[V any] = collections.Map[uint64, V]

// inForce returns what counts in an epoch: the last change from it or from an epoch before it. It returns notFound if there is
// none.
func inForce[V any](ctx context.Context, s schedule[V], epoch uint64, notFound error) (v V, err error) {
	it, err := s.Iterate(ctx, new(collections.Range[uint64]).EndInclusive(epoch).Descending())
	if err != nil {
		return v, err
	}
	defer it.Close()
	if !it.Valid() {
		return v, errorsmod.Wrapf(notFound, "epoch %d", epoch)
	}
	return it.Value()
}

// change makes a value count from an epoch on. It writes nothing if it does already. The notFound is that of inForce.
func change[V interface{ Equal(V) bool }](ctx context.Context, s schedule[V], epoch uint64, v V, notFound error) error {
	has, err := s.Has(ctx, epoch)
	if err != nil {
		return err
	}
	if !has {
		before, err := inForce(ctx, s, epoch, notFound)
		if err == nil && before.Equal(v) {
			return nil
		}
		if err != nil && !errors.Is(err, notFound) {
			return err
		}
	}
	return s.Set(ctx, epoch, v)
}
