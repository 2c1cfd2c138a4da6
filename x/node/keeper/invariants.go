package keeper

import (
	"context"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/node/types"
)

// CheckInvariants returns types.ErrInvariant unless
//   - the module's account holds exactly the deposits of all workers,
//   - the retiring workers that are not parked are exactly those in the queue, once each.
//
// It walks all workers and is meant for genesis and tests.
func (k *Keeper) CheckInvariants(ctx context.Context) error {
	deposits := sdk.NewCoins()
	retiring := 0
	err := k.Workers.Walk(ctx, nil, func(_ uint64, w types.Worker) (bool, error) {
		deposits = deposits.Add(w.Deposit)
		if w.Status == types.WORKER_STATUS_RETIRING && !w.IsParked() {
			retiring++
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if held := k.bankKeeper.GetAllBalances(ctx, k.account); !held.Equal(deposits) {
		return errorsmod.Wrapf(types.ErrInvariant, "account holds %s, deposits are %s", held, deposits)
	}
	err = k.Retirements.Walk(ctx, nil, func(key collections.Pair[uint64, uint64]) (bool, error) {
		w, err := k.Worker(ctx, key.K2())
		if err != nil {
			return true, errorsmod.Wrapf(types.ErrInvariant, "queue: %v", err)
		}
		if w.IsParked() {
			return true, errorsmod.Wrapf(types.ErrInvariant, "worker %d is parked and queued", w.Id)
		}
		if w.Status != types.WORKER_STATUS_RETIRING || key.K1() < types.RetirementDue(w.RetiredEpoch) {
			return true, errorsmod.Wrapf(types.ErrInvariant, "worker %d is queued too early", w.Id)
		}
		retiring--
		return false, nil
	})
	if err != nil {
		return err
	}
	if retiring != 0 {
		return errorsmod.Wrapf(types.ErrInvariant, "queue and retiring workers differ by %d", retiring)
	}
	return nil
}
