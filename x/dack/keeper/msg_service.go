package keeper

import (
	"bytes"
	"context"

	"cosmossdk.io/collections"
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/dack/types"
)

// PublishService publishes a function against a deposit. It can be acknowledged at once.
func (s msgServer) PublishService(goCtx context.Context, msg *types.MsgPublishService) (*types.MsgPublishServiceResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	owner, err := s.k.decodeAddress("owner", msg.Owner)
	if err != nil {
		return nil, err
	}
	if err := msg.ValidateBasic(); err != nil {
		return nil, err
	}
	text, err := s.k.serviceOwner(owner)
	if err != nil {
		return nil, err
	}
	params, err := s.k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	deposit := sdk.NewCoin(params.SettlementDenom, params.ServiceDeposit)
	if err := s.k.bank.SendCoinsFromAccountToModule(ctx, owner, types.ModuleName, sdk.NewCoins(deposit)); err != nil {
		return nil, err
	}
	change := types.NewTotals()
	change.ServiceDeposits = deposit.Amount
	if err := s.k.addTotals(ctx, change); err != nil {
		return nil, err
	}
	id, err := s.k.nextServiceID.Next(ctx)
	if err != nil {
		return nil, err
	}
	service := types.Service{
		Id: id, Owner: text, Name: msg.Name, Kind: types.SERVICE_KIND_FUNCTION, CodeHash: msg.CodeHash, Replicas: msg.Replicas,
		Status: types.SERVICE_STATUS_ACTIVE, Deposit: deposit.Amount,
	}
	if err := s.k.setService(ctx, types.Service{}, service); err != nil {
		return nil, err
	}
	if err := ctx.EventManager().EmitTypedEvent(&types.EventServicePublished{
		ServiceId: id, Owner: text, Name: msg.Name, CodeHash: msg.CodeHash, Deposit: deposit.String(),
	}); err != nil {
		return nil, err
	}
	return &types.MsgPublishServiceResponse{ServiceId: id}, nil
}

// UpdateService replaces the name of a service at once, and code, replicas and status from the next epoch on. An owner that a
// pending transfer names stays.
func (s msgServer) UpdateService(goCtx context.Context, msg *types.MsgUpdateService) (*types.MsgUpdateServiceResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	owner, err := s.k.decodeAddress("owner", msg.Owner)
	if err != nil {
		return nil, err
	}
	if err := msg.ValidateBasic(); err != nil {
		return nil, err
	}
	service, current, err := s.k.ownedService(ctx, owner, msg.ServiceId)
	if err != nil {
		return nil, err
	}
	changed := service.Schedule(current, func(next *types.ServiceChange) {
		next.CodeHash, next.Replicas, next.Status = msg.CodeHash, msg.Replicas, msg.Status
	})
	changed.Name = msg.Name
	if err := s.k.changeService(ctx, service, changed, current); err != nil {
		return nil, err
	}
	return &types.MsgUpdateServiceResponse{Epoch: current + 1}, nil
}

// TransferService gives a service to another owner from the next epoch on, with its deposit and what it earns: what is debited
// up to then is the old owner's, however many transfers there are. The new owner can change the service at once, the old one
// cannot any more.
func (s msgServer) TransferService(goCtx context.Context, msg *types.MsgTransferService) (*types.MsgTransferServiceResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	owner, err := s.k.decodeAddress("owner", msg.Owner)
	if err != nil {
		return nil, err
	}
	heir, err := s.k.decodeAddress("new_owner", msg.NewOwner)
	if err != nil {
		return nil, err
	}
	if err := msg.ValidateBasic(); err != nil {
		return nil, err
	}
	service, current, err := s.k.ownedService(ctx, owner, msg.ServiceId)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(owner, heir) {
		return nil, errorsmod.Wrap(types.ErrInvalidOwner, "the service is his already")
	}
	text, err := s.k.serviceOwner(heir)
	if err != nil {
		return nil, err
	}
	changed := service.Schedule(current, func(next *types.ServiceChange) { next.Owner = text })
	if err := s.k.changeService(ctx, service, changed, current); err != nil {
		return nil, err
	}
	return &types.MsgTransferServiceResponse{Epoch: current + 1}, nil
}

// changeService stores a service that has a change for the next epoch, and announces what it will be.
func (k *Keeper) changeService(ctx sdk.Context, before, service types.Service, current uint64) error {
	if err := k.setService(ctx, before, service); err != nil {
		return err
	}
	next := service.Newest()
	return ctx.EventManager().EmitTypedEvent(&types.EventServiceUpdated{
		ServiceId: service.Id, Epoch: current + 1, Owner: next.Owner, CodeHash: next.CodeHash, Replicas: next.Replicas,
		Status: next.Status.String(),
	})
}

// RemoveService ends a service with the current epoch. Acknowledgements of epochs up to the current one can still be settled as
// long as they live; then the record is pruned and the deposit goes back: as long as records of a service can be made, the same
// money pays for no other.
func (s msgServer) RemoveService(goCtx context.Context, msg *types.MsgRemoveService) (*types.MsgRemoveServiceResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	owner, err := s.k.decodeAddress("owner", msg.Owner)
	if err != nil {
		return nil, err
	}
	if err := msg.ValidateBasic(); err != nil {
		return nil, err
	}
	service, current, err := s.k.ownedService(ctx, owner, msg.ServiceId)
	if err != nil {
		return nil, err
	}
	denom, err := s.k.SettlementDenom(ctx)
	if err != nil {
		return nil, err
	}
	removed := service.Schedule(current, func(next *types.ServiceChange) { next.Status = types.SERVICE_STATUS_REMOVED })
	removed.RemovedEpoch = current + 1
	if err := s.k.setService(ctx, service, removed); err != nil {
		return nil, err
	}
	if err := s.k.removedServices.Set(ctx, collections.Join(removed.PrunedFrom(), removed.Id)); err != nil {
		return nil, err
	}
	if err := ctx.EventManager().EmitTypedEvent(&types.EventServiceRemoved{
		ServiceId: removed.Id, Epoch: removed.RemovedEpoch, Deposit: sdk.NewCoin(denom, removed.Deposit).String(),
	}); err != nil {
		return nil, err
	}
	return &types.MsgRemoveServiceResponse{Epoch: removed.RemovedEpoch}, nil
}

// serviceOwner returns the text of an address that can own a service. It returns ErrInvalidOwner for one that the bank blocks:
// it could be paid neither the owner share nor the deposit.
func (k *Keeper) serviceOwner(owner sdk.AccAddress) (string, error) {
	if k.bank.BlockedAddr(owner) {
		return "", errorsmod.Wrap(types.ErrInvalidOwner, "the bank blocks it, so that it could never be paid")
	}
	return k.addresses.BytesToString(owner)
}

// ownedService returns a service that the address may change, and the current epoch. It may if it is the owner in the newest
// state. It returns ErrServiceNotFound, ErrProtocolService, ErrWrongOwner or ErrServiceRemoved.
func (k *Keeper) ownedService(ctx context.Context, owner sdk.AccAddress, id uint64) (types.Service, uint64, error) {
	service, err := k.Service(ctx, id)
	if err != nil {
		return types.Service{}, 0, err
	}
	text := service.Newest().Owner
	if text == "" {
		return types.Service{}, 0, errorsmod.Wrapf(types.ErrProtocolService, "service %d", id)
	}
	newest, err := k.addresses.StringToBytes(text)
	if err != nil {
		return types.Service{}, 0, errorsmod.Wrapf(err, "service %d", id)
	}
	if !bytes.Equal(owner, newest) {
		return types.Service{}, 0, errorsmod.Wrapf(types.ErrWrongOwner, "of service %d", id)
	}
	if service.RemovedEpoch != 0 {
		return types.Service{}, 0, errorsmod.Wrapf(types.ErrServiceRemoved, "service %d, from epoch %d on", id, service.RemovedEpoch)
	}
	current, err := k.epoch.CurrentNumber(ctx)
	return service, current, err
}
