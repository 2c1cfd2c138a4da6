package types

import errorsmod "cosmossdk.io/errors"

// Errors of x/rewards. Codes are never renumbered.
var (
	ErrInvalidParams   = errorsmod.Register(ModuleName, 2, "invalid parameters")
	ErrInvalidGenesis  = errorsmod.Register(ModuleName, 3, "invalid genesis")
	ErrInvalidShares   = errorsmod.Register(ModuleName, 4, "invalid shares")
	ErrSharesNotFound  = errorsmod.Register(ModuleName, 5, "no shares for the epoch")
	ErrPayoutNotFound  = errorsmod.Register(ModuleName, 6, "payout not found")
	ErrNotSetAside     = errorsmod.Register(ModuleName, 7, "payout is not set aside")
	ErrSummaryNotFound = errorsmod.Register(ModuleName, 8, "epoch has no summary")
	ErrBooks           = errorsmod.Register(ModuleName, 9, "books do not add up")
	ErrTermsNotFound   = errorsmod.Register(ModuleName, 10, "no emission terms for the epoch")
	ErrInvalidPrice    = errorsmod.Register(ModuleName, 11, "invalid token price")
	ErrInvalidLock     = errorsmod.Register(ModuleName, 12, "invalid stake lock")
	ErrLockNotFound    = errorsmod.Register(ModuleName, 13, "stake lock not found")
	ErrStakeLocked     = errorsmod.Register(ModuleName, 14, "stake is locked")
	ErrStillPaying     = errorsmod.Register(ModuleName, 15, "epoch is still being paid")
	ErrNodeUnbonded    = errorsmod.Register(ModuleName, 16, "node is unbonded")
)
