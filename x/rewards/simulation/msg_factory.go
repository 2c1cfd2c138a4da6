package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"

	"github.com/edgechain/edge/x/rewards/keeper"
	"github.com/edgechain/edge/x/rewards/types"
)

// MsgUpdateParamsFactory creates a governance proposal with random parameters.
func MsgUpdateParamsFactory() simsx.SimMsgFactoryFn[*types.MsgUpdateParams] {
	return func(_ context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgUpdateParams) {
		return nil, &types.MsgUpdateParams{
			Authority: testData.ModuleAccountAddress(reporter, "gov"),
			Params:    randomParams(testData.Rand().Rand),
		}
	}
}

// MsgSetTokenPriceFactory creates a governance proposal with a random price.
func MsgSetTokenPriceFactory() simsx.SimMsgFactoryFn[*types.MsgSetTokenPrice] {
	return func(_ context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgSetTokenPrice) {
		return nil, &types.MsgSetTokenPrice{
			Authority: testData.ModuleAccountAddress(reporter, "gov"),
			Price:     randomPrice(testData.Rand().Rand),
		}
	}
}

// MsgRetryPayoutFactory retries a random payout that is set aside. It may fail again: its cause may still be there.
func MsgRetryPayoutFactory(k *keeper.Keeper) simsx.SimMsgFactoryX {
	query := keeper.NewQueryServerImpl(k)
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler[*types.MsgRetryPayout](
		func(ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgRetryPayout, simsx.SimDeliveryResultHandler) {
			resp, err := query.SetAside(ctx, &types.QuerySetAsideRequest{})
			if err != nil || len(resp.Payouts) == 0 {
				reporter.Skip("nothing is set aside")
				return nil, nil, nil
			}
			p := simsx.OneOf(testData.Rand(), resp.Payouts)
			sender := testData.AnyAccount(reporter)
			return []simsx.SimAccount{sender},
				&types.MsgRetryPayout{Sender: sender.AddressBech32, Epoch: p.Epoch, Kind: p.Kind, Id: p.Id},
				func(error) error { return nil }
		})
}
