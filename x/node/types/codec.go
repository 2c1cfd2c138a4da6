package types

import (
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/legacy"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
)

// RegisterLegacyAminoCodec registers the messages for amino JSON signing.
func RegisterLegacyAminoCodec(cdc *codec.LegacyAmino) {
	cdc.RegisterConcrete(Params{}, "edge/x/node/Params", nil)
	legacy.RegisterAminoMsg(cdc, &MsgUpdateParams{}, "edge/x/node/MsgUpdateParams")
	legacy.RegisterAminoMsg(cdc, &MsgRegisterWorker{}, "edge/x/node/MsgRegisterWorker")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateWorker{}, "edge/x/node/MsgUpdateWorker")
	legacy.RegisterAminoMsg(cdc, &MsgRemoveWorker{}, "edge/x/node/MsgRemoveWorker")
	legacy.RegisterAminoMsg(cdc, &MsgOptIn{}, "edge/x/node/MsgOptIn")
	legacy.RegisterAminoMsg(cdc, &MsgOptOut{}, "edge/x/node/MsgOptOut")
	legacy.RegisterAminoMsg(cdc, &MsgReport{}, "edge/x/node/MsgReport")
}

// RegisterInterfaces registers the messages.
func RegisterInterfaces(registry codectypes.InterfaceRegistry) {
	registry.RegisterImplementations(
		(*sdk.Msg)(nil),
		&MsgUpdateParams{},
		&MsgRegisterWorker{},
		&MsgUpdateWorker{},
		&MsgRemoveWorker{},
		&MsgOptIn{},
		&MsgOptOut{},
		&MsgReport{},
	)
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
