package types

import (
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
)

var (
	_ sdk.HasValidateBasic = (*MsgUpdateParams)(nil)
	_ sdk.HasValidateBasic = (*MsgRetryPayout)(nil)
	_ sdk.HasValidateBasic = (*MsgSetTokenPrice)(nil)
	_ sdk.HasValidateBasic = (*MsgLockStake)(nil)
)

// ValidateBasic checks the form of the message.
func (m *MsgUpdateParams) ValidateBasic() error {
	if _, err := sdk.AccAddressFromBech32(m.Authority); err != nil {
		return errorsmod.Wrapf(sdkerrors.ErrInvalidAddress, "authority: %s", err)
	}
	return m.Params.Validate()
}

// ValidateBasic checks the form of the message.
func (m *MsgRetryPayout) ValidateBasic() error {
	if _, err := sdk.AccAddressFromBech32(m.Sender); err != nil {
		return errorsmod.Wrapf(sdkerrors.ErrInvalidAddress, "sender: %s", err)
	}
	if m.Epoch == 0 || !m.Kind.Valid() || m.Kind.Community() && m.Id != 0 {
		return errorsmod.Wrapf(ErrPayoutNotFound, "epoch %d kind %d id %d", m.Epoch, m.Kind, m.Id)
	}
	return nil
}

// ValidateBasic checks the form of the message.
func (m *MsgSetTokenPrice) ValidateBasic() error {
	if _, err := sdk.AccAddressFromBech32(m.Authority); err != nil {
		return errorsmod.Wrapf(sdkerrors.ErrInvalidAddress, "authority: %s", err)
	}
	return ValidateTokenPrice(m.Price)
}

// ValidateBasic checks the form of the message.
func (m *MsgLockStake) ValidateBasic() error {
	if _, err := sdk.ValAddressFromBech32(m.Operator); err != nil {
		return errorsmod.Wrapf(sdkerrors.ErrInvalidAddress, "operator: %s", err)
	}
	if !m.Amount.IsValid() || !m.Amount.IsPositive() {
		return errorsmod.Wrapf(ErrInvalidLock, "amount %s", m.Amount)
	}
	if m.Epochs == 0 || m.Epochs > MaxMaxLockEpochs {
		return errorsmod.Wrapf(ErrInvalidLock, "%d epochs, want 1 to %d", m.Epochs, MaxMaxLockEpochs)
	}
	return nil
}
