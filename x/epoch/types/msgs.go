package types

import (
	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/edgechain/edge/x/epoch/beacon"
)

var (
	_ sdk.HasValidateBasic = (*MsgUpdateParams)(nil)
	_ sdk.HasValidateBasic = (*MsgRetryItem)(nil)
	_ sdk.HasValidateBasic = (*MsgRegisterBeaconKey)(nil)
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

// ValidateBasic checks the form of the message; key and proof are verified when it is executed.
func (m *MsgRegisterBeaconKey) ValidateBasic() error {
	if _, err := sdk.ValAddressFromBech32(m.Operator); err != nil {
		return errorsmod.Wrapf(sdkerrors.ErrInvalidAddress, "operator: %s", err)
	}
	if len(m.PubKey) != beacon.PubKeySize {
		return errorsmod.Wrapf(ErrInvalidBeaconKey, "%d bytes, want %d", len(m.PubKey), beacon.PubKeySize)
	}
	if len(m.Proof) != beacon.SignatureSize {
		return errorsmod.Wrapf(ErrInvalidProof, "%d bytes, want %d", len(m.Proof), beacon.SignatureSize)
	}
	return nil
}
