package dack

import (
	"fmt"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	"github.com/cosmos/cosmos-sdk/version"
)

// AutoCLIOptions describes the commands of the module.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: "edge.dack.v1.Query",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				queryCommand("Params", "params", "Query the parameters", ""),
				queryCommand("Prices", "prices [epoch]", "Query the prices of an epoch; 0 is the current one", "0", "epoch"),
				queryCommand("Service", "service [id]", "Query a service", "0", "id"),
				queryCommand("Services", "services", "Query all services", ""),
				queryCommand("ServicesByOwner", "services-by-owner [owner]", "Query the services of an address", "edge1...", "owner"),
				queryCommand("Totals", "totals", "Query the sums of the module's books, with what its account holds", ""),
				queryCommand("Account", "account [id]", "Query a client account with what is spendable and payable", "1", "id"),
				queryCommand("AccountByOwner", "account-by-owner [owner]", "Query the client account of an address", "edge1...", "owner"),
				queryCommand("ClientKey", "key [id]", "Query a client key with what it has left in this epoch", "1", "id"),
				queryCommand("ClientKeys", "keys [account-id]", "Query the keys of a client account", "1", "account_id"),
				queryCommand("Lanes", "lanes [epoch] [worker-id] [key-id]", "Query what is settled on the lanes of a key with a worker", "12 1 7", "epoch", "worker_id", "key_id"),
				queryCommand("WorkerLanes", "worker-lanes [epoch] [worker-id]", "Query the lanes of all keys with a worker", "12 1", "epoch", "worker_id"),
				queryCommand("Revenue", "revenue [epoch]", "Query the revenue of an epoch that is not summed yet", "12 --worker-id 1", "epoch"),
				queryCommand("WorkerTotals", "worker-totals [epoch]", "Query the revenue of a closed epoch by worker", "11", "epoch"),
				queryCommand("ServiceTotals", "service-totals [epoch]", "Query the revenue of a closed epoch by service", "11", "epoch"),
				queryCommand("EpochTotal", "epoch-total [epoch]", "Query the revenue of a closed epoch", "11", "epoch"),
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: "edge.dack.v1.Msg",
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod:      "Deposit",
					Use:            "deposit [owner] [amount]",
					Short:          "Deposit into the client account of an address, and open it if it is the first",
					Example:        fmt.Sprintf("%s tx dack deposit edge1... 5000000uusd --from client", version.AppName),
					PositionalArgs: args("owner", "amount"),
				},
				{
					RpcMethod:      "RequestWithdrawal",
					Use:            "request-withdrawal [amount]",
					Short:          "Ask for an amount back; it is paid two epochs later",
					Example:        fmt.Sprintf("%s tx dack request-withdrawal 1000000uusd --from client", version.AppName),
					PositionalArgs: args("amount"),
				},
				{
					RpcMethod: "AddClientKey",
					Use:       "add-client-key [public-key] [proof] [spend-limit] [last-epoch]",
					Short:     "Register a key that acknowledges on behalf of the sender's account",
					Long: "Register a key that acknowledges on behalf of the sender's account. Key and proof are base64 or hex; " +
						"`edge account add-key` makes both.",
					Example:        fmt.Sprintf("%s tx dack add-client-key <key> <proof> 1000000 365 --from client", version.AppName),
					PositionalArgs: args("public_key", "proof", "spend_limit", "last_epoch"),
				},
				{
					RpcMethod:      "UpdateClientKey",
					Use:            "update-client-key [key-id] [spend-limit] [last-epoch]",
					Short:          "Change the spend limit per epoch and the last epoch of a key, from the next epoch on",
					Example:        fmt.Sprintf("%s tx dack update-client-key 7 500000 365 --from client", version.AppName),
					PositionalArgs: args("key_id", "spend_limit", "last_epoch"),
				},
				{
					RpcMethod: "RevokeClientKey",
					Use:       "revoke-client-key [key-id]",
					Short:     "End a key with the current epoch",
					Long: "End a key with the current epoch. What it has signed until then can still be settled, up to its limit; it cannot " +
						"be revived.",
					Example:        fmt.Sprintf("%s tx dack revoke-client-key 7 --from client", version.AppName),
					PositionalArgs: args("key_id"),
				},
				{
					RpcMethod: "PublishService",
					Use:       "publish-service [name] [code-hash] [replicas]",
					Short:     "Publish a function against a deposit; the hash is the BLAKE3 hash of its code, base64 or hex",
					Long: "Publish a function against a deposit, the parameter service_deposit, which comes back two epochs after the service is removed. " +
						"The hash is the BLAKE3 hash of the WebAssembly module, base64 or hex.",
					Example:        fmt.Sprintf("%s tx dack publish-service thumbnails <code-hash> 3 --from owner", version.AppName),
					PositionalArgs: args("name", "code_hash", "replicas"),
				},
				{
					RpcMethod: "UpdateService",
					Use:       "update-service [service-id] [name] [code-hash] [replicas] [status]",
					Short:     "Change name, code, replicas and status of a service; all of them must be given",
					Long: "Change name, code, replicas and status of a service; all of them must be given. The name changes at once, the rest " +
						"with the next epoch. The status is service-status-active or service-status-paused.",
					Example: fmt.Sprintf("%s tx dack update-service 4 thumbnails <code-hash> 5 service-status-paused --from owner",
						version.AppName),
					PositionalArgs: args("service_id", "name", "code_hash", "replicas", "status"),
				},
				{
					RpcMethod: "TransferService",
					Use:       "transfer-service [service-id] [new-owner]",
					Short:     "Give a service, its deposit and what it earns from the next epoch on to another owner",
					Long: "Give a service, its deposit and what it earns from the next epoch on to another owner. Only the new owner can " +
						"change it from now on.",
					Example:        fmt.Sprintf("%s tx dack transfer-service 4 edge1... --from owner", version.AppName),
					PositionalArgs: args("service_id", "new_owner"),
				},
				{
					RpcMethod:      "RemoveService",
					Use:            "remove-service [service-id]",
					Short:          "End a service with the current epoch, for good; its deposit comes back two epochs later",
					Example:        fmt.Sprintf("%s tx dack remove-service 4 --from owner", version.AppName),
					PositionalArgs: args("service_id"),
				},
				{
					RpcMethod: "UpdateParams",
					Use:       "update-params-proposal [params]",
					Short:     "Propose new parameters; all of them must be given",
					Long: fmt.Sprintf("Propose new parameters; all of them must be given. `%s query dack params --output json` prints those "+
						"of now. Prices count from the epoch after the one in which the proposal passes.", version.AppName),
					Example:        fmt.Sprintf(`%s tx dack update-params-proposal '{"settlement_denom":"uusd", ...}' --from proposer`, version.AppName),
					PositionalArgs: args("params"),
					GovProposal:    true,
				},
				// Settlements are made by edge-worker: a person cannot type them.
				{RpcMethod: "Settle", Skip: true},
			},
		},
	}
}

func queryCommand(rpc, use, short, example string, fields ...string) *autocliv1.RpcCommandOptions {
	name := use
	for i, c := range use {
		if c == ' ' {
			name = use[:i]
			break
		}
	}
	text := fmt.Sprintf("%s query dack %s", version.AppName, name)
	if example != "" {
		text += " " + example
	}
	return &autocliv1.RpcCommandOptions{RpcMethod: rpc, Use: use, Short: short, Example: text, PositionalArgs: args(fields...)}
}

func args(fields ...string) []*autocliv1.PositionalArgDescriptor {
	list := make([]*autocliv1.PositionalArgDescriptor, len(fields))
	for i, f := range fields {
		list[i] = &autocliv1.PositionalArgDescriptor{ProtoField: f}
	}
	return list
}
