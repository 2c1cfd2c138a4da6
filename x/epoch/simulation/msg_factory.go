package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/keeper"
	"github.com/edgechain/edge/x/epoch/types"
)

// maxTries bounds the search for an account that operates a validator.
const maxTries = 50

// MsgUpdateParamsFactory creates a governance proposal with random parameters.
func MsgUpdateParamsFactory() simsx.SimMsgFactoryFn[*types.MsgUpdateParams] {
	return func(_ context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgUpdateParams) {
		return nil, &types.MsgUpdateParams{
			Authority: testData.ModuleAccountAddress(reporter, "gov"),
			Params:    randomParams(testData.Rand().Rand),
		}
	}
}

// MsgRegisterBeaconKeyFactory registers one of the beacon keys of a random validator.
func MsgRegisterBeaconKeyFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgRegisterBeaconKey] {
	return func(ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgRegisterBeaconKey) {
		for range maxTries {
			account := testData.AnyAccount(reporter)
			if reporter.IsSkipped() {
				return nil, nil
			}
			operator := sdk.ValAddress(account.Address)
			if known, err := k.IsValidator(ctx, operator); err != nil || !known {
				continue
			}
			key, err := BeaconKey(operator, testData.Rand().Intn(BeaconKeys))
			if err != nil {
				reporter.Skip(err.Error())
				return nil, nil
			}
			return []simsx.SimAccount{account}, &types.MsgRegisterBeaconKey{
				Operator: operator.String(), PubKey: key.PubKey(), Proof: key.Prove(sdk.UnwrapSDKContext(ctx).ChainID(), operator),
			}
		}
		reporter.Skip("no account operates a validator")
		return nil, nil
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
