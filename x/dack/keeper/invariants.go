package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	"github.com/edgechain/edge/x/dack/types"
)

// CheckInvariants returns ErrInvariant unless the module's account holds exactly the balances, the pending withdrawals, the
// open revenue and the deposits of services, the maintained totals are those of the state, part by part, and services and keys are
// what their indexes say. It walks the whole state: for tests and simulations.
func (k *Keeper) CheckInvariants(ctx context.Context) error {
	totals, err := k.Totals(ctx)
	if err != nil {
		return err
	}
	walked, err := k.walkTotals(ctx)
	if err != nil {
		return err
	}
	if !totals.Equal(walked) {
		return errorsmod.Wrapf(types.ErrInvariant, "the books say %s, the state says %s", totals.String(), walked.String())
	}
	held, err := k.Held(ctx)
	if err != nil {
		return err
	}
	if sum := totals.Sum(); !sum.Equal(held) {
		return errorsmod.Wrapf(types.ErrInvariant, "the module's account holds %s, the books say %s", held, totals.String())
	}
	if err := k.checkServices(ctx); err != nil {
		return err
	}
	return k.checkKeys(ctx)
}

// checkKeys compares the key counts of accounts with the keys, and what purses say was spent with the limits of the keys. A
// limit that was lowered counts from the next epoch on only, so that what was spent in an epoch stays within its limit.
func (k *Keeper) checkKeys(ctx context.Context) error {
	accounts, keys, err := k.exportClients(ctx)
	if err != nil {
		return err
	}
	counts := make(map[uint64]uint32)
	for i := range keys {
		key := &keys[i]
		counts[key.AccountId]++
		for _, s := range key.Spent {
			if limit := key.LimitIn(s.Epoch); s.Amount.GT(limit) {
				return errorsmod.Wrapf(types.ErrInvariant, "key %d has spent %s of %s in epoch %d", key.Id, s.Amount, limit, s.Epoch)
			}
		}
	}
	for i := range accounts {
		if a := &accounts[i]; a.Keys != counts[a.Id] {
			return errorsmod.Wrapf(types.ErrInvariant, "account %d counts %d keys and has %d", a.Id, a.Keys, counts[a.Id])
		}
	}
	return nil
}
