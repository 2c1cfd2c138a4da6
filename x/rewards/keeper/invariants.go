package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	"github.com/edgechain/edge/x/rewards/types"
)

// CheckInvariants reads the whole state and returns an error, ErrBooks if it is about money, unless every equation of the audit
// holds, now and for every epoch; the sums that are kept are those of the books; the indexes list what there is; and every stake
// that is locked is there. It is unbounded and meant for tests and simulations.
func (k *Keeper) CheckInvariants(ctx context.Context) error {
	g, err := k.ExportGenesis(ctx)
	if err != nil {
		return err
	}
	if err := g.Validate(); err != nil {
		return err
	}
	held, err := k.Held(ctx)
	if err != nil {
		return err
	}
	if books := g.Held(); !held.Equal(books) {
		return errorsmod.Wrapf(types.ErrBooks, "kept are the sums %s, the books say %s", held, books)
	}
	if err := k.checkEquations(ctx, g); err != nil {
		return err
	}
	if err := k.checkSetAside(ctx, g); err != nil {
		return err
	}
	return k.checkLocks(ctx, g)
}

// checkEquations checks what an audit shows, now and of every epoch.
func (k *Keeper) checkEquations(ctx context.Context, g *types.GenesisState) error {
	equations, err := k.Audit(ctx)
	if err != nil {
		return err
	}
	if err := types.CheckEquations(equations); err != nil {
		return err
	}
	for _, s := range g.Summaries {
		equations, err := k.AuditEpoch(ctx, s.Epoch)
		if err != nil {
			return err
		}
		if err := types.CheckEquations(equations); err != nil {
			return errorsmod.Wrapf(err, "epoch %d", s.Epoch)
		}
	}
	return nil
}

// checkSetAside compares the index of the payouts that are set aside with the payouts.
func (k *Keeper) checkSetAside(ctx context.Context, g *types.GenesisState) error {
	listed := 0
	for _, p := range g.Payouts {
		has, err := k.setAside.Has(ctx, keyOf(p.Epoch, p.Kind, p.Id))
		if err != nil {
			return err
		}
		if has != p.SetAside {
			return errorsmod.Wrapf(types.ErrBooks, "epoch %d kind %s id %d: listed as set aside %t, is %t", p.Epoch, p.Kind, p.Id, has, p.SetAside)
		}
		if has {
			listed++
		}
	}
	keys := 0
	err := k.setAside.Walk(ctx, nil, func(payoutKey) (bool, error) { keys++; return false, nil })
	if err != nil {
		return err
	}
	if keys != listed {
		return errorsmod.Wrapf(types.ErrBooks, "%d payouts are listed as set aside, %d are", keys, listed)
	}
	return nil
}

// checkLocks checks that every lock that binds is covered by a delegation, and compares the index of the locks with the locks.
func (k *Keeper) checkLocks(ctx context.Context, g *types.GenesisState) error {
	current, err := k.epochKeeper.CurrentNumber(ctx)
	if err != nil {
		return err
	}
	for _, lock := range g.Locks {
		operator, err := k.validatorCodec.StringToBytes(lock.Operator)
		if err != nil {
			return err
		}
		if has, err := k.lockEnds.Has(ctx, collections.Join(lock.EndEpoch, operator)); err != nil || !has {
			return errors.Join(err, errorsmod.Wrapf(types.ErrInvalidLock, "operator %s: not listed by its end", lock.Operator))
		}
		if !lock.Live(current) {
			continue
		}
		delegation, err := k.stakingKeeper.GetDelegation(ctx, operator, operator)
		if err != nil {
			return errorsmod.Wrapf(err, "operator %s has locked %s shares", lock.Operator, lock.Shares)
		}
		if delegation.Shares.LT(lock.Shares) {
			return errorsmod.Wrapf(types.ErrInvalidLock, "operator %s has locked %s shares and has %s", lock.Operator, lock.Shares, delegation.Shares)
		}
	}
	keys := 0
	err = k.lockEnds.Walk(ctx, nil, func(lockEndKey) (bool, error) { keys++; return false, nil })
	if err != nil {
		return err
	}
	if keys != len(g.Locks) {
		return errorsmod.Wrapf(types.ErrInvalidLock, "%d locks are listed by their end, there are %d", keys, len(g.Locks))
	}
	return nil
}
