package keeper

import (
	"context"

	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/x/rewards/types"
)

// LockStake locks stake that the signer has delegated to his own validator, or locks more of it, or for longer. The boost counts
// from the next epoch on, the lock binds at once.
func (s msgServer) LockStake(goCtx context.Context, msg *types.MsgLockStake) (*types.MsgLockStakeResponse, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	if err := msg.ValidateBasic(); err != nil {
		return nil, err
	}
	operator, err := s.k.validatorCodec.StringToBytes(msg.Operator)
	if err != nil {
		return nil, errorsmod.Wrapf(sdkerrors.ErrInvalidAddress, "operator: %s", err)
	}
	lock, err := s.k.LockStake(ctx, operator, msg.Amount, msg.Epochs)
	if err != nil {
		return nil, err
	}
	return &types.MsgLockStakeResponse{Lock: lock}, ctx.EventManager().EmitTypedEvent(&types.EventStakeLocked{
		Operator: lock.Operator, Shares: lock.Shares.String(), EndEpoch: lock.EndEpoch,
	})
}
