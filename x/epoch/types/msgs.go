package types

import (
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
)

var (
	_ sdk.HasValidateBasic = (*MsgUpdateParams)(nil)
	_ sdk.HasValidateBasic = (*MsgRetryItem)(nil)
)

// ValidateBasic checks what can be known without the state: the bounds of a development network are the widest.
func (m *MsgUpdateParams) ValidateBasic() error {
	if _, err := sdk.AccAddressFromBech32(m.Authority); err != nil {
		return errorsmod.Wrapf(sdkerrors.ErrInvalidAddress, "authority: %s", err)
	}
	return m.Params.Validate(true)
}

// ValidateBasic checks the form of the message.
func (m *MsgRetryItem) ValidateBasic() error {
	if _, err := sdk.AccAddressFromBech32(m.Sender); err != nil {
		return errorsmod.Wrapf(sdkerrors.ErrInvalidAddress, "sender: %s", err)
	}
	if m.Epoch == 0 {
		return errorsmod.Wrap(ErrEpochNotFound, "epochs count from 1")
	}
	if err := ValidateStageName(m.Stage); err != nil {
		return err
	}
	if len(m.Key) > MaxItemKey {
		return errorsmod.Wrapf(ErrInvalidItem, "key of %d bytes, at most %d", len(m.Key), MaxItemKey)
	}
	return nil
}
