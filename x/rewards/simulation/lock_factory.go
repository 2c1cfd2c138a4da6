package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/rewards/keeper"
	"github.com/edgechain/edge/x/rewards/types"
)

// MsgLockStakeFactory locks a random amount of stake of a random account's validator, or, if there is a lock, sometimes more for
// longer. It may fail: not everyone has a validator, and a lock can only grow.
func MsgLockStakeFactory(k *keeper.Keeper) simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler[*types.MsgLockStake](
		func(ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgLockStake, simsx.SimDeliveryResultHandler) {
			r := testData.Rand()
			params, err := k.Params(ctx)
			if err != nil {
				reporter.Skip(err.Error())
				return nil, nil, nil
			}
			operator := testData.AnyAccount(reporter)
			return []simsx.SimAccount{operator},
				&types.MsgLockStake{
					Operator: sdk.ValAddress(operator.Address).String(),
					Amount:   sdk.NewInt64Coin(types.EmissionDenom, 1+r.Int63n(1<<(1+r.Intn(40)))),
					Epochs:   1 + uint64(r.Int63n(int64(params.Emission.MaxLockEpochs))),
				},
				func(error) error { return nil }
		})
}
