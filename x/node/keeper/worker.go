package keeper

import (
	"context"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/node/types"
)

// addWorker takes the deposit from the operator and stores the worker under the next id.
func (k *Keeper) addWorker(ctx context.Context, operator []byte, w types.Worker) (uint64, error) {
	if w.Deposit.IsPositive() {
		err := k.bankKeeper.SendCoinsFromAccountToModule(ctx, operator, types.ModuleName, sdk.NewCoins(w.Deposit))
		if err != nil {
			return 0, errorsmod.Wrap(err, "worker deposit")
		}
	}
	id, err := k.NextWorkerID.Next(ctx)
	if err != nil {
		return 0, err
	}
	w.Id = id
	return id, k.Workers.Set(ctx, id, w)
}

// ownedWorker returns a worker of an operator, types.ErrWorkerNotFound or types.ErrNotOperator.
func (k *Keeper) ownedWorker(ctx context.Context, operator string, id uint64) (types.Worker, error) {
	w, err := k.Worker(ctx, id)
	if err != nil {
		return types.Worker{}, err
	}
	if w.Operator != operator {
		return types.Worker{}, errorsmod.Wrapf(types.ErrNotOperator, "worker %d of %s", id, w.Operator)
	}
	return w, nil
}

// countWorkers counts the workers of a node, retiring ones included, up to limit.
func (k *Keeper) countWorkers(ctx context.Context, operator []byte, limit uint32) (n uint32, err error) {
	it, err := k.Workers.Indexes.Operator.MatchExact(ctx, operator)
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for ; n < limit && it.Valid(); it.Next() {
		n++
	}
	return n, nil
}

// retire marks a worker as removed in the current epoch and queues the return of its deposit.
func (k *Keeper) retire(ctx context.Context, w types.Worker) (lastEpoch uint64, err error) {
	epoch, err := k.Epoch(ctx)
	if err != nil {
		return 0, err
	}
	w.Status = types.WORKER_STATUS_RETIRING
	w.RetiredEpoch = epoch
	if err := k.Workers.Set(ctx, w.Id, w); err != nil {
		return 0, err
	}
	return epoch, k.Retirements.Set(ctx, collections.Join(types.RetirementDue(epoch), w.Id))
}

// unpark queues the return of a deposit anew that had failed too often.
func (k *Keeper) unpark(ctx context.Context, w types.Worker) error {
	epoch, err := k.Epoch(ctx)
	if err != nil {
		return err
	}
	w.RefundFailures = 0
	if err := k.Workers.Set(ctx, w.Id, w); err != nil {
		return err
	}
	return k.Retirements.Set(ctx, collections.Join(max(epoch, types.RetirementDue(w.RetiredEpoch)), w.Id))
}

// refund returns the deposit of a retired worker and deletes its record.
func (k *Keeper) refund(ctx context.Context, w types.Worker) error {
	operator, err := k.validatorCodec.StringToBytes(w.Operator)
	if err != nil {
		return errorsmod.Wrapf(types.ErrAddress, "operator: %v", err)
	}
	if w.Deposit.IsPositive() {
		err := k.bankKeeper.SendCoinsFromModuleToAccount(ctx, types.ModuleName, operator, sdk.NewCoins(w.Deposit))
		if err != nil {
			return err
		}
	}
	return k.Workers.Remove(ctx, w.Id)
}
