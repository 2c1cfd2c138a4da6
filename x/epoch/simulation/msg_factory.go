package simulation

import (
	"context"
	"time"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"

	"github.com/edgechain/edge/x/epoch/keeper"
	"github.com/edgechain/edge/x/epoch/types"
)

// MsgUpdateParamsFactory creates a governance proposal with random parameters.
func MsgUpdateParamsFactory() simsx.SimMsgFactoryFn[*types.MsgUpdateParams] {
	return func(_ context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgUpdateParams) {
		r := testData.Rand()
		return nil, &types.MsgUpdateParams{
			Authority: testData.ModuleAccountAddress(reporter, "gov"),
			Params: types.Params{
				Duration:    types.MinDuration + time.Duration(r.IntInRange(0, 12))*time.Hour,
				CloseBudget: uint32(r.IntInRange(types.MinCloseBudget, 50)),
			},
		}
	}
}

// MsgRetryItemFactory retries a random item that is set aside. It may fail again: its cause may still be there.
func MsgRetryItemFactory(k *keeper.Keeper) simsx.SimMsgFactoryX {
	query := keeper.NewQueryServerImpl(k)
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler[*types.MsgRetryItem](
		func(ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgRetryItem, simsx.SimDeliveryResultHandler) {
			resp, err := query.SetAside(ctx, &types.QuerySetAsideRequest{})
			if err != nil || len(resp.Items) == 0 {
				reporter.Skip("nothing is set aside")
				return nil, nil, nil
			}
			item := simsx.OneOf(testData.Rand(), resp.Items)
			sender := testData.AnyAccount(reporter)
			return []simsx.SimAccount{sender},
				&types.MsgRetryItem{Sender: sender.AddressBech32, Epoch: item.Epoch, Stage: item.Stage, Key: item.Key},
				func(error) error { return nil }
		})
}
