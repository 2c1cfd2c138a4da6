package types

import errorsmod "cosmossdk.io/errors"

// Sentinel errors of x/dack. Codes are never renumbered; the worker and the client match them.
var (
	// ErrInvalidParams reports parameters outside of their bounds.
	ErrInvalidParams = errorsmod.Register(ModuleName, 2, "invalid parameters")
	// ErrSettlementDenomFixed reports a parameter change that names another settlement coin.
	ErrSettlementDenomFixed = errorsmod.Register(ModuleName, 3, "the settlement coin is fixed at genesis")
	// ErrInvalidDenom reports a coin other than the settlement coin.
	ErrInvalidDenom = errorsmod.Register(ModuleName, 4, "not the settlement coin")
	// ErrInvalidAmount reports an amount that is not positive.
	ErrInvalidAmount = errorsmod.Register(ModuleName, 5, "amount must be positive")
	// ErrBelowMinDeposit reports a first deposit that is too small to open an account.
	ErrBelowMinDeposit = errorsmod.Register(ModuleName, 6, "first deposit is below the minimum")
	// ErrInvalidOwner reports an owner of an account or service that could never be paid back.
	ErrInvalidOwner = errorsmod.Register(ModuleName, 7, "address cannot be the owner")
	// ErrAccountNotFound reports an owner or id without an account.
	ErrAccountNotFound = errorsmod.Register(ModuleName, 8, "account not found")
	// ErrInsufficientBalance reports a withdrawal above the spendable balance.
	ErrInsufficientBalance = errorsmod.Register(ModuleName, 9, "insufficient balance")
	// ErrTooManyWithdrawals reports an account whose earlier withdrawals wait to be paid.
	ErrTooManyWithdrawals = errorsmod.Register(ModuleName, 10, "too many pending withdrawals")
	// ErrKeyNotFound reports an unknown client key.
	ErrKeyNotFound = errorsmod.Register(ModuleName, 11, "client key not found")
	// ErrTooManyKeys reports an account that has as many live keys as it can have.
	ErrTooManyKeys = errorsmod.Register(ModuleName, 12, "too many client keys")
	// ErrPublicKeyTaken reports a public key that is registered already.
	ErrPublicKeyTaken = errorsmod.Register(ModuleName, 13, "public key is registered already")
	// ErrInvalidPublicKey reports a public key that must not be registered.
	ErrInvalidPublicKey = errorsmod.Register(ModuleName, 14, "invalid public key")
	// ErrInvalidProof reports a proof of possession that does not verify.
	ErrInvalidProof = errorsmod.Register(ModuleName, 15, "invalid proof of possession")
	// ErrInvalidSpendLimit reports a spend limit that is not positive.
	ErrInvalidSpendLimit = errorsmod.Register(ModuleName, 16, "spend limit must be positive")
	// ErrInvalidLastEpoch reports a last epoch that is over or too far away.
	ErrInvalidLastEpoch = errorsmod.Register(ModuleName, 17, "invalid last epoch")
	// ErrInvalidSettlement reports a settlement without worker, epoch or acknowledgements.
	ErrInvalidSettlement = errorsmod.Register(ModuleName, 18, "invalid settlement")
	// ErrTooManyAcks reports a settlement with more acknowledgements than max_acks.
	ErrTooManyAcks = errorsmod.Register(ModuleName, 19, "too many acknowledgements")
	// ErrSettlementTooLarge reports a settlement whose acknowledgements are too large.
	ErrSettlementTooLarge = errorsmod.Register(ModuleName, 20, "settlement is too large")
	// ErrOrder reports acknowledgements that are not strictly ascending.
	ErrOrder = errorsmod.Register(ModuleName, 21, "acknowledgements are not strictly ascending by key, service and lane")
	// ErrDeadEpoch reports an epoch whose acknowledgements have died.
	ErrDeadEpoch = errorsmod.Register(ModuleName, 22, "the epoch's acknowledgements have died")
	// ErrFutureEpoch reports an epoch that is not open yet.
	ErrFutureEpoch = errorsmod.Register(ModuleName, 23, "the epoch is not open yet")
	// ErrWrongAccount reports a settlement that the worker's account did not send.
	ErrWrongAccount = errorsmod.Register(ModuleName, 24, "not the worker's account")
	// ErrWorkerNotAllowed reports a worker that was removed before the epoch.
	ErrWorkerNotAllowed = errorsmod.Register(ModuleName, 25, "the worker may not settle this epoch")
	// ErrServiceNotFound reports an unknown service.
	ErrServiceNotFound = errorsmod.Register(ModuleName, 26, "service not found")
	// ErrPricesNotFound reports an epoch whose prices are not known (any more).
	ErrPricesNotFound = errorsmod.Register(ModuleName, 27, "prices not found")
	// ErrNotSummed reports an epoch whose revenue is not summed yet.
	ErrNotSummed = errorsmod.Register(ModuleName, 28, "the epoch's revenue is not summed")
	// ErrAlreadyCollected reports an epoch whose revenue has been sent on before.
	ErrAlreadyCollected = errorsmod.Register(ModuleName, 29, "the epoch's revenue is collected already")
	// ErrPruned reports an epoch whose totals are not kept any more.
	ErrPruned = errorsmod.Register(ModuleName, 30, "the epoch's totals are not kept any more")
	// ErrItemNotFound reports an item of the sum stage that does not exist.
	ErrItemNotFound = errorsmod.Register(ModuleName, 31, "item not found")
	// ErrInvalidGenesis reports a genesis state that contradicts itself.
	ErrInvalidGenesis = errorsmod.Register(ModuleName, 32, "invalid genesis state")
	// ErrInvariant reports state that breaks an invariant of the module's money.
	ErrInvariant = errorsmod.Register(ModuleName, 33, "invariant broken")
	// ErrNotCollected reports an epoch whose revenue has not been sent on yet.
	ErrNotCollected = errorsmod.Register(ModuleName, 34, "the epoch's revenue is not collected")
	// ErrTooManySettlements reports a transaction with more settlements than one can carry.
	ErrTooManySettlements = errorsmod.Register(ModuleName, 35, "too many settlements in a transaction")
	// ErrKeyEnded reports a change of a client key whose last epoch is over.
	ErrKeyEnded = errorsmod.Register(ModuleName, 36, "client key has ended")
	// ErrWrongOwner reports a change of a service by somebody else than its owner.
	ErrWrongOwner = errorsmod.Register(ModuleName, 37, "not the owner")
	// ErrInvalidServiceName reports a name that is too long, empty, or has characters that are not seen.
	ErrInvalidServiceName = errorsmod.Register(ModuleName, 38, "invalid name of a service")
	// ErrInvalidCodeHash reports a hash of another size than BLAKE3 has, or of zeros.
	ErrInvalidCodeHash = errorsmod.Register(ModuleName, 39, "invalid code hash")
	// ErrInvalidReplicas reports too few or too many replicas.
	ErrInvalidReplicas = errorsmod.Register(ModuleName, 40, "invalid number of replicas")
	// ErrInvalidServiceStatus reports a status that an owner cannot give to a service.
	ErrInvalidServiceStatus = errorsmod.Register(ModuleName, 41, "invalid status of a service")
	// ErrServiceRemoved reports a change of a service that is removed, for good.
	ErrServiceRemoved = errorsmod.Register(ModuleName, 42, "the service is removed")
	// ErrProtocolService reports a change of a service that the protocol owns.
	ErrProtocolService = errorsmod.Register(ModuleName, 43, "the protocol owns the service")
	// ErrTooManyServices reports a settlement whose acknowledgements name more services than one can.
	ErrTooManyServices = errorsmod.Register(ModuleName, 44, "too many services in a settlement")
)
