package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/node/keeper"
	"github.com/edgechain/edge/x/node/types"
)

// MsgOptInFactory lets a random node take part that does not, or has lapsed.
func MsgOptInFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgOptIn] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgOptIn) {
		operator, found := anyOperator(ctx, k, data, reporter, sdk.NewInt64Coin(sdk.DefaultBondDenom, 0))
		if !found {
			return nil, nil
		}
		epoch, err := k.Epoch(ctx)
		if err != nil {
			reporter.Skip(err.Error())
			return nil, nil
		}
		addr := sdk.ValAddress(operator.Address)
		if n, err := k.Node(ctx, addr); err == nil && !n.MayOptIn(epoch) {
			reporter.Skip("the node takes part already")
			return nil, nil
		}
		return []simsx.SimAccount{operator}, &types.MsgOptIn{Operator: addr.String()}
	}
}

// MsgOptOutFactory ends the participation of a random node.
func MsgOptOutFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgOptOut] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgOptOut) {
		n, operator, found := anyNode(ctx, k, data, reporter, func(n types.Node, epoch uint64) bool { return n.OptedInFor(epoch + 1) })
		if !found {
			return nil, nil
		}
		return []simsx.SimAccount{operator}, &types.MsgOptOut{Operator: n.Operator}
	}
}

// MsgReportFactory reports for a random node that may.
func MsgReportFactory(k *keeper.Keeper) simsx.SimMsgFactoryFn[*types.MsgReport] {
	return func(ctx context.Context, data *simsx.ChainDataSource, reporter simsx.SimulationReporter) ([]simsx.SimAccount, *types.MsgReport) {
		n, operator, found := anyNode(ctx, k, data, reporter, func(n types.Node, epoch uint64) bool {
			return n.MayReport(epoch) && n.LastReportEpoch < epoch
		})
		if !found {
			return nil, nil
		}
		epoch, err := k.Epoch(ctx)
		if err != nil {
			reporter.Skip(err.Error())
			return nil, nil
		}
		first, err := k.EpochHeight.Get(ctx)
		if err != nil {
			reporter.Skip(err.Error())
			return nil, nil
		}
		height := sdk.UnwrapSDKContext(ctx).BlockHeight() - 1
		hash, err := k.HeaderHash(ctx, height)
		if err != nil || height < first || len(hash) != types.HeaderHashSize {
			reporter.Skip("no hash of a past block of this epoch")
			return nil, nil
		}
		return []simsx.SimAccount{operator}, &types.MsgReport{
			Sender: operator.AddressBech32, Operator: n.Operator, Epoch: epoch, Height: height, HeaderHash: hash,
		}
	}
}

// anyNode returns a random node that the condition holds for in the current epoch, and its operator.
func anyNode(
	ctx context.Context, k *keeper.Keeper, data *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	want func(n types.Node, epoch uint64) bool,
) (n types.Node, operator simsx.SimAccount, found bool) {
	epoch, err := k.Epoch(ctx)
	if err != nil {
		reporter.Skip(err.Error())
		return n, operator, false
	}
	var list []types.Node
	err = k.Nodes.Walk(ctx, nil, func(_ []byte, n types.Node) (bool, error) {
		if want(n, epoch) {
			list = append(list, n)
		}
		return false, nil
	})
	if err != nil || len(list) == 0 {
		reporter.Skip("no such node")
		return n, operator, false
	}
	n = simsx.OneOf(data.Rand(), list)
	addr, err := sdk.ValAddressFromBech32(n.Operator)
	if err != nil {
		reporter.Skip(err.Error())
		return n, operator, false
	}
	operator = data.GetAccountbyAccAddr(reporter, sdk.AccAddress(addr))
	return n, operator, !reporter.IsSkipped()
}
