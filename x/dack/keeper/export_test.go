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

// PutRevenue stores a revenue record, without the money that it stands for.
func (k *Keeper) PutRevenue(ctx context.Context, epoch, workerID, serviceID uint64, r types.WorkerRevenue) error {
	return k.addRevenue(ctx, epoch, workerID, serviceID, r)
}
