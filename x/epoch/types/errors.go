package types

import (
	errorsmod "cosmossdk.io/errors"
)

// Errors of x/epoch. Codes are never renumbered.
var (
	ErrInvalidParams    = errorsmod.Register(ModuleName, 2, "invalid parameters")
	ErrInvalidGenesis   = errorsmod.Register(ModuleName, 3, "invalid genesis")
	ErrEpochNotFound    = errorsmod.Register(ModuleName, 4, "epoch not found")
	ErrEpochOpen        = errorsmod.Register(ModuleName, 5, "epoch is not closed")
	ErrUnknownStage     = errorsmod.Register(ModuleName, 6, "unknown closing stage")
	ErrInvalidItem      = errorsmod.Register(ModuleName, 7, "invalid item key")
	ErrItemNotFound     = errorsmod.Register(ModuleName, 8, "item is not set aside")
	ErrEarlierStage     = errorsmod.Register(ModuleName, 9, "an earlier stage of the epoch is set aside")
	ErrNoProgress       = errorsmod.Register(ModuleName, 10, "stage made no progress")
	ErrPanic            = errorsmod.Register(ModuleName, 11, "panic")
	ErrNoHeaderHash     = errorsmod.Register(ModuleName, 12, "header hash is not kept")
	ErrInvalidBeaconKey = errorsmod.Register(ModuleName, 13, "invalid beacon key")
	ErrInvalidProof     = errorsmod.Register(ModuleName, 14, "invalid proof of possession")
	ErrNotValidator     = errorsmod.Register(ModuleName, 15, "operator has no validator")
	ErrElectionNotFound = errorsmod.Register(ModuleName, 16, "election not found")
	ErrRotation         = errorsmod.Register(ModuleName, 17, "the turns of proposers are not known")
)
