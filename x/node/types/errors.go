package types

import "cosmossdk.io/errors"

// Errors of x/node. Codes are never renumbered.
var (
	// ErrWorkerNotFound reports a worker that is not registered.
	ErrWorkerNotFound = errors.Register(ModuleName, 2, "worker not found")
	// ErrNotValidator reports an operator without a validator.
	ErrNotValidator = errors.Register(ModuleName, 3, "operator has no validator")
	// ErrNotOperator reports a sender who does not operate the worker.
	ErrNotOperator = errors.Register(ModuleName, 4, "not the operator of the worker")
	// ErrPeerKey reports a peer key that must not be registered.
	ErrPeerKey = errors.Register(ModuleName, 5, "unusable peer key")
	// ErrPeerProof reports a proof that is not the peer key's signature over chain and operator.
	ErrPeerProof = errors.Register(ModuleName, 6, "peer proof does not verify")
	// ErrPeerKeyTaken reports a peer key that another registered worker has.
	ErrPeerKeyTaken = errors.Register(ModuleName, 7, "peer key is registered already")
	// ErrTooManyWorkers reports a node that has as many workers as the parameters allow.
	ErrTooManyWorkers = errors.Register(ModuleName, 8, "node has too many workers")
	// ErrEndpoint reports an endpoint list outside of the rules.
	ErrEndpoint = errors.Register(ModuleName, 9, "invalid endpoint")
	// ErrRegion reports a region outside of the rules.
	ErrRegion = errors.Register(ModuleName, 10, "invalid region")
	// ErrAddress reports an address that does not parse.
	ErrAddress = errors.Register(ModuleName, 11, "invalid address")
	// ErrWorkerRetiring reports a worker that was removed already.
	ErrWorkerRetiring = errors.Register(ModuleName, 12, "worker is retiring")
	// ErrParams reports parameters outside of their bounds.
	ErrParams = errors.Register(ModuleName, 13, "invalid parameters")
	// ErrGenesis reports a genesis state that contradicts itself.
	ErrGenesis = errors.Register(ModuleName, 14, "invalid genesis")
	// ErrEpoch reports an epoch that is not after the one before.
	ErrEpoch = errors.Register(ModuleName, 15, "epochs only rise")
	// ErrInvariant reports state that contradicts itself or the bank.
	ErrInvariant = errors.Register(ModuleName, 16, "invariant broken")
	// ErrOptedIn reports a node that takes part, or does so from the next epoch on.
	ErrOptedIn = errors.Register(ModuleName, 17, "node has opted in already")
	// ErrNotOptedIn reports a node that does not take part, nor from the next epoch on.
	ErrNotOptedIn = errors.Register(ModuleName, 18, "node has not opted in")
	// ErrLapsed reports a node that counts as opted out because it sent no report in two epochs.
	ErrLapsed = errors.Register(ModuleName, 19, "no report in two epochs, the node counts as opted out: opt in again")
	// ErrReporter reports a sender who must not report for the node.
	ErrReporter = errors.Register(ModuleName, 20, "sender is neither the operator nor the account of an active worker of the node")
	// ErrReportEpoch reports a report for another epoch than the open one.
	ErrReportEpoch = errors.Register(ModuleName, 21, "report is not for the open epoch")
	// ErrAlreadyReported reports a second report of a node in an epoch.
	ErrAlreadyReported = errors.Register(ModuleName, 22, "node has reported in this epoch already")
	// ErrReportHeight reports a block that is not of the open epoch or has not ended.
	ErrReportHeight = errors.Register(ModuleName, 23, "height is not of a past block of this epoch")
	// ErrReportHash reports a header hash that is not that of the block, or a block whose hash is not kept any more.
	ErrReportHash = errors.Register(ModuleName, 24, "header hash does not match")
	// ErrNodeNotFound reports a node that never opted in.
	ErrNodeNotFound = errors.Register(ModuleName, 25, "node not found")
)
