package epoch

import (
	"fmt"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	"github.com/cosmos/cosmos-sdk/version"

	"github.com/edgechain/edge/x/epoch/types"
)

// AutoCLIOptions describes the commands of the module.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	example := func(format string) string { return fmt.Sprintf(format, version.AppName) }
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: types.Query_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod: "Params", Use: "params", Short: "Show the parameters, and whether this is a development network",
					Example: example("%s query epoch params"),
				},
				{
					RpcMethod: "Current", Use: "current", Short: "Show the open epoch, the time left in it and the epoch that is being closed",
					Example: example("%s query epoch current --output json"),
				},
				{
					RpcMethod: "Epoch", Use: "epoch NUMBER", Short: "Show one epoch",
					Example:        example("%s query epoch epoch 12"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "number"}},
				},
				{
					RpcMethod: "Epochs", Use: "epochs", Short: "List epochs, oldest first",
					Example: example("%[1]s query epoch epochs --from 10 --to 12\n%[1]s query epoch epochs --page-reverse --page-limit 5"),
				},
				{
					RpcMethod: "SetAside", Use: "set-aside", Short: "List the items that failed while an epoch was closed",
					Example: example("%s query epoch set-aside"),
				},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: types.Msg_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod: "RetryItem", Use: "retry-item EPOCH STAGE", Short: "Retry an item that is set aside, or with no --key a whole stage",
					Long:           "Retry an item that is set aside. Anyone may send it; the list is in `query epoch set-aside`. Without --key the stage as a whole is retried, which may need several transactions.",
					Example:        example("%[1]s tx epoch retry-item 12 pay --key AQAAAAAAAAAD --from alice\n%[1]s tx epoch retry-item 12 sum --from alice"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "epoch"}, {ProtoField: "stage"}},
				},
				{
					RpcMethod: "UpdateParams", Use: "update-params-proposal PARAMS", Short: "Submit a proposal that replaces the parameters",
					Example:        example(`%s tx epoch update-params-proposal '{"duration":"86400s","close_budget":500}' --from alice`),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "params"}},
					GovProposal:    true,
				},
			},
		},
	}
}
