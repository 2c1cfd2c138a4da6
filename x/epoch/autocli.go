package epoch

import (
	"fmt"

	"github.com/spf13/cobra"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	"github.com/cosmos/cosmos-sdk/version"

	"github.com/edgechain/edge/x/epoch/client/cli"
	"github.com/edgechain/edge/x/epoch/types"
)

// GetQueryCmd returns the parent of the module's queries, with those that AutoCLI cannot print.
func (AppModule) GetQueryCmd() *cobra.Command { return cli.QueryCommand() }

// AutoCLIOptions describes the commands of the module.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	example := func(format string) string { return fmt.Sprintf(format, version.AppName) }
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service:              types.Query_serviceDesc.ServiceName,
			EnhanceCustomCommand: true,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod: "Params", Use: "params", Short: "Show the parameters, and whether this is a development network",
					Example: example("%s query epoch params"),
				},
				{
					RpcMethod: "Current", Use: "current", Short: "Show the open epoch, the time left in it, the epoch that is being closed and the hand-over of seats",
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
				{
					RpcMethod: "Beacon", Use: "beacon", Short: "Show the seed of the open epoch and, while it is frozen, the randomness beacon",
					Example: example("%s query epoch beacon"),
				},
				{
					RpcMethod: "BeaconKey", Use: "beacon-key OPERATOR", Short: "Show the beacon key that a validator has registered",
					Example:        example("%s query epoch beacon-key edgevaloper1..."),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "operator"}},
				},
				{
					RpcMethod: "BeaconKeys", Use: "beacon-keys", Short: "List the beacon keys of all validators",
					Example: example("%s query epoch beacon-keys --page-limit 50"),
				},
				{
					RpcMethod: "Election", Use: "election [EPOCH]",
					Short:          "Show the record of the freeze and of the draw for the committee of an epoch, by default the newest",
					Example:        example("%[1]s query epoch election\n%[1]s query epoch election 12"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "epoch", Optional: true}},
				},
				{
					RpcMethod: "Frozen", Use: "frozen [EPOCH]",
					Short: "List the validators in the record of a freeze, by default the newest, and why they are candidates or not",
					Example: example("%[1]s query epoch frozen\n" +
						"%[1]s query epoch frozen 12 --page-limit 300"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "epoch", Optional: true}},
				},
				{
					RpcMethod: "Committee", Use: "committee [EPOCH]",
					Short:          "Show who was elected for an epoch, by default the open one, who left, and who holds the seats",
					Example:        example("%[1]s query epoch committee\n%[1]s query epoch committee 12"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "epoch", Optional: true}},
				},
				{
					RpcMethod: "Seats", Use: "seats OPERATOR", Short: "List the seats that a validator won over time, newest first",
					Example:        example("%s query epoch seats edgevaloper1... --page-limit 10"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "operator"}},
				},
				{
					RpcMethod: "Eligibility", Use: "eligibility OPERATOR",
					Short:          "Tell whether a validator can be elected into the next committee, and what to do if not",
					Example:        example("%s query epoch eligibility edgevaloper1..."),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "operator"}},
				},
				{
					RpcMethod: "Slashable", Use: "slashable OPERATOR [DELEGATOR]",
					Short: "Tell until when faults of a validator can be reported, and what they can take from stake on its way out",
					Example: example("%[1]s query epoch slashable edgevaloper1...\n" +
						"%[1]s query epoch slashable edgevaloper1... edge1..."),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "operator"}, {ProtoField: "delegator", Optional: true}},
				},
				// client/cli has the command, because its answer has no amino JSON.
				{RpcMethod: "ValidatorSet", Skip: true},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: types.Msg_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				// cmd/edged has the command: it reads the key file and makes the proof.
				{RpcMethod: "RegisterBeaconKey", Skip: true},
				{
					RpcMethod: "RetryItem", Use: "retry-item EPOCH STAGE", Short: "Retry an item that is set aside, or with no --key a whole stage",
					Long:           "Retry an item that is set aside. Anyone may send it; the list is in `query epoch set-aside`. Without --key the stage as a whole is retried, which may need several transactions.",
					Example:        example("%[1]s tx epoch retry-item 12 pay --key AQAAAAAAAAAD --from alice\n%[1]s tx epoch retry-item 12 sum --from alice"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "epoch"}, {ProtoField: "stage"}},
				},
				{
					RpcMethod: "UpdateParams", Use: "update-params-proposal PARAMS", Short: "Submit a proposal that replaces the parameters",
					Long:           "Submit a proposal that replaces the parameters, all at once. Here min_committee_stake is written as an integer of 10^-18: 0.9 is 900000000000000000. In the file of `tx gov submit-proposal` it is a decimal.",
					Example:        example(`%s tx epoch update-params-proposal '{"duration":"86400s","close_budget":500,"beacon_blocks":100,"seats":150,"step_blocks":10000,"min_committee":7,"min_committee_stake":"900000000000000000","ready_blocks":100}' --from alice`),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "params"}},
					GovProposal:    true,
				},
			},
		},
	}
}
