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
	cdc.RegisterConcrete(Params{}, "edge/x/rewards/Params", nil)
	legacy.RegisterAminoMsg(cdc, &MsgUpdateParams{}, "edge/x/rewards/MsgUpdateParams")
	legacy.RegisterAminoMsg(cdc, &MsgRetryPayout{}, "edge/x/rewards/MsgRetryPayout")
	legacy.RegisterAminoMsg(cdc, &MsgSetTokenPrice{}, "edge/x/rewards/MsgSetTokenPrice")
	legacy.RegisterAminoMsg(cdc, &MsgLockStake{}, "edge/x/rewards/MsgLockStake")
}

// RegisterInterfaces registers the messages.
func RegisterInterfaces(registry types.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil), &MsgUpdateParams{}, &MsgRetryPayout{}, &MsgSetTokenPrice{}, &MsgLockStake{})
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
