package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/dack/types"
)

// recordsPerService is how many records a removed service leaves to be pruned: itself, the index of its owner, the queue.
const recordsPerService = 3

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

// pruneServices removes services that no acknowledgement can name any more, at most limit records of them, and returns how
// many it has removed. A service that cannot be removed loses its place in the queue all the same: it must not be met again in
// each block.
func (k *Keeper) pruneServices(ctx sdk.Context, current uint64, limit int) (int, error) {
	due, err := k.dueServices(ctx, current, limit/recordsPerService)
	if err != nil {
		return 0, err
	}
	for _, key := range due {
		if err := k.removedServices.Remove(ctx, key); err != nil {
			return 0, err
		}
		if err := inCache(ctx, func(ctx sdk.Context) error { return k.deleteService(ctx, key.K2()) }); err != nil {
			k.logger(ctx).Error("removed service cannot be pruned", "service", key.K2(), "error", err)
		}
	}
	return len(due) * recordsPerService, nil
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

func (k *Keeper) deleteService(ctx context.Context, id uint64) error {
	service, err := k.Service(ctx, id)
	if err != nil {
		return err
	}
	owner, err := k.decodeAddress("owner", service.Newest().Owner)
	if err != nil {
		return err
	}
	return errors.Join(
		k.serviceOwners.Remove(ctx, collections.Join([]byte(owner), id)),
		k.services.Remove(ctx, id),
	)
}

// checkServices returns ErrInvariant unless every service is one that messages could have left so, is in the index under its
// newest owner alone, and is in the queue if it is removed. For tests and simulations.
func (k *Keeper) checkServices(ctx context.Context) error {
	services, err := values(ctx, k.services)
	if err != nil {
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
		queued, err := k.removedServices.Has(ctx, collections.Join(s.PrunedFrom(), s.Id))
		if err != nil {
			return err
		}
		if !queued {
			return errorsmod.Wrapf(types.ErrInvariant, "service %d is removed and will not be pruned", s.Id)
		}
	}
	inIndex, err := count(ctx, k.serviceOwners)
	if err != nil {
		return err
	}
	inQueue, err := count(ctx, k.removedServices)
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
