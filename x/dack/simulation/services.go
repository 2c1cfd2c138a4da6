package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"

	"github.com/edgechain/edge/x/dack/keeper"
	"github.com/edgechain/edge/x/dack/types"
)

// anyService returns a random service with an owner among the accounts of the simulation.
func anyService(
	ctx context.Context, k *keeper.Keeper, data *simsx.ChainDataSource, reporter simsx.SimulationReporter,
) (simsx.SimAccount, types.Service, bool) {
	for range maxTries {
		acc := data.AnyAccount(reporter)
		if reporter.IsSkipped() {
			return acc, types.Service{}, false
		}
		res, err := keeper.NewQueryServerImpl(k).ServicesByOwner(ctx, &types.QueryServicesByOwnerRequest{Owner: acc.AddressBech32})
		if err == nil && len(res.Services) > 0 {
			return acc, simsx.OneOf(data.Rand(), res.Services), true
		}
	}
	reporter.Skip("nobody has a service")
	return simsx.SimAccount{}, types.Service{}, false
}

func codeHash(r *simsx.XRand) []byte {
	hash := make([]byte, 32)
	for i := range hash {
		hash[i] = byte(r.Intn(256))
	}
	return hash
}

// MsgPublishServiceFactory publishes a service.
func MsgPublishServiceFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgPublishService] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgPublishService) {
		params, err := k.Params(ctx)
		if err != nil {
			reporter.Skip(err.Error())
			return nil, nil
		}
		owner, _, ok := settlementCoin(ctx, k, data, reporter, params.ServiceDeposit)
		if !ok {
			return nil, nil
		}
		r := data.Rand()
		return []simsx.SimAccount{owner}, &types.MsgPublishService{
			Owner: owner.AddressBech32, Name: "service " + r.StringN(20), CodeHash: codeHash(r), Replicas: 1 + uint32(r.Intn(20)),
		}
	}
}

// MsgUpdateServiceFactory changes a service. One that was removed is refused.
func MsgUpdateServiceFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgUpdateService] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgUpdateService) {
		owner, service, ok := anyService(ctx, k, data, reporter)
		if !ok {
			return nil, nil
		}
		r := data.Rand()
		return []simsx.SimAccount{owner}, &types.MsgUpdateService{
			Owner: owner.AddressBech32, ServiceId: service.Id, Name: "service " + r.StringN(20), CodeHash: codeHash(r),
			Replicas: 1 + uint32(r.Intn(20)),
			Status:   simsx.OneOf(r, []types.ServiceStatus{types.SERVICE_STATUS_ACTIVE, types.SERVICE_STATUS_PAUSED}),
		}
	}
}

// MsgTransferServiceFactory gives a service to another account.
func MsgTransferServiceFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgTransferService] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgTransferService) {
		owner, service, ok := anyService(ctx, k, data, reporter)
		if !ok {
			return nil, nil
		}
		heir := data.AnyAccount(reporter, simsx.ExcludeAccounts(owner))
		return []simsx.SimAccount{owner}, &types.MsgTransferService{
			Owner: owner.AddressBech32, ServiceId: service.Id, NewOwner: heir.AddressBech32,
		}
	}
}

// MsgRemoveServiceFactory removes a service.
func MsgRemoveServiceFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgRemoveService] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgRemoveService) {
		owner, service, ok := anyService(ctx, k, data, reporter)
		if !ok {
			return nil, nil
		}
		return []simsx.SimAccount{owner}, &types.MsgRemoveService{Owner: owner.AddressBech32, ServiceId: service.Id}
	}
}
