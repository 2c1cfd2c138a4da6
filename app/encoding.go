package app

import (
	"fmt"

	"github.com/cosmos/gogoproto/proto"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/address"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/std"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtx "github.com/cosmos/cosmos-sdk/x/auth/tx"
	"github.com/cosmos/cosmos-sdk/x/tx/signing"
)

// encoding holds the codecs of the chain.
type encoding struct {
	registry codectypes.InterfaceRegistry
	codec    codec.Codec
	amino    *codec.LegacyAmino
	tx       client.TxConfig
}

// newEncoding returns the codecs. Modules add their types afterwards.
func newEncoding() (encoding, error) {
	cfg := sdk.GetConfig()
	registry, err := codectypes.NewInterfaceRegistryWithOptions(codectypes.InterfaceRegistryOptions{
		ProtoFiles: proto.HybridResolver,
		SigningOptions: signing.Options{
			AddressCodec:          address.NewBech32Codec(cfg.GetBech32AccountAddrPrefix()),
			ValidatorAddressCodec: address.NewBech32Codec(cfg.GetBech32ValidatorAddrPrefix()),
		},
	})
	if err != nil {
		return encoding{}, err
	}
	if err := registry.SigningContext().Validate(); err != nil {
		return encoding{}, fmt.Errorf("signers of the messages: %w", err)
	}
	cdc := codec.NewProtoCodec(registry)
	amino := codec.NewLegacyAmino()
	std.RegisterLegacyAminoCodec(amino)
	std.RegisterInterfaces(registry)
	return encoding{registry: registry, codec: cdc, amino: amino, tx: authtx.NewTxConfig(cdc, authtx.DefaultSignModes)}, nil
}
