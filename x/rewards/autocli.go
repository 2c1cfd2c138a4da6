package rewards

import (
	"fmt"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	"github.com/cosmos/cosmos-sdk/version"

	"github.com/edgechain/edge/x/rewards/types"
)

// AutoCLIOptions describes the commands of the module.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	example := func(format string) string { return fmt.Sprintf(format, version.AppName) }
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: types.Query_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod: "Params", Use: "params", Short: "Show the parameters",
					Example: example("%s query rewards params"),
				},
				{
					RpcMethod: "EpochSummary", Use: "epoch EPOCH", Short: "Show where the revenue of an epoch went",
					Example:        example("%s query rewards epoch 12 --output json"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "epoch"}},
				},
				{
					RpcMethod: "EpochSummaries", Use: "epochs", Short: "List where the revenue of each epoch went",
					Example: example("%s query rewards epochs --page-reverse --page-limit 5"),
				},
				{
					RpcMethod: "Payouts", Use: "payouts EPOCH", Short: "List the payouts of an epoch",
					Example:        example("%s query rewards payouts 12"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "epoch"}},
				},
				{
					RpcMethod: "SetAside", Use: "set-aside", Short: "List the payouts that could not be made",
					Example: example("%s query rewards set-aside"),
				},
				{
					RpcMethod: "TokenPrice", Use: "token-price", Short: "Show the price of the token that counts now, or in one epoch",
					Example: example("%[1]s query rewards token-price\n%[1]s query rewards token-price --epoch 12"),
				},
				{
					RpcMethod: "Emission", Use: "emission", Short: "Show the emission terms, the emission year and the history of the supply",
					Example: example("%[1]s query rewards emission\n%[1]s query rewards emission --epoch 12"),
				},
				{
					RpcMethod: "Pending", Use: "pending ADDRESS", Short: "List what is earned and not yet paid",
					Long: "List what the operator of a validator, or the owner of services, has earned and not been paid. The amounts of an open epoch are what they " +
						"would be if it ended now, in the settlement coin alone. A page looks at a bounded number of records, whoever's they are: go on while there is a next key.",
					Example:        example("%s query rewards pending edgevaloper1... --page-limit 1000"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "address"}},
				},
				{
					RpcMethod: "Audit", Use: "audit", Short: "Check that the money adds up",
					Long: "Check the invariants of the money that exists now, or of an epoch that is or was paid: both sides of each equation, and whether it holds. " +
						"With --height, as of that height.",
					Example: example("%s query rewards audit --epoch 12"),
				},
				{
					RpcMethod: "Lock", Use: "lock OPERATOR", Short: "Show the stake lock of an operator and its boost",
					Example:        example("%s query rewards lock edgevaloper1..."),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "operator"}},
				},
				{
					RpcMethod: "Locks", Use: "locks", Short: "List the stake locks",
					Example: example("%s query rewards locks"),
				},
				{
					RpcMethod: "Boosts", Use: "boosts EPOCH", Short: "List the boosts of an epoch; nodes without a lock have 1",
					Example:        example("%s query rewards boosts 12"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "epoch"}},
				},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: types.Msg_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod: "RetryPayout", Use: "retry-payout EPOCH KIND ID", Short: "Retry a payout that is set aside",
					Long:    "Retry a payout that is set aside; the list is in `query rewards set-aside`. Anyone may send it, the money goes to its owner. KIND is payout-kind-node, payout-kind-owner, payout-kind-community, or one of these with -emission for tokens.",
					Example: example("%s tx rewards retry-payout 12 payout-kind-node 3 --from alice"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{
						{ProtoField: "epoch"}, {ProtoField: "kind"}, {ProtoField: "id"},
					},
				},
				{
					RpcMethod: "LockStake", Use: "lock-stake AMOUNT EPOCHS", Short: "Lock stake of your own validator for a boost",
					Long: "Lock stake that you have delegated to your own validator: AMOUNT in all, for EPOCHS epochs from the next one on. It cannot be taken out before they " +
						"are over, and a lock can only grow. The boost counts from the next epoch on; `query rewards lock` shows it.",
					Example: example("%s tx rewards lock-stake 1000000uedge 365 --from operator"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{
						{ProtoField: "amount"}, {ProtoField: "epochs"}, // the operator is the one who signs
					},
				},
				{
					RpcMethod: "SetTokenPrice", Use: "set-token-price-proposal PRICE", Short: "Submit a proposal that sets the price of the token",
					Long:           "Submit a proposal that sets the price of one uedge in units of the settlement coin, from the next epoch on; 0 is none. A price is valid for 14 epochs, and the highest of the last 30 epochs counts.",
					Example:        example("%s tx rewards set-token-price-proposal 0.25 --from alice"),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "price"}},
					GovProposal:    true,
				},
				{
					RpcMethod: "UpdateParams", Use: "update-params-proposal PARAMS", Short: "Submit a proposal that replaces the parameters",
					Long: "Submit a proposal that replaces the parameters. Here a share or another decimal is written as an integer of 10^-18: 0.80 is 800000000000000000. In the file of `tx gov submit-proposal` it is a decimal.",
					Example: example(`%s tx rewards update-params-proposal '{"shares":{"node":"800000000000000000","owner":"150000000000000000","protocol":"50000000000000000"},` +
						`"history_epochs":100,"prune_per_block":1000,"emission":{"guard":"500000000000000000","inflation":"100000000000000000",` +
						`"max_boost":"4000000000000000000","max_lock_epochs":1460}}' --from alice`),
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "params"}},
					GovProposal:    true,
				},
			},
		},
	}
}
