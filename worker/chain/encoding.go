package chain

import (
	"fmt"

	"github.com/cosmos/gogoproto/proto"

	"cosmossdk.io/core/address"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtx "github.com/cosmos/cosmos-sdk/x/auth/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	"github.com/cosmos/cosmos-sdk/x/tx/signing"

	dacktypes "github.com/edgechain/edge/x/dack/types"
	nodetypes "github.com/edgechain/edge/x/node/types"
)

// Bech32Prefix of the chain's account addresses. Operator addresses add "valoper".
const Bech32Prefix = "edge"

// Encoding is what the worker needs to sign settlements and reports and to read answers, without the application and its keepers.
type Encoding struct {
	Registry codectypes.InterfaceRegistry
	Codec    codec.Codec
	TxConfig client.TxConfig
	// Addresses and Operators write and read account and operator addresses.
	Addresses address.Codec
	Operators address.Codec
}

// NewEncoding returns the encoding of the chain. Its prefix does not rest on the SDK's global configuration.
func NewEncoding() (Encoding, error) {
	accounts := addresscodec.NewBech32Codec(Bech32Prefix)
	operators := addresscodec.NewBech32Codec(Bech32Prefix + "valoper")
	registry, err := codectypes.NewInterfaceRegistryWithOptions(codectypes.InterfaceRegistryOptions{
		ProtoFiles: proto.HybridResolver,
		SigningOptions: signing.Options{
			AddressCodec:          accounts,
			ValidatorAddressCodec: operators,
		},
	})
	if err != nil {
		return Encoding{}, fmt.Errorf("interface registry: %w", err)
	}
	cryptocodec.RegisterInterfaces(registry)
	authtypes.RegisterInterfaces(registry)
	authz.RegisterInterfaces(registry)
	feegrant.RegisterInterfaces(registry)
	registry.RegisterImplementations((*sdk.Msg)(nil), &dacktypes.MsgSettle{}, &nodetypes.MsgReport{})
	cdc := codec.NewProtoCodec(registry)
	signingOptions := signing.Options{
		FileResolver:          proto.HybridResolver,
		AddressCodec:          accounts,
		ValidatorAddressCodec: operators,
	}
	txConfig, err := authtx.NewTxConfigWithOptions(cdc, authtx.ConfigOptions{
		EnabledSignModes: authtx.DefaultSignModes[:1],
		SigningOptions:   &signingOptions,
	})
	if err != nil {
		return Encoding{}, fmt.Errorf("transaction encoding: %w", err)
	}
	return Encoding{Registry: registry, Codec: cdc, TxConfig: txConfig, Addresses: accounts, Operators: operators}, nil
}
