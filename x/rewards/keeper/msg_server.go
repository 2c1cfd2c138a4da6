package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/edgechain/edge/x/rewards/types"
)

type msgServer struct {
	k *Keeper
}

// NewMsgServerImpl returns the transaction service.
func NewMsgServerImpl(k *Keeper) types.MsgServer { return msgServer{k: k} }

var _ types.MsgServer = msgServer{}

// UpdateParams replaces the parameters. The shares and the emission terms count from the next epoch on.
func (s msgServer) UpdateParams(goCtx context.Context, msg *types.MsgUpdateParams) (*types.MsgUpdateParamsResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if err := msg.ValidateBasic(); err != nil {
		return nil, err
	}
	if err := sdk.ValidateAuthority(ctx, s.k.authority, msg.Authority); err != nil {
		return nil, err
	}
	current, err := s.k.epochKeeper.CurrentNumber(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.k.params.Set(ctx, msg.Params); err != nil {
		return nil, err
	}
	if err := s.k.scheduleShares(ctx, current+1, msg.Params.Shares); err != nil {
		return nil, err
	}
	if err := s.k.scheduleTerms(ctx, current+1, msg.Params.Emission); err != nil {
		return nil, err
	}
	if err := ctx.EventManager().EmitTypedEvent(&types.EventParamsUpdated{}); err != nil {
		return nil, err
	}
	return &types.MsgUpdateParamsResponse{}, nil
}

// RetryPayout tries a payout again that is set aside. Anyone may send it; the money goes to its owner.
func (s msgServer) RetryPayout(ctx context.Context, msg *types.MsgRetryPayout) (*types.MsgRetryPayoutResponse, error) {
	if err := msg.ValidateBasic(); err != nil {
		return nil, err
	}
	paid, err := s.k.RetryPayout(ctx, msg.Epoch, msg.Kind, msg.Id)
	if err != nil {
		return nil, err
	}
	return &types.MsgRetryPayoutResponse{Paid: paid}, nil
}

// SetTokenPrice sets the price of the token from the next epoch on, in place of one that was to count from then on already.
func (s msgServer) SetTokenPrice(goCtx context.Context, msg *types.MsgSetTokenPrice) (*types.MsgSetTokenPriceResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if err := msg.ValidateBasic(); err != nil {
		return nil, err
	}
	if err := sdk.ValidateAuthority(ctx, s.k.authority, msg.Authority); err != nil {
		return nil, err
	}
	current, err := s.k.epochKeeper.CurrentNumber(ctx)
	if err != nil {
		return nil, err
	}
	epoch := current + 1
	if err := s.k.setTokenPrice(ctx, epoch, msg.Price); err != nil {
		return nil, err
	}
	if err := ctx.EventManager().EmitTypedEvent(&types.EventTokenPriceSet{Price: msg.Price.String(), Epoch: epoch}); err != nil {
		return nil, err
	}
	return &types.MsgSetTokenPriceResponse{Epoch: epoch}, nil
}
