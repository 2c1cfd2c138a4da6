package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/dack/types"
	epochtypes "github.com/edgechain/edge/x/epoch/types"
)

// recordsPerService is how many records a removed service is worth when it is pruned: itself, the index of its owner, the queue,
// and four of the send that returns its deposit, see types.MaxWithdrawalsPerBlock.
const recordsPerService = 7

// Service returns a service, or ErrServiceNotFound. What it is in an epoch says types.Service.At.
func (k *Keeper) Service(ctx context.Context, id uint64) (types.Service, error) {
	service, err := k.services.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Service{}, errorsmod.Wrapf(types.ErrServiceNotFound, "service %d", id)
	}
	return service, err
}

// setService stores a service and moves it in the index from the owner before to the one in its newest state.
func (k *Keeper) setService(ctx context.Context, before, service types.Service) error {
	if err := k.services.Set(ctx, service.Id, service); err != nil {
		return err
	}
	from, to := before.Newest().Owner, service.Newest().Owner
	if from == to {
		return nil
	}
	if from != "" {
		owner, err := k.decodeAddress("owner", from)
		if err != nil {
			return err
		}
		if err := k.serviceOwners.Remove(ctx, collections.Join([]byte(owner), service.Id)); err != nil {
			return err
		}
	}
	owner, err := k.decodeAddress("owner", to)
	if err != nil {
		return err
	}
	return k.serviceOwners.Set(ctx, collections.Join([]byte(owner), service.Id))
}

// initServices stores the services of a genesis state with their index and queue. A change can be pending for the next epoch
// at most.
func (k *Keeper) initServices(ctx context.Context, gs *types.GenesisState) error {
	current, err := k.epoch.CurrentNumber(ctx)
	if err != nil {
		return err
	}
	if err := k.nextServiceID.Set(ctx, gs.NextServiceId); err != nil {
		return err
	}
	for _, s := range gs.Services {
		if (s.Next != nil && s.Next.Epoch > current+1) || s.RemovedEpoch > current+1 {
			return errorsmod.Wrapf(types.ErrInvalidGenesis, "service %d changes after epoch %d, the next one", s.Id, current+1)
		}
		for _, owner := range []string{s.Owner, s.Newest().Owner} {
			if err := k.checkServiceOwner(owner); err != nil {
				return errorsmod.Wrapf(types.ErrInvalidGenesis, "service %d: %s", s.Id, err)
			}
		}
		if err := k.setService(ctx, types.Service{}, s); err != nil {
			return err
		}
		if s.RemovedEpoch == 0 {
			continue
		}
		// One whose deposit the bank has refused before has its next try at once.
		if err := k.removedServices.Set(ctx, collections.Join(s.PrunedFrom(), s.Id)); err != nil {
			return err
		}
	}
	return nil
}

// checkServiceOwner returns an error unless the owner is nobody or an address in the one spelling that messages leave: owners
// are compared as texts.
func (k *Keeper) checkServiceOwner(owner string) error {
	if owner == "" {
		return nil
	}
	address, err := k.decodeAddress("owner", owner)
	if err != nil {
		return err
	}
	text, err := k.addresses.BytesToString(address)
	if err != nil {
		return err
	}
	if text != owner {
		return fmt.Errorf("owner %s, want %s", owner, text)
	}
	return nil
}

// pruneServices removes services that no acknowledgement can name any more and returns their deposits, at most as many as are
// worth limit records, and returns how many records those are. A service that cannot be removed, because its record cannot be
// read or the bank refuses the deposit, stays as it is and is tried again in the next epoch: it must not be met again in each block.
func (k *Keeper) pruneServices(ctx sdk.Context, current uint64, limit int, denom string) (int, error) {
	due, err := k.dueServices(ctx, current, limit/recordsPerService)
	if err != nil {
		return 0, err
	}
	for _, key := range due {
		if err := k.removedServices.Remove(ctx, key); err != nil {
			return 0, err
		}
		id := key.K2()
		cause := inCache(ctx, func(ctx sdk.Context) error { return k.pruneService(ctx, id, denom) })
		if cause == nil {
			continue
		}
		k.logger(ctx).Error("removed service cannot be pruned", "service", id, "error", cause)
		if err := k.deferService(ctx, id, current+1, cause); err != nil {
			return 0, err
		}
	}
	return len(due) * recordsPerService, nil
}

// deferService puts a removed service back into the queue, for an epoch that is to come.
func (k *Keeper) deferService(ctx sdk.Context, id, due uint64, cause error) error {
	if err := k.removedServices.Set(ctx, collections.Join(due, id)); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventServiceDepositDeferred{
		ServiceId: id, RetriedFrom: due, Cause: epochtypes.Cause(cause),
	})
}

// dueServices returns the first entries of the queue of removed services whose time has come, at most limit.
func (k *Keeper) dueServices(ctx context.Context, current uint64, limit int) ([]collections.Pair[uint64, uint64], error) {
	iter, err := k.removedServices.Iterate(ctx, new(collections.Range[collections.Pair[uint64, uint64]]).
		EndExclusive(collections.PairPrefix[uint64, uint64](current+1)))
	if err != nil {
		return nil, err
	}
	defer iter.Close()
	var due []collections.Pair[uint64, uint64]
	for ; iter.Valid() && len(due) < limit; iter.Next() {
		key, err := iter.Key()
		if err != nil {
			return nil, err
		}
		due = append(due, key)
	}
	return due, nil
}

// pruneService deletes a removed service and sends its deposit to the owner in its newest state.
func (k *Keeper) pruneService(ctx sdk.Context, id uint64, denom string) error {
	service, err := k.Service(ctx, id)
	if err != nil {
		return err
	}
	text := service.Newest().Owner
	owner, err := k.decodeAddress("owner", text)
	if err != nil {
		return err
	}
	if err := errors.Join(
		k.serviceOwners.Remove(ctx, collections.Join([]byte(owner), id)),
		k.services.Remove(ctx, id),
	); err != nil {
		return err
	}
	deposit := sdk.NewCoin(denom, service.Deposit)
	if err := k.bank.SendCoinsFromModuleToAccount(ctx, types.ModuleName, owner, sdk.NewCoins(deposit)); err != nil {
		return err
	}
	books := types.NewTotals()
	books.ServiceDeposits = deposit.Amount.Neg()
	if err := k.addTotals(ctx, books); err != nil {
		return err
	}
	return ctx.EventManager().EmitTypedEvent(&types.EventServiceDepositReturned{ServiceId: id, Owner: text, Amount: deposit.String()})
}

// checkServices returns ErrInvariant unless every service is one that messages could have left so, is in the index under its
// newest owner alone, and is in the queue once if it is removed, not before it can be pruned. For tests and simulations.
func (k *Keeper) checkServices(ctx context.Context) error {
	services, err := values(ctx, k.services)
	if err != nil {
		return err
	}
	due := make(map[uint64]uint64) // service -> epoch
	inQueue := 0
	if err := k.removedServices.Walk(ctx, nil, func(key collections.Pair[uint64, uint64]) (bool, error) {
		due[key.K2()] = key.K1()
		inQueue++
		return false, nil
	}); err != nil {
		return err
	}
	owned, removed := 0, 0
	for _, s := range services {
		if err := s.Validate(); err != nil {
			return errorsmod.Wrap(types.ErrInvariant, err.Error())
		}
		if s.Id == types.ContentServiceID {
			continue
		}
		owned++
		owner, err := k.decodeAddress("owner", s.Newest().Owner)
		if err != nil {
			return err
		}
		indexed, err := k.serviceOwners.Has(ctx, collections.Join([]byte(owner), s.Id))
		if err != nil {
			return err
		}
		if !indexed {
			return errorsmod.Wrapf(types.ErrInvariant, "service %d is not in the index of its owner", s.Id)
		}
		if s.RemovedEpoch == 0 {
			continue
		}
		removed++
		if epoch, queued := due[s.Id]; !queued || epoch < s.PrunedFrom() {
			return errorsmod.Wrapf(types.ErrInvariant, "service %d is removed and will be pruned from epoch %d on (0: never), want %d or later",
				s.Id, epoch, s.PrunedFrom())
		}
	}
	inIndex, err := count(ctx, k.serviceOwners)
	if err != nil {
		return err
	}
	if inIndex != owned || inQueue != removed {
		return errorsmod.Wrapf(types.ErrInvariant, "%d services with an owner, %d in the index; %d removed, %d in the queue", owned, inIndex, removed, inQueue)
	}
	return nil
}

func count[K any](ctx context.Context, set collections.KeySet[K]) (n int, err error) {
	err = set.Walk(ctx, nil, func(K) (bool, error) {
		n++
		return false, nil
	})
	return n, err
}
