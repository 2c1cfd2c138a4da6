package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/edgechain/edge/x/dack/types"
)

// PutService stores a service, as its messages would have left it by now, with its index, queue and deposit.
func (k *Keeper) PutService(ctx context.Context, s types.Service) error {
	books := types.NewTotals()
	books.ServiceDeposits = s.Deposit
	err := errors.Join(k.setService(ctx, types.Service{}, s), k.addTotals(ctx, books))
	if s.RemovedEpoch != 0 {
		err = errors.Join(err, k.removedServices.Set(ctx, collections.Join(s.PrunedFrom(), s.Id)))
	}
	return err
}
