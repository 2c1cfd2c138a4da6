package epoch_test

import (
	"strings"
	"testing"

	gogoproto "github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/cosmos/cosmos-sdk/types/msgservice"

	"github.com/edgechain/edge/x/epoch"
	"github.com/edgechain/edge/x/epoch/types"
)

// Every message says who signs it and how amino names it, and amino JSON can be made of it.
func TestMessagesAreAnnotated(t *testing.T) {
	files, err := gogoproto.MergedRegistry()
	require.NoError(t, err)
	require.NoError(t, msgservice.ValidateProtoAnnotations(files))
	moduletestutil.MakeTestEncodingConfig(epoch.AppModuleBasic{}) // panics if a name is registered twice or is too long
}

// AutoCLI prints amino JSON, which knows no choices without a name, such as CometBFT's public keys: such an answer has a command
// of its own.
func TestAnswersCanBePrinted(t *testing.T) {
	files, err := gogoproto.MergedRegistry()
	require.NoError(t, err)
	options := epoch.AppModule{}.AutoCLIOptions().Query
	found, err := files.FindDescriptorByName(protoreflect.FullName(options.Service))
	require.NoError(t, err)
	methods := found.(protoreflect.ServiceDescriptor).Methods()
	for _, c := range options.RpcCommandOptions {
		answer := methods.ByName(protoreflect.Name(c.RpcMethod)).Output()
		require.Equal(t, c.Skip, hasChoice(answer), c.RpcMethod)
	}
	group := epoch.AppModule{}.GetQueryCmd()
	require.True(t, options.EnhanceCustomCommand, "AutoCLI would leave its commands out")
	require.Len(t, group.Commands(), 1)
	require.Equal(t, "validator-set", group.Commands()[0].Name())
}

// hasChoice says whether there is a oneof in a message, at any depth. None of ours contains itself.
func hasChoice(m protoreflect.MessageDescriptor) bool {
	for i := range m.Oneofs().Len() {
		if !m.Oneofs().Get(i).IsSynthetic() {
			return true
		}
	}
	for i := range m.Fields().Len() {
		if sub := m.Fields().Get(i).Message(); sub != nil && hasChoice(sub) {
			return true
		}
	}
	return false
}

// Every method of the services has a command with a text and an example, and every argument is a field of the request.
func TestCommandsCoverTheServices(t *testing.T) {
	files, err := gogoproto.MergedRegistry()
	require.NoError(t, err)
	options := epoch.AppModule{}.AutoCLIOptions()
	for _, service := range []*autocliv1.ServiceCommandDescriptor{options.Query, options.Tx} {
		found, err := files.FindDescriptorByName(protoreflect.FullName(service.Service))
		require.NoError(t, err)
		methods := found.(protoreflect.ServiceDescriptor).Methods()
		commands := map[string]*autocliv1.RpcCommandOptions{}
		for _, c := range service.RpcCommandOptions {
			commands[c.RpcMethod] = c
		}
		require.Len(t, commands, methods.Len())
		require.Len(t, service.RpcCommandOptions, methods.Len(), "a method stands twice")
		for i := range methods.Len() {
			c := commands[string(methods.Get(i).Name())]
			require.NotNil(t, c, methods.Get(i).Name())
			if c.Skip {
				require.Contains(t, []string{"RegisterBeaconKey", "ValidatorSet"}, c.RpcMethod, "cmd/edged and client/cli have these")
				continue
			}
			require.NotEmpty(t, c.Short, c.RpcMethod)
			require.Contains(t, c.Example, " "+types.ModuleName+" "+strings.Fields(c.Use)[0], c.RpcMethod)
			require.Len(t, c.PositionalArgs, len(strings.Fields(c.Use))-1, c.RpcMethod)
			for _, arg := range c.PositionalArgs {
				require.NotNil(t, methods.Get(i).Input().Fields().ByName(protoreflect.Name(arg.ProtoField)), "%s %s", c.RpcMethod, arg.ProtoField)
			}
		}
	}
}
