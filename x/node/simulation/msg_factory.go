package simulation

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/edgechain/edge/ack"
	"github.com/edgechain/edge/x/node/keeper"
	"github.com/edgechain/edge/x/node/types"
)

// maxTries bounds the search for an account that operates a validator.
const maxTries = 50

// MsgRegisterWorkerFactory registers a worker with a new peer key for a random node.
func MsgRegisterWorkerFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgRegisterWorker] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgRegisterWorker) {
		params, err := k.Params.Get(ctx)
		if err != nil {
			reporter.Skip(err.Error())
			return nil, nil
		}
		operator, found := anyOperator(ctx, k, data, reporter, params.WorkerDeposit)
		if !found {
			return nil, nil
		}
		addr := sdk.ValAddress(operator.Address)
		mine, err := keeper.NewQueryServerImpl(k).WorkersByOperator(ctx, &types.QueryWorkersByOperatorRequest{
			Operator: addr.String(), Pagination: &query.PageRequest{Limit: uint64(params.MaxWorkersPerNode)},
		})
		if err != nil || len(mine.Workers) == int(params.MaxWorkersPerNode) {
			reporter.Skip("the node has all the workers that it can have")
			return nil, nil
		}
		r := data.Rand()
		seed := make([]byte, ed25519.SeedSize)
		for i := range seed {
			seed[i] = byte(r.Intn(256))
		}
		peer := ed25519.NewKeyFromSeed(seed)
		chain := ack.HashChainID(sdk.UnwrapSDKContext(ctx).ChainID())
		return []simsx.SimAccount{operator}, &types.MsgRegisterWorker{
			Operator:  addr.String(),
			PeerKey:   peer.Public().(ed25519.PublicKey),
			PeerProof: ed25519.Sign(peer, ack.AppendPeerProofSignBytes(nil, chain, addr)),
			Account:   data.AnyAccount(reporter).AddressBech32,
			Endpoints: endpoints(r),
			Capacity:  uint64(r.Intn(1 << 30)),
		}
	}
}

// MsgUpdateWorkerFactory changes a random worker.
func MsgUpdateWorkerFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgUpdateWorker] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgUpdateWorker) {
		w, operator, found := anyWorker(ctx, k, data, reporter, true)
		if !found {
			return nil, nil
		}
		return []simsx.SimAccount{operator}, &types.MsgUpdateWorker{
			Operator: w.Operator, WorkerId: w.Id, Account: data.AnyAccount(reporter).AddressBech32,
			Endpoints: endpoints(data.Rand()), Region: "sim",
		}
	}
}

// MsgRemoveWorkerFactory removes a random active worker.
func MsgRemoveWorkerFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgRemoveWorker] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgRemoveWorker) {
		w, operator, found := anyWorker(ctx, k, data, reporter, false)
		if !found {
			return nil, nil
		}
		return []simsx.SimAccount{operator}, &types.MsgRemoveWorker{Operator: w.Operator, WorkerId: w.Id}
	}
}

// MsgUpdateParamsFactory creates a governance proposal with random parameters.
func MsgUpdateParamsFactory() simsx.SimMsgFactoryFn[*types.MsgUpdateParams] {
	return func(_ context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgUpdateParams) {
		r := data.Rand()
		return nil, &types.MsgUpdateParams{
			Authority: data.ModuleAccountAddress(reporter, "gov"),
			Params: types.Params{
				MaxWorkersPerNode:   uint32(r.IntInRange(1, 10)),
				WorkerDeposit:       sdk.NewInt64Coin(sdk.DefaultBondDenom, int64(r.IntInRange(0, 1000))),
				RetirementsPerBlock: uint32(r.IntInRange(1, 5)),
				EligibilityEpochs:   uint32(r.IntInRange(0, 4)),
			},
		}
	}
}

// anyOperator returns a random account that operates a validator and can pay the deposit.
func anyOperator(
	ctx context.Context, k *keeper.Keeper, data *simsx.ChainDataSource, reporter simsx.SimulationReporter, deposit sdk.Coin,
) (simsx.SimAccount, bool) {
	for range maxTries {
		acc := data.AnyAccount(reporter)
		if reporter.IsSkipped() {
			return acc, false
		}
		known, err := k.IsNode(ctx, sdk.ValAddress(acc.Address))
		if err != nil || !known || acc.LiquidBalance().AmountOf(deposit.Denom).LT(deposit.Amount) {
			continue
		}
		// What is paid as a deposit is not there for the fee of this transaction.
		if deposit.IsPositive() && !acc.LiquidBalance().BlockAmount(deposit) {
			continue
		}
		return acc, true
	}
	reporter.Skip("no account operates a validator")
	return simsx.SimAccount{}, false
}

// anyWorker returns a random worker and its operator.
func anyWorker(
	ctx context.Context, k *keeper.Keeper, data *simsx.ChainDataSource, reporter simsx.SimulationReporter, retiring bool,
) (w types.Worker, operator simsx.SimAccount, found bool) {
	var list []types.Worker
	err := k.Workers.Walk(ctx, nil, func(_ uint64, w types.Worker) (bool, error) {
		if retiring || w.Status == types.WORKER_STATUS_ACTIVE {
			list = append(list, w)
		}
		return false, nil
	})
	if err != nil || len(list) == 0 {
		reporter.Skip("no workers")
		return w, operator, false
	}
	w = simsx.OneOf(data.Rand(), list)
	addr, err := sdk.ValAddressFromBech32(w.Operator)
	if err != nil {
		reporter.Skip(err.Error())
		return w, operator, false
	}
	operator = data.GetAccountbyAccAddr(reporter, sdk.AccAddress(addr))
	return w, operator, !reporter.IsSkipped()
}

func endpoints(r *simsx.XRand) []string {
	list := make([]string, 0, types.MaxEndpoints)
	for i := range 1 + r.Intn(types.MaxEndpoints) {
		list = append(list, fmt.Sprintf("http://worker-%d.example:%d", i, 1+r.Intn(65535)))
	}
	return list
}
