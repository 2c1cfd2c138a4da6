package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/x/epoch/beacon"
	"github.com/edgechain/edge/x/epoch/types"
)

type msgServer struct{ k *Keeper }

// NewMsgServerImpl returns the transaction service.
func NewMsgServerImpl(k *Keeper) types.MsgServer { return msgServer{k} }

var _ types.MsgServer = msgServer{}

// proofGas pays for checking a beacon key and verifying its proof, about 1.6 ms. It is in line with what x/dack takes for a
// client key, 6,000 for 120 us.
const proofGas = 80_000

// UpdateParams replaces the parameters. The duration counts from the next epoch on; those of the draw from the next freeze, and
// step_blocks from the next hand-over.
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
	if s.k.paramsGuard != nil {
		if err := s.k.paramsGuard(ctx, msg.Params); err != nil {
			return nil, err
		}
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

// RegisterBeaconKey registers the key with which a validator takes part in the beacon, or replaces it. The record of the next
// freeze copies it; a record that is fixed keeps the key that it has.
func (s msgServer) RegisterBeaconKey(goCtx context.Context, msg *types.MsgRegisterBeaconKey) (*types.MsgRegisterBeaconKeyResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if err := msg.ValidateBasic(); err != nil {
		return nil, err
	}
	operator, text, err := s.k.operator(msg.Operator)
	if err != nil {
		return nil, errorsmod.Wrapf(sdkerrors.ErrInvalidAddress, "operator: %s", err)
	}
	if known, err := s.k.IsValidator(ctx, operator); err != nil {
		return nil, err
	} else if !known {
		return nil, errorsmod.Wrap(types.ErrNotValidator, text)
	}
	ctx.GasMeter().ConsumeGas(proofGas, "beacon key proof")
	if err := beacon.CheckPubKey(msg.PubKey); err != nil {
		return nil, errorsmod.Wrap(types.ErrInvalidBeaconKey, err.Error())
	}
	if err := beacon.CheckProof(msg.PubKey, msg.Proof, ctx.ChainID(), operator); err != nil {
		return nil, errorsmod.Wrap(types.ErrInvalidProof, err.Error())
	}
	err = s.k.beaconKeys.Set(ctx, operator, types.BeaconKey{Operator: text, PubKey: msg.PubKey, Height: ctx.BlockHeight()})
	if err != nil {
		return nil, err
	}
	if err := ctx.EventManager().EmitTypedEvent(&types.EventBeaconKeyRegistered{Operator: text, PubKey: msg.PubKey}); err != nil {
		return nil, err
	}
	return &types.MsgRegisterBeaconKeyResponse{}, nil
}
