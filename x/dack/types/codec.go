package types

import (
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/legacy"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
)

// RegisterLegacyAminoCodec registers the messages for amino JSON, which hardware wallets sign.
func RegisterLegacyAminoCodec(cdc *codec.LegacyAmino) {
	cdc.RegisterConcrete(Params{}, "edge/x/dack/Params", nil)
	legacy.RegisterAminoMsg(cdc, &MsgUpdateParams{}, "edge/x/dack/MsgUpdateParams")
	legacy.RegisterAminoMsg(cdc, &MsgDeposit{}, "edge/x/dack/MsgDeposit")
	legacy.RegisterAminoMsg(cdc, &MsgRequestWithdrawal{}, "edge/x/dack/MsgRequestWithdrawal")
	legacy.RegisterAminoMsg(cdc, &MsgAddClientKey{}, "edge/x/dack/MsgAddClientKey")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateClientKey{}, "edge/x/dack/MsgUpdateClientKey")
	legacy.RegisterAminoMsg(cdc, &MsgRevokeClientKey{}, "edge/x/dack/MsgRevokeClientKey")
	legacy.RegisterAminoMsg(cdc, &MsgPublishService{}, "edge/x/dack/MsgPublishService")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateService{}, "edge/x/dack/MsgUpdateService")
	legacy.RegisterAminoMsg(cdc, &MsgTransferService{}, "edge/x/dack/MsgTransferService")
	legacy.RegisterAminoMsg(cdc, &MsgRemoveService{}, "edge/x/dack/MsgRemoveService")
	legacy.RegisterAminoMsg(cdc, &MsgSettle{}, "edge/x/dack/MsgSettle")
}

// RegisterInterfaces registers the messages of the module.
func RegisterInterfaces(registry codectypes.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil),
		&MsgUpdateParams{},
		&MsgDeposit{},
		&MsgRequestWithdrawal{},
		&MsgAddClientKey{},
		&MsgUpdateClientKey{},
		&MsgRevokeClientKey{},
		&MsgPublishService{},
		&MsgUpdateService{},
		&MsgTransferService{},
		&MsgRemoveService{},
		&MsgSettle{},
	)
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
