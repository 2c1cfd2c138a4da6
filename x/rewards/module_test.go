package rewards_test

import (
	"strings"
	"testing"

	gogoproto "github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	moduletestutil "github.com/cosmos/cosmos-sdk/types/module/testutil"
	"github.com/cosmos/cosmos-sdk/types/msgservice"

	"github.com/edgechain/edge/x/rewards"
	"github.com/edgechain/edge/x/rewards/types"
)

// Every message says who signs it and how amino names it, and amino JSON can be made of it.
func TestMessagesAreAnnotated(t *testing.T) {
	files, err := gogoproto.MergedRegistry()
	require.NoError(t, err)
	require.NoError(t, msgservice.ValidateProtoAnnotations(files))
	moduletestutil.MakeTestEncodingConfig(rewards.AppModuleBasic{}) // panics if a name is registered twice or is too long
}

// Every method of the services has a command with a text and an example, and every argument is a field of the request.
func TestCommandsCoverTheServices(t *testing.T) {
	files, err := gogoproto.MergedRegistry()
	require.NoError(t, err)
	options := rewards.AppModule{}.AutoCLIOptions()
	for _, service := range []*autocliv1.ServiceCommandDescriptor{options.Query, options.Tx} {
		found, err := files.FindDescriptorByName(protoreflect.FullName(service.Service))
		require.NoError(t, err)
		methods := found.(protoreflect.ServiceDescriptor).Methods()
		commands := map[string]*autocliv1.RpcCommandOptions{}
		for _, c := range service.RpcCommandOptions {
			commands[c.RpcMethod] = c
		}
		require.Len(t, commands, methods.Len())
		require.Len(t, service.RpcCommandOptions, methods.Len(), "each has one command")
		for i := range methods.Len() {
			c := commands[string(methods.Get(i).Name())]
			require.NotNil(t, c, methods.Get(i).Name())
			require.NotEmpty(t, c.Short, c.RpcMethod)
			require.Contains(t, c.Example, " "+types.ModuleName+" "+strings.Fields(c.Use)[0], c.RpcMethod)
			require.Len(t, c.PositionalArgs, len(strings.Fields(c.Use))-1, c.RpcMethod)
			for _, arg := range c.PositionalArgs {
				require.NotNil(t, methods.Get(i).Input().Fields().ByName(protoreflect.Name(arg.ProtoField)), "%s %s", c.RpcMethod, arg.ProtoField)
			}
		}
	}
}
