package types

import (
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/legacy"
	"github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
)

// RegisterLegacyAminoCodec registers the messages for amino JSON signing.
func RegisterLegacyAminoCodec(cdc *codec.LegacyAmino) {
	cdc.RegisterConcrete(Params{}, "edge/x/epoch/Params", nil)
	legacy.RegisterAminoMsg(cdc, &MsgUpdateParams{}, "edge/x/epoch/MsgUpdateParams")
	legacy.RegisterAminoMsg(cdc, &MsgRetryItem{}, "edge/x/epoch/MsgRetryItem")
	legacy.RegisterAminoMsg(cdc, &MsgRegisterBeaconKey{}, "edge/x/epoch/MsgRegisterBeaconKey")
}

// RegisterInterfaces registers the messages.
func RegisterInterfaces(registry types.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil), &MsgUpdateParams{}, &MsgRetryItem{}, &MsgRegisterBeaconKey{})
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
