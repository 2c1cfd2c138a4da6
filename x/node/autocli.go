package node

import (
	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	"github.com/edgechain/edge/x/node/types"
)

// AutoCLIOptions describes the commands of the module.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: types.Query_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod: "Params", Use: "params", Short: "Query the parameters of x/node",
					Example: "edged query node params",
				},
				{
					RpcMethod: "Worker", Use: "worker [id]", Short: "Query a worker by its id",
					Example:        "edged query node worker 1",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "id"}},
				},
				{
					RpcMethod: "Workers", Use: "workers", Short: "Query all workers",
					Example: "edged query node workers --page-limit 50",
				},
				{
					RpcMethod: "WorkersByOperator", Use: "workers-by-operator [operator]", Short: "Query the workers of one node",
					Example:        "edged query node workers-by-operator edgevaloper1...",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "operator"}},
				},
				{
					RpcMethod: "WorkerByPeerKey", Use: "worker-by-peer-key [peer-key]", Short: "Query the worker with a peer key (hex or base64)",
					Example:        "edged query node worker-by-peer-key 3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "peer_key"}},
				},
				{
					RpcMethod: "Node", Use: "node [operator]",
					Short:          "Query who takes part: participation, health, and whether a report is due",
					Example:        "edged query node node edgevaloper1...",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "operator"}},
				},
				{
					RpcMethod: "Nodes", Use: "nodes", Short: "Query all nodes that have opted in at least once",
					Example: "edged query node nodes --page-limit 50",
				},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service:              types.Msg_serviceDesc.ServiceName,
			EnhanceCustomCommand: true,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod: "RegisterWorker", Use: "register-worker [peer-key] [peer-proof] [account]",
					Short: "Register a worker of your node",
					Long: "Register a worker of your node. 'edge-worker identity --operator ADDR' prints this command with the peer key and " +
						"its proof filled in (hex or base64). The deposit is taken from the operator's account and returned after the worker " +
						"was removed.",
					Example: "edged tx node register-worker PEER_KEY PEER_PROOF edge1... --endpoints https://worker.example:8443 --region eu-central --from operator",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{
						{ProtoField: "peer_key"}, {ProtoField: "peer_proof"}, {ProtoField: "account"},
					},
					FlagOptions: workerFlags(),
				},
				{
					RpcMethod: "UpdateWorker", Use: "update-worker [id] [account]",
					Short:          "Replace account, endpoints, region and capacity of a worker",
					Example:        "edged tx node update-worker 1 edge1... --endpoints https://worker.example:8443 --region eu-central --from operator",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "worker_id"}, {ProtoField: "account"}},
					FlagOptions:    workerFlags(),
				},
				{
					RpcMethod: "RemoveWorker", Use: "remove-worker [id]",
					Short:          "Remove a worker; it settles what it holds, then its deposit is returned",
					Example:        "edged tx node remove-worker 1 --from operator",
					PositionalArgs: []*autocliv1.PositionalArgDescriptor{{ProtoField: "worker_id"}},
				},
				{
					RpcMethod: "OptIn", Use: "opt-in", Short: "Let your node take part in elections from the next epoch on",
					Long: "Let your node take part in the elections of committees from the next epoch on. It can be elected eligibility_epochs " +
						"after it first opted in, needs a beacon key (edged tx epoch register-beacon-key), and reports once in each epoch. A " +
						"node that sent no report in two epochs opts in again.",
					Example: "edged tx node opt-in --from operator",
				},
				{
					RpcMethod: "OptOut", Use: "opt-out", Short: "End the participation of your node from the next epoch on",
					Long: "End the participation of your node from the next epoch on. Seats that it holds stay with it until they are handed " +
						"over, so keep it running until then.",
					Example: "edged tx node opt-out --from operator",
				},
				// client/cli has the command: it asks for the epoch and for the hash of a block.
				{RpcMethod: "Report", Skip: true},
				{RpcMethod: "UpdateParams", Skip: true},
			},
		},
	}
}

func workerFlags() map[string]*autocliv1.FlagOptions {
	return map[string]*autocliv1.FlagOptions{
		"endpoints": {Name: "endpoints", Usage: "multiaddrs or http(s) URLs, comma-separated, best first"},
		"region":    {Name: "region", Usage: "short label such as eu-central"},
		"capacity":  {Name: "capacity", Usage: "declared capacity in bytes per second, 0 is unknown"},
	}
}
