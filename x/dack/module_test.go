package dack_test

import (
	"strings"
	"testing"

	gogoproto "github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"

	"github.com/edgechain/edge/x/dack"
	"github.com/edgechain/edge/x/dack/types"
)

func TestGenesisJSON(t *testing.T) {
	cdc := codec.NewProtoCodec(codectypes.NewInterfaceRegistry())
	m := dack.NewAppModule(cdc, nil)
	require.Equal(t, types.ModuleName, m.Name())
	require.NoError(t, m.ValidateGenesis(cdc, nil, m.DefaultGenesis(cdc)))
	require.Error(t, m.ValidateGenesis(cdc, nil, []byte("{")))
	require.ErrorIs(t, m.ValidateGenesis(cdc, nil, []byte("{}")), types.ErrInvalidParams)
}

// TestAnnotations: every message names its signer and its amino name.
func TestAnnotations(t *testing.T) {
	files, err := gogoproto.MergedRegistry()
	require.NoError(t, err)
	require.NoError(t, msgservice.ValidateProtoAnnotations(files))
	registry := codectypes.NewInterfaceRegistry()
	types.RegisterInterfaces(registry)
	amino := codec.NewLegacyAmino()
	types.RegisterLegacyAminoCodec(amino)
	for _, name := range []string{
		"MsgUpdateParams", "MsgDeposit", "MsgRequestWithdrawal", "MsgAddClientKey", "MsgUpdateClientKey", "MsgRevokeClientKey",
		"MsgPublishService", "MsgUpdateService", "MsgTransferService", "MsgRemoveService", "MsgSettle",
	} {
		_, err := registry.Resolve("/edge.dack.v1." + name)
		require.NoError(t, err)
	}
}

// TestCommands: every method of the services has a command with an example, and none is invented.
func TestCommands(t *testing.T) {
	options := dack.AppModule{}.AutoCLIOptions()
	files, err := gogoproto.MergedRegistry()
	require.NoError(t, err)
	for _, service := range []*autocliv1.ServiceCommandDescriptor{options.Query, options.Tx} {
		desc, err := files.FindDescriptorByName(protoreflect.FullName(service.Service))
		require.NoError(t, err)
		methods := serviceMethods(t, desc)
		for _, c := range service.RpcCommandOptions {
			fields, ok := methods[c.RpcMethod]
			require.True(t, ok, c.RpcMethod)
			delete(methods, c.RpcMethod)
			if c.Skip {
				continue
			}
			require.NotEmpty(t, c.Short, c.RpcMethod)
			require.NotEmpty(t, c.Example, c.RpcMethod)
			require.Equal(t, len(c.PositionalArgs), strings.Count(c.Use, "["), c.RpcMethod)
			for _, a := range c.PositionalArgs {
				require.Contains(t, fields, a.ProtoField, c.RpcMethod)
			}
		}
		require.Empty(t, methods, "without a command")
	}
}

// serviceMethods returns the methods of a service with the fields of their requests.
func serviceMethods(t *testing.T, desc protoreflect.Descriptor) map[string][]string {
	t.Helper()
	service, ok := desc.(protoreflect.ServiceDescriptor)
	require.True(t, ok)
	methods := map[string][]string{}
	for i := range service.Methods().Len() {
		m := service.Methods().Get(i)
		fields := []string{}
		for j := range m.Input().Fields().Len() {
			fields = append(fields, string(m.Input().Fields().Get(j).Name()))
		}
		methods[string(m.Name())] = fields
	}
	return methods
}
