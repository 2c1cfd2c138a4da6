package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/epoch/types"
)

type msgServer struct{ k *Keeper }

// NewMsgServerImpl returns the transaction service.
func NewMsgServerImpl(k *Keeper) types.MsgServer { return msgServer{k} }

var _ types.MsgServer = msgServer{}

// UpdateParams replaces the parameters. The duration counts from the next epoch on.
func (s msgServer) UpdateParams(goCtx context.Context, msg *types.MsgUpdateParams) (*types.MsgUpdateParamsResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if err := msg.ValidateBasic(); err != nil {
		return nil, err
	}
	if err := sdk.ValidateAuthority(ctx, s.k.authority, msg.Authority); err != nil {
		return nil, err
	}
	development, err := s.k.development.Get(ctx)
	if err != nil {
		return nil, err
	}
	if err := msg.Params.Validate(development); err != nil {
		return nil, err
	}
	if err := s.k.params.Set(ctx, msg.Params); err != nil {
		return nil, err
	}
	if err := ctx.EventManager().EmitTypedEvent(&types.EventParamsUpdated{}); err != nil {
		return nil, err
	}
	return &types.MsgUpdateParamsResponse{}, nil
}

// RetryItem tries an item again that is set aside. Anyone may send it, at the cost of its gas.
func (s msgServer) RetryItem(ctx context.Context, msg *types.MsgRetryItem) (*types.MsgRetryItemResponse, error) {
	if err := msg.ValidateBasic(); err != nil {
		return nil, err
	}
	done, err := s.k.RetryItem(ctx, msg.Epoch, msg.Stage, msg.Key)
	if err != nil {
		return nil, err
	}
	return &types.MsgRetryItemResponse{Done: done}, nil
}
